//! Sessions.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_admin::house::{Pending, Refusal, SessionChange, Sessions, Unanswered, Which};
use tidegate_admin::views::{
    BufferMemory, ClientView, ConnectionView, LogSwitches, QueryView, ResponseView, SeedListener,
    SessionMemory, SessionState, SessionTimes, SessionView, SharingView,
};
use tidegate_runtime::Gathered;
use tidegate_session::question::ClientAddress;
use tidegate_session::{BufferView, Cause, Control, SessionId, WallTime};
use tokio::sync::oneshot;

use super::Live;

/// A worker that has not answered by then is not waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

impl Sessions for Live {
    fn session_ids(&self) -> Pending<'_, Result<Vec<u64>, Unanswered>> {
        Box::pin(async move {
            let (send, receive) = oneshot::channel();
            let asked = self.catalog.runtime().session_ids(move |result| {
                let _ = send.send(result);
            });
            let ids = gathered(receive, || asked.missing()).await?;
            Ok(ids.iter().map(|id| id.0).collect())
        })
    }

    fn sessions(&self, which: Which) -> Pending<'_, Result<Vec<SessionView>, Unanswered>> {
        Box::pin(async move {
            let which = match which {
                Which::All => tidegate_runtime::Which::All,
                Which::Ids(ids) => tidegate_runtime::Which::Ids(
                    ids.into_iter().map(SessionId).collect::<Vec<_>>().into(),
                ),
            };
            Ok(self.views(which).await?.iter().map(view).collect())
        })
    }

    fn alter_session(&self, id: u64, change: SessionChange) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let filters = match &change.filters {
                None => None,
                Some(names) => Some(self.named_filters(names)?),
            };
            // Filters first: they may refuse, switches never do.
            if let Some(filters) = filters {
                self.control(id, Control::Filters(filters)).await?;
            }
            if let Some(switches) = self.switches(id, &change).await? {
                self.control(id, Control::LogSwitches(switches)).await?;
            }
            Ok(())
        })
    }

    fn kill_session(&self, id: u64, after: Option<Duration>) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(self.control(id, Control::Kill { after }))
    }

    fn restart_session(&self, id: u64) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let found = self.sessions(Which::Ids(vec![id])).await?;
            let session = found.first().ok_or(Refusal::Unknown)?;
            let running = self.catalog.service(&session.service);
            let service = running.and_then(|service| service.spec.clone());
            let service = service.ok_or_else(|| {
                Refusal::Refused(vec![format!("its service '{}' is gone", session.service)])
            })?;
            self.control(id, Control::Restart(service)).await
        })
    }

    fn restart_sessions(&self) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let services = &self.catalog.config().services;
            let specs = services
                .iter()
                .filter_map(|service| self.catalog.service(&service.name)?.spec.clone())
                .map(|spec| (Arc::clone(&spec.name), spec))
                .collect();
            let (send, receive) = oneshot::channel();
            let asked = self.catalog.runtime().restart_all(specs, move |result| {
                let _ = send.send(result);
            });
            let refused = gathered(receive, || asked.missing()).await?;
            if refused.is_empty() {
                return Ok(());
            }
            let mut each: Vec<_> = refused.iter().collect();
            each.sort_by_key(|(id, _)| *id);
            let mut reasons = vec!["not all sessions could be restarted".to_owned()];
            reasons.extend(
                each.iter()
                    .map(|(id, error)| format!("session {id}: {error}")),
            );
            Err(Refusal::Refused(reasons))
        })
    }

    fn seed_listeners(&self) -> Option<Vec<SeedListener>> {
        let config = self.catalog.config();
        if !config.maxscale.params.admin.admin_seed_mode {
            return None;
        }
        let listed = config
            .listeners
            .iter()
            .zip(1..)
            .filter_map(|(listener, id)| {
                let running = self.catalog.listener(&listener.name)?;
                Some(SeedListener {
                    id,
                    service: running.service.clone(),
                    started: running.started,
                })
            });
        Some(listed.collect())
    }
}

impl Live {
    async fn views(
        &self,
        which: tidegate_runtime::Which,
    ) -> Result<Gathered<tidegate_session::SessionView>, Unanswered> {
        let (send, receive) = oneshot::channel();
        let asked = self.catalog.runtime().sessions(which, move |result| {
            let _ = send.send(result);
        });
        gathered(receive, || asked.missing()).await
    }

    /// Ends the sessions that `wanted` picks, because what they came through was stopped.
    pub(super) async fn end_sessions(
        &self,
        wanted: impl Fn(&tidegate_session::SessionView) -> bool,
    ) -> Result<(), Refusal> {
        let views = self.views(tidegate_runtime::Which::All).await?;
        for session in views.iter().filter(|session| wanted(session)) {
            match self
                .control(session.id.0, Control::End(Cause::ServiceStopped))
                .await
            {
                // One that has ended by itself is what was wanted.
                Ok(()) | Err(Refusal::Unknown) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    async fn control(&self, id: u64, control: Control) -> Result<(), Refusal> {
        let (send, receive) = oneshot::channel();
        let asked = self
            .catalog
            .runtime()
            .control(SessionId(id), control, move |result| {
                let _ = send.send(result);
            });
        match tokio::time::timeout(ANSWER_LIMIT, receive).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(tidegate_runtime::Refusal::Unknown(_)))) => Err(Refusal::Unknown),
            Ok(Ok(Err(tidegate_runtime::Refusal::Refused(error)))) => {
                Err(Refusal::Refused(vec![error.to_string()]))
            }
            Ok(Ok(Err(tidegate_runtime::Refusal::Unanswered(error)))) => {
                Err(Refusal::Unanswered(unanswered(Some(error.worker))))
            }
            Ok(Err(_)) | Err(_) => Err(Refusal::Unanswered(unanswered(asked.missing()))),
        }
    }

    fn named_filters(
        &self,
        names: &[String],
    ) -> Result<Vec<Arc<dyn tidegate_session::filter::Filter>>, Refusal> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| self.catalog.filter(name).is_none())
            .map(|name| format!("there is no filter '{name}'"))
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::Refused(missing));
        }
        Ok(names
            .iter()
            .filter_map(|name| self.catalog.filter(name))
            .cloned()
            .collect())
    }

    /// The session's switches after the change; `None`: nothing changes.
    async fn switches(
        &self,
        id: u64,
        change: &SessionChange,
    ) -> Result<Option<tidegate_session::LogSwitches>, Refusal> {
        let wanted = [
            change.log_debug,
            change.log_error,
            change.log_info,
            change.log_notice,
            change.log_warning,
        ];
        if wanted.iter().all(Option::is_none) {
            return Ok(None);
        }
        let now = self.sessions(Which::Ids(vec![id])).await?;
        let now = now
            .first()
            .map(|session| session.log_switches)
            .ok_or(Refusal::Unknown)?;
        Ok(Some(tidegate_session::LogSwitches {
            debug: change.log_debug.unwrap_or(now.debug),
            error: change.log_error.unwrap_or(now.error),
            info: change.log_info.unwrap_or(now.info),
            notice: change.log_notice.unwrap_or(now.notice),
            warning: change.log_warning.unwrap_or(now.warning),
        }))
    }
}

/// Waits for what the workers gather, but not forever.
pub(super) async fn gathered<T>(
    receive: oneshot::Receiver<Result<Gathered<T>, tidegate_runtime::Unanswered>>,
    missing: impl Fn() -> Option<usize>,
) -> Result<Gathered<T>, Unanswered> {
    match tokio::time::timeout(ANSWER_LIMIT, receive).await {
        Ok(Ok(Ok(gathered))) => Ok(gathered),
        Ok(Ok(Err(error))) => Err(unanswered(Some(error.worker))),
        Ok(Err(_)) | Err(_) => Err(unanswered(missing())),
    }
}

fn unanswered(worker: Option<usize>) -> Unanswered {
    Unanswered {
        worker: u32::try_from(worker.unwrap_or(0)).unwrap_or(u32::MAX),
    }
}

pub(super) fn time(wall: WallTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(wall.0).unwrap_or(0))
}

fn view(session: &tidegate_session::SessionView) -> SessionView {
    let (remote, port) = match session.address {
        ClientAddress::Ip(ip, port) => (Some(ip), port),
        ClientAddress::Unix => (None, 0),
    };
    let switches = session.log_switches;
    SessionView {
        id: session.id.0,
        state: if session.state == "Session stopping" {
            SessionState::Stopping
        } else {
            SessionState::Started
        },
        service: session.service.to_string(),
        filters: session.filters.clone(),
        user: session.user.clone(),
        user_at_servers: session.user_at_servers.clone(),
        remote,
        port,
        database: session.database.clone(),
        connected: time(session.connected),
        alive: session.age,
        idle: session.idle,
        thread: u32::try_from(session.worker).unwrap_or(u32::MAX),
        io_activity: session.io_activity,
        client: ClientView {
            cipher: session.cipher.clone(),
            connection_attributes: session.attributes.clone(),
            sescmd_history_len: session.history_len as u64,
            sescmd_history_stored_responses: session.history_responses as u64,
            sescmd_history_stored_metadata: session.history_metadata as u64,
        },
        connections: session.connections.iter().map(connection).collect(),
        times: SessionTimes {
            distribution: session.times.decades,
            total: Duration::from_micros(session.times.total_us),
            max: Duration::from_micros(session.times.max_us),
        },
        sharing: session.lending.as_ref().map(|lending| SharingView {
            lent_now: lending.lent_now,
            lent: lending.lent,
            returned: lending.returned,
            kept_by: lending.kept_by,
            kept: lending.kept.clone(),
        }),
        log_switches: LogSwitches {
            debug: switches.debug,
            error: switches.error,
            info: switches.info,
            notice: switches.notice,
            warning: switches.warning,
        },
        memory: memory(session),
        queries: session.queries.iter().map(query).collect(),
        log: session.log.clone(),
    }
}

fn connection(connection: &tidegate_session::ConnectionView) -> ConnectionView {
    ConnectionView {
        server: connection.server.to_string(),
        connection_id: connection.connection_id,
        cipher: connection.cipher.clone(),
    }
}

fn memory(session: &tidegate_session::SessionView) -> SessionMemory {
    let buffer = |buffer: &BufferView| BufferMemory {
        readq_bytes: buffer.read as u64,
        writeq_bytes: buffer.write as u64,
        misc_bytes: buffer.misc as u64,
    };
    let memory = &session.memory;
    SessionMemory {
        client: buffer(&memory.client),
        backends: memory
            .backends
            .iter()
            .map(|(server, bytes)| (server.to_string(), buffer(bytes)))
            .collect(),
        sescmd_history_bytes: memory.history as u64,
        exec_metadata_bytes: memory.statements as u64,
        last_queries_bytes: memory.queries as u64,
        variables_bytes: memory.variables as u64,
    }
}

fn query(query: &tidegate_session::QueryView) -> QueryView {
    QueryView {
        statement: query.statement.clone(),
        command: query.command.to_owned(),
        received: time(query.received),
        completed: query.completed.map(time),
        responses: query
            .responses
            .iter()
            .map(|(server, duration)| ResponseView {
                server: server.to_string(),
                duration: *duration,
            })
            .collect(),
    }
}
