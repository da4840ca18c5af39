//! From parameters to the plain settings of monitors, accounts and workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidegate_accounts::{AccountSettings, AccountsFile, RefreshLimit};
use tidegate_config::params::{
    AccountsFileUsage, HeaderVersion, ListenerParams, MariadbProtocolParams, MaxScaleParams,
    MonitorParams, ProtocolCompression, ServerCompression, ServerParams, ServiceParams,
};
use tidegate_config::{Config, Object};
use tidegate_monitors::mariadbmon::Rules;
use tidegate_monitors::mariadbmon::params::MariadbMonParams;
use tidegate_monitors::{MonitorSettings, MonitoredServer};
use tidegate_runtime::{Networks, Tuning};
use tidegate_session::world::{PoolRules, ProxyHeader};
use tidegate_session::{Announcement, LogSwitches};
use tidegate_sqlclient::{Credentials, Timeouts};
use tidegate_wire::compress::{CompressionOffer, Method};

use crate::board::Board;
use crate::places;

/// The settings of a monitor.
pub(crate) fn monitor(
    config: &Config,
    monitor: &Object<MonitorParams>,
    board: &Board,
) -> MonitorSettings {
    let params = &monitor.params;
    let credentials = Credentials::new(&params.user, params.password.reveal());
    let mut settings = MonitorSettings::new(credentials);
    settings.interval = params.monitor_interval;
    settings.timeouts = Timeouts::new(
        params.backend_connect_timeout,
        params.backend_read_timeout,
        params.backend_write_timeout,
    );
    settings.local_address = board.local();
    settings.connect_attempts = u32::try_from(params.backend_connect_attempts).unwrap_or(u32::MAX);
    settings.tracked_variables = announced_variables(config);
    if !config.maxscale.params.threads.auto_tune.is_empty() {
        settings.tracked_variables.insert("wait_timeout".to_owned());
    }
    settings.rules = Rules::from_params(&monitor.module_params::<MariadbMonParams>());
    settings.servers = params
        .servers
        .iter()
        .filter_map(|name| config.servers.iter().find(|server| server.name == *name))
        .map(|server| watched(server, board))
        .collect();
    settings
}

/// The form of the PROXY header that a server is sent, if it is to be sent one.
pub(crate) fn proxy_header(server: &ServerParams) -> Option<ProxyHeader> {
    server
        .proxy_protocol
        .then_some(match server.proxy_protocol_version {
            HeaderVersion::V1 => ProxyHeader::V1,
            HeaderVersion::V2 => ProxyHeader::V2,
        })
}

/// How bytes are compressed on connections to a server, if it offers that.
pub(crate) fn compression_towards(server: &ServerParams) -> Option<Method> {
    match server.compression {
        ServerCompression::None => None,
        ServerCompression::Zlib => Some(Method::Zlib),
        ServerCompression::Zstd => Some(Method::Zstd {
            level: Method::DEFAULT_LEVEL,
        }),
    }
}

/// How connections to a server are kept that no session has, if they are.
pub(crate) fn pool(server: &ServerParams) -> Option<PoolRules> {
    let (most, max_age) = (server.persistpoolmax, server.persistmaxtime);
    (most > 0 && max_age > Duration::ZERO).then_some(PoolRules { most, max_age })
}

/// Who may tell a listener where its client is.
pub(crate) fn networks(networks: &tidegate_config::Networks) -> Networks {
    Networks {
        anywhere: networks.anywhere,
        unix: networks.unix,
        networks: networks
            .networks
            .iter()
            .map(|network| (network.address, network.bits))
            .collect(),
    }
}

fn watched(server: &Object<ServerParams>, board: &Board) -> MonitoredServer {
    let params = &server.params;
    let mut watched = MonitoredServer::new(&server.name, places::address(params));
    watched.tls = board
        .entry(&server.name)
        .map(|entry| entry.tls)
        .unwrap_or_default();
    watched.extra_port = extra_port(params);
    watched.private_host.clone_from(&params.private_address);
    watched.credentials = params.monitoruser.as_ref().map(|user| {
        Credentials::new(
            user,
            params
                .monitorpw
                .as_ref()
                .map_or("", |secret| secret.reveal()),
        )
    });
    watched
}

/// The port for the proxy's own looks at a server, if it has one of its own.
pub(crate) fn extra_port(server: &ServerParams) -> Option<u16> {
    Some(server.extra_port).filter(|port| *port != 0)
}

/// The settings of a service's account manager.
pub(crate) fn accounts(
    config: &Config,
    service: &Object<ServiceParams>,
    board: &Board,
) -> AccountSettings {
    let globals = &config.maxscale.params.accounts;
    let credentials = Credentials::new(&service.params.user, service.params.password.reveal());
    let mut settings = AccountSettings::new(&service.name, credentials);
    settings.timeout = globals.auth_connect_timeout;
    settings.local_address = board.local();
    settings.file = service.params.user_accounts_file.as_ref().map(|path| {
        let usage = service.params.user_accounts_file_usage;
        AccountsFile {
            path: path.clone(),
            alone: usage == AccountsFileUsage::FileOnlyAlways,
        }
    });
    settings.limit = match globals.users_refresh_time {
        None => RefreshLimit::Never,
        Some(time) => RefreshLimit::OncePer(time),
    };
    settings.interval =
        Some(globals.users_refresh_interval).filter(|interval| *interval > Duration::ZERO);
    settings
}

/// The workers' limits and options.
pub(crate) fn tuning(globals: &MaxScaleParams) -> Tuning {
    let statements = &globals.statements;
    let bytes = |size: tidegate_config::ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    Tuning {
        high_water_bytes: bytes(statements.writeq_high_water),
        low_water_bytes: bytes(statements.writeq_low_water),
        max_auth_errors: u64::try_from(globals.accounts.max_auth_errors_until_block).unwrap_or(0),
        log: switches(globals),
        ..Tuning::default()
    }
}

/// What is said whatever a service or session says; trace files hold all, and the log drops what it
/// does not hold.
pub(crate) fn switches(globals: &MaxScaleParams) -> LogSwitches {
    let log = &globals.log;
    let traced = log.trace_bytes() > 0;
    LogSwitches {
        error: true,
        warning: traced || log.log_warning,
        notice: traced || log.log_notice,
        info: traced || log.log_info,
        debug: traced || log.log_debug,
    }
}

/// All servers that a service can reach, through other services too, each once.
pub(crate) fn servers_of(config: &Config, service: &Object<ServiceParams>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = vec![service.name.clone()];
    collect(config, service, &mut found, &mut seen);
    found
}

/// Which services have servers in common with each service, itself among them.
pub(crate) fn kin(config: &Config) -> BTreeMap<String, Vec<String>> {
    let reach: Vec<(&str, Vec<String>)> = config
        .services
        .iter()
        .map(|service| (service.name.as_str(), servers_of(config, service)))
        .collect();
    let of = |servers: &[String]| {
        let shares = |others: &Vec<String>| servers.iter().any(|name| others.contains(name));
        let kin = reach.iter().filter(|(_, others)| shares(others));
        kin.map(|(name, _)| (*name).to_owned()).collect()
    };
    reach
        .iter()
        .map(|(name, servers)| ((*name).to_owned(), of(servers)))
        .collect()
}

fn collect(
    config: &Config,
    service: &Object<ServiceParams>,
    found: &mut Vec<String>,
    seen: &mut Vec<String>,
) {
    for target in config.targets(service) {
        match target {
            tidegate_config::Target::Server(name) if !found.contains(&name) => found.push(name),
            tidegate_config::Target::Service(name) if !seen.contains(&name) => {
                seen.push(name.clone());
                if let Some(inner) = config.services.iter().find(|other| other.name == name) {
                    collect(config, inner, found, seen);
                }
            }
            tidegate_config::Target::Server(_) | tidegate_config::Target::Service(_) => {}
        }
    }
}

/// A name shared without copying.
pub(crate) fn shared(name: &str) -> Arc<str> {
    Arc::from(name)
}

/// How a listener's clients may have their bytes compressed.
pub(crate) fn compression(listener: &Object<ListenerParams>) -> CompressionOffer {
    let params = listener.module_params::<MariadbProtocolParams>();
    CompressionOffer {
        zlib: params.compression.contains(ProtocolCompression::Zlib),
        zstd: params.compression.contains(ProtocolCompression::Zstd),
        threshold: usize::try_from(params.compression_threshold.0).unwrap_or(usize::MAX),
    }
}

/// What stands for the value that the servers have.
const AUTO: &str = "auto";

/// The variable that sends clients to another address.
const REDIRECT: &str = "redirect_url";

/// What a listener's clients are told when their login ends.
pub(crate) fn metadata(listener: &ListenerParams) -> Vec<Announcement> {
    let announced = listener.connection_metadata.iter().filter_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let value = match (name.trim(), value.trim()) {
            // Connectors look for it under this name.
            ("maxscale", AUTO) => Some(env!("CARGO_PKG_VERSION")),
            (_, AUTO) => None,
            (_, value) => Some(value),
        };
        Some(Announcement {
            name: Arc::from(name.trim()),
            value: value.map(Arc::from),
        })
    });
    let redirect = listener.redirect_url.as_deref().map(|url| Announcement {
        name: Arc::from(REDIRECT),
        value: Some(Arc::from(url)),
    });
    let overridden = |told: &Announcement| redirect.is_some() && &*told.name == REDIRECT;
    let mut told: Vec<_> = announced.filter(|it| !overridden(it)).collect();
    told.extend(redirect);
    told
}

/// The variables of servers that some listener tells its clients.
fn announced_variables(config: &Config) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = config
        .listeners
        .iter()
        .flat_map(|listener| metadata(&listener.params))
        .filter(|told| told.value.is_none() && !told.name.starts_with("character_set_"))
        .map(|told| told.name.to_string())
        .collect();
    // The newer name of the same.
    if names.contains("tx_isolation") {
        names.insert("transaction_isolation".to_owned());
    }
    names
}
