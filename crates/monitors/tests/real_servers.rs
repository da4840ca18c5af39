//! A monitor over a real primary with two replicas.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_monitors::mariadbmon::Note;
use tidegate_monitors::{
    AdminState, MonitorHandle, MonitorObserver, MonitorSettings, MonitorView, MonitoredServer,
    RequestError, ServerBits, ServerState,
};
use tidegate_sqlclient::{Address, Credentials, Timeouts};
use tidegate_testkit::{PATIENCE, Server, ServerGroup};

/// Long enough for a loaded machine, short enough to wait out for a frozen server.
const ASK_TIMEOUT: Duration = Duration::from_millis(500);

/// Keeps what the log would have been told.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl MonitorObserver for Log {
    fn published(&self, _: &Arc<MonitorView>) {}
    fn noted(&self, note: &Note) {
        self.0.lock().expect("not poisoned").push(note.to_string());
    }
}

impl Log {
    fn has(&self, text: &str) -> bool {
        let lines = self.0.lock().expect("not poisoned");
        lines.iter().any(|line| line.contains(text))
    }

    fn count(&self, text: &str) -> usize {
        let lines = self.0.lock().expect("not poisoned");
        lines.iter().filter(|line| line.contains(text)).count()
    }
}

fn monitored(server: &Server) -> MonitoredServer {
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    };
    MonitoredServer::new(server.name(), address)
}

fn settings(group: &ServerGroup) -> MonitorSettings {
    let account = &group.accounts().monitor;
    let credentials = Credentials::new(&account.user, &account.password);
    MonitorSettings {
        interval: Duration::from_millis(100),
        timeouts: Timeouts::all(ASK_TIMEOUT),
        tracked_variables: ["version_comment".to_owned()].into(),
        servers: group.servers().iter().map(monitored).collect(),
        ..MonitorSettings::new(credentials)
    }
}

/// Waits for a view that `holds`, and fails with the last one seen.
async fn wait_view(monitor: &MonitorHandle, what: &str, holds: impl Fn(&MonitorView) -> bool) {
    let mut views = monitor.subscribe();
    let waited = tokio::time::timeout(PATIENCE, views.wait_for(|view| holds(view))).await;
    assert!(waited.is_ok(), "{what} did not come: {:#?}", monitor.view());
}

/// Waits until the servers' states read so, in configuration order.
async fn wait_states(monitor: &MonitorHandle, states: [&str; 3]) {
    wait_view(monitor, &states.join(" / "), |view| {
        let texts: Vec<String> = view
            .servers
            .iter()
            .map(|server| server.bits.text(1))
            .collect();
        texts == states
    })
    .await;
}

fn event(state: &ServerState) -> Option<String> {
    state.last_event.map(|(event, _)| event.to_string())
}

async fn sees_the_cluster(monitor: &MonitorHandle, group: &ServerGroup) {
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
    group.wait_replicated().expect("replicated");
    wait_view(monitor, "equal positions without lag", |view| {
        let primary = &view.servers[0];
        view.servers.iter().all(|server| {
            server.gtid_current_pos.is_some()
                && server.gtid_current_pos == primary.gtid_current_pos
                && server.lag_secs == Some(0)
        })
    })
    .await;
    let view = monitor.view();
    let primary = view.server("primary").expect("known");
    assert_eq!((primary.server_id, primary.master_id), (Some(1), None));
    assert_eq!(primary.read_only, Some(false));
    assert!(
        primary
            .version
            .as_ref()
            .is_some_and(|version| version.number() > 100_000)
    );
    assert!(primary.variables.contains_key("version_comment"));
    assert_eq!(event(primary).as_deref(), Some("master_up"));
    let replica = view.server("replica1").expect("known");
    assert_eq!((replica.server_id, replica.master_id), (Some(2), Some(1)));
    let diagnostics = view.diagnostics.as_ref().expect("running");
    assert_eq!(diagnostics.master.as_deref(), Some("primary"));
    assert!(diagnostics.server_info[0].slave_connections.is_empty());
    let link = &diagnostics.server_info[1].slave_connections[0];
    assert_eq!(link.master_server_name.as_deref(), Some("primary"));
    assert_eq!(
        (link.row.io.word(), link.row.using_gtid.as_str()),
        ("Yes", "Slave_Pos")
    );
}

async fn survives_the_primarys_death(monitor: &MonitorHandle, group: &ServerGroup, log: &Log) {
    group.primary().kill().expect("killed");
    wait_states(monitor, ["Down", "Slave, Running", "Slave, Running"]).await;
    let view = monitor.view();
    assert_eq!(event(&view.servers[0]).as_deref(), Some("master_down"));
    assert_eq!(view.servers[0].lag_secs, None);
    assert!(log.has("cannot monitor server 'primary'"));
    let diagnostics = view.diagnostics.as_ref().expect("running");
    assert_eq!(
        diagnostics.master.as_deref(),
        Some("primary"),
        "a down primary stays chosen"
    );
    group.primary().restart().expect("back");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
    assert_eq!(
        log.count("cannot monitor server 'primary'"),
        1,
        "one line a cause"
    );
}

async fn notices_a_frozen_replica(monitor: &MonitorHandle, group: &ServerGroup) {
    let replica = &group.replicas()[0];
    replica.pause().expect("frozen");
    wait_states(monitor, ["Master, Running", "Down", "Slave, Running"]).await;
    replica.resume().expect("thawed");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
}

async fn follows_read_only_and_stopped_links(
    monitor: &MonitorHandle,
    group: &ServerGroup,
    log: &Log,
) {
    group.primary().sql("SET GLOBAL read_only=1").expect("set");
    wait_states(
        monitor,
        ["Slave, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
    assert_eq!(log.count("it is kept: no other server is suitable"), 1);
    group.primary().sql("SET GLOBAL read_only=0").expect("set");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
    let replica = &group.replicas()[1];
    replica.sql("STOP SLAVE SQL_THREAD").expect("stopped");
    wait_states(monitor, ["Master, Running", "Slave, Running", "Running"]).await;
    replica.sql("START SLAVE").expect("started");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
}

async fn obeys_the_administrator(monitor: &MonitorHandle, log: &Log) {
    let refused = monitor
        .change_state("primary", AdminState::Maintenance, true)
        .await;
    assert!(
        matches!(refused, Err(RequestError::IsMaster { .. })),
        "{refused:?}"
    );
    let refused = monitor
        .change_state("replica1", AdminState::Master, true)
        .await;
    assert!(
        matches!(refused, Err(RequestError::MonitorDecides { .. })),
        "{refused:?}"
    );
    let refused = monitor
        .change_state("nobody", AdminState::Drain, true)
        .await;
    assert!(
        matches!(refused, Err(RequestError::UnknownServer { .. })),
        "{refused:?}"
    );

    for (state, text) in [
        (AdminState::Maintenance, "Maintenance, Running"),
        (AdminState::Drain, "Draining, Slave, Running"),
    ] {
        monitor
            .change_state("replica1", state, true)
            .await
            .expect("set");
        assert_eq!(monitor.view().servers[1].bits.text(1), text);
        let ticks = monitor.view().ticks;
        wait_view(monitor, "two more ticks", |view| view.ticks > ticks + 1).await;
        assert_eq!(monitor.view().servers[1].bits.text(1), text, "it lasts");
        monitor
            .change_state("replica1", state, false)
            .await
            .expect("cleared");
        assert_eq!(monitor.view().servers[1].bits.text(1), "Slave, Running");
    }
    assert!(log.has("state 'maintenance' set for server 'replica1'"));
}

async fn stops_and_starts(monitor: &MonitorHandle) {
    monitor.stop().await.expect("stopped");
    let view = monitor.view();
    assert!(!view.running && view.diagnostics.is_none());
    assert_eq!(
        view.servers[1].bits.text(1),
        "Slave, Running",
        "states stay"
    );
    monitor
        .change_state("replica1", AdminState::Master, true)
        .await
        .expect("set by hand");
    assert!(monitor.view().servers[1].bits.contains(ServerBits::MASTER));
    monitor.start().await.expect("started");
    assert!(monitor.view().running);
    assert_eq!(monitor.view().servers[1].bits.text(1), "Slave, Running");
}

async fn tells_wrong_credentials(monitor: &MonitorHandle, group: &ServerGroup) {
    let mut wrong = settings(group);
    wrong.servers[2].credentials = Some(Credentials::new("monitor", "wrong"));
    monitor.reconfigure(wrong).await.expect("taken");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Auth Error, Down"],
    )
    .await;
    let account = &group.accounts().service;
    let mut unprivileged = settings(group);
    unprivileged.servers[2].credentials = Some(Credentials::new(&account.user, &account.password));
    monitor.reconfigure(unprivileged).await.expect("taken");
    wait_view(monitor, "a lacking privilege", |view| {
        view.servers[2]
            .bits
            .contains(ServerBits::AUTH_ERROR | ServerBits::RUNNING)
    })
    .await;
    monitor.reconfigure(settings(group)).await.expect("taken");
    wait_states(
        monitor,
        ["Master, Running", "Slave, Running", "Slave, Running"],
    )
    .await;
}

async fn falls_back_from_the_extra_port(monitor: &MonitorHandle, group: &ServerGroup, log: &Log) {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("bound").port();
    drop(closed);
    let mut extra = settings(group);
    extra.servers[1].extra_port = Some(port);
    monitor.reconfigure(extra).await.expect("taken");
    assert_eq!(monitor.view().servers[1].bits.text(1), "Slave, Running");
    assert_eq!(
        log.count("extra_port of server 'replica1' does not answer"),
        1
    );
}

/// All that the monitor's account ever asked reads, and it left no transaction behind.
fn never_changed_a_server(group: &ServerGroup) {
    for server in group.servers() {
        let asked = server
            .rows(
                "SELECT DISTINCT argument FROM mysql.general_log \
                 WHERE user_host LIKE 'monitor[%' AND command_type='Query'",
            )
            .expect("the log");
        assert!(asked.len() >= 3, "{asked:?}");
        for statement in asked {
            let text = &statement[0];
            assert!(
                text.starts_with("SELECT ") || text.starts_with("SHOW "),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn watches_a_real_cluster() {
    let group = ServerGroup::builder()
        .replicas(2)
        .option("general_log=1")
        .option("log_output=TABLE")
        .start()
        .expect("three servers");
    let log = Arc::new(Log::default());
    let observer: Arc<dyn MonitorObserver> = log.clone();
    let monitor = MonitorHandle::spawn("Monitor", settings(&group), observer);
    sees_the_cluster(&monitor, &group).await;
    survives_the_primarys_death(&monitor, &group, &log).await;
    notices_a_frozen_replica(&monitor, &group).await;
    follows_read_only_and_stopped_links(&monitor, &group, &log).await;
    obeys_the_administrator(&monitor, &log).await;
    stops_and_starts(&monitor).await;
    tells_wrong_credentials(&monitor, &group).await;
    falls_back_from_the_extra_port(&monitor, &group, &log).await;
    monitor.shutdown().await;
    never_changed_a_server(&group);
}
