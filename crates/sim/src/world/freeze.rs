//! Sessions at rest are frozen and thawed, and nobody may notice.

use tidegate_session::{Backlog, Origin, Session, Side, Thawing};

use super::World;
use super::services::WORKERS;
use super::slot::Link;
use crate::coverage::Rare;
use crate::meaning::Trx;

impl World {
    /// Freezes a session that is at rest, and thaws it on another worker.
    pub(super) fn freeze_somebody(&mut self) {
        let resting: Vec<usize> = (0..self.slots.len())
            .filter(|ix| {
                self.slots[*ix]
                    .session
                    .as_ref()
                    .is_some_and(|session| session.has_login() && session.at_rest())
            })
            .collect();
        if resting.is_empty() {
            return;
        }
        let ix = *self.rng.pick(&resting);
        let Some(session) = self.slots[ix].session.take() else {
            return;
        };
        let Some(frozen) = session.freeze(self.now) else {
            self.slots[ix].session = Some(session);
            return;
        };
        self.thaw(ix, &session, &frozen);
    }

    fn thaw(&mut self, ix: usize, old: &Session, frozen: &[u8]) {
        let mut out = std::mem::take(&mut self.out);
        let worker = self.slots[ix].worker;
        let before = old.view(self.now, 0, &self.views);
        let with_statements = old.prepared_statements() > 0;
        old.leave(&self.env(worker, &mut out));
        let worker = (worker + 1) % WORKERS;
        let services = self.services.clone_parts();
        let with = Thawing {
            service: services.root.clone(),
            filter: &services,
            origin: Origin::local_client(),
        };
        let thawed = Session::thaw(frozen, &with, &mut self.env(worker, &mut out));
        let session = match thawed {
            Ok(session) => session,
            Err(error) => {
                self.model
                    .breach(format!("session {ix} cannot be thawed: {error}"));
                return;
            }
        };
        let after = session.view(self.now, 0, &self.views);
        if let Some(difference) = difference(&before, &after) {
            self.model
                .breach(format!("session {ix} is another when thawed: {difference}"));
        }
        let again = session.freeze(self.now);
        if again.as_deref() != Some(frozen) {
            self.model.breach(format!(
                "session {ix} freezes to something else when thawed"
            ));
        }
        self.trace.note(&[12, ix as u64], || {
            format!("session {ix} is frozen and thawed: {} bytes", frozen.len())
        });
        self.count_thaw(ix, with_statements);
        let slot = &mut self.slots[ix];
        slot.session = Some(session);
        slot.worker = worker;
        slot.wake = None;
        self.carry_out(ix, &[], &mut out);
        out.clear();
        self.out = out;
        self.start_anew(ix);
    }

    fn count_thaw(&mut self, ix: usize, with_statements: bool) {
        self.coverage.count(Rare::Frozen);
        if self.model.sessions[ix].trx != Trx::None {
            self.coverage.count(Rare::FrozenInTransaction);
            if !self.model.sessions[ix].log.is_empty() && self.model.sessions[ix].replays {
                self.coverage.count(Rare::FrozenWithRecord);
            }
        }
        if with_statements {
            self.coverage.count(Rare::FrozenWithStatements);
        }
        if self.slots[ix].doomed.is_some() {
            self.coverage.count(Rare::FrozenDoomed);
        }
    }

    /// The new driver reads from everybody, and says who has too much unsent.
    fn start_anew(&mut self, ix: usize) {
        let mut swollen = Vec::new();
        let slot = &mut self.slots[ix];
        slot.input.paused = false;
        slot.input.again = true;
        if slot.input.swollen {
            swollen.push(Side::Client);
        }
        for (place, link) in slot.links.iter_mut().enumerate() {
            let Some(Link { input, .. }) = link else {
                continue;
            };
            input.paused = false;
            input.again = true;
            if input.swollen {
                swollen.push(Side::Backend(tidegate_session::BackendId(place as u16)));
            }
        }
        for side in swollen {
            self.enter(ix, &mut [], |session, _, env| {
                session.on_backlog(side, Backlog::High, env)
            });
        }
    }
}

/// What of two views is not the same.
fn difference(
    before: &tidegate_session::SessionView,
    after: &tidegate_session::SessionView,
) -> Option<String> {
    let show = |view: &tidegate_session::SessionView| {
        let tidegate_session::SessionView {
            id,
            state,
            service,
            listener,
            user,
            user_at_servers,
            address,
            database,
            connected,
            age,
            idle,
            attributes,
            history_len,
            history_responses,
            history_metadata,
            connections,
            log_switches,
            filters,
            times,
            queries,
            log,
            ..
        } = view;
        [
            format!("{id:?} {state} {service} {listener} {user} {address:?} {database:?}"),
            format!("{user_at_servers:?}"),
            format!("{connected:?} {age:?} {idle:?} {attributes:?}"),
            format!("{history_len} {history_responses} {history_metadata} {connections:?}"),
            format!("{log_switches:?} {filters:?} {times:?}"),
            format!("{queries:?} {log:?}"),
        ]
    };
    let (before, after) = (show(before), show(after));
    before
        .iter()
        .zip(&after)
        .find(|(was, is)| was != is)
        .map(|(was, is)| format!("{was} became {is}"))
}
