//! Who answers the questions of sessions: the seam between workers and account managers.

use std::sync::Arc;

use tidegate_session::question::{AccountAnswer, Answer, KillAnswer, Question};
use tidegate_session::{SessionId, Token};

use crate::mailbox::Mailbox;
use crate::message::Message;

/// Answers questions; implemented where workers and account managers are put together.
pub trait Answers: std::fmt::Debug + Send + Sync {
    /// Answers from what is known in memory, without waiting for anything; `None`: it takes
    /// longer, and [`Answers::later`] will be called.
    fn at_once(&self, question: &Question) -> Option<Answer>;

    /// Hands the question to somebody who may wait. Returns at once; the answer goes into `reply`.
    fn later(&self, question: Question, reply: Reply);

    /// A client of this service changed accounts on its servers. Returns at once.
    fn accounts_changed(&self, service: &str);
}

/// Where a late answer goes. Dropped unused, it tells the session that there is none.
#[derive(Debug)]
pub struct Reply {
    mailbox: Arc<Mailbox>,
    session: SessionId,
    token: Token,
    /// What is said when nothing else is.
    otherwise: Option<Answer>,
}

impl Reply {
    pub(crate) fn new(
        mailbox: Arc<Mailbox>,
        session: SessionId,
        token: Token,
        question: &Question,
    ) -> Reply {
        Reply {
            mailbox,
            session,
            token,
            otherwise: Some(none(question, "the question was not answered")),
        }
    }

    /// Gives the answer. A session that has ended meanwhile does not hear it.
    pub fn send(mut self, answer: Answer) {
        self.otherwise = None;
        self.post(answer);
    }

    fn post(&mut self, answer: Answer) {
        self.mailbox.post(Message::Answer {
            session: self.session,
            token: self.token,
            answer,
        });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(answer) = self.otherwise.take() {
            self.post(answer);
        }
    }
}

/// The answer of somebody who has none.
pub(crate) fn none(question: &Question, reason: &str) -> Answer {
    match question {
        Question::Account(_) => Answer::Account(AccountAnswer::denied(reason)),
        Question::Work(_) => Answer::Work(Err(reason.to_owned())),
        Question::Kill(_) => Answer::Kill(KillAnswer::failed(reason)),
    }
}
