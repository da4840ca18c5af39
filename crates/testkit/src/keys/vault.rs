//! A Vault with one key-value store of version 2, mounted at `secret`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::peer::{Mood, Peer, Stream, tls};
use super::random_digits;
use crate::pki::Identity;
use crate::secrets;

/// Where the store is mounted.
const MOUNT: &str = "/v1/secret/data/";

/// A store. Dropping it closes its port.
#[derive(Debug)]
pub struct VaultPeer {
    peer: Peer,
    secrets: Arc<Secrets>,
}

#[derive(Debug)]
struct Secrets {
    token: String,
    versions: Mutex<BTreeMap<String, Vec<String>>>,
}

impl VaultPeer {
    /// A store with a token of its own; HTTPS with an identity, else HTTP.
    ///
    /// # Errors
    /// No port, no randomness, or an identity that is none.
    pub fn start(identity: Option<&Identity>) -> Result<VaultPeer> {
        let token = format!("hvs.{}", random_digits(16)?);
        secrets::remember(&token);
        let secrets = Arc::new(Secrets {
            token,
            versions: Mutex::default(),
        });
        let config = identity.map(|identity| tls(identity, None)).transpose()?;
        let held = Arc::clone(&secrets);
        let peer = Peer::start(config, move |stream, mood| held.answer(stream, mood))?;
        Ok(VaultPeer { peer, secrets })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// The token that may read.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.secrets.token
    }

    /// Adds a version of a secret, whose field `data` holds this.
    pub fn put(&self, id: &str, data: &str) {
        let mut versions = self.secrets.lock();
        versions
            .entry(id.to_owned())
            .or_default()
            .push(data.to_owned());
    }

    /// Behaves like this from the next connection on.
    pub fn set(&self, mood: Mood) {
        self.peer.set(mood);
    }

    /// How many connections there were.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.peer.accepted()
    }
}

impl Secrets {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, stream: &mut dyn Stream, mood: Mood) -> Result<()> {
        let (path, token) = request(stream)?;
        let (status, body) = match mood {
            Mood::Sealed => (503, r#"{"errors":["Vault is sealed"]}"#.to_owned()),
            Mood::Garbled => (200, format!(r#"{{"data":{{"token":"{token}"}}}}"#)),
            _ if token != self.token => (403, r#"{"errors":["permission denied"]}"#.to_owned()),
            _ => self.read(&path),
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes())?;
        stream.flush()?;
        Ok(())
    }

    fn read(&self, path: &str) -> (u16, String) {
        let none = || (404, r#"{"errors":[]}"#.to_owned());
        let Some(rest) = path.strip_prefix(MOUNT) else {
            return none();
        };
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        let secrets = self.lock();
        let Some(versions) = secrets.get(id) else {
            return none();
        };
        let wanted = query
            .strip_prefix("version=")
            .and_then(|it| it.parse().ok());
        let number = wanted.unwrap_or(versions.len());
        match number.checked_sub(1).and_then(|index| versions.get(index)) {
            None => none(),
            Some(data) => {
                let body = format!(
                    r#"{{"request_id":"1","data":{{"data":{{"data":"{data}"}},"metadata":{{"created_time":"2026-01-01T00:00:00Z","destroyed":false,"version":{number}}}}}}}"#
                );
                (200, body)
            }
        }
    }
}

/// Path and token of a request without a body.
fn request(stream: &mut dyn Stream) -> Result<(String, String)> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().context("no request")??;
    let path = first.split(' ').nth(1).context("no path")?.to_owned();
    let mut token = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("x-vault-token")
        {
            value.trim().clone_into(&mut token);
        }
    }
    Ok((path, token))
}
