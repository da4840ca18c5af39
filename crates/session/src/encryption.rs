//! What a session knows of TLS: that it stands, how, and with whom.
//!
//! TLS itself is the worker's: it is asked for with [`Op::StartTls`](crate::Op::StartTls) and
//! reported here. Until then bytes of that side are not looked at.

use std::sync::Arc;

use crate::backend::State;
use crate::fault::SessionFault;
use crate::ids::Side;
use crate::output::Level;
use crate::session::{Cx, Env, Session};

/// An encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// The cipher suite, as OpenSSL names it.
    pub cipher: Arc<str>,
    /// The certificate that the peer presented, if it was asked for one; it has been verified.
    pub certificate: Option<PeerCertificate>,
    /// The SHA-256 fingerprint of the certificate that a client was shown, which it may want to have
    /// confirmed; `None` towards servers.
    pub shown: Option<[u8; 32]>,
    /// It goes on where an earlier connection ended, which is cheaper.
    pub resumed: bool,
}

/// Whose certificate it is and who signed it, in OpenSSL's one-line form, `/C=FI/CN=app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
}

impl Session {
    /// TLS that was asked for stands; what comes from this side from now on came encrypted.
    pub fn on_encrypted(&mut self, side: Side, encryption: Encryption, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.note_encryption(side, &encryption, &mut env.cx());
        match side {
            Side::Client => {
                self.client.encryption = Some(Arc::new(encryption));
                self.dialogue_encrypted();
            }
            Side::Backend(id) => {
                let Some(backend) = self.backend_mut(id) else {
                    return;
                };
                backend.cipher = Some(encryption.cipher);
                if let State::Login(login) = &mut backend.state {
                    env.out.send_with(side, |own| login.tls_started(own));
                }
            }
        }
        self.finish_event(env);
    }

    fn note_encryption(&mut self, side: Side, encryption: &Encryption, cx: &mut Cx<'_>) {
        let peer = match side {
            Side::Client => "the client".to_owned(),
            Side::Backend(id) => format!("server '{}'", self.server_name(id, cx)),
        };
        let cipher = &encryption.cipher;
        let kind = if encryption.resumed { ", resumed" } else { "" };
        self.log(Level::Info, cx, || {
            format!("TLS with {peer}: {cipher}{kind}")
        });
    }

    /// TLS that was asked for could not be agreed on, or broke: the connection is of no more use.
    /// `reason` is for the log.
    pub fn on_tls_failed(&mut self, side: Side, reason: &str, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        let mut cx = env.cx();
        match side {
            Side::Client => self.fail(&SessionFault::Tls(reason.to_owned()), &mut cx),
            Side::Backend(id) => self.backend_lost(id, &format!("TLS: {reason}"), &mut cx),
        }
        self.finish_event(env);
    }
}
