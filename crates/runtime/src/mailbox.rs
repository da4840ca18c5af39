//! What the control plane and other workers leave for one worker.
//!
//! Two lanes and a slot. Messages are never refused: their number is bounded by their senders
//! (one answer a session, one control for each request that somebody waits for). Lists and
//! sockets that another worker would like to hand over are optional and refused when the lane is
//! full. Of the servers only the newest state is kept.
//!
//! The invariant: whoever posts never waits for the worker, and a worker that was not awake is
//! woken once, however much is posted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Waker;

use crate::config::Servers;
use crate::message::{Message, Optional};

/// Optional messages that may wait.
const OPTIONAL_MAX: usize = 256;

#[derive(Debug)]
struct Inner {
    inbox: Inbox,
    woken: bool,
    /// Wakes the worker; `None`: there is none, and the mailbox is closed.
    waker: Option<Arc<Waker>>,
}

/// What was left.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) messages: VecDeque<Message>,
    pub(crate) optional: VecDeque<Optional>,
    pub(crate) servers: Option<Servers>,
}

/// One worker's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox(Mutex<Inner>);

impl Mailbox {
    /// One that nobody reads yet.
    pub(crate) fn closed() -> Mailbox {
        Mailbox(Mutex::new(Inner {
            inbox: Inbox::default(),
            woken: false,
            waker: None,
        }))
    }

    /// From now on a worker reads it.
    pub(crate) fn open(&self, waker: Waker) {
        let mut inner = self.lock();
        inner.woken = false;
        inner.waker = Some(Arc::new(waker));
    }

    /// Leaves a message. The mailbox of a worker that has ended drops it.
    pub(crate) fn post(&self, message: Message) {
        self.leave(message, |inbox, message| {
            inbox.messages.push_back(message);
            None
        });
    }

    /// Leaves something that may be refused: then it comes back.
    pub(crate) fn offer(&self, message: Optional) -> Result<(), Optional> {
        let refused = self.leave(message, |inbox, message| {
            if inbox.optional.len() >= OPTIONAL_MAX {
                return Some(message);
            }
            inbox.optional.push_back(message);
            None
        });
        refused.map_or(Ok(()), Err)
    }

    /// Replaces the servers.
    pub(crate) fn set_servers(&self, servers: Servers) {
        let mut old = None;
        self.leave(servers, |inbox, servers| {
            old = inbox.servers.replace(servers);
            None
        });
    }

    /// Takes out everything; `into` must be empty, its memory is used for what comes next.
    pub(crate) fn take(&self, into: &mut Inbox) {
        let mut inner = self.lock();
        inner.woken = false;
        std::mem::swap(&mut inner.inbox, into);
    }

    /// Nothing will be taken out any more; what is inside is dropped, and whoever waits for it
    /// is told so by the drop.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.waker = None;
        let inbox = std::mem::take(&mut inner.inbox);
        drop(inner);
        drop(inbox);
    }

    /// The same, if there is nothing inside. Was it?
    pub(crate) fn close_if_empty(&self) -> bool {
        let mut inner = self.lock();
        let inbox = &inner.inbox;
        let empty =
            inbox.messages.is_empty() && inbox.optional.is_empty() && inbox.servers.is_none();
        if empty {
            inner.waker = None;
        }
        empty
    }

    /// Puts something in and wakes the worker; what was not taken comes back.
    fn leave<T>(&self, what: T, put: impl FnOnce(&mut Inbox, T) -> Option<T>) -> Option<T> {
        let mut inner = self.lock();
        let Some(waker) = inner.waker.clone() else {
            return Some(what);
        };
        let refused = put(&mut inner.inbox, what);
        let wake = refused.is_none() && !std::mem::replace(&mut inner.woken, true);
        drop(inner);
        if wake {
            // An eventfd that exists can be written to.
            let _ = waker.wake();
        }
        refused
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;
    use crate::config::Tuning;
    use crate::gather::{Gather, Gathered, Unanswered};
    use crate::message::Which;
    use tidegate_session::SessionView;

    fn mailbox() -> (Poll, Mailbox) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(1)).unwrap();
        let mailbox = Mailbox::closed();
        mailbox.open(waker);
        (poll, mailbox)
    }

    type Outcome = Result<Gathered<SessionView>, Unanswered>;

    fn list() -> (Optional, Receiver<Outcome>) {
        let (send, receive) = channel();
        let done = Box::new(move |result| drop(send.send(result)));
        let (_, mut shares) = Gather::shares(1, done);
        let share = shares.remove(0);
        let which = Which::All;
        (Optional::List { which, share }, receive)
    }

    fn wakes(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().count()
    }

    #[test]
    fn a_full_mailbox_refuses_lists_and_takes_everything_else() {
        let (_poll, mailbox) = mailbox();
        for _ in 0..OPTIONAL_MAX {
            mailbox.offer(list().0).unwrap();
        }
        let (refused, outcome) = list();
        drop(mailbox.offer(refused).unwrap_err());
        assert!(outcome.recv().unwrap().is_err(), "whoever waits is told");
        for _ in 0..3 * OPTIONAL_MAX {
            mailbox.post(Message::Shutdown { now: true });
        }
        let mut inbox = Inbox::default();
        mailbox.take(&mut inbox);
        assert_eq!(inbox.messages.len(), 3 * OPTIONAL_MAX);
        mailbox.offer(list().0).unwrap();
    }

    #[test]
    fn the_worker_is_woken_once_until_it_has_looked() {
        let (mut poll, mailbox) = mailbox();
        mailbox.post(Message::Tuning(Tuning::default()));
        assert_eq!(wakes(&mut poll), 1);
        mailbox.post(Message::Tuning(Tuning::default()));
        assert_eq!(wakes(&mut poll), 0);
        let mut inbox = Inbox::default();
        mailbox.take(&mut inbox);
        assert_eq!(inbox.messages.len(), 2);
        mailbox.post(Message::Tuning(Tuning::default()));
        assert_eq!(wakes(&mut poll), 1);
    }

    #[test]
    fn only_the_newest_servers_are_kept() {
        let (_poll, mailbox) = mailbox();
        let newest = Servers {
            endpoints: [crate::ServerEndpoint::default()].into(),
            ..Servers::default()
        };
        mailbox.set_servers(Servers::default());
        mailbox.set_servers(newest);
        let mut inbox = Inbox::default();
        mailbox.take(&mut inbox);
        assert_eq!(inbox.servers.unwrap().endpoints.len(), 1);
    }

    #[test]
    fn a_closed_mailbox_drops_what_it_held_and_takes_nothing() {
        let (_poll, mailbox) = mailbox();
        let (waiting, outcome) = list();
        mailbox.offer(waiting).unwrap();
        mailbox.close();
        assert!(outcome.recv().unwrap().is_err());
        assert!(mailbox.offer(list().0).is_err());
        mailbox.post(Message::Shutdown { now: false });
        let mut inbox = Inbox::default();
        mailbox.take(&mut inbox);
        assert!(inbox.messages.is_empty());
    }
}
