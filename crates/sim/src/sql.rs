//! The statements of the simulator: how clients write them, what servers read out of them.
//!
//! A statement's text may end with a comment that holds its token, a number that is used once in a
//! schedule, so that it can be told whose statement a server runs and whose bytes a reply holds.
//! A table's name says what a read of it returns.

use crate::state::{Assign, Value};

/// What a read returns: so many rows, of so many bytes each, and perhaps an error after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) rows: u32,
    pub(crate) row_bytes: u32,
    pub(crate) fails: bool,
}

impl Table {
    pub(crate) fn small(rows: u32) -> Table {
        Table {
            rows,
            row_bytes: 0,
            fails: false,
        }
    }

    fn name(self) -> String {
        format!(
            "{}{}_{}",
            if self.fails { 'e' } else { 'r' },
            self.rows,
            self.row_bytes
        )
    }

    fn parse(name: &str) -> Option<Table> {
        let (kind, sizes) = name.split_at_checked(1)?;
        let (rows, row_bytes) = sizes.split_once('_')?;
        Some(Table {
            rows: rows.parse().ok()?,
            row_bytes: row_bytes.parse().ok()?,
            fails: kind == "e",
        })
    }
}

/// What a statement means to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stmt {
    Read(Table),
    /// A read that locks: only the primary may run it.
    LockingRead(Table),
    /// `SELECT CONNECTION_ID()`.
    ConnectionId,
    /// A change of rows; `fails`: with error 1062.
    Write {
        verb: Verb,
        fails: bool,
    },
    /// A change of a table: commits what is open.
    Ddl,
    /// No server understands it.
    Nonsense,
    /// A procedure that writes, returns so many results and an OK.
    Call(u32),
    /// LOAD DATA LOCAL INFILE.
    Load,
    Begin {
        read_only: bool,
    },
    Commit,
    Rollback,
    Set(Vec<Assign>),
    Use(String),
    Prepare {
        name: String,
        text: String,
    },
    Execute(String),
    Deallocate(String),
    /// What the proxy sets on a connection of its own accord.
    ProxySetup,
}

/// The ways to change rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Update,
    Delete,
    Replace,
}

impl Verb {
    pub(crate) const ALL: [Verb; 4] = [Verb::Insert, Verb::Update, Verb::Delete, Verb::Replace];
}

/// A text as a server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) stmts: Vec<Stmt>,
    pub(crate) token: Option<u32>,
    /// Parameter markers.
    pub(crate) params: u16,
    /// A hint sends it to all servers.
    pub(crate) everywhere: bool,
}

/// The comment that carries a token.
pub(crate) fn tagged(text: &str, token: u32) -> String {
    format!("{text} /*{token}*/")
}

impl Stmt {
    /// The statement as a client writes it, with `params` parameter markers where it can have them.
    pub(crate) fn text(&self, params: u16) -> String {
        let filter = match params {
            0 => String::new(),
            count => format!(" WHERE b IN ({})", vec!["?"; usize::from(count)].join(", ")),
        };
        match self {
            Stmt::Read(table) => format!("SELECT a FROM {}{filter}", table.name()),
            Stmt::LockingRead(table) => {
                format!("SELECT a FROM {}{filter} FOR UPDATE", table.name())
            }
            Stmt::ConnectionId => "SELECT CONNECTION_ID()".to_owned(),
            Stmt::Write { verb, fails } => {
                let table = if *fails { "taken" } else { "t1" };
                let values = if params == 0 {
                    "1".to_owned()
                } else {
                    vec!["?"; usize::from(params)].join(", ")
                };
                match verb {
                    Verb::Insert => format!("INSERT INTO {table} VALUES ({values})"),
                    Verb::Replace => format!("REPLACE INTO {table} VALUES ({values})"),
                    Verb::Update => format!("UPDATE {table} SET a = 1{filter}"),
                    Verb::Delete => format!("DELETE FROM {table}{filter}"),
                }
            }
            Stmt::Ddl => "ALTER TABLE t1 ADD COLUMN z INT".to_owned(),
            Stmt::Nonsense => "FROBNICATE the server".to_owned(),
            Stmt::Call(results) => format!("CALL p{results}()"),
            Stmt::Load => "LOAD DATA LOCAL INFILE 'f' INTO TABLE t1".to_owned(),
            Stmt::Begin { read_only: true } => "START TRANSACTION READ ONLY".to_owned(),
            Stmt::Begin { read_only: false } => "BEGIN".to_owned(),
            Stmt::Commit => "COMMIT".to_owned(),
            Stmt::Rollback => "ROLLBACK".to_owned(),
            Stmt::Set(list) => set_text(list),
            Stmt::Use(name) => format!("USE {name}"),
            Stmt::Prepare { name, text } => format!("PREPARE {name} FROM '{text}'"),
            Stmt::Execute(name) => format!("EXECUTE {name}"),
            Stmt::Deallocate(name) => format!("DEALLOCATE PREPARE {name}"),
            Stmt::ProxySetup => "SET session_track_schema=ON".to_owned(),
        }
    }

    fn parse(text: &str) -> Stmt {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let word = |ix: usize| words.get(ix).copied().unwrap_or_default();
        match word(0) {
            "SELECT" if word(1) == "CONNECTION_ID()" => Stmt::ConnectionId,
            "SELECT" => match (Table::parse(word(3)), text.ends_with("FOR UPDATE")) {
                (Some(table), false) => Stmt::Read(table),
                (Some(table), true) => Stmt::LockingRead(table),
                (None, _) => Stmt::Nonsense,
            },
            "INSERT" | "REPLACE" | "DELETE" => {
                let verb = match word(0) {
                    "INSERT" => Verb::Insert,
                    "REPLACE" => Verb::Replace,
                    _ => Verb::Delete,
                };
                Stmt::Write {
                    verb,
                    fails: word(2) == "taken",
                }
            }
            "UPDATE" => Stmt::Write {
                verb: Verb::Update,
                fails: word(1) == "taken",
            },
            "ALTER" => Stmt::Ddl,
            "CALL" => Stmt::Call(
                word(1)
                    .trim_start_matches('p')
                    .trim_end_matches("()")
                    .parse()
                    .unwrap_or_default(),
            ),
            "LOAD" => Stmt::Load,
            "BEGIN" => Stmt::Begin { read_only: false },
            "START" => Stmt::Begin {
                read_only: word(3) == "ONLY",
            },
            "COMMIT" => Stmt::Commit,
            "ROLLBACK" => Stmt::Rollback,
            "SET" if word(1).starts_with("session_track_schema") => Stmt::ProxySetup,
            "SET" => parse_set(text.strip_prefix("SET").unwrap_or_default())
                .map_or(Stmt::Nonsense, Stmt::Set),
            "USE" => Stmt::Use(word(1).to_owned()),
            "PREPARE" => match text.split_once(" FROM '") {
                Some((_, quoted)) => Stmt::Prepare {
                    name: word(1).to_owned(),
                    text: quoted.trim_end().trim_end_matches('\'').to_owned(),
                },
                None => Stmt::Nonsense,
            },
            "EXECUTE" => Stmt::Execute(word(1).to_owned()),
            "DEALLOCATE" => Stmt::Deallocate(word(2).to_owned()),
            _ => Stmt::Nonsense,
        }
    }
}

fn set_text(list: &[Assign]) -> String {
    if let [
        Assign {
            name,
            value: Value::Word(charset),
        },
    ] = list
        && name == "names"
    {
        return format!("SET NAMES {charset}");
    }
    let one = |assign: &Assign| {
        let name = &assign.name;
        match &assign.value {
            Value::Number(number) => format!("{name} = {number}"),
            Value::Word(word) => format!("{name} = '{word}'"),
            Value::Copy(other) => format!("{name} = {other}"),
            Value::Increment => format!("{name} = {name} + 1"),
        }
    };
    format!(
        "SET {}",
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    )
}

fn parse_set(list: &str) -> Option<Vec<Assign>> {
    if let Some(charset) = list.trim().strip_prefix("NAMES ") {
        return Some(vec![Assign {
            name: "names".to_owned(),
            value: Value::Word(charset.to_owned()),
        }]);
    }
    let one = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let (name, value) = (name.trim().to_owned(), value.trim());
        let value = if let Some(quoted) = value.strip_prefix('\'') {
            Value::Word(quoted.trim_end_matches('\'').to_owned())
        } else if value.ends_with("+ 1") {
            Value::Increment
        } else if value.starts_with('@') {
            Value::Copy(value.to_owned())
        } else {
            Value::Number(value.parse().ok()?)
        };
        Some(Assign { name, value })
    };
    list.split(',').map(one).collect()
}

/// Reads a text. What is not understood is [`Stmt::Nonsense`].
pub(crate) fn parse(bytes: &[u8]) -> Text {
    let whole = String::from_utf8_lossy(bytes);
    let (text, token) = split_token(&whole);
    let (everywhere, text) = match text
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"))
    {
        Some((hint, rest)) => (hint.contains("route to all"), rest.trim_start()),
        None => (false, text),
    };
    let quoted = text.starts_with("PREPARE") || text.starts_with("SET");
    let stmts = if quoted {
        vec![Stmt::parse(text)]
    } else {
        text.split(';')
            .filter(|part| !part.trim().is_empty())
            .map(|part| Stmt::parse(part.trim()))
            .collect()
    };
    let params = text.bytes().filter(|byte| *byte == b'?').count() as u16;
    Text {
        stmts,
        token,
        params,
        everywhere,
    }
}

/// The text without the last comment, and the number in that.
fn split_token(text: &str) -> (&str, Option<u32>) {
    let cut = text
        .trim_end()
        .strip_suffix("*/")
        .and_then(|rest| rest.rsplit_once("/*"));
    match cut {
        Some((head, token)) => match token.parse() {
            Ok(token) => (head.trim_end(), Some(token)),
            Err(_) => (text, None),
        },
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_servers_read() {
        let table = Table {
            rows: 3,
            row_bytes: 70,
            fails: true,
        };
        let assign = |name: &str, value| Assign {
            name: name.to_owned(),
            value,
        };
        let stmts = [
            Stmt::Read(table),
            Stmt::LockingRead(Table::small(2)),
            Stmt::ConnectionId,
            Stmt::Ddl,
            Stmt::Nonsense,
            Stmt::Call(2),
            Stmt::Load,
            Stmt::Begin { read_only: true },
            Stmt::Begin { read_only: false },
            Stmt::Commit,
            Stmt::Rollback,
            Stmt::Use("db2".to_owned()),
            Stmt::Set(vec![assign("names", Value::Word("latin1".to_owned()))]),
            Stmt::Set(vec![
                assign("@a", Value::Number(-7)),
                assign("sql_mode", Value::Word("ANSI".to_owned())),
                assign("@b", Value::Copy("@a".to_owned())),
                assign("@a", Value::Increment),
            ]),
            Stmt::Prepare {
                name: "p1".to_owned(),
                text: "SELECT a FROM r1_0 /*5*/".to_owned(),
            },
            Stmt::Execute("p1".to_owned()),
            Stmt::Deallocate("p1".to_owned()),
        ];
        for stmt in stmts {
            let text = parse(tagged(&stmt.text(0), 17).as_bytes());
            assert_eq!(
                text,
                Text {
                    stmts: vec![stmt],
                    token: Some(17),
                    params: 0,
                    everywhere: false
                }
            );
        }
        for verb in Verb::ALL {
            for fails in [false, true] {
                let stmt = Stmt::Write { verb, fails };
                for params in [0, 2] {
                    let marked = if matches!(verb, Verb::Insert | Verb::Replace) {
                        params
                    } else {
                        params.min(2)
                    };
                    let text = parse(stmt.text(params).as_bytes());
                    assert_eq!(
                        text,
                        Text {
                            stmts: vec![stmt.clone()],
                            token: None,
                            params: marked,
                            everywhere: false
                        }
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_of_several_statements() {
        let text = parse(b"SELECT a FROM r1_0; INSERT INTO t1 VALUES (1) /*9*/");
        assert_eq!(text.stmts.len(), 2);
        assert_eq!(text.token, Some(9));
    }
}
