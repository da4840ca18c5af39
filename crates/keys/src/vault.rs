//! Keys in a key-value store of Vault, of version 2.
//!
//! A key is read with `GET /v1/<mount>/data/<id>`, the token in the header `X-Vault-Token`; the field
//! `data` of the secret holds 32, 48 or 64 hexadecimal digits. Source: HashiCorp, "KV secrets engine -
//! version 2 (API)", "Read secret version".
//!
//! Left out: keeping keys (every use asks), logging in, renewing tokens, and following a redirection.
//! What the store says besides the key is not quoted: it was sent the token.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tidegate_config::params::KeyParams;
use zeroize::Zeroizing;

use crate::connection::{Place, TlsNames, tls};
use crate::error::KeyError;
use crate::hex;
use crate::key::{KeyManager, ManagedKey, Pending, Version};

/// Bytes of an answer; one with a key has a few hundred.
const ANSWER_BYTES: usize = 64 * 1024;

/// What stays as it is in a path; the slash separates the parts of ids and mounts.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

const TOO_LATE: &str = "look after it, or raise vault.timeout";

const NAMES: TlsNames = TlsNames {
    ca: "vault.ca",
    cert: "vault.ca",
    key: "vault.ca",
    host: "vault.host",
};

/// A store.
#[derive(Debug)]
pub(crate) struct Vault {
    place: Place,
    mount: String,
    token: Token,
    timeout: Duration,
}

/// What lets us in; marked so that the HTTP library does not print it either.
struct Token(HeaderValue);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Vault {
    /// Reads the authorities. Blocks for a moment; nothing is sent yet.
    pub(crate) fn open(params: &KeyParams) -> Result<Vault, KeyError> {
        let setting = |parameter, reason: &str| KeyError::Setting {
            parameter,
            reason: reason.to_owned(),
        };
        let token = params.vault_token.as_ref().map_or("", |it| it.reveal());
        if token.is_empty() {
            return Err(setting("vault.token", "it must be given"));
        }
        let mut token = HeaderValue::from_str(token)
            .map_err(|_| setting("vault.token", "it holds characters that no token can have"))?;
        token.set_sensitive(true);
        let tls = params
            .vault_tls
            .then(|| tls(&params.vault_host, params.vault_ca.as_deref(), None, &NAMES))
            .transpose()?;
        Ok(Vault {
            place: Place {
                name: "Vault",
                host: params.vault_host.clone(),
                port: params.vault_port,
                tls,
            },
            mount: params.vault_mount.trim_matches('/').to_owned(),
            token: Token(token),
            timeout: params.vault_timeout,
        })
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, KeyError>> + Send,
    ) -> Result<T, KeyError> {
        let outcome = tokio::time::timeout(self.timeout, work).await;
        outcome.unwrap_or_else(|_| Err(self.place.late(self.timeout, TOO_LATE)))
    }

    async fn fetch(&self, id: &str, version: Version) -> Result<ManagedKey, KeyError> {
        if id.is_empty() || id.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(self.none(id, version));
        }
        let stream = self.within(self.place.connect()).await?;
        let (status, body) = self.within(self.ask(stream, id, version)).await?;
        if status == StatusCode::OK {
            return self.understand(id, &body);
        }
        Err(self.refusal(status, id, version))
    }

    async fn ask(
        &self,
        stream: Box<dyn crate::connection::Stream>,
        id: &str,
        version: Version,
    ) -> Result<(StatusCode, Bytes), KeyError> {
        let broken = |error: hyper::Error| KeyError::Unreachable {
            place: self.place.shown(),
            reason: error.to_string(),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = self.request(id, version)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect();
            let body = body.await.map_err(|_| {
                self.place
                    .nonsense(id, "the answer was cut off, or is far too long")
            })?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(answer);
        tokio::select! {
            // An answer that has come counts, even if the connection ends with it.
            biased;
            answered = &mut answer => answered,
            _ = connection => answer.await,
        }
    }

    fn request(&self, id: &str, version: Version) -> Result<Request<Empty<Bytes>>, KeyError> {
        let (mount, path) = (
            utf8_percent_encode(&self.mount, PATH),
            utf8_percent_encode(id, PATH),
        );
        let query = match version {
            Version::Latest => String::new(),
            Version::Number(number) => format!("?version={number}"),
        };
        Request::builder()
            .uri(format!("/v1/{mount}/data/{path}{query}"))
            .header(header::HOST, self.place.authority())
            .header(header::ACCEPT, "application/json")
            .header("x-vault-token", &self.token.0)
            .header("x-vault-request", "true")
            .body(Empty::new())
            .map_err(|_| KeyError::Setting {
                parameter: "vault.host",
                reason: "it is no host name".to_owned(),
            })
    }

    fn none(&self, id: &str, version: Version) -> KeyError {
        let version = match version {
            Version::Latest => String::new(),
            Version::Number(number) => format!(", version {number},"),
        };
        KeyError::NoKey {
            id: id.to_owned(),
            place: self.place.shown(),
            remedy: format!(
                "'{}/{id}'{version} must be there, undeleted, and vault.mount a key-value store of version 2",
                self.mount
            ),
        }
    }

    fn refusal(&self, status: StatusCode, id: &str, version: Version) -> KeyError {
        let reason = match status.as_u16() {
            404 => return self.none(id, version),
            400 => {
                "status 400: is vault.mount a key-value store of version 2, and vault.tls what the store speaks?"
            }
            401 | 403 => "the token in vault.token is wrong, has expired, or may not read it (403)",
            503 => "it is sealed or under maintenance (503): unseal it",
            301..=308 => "it redirects to another address: name the active node in vault.host",
            _ => {
                return self
                    .place
                    .refused(id, format!("it answers with status {}", status.as_u16()));
            }
        };
        self.place.refused(id, reason)
    }

    fn understand(&self, id: &str, body: &[u8]) -> Result<ManagedKey, KeyError> {
        // The parser's own words quote what it read.
        let document: Document = serde_json::from_slice(body).map_err(|_| {
            self.place.nonsense(
                id,
                "the answer is not that of a key-value store of version 2 whose secret has a text in its field 'data'",
            )
        })?;
        let secret = document.data;
        let digits = Zeroizing::new(secret.data.data);
        let bytes = hex::key(&digits).map_err(|reason| self.place.nonsense(id, reason))?;
        ManagedKey::new(secret.metadata.version, bytes)
            .map_err(|bits| self.place.nonsense(id, format!("the key has {bits} bits")))
    }
}

impl KeyManager for Vault {
    fn key<'a>(
        &'a self,
        id: &'a str,
        version: Version,
    ) -> Pending<'a, Result<ManagedKey, KeyError>> {
        Box::pin(self.fetch(id, version))
    }
}

/// The answer to a read.
#[derive(Deserialize)]
struct Document {
    data: Secret,
}

#[derive(Deserialize)]
struct Secret {
    data: Fields,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Fields {
    data: String,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}
