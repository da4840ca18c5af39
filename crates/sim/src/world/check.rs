//! Laws that are checked from outside: at the end of each session, whenever the world is quiet, and at
//! the end of the schedule.

use tidegate_session::world::ServerShard;
use tidegate_session::{Cause, ServiceShard, SessionId};

use super::World;
use super::slot::Slot;
use crate::coverage::Rare;
use crate::meaning::Trx;
use crate::model::Known;

impl World {
    /// A session is ending: is the cause true, and did the client hear of it?
    pub(super) fn check_ending(&mut self, ix: usize, cause: Cause) {
        let slot = &self.slots[ix];
        if let Some(session) = &slot.session
            && (!session.is_over() || session.cause() != Some(cause))
        {
            self.model
                .breach(format!("session {ix} says {cause:?} and is not over"));
            return;
        }
        if cause == Cause::ClientIdle {
            self.coverage.count(Rare::Idle);
            let limit = self.plan.wait_timeout.unwrap_or_default();
            if self.plan.wait_timeout.is_some()
                && self.now.since(slot.last_heard(self.now)) >= limit
            {
                self.model.sessions[ix].excuse(Cause::ClientIdle);
            }
        }
        if cause == Cause::Filter {
            self.coverage.count(Rare::FilterEnded);
        }
        if cause == Cause::LoginFailed {
            self.coverage.count(Rare::LoginRefused);
        }
        if cause == Cause::Killed && !self.is_due(slot.doomed) {
            self.model
                .breach(format!("session {ix} was killed before its time"));
        }
        let reader = &self.slots[ix].client.reader;
        let untold = matches!(cause, Cause::ClientQuit | Cause::ClientLost | Cause::Panic);
        let talking = !self.slots[ix].client.to_proxy.is_empty();
        if !untold
            && !talking
            && reader.at_boundary()
            && !reader.last_was_error()
            && !reader.awaits_file()
        {
            self.model.breach(format!(
                "session {ix} ended with {} and its client was not told",
                cause.word()
            ));
        }
    }

    /// Nothing happens any more by itself: whoever waits waits for nothing.
    pub(super) fn check_quiet(&mut self) {
        for ix in 0..self.slots.len() {
            let slot = &self.slots[ix];
            let Some(session) = &slot.session else {
                continue;
            };
            session.check_invariants();
            if self.is_due(slot.doomed) {
                self.model
                    .breach(format!("session {ix} lives although it was killed"));
            }
            let known = &self.model.sessions[ix];
            let resting =
                slot.client.waiting == 0 && known.queue.is_empty() && slot.input.kept.is_empty();
            if slot.draining
                && resting
                && known.trx == Trx::None
                && known.state.autocommit()
                && session.has_login()
            {
                self.model.breach(format!(
                    "session {ix} rests and does not end although it is drained"
                ));
            }
            self.check_counting(ix);
        }
        self.check_gauges();
    }

    /// The counting filter has seen an answer to each command it has seen.
    fn check_counting(&mut self, ix: usize) {
        let known = &self.model.sessions[ix];
        if let Some(counts) = self.services.ledger.get(SessionId(ix as u64 + 1))
            && known.queue.is_empty()
            && counts.requests != counts.replies
        {
            self.model
                .breach(format!("session {ix}: a filter has seen {counts:?}"));
        }
    }

    /// Gauges say what is.
    fn check_gauges(&mut self) {
        let hung = self.conns.iter().any(|conn| conn.hung && !conn.is_closed());
        let waiting = |known: &Known| !known.queue.is_empty() && known.over.is_none();
        let busy = hung || self.model.sessions.iter().any(waiting);
        for (ix, view) in self.views.0.iter().enumerate() {
            let links = self.slots.iter().flat_map(Slot::open_links);
            let open = links
                .filter(|(_, link)| link.server.0 as usize == ix)
                .count() as u64;
            let connections = view.counters.sum(|shard: &ServerShard| &shard.connections);
            let operations = view.counters.sum(|shard: &ServerShard| &shard.operations);
            if connections != open || operations > 0 && !busy {
                self.model.broken.get_or_insert(format!(
                    "server {ix} counts {connections} connections, of which {open} are open, and {operations} operations"
                ));
            }
        }
        let open = self
            .slots
            .iter()
            .filter(|slot| slot.session.is_some())
            .count() as u64;
        let counters = &self.services.root.counters;
        let sessions = counters.sum(|shard: &ServiceShard| &shard.sessions);
        if sessions != open {
            self.model.breach(format!(
                "the service counts {sessions} sessions, not {open}"
            ));
        }
    }

    /// At the end nothing is left of anything.
    pub(super) fn check_end(&mut self) {
        self.check_gauges();
        let begun = self.slots.len() as u64;
        let counters = &self.services.root.counters;
        let total = counters.sum(|shard: &ServiceShard| &shard.total_sessions);
        let closed: u64 = (0..Cause::ALL.len())
            .map(|ix| counters.sum(|shard: &ServiceShard| &shard.closed[ix]))
            .sum();
        if (total, closed) != (begun, begun) {
            self.model.breach(format!(
                "{begun} sessions were begun, the service counts {total} and {closed} ends"
            ));
        }
        for service in &self.services.all {
            let operations = service
                .counters
                .sum(|shard: &ServiceShard| &shard.operations);
            let connections: u64 = service
                .target_counters
                .iter()
                .map(|target| target.sum(|shard| &shard.connections))
                .sum();
            if (operations, connections) != (0, 0) {
                self.model.breach(format!(
                    "service {} counts {operations} operations and {connections} connections at the end",
                    service.name
                ));
            }
        }
        self.check_replays();
        let open = self.conns.iter().filter(|conn| !conn.is_closed()).count();
        if open > 0 {
            self.model
                .breach(format!("{open} server connections are open at the end"));
        }
        for ix in 0..self.slots.len() {
            self.check_filter_end(ix);
        }
        self.coverage.add(Rare::Commands, self.model.count() as u64);
        self.coverage.add(Rare::Retried, self.model.retried);
    }

    /// Repeated answers differ only where servers differ.
    fn check_replays(&mut self) {
        let counters = &self.services.root.counters;
        let sum = |count: fn(&ServiceShard) -> &tidegate_session::world::Count| counters.sum(count);
        let differed = sum(|shard| &shard.replay_mismatches);
        let counts = [
            (
                Rare::TransactionReplayed,
                sum(|shard| &shard.replayed_transactions),
            ),
            (Rare::ReplayDiffered, differed),
            (
                Rare::ReplayTooLong,
                sum(|shard| &shard.trx_max_size_exceeded),
            ),
            (Rare::CommitUnknown, sum(|shard| &shard.unknown_commits)),
            (Rare::RepeatedOnServer, self.model.repeated),
            (Rare::WriteSynced, sum(|shard| &shard.synced_transactions)),
            (Rare::WriteToldLate, sum(|shard| &shard.sync_timeouts)),
            (
                Rare::StatementReused,
                sum(|shard| &shard.prepared_statements_reused),
            ),
        ];
        for (what, count) in counts {
            self.coverage.add(what, count);
        }
        if differed > 0 && !self.model.sessions.iter().any(|known| known.diverged) {
            self.model.breach(format!(
                "{differed} repeated answers differed, and no server did"
            ));
        }
    }

    /// A filter hears of the end of each session that it saw the beginning of.
    fn check_filter_end(&mut self, ix: usize) {
        let panicked = self.model.sessions[ix].over == Some(Cause::Panic);
        if let Some(counts) = self.services.ledger.get(SessionId(ix as u64 + 1))
            && !counts.ended
            && !panicked
        {
            self.model
                .breach(format!("session {ix} ended and its filter was not told"));
        }
    }
}
