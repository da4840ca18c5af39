//! How important a line is to those who read the log.

use tidegate_session::{Event, Level};

/// A level of syslog(3), in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// `LOG_EMERG`
    Emergency,
    /// `LOG_ALERT`
    Alert,
    /// `LOG_CRIT`
    Critical,
    /// `LOG_ERR`
    Error,
    /// `LOG_WARNING`
    Warning,
    /// `LOG_NOTICE`
    Notice,
    /// `LOG_INFO`
    Info,
    /// `LOG_DEBUG`
    Debug,
}

impl Severity {
    /// The word in the log file, which knows fewer.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Emergency | Severity::Alert => "alert",
            Severity::Critical | Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
            Severity::Info => "info",
            Severity::Debug => "debug",
        }
    }

    /// The number in syslog(3).
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The level whose switch decides whether it is written.
    pub(crate) fn level(self) -> Level {
        match self {
            Severity::Emergency | Severity::Alert | Severity::Critical | Severity::Error => {
                Level::Error
            }
            Severity::Warning => Level::Warning,
            Severity::Notice => Level::Notice,
            Severity::Info => Level::Info,
            Severity::Debug => Level::Debug,
        }
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Notice => Severity::Notice,
            Level::Info => Severity::Info,
            Level::Debug => Severity::Debug,
        }
    }
}

/// What the journal files a line under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// A facility of syslog(3), by its number there (without the shift by three bits).
    pub facility: u8,
    /// How important.
    pub severity: Severity,
}

impl Label {
    /// `LOG_USER`.
    pub const USER: u8 = 1;

    /// A line like any other.
    pub(crate) fn ordinary(level: Level) -> Label {
        Label {
            facility: Label::USER,
            severity: level.into(),
        }
    }
}

/// The labels of events (`event.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLabels {
    /// Of refused logins.
    pub authentication_failure: Label,
}

impl EventLabels {
    pub(crate) fn of(&self, event: Event) -> Label {
        match event {
            Event::AuthenticationFailure => self.authentication_failure,
        }
    }
}

impl Default for EventLabels {
    fn default() -> EventLabels {
        EventLabels {
            authentication_failure: Label::ordinary(Level::Warning),
        }
    }
}
