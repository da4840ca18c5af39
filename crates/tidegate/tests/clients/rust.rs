//! The scenario's driver for `mysql_async`, on a thread of this process.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, OptsBuilder, Params, QueryResult, Row, Statement, Value};
use mysql_async::{WhiteListFsHandler, prelude::Protocol};
use tidegate_testkit::PATIENCE;

use crate::driver::Destination;
use crate::stage::stage;

type Step = (String, Vec<String>);

/// A driver at work.
pub(crate) struct Driver {
    steps: Sender<Step>,
    answers: Receiver<String>,
}

impl Driver {
    pub(crate) fn new(to: &Destination) -> Driver {
        let (steps, asked) = channel::<Step>();
        let (told, answers) = channel();
        let to = to.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let mut runner = Runner {
                to,
                connections: HashMap::new(),
                current: String::new(),
                prepared: None,
            };
            for (verb, fields) in asked {
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                let answer = runtime.block_on(runner.step(&verb, &fields));
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(Error::Server(error)) => {
                        format!("error {} {} {}", error.code, error.state, error.message)
                    }
                    Err(error) => format!("error none {error}"),
                };
                if told.send(answer).is_err() {
                    return;
                }
            }
        });
        Driver { steps, answers }
    }

    pub(crate) fn send(&mut self, verb: &str, fields: &[String]) {
        // A driver that has ended gives no answer, which is told below.
        let _ = self.steps.send((verb.to_owned(), fields.to_vec()));
    }

    pub(crate) fn answer(&mut self) -> String {
        let answer = self.answers.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|error| panic!("no answer: {error}"))
    }
}

struct Runner {
    to: Destination,
    connections: HashMap<String, Conn>,
    current: String,
    prepared: Option<Statement>,
}

impl Runner {
    async fn step(&mut self, verb: &str, fields: &[&str]) -> Result<String, Error> {
        match (verb, fields) {
            ("open", [name, options @ ..]) => return self.open(name, options).await,
            ("on", [name]) => {
                (*name).clone_into(&mut self.current);
                return Ok("ok".to_owned());
            }
            ("close", [name]) => {
                self.prepared = None;
                if let Some(conn) = self.connections.remove(*name) {
                    conn.disconnect().await?;
                }
                return Ok("ok".to_owned());
            }
            _ => {}
        }
        let prepared = self.prepared.take();
        let conn = self.connections.get_mut(&self.current).expect("open");
        match (verb, fields) {
            ("query", [sql]) => results(conn.query_iter(*sql).await?).await,
            ("execute", [sql, values @ ..]) => {
                if let Some(statement) = prepared {
                    conn.close(statement).await?;
                }
                let statement = conn.prep(*sql).await?;
                let answer = results(conn.exec_iter(&statement, parameters(values)).await?).await;
                self.prepared = Some(statement);
                answer
            }
            ("again", values) => {
                let statement = prepared.expect("a prepared statement");
                let answer = results(conn.exec_iter(&statement, parameters(values)).await?).await;
                self.prepared = Some(statement);
                answer
            }
            ("batch", [sql, rows @ ..]) => {
                let rows = rows.iter().map(|row| {
                    let values: Vec<&str> = row.split(';').collect();
                    parameters(&values)
                });
                conn.exec_batch(*sql, rows).await?;
                Ok(format!("ok {}", conn.affected_rows()))
            }
            ("stream", [sql]) => {
                let mut result = conn.query_iter(*sql).await?;
                let (mut count, mut length) = (0, 0);
                while let Some(row) = result.next().await? {
                    count += 1;
                    length += row.as_ref(0).map_or(0, |value| show(value).len());
                }
                Ok(format!("{count} rows, {length} bytes"))
            }
            ("call", [name, values @ ..]) => {
                let call = format!("CALL {name}({})", values.join(", "));
                results(conn.query_iter(call).await?).await
            }
            ("ping", []) => conn.ping().await.map(done),
            ("reset", []) => conn.reset().await.map(|known| format!("reset: {known}")),
            ("change", [user, password]) => {
                let options = mysql_async::ChangeUserOpts::new()
                    .with_user(Some((*user).to_owned()))
                    .with_pass(Some((*password).to_owned()))
                    .with_db_name(Some(self.to.database.clone()));
                conn.change_user(options).await.map(done)
            }
            ("autocommit", [state]) => {
                let on = u8::from(*state == "on");
                conn.query_drop(format!("SET autocommit={on}"))
                    .await
                    .map(done)
            }
            ("begin" | "commit" | "rollback", []) => conn.query_drop(verb).await.map(done),
            _ => Ok("unsupported".to_owned()),
        }
    }

    async fn open(&mut self, name: &str, options: &[&str]) -> Result<String, Error> {
        let options: HashMap<&str, &str> = options
            .iter()
            .map(|option| option.split_once('=').unwrap_or((option, "")))
            .collect();
        if ["tls", "compress", "encoding"]
            .iter()
            .any(|it| options.contains_key(it))
        {
            return Ok("unsupported".to_owned());
        }
        let account = &self.to.account;
        let of = |name: &str, usual: &str| Some(options.get(name).unwrap_or(&usual).to_string());
        let files = ["rows.tsv"].map(|name| stage().files.join(name));
        let opts = OptsBuilder::default()
            .ip_or_hostname(self.to.address.ip().to_string())
            .tcp_port(self.to.address.port())
            .user(of("user", &account.user))
            .pass(of("password", &account.password))
            .db_name(of("database", &self.to.database))
            .prefer_socket(false)
            .local_infile_handler(Some(WhiteListFsHandler::new(files)));
        let conn = Conn::new(opts).await?;
        self.connections.insert(name.to_owned(), conn);
        name.clone_into(&mut self.current);
        Ok("ok".to_owned())
    }
}

fn done((): ()) -> String {
    "ok".to_owned()
}

async fn results<P: Protocol>(mut result: QueryResult<'_, '_, P>) -> Result<String, Error> {
    let mut all = Vec::new();
    loop {
        let columns = result.columns();
        let names: Vec<String> = columns
            .iter()
            .flat_map(|columns| columns.iter())
            .map(|column| column.name_str().into_owned())
            .collect();
        if names.is_empty() {
            let (changed, id) = (result.affected_rows(), result.last_insert_id());
            all.push(format!("ok {changed} {id:?} {}", result.warnings()));
        }
        let rows: Vec<Row> = result.collect().await?;
        if !names.is_empty() {
            let rows: Vec<String> = rows.into_iter().map(shown).collect();
            all.push(format!("[{}] {}", names.join(","), rows.join(" ")));
        }
        if result.is_empty() {
            // An error in place of the next result.
            result.drop_result().await?;
            return Ok(all.join(" // "));
        }
    }
}

fn shown(row: Row) -> String {
    let values: Vec<String> = row.unwrap().iter().map(show).collect();
    format!("({})", values.join(", "))
}

/// A field's value as it is compared.
fn show(value: &Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) if bytes.len() > 200 => format!("{} bytes", bytes.len()),
        Value::Bytes(bytes) => bytes.escape_ascii().to_string(),
        other => other.as_sql(true),
    }
}

/// Parameters as they are written in the scenario.
fn parameters(texts: &[&str]) -> Params {
    if texts.is_empty() {
        return Params::Empty;
    }
    Params::Positional(texts.iter().map(|text| value(text)).collect())
}

fn value(text: &str) -> Value {
    if text == "NULL" {
        return Value::NULL;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Int(number);
    }
    if let Ok(number) = text.parse::<f64>() {
        return Value::Double(number);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        return Value::Bytes((0..digits.len()).step_by(2).map(pair).collect());
    }
    if let Some(count) = text.strip_prefix('~') {
        return Value::Bytes(vec![b'y'; count.parse().expect("a count")]);
    }
    Value::Bytes(text.as_bytes().to_vec())
}
