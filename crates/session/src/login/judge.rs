//! Clients that wait for a server's verdict: on the new user of COM_CHANGE_USER, or on a user that nobody
//! but servers knows (`clear_pw_passthrough`).
//!
//! The invariant: whom the servers decide about is not told that it is logged in, nor is any command of
//! its looked at, before one of them has let it in.

use tidegate_wire::login::ServerLogin;

use super::Step;
use crate::Link;
use crate::fault::{ErrReply, Fault as _, SessionFault};
use crate::ids::BackendId;
use crate::question::AccountAnswer;
use crate::session::{Cx, Phase, Session};

/// The number of the error "access denied".
const ACCESS_DENIED: u16 = 1045;

/// Whose acceptance of the user a client waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge {
    /// This connection's, of the new user.
    Of(BackendId),
    /// The first server's that says anything, of a user that nobody else has checked.
    First {
        /// The level at which zstd is to compress for the client, once it is let in.
        zstd_level: u8,
    },
}

impl Session {
    /// From now on the client waits.
    pub(super) fn await_judge(&mut self, login: ServerLogin, judge: Judge) {
        if let Phase::Dialogue(dialogue) = &mut self.phase {
            dialogue.step = Step::Server { login, judge };
        }
    }

    fn judge(&self) -> Option<Judge> {
        match &self.phase {
            Phase::Dialogue(dialogue) => match &dialogue.step {
                Step::Server { judge, .. } => Some(*judge),
                Step::Client(_) | Step::Tls(_) | Step::Answer(_) | Step::Work(_) | Step::Moving => {
                    None
                }
            },
            Phase::Commands | Phase::Over(_) => None,
        }
    }

    /// The client's dialogue, which is about to end.
    fn take_judged(&mut self) -> Option<ServerLogin> {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return None;
        };
        match std::mem::replace(&mut dialogue.step, Step::Moving) {
            Step::Server { login, .. } => Some(login),
            other => {
                dialogue.step = other;
                None
            }
        }
    }

    /// Does nobody but servers know whether the client is whom it names?
    fn servers_decide(&self) -> bool {
        matches!(
            &self.phase,
            Phase::Dialogue(dialogue)
                if matches!(&dialogue.account, Some(AccountAnswer::Found(found)) if found.servers_decide)
        )
    }

    /// A connection took the user.
    pub(crate) fn user_taken(&mut self, id: BackendId, switched: bool, cx: &mut Cx<'_>) {
        let zstd_level = match self.judge() {
            Some(Judge::Of(deciding)) if switched && deciding == id => None,
            Some(Judge::First { zstd_level }) => Some(zstd_level),
            Some(Judge::Of(_)) | None => return,
        };
        if self.servers_decide() {
            self.login_ended(true, cx);
        }
        let Some(login) = self.take_judged() else {
            return;
        };
        match zstd_level {
            Some(level) => {
                self.welcome(login, cx);
                self.begin_compression(level, cx);
            }
            None => self.change_done(login, cx),
        }
    }

    pub(super) fn change_done(&mut self, login: ServerLogin, cx: &mut Cx<'_>) {
        self.welcome(login, cx);
        self.observe.completed(cx.wall, None);
    }

    /// A connection was lost while the client waits. `true`: that was all there is to do.
    pub(crate) fn judge_lost(
        &mut self,
        id: BackendId,
        switching: bool,
        fault: &SessionFault,
        cx: &mut Cx<'_>,
    ) -> bool {
        let refused = match fault {
            SessionFault::ServerLogin { code, .. } => Some(*code),
            _ => None,
        };
        let concerned = match self.judge() {
            Some(Judge::Of(deciding)) => switching && deciding == id,
            Some(Judge::First { .. }) => refused.is_some(),
            None => false,
        };
        if !concerned {
            return false;
        }
        if !self.servers_decide() {
            self.fail(fault, cx);
            return true;
        }
        // What else is in the way of a user whom a server knows is no attempt at a password.
        if refused == Some(ACCESS_DENIED) {
            self.login_ended(false, cx);
        }
        if let Some(login) = self.take_judged() {
            let reason = format!("login of {} failed: {fault}", self.named_client());
            self.refuse_for_good(login, fault.client_reply(), &reason, cx);
        }
        true
    }

    /// Whom no server can be asked about any more is not let in.
    pub(crate) fn judge_missing(&mut self, cx: &mut Cx<'_>) {
        let on_its_way = self
            .backends
            .iter()
            .any(|backend| backend.link() == Link::Opening);
        if on_its_way || !matches!(self.judge(), Some(Judge::First { .. })) {
            return;
        }
        if let Some(login) = self.take_judged() {
            let who = self.named_client();
            let text = format!("Access denied for user {who}: no server could be asked");
            let reason = format!(
                "login of {who} failed: its password is left to the servers (clear_pw_passthrough), and none could be asked"
            );
            self.refuse_for_good(
                login,
                ErrReply::new(ACCESS_DENIED, b"28000", text),
                &reason,
                cx,
            );
        }
    }
}
