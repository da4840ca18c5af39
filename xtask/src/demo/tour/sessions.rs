//! The stops at the sessions: all of them as a table, one of them as JSON.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_testkit::Rest;

use super::READ;
use super::clients::{Visitor, Visitors};
use super::rest::{list, plain};
use crate::demo::backends::Backends;
use crate::demo::say;

const HEADINGS: [&str; 8] = [
    "id",
    "user",
    "client",
    "service",
    "age",
    "idle",
    "connections",
    "last statement",
];

/// Shows the list; each visitor has to be in it, as it knows itself.
pub(super) fn show_all(rest: &Rest, backends: &Backends, visitors: &Visitors) -> Result<()> {
    let sessions = list(rest, "/v1/sessions")?;
    say::table(&HEADINGS, &sessions.iter().map(row).collect::<Vec<_>>());
    for visitor in &visitors.all {
        let id = visitor.id().to_string();
        let session = sessions.iter().find(|session| session["id"] == *id);
        let session = session.with_context(|| format!("session {id} is not in the list"))?;
        check(session, visitor, backends).with_context(|| format!("session {id}"))?;
    }
    Ok(())
}

/// Where the first visitor's session is found.
pub(super) fn path_of_first(visitors: &Visitors) -> Result<String> {
    let first = visitors.all.first().context("nobody is there")?;
    Ok(format!("/v1/sessions/{}?pretty=true", first.id()))
}

/// Shows one session's document.
pub(super) fn show_one(rest: &Rest, path: &str) -> Result<()> {
    let response = rest.get(path)?;
    ensure!(response.status == 200, "status {}", response.status);
    let document: Value = serde_json::from_slice(&response.body)?;
    ensure!(document["data"]["type"] == "sessions", "it is no session");
    say::text(&response.text());
    Ok(())
}

fn check(session: &Value, visitor: &Visitor, backends: &Backends) -> Result<()> {
    let attributes = &session["attributes"];
    let equal = |name: &str, value: &Value, expect: Value| {
        ensure!(*value == expect, "{name} is {value}, not {expect}");
        Ok(())
    };
    let service = &session["relationships"]["services"]["data"][0]["id"];
    equal("the service", service, visitor.service.into())?;
    equal("the state", &attributes["state"], "Session started".into())?;
    let user = backends.accounts.app.user.as_str();
    equal("the user", &attributes["user"], user.into())?;
    equal("the client", &attributes["remote"], "127.0.0.1".into())?;
    let port = visitor.client.local_address()?.port();
    equal("the client's port", &attributes["port"], port.into())?;
    let connections = attributes["connections"].as_array().map_or(0, Vec::len);
    let most = if visitor.service == READ {
        1
    } else {
        backends.servers.len()
    };
    ensure!(
        (1..=most).contains(&connections),
        "it has {connections} server connections"
    );
    Ok(())
}

fn row(session: &Value) -> Vec<String> {
    let attributes = &session["attributes"];
    let connections = attributes["connections"].as_array().into_iter().flatten();
    let connections: Vec<String> = connections
        .map(|c| format!("{}:{}", plain(&c["server"]), c["connection_id"]))
        .collect();
    vec![
        plain(&session["id"]),
        plain(&attributes["user"]),
        format!("{}:{}", plain(&attributes["remote"]), attributes["port"]),
        plain(&session["relationships"]["services"]["data"][0]["id"]),
        format!("{} s", plain(&attributes["seconds_alive"])),
        format!("{} s", plain(&attributes["idle"])),
        connections.join(" "),
        plain(&attributes["queries"][0]["statement"]),
    ]
}
