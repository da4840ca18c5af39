//! Status flags: what a server says about the connection at the end of a result.

use std::fmt;

/// Status flags of OK and EOF packets, the truth about the connection's state.
///
/// Source: MariaDB manual, "OK_Packet", server status flag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Status(u16);

impl Status {
    /// A transaction is open. With autocommit off a server says so only after the first table access.
    pub const IN_TRANS: Self = Self(0x0001);
    /// Autocommit is on.
    pub const AUTOCOMMIT: Self = Self(0x0002);
    /// Another result of the same command follows.
    pub const MORE_RESULTS: Self = Self(0x0008);
    /// No good index was used.
    pub const NO_GOOD_INDEX_USED: Self = Self(0x0010);
    /// No index was used.
    pub const NO_INDEX_USED: Self = Self(0x0020);
    /// A cursor is open: rows come with `COM_STMT_FETCH`.
    pub const CURSOR_EXISTS: Self = Self(0x0040);
    /// The cursor's last row was sent.
    pub const LAST_ROW_SENT: Self = Self(0x0080);
    /// A database was dropped.
    pub const DB_DROPPED: Self = Self(0x0100);
    /// Backslashes are ordinary characters in literals (`sql_mode`).
    pub const NO_BACKSLASH_ESCAPES: Self = Self(0x0200);
    /// The statement's result has other columns than when it was prepared.
    pub const METADATA_CHANGED: Self = Self(0x0400);
    /// The statement took longer than `long_query_time`.
    pub const QUERY_WAS_SLOW: Self = Self(0x0800);
    /// The result set holds OUT parameters of a procedure.
    pub const PS_OUT_PARAMS: Self = Self(0x1000);
    /// The open transaction is read-only.
    pub const IN_TRANS_READONLY: Self = Self(0x2000);
    /// The OK packet lists changes of session state.
    pub const SESSION_STATE_CHANGED: Self = Self(0x4000);
    /// Double quotes delimit identifiers (`sql_mode`; MariaDB).
    pub const ANSI_QUOTES: Self = Self(0x8000);

    /// From the bits of a packet; unknown bits are kept.
    #[inline]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits as they stand in a packet.
    #[inline]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other`'s flags are set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and `other`'s.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without `other`'s.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({:#06x})", self.0)
    }
}
