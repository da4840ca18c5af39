//! A session command that is issued anew, because the connection is lost whose answer counted and
//! nobody can answer in its place.
//!
//! The other connections may have carried it out, and carried out once more it may do something else.
//! So it has not happened: the history forgets it, and the connections that were told are given up.
//! What takes their place is told the history first, and then the command like anybody else.
//!
//! Left out on purpose: what is set for the whole server, which stays set when the connection is gone.

use tidegate_sql::TypeMask;

use crate::backend::State;
use crate::dispatch::MAX_RETRY_BYTES;
use crate::fault::SessionFault;
use crate::output::Level;
use crate::request::Request;
use crate::route::Leaves;
use crate::session::{Cx, Session};

impl Session {
    /// Is the command one that may be issued anew, should it come to that?
    pub(crate) fn may_be_issued_anew(&self, request: &Request<'_>, leaves: &Leaves) -> bool {
        let stays = |mask: TypeMask| mask.contains(TypeMask::GSYSVAR_WRITE);
        leaves.all
            && self.needs.keeps
            && request.complete
            && request.payload.len() <= MAX_RETRY_BYTES
            && self.tickets.is_empty()
            && !request.statement.is_some_and(|it| stays(it.mask))
    }

    /// Session command `seq`, whose outcome nobody was told, has not happened.
    pub(crate) fn unsay(&mut self, seq: u64) {
        self.verdicts.abandon(seq);
        self.history.forget(seq);
    }

    /// Gives up the connections that were told a session command which is issued anew.
    pub(crate) fn give_up_told(&mut self, cx: &mut Cx<'_>) {
        self.log(Level::Info, cx, || {
            "the session command in flight is issued anew".to_owned()
        });
        for id in self.backend_ids() {
            let Some(backend) = self.backend(id) else {
                continue;
            };
            let told = matches!(backend.state, State::Ready | State::Replaying);
            if told && backend.has_served {
                let fault = SessionFault::ServerLost {
                    server: self.server_name(id, cx),
                    reason: "it was told a session command that is issued anew".to_owned(),
                };
                self.lose(id, fault, false, cx);
            } else if told {
                self.say_goodbye(id, cx);
            }
            if self.is_over() {
                return;
            }
        }
    }
}
