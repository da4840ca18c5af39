//! The stop at the statements: which went where, and how we know.

use anyhow::{Context as _, Result, bail, ensure};
use tidegate_testkit::raw::{RawClient, Reply, take_lenenc_bytes};

use super::clients::Visitors;
use super::{READ, RW};
use crate::demo::accounts::DATABASE;
use crate::demo::backends::Backends;
use crate::demo::say;

/// Where a statement has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Primary,
    Replica,
    Everywhere,
}

/// How we know where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// Its first field is `@@server_id`; a second one is the session's variable.
    Answer,
    /// The same, prepared and executed.
    Prepared,
    /// The row it wrote says which server took it; the primary is asked, past the proxy.
    Written,
    /// The statements after it tell.
    Later,
}

/// A statement of the tour.
struct Step {
    sql: &'static str,
    place: Place,
    evidence: Evidence,
    why: &'static str,
}

const fn step(sql: &'static str, place: Place, evidence: Evidence, why: &'static str) -> Step {
    Step {
        sql,
        place,
        evidence,
        why,
    }
}

/// What the session's variable is set to.
const BASKET: &str = "tea";

/// On a session of the read/write splitting service.
const STEPS: &[Step] = &[
    step(
        "SELECT @@server_id",
        Place::Replica,
        Evidence::Answer,
        "a read",
    ),
    step(
        "SET @basket = 'tea'",
        Place::Everywhere,
        Evidence::Later,
        "it changes the session, on all its servers",
    ),
    step(
        "SELECT @@server_id, @basket",
        Place::Replica,
        Evidence::Answer,
        "a read; the replica knows the variable",
    ),
    step(
        "START TRANSACTION",
        Place::Primary,
        Evidence::Later,
        "it may write",
    ),
    step(
        "SELECT @@server_id, @basket",
        Place::Primary,
        Evidence::Answer,
        "inside it; the primary knows the variable too",
    ),
    step("COMMIT", Place::Primary, Evidence::Later, "its end"),
    step(
        "START TRANSACTION READ ONLY",
        Place::Replica,
        Evidence::Later,
        "it only reads",
    ),
    step(
        "SELECT @@server_id",
        Place::Replica,
        Evidence::Answer,
        "inside it",
    ),
    step("COMMIT", Place::Replica, Evidence::Later, "its end"),
    step(
        "SELECT CONCAT(@@server_id, ?)",
        Place::Replica,
        Evidence::Prepared,
        "a read, prepared on all servers",
    ),
];

/// Those that need a database to write to.
const WRITES: &[Step] = &[
    step(
        "INSERT INTO orders (item, server) VALUES ('tea', @@server_id)",
        Place::Primary,
        Evidence::Written,
        "a write",
    ),
    step(
        "SELECT @@server_id FROM orders LIMIT 1 FOR UPDATE",
        Place::Primary,
        Evidence::Answer,
        "a read that locks",
    ),
];

/// On each session of the other service.
const READ_STEP: Step = step(
    "SELECT @@server_id",
    Place::Replica,
    Evidence::Answer,
    "the session's one replica",
);

/// Runs all of them, and shows where each went.
pub(super) fn show(backends: &Backends, visitors: &mut Visitors) -> Result<()> {
    let mut rows = Vec::new();
    let writes = backends.database().map_or(&[][..], |_| WRITES);
    for visitor in &mut visitors.all {
        let steps: Vec<&Step> = match visitor.service {
            // One session of this service is enough to tell.
            RW if rows.is_empty() => STEPS.iter().chain(writes).collect(),
            READ => vec![&READ_STEP],
            _ => continue,
        };
        for step in steps {
            let ran_on = step
                .run(backends, &mut visitor.client)
                .with_context(|| format!("statement {:?} on {}", step.sql, visitor.service))?;
            let row = [step.sql, visitor.service, &ran_on, step.why];
            rows.push(row.map(str::to_owned).to_vec());
        }
    }
    say::table(&["statement", "service", "ran on", "why"], &rows);
    if writes.is_empty() {
        say::text(&format!(
            "Only reads were shown: a database `{DATABASE}` to write to is made on your servers \
             only with --create-accounts."
        ));
    }
    Ok(())
}

impl Step {
    /// Runs the statement and says where it went, if that is where it had to go.
    fn run(&self, backends: &Backends, client: &mut RawClient) -> Result<String> {
        let backend = match self.evidence {
            Evidence::Answer => backends.by_id(answering_server(client, self.sql)?)?,
            Evidence::Prepared => backends.by_id(executing_server(client, self.sql)?)?,
            Evidence::Written => {
                execute(client, self.sql)?;
                backends.by_id(backends.last_writer()?)?
            }
            Evidence::Later => {
                execute(client, self.sql)?;
                let place = match self.place {
                    Place::Primary => "the primary",
                    Place::Replica => "the replica",
                    Place::Everywhere => "all servers",
                };
                return Ok(place.to_owned());
            }
        };
        let right = match self.place {
            Place::Primary => backend.primary,
            Place::Replica => !backend.primary,
            Place::Everywhere => true,
        };
        ensure!(right, "it ran on {}, not {:?}", backend.name, self.place);
        Ok(backend.name.clone())
    }
}

/// Runs a statement whose first field is `@@server_id`, and a second one the session's variable.
pub(super) fn answering_server(client: &mut RawClient, sql: &str) -> Result<u32> {
    let reply = client.query(sql)?;
    let rows = reply.text_rows()?;
    let row = rows.first().context("no row")?;
    if let Some(basket) = row.get(1) {
        ensure!(
            basket.as_deref() == Some(BASKET),
            "the session's variable is {basket:?}"
        );
    }
    let id = row.first().cloned().flatten().context("no server id")?;
    Ok(id.parse()?)
}

/// Prepares and executes a statement whose only field is `@@server_id` as text.
fn executing_server(client: &mut RawClient, sql: &str) -> Result<u32> {
    let id = client.prepare(sql)?;
    let reply = client.execute(id, &[""])?;
    let Reply::Rows { rows, .. } = &reply else {
        bail!("it gave {reply:?}");
    };
    // A binary row of one column: a header, one byte of null bits, the value.
    let mut value = rows
        .first()
        .and_then(|row| row.get(2..))
        .context("no row")?;
    Ok(std::str::from_utf8(take_lenenc_bytes(&mut value)?)?.parse()?)
}

pub(super) fn execute(client: &mut RawClient, sql: &str) -> Result<()> {
    match client.query(sql)? {
        Reply::Ok { .. } => Ok(()),
        other => bail!("it gave {other:?}"),
    }
}
