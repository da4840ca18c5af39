//! Runs the scenario with sqlx; see the module `driver` of the tests.
//!
//! Reads a step a line, its fields between tabs, and answers each with one line.

use std::collections::HashMap;
use std::env::var;
use std::io::{BufRead, Write};
use std::str::FromStr;

use futures_util::TryStreamExt;
use sqlx::mysql::{
    MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode, MySqlValueRef,
};
use sqlx::query::Query;
use sqlx::{
    Column, ConnectOptions, Connection, Decode, Either, Error, Executor, MySql, Row, TypeInfo,
    ValueRef,
};

struct Runner {
    connections: HashMap<String, MySqlConnection>,
    current: String,
    sql: String,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = Runner {
        connections: HashMap::new(),
        current: String::new(),
        sql: String::new(),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let fields: Vec<&str> = line.split('\t').collect();
        let answer = match runtime.block_on(runner.step(fields[0], &fields[1..])) {
            Ok(answer) => answer,
            Err(Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                format!("error {code} {}", error.message())
            }
            Err(error) => format!("error none {error}"),
        };
        let words: Vec<&str> = answer.split_whitespace().collect();
        println!("{}", words.join(" "));
        std::io::stdout().flush().expect("written");
    }
}

impl Runner {
    async fn step(&mut self, verb: &str, fields: &[&str]) -> Result<String, Error> {
        match (verb, fields) {
            ("open", [name, options @ ..]) => return self.open(name, options).await,
            ("on", [name]) => {
                self.current = (*name).to_owned();
                return Ok("ok".to_owned());
            }
            ("close", [name]) => {
                let conn = self.connections.remove(*name).ok_or(Error::PoolClosed)?;
                conn.close().await?;
                return Ok("ok".to_owned());
            }
            _ => {}
        }
        if let ("execute", [sql, ..]) = (verb, fields) {
            self.sql = (*sql).to_owned();
        }
        let conn = self.connections.get_mut(&self.current).ok_or(Error::PoolClosed)?;
        match (verb, fields) {
            ("query", [sql]) => told(conn.fetch_many(sqlx::raw_sql(sql))).await,
            ("execute", [_, values @ ..]) => {
                told(conn.fetch_many(bind(sqlx::query(&self.sql), values))).await
            }
            ("again", values) => told(conn.fetch_many(bind(sqlx::query(&self.sql), values))).await,
            ("batch", [sql, rows @ ..]) => {
                let mut changed = 0;
                for row in rows {
                    let values: Vec<&str> = row.split(';').collect();
                    let done = bind(sqlx::query(sql), &values).execute(&mut *conn).await?;
                    changed += done.rows_affected();
                }
                Ok(format!("ok {changed}"))
            }
            ("stream", [sql]) => {
                let mut rows = conn.fetch(sqlx::raw_sql(sql));
                let (mut count, mut length) = (0, 0);
                while let Some(row) = rows.try_next().await? {
                    count += 1;
                    length += show(&row, 0).len();
                }
                Ok(format!("{count} rows, {length} bytes"))
            }
            ("call", [name, values @ ..]) => {
                let call = format!("CALL {name}({})", values.join(", "));
                told(conn.fetch_many(sqlx::raw_sql(&call))).await
            }
            ("ping", []) => conn.ping().await.map(|()| "ok".to_owned()),
            ("autocommit", [state]) => {
                let set = format!("SET autocommit={}", u8::from(*state == "on"));
                conn.execute(sqlx::raw_sql(&set)).await.map(|_| "ok".to_owned())
            }
            ("begin" | "commit" | "rollback", []) => {
                conn.execute(sqlx::raw_sql(verb)).await.map(|_| "ok".to_owned())
            }
            _ => Ok("unsupported".to_owned()),
        }
    }

    async fn open(&mut self, name: &str, options: &[&str]) -> Result<String, Error> {
        let env = |name: &str| var(name).unwrap_or_default();
        let options: HashMap<&str, &str> = options
            .iter()
            .map(|option| option.split_once('=').unwrap_or((option, "")))
            .collect();
        if options.contains_key("compress") {
            return Ok("unsupported".to_owned());
        }
        let of = |name: &str, usual: &str| match options.get(name) {
            Some(value) => (*value).to_owned(),
            None => env(usual),
        };
        let tls = options.contains_key("tls");
        let port = env(if tls { "DB_TLS_PORT" } else { "DB_PORT" });
        let mut settings = MySqlConnectOptions::new()
            .host(&env("DB_HOST"))
            .port(u16::from_str(&port).expect("a port"))
            .username(&of("user", "DB_USER"))
            .password(&of("password", "DB_PASSWORD"))
            .database(&of("database", "DB_NAME"))
            .charset(options.get("encoding").unwrap_or(&"utf8mb4"))
            .ssl_mode(MySqlSslMode::Disabled);
        if tls {
            settings = settings
                .ssl_mode(MySqlSslMode::VerifyIdentity)
                .ssl_ca(env("DB_CA"));
        }
        let conn = settings.disable_statement_logging().connect().await?;
        self.connections.insert(name.to_owned(), conn);
        self.current = name.to_owned();
        Ok("ok".to_owned())
    }
}

type Answers<'a> =
    futures_util::stream::BoxStream<'a, Result<Either<sqlx::mysql::MySqlQueryResult, MySqlRow>, Error>>;

/// All results of a text: the rows of each, and what was changed.
async fn told(mut answers: Answers<'_>) -> Result<String, Error> {
    let (mut results, mut rows) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Right(row) => {
                if rows.is_empty() {
                    let names: Vec<&str> = row.columns().iter().map(Column::name).collect();
                    rows.push(format!("[{}]", names.join(",")));
                }
                let fields: Vec<String> = (0..row.len()).map(|index| show(&row, index)).collect();
                rows.push(format!("({})", fields.join(", ")));
            }
            Either::Left(done) if rows.is_empty() => {
                let (changed, id) = (done.rows_affected(), done.last_insert_id());
                results.push(format!("ok {changed} {id}"));
            }
            Either::Left(_) => {
                results.push(rows.join(" "));
                rows.clear();
            }
        }
    }
    Ok(results.join(" // "))
}

/// A field's value as it is compared: the bytes that came.
fn show(row: &MySqlRow, index: usize) -> String {
    let value: MySqlValueRef<'_> = row.try_get_raw(index).expect("a field");
    if value.is_null() {
        return "NULL".to_owned();
    }
    let kind = value.type_info().name().to_owned();
    let bytes = <&[u8] as Decode<MySql>>::decode(value).unwrap_or_default();
    if bytes.len() > 200 {
        return format!("{} bytes", bytes.len());
    }
    format!("{} {kind}", bytes.escape_ascii())
}

/// Parameters as they are written in the scenario.
fn bind<'q>(
    mut query: Query<'q, MySql, MySqlArguments>,
    values: &[&str],
) -> Query<'q, MySql, MySqlArguments> {
    for text in values {
        query = if *text == "NULL" {
            query.bind(None::<String>)
        } else if let Ok(number) = text.parse::<i64>() {
            query.bind(number)
        } else if let Ok(number) = text.parse::<f64>() {
            query.bind(number)
        } else if let Some(digits) = text.strip_prefix("0x") {
            let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
            let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(pair).collect();
            query.bind(bytes)
        } else if let Some(count) = text.strip_prefix('~') {
            query.bind("y".repeat(count.parse().expect("a count")))
        } else {
            query.bind((*text).to_owned())
        };
    }
    query
}
