//! Configurations over real servers, and the few looks at a running program that all tests take.

use std::net::SocketAddr;
use std::sync::LazyLock;

use serde_json::Value;
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{ServerGroup, Tidegate, TidegateBuilder, wait_until};

/// A primary and two replicas that no test changes but for accounts and tables of its own.
static GROUP: LazyLock<ServerGroup> = LazyLock::new(|| {
    ServerGroup::builder()
        .replicas(2)
        .option("local_infile=1")
        .option("max_allowed_packet=64M")
        .start()
        .expect("a server group")
});

/// The shared servers.
pub(crate) fn group() -> &'static ServerGroup {
    &GROUP
}

/// A configuration in the making: `RW-Split-Router` on `<port:rw>`, `Read-Connection-Router` over
/// the replicas on `<port:read>`, and `CLI`, as in the files of old.
pub(crate) struct Plan<'a> {
    group: &'a ServerGroup,
    servers: Vec<(String, SocketAddr)>,
    ranks: Vec<(String, String)>,
    server_lines: String,
    listener_lines: String,
    globals: String,
    split: String,
    read: String,
    more: String,
}

impl<'a> Plan<'a> {
    /// Over all servers of a group.
    pub(crate) fn new(group: &'a ServerGroup) -> Self {
        let servers = group.servers().iter();
        Self {
            group,
            servers: servers
                .map(|server| (server.name().to_owned(), server.address()))
                .collect(),
            ranks: Vec::new(),
            server_lines: String::new(),
            listener_lines: String::new(),
            globals: String::new(),
            split: String::new(),
            read: "router_options=slave\n".to_owned(),
            more: String::new(),
        }
    }

    /// Lines for `[maxscale]`.
    pub(crate) fn globals(mut self, lines: &str) -> Self {
        self.globals.push_str(lines);
        self
    }

    /// Lines for every server.
    pub(crate) fn every_server(mut self, lines: &str) -> Self {
        self.server_lines.push_str(lines);
        self
    }

    /// Lines for the listener of readwritesplit.
    pub(crate) fn listener(mut self, lines: &str) -> Self {
        self.listener_lines.push_str(lines);
        self
    }

    /// Lines for the service with readwritesplit.
    pub(crate) fn split(mut self, lines: &str) -> Self {
        self.split.push_str(lines);
        self
    }

    /// The lines for the service with readconnroute, in place of `router_options=slave`.
    pub(crate) fn read(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.read);
        self
    }

    /// Further sections.
    pub(crate) fn more(mut self, sections: &str) -> Self {
        self.more.push_str(sections);
        self
    }

    /// Another address for a server, such as that of a relay before it.
    pub(crate) fn at(mut self, server: &str, address: SocketAddr) -> Self {
        for (name, place) in &mut self.servers {
            if name == server {
                *place = address;
            }
        }
        self
    }

    /// A server's rank, in place of the default.
    pub(crate) fn rank(mut self, server: &str, rank: &str) -> Self {
        self.ranks.push((server.to_owned(), rank.to_owned()));
        self
    }

    /// Over these servers of the group only.
    pub(crate) fn only(mut self, names: &[&str]) -> Self {
        self.servers
            .retain(|(name, _)| names.contains(&name.as_str()));
        self
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let names: Vec<&str> = self.servers.iter().map(|(name, _)| name.as_str()).collect();
        let accounts = self.group.accounts();
        let monitor = &accounts.monitor;
        let servers: String = self
            .servers
            .iter()
            .map(|server| server_section(server, &self.ranks, &self.server_lines))
            .collect();
        FILE.replace("<globals>\n", &self.globals)
            .replace("<server sections>\n", &servers)
            .replace("<listener>\n", &self.listener_lines)
            .replace("<split>\n", &self.split)
            .replace("<read>\n", &self.read)
            .replace("<more>\n", &self.more)
            .replace("<names>", &names.join(","))
            .replace("<monitor>", &credentials(monitor))
            .replace("<service>", &credentials(&accounts.service))
    }

    /// A way to start the program on it.
    pub(crate) fn builder(&self) -> TidegateBuilder {
        Tidegate::builder(&self.text())
    }

    /// The running program.
    pub(crate) fn start(&self) -> Tidegate {
        self.builder().start().expect("tidegate")
    }
}

const FILE: &str = "\
[maxscale]
threads=2
admin_host=127.0.0.1
admin_port=<port:admin>
log_info=true
<globals>

<server sections>

[Monitor]
type=monitor
module=mariadbmon
servers=<names>
<monitor>
monitor_interval=100ms

[RW-Split-Router]
type=service
router=readwritesplit
servers=<names>
<service>
<split>

[RW-Split-Listener]
type=listener
service=RW-Split-Router
protocol=MariaDBClient
address=127.0.0.1
port=<port:rw>
<listener>

[Read-Connection-Router]
type=service
router=readconnroute
servers=<names>
<service>
<read>

[Read-Connection-Listener]
type=listener
service=Read-Connection-Router
protocol=MariaDBClient
address=127.0.0.1
port=<port:read>

[CLI]
type=service
router=cli

[CLI-Listener]
type=listener
service=CLI
protocol=maxscaled
socket=default

<more>
";

fn server_section(
    (name, address): &(String, SocketAddr),
    ranks: &[(String, String)],
    lines: &str,
) -> String {
    let (host, port) = (address.ip(), address.port());
    let rank: String = ranks
        .iter()
        .filter(|(server, _)| server == name)
        .map(|(_, rank)| format!("rank={rank}\n"))
        .collect();
    format!("[{name}]\ntype=server\naddress={host}\nport={port}\n{rank}{lines}\n")
}

fn credentials(account: &Account) -> String {
    format!("user={}\npassword={}", account.user, account.password)
}

/// An application's connection to `<port:NAME>`, in the database `test`.
pub(crate) fn connect(tidegate: &Tidegate, port: &str) -> RawClient {
    let login = Login::new(&group().accounts().app).database("test");
    RawClient::connect(tidegate.address(port), &login).expect("a login")
}

/// The first field of the only row.
pub(crate) fn value(client: &mut RawClient, sql: &str) -> String {
    let reply = client.query(sql).expect("a reply");
    reply
        .text_value()
        .unwrap_or_else(|error| panic!("{sql}: {error:#}: {reply:?}"))
}

/// Runs a statement that should give OK.
pub(crate) fn run(client: &mut RawClient, sql: &str) {
    let reply = client.query(sql).expect("a reply");
    assert!(matches!(reply, Reply::Ok { .. }), "{sql}: {reply:?}");
}

/// A REST document, which has to be there.
pub(crate) fn document(tidegate: &Tidegate, path: &str) -> Value {
    let response = tidegate.rest().get(path).expect("an answer");
    assert_eq!(response.status, 200, "GET {path}: {response:?}");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// Waits until a REST document is as it should be, and fails with the last one.
pub(crate) fn wait_document(tidegate: &Tidegate, path: &str, holds: impl Fn(&Value) -> bool) {
    let mut last = Value::Null;
    let waited = wait_until(&format!("{path} to change"), || {
        last = document(tidegate, path);
        holds(&last)
    });
    assert!(waited.is_ok(), "{path}: {last:#}\n{}", tidegate.log());
}
