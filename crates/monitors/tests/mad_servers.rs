//! A monitor over servers that misbehave.

use std::sync::Arc;
use std::time::Duration;

use tidegate_monitors::mariadbmon::Note;
use tidegate_monitors::{
    AdminState, MonitorHandle, MonitorObserver, MonitorSettings, MonitorView, MonitoredServer,
    RequestError,
};
use tidegate_sqlclient::{Address, Credentials, Timeouts};
use tidegate_testkit::PATIENCE;
use tidegate_testkit::raw::{Peer, ScriptedServer};

struct Deaf;

impl MonitorObserver for Deaf {
    fn published(&self, _: &Arc<MonitorView>) {}
    fn noted(&self, _: &Note) {}
}

fn spawn(servers: &[&ScriptedServer], timeout: Duration) -> MonitorHandle {
    let monitored = servers.iter().enumerate().map(|(index, server)| {
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: server.address().port(),
        };
        MonitoredServer::new(&format!("s{index}"), address)
    });
    let settings = MonitorSettings {
        interval: Duration::from_millis(100),
        timeouts: Timeouts::all(timeout),
        servers: monitored.collect(),
        ..MonitorSettings::new(Credentials::new("monitor", "m"))
    };
    MonitorHandle::spawn("Monitor", settings, Arc::new(Deaf))
}

async fn wait(monitor: &MonitorHandle, holds: impl Fn(&MonitorView) -> bool) {
    let mut views = monitor.subscribe();
    let waited = tokio::time::timeout(PATIENCE, views.wait_for(|view| holds(view))).await;
    assert!(waited.is_ok(), "in vain: {:#?}", monitor.view());
}

/// Logs everybody in, answers pings, and everything else with `answer`.
fn server(
    answer: impl Fn(&mut Peer) -> anyhow::Result<()> + Send + Sync + 'static,
) -> ScriptedServer {
    ScriptedServer::start(move |peer| {
        peer.login()?;
        loop {
            match peer.command()?.first() {
                Some(0x0e) => peer.ok()?,
                Some(0x01) | None => return Ok(()),
                Some(_) => answer(peer)?,
            }
        }
    })
    .expect("a server")
}

#[tokio::test]
async fn each_is_down_or_in_error_and_none_disturbs_the_others() {
    let nonsense = server(|peer| peer.packets.write_bytes(b"\xff\xff\xff\x07 nonsense"));
    let hangs_up = server(|_| anyhow::bail!("enough"));
    let empty = server(|peer| peer.rows("nothing", &[]));
    let killed = server(|peer| peer.err(1927, "70100", "Connection was killed"));
    let refuses = server(|peer| peer.err(1227, "42000", "Access denied; you need privileges"));
    let silent = server(|peer| peer.packets.read_to_end().map(drop));
    let servers = [&nonsense, &hangs_up, &empty, &killed, &refuses, &silent];
    let monitor = spawn(&servers, Duration::from_millis(200));
    wait(&monitor, |view| view.ticks >= 3).await;
    let view = monitor.view();
    let states: Vec<String> = view
        .servers
        .iter()
        .map(|server| server.bits.text(1))
        .collect();
    assert_eq!(
        states,
        [
            "Down",
            "Down",
            "Down",
            "Down",
            "Auth Error, Running",
            "Down"
        ]
    );
    monitor.shutdown().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_silent_server() {
    let silent = server(|peer| peer.packets.read_to_end().map(drop));
    let monitor = spawn(&[&silent], Duration::from_secs(3600));
    let change = monitor.change_state("s0", AdminState::Maintenance, true);
    let unanswered = tokio::time::timeout(Duration::from_millis(100), change).await;
    assert!(unanswered.is_err(), "no tick has ended: {unanswered:?}");
    let stopped = tokio::time::timeout(PATIENCE, monitor.stop()).await;
    assert_eq!(stopped.expect("in time"), Ok(()));
    assert_eq!(monitor.view().servers[0].bits.text(1), "Maintenance, Down");
    assert_eq!(monitor.view().ticks, 0);
    let unknown = monitor
        .change_state("nobody", AdminState::Drain, true)
        .await;
    assert!(matches!(unknown, Err(RequestError::UnknownServer { .. })));
    let ended = tokio::time::timeout(PATIENCE, monitor.shutdown()).await;
    assert!(ended.is_ok());
}
