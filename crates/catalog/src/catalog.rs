//! A configuration that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tidegate_accounts::{AccountManager, AccountsView, Refresh};
use tidegate_config::params::{ListenerParams, MonitorParams, ServiceParams};
use tidegate_config::{Config, Object};
use tidegate_monitors::mariadbmon::Note;
use tidegate_monitors::{AdminState, MonitorHandle, MonitorObserver, MonitorView, ServerState};
use tidegate_runtime::log::Log;
use tidegate_runtime::{Endpoint, ListenerSpec, Runtime, RuntimeConfig};
use tidegate_session::filter::Filter;
use tidegate_session::{Level, ServiceSpec, SessionId, Terms};
use tidegate_tls::{SelfMade, ServerTlsSlot};
use tidegate_wire::auth::NATIVE;
use tokio::sync::Semaphore;

use crate::answers::{AccountAnswers, BENCHES, Surroundings};
use crate::board::{Board, BoardEntry, StateError};
use crate::graph::{Graph, GraphError, Ledger, is_cli, rank};
use crate::logins::{LoginErrors, Logins};
use crate::names::Names;
use crate::pam::PamHelpers;
use crate::sink::ThreadSink;
use crate::tls::{TlsErrors, TlsSet};
use crate::{places, settings};

/// How long the start waits for the monitors' first rounds and the first load of accounts: a
/// server that does not answer must not keep the others' clients out.
const FIRST_LOOK: Duration = Duration::from_secs(4);

/// How often server names are looked up again.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(60);

/// Why the objects of a valid configuration could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// They could not be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// TLS settings or their files are wrong.
    #[error("{0}")]
    Tls(#[from] TlsErrors),
    /// Files that logins need are wrong.
    #[error("{0}")]
    Logins(#[from] LoginErrors),
    /// There is no such address to connect from.
    #[error("local_address: {0}")]
    Local(String),
    /// No workers.
    #[error(transparent)]
    Workers(#[from] tidegate_runtime::StartError),
    /// A listener's address makes no sense.
    #[error("listener '{listener}': {reason}")]
    Place {
        /// The listener.
        listener: String,
        /// What is wrong.
        reason: String,
    },
    /// A listener could not be opened.
    #[error("listener '{listener}': {error}")]
    Listen {
        /// The listener.
        listener: String,
        /// Why.
        error: tidegate_runtime::ListenError,
    },
}

/// A service that runs, or only stands in lists (`router=cli`).
#[derive(Debug, Clone)]
pub struct Service {
    /// What sessions run on; `None`: no session ever does.
    pub spec: Option<Arc<ServiceSpec>>,
    /// When it was started.
    pub started: SystemTime,
}

/// A listener that runs, or only stands in lists (`protocol=maxscaled`).
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its service.
    pub service: String,
    /// Where it listens; `None`: it opens no socket.
    pub endpoint: Option<Endpoint>,
    /// When it was started.
    pub started: SystemTime,
}

/// A running configuration.
#[derive(Debug)]
pub struct Catalog {
    config: Config,
    board: Arc<Board>,
    filters: BTreeMap<String, Arc<dyn Filter>>,
    services: BTreeMap<String, Service>,
    accounts: Arc<BTreeMap<String, Arc<AccountManager>>>,
    logins: Arc<Logins>,
    monitors: Vec<MonitorHandle>,
    listeners: BTreeMap<String, Listener>,
    runtime: Runtime,
    self_made: SelfMade,
    stopped: Mutex<Stopped>,
}

/// What was stopped by hand.
#[derive(Debug, Default)]
struct Stopped {
    services: BTreeSet<String>,
    listeners: BTreeSet<String>,
}

/// Passes on what a monitor finds out.
struct Observer {
    board: Arc<Board>,
    log: Log,
}

impl MonitorObserver for Observer {
    fn published(&self, view: &Arc<MonitorView>) {
        self.board.published(view);
    }

    fn noted(&self, note: &Note) {
        let level = if note.is_warning() {
            Level::Warning
        } else {
            Level::Notice
        };
        self.log.say(level, note.to_string());
    }
}

impl Catalog {
    /// Builds and starts everything. Must be called on the control plane's runtime. `first_session`
    /// is the number the first client gets, `lent` the listening sockets of a service manager.
    ///
    /// # Errors
    /// What stands in the way; nothing is left running then.
    pub async fn start(
        config: Config,
        log: &Log,
        first_session: u64,
        lent: Vec<OwnedFd>,
    ) -> Result<Catalog, StartError> {
        let workers = usize::try_from(config.maxscale.params.threads.threads)
            .unwrap_or(1)
            .max(1);
        let most = usize::try_from(config.maxscale.params.threads.threads_max).unwrap_or(1);
        let workers = (workers.min(most), most);
        let self_made = SelfMade::default();
        let tls = TlsSet::build(&config, &self_made)?;
        tls.warnings
            .iter()
            .for_each(|warning| log.say(Level::Warning, warning.clone()));
        let logins = Arc::new(Logins::build(&config)?);
        let mut ledger = Ledger::new(workers);
        let sink: Arc<dyn tidegate_filters::LineSink> = Arc::new(ThreadSink(log.clone()));
        let graph = Graph::build(&config, &mut ledger, &sink)?;
        let local = config.maxscale.params.accounts.local_address.as_deref();
        let local = places::local(local).await.map_err(StartError::Local)?;
        let entries = entries(&config, &mut ledger, &tls).await;
        let board = Board::new(entries, graph.watches_positions()).from(local);
        let board = Arc::new(board);
        let monitors = start_monitors(&config, &board, log);
        first_looks(&monitors).await;
        let accounts = Arc::new(start_accounts(&config, &board, &logins, log));
        first_loads(&accounts).await;
        let birth = (first_session, lent);
        let answers = Arc::new(AccountAnswers {
            services: Arc::clone(&accounts),
            logins: Arc::clone(&logins),
            kin: settings::kin(&config),
            names: names(&config),
            tasks: tokio::runtime::Handle::current(),
            benches: Arc::new(Semaphore::new(BENCHES)),
            board: Arc::clone(&board),
            log: log.clone(),
            pam: PamHelpers::new(log.clone()),
        });
        let runtime = start_runtime(&config, &board, answers, log, workers, birth)?;
        board.serve(runtime.clone());
        watch(&board, &accounts);
        let mut catalog = Catalog {
            services: services(&config, &graph),
            filters: graph.filters,
            listeners: BTreeMap::new(),
            board,
            accounts,
            logins,
            monitors,
            runtime,
            self_made,
            stopped: Mutex::default(),
            config,
        };
        if let Err(error) = catalog.open_listeners(&tls, log) {
            catalog.runtime.begin_shutdown(true);
            return Err(error);
        }
        Ok(catalog)
    }

    fn open_listeners(&mut self, tls: &TlsSet, log: &Log) -> Result<(), StartError> {
        let listeners = self.config.listeners.clone();
        for listener in &listeners {
            let opened = self.open_listener(listener, tls, log)?;
            self.listeners.insert(listener.name.clone(), opened);
        }
        for place in self.runtime.give_lent_back() {
            let text = format!(
                "the service manager has opened {place}, where no listener is configured: it is closed"
            );
            log.say(Level::Warning, text);
        }
        Ok(())
    }

    fn open_listener(
        &self,
        listener: &Object<ListenerParams>,
        tls: &TlsSet,
        log: &Log,
    ) -> Result<Listener, StartError> {
        let name = &listener.name;
        let service = &listener.params.service;
        let spec = self
            .services
            .get(service)
            .and_then(|service| service.spec.clone());
        let mut opened = Listener {
            service: service.clone(),
            endpoint: None,
            started: SystemTime::now(),
        };
        let Some(service) = spec else {
            return Ok(opened);
        };
        let endpoint = places::listening(&listener.params).map_err(|reason| StartError::Place {
            listener: name.clone(),
            reason,
        })?;
        let logins = self.logins.of(name);
        let terms = Arc::new(Terms {
            metadata: settings::metadata(&listener.params),
            init: logins.map(|logins| logins.init.clone()).unwrap_or_default(),
        });
        let spec = ListenerSpec {
            name: settings::shared(name),
            endpoint,
            service,
            tls: tls.listeners.get(name).cloned(),
            tellers: Arc::new(settings::networks(&listener.params.proxy_protocol_networks)),
            plugin: logins.map_or(NATIVE, |logins| logins.plugin),
            compression: settings::compression(listener),
            terms,
            started: true,
        };
        let place = self
            .runtime
            .add_listener(&spec)
            .map_err(|error| StartError::Listen {
                listener: name.clone(),
                error,
            })?;
        log.say(
            Level::Notice,
            format!(
                "Listening for connections at {place} for service '{}'",
                opened.service
            ),
        );
        opened.endpoint = Some(place);
        Ok(opened)
    }

    /// From now on connections are made with this TLS.
    pub(crate) fn use_tls(&self, set: &TlsSet) {
        for (name, tls) in &set.listeners {
            // A listener that is gone needs none.
            let _ = self.runtime.set_tls(name, Some(Arc::clone(tls)));
        }
        self.board.set_tls(&set.servers);
    }

    /// How clients prove who they are.
    pub(crate) fn logins(&self) -> &Arc<Logins> {
        &self.logins
    }

    /// The certificate of listeners that are given none.
    pub(crate) fn self_made(&self) -> &SelfMade {
        &self.self_made
    }

    /// The configuration it runs.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The servers.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The workers.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// How many workers take sessions.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.runtime.active_workers()
    }

    /// May so many workers take sessions?
    ///
    /// # Errors
    /// More are wanted than `threads_max` allows.
    pub fn check_workers(&self, count: u64) -> Result<(), String> {
        let most = self.config.maxscale.params.threads.threads_max;
        if count == 0 || count > most {
            return Err(format!("threads may be from 1 to threads_max={most}"));
        }
        Ok(())
    }

    /// Changes how many workers take sessions; says what stands in the way.
    ///
    /// # Errors
    /// More are wanted than `threads_max` allows, or than the system has threads for.
    pub fn set_workers(&self, count: u64) -> Result<(), String> {
        self.check_workers(count)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let outcome = self.runtime.set_workers(count);
        outcome.map_err(|error| error.to_string())
    }

    /// A service by its name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// A listener by its name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&Listener> {
        self.listeners.get(name)
    }

    /// A filter by its name.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&Arc<dyn Filter>> {
        self.filters.get(name)
    }

    /// A monitor by its name.
    #[must_use]
    pub fn monitor(&self, name: &str) -> Option<&MonitorHandle> {
        self.monitors.iter().find(|monitor| monitor.name() == name)
    }

    /// What is known of a service's accounts.
    #[must_use]
    pub fn accounts(&self, service: &str) -> Option<AccountsView> {
        self.accounts.get(service).map(|manager| manager.view())
    }

    /// Loads a service's accounts now.
    pub async fn reload_accounts(&self, service: &str) -> Option<Refresh> {
        let accounts = Arc::clone(self.accounts.get(service)?);
        Some(accounts.reload().await)
    }

    /// Lets a listener accept clients, or lets them queue. `false`: there is no such listener. A
    /// service one of whose listeners accepts is not stopped.
    pub fn switch_listener(&self, name: &str, on: bool) -> bool {
        let Some(listener) = self.listeners.get(name) else {
            return false;
        };
        let mut stopped = self.stopped();
        if on {
            stopped.listeners.remove(name);
            stopped.services.remove(&listener.service);
        } else {
            stopped.listeners.insert(name.to_owned());
        }
        if listener.endpoint.is_some() {
            // A listener that was opened is known to the workers until the end of the process.
            let _ = if on {
                self.runtime.start_listener(name)
            } else {
                self.runtime.stop_listener(name)
            };
        }
        true
    }

    /// The same with all listeners of a service.
    pub fn switch_service(&self, name: &str, on: bool) -> bool {
        if !self.services.contains_key(name) {
            return false;
        }
        for (listener, opened) in &self.listeners {
            if opened.service == name {
                self.switch_listener(listener, on);
            }
        }
        let mut stopped = self.stopped();
        if on {
            stopped.services.remove(name);
        } else {
            stopped.services.insert(name.to_owned());
        }
        true
    }

    /// Was this service stopped by hand?
    #[must_use]
    pub fn is_service_stopped(&self, name: &str) -> bool {
        self.stopped().services.contains(name)
    }

    /// Was this listener stopped by hand?
    #[must_use]
    pub fn is_listener_stopped(&self, name: &str) -> bool {
        self.stopped().listeners.contains(name)
    }

    fn stopped(&self) -> MutexGuard<'_, Stopped> {
        // Nothing panics while it is held.
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or clears a state of a server by hand. With `force` a server that is put into
    /// maintenance loses its connections at once, else each at its next rest.
    ///
    /// # Errors
    /// There is no such server, or its monitor decides about that state.
    pub async fn change_state(
        &self,
        server: &str,
        state: AdminState,
        on: bool,
        force: bool,
    ) -> Result<(), StateError> {
        let entry = self
            .board
            .entry(server)
            .ok_or_else(|| StateError::Unknown(server.to_owned()))?;
        match entry.monitor.as_deref().and_then(|name| self.monitor(name)) {
            Some(monitor) => monitor.change_state(server, state, on).await?,
            None => self.board.change_unwatched(server, state, on)?,
        }
        if state == AdminState::Maintenance {
            self.board.evict(server, on && force);
        }
        Ok(())
    }

    /// Stops accepting, lets sessions come to the end of what they do for at most `patience`, ends
    /// them, and stops the monitors.
    pub async fn shutdown(&self, patience: Duration) {
        let runtime = self.runtime.clone();
        let ended = tokio::task::spawn_blocking(move || {
            runtime.begin_shutdown(patience.is_zero());
            if !patience.is_zero() && runtime.wait(patience) {
                return true;
            }
            runtime.begin_shutdown(true);
            runtime.wait(Duration::from_secs(5))
        });
        // Workers that do not end are left to the end of the process.
        let _ = ended.await;
        for monitor in &self.monitors {
            // One that has ended is stopped.
            let _ = monitor.stop().await;
        }
    }
}

/// Names of clients' addresses, unless they are not to be looked up.
fn names(config: &Config) -> Option<Arc<Names>> {
    let params = &config.maxscale.params.accounts;
    (!params.skip_name_resolve).then(|| Arc::new(Names::new(params.host_cache_size)))
}

async fn entries(config: &Config, ledger: &mut Ledger, tls: &TlsSet) -> Vec<BoardEntry> {
    let mut entries = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let address = places::address(&server.params);
        let monitor = config
            .monitors
            .iter()
            .find(|monitor| monitor.params.servers.contains(&server.name));
        entries.push(BoardEntry {
            name: settings::shared(&server.name),
            rank: rank(server.params.rank),
            most_connections: server.params.max_routing_connections,
            admission: Arc::default(),
            pool: settings::pool(&server.params),
            proxy_header: settings::proxy_header(&server.params),
            compression: settings::compression_towards(&server.params),
            as_service: server.params.use_service_credentials,
            counters: ledger.server(&server.name),
            state: Arc::new(ServerState::unknown(&server.name)),
            monitor: monitor.map(|monitor| monitor.name.clone()),
            endpoint: places::resolve(&address).await,
            tls: ServerTlsSlot::new(tls.servers.get(&server.name).cloned()),
            evicted: false,
            extra_port: settings::extra_port(&server.params),
            address,
        });
    }
    entries
}

fn start_monitors(config: &Config, board: &Arc<Board>, log: &Log) -> Vec<MonitorHandle> {
    let start = |monitor: &Object<MonitorParams>| {
        let observer = Arc::new(Observer {
            board: Arc::clone(board),
            log: log.clone(),
        });
        let settings = settings::monitor(config, monitor, board);
        MonitorHandle::spawn(&monitor.name, settings, observer)
    };
    config.monitors.iter().map(start).collect()
}

/// Waits until every monitor has looked at its servers once.
async fn first_looks(monitors: &[MonitorHandle]) {
    let looks = async {
        for monitor in monitors {
            let mut views = monitor.subscribe();
            // A monitor that has ended will never look.
            let _ = views.wait_for(|view| view.ticks > 0).await;
        }
    };
    // Too late is no error: the servers count as down until they have been seen.
    let _ = tokio::time::timeout(FIRST_LOOK, looks).await;
}

fn start_accounts(
    config: &Config,
    board: &Arc<Board>,
    logins: &Logins,
    log: &Log,
) -> BTreeMap<String, Arc<AccountManager>> {
    let start = |service: &Object<ServiceParams>| {
        let host = Arc::new(Surroundings {
            board: Arc::clone(board),
            servers: settings::servers_of(config, service),
            passages: logins.passages(config, service),
            log: log.clone(),
        });
        let manager = AccountManager::spawn(settings::accounts(config, service, board), host);
        (service.name.clone(), Arc::new(manager))
    };
    // Only services that clients come to need accounts.
    let listened = |service: &&Object<ServiceParams>| {
        !is_cli(service)
            && config
                .listeners
                .iter()
                .any(|listener| listener.params.service == service.name)
    };
    config.services.iter().filter(listened).map(start).collect()
}

/// Waits until every service has accounts, or it is clear that it will not have them now.
async fn first_loads(accounts: &BTreeMap<String, Arc<AccountManager>>) {
    let loads = async {
        for manager in accounts.values() {
            let mut views = manager.subscribe();
            // A manager that has ended will never load.
            let _ = views
                .wait_for(|view| view.accounts.is_some() || view.failure.is_some())
                .await;
        }
    };
    // Too late is no error: a login that comes before the accounts waits for them.
    let _ = tokio::time::timeout(FIRST_LOOK, loads).await;
}

fn start_runtime(
    config: &Config,
    board: &Board,
    answers: Arc<AccountAnswers>,
    log: &Log,
    (workers, most_workers): (usize, usize),
    (first_session, lent): (u64, Vec<OwnedFd>),
) -> Result<Runtime, StartError> {
    let globals = &config.maxscale.params;
    let cache = globals.statements.query_classifier_cache_size;
    Ok(Runtime::start(RuntimeConfig {
        workers,
        most_workers,
        pin: globals.threads.pin_threads,
        first_session: SessionId(first_session),
        lent,
        log: log.clone(),
        servers: board.servers(),
        tuning: settings::tuning(globals),
        answers,
        classifier_bytes: usize::try_from(cache.0).unwrap_or(usize::MAX),
    })?)
}

/// Tells account managers of changed servers, and looks names up again from time to time.
fn watch(board: &Arc<Board>, accounts: &Arc<BTreeMap<String, Arc<AccountManager>>>) {
    let mut changes = board.subscribe();
    let told = Arc::downgrade(accounts);
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let Some(accounts) = told.upgrade() else {
                return;
            };
            for manager in accounts.values() {
                manager.servers_changed();
            }
        }
    });
    let looked_up = Arc::downgrade(board);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LOOKUP_INTERVAL);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let Some(board) = looked_up.upgrade() else {
                return;
            };
            for entry in board.entries() {
                let endpoint = places::resolve(&entry.address).await;
                board.found(&entry.name, endpoint);
            }
        }
    });
}

fn services(config: &Config, graph: &Graph) -> BTreeMap<String, Service> {
    let started = SystemTime::now();
    config
        .services
        .iter()
        .map(|service| {
            let spec = graph.services.get(&service.name).cloned();
            (service.name.clone(), Service { spec, started })
        })
        .collect()
}
