//! Answers of servers in a transaction that may be repeated: hashed as they pass, compared with the
//! record where they are repeated, cut where the client has their beginning.

use tidegate_wire::Caps;
use tidegate_wire::frame::Header;
use tidegate_wire::reply::{ErrPacket, Event, Progress};

use super::errors::{Meaning, meaning};
use super::record::Part;
use super::run::Stage;
use crate::fault::SessionFault;
use crate::ids::BackendId;
use crate::output::Level;
use crate::session::{Cx, Session};

/// What happens to bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// They go to the client, but for so many at their start.
    Pass(usize),
    /// They are dropped.
    Keep,
    /// The connection they came on is gone.
    Gone,
}

impl Session {
    /// Follows the bytes of an answer that is recorded, or compared with the record.
    pub(crate) fn follow(
        &mut self,
        id: BackendId,
        at: usize,
        progress: &Progress,
        run: &[u8],
        cx: &mut Cx<'_>,
    ) -> Follow {
        let Some((part, started)) = self
            .tickets
            .front()
            .map(|ticket| (ticket.part, ticket.started))
        else {
            return Follow::Pass(0);
        };
        if part == Part::None {
            return Follow::Pass(0);
        }
        let packet = at + progress.packet.start..at + progress.packet.end;
        let payload = run
            .get(packet.start + Header::LEN..packet.end)
            .unwrap_or_default();
        // Of this server's own words the client has none.
        let unheard = !started || self.is_behind();
        if matches!(progress.event, Event::Err { .. })
            && unheard
            && self.replays_error(id, part, payload, cx)
        {
            return Follow::Gone;
        }
        if progress.event == Event::LocalInfile {
            if part == Part::Repeated {
                self.differs_from_record("a file was asked for", cx);
                return Follow::Gone;
            }
            self.stop_record("it loads a file of the client's", cx);
        }
        let caps = self
            .backend(id)
            .map_or(Caps::empty(), |backend| backend.caps);
        match part {
            Part::Repeated => {
                self.hash(at, progress, run, caps);
                Follow::Keep
            }
            Part::Recorded | Part::None => self.follow_last(at, progress, run, caps, cx),
        }
    }

    /// The answer to a statement of the client's; what it already has of it is compared and dropped.
    fn follow_last(
        &mut self,
        at: usize,
        progress: &Progress,
        run: &[u8],
        caps: Caps,
        cx: &mut Cx<'_>,
    ) -> Follow {
        let Some(replay) = &mut self.replay else {
            return Follow::Pass(0);
        };
        let interrupted = replay.run.as_ref().and_then(|run| {
            let behind = run.stage == (Stage::Last { caught_up: false });
            run.interrupted.filter(|_| behind)
        });
        let Some(interrupted) = interrupted else {
            self.hash(at, progress, run, caps);
            return Follow::Pass(0);
        };
        let left = interrupted.delivered.saturating_sub(replay.digest.raw());
        let plain = plain_len(progress);
        let dropped = usize::try_from(left).unwrap_or(usize::MAX);
        let splits = dropped < plain;
        if splits {
            replay
                .digest
                .bytes(run.get(at..at + dropped).unwrap_or_default());
        } else if dropped < progress.consumed && dropped > plain {
            self.differs_from_record("it ends where the first answer went on", cx);
            return Follow::Gone;
        } else if dropped == plain && plain < progress.consumed {
            replay
                .digest
                .bytes(run.get(at..at + plain).unwrap_or_default());
        } else {
            self.hash(at, progress, run, caps);
        }
        let Some(replay) = &mut self.replay else {
            return Follow::Pass(0);
        };
        if replay.digest.raw() < interrupted.delivered {
            if progress.done {
                self.differs_from_record("it ends before the part that the client has", cx);
                return Follow::Gone;
            }
            return Follow::Keep;
        }
        if replay.digest.value() != interrupted.hash {
            self.differs_from_record("the client already has another beginning of it", cx);
            return Follow::Gone;
        }
        if let Some(run) = &mut replay.run {
            run.stage = Stage::Last { caught_up: true };
        }
        self.log(Level::Info, cx, || {
            "the interrupted answer goes on where it broke off".to_owned()
        });
        if dropped < progress.consumed {
            self.hash_from(at, dropped, progress, run, caps);
            Follow::Pass(dropped)
        } else if progress.done {
            self.differs_from_record("it ends with the part that the client has", cx);
            Follow::Gone
        } else {
            Follow::Keep
        }
    }

    fn hash(&mut self, at: usize, progress: &Progress, run: &[u8], caps: Caps) {
        self.hash_from(at, 0, progress, run, caps);
    }

    /// Hashes what was consumed, but for so many plain bytes at its start.
    fn hash_from(&mut self, at: usize, from: usize, progress: &Progress, run: &[u8], caps: Caps) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let checksum = replay.rules.checksum;
        let digest = &mut replay.digest;
        let plain = plain_len(progress);
        digest.bytes(run.get(at + from..at + plain).unwrap_or_default());
        if plain == progress.consumed {
            return;
        }
        let packet = run
            .get(at + plain..at + progress.consumed)
            .unwrap_or_default();
        let payload = packet.get(Header::LEN..).unwrap_or_default();
        match progress.event {
            Event::Eof {
                status, warnings, ..
            }
            | Event::End {
                status, warnings, ..
            } => digest.end(status, warnings, packet.len()),
            Event::PrepareOk { .. } => digest.prepared(payload, packet.len()),
            _ => digest.ok(payload, packet.len(), caps, checksum),
        }
    }

    /// An error in a transaction that is recorded. `true`: the transaction is repeated, and nobody
    /// hears of it.
    fn replays_error(
        &mut self,
        id: BackendId,
        part: Part,
        payload: &[u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        let meaning = meaning(payload);
        let server = self.server_name(id, cx);
        let Some(replay) = &self.replay else {
            return false;
        };
        let fits = !replay.record.stopped && replay.record.store.has_open();
        let again = match (part, meaning) {
            // Whoever waits does not wait for this statement: it is tried again as a whole.
            (Part::Repeated, Meaning::Plain) => false,
            (Part::Repeated, _) => true,
            (_, Meaning::Leaving) => {
                let lost = fits || self.is_committing();
                if lost {
                    let reason = "the server said that it ends the connection".to_owned();
                    self.lose(id, SessionFault::ServerLost { server, reason }, false, cx);
                }
                return lost;
            }
            (_, Meaning::Undone) => fits && replay.rules.on_deadlock,
            (_, Meaning::ReadOnly) => fits && !self.trx.is_read_only() && self.may_try_again(cx),
            (_, Meaning::Doubtful | Meaning::Plain) => false,
        };
        if again {
            let text = ErrPacket::parse(payload).map_or_else(
                |_| String::new(),
                |packet| String::from_utf8_lossy(packet.message).into_owned(),
            );
            let reason = format!("the server answered: {text}");
            self.begin_replay(&SessionFault::ServerLost { server, reason }, cx);
        }
        again
    }

    /// Do the limits allow another attempt?
    fn may_try_again(&self, cx: &Cx<'_>) -> bool {
        let Some(replay) = &self.replay else {
            return false;
        };
        replay
            .run
            .as_ref()
            .is_none_or(|run| run.may_begin_again(&replay.rules, cx.now))
    }

    /// A repeated statement is answered.
    pub(crate) fn compare_answer(&mut self, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let found = replay.digest.value();
        let expected = replay.run.as_mut().and_then(|run| run.expected.take());
        if expected.is_some_and(|expected| expected != found) {
            self.differs_from_record("a statement was answered differently", cx);
        }
    }

    /// A repeated answer is not what the client was told.
    pub(crate) fn differs_from_record(&mut self, how: &str, cx: &mut Cx<'_>) {
        self.counters.replay_mismatches.add(1);
        let again = self
            .replay
            .as_ref()
            .is_some_and(|replay| replay.rules.on_mismatch);
        let fault = SessionFault::Replay(format!("its answers differ: {how}"));
        if again {
            self.begin_replay(&fault, cx);
        } else {
            self.fail(&fault, cx);
        }
    }
}

/// Bytes of what was consumed that are hashed as they are: all but an OK or EOF packet, or one with
/// a statement's number.
fn plain_len(progress: &Progress) -> usize {
    match progress.event {
        Event::Ok { .. } | Event::Eof { .. } | Event::End { .. } | Event::PrepareOk { .. }
            if !progress.packet.is_empty() =>
        {
            progress.packet.start
        }
        _ => progress.consumed,
    }
}
