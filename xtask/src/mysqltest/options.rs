//! Where a server is found, in the options file that the runner writes.

use std::net::{TcpListener, TcpStream};

use anyhow::{Context as _, Result};

/// The group of the server that tests talk to unless they say otherwise.
const FIRST_SERVER: &str = "mysqld.1";

/// The groups that clients read.
const CLIENTS: [&str; 2] = ["client", "mysqltest"];

/// Where servers listen behind the proxy, so that their ports are free where clients look for them.
pub(super) const SERVER_ADDRESS: &str = "127.0.0.2";

/// Where clients look for them.
pub(super) const CLIENT_ADDRESS: &str = "127.0.0.1";

/// Where the first server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) port: String,
    pub(super) socket: String,
}

impl Place {
    /// Where the first server of an options file listens.
    pub(super) fn of_first_server(text: &str) -> Result<Self> {
        let value = |name: &str| {
            lines(text)
                .find(|line| line.group == FIRST_SERVER && line.name() == name)
                .and_then(|line| line.value())
                .map(str::to_owned)
                .with_context(|| format!("the options file names no {name} of {FIRST_SERVER}"))
        };
        Ok(Self {
            port: value("port")?,
            socket: value("socket")?,
        })
    }

    /// Whether the server listens at [`SERVER_ADDRESS`] and nowhere else: some tests forbid their
    /// server to listen at all.
    pub(super) fn leaves_its_port(&self) -> bool {
        let Ok(port) = self.port.parse::<u16>() else {
            return false;
        };
        TcpStream::connect((SERVER_ADDRESS, port)).is_ok()
            && TcpListener::bind((CLIENT_ADDRESS, port)).is_ok()
    }
}

/// The options file with all clients of `server` sent to another socket.
pub(super) fn with_clients_at(text: &str, server: &Place, socket: &str) -> String {
    let mut new = String::with_capacity(text.len());
    for line in lines(text) {
        let own = line.name() == "socket" && line.value() == Some(&server.socket);
        if own && line.is_for_clients() {
            new.push_str(&format!("socket={socket}"));
        } else {
            new.push_str(line.text);
        }
        new.push('\n');
    }
    new
}

/// A line and the group it stands in.
struct Line<'a> {
    group: &'a str,
    text: &'a str,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut group = "";
    text.lines().map(move |text| {
        let name = text.trim().strip_prefix('[');
        if let Some(name) = name.and_then(|name| name.strip_suffix(']')) {
            group = name;
        }
        Line { group, text }
    })
}

impl<'a> Line<'a> {
    fn is_for_clients(&self) -> bool {
        CLIENTS.iter().any(|name| self.group.starts_with(name))
    }

    fn name(&self) -> &'a str {
        self.text.split('=').next().unwrap_or_default().trim()
    }

    fn value(&self) -> Option<&'a str> {
        let (_, value) = self.text.split_once('=')?;
        Some(value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
[mysqld.1]
port=16000
socket=/s/1.sock
[mysqld.2]
port=16001
[client]
user=root
port=16000
socket=/s/1.sock
[client.2]
port=16001
";

    #[test]
    fn clients_are_sent_elsewhere_and_servers_stay() {
        let server = Place::of_first_server(FILE).expect("a place");
        let expected = "\
[mysqld.1]
port=16000
socket=/s/1.sock
[mysqld.2]
port=16001
[client]
user=root
port=16000
socket=/p.sock
[client.2]
port=16001
";
        assert_eq!(with_clients_at(FILE, &server, "/p.sock"), expected);
    }

    #[test]
    fn a_file_without_a_server_is_an_error() {
        assert!(Place::of_first_server("[client]\nport=1\n").is_err());
    }
}
