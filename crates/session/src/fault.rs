//! Errors of the data plane: whose doing, may it be tried again, what the client reads.

use crate::cause::Cause;

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The application's.
    Client,
    /// A database server's.
    Server,
    /// The configuration's or an administrator's.
    Operator,
    /// Ours.
    Tidegate,
}

/// May a statement that met this error be sent again without being done twice?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may have been executed.
    Never,
    /// Only if no byte of it was sent.
    IfUnsent,
    /// Nothing was executed.
    Safe,
}

/// What a client reads: number, SQLSTATE, text without addresses or secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrReply {
    /// The error number of the MariaDB manual, "MariaDB Error Codes".
    pub code: u16,
    /// Five characters.
    pub sqlstate: [u8; 5],
    /// One line.
    pub text: String,
}

impl ErrReply {
    /// An error reply.
    #[must_use]
    pub fn new(code: u16, sqlstate: &[u8; 5], text: impl Into<String>) -> ErrReply {
        ErrReply {
            code,
            sqlstate: *sqlstate,
            text: text.into(),
        }
    }
}

/// The four questions that every error of the data plane answers.
pub trait Fault: std::error::Error {
    /// Whose doing it is: log level and metric label follow from it.
    fn blame(&self) -> Blame;
    /// May the statement be sent again?
    fn retry(&self) -> Retry;
    /// What the client reads.
    fn client_reply(&self) -> ErrReply;
    /// A fixed word for counters.
    fn label(&self) -> &'static str;
}

/// The errors that the session core itself finds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionFault {
    /// The client's bytes are not the protocol.
    #[error("the client sent what the protocol does not allow: {0}")]
    ClientProtocol(String),
    /// TLS with the client failed.
    #[error("TLS with the client failed: {0}")]
    Tls(String),
    /// A packet's sequence number is off.
    #[error("packet out of order: expected sequence number {expected}, got {got}")]
    OutOfOrder {
        /// What should have come.
        expected: u8,
        /// What came.
        got: u8,
    },
    /// A packet is longer than allowed at this point.
    #[error("a packet of {len_bytes} bytes where at most {limit_bytes} are allowed")]
    TooLarge {
        /// Its length.
        len_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// Login refused. The text is what the client may know.
    #[error("login refused: {reason}")]
    LoginRefused {
        /// What the log says.
        reason: String,
        /// What the client reads.
        reply: ErrReply,
    },
    /// The login took too long.
    #[error("the login did not finish within {seconds} seconds")]
    LoginTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The router found no server.
    #[error("no server can take this: {0}")]
    NoServer(String),
    /// A server connection that is needed broke.
    #[error("lost connection to server '{server}': {reason}")]
    ServerLost {
        /// The server's name.
        server: String,
        /// What was seen.
        reason: String,
    },
    /// A server's bytes are not the protocol.
    #[error("server '{server}' sent what the protocol does not allow: {reason}")]
    ServerProtocol {
        /// The server's name.
        server: String,
        /// What was seen.
        reason: String,
    },
    /// A server refused the login.
    #[error("server '{server}' refused the login: {text}")]
    ServerLogin {
        /// The server's name.
        server: String,
        /// The server's own error number.
        code: u16,
        /// The server's own SQLSTATE.
        sqlstate: [u8; 5],
        /// The server's own text.
        text: String,
    },
    /// A session command ended differently on servers that cannot be spared.
    #[error("server '{server}' answered a session command differently: {text}")]
    SessionCommand {
        /// The server's name.
        server: String,
        /// What was expected and what came.
        text: String,
    },
    /// The server was lost while it committed.
    #[error(
        "it is not known whether the transaction was committed, look before it is repeated: \
         lost connection to server '{server}' during the commit: {reason}"
    )]
    CommitUnknown {
        /// The server's name.
        server: String,
        /// What was seen.
        reason: String,
    },
    /// The open transaction was lost, and could not be repeated elsewhere.
    #[error("the open transaction was lost and could not be repeated: {0}")]
    Replay(String),
    /// Idle for too long.
    #[error("idle for more than {seconds} seconds")]
    Idle {
        /// The limit.
        seconds: u64,
    },
    /// Its client took nothing for too long.
    #[error("the client took none of its data for {seconds} seconds, see net_write_timeout")]
    Stalled {
        /// The limit.
        seconds: u64,
    },
    /// Killed.
    #[error("connection was killed")]
    Killed,
    /// The process is shutting down, or the service was stopped by force.
    #[error("the service is being shut down")]
    Shutdown,
    /// Ended by a module, with its own words.
    #[error("{}", .0.text)]
    Module(ErrReply),
}

impl SessionFault {
    /// The cause that a session ends with when it ends because of this.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            SessionFault::ClientProtocol(_)
            | SessionFault::Tls(_)
            | SessionFault::OutOfOrder { .. }
            | SessionFault::TooLarge { .. } => Cause::ClientProtocol,
            SessionFault::LoginRefused { .. } => Cause::LoginFailed,
            SessionFault::LoginTimeout { .. } => Cause::LoginTimeout,
            SessionFault::NoServer(_) => Cause::NoServer,
            SessionFault::ServerLost { .. }
            | SessionFault::CommitUnknown { .. }
            | SessionFault::Replay(_) => Cause::ServerLost,
            SessionFault::ServerProtocol { .. } => Cause::ServerProtocol,
            SessionFault::ServerLogin { .. } => Cause::ServerLogin,
            SessionFault::SessionCommand { .. } => Cause::SessionCommand,
            SessionFault::Idle { .. } => Cause::ClientIdle,
            SessionFault::Stalled { .. } => Cause::ClientStalled,
            SessionFault::Killed => Cause::Killed,
            SessionFault::Shutdown => Cause::Shutdown,
            SessionFault::Module(_) => Cause::Filter,
        }
    }
}

impl Fault for SessionFault {
    fn blame(&self) -> Blame {
        match self {
            SessionFault::ClientProtocol(_)
            | SessionFault::Tls(_)
            | SessionFault::OutOfOrder { .. }
            | SessionFault::TooLarge { .. }
            | SessionFault::LoginRefused { .. }
            | SessionFault::LoginTimeout { .. }
            | SessionFault::Idle { .. }
            | SessionFault::Stalled { .. } => Blame::Client,
            SessionFault::NoServer(_)
            | SessionFault::ServerLost { .. }
            | SessionFault::ServerProtocol { .. }
            | SessionFault::ServerLogin { .. }
            | SessionFault::CommitUnknown { .. }
            | SessionFault::Replay(_)
            | SessionFault::SessionCommand { .. } => Blame::Server,
            SessionFault::Killed | SessionFault::Shutdown | SessionFault::Module(_) => {
                Blame::Operator
            }
        }
    }

    fn retry(&self) -> Retry {
        match self {
            SessionFault::NoServer(_) | SessionFault::ServerLogin { .. } => Retry::Safe,
            SessionFault::ServerLost { .. } | SessionFault::SessionCommand { .. } => {
                Retry::IfUnsent
            }
            SessionFault::ClientProtocol(_)
            | SessionFault::Tls(_)
            | SessionFault::OutOfOrder { .. }
            | SessionFault::TooLarge { .. }
            | SessionFault::LoginRefused { .. }
            | SessionFault::LoginTimeout { .. }
            | SessionFault::ServerProtocol { .. }
            | SessionFault::CommitUnknown { .. }
            | SessionFault::Replay(_)
            | SessionFault::Idle { .. }
            | SessionFault::Stalled { .. }
            | SessionFault::Killed
            | SessionFault::Shutdown
            | SessionFault::Module(_) => Retry::Never,
        }
    }

    fn client_reply(&self) -> ErrReply {
        let word = self.cause().word();
        match self {
            SessionFault::ClientProtocol(_) | SessionFault::Tls(_) => ErrReply::new(
                1043,
                b"08S01",
                format!("Bad handshake or packet ({word}): {self}"),
            ),
            SessionFault::OutOfOrder { .. } => ErrReply::new(
                1156,
                b"08S01",
                format!("Got packets out of order ({word}): {self}"),
            ),
            SessionFault::TooLarge { .. } => ErrReply::new(
                1153,
                b"08S01",
                format!("Got a packet bigger than 'max_allowed_packet' bytes ({word}): {self}"),
            ),
            SessionFault::LoginRefused { reply, .. } | SessionFault::Module(reply) => reply.clone(),
            SessionFault::LoginTimeout { .. } => {
                ErrReply::new(1043, b"08S01", format!("Bad handshake ({word}): {self}"))
            }
            SessionFault::Idle { seconds } => ErrReply::new(
                4031,
                b"HY000",
                format!(
                    "The client was disconnected because of inactivity ({word}): no statement for {seconds} seconds, see wait_timeout"
                ),
            ),
            SessionFault::Stalled { .. } => ErrReply::new(
                1161,
                b"08S01",
                format!("Got timeout writing communication packets ({word}): {self}"),
            ),
            SessionFault::ServerLogin {
                code,
                sqlstate,
                text,
                ..
            } => ErrReply {
                code: *code,
                sqlstate: *sqlstate,
                text: text.clone(),
            },
            SessionFault::Killed => ErrReply::new(1927, b"70100", "Connection was killed"),
            SessionFault::Shutdown => ErrReply::new(
                1927,
                b"70100",
                format!("Connection was killed ({word}): {self}"),
            ),
            SessionFault::NoServer(_)
            | SessionFault::ServerLost { .. }
            | SessionFault::ServerProtocol { .. }
            | SessionFault::CommitUnknown { .. }
            | SessionFault::Replay(_)
            | SessionFault::SessionCommand { .. } => ErrReply::new(
                1927,
                b"70100",
                format!("Connection was killed ({word}): {self}"),
            ),
        }
    }

    fn label(&self) -> &'static str {
        self.cause().word()
    }
}
