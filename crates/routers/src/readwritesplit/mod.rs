//! `readwritesplit`: writes go to the primary, reads are spread over the replicas, and what sets
//! the session's state goes to all.
//!
//! A statement that finds no server waits, is refused or ends the session, as the parameters say;
//! one that may have been executed is never sent again, but in a transaction that is lost with its
//! server and repeated as a whole on another.
//!
//! Invariant: nothing that may write, and nothing that could not be classified, goes to a server
//! that is not the primary, unless a hint says so.

#[cfg(test)]
mod adaptive_tests;
mod causal;
mod choose;
mod criteria;
mod decide;
mod effects;
mod explain;
mod frozen;
mod losses;
mod optimistic;
#[cfg(test)]
mod oracle;
mod params;
mod route;
mod rule;
mod session;
mod settings;
#[cfg(test)]
mod sheet;
mod targets;
#[cfg(test)]
mod tests;
mod unreachable;

use tidegate_session::freeze::{Decoder, FreezeError};
use tidegate_session::router::{Needs, Router, RouterSession, TargetSet};
use tidegate_session::{Scene, SessionFault};

pub use params::{CausalReads, MODULE, MasterFailureMode, ReadWriteSplitParams, SelectionCriteria};
use session::Split;
use settings::Settings;

/// A service's `readwritesplit`.
#[derive(Debug)]
pub struct ReadWriteSplit {
    settings: Settings,
}

impl ReadWriteSplit {
    /// With these parameters.
    #[must_use]
    pub fn new(params: &ReadWriteSplitParams) -> ReadWriteSplit {
        ReadWriteSplit {
            settings: Settings::new(params),
        }
    }
}

impl Router for ReadWriteSplit {
    fn name(&self) -> &'static str {
        "readwritesplit"
    }

    fn needs(&self, _lends: bool) -> Needs {
        Needs {
            statements: true,
            history: true,
            keeps: self.settings.patience.is_some(),
            replay: self.settings.replay,
            reuses: self.settings.reuses,
            positions: self.settings.causal.is_on() || self.settings.sync.is_some(),
            sync: self.settings.sync,
            monitored: self.settings.causal.is_fast(),
        }
    }

    fn primary_reasons(&self) -> &'static [&'static str] {
        rule::Rule::WORDS
    }

    fn start(
        &self,
        scene: &Scene<'_>,
    ) -> Result<(Box<dyn RouterSession>, TargetSet), SessionFault> {
        let settings = self.settings;
        if settings.lazy {
            return Ok((Box::new(Split::new(settings, None)), TargetSet::EMPTY));
        }
        let primary = choose::best_primary(scene, TargetSet::EMPTY);
        if primary.is_none() && settings.failure_mode == MasterFailureMode::FailInstantly {
            return Err(SessionFault::NoServer(format!(
                "no primary was found: {}",
                crate::states(scene)
            )));
        }
        let mut eager =
            choose::at_start(scene, &settings.limits, settings.replicas_at_start, primary);
        if let Some(primary) = primary {
            eager = eager.with(primary);
        }
        Ok((Box::new(Split::new(settings, primary)), eager))
    }

    fn thaw(&self, from: &mut Decoder<'_>) -> Result<Box<dyn RouterSession>, FreezeError> {
        Ok(Box::new(Split::read(self.settings, from)?))
    }
}
