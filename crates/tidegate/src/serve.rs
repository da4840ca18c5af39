//! The life of the server: start in order, run, end in order.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_admin::{Admin, AdminConfig, Form, SigningKey, TokenAlgorithm, TokenConfig};
use tidegate_catalog::{Catalog, watch_files};
use tidegate_config::Config;
use tidegate_config::cli::LogTarget;
use tidegate_config::params::{AdminCompat, AdminParams, JwtAlgorithm, MaxScaleParams};
use tidegate_keys::{Keys, Version};
use tidegate_runtime::log::{Events, Log, LogThread};
use tidegate_session::Level;
use tokio::sync::watch;

use crate::daemon;
use crate::exit::Failure;
use crate::house::Live;
use crate::limits;
use crate::logging;
use crate::pidfile::PidFile;
use crate::signals::{Signals, Wish};
use crate::systemd::{self, Manager};

/// Runs until it is told to stop.
pub(crate) fn serve(config: Config, target: LogTarget) -> Result<(), Failure> {
    daemon::leave_terminal();
    use_small_pages();
    let log_config = logging::config(&config.maxscale.params, target);
    tidegate_runtime::report_fatal_signals(log_config.path.as_deref())
        .map_err(Failure::Internal)?;
    let thread = LogThread::start(log_config)?;
    let log = thread.log();
    let result = serve_logged(config, &log);
    if let Err(failure) = &result {
        log.say(Level::Error, failure.to_string());
    }
    log.flush(Duration::from_secs(2));
    result
}

/// A heap of a few megabytes that is asked for in pieces of some kilobytes grows by two megabytes at
/// a touch where the kernel backs it with huge pages. Without them, memory follows what is used. A
/// kernel that refuses has none to give.
fn use_small_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn serve_logged(config: Config, log: &Log) -> Result<(), Failure> {
    // A subscriber can be set once; tests that run this twice in a process keep the first.
    let _ = tracing::subscriber::set_global_default(Events::new(log.clone()));
    for warning in &config.warnings {
        log.say(Level::Warning, warning.to_string());
    }
    let _pid = PidFile::take(&config.maxscale.params.directories.piddir)?;
    limits::open_files(log);
    limits::core_file(config.maxscale.params.process.core_file, log);
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(Failure::Internal)?;
    let result = control.block_on(live(config, log));
    control.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn live(config: Config, log: &Log) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::Internal)?;
    let started = SystemTime::now();
    let manager = Manager::find(log);
    let lent = tidegate_runtime::lent_sockets(systemd::lent_sockets());
    let globals = config.maxscale.params.clone();
    let listeners = if globals.admin.admin_seed_mode {
        config.listeners.len() as u64
    } else {
        0
    };
    let keys = Arc::new(Keys::open(globals.keys.clone())?);
    let tokens = tokio::select! {
        tokens = tokens(&globals.admin, &keys) => tokens?,
        () = ended(&mut signals, log, None) => return Ok(()),
    };
    let catalog = tokio::select! {
        catalog = Catalog::start(config, log, listeners + 1, lent) => Arc::new(catalog?),
        () = ended(&mut signals, log, None) => return Ok(()),
    };
    tokio::spawn(watch_files(Arc::downgrade(&catalog), log.clone()));
    let (stop, stopped) = watch::channel(false);
    let house = Arc::new(Live::new(Arc::clone(&catalog), keys, started, log.clone()));
    let admin = match start_admin(&globals, tokens, house, stopped, log) {
        Ok(admin) => admin,
        Err(failure) => {
            catalog.shutdown(Duration::ZERO).await;
            return Err(failure);
        }
    };
    log.say(
        Level::Notice,
        format!(
            "Tidegate {} started with {} workers",
            crate::VERSION,
            catalog.workers()
        ),
    );
    daemon::started();
    manager.ready();
    tokio::select! {
        () = ended(&mut signals, log, Some(&catalog)) => {}
        () = async {
            manager.feed_watchdog(catalog.runtime(), log).await;
            std::future::pending().await
        } => {}
    }
    manager.stopping();
    log.say(Level::Notice, "Stopping: no new clients");
    let patience = globals.process.shutdown_timeout;
    tokio::select! {
        () = catalog.shutdown(patience) => {}
        () = ended(&mut signals, log, None) => catalog.shutdown(Duration::ZERO).await,
    }
    // The interface may have ended by itself.
    let _ = stop.send(true);
    if let Some(admin) = admin {
        let _ = admin.await;
    }
    log.say(Level::Notice, "Stopped");
    Ok(())
}

/// Waits for the signal to end, and obeys the others.
async fn ended(signals: &mut Signals, log: &Log, catalog: Option<&Arc<Catalog>>) {
    loop {
        match signals.next().await {
            Wish::End => return,
            Wish::Reopen => log.reopen(),
            Wish::Renew => {
                log.reopen();
                if let Some(catalog) = catalog {
                    catalog.renew_files(log).await;
                }
            }
        }
    }
}

type AdminTask = tokio::task::JoinHandle<std::io::Result<()>>;

/// How tokens are made. The key that signs them is fetched once, here.
async fn tokens(params: &AdminParams, keys: &Keys) -> Result<TokenConfig, Failure> {
    let key = match &params.admin_jwt_key {
        Some(id) => Some(
            keys.key(id, Version::Latest)
                .await
                .map_err(Failure::TokenKey)?,
        ),
        None => None,
    };
    Ok(TokenConfig {
        algorithm: match params.admin_jwt_algorithm {
            JwtAlgorithm::Hs384 => TokenAlgorithm::Hs384,
            JwtAlgorithm::Hs512 => TokenAlgorithm::Hs512,
            // The configuration's check lets nothing else through.
            _ => TokenAlgorithm::Hs256,
        },
        key: key.map(|key| SigningKey::new(key.bytes())),
        issuer: params.admin_jwt_issuer.clone(),
        max_age: params.admin_jwt_max_age,
    })
}

fn start_admin(
    globals: &MaxScaleParams,
    tokens: TokenConfig,
    house: Arc<Live>,
    stopped: watch::Receiver<bool>,
    log: &Log,
) -> Result<Option<AdminTask>, Failure> {
    let params = &globals.admin;
    if !params.admin_enabled {
        return Ok(None);
    }
    let datadir = &globals.directories.datadir;
    std::fs::create_dir_all(datadir).map_err(|error| Failure::File {
        what: "create the directory",
        path: datadir.clone(),
        error,
    })?;
    let mut config = AdminConfig::new(datadir.join("passwd"));
    config.host.clone_from(&params.admin_host);
    config.port = params.admin_port;
    config.auth = params.admin_auth;
    config.secure_gui = params.admin_secure_gui;
    config.tokens = tokens;
    config.log_auth_failures = params.admin_log_auth_failures;
    let legacy = params.admin_seed_mode || params.admin_compat == AdminCompat::Legacy;
    config.form = if legacy { Form::Legacy } else { Form::Current };
    let admin = Admin::bind(config)?;
    log.say(
        Level::Notice,
        format!("REST interface at http://{}", admin.local_addr()),
    );
    Ok(Some(tokio::spawn(admin.serve(house, stopped))))
}
