//! From the configuration to the log's settings.

use std::path::PathBuf;
use std::time::Duration;

use tidegate_config::cli::LogTarget;
use tidegate_config::params::{Facility, LogFormat, LogParams, MaxScaleParams, SyslogLevel};
use tidegate_runtime::log::{
    EventLabels, Format, Label, LogConfig, LogSettings, Severity, Throttling, TraceConfig,
};
use tidegate_session::LogSwitches;

/// Names the journal's socket where it does not lie at its usual place, as in a container that
/// has been lent the host's.
const JOURNAL: &str = "TIDEGATE_JOURNAL";

/// Where the log goes and how it looks.
pub(crate) fn config(globals: &MaxScaleParams, target: LogTarget) -> LogConfig {
    let params = &globals.log;
    let file: PathBuf = globals.directories.logdir.join("tidegate.log");
    LogConfig {
        path: (target == LogTarget::File).then_some(file),
        stdout: target == LogTarget::Stdout,
        traces: params.trace_file_dir.clone().map(|folder| TraceConfig {
            folder,
            link: globals.directories.logdir.clone(),
        }),
        journal: std::env::var_os(JOURNAL).map_or_else(|| LogConfig::JOURNAL.into(), PathBuf::from),
        format: match params.log_format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        },
        banner: format!("Tidegate {}", crate::VERSION),
        settings: settings(params),
    }
}

/// What of it can be changed while the log is open.
fn settings(params: &LogParams) -> LogSettings {
    let throttling = params.log_throttling;
    LogSettings {
        file: params.maxlog,
        journal: params.syslog,
        levels: LogSwitches {
            error: true,
            warning: params.log_warning,
            notice: params.log_notice,
            info: params.log_info,
            debug: params.log_debug,
        },
        milliseconds: params.ms_timestamp,
        augmentation: params.log_augmentation > 0,
        throttling: (throttling.count > 0).then(|| Throttling {
            count: throttling.count,
            window: Duration::from_millis(u64::from(throttling.window_ms)),
            suppress: Duration::from_millis(u64::from(throttling.suppress_ms)),
        }),
        events: EventLabels {
            authentication_failure: Label {
                facility: facility(params.events.authentication_failure_facility),
                severity: severity(params.events.authentication_failure_level),
            },
        },
        trace_bytes: params.trace_bytes(),
    }
}

/// The facility's number in syslog(3).
fn facility(facility: Facility) -> u8 {
    match facility {
        Facility::Kern => 0,
        Facility::User => Label::USER,
        Facility::Mail => 2,
        Facility::Daemon => 3,
        Facility::Auth => 4,
        Facility::Syslog => 5,
        Facility::Lpr => 6,
        Facility::News => 7,
        Facility::Uucp => 8,
        Facility::Cron => 9,
        Facility::AuthPriv => 10,
        Facility::Ftp => 11,
        Facility::Local0 => 16,
        Facility::Local1 => 17,
        Facility::Local2 => 18,
        Facility::Local3 => 19,
        Facility::Local4 => 20,
        Facility::Local5 => 21,
        Facility::Local6 => 22,
        Facility::Local7 => 23,
    }
}

fn severity(level: SyslogLevel) -> Severity {
    match level {
        SyslogLevel::Emerg => Severity::Emergency,
        SyslogLevel::Alert => Severity::Alert,
        SyslogLevel::Crit => Severity::Critical,
        SyslogLevel::Err => Severity::Error,
        SyslogLevel::Warning => Severity::Warning,
        SyslogLevel::Notice => Severity::Notice,
        SyslogLevel::Info => Severity::Info,
        SyslogLevel::Debug => Severity::Debug,
    }
}
