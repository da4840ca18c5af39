//! The listening socket and its connections.

use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::respond;
use super::guard::Guarded;
use crate::app::App;
use crate::auth::{HostLists, Tokens, Users};
use crate::config::{AdminConfig, StartError};
use crate::house::House;

/// Bytes that the head of a request may have.
const HEAD_BYTES: usize = 32 * 1024;
/// Pause after the kernel refused a connection, usually for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A REST interface that has its port and its users, and does not answer yet.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    config: AdminConfig,
    users: Arc<Users>,
    hosts: HostLists,
    tokens: Tokens,
}

impl Admin {
    /// Opens the port and reads the users; makes the first user where there is none. Blocks for
    /// a moment, as it may hash a password.
    ///
    /// # Errors
    ///
    /// The port cannot be had, the users' file cannot be used, or a host list has a mistake.
    pub fn bind(config: AdminConfig) -> Result<Self, StartError> {
        let hosts = HostLists::parse(&config.readwrite_hosts, &config.readonly_hosts)
            .map_err(|(parameter, entry)| StartError::Host { parameter, entry })?;
        let failed = |cause| StartError::Bind {
            host: config.host.clone(),
            port: config.port,
            cause,
        };
        let tokens = Tokens::new(&config.tokens).map_err(StartError::Random)?;
        let listener = TcpListener::bind((config.host.as_str(), config.port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let users = Users::open(&config.users_file, config.password_cost)?;
        Ok(Self {
            listener,
            address,
            config,
            users: Arc::new(users),
            hosts,
            tokens,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is true or its sender is gone; then finishes what is
    /// being answered and returns.
    ///
    /// # Errors
    ///
    /// The socket cannot be handed to the runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the port and every connection at once.
    pub async fn serve(
        self,
        house: Arc<dyn House>,
        mut shutdown: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let slots = Arc::new(Semaphore::new(self.config.limits.connections));
        let authority = authority(&self.config.host, self.address.port());
        let app = Arc::new(App::new(
            house,
            (self.users, self.hosts, self.tokens),
            self.config,
            authority,
        ));
        let mut connections = JoinSet::new();
        loop {
            let accept = async {
                match Arc::clone(&slots).acquire_owned().await {
                    Ok(slot) => (listener.accept().await, slot),
                    Err(_) => pending().await,
                }
            };
            tokio::select! {
                (accepted, slot) = accept => match accepted {
                    Ok((stream, peer)) => {
                        let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
                        connections.spawn(async move {
                            converse(app, stream, peer, shutdown).await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("REST interface: cannot accept a connection: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                () = told_to_stop(&mut shutdown) => break,
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

/// Serves one connection to its end.
async fn converse(
    app: Arc<App>,
    stream: TcpStream,
    peer: SocketAddr,
    mut shutdown: watch::Receiver<bool>,
) {
    let limits = app.config.limits;
    // Answers are small and waited for; a refusal only means they may take 40 ms more.
    let _ = stream.set_nodelay(true);
    let address = peer.ip().to_canonical();
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { respond(&app, address, request).await }
    });
    let io = TokioIo::new(Guarded::new(stream, limits.silence));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(io, service)
    );
    // Whatever ends a connection is the peer's affair: a port scan, a probe, a slow reader.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = told_to_stop(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(limits.shutdown, connection).await;
        }
    }
}

/// Waits until `shutdown` is true or its sender is gone.
async fn told_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// What links name when a request does not say by which name it came.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
