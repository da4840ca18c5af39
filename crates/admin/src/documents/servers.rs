//! Servers, their counters, and what a monitor knows of their replication.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_jsonapi::{Relationship, Resource};

use super::{Look, object, or_minus_one, source, times};
use crate::time::short_duration;
use crate::views::{
    ReplicaConnectionView, ReplicationView, ResponseTimes, ServerStatistics, ServerView,
};

pub(super) fn server(view: &ServerView, look: &Look) -> Resource {
    let (last_event, triggered_at) = match &view.last_event {
        Some((event, when)) => (json!(event), look.date(*when).into()),
        None => (Value::Null, Value::Null),
    };
    let mut attributes = object(json!({
        "name": view.name,
        "state": view.state,
        "state_details": view.state_details,
        "parameters": view.parameters,
        "source": source(&view.source),
        "version_string": view.version_string,
        "node_id": or_minus_one(view.node_id),
        "master_id": or_minus_one(view.master_id),
        "replication_lag": or_minus_one(view.replication_lag.map(|lag| lag.as_secs())),
        "uptime": view.uptime.as_secs(),
        "last_event": last_event,
        "triggered_at": triggered_at,
        "statistics": statistics(&view.statistics),
    }));
    if let Some(replication) = &view.replication {
        attributes.extend(replication_state(replication));
    }
    Resource::new("servers", "servers", &view.name)
        .attributes(attributes)
        .relationships(vec![
            Relationship::new("services", &view.services),
            Relationship::new("monitors", &view.monitor),
        ])
}

fn statistics(counters: &ServerStatistics) -> Value {
    json!({
        "connections": counters.connections,
        "total_connections": counters.total_connections,
        "max_connections": counters.max_connections,
        "active_operations": counters.active_operations,
        "routed_packets": counters.routed_packets,
        "routed_reads": counters.routed_reads,
        "routed_writes": counters.routed_writes,
        "failed_auths": counters.failed_auths,
        "persistent_connections": counters.persistent_connections,
        "max_pool_size": counters.max_pool_size,
        "reused_connections": counters.reused_connections,
        "connection_pool_empty": counters.connection_pool_empty,
        "adaptive_avg_select_time": short_duration(counters.adaptive_avg_select_time),
        "response_time_distribution": {
            "read": distribution("read", &counters.read_times),
            "write": distribution("write", &counters.write_times),
        },
        "response_times": times::spread(&counters.spread),
    })
}

fn distribution(operation: &str, times: &ResponseTimes) -> Value {
    let mut bound = Duration::from_micros(1);
    let mut buckets = Vec::with_capacity(times.buckets.len());
    for bucket in &times.buckets {
        buckets.push(json!({
            "time": format!("{}.{:06}", bound.as_secs(), bound.subsec_micros()),
            "count": bucket.count,
            "total": bucket.total.as_secs_f64(),
        }));
        bound *= 10;
    }
    json!({ "operation": operation, "range_base": 10, "distribution": buckets })
}

/// What a monitor knows of one server: stands in the server itself and, with the name, in the
/// monitor's list.
pub(super) fn replication_state(view: &ReplicationView) -> Map<String, Value> {
    let connections: Vec<Value> = view
        .slave_connections
        .iter()
        .map(replica_connection)
        .collect();
    object(json!({
        "server_id": or_minus_one(view.server_id),
        "read_only": view.read_only,
        "gtid_binlog_pos": view.gtid_binlog_pos,
        "gtid_current_pos": view.gtid_current_pos,
        "master_group": view.master_group,
        "lock_held": view.lock_held,
        "slave_connections": connections,
    }))
}

fn replica_connection(view: &ReplicaConnectionView) -> Value {
    json!({
        "connection_name": view.connection_name,
        "master_host": view.master_host,
        "master_port": view.master_port,
        "master_server_id": view.master_server_id,
        "master_server_name": view.master_server_name,
        "slave_io_running": view.slave_io_running,
        "slave_sql_running": view.slave_sql_running,
        "seconds_behind_master": view.seconds_behind_master,
        "gtid_io_pos": view.gtid_io_pos,
        "using_gtid": view.using_gtid,
        "last_io_error": view.last_io_error,
        "last_sql_error": view.last_sql_error,
    })
}
