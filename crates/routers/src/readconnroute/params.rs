//! The parameters of readconnroute.

use std::time::Duration;

use tidegate_config::declare::{flag, seconds};
use tidegate_config::{ModuleDecl, ModuleKind, Params as _, RuleScope, WordSet, params, words};

words! {
    /// A role a server must have to be chosen.
    pub enum Role {
        Master = "master",
        Slave = "slave",
        /// Any server that runs.
        Running = "running",
        /// A node of a Galera cluster that is in step.
        Synced = "synced",
    }
}

params! {
    /// Parameters of readconnroute.
    pub struct ReadConnRouteParams {
        /// Roles a server may have to be chosen.
        router_options: WordSet<Role> = Role::mask(Role::Running.bit()).runtime(),
        /// Whether the primary may be chosen where a replica is wanted.
        master_accept_reads: bool = flag(true).runtime(),
        /// A server must be less far behind the primary than this. 0: no limit.
        max_replication_lag: Duration = seconds(0).runtime(),
    }
}

/// What the configuration knows of readconnroute.
pub static MODULE: ModuleDecl = ModuleDecl::new(
    ModuleKind::Router,
    "readconnroute",
    "Gives each session one server, chosen when it starts.",
    ReadConnRouteParams::TABLE,
)
.rule(check);

/// Without a role no server could ever be chosen.
fn check(scope: &mut RuleScope<'_>) {
    let own: ReadConnRouteParams = scope.params();
    if own.router_options.is_empty() {
        scope.refuse("router_options", "it is empty; name at least one role");
    }
}
