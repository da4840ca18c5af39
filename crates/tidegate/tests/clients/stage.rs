//! The servers and the proxy that all clients share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::{Account, Scratch, ServerGroup, Tidegate};

/// How a client gets to the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    ReadConnRoute,
    ReadWriteSplit,
}

pub(crate) const WAYS: [Way; 3] = [Way::Direct, Way::ReadConnRoute, Way::ReadWriteSplit];

/// A group whose servers and whose proxy speak TLS, and files that clients may load.
pub(crate) struct Stage {
    pub(crate) group: ServerGroup,
    pub(crate) tidegate: Tidegate,
    /// Owns every database whose name begins with `clients_`.
    pub(crate) account: Account,
    /// Another one, which may do the same.
    pub(crate) other: Account,
    pub(crate) ca: PathBuf,
    pub(crate) files: PathBuf,
    _scratch: Arc<Scratch>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(Stage::set);

/// The stage of this process.
pub(crate) fn stage() -> &'static Stage {
    &STAGE
}

const CONFIG: &str = "\
[maxscale]
threads=2
log_info=true
users_refresh_time=0s
admin_host=127.0.0.1
admin_port=<port:admin>

<servers>

[monitor]
type=monitor
module=mariadbmon
servers=<names>
<monitor>
monitor_interval=100ms

[split]
type=service
router=readwritesplit
servers=<names>
<service>

[split-listener]
type=listener
service=split
address=127.0.0.1
port=<port:split>

[split-secure-listener]
type=listener
service=split
address=127.0.0.1
port=<port:split-tls>
<tls>

[route]
type=service
router=readconnroute
router_options=master
servers=<names>
<service>

[route-listener]
type=listener
service=route
address=127.0.0.1
port=<port:route>

[route-secure-listener]
type=listener
service=route
address=127.0.0.1
port=<port:route-tls>
<tls>
";

/// What `LOAD DATA LOCAL` gets.
const ROWS: u32 = 3000;

impl Stage {
    fn set() -> Stage {
        let scratch = Scratch::new("tidegate-clients").expect("a folder");
        let authority = Authority::new("Clients CA").expect("an authority");
        let ca = scratch.write("ca.pem", authority.pem()).expect("a file");
        let wish = Wish::new("database");
        let identity = authority.issue(&wish).expect("a certificate");
        let identity = identity.write(&scratch, "database").expect("files");
        let (key, cert) = (identity.key.display(), identity.cert.display());
        let rows: String = (1..=ROWS).map(|n| format!("{n}\trow {n}\n")).collect();
        let files = scratch.folder("files").expect("a folder");
        scratch.write("files/rows.tsv", &rows).expect("a file");

        let group = ServerGroup::builder()
            .replicas(2)
            .option("local_infile=1")
            .option("max_allowed_packet=64M")
            .option("log_bin_trust_function_creators=1")
            .option(&format!("ssl_ca={}", ca.display()))
            .option(&format!("ssl_cert={cert}"))
            .option(&format!("ssl_key={key}"))
            .start()
            .expect("a server group");
        let grant = r"ALL ON `clients\_%`.*";
        let account = group.create_account("somebody", grant).expect("an account");
        let other = group.create_account("another", grant).expect("an account");

        let tls = format!("ssl=true\nssl_key={key}\nssl_cert={cert}\n");
        let tidegate = Tidegate::start(&config(&group, &tls)).expect("tidegate");
        Stage {
            group,
            tidegate,
            account,
            other,
            ca,
            files,
            _scratch: scratch,
        }
    }

    /// Where a way begins.
    pub(crate) fn address(&self, way: Way) -> SocketAddr {
        match way {
            Way::Direct => self.group.primary().address(),
            Way::ReadConnRoute => self.tidegate.address("route"),
            Way::ReadWriteSplit => self.tidegate.address("split"),
        }
    }

    /// Where the same way begins with TLS.
    pub(crate) fn tls_address(&self, way: Way) -> SocketAddr {
        match way {
            Way::Direct => self.group.primary().address(),
            Way::ReadConnRoute => self.tidegate.address("route-tls"),
            Way::ReadWriteSplit => self.tidegate.address("split-tls"),
        }
    }

    /// Empty databases of these names, everywhere.
    pub(crate) fn empty(&self, databases: &[&str]) {
        let one = |name: &&str| {
            format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4;")
        };
        let sql: String = databases.iter().map(one).collect();
        self.group.primary().sql(&sql).expect("databases");
        self.group.wait_replicated().expect("on the replicas");
    }
}

fn config(group: &ServerGroup, tls: &str) -> String {
    let section = |server: &tidegate_testkit::Server| {
        let (name, port) = (server.name(), server.port());
        format!("[{name}]\ntype=server\naddress=127.0.0.1\nport={port}\n\n")
    };
    let servers: String = group.servers().iter().map(section).collect();
    let names: Vec<&str> = group.servers().iter().map(|it| it.name()).collect();
    let login = |account: &Account| format!("user={}\npassword={}", account.user, account.password);
    CONFIG
        .replace("<servers>\n", &servers)
        .replace("<names>", &names.join(","))
        .replace("<monitor>", &login(&group.accounts().monitor))
        .replace("<service>", &login(&group.accounts().service))
        .replace("<tls>\n", tls)
}
