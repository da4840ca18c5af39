//! The capabilities that change what peers write, as bits of the handshake.

pub(crate) const CONNECT_WITH_DB: u64 = 1 << 3;
pub(crate) const LOCAL_FILES: u64 = 1 << 7;
pub(crate) const PROTOCOL_41: u64 = 1 << 9;
pub(crate) const TRANSACTIONS: u64 = 1 << 13;
pub(crate) const SECURE_CONNECTION: u64 = 1 << 15;
pub(crate) const MULTI_STATEMENTS: u64 = 1 << 16;
pub(crate) const MULTI_RESULTS: u64 = 1 << 17;
pub(crate) const PS_MULTI_RESULTS: u64 = 1 << 18;
pub(crate) const PLUGIN_AUTH: u64 = 1 << 19;
pub(crate) const CONNECT_ATTRS: u64 = 1 << 20;
pub(crate) const PLUGIN_AUTH_LENENC: u64 = 1 << 21;
pub(crate) const SESSION_TRACK: u64 = 1 << 23;
pub(crate) const DEPRECATE_EOF: u64 = 1 << 24;
pub(crate) const PROGRESS: u64 = 1 << 32;
pub(crate) const STMT_BULK_OPERATIONS: u64 = 1 << 34;
pub(crate) const CACHE_METADATA: u64 = 1 << 36;

/// What MariaDB 10.11 offers.
pub(crate) const MARIADB_10_11: u64 = 0x1d_81ff_f7fe;

/// What no client of the simulator goes without.
pub(crate) const BASE: u64 = PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_STATEMENTS
    | MULTI_RESULTS
    | PS_MULTI_RESULTS
    | LOCAL_FILES
    | PLUGIN_AUTH
    | PLUGIN_AUTH_LENENC;

/// What clients have or not.
pub(crate) const OPTIONAL: [u64; 5] = [
    SESSION_TRACK,
    DEPRECATE_EOF,
    PROGRESS,
    CACHE_METADATA,
    STMT_BULK_OPERATIONS,
];
