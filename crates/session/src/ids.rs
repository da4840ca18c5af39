//! Identifiers, one type for each id space, so that the compiler refuses a mix-up.

/// A session's number: the connection id in the greeting, the id in REST, the operand of `KILL`.
/// Counted from 1 and never reused while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u64);

/// A server's place in the [`ServerViews`](crate::world::ServerViews) table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub u32);

/// A session's connection to one server: its place in the session's table of connections.
/// Meaningful inside one session only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BackendId(pub u16);

/// A target's place in its service's target list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TargetId(pub u16);

/// The statement id a client knows: the proxy's own where the router keeps a history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientStmtId(pub u32);

impl ClientStmtId {
    /// "The statement prepared just before": direct execution (MariaDB manual, `COM_STMT_EXECUTE`).
    pub const LAST_PREPARED: ClientStmtId = ClientStmtId(u32::MAX);
}

/// The statement id one server connection gave to a statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BackendStmtId(pub u32);

/// Which peer of a session is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The application.
    Client,
    /// One of the session's connections to a server.
    Backend(BackendId),
}

/// Ties an answer to the question it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u32);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
