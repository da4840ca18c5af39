//! The demo's configuration file: what a first one of one's own would look like.

use super::backends::Backends;

/// The file's text; `<port:NAME>` and `<folder>` are filled in at the start.
pub(super) fn text(backends: &Backends) -> String {
    let names: Vec<&str> = backends
        .servers
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    let names = names.join(",");
    let accounts = &backends.accounts;
    let mut text = String::from(HEAD);
    for server in &backends.servers {
        text.push_str(&format!(
            "[{}]\ntype=server\naddress={}\nport={}\n\n",
            server.name, server.host, server.port
        ));
    }
    text.push_str(
        &REST
            .replace("<servers>", &names)
            .replace("<monitor user>", &accounts.monitor.user)
            .replace("<monitor password>", &accounts.monitor.password)
            .replace("<service user>", &accounts.service.user)
            .replace("<service password>", &accounts.service.password),
    );
    text
}

const HEAD: &str = "\
# The whole proxy. A section is an object; its name is what REST calls it.

[maxscale]
# One worker a processor core.
threads=auto
# The REST interface.
admin_host=127.0.0.1
admin_port=<port:admin>
# Keep each session's last statements, for GET /v1/sessions.
retain_last_statements=5

# The servers. Who is primary and who is replica is for the monitor to find out.

";

const REST: &str = "\
# Watches the servers, with an account that may see their replication state.

[Monitor]
type=monitor
module=mariadbmon
servers=<servers>
user=<monitor user>
password=<monitor password>
monitor_interval=500ms

# Reads go to replicas, everything else to the primary. The account reads the servers' own
# accounts, which are the ones that clients log in with.

[RW-Split-Router]
type=service
router=readwritesplit
servers=<servers>
user=<service user>
password=<service password>

[RW-Split-Listener]
type=listener
service=RW-Split-Router
protocol=MariaDBClient
address=127.0.0.1
port=<port:rw>

# Each session gets one replica, for all it does.

[Read-Connection-Router]
type=service
router=readconnroute
router_options=slave
servers=<servers>
user=<service user>
password=<service password>

[Read-Connection-Listener]
type=listener
service=Read-Connection-Router
protocol=MariaDBClient
address=127.0.0.1
port=<port:read>

# From old files: the administration of versions before REST. Kept as an object, opens nothing.

[CLI]
type=service
router=cli

[CLI-Listener]
type=listener
service=CLI
protocol=maxscaled
socket=default
";
