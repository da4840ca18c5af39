//! What the proxy itself sets on a server connection of a session with a history: that the server
//! reports what the proxy must know, in addition to what the client wants reported.

use tidegate_sql::{SessionEffect, Statement};

/// The tracked variables on every server; the isolation level's variable is named by version.
const TRACKED: [&str; 5] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "sql_mode",
];

/// What the names of the variables begin with that say what is reported.
const TRACKING: &[u8] = b"session_track_";

/// The first MariaDB version that calls the isolation level's variable `transaction_isolation`, and MySQL's.
const NEW_ISOLATION_NAME: (u64, u64) = (11_01_00, 5_07_20);

/// What a server calls the variable of the isolation level.
pub(crate) fn isolation_name(version: u64, mysql_family: bool) -> &'static str {
    let (mariadb, mysql) = NEW_ISOLATION_NAME;
    if version >= if mysql_family { mysql } else { mariadb } {
        "transaction_isolation"
    } else {
        "tx_isolation"
    }
}

/// The payload of the first command of a new connection. The list of tracked variables is
/// extended, never replaced; `*` already means all of them. MySQL's servers take no name twice.
///
/// `positions`: the transactions that statements write are reported too. MySQL's servers do so where
/// `gtid_mode` is ON; that they will is reported as well, so that nobody waits for what never comes.
pub(crate) fn statement(version: u64, mysql_family: bool, positions: bool) -> Vec<u8> {
    let isolation = isolation_name(version, mysql_family);
    let (position, gtids) = match (positions, mysql_family) {
        (false, _) => (None, ""),
        (true, false) => (Some("last_gtid"), ""),
        (true, true) => (
            Some("session_track_gtids"),
            ", session_track_gtids=IF(@@global.gtid_mode='ON','OWN_GTID','OFF')",
        ),
    };
    let names = TRACKED.into_iter().chain([isolation]).chain(position);
    let added: Vec<String> = names
        .map(|name| match mysql_family {
            true => format!("IF(LOCATE('{name}',@@session_track_system_variables),NULL,'{name}')"),
            false => format!("'{name}'"),
        })
        .collect();
    let text = format!(
        "SET session_track_schema=ON, session_track_transaction_info='CHARACTERISTICS', \
         session_track_system_variables=IF(@@session_track_system_variables='*','*',\
         CONCAT_WS(',',NULLIF(@@session_track_system_variables,''),{})){gtids}",
        added.join(",")
    );
    [&[tidegate_wire::Command::Query.byte()], text.as_bytes()].concat()
}

/// Does a statement take back what [`statement`] has set?
pub(crate) fn is_undone_by(statement: Option<&Statement>) -> bool {
    let Some(Some(SessionEffect::Set(settings))) = statement.map(|it| &it.effect) else {
        return false;
    };
    settings
        .iter()
        .any(|setting| setting.scope.is_session() && setting.name.starts_with(TRACKING))
}

/// May a command of the history take it back?
pub(crate) fn may_be_undone_by(payload: &[u8]) -> bool {
    payload
        .windows(TRACKING.len())
        .any(|window| window.eq_ignore_ascii_case(TRACKING))
}

/// Is this variable reported only because of [`statement`]? Servers report the others by default.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    matches!(
        name,
        b"sql_mode"
            | b"tx_isolation"
            | b"transaction_isolation"
            | b"last_gtid"
            | b"session_track_gtids"
            | b"session_track_system_variables"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_isolation_variable_is_named_by_version() {
        let text = |version, mysql| String::from_utf8(statement(version, mysql, false)).unwrap();
        assert!(text(101_106, false).contains(",'tx_isolation')"));
        assert!(text(110_402, false).contains(",'transaction_isolation')"));
        assert!(text(80_036, true).contains(",'transaction_isolation')"));
        assert!(text(50_719, true).contains(",'tx_isolation')"));
    }

    #[test]
    fn mysql_is_given_no_name_twice() {
        let text = |mysql| String::from_utf8(statement(90_704, mysql, false)).unwrap();
        let once = "IF(LOCATE('autocommit',@@session_track_system_variables),NULL,'autocommit')";
        assert!(text(true).contains(once));
        assert!(!text(false).contains("LOCATE"));
    }

    #[test]
    fn written_transactions_are_reported_where_that_is_wanted_and_possible() {
        let reported = |mysql, positions, what: &str| {
            let text = String::from_utf8(statement(101_106, mysql, positions)).unwrap();
            text.contains(what)
        };
        assert!(reported(false, true, ",'last_gtid')"));
        assert!(!reported(false, false, "gtid") && !reported(true, false, "gtid"));
        assert!(reported(true, true, "'OWN_GTID'") && !reported(true, true, "last_gtid"));
    }
}
