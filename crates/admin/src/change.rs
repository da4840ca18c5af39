//! Changing requests: session actions, server states, passwords.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header;
use serde_json::{Map, Value};
use tidegate_jsonapi::{Body, Members, lenient_bool};

use crate::app::App;
use crate::auth::ChangeError;
use crate::condition::evaluate;
use crate::house::{
    GlobalChange, Refusal, ServerStateChange, SessionChange, StateBit, Switch, Switchable,
};
use crate::read::session_id;
use crate::reply::Reply;
use crate::request::{Method, Request};
use crate::route::{Collection, Endpoint};

/// What stands for a password in documents, and therefore is none.
const MASK: &str = "*****";

impl App {
    /// Does what a request asks for, if its conditions hold.
    pub(crate) async fn change(
        &self,
        request: &Request,
        method: Method,
        endpoint: &Endpoint,
        body: &[u8],
    ) -> Result<Reply, Reply> {
        self.check_conditions(request, endpoint).await?;
        match endpoint {
            Endpoint::ServerState(name, set) => self.change_state(request, name, *set).await?,
            Endpoint::Switch(what, name, on) => self.switch(request, *what, name, *on).await?,
            Endpoint::Reload(name) => {
                let outcome = self.house.reload_accounts(name).await;
                refused(outcome, name, Collection::Services.singular())?;
            }
            Endpoint::Route(name) => return self.explain_body(request, endpoint, name, body),
            Endpoint::Digests(name) | Endpoint::DigestsReset(name) => {
                let outcome = self.house.reset_digests(name).await;
                refused(outcome, name, Collection::Services.singular())?;
            }
            Endpoint::Restart(text) => {
                let id = session_id(text)?;
                refused(self.house.restart_session(id).await, text, "session")?;
            }
            Endpoint::RestartAll => {
                refused(self.house.restart_sessions().await, "restart", "session")?;
            }
            Endpoint::PositionReset => {
                let name = request.query.arguments().next().ok_or_else(|| {
                    Reply::bad(
                        "reset-gtid needs the name of a service, as in ?My-Service".to_owned(),
                    )
                })?;
                let outcome = self.house.reset_position(name).await;
                refused(outcome, name, Collection::Services.singular())?;
            }
            Endpoint::Session(id) if method == Method::Delete => {
                self.kill_session(request, id).await?;
            }
            Endpoint::Session(id) => {
                let change = session_change(&Body::parse(body)?)?;
                self.alter_session(id, change).await?;
            }
            Endpoint::SessionRelationship(id, _) => {
                let body = Body::parse(body)?;
                let change = SessionChange {
                    filters: Some(body.references()?),
                    ..SessionChange::default()
                };
                self.alter_session(id, change).await?;
            }
            Endpoint::LogsFlush => self.house.reopen_logs(),
            Endpoint::MaxScale => self.change_globals(&Body::parse(body)?).await?,
            Endpoint::User(name) => self.change_password(name, body).await?,
            _ => {
                return Err(Reply::methods(
                    StatusCode::METHOD_NOT_ALLOWED,
                    endpoint.methods(),
                ));
            }
        }
        self.changes.touch(&request.segments, SystemTime::now());
        Ok(Reply::empty(done(request, endpoint)))
    }

    /// Conditions are about the resource that a GET of the same path shows, or, where only
    /// actions are, about the object acted upon.
    async fn check_conditions(&self, request: &Request, endpoint: &Endpoint) -> Result<(), Reply> {
        let conditional = [
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::IF_UNMODIFIED_SINCE,
        ]
        .iter()
        .any(|name| request.headers.contains_key(name));
        if !conditional {
            return Ok(());
        }
        let target = self.target(request, endpoint).await?;
        let modified = self.changes.last(&request.segments);
        match evaluate(request, Some(&target.etag()), modified) {
            Some(status) => Err(Reply::error(
                status,
                "the resource is not as the request demands",
            )),
            None => Ok(()),
        }
    }

    async fn change_state(&self, request: &Request, name: &str, set: bool) -> Result<(), Reply> {
        let word = request.query.get("state").unwrap_or_default();
        let bit = state_bit(word).ok_or_else(|| {
            Reply::bad(format!(
                "state is '{word}', but must be one of master, slave, maintenance, running, synced, drain"
            ))
        })?;
        let change = ServerStateChange {
            bit,
            set,
            force: set && request.query.switch("force") == Some(true),
        };
        let outcome = self.house.change_server_state(name, change).await;
        refused(outcome, name, Collection::Servers.singular())
    }

    /// Of the global parameters `threads` and those of the key manager can be changed while the
    /// process runs; the others may be sent back as they were read.
    async fn change_globals(&self, body: &Body) -> Result<(), Reply> {
        let shown = self.house.maxscale().parameters;
        let mut change = GlobalChange::default();
        let mut problems = Vec::new();
        for (name, value) in body.parameters()?.into_iter().flatten() {
            let before = shown.get(name);
            if before == Some(value) {
                continue;
            }
            let outcome = if name == "threads" {
                threads(value, &mut change)
            } else if is_of_keys(name) {
                key_parameter(name, value, before, &mut change)
            } else if before.is_some() {
                Err(format!(
                    "'{name}' cannot be changed while the process runs: change it in the configuration file, and restart"
                ))
            } else {
                Err(format!("'{name}' is not a global parameter"))
            };
            problems.extend(outcome.err());
        }
        if !problems.is_empty() {
            return Err(Reply::errors(StatusCode::BAD_REQUEST, problems));
        }
        let outcome = self.house.alter_globals(change).await;
        refused(outcome, "maxscale", "maxscale")
    }

    async fn switch(
        &self,
        request: &Request,
        what: Switchable,
        name: &str,
        on: bool,
    ) -> Result<(), Reply> {
        let collection = Collection::of_switchable(what);
        let to = if on {
            Switch::Start
        } else {
            Switch::Stop {
                force: request.query.switch("force") == Some(true),
            }
        };
        let outcome = self.house.switch(what, name, to).await;
        refused(outcome, name, collection.singular())
    }

    async fn kill_session(&self, request: &Request, text: &str) -> Result<(), Reply> {
        let id = session_id(text)?;
        let ttl = request.query.get("ttl").and_then(|ttl| ttl.parse().ok());
        let after = ttl.filter(|ttl| *ttl > 0).map(Duration::from_secs);
        refused(self.house.kill_session(id, after).await, text, "session")
    }

    async fn alter_session(&self, text: &str, change: SessionChange) -> Result<(), Reply> {
        let id = session_id(text)?;
        let known = self.house.filters();
        let unknown: Vec<String> = change
            .filters
            .iter()
            .flatten()
            .filter(|name| known.iter().all(|filter| filter.name != **name))
            .map(|name| format!("{name} is not a filter"))
            .collect();
        if !unknown.is_empty() {
            return Err(Reply::errors(StatusCode::BAD_REQUEST, unknown));
        }
        refused(self.house.alter_session(id, change).await, text, "session")
    }

    async fn change_password(&self, name: &str, body: &[u8]) -> Result<(), Reply> {
        let body = Body::parse(body)?;
        let attributes = body.attributes()?;
        let new = match attributes.and_then(|attributes| attributes.get("password")) {
            Some(Value::String(new)) if !new.is_empty() => new,
            _ => {
                return Err(Reply::bad(
                    "'/data/attributes/password' must be a string that is not empty",
                ));
            }
        };
        if self.users.find(name).is_none() {
            return Err(Reply::missing(name, "inetuser"));
        }
        if new == MASK {
            return Ok(());
        }
        self.users
            .change_password(name, new)
            .await
            .map_err(|error| match error {
                ChangeError::Unknown => Reply::missing(name, "inetuser"),
                ChangeError::Store { .. } => {
                    tracing::error!("password of '{name}' not changed: {error}");
                    Reply::error(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
                }
            })
    }
}

/// The status of a change that was made: 204, but session actions of a browser's script get
/// 200, the only one that the web application of MaxScale takes for success.
fn done(request: &Request, endpoint: &Endpoint) -> StatusCode {
    let of_session = matches!(
        endpoint,
        Endpoint::Session(_)
            | Endpoint::SessionRelationship(..)
            | Endpoint::Restart(_)
            | Endpoint::RestartAll
    );
    if of_session && request.is_xhr() {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    }
}

fn threads(value: &Value, change: &mut GlobalChange) -> Result<(), String> {
    let count = lenient_count(value).ok_or("'threads' must be a number from 1 on")?;
    change.threads = Some(count);
    Ok(())
}

/// The parameter that chooses the key manager, and the objects that hold the managers' own.
fn is_of_keys(name: &str) -> bool {
    let object = name.split('.').next().unwrap_or_default();
    matches!(object, "key_manager" | "file" | "kmip" | "vault")
}

/// One parameter of the key manager, or an object of them; what is as it was is left out.
fn key_parameter(
    name: &str,
    value: &Value,
    before: Option<&Value>,
    change: &mut GlobalChange,
) -> Result<(), String> {
    let text = match value {
        Value::Object(members) => {
            for (member, value) in members {
                let before = before.and_then(|object| object.get(member));
                if before != Some(value) {
                    key_parameter(&format!("{name}.{member}"), value, before, change)?;
                }
            }
            return Ok(());
        }
        Value::String(text) if text == MASK => return Ok(()),
        Value::String(text) if text.is_empty() => None,
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) => return Err(format!("'{name}' must not be a list")),
    };
    change.keys.push((name.to_owned(), text));
    Ok(())
}

/// A number from 1 on, as a number or in digits.
fn lenient_count(value: &Value) -> Option<u64> {
    let count = match value {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_u64(),
    };
    count.filter(|count| *count > 0)
}

fn refused(outcome: Result<(), Refusal>, name: &str, word: &str) -> Result<(), Reply> {
    outcome.map_err(|refusal| Reply::refused(refusal, name, word))
}

fn state_bit(word: &str) -> Option<StateBit> {
    Some(match word {
        "master" => StateBit::Master,
        "slave" => StateBit::Slave,
        "maintenance" => StateBit::Maintenance,
        "running" => StateBit::Running,
        "synced" => StateBit::Synced,
        "drain" => StateBit::Drain,
        _ => return None,
    })
}

/// What a PATCH of a session asks for, or everything that is wrong with it.
fn session_change(body: &Body) -> Result<SessionChange, Reply> {
    let mut change = SessionChange::default();
    let mut problems = Vec::new();
    match body.parameters() {
        Ok(parameters) => {
            log_switches(parameters.into_iter().flatten(), &mut change, &mut problems);
        }
        Err(error) => problems.push(error.to_string()),
    }
    match body.relationship("filters") {
        Ok(Members::Exactly(filters)) => change.filters = Some(filters),
        Ok(Members::Unchanged) => {}
        Err(error) => problems.push(error.to_string()),
    }
    problems.dedup();
    if problems.is_empty() {
        Ok(change)
    } else {
        Err(Reply::errors(StatusCode::BAD_REQUEST, problems))
    }
}

fn log_switches<'a>(
    parameters: impl Iterator<Item = <&'a Map<String, Value> as IntoIterator>::Item>,
    change: &mut SessionChange,
    problems: &mut Vec<String>,
) {
    for (name, value) in parameters {
        let switch = match name.as_str() {
            "log_debug" => &mut change.log_debug,
            "log_error" => &mut change.log_error,
            "log_info" => &mut change.log_info,
            "log_notice" => &mut change.log_notice,
            "log_warning" => &mut change.log_warning,
            _ => {
                problems.push(format!(
                    "'{name}' is not a parameter of a session; it has log_debug, log_error, \
                     log_info, log_notice, log_warning"
                ));
                continue;
            }
        };
        *switch = lenient_bool(value);
        if switch.is_none() {
            problems.push(format!("'{name}' must be a boolean"));
        }
    }
}
