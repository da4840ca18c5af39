//! What one tick saw of one server.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;
use tidegate_wire::Caps;

use tidegate_wire::GtidList;
use tidegate_wire::version::ServerVersion;

/// Errors of a replica's login at its primary: access denied, with and without a password.
const CREDENTIAL_ERRORS: [u32; 2] = [1045, 1698];

/// The outcome of asking one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It answered everything.
    Answered(Box<Facts>),
    /// It let the monitor in but refuses its questions.
    NotPermitted(String),
    /// It could not be asked.
    Lost(ContactError),
}

impl Observation {
    /// A server nobody managed to ask counts as lost.
    pub(crate) fn or_unasked(seen: Option<Self>) -> Self {
        seen.unwrap_or_else(|| {
            Self::Lost(ContactError {
                kind: ContactFailure::Other,
                text: "the server was not asked".to_owned(),
            })
        })
    }
}

/// Why a server could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct ContactError {
    /// The kind of failure; a change of it is worth a log line.
    pub kind: ContactFailure,
    /// The error in words.
    pub text: String,
}

/// How contact failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactFailure {
    /// The connection was refused or could not be routed.
    Refused,
    /// No answer within the connect timeout.
    TimedOut,
    /// The monitor's credentials were rejected.
    AccessDenied,
    /// The connection broke while asking.
    Broken,
    /// Anything else.
    Other,
}

/// All that a server told in one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The server's version.
    pub version: ServerVersion,
    /// What its greeting offers.
    pub caps: Caps,
    /// The default collation of its greeting.
    pub collation: u8,
    /// `@@global.server_id`.
    pub server_id: u32,
    /// `@@read_only`.
    pub read_only: bool,
    /// `@@global.gtid_domain_id`, where the server has such ids.
    pub gtid_domain_id: Option<u32>,
    /// `@@gtid_current_pos`.
    pub gtid_current_pos: Option<GtidList>,
    /// `@@gtid_binlog_pos`.
    pub gtid_binlog_pos: Option<GtidList>,
    /// Its replication connections.
    pub links: Vec<LinkRow>,
    /// How long it has been up.
    pub uptime: Duration,
    /// Round trip of this tick's ping.
    pub ping: Duration,
    /// Values of the variables that somebody asked to be tracked.
    pub variables: BTreeMap<String, String>,
}

/// `Slave_IO_Running`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoState {
    /// `Yes`
    Running,
    /// `Connecting` or `Preparing`
    Connecting,
    /// `No`
    Stopped,
}

impl IoState {
    /// Reads the server's word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "Yes" => Self::Running,
            "Connecting" | "Preparing" => Self::Connecting,
            _ => Self::Stopped,
        }
    }

    /// `Yes`, `Connecting` or `No`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "Yes",
            Self::Connecting => "Connecting",
            Self::Stopped => "No",
        }
    }
}

/// One replication connection of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// `Connection_name`, empty for the default connection.
    pub connection_name: String,
    /// `Master_Host`.
    pub master_host: String,
    /// `Master_Port`.
    pub master_port: u16,
    /// `Master_Server_Id`, 0 while it was never connected.
    pub master_server_id: u32,
    /// `Slave_IO_Running`.
    pub io: IoState,
    /// `Slave_SQL_Running`.
    pub sql_running: bool,
    /// `Seconds_Behind_Master`; `None` while replication does not run.
    pub seconds_behind: Option<u64>,
    /// `Last_IO_Errno`.
    pub last_io_errno: u32,
    /// `Last_IO_Error`.
    pub last_io_error: String,
    /// `Last_SQL_Error`.
    pub last_sql_error: String,
    /// `Using_Gtid`: `No`, `Slave_Pos`, `Current_Pos`.
    pub using_gtid: String,
    /// `Gtid_IO_Pos`.
    pub gtid_io_pos: String,
}

/// How much of a replication connection is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// Both threads: the receiving one runs or tries to, the applying one runs.
    Live,
    /// One of the two.
    HalfBroken,
    /// None.
    Dead,
}

impl LinkRow {
    /// How much of it is alive.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        match (self.io != IoState::Stopped, self.sql_running) {
            (true, true) => Liveness::Live,
            (false, false) => Liveness::Dead,
            (true, false) | (false, true) => Liveness::HalfBroken,
        }
    }

    /// Do events arrive and are they applied?
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.io == IoState::Running && self.sql_running
    }

    /// Connected, or likely to be soon: not one that is refused at the primary.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        let refused = CREDENTIAL_ERRORS.contains(&self.last_io_errno);
        let trying = self.io == IoState::Connecting && !refused;
        self.sql_running && (self.io == IoState::Running || trying)
    }

    /// Do both rows speak of the same connection to the same endpoint?
    #[must_use]
    pub fn has_coordinates_of(&self, other: &Self) -> bool {
        self.connection_name == other.connection_name
            && self.master_host == other.master_host
            && self.master_port == other.master_port
    }
}
