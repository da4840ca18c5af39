//! TLS on one connection: bytes in, bytes out, no socket.
//!
//! Drives rustls through its unbuffered interface, so the bytes lie in our own bounded buffers.
//! What is to be sent before the handshake is complete waits here.
//!
//! The invariant: plaintext comes out in the order its ciphertext came in, and ciphertext in the
//! order its plaintext was sent.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{ClientConfig, ServerConfig};

use crate::buffer::{Bytes, Pool};

/// Why TLS failed on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("TLS: {0}")]
    Protocol(#[from] rustls::Error),
    #[error("TLS: {0}")]
    Encode(#[from] EncodeError),
    #[error("TLS: {0}")]
    Encrypt(#[from] EncryptError),
}

enum Role {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Server(_) => "Server",
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
}

/// What one look at rustls' state came to.
enum Looked {
    /// There may be more to do.
    Again,
    /// Nothing before more ciphertext comes.
    Wait,
}

impl Tls {
    /// We are the server: the peer begins.
    pub(crate) fn server(config: &Arc<ServerConfig>) -> Result<Tls, TlsError> {
        Ok(Tls::new(Role::Server(UnbufferedServerConnection::new(
            Arc::clone(config),
        )?)))
    }

    /// We are the client: [`Tls::advance`] begins.
    pub(crate) fn client(
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
    ) -> Result<Tls, TlsError> {
        let connection = UnbufferedClientConnection::new(Arc::clone(config), name.clone())?;
        Ok(Tls::new(Role::Client(connection)))
    }

    fn new(role: Role) -> Tls {
        Tls {
            role,
            incoming: Bytes::default(),
            waiting: Bytes::default(),
            peer_closed: false,
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
        self.waiting.append(plain, pool);
        let mut nothing = Bytes::default();
        self.advance(&mut nothing, out, pool)?;
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
        loop {
            let incoming = self.incoming.as_mut_slice();
            let mut step = Step {
                plain,
                out,
                waiting: &mut self.waiting,
                peer_closed: &mut self.peer_closed,
                pool,
            };
            let (discard, looked) = match &mut self.role {
                Role::Server(connection) => step.look(connection.process_tls_records(incoming)),
                Role::Client(connection) => step.look(connection.process_tls_records(incoming)),
            };
            self.incoming.consume(discard, pool);
            match looked? {
                Looked::Again => {}
                Looked::Wait => return Ok(()),
            }
        }
    }

    pub(crate) fn give_back(&mut self, pool: &mut Pool) {
        self.incoming.clear(pool);
        self.waiting.clear(pool);
    }
}

struct Step<'a> {
    plain: &'a mut Bytes,
    out: &'a mut Bytes,
    waiting: &'a mut Bytes,
    peer_closed: &'a mut bool,
    pool: &'a mut Pool,
}

impl Step<'_> {
    /// Does what one state asks for; also says how much ciphertext was used up.
    fn look<Data>(
        &mut self,
        status: UnbufferedStatus<'_, '_, Data>,
    ) -> (usize, Result<Looked, TlsError>) {
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
                self.encrypt_waiting(traffic).map(|()| Looked::Wait)
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

    fn encrypt_waiting<Data>(
        &mut self,
        mut traffic: WriteTraffic<'_, Data>,
    ) -> Result<(), TlsError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let plain = self.waiting.as_slice();
        fill(self.out, self.pool, |room| traffic.encrypt(plain, room))?;
        self.waiting.clear(self.pool);
        Ok(())
    }
}

/// An error that may say how much room was missing.
trait Missing: Into<TlsError> {
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
) -> Result<(), TlsError> {
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
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ClientConnection, RootCertStore, StreamOwned};

    use super::*;

    fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let made = rcgen::generate_simple_self_signed(["db.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    }

    fn name() -> ServerName<'static> {
        ServerName::try_from("db.test").unwrap()
    }

    /// Serves `socket` as an echo of everything in upper case, until the peer closes.
    fn serve(mut socket: UnixStream, config: &Arc<ServerConfig>) {
        let (mut pool, mut plain, mut out) = (Pool::default(), Bytes::default(), Bytes::default());
        let mut tls = Tls::server(config).unwrap();
        let mut buffer = [0; 1000];
        loop {
            let read = socket.read(&mut buffer).unwrap();
            if read == 0 {
                return;
            }
            tls.receive(&buffer[..read], &mut pool);
            tls.advance(&mut plain, &mut out, &mut pool).unwrap();
            let answer = plain.as_slice().to_ascii_uppercase();
            plain.clear(&mut pool);
            tls.send(&answer, &mut out, &mut pool).unwrap();
            socket.write_all(out.as_slice()).unwrap();
            out.clear(&mut pool);
            if tls.peer_closed() {
                return;
            }
        }
    }

    #[test]
    fn an_ordinary_client_is_served() {
        let (server, client) = configs();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || serve(ours, &server));
        let connection = ClientConnection::new(client, name()).unwrap();
        let mut stream = StreamOwned::new(connection, theirs);
        let text = "select 1; ".repeat(20_000);
        let mut answer = vec![0; text.len()];
        for (chunk, into) in text.as_bytes().chunks(5000).zip(answer.chunks_mut(5000)) {
            stream.write_all(chunk).unwrap();
            stream.read_exact(into).unwrap();
        }
        assert!(answer == text.to_ascii_uppercase().as_bytes());
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn both_ends_are_ours_and_what_is_sent_early_waits() {
        let (server, client) = configs();
        let mut pool = Pool::default();
        let (mut client, mut server) = (
            Tls::client(&client, &name()).unwrap(),
            Tls::server(&server).unwrap(),
        );
        let (mut at_client, mut at_server) = (Bytes::default(), Bytes::default());
        let (mut to_client, mut to_server) = (Bytes::default(), Bytes::default());
        client.send(b"early", &mut to_server, &mut pool).unwrap();
        for _ in 0..10 {
            // One byte at a time: records come in pieces.
            for byte in to_server.as_slice().to_vec() {
                server.receive(&[byte], &mut pool);
                server
                    .advance(&mut at_server, &mut to_client, &mut pool)
                    .unwrap();
            }
            to_server.clear(&mut pool);
            client.receive(to_client.as_slice(), &mut pool);
            to_client.clear(&mut pool);
            client
                .advance(&mut at_client, &mut to_server, &mut pool)
                .unwrap();
        }
        assert_eq!(at_server.as_slice(), b"early");
        assert_eq!((server.waiting(), client.waiting()), (0, 0));
    }

    #[test]
    fn plain_text_where_tls_was_agreed_is_an_error() {
        let (server, _) = configs();
        let mut pool = Pool::default();
        let mut tls = Tls::server(&server).unwrap();
        tls.receive(b"\x20\x00\x00\x01 this is not TLS", &mut pool);
        let error = tls
            .advance(&mut Bytes::default(), &mut Bytes::default(), &mut pool)
            .unwrap_err();
        assert!(error.to_string().starts_with("TLS: "), "{error}");
    }
}
