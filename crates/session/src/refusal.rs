//! Errors that a server gives in the place of its connection's end: it shuts down, or has taken itself
//! out of its cluster. Whether such an error is passed on is the router's to say.

use tidegate_wire::reply::ErrPacket;

use crate::backend::OwedTo;
use crate::fault::SessionFault;
use crate::ids::BackendId;
use crate::router::Refusal;
use crate::session::{Cx, Session};

/// "Server shutdown in progress".
const SHUTDOWN: u16 = 1053;
/// "Connection was killed".
const KILLED: u16 = 1927;
/// "Unknown command", which a Galera node says as well while it takes no part.
const UNKNOWN_COMMAND: u16 = 1047;

impl Session {
    /// The answer to the only command in flight is the error in `payload`. Is it taken for a loss of
    /// the connection? Then that has been dealt with.
    pub(crate) fn taken_for_loss(
        &mut self,
        id: BackendId,
        code: u16,
        payload: &[u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        if !matches!(code, SHUTDOWN | KILLED | UNKNOWN_COMMAND) || self.tickets.len() != 1 {
            return false;
        }
        let (Some(ticket), Ok(error)) = (self.tickets.front(), ErrPacket::parse(payload)) else {
            return false;
        };
        if ticket.started || ticket.answer != Some(id) || self.stream.is_some() {
            return false;
        }
        let Some((node, target)) = self
            .backend(id)
            .map(|backend| (backend.node, backend.target))
        else {
            return false;
        };
        let executed = code != UNKNOWN_COMMAND;
        let refusal = Refusal {
            target,
            code,
            text: error.message,
            since: ticket.since,
            reads: ticket.retry,
            kept: ticket.retry || ticket.kept,
        };
        let (Some(scene), Some(router)) = (
            self.scene(node, cx),
            self.nodes.get(node).and_then(|node| node.router.as_ref()),
        ) else {
            return false;
        };
        if !router.is_loss(&refusal, &scene) {
            return false;
        }
        let fault = self.said_goodbye(id, &error, cx);
        self.lose_after(id, fault, false, !executed, cx);
        true
    }

    /// A server answers what is dropped with such an error: it has not disagreed with the others, its
    /// connection is as good as lost. `true`: that has been dealt with.
    pub(crate) fn leaves(
        &mut self,
        id: BackendId,
        to: OwedTo,
        code: u16,
        last: &[u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        let Ok(error) = ErrPacket::parse(last) else {
            return false;
        };
        let leaves = match code {
            SHUTDOWN | KILLED => true,
            UNKNOWN_COMMAND => error.message.windows(5).any(|word| word == b"WSREP"),
            _ => false,
        };
        let dropped = matches!(
            to,
            OwedTo::Compare { .. }
                | OwedTo::Replay { .. }
                | OwedTo::Setup
                | OwedTo::Init { .. }
                | OwedTo::Guise
        );
        if !leaves || !dropped {
            return false;
        }
        if let OwedTo::Compare { seq } = to {
            self.verdicts.lost(seq, id);
        }
        let fault = self.said_goodbye(id, &error, cx);
        self.lose(id, fault, false, cx);
        true
    }

    fn said_goodbye(&self, id: BackendId, error: &ErrPacket<'_>, cx: &Cx<'_>) -> SessionFault {
        SessionFault::ServerLost {
            server: self.server_name(id, cx),
            reason: format!(
                "it answered with error {}: {}",
                error.code,
                String::from_utf8_lossy(error.message)
            ),
        }
    }
}
