//! The client proves who it is: what is known of its account, the dialogue of the plugin, and what
//! has to be done outside for it.
//!
//! Whoever names no account is asked what others are asked, and denied afterwards; whatever did not
//! let a client in is asked about a second time, on fresh data.

use std::sync::Arc;

use tidegate_wire::auth::{Done, Work};
use tidegate_wire::login::{ServerLogin, Verify};

use super::{Obstacle, Step};
use crate::fault::ErrReply;
use crate::ids::{Side, Token};
use crate::output::Errand;
use crate::question::{AccountAnswer, Barred, Question, WorkOrder};
use crate::session::{Cx, Phase, Session};

impl Session {
    pub(super) fn account_answered(
        &mut self,
        token: Token,
        account: AccountAnswer,
        cx: &mut Cx<'_>,
    ) {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        if dialogue.token != token || !matches!(dialogue.step, Step::Answer(_)) {
            return;
        }
        let Step::Answer(login) = std::mem::replace(&mut dialogue.step, Step::Moving) else {
            return;
        };
        let methods = match &account {
            // With nothing left to ask, the verdict is the same as before and final.
            AccountAnswer::Unchanged => return self.turn_down(login, cx),
            AccountAnswer::Denied { reason, .. } if dialogue.asked_again => {
                dialogue.obstacle = Some(Obstacle::Unproven(reason.clone()));
                return self.turn_down(login, cx);
            }
            AccountAnswer::Unready(reason) => {
                dialogue.obstacle = Some(Obstacle::Unready(reason.clone()));
                return self.turn_down(login, cx);
            }
            AccountAnswer::Refused(barred) => {
                dialogue.obstacle = Some(Obstacle::Barred(barred.clone()));
                return self.turn_down(login, cx);
            }
            // The client answers what others have to answer, and is refused.
            AccountAnswer::Denied { decoy, .. } => decoy.clone(),
            AccountAnswer::Found(found) => found.methods.clone(),
        };
        dialogue.account = Some(account);
        let private = self.client.encryption.is_some() || self.client.local.is_none();
        self.prove(login, |login, own| login.verify(methods, private, own), cx);
    }

    pub(super) fn work_answered(&mut self, token: Token, done: Done, cx: &mut Cx<'_>) {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return self.backend_work_answered(token, done, cx);
        };
        if dialogue.token != token || !matches!(dialogue.step, Step::Work(_)) {
            return self.backend_work_answered(token, done, cx);
        }
        if let Step::Work(login) = std::mem::replace(&mut dialogue.step, Step::Moving) {
            self.prove(login, |login, own| login.worked(done, own), cx);
        }
    }

    /// Goes on with the client's proof.
    pub(super) fn prove(
        &mut self,
        mut login: ServerLogin,
        step: impl FnOnce(&mut ServerLogin, &mut Vec<u8>) -> Verify,
        cx: &mut Cx<'_>,
    ) {
        let mut verdict = Verify::Denied {
            reason: None,
            mismatch: None,
        };
        cx.out
            .send_with(Side::Client, |own| verdict = step(&mut login, own));
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        match verdict {
            Verify::Asked => {
                dialogue.step = Step::Client(login);
                self.moved = true;
            }
            Verify::Work(work) => {
                dialogue.step = Step::Work(login);
                self.order_work(*work, cx);
            }
            Verify::Denied { reason, mismatch } => {
                let mismatch = mismatch.filter(|_| {
                    matches!(&dialogue.account, Some(AccountAnswer::Found(found)) if found.tells_mismatch)
                });
                let wrong = || match mismatch {
                    Some(mismatch) => format!("the password does not match: {mismatch}"),
                    None => "the password does not match".to_owned(),
                };
                let reason = match &dialogue.account {
                    Some(AccountAnswer::Denied { reason, .. }) => reason.clone(),
                    _ => reason.unwrap_or_else(wrong),
                };
                self.ask_again_or_refuse(login, Obstacle::Unproven(reason), cx);
            }
            Verify::Granted(secret) => match &dialogue.account {
                Some(AccountAnswer::Found(found)) => match &found.after_password {
                    Ok(()) => self.granted(login, secret, cx),
                    Err(barred) => {
                        let barred = Obstacle::Barred(barred.clone());
                        self.ask_again_or_refuse(login, barred, cx);
                    }
                },
                Some(
                    AccountAnswer::Denied { .. }
                    | AccountAnswer::Refused(_)
                    | AccountAnswer::Unready(_)
                    | AccountAnswer::Unchanged,
                )
                | None => self.turn_down(login, cx),
            },
        }
    }

    /// Has somebody do what the client's login needs.
    fn order_work(&mut self, work: Work, cx: &mut Cx<'_>) {
        let listener = Arc::clone(&self.listener);
        let address = self.client.address.clone();
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        dialogue.token = Token(dialogue.token.0.wrapping_add(1));
        let user = dialogue.hello.as_ref().map(|hello| hello.user.clone());
        let order = WorkOrder {
            listener,
            user: user.unwrap_or_default(),
            address,
            work,
        };
        cx.out.errand(Errand::Ask {
            token: dialogue.token,
            question: Question::Work(Box::new(order)),
        });
    }

    /// The data may be stale: once more with fresh data, if there is any.
    fn ask_again_or_refuse(&mut self, login: ServerLogin, obstacle: Obstacle, cx: &mut Cx<'_>) {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        dialogue.obstacle = Some(obstacle);
        if dialogue.asked_again {
            return self.turn_down(login, cx);
        }
        dialogue.asked_again = true;
        dialogue.step = Step::Answer(login);
        self.ask_account(true, cx);
    }

    /// Tells whoever counts failures.
    pub(super) fn login_ended(&self, proven: bool, cx: &mut Cx<'_>) {
        cx.out.errand(Errand::LoginEnded {
            address: self.client.address.clone(),
            proven,
        });
    }

    /// Tells the client what stands in its way.
    fn turn_down(&mut self, login: ServerLogin, cx: &mut Cx<'_>) {
        let obstacle = match &self.phase {
            Phase::Dialogue(dialogue) => dialogue.obstacle.clone(),
            Phase::Commands | Phase::Over(_) => None,
        };
        let who = self.named_client();
        match obstacle {
            Some(Obstacle::Barred(Barred { reply, reason })) => {
                let reason = format!("login of {who} refused: {reason}");
                self.refuse_login(login, reply, &reason, cx);
            }
            Some(Obstacle::Unready(reason)) => self.deny(login, &who, &reason, cx),
            Some(Obstacle::Unproven(reason)) => {
                self.login_ended(false, cx);
                self.deny(login, &who, &reason, cx);
            }
            None => self.deny(login, &who, "nothing is known of the account", cx),
        }
    }

    fn deny(&mut self, login: ServerLogin, who: &str, reason: &str, cx: &mut Cx<'_>) {
        let with = if login.gave_proof() { "YES" } else { "NO" };
        let text = format!("Access denied for user {who} (using password: {with})");
        let log = format!("login of {who} failed: {reason}");
        self.refuse_login(login, ErrReply::new(1045, b"28000", text), &log, cx);
    }
}
