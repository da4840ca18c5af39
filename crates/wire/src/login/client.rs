//! We are the client: the login to a server.

use super::{LoginError, check_len};
use crate::auth::native::{self, Proof, SCRAMBLE_LEN};
use crate::auth::{CLEAR, NATIVE};
use crate::codec::put_nul_bytes;
use crate::frame::{frame_into, frame_with};
use crate::handshake::{
    Attributes, AuthSwitch, ChangeUser, Greeting, HandshakeResponse, put_ssl_request,
};
use crate::reply::{EOF, ERR, OK};
use crate::{Caps, ErrPacket, SecretBytes, Status};

/// What we hold to prove who we are.
#[derive(Debug, Clone, Default)]
pub enum Secret {
    /// No password.
    #[default]
    None,
    /// What a client proved to us: answers `mysql_native_password` only.
    Sha1(Proof),
    /// The password.
    Password(SecretBytes),
}

/// Who we are to a server.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user's name.
    pub user: Vec<u8>,
    /// What proves it.
    pub secret: Secret,
    /// The database to start in.
    pub database: Option<Vec<u8>>,
    /// What we want of the server; what it does not offer is dropped, except [`Caps::SSL`], without
    /// which the login ends.
    pub caps: Caps,
    /// The collation's id. A handshake response carries its low byte.
    pub collation: u16,
    /// What we say about ourselves.
    pub attrs: Attributes,
    /// Whether a server may ask for the password itself.
    pub allow_cleartext: bool,
}

impl Identity {
    /// The longest packet we say we take: the protocol's largest.
    const MAX_PACKET: u32 = 1 << 30;

    /// An identity with the capabilities that every connection has, collation utf8mb4_general_ci,
    /// no database and no attributes.
    pub fn new(user: &[u8], secret: Secret) -> Self {
        Self {
            user: user.to_vec(),
            secret,
            database: None,
            caps: Caps::towards_server(Caps::empty()),
            collation: 45,
            attrs: Attributes::new(),
            allow_cleartext: false,
        }
    }

    fn native_response(&self, scramble: &[u8; SCRAMBLE_LEN]) -> Vec<u8> {
        match &self.secret {
            Secret::None => Vec::new(),
            Secret::Sha1(proof) => native::scramble_response(proof, scramble),
            Secret::Password(password) => {
                native::scramble_response(&Proof::of_password(password), scramble)
            }
        }
    }

    fn clear_response(&self) -> Result<SecretBytes, LoginError> {
        let password: &[u8] = match &self.secret {
            Secret::None => &[],
            Secret::Password(password) if self.allow_cleartext => password,
            Secret::Password(_) | Secret::Sha1(_) => {
                return Err(LoginError::CannotAnswer {
                    plugin: "mysql_clear_password",
                });
            }
        };
        let mut answer = Vec::with_capacity(password.len() + 1);
        put_nul_bytes(&mut answer, password);
        Ok(answer.into())
    }
}

/// What a server's greeting said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version string.
    pub version: Vec<u8>,
    /// Its id of the connection.
    pub thread_id: u32,
    /// What was negotiated.
    pub caps: Caps,
    /// What it offered.
    pub offered: Caps,
    /// Its default collation.
    pub collation: u8,
    /// The connection's state after the login.
    pub status: Status,
    /// The scramble, which a later COM_CHANGE_USER uses again.
    pub scramble: [u8; SCRAMBLE_LEN],
}

/// An error with which a server ended the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error number.
    pub code: u16,
    /// The SQLSTATE.
    pub sqlstate: [u8; 5],
    /// The text.
    pub message: Vec<u8>,
}

impl From<ErrPacket<'_>> for Refusal {
    fn from(packet: ErrPacket<'_>) -> Self {
        Self {
            code: packet.code,
            sqlstate: packet.sqlstate,
            message: packet.message.to_vec(),
        }
    }
}

/// What to do after a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientStep {
    /// Send what was written, then give it the next packet.
    NeedMore,
    /// Send what was written, start TLS, call [`ClientLogin::tls_started`], then give it the next
    /// packet.
    StartTls,
    /// Logged in.
    Done {
        /// What is known of the server.
        server: Box<ServerInfo>,
        /// The payload of the OK packet, with session state changes.
        ok: Vec<u8>,
    },
    /// The server refused.
    Refused(Refusal),
}

#[derive(Debug)]
enum State {
    /// The greeting is due.
    Start,
    /// The SSLRequest was written.
    Tls(Box<ServerInfo>),
    /// An answer was written.
    Answered(Box<ServerInfo>),
    /// The login ended.
    Over,
}

/// The login to one server.
#[derive(Debug)]
pub struct ClientLogin {
    identity: Identity,
    state: State,
    seq: u8,
}

impl ClientLogin {
    /// Waits for the greeting of a new connection.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            state: State::Start,
            seq: 0,
        }
    }

    /// Appends a COM_CHANGE_USER for a connection that is logged in and at rest, and waits for its
    /// reply. The identity's capabilities do not count: the connection keeps its own.
    pub fn change_user(identity: Identity, server: ServerInfo, out: &mut Vec<u8>) -> Self {
        let packet = ChangeUser {
            user: identity.user.clone(),
            auth: identity.native_response(&server.scramble).into(),
            database: identity.database.clone(),
            collation: Some(identity.collation),
            plugin: NATIVE.to_vec(),
            attributes: identity.attrs.clone(),
        };
        let mut seq = 0;
        frame_with(out, &mut seq, |out| packet.encode(server.caps, out));
        Self {
            identity,
            state: State::Answered(Box::new(server)),
            seq,
        }
    }

    /// Takes the server's next packet, `seq` being its last frame's number.
    ///
    /// # Errors
    /// If the packet does not fit, or if the server wants what we do not hold.
    pub fn on_packet(
        &mut self,
        payload: &[u8],
        seq: u8,
        out: &mut Vec<u8>,
    ) -> Result<ClientStep, LoginError> {
        check_len(payload)?;
        if seq != self.seq {
            return Err(LoginError::OutOfOrder {
                expected: self.seq,
                got: seq,
            });
        }
        self.seq = seq.wrapping_add(1);
        if payload.first() == Some(&ERR) {
            self.state = State::Over;
            return Ok(ClientStep::Refused(ErrPacket::parse(payload)?.into()));
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => self.on_greeting(payload, out),
            State::Answered(server) => self.on_verdict(payload, server, out),
            State::Tls(_) => Err(unexpected("the start of tls", payload)),
            State::Over => Err(unexpected("nothing", payload)),
        }
    }

    /// TLS stands: appends the handshake response.
    pub fn tls_started(&mut self, out: &mut Vec<u8>) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Tls(server) => {
                self.put_response(&server, out);
                State::Answered(server)
            }
            other @ (State::Start | State::Answered(_) | State::Over) => other,
        };
    }

    fn on_greeting(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<ClientStep, LoginError> {
        let greeting = Greeting::parse(payload)?;
        if !greeting.caps.contains(Caps::PROTOCOL_41) {
            return Err(LoginError::OldProtocol);
        }
        let tls = self.identity.caps.contains(Caps::SSL);
        if tls && !greeting.caps.contains(Caps::SSL) {
            return Err(LoginError::TlsUnavailable);
        }
        let mut wanted = self.identity.caps.valid();
        if self.identity.database.is_some() {
            wanted = wanted.union(Caps::CONNECT_WITH_DB);
        }
        let server = Box::new(ServerInfo {
            version: greeting.version,
            thread_id: greeting.conn_id,
            caps: wanted.intersection(greeting.caps),
            offered: greeting.caps,
            collation: greeting.collation,
            status: greeting.status,
            scramble: greeting.scramble,
        });
        if !tls {
            self.put_response(&server, out);
            self.state = State::Answered(server);
            return Ok(ClientStep::NeedMore);
        }
        let collation = self.identity.collation as u8;
        frame_with(out, &mut self.seq, |out| {
            put_ssl_request(out, server.caps, Identity::MAX_PACKET, collation);
        });
        self.state = State::Tls(server);
        Ok(ClientStep::StartTls)
    }

    /// The first answer is always for `mysql_native_password`, whatever plugin the greeting names: a
    /// server whose account needs another asks again.
    fn put_response(&mut self, server: &ServerInfo, out: &mut Vec<u8>) {
        let identity = &self.identity;
        let response = HandshakeResponse {
            caps: server.caps,
            max_packet: Identity::MAX_PACKET,
            collation: identity.collation as u8,
            user: identity.user.clone(),
            auth: identity.native_response(&server.scramble).into(),
            database: identity.database.clone(),
            plugin: NATIVE.to_vec(),
            attributes: identity.attrs.clone(),
        };
        frame_with(out, &mut self.seq, |out| response.encode(out));
    }

    fn on_verdict(
        &mut self,
        payload: &[u8],
        mut server: Box<ServerInfo>,
        out: &mut Vec<u8>,
    ) -> Result<ClientStep, LoginError> {
        match payload.first() {
            Some(&OK) => {
                server.status = crate::OkPacket::parse(payload, server.caps)?.status;
                let ok = payload.to_vec();
                Ok(ClientStep::Done { server, ok })
            }
            Some(&EOF) => {
                self.on_switch(AuthSwitch::parse(payload)?, out)?;
                self.state = State::Answered(server);
                Ok(ClientStep::NeedMore)
            }
            _ => Err(unexpected("the verdict on a login", payload)),
        }
    }

    fn on_switch(&mut self, request: AuthSwitch<'_>, out: &mut Vec<u8>) -> Result<(), LoginError> {
        let answer = if request.plugin == NATIVE {
            let scramble = request.scramble().ok_or(crate::WireError::Truncated {
                at: 0,
                needed: SCRAMBLE_LEN as u64,
                left: request.data.len(),
            })?;
            self.identity.native_response(&scramble).into()
        } else if request.plugin == CLEAR {
            self.identity.clear_response()?
        } else {
            let name = String::from_utf8_lossy(request.plugin).into_owned();
            return Err(LoginError::UnsupportedPlugin(name));
        };
        frame_into(out, &mut self.seq, &answer);
        Ok(())
    }
}

fn unexpected(due: &'static str, payload: &[u8]) -> LoginError {
    LoginError::Unexpected {
        due,
        first: payload.first().copied().unwrap_or_default(),
    }
}
