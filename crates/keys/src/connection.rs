//! One connection to a key manager, with TLS or without, and how its errors are told.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_tls::{Peer, Problem, ServerTls, TlsSettings, explain};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::KeyError;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where a key manager is.
#[derive(Debug)]
pub(crate) struct Place {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `None`: in the clear.
    pub(crate) tls: Option<ServerTls>,
}

/// The parameters that TLS problems are told by, instead of the names that servers have for them.
pub(crate) struct TlsNames {
    pub(crate) ca: &'static str,
    pub(crate) cert: &'static str,
    pub(crate) key: &'static str,
    pub(crate) host: &'static str,
}

impl Place {
    /// What it is, and where.
    pub(crate) fn shown(&self) -> String {
        format!("{} at {}", self.name, self.authority())
    }

    /// Host and port, as in URLs.
    pub(crate) fn authority(&self) -> String {
        let bare = self.host.trim_matches(['[', ']']);
        if bare.contains(':') {
            format!("[{bare}]:{}", self.port)
        } else {
            format!("{bare}:{}", self.port)
        }
    }

    /// A connection. Bounded by the caller's deadline.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, KeyError> {
        let host = self.host.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.port))
            .await
            .map_err(|error| self.broken(&error))?;
        // Only delays what is sent.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let connector = TlsConnector::from(Arc::clone(tls.config()));
        match connector.connect(tls.name().clone(), tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// A connection that could not be made, or broke.
    pub(crate) fn broken(&self, error: &io::Error) -> KeyError {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        KeyError::Unreachable {
            place: self.shown(),
            reason: tls.map_or_else(|| error.to_string(), |tls| explain(tls, Peer::KeyManager)),
        }
    }

    /// An answer that makes no sense.
    pub(crate) fn nonsense(&self, id: &str, reason: impl Into<String>) -> KeyError {
        KeyError::Answer {
            place: self.shown(),
            id: id.to_owned(),
            reason: reason.into(),
        }
    }

    /// What the manager does not want to do.
    pub(crate) fn refused(&self, id: &str, reason: impl Into<String>) -> KeyError {
        KeyError::Refused {
            place: self.shown(),
            id: id.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn late(&self, after: Duration, remedy: &'static str) -> KeyError {
        KeyError::Late {
            place: self.shown(),
            after,
            remedy,
        }
    }
}

/// TLS that verifies certificate and name, whatever else: these are keys.
pub(crate) fn tls(
    host: &str,
    ca: Option<&Path>,
    identity: Option<(&Path, &Path)>,
    names: &TlsNames,
) -> Result<ServerTls, KeyError> {
    let settings = TlsSettings {
        ca: ca.map(Path::to_owned),
        cert: identity.map(|(cert, _)| cert.to_owned()),
        key: identity.map(|(_, key)| key.to_owned()),
        verify_certificate: true,
        verify_host: true,
        ..TlsSettings::default()
    };
    match ServerTls::build(&settings, host) {
        Ok((tls, _)) => Ok(tls),
        Err(problems) => Err(problem(problems, names)),
    }
}

fn problem(problems: Vec<Problem>, names: &TlsNames) -> KeyError {
    let Some(problem) = problems.into_iter().next() else {
        return KeyError::Defect("TLS failed without a reason");
    };
    let parameter = match problem.parameter {
        "ssl_ca" => names.ca,
        "ssl_cert" => names.cert,
        "ssl_key" => names.key,
        _ => names.host,
    };
    let file = problem.path.map(|path| format!("'{}': ", path.display()));
    KeyError::Setting {
        parameter,
        reason: file.unwrap_or_default() + &problem.reason,
    }
}
