//! How accounts are fetched and clients' names resolved.

use std::time::Duration;

use crate::declare::{count, flag, int, optional_text, seconds, seconds_or_never};

const WITHOUT_EFFECT: &str = "it has no effect; remove it";

crate::params! {
    /// Accounts and name resolution.
    pub struct AccountParams {
        /// Connect, read and write timeout while accounts are fetched from a server.
        auth_connect_timeout: Duration = seconds(10).runtime(),
        /// Without effect: `auth_connect_timeout` covers it.
        auth_read_timeout: Duration = seconds(10).runtime()
            .ignored().deprecated(WITHOUT_EFFECT),
        /// Without effect: `auth_connect_timeout` covers it.
        auth_write_timeout: Duration = seconds(10).runtime()
            .ignored().deprecated(WITHOUT_EFFECT),
        /// Failed logins refresh the accounts at most once in this time. Negative: never.
        users_refresh_time: Option<Duration> = seconds_or_never(30).at_once(),
        /// Refresh the accounts this often. 0: never.
        users_refresh_interval: Duration = seconds(0).at_once(),
        /// Do not look up the names of clients' addresses.
        skip_name_resolve: bool = flag(false).at_once(),
        /// Names of clients' addresses that are kept, each for five minutes. 0: none.
        host_cache_size: u64 = count(128).at_once().since("24.08"),
        /// Failed logins in a row after which an address is refused for a minute. 0: never.
        max_auth_errors_until_block: i64 = int(10).at_least(0).at_once(),
        /// Address that connections to servers come from. A name is looked up once, at the start.
        local_address: Option<String> = optional_text(),
        /// Without effect.
        skip_permission_checks: bool = flag(false).runtime()
            .ignored().deprecated(WITHOUT_EFFECT),
    }
}
