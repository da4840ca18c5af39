//! Servers.

use std::time::Duration;

use tidegate_admin::views::{ReplicaConnectionView, ReplicationView, ServerStatistics, ServerView};
use tidegate_catalog::BoardEntry;
use tidegate_config::Object;
use tidegate_config::params::ServerParams;
use tidegate_monitors::ServerInfo;
use tidegate_monitors::mariadbmon::IoState;

use super::{Live, diagnostics, json};

impl Live {
    pub(super) fn server_views(&self) -> Vec<ServerView> {
        let config = self.catalog.config();
        config
            .servers
            .iter()
            .filter_map(|server| {
                Some(self.server_view(server, &self.catalog.board().entry(&server.name)?))
            })
            .collect()
    }

    fn server_view(&self, server: &Object<ServerParams>, entry: &BoardEntry) -> ServerView {
        let state = &entry.state;
        let statistics = statistics(entry);
        ServerView {
            name: server.name.clone(),
            state: state.bits.text(statistics.connections),
            state_details: state.details.clone(),
            parameters: json::parameters(&server.parameters()),
            source: json::source(&server.source),
            version_string: state
                .version
                .as_ref()
                .map(|version| version.text().to_owned()),
            node_id: state.server_id.map(u64::from),
            master_id: state.master_id.map(u64::from),
            replication_lag: state.lag_secs.map(Duration::from_secs),
            uptime: state.uptime.unwrap_or_default(),
            last_event: state
                .last_event
                .as_ref()
                .map(|(event, at)| (event.to_string(), *at)),
            statistics,
            replication: self.replication(&server.name, entry.monitor.as_deref()),
            services: self.services_using(&server.name),
            monitor: entry.monitor.clone(),
        }
    }

    fn replication(&self, server: &str, monitor: Option<&str>) -> Option<ReplicationView> {
        let view = self.catalog.monitor(monitor?)?.view();
        let diagnostics = view.diagnostics.as_ref()?;
        diagnostics
            .server_info
            .iter()
            .find(|info| &*info.name == server)
            .map(replication)
    }

    fn services_using(&self, server: &str) -> Vec<String> {
        let config = self.catalog.config();
        let uses = |target: &tidegate_config::Target| {
            *target == tidegate_config::Target::Server(server.to_owned())
        };
        config
            .services
            .iter()
            .filter(|service| config.targets(service).iter().any(uses))
            .map(|service| service.name.clone())
            .collect()
    }
}

fn statistics(entry: &BoardEntry) -> ServerStatistics {
    let counters = &entry.counters;
    ServerStatistics {
        connections: counters.sum(|shard| &shard.connections),
        total_connections: counters.sum(|shard| &shard.total_connections),
        max_connections: counters.highest(|shard| &shard.max_connections),
        active_operations: counters.sum(|shard| &shard.operations),
        routed_packets: counters.sum(|shard| &shard.packets),
        routed_reads: counters.sum(|shard| &shard.reads),
        routed_writes: counters.sum(|shard| &shard.writes),
        failed_auths: counters.sum(|shard| &shard.failed_logins),
        persistent_connections: counters.now(|shard| &shard.pooled),
        max_pool_size: counters.highest(|shard| &shard.max_pooled),
        reused_connections: counters.sum(|shard| &shard.reused),
        connection_pool_empty: counters.sum(|shard| &shard.pool_empty),
        read_times: diagnostics::decades(counters, |shard| &shard.read_decades),
        write_times: diagnostics::decades(counters, |shard| &shard.write_decades),
        spread: diagnostics::spread_of_server(counters),
        adaptive_avg_select_time: diagnostics::average_read_time(counters),
    }
}

/// What a monitor knows of one server.
pub(super) fn replication(info: &ServerInfo) -> ReplicationView {
    ReplicationView {
        name: info.name.to_string(),
        server_id: info.server_id.map(u64::from),
        read_only: info.read_only,
        gtid_binlog_pos: info.gtid_binlog_pos.clone(),
        gtid_current_pos: info.gtid_current_pos.clone(),
        master_group: info.master_group.map(u64::from),
        lock_held: None,
        state_details: info.state_details.clone(),
        slave_connections: info
            .slave_connections
            .iter()
            .map(|link| ReplicaConnectionView {
                connection_name: link.row.connection_name.clone(),
                master_host: link.row.master_host.clone(),
                master_port: link.row.master_port,
                master_server_id: u64::from(link.row.master_server_id),
                master_server_name: link
                    .master_server_name
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
                slave_io_running: io_word(link.row.io).to_owned(),
                slave_sql_running: if link.row.sql_running { "Yes" } else { "No" }.to_owned(),
                seconds_behind_master: link.row.seconds_behind,
                gtid_io_pos: link.row.gtid_io_pos.clone(),
                using_gtid: link.row.using_gtid.clone(),
                last_io_error: link.row.last_io_error.clone(),
                last_sql_error: link.row.last_sql_error.clone(),
            })
            .collect(),
    }
}

/// The server's word for the state of the receiving thread.
fn io_word(state: IoState) -> &'static str {
    match state {
        IoState::Running => "Yes",
        IoState::Connecting => "Connecting",
        IoState::Stopped => "No",
    }
}
