//! What services do with statements.

use tidegate_admin::house::{Insight, Pending, Refusal, RouteQuestion};
use tidegate_admin::views::{DigestView, DigestsView, RouteView};
use tidegate_session::ServerId;
use tidegate_session::digests::{Digest, Digests};
use tidegate_session::histogram::Spread;
use tokio::sync::oneshot;

use super::sessions::{gathered, time};
use super::{Live, diagnostics, route};

impl Insight for Live {
    fn digests(&self, service: &str) -> Pending<'_, Result<DigestsView, Refusal>> {
        let service = service.to_owned();
        Box::pin(async move {
            self.catalog.service(&service).ok_or(Refusal::Unknown)?;
            let (send, receive) = oneshot::channel();
            let asked = self.catalog.runtime().digests(&service, move |result| {
                let _ = send.send(result);
            });
            let parts = gathered(receive, || asked.missing()).await?;
            let whole = Digests::merge(parts.iter());
            Ok(DigestsView {
                list: whole
                    .list
                    .iter()
                    .map(|digest| self.digest(digest))
                    .collect(),
                missed_at_most: whole.floor,
                without_digest: whole.unnamed,
            })
        })
    }

    fn explain_route(&self, service: &str, question: &RouteQuestion) -> Result<RouteView, Refusal> {
        let unrouted = || Refusal::Refused(vec![format!("no statement ever comes to {service}")]);
        let running = self.catalog.service(service).ok_or(Refusal::Unknown)?;
        let spec = running.spec.as_ref().ok_or_else(unrouted)?;
        route::explain(self, spec, question)
    }

    fn reset_digests(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        let known = self.catalog.service(service).is_some();
        if known {
            self.catalog.runtime().reset_digests(service);
        }
        Box::pin(async move { if known { Ok(()) } else { Err(Refusal::Unknown) } })
    }

    fn reset_position(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        let spec = self
            .catalog
            .service(service)
            .and_then(|service| service.spec.as_ref());
        let outcome = match spec {
            Some(spec) => {
                spec.position.reset();
                Ok(())
            }
            None => Err(Refusal::Unknown),
        };
        Box::pin(async move { outcome })
    }
}

impl Live {
    fn digest(&self, digest: &Digest) -> DigestView {
        DigestView {
            id: digest.id,
            statement: String::from_utf8_lossy(&digest.text).into_owned(),
            truncated: digest.cut,
            count: digest.count,
            missed_at_most: digest.missed,
            errors: digest.errors,
            rows: digest.rows,
            times: diagnostics::times(&Spread::of_coarse(&digest.times)),
            servers: digest
                .servers
                .iter()
                .map(|(server, count)| (self.server_name(*server), *count))
                .collect(),
            first_seen: time(digest.first_seen),
            last_seen: time(digest.last_seen),
        }
    }

    fn server_name(&self, server: ServerId) -> String {
        let servers = &self.catalog.config().servers;
        servers
            .get(server.0 as usize)
            .map_or_else(|| "?".to_owned(), |server| server.name.clone())
    }
}
