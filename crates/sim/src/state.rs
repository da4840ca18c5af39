//! The state that SQL sessions carry with them, as a scripted server keeps it and as the shadow model
//! expects it: what `SET`, `USE` and text-protocol `PREPARE` change.

use std::collections::BTreeMap;

/// What a variable is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(i64),
    Word(String),
    /// Another user variable.
    Copy(String),
    /// The user variable itself, plus one: repeated, it has another effect.
    Increment,
}

/// One assignment of a SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assign {
    /// With `@` in front if it is a user variable; `names` for SET NAMES.
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// A text-protocol prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) text: String,
    /// The default database it was prepared under.
    pub(crate) database: Option<String>,
}

/// A session's state on one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SessionState {
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    /// All variables that were set, by name.
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) named: BTreeMap<String, Named>,
    pub(crate) multi_statements: bool,
}

/// A system variable that servers of the simulator do not know.
pub(crate) const NO_SUCH_VARIABLE: &str = "nosuch_variable";
/// A database that does not exist.
pub(crate) const NO_SUCH_DATABASE: &str = "nowhere";
/// A word that is no value of a numeric variable.
pub(crate) const BAD_VALUE: &str = "bad";

impl SessionState {
    pub(crate) fn new(
        user: &str,
        database: Option<String>,
        multi_statements: bool,
    ) -> SessionState {
        SessionState {
            user: user.to_owned(),
            database,
            multi_statements,
            ..SessionState::default()
        }
    }

    /// Assigns from left to right up to the first that fails, with whose error number it ends.
    pub(crate) fn assign(&mut self, list: &[Assign]) -> Result<(), u16> {
        for assign in list {
            let value = match &assign.value {
                Value::Number(number) => number.to_string(),
                Value::Word(word) if word == BAD_VALUE => return Err(1232),
                Value::Word(word) => word.clone(),
                Value::Copy(name) => self
                    .vars
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| "NULL".to_owned()),
                Value::Increment => {
                    let old = self
                        .vars
                        .get(&assign.name)
                        .and_then(|text| text.parse::<i64>().ok())
                        .unwrap_or_default();
                    (old + 1).to_string()
                }
            };
            if assign.name == NO_SUCH_VARIABLE {
                return Err(1193);
            }
            self.vars.insert(assign.name.clone(), value);
        }
        Ok(())
    }

    pub(crate) fn use_database(&mut self, name: &str) -> Result<(), u16> {
        if name == NO_SUCH_DATABASE {
            return Err(1049);
        }
        self.database = Some(name.to_owned());
        Ok(())
    }

    pub(crate) fn autocommit(&self) -> bool {
        self.vars.get("autocommit").is_none_or(|value| value != "0")
    }

    /// Is it the state that is expected? What was prepared without a default database is the same
    /// under any.
    pub(crate) fn is(&self, expected: &SessionState) -> bool {
        let named = self.named.iter().all(|(name, found)| {
            expected.named.get(name).is_some_and(|wanted| {
                wanted.text == found.text
                    && (wanted.database.is_none() || wanted.database == found.database)
            })
        });
        named
            && self.named.len() == expected.named.len()
            && self.user == expected.user
            && self.database == expected.database
            && self.vars == expected.vars
            && self.multi_statements == expected.multi_statements
    }

    /// COM_RESET_CONNECTION: all but who it is and the default database.
    pub(crate) fn reset(&mut self) {
        self.vars.clear();
        self.named.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_list_takes_effect_up_to_the_failure() {
        let mut state = SessionState::default();
        let assign = |name: &str, value| Assign {
            name: name.to_owned(),
            value,
        };
        let list = [
            assign("@a", Value::Number(1)),
            assign("@a", Value::Increment),
            assign("@b", Value::Copy("@a".to_owned())),
            assign(NO_SUCH_VARIABLE, Value::Number(1)),
            assign("@c", Value::Number(1)),
        ];
        assert_eq!(state.assign(&list), Err(1193));
        assert_eq!(state.vars.get("@b").map(String::as_str), Some("2"));
        assert_eq!(state.vars.get("@c"), None);
    }
}
