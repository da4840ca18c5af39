//! Where servers and listeners are: from configured names to addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tidegate_config::params::{ListenerParams, ServerParams};
use tidegate_runtime::Endpoint;
use tidegate_sqlclient::Address;

/// How long a name lookup may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(2);

/// A server's configured place, as the control plane's client understands it.
pub(crate) fn address(server: &ServerParams) -> Address {
    match (&server.socket, &server.address) {
        (Some(socket), _) => Address::Unix(PathBuf::from(socket)),
        (None, host) => Address::Tcp {
            host: host.clone().unwrap_or_default(),
            port: server.port,
        },
    }
}

/// Looks a place up; `None`: its name is not known now.
pub(crate) async fn resolve(place: &Address) -> Option<Endpoint> {
    match place {
        Address::Unix(path) => Some(Endpoint::Unix(path.clone())),
        Address::Tcp { host, port } => match host.parse::<IpAddr>() {
            Ok(ip) => Some(Endpoint::Tcp(SocketAddr::new(ip, *port))),
            Err(_) => lookup(host, *port).await.map(Endpoint::Tcp),
        },
    }
}

async fn lookup(host: &str, port: u16) -> Option<SocketAddr> {
    let found = tokio::time::timeout(LOOKUP_LIMIT, tokio::net::lookup_host((host, port))).await;
    found.ok()?.ok()?.min_by_key(SocketAddr::is_ipv6)
}

/// The address that connections to servers come from; a name is looked up once.
///
/// # Errors
/// A text that says what is wrong with it.
pub(crate) async fn local(configured: Option<&str>) -> Result<Option<IpAddr>, String> {
    let Some(text) = configured else {
        return Ok(None);
    };
    if let Ok(ip) = text.parse() {
        return Ok(Some(ip));
    }
    match lookup(text, 0).await {
        Some(found) => Ok(Some(found.ip())),
        None => Err(format!("'{text}' is no address, and no name of one")),
    }
}

/// Where a listener listens.
pub(crate) fn listening(listener: &ListenerParams) -> Result<Endpoint, String> {
    if let Some(socket) = &listener.socket {
        return Ok(Endpoint::Unix(PathBuf::from(socket)));
    }
    let ip = match listener.address.as_str() {
        "::" | "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        text => text
            .trim_matches(['[', ']'])
            .parse()
            .map_err(|_| format!("'{text}' is not an IP address"))?,
    };
    Ok(Endpoint::Tcp(SocketAddr::new(ip, listener.port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let place = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 3306,
        };
        assert_eq!(
            resolve(&place).await,
            Some(Endpoint::Tcp("127.0.0.1:3306".parse().unwrap()))
        );
        let place = Address::Unix("/run/db.sock".into());
        assert_eq!(
            resolve(&place).await,
            Some(Endpoint::Unix("/run/db.sock".into()))
        );
    }

    #[tokio::test]
    async fn localhost_is_found() {
        let place = Address::Tcp {
            host: "localhost".to_owned(),
            port: 1,
        };
        assert!(resolve(&place).await.is_some());
    }
}
