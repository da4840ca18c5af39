//! How long answers took, as the counters of servers, targets and the session keep it.
//!
//! A time begins with the turn of the worker in which a command was sent on and ends with that in
//! which its answer was complete. Answers that nobody waits for, and those that servers never gave,
//! count only as time in which a connection was busy.

use tidegate_wire::reply::{Kind, Summary};

use crate::digests::Answered;
use crate::histogram::{Histogram, Took};
use crate::ids::BackendId;
use crate::service::{Counted, TargetShard};
use crate::session::{Cx, Session};
use crate::ticket::Ticket;
use crate::time::Instant;

/// From `earlier` to `now`, in microseconds; zero if it lies ahead.
#[inline]
pub(crate) fn micros(now: Instant, earlier: Instant) -> u64 {
    now.0.saturating_sub(earlier.0)
}

impl TargetShard {
    fn times(&self, counted: Counted) -> &Histogram {
        match counted {
            Counted::Read => &self.read_times,
            Counted::Write => &self.write_times,
            Counted::Other => &self.other_times,
        }
    }
}

impl Session {
    /// A counted command is over: its connection may rest now.
    #[inline]
    pub(crate) fn operation_done(&self, id: BackendId, cx: &Cx<'_>) {
        if let Some(backend) = self.backend(id)
            && backend.operations == 0
            && let Some(shard) = self.target_shard(backend.node, backend.target, cx.worker)
        {
            shard.busy_us.add(micros(cx.now, backend.busy_since));
        }
    }

    /// The client has its answer: how long it took, for the server, for each service on the way and
    /// for the session.
    pub(crate) fn note_time(
        &mut self,
        id: BackendId,
        ticket: &Ticket,
        summary: &Summary,
        cx: &mut Cx<'_>,
    ) {
        let Some(backend) = self.backend(id) else {
            return;
        };
        let took = Took::new(micros(cx.now, ticket.sent));
        if let Some(view) = cx.servers.get(backend.server) {
            let shard = view.counters.shard(cx.worker);
            match ticket.counted {
                Counted::Read => {
                    if ticket.seq.is_none() {
                        shard
                            .first_bytes
                            .add(cx.now, micros(ticket.first_byte, ticket.sent));
                    }
                    shard.read_times.record(took);
                    shard.read_decades.record(took);
                }
                Counted::Write => {
                    shard.write_times.record(took);
                    shard.write_decades.record(took);
                }
                Counted::Other => shard.other_times.record(took),
            }
        }
        let (mut node, mut target) = (backend.node, backend.target);
        loop {
            if let Some(shard) = self.target_shard(node, target, cx.worker) {
                shard.times(ticket.counted).record(took);
            }
            match self.nodes.get(node).and_then(|node| node.parent) {
                Some(parent) => (node, target) = parent,
                None => break,
            }
        }
        if let (Some(table), Some(place)) = (self.digests, ticket.digest) {
            let answer = Answered {
                server: backend.server,
                took,
                rows: summary.rows,
                error: summary.kind == Kind::Err,
            };
            cx.digests.answered(table, place, answer);
        }
        self.observe.times.record(took);
    }
}
