//! Transaction replay: a transaction whose server is lost is repeated on another one, and its client
//! does not notice.
//!
//! While a transaction is open, [`record`] keeps each statement whose answer is complete, with a
//! hash of the answer, and the statement that is not answered yet. When the transaction's server
//! is lost, [`run`] repeats the statements one after the other, each after the answer to the one
//! before it, compares the answers by their hashes, and gives nothing of them to the client. Last
//! comes the statement that was interrupted, whose answer the client gets; of an answer that it
//! already has in part, that part is dropped after it has been compared.
//!
//! What is never repeated: a COMMIT whose outcome is not known (unless the rules say so), anything
//! that may have committed by itself, anything of which not every byte is recorded.
//!
//! Left out on purpose: which server comes next. The router chooses it as for any statement.

mod answers;
mod bearing;
mod digest;
mod errors;
mod record;
mod run;
mod store;

use std::time::Duration;

use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::service::HistoryLimits;
pub(crate) use answers::Follow;
use digest::Digest;
pub(crate) use record::Part;
use record::Record;
pub(crate) use run::Prospect;
use run::Run;

/// What a router wants of transaction replay, see [`Needs`](crate::router::Needs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayRules {
    /// Most bytes that are recorded of one transaction: its statements, and 21 bytes for each.
    pub max_bytes: usize,
    /// How long a transaction is tried to be repeated; zero: `attempts` counts.
    pub timeout: Duration,
    /// How often it is tried, without a `timeout`.
    pub attempts: u64,
    /// Errors of SQLSTATE class 40 (a deadlock) are met by a replay too.
    pub on_deadlock: bool,
    /// After a differing answer it is tried again, instead of ending the session.
    pub on_mismatch: bool,
    /// A transaction whose COMMIT was sent is not repeated.
    pub safe_commit: bool,
    /// Which answers are compared.
    pub checksum: Checksum,
}

/// Which answers of a repeated transaction are compared with the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// All.
    Full,
    /// Results and errors, but no OK packets.
    ResultOnly,
    /// As `ResultOnly`, without the results of statements that ask for generated values.
    NoInsertId,
}

/// Rules under which nothing is recorded.
pub(crate) const NOTHING: ReplayRules = ReplayRules {
    max_bytes: 0,
    timeout: Duration::ZERO,
    attempts: 0,
    on_deadlock: false,
    on_mismatch: false,
    safe_commit: true,
    checksum: Checksum::Full,
};

/// The record of the open transaction, and its replay.
#[derive(Debug)]
pub(crate) struct Replay {
    rules: ReplayRules,
    record: Record,
    /// Of the answer that is coming.
    digest: Digest,
    run: Option<Box<Run>>,
}

impl Replay {
    pub(crate) fn new(rules: ReplayRules) -> Replay {
        Replay {
            rules,
            record: Record::default(),
            digest: Digest::default(),
            run: None,
        }
    }

    /// What has been agreed with the client, if the session's own state is that of a repetition.
    pub(crate) fn agreed(&self) -> Option<tidegate_wire::Caps> {
        self.run.as_ref().map(|run| run.caps)
    }

    /// The session's state is as after its login.
    pub(crate) fn forget(&mut self) {
        self.record = Record::default();
        self.run = None;
    }

    /// Writes the record. No replay is under way.
    pub(crate) fn freeze(&self, into: &mut Encoder) {
        self.record.freeze(into);
    }

    /// Takes a record over.
    pub(crate) fn thaw(
        &mut self,
        limits: HistoryLimits,
        from: &mut Decoder<'_>,
    ) -> Result<(), FreezeError> {
        self.record = Record::thaw(limits, from)?;
        Ok(())
    }

    /// Estimated memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Replay>() + self.record.memory()
    }
}
