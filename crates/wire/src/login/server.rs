//! We are the server: the login of a client.

use super::trial::{Trial, Verify};
use super::{LoginError, check_len};
use crate::auth::native::SCRAMBLE_LEN;
use crate::auth::{Done, Method, NATIVE, Nonces};
use crate::frame::frame_with;
use crate::handshake::{Attributes, ChangeUser, Greeting, HandshakeResponse, is_ssl_request};
use crate::{Caps, ErrPacket, OkPacket, SecretBytes, Status};

/// What the greeting says.
#[derive(Debug)]
pub struct ServerLoginConfig {
    /// The version string.
    pub version: Vec<u8>,
    /// The connection's id.
    pub conn_id: u32,
    /// 20 random bytes without NUL.
    pub scramble: [u8; SCRAMBLE_LEN],
    /// The default collation's id.
    pub collation: u8,
    /// What is offered; with [`Caps::SSL`] the client must use TLS.
    pub caps_offered: Caps,
    /// The plugin of most accounts, usually [`NATIVE`]. One whose nonce is no scramble of
    /// [`SCRAMBLE_LEN`] bytes cannot be greeted with.
    pub default_plugin: Vec<u8>,
    /// What the login's further random bytes are made of.
    pub nonces: Nonces,
}

/// Who the client says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The user's name.
    pub user: Vec<u8>,
    /// The database to start in.
    pub database: Option<Vec<u8>>,
    /// What both sides can do.
    pub caps: Caps,
    /// The client's collation; `None` only in a COM_CHANGE_USER that leaves it out: it stays.
    pub collation: Option<u16>,
    /// What the client says about itself.
    pub attrs: Attributes,
    /// The plugin its first answer is for; empty if it knows none.
    pub plugin: Vec<u8>,
    /// Its first answer. Empty: no password, or none yet.
    pub auth_response: SecretBytes,
    /// The longest packet it takes; 0 in a COM_CHANGE_USER, which does not say.
    pub max_packet: u32,
    /// The level at which zstd is to compress, if that is agreed.
    pub zstd_level: u8,
}

/// What to do after a packet.
#[derive(Debug)]
pub enum ServerStep {
    /// Start TLS, then give it the next packet.
    StartTls(ServerLogin),
    /// Decide about the account; then [`ServerLogin::verify`], or refuse.
    Identify(ServerLogin, Box<ClientHello>),
    /// The client answered what it was asked: [`ServerLogin::go_on`].
    Answered(ServerLogin),
}

#[derive(Debug)]
enum State {
    /// The greeting was written.
    Greeted { tls: bool },
    /// Nothing is due from the client.
    Thinking,
    /// The client was asked something.
    Asked,
}

/// The login of one client.
#[derive(Debug)]
pub struct ServerLogin {
    state: State,
    offered: Caps,
    /// The plugin that the greeting named.
    greeted: Vec<u8>,
    seq: u8,
    /// The ways in which the client may prove who it is, and what was heard of it so far.
    pub(super) trial: Trial,
}

impl ServerLogin {
    /// Appends the greeting.
    pub fn start(config: ServerLoginConfig, out: &mut Vec<u8>) -> Self {
        let mut seq = 0;
        let greeting = Greeting {
            version: config.version,
            conn_id: config.conn_id,
            scramble: config.scramble,
            caps: config.caps_offered,
            collation: config.collation,
            status: Status::AUTOCOMMIT,
            plugin: config.default_plugin,
        };
        frame_with(out, &mut seq, |out| greeting.encode(out));
        Self {
            state: State::Greeted { tls: false },
            offered: config.caps_offered,
            greeted: greeting.plugin,
            seq,
            trial: Trial::new(config.scramble, config.nonces),
        }
    }

    /// Starts at a COM_CHANGE_USER, `seq` being its last frame's number, `caps` what the connection
    /// negotiated and `scramble` the greeting's or a new one. Its first answer is never trusted: the
    /// client is always asked again, because some connectors understand nothing else.
    ///
    /// # Errors
    /// If the packet is malformed or longer than a login needs.
    pub fn change_user(
        payload: &[u8],
        seq: u8,
        caps: Caps,
        scramble: [u8; SCRAMBLE_LEN],
        nonces: Nonces,
    ) -> Result<(Self, Box<ClientHello>), LoginError> {
        check_len(payload)?;
        let packet = ChangeUser::parse(payload, caps)?;
        let mut trial = Trial::new(scramble, nonces);
        if caps.contains(Caps::PLUGIN_AUTH) {
            trial.can_switch = true;
        } else {
            trial.hear(NATIVE, &packet.auth);
        }
        let login = Self {
            state: State::Thinking,
            offered: caps,
            greeted: Vec::new(),
            seq: seq.wrapping_add(1),
            trial,
        };
        let hello = ClientHello {
            user: packet.user,
            database: packet.database,
            caps,
            collation: packet.collation,
            attrs: packet.attributes,
            plugin: packet.plugin,
            auth_response: packet.auth,
            max_packet: 0,
            zstd_level: 0,
        };
        Ok((login, Box::new(hello)))
    }

    /// The number of the next frame to the client.
    pub fn seq(&self) -> u8 {
        self.seq
    }

    /// Takes the client's next packet, `seq` being its last frame's number.
    ///
    /// # Errors
    /// If the packet does not fit. [`LoginError::client_reply`] says what to tell the client.
    pub fn on_packet(mut self, payload: &[u8], seq: u8) -> Result<ServerStep, LoginError> {
        check_len(payload)?;
        if seq != self.seq {
            return Err(LoginError::OutOfOrder {
                expected: self.seq,
                got: seq,
            });
        }
        self.seq = seq.wrapping_add(1);
        match self.state {
            State::Greeted { tls } => self.on_response(payload, tls),
            State::Asked => {
                self.state = State::Thinking;
                self.trial.answered(payload);
                Ok(ServerStep::Answered(self))
            }
            State::Thinking => Err(LoginError::Unexpected {
                due: "nothing",
                first: payload.first().copied().unwrap_or_default(),
            }),
        }
    }

    fn on_response(mut self, payload: &[u8], tls: bool) -> Result<ServerStep, LoginError> {
        let must_tls = self.offered.contains(Caps::SSL);
        if is_ssl_request(payload) {
            if tls || !must_tls {
                return Err(LoginError::TlsNotOffered);
            }
            self.state = State::Greeted { tls: true };
            return Ok(ServerStep::StartTls(self));
        }
        let response = HandshakeResponse::parse(payload, self.offered)?;
        if !response
            .caps
            .contains(Caps::PROTOCOL_41 | Caps::SECURE_CONNECTION)
        {
            return Err(LoginError::OldProtocol);
        }
        if must_tls && !tls {
            return Err(LoginError::TlsRequired);
        }
        self.state = State::Thinking;
        if response.caps.contains(Caps::PLUGIN_AUTH) {
            self.trial.can_switch = true;
            // A client that does not know the greeting's plugin names its own and answers nothing yet.
            if !response.auth.is_empty() || response.plugin == self.greeted {
                self.trial.hear(&response.plugin, &response.auth);
            }
        } else {
            self.trial.hear(NATIVE, &response.auth);
        }
        let hello = ClientHello {
            user: response.user,
            database: response.database,
            caps: response.caps,
            collation: Some(u16::from(response.collation)),
            attrs: response.attributes,
            plugin: response.plugin,
            auth_response: response.auth,
            max_packet: response.max_packet,
            zstd_level: response.zstd_level,
        };
        Ok(ServerStep::Identify(self, Box::new(hello)))
    }

    /// Lets the client prove who it is in one of these ways, tried in turn. `private`: nobody can read
    /// what it sends, because the connection is encrypted or does not leave the machine.
    ///
    /// May be called again with other methods when it was denied: what the client answered before counts
    /// where it fits.
    pub fn verify(&mut self, methods: Vec<Method>, private: bool, out: &mut Vec<u8>) -> Verify {
        self.trial.begin(methods, private);
        self.go_on(out)
    }

    /// Goes on when the client has answered.
    pub fn go_on(&mut self, out: &mut Vec<u8>) -> Verify {
        let verdict = self.trial.go_on(&mut self.seq, out);
        self.noted(verdict)
    }

    /// Goes on with the outcome of the work that was asked for.
    pub fn worked(&mut self, done: Done, out: &mut Vec<u8>) -> Verify {
        let verdict = self.trial.worked(done, &mut self.seq, out);
        self.noted(verdict)
    }

    fn noted(&mut self, verdict: Verify) -> Verify {
        self.state = match verdict {
            Verify::Asked => State::Asked,
            Verify::Granted(_) | Verify::Work(_) | Verify::Denied { .. } => State::Thinking,
        };
        verdict
    }

    /// Whether the client gave any password or proof.
    pub fn gave_proof(&self) -> bool {
        self.trial.gave_proof()
    }

    /// Appends the OK that ends the login, for a client with `caps`.
    pub fn write_ok(mut self, packet: &OkPacket<'_>, caps: Caps, out: &mut Vec<u8>) {
        frame_with(out, &mut self.seq, |out| packet.encode(caps, out));
    }

    /// Appends the ERR that ends the login.
    pub fn write_err(mut self, packet: &ErrPacket<'_>, out: &mut Vec<u8>) {
        frame_with(out, &mut self.seq, |out| packet.encode(out));
    }
}
