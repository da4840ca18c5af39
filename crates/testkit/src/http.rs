//! An HTTP/1.1 client of a few lines, for the REST interface.
//!
//! One connection a request. It sends exactly what it is told, so that a test can be wrong on
//! purpose; what comes back is taken apart strictly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secrets;
use crate::wait::PATIENCE;

/// How long a connection may take; the peer is on this machine.
const CONNECT: Duration = Duration::from_secs(5);

/// A client of one address, with or without a login.
#[derive(Debug, Clone)]
pub struct Rest {
    address: SocketAddr,
    authorization: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, transfer encoding undone.
    pub body: Vec<u8>,
}

impl Rest {
    /// A client that does not log in.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            authorization: None,
        }
    }

    /// The same client with basic authentication.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        ));
        self
    }

    /// Where requests go.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// GET.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn get(&self, path: &str) -> Result<Response> {
        self.request("GET", path, &[], "")
    }

    /// PATCH with a body.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn patch(&self, path: &str, body: &str) -> Result<Response> {
        self.request("PATCH", path, &[], body)
    }

    /// PUT without a body.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn put(&self, path: &str) -> Result<Response> {
        self.request("PUT", path, &[], "")
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn delete(&self, path: &str) -> Result<Response> {
        self.request("DELETE", path, &[], "")
    }

    /// Any request. `Host`, `Connection`, the login and, with a body, `Content-Length` and
    /// `Content-Type` are added unless `headers` has them.
    ///
    /// # Errors
    /// No connection, or what came back is not HTTP/1.1.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| {
            if !headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
            {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        };
        add("Host", &self.address.to_string());
        add("Connection", "close");
        if let Some(authorization) = &self.authorization {
            add("Authorization", authorization);
        }
        if !body.is_empty() {
            add("Content-Length", &body.len().to_string());
            add("Content-Type", "application/json");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = self.raw(format!("{head}\r\n{body}").as_bytes())?;
        Response::parse(&bytes, method == "HEAD")
            .with_context(|| format!("{method} {path} at {}", self.address))
    }

    /// Sends bytes as they are and returns all that comes until the peer closes.
    ///
    /// # Errors
    /// No connection, or the peer did not close within [`PATIENCE`].
    pub fn raw(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .context("the answer was cut off")?;
        secrets::check("a REST answer", &String::from_utf8_lossy(&answer));
        Ok(answer)
    }
}

impl Response {
    /// Takes an answer apart; `headless` of a body, as those to HEAD are.
    ///
    /// # Errors
    /// It is not one whole HTTP/1.1 answer.
    pub fn parse(bytes: &[u8], headless: bool) -> Result<Self> {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .with_context(|| format!("no end of the head in {} bytes", bytes.len()))?;
        let head = std::str::from_utf8(&bytes[..end]).context("the head is not UTF-8")?;
        let mut lines = head.split("\r\n");
        let status = parse_status(lines.next().unwrap_or_default())?;
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').context("a header without colon")?;
                Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut response = Self {
            status,
            headers,
            body: Vec::new(),
        };
        let rest = &bytes[end + 4..];
        if headless || status == 204 || status == 304 {
            ensure!(
                rest.is_empty(),
                "{} bytes after an answer without a body",
                rest.len()
            );
            return Ok(response);
        }
        response.body = response.decode_body(rest)?;
        Ok(response)
    }

    fn decode_body(&self, rest: &[u8]) -> Result<Vec<u8>> {
        if self.header("transfer-encoding") == Some("chunked") {
            return join_chunks(rest);
        }
        if let Some(length) = self.header("content-length") {
            let length: usize = length.parse().context("a length that is no number")?;
            ensure!(
                rest.len() == length,
                "{} bytes came of {length}",
                rest.len()
            );
        }
        Ok(rest.to_vec())
    }

    /// The first header of this name, written in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, with replacements where it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn parse_status(line: &str) -> Result<u16> {
    let mut words = line.split(' ');
    ensure!(
        words.next() == Some("HTTP/1.1"),
        "not an HTTP/1.1 answer: {line:?}"
    );
    words
        .next()
        .and_then(|status| status.parse().ok())
        .context("no status code")
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .context("a chunk was cut off")?;
        let size = std::str::from_utf8(&rest[..line]).context("a chunk size that is no text")?;
        let size = usize::from_str_radix(size, 16).context("a chunk size that is no number")?;
        rest = &rest[line + 2..];
        if rest.get(size..size + 2) != Some(b"\r\n") {
            bail!("a chunk of {size} bytes was cut off");
        }
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expect: Result<(u16, &str), &str>) {
        let got = Response::parse(answer.as_bytes(), false);
        match (got, expect) {
            (Ok(got), Ok((status, body))) => {
                assert_eq!(
                    (got.status, got.text().as_str()),
                    (status, body),
                    "{answer:?}"
                );
            }
            (Err(got), Err(text)) => assert!(got.to_string().contains(text), "{got:#}"),
            (got, expect) => panic!("{answer:?} gave {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn answers_are_taken_apart() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            Ok((200, "{}")),
        );
        check("HTTP/1.1 404 Not Found\r\n\r\n", Ok((404, "")));
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            Ok((200, "abcd")),
        );
    }

    #[test]
    fn broken_answers_are_refused() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            Err("2 bytes came of 3"),
        );
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
            Err("cut off"),
        );
        check("SSH-2.0\r\n\r\n", Err("not an HTTP/1.1 answer"));
        check("HTTP/1.1 204 No Content\r\n\r\nx", Err("without a body"));
    }
}
