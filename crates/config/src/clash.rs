//! Addresses that are there twice: servers, listeners and the REST interface.

use std::net::IpAddr;

use crate::check::Checked;
use crate::links::Graph;
use crate::object::ObjectKind;
use crate::params::{ListenerParams, MaxScaleParams, ServerParams};
use crate::problem::{Fault, Place};
use crate::report::Report;

/// Reports servers with the same address.
pub(crate) fn servers(graph: &Graph, report: &mut Report) {
    let mut seen: Vec<(String, &Checked)> = Vec::new();
    for server in graph.of(ObjectKind::Server) {
        let params: ServerParams = server.params();
        let (what, parameter) = match (&params.socket, &params.address) {
            (Some(socket), None) => (format!("socket {socket}"), "socket"),
            (None, Some(address)) => (
                format!(
                    "address and port, {}",
                    at(&address.to_lowercase(), params.port)
                ),
                "address",
            ),
            // Neither or both: reported elsewhere.
            _ => continue,
        };
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == what) {
            let fault = Fault::SameServer {
                other: other.name.clone(),
                place: other.place.clone(),
                what,
            };
            report.error(&server.spot(parameter), fault);
        } else {
            seen.push((what, server));
        }
    }
}

/// A socket that is listened at.
enum Listens {
    Port(String, u16),
    Socket(String),
}

impl Listens {
    fn clashes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Port(a, a_port), Self::Port(b, b_port)) => a_port == b_port && overlap(a, b),
            (Self::Socket(a), Self::Socket(b)) => a == b,
            _ => false,
        }
    }
}

impl std::fmt::Display for Listens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(address, port) => f.write_str(&at(address, *port)),
            Self::Socket(path) => f.write_str(path),
        }
    }
}

fn at(address: &str, port: u16) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

/// Whether two addresses cannot both be listened at with one port: they are equal, or one
/// stands for all addresses of a family the other belongs to.
fn overlap(a: &str, b: &str) -> bool {
    let all_of = |wide: &str, narrow: &str| match wide {
        "::" => true,
        "0.0.0.0" => !matches!(narrow.parse(), Ok(IpAddr::V6(v6)) if !v6.is_unspecified()),
        _ => false,
    };
    a.eq_ignore_ascii_case(b) || all_of(a, b) || all_of(b, a)
}

/// Reports listeners at the same address, the REST interface among them.
pub(crate) fn listeners(graph: &Graph, report: &mut Report) {
    let admin = graph.globals.params::<MaxScaleParams>().admin;
    let mut seen: Vec<(Listens, String, Place)> = Vec::new();
    if admin.admin_enabled {
        seen.push((
            Listens::Port(admin.admin_host, admin.admin_port),
            "the REST interface".to_owned(),
            graph.globals.place_of("admin_port").clone(),
        ));
    }
    for listener in graph.of(ObjectKind::Listener) {
        let params: ListenerParams = listener.params();
        let (listens, parameter) = match params.socket {
            _ if listener.module.is_some_and(|module| !module.opens_socket) => continue,
            Some(socket) => (Listens::Socket(socket), "socket"),
            None if params.port != 0 => (Listens::Port(params.address, params.port), "port"),
            None => continue,
        };
        if let Some((_, other, place)) = seen.iter().find(|(known, ..)| known.clashes(&listens)) {
            let fault = Fault::PortClash {
                other: other.clone(),
                place: place.clone(),
                at: listens.to_string(),
            };
            report.error(&listener.spot(parameter), fault);
        } else {
            let name = format!("the listener '{}'", listener.name);
            seen.push((listens, name, listener.place_of(parameter).clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn wildcards_cover_their_family() {
        let check = |a, b, expected| {
            assert_eq!(overlap(a, b), expected, "{a} {b}");
            assert_eq!(overlap(b, a), expected, "{b} {a}");
        };
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("::", "127.0.0.1", true);
        check("::", "::1", true);
        check("0.0.0.0", "127.0.0.1", true);
        check("0.0.0.0", "::1", false);
        check("0.0.0.0", "::", true);
        check("0.0.0.0", "db.example", true);
    }
}
