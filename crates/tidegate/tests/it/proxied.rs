//! PROXY headers: who a client is when a proxy before us speaks for it, and what servers are told.

use std::net::SocketAddr;
use std::sync::LazyLock;

use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate};

use crate::house::{Plan, document, value, wait_document};

/// A server that believes PROXY headers. Its account `far` may come from one address only.
static GROUP: LazyLock<ServerGroup> = LazyLock::new(|| {
    let group = ServerGroup::builder()
        .option("proxy_protocol_networks=*")
        .start()
        .expect("a server");
    let statements = "CREATE USER far@'192.0.2.7' IDENTIFIED BY 'secret-of-far';\
                      CREATE USER far6@'2001:db8::7' IDENTIFIED BY 'secret-of-far';";
    group.primary().sql(statements).expect("accounts");
    group
});

/// Listeners that believe a header of everybody (`any`), and of nobody (`none`).
fn start(networks: &str, server_line: &str) -> Tidegate {
    let listener = format!(
        "[Any-Listener]\ntype=listener\nservice=RW-Split-Router\naddress=127.0.0.1\n\
         port=<port:any>\nproxy_protocol_networks={networks}\n\n"
    );
    Plan::new(&GROUP)
        .every_server(&format!("{server_line}\n"))
        .more(&listener)
        .start()
}

fn far(user: &str, preamble: &[u8]) -> Login {
    let mut account = GROUP.accounts().app.clone();
    user.clone_into(&mut account.user);
    "secret-of-far".clone_into(&mut account.password);
    Login::new(&account).preamble(preamble)
}

fn here(preamble: &[u8]) -> Login {
    Login::new(&GROUP.accounts().app).preamble(preamble)
}

fn refusal(address: SocketAddr, login: &Login) -> String {
    match RawClient::connect(address, login) {
        Ok(_) => panic!("{login:?} was let in"),
        Err(error) => format!("{error:#}"),
    }
}

/// Version 2, PROXY, TCP over IPv4: 192.0.2.7:1000 to 192.0.2.1:3306.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x03\xe8\x0c\xea";
/// Version 2, LOCAL.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[test]
fn the_address_in_a_header_counts_here_and_on_the_server() {
    for (line, user, header, expect) in [
        (
            "proxy_protocol=true",
            "far",
            &b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 3306\r\n"[..],
            "far@192.0.2.7",
        ),
        ("proxy_protocol=true", "far", BINARY, "far@192.0.2.7"),
        (
            "proxy_protocol=true\nproxy_protocol_version=v2",
            "far6",
            b"PROXY TCP6 2001:db8::7 2001:db8::1 1000 3306\r\n",
            "far6@2001:db8::7",
        ),
    ] {
        let tidegate = start("127.0.0.0/8", line);
        let mut client = RawClient::connect(tidegate.address("any"), &far(user, header))
            .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
        assert_eq!(value(&mut client, "SELECT USER()"), expect);
        let sessions = document(&tidegate, "/v1/sessions");
        let (_, host) = expect.split_once('@').expect("a host");
        assert_eq!(sessions["data"][0]["attributes"]["remote"], host);
    }
}

#[test]
fn a_client_without_a_header_is_where_it_is() {
    let tidegate = start("*", "proxy_protocol=true");
    for preamble in [&b""[..], b"PROXY UNKNOWN\r\n", LOCAL] {
        let login = here(preamble);
        let mut client = RawClient::connect(tidegate.address("any"), &login).expect("a login");
        assert!(value(&mut client, "SELECT USER()").ends_with("@127.0.0.1"));
        // What the server was told is this client's port, not that of our connection.
        let port = client.local_address().expect("an address").port();
        let seen = value(
            &mut client,
            "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()",
        );
        assert_eq!(seen, format!("127.0.0.1:{port}"));
    }
}

#[test]
fn strangers_are_not_believed() {
    let tidegate = start("192.0.2.0/24,localhost", "");
    for listener in ["rw", "any"] {
        for header in [
            &b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"[..],
            LOCAL,
            b"PROXY nonsense\r\n",
        ] {
            let said = refusal(tidegate.address(listener), &here(header));
            assert!(said.contains("1130"), "{said}");
            assert!(
                said.contains("Proxy header is not accepted from 127.0.0.1"),
                "{said}"
            );
        }
        let plain = RawClient::connect(tidegate.address(listener), &here(b""));
        plain.expect("a login without a header");
    }
    tidegate
        .wait_log("proxy_protocol_networks")
        .expect("the reason in the log");
}

#[test]
fn a_malformed_header_is_refused() {
    let tidegate = start("*", "");
    for header in [
        &b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
    ] {
        let said = refusal(tidegate.address("any"), &here(header));
        assert!(said.contains("1105"), "{said}");
        assert!(said.contains("Failed to parse proxy header"), "{said}");
    }
}

#[test]
fn accounts_are_matched_by_the_address_told() {
    let tidegate = start("*", "proxy_protocol=true");
    let header = b"PROXY TCP4 192.0.2.8 192.0.2.1 1000 3306\r\n";
    let said = refusal(tidegate.address("any"), &far("far", header));
    assert!(
        said.contains("Access denied for user 'far'@'192.0.2.8'"),
        "{said}"
    );
}

#[test]
fn a_pooled_connection_is_used_again_by_clients_of_its_address_only() {
    let pool = "proxy_protocol=true\npersistpoolmax=10\npersistmaxtime=300s";
    let tidegate = start("*", pool);
    let header = |address: &str| format!("PROXY TCP4 {address} 192.0.2.1 1000 3306\r\n");
    let server = format!("/v1/servers/{}", GROUP.primary().name());
    let mut numbers = Vec::new();
    for (kept, address) in [(1, "192.0.2.8"), (2, "192.0.2.9")] {
        let login = here(header(address).as_bytes());
        let mut client = RawClient::connect(tidegate.address("any"), &login).expect("a login");
        numbers.push(value(&mut client, "SELECT @@pseudo_thread_id + 0"));
        let host = format!("app@{address}");
        assert_eq!(value(&mut client, "SELECT USER()"), host);
        client.quit().expect("a goodbye");
        wait_document(&tidegate, &server, |server| {
            server["data"]["attributes"]["statistics"]["persistent_connections"] == kept
        });
    }
    assert_ne!(numbers[0], numbers[1]);
}
