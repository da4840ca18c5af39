//! The outside of a monitor: its views, its observer, and the requests it takes.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::bits::AdminState;
use crate::diagnostics::{Activity, MonitorView};
use crate::mariadbmon::Note;
use crate::settings::MonitorSettings;
use crate::task::{self, Task};

/// How many requests may wait for a monitor that is busy asking servers.
const REQUEST_QUEUE: usize = 64;

/// Who is told what a monitor finds out. Called from the monitor's task; must not block.
pub trait MonitorObserver: Send + Sync + 'static {
    /// A tick or a request changed what is known.
    fn published(&self, view: &Arc<MonitorView>);
    /// Something for the log.
    fn noted(&self, note: &Note);
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The server is not one of the monitor's.
    #[error("monitor '{monitor}' does not monitor a server '{server}'")]
    UnknownServer {
        /// The monitor.
        monitor: String,
        /// The server asked for.
        server: String,
    },
    /// Only maintenance and drain outlast a tick.
    #[error(
        "state '{state}' cannot be changed: server '{server}' is monitored by '{monitor}', where \
         only 'maintenance' and 'drain' can be set or cleared"
    )]
    MonitorDecides {
        /// The monitor.
        monitor: String,
        /// The server.
        server: String,
        /// The state's word.
        state: &'static str,
    },
    /// The primary is needed where it is.
    #[error(
        "state '{state}' cannot be set: server '{server}' is the Master of monitor '{monitor}'; \
         move that role to another server first"
    )]
    IsMaster {
        /// The monitor.
        monitor: String,
        /// The server.
        server: String,
        /// The state's word.
        state: &'static str,
    },
    /// The monitor has ended.
    #[error("monitor '{monitor}' has ended")]
    Gone {
        /// The monitor.
        monitor: String,
    },
}

pub(crate) type Reply = oneshot::Sender<Result<(), RequestError>>;

/// What can be asked of a monitor.
pub(crate) enum Request {
    Change {
        server: String,
        state: AdminState,
        on: bool,
        reply: Reply,
    },
    Start(Reply),
    Stop(Reply),
    Reconfigure(Box<MonitorSettings>, Reply),
}

/// A monitor, running or stopped. Dropping the handle ends its task.
#[derive(Debug)]
pub struct MonitorHandle {
    name: Arc<str>,
    requests: mpsc::Sender<Request>,
    views: watch::Receiver<Arc<MonitorView>>,
    activity: watch::Receiver<Activity>,
    task: JoinHandle<()>,
}

impl MonitorHandle {
    /// Starts a mariadbmon on the current tokio runtime. Its first tick begins at once.
    #[must_use]
    pub fn spawn(
        name: &str,
        settings: MonitorSettings,
        observer: Arc<dyn MonitorObserver>,
    ) -> Self {
        let name: Arc<str> = Arc::from(name);
        let (requests, inbox) = mpsc::channel(REQUEST_QUEUE);
        let (task, views, activity) = Task::new(Arc::clone(&name), settings, observer);
        Self {
            name,
            requests,
            views,
            activity,
            task: tokio::spawn(task::run(task, inbox)),
        }
    }

    /// The monitor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known now.
    #[must_use]
    pub fn view(&self) -> Arc<MonitorView> {
        Arc::clone(&self.views.borrow())
    }

    /// To be told when more is known.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<MonitorView>> {
        self.views.clone()
    }

    /// What it is doing.
    #[must_use]
    pub fn activity(&self) -> Activity {
        *self.activity.borrow()
    }

    /// Sets or clears a state of a server. Returns once a tick has taken it into account.
    ///
    /// # Errors
    /// See [`RequestError`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the change may or may not be made.
    pub async fn change_state(
        &self,
        server: &str,
        state: AdminState,
        on: bool,
    ) -> Result<(), RequestError> {
        let server = server.to_owned();
        self.ask(|reply| Request::Change {
            server,
            state,
            on,
            reply,
        })
        .await
    }

    /// Begins to tick, if it does not. Returns after the first tick.
    ///
    /// # Errors
    /// [`RequestError::Gone`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the monitor may or may not start.
    pub async fn start(&self) -> Result<(), RequestError> {
        self.ask(Request::Start).await
    }

    /// Stops ticking at once and closes the connections. States stay as they are.
    ///
    /// # Errors
    /// [`RequestError::Gone`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the monitor may or may not stop.
    pub async fn stop(&self) -> Result<(), RequestError> {
        self.ask(Request::Stop).await
    }

    /// Goes on with other settings; what is known of servers that stay is kept. Returns after
    /// the first tick with them, or at once if the monitor is stopped.
    ///
    /// # Errors
    /// [`RequestError::Gone`].
    ///
    /// # Cancel safety
    /// If the future is dropped, the settings may or may not change.
    pub async fn reconfigure(&self, settings: MonitorSettings) -> Result<(), RequestError> {
        self.ask(|reply| Request::Reconfigure(Box::new(settings), reply))
            .await
    }

    /// Ends the monitor and waits until its connections are closed.
    pub async fn shutdown(self) {
        drop(self.requests);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }

    async fn ask(&self, request: impl FnOnce(Reply) -> Request) -> Result<(), RequestError> {
        let gone = || RequestError::Gone {
            monitor: self.name.to_string(),
        };
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
