//! A client proves who it is: one machine for the server's side of all plugins.
//!
//! The account's methods are tried in turn. Each is a short dialogue: a packet or two to the client,
//! its answers, and perhaps a piece of [`Work`] outside. What the client answered is kept, so that a
//! method that was not asked for anew can use it.
//!
//! | plugin                  | sent                                    | answer                  | outside  |
//! |-------------------------|-----------------------------------------|-------------------------|----------|
//! | `mysql_native_password` | switch: scramble, NUL                   | 20 bytes, or none       |          |
//! | `client_ed25519`        | switch: 32 bytes                        | signature               | `Verify` |
//! | `parsec`                | switch: 32 bytes                        | empty                   |          |
//! |                         | `P`, factor, salt                       | 32 bytes, signature     | `Verify` |
//! | `caching_sha2_password` | switch: scramble, NUL                   | 32 bytes, or a zero     | `Recall` |
//! |                         | 0x01 0x03, if that succeeded            |                         |          |
//! |                         | 0x01 0x04, else                         | password, NUL; or 0x02  | `Check`  |
//! |                         | 0x01, key (PEM)                         | sealed password         | `Check`  |
//! | `mysql_clear_password`  | switch                                  | password, NUL           | `Check`  |
//! | `dialog`                | switch: 0x04, `Password: `              | password, NUL           |          |
//! |                         | 0x04, `Verification code: `, if wanted  | code, NUL               | `Check`  |
//!
//! The first switch is left out where the greeting already led to an answer for the plugin.
//!
//! Invariant: `Granted` comes only of a right answer to bytes that this connection was sent.
//!
//! Sources: MariaDB manual, "Connection" and the plugins' pages; MySQL internals manual,
//! "Caching_sha2_password information".

use super::{MORE_DATA, PARSEC_KIND};
use crate::SecretBytes;
use crate::auth::native::{self, Mismatch, SCRAMBLE_LEN};
use crate::auth::{
    Asking, CLEAR, DIALOG, Done, ED25519, Method, NATIVE, NONCE_LEN, Nonces, PARSEC, ParsecKey,
    PasswordCheck, SHA2, SIGNATURE_LEN, Sealed, Secret, Work, sha2,
};
use crate::frame::frame_with;
use crate::handshake::AuthSwitch;

/// A question whose answer is not shown on the terminal.
const HIDDEN_QUESTION: u8 = 4;

/// Bytes of a password that is sealed with the shortest RSA key there is, one of 2048 bits.
const SHORTEST_SEAL: usize = 256;

/// The verdict on a client's answers so far.
#[derive(Debug)]
pub enum Verify {
    /// It is who it says. Nothing more is due but the OK.
    Granted(Secret),
    /// The client was asked; wait for [`ServerStep::Answered`](super::ServerStep::Answered).
    Asked,
    /// This has to be done outside; then [`ServerLogin::worked`](super::ServerLogin::worked).
    Work(Box<Work>),
    /// It is not; nothing was written.
    Denied {
        /// For the log, where more is known than that the answer was wrong.
        reason: Option<String>,
        /// How it was wrong, where the answer was for `mysql_native_password`.
        mismatch: Option<Mismatch>,
    },
}

/// An answer of the client's that stands for itself.
#[derive(Debug)]
struct Heard {
    plugin: Vec<u8>,
    nonce: Vec<u8>,
    answer: SecretBytes,
}

/// What is due next for the method being tried.
#[derive(Debug)]
enum Due {
    /// Nothing was done for it yet.
    Begin,
    /// The client's first answer for its plugin, to these bytes.
    Answer {
        plugin: &'static [u8],
        nonce: Vec<u8>,
    },
    /// `parsec`: nonce and signature.
    Signature { nonce: Vec<u8> },
    /// `caching_sha2_password`: the password, or the wish for our key.
    Password,
    /// `dialog`: the code.
    Code { password: SecretBytes },
    /// Outside: was the client here before?
    Recall,
    /// Outside: is it right?
    Check {
        /// What the client said besides its password.
        code: Option<SecretBytes>,
        /// Is what comes back the password? Else it proves the client and tells nothing.
        tells: bool,
    },
}

/// The ways in which a client may prove who it is, and what was heard of it so far.
#[derive(Debug)]
pub(super) struct Trial {
    /// Whether the client can be asked for another plugin.
    pub(super) can_switch: bool,
    /// What the greeting said, and every switch to a plugin that takes as much.
    scramble: [u8; SCRAMBLE_LEN],
    nonces: Nonces,
    methods: std::vec::IntoIter<Method>,
    method: Option<Method>,
    private: bool,
    due: Due,
    /// The client's last packet, until it is looked at.
    packet: Option<SecretBytes>,
    heard: Option<Heard>,
    /// The password that the client handed over, right or wrong: it is not asked for it twice.
    given: Option<Sealed>,
    reason: Option<String>,
    mismatch: Option<Mismatch>,
}

impl Trial {
    pub(super) fn new(scramble: [u8; SCRAMBLE_LEN], nonces: Nonces) -> Self {
        Self {
            can_switch: false,
            scramble,
            nonces,
            methods: Vec::new().into_iter(),
            method: None,
            private: false,
            due: Due::Begin,
            packet: None,
            heard: None,
            given: None,
            reason: None,
            mismatch: None,
        }
    }

    /// The answer to the greeting or to a switch.
    pub(super) fn hear(&mut self, plugin: &[u8], answer: &SecretBytes) {
        self.heard = Some(Heard {
            plugin: plugin.to_vec(),
            nonce: self.scramble.to_vec(),
            answer: answer.clone(),
        });
    }

    pub(super) fn answered(&mut self, payload: &[u8]) {
        self.packet = Some(SecretBytes::new(payload));
    }

    pub(super) fn gave_proof(&self) -> bool {
        let answered = |heard: &Heard| !heard.answer.is_empty() && *heard.answer != [0];
        self.given.is_some() || self.heard.as_ref().is_some_and(answered)
    }

    pub(super) fn begin(&mut self, methods: Vec<Method>, private: bool) {
        self.methods = methods.into_iter();
        self.private = private;
        self.reason = None;
        self.mismatch = None;
        self.next();
    }

    fn next(&mut self) {
        self.method = self.methods.next();
        self.due = Due::Begin;
        self.packet = None;
    }

    /// Goes on until somebody else has to do something.
    pub(super) fn go_on(&mut self, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        loop {
            let Some(method) = self.method.clone() else {
                return Verify::Denied {
                    reason: self.reason.take(),
                    mismatch: self.mismatch.take(),
                };
            };
            let verdict = self.step(&method, seq, out);
            let Verify::Denied { reason, .. } = verdict else {
                return verdict;
            };
            self.reason = self.reason.take().or(reason);
            self.next();
        }
    }

    pub(super) fn worked(&mut self, done: Done, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        let due = std::mem::replace(&mut self.due, Due::Begin);
        let verdict = match (due, done) {
            (Due::Recall, Ok(password)) => {
                put_more(seq, out, &[sha2::FAST_OK]);
                self.given = Some(Sealed::Open(password.clone()));
                Verify::Granted(Secret::of_password(password))
            }
            (Due::Recall, Err(_)) => self.ask_for_password(seq, out),
            (Due::Check { tells: false, .. }, Ok(_)) => Verify::Granted(Secret::Untold),
            (Due::Check { code, tells: true }, Ok(password)) => Verify::Granted(match code {
                Some(code) => Secret::Codes { password, code },
                None => Secret::of_password(password),
            }),
            (_, Err(reason)) => denied_because(reason),
            (_, Ok(_)) => denied(),
        };
        let Verify::Denied { reason, .. } = verdict else {
            return verdict;
        };
        self.reason = self.reason.take().or(reason);
        self.next();
        self.go_on(seq, out)
    }

    fn step(&mut self, method: &Method, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        let due = std::mem::replace(&mut self.due, Due::Begin);
        match (due, self.packet.take()) {
            (Due::Begin, _) => self.first(method, seq, out),
            (Due::Answer { plugin, nonce }, Some(answer)) => {
                self.heard = Some(Heard {
                    plugin: plugin.to_vec(),
                    nonce,
                    answer,
                });
                self.judge(method, seq, out)
            }
            (Due::Signature { nonce }, Some(answer)) => self.parsec_signed(method, &nonce, &answer),
            (Due::Password, Some(answer)) => self.password_came(method, &answer, seq, out),
            (Due::Code { password }, Some(answer)) => {
                self.check(method, Sealed::Open(password), Some(text_of(&answer)))
            }
            (_, None) | (Due::Recall | Due::Check { .. }, Some(_)) => denied(),
        }
    }

    /// Uses an answer that was given already, or asks for one.
    fn first(&mut self, method: &Method, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        if let (Method::Password { asking, .. }, Some(given)) = (method, &self.given)
            && !matches!(asking, Asking::Dialog { code: true })
        {
            return self.check(method, given.clone(), None);
        }
        let plugin = method.plugin();
        // A signature proves nothing to a greeting whose scramble was too short for it.
        if self
            .heard
            .as_ref()
            .is_some_and(|heard| heard.plugin == plugin)
            && self.nonce_len(plugin) == self.heard.as_ref().map_or(0, |heard| heard.nonce.len())
            && plugin != PARSEC
        {
            return self.judge(method, seq, out);
        }
        if !self.can_switch {
            return denied_because("the client cannot be asked for another plugin".to_owned());
        }
        let nonce = if plugin == ED25519 || plugin == PARSEC {
            self.nonces.take().to_vec()
        } else {
            self.scramble.to_vec()
        };
        let mut data = nonce.clone();
        if plugin == NATIVE || plugin == SHA2 {
            data.push(0);
        } else if plugin == CLEAR {
            data.clear();
        } else if plugin == DIALOG {
            data = question(b"Password: ");
        }
        let request = AuthSwitch {
            plugin,
            data: &data,
        };
        frame_with(out, seq, |out| request.encode(out));
        self.due = Due::Answer { plugin, nonce };
        Verify::Asked
    }

    fn nonce_len(&self, plugin: &[u8]) -> usize {
        if plugin == ED25519 || plugin == PARSEC {
            NONCE_LEN
        } else {
            SCRAMBLE_LEN
        }
    }

    /// The first answer for the method's plugin is there.
    fn judge(&mut self, method: &Method, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        let Some(heard) = &self.heard else {
            return denied();
        };
        match method {
            Method::Native(stored) => match native::check(&heard.answer, &self.scramble, stored) {
                Some(proof) if proof.is_empty() => Verify::Granted(Secret::None),
                Some(proof) => Verify::Granted(Secret::Sha1(proof)),
                None => {
                    let mismatch = Mismatch::of(&heard.answer, &self.scramble, stored);
                    self.mismatch = Some(mismatch);
                    denied()
                }
            },
            Method::Ed25519(key) => match <[u8; SIGNATURE_LEN]>::try_from(&*heard.answer) {
                Ok(signature) => {
                    let message = heard.nonce.clone();
                    self.verify_outside(*key, message, signature)
                }
                Err(_) => denied(),
            },
            Method::Parsec(key) => self.parsec_salt(key, seq, out),
            Method::Password { asking, check } => match asking {
                Asking::Sha2 { .. } => self.sha2_came(check, seq, out),
                Asking::Clear | Asking::Dialog { code: false } => {
                    let password = Sealed::Open(text_of(&heard.answer));
                    self.check(method, password, None)
                }
                Asking::Dialog { code: true } => {
                    let password = text_of(&heard.answer);
                    frame_with(out, seq, |out| {
                        out.extend_from_slice(&question(b"Verification code: "));
                    });
                    self.due = Due::Code { password };
                    Verify::Asked
                }
            },
        }
    }

    fn verify_outside(
        &mut self,
        key: [u8; 32],
        message: Vec<u8>,
        signature: [u8; SIGNATURE_LEN],
    ) -> Verify {
        self.due = Due::Check {
            code: None,
            tells: false,
        };
        Verify::Work(Box::new(Work::Verify {
            key,
            message,
            signature,
        }))
    }

    fn parsec_salt(&mut self, key: &ParsecKey, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        let Some(heard) = self.heard.take() else {
            return denied();
        };
        frame_with(out, seq, |out| {
            out.push(PARSEC_KIND);
            out.push(key.factor);
            out.extend_from_slice(&key.salt);
        });
        self.due = Due::Signature { nonce: heard.nonce };
        Verify::Asked
    }

    /// The client signed the server's bytes followed by its own.
    fn parsec_signed(&mut self, method: &Method, nonce: &[u8], answer: &SecretBytes) -> Verify {
        self.heard = Some(Heard {
            plugin: PARSEC.to_vec(),
            nonce: nonce.to_vec(),
            answer: answer.clone(),
        });
        let Method::Parsec(key) = method else {
            return denied();
        };
        let Some((own, signature)) = answer.split_first_chunk::<NONCE_LEN>() else {
            return denied();
        };
        let Ok(signature) = <[u8; SIGNATURE_LEN]>::try_from(signature) else {
            return denied();
        };
        self.verify_outside(key.key, [nonce, own].concat(), signature)
    }

    fn sha2_came(&mut self, check: &PasswordCheck, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        let Some(heard) = &self.heard else {
            return denied();
        };
        if sha2::is_empty(&heard.answer) {
            return match check {
                PasswordCheck::Sha2(stored) if stored.is_empty() => Verify::Granted(Secret::None),
                PasswordCheck::AtServers => Verify::Granted(Secret::None),
                PasswordCheck::Sha2(_)
                | PasswordCheck::Ed25519(_)
                | PasswordCheck::Pam(_)
                | PasswordCheck::Nobody => denied(),
            };
        }
        if matches!(check, PasswordCheck::Sha2(stored) if stored.is_empty()) {
            return denied();
        }
        if heard.answer.len() != NONCE_LEN {
            return self.ask_for_password(seq, out);
        }
        let work = Work::Recall {
            check: check.clone(),
            scramble: self.scramble,
            response: heard.answer.clone(),
        };
        self.due = Due::Recall;
        Verify::Work(Box::new(work))
    }

    fn ask_for_password(&mut self, seq: &mut u8, out: &mut Vec<u8>) -> Verify {
        if !self.private && self.rsa_key().is_none() {
            let text = "the password would have to be sent in the clear: the listener has neither TLS nor an RSA key";
            return denied_because(text.to_owned());
        }
        put_more(seq, out, &[sha2::FULL]);
        self.due = Due::Password;
        Verify::Asked
    }

    fn rsa_key(&self) -> Option<&[u8]> {
        match &self.method {
            Some(Method::Password {
                asking: Asking::Sha2 { key },
                ..
            }) => key.as_deref(),
            _ => None,
        }
    }

    fn password_came(
        &mut self,
        method: &Method,
        answer: &SecretBytes,
        seq: &mut u8,
        out: &mut Vec<u8>,
    ) -> Verify {
        if self.private {
            return self.check(method, Sealed::Open(text_of(answer)), None);
        }
        if **answer == [sha2::ASK_KEY] {
            let Some(key) = self.rsa_key() else {
                return denied();
            };
            put_more(seq, out, key);
            self.due = Due::Password;
            return Verify::Asked;
        }
        // No key is so short. Some clients of MariaDB take a connection for encrypted because it might be.
        if answer.len() < SHORTEST_SEAL && answer.last() == Some(&0) {
            let text = "the client sent its password in the clear, over a connection without TLS";
            return denied_because(text.to_owned());
        }
        let sealed = Sealed::Rsa {
            bytes: answer.to_vec(),
            scramble: self.scramble,
        };
        self.check(method, sealed, None)
    }

    fn check(&mut self, method: &Method, password: Sealed, code: Option<SecretBytes>) -> Verify {
        let Method::Password { check, .. } = method else {
            return denied();
        };
        self.given = Some(password.clone());
        self.due = Due::Check {
            code: code.clone(),
            tells: true,
        };
        Verify::Work(Box::new(Work::Check {
            password,
            code,
            check: check.clone(),
        }))
    }
}

fn denied() -> Verify {
    Verify::Denied {
        reason: None,
        mismatch: None,
    }
}

fn denied_because(reason: String) -> Verify {
    Verify::Denied {
        reason: Some(reason),
        mismatch: None,
    }
}

fn put_more(seq: &mut u8, out: &mut Vec<u8>, data: &[u8]) {
    frame_with(out, seq, |out| {
        out.push(MORE_DATA);
        out.extend_from_slice(data);
    });
}

fn question(text: &[u8]) -> Vec<u8> {
    [&[HIDDEN_QUESTION], text].concat()
}

/// What a client sent up to its NUL.
fn text_of(answer: &SecretBytes) -> SecretBytes {
    let end = answer.iter().position(|byte| *byte == 0);
    SecretBytes::new(
        answer
            .get(..end.unwrap_or(answer.len()))
            .unwrap_or_default(),
    )
}
