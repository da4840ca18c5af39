//! What a service manager is told, and what it lends: readiness, the watchdog, sockets.
//!
//! Without a service manager all of it does nothing.
//!
//! | variable | from the manager |
//! |---|---|
//! | `NOTIFY_SOCKET` | where it wants to be told |
//! | `WATCHDOG_USEC`, `WATCHDOG_PID` | how often it wants to hear that the process is well |
//! | `LISTEN_FDS`, `LISTEN_PID` | listening sockets it has opened: descriptors from 3 on |
//!
//! Source: systemd's manuals sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tidegate_runtime::Runtime;
use tidegate_runtime::log::Log;
use tidegate_session::Level;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// Tells the service manager how things stand.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: Option<UnixDatagram>,
}

impl Manager {
    /// The one that this process was started by, if any.
    pub(crate) fn find(log: &Log) -> Manager {
        let socket = match std::env::var("NOTIFY_SOCKET") {
            Err(_) => None,
            Ok(name) => connect(&name)
                .inspect_err(|error| {
                    let text = format!("cannot tell the service manager (NOTIFY_SOCKET): {error}");
                    log.say(Level::Warning, text);
                })
                .ok(),
        };
        Manager { socket }
    }

    /// The start is complete.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket {
            // A manager that does not listen any more is no reason to stop.
            let _ = socket.send(state.as_bytes());
        }
    }

    /// Tells the watchdog that all is well for as long as every worker answers; returns when there
    /// is no watchdog.
    pub(crate) async fn feed_watchdog(&self, runtime: &Runtime, log: &Log) {
        let Some(period) = watchdog().filter(|_| self.socket.is_some()) else {
            return;
        };
        let step = period / 2;
        let mut ticks = interval_at(Instant::now() + step, step);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match answered(runtime, step).await {
                Ok(()) => self.tell("WATCHDOG=1"),
                Err(worker) => {
                    let text = format!(
                        "worker {worker} has not answered for {} ms: the watchdog is not told that all is well",
                        step.as_millis()
                    );
                    log.say(Level::Error, text);
                }
            }
            ticks.tick().await;
        }
    }
}

/// Has every worker read its mail within `limit`? Else one that has not.
async fn answered(runtime: &Runtime, limit: Duration) -> Result<(), usize> {
    let (send, receive) = oneshot::channel();
    let asked = runtime.pulse(move |result| {
        // Too late is no answer.
        let _ = send.send(result);
    });
    match timeout(limit, receive).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(unanswered))) => Err(unanswered.worker),
        Ok(Err(_)) | Err(_) => Err(asked.missing().unwrap_or(0)),
    }
}

/// A path, or with an `@` a name that lies in no folder.
fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that is busy must not hold up its services.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How often the watchdog wants to hear of this process.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let period = number("WATCHDOG_USEC").filter(|_| for_us)?;
    (period > 0).then(|| Duration::from_micros(period))
}

/// How many sockets the manager has opened for this process.
pub(crate) fn lent_sockets() -> usize {
    let number = |name| std::env::var(name).ok()?.parse::<usize>().ok();
    let for_us = number("LISTEN_PID") == usize::try_from(std::process::id()).ok();
    number("LISTEN_FDS").filter(|_| for_us).unwrap_or(0)
}
