//! Executions that come to nothing, and the long data that were sent for them.
//!
//! Long data are on one server alone and are not answered: when their execution cannot run there, the
//! client is told at the execution, and the server is made to forget them.

use tidegate_wire::Command;

use crate::backend::{About, Owed, OwedTo};
use crate::dispatch::Body;
use crate::fault::ErrReply;
use crate::ids::{ClientStmtId, Side};
use crate::session::{Cx, Session};

impl Session {
    /// An execution is refused, with all that a server does even then: it knows the types, which the
    /// client will not send again, forgets the long data and closes the cursor. A COM_STMT_RESET that
    /// is refused, for want of a server, has nothing to forget anywhere else.
    pub(crate) fn execution_refused(&mut self, body: &Body<'_>, cx: &mut Cx<'_>) {
        let executes = matches!(
            body.command(),
            Command::StmtExecute | Command::StmtBulkExecute
        );
        let resets = body.command() == Command::StmtReset;
        if self.needs.history
            && (executes || resets)
            && let Some(id) = tidegate_wire::stmt::stmt_id(body.payload()).map(ClientStmtId)
            && let Some(id) = self.stmts.resolve(id)
            && let Some(prepared) = self.stmts.get_mut(id)
        {
            if executes {
                prepared.note_types(body.payload());
            }
            self.drop_long_data(id, cx);
        }
    }

    /// Long data reach no server: the execution that they are for will be refused, for they are not
    /// answered themselves.
    pub(crate) fn lose_long_data(&mut self, body: &Body<'_>) {
        if body.command() == Command::StmtSendLongData
            && let Some(id) = tidegate_wire::stmt::stmt_id(body.payload()).map(ClientStmtId)
            && let Some(id) = self.stmts.resolve(id)
            && let Some(prepared) = self.stmts.get_mut(id)
        {
            prepared.long_data_lost = true;
        }
    }

    /// Makes a server forget the long data that came for an execution which will not come.
    fn drop_long_data(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        let Some(prepared) = self.stmts.get_mut(id) else {
            return;
        };
        // As a server does, whatever becomes of the execution.
        prepared.executed_on = None;
        self.recall_long_data(id, cx);
    }

    /// Makes a server forget the long data that it has of a statement, as if they had not been sent.
    pub(crate) fn recall_long_data(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        let Some(prepared) = self.stmts.get_mut(id) else {
            return;
        };
        prepared.long_data_lost = false;
        let Some(holder) = prepared.long_data_on.take() else {
            return;
        };
        // What makes it forget them closes the statement's cursor there.
        if prepared.executed_on == Some(holder) {
            prepared.executed_on = None;
        }
        let Some(backend) = self.backend_mut(holder) else {
            return;
        };
        let Some(mapped) = backend.stmts.get(id) else {
            return;
        };
        let [a, b, c, d] = mapped.backend.0.to_le_bytes();
        let packet = [5, 0, 0, 0, Command::StmtReset.byte(), a, b, c, d];
        backend.expect(
            Command::StmtReset.reply_shape(),
            packet.len(),
            Owed {
                to: OwedTo::Setup,
                about: About::Else,
            },
        );
        cx.out.send(Side::Backend(holder), &packet);
    }
}

/// The client can send them again, after COM_STMT_RESET.
pub(crate) fn long_data_lost() -> ErrReply {
    ErrReply::new(
        1210,
        b"HY000",
        "Incorrect arguments to COM_STMT_EXECUTE: the long data that were sent before are on a server that cannot execute it",
    )
}
