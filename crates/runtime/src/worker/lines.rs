//! Sessions that wait for a connection to a server that has as many as it may.
//!
//! Who came first gets the next one that becomes free on this worker. Places are counted over all
//! workers: a worker on which somebody waits asks the others now and then to give up one of the
//! connections that they only keep.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_session::{BackendId, ServerId, Wanted};

use super::Worker;
use super::desk::Desk;
use super::key::Key;
use crate::message::Optional;
use crate::wheel::TimerId;

/// How often the others are asked.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// What came of it.
#[derive(Debug)]
pub(crate) enum Obtained {
    /// There is one, or it is on its way.
    Connection,
    /// The server has as many as it may.
    NoPlace,
    /// Something is wrong.
    Failure(String),
}

/// Who waits, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    waiting: VecDeque<(Key, Wanted)>,
    /// A connection was given back since the line was looked at.
    pub(crate) moved: bool,
    timer: Option<TimerId>,
}

impl Lines {
    /// Does somebody wait for this server?
    pub(crate) fn has_one_for(&self, server: ServerId) -> bool {
        self.waiting
            .iter()
            .any(|(_, wanted)| wanted.server == server)
    }

    pub(crate) fn join(&mut self, session: Key, wanted: Wanted) {
        self.waiting.push_back((session, wanted));
    }

    /// The session does not wait any more, for this connection or for any.
    pub(crate) fn leave(&mut self, session: Key, backend: Option<BackendId>) {
        if !self.waiting.is_empty() {
            self.waiting.retain(|(who, wanted)| {
                *who != session || backend.is_some_and(|backend| backend != wanted.backend)
            });
        }
    }

    /// Is it worth looking whether somebody can be served?
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.moved && !self.waiting.is_empty()
    }
}

impl Desk {
    /// Somebody waits: the others will be asked, and the line looked at again.
    pub(crate) fn look_after_lines(&mut self) {
        let timer = match self.lines.timer {
            Some(timer) => timer,
            None => *self.lines.timer.insert(self.wheel.add(Key::LINES.raw())),
        };
        self.wheel.set(timer, self.now.after(ASK_EVERY));
    }
}

impl Worker {
    /// Serves those who wait, in their order, as far as there are connections for them.
    pub(super) fn serve_lines(&mut self) {
        self.desk.lines.moved = false;
        let mut without: Vec<ServerId> = Vec::new();
        let mut left = VecDeque::new();
        while let Some((session, wanted)) = self.desk.lines.waiting.pop_front() {
            if without.contains(&wanted.server) {
                left.push_back((session, wanted));
                continue;
            }
            let mut no_place = false;
            self.with_session(session.seat(), |desk, seated| {
                if seated.client.key != session {
                    return Ok(());
                }
                let reason = match desk.obtain(seated, wanted) {
                    Obtained::Connection => None,
                    Obtained::NoPlace => {
                        no_place = true;
                        return Ok(());
                    }
                    Obtained::Failure(reason) => Some(reason),
                };
                desk.event(seated, |session, env| match reason {
                    None => session.on_backend_served(wanted.backend, env),
                    Some(reason) => session.on_backend_down(wanted.backend, &reason, env),
                })
            });
            if no_place {
                without.push(wanted.server);
                left.push_back((session, wanted));
            }
        }
        // Whoever came meanwhile stands behind them.
        left.append(&mut self.desk.lines.waiting);
        self.desk.lines.waiting = left;
    }

    /// Looks at the lines, and asks the other workers for what they can do without.
    pub(super) fn ask_for_places(&mut self) {
        self.serve_lines();
        let mut asked: Vec<ServerId> = Vec::new();
        for (_, wanted) in &self.desk.lines.waiting {
            if !asked.contains(&wanted.server) {
                asked.push(wanted.server);
            }
        }
        if asked.is_empty() {
            return;
        }
        for (index, mailbox) in self.colleagues.mailboxes.iter().enumerate() {
            if index == self.desk.index {
                continue;
            }
            for server in &asked {
                // One that has too much to read is asked again.
                let _ = mailbox.offer(Optional::GiveUp(*server));
            }
        }
        self.desk.look_after_lines();
    }
}
