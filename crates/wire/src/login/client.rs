//! We are the client: the login to a server.

use super::{LoginError, MORE_DATA, PARSEC_KIND, check_len};
use crate::auth::native::{self, Proof, SCRAMBLE_LEN};
use crate::auth::{
    CLEAR, DIALOG, Done, ED25519, NATIVE, NONCE_LEN, PARSEC, SHA2, Secret, Work, sha2,
};
use crate::codec::put_nul_bytes;
use crate::compress::Method;
use crate::frame::{frame_into, frame_with};
use crate::handshake::{
    Attributes, AuthSwitch, ChangeUser, Greeting, HandshakeResponse, put_ssl_request,
};
use crate::reply::{EOF, ERR, OK};
use crate::{Caps, ErrPacket, SecretBytes, Status};

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
    /// Nobody else can read what is sent to the server: the connection is encrypted or does not leave
    /// the machine.
    pub private: bool,
    /// Whether a server may ask for the password itself where that is not so.
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
            private: false,
            allow_cleartext: false,
        }
    }

    /// Without anything to answer with, the answer of somebody without password: the server then asks
    /// for its plugin, or refuses.
    fn native_response(&self, scramble: &[u8; SCRAMBLE_LEN]) -> Vec<u8> {
        match &self.secret {
            Secret::None | Secret::Untold => Vec::new(),
            Secret::Sha1(proof) => native::scramble_response(proof, scramble),
            Secret::Password(password) | Secret::Codes { password, .. } => {
                native::scramble_response(&Proof::of_password(password), scramble)
            }
        }
    }

    /// The password, where the plugin needs it.
    fn password(&self, plugin: &'static str) -> Result<&[u8], LoginError> {
        self.secret
            .password()
            .ok_or(LoginError::CannotAnswer { plugin })
    }

    /// The password, where it may be sent as it is.
    fn clear_password(&self, plugin: &'static str) -> Result<&[u8], LoginError> {
        let password = self.password(plugin)?;
        if password.is_empty() || self.private || self.allow_cleartext {
            Ok(password)
        } else {
            Err(LoginError::CannotAnswer { plugin })
        }
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
    /// This has to be done outside; then [`ClientLogin::worked`].
    Work(Box<Work>),
}

#[derive(Debug)]
enum State {
    /// The greeting is due.
    Start,
    /// The SSLRequest was written.
    Tls(Box<ServerInfo>),
    /// An answer was written.
    Answered(Box<ServerInfo>),
    /// An answer is being made outside.
    Working(Box<ServerInfo>),
    /// The login ended.
    Over,
}

/// The plugin that the server asked for last, and what it began with.
#[derive(Debug)]
enum Plugin {
    /// Everything was said with the first answer.
    Said,
    Sha2 {
        scramble: [u8; SCRAMBLE_LEN],
        asked_key: bool,
    },
    Parsec {
        nonce: [u8; NONCE_LEN],
    },
    /// Its first question was answered.
    Dialog,
    /// One that we hold nothing for.
    Unable,
}

/// The login to one server.
#[derive(Debug)]
pub struct ClientLogin {
    identity: Identity,
    state: State,
    plugin: Plugin,
    /// The password was sent where others can read it.
    bared: bool,
    /// What the server asked for that could not be answered. It may ask for something else yet.
    unable: Option<LoginError>,
    seq: u8,
}

impl ClientLogin {
    /// Waits for the greeting of a new connection.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            state: State::Start,
            plugin: Plugin::Said,
            bared: false,
            unable: None,
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
            plugin: Plugin::Said,
            bared: false,
            unable: None,
            seq,
        }
    }

    /// Was the password sent over a connection that others can read?
    #[must_use]
    pub fn bared_password(&self) -> bool {
        self.bared
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
            let refusal = ErrPacket::parse(payload)?.into();
            return match self.unable.take() {
                Some(error) => Err(error),
                None => Ok(ClientStep::Refused(refusal)),
            };
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => self.on_greeting(payload, out),
            State::Answered(server) => self.on_verdict(payload, server, out),
            State::Tls(_) => Err(unexpected("the start of tls", payload)),
            State::Working(_) => Err(unexpected("nothing before our answer", payload)),
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
            other @ (State::Start | State::Answered(_) | State::Working(_) | State::Over) => other,
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
            zstd_level: Method::DEFAULT_LEVEL,
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
                let answer = self.on_switch(AuthSwitch::parse(payload)?);
                let answer = self.at_best(answer)?;
                Ok(self.answer(answer, server, out))
            }
            _ => {
                let answer = self.on_more(payload);
                let answer = self.at_best(answer)?;
                Ok(self.answer(answer, server, out))
            }
        }
    }

    /// An account may have several methods: a server whose first one gets a wrong answer asks for the
    /// next.
    fn at_best(&mut self, answer: Result<Answer, LoginError>) -> Result<Answer, LoginError> {
        match answer {
            Err(error @ LoginError::CannotAnswer { .. }) => {
                self.unable = Some(error);
                self.plugin = Plugin::Unable;
                Ok(Answer::Send(SecretBytes::default()))
            }
            other => other,
        }
    }

    fn answer(&mut self, answer: Answer, server: Box<ServerInfo>, out: &mut Vec<u8>) -> ClientStep {
        match answer {
            Answer::Send(bytes) => {
                frame_into(out, &mut self.seq, &bytes);
                self.state = State::Answered(server);
                ClientStep::NeedMore
            }
            Answer::Nothing => {
                self.state = State::Answered(server);
                ClientStep::NeedMore
            }
            Answer::Work(work) => {
                self.state = State::Working(server);
                ClientStep::Work(Box::new(work))
            }
        }
    }

    /// Sends what came of the work that was asked for.
    ///
    /// # Errors
    /// If nothing came of it.
    pub fn worked(&mut self, done: Done, out: &mut Vec<u8>) -> Result<(), LoginError> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Working(server) => {
                let answer = done.map_err(LoginError::Work)?;
                frame_into(out, &mut self.seq, &answer);
                State::Answered(server)
            }
            other @ (State::Start | State::Tls(_) | State::Answered(_) | State::Over) => other,
        };
        Ok(())
    }

    fn on_switch(&mut self, request: AuthSwitch<'_>) -> Result<Answer, LoginError> {
        let scramble = || {
            request.scramble().ok_or(crate::WireError::Truncated {
                at: 0,
                needed: SCRAMBLE_LEN as u64,
                left: request.data.len(),
            })
        };
        let identity = &self.identity;
        self.plugin = Plugin::Said;
        Ok(match request.plugin {
            NATIVE => Answer::Send(identity.native_response(&scramble()?).into()),
            CLEAR => {
                let password = identity.clear_password("mysql_clear_password")?;
                self.bared |= !identity.private && !password.is_empty();
                Answer::Send(with_nul(password))
            }
            SHA2 => {
                let scramble = scramble()?;
                let password = identity.password("caching_sha2_password")?;
                let response = sha2::scramble_response(password, &scramble);
                self.plugin = Plugin::Sha2 {
                    scramble,
                    asked_key: false,
                };
                Answer::Send(response.into())
            }
            ED25519 => Answer::Work(Work::Sign {
                password: SecretBytes::new(identity.password("client_ed25519")?),
                nonce: request.data.to_vec(),
            }),
            PARSEC => {
                identity.password("parsec")?;
                let nonce = request.data.first_chunk().copied();
                let nonce = nonce.ok_or(crate::WireError::Truncated {
                    at: 0,
                    needed: NONCE_LEN as u64,
                    left: request.data.len(),
                })?;
                self.plugin = Plugin::Parsec { nonce };
                Answer::Send(SecretBytes::default())
            }
            DIALOG => {
                self.bared |= !identity.private;
                let answer = self.on_question(request.data, true)?;
                self.plugin = Plugin::Dialog;
                answer
            }
            other => {
                let name = String::from_utf8_lossy(other).into_owned();
                return Err(LoginError::UnsupportedPlugin(name));
            }
        })
    }

    /// More of a plugin's dialogue. Its packets begin with 0x01 where they could be taken for
    /// something else.
    fn on_more(&mut self, payload: &[u8]) -> Result<Answer, LoginError> {
        let data = payload.strip_prefix(&[MORE_DATA]).unwrap_or(payload);
        match (&mut self.plugin, data) {
            (Plugin::Sha2 { .. }, [sha2::FAST_OK]) => Ok(Answer::Nothing),
            (Plugin::Sha2 { asked_key, .. }, [sha2::FULL]) => {
                if self.identity.private {
                    let password = self.identity.password("caching_sha2_password")?;
                    return Ok(Answer::Send(with_nul(password)));
                }
                *asked_key = true;
                Ok(Answer::Send(SecretBytes::new(&[sha2::ASK_KEY])))
            }
            (
                Plugin::Sha2 {
                    scramble,
                    asked_key: asked_key @ true,
                },
                key,
            ) => {
                *asked_key = false;
                let password = self.identity.password("caching_sha2_password")?;
                Ok(Answer::Work(Work::Seal {
                    key: key.to_vec(),
                    masked: sha2::mask(&with_nul(password), scramble),
                }))
            }
            (Plugin::Parsec { nonce }, [PARSEC_KIND, factor, salt @ ..]) => {
                Ok(Answer::Work(Work::SignSlowly {
                    password: SecretBytes::new(self.identity.password("parsec")?),
                    factor: *factor,
                    salt: salt.to_vec(),
                    nonce: *nonce,
                }))
            }
            (Plugin::Dialog, question) => self.on_question(question, false),
            (Plugin::Unable, _) => Ok(Answer::Send(SecretBytes::default())),
            (Plugin::Said | Plugin::Sha2 { .. } | Plugin::Parsec { .. }, _) => {
                Err(unexpected("the verdict on a login", payload))
            }
        }
    }

    /// A question of `dialog`: its kind, and its text, of which the last line asks; what is before it was
    /// to be read. Whoever asks for a password gets it; the other answer is for every other question.
    /// Where there is no other answer, the first question is for the password, whatever its words.
    fn on_question(&self, question: &[u8], first: bool) -> Result<Answer, LoginError> {
        const PASSWORD: &[u8] = b"password";
        let text = question.get(1..).unwrap_or_default();
        let text = text
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let password = self.identity.clear_password("dialog")?;
        let wants_password = text.is_empty()
            || text
                .get(..PASSWORD.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(PASSWORD));
        let answer: &[u8] = match &self.identity.secret {
            _ if wants_password => password,
            Secret::Codes { code, .. } => code,
            _ if first => password,
            Secret::None | Secret::Sha1(_) | Secret::Password(_) | Secret::Untold => {
                return Err(LoginError::CannotAnswer {
                    plugin: "another question of dialog",
                });
            }
        };
        Ok(Answer::Send(with_nul(answer)))
    }
}

/// What a plugin wants done.
enum Answer {
    Send(SecretBytes),
    Nothing,
    Work(Work),
}

fn with_nul(password: &[u8]) -> SecretBytes {
    let mut answer = Vec::with_capacity(password.len() + 1);
    put_nul_bytes(&mut answer, password);
    answer.into()
}

fn unexpected(due: &'static str, payload: &[u8]) -> LoginError {
    LoginError::Unexpected {
        due,
        first: payload.first().copied().unwrap_or_default(),
    }
}
