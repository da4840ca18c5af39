//! How long a client and its connections may be idle: as configured, or as the servers have it
//! (`auto_tune`).
//!
//! What servers have is part of the views that every entry point is lent, so limits follow from the
//! service and the views alone. A session looks at them when it begins and when the views are renewed.

use std::time::Duration;

use crate::keepalive::Keepalive;
use crate::service::{ServiceSpec, TargetSpec};
use crate::session::Session;
use crate::world::{ServerView, ServerViews};

/// The servers' variable that limits follow.
const VARIABLE: &str = "wait_timeout";

/// What of a service follows the `wait_timeout` of its servers, once that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoTune {
    /// Clients may be idle as long as the least patient server has it.
    pub wait_timeout: bool,
    /// Connections are pinged after four fifths of that: the rule for clients that are idle as well
    /// ([`Keepalive::always`]). `None`: as configured.
    pub keepalive: Option<bool>,
}

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdleLimits {
    /// Idle limit of a client; `None`: no limit.
    pub wait_timeout: Option<Duration>,
    /// Connections that are idle are pinged; `None`: they are not.
    pub keepalive: Option<Keepalive>,
}

impl ServiceSpec {
    /// The limits of its sessions with the servers as they are now.
    #[must_use]
    pub fn idle_limits(&self, servers: &ServerViews) -> IdleLimits {
        let mut limits = IdleLimits {
            wait_timeout: self.wait_timeout,
            keepalive: self.keepalive,
        };
        if self.auto_tune == AutoTune::default() {
            return limits;
        }
        let mut least = None;
        self.each_server(servers, &mut |view| {
            least = least.into_iter().chain(patience(view)).min();
        });
        let Some(least) = least else {
            return limits;
        };
        if self.auto_tune.wait_timeout {
            limits.wait_timeout = Some(least);
        }
        if let Some(always) = self.auto_tune.keepalive {
            let after = least * 4 / 5;
            limits.keepalive = Some(Keepalive { after, always });
        }
        limits
    }

    /// Shows all servers it can reach, through other services too; one that is reached twice is
    /// shown twice.
    pub(crate) fn each_server<'a>(
        &self,
        servers: &'a ServerViews,
        show: &mut impl FnMut(&'a ServerView),
    ) {
        for target in &self.targets {
            match target {
                TargetSpec::Service(inner) => inner.each_server(servers, show),
                TargetSpec::Server(id) => servers.get(*id).into_iter().for_each(&mut *show),
            }
        }
    }
}

/// How long the server lets connections be idle, if that was ever learned.
fn patience(view: &ServerView) -> Option<Duration> {
    let seconds = view.variables.get(VARIABLE)?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero())
}

impl Session {
    /// Works with the limits that follow from these servers.
    pub(crate) fn tune(&mut self, servers: &ServerViews) {
        let limits = self.service.idle_limits(servers);
        self.nearer |= limits != self.limits;
        self.limits = limits;
    }
}
