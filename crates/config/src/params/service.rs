//! Services: what all routers have in common.

use std::path::PathBuf;
use std::time::Duration;

use super::server::Rank;
use crate::decl::{ModuleKind, Refers};
use crate::declare::{
    count, flag, int, millis_or_off, optional_path, optional_reference, optional_text, references,
    required_module, required_secret, required_text, seconds,
};
use crate::secret::Secret;

const AUTOMATIC: &str = "it has no effect any more; remove it";

crate::words! {
    /// When the accounts of a file count.
    pub enum AccountsFileUsage {
        /// In addition to those of the servers.
        AddWhenLoadOk = "add_when_load_ok",
        /// Instead of those of the servers.
        FileOnlyAlways = "file_only_always",
    }
}

crate::params! {
    /// Parameters of a service, common to all routers.
    pub struct ServiceParams {
        /// The router that decides where statements go.
        router: String = required_module(ModuleKind::Router).attribute(),
        /// Servers it routes to.
        servers: Vec<String> = references(Refers::Server).runtime().relation(),
        /// Servers and services it routes to.
        targets: Vec<String> = references(Refers::Target).runtime().relation(),
        /// Monitor whose servers it routes to.
        cluster: Option<String> = optional_reference(Refers::Monitor).runtime().relation(),
        /// Filters between client and router, nearest to the client first.
        filters: Vec<String> = references(Refers::Filter).runtime().relation(),
        /// Account that fetches the accounts of clients from the servers.
        user: String = required_text().runtime(),
        /// Password of that account.
        password: Secret = required_secret().old_names(&["passwd"]).runtime(),
        /// Role to take before accounts are fetched.
        role: Option<String> = optional_text().runtime().since("25.10").reserved(),
        /// Let `root` log in.
        enable_root_user: bool = flag(false).runtime(),
        /// Version to greet clients with, instead of the servers' lowest.
        version_string: Option<String> = optional_text().runtime(),
        /// Fetch accounts from all servers instead of one.
        auth_all_servers: bool = flag(false).runtime().reserved(),
        /// Without effect: escapes in database names of grants are understood.
        strip_db_esc: bool = flag(true).runtime().ignored().deprecated(AUTOMATIC),
        /// Without effect: the wildcard `%` matches `localhost`.
        localhost_match_wildcard_host: bool = flag(true).runtime()
            .ignored().deprecated(AUTOMATIC),
        /// Log refused logins with user and address.
        log_auth_warnings: bool = flag(true).runtime(),
        /// Log warnings of this service's sessions, whatever the global level.
        log_warning: bool = flag(false).runtime(),
        /// Log notices of this service's sessions, whatever the global level.
        log_notice: bool = flag(false).runtime(),
        /// Log details of this service's sessions, whatever the global level.
        log_info: bool = flag(false).runtime(),
        /// Log debug messages of this service's sessions, whatever the global level.
        log_debug: bool = flag(false).runtime(),
        /// Close client connections idle for longer. 0: never.
        wait_timeout: Duration = seconds(28_800).aliases(&["connection_timeout"]).runtime(),
        /// Most client connections at once; the surplus is refused. 0: no limit.
        max_connections: u64 = count(0).at_once(),
        /// Without effect: transactions are tracked by what servers report.
        session_track_trx_state: bool = flag(false).runtime().ignored().deprecated(AUTOMATIC),
        /// Without effect: the global parameter of this name counts.
        session_trace: bool = flag(false).runtime().ignored().deprecated(AUTOMATIC),
        /// Statements kept per session. -1: as the global parameter says.
        retain_last_statements: i64 = int(-1).at_least(-1).runtime(),
        /// Ping idle connections to servers after this time. 0: never.
        connection_keepalive: Duration = seconds(300).runtime(),
        /// Ping them even when the client has been idle for as long.
        force_connection_keepalive: bool = flag(false).runtime(),
        /// Drop a client that has not taken any of its data for this long. 0: never.
        net_write_timeout: Duration = seconds(0).runtime(),
        /// Most statement digests that each worker keeps for the service. 0: none. Where nothing
        /// looks at statements, as in readconnroute without such filters, there are none either.
        statement_digests: u64 = count(200).range(0, 1000).since("tidegate").runtime(),
        /// Most session commands remembered for rebuilding a session's state.
        max_sescmd_history: u64 = count(50).runtime(),
        /// Forget the oldest session command instead of giving the history up.
        prune_sescmd_history: bool = flag(true).runtime(),
        /// Remember no session commands; lost connections are then not replaced.
        disable_sescmd_history: bool = flag(false).runtime(),
        /// File of further accounts.
        user_accounts_file: Option<PathBuf> = optional_path(),
        /// When the accounts of that file count.
        user_accounts_file_usage: AccountsFileUsage =
            AccountsFileUsage::AddWhenLoadOk.param(),
        /// Lend an idle session's server connections after this time, where the server has
        /// `persistpoolmax` and `persistmaxtime`. Negative: never.
        idle_session_pool_time: Option<Duration> = millis_or_off().runtime(),
        /// Longest wait of such a session for a connection, where the server has as many as
        /// `max_routing_connections` allows.
        multiplex_timeout: Duration = seconds(60).runtime(),
        /// Rank of this service as another service's target.
        rank: Rank = Rank::Primary.param().runtime(),
    }
}
