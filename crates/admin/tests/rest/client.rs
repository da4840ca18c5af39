//! A client that says exactly what it is told to say, and the server it talks to.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_admin::{Admin, AdminConfig, Cost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fake::FakeHouse;

/// A running interface over a fake house.
pub struct Server {
    pub address: SocketAddr,
    pub house: Arc<FakeHouse>,
    pub folder: TempDir,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Settings for tests: a free port, cheap hashes, UTC.
pub fn config(folder: &TempDir) -> AdminConfig {
    AdminConfig {
        port: 0,
        password_cost: Cost {
            memory_kib: 8,
            passes: 1,
        },
        zone: TimeZone::UTC,
        reverse_lookup: |address| (address.to_string() == "10.0.0.5").then(|| "app.example".into()),
        ..AdminConfig::new(folder.path().join("passwd"))
    }
}

impl Server {
    pub fn start(house: FakeHouse) -> Self {
        Self::start_with(house, |_| ())
    }

    pub fn start_with(house: FakeHouse, adjust: impl FnOnce(&mut AdminConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(&folder);
        adjust(&mut config);
        let admin = Admin::bind(config).unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = watch::channel(false);
        let house = Arc::new(house);
        let address = admin.local_addr();
        let task = tokio::spawn(admin.serve(house.clone(), stopped));
        Self {
            address,
            house,
            folder,
            stop,
            task,
        }
    }

    /// Sends a request line and header lines, and reads the answer to the connection's end.
    pub async fn raw(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        let text = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("read");
        Answer::parse(&bytes)
    }

    /// As `admin`, with header lines more, each with a line end before it.
    pub async fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let login = basic("admin", "mariadb");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: h:8989\r\nAuthorization: {login}\r\n\
             Content-Length: {}{headers}",
            body.len()
        );
        self.raw(&head, body).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, "", "").await
    }

    /// The document at a target that must be there.
    pub async fn document(&self, target: &str) -> Value {
        let answer = self.get(target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer.json()
    }

    /// Stops the interface and waits for its end.
    pub async fn stop(self) {
        self.stop.send(true).expect("still running");
        self.task.await.expect("no panic").expect("no error");
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Self {
            status: status
                .and_then(|status| status.parse().ok())
                .expect("a status"),
            headers,
            body: body.to_owned(),
        };
        if answer.header("transfer-encoding") == Some("chunked") && !body.is_empty() {
            answer.body = unchunked(body);
        }
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The details of an error document.
    pub fn details(&self) -> Vec<String> {
        let document = self.json();
        assert_eq!(
            document.as_object().map(serde_json::Map::len),
            Some(1),
            "{document}"
        );
        let errors = document["errors"].as_array().expect("a list of errors");
        errors
            .iter()
            .map(|error| error["detail"].as_str().expect("a detail").to_owned())
            .collect()
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("a chunk");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return whole;
        }
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
}

/// The value of `Authorization`.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
