//! What the client wants servers to report of the session's state.
//!
//! The proxy has them report more than that, and the client gets only what it asked for. What it
//! asks is read from its own SET statements; until then it is what servers report by default.

use tidegate_sql::{SessionEffect, Statement, Value};
use tidegate_wire::track::Change;

use crate::setup;

/// The variable that lists the variables whose changes are reported.
const VARIABLES: &[u8] = b"session_track_system_variables";

/// The variable that says whether the transactions that are written are reported (MySQL).
const GTIDS: &[u8] = b"session_track_gtids";

/// The variable that says how much of a transaction is reported.
const TRANSACTIONS: &[u8] = b"session_track_transaction_info";

/// The list that stands for all variables.
const ALL: &[u8] = b"*";

/// What is reported of transactions, each level including the ones before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Transactions {
    #[default]
    Off,
    State,
    Characteristics,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The client's list of variables; `None`: the servers' default.
    pub(crate) variables: Option<Vec<u8>>,
    pub(crate) transactions: Transactions,
    pub(crate) gtids: bool,
}

impl Wishes {
    /// The client sets variables. What it computes is not known here: it gets everything then.
    pub(crate) fn follow(&mut self, statement: Option<&Statement>) {
        let Some(Some(SessionEffect::Set(settings))) = statement.map(|it| &it.effect) else {
            return;
        };
        for setting in settings.iter().filter(|it| it.scope.is_session()) {
            match &*setting.name {
                VARIABLES => {
                    self.variables = match &setting.value {
                        Value::Literal(list) => Some(list.to_vec()),
                        Value::Default => None,
                        Value::Computed => Some(ALL.to_vec()),
                    };
                }
                TRANSACTIONS => {
                    self.transactions = match &setting.value {
                        Value::Literal(word) => Transactions::named(word),
                        Value::Default => Transactions::Off,
                        Value::Computed => Transactions::Characteristics,
                    };
                }
                GTIDS => {
                    self.gtids = match &setting.value {
                        Value::Literal(word) => {
                            !word.eq_ignore_ascii_case(b"OFF") && **word != *b"0"
                        }
                        Value::Default => false,
                        Value::Computed => true,
                    };
                }
                _ => {}
            }
        }
    }

    /// Does the client want to know of this change?
    pub(crate) fn include(&self, change: &Change<'_>) -> bool {
        match change {
            Change::Variable { name, .. } => match &self.variables {
                None => !setup::is_ours(name),
                Some(list) => list
                    .split(|byte| *byte == b',')
                    .map(<[u8]>::trim_ascii)
                    .any(|item| item == ALL || item.eq_ignore_ascii_case(name)),
            },
            Change::TrxState(_) => self.transactions >= Transactions::State,
            Change::Characteristics(_) => self.transactions >= Transactions::Characteristics,
            Change::Gtids(_) => self.gtids,
            Change::Schema(_) | Change::State(_) | Change::Unknown { .. } => true,
        }
    }
}

impl Transactions {
    fn named(word: &[u8]) -> Transactions {
        let is = |name: &str, number: &str| {
            word.eq_ignore_ascii_case(name.as_bytes()) || word == number.as_bytes()
        };
        if is("OFF", "0") {
            Transactions::Off
        } else if is("STATE", "1") {
            Transactions::State
        } else {
            Transactions::Characteristics
        }
    }

    /// The level of a number, as `as u8` gives it.
    pub(crate) fn numbered(number: u8) -> Option<Transactions> {
        match number {
            0 => Some(Transactions::Off),
            1 => Some(Transactions::State),
            2 => Some(Transactions::Characteristics),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sql::{Modes, classify};

    use super::*;

    fn check(statements: &[&str], name: &str, wanted: bool) {
        let mut wishes = Wishes::default();
        for text in statements {
            let statement = classify(text.as_bytes(), Modes::default());
            wishes.follow(Some(&statement));
        }
        let change = Change::Variable {
            name: name.as_bytes(),
            value: b"",
        };
        assert_eq!(wishes.include(&change), wanted, "{statements:?} {name}");
    }

    #[test]
    fn a_client_that_asked_for_nothing_gets_the_servers_default() {
        check(&[], "autocommit", true);
        check(&[], "sql_mode", false);
        check(&[], "last_gtid", false);
    }

    #[test]
    fn a_client_gets_the_variables_of_its_own_list_and_no_others() {
        let list = "SET @@session.session_track_system_variables='last_gtid, SQL_MODE'";
        check(&[list], "last_gtid", true);
        check(&[list], "sql_mode", true);
        check(&[list], "autocommit", false);
        let all = "SET session_track_system_variables='*'";
        check(&[all], "last_gtid", true);
        let computed = "SET session_track_system_variables=CONCAT(@a,',sql_mode')";
        check(&[computed], "sql_mode", true);
        let default = "SET session_track_system_variables=DEFAULT";
        check(&[list, default], "last_gtid", false);
        check(&[list, default], "autocommit", true);
        let global = "SET GLOBAL session_track_system_variables='last_gtid'";
        check(&[global], "last_gtid", false);
    }

    #[test]
    fn a_client_hears_of_written_transactions_if_it_asked() {
        let told = |statements: &[&str]| {
            let mut wishes = Wishes::default();
            for text in statements {
                wishes.follow(Some(&classify(text.as_bytes(), Modes::default())));
            }
            wishes.include(&Change::Gtids(b""))
        };
        assert!(!told(&[]));
        assert!(told(&["SET session_track_gtids = OWN_GTID"]));
        assert!(told(&["SET session_track_gtids = 'ALL_GTIDS'"]));
        assert!(told(&["SET session_track_gtids = @x"]));
        assert!(!told(&[
            "SET session_track_gtids = OWN_GTID",
            "SET session_track_gtids = OFF"
        ]));
        assert!(!told(&[
            "SET session_track_gtids = 1",
            "SET session_track_gtids = DEFAULT"
        ]));
    }

    #[test]
    fn of_transactions_a_client_gets_as_much_as_it_asked_for() {
        let mut wishes = Wishes::default();
        let state = Change::TrxState(*b"________");
        let text = Change::Characteristics(b"");
        assert!(!wishes.include(&state) && !wishes.include(&text));
        let mut set = |value: &str| {
            let sql = format!("SET session_track_transaction_info={value}");
            wishes.follow(Some(&classify(sql.as_bytes(), Modes::default())));
            (wishes.include(&state), wishes.include(&text))
        };
        assert_eq!(set("STATE"), (true, false));
        assert_eq!(set("'CHARACTERISTICS'"), (true, true));
        assert_eq!(set("0"), (false, false));
        assert_eq!(set("@x"), (true, true));
    }
}
