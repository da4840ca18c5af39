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
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;

use crate::config::Servers;
use crate::message::{Message, Optional};

/// Optional messages that may wait.
const OPTIONAL_MAX: usize = 256;

#[derive(Debug)]
struct Inner {
    inbox: Inbox,
    woken: bool,
    closed: bool,
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
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Mailbox {
        Mailbox {
            inner: Mutex::new(Inner {
                inbox: Inbox::default(),
                woken: false,
                closed: false,
            }),
            waker,
        }
    }

    /// Leaves a message. The mailbox of a worker that has ended drops it.
    pub(crate) fn post(&self, message: Message) {
        self.leave(|inbox| {
            inbox.messages.push_back(message);
            Ok::<_, ()>(())
        });
    }

    /// Leaves something that may be refused: then it comes back.
    pub(crate) fn offer(&self, message: Optional) -> Result<(), Optional> {
        self.leave(|inbox| {
            if inbox.optional.len() >= OPTIONAL_MAX {
                return Err(message);
            }
            inbox.optional.push_back(message);
            Ok(())
        })
        .unwrap_or(Ok(()))
    }

    /// Replaces the servers.
    pub(crate) fn set_servers(&self, servers: Servers) {
        let old = self.leave(|inbox| Ok::<_, ()>(inbox.servers.replace(servers)));
        drop(old);
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
        inner.closed = true;
        let inbox = std::mem::take(&mut inner.inbox);
        drop(inner);
        drop(inbox);
    }

    fn leave<T, E>(&self, put: impl FnOnce(&mut Inbox) -> Result<T, E>) -> Option<Result<T, E>> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        let result = put(&mut inner.inbox);
        let wake = result.is_ok() && !std::mem::replace(&mut inner.woken, true);
        drop(inner);
        if wake {
            // An eventfd that exists can be written to.
            let _ = self.waker.wake();
        }
        Some(result)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
