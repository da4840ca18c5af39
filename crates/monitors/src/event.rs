//! Events: the names of what happened to a server between two ticks.

use std::fmt;

use crate::bits::ServerBits;

/// What a server is, when several roles apply the first in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `master`.
    Master,
    /// `slave`.
    Slave,
    /// `synced`: a Galera node.
    Synced,
    /// `relay`.
    Relay,
    /// `blr`: a binlog relay.
    BinlogRelay,
    /// `server`: none of these.
    None,
}

impl Role {
    fn of(bits: ServerBits) -> Self {
        [
            (ServerBits::MASTER, Self::Master),
            (ServerBits::SLAVE, Self::Slave),
            (ServerBits::SYNCED, Self::Synced),
            (ServerBits::RELAY, Self::Relay),
            (ServerBits::BINLOG_RELAY, Self::BinlogRelay),
        ]
        .into_iter()
        .find(|(bit, _)| bits.contains(*bit))
        .map_or(Self::None, |(_, role)| role)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
            Self::Synced => "synced",
            Self::Relay => "relay",
            Self::BinlogRelay => "blr",
            Self::None => "server",
        }
    }
}

/// Something that happened to a server. Shown as `master_down`, `new_slave` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was down and now runs, as this.
    Up(Role),
    /// It ran as this and is now down.
    Down(Role),
    /// It goes on running and took this role.
    New(Role),
    /// It goes on running without the role it had.
    Lost(Role),
}

impl Event {
    /// What happened between two states, if it has a name. Nothing has one while the server is
    /// in maintenance before or after.
    #[must_use]
    pub fn between(before: ServerBits, after: ServerBits) -> Option<Self> {
        let watched = ServerBits::ROLES | ServerBits::RUNNING;
        let same = before.intersection(watched) == after.intersection(watched);
        if same || (before | after).contains(ServerBits::MAINTENANCE) {
            return None;
        }
        let (old, new) = (Role::of(before), Role::of(after));
        match (
            before.contains(ServerBits::RUNNING),
            after.contains(ServerBits::RUNNING),
        ) {
            (false, false) => None,
            (false, true) => Some(Self::Up(new)),
            (true, false) => Some(Self::Down(old)),
            (true, true) if old == new => Self::relay_change(before, after),
            (true, true) if new == Role::None => Some(Self::Lost(old)),
            (true, true) => Some(Self::New(new)),
        }
    }

    fn relay_change(before: ServerBits, after: ServerBits) -> Option<Self> {
        match (
            before.contains(ServerBits::RELAY),
            after.contains(ServerBits::RELAY),
        ) {
            (false, true) => Some(Self::New(Role::Relay)),
            (true, false) => Some(Self::Lost(Role::Relay)),
            (false, false) | (true, true) => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(role) => write!(f, "{}_up", role.word()),
            Self::Down(role) => write!(f, "{}_down", role.word()),
            Self::New(role) => write!(f, "new_{}", role.word()),
            Self::Lost(role) => write!(f, "lost_{}", role.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: ServerBits = ServerBits::RUNNING;
    const DOWN: ServerBits = ServerBits::NONE;
    const M: ServerBits = ServerBits::MASTER;
    const S: ServerBits = ServerBits::SLAVE;
    const R: ServerBits = ServerBits::RELAY;

    fn check(before: ServerBits, after: ServerBits, expect: Option<&str>) {
        let name = Event::between(before, after).map(|event| event.to_string());
        assert_eq!(name.as_deref(), expect, "{before:?} -> {after:?}");
    }

    #[test]
    fn every_change_has_its_name() {
        check(DOWN, UP, Some("server_up"));
        check(DOWN, UP | M, Some("master_up"));
        check(DOWN, UP | S | R, Some("slave_up"));
        check(UP, DOWN, Some("server_down"));
        check(UP | M, DOWN, Some("master_down"));
        check(UP | S, DOWN | ServerBits::AUTH_ERROR, Some("slave_down"));
        check(UP | S, UP | M, Some("new_master"));
        check(UP | M, UP | S, Some("new_slave"));
        check(UP, UP | S, Some("new_slave"));
        check(UP | S, UP, Some("lost_slave"));
        check(UP | M, UP, Some("lost_master"));
        check(UP | S, UP | S | R, Some("new_relay"));
        check(UP | S | R, UP | S, Some("lost_relay"));
        check(
            UP | ServerBits::SYNCED,
            UP | ServerBits::SYNCED | S,
            Some("new_slave"),
        );
        check(UP | S, UP | ServerBits::BINLOG_RELAY, Some("new_blr"));
    }

    #[test]
    fn what_is_no_event_has_no_name() {
        check(UP | M, UP | M, None);
        check(DOWN, DOWN, None);
        check(DOWN, DOWN | ServerBits::AUTH_ERROR, None);
        check(UP | S, UP | S | ServerBits::DRAINING, None);
        check(UP | S, DOWN | ServerBits::MAINTENANCE, None);
        check(UP | S | ServerBits::MAINTENANCE, UP | S, None);
        check(UP | S | ServerBits::MAINTENANCE, UP, None);
    }
}
