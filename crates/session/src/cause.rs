//! Why a session ended: one word out of a closed list, the same in the log, the counters, the
//! session's own log and the client's error.

/// The one reason a session ended for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The client said COM_QUIT.
    ClientQuit,
    /// The client's connection broke or was closed without COM_QUIT.
    ClientLost,
    /// The client was idle for longer than `wait_timeout`.
    ClientIdle,
    /// The client took none of its data for longer than `net_write_timeout`.
    ClientStalled,
    /// The client sent something that is not the protocol.
    ClientProtocol,
    /// The login did not finish in time.
    LoginTimeout,
    /// The login was refused.
    LoginFailed,
    /// The service has as many connections as `max_connections` allows.
    ServiceFull,
    /// No server could take the session or its statement.
    NoServer,
    /// A server connection that the session cannot do without broke.
    ServerLost,
    /// A server sent something that is not the protocol, on a connection that could not be spared.
    ServerProtocol,
    /// A server refused the login that the proxy had accepted.
    ServerLogin,
    /// A server answered a session command differently from the others and could not be spared.
    SessionCommand,
    /// Killed by an administrator (REST) or by `KILL`.
    Killed,
    /// A filter ended the session.
    Filter,
    /// The listener's service was stopped by force.
    ServiceStopped,
    /// The process is shutting down.
    Shutdown,
    /// A defect in Tidegate: the panic ended this session alone.
    Panic,
}

impl Cause {
    /// Every cause, for tables, counters and documentation.
    pub const ALL: [Cause; 18] = [
        Cause::ClientQuit,
        Cause::ClientLost,
        Cause::ClientIdle,
        Cause::ClientStalled,
        Cause::ClientProtocol,
        Cause::LoginTimeout,
        Cause::LoginFailed,
        Cause::ServiceFull,
        Cause::NoServer,
        Cause::ServerLost,
        Cause::ServerProtocol,
        Cause::ServerLogin,
        Cause::SessionCommand,
        Cause::Killed,
        Cause::Filter,
        Cause::ServiceStopped,
        Cause::Shutdown,
        Cause::Panic,
    ];

    /// The word: lower case, underscores.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cause::ClientQuit => "client_quit",
            Cause::ClientLost => "client_lost",
            Cause::ClientIdle => "client_idle",
            Cause::ClientStalled => "client_stalled",
            Cause::ClientProtocol => "client_protocol",
            Cause::LoginTimeout => "login_timeout",
            Cause::LoginFailed => "login_failed",
            Cause::ServiceFull => "service_full",
            Cause::NoServer => "no_server",
            Cause::ServerLost => "server_lost",
            Cause::ServerProtocol => "server_protocol",
            Cause::ServerLogin => "server_login",
            Cause::SessionCommand => "session_command",
            Cause::Killed => "killed",
            Cause::Filter => "filter",
            Cause::ServiceStopped => "service_stopped",
            Cause::Shutdown => "shutdown",
            Cause::Panic => "panic",
        }
    }

    /// Does somebody have to know?
    #[must_use]
    pub fn is_trouble(self) -> bool {
        !matches!(
            self,
            Cause::ClientQuit | Cause::Shutdown | Cause::ServiceStopped
        )
    }
}
