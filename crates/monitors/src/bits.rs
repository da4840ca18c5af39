//! Server state bits and the words they are shown with.
//!
//! The words are those of MaxScale, because configuration, REST clients and scripts look for
//! them. The invariant: `Down` is the absence of [`ServerBits::RUNNING`], so a server can never be
//! both.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What is known and decided about one server.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ServerBits(u16);

impl ServerBits {
    /// The monitor can connect.
    pub const RUNNING: Self = Self(1);
    /// Set by the administrator: no use at all.
    pub const MAINTENANCE: Self = Self(1 << 1);
    /// Set by the administrator: no new connections.
    pub const DRAINING: Self = Self(1 << 2);
    /// Takes writes.
    pub const MASTER: Self = Self(1 << 3);
    /// Takes reads, replicates from the primary.
    pub const SLAVE: Self = Self(1 << 4);
    /// A replica with replicas of its own.
    pub const RELAY: Self = Self(1 << 5);
    /// A binlog relay that replicates.
    pub const BINLOG_RELAY: Self = Self(1 << 6);
    /// A Galera node in sync.
    pub const SYNCED: Self = Self(1 << 7);
    /// The monitor's credentials or grants were rejected.
    pub const AUTH_ERROR: Self = Self(1 << 8);
    /// The address is not resolved yet.
    pub const NEED_DNS: Self = Self(1 << 9);

    /// What a server's part in the cluster is.
    pub const ROLES: Self = Self(
        Self::MASTER.0 | Self::SLAVE.0 | Self::RELAY.0 | Self::BINLOG_RELAY.0 | Self::SYNCED.0,
    );

    /// No bit: `Down`.
    pub const NONE: Self = Self(0);

    /// Are all bits of `other` set?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Is any bit of `other` set?
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those bits that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// With the bits of `other` set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With the bits of `other` cleared.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Running and not in maintenance: existing connections may be used.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        self.contains(Self::RUNNING) && !self.contains(Self::MAINTENANCE)
    }

    /// New connections may be made.
    #[must_use]
    pub const fn is_connectable(self) -> bool {
        self.is_usable() && !self.intersects(Self::DRAINING.with(Self::NEED_DNS))
    }

    /// The state as it is shown, such as `Slave, Running`. A draining server without
    /// connections is `Drained`.
    #[must_use]
    pub fn text(self, connections: u64) -> String {
        let mut words = Vec::new();
        if self.contains(Self::MAINTENANCE) {
            words.push("Maintenance");
        } else if self.contains(Self::DRAINING) {
            words.push(if connections == 0 {
                "Drained"
            } else {
                "Draining"
            });
        }
        if self.is_usable() {
            words.extend(self.role_words());
        }
        for (bit, word) in [
            (Self::AUTH_ERROR, "Auth Error"),
            (Self::NEED_DNS, "Need DNS lookup"),
        ] {
            if self.contains(bit) {
                words.push(word);
            }
        }
        words.push(if self.contains(Self::RUNNING) {
            "Running"
        } else {
            "Down"
        });
        words.join(", ")
    }

    fn role_words(self) -> impl Iterator<Item = &'static str> {
        let replica_roles = [
            (Self::RELAY, "Relay Master"),
            (Self::SLAVE, "Slave"),
            (Self::BINLOG_RELAY, "Binlog Relay"),
        ];
        let is_master = self.contains(Self::MASTER);
        let master = is_master.then_some("Master");
        let replica = replica_roles
            .into_iter()
            .filter(move |(bit, _)| !is_master && self.contains(*bit))
            .map(|(_, word)| word);
        let synced = self.contains(Self::SYNCED).then_some("Synced");
        master.into_iter().chain(replica).chain(synced)
    }
}

impl BitOr for ServerBits {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for ServerBits {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.with(other);
    }
}

impl fmt::Debug for ServerBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerBits({:#x}: {})", self.0, self.text(1))
    }
}

/// A state that can be set or cleared by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminState {
    /// [`ServerBits::MASTER`].
    Master,
    /// [`ServerBits::SLAVE`].
    Slave,
    /// [`ServerBits::MAINTENANCE`].
    Maintenance,
    /// [`ServerBits::RUNNING`].
    Running,
    /// [`ServerBits::SYNCED`].
    Synced,
    /// [`ServerBits::DRAINING`].
    Drain,
}

impl AdminState {
    /// The word for it in requests and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
            Self::Maintenance => "maintenance",
            Self::Running => "running",
            Self::Synced => "synced",
            Self::Drain => "drain",
        }
    }

    /// The bit behind it.
    #[must_use]
    pub fn bit(self) -> ServerBits {
        match self {
            Self::Master => ServerBits::MASTER,
            Self::Slave => ServerBits::SLAVE,
            Self::Maintenance => ServerBits::MAINTENANCE,
            Self::Running => ServerBits::RUNNING,
            Self::Synced => ServerBits::SYNCED,
            Self::Drain => ServerBits::DRAINING,
        }
    }

    /// Does it outlast a tick of a running monitor?
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self, Self::Maintenance | Self::Drain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UP: ServerBits = ServerBits::RUNNING;

    fn check(bits: ServerBits, connections: u64, expect: &str) {
        assert_eq!(bits.text(connections), expect);
    }

    #[test]
    fn states_read_as_they_always_did() {
        check(ServerBits::NONE, 0, "Down");
        check(UP, 0, "Running");
        check(UP | ServerBits::MASTER, 0, "Master, Running");
        check(UP | ServerBits::SLAVE, 0, "Slave, Running");
        check(
            UP | ServerBits::RELAY | ServerBits::SLAVE,
            0,
            "Relay Master, Slave, Running",
        );
        check(
            UP | ServerBits::MASTER | ServerBits::SYNCED,
            0,
            "Master, Synced, Running",
        );
        check(
            UP | ServerBits::MAINTENANCE | ServerBits::SLAVE,
            3,
            "Maintenance, Running",
        );
        check(
            UP | ServerBits::DRAINING | ServerBits::SLAVE,
            0,
            "Drained, Slave, Running",
        );
        check(
            UP | ServerBits::DRAINING | ServerBits::SLAVE,
            1,
            "Draining, Slave, Running",
        );
        check(ServerBits::AUTH_ERROR, 0, "Auth Error, Down");
        check(ServerBits::NEED_DNS, 0, "Need DNS lookup, Down");
        check(ServerBits::SLAVE, 0, "Down");
    }

    proptest! {
        #[test]
        fn never_both_down_and_running(raw in 0u16..1024, connections in 0u64..2) {
            let bits = ServerBits(raw);
            let text = bits.text(connections);
            prop_assert_ne!(text.ends_with("Down"), text.ends_with("Running"));
            prop_assert!(!text[..text.len() - 4].contains("Down"));
            prop_assert!(!bits.is_connectable() || bits.is_usable());
        }
    }
}
