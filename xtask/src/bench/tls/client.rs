//! A client that speaks TLS from its first byte, or asks for it as MariaDB's clients do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tidegate_testkit::raw::{
    CLIENT_LONG_PASSWORD, CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION,
    CLIENT_SSL, native_password,
};
use tidegate_testkit::{Account, PATIENCE};

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// At once.
    Encrypted,
    /// When the client has asked for it.
    OnRequest,
}

/// What clients agree to: one version, one cipher suite, one authority.
#[derive(Debug, Clone)]
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    pub(super) fn new(ca: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
        let mut provider = default_provider();
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_256_GCM_SHA384];
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// The same, but every handshake is a full one.
    pub(super) fn forgetful(&self) -> Self {
        self.with(Resumption::disabled())
    }

    /// The same with tickets of its own.
    pub(super) fn separate(&self) -> Self {
        self.with(Resumption::in_memory_sessions(8))
    }

    fn with(&self, resumption: Resumption) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = resumption;
        Self(Arc::new(config))
    }
}

/// A logged-in client.
pub(super) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Client {
    /// Connects and logs in.
    pub(super) fn log_in(
        address: SocketAddr,
        door: Door,
        trust: &Trust,
        account: &Account,
    ) -> Result<Self> {
        let (mut stream, mut greeting) = encrypt(address, door, trust)?;
        if door == Door::Encrypted {
            greeting = read_packet(&mut stream)?.1;
        }
        let number = if door == Door::Encrypted { 1 } else { 2 };
        let mut response = head(door);
        response.extend_from_slice(account.user.as_bytes());
        response.extend_from_slice(&[0, 20]);
        response.extend_from_slice(&native_password(&account.password, &scramble(&greeting)?));
        response.extend_from_slice(b"mysql_native_password\0");
        write_packet(&mut stream, number, &response)?;
        let (_, verdict) = read_packet(&mut stream)?;
        ensure!(
            verdict.first() == Some(&0),
            "the login was refused: {verdict:?}"
        );
        Ok(Self { stream })
    }

    /// Runs a statement and reads its answer to the end.
    pub(super) fn query(&mut self, sql: &str) -> Result<()> {
        write_packet(&mut self.stream, 0, &[b"\x03", sql.as_bytes()].concat())?;
        let (_, first) = read_packet(&mut self.stream)?;
        ensure!(first.first() != Some(&0xff), "{sql} failed: {first:?}");
        if first.first() == Some(&0) {
            return Ok(());
        }
        let mut ends = 0;
        while ends < 2 {
            let (_, packet) = read_packet(&mut self.stream)?;
            ends += u8::from(packet.first() == Some(&0xfe) && packet.len() < 9);
        }
        Ok(())
    }

    /// Connects, and closes as soon as the connection is encrypted; tickets are taken along.
    pub(super) fn handshake(address: SocketAddr, door: Door, trust: &Trust) -> Result<()> {
        let (mut stream, _) = encrypt(address, door, trust)?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        stream.sock.shutdown(std::net::Shutdown::Write)?;
        // However the peer closes.
        while stream
            .conn
            .read_tls(&mut stream.sock)
            .is_ok_and(|count| count > 0)
        {
            if stream.conn.process_new_packets().is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// A connection on which TLS is about to begin, and the greeting that came before.
fn encrypt(
    address: SocketAddr,
    door: Door,
    trust: &Trust,
) -> Result<(StreamOwned<ClientConnection, TcpStream>, Vec<u8>)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut greeting = Vec::new();
    if door == Door::OnRequest {
        greeting = read_packet(&mut socket)?.1;
        write_packet(&mut socket, 1, &head(door))?;
    }
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::clone(&trust.0), name)?;
    Ok((StreamOwned::new(connection, socket), greeting))
}

/// The fixed part of a handshake response, which alone asks for TLS.
fn head(door: Door) -> Vec<u8> {
    let tls = if door == Door::OnRequest {
        CLIENT_SSL
    } else {
        0
    };
    let bits = CLIENT_LONG_PASSWORD
        | CLIENT_PROTOCOL_41
        | CLIENT_SECURE_CONNECTION
        | CLIENT_PLUGIN_AUTH
        | tls;
    let mut bytes = bits.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(1u32 << 24).to_le_bytes());
    bytes.push(45);
    bytes.extend_from_slice(&[0; 23]);
    bytes
}

/// The scramble of a greeting: 8 bytes behind version and connection id, and 12 more.
fn scramble(greeting: &[u8]) -> Result<Vec<u8>> {
    let text = greeting.get(1..).context("an empty greeting")?;
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .context("a greeting without version")?;
    let rest = text.get(end + 5..).context("a short greeting")?;
    let (first, second) = (rest.get(..8), rest.get(27..39));
    Ok([
        first.context("a short greeting")?,
        second.context("a short greeting")?,
    ]
    .concat())
}

fn read_packet(stream: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let [a, b, c, number] = header;
    let mut payload = vec![0; usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16];
    stream.read_exact(&mut payload)?;
    Ok((number, payload))
}

fn write_packet(stream: &mut impl Write, number: u8, payload: &[u8]) -> Result<()> {
    let [a, b, c, _] = u32::try_from(payload.len())?.to_le_bytes();
    stream.write_all(&[&[a, b, c, number], payload].concat())?;
    Ok(stream.flush()?)
}
