//! What a filter is to the session core.
//!
//! A [`Filter`] is one configured object; a [`FilterSession`] its state for one client
//! connection. Requests pass the chain from the client's side on, replies the other way. A filter
//! says what it wants to see, and what nobody wants to see is never copied.

use std::cell::RefCell;
use std::sync::Arc;

use tidegate_sql::hints::Hint;

use crate::fault::{ErrReply, SessionFault};
use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::SessionId;
use crate::question::ClientAddress;
use crate::request::{OwnAnswer, ReplySummary, Request};
use crate::time::{Instant, WallTime};

/// A filter with its parameters.
pub trait Filter: std::fmt::Debug + Send + Sync {
    /// The object's name in the configuration.
    fn name(&self) -> &str;
    /// The module's name, as in `module=`.
    fn module(&self) -> &'static str;
    /// Makes the state for a session whose client has just been authenticated; `None` if this
    /// session does not concern it.
    ///
    /// # Errors
    /// The session is closed with it.
    fn start(&self, who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply>;
    /// Makes a session's state from what [`FilterSession::freeze`] wrote.
    ///
    /// # Errors
    /// The encoding is not ours.
    fn thaw(
        &self,
        who: &Who<'_>,
        from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError>;
}

/// Whose session it is.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The session.
    pub session: SessionId,
    /// The service whose chain the filter is in.
    pub service: &'a Arc<str>,
    /// The user name as sent.
    pub user: &'a [u8],
    /// The client's address.
    pub address: &'a ClientAddress,
    /// The current default database.
    pub database: Option<&'a [u8]>,
}

/// What a filter is told besides the request or reply itself.
#[derive(Debug, Clone, Copy)]
pub struct FilterScene<'a> {
    /// Whose session.
    pub who: Who<'a>,
    /// The time of this turn.
    pub now: Instant,
    /// The same as wall-clock time.
    pub wall: WallTime,
    /// Takes what a filter has to say to whoever reads the log; see [`FilterScene::warn`].
    pub warnings: &'a RefCell<Vec<String>>,
}

impl FilterScene<'_> {
    /// A warning for the log, on behalf of the session.
    pub fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(text);
    }
}

/// What a filter wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// Commands, before they are routed.
    pub requests: bool,
    /// A summary of each complete reply.
    pub replies: bool,
    /// The statement's class in [`Request::statement`].
    pub statements: bool,
}

/// The state of a filter for one client connection.
pub trait FilterSession: std::fmt::Debug + Send {
    /// What it wants to see; asked when the chain is made.
    fn wants(&self) -> Wants;
    /// A command is on its way. `hints` may be added to. Called once for each command.
    fn on_request(
        &mut self,
        request: &Request<'_>,
        hints: &mut Vec<Hint>,
        scene: &FilterScene<'_>,
    ) -> Verdict {
        let _ = (request, hints, scene);
        Verdict::Pass
    }
    /// The reply to the oldest unanswered command is complete. Answers made by filters nearer to
    /// the client are not seen here.
    fn on_reply(&mut self, reply: &ReplySummary<'_>, scene: &FilterScene<'_>) {
        let _ = (reply, scene);
    }
    /// The session ends; commands that are still unanswered never will be.
    fn on_end(&mut self, scene: &FilterScene<'_>) {
        let _ = scene;
    }
    /// COM_CHANGE_USER or COM_RESET_CONNECTION succeeded.
    fn reset(&mut self) {}
    /// Writes the whole state.
    fn freeze(&self, into: &mut Encoder);
}

/// What a filter says to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// On to the next.
    Pass,
    /// On to the next, as this payload (command byte first).
    Replace(Vec<u8>),
    /// Answered here; it goes no further.
    Answer(OwnAnswer),
    /// Refused with this error; the session goes on.
    Reject(ErrReply),
    /// The session ends.
    End(SessionFault),
}
