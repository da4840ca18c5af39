//! `readwritesplit`: writes go to the primary, reads are spread over the replicas, and what sets
//! the session's state goes to all.
//!
//! Leaves out for now: a session ends with its primary, and nothing is repeated but reads of which
//! no byte was passed on; no waiting for a server, no replay of transactions, no causal reads.
//!
//! Invariant: nothing that may write, and nothing that could not be classified, goes to a server
//! that is not the primary, unless a hint says so.

mod choose;
mod params;
mod route;
mod rule;
mod session;
#[cfg(test)]
mod tests;

use tidegate_session::freeze::{Decoder, FreezeError};
use tidegate_session::router::{Needs, Router, RouterSession, TargetSet};
use tidegate_session::{Scene, SessionFault};

use choose::Limits;
pub use params::{MODULE, MasterFailureMode, ReadWriteSplitParams};
use session::Split;

/// A service's `readwritesplit`.
#[derive(Debug)]
pub struct ReadWriteSplit {
    limits: Limits,
    failure_mode: MasterFailureMode,
}

impl ReadWriteSplit {
    /// With these parameters.
    #[must_use]
    pub fn new(params: &ReadWriteSplitParams) -> ReadWriteSplit {
        ReadWriteSplit {
            limits: Limits {
                max_replicas: usize::try_from(params.max_slave_connections).unwrap_or(usize::MAX),
                max_replication_lag: params.max_replication_lag,
                master_accept_reads: params.master_accept_reads,
            },
            failure_mode: params.master_failure_mode,
        }
    }
}

impl Router for ReadWriteSplit {
    fn name(&self) -> &'static str {
        "readwritesplit"
    }

    fn needs(&self) -> Needs {
        Needs {
            statements: true,
            history: true,
        }
    }

    fn primary_reasons(&self) -> &'static [&'static str] {
        rule::Rule::WORDS
    }

    fn start(
        &self,
        scene: &Scene<'_>,
    ) -> Result<(Box<dyn RouterSession>, TargetSet), SessionFault> {
        let primary = choose::primary_at_start(scene);
        if primary.is_none() && self.failure_mode == MasterFailureMode::FailInstantly {
            return Err(SessionFault::NoServer(format!(
                "no primary was found: {}",
                crate::states(scene)
            )));
        }
        let mut eager = choose::at_start(scene, self.limits, primary);
        if let Some(primary) = primary {
            eager = eager.with(primary);
        }
        Ok((Box::new(Split::new(self.limits, primary)), eager))
    }

    fn thaw(&self, from: &mut Decoder<'_>) -> Result<Box<dyn RouterSession>, FreezeError> {
        Ok(Box::new(Split::thaw(self.limits, from)?))
    }
}
