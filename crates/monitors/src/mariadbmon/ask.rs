//! The questions a tick asks of one server, and how the answers are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thiserror::Error;
use tidegate_sqlclient::{Client, Error as ClientError, ResultSet, Row, quote_text};

use super::facts::{Facts, IoState, LinkRow};
use tidegate_wire::GtidList;
use tidegate_wire::version::ServerVersion;

/// Why the questions were not answered.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// The connection or a statement failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer makes no sense. Nothing is guessed in its place.
    #[error("the server's answer to '{question}' cannot be read")]
    Unreadable {
        /// What was asked.
        question: String,
    },
}

/// Asks everything. Nothing asked here changes the server.
///
/// # Errors
/// The first question that failed.
///
/// # Cancel safety
/// As [`Client::query`].
pub(crate) async fn ask(
    client: &mut Client,
    variables: &BTreeSet<String>,
) -> Result<Facts, AskError> {
    let ping = client.ping().await?;
    let version = ServerVersion::new(&client.server_version());
    let (caps, collation) = (client.server().offered, client.server().collation);
    let identity = ask_identity(client, &version).await?;
    let links = ask_links(client, &version).await?;
    let (gtid_current_pos, gtid_binlog_pos) = if version.has_gtid() {
        ask_positions(client).await?
    } else if version.has_gtid_sets() {
        (ask_executed(client).await?, None)
    } else {
        (None, None)
    };
    Ok(Facts {
        server_id: identity.server_id,
        read_only: identity.read_only,
        gtid_domain_id: identity.gtid_domain_id,
        gtid_current_pos,
        gtid_binlog_pos,
        links,
        uptime: ask_uptime(client).await?,
        ping,
        variables: ask_variables(client, variables).await?,
        version,
        caps,
        collation,
    })
}

struct Identity {
    server_id: u32,
    read_only: bool,
    gtid_domain_id: Option<u32>,
}

async fn ask_identity(client: &mut Client, version: &ServerVersion) -> Result<Identity, AskError> {
    let domain = if version.has_gtid() {
        ", @@global.gtid_domain_id"
    } else {
        ""
    };
    let sql = format!("SELECT @@global.server_id, @@global.read_only{domain}");
    let result = client.rows(&sql).await?;
    let first = result.rows().first();
    let text = |column| first.and_then(|row| row.text(column));
    match (number(text(0)), text(1)) {
        (Some(server_id), Some(read_only)) => Ok(Identity {
            server_id,
            read_only: is_on(read_only),
            gtid_domain_id: number(text(2)),
        }),
        (_, _) => Err(AskError::Unreadable { question: sql }),
    }
}

async fn ask_links(
    client: &mut Client,
    version: &ServerVersion,
) -> Result<Vec<LinkRow>, ClientError> {
    let sql = if version.says_replica() {
        "SHOW REPLICA STATUS"
    } else if version.has_gtid() {
        "SHOW ALL SLAVES STATUS"
    } else {
        "SHOW SLAVE STATUS"
    };
    let result = client.rows(sql).await?;
    Ok(result
        .rows()
        .iter()
        .map(|row| read_link(&result, row))
        .collect())
}

/// MariaDB's columns, by their names or by those that MySQL has given them since.
fn read_link(result: &ResultSet, row: &Row) -> LinkRow {
    let either = |old: &str, new: &str| result.text(row, old).or_else(|| result.text(row, new));
    let text = |name: &str| result.text(row, name).unwrap_or("").to_owned();
    let text_of = |old: &str, new: &str| either(old, new).unwrap_or("").to_owned();
    LinkRow {
        connection_name: text_of("Connection_name", "Channel_Name"),
        master_host: text_of("Master_Host", "Source_Host"),
        master_port: number(either("Master_Port", "Source_Port")).unwrap_or(0),
        master_server_id: number(either("Master_Server_Id", "Source_Server_Id")).unwrap_or(0),
        io: IoState::from_word(&text_of("Slave_IO_Running", "Replica_IO_Running")),
        sql_running: text_of("Slave_SQL_Running", "Replica_SQL_Running") == "Yes",
        seconds_behind: number(either("Seconds_Behind_Master", "Seconds_Behind_Source")),
        last_io_errno: number(result.text(row, "Last_IO_Errno")).unwrap_or(0),
        last_io_error: text("Last_IO_Error"),
        last_sql_error: text("Last_SQL_Error"),
        using_gtid: text("Using_Gtid"),
        gtid_io_pos: text("Gtid_IO_Pos"),
    }
}

async fn ask_positions(
    client: &mut Client,
) -> Result<(Option<GtidList>, Option<GtidList>), ClientError> {
    let result = client
        .rows("SELECT @@gtid_current_pos, @@gtid_binlog_pos")
        .await?;
    let position = |column| {
        let text = result.rows().first()?.text(column)?;
        text.parse().ok()
    };
    Ok((position(0), position(1)))
}

/// What a MySQL server has executed, if it counts transactions by ids.
async fn ask_executed(client: &mut Client) -> Result<Option<GtidList>, ClientError> {
    let result = client
        .rows("SELECT @@global.gtid_executed, @@global.gtid_mode")
        .await?;
    let first = result.rows().first();
    let counts = first.and_then(|row| row.text(1)) == Some("ON");
    let text = first.and_then(|row| row.text(0)).filter(|_| counts);
    Ok(text.and_then(|text| GtidList::parse_executed(text.as_bytes()).ok()))
}

async fn ask_uptime(client: &mut Client) -> Result<Duration, ClientError> {
    let result = client.rows("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
    let first = result.rows().first();
    let seconds = number(first.and_then(|row| row.text(1))).unwrap_or(0);
    Ok(Duration::from_secs(seconds))
}

async fn ask_variables(
    client: &mut Client,
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, ClientError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<String> = wanted.iter().map(|name| quote_text(name)).collect();
    let names = names.join(",");
    let sql = format!("SHOW GLOBAL VARIABLES WHERE VARIABLE_NAME IN ({names})");
    let result = client.rows(&sql).await?;
    let pair = |row: &Row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    Ok(result.rows().iter().filter_map(pair).collect())
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

/// `read_only` is a number in older servers and a word in newer ones, which know several kinds of
/// "on".
fn is_on(text: &str) -> bool {
    !matches!(text, "0" | "OFF")
}
