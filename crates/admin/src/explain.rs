//! Explaining where a service would send a statement, without sending it.

use hyper::header;
use serde_json::{Map, Value};
use tidegate_jsonapi::lenient_bool;

use crate::app::App;
use crate::documents::{route_document, route_text};
use crate::house::{Refusal, RouteQuestion, TransactionState};
use crate::reply::Reply;
use crate::request::Request;
use crate::route::{Collection, Endpoint};

/// What can be asked, by the names of its parameters.
const NAMES: &[&str] = &[
    "sql",
    "in_transaction",
    "autocommit",
    "database",
    "hints",
    "sql_mode",
];

impl App {
    /// The answer to GET: everything is in the query.
    pub(crate) fn explain_query(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        service: &str,
    ) -> Result<Reply, Reply> {
        let mut given = Map::new();
        for name in NAMES {
            if let Some(value) = request.query.get(name) {
                given.insert((*name).to_owned(), value.into());
            }
        }
        self.explain(request, endpoint, service, &given)
    }

    /// The answer to POST: the body is the statement, or an object with the parameters.
    pub(crate) fn explain_body(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        service: &str,
        body: &[u8],
    ) -> Result<Reply, Reply> {
        let is_text = request
            .header(&header::CONTENT_TYPE)
            .is_some_and(|kind| kind.trim_start().starts_with("text/"));
        let mut given = Map::new();
        for name in NAMES {
            if let Some(value) = request.query.get(name) {
                given.insert((*name).to_owned(), value.into());
            }
        }
        if is_text {
            given.insert("sql".to_owned(), String::from_utf8_lossy(body).into());
        } else {
            given.extend(attributes(body)?);
        }
        self.explain(request, endpoint, service, &given)
    }

    fn explain(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        service: &str,
        given: &Map<String, Value>,
    ) -> Result<Reply, Reply> {
        let question = question(given)?;
        let view = self
            .house
            .explain_route(service, &question)
            .map_err(|refusal: Refusal| {
                Reply::refused(refusal, service, Collection::Services.singular())
            })?;
        if wants_text(request) {
            return Ok(Reply::text(route_text(&question, &view)));
        }
        let look = self.look(request, endpoint);
        Ok(Reply::document(route_document(
            service, &question, &view, &look,
        )))
    }
}

/// Plain text, if it is asked for by `format=text` or as the only acceptable kind.
fn wants_text(request: &Request) -> bool {
    if let Some(format) = request.query.get("format") {
        return format == "text";
    }
    request
        .header(&header::ACCEPT)
        .is_some_and(|accept| accept.trim_start().starts_with("text/plain"))
}

/// The parameters in a body: those of a JSON:API document, or of a bare object.
fn attributes(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    let wrong = || {
        Reply::bad(
            "the body must be the statement (Content-Type: text/plain) or a JSON object with 'sql'",
        )
    };
    let value: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let inner = value.pointer("/data/attributes").unwrap_or(&value);
    inner.as_object().cloned().ok_or_else(wrong)
}

fn question(given: &Map<String, Value>) -> Result<RouteQuestion, Reply> {
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| !NAMES.contains(&name.as_str())) {
        problems.push(format!(
            "'{name}' is not a parameter of a route; it has {}",
            NAMES.join(", ")
        ));
    }
    let mut text = |name: &str| match given.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            problems.push(format!("'{name}' must be a string"));
            None
        }
    };
    let (sql, database) = (text("sql"), text("database"));
    let (hints, sql_mode) = (text("hints"), text("sql_mode"));
    let transaction = match given.get("in_transaction") {
        None | Some(Value::Null) => Some(TransactionState::None),
        Some(Value::String(word)) if word == "read_only" => Some(TransactionState::ReadOnly),
        Some(value) => lenient_bool(value).map(|open| {
            if open {
                TransactionState::ReadWrite
            } else {
                TransactionState::None
            }
        }),
    };
    if transaction.is_none() {
        problems.push("'in_transaction' must be true, false or read_only".to_owned());
    }
    let autocommit = given.get("autocommit").map_or(Some(true), lenient_bool);
    if autocommit.is_none() {
        problems.push("'autocommit' must be a boolean".to_owned());
    }
    let sql = sql.unwrap_or_default();
    if sql.trim().is_empty() && problems.is_empty() {
        problems.push("'sql' is missing: the statement whose route is asked for".to_owned());
    }
    match (transaction, autocommit) {
        (Some(transaction), Some(autocommit)) if problems.is_empty() => Ok(RouteQuestion {
            sql,
            transaction,
            autocommit,
            database: database.filter(|name| !name.is_empty()),
            hints: hints.filter(|text| !text.trim().is_empty()),
            sql_mode: sql_mode.unwrap_or_default(),
        }),
        _ => Err(Reply::errors(hyper::StatusCode::BAD_REQUEST, problems)),
    }
}
