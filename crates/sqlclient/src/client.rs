//! A connection to one server.

use std::time::Duration;

use tidegate_proofs::{answer_server, is_quick};
use tidegate_wire::auth::{Done, Secret, Work};
use tidegate_wire::login::{Identity, ServerInfo};
use tidegate_wire::reply::{EOF, ERR, LOCAL_INFILE, OK};
use tidegate_wire::resultset::ColumnDef;
use tidegate_wire::{
    Caps, ClientLogin, ClientStep, Command, EofPacket, ErrPacket, OkPacket, Reader, WireError,
};
use tokio::time::Instant;

use crate::error::{Error, Phase};
use crate::options::{Address, ConnectOptions, Timeouts};
use crate::packets::{Allowance, Deadline, Packet, PacketStream};
use crate::result::{Outcome, ResultSet, Row};
use crate::stream::Stream;

/// What this client asks of every server: one result a statement, EOF packets, no tracking.
const CAPS: Caps = Caps::LONG_FLAG
    .union(Caps::PROTOCOL_41)
    .union(Caps::TRANSACTIONS)
    .union(Caps::SECURE_CONNECTION)
    .union(Caps::PLUGIN_AUTH)
    .union(Caps::CONNECT_ATTRS);

/// What connections call themselves in the server's process list.
const CLIENT_NAME: &[u8] = b"tidegate";

/// A login needs a few small packets.
const LOGIN_LIMIT: usize = 1024 * 1024;

/// A logged-in connection that runs one command at a time.
///
/// # Cancel safety
/// The future of any operation may be dropped. If that happens amid a command, the connection is
/// unusable and every later call is [`Error::Unusable`].
#[derive(Debug)]
pub struct Client {
    packets: PacketStream,
    server: ServerInfo,
    timeouts: Timeouts,
    reply_limit: usize,
    /// False from sending a command until its reply was read to the end.
    at_rest: bool,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Error::Resolve`], [`Error::Connect`], [`Error::TimedOut`], [`Error::Refused`],
    /// [`Error::Login`], or [`Error::Io`] if the server hangs up.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        Self::connect_as(identity(options), &[], options).await
    }

    /// The same as somebody else than the options say, after `preamble`, bytes that a server wants to
    /// read before its greeting.
    ///
    /// # Errors
    /// As [`Client::connect`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub async fn connect_as(
        mut identity: Identity,
        preamble: &[u8],
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        identity.private = options.tls.is_some() || matches!(options.address, Address::Unix(_));
        identity.caps = if options.tls.is_some() {
            CAPS.union(Caps::SSL)
        } else {
            CAPS
        };
        let deadline = Deadline::after(Phase::Connect, options.timeouts.connect);
        let connecting = Stream::connect(&options.address, options.local_address);
        let mut packets = PacketStream::new(deadline.bound(connecting).await?);
        if !preamble.is_empty() {
            packets.send_framed(preamble, deadline).await?;
        }
        let (packets, server) = log_in(packets, identity, options, deadline).await?;
        Ok(Self {
            packets,
            server,
            timeouts: options.timeouts,
            reply_limit: options.reply_limit,
            at_rest: true,
        })
    }

    /// What the server said of itself when the connection was made.
    #[must_use]
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// The version text of the server's greeting.
    #[must_use]
    pub fn server_version(&self) -> String {
        String::from_utf8_lossy(&self.server.version).into_owned()
    }

    /// Is the connection between commands?
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.at_rest
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// [`Error::Server`] if the statement failed; anything else ends the connection.
    ///
    /// # Cancel safety
    /// See [`Client`].
    pub async fn query(&mut self, sql: &str) -> Result<Outcome, Error> {
        let mut allowance = self.command(Command::Query, sql.as_bytes()).await?;
        let outcome = self.read_outcome(&mut allowance).await;
        self.at_rest = matches!(outcome, Ok(_) | Err(Error::Server { .. }));
        outcome
    }

    /// Runs a statement that yields rows.
    ///
    /// # Errors
    /// As [`Client::query`]; [`Error::Unexpected`] if there is no result.
    ///
    /// # Cancel safety
    /// See [`Client`].
    pub async fn rows(&mut self, sql: &str) -> Result<ResultSet, Error> {
        match self.query(sql).await? {
            Outcome::Rows(result) => Ok(result),
            Outcome::Done { .. } => Err(Error::Unexpected {
                due: "a result set",
                first: OK,
            }),
        }
    }

    /// Asks for a sign of life and tells how long that took.
    ///
    /// # Errors
    /// As [`Client::query`].
    ///
    /// # Cancel safety
    /// See [`Client`].
    pub async fn ping(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        let mut allowance = self.command(Command::Ping, &[]).await?;
        let packet = self.packets.receive(&mut allowance).await?;
        match packet.payload.first() {
            Some(&OK) => self.at_rest = true,
            Some(&ERR) => return Err(server_error(&packet.payload)?),
            first => return Err(unexpected("the answer to a ping", first)),
        }
        Ok(start.elapsed())
    }

    /// Says goodbye, if the server still listens, and hangs up.
    pub async fn close(mut self) {
        let deadline = Deadline::after(Phase::Write, self.timeouts.write);
        // A server that is gone needs no goodbye.
        let _ = self.packets.send(&[Command::Quit.byte()], deadline).await;
    }

    /// Sends a command; the reply may then take and hold so much.
    async fn command(&mut self, command: Command, argument: &[u8]) -> Result<Allowance, Error> {
        if !std::mem::replace(&mut self.at_rest, false) {
            return Err(Error::Unusable);
        }
        let mut payload = Vec::with_capacity(1 + argument.len());
        payload.push(command.byte());
        payload.extend_from_slice(argument);
        let deadline = Deadline::after(Phase::Write, self.timeouts.write);
        self.packets.send(&payload, deadline).await?;
        let whole = Deadline::after(Phase::Read, self.timeouts.reply);
        Ok(Allowance::new(whole, self.timeouts.read, self.reply_limit))
    }

    async fn read_outcome(&mut self, allowance: &mut Allowance) -> Result<Outcome, Error> {
        let packet = self.packets.receive(allowance).await?;
        match packet.payload.first() {
            Some(&OK) => {
                let ok = OkPacket::parse(&packet.payload, self.server.caps)?;
                Ok(Outcome::Done {
                    affected_rows: ok.affected_rows,
                    last_insert_id: ok.last_insert_id,
                })
            }
            Some(&ERR) => Err(server_error(&packet.payload)?),
            first @ (Some(&LOCAL_INFILE) | None) => Err(unexpected("a result", first)),
            Some(_) => self
                .read_result(&packet, allowance)
                .await
                .map(Outcome::Rows),
        }
    }

    async fn read_result(
        &mut self,
        count: &Packet,
        allowance: &mut Allowance,
    ) -> Result<ResultSet, Error> {
        let count = Reader::new(&count.payload).lenenc_int()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.packets.receive(allowance).await?;
            let column = ColumnDef::parse(&packet.payload, self.server.caps)?;
            columns.push(String::from_utf8_lossy(column.name).into_owned());
        }
        let end = self.packets.receive(allowance).await?;
        EofPacket::parse(&end.payload)?;
        let mut result = ResultSet::new(columns);
        loop {
            let packet = self.packets.receive(allowance).await?;
            match packet.payload.first() {
                Some(&ERR) => return Err(server_error(&packet.payload)?),
                Some(&EOF) if packet.payload.len() < EofPacket::MAX_LEN => return Ok(result),
                Some(_) | None => result.push(Row::parse(packet.payload)?),
            }
        }
    }
}

async fn log_in(
    mut packets: PacketStream,
    identity: Identity,
    options: &ConnectOptions,
    deadline: Deadline,
) -> Result<(PacketStream, ServerInfo), Error> {
    let user = String::from_utf8_lossy(&identity.user).into_owned();
    let mut login = ClientLogin::new(identity);
    let mut allowance = Allowance::new(deadline, options.timeouts.connect, LOGIN_LIMIT);
    loop {
        let packet = packets.receive(&mut allowance).await?;
        let mut out = Vec::new();
        let step = login.on_packet(&packet.payload, packet.seq, &mut out)?;
        if !out.is_empty() {
            packets.send_framed(&out, deadline).await?;
        }
        match step {
            ClientStep::NeedMore => {}
            ClientStep::Work(work) => {
                let mut answer = Vec::new();
                login.worked(prove(*work).await, &mut answer)?;
                packets.send_framed(&answer, deadline).await?;
            }
            ClientStep::StartTls => {
                let Some(tls) = &options.tls else {
                    return Err(unexpected("a login without tls", None));
                };
                packets = packets.encrypt(tls, deadline).await?;
                let mut response = Vec::new();
                login.tls_started(&mut response);
                packets.send_framed(&response, deadline).await?;
            }
            ClientStep::Done { server, .. } => return Ok((packets, *server)),
            ClientStep::Refused(refusal) => {
                return Err(Error::Refused {
                    user,
                    errno: refusal.code,
                    message: String::from_utf8_lossy(&refusal.message).into_owned(),
                });
            }
        }
    }
}

/// Does what the server's plugin asks; what takes long is kept from the thread that serves others too.
async fn prove(work: Work) -> Done {
    if is_quick(&work) {
        return answer_server(&work);
    }
    let done = tokio::task::spawn_blocking(move || answer_server(&work)).await;
    done.unwrap_or_else(|_| Err("a defect in Tidegate: the work panicked".to_owned()))
}

fn identity(options: &ConnectOptions) -> Identity {
    let password = options.credentials.password.clone();
    let secret = Secret::of_password(password);
    let mut identity = Identity::new(options.credentials.user.as_bytes(), secret);
    identity.database = options
        .database
        .as_ref()
        .map(|name| name.clone().into_bytes());
    identity.attrs = vec![(b"program_name".to_vec(), CLIENT_NAME.to_vec())];
    identity
}

fn server_error(payload: &[u8]) -> Result<Error, WireError> {
    let packet = ErrPacket::parse(payload)?;
    Ok(Error::Server {
        errno: packet.code,
        sqlstate: String::from_utf8_lossy(&packet.sqlstate).into_owned(),
        message: String::from_utf8_lossy(packet.message).into_owned(),
    })
}

fn unexpected(due: &'static str, first: Option<&u8>) -> Error {
    Error::Unexpected {
        due,
        first: first.copied().unwrap_or(0),
    }
}
