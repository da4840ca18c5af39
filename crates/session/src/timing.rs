//! How long answers took, as the counters of servers, targets and the session keep it.
//!
//! A time begins with the turn of the worker in which a command was sent on and ends with that in
//! which its answer was complete. Answers that nobody waits for, and those that servers never gave,
//! count only as time in which a connection was busy.

use tidegate_wire::reply::{Kind, Summary};

use crate::chain::Node;
use crate::digests::Answered;
use crate::histogram::{Histogram, Took};
use crate::ids::BackendId;
use crate::service::{Counted, TargetShard};
use crate::session::{Cx, Session};
use crate::tally::Tally;
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
        let Tally { server, target } = &backend.tally;
        match ticket.counted {
            Counted::Read => {
                if ticket.seq.is_none() {
                    let waited_us = micros(ticket.first_byte, ticket.sent);
                    server.first_bytes.add(cx.now, waited_us);
                }
                server.read_times.record(took);
                server.read_decades.record(took);
            }
            Counted::Write => {
                server.write_times.record(took);
                server.write_decades.record(took);
            }
            Counted::Other => server.other_times.record(took),
        }
        target.times(ticket.counted).record(took);
        let above = Node::path(&self.nodes, backend.node).filter_map(|ix| self.nodes.get(ix));
        for target in above.filter_map(|node| node.tally.as_ref()) {
            target.times(ticket.counted).record(took);
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
