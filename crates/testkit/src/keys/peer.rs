//! Connections, TLS, and moods: what both peers have in common.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::pki::Identity;
use crate::wait::PATIENCE;

/// How a peer behaves from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// It answers.
    #[default]
    Well,
    /// It accepts and reads, and says nothing.
    Silent,
    /// It closes without a word.
    Abrupt,
    /// It answers with something else.
    Garbled,
    /// It does not serve at the moment.
    Sealed,
}

/// Bytes both ways.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A listening socket with a thread that accepts, and one for each connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    accepted: AtomicUsize,
    mood: Mutex<Mood>,
}

impl Peer {
    /// Listens on a free port; `answer` has each connection in turn, but for those that the mood
    /// takes care of.
    pub(super) fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&mut dyn Stream, Mood) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Peer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (seen, answer) = (Arc::clone(&shared), Arc::new(answer));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if seen.closing.load(Ordering::SeqCst) {
                    return;
                }
                seen.accepted.fetch_add(1, Ordering::SeqCst);
                let mood = *seen.mood.lock().unwrap_or_else(PoisonError::into_inner);
                let (tls, answer) = (tls.clone(), Arc::clone(&answer));
                // What a broken connection says is seen at its other end.
                thread::spawn(move || converse(stream, tls, mood, answer.as_ref()));
            }
        });
        Ok(Peer {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub(super) fn set(&self, mood: Mood) {
        *self
            .shared
            .mood
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = mood;
    }

    pub(super) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

fn converse(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    mood: Mood,
    answer: &dyn Fn(&mut dyn Stream, Mood) -> Result<()>,
) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    match mood {
        Mood::Abrupt => return Ok(()),
        Mood::Silent => {
            std::io::copy(&mut stream, &mut std::io::sink())?;
            return Ok(());
        }
        Mood::Well | Mood::Garbled | Mood::Sealed => {}
    }
    let Some(config) = tls else {
        return answer(&mut stream, mood);
    };
    let mut stream = StreamOwned::new(ServerConnection::new(config)?, stream);
    answer(&mut stream, mood)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}

/// TLS as this identity; with an authority, for clients that it has signed alone.
pub(super) fn tls(identity: &Identity, clients: Option<&str>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let cert = CertificateDer::from_pem_slice(identity.cert.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let config = builder
        .with_single_cert(vec![cert], key)
        .context("the identity of a key manager")?;
    Ok(Arc::new(config))
}
