//! The process and its workers.

use tidegate_admin::views::{MaxScaleView, OsView, SystemView, ThreadState, ThreadView};
use tidegate_runtime::WorkerShard;

use super::{Live, json};

impl Live {
    pub(super) fn process_view(&self) -> MaxScaleView {
        let config = self.catalog.config();
        let globals = &config.maxscale;
        MaxScaleView {
            version: crate::VERSION.to_owned(),
            commit: String::new(),
            started_at: self.started,
            activated_at: self.started,
            uptime: self.started.elapsed().unwrap_or_default(),
            process_datadir: globals.params.directories.datadir.display().to_string(),
            parameters: json::parameters(&globals.parameters()),
            system: self.system_view(),
        }
    }

    fn system_view(&self) -> SystemView {
        let globals = &self.catalog.config().maxscale.params;
        let memory = crate::load::memory_bytes();
        let cores = tidegate_runtime::available_cores();
        let physical = std::thread::available_parallelism().map_or(cores, usize::from);
        SystemView {
            cores_available: cores as u64,
            cores_physical: physical as u64,
            cores_virtual: cores as f64,
            memory_available_bytes: memory,
            memory_physical_bytes: memory,
            threads: self.catalog.workers() as u64,
            query_classifier_cache_size_bytes: globals.statements.query_classifier_cache_size.0,
            os: os(),
        }
    }

    pub(super) fn thread_views(&self) -> Vec<ThreadView> {
        self.catalog
            .runtime()
            .counters()
            .iter()
            .zip(0..)
            .map(|(shard, id)| thread(id, shard))
            .collect()
    }
}

fn thread(id: u32, shard: &WorkerShard) -> ThreadView {
    let rounds = shard.rounds.get();
    ThreadView {
        id,
        state: ThreadState::Active,
        listening: true,
        accepts: shard.accepts.get(),
        reads: shard.reads.get(),
        writes: shard.writes.get(),
        errors: shard.errors.get(),
        hangups: shard.hangups.get(),
        avg_event_queue_length: shard.events.get().checked_div(rounds).unwrap_or(0),
        max_event_queue_length: shard.max_events.get(),
        current_descriptors: shard.sockets.get(),
        total_descriptors: shard.total_sockets.get(),
        sessions: shard.sessions.get(),
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
