//! What kind of server answers, read from its version text.

use std::fmt;

/// The prefix that MariaDB 10 puts in front so that old replicas accept it.
const OLD_REPLICA_PREFIX: &str = "5.5.5-";

/// The first MariaDB version with SET SESSION AUTHORIZATION.
pub const SESSION_AUTHORIZATION: u32 = 12_00_00;

/// Which family a server belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// MariaDB.
    MariaDb,
    /// MySQL, or something that passes for it.
    MySql,
    /// A binlog relay, not a database.
    BinlogRelay,
}

/// A server's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    text: String,
    number: u32,
}

impl ServerVersion {
    /// Takes the text of the greeting or of `@@version`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.strip_prefix(OLD_REPLICA_PREFIX).unwrap_or(text);
        Self {
            text: text.to_owned(),
            number: number(text),
        }
    }

    /// As the server reports it, without the prefix for old replicas.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `major * 10000 + minor * 100 + patch`: 101119 for 10.11.19; 0 if unreadable.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Which family the text speaks of.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        let text = self.text.to_ascii_lowercase();
        if text.contains("binlogrouter") {
            ServerKind::BinlogRelay
        } else if text.contains("mariadb") {
            ServerKind::MariaDb
        } else {
            ServerKind::MySql
        }
    }

    /// Does it call replication's parts by the names that MySQL 8.0.22 gave them, and those alone since 8.4?
    #[must_use]
    pub fn says_replica(&self) -> bool {
        self.kind() == ServerKind::MySql && self.number >= 80_022
    }

    /// Does it know MySQL's sets of global transaction ids?
    #[must_use]
    pub fn has_gtid_sets(&self) -> bool {
        self.kind() == ServerKind::MySql && self.number >= 50_605
    }

    /// Does it know SET SESSION AUTHORIZATION?
    #[must_use]
    pub fn has_session_authorization(&self) -> bool {
        self.kind() == ServerKind::MariaDb && self.number >= SESSION_AUTHORIZATION
    }

    /// Does it know MariaDB's global transaction ids and several replication connections?
    #[must_use]
    pub fn has_gtid(&self) -> bool {
        self.kind() != ServerKind::MySql && self.number >= 100_000
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn number(text: &str) -> u32 {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, _) = text.split_at(end);
    let mut parts = digits
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0).min(99));
    let mut next = || parts.next().unwrap_or(0);
    next() * 10_000 + next() * 100 + next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, number: u32, kind: ServerKind, has_gtid: bool) {
        let version = ServerVersion::new(text);
        assert_eq!(
            (version.number(), version.kind(), version.has_gtid()),
            (number, kind, has_gtid),
            "{text}"
        );
    }

    #[test]
    fn versions_are_read() {
        check(
            "5.5.5-10.11.19-MariaDB-0+deb12u1",
            101_119,
            ServerKind::MariaDb,
            true,
        );
        check(
            "5.5.5-10.11.6-MariaDB-1:10.11.6+maria~ubu2204",
            101_106,
            ServerKind::MariaDb,
            true,
        );
        check("11.4.2-MariaDB-log", 110_402, ServerKind::MariaDb, true);
        check("5.5.68-MariaDB", 50_568, ServerKind::MariaDb, false);
        check("8.0.36", 80_036, ServerKind::MySql, false);
        check(
            "10.2.7-binlogrouter",
            100_207,
            ServerKind::BinlogRelay,
            true,
        );
        check("9.7.4-2", 90_704, ServerKind::MySql, false);
        check("nonsense", 0, ServerKind::MySql, false);
        check("999999999999.1.2", 102, ServerKind::MySql, false);
    }

    #[test]
    fn which_servers_turn_sessions_into_others() {
        let has = |text| ServerVersion::new(text).has_session_authorization();
        assert!(has("12.0.2-MariaDB-log"));
        assert!(!has("11.8.2-MariaDB"));
        assert!(!has("5.5.5-10.11.6-MariaDB"));
        assert!(!has("12.0.0"), "no MariaDB");
    }

    #[test]
    fn mysql_is_asked_in_the_words_of_its_version() {
        let asked = |text| {
            let version = ServerVersion::new(text);
            (version.says_replica(), version.has_gtid_sets())
        };
        assert_eq!(asked("9.7.4-2"), (true, true));
        assert_eq!(asked("8.0.22"), (true, true));
        assert_eq!(asked("8.0.21"), (false, true));
        assert_eq!(asked("5.5.62"), (false, false));
        assert_eq!(asked("10.11.14-MariaDB"), (false, false));
    }
}
