//! Looking at sessions and doing something to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidegate_session::{
    Control, ControlError, Found, KillOrder, ServiceSpec, SessionId, SessionView,
};

use super::{Runtime, lock};
use crate::gather::{Done, Gather, Gathered, Pending, Share, Unanswered};
use crate::message::{Message, Optional, Which};

/// Why something could not be done to a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no session with that id whose login is complete.
    #[error("there is no session {0}")]
    Unknown(SessionId),
    /// It does not want to.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// A worker will never answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

/// Full lists that were asked for while another was being gathered share the next one.
#[derive(Default)]
pub(super) struct Lists {
    running: bool,
    waiting: Vec<Done<SessionView>>,
}

impl Runtime {
    /// Views of sessions whose login is complete. Full lists that are asked for while one is being
    /// gathered share the next.
    pub fn sessions(
        &self,
        which: Which,
        done: impl FnOnce(Result<Gathered<SessionView>, Unanswered>) + Send + 'static,
    ) -> Pending<SessionView> {
        if which != Which::All {
            return self.list(&which, Box::new(done));
        }
        let mut lists = lock(&self.0.lists);
        lists.waiting.push(Box::new(done));
        if std::mem::replace(&mut lists.running, true) {
            return Pending(None);
        }
        drop(lists);
        self.next_list()
    }

    /// Gathers a full list for everybody who waits for one.
    fn next_list(&self) -> Pending<SessionView> {
        let waiting = std::mem::take(&mut lock(&self.0.lists).waiting);
        let again = self.clone();
        self.list(
            &Which::All,
            Box::new(move |result| {
                for done in waiting {
                    done(result.clone());
                }
                let mut lists = lock(&again.0.lists);
                lists.running = !lists.waiting.is_empty();
                let more = lists.running;
                drop(lists);
                if more {
                    again.next_list();
                }
            }),
        )
    }

    fn list(&self, which: &Which, done: Done<SessionView>) -> Pending<SessionView> {
        self.offer_all(done, |share| Optional::List {
            which: which.clone(),
            share,
        })
    }

    /// The ids of the sessions whose login is complete.
    pub fn session_ids(
        &self,
        done: impl FnOnce(Result<Gathered<SessionId>, Unanswered>) + Send + 'static,
    ) -> Pending<SessionId> {
        self.offer_all(Box::new(done), |share| Optional::Ids { share })
    }

    /// Does something to a session.
    pub fn control(
        &self,
        session: SessionId,
        control: Control,
        done: impl FnOnce(Result<(), Refusal>) + Send + 'static,
    ) -> Pending<Result<(), ControlError>> {
        let control = Arc::new(Mutex::new(Some(control)));
        let done = move |result: Result<Gathered<Result<(), ControlError>>, Unanswered>| {
            done(match result {
                Err(unanswered) => Err(unanswered.into()),
                Ok(results) => match results.iter().next() {
                    None => Err(Refusal::Unknown(session)),
                    Some(result) => result.clone().map_err(Refusal::from),
                },
            });
        };
        let (gather, shares) = Gather::shares(self.workers(), Box::new(done));
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Control {
                session,
                control: Arc::clone(&control),
                share,
            });
        }
        Pending(Some(gather))
    }

    /// Asks all sessions of these services to begin anew with them. Says which do not want to.
    pub fn restart_all(
        &self,
        services: BTreeMap<Arc<str>, Arc<ServiceSpec>>,
        done: impl FnOnce(Result<Gathered<(SessionId, ControlError)>, Unanswered>) + Send + 'static,
    ) -> Pending<(SessionId, ControlError)> {
        let services = Arc::new(services);
        let (gather, shares) = Gather::shares(self.workers(), Box::new(done));
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Restart {
                services: Arc::clone(&services),
                share,
            });
        }
        Pending(Some(gather))
    }

    /// Finds the sessions that are meant by a KILL, but for the one that says it. They wait for
    /// [`Control::Kill`] or [`Control::Pardon`].
    pub fn victims(
        &self,
        order: Arc<KillOrder>,
        done: impl FnOnce(Result<Gathered<Found>, Unanswered>) + Send + 'static,
    ) -> Pending<Found> {
        let (gather, shares) = Gather::shares(self.workers(), Box::new(done));
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Victims {
                order: Arc::clone(&order),
                share,
            });
        }
        Pending(Some(gather))
    }

    pub(super) fn offer_all<T>(
        &self,
        done: Done<T>,
        message: impl Fn(Share<T>) -> Optional,
    ) -> Pending<T> {
        let (gather, shares) = Gather::shares(self.workers(), done);
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            // One that is refused says so when it is dropped.
            drop(mailbox.offer(message(share)));
        }
        Pending(Some(gather))
    }
}
