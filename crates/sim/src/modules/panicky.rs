//! Modules with a planted panic: whatever they break must end their own session and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::position::{Before, Behind, Told};
use tidegate_session::request::{ReplySummary, Request};
use tidegate_session::router::{
    AfterLoss, Course, Decision, Ended, Loss, Needs, Router, RouterSession, Seen, TargetSet, Tie,
};
use tidegate_session::{ErrReply, Scene, SessionFault, TargetId};
use tidegate_sql::hints::Hint;

/// What a planted panic says.
pub(crate) const PLANTED: &str = "planted panic";

/// Counts the calls of a schedule down to the one that panics.
#[derive(Debug, Clone)]
pub(crate) struct Fuse(Arc<AtomicU32>);

impl Fuse {
    pub(crate) fn new(calls: u32) -> Fuse {
        Fuse(Arc::new(AtomicU32::new(calls)))
    }

    fn burn(&self, place: &str) {
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        assert!(left != 1, "{PLANTED} in a {place}");
    }
}

/// A filter that panics.
#[derive(Debug)]
pub(crate) struct PanickyFilter(pub(crate) Fuse);

#[derive(Debug)]
struct PanickyFilterSession(Fuse);

impl Filter for PanickyFilter {
    fn name(&self) -> &str {
        "panicky"
    }

    fn module(&self) -> &'static str {
        "panicky"
    }

    fn start(&self, _who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        self.0.burn("filter");
        Ok(Some(Box::new(PanickyFilterSession(self.0.clone()))))
    }

    fn thaw(
        &self,
        _who: &Who<'_>,
        _from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(PanickyFilterSession(self.0.clone())))
    }
}

impl FilterSession for PanickyFilterSession {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            replies: true,
            statements: false,
        }
    }

    fn on_request(
        &mut self,
        _request: &Request<'_>,
        _hints: &mut Vec<Hint>,
        _scene: &FilterScene<'_>,
    ) -> Verdict {
        self.0.burn("filter");
        Verdict::Pass
    }

    fn on_reply(&mut self, _reply: &ReplySummary<'_>, _scene: &FilterScene<'_>) {
        self.0.burn("filter");
    }

    fn on_end(&mut self, _scene: &FilterScene<'_>) {
        self.0.burn("filter");
    }

    fn freeze(&self, _into: &mut Encoder) {}
}

/// A router that does what another does, until it panics.
#[derive(Debug)]
pub(crate) struct PanickyRouter {
    pub(crate) inner: Arc<dyn Router>,
    pub(crate) fuse: Fuse,
}

#[derive(Debug)]
struct PanickyRouterSession {
    inner: Box<dyn RouterSession>,
    fuse: Fuse,
}

impl Router for PanickyRouter {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn needs(&self, lends: bool) -> Needs {
        self.inner.needs(lends)
    }

    fn start(
        &self,
        scene: &Scene<'_>,
    ) -> Result<(Box<dyn RouterSession>, TargetSet), SessionFault> {
        self.fuse.burn("router");
        let (inner, eager) = self.inner.start(scene)?;
        Ok((
            Box::new(PanickyRouterSession {
                inner,
                fuse: self.fuse.clone(),
            }),
            eager,
        ))
    }

    fn thaw(&self, from: &mut Decoder<'_>) -> Result<Box<dyn RouterSession>, FreezeError> {
        Ok(Box::new(PanickyRouterSession {
            inner: self.inner.thaw(from)?,
            fuse: self.fuse.clone(),
        }))
    }
}

impl RouterSession for PanickyRouterSession {
    fn route(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        self.fuse.burn("router");
        self.inner.route(request, scene)
    }

    fn on_routed(&mut self, request: &Request<'_>, course: Course, scene: &Scene<'_>) {
        self.fuse.burn("router");
        self.inner.on_routed(request, course, scene);
    }

    fn on_reply(&mut self, target: TargetId, ended: Ended, scene: &Scene<'_>) {
        self.fuse.burn("router");
        self.inner.on_reply(target, ended, scene);
    }

    fn on_lost(&mut self, loss: &Loss, scene: &Scene<'_>) -> AfterLoss {
        self.fuse.burn("router");
        self.inner.on_lost(loss, scene)
    }

    fn before(&self, request: &Request<'_>, target: TargetId, scene: &Scene<'_>) -> Before {
        self.inner.before(request, target, scene)
    }

    fn on_position(&mut self, target: TargetId, told: Told<'_>, scene: &Scene<'_>) {
        self.inner.on_position(target, told, scene);
    }

    fn on_behind(&mut self, target: TargetId, scene: &Scene<'_>) -> Behind {
        self.inner.on_behind(target, scene)
    }

    fn spare(&self, scene: &Scene<'_>) -> TargetSet {
        self.inner.spare(scene)
    }

    fn tie(&self, scene: &Scene<'_>) -> Option<Tie> {
        self.inner.tie(scene)
    }

    fn seen(&self) -> Seen {
        self.inner.seen()
    }

    fn must_see(&mut self, seen: &Seen) {
        self.inner.must_see(seen);
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    fn transaction_lost(&mut self) {
        self.inner.transaction_lost();
    }

    fn freeze(&self, into: &mut Encoder) {
        self.inner.freeze(into);
    }
}
