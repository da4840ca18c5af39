//! Optimistic transactions: one that may write begins on a replica, in the hope that it only reads. It
//! moves to the primary with its first statement that is no read, where all before it is repeated.
//! With causal reads transactions begin on the primary.

use tidegate_session::request::Request;
use tidegate_session::router::Decision;
use tidegate_session::{Link, Scene, SessionFault};
use tidegate_sql::{TrxEffect, TypeMask};
use tidegate_wire::Command;

use super::route;
use super::session::Split;

impl Split {
    /// Where a transaction begins in the hope that it only reads. `None`: where any other does.
    pub(super) fn to_hopeful(&self, request: &Request<'_>, scene: &Scene<'_>) -> Option<Decision> {
        let begins = request
            .statement
            .is_some_and(|statement| matches!(statement.trx, TrxEffect::Begin { .. }));
        // A replica need not have what the transaction must see.
        let hopeful = self.settings.optimistic
            && !self.settings.causal.is_on()
            && begins
            && !self.steady
            && scene.recoverable()
            && !request.trx.is_open()
            && self.pin(scene).is_none()
            && self.tied.is_bare();
        if !hopeful {
            return None;
        }
        let primary = self.find_primary(scene);
        let target = self.find_replica(scene, primary)?;
        let connected = scene
            .target(target)
            .is_some_and(|view| view.link() == Link::Open);
        if Some(target) == primary || !connected {
            return None;
        }
        Some(if scene.outstanding() > 0 {
            Decision::Wait
        } else {
            Decision::One {
                target,
                retry: false,
                on_primary: false,
            }
        })
    }

    /// What the open transaction's next statement means for the hope that it only reads. `None`: it
    /// stays where it is.
    pub(super) fn dashes_hope(&self, request: &Request<'_>) -> Option<Decision> {
        if !self.hopeful || stays(request) {
            return None;
        }
        Some(Decision::Move(SessionFault::NoServer(
            "an optimistic transaction writes, and can no longer be repeated on the primary"
                .to_owned(),
        )))
    }
}

/// May a replica run it? Reads, the transaction's end, another that ends it, and what is asked in
/// passing.
fn stays(request: &Request<'_>) -> bool {
    match request.command {
        Command::StmtSendLongData => true,
        Command::StmtBulkExecute => false,
        Command::Query | Command::StmtExecute => request.statement.is_some_and(|statement| {
            let ends = matches!(
                statement.trx,
                TrxEffect::Commit { chain: false, .. }
                    | TrxEffect::Rollback { chain: false, .. }
                    | TrxEffect::Begin { .. }
            );
            let reads = route::is_repeatable_read(request)
                && !statement.mask.contains(TypeMask::USERVAR_WRITE);
            request.complete && (ends || reads)
        }),
        _ => true,
    }
}
