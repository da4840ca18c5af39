//! A filter that counts: each command once, each reply once and behind its command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::{ReplySummary, Request};
use tidegate_session::{ErrReply, SessionId};
use tidegate_sql::hints::Hint;

/// What one chain has seen of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) replies: u64,
    pub(crate) ended: bool,
}

/// The counts of all sessions of a schedule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<SessionId, Counts>>>);

impl Ledger {
    fn with(&self, session: SessionId, change: impl FnOnce(&mut Counts)) {
        let mut counts = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(counts.entry(session).or_default());
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<Counts> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(&session)
            .copied()
    }
}

/// The filter.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) name: &'static str,
    pub(crate) ledger: Ledger,
}

#[derive(Debug)]
struct Session {
    ledger: Ledger,
    /// Commands whose replies are due, as it has counted them.
    due: u64,
}

impl Filter for Counting {
    fn name(&self) -> &str {
        self.name
    }

    fn module(&self) -> &'static str {
        "counting"
    }

    fn start(&self, _who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        Ok(Some(Box::new(Session {
            ledger: self.ledger.clone(),
            due: 0,
        })))
    }

    fn thaw(
        &self,
        _who: &Who<'_>,
        from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(Session {
            ledger: self.ledger.clone(),
            due: from.u64()?,
        }))
    }
}

impl FilterSession for Session {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            replies: true,
            statements: true,
        }
    }

    fn on_request(
        &mut self,
        request: &Request<'_>,
        _hints: &mut Vec<Hint>,
        scene: &FilterScene<'_>,
    ) -> Verdict {
        let answered = request.command.reply_shape() != tidegate_wire::Shape::Nothing;
        if answered {
            self.due += 1;
            self.ledger
                .with(scene.who.session, |counts| counts.requests += 1);
        }
        Verdict::Pass
    }

    fn on_reply(&mut self, _reply: &ReplySummary<'_>, scene: &FilterScene<'_>) {
        assert!(self.due > 0, "a reply to no command reached the filter");
        self.due -= 1;
        self.ledger
            .with(scene.who.session, |counts| counts.replies += 1);
    }

    fn on_end(&mut self, scene: &FilterScene<'_>) {
        self.ledger
            .with(scene.who.session, |counts| counts.ended = true);
    }

    fn freeze(&self, into: &mut Encoder) {
        into.u64(self.due);
    }
}
