//! What is logged, where and how often.

use std::path::PathBuf;

use crate::declare::{count, flag, optional_path, size, throttling};
use crate::unit::{ByteSize, Throttling};

crate::words! {
    /// How a log line looks.
    pub enum LogFormat {
        /// Time, level and message in columns.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

crate::words! {
    /// A facility of syslog(3).
    pub enum Facility {
        Auth = "LOG_AUTH",
        AuthPriv = "LOG_AUTHPRIV",
        Cron = "LOG_CRON",
        Daemon = "LOG_DAEMON",
        Ftp = "LOG_FTP",
        Kern = "LOG_KERN",
        Local0 = "LOG_LOCAL0",
        Local1 = "LOG_LOCAL1",
        Local2 = "LOG_LOCAL2",
        Local3 = "LOG_LOCAL3",
        Local4 = "LOG_LOCAL4",
        Local5 = "LOG_LOCAL5",
        Local6 = "LOG_LOCAL6",
        Local7 = "LOG_LOCAL7",
        Lpr = "LOG_LPR",
        Mail = "LOG_MAIL",
        News = "LOG_NEWS",
        Syslog = "LOG_SYSLOG",
        User = "LOG_USER",
        Uucp = "LOG_UUCP",
    }
}

crate::words! {
    /// A level of syslog(3).
    pub enum SyslogLevel {
        Emerg = "LOG_EMERG",
        Alert = "LOG_ALERT",
        Crit = "LOG_CRIT",
        Err = "LOG_ERR",
        Warning = "LOG_WARNING",
        Notice = "LOG_NOTICE",
        Info = "LOG_INFO",
        Debug = "LOG_DEBUG",
    }
}

const DEFAULT_THROTTLING: Throttling = Throttling {
    count: 10,
    window_ms: 1_000,
    suppress_ms: 10_000,
};

crate::params! {
    /// The log.
    pub struct LogParams {
        /// Write the log file.
        maxlog: bool = flag(true).at_once(),
        /// Write to the system journal.
        syslog: bool = flag(false).at_once(),
        /// Log warnings.
        log_warning: bool = flag(true).at_once(),
        /// Log notices.
        log_notice: bool = flag(true).at_once(),
        /// Log routing details; expensive.
        log_info: bool = flag(false).at_once(),
        /// Log what a developer wants to know.
        log_debug: bool = flag(false).at_once(),
        /// Milliseconds in time stamps.
        ms_timestamp: bool = flag(false).at_once(),
        /// 1: append the place in the program to each line.
        log_augmentation: u64 = count(0).range(0, 1).at_once(),
        /// After so many messages from one place within a window it is silenced for a while.
        log_throttling: Throttling = throttling(DEFAULT_THROTTLING).at_once(),
        /// Warn when an account with SUPER logs in.
        log_warn_super_user: bool = flag(false),
        /// How a line of the log file looks.
        log_format: LogFormat = LogFormat::Text.param().since("tidegate"),
        /// Directory of trace files, which hold the messages of all levels.
        trace_file_dir: Option<PathBuf> = optional_path().since("24.08"),
        /// Bytes kept in trace files.
        trace_file_size: ByteSize = size(0).at_once().since("24.08"),
        ..events: EventParams,
    }
}

impl LogParams {
    /// The size of all trace files together; 0: there are none.
    #[must_use]
    pub fn trace_bytes(&self) -> u64 {
        self.trace_file_dir
            .as_ref()
            .map_or(0, |_| self.trace_file_size.0)
    }
}

crate::params! {
    /// Events that are logged with a facility and a level of their own.
    pub struct EventParams {
        /// Syslog facility of refused logins.
        authentication_failure_facility: Facility = Facility::User.param()
            .named("event.authentication_failure.facility")
            .old_names(&["event_authentication_failure_facility"]).at_once(),
        /// Syslog level of refused logins.
        authentication_failure_level: SyslogLevel = SyslogLevel::Warning.param()
            .named("event.authentication_failure.level")
            .old_names(&["event_authentication_failure_level"]).at_once(),
        /// Syslog facility of statements the firewall refused.
        event_firewall_incident_facility: Facility = Facility::User.param()
            .at_once().since("25.10").reserved(),
        /// Syslog level of statements the firewall refused.
        event_firewall_incident_level: SyslogLevel = SyslogLevel::Warning.param()
            .at_once().since("25.10").reserved(),
    }
}
