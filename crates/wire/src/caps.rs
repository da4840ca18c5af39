//! Capabilities: what the two ends of a connection agreed on.
//!
//! Bits 0 to 31 are MySQL's; bits 32 and up are MariaDB's own, sent in four bytes that MySQL leaves
//! empty and valid only while [`Caps::MYSQL`] is clear.
//!
//! Source: MariaDB manual, "Connection", capabilities; MySQL internals, `group__group__cs__capabilities__flags`.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// A set of capability flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Caps(u64);

impl Caps {
    /// `CLIENT_MYSQL`, once `CLIENT_LONG_PASSWORD`: the peer is no MariaDB.
    pub const MYSQL: Self = Self::bit(0);
    /// `CLIENT_FOUND_ROWS`: affected rows are found rows, not changed ones.
    pub const FOUND_ROWS: Self = Self::bit(1);
    /// `CLIENT_LONG_FLAG`: column flags have two bytes.
    pub const LONG_FLAG: Self = Self::bit(2);
    /// `CLIENT_CONNECT_WITH_DB`: the handshake response names a database.
    pub const CONNECT_WITH_DB: Self = Self::bit(3);
    /// `CLIENT_NO_SCHEMA`: `database.table.column` is not allowed.
    pub const NO_SCHEMA: Self = Self::bit(4);
    /// `CLIENT_COMPRESS`: zlib compression.
    pub const COMPRESS: Self = Self::bit(5);
    /// `CLIENT_ODBC`.
    pub const ODBC: Self = Self::bit(6);
    /// `CLIENT_LOCAL_FILES`: LOAD DATA LOCAL is possible.
    pub const LOCAL_FILES: Self = Self::bit(7);
    /// `CLIENT_IGNORE_SPACE`: blanks may stand before `(`.
    pub const IGNORE_SPACE: Self = Self::bit(8);
    /// `CLIENT_PROTOCOL_41`: the protocol since 4.1, the only one known here.
    pub const PROTOCOL_41: Self = Self::bit(9);
    /// `CLIENT_INTERACTIVE`: `interactive_timeout` holds.
    pub const INTERACTIVE: Self = Self::bit(10);
    /// `CLIENT_SSL`: TLS follows the SSLRequest.
    pub const SSL: Self = Self::bit(11);
    /// `CLIENT_IGNORE_SIGPIPE`: of no meaning on the wire.
    pub const IGNORE_SIGPIPE: Self = Self::bit(12);
    /// `CLIENT_TRANSACTIONS`: status flags are sent.
    pub const TRANSACTIONS: Self = Self::bit(13);
    /// `CLIENT_RESERVED`, of old: of no meaning, and set by all servers.
    pub const RESERVED: Self = Self::bit(14);
    /// `CLIENT_SECURE_CONNECTION`, once `CLIENT_RESERVED2`: authentication since 4.1.
    pub const SECURE_CONNECTION: Self = Self::bit(15);
    /// `CLIENT_MULTI_STATEMENTS`: one COM_QUERY may hold several statements.
    pub const MULTI_STATEMENTS: Self = Self::bit(16);
    /// `CLIENT_MULTI_RESULTS`: one COM_QUERY may be answered by several results.
    pub const MULTI_RESULTS: Self = Self::bit(17);
    /// `CLIENT_PS_MULTI_RESULTS`: so may one COM_STMT_EXECUTE.
    pub const PS_MULTI_RESULTS: Self = Self::bit(18);
    /// `CLIENT_PLUGIN_AUTH`: the handshake names authentication plugins.
    pub const PLUGIN_AUTH: Self = Self::bit(19);
    /// `CLIENT_CONNECT_ATTRS`: the handshake response carries attributes.
    pub const CONNECT_ATTRS: Self = Self::bit(20);
    /// `CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA`: authentication data may be longer than 255 bytes.
    pub const PLUGIN_AUTH_LENENC_CLIENT_DATA: Self = Self::bit(21);
    /// `CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS`: let in to change the password.
    pub const CAN_HANDLE_EXPIRED_PASSWORDS: Self = Self::bit(22);
    /// `CLIENT_SESSION_TRACK`: OK packets list changes of session state.
    pub const SESSION_TRACK: Self = Self::bit(23);
    /// `CLIENT_DEPRECATE_EOF`: no EOF after definitions, an OK of kind 0xFE after rows.
    pub const DEPRECATE_EOF: Self = Self::bit(24);
    /// `CLIENT_OPTIONAL_RESULTSET_METADATA` (MySQL): definitions may be left out.
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self::bit(25);
    /// `CLIENT_ZSTD_COMPRESSION_ALGORITHM`.
    pub const ZSTD_COMPRESSION: Self = Self::bit(26);
    /// `CLIENT_QUERY_ATTRIBUTES` (MySQL since 8.0.23).
    pub const QUERY_ATTRIBUTES: Self = Self::bit(27);
    /// `MULTI_FACTOR_AUTHENTICATION` (MySQL).
    pub const MULTI_FACTOR_AUTHENTICATION: Self = Self::bit(28);
    /// `CLIENT_SSL_VERIFY_SERVER_CERT`: of no meaning on the wire.
    pub const SSL_VERIFY_SERVER_CERT: Self = Self::bit(30);
    /// `CLIENT_REMEMBER_OPTIONS`: of no meaning on the wire.
    pub const REMEMBER_OPTIONS: Self = Self::bit(31);
    /// `MARIADB_CLIENT_PROGRESS`: progress reports of long statements.
    pub const PROGRESS: Self = Self::bit(32);
    /// `MARIADB_CLIENT_COM_MULTI`: withdrawn.
    pub const COM_MULTI: Self = Self::bit(33);
    /// `MARIADB_CLIENT_STMT_BULK_OPERATIONS`: COM_STMT_BULK_EXECUTE.
    pub const STMT_BULK_OPERATIONS: Self = Self::bit(34);
    /// `MARIADB_CLIENT_EXTENDED_METADATA`: column definitions carry type names.
    pub const EXTENDED_METADATA: Self = Self::bit(35);
    /// `MARIADB_CLIENT_CACHE_METADATA`: definitions the client knows are not sent again, and each
    /// column count has one more byte.
    pub const CACHE_METADATA: Self = Self::bit(36);
    /// `MARIADB_CLIENT_BULK_UNIT_RESULTS`: a bulk execution may report each row's result (11.5).
    pub const BULK_UNIT_RESULTS: Self = Self::bit(37);

    /// MariaDB's own flags, invalid beside [`Caps::MYSQL`].
    pub const EXTENDED: Self = Self(0xFFFF_FFFF_0000_0000);

    /// What Tidegate offers to every client, because no reply looks different for it.
    const ALWAYS: Self = Self(
        Self::FOUND_ROWS.0
            | Self::LONG_FLAG.0
            | Self::CONNECT_WITH_DB.0
            | Self::NO_SCHEMA.0
            | Self::RESERVED.0
            | Self::ODBC.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::INTERACTIVE.0
            | Self::MULTI_STATEMENTS.0
            | Self::CAN_HANDLE_EXPIRED_PASSWORDS.0
            | Self::PLUMBING.0,
    );

    /// What both sides of every connection use.
    const PLUMBING: Self = Self(
        Self::PROTOCOL_41.0
            | Self::IGNORE_SIGPIPE.0
            | Self::TRANSACTIONS.0
            | Self::SECURE_CONNECTION.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC_CLIENT_DATA.0
            | Self::REMEMBER_OPTIONS.0,
    );

    /// What changes how replies look: offered only if every server has it.
    const FORMATS: Self = Self(
        Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0
            | Self::PROGRESS.0
            | Self::STMT_BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0
            | Self::CACHE_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    /// What a server connection uses only if the client does.
    const AS_CLIENT: Self = Self(
        Self::FOUND_ROWS.0
            | Self::NO_SCHEMA.0
            | Self::ODBC.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::INTERACTIVE.0
            | Self::MULTI_STATEMENTS.0
            | Self::CAN_HANDLE_EXPIRED_PASSWORDS.0
            | Self::DEPRECATE_EOF.0
            | Self::PROGRESS.0
            | Self::STMT_BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0
            | Self::CACHE_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    const fn bit(bit: u32) -> Self {
        Self(1 << bit)
    }

    /// The empty set.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// From the bits of a handshake: MySQL's in the low half, MariaDB's in the high half.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All bits.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other`'s flags are set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags set in either.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags set in both.
    #[inline]
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These flags without `other`'s.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// These flags as they count on the wire: without MariaDB's where [`Caps::MYSQL`] is set.
    #[must_use]
    pub const fn valid(self) -> Self {
        if self.contains(Self::MYSQL) {
            self.difference(Self::EXTENDED)
        } else {
            self
        }
    }

    /// What to put into the greeting of a service, given the intersection of its usable servers'
    /// greetings. With [`Caps::MYSQL`] in it all servers are MySQL, and Tidegate says it is one too.
    #[must_use]
    pub const fn offered(servers: Self, tls: bool) -> Self {
        let kind = servers.intersection(Self::MYSQL);
        let formats = servers.valid().intersection(Self::FORMATS);
        let plain = Self::ALWAYS.union(formats).union(kind);
        if tls { plain.union(Self::SSL) } else { plain }
    }

    /// What to ask of a server for a client that negotiated `client`. Session tracking is always
    /// asked for. [`Caps::CONNECT_WITH_DB`] and [`Caps::SSL`] depend on the connection and are the
    /// caller's to add.
    #[must_use]
    pub const fn towards_server(client: Self) -> Self {
        client
            .valid()
            .intersection(Self::AS_CLIENT)
            .union(Self::PLUMBING)
            .union(Self::LONG_FLAG)
            .union(Self::SESSION_TRACK)
    }
}

impl BitOr for Caps {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitAnd for Caps {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl fmt::Debug for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caps({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a MariaDB 10.11 server without TLS sends.
    const MARIADB_10_11: Caps = Caps(0x1d_81ff_f7fe);

    #[test]
    fn all_servers_10_11_gives_all_of_theirs_but_compression() {
        let offer = Caps::offered(MARIADB_10_11, false);
        let missing = MARIADB_10_11.difference(offer);
        assert_eq!(missing, Caps::COMPRESS);
        assert!(MARIADB_10_11.contains(offer));
        assert!(!offer.contains(Caps::MYSQL));
    }

    #[test]
    fn a_format_that_one_server_lacks_is_not_offered() {
        let offer = Caps::offered(MARIADB_10_11.difference(Caps::DEPRECATE_EOF), false);
        assert!(!offer.contains(Caps::DEPRECATE_EOF));
        assert!(offer.contains(Caps::SESSION_TRACK));
        assert!(!Caps::offered(Caps::empty(), false).contains(Caps::SESSION_TRACK));
    }

    #[test]
    fn mysql_servers_have_no_extended_flags() {
        let offer = Caps::offered(MARIADB_10_11 | Caps::MYSQL, true);
        assert!(offer.contains(Caps::MYSQL | Caps::SSL));
        assert_eq!(offer & Caps::EXTENDED, Caps::empty());
    }

    #[test]
    fn servers_are_asked_what_the_client_asked_and_for_tracking() {
        let wanted = Caps::towards_server(Caps::MYSQL | Caps::FOUND_ROWS | Caps::PROGRESS);
        assert!(wanted.contains(Caps::FOUND_ROWS | Caps::SESSION_TRACK | Caps::PROTOCOL_41));
        for flag in [
            Caps::MYSQL,
            Caps::PROGRESS,
            Caps::DEPRECATE_EOF,
            Caps::CONNECT_WITH_DB,
        ] {
            assert!(!wanted.contains(flag), "{flag:?}");
        }
    }
}
