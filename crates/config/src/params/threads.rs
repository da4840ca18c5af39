//! Workers.

use std::time::Duration;

use crate::declare::{auto_count, count, flag, int, list, millis, size};
use crate::unit::ByteSize;

crate::params! {
    /// Workers and how work is spread over them.
    pub struct ThreadParams {
        /// Number of routing workers. `auto`: the processors really available.
        threads: u64 = auto_count(1).at_once(),
        /// Each routing worker stays on one processor, where there are exactly as many workers as
        /// processors (as with `threads=auto` outside a container with a quota). Otherwise the
        /// system places them.
        pin_threads: bool = flag(false).since("tidegate"),
        /// Most routing workers there may ever be.
        threads_max: u64 = count(256).range(1, 4096),
        /// How often the loads of the workers are compared. 0: never.
        rebalance_period: Duration = millis(0).at_once().ignored(),
        /// Difference of load, in percent, from which on work is moved.
        rebalance_threshold: i64 = int(20).range(5, 100).at_once().ignored(),
        /// Seconds over which the load of a worker is averaged.
        rebalance_window: u64 = count(10).range(1, 60).at_once().ignored(),
        /// Bytes read from one socket before the next is looked at. 0: the built-in rule.
        max_read_amount: ByteSize = size(0).reserved(),
        /// Service parameters that follow the servers' `wait_timeout`: `all`, or of `wait_timeout`
        /// (the smallest) and `connection_keepalive` (80 % of it) those that are named. Services with
        /// unmonitored servers are left alone.
        auto_tune: Vec<String> = list(&[]),
    }
}
