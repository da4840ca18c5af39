//! Making a [`SessionView`].

use crate::backend::Backend;
use crate::session::{Phase, Session};
use crate::time::Instant;
use crate::view::{BufferView, ConnectionView, MemoryView, SessionView};
use crate::world::ServerViews;
use std::sync::Arc;

/// Empty without TLS.
fn cipher_text(cipher: Option<&Arc<str>>) -> String {
    cipher.map_or_else(String::new, |cipher| cipher.to_string())
}

impl Session {
    /// Everything REST shows of the session.
    #[must_use]
    pub fn view(&self, now: Instant, worker: usize, servers: &ServerViews) -> SessionView {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let identity = self.client.identity.as_ref();
        let busy = !self.client_is_idle();
        SessionView {
            id: self.id,
            state: self.state_word(),
            service: self.service.name.clone(),
            listener: self.listener.clone(),
            user: identity
                .map(|identity| text(&identity.user))
                .unwrap_or_default(),
            user_at_servers: identity
                .and_then(|identity| identity.at_servers.as_ref())
                .map(|other| text(&other.user)),
            address: self.client.address.clone(),
            database: self.client.database.as_deref().map(text),
            cipher: cipher_text(self.client.encryption.as_ref().map(|tls| &tls.cipher)),
            connected: self.client.connected,
            age: now.since(self.client.connected_at),
            idle: if busy {
                std::time::Duration::ZERO
            } else {
                now.since(self.client.last_active)
            },
            worker,
            io_activity: self.observe.io_activity(now),
            attributes: identity
                .map(|identity| {
                    identity
                        .attributes
                        .iter()
                        .map(|(name, value)| (text(name), text(value)))
                        .collect()
                })
                .unwrap_or_default(),
            history_len: self.history.len(),
            history_responses: self.history.stored_responses(),
            history_metadata: self
                .stmts
                .iter()
                .filter(|prepared| prepared.types_version > 0)
                .count(),
            connections: self.connection_views(servers),
            times: self.observe.times.clone(),
            lending: self.lending_view(),
            log_switches: self.observe.switches,
            filters: self
                .own_filters
                .iter()
                .map(|slot| slot.name.to_string())
                .collect(),
            memory: self.memory(servers),
            queries: self.observe.queries(),
            log: self.observe.log(),
        }
    }

    fn state_word(&self) -> &'static str {
        match &self.phase {
            Phase::Dialogue(_) if !self.has_login() => "Session authenticating",
            Phase::Dialogue(_) | Phase::Commands => "Session started",
            Phase::Over(_) => "Session stopping",
        }
    }

    /// The connections that have logged in, by their place in the session.
    fn connection_views(&self, servers: &ServerViews) -> Vec<ConnectionView> {
        self.backends
            .iter()
            .filter(|backend| backend.is_connected() && backend.thread_id != 0)
            .filter_map(|backend| {
                let server = servers.get(backend.server)?;
                Some(ConnectionView {
                    server: server.name.clone(),
                    connection_id: backend.thread_id,
                    cipher: cipher_text(backend.cipher.as_ref()),
                })
            })
            .collect()
    }

    /// What it holds in memory; what the worker buffers for it is not in it.
    #[must_use]
    pub fn memory(&self, servers: &ServerViews) -> MemoryView {
        let attributes: usize = self.client.identity.as_ref().map_or(0, |identity| {
            identity
                .attributes
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum()
        });
        MemoryView {
            client: BufferView {
                misc: size_of::<Session>()
                    + attributes
                    + self.retry.capacity()
                    + self.replay.as_ref().map_or(0, |replay| replay.memory()),
                ..BufferView::default()
            },
            backends: self
                .backends
                .iter()
                .filter(|backend| backend.is_connected())
                .filter_map(|backend| {
                    let misc = size_of::<Backend>() + backend.stmts.bytes();
                    let server = servers.get(backend.server)?;
                    Some((
                        server.name.clone(),
                        BufferView {
                            misc,
                            ..BufferView::default()
                        },
                    ))
                })
                .collect(),
            history: self.history.bytes(),
            statements: self.stmts.bytes(),
            queries: self.observe.query_bytes() + self.observe.trace_bytes(),
            variables: self
                .nodes
                .iter()
                .filter_map(|node| node.router.as_ref())
                .map(|router| router.variable_bytes())
                .sum(),
        }
    }

    /// The servers this session is connected to, with its number there.
    #[must_use]
    pub fn connections(&self, servers: &ServerViews) -> Vec<ConnectionView> {
        self.connection_views(servers)
    }

    /// How many statements are prepared.
    #[must_use]
    pub fn prepared_statements(&self) -> usize {
        self.stmts.len()
    }
}
