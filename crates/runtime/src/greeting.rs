//! What a new session's greeting says of the servers behind its service.

use std::sync::Arc;

use tidegate_session::world::{ServerView, ServerViews};
use tidegate_session::{GreetingFacts, ServiceSpec, TargetSpec};
use tidegate_wire::Caps;
use tidegate_wire::compress::CompressionOffer;

/// What is said as long as no server's version is known. Connectors look for the word MariaDB.
const UNKNOWN: &str = concat!("5.5.5-10.4.32-MariaDB-tidegate-", env!("CARGO_PKG_VERSION"));

/// `utf8mb4_general_ci`, as long as no server's default is known.
const COLLATION: u8 = 45;

/// The facts for a new session of `service`, from the servers that are usable and known.
pub(crate) fn facts(
    service: &ServiceSpec,
    servers: &ServerViews,
    tls: bool,
    compression: CompressionOffer,
) -> GreetingFacts {
    let mut sum = Sum::default();
    sum.add(service, servers);
    let version = match (&service.version_string, sum.oldest) {
        (Some(set), _) => Arc::clone(set),
        (None, Some(oldest)) => version_text(oldest),
        (None, None) => Arc::from(UNKNOWN),
    };
    GreetingFacts {
        version,
        caps: Caps::offered(sum.caps.unwrap_or(Caps::empty()), tls),
        collation: sum.oldest.map_or(COLLATION, |oldest| oldest.collation),
        mysql_family: sum.oldest.is_some() && sum.all_mysql,
        compression,
        terms: Arc::default(),
    }
}

struct Sum<'a> {
    /// What all of them can do.
    caps: Option<Caps>,
    oldest: Option<&'a ServerView>,
    all_mysql: bool,
}

impl Default for Sum<'_> {
    fn default() -> Self {
        Sum {
            caps: None,
            oldest: None,
            all_mysql: true,
        }
    }
}

impl<'a> Sum<'a> {
    fn add(&mut self, service: &ServiceSpec, servers: &'a ServerViews) {
        for target in &service.targets {
            match target {
                TargetSpec::Service(inner) => self.add(inner, servers),
                TargetSpec::Server(id) => {
                    if let Some(view) = servers.get(*id).filter(|view| view.status.usable()) {
                        self.add_server(view);
                    }
                }
            }
        }
    }

    fn add_server(&mut self, view: &'a ServerView) {
        let Some(caps) = view.caps else { return };
        self.caps = Some(self.caps.map_or(caps, |all| all.intersection(caps)));
        self.all_mysql &= view.mysql_family;
        if self
            .oldest
            .is_none_or(|oldest| view.version < oldest.version)
        {
            self.oldest = Some(view);
        }
    }
}

/// The version text of a server as clients should read it: old replication code takes a MariaDB
/// 10 for a MySQL 5.5 only with a prefix, which newer and other servers must not have.
fn version_text(server: &ServerView) -> Arc<str> {
    let text = server
        .version_string
        .strip_prefix("5.5.5-")
        .unwrap_or(&server.version_string);
    if !server.mysql_family && server.version / 10_000 == 10 {
        format!("5.5.5-{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests;
