//! What each worker counts about itself, for `threads` in REST.

use tidegate_session::world::Count;
use tidegate_sql::CacheStats;

/// One worker's figures: written by it, read by anybody.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerShard {
    /// Sessions now (gauge).
    pub sessions: Count,
    /// Sockets now (gauge).
    pub sockets: Count,
    /// Sockets ever.
    pub total_sockets: Count,
    /// Reads from sockets.
    pub reads: Count,
    /// Writes to sockets.
    pub writes: Count,
    /// Bytes read.
    pub read_bytes: Count,
    /// Clients accepted.
    pub accepts: Count,
    /// Connections that ended in an error.
    pub errors: Count,
    /// Connections that the peer closed.
    pub hangups: Count,
    /// Sessions ended by a panic.
    pub panics: Count,
    /// Clients turned away because there were no descriptors or no places.
    pub refused: Count,
    /// TLS handshakes that were completed, with clients and with servers.
    pub tls_handshakes: Count,
    /// Those that went on from an earlier connection.
    pub tls_resumed: Count,
    /// TLS that could not be agreed on, or broke.
    pub tls_failures: Count,
    /// Rounds of the loop.
    pub rounds: Count,
    /// Readiness events in all rounds.
    pub events: Count,
    /// The most events of one round.
    pub max_events: Count,
    /// The longest round, in microseconds, not exact to some milliseconds. What became ready in it
    /// has waited no longer.
    pub max_round_us: Count,
    /// The thread's number in the system; 0: not running yet.
    pub thread_id: Count,
}

/// What a worker holds, as it says when it is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Holdings {
    /// Its index.
    pub worker: usize,
    /// Its classification cache.
    pub classifier: CacheStats,
    /// Estimated memory of its sessions, in bytes.
    pub session_bytes: usize,
}
