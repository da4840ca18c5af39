//! A scripted client: logs in, sends commands, takes replies apart.

use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail, ensure};

use super::packet::{
    CLIENT_CONNECT_ATTRS, CLIENT_CONNECT_WITH_DB, CLIENT_LONG_PASSWORD, CLIENT_MULTI_RESULTS,
    CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_PS_MULTI_RESULTS, CLIENT_SECURE_CONNECTION,
    CLIENT_TRANSACTIONS, CLIENT_ZSTD_COMPRESSION, PacketStream, native_password, put_lenenc,
    put_lenenc_bytes, sha2_password, take_lenenc, take_lenenc_bytes,
};
use crate::mariadb::Account;
use crate::wait::PATIENCE;

/// The plugins this client answers. Of the second it knows the proof alone: a password that its peer
/// has not seen has to be told by another client first.
const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";

/// `utf8mb4_general_ci`.
const COLLATION: u8 = 45;

/// What a client asks for that has zstd compression; what zstd itself takes for its default.
const ZSTD_LEVEL: u8 = 3;

/// The status flag that says another result follows.
const MORE_RESULTS: u16 = 8;

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
/// The plugin that asks questions, and the kind of those whose answers are not shown.
const DIALOG: &str = "dialog";
const HIDDEN_QUESTION: u8 = 4;

const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;

/// What a [`RawClient`] says when it connects.
#[derive(Debug, Clone)]
pub struct Login {
    /// Name and password.
    pub account: Account,
    /// The database to begin in.
    pub database: Option<String>,
    /// Capability bits; those for a database, attributes and a plugin are added as needed.
    pub capabilities: u32,
    /// Connection attributes.
    pub attributes: Vec<(String, String)>,
    /// Bytes before anything else, such as a PROXY header.
    pub preamble: Vec<u8>,
    /// MariaDB's own capability bits, from bit 32 on.
    pub extended: u32,
    /// What it answers to the questions of the plugin `dialog`, one after another.
    pub answers: Vec<String>,
}

impl Login {
    /// The usual capabilities, no database, no attributes.
    #[must_use]
    pub fn new(account: &Account) -> Self {
        Self {
            account: account.clone(),
            database: None,
            capabilities: CLIENT_LONG_PASSWORD
                | CLIENT_PROTOCOL_41
                | CLIENT_TRANSACTIONS
                | CLIENT_SECURE_CONNECTION
                | CLIENT_MULTI_RESULTS
                | CLIENT_PS_MULTI_RESULTS
                | CLIENT_PLUGIN_AUTH,
            attributes: Vec::new(),
            preamble: Vec::new(),
            extended: 0,
            answers: Vec::new(),
        }
    }

    /// Answers to the questions of the plugin `dialog`.
    #[must_use]
    pub fn answers(mut self, answers: &[&str]) -> Self {
        self.answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        self
    }

    /// MariaDB's own capability bits, from bit 32 on.
    #[must_use]
    pub fn extended(mut self, bits: u32) -> Self {
        self.extended = bits;
        self
    }

    /// Sends these bytes before anything else.
    #[must_use]
    pub fn preamble(mut self, bytes: &[u8]) -> Self {
        self.preamble = bytes.to_vec();
        self
    }

    /// Begins in this database.
    #[must_use]
    pub fn database(mut self, name: &str) -> Self {
        self.database = Some(name.to_owned());
        self
    }

    /// More capability bits.
    #[must_use]
    pub fn capabilities(mut self, bits: u32) -> Self {
        self.capabilities |= bits;
        self
    }

    /// One more connection attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    fn response(&self, scramble: &[u8]) -> Vec<u8> {
        let mut bits = self.capabilities;
        if self.database.is_some() {
            bits |= CLIENT_CONNECT_WITH_DB;
        }
        if !self.attributes.is_empty() {
            bits |= CLIENT_CONNECT_ATTRS;
        }
        if self.extended != 0 {
            // The bit that says the client is not MariaDB's.
            bits &= !CLIENT_LONG_PASSWORD;
        }
        let mut out = Vec::new();
        out.extend_from_slice(&bits.to_le_bytes());
        out.extend_from_slice(&(1u32 << 24).to_le_bytes());
        out.push(COLLATION);
        out.extend_from_slice(&[0; 19]);
        out.extend_from_slice(&self.extended.to_le_bytes());
        put_text(&mut out, &self.account.user);
        let proof = native_password(&self.account.password, scramble);
        out.push(u8::try_from(proof.len()).unwrap_or(0));
        out.extend_from_slice(&proof);
        if let Some(database) = &self.database {
            put_text(&mut out, database);
        }
        if bits & CLIENT_PLUGIN_AUTH != 0 {
            put_text(&mut out, NATIVE);
        }
        if !self.attributes.is_empty() {
            let mut block = Vec::new();
            for (name, value) in &self.attributes {
                put_lenenc_bytes(&mut block, name.as_bytes());
                put_lenenc_bytes(&mut block, value.as_bytes());
            }
            put_lenenc(&mut out, block.len() as u64);
            out.extend_from_slice(&block);
        }
        if bits & CLIENT_ZSTD_COMPRESSION != 0 {
            out.push(ZSTD_LEVEL);
        }
        out
    }
}

/// One result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An OK packet.
    Ok {
        /// Rows changed.
        affected_rows: u64,
        /// The last generated value.
        last_insert_id: u64,
        /// Status flags.
        status: u16,
        /// Number of warnings.
        warnings: u16,
    },
    /// An error packet.
    Err {
        /// The error's number.
        code: u16,
        /// SQLSTATE, empty in errors before the login.
        state: String,
        /// The text.
        message: String,
    },
    /// Rows; the payload of each, in the text or the binary encoding, as it came.
    Rows {
        /// Number of columns.
        columns: usize,
        /// The rows' payloads.
        rows: Vec<Vec<u8>>,
        /// Status flags at their end.
        status: u16,
    },
}

impl Reply {
    /// The rows of a text result, `None` for null.
    ///
    /// # Errors
    /// It is no text result.
    pub fn text_rows(&self) -> Result<Vec<Vec<Option<String>>>> {
        let Self::Rows { rows, columns, .. } = self else {
            bail!("not rows but {self:?}")
        };
        rows.iter().map(|row| text_row(row, *columns)).collect()
    }

    /// The first field of the first row of a text result.
    ///
    /// # Errors
    /// It is no text result, or there is no row, or the field is null.
    pub fn text_value(&self) -> Result<String> {
        let first = self.text_rows()?.into_iter().next().context("no row")?;
        first.into_iter().next().flatten().context("null")
    }

    /// The error's number, if it is one.
    #[must_use]
    pub fn error_code(&self) -> Option<u16> {
        match self {
            Self::Err { code, .. } => Some(*code),
            Self::Ok { .. } | Self::Rows { .. } => None,
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Ok { status, .. } | Self::Rows { status, .. } => *status,
            Self::Err { .. } => 0,
        }
    }
}

/// A connection that has logged in.
#[derive(Debug)]
pub struct RawClient {
    packets: PacketStream,
    connection_id: u32,
    server_version: String,
    questions: Vec<String>,
}

fn nul_terminated(answer: Option<&String>) -> Result<Vec<u8>> {
    let answer = answer.context("a question of dialog, and no answer to it")?;
    Ok([answer.as_bytes(), b"\0"].concat())
}

impl RawClient {
    /// Connects and logs in.
    ///
    /// # Errors
    /// No connection, or the login was refused: the error's text holds number and message.
    pub fn connect(address: SocketAddr, login: &Login) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("cannot connect to {address}"))?;
        let mut packets = PacketStream::new(stream, PATIENCE)?;
        let greeting = packets.read().context("no greeting")?;
        if greeting.first() == Some(&0xFF) {
            bail!("refused: {:?}", parse_error(&greeting)?);
        }
        let (server_version, connection_id, scramble) = parse_greeting(&greeting)?;
        crate::secrets::remember_scramble(&scramble);
        packets.write_bytes(&login.preamble)?;
        packets.write(&login.response(&scramble))?;
        let mut answers = login.answers.iter();
        let mut questions = Vec::new();
        loop {
            let answer = packets.read().context("no answer to the login")?;
            match answer.first() {
                Some(0x00) => break,
                Some(0xFE) => {
                    let (plugin, data) = parse_switch(&answer)?;
                    let password = &login.account.password;
                    let proof = match plugin.as_str() {
                        NATIVE => native_password(password, &data),
                        SHA2 => sha2_password(password, &data),
                        DIALOG => {
                            questions.push(String::from_utf8_lossy(&data).into_owned());
                            nul_terminated(answers.next())?
                        }
                        _ => bail!("asked for the plugin {plugin}"),
                    };
                    packets.write(&proof)?;
                }
                Some(0x01) => ensure!(answer == [1, 3], "asked for more than a proof: {answer:?}"),
                Some(0xFF) => bail!("refused: {:?}", parse_error(&answer)?),
                Some(&HIDDEN_QUESTION) => {
                    questions.push(String::from_utf8_lossy(&answer).into_owned());
                    packets.write(&nul_terminated(answers.next())?)?;
                }
                _ => bail!("an unknown answer to the login: {answer:?}"),
            }
        }
        Ok(Self {
            packets,
            connection_id,
            server_version,
            questions,
        })
    }

    /// The id the greeting gave.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// The questions of `dialog` at the login, each behind the byte of its kind.
    #[must_use]
    pub fn questions(&self) -> &[String] {
        &self.questions
    }

    /// The version the greeting named.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// Our end of the connection, as the peer sees it.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.packets.local_address()
    }

    /// The connection, for anything unusual.
    pub fn packets(&mut self) -> &mut PacketStream {
        &mut self.packets
    }

    /// Sends a command (its first byte included) and does not wait.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn send(&mut self, command: &[u8]) -> Result<()> {
        self.packets.restart_sequence();
        self.packets.write(command)
    }

    /// Sends a text statement and does not wait.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn send_query(&mut self, sql: &str) -> Result<()> {
        self.send(&[&[COM_QUERY], sql.as_bytes()].concat())
    }

    /// Runs a text statement that gives one result.
    ///
    /// # Errors
    /// The connection broke, or more results came. An error packet is a [`Reply`].
    pub fn query(&mut self, sql: &str) -> Result<Reply> {
        self.send_query(sql)?;
        self.one_reply()
            .with_context(|| format!("statement {sql:?}"))
    }

    /// Reads the results of one command.
    ///
    /// # Errors
    /// The connection broke.
    pub fn replies(&mut self) -> Result<Vec<Reply>> {
        let mut replies = Vec::new();
        loop {
            let reply = self.read_reply()?;
            let more = reply.status() & MORE_RESULTS != 0;
            replies.push(reply);
            if !more {
                return Ok(replies);
            }
        }
    }

    /// Reads a result of rows without keeping them; returns their number and their payloads' bytes.
    ///
    /// # Errors
    /// The connection broke, or the reply is no result of rows.
    pub fn count_rows(&mut self) -> Result<(u64, u64)> {
        let first = self.packets.read()?;
        ensure!(
            !matches!(first.first(), Some(0x00 | 0xFB | 0xFF) | None),
            "no rows but {first:?}"
        );
        let columns = take_lenenc(&mut first.as_slice())?;
        if let Some(error) = self.definitions(usize::try_from(columns)?)? {
            bail!("an error amid the definitions: {error:?}");
        }
        let (mut rows, mut bytes) = (0, 0);
        loop {
            let packet = self.packets.read().context("a result's rows")?;
            match packet.first() {
                Some(0xFE) if packet.len() == 5 => return Ok((rows, bytes)),
                Some(0xFF) => bail!("an error amid the rows: {:?}", parse_error(&packet)?),
                _ => {
                    rows += 1;
                    bytes += packet.len() as u64;
                }
            }
        }
    }

    /// Prepares a statement and returns its id.
    ///
    /// # Errors
    /// The connection broke or the statement was refused.
    pub fn prepare(&mut self, sql: &str) -> Result<u32> {
        self.send(&[&[COM_STMT_PREPARE], sql.as_bytes()].concat())?;
        let answer = self.packets.read()?;
        if answer.first() == Some(&0xFF) {
            bail!("refused: {:?}", parse_error(&answer)?);
        }
        ensure!(
            answer.len() >= 12,
            "a short answer to a prepare: {answer:?}"
        );
        let id = u32::from_le_bytes([answer[1], answer[2], answer[3], answer[4]]);
        for count in [[answer[7], answer[8]], [answer[5], answer[6]]].map(u16::from_le_bytes) {
            // Definitions come with an end packet, and not at all if there are none.
            if count > 0
                && let Some(error) = self.definitions(usize::from(count))?
            {
                bail!("refused: {error:?}");
            }
        }
        Ok(id)
    }

    /// Executes a prepared statement with text parameters; the rows come in the binary encoding.
    ///
    /// # Errors
    /// The connection broke, or more results came.
    pub fn execute(&mut self, id: u32, parameters: &[&str]) -> Result<Reply> {
        const VAR_STRING: [u8; 2] = [0xFD, 0];
        let mut command = vec![COM_STMT_EXECUTE];
        command.extend_from_slice(&id.to_le_bytes());
        command.push(0);
        command.extend_from_slice(&1u32.to_le_bytes());
        if !parameters.is_empty() {
            command.extend(vec![0u8; parameters.len().div_ceil(8)]);
            command.push(1);
            command.extend(VAR_STRING.repeat(parameters.len()));
            for parameter in parameters {
                put_lenenc_bytes(&mut command, parameter.as_bytes());
            }
        }
        self.send(&command)?;
        self.one_reply()
    }

    /// Says good-bye and closes.
    ///
    /// # Errors
    /// The peer was gone already.
    pub fn quit(mut self) -> Result<()> {
        self.send(&[COM_QUIT])
    }

    fn one_reply(&mut self) -> Result<Reply> {
        let mut replies = self.replies()?;
        ensure!(
            replies.len() == 1,
            "{} results came, not one",
            replies.len()
        );
        replies.pop().context("no result")
    }

    fn read_reply(&mut self) -> Result<Reply> {
        let first = self.packets.read()?;
        match first.first() {
            Some(0x00) => parse_ok(&first),
            Some(0xFF) => parse_error(&first),
            Some(0xFB) | None => bail!("an unexpected reply: {first:?}"),
            Some(_) => {
                let columns = usize::try_from(take_lenenc(&mut first.as_slice())?)?;
                match self.definitions(columns)? {
                    Some(error) => Ok(error),
                    None => self.read_rows(columns),
                }
            }
        }
    }

    /// Reads so many definitions and the packet that ends them, or the error in place of one.
    fn definitions(&mut self, count: usize) -> Result<Option<Reply>> {
        for _ in 0..=count {
            let packet = self.packets.read().context("a result's definitions")?;
            if packet.first() == Some(&0xFF) {
                return parse_error(&packet).map(Some);
            }
        }
        Ok(None)
    }

    fn read_rows(&mut self, columns: usize) -> Result<Reply> {
        let mut rows = Vec::new();
        loop {
            let packet = self.packets.read().context("a result's rows")?;
            match packet.first() {
                Some(0xFE) if packet.len() == 5 => {
                    let status = u16::from_le_bytes([packet[3], packet[4]]);
                    return Ok(Reply::Rows {
                        columns,
                        rows,
                        status,
                    });
                }
                Some(0xFF) => return parse_error(&packet),
                _ => rows.push(packet),
            }
        }
    }
}

/// A text with the zero byte that ends it.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// Version, connection id and scramble of a greeting.
fn parse_greeting(payload: &[u8]) -> Result<(String, u32, Vec<u8>)> {
    ensure!(
        payload.first() == Some(&10),
        "a greeting of another protocol: {payload:?}"
    );
    let end = payload
        .iter()
        .position(|&byte| byte == 0)
        .context("a version without end")?;
    let version = String::from_utf8_lossy(&payload[1..end]).into_owned();
    let rest = &payload[end + 1..];
    // 4 id, 8 scramble, 1 filler, 2 caps, 1 collation, 2 status, 2 caps, 1 length, 10 filler.
    ensure!(
        rest.len() >= 43,
        "a greeting of {} bytes after the version",
        rest.len()
    );
    let id = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let scramble = [&rest[4..12], &rest[31..43]].concat();
    Ok((version, id, scramble))
}

/// Plugin and scramble of a request to change the authentication plugin.
fn parse_switch(payload: &[u8]) -> Result<(String, Vec<u8>)> {
    let mut parts = payload[1..].splitn(2, |&byte| byte == 0);
    let plugin = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let data = parts.next().unwrap_or_default();
    if plugin != DIALOG {
        let scramble = data.get(..20).context("a short scramble")?;
        return Ok((plugin, scramble.to_vec()));
    }
    Ok((plugin, data.to_vec()))
}

fn parse_ok(payload: &[u8]) -> Result<Reply> {
    let mut rest = &payload[1..];
    let affected_rows = take_lenenc(&mut rest)?;
    let last_insert_id = take_lenenc(&mut rest)?;
    ensure!(rest.len() >= 4, "a short OK packet");
    let status = u16::from_le_bytes([rest[0], rest[1]]);
    let warnings = u16::from_le_bytes([rest[2], rest[3]]);
    Ok(Reply::Ok {
        affected_rows,
        last_insert_id,
        status,
        warnings,
    })
}

fn parse_error(payload: &[u8]) -> Result<Reply> {
    ensure!(payload.len() >= 3, "a short error packet");
    let code = u16::from_le_bytes([payload[1], payload[2]]);
    let rest = &payload[3..];
    let (state, message) = match rest.split_first() {
        Some((b'#', after)) if after.len() >= 5 => after.split_at(5),
        _ => (&rest[..0], rest),
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(Reply::Err {
        code,
        state: text(state),
        message: text(message),
    })
}

fn text_row(mut row: &[u8], columns: usize) -> Result<Vec<Option<String>>> {
    let mut fields = Vec::with_capacity(columns);
    for _ in 0..columns {
        if row.first() == Some(&0xFB) {
            row = &row[1..];
            fields.push(None);
        } else {
            let bytes = take_lenenc_bytes(&mut row)?;
            fields.push(Some(String::from_utf8_lossy(bytes).into_owned()));
        }
    }
    ensure!(
        row.is_empty(),
        "{} bytes after a row's last field",
        row.len()
    );
    Ok(fields)
}
