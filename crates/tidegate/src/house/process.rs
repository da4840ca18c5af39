//! The process and its workers.

use tidegate_admin::house::Unanswered;
use tidegate_admin::views::{
    ClassifierCacheView, MaxScaleView, OsView, SystemView, ThreadMemory, ThreadState, ThreadView,
};
use tidegate_runtime::{Holdings, Machine, WorkerShard};
use tokio::sync::oneshot;

use super::sessions::gathered;
use super::{Live, json};

impl Live {
    pub(super) fn process_view(&self) -> MaxScaleView {
        let config = self.catalog.config();
        let globals = &config.maxscale;
        let now = globals.clone().showing(&self.keys.params());
        let mut parameters = json::parameters(&now.parameters());
        parameters.insert("threads".to_owned(), self.catalog.workers().into());
        MaxScaleView {
            version: crate::VERSION.to_owned(),
            commit: crate::COMMIT.to_owned(),
            started_at: self.started,
            activated_at: self.started,
            uptime: self.started.elapsed().unwrap_or_default(),
            process_datadir: globals.params.directories.datadir.display().to_string(),
            parameters,
            system: self.system_view(),
        }
    }

    fn system_view(&self) -> SystemView {
        let globals = &self.catalog.config().maxscale.params;
        let machine = Machine::look();
        SystemView {
            cores_available: machine.cores_available as u64,
            cores_physical: machine.cores_physical as u64,
            cores_virtual: machine.cores_virtual,
            memory_available_bytes: machine.memory_available_bytes,
            memory_physical_bytes: machine.memory_physical_bytes,
            threads: self.catalog.workers() as u64,
            query_classifier_cache_size_bytes: globals.statements.query_classifier_cache_size.0,
            os: os(),
        }
    }

    pub(super) async fn thread_views(&self) -> Result<Vec<ThreadView>, Unanswered> {
        let (send, receive) = oneshot::channel();
        let asked = self.catalog.runtime().holdings(move |result| {
            let _ = send.send(result);
        });
        let holdings = gathered(receive, || asked.missing()).await?;
        let active = self.catalog.workers();
        Ok(holdings
            .iter()
            .map(|holdings| {
                let shard = self.catalog.runtime().counters().shard(holdings.worker);
                let listening = holdings.worker < active;
                ThreadView {
                    state: match shard.sessions.get() {
                        _ if listening => ThreadState::Active,
                        0 => ThreadState::Dormant,
                        _ => ThreadState::Draining,
                    },
                    listening,
                    load: self.load.of(holdings.worker),
                    ..thread(holdings, shard)
                }
            })
            .collect())
    }
}

fn thread(holdings: &Holdings, shard: &WorkerShard) -> ThreadView {
    let rounds = shard.rounds.get();
    let longest = shard.max_round_us.get() / 100_000;
    let cache = &holdings.classifier;
    ThreadView {
        id: u32::try_from(holdings.worker).unwrap_or(u32::MAX),
        accepts: shard.accepts.get(),
        reads: shard.reads.get(),
        writes: shard.writes.get(),
        errors: shard.errors.get(),
        hangups: shard.hangups.get(),
        avg_event_queue_length: shard.events.get().checked_div(rounds).unwrap_or(0),
        max_event_queue_length: shard.max_events.get(),
        max_exec_time: longest,
        max_queue_time: longest,
        current_descriptors: shard.sockets.get(),
        total_descriptors: shard.total_sockets.get(),
        sessions: shard.sessions.get(),
        memory: ThreadMemory {
            query_classifier_bytes: cache.size as u64,
            sessions_bytes: holdings.session_bytes as u64,
            // What a session held is given back when it ends.
            zombies_bytes: 0,
        },
        classifier_cache: ClassifierCacheView {
            size_bytes: cache.size as u64,
            inserts: cache.inserts,
            hits: cache.hits,
            misses: cache.misses,
            evictions: cache.evictions,
        },
        ..ThreadView::default()
    }
}

fn os() -> OsView {
    let uname = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    OsView {
        sysname: text(uname.sysname()),
        nodename: text(uname.nodename()),
        release: text(uname.release()),
        version: text(uname.version()),
        machine: text(uname.machine()),
    }
}
