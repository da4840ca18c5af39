//! We are the server: the login of a client.

use super::{LoginError, check_len};
use crate::auth::NATIVE;
use crate::auth::native::{self, NativeHash, Proof, SCRAMBLE_LEN};
use crate::frame::frame_with;
use crate::handshake::{
    Attributes, AuthSwitch, ChangeUser, Greeting, HandshakeResponse, is_ssl_request,
};
use crate::{Caps, ErrPacket, OkPacket, SecretBytes, Status};

/// What the greeting says.
#[derive(Debug, Clone)]
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
    /// The plugin of most accounts, usually [`NATIVE`].
    pub default_plugin: Vec<u8>,
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
}

/// What to do after a packet.
#[derive(Debug)]
pub enum ServerStep {
    /// Start TLS, then give it the next packet.
    StartTls(ServerLogin),
    /// Decide about the account; then [`ServerLogin::verify_native`], or refuse.
    Identify(ServerLogin, Box<ClientHello>),
    /// The client answered an AuthSwitchRequest: verify again.
    Answered(ServerLogin),
}

/// The verdict on a client's answer.
#[derive(Debug)]
pub enum Verify {
    /// It is right; nothing was written yet.
    Granted(Proof),
    /// An AuthSwitchRequest was written; wait for [`ServerStep::Answered`].
    Switch,
    /// It is wrong; nothing was written yet.
    Denied,
}

#[derive(Debug)]
enum State {
    /// The greeting was written.
    Greeted { tls: bool },
    /// The client said who it is and answered for some plugin.
    Identified { response: SecretBytes, usable: bool },
    /// An AuthSwitchRequest was written.
    Switching,
    /// The client answered it.
    Switched { response: SecretBytes },
}

/// The login of one client.
#[derive(Debug)]
pub struct ServerLogin {
    state: State,
    offered: Caps,
    /// Whether the client can be asked for another plugin.
    can_switch: bool,
    scramble: [u8; SCRAMBLE_LEN],
    /// For the next AuthSwitchRequest.
    fresh: [u8; SCRAMBLE_LEN],
    seq: u8,
}

impl ServerLogin {
    /// Appends the greeting.
    pub fn start(config: &ServerLoginConfig, out: &mut Vec<u8>) -> Self {
        let mut seq = 0;
        let greeting = Greeting {
            version: config.version.clone(),
            conn_id: config.conn_id,
            scramble: config.scramble,
            caps: config.caps_offered,
            collation: config.collation,
            status: Status::AUTOCOMMIT,
            plugin: config.default_plugin.clone(),
        };
        frame_with(out, &mut seq, |out| greeting.encode(out));
        Self {
            state: State::Greeted { tls: false },
            offered: config.caps_offered,
            can_switch: false,
            scramble: config.scramble,
            fresh: config.scramble,
            seq,
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
    ) -> Result<(Self, Box<ClientHello>), LoginError> {
        check_len(payload)?;
        let packet = ChangeUser::parse(payload, caps)?;
        let login = Self {
            state: State::Identified {
                response: SecretBytes::default(),
                usable: !caps.contains(Caps::PLUGIN_AUTH),
            },
            offered: caps,
            can_switch: caps.contains(Caps::PLUGIN_AUTH),
            scramble,
            fresh: scramble,
            seq: seq.wrapping_add(1),
        };
        let login = login.with_response(packet.auth.clone());
        let hello = ClientHello {
            user: packet.user,
            database: packet.database,
            caps,
            collation: packet.collation,
            attrs: packet.attributes,
            plugin: packet.plugin,
            auth_response: packet.auth,
            max_packet: 0,
        };
        Ok((login, Box::new(hello)))
    }

    fn with_response(mut self, answer: SecretBytes) -> Self {
        if let State::Identified { response, .. } = &mut self.state {
            *response = answer;
        }
        self
    }

    /// Random bytes without NUL for the next AuthSwitchRequest; without them it repeats the greeting's
    /// scramble, as MariaDB servers do.
    pub fn set_fresh_scramble(&mut self, scramble: [u8; SCRAMBLE_LEN]) {
        self.fresh = scramble;
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
            State::Switching => {
                self.state = State::Switched {
                    response: SecretBytes::new(payload),
                };
                Ok(ServerStep::Answered(self))
            }
            State::Identified { .. } | State::Switched { .. } => Err(LoginError::Unexpected {
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
        self.can_switch = response.caps.contains(Caps::PLUGIN_AUTH);
        self.state = State::Identified {
            response: response.auth.clone(),
            usable: !self.can_switch || response.plugin == NATIVE,
        };
        let hello = ClientHello {
            user: response.user,
            database: response.database,
            caps: response.caps,
            collation: Some(u16::from(response.collation)),
            attrs: response.attributes,
            plugin: response.plugin,
            auth_response: response.auth,
            max_packet: response.max_packet,
        };
        Ok(ServerStep::Identify(self, Box::new(hello)))
    }

    /// Verifies the client's answer against the account's hash, or asks the client to answer by
    /// `mysql_native_password` if it did not yet.
    pub fn verify_native(&mut self, stored: &NativeHash, out: &mut Vec<u8>) -> Verify {
        let proof = match &self.state {
            State::Identified {
                response,
                usable: true,
            }
            | State::Switched { response } => native::check(response, &self.scramble, stored),
            State::Identified { usable: false, .. } => return self.switch(out),
            State::Greeted { .. } | State::Switching => None,
        };
        match proof {
            Some(proof) => Verify::Granted(proof),
            None => Verify::Denied,
        }
    }

    fn switch(&mut self, out: &mut Vec<u8>) -> Verify {
        if !self.can_switch {
            return Verify::Denied;
        }
        self.scramble = self.fresh;
        let mut data = self.scramble.to_vec();
        data.push(0);
        let request = AuthSwitch {
            plugin: NATIVE,
            data: &data,
        };
        frame_with(out, &mut self.seq, |out| request.encode(out));
        self.state = State::Switching;
        Verify::Switch
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
