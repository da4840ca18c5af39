//! What administrators and clocks do to a session: kills, switches, other filters, deadlines.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::State;
use crate::cause::Cause;
use crate::chain::{FilterSlot, TreeNeeds, open_filters};
use crate::fault::{ErrReply, SessionFault};
use crate::filter::Filter;
use crate::output::{Level, Op, Output};
use crate::service::{LogSwitches, ServiceSpec};
use crate::session::{Cx, Env, LOGIN_TIMEOUT, Phase, Session};
use crate::time::Instant;

/// An administrator's wish.
#[derive(Debug)]
pub enum Control {
    /// End the session, at once or when `after` has passed. A later wish replaces an earlier one.
    Kill {
        /// How long it may still live; `None`: not at all.
        after: Option<Duration>,
    },
    /// A KILL that it was found for has been carried out and does not end it.
    Pardon {
        /// It was for what is being executed only.
        query_only: bool,
        /// A server has not said that it is done with it.
        unheard: bool,
    },
    /// End the session at its next rest outside a transaction: `Shutdown` or `ServiceStopped`.
    Drain(Cause),
    /// End the session at once with this cause.
    End(Cause),
    /// What it logs in addition to the global settings.
    LogSwitches(LogSwitches),
    /// The session's own filters, put in place at its next rest.
    Filters(Vec<Arc<dyn Filter>>),
    /// Begin anew with this snapshot of its service at its next rest outside a transaction.
    Restart(Arc<ServiceSpec>),
}

/// Why a wish was not granted. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The session has ended or its login is not complete.
    #[error("the session is not open")]
    NotOpen,
    /// A filter could not be opened.
    #[error("a filter refused the session: {}", .0.text)]
    Filter(ErrReply),
    /// It cannot be restarted.
    #[error("the session cannot be restarted: {0}")]
    Restart(&'static str),
}

impl Session {
    /// Grants an administrator's wish.
    ///
    /// # Errors
    /// It was not granted, and nothing changed.
    pub fn on_control(&mut self, control: Control, env: &mut Env<'_>) -> Result<(), ControlError> {
        if self.is_over() {
            return Err(ControlError::NotOpen);
        }
        let result = self.control(control, &mut env.cx());
        self.finish_event(env);
        result
    }

    fn control(&mut self, control: Control, cx: &mut Cx<'_>) -> Result<(), ControlError> {
        match control {
            Control::Kill { after: None } => self.fail(&SessionFault::Killed, cx),
            Control::Kill { after: Some(after) } => {
                self.kill_at = Some(cx.now.after(after));
                self.nearer = true;
            }
            Control::Pardon {
                query_only,
                unheard,
            } => self.aims.end(query_only, unheard),
            Control::Drain(cause) => self.drain = Some(cause),
            Control::End(cause) => self.finish(cause, Some(&SessionFault::Shutdown), cx),
            Control::LogSwitches(switches) => self.observe.switches = switches,
            Control::Restart(service) => self.plan_restart(service, cx)?,
            Control::Filters(filters) => {
                if !self.has_login() {
                    return Err(ControlError::NotOpen);
                }
                let who = self.client.who(self.id, &self.service.name);
                self.next_filters =
                    Some(open_filters(&filters, &who).map_err(ControlError::Filter)?);
            }
        }
        Ok(())
    }

    /// Puts the session's own filters in place of the old ones.
    pub(crate) fn swap_filters(&mut self, filters: Vec<FilterSlot>, cx: &mut Cx<'_>) {
        let scene = self.client.filter_scene(self.id, &self.service.name, cx);
        for slot in &mut self.own_filters {
            slot.session.on_end(&scene);
        }
        self.own_filters = filters;
        self.needs = TreeNeeds::of(&self.nodes, &self.own_filters, self.client.caps);
    }

    /// What is due by now.
    pub(crate) fn check_deadlines(&mut self, cx: &mut Cx<'_>) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= cx.now);
        // A replay that has waited goes on when the event is over.
        self.moved |= self.is_replaying();
        if due(self.kill_at) {
            self.fail(&SessionFault::Killed, cx);
        } else if due(self.dialogue_deadline()) {
            self.fail(
                &SessionFault::LoginTimeout {
                    seconds: LOGIN_TIMEOUT.as_secs(),
                },
                cx,
            );
        } else if due(self.stall_deadline()) {
            let seconds = self.service.net_write_timeout.unwrap_or_default().as_secs();
            self.fail(&SessionFault::Stalled { seconds }, cx);
        } else if due(self.idle_deadline()) {
            let seconds = self.limits.wait_timeout.unwrap_or_default().as_secs();
            self.fail(&SessionFault::Idle { seconds }, cx);
        } else {
            if due(self.sync_deadline()) {
                self.tell_kept(false, cx);
                if self.is_over() {
                    return;
                }
            }
            self.end_put_off(cx.now);
            self.keep_alive(cx);
            self.check_connects(cx);
        }
    }

    fn check_connects(&mut self, cx: &mut Cx<'_>) {
        for id in self.backend_ids() {
            let Some(backend) = self.backend(id) else {
                continue;
            };
            if backend.deadline.is_none_or(|deadline| deadline > cx.now) {
                continue;
            }
            let (queued, awaited) = (backend.queued, self.held || !self.pending.is_empty());
            let reason = match backend.state {
                State::Connecting if queued => {
                    "timed out when waiting for a connection (multiplex_timeout)"
                }
                State::Connecting => "no answer to the connection attempt in time",
                State::Login(_) | State::Switching(_) | State::Reusing(_) => {
                    "the login did not finish in time"
                }
                State::Replaying | State::Ready | State::Closed | State::Failed | State::Lent => {
                    "the session's state could not be set in time"
                }
            };
            if queued && awaited {
                // Its router would say no more than that there is no server.
                let server = self.server_name(id, cx);
                let reason = reason.to_owned();
                self.fail(&SessionFault::ServerLost { server, reason }, cx);
                return;
            }
            self.backend_lost(id, reason, cx);
            if self.is_over() {
                return;
            }
        }
    }

    /// When a client is disconnected that takes nothing.
    fn stall_deadline(&self) -> Option<Instant> {
        let limit = self.service.net_write_timeout?;
        self.client_backlogged
            .then(|| self.stalled_since.after(limit))
    }

    /// When an idle client is disconnected. A command in progress is not idleness.
    fn idle_deadline(&self) -> Option<Instant> {
        let limit = self.limits.wait_timeout?;
        let idle = self.has_login() && self.client_is_idle() && self.put_off.is_none();
        idle.then(|| self.client.last_active.after(limit))
    }

    /// Asks to be woken for the next deadline. A deadline that moved away is noticed when the old
    /// one comes; only one that came nearer needs a new wish.
    #[inline]
    pub(crate) fn arm(&mut self, now: Instant, out: &mut Output) {
        let is_armed = matches!(self.phase, Phase::Commands) && !self.nearer;
        if !is_armed {
            return self.arm_anew(now, out);
        }
        debug_assert!(
            self.next_deadline(now)
                .is_none_or(|next| self.armed.is_some_and(|armed| armed <= next)),
            "whatever brings a deadline nearer sets `nearer`"
        );
    }

    #[inline(never)]
    fn arm_anew(&mut self, now: Instant, out: &mut Output) {
        if self.is_over() {
            return;
        }
        // In a dialogue every event looks at the deadlines, and where pings wait for the client.
        self.nearer = !matches!(self.phase, Phase::Commands) || self.dozes(now);
        let next = self.next_deadline(now);
        if let Some(next) = next
            && self.armed.is_none_or(|armed| next < armed)
        {
            self.armed = Some(next);
            out.push(Op::WakeAt(next));
        }
    }

    /// The first of all deadlines.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let idle = self
            .limits
            .wait_timeout
            .filter(|_| self.has_login())
            .map(|limit| self.client.last_active.after(limit));
        // While a command runs the limit does not count: look again after another of it.
        let idle = idle.map(|at| {
            if at <= now {
                now.after(self.limits.wait_timeout.unwrap_or_default())
            } else {
                at
            }
        });
        [
            self.kill_at,
            self.dialogue_deadline(),
            self.connect_deadline(),
            self.put_off_deadline(now),
            self.replay_due(now),
            self.sync_deadline(),
            self.lending_deadline(now),
            self.keepalive_deadline(now),
            self.stall_deadline(),
            idle,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Panics when something is off that must not be; called after every event in debug builds.
    ///
    /// # Panics
    /// A defect in the core.
    pub fn check_invariants(&self) {
        if self.is_over() {
            assert!(
                self.backends.iter().all(|backend| !backend.is_connected()),
                "over, but still connected"
            );
            return;
        }
        for (ix, backend) in self.backends.iter().enumerate() {
            assert_eq!(
                backend.tracker.pending(),
                backend.owed.len(),
                "connection {ix} tracks other replies than it owes"
            );
            if !backend.is_connected() {
                assert!(
                    backend.owed.is_empty(),
                    "connection {ix} is closed and owes"
                );
            }
            assert!(
                backend.owes_client() <= self.tickets.len(),
                "connection {ix} owes the client too much"
            );
        }
        let owed: usize = self
            .backends
            .iter()
            .map(crate::backend::Backend::owes_client)
            .sum();
        assert_eq!(
            owed + usize::from(self.keeps_answer()),
            self.tickets.len(),
            "every command is owed by exactly one connection, or its answer is kept"
        );
        for ticket in self.tickets.iter().skip(1) {
            assert!(
                !ticket.started,
                "an answer began before the one before it ended"
            );
        }
        assert!(
            self.put_off.is_none() || self.tickets.is_empty(),
            "a command is put off while others are in flight"
        );
        if self.at_rest() {
            assert!(
                self.verdicts.is_empty(),
                "at rest, but an outcome is still awaited"
            );
        }
    }

    /// A notice in the session's own log and, if wanted, in the log.
    pub fn note(&mut self, text: &str, env: &mut Env<'_>) {
        let text = text.to_owned();
        self.log(Level::Notice, &mut env.cx(), || text);
    }
}
