//! The socket to a server: TCP or UNIX, and TLS over either.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tidegate_tls::ServerTls;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::Error;
use crate::options::Address;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    TlsTcp(Box<TlsStream<TcpStream>>),
    TlsUnix(Box<TlsStream<UnixStream>>),
}

impl Stream {
    /// Connects to the first address that accepts. Bounded by the caller's deadline.
    pub(crate) async fn connect(address: &Address, local: Option<IpAddr>) -> Result<Self, Error> {
        let failed = |source| Error::Connect {
            address: address.to_string(),
            source,
        };
        match address {
            Address::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await.map_err(failed)?)),
            Address::Tcp { host, port } => {
                let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
                for candidate in resolve(host, *port).await? {
                    match connect_tcp(candidate, local).await {
                        Ok(stream) => return Ok(Self::Tcp(stream)),
                        Err(error) => last = error,
                    }
                }
                Err(failed(last))
            }
        }
    }

    /// The same socket with TLS on it. Bounded by the caller's deadline.
    pub(crate) async fn encrypt(self, tls: &ServerTls) -> Result<Self, Error> {
        let connector = TlsConnector::from(Arc::clone(tls.config()));
        let name = tls.name().clone();
        match self {
            Self::Tcp(stream) => {
                let stream = connector.connect(name, stream).await?;
                Ok(Self::TlsTcp(Box::new(stream)))
            }
            Self::Unix(stream) => {
                let stream = connector.connect(name, stream).await?;
                Ok(Self::TlsUnix(Box::new(stream)))
            }
            encrypted @ (Self::TlsTcp(_) | Self::TlsUnix(_)) => Ok(encrypted),
        }
    }

    /// Reads some bytes to the end of `buffer`; 0 is the end of the stream.
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_buf(buffer).await,
            Self::Unix(stream) => stream.read_buf(buffer).await,
            Self::TlsTcp(stream) => stream.read_buf(buffer).await,
            Self::TlsUnix(stream) => stream.read_buf(buffer).await,
        }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Unix(stream) => stream.write_all(bytes).await,
            Self::TlsTcp(stream) => write_out(stream.as_mut(), bytes).await,
            Self::TlsUnix(stream) => write_out(stream.as_mut(), bytes).await,
        }
    }
}

/// TLS may keep bytes to itself until it is flushed.
async fn write_out(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    match lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(source) => Err(Error::Resolve {
            host: host.to_owned(),
            source,
        }),
    }
}

async fn connect_tcp(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(local) = local.filter(|local| local.is_ipv4() == address.is_ipv4()) {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
