//! A command that nobody can take now: it stays at the head, and is routed again later.

use std::time::Duration;

use crate::output::Level;
use crate::session::{Cx, Session};
use crate::time::Instant;

/// Since when a command is put off, and until when it is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutOff {
    pub(crate) since: Instant,
    until: Instant,
}

impl Session {
    /// The command at the head is not routed before `until`, unless the servers' states change.
    pub(crate) fn put_off_until(&mut self, until: Instant, cx: &mut Cx<'_>) {
        // An answer that is outstanding moves the session anyway.
        if !self.tickets.is_empty() {
            return;
        }
        let since = self.put_off.map_or(cx.now, |put_off| put_off.since);
        self.put_off_since(since, until, cx);
    }

    /// The same for a command that came to be routed at `since`.
    pub(crate) fn put_off_since(&mut self, since: Instant, until: Instant, cx: &mut Cx<'_>) {
        // A router that asks for no time at all would be asked without end.
        let until = until.max(cx.now.after(Duration::from_millis(1)));
        if self.put_off.is_none() {
            self.log(Level::Info, cx, || {
                "no server can take the statement now: it waits".to_owned()
            });
        }
        self.put_off = Some(PutOff { since, until });
        self.nearer = true;
        self.heads = self.heads.wrapping_add(1);
    }

    /// The command at the head is on its way, answered or dropped.
    pub(crate) fn head_leaves(&mut self) {
        self.put_off = None;
        self.waiting = None;
        self.heads = self.heads.wrapping_add(1);
    }

    /// Is the command at the head not to be looked at yet?
    pub(crate) fn is_put_off(&self, now: Instant) -> bool {
        self.put_off.is_some_and(|put_off| now < put_off.until)
    }

    /// When the command at the head is routed again.
    pub(crate) fn put_off_deadline(&self, now: Instant) -> Option<Instant> {
        self.put_off
            .map(|put_off| put_off.until)
            .filter(|until| *until > now)
    }

    /// Its time has come, if it has.
    pub(crate) fn end_put_off(&mut self, now: Instant) {
        self.moved |= self.put_off.is_some_and(|put_off| put_off.until <= now);
    }

    /// Something changed that makes it worth to look at the command at the head now.
    pub(crate) fn route_again_at_once(&mut self, now: Instant) {
        self.moved = true;
        if let Some(put_off) = &mut self.put_off {
            put_off.until = put_off.until.min(now);
        }
    }
}
