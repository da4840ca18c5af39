//! TLS on one connection: bytes in, bytes out, no socket.
//!
//! Drives rustls through its unbuffered interface, so the bytes lie in our own bounded buffers.
//! What is to be sent before the handshake is complete waits here.
//!
//! The invariant: plaintext comes out in the order its ciphertext came in, and ciphertext in the
//! order its plaintext was sent.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{CommonState, HandshakeKind};
use tidegate_session::{Encryption, PeerCertificate};
use tidegate_tls::{Certificate, ListenerTls, Offer, Peer, ServerTls, explain, openssl_name};

use crate::buffer::{Bytes, Pool};

/// Why TLS failed on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{}", explain(.error, *.peer))]
    Protocol { error: rustls::Error, peer: Peer },
    #[error("{} (the client offers {}; this listener {})", explain(.error, Peer::Client), .offers.0, .offers.1)]
    NothingInCommon {
        error: rustls::Error,
        /// The client's and ours.
        offers: Box<(Offer, Offer)>,
    },
    #[error("{0}")]
    Encode(#[from] EncodeError),
    #[error("{0}")]
    Encrypt(#[from] EncryptError),
}

enum Role {
    Server {
        connection: Box<UnbufferedServerConnection>,
        listener: Arc<ListenerTls>,
        /// Where the client is; `None`: on this machine.
        client: Option<IpAddr>,
    },
    Client(Box<UnbufferedClientConnection>),
}

impl Role {
    fn peer(&self) -> Peer {
        match self {
            Role::Server { .. } => Peer::Client,
            Role::Client(_) => Peer::Server,
        }
    }

    fn error(&self, error: rustls::Error) -> TlsError {
        TlsError::Protocol {
            error,
            peer: self.peer(),
        }
    }
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Server { .. } => "Server",
            Role::Client(_) => "Client",
        })
    }
}

/// The TLS of one connection.
#[derive(Debug)]
pub(crate) struct Tls {
    role: Role,
    /// Ciphertext that is not a whole record yet.
    incoming: Bytes,
    /// Plaintext that waits for the end of the handshake.
    waiting: Bytes,
    peer_closed: bool,
    /// The end of the handshake was told.
    told: bool,
}

/// What one look at rustls' state came to.
enum Looked {
    /// There may be more to do.
    Again,
    /// Nothing before more ciphertext comes.
    Wait,
}

impl Tls {
    /// We are the server, of a client at this address: the peer begins.
    pub(crate) fn server(
        listener: &Arc<ListenerTls>,
        client: Option<IpAddr>,
    ) -> Result<Tls, TlsError> {
        let connection =
            UnbufferedServerConnection::new(Arc::clone(listener.config())).map_err(|error| {
                TlsError::Protocol {
                    error,
                    peer: Peer::Client,
                }
            })?;
        Ok(Tls::new(Role::Server {
            connection: Box::new(connection),
            listener: Arc::clone(listener),
            client,
        }))
    }

    /// We are the client: [`Tls::advance`] begins.
    pub(crate) fn client(server: &ServerTls) -> Result<Tls, TlsError> {
        let (config, name) = (Arc::clone(server.config()), server.name().clone());
        let connection =
            UnbufferedClientConnection::new(config, name).map_err(|error| TlsError::Protocol {
                error,
                peer: Peer::Server,
            })?;
        Ok(Tls::new(Role::Client(Box::new(connection))))
    }

    fn new(role: Role) -> Tls {
        Tls {
            role,
            incoming: Bytes::default(),
            waiting: Bytes::default(),
            peer_closed: false,
            told: false,
        }
    }

    /// Takes ciphertext from the network.
    pub(crate) fn receive(&mut self, ciphertext: &[u8], pool: &mut Pool) {
        self.incoming.append(ciphertext, pool);
    }

    /// The peer said properly that it will send no more.
    pub(crate) fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Bytes that wait to be encrypted.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Encrypts `plain` into `out`, or keeps it until that is possible.
    pub(crate) fn send(
        &mut self,
        plain: &[u8],
        out: &mut Bytes,
        pool: &mut Pool,
    ) -> Result<(), TlsError> {
        let (mut nothing, mut fresh) = (Bytes::default(), plain);
        self.go(&mut nothing, out, &mut fresh, pool)?;
        self.waiting.append(fresh, pool);
        debug_assert!(
            nothing.is_empty(),
            "what was received has been taken out before"
        );
        Ok(())
    }

    /// Goes as far as the bytes that came allow: plaintext into `plain`, ciphertext into `out`.
    pub(crate) fn advance(
        &mut self,
        plain: &mut Bytes,
        out: &mut Bytes,
        pool: &mut Pool,
    ) -> Result<(), TlsError> {
        self.go(plain, out, &mut &[][..], pool)
    }

    /// The same with something to send, of which is left what has to wait.
    fn go(
        &mut self,
        plain: &mut Bytes,
        out: &mut Bytes,
        fresh: &mut &[u8],
        pool: &mut Pool,
    ) -> Result<(), TlsError> {
        loop {
            let incoming = self.incoming.as_mut_slice();
            let mut step = Step {
                plain,
                out,
                waiting: &mut self.waiting,
                fresh,
                peer_closed: &mut self.peer_closed,
                pool,
            };
            let (discard, looked) = match &mut self.role {
                Role::Server { connection, .. } => {
                    step.look(connection.process_tls_records(incoming))
                }
                Role::Client(connection) => step.look(connection.process_tls_records(incoming)),
            };
            let looked = looked.map_err(|failure| self.name_failure(failure));
            self.incoming.consume(discard, pool);
            match looked {
                Ok(Looked::Again) => {}
                Ok(Looked::Wait) => return Ok(()),
                Err(error) => {
                    self.write_alert(out, pool);
                    return Err(error);
                }
            }
        }
    }

    /// After an error there may be an alert that tells the peer what is wrong.
    fn write_alert(&mut self, out: &mut Bytes, pool: &mut Pool) {
        match &mut self.role {
            Role::Server { connection, .. } => {
                encode(connection.process_tls_records(&mut []), out, pool);
            }
            Role::Client(connection) => {
                encode(connection.process_tls_records(&mut []), out, pool);
            }
        }
    }

    /// A client with which nothing can be agreed is told about with both sides' offers.
    fn name_failure(&self, failure: Failure) -> TlsError {
        let error = match failure {
            Failure::Protocol(error) => error,
            Failure::Encode(error) => return error.into(),
            Failure::Encrypt(error) => return error.into(),
        };
        let Role::Server { listener, .. } = &self.role else {
            return self.role.error(error);
        };
        match (&error, Offer::read(self.incoming.as_slice())) {
            (rustls::Error::PeerIncompatible(_), Some(theirs)) => TlsError::NothingInCommon {
                error,
                offers: Box::new((theirs, listener.offer().clone())),
            },
            _ => self.role.error(error),
        }
    }

    /// What came of the handshake; once, when it is complete.
    ///
    /// # Errors
    /// The client's certificate is not one of its address.
    pub(crate) fn encryption(&mut self) -> Result<Option<Encryption>, TlsError> {
        if self.told {
            return Ok(None);
        }
        let common: &CommonState = match &self.role {
            Role::Server { connection, .. } => connection,
            Role::Client(connection) => connection,
        };
        if common.is_handshaking() {
            return Ok(None);
        }
        let suite = common.negotiated_cipher_suite();
        let presented = common.peer_certificates();
        let resumed = common.handshake_kind() == Some(HandshakeKind::Resumed);
        let (mut certificate, mut shown) = (None, None);
        if let Role::Server {
            listener, client, ..
        } = &self.role
        {
            certificate = presented.and_then(read);
            shown = Some(*listener.fingerprint());
            listener
                .admits(presented, *client)
                .map_err(|error| self.role.error(error))?;
        }
        self.told = true;
        Ok(Some(Encryption {
            cipher: suite
                .map_or("unknown", |suite| openssl_name(suite.suite()))
                .into(),
            certificate,
            shown,
            resumed,
        }))
    }

    /// Tells the peer that nothing more will be sent, if the handshake is over.
    pub(crate) fn close(&mut self, out: &mut Bytes, pool: &mut Pool) {
        let incoming = self.incoming.as_mut_slice();
        match &mut self.role {
            Role::Server { connection, .. } => {
                say_goodbye(connection.process_tls_records(incoming), out, pool);
            }
            Role::Client(connection) => {
                say_goodbye(connection.process_tls_records(incoming), out, pool);
            }
        }
    }

    pub(crate) fn give_back(&mut self, pool: &mut Pool) {
        self.incoming.clear(pool);
        self.waiting.clear(pool);
    }
}

fn encode<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut Bytes, pool: &mut Pool) {
    if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
        // A peer that cannot be told sees the end of the stream.
        let _ = fill(out, pool, |room| data.encode(room));
    }
}

fn say_goodbye<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut Bytes, pool: &mut Pool) {
    if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
        // A peer that cannot be told sees the end of the stream.
        let _ = fill(out, pool, |room| traffic.queue_close_notify(room));
    }
}

/// The peer's own certificate, in its own words.
fn read(presented: &[CertificateDer<'static>]) -> Option<PeerCertificate> {
    let read = Certificate::read(presented.first()?)?;
    Some(PeerCertificate {
        subject: read.subject,
        issuer: read.issuer,
    })
}

/// What a step failed with, before it is known what to say of it.
enum Failure {
    Protocol(rustls::Error),
    Encode(EncodeError),
    Encrypt(EncryptError),
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Failure {
        Failure::Protocol(error)
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Failure {
        Failure::Encode(error)
    }
}

impl From<EncryptError> for Failure {
    fn from(error: EncryptError) -> Failure {
        Failure::Encrypt(error)
    }
}

struct Step<'a, 'f> {
    plain: &'a mut Bytes,
    out: &'a mut Bytes,
    waiting: &'a mut Bytes,
    fresh: &'a mut &'f [u8],
    peer_closed: &'a mut bool,
    pool: &'a mut Pool,
}

impl Step<'_, '_> {
    /// Does what one state asks for; also says how much ciphertext was used up.
    fn look<Data>(
        &mut self,
        status: UnbufferedStatus<'_, '_, Data>,
    ) -> (usize, Result<Looked, Failure>) {
        let UnbufferedStatus { mut discard, state } = status;
        let looked = match state {
            Err(error) => Err(error.into()),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    None => break Ok(Looked::Again),
                    Some(Err(error)) => break Err(error.into()),
                    Some(Ok(record)) => {
                        discard += record.discard;
                        self.plain.append(record.payload, self.pool);
                    }
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                fill(self.out, self.pool, |room| data.encode(room)).map(|()| Looked::Again)
            }
            // What was encoded is queued in `out`, which keeps its order: as good as transmitted.
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Ok(Looked::Again)
            }
            Ok(ConnectionState::WriteTraffic(traffic)) => {
                self.encrypt(traffic).map(|()| Looked::Wait)
            }
            Ok(ConnectionState::PeerClosed) => {
                *self.peer_closed = true;
                Ok(Looked::Again)
            }
            // Early data is never enabled; an unknown state can only wait.
            Ok(_) => Ok(Looked::Wait),
        };
        (discard, looked)
    }

    /// What waited goes first; what is sent now goes straight from where it lies.
    fn encrypt<Data>(&mut self, mut traffic: WriteTraffic<'_, Data>) -> Result<(), Failure> {
        if !self.waiting.is_empty() {
            let plain = self.waiting.as_slice();
            fill(self.out, self.pool, |room| traffic.encrypt(plain, room))?;
            self.waiting.clear(self.pool);
        }
        let fresh = std::mem::take(self.fresh);
        if !fresh.is_empty() {
            fill(self.out, self.pool, |room| traffic.encrypt(fresh, room))?;
        }
        Ok(())
    }
}

/// An error that may say how much room was missing.
trait Missing: Into<Failure> {
    fn missing(&self) -> Option<usize>;
}

impl Missing for EncodeError {
    fn missing(&self) -> Option<usize> {
        match self {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncodeError::AlreadyEncoded => None,
        }
    }
}

impl Missing for EncryptError {
    fn missing(&self) -> Option<usize> {
        match self {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncryptError::EncryptExhausted => None,
        }
    }
}

/// Lets `write` write at the end of `out`, with as much room as it asks for.
fn fill<E: Missing>(
    out: &mut Bytes,
    pool: &mut Pool,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), Failure> {
    let mut room = 0;
    loop {
        let buffer = out.writable(room, pool);
        let end = buffer.len();
        buffer.resize(end + room, 0);
        let result = write(&mut buffer[end..]);
        buffer.truncate(end + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(_) => return Ok(()),
            Err(error) => match error.missing() {
                Some(missing) if missing > room => room = missing,
                _ => return Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
