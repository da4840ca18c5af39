//! The log of one session.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use tidegate_session::Instant;
use tidegate_session::filter::{FilterScene, FilterSession, Verdict, Wants};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::{ReplySummary, Request};
use tidegate_sql::Modes;
use tidegate_sql::hints::Hint;
use tidegate_wire::Command;

use super::entry::{Entry, Reply};
use super::values::{ParamTypes, fill_in};
use super::{LogData, Shared};

/// Longer texts are cut.
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// One session's log.
#[derive(Debug)]
pub(crate) struct Log {
    shared: Arc<Shared>,
    file: Option<Arc<Path>>,
    /// A place for each unanswered command, with its entry if it is logged.
    waiting: VecDeque<Option<Entry>>,
    types: ParamTypes,
    /// When the open transaction began.
    transaction: Option<Instant>,
}

impl Log {
    pub(crate) fn new(shared: Arc<Shared>, file: Option<Arc<Path>>) -> Log {
        Log {
            shared,
            file,
            waiting: VecDeque::new(),
            types: ParamTypes::default(),
            transaction: None,
        }
    }

    pub(crate) fn thaw(
        shared: Arc<Shared>,
        file: Option<Arc<Path>>,
        from: &mut Decoder<'_>,
    ) -> Result<Log, FreezeError> {
        let types = ParamTypes::thaw(from)?;
        let transaction = from.option(Decoder::u64)?.map(Instant);
        Ok(Log {
            types,
            transaction,
            ..Log::new(shared, file)
        })
    }

    /// The text to be logged; `None`: this command is not.
    fn text(&mut self, request: &Request<'_>) -> Option<Vec<u8>> {
        match request.command {
            Command::Query => Some(request.text.to_vec()),
            Command::InitDb => {
                Some([b"USE ", request.payload.get(1..).unwrap_or_default()].concat())
            }
            Command::StmtExecute => Some(fill_in(request, &mut self.types)),
            Command::StmtPrepare if self.shared.columns.has(LogData::Command) => {
                Some([b"PREPARE ", request.text].concat())
            }
            _ => None,
        }
    }

    fn entry(&mut self, request: &Request<'_>, scene: &FilterScene<'_>) -> Option<Entry> {
        let matched: &[u8] = if request.command == Command::InitDb {
            request.payload.get(1..)?
        } else {
            request.text
        };
        let mut query = self.text(request)?;
        if !self.shared.statements.takes(matched) {
            return None;
        }
        if self.shared.canonical {
            let mut canonical = Vec::new();
            tidegate_sql::canonical(&query, Modes::default(), &mut canonical);
            query = canonical;
        }
        query.truncate(MAX_TEXT_BYTES);
        Some(Entry {
            service: scene.who.service.to_string(),
            session: scene.who.session.0,
            received: scene.wall,
            user: scene.who.user.to_vec(),
            host: scene.who.address.host(),
            query,
            database: scene.who.database.unwrap_or_default().to_vec(),
            command: request.command.name(),
            reply: None,
        })
    }

    fn write(&self, entry: &Entry) {
        let shared = &*self.shared;
        if let Some(path) = &self.file {
            shared.sink.append(
                path,
                shared.columns.line(entry, false),
                &shared.session_options,
            );
        }
        if let Some(path) = &shared.unified {
            shared
                .sink
                .append(path, shared.columns.line(entry, true), &shared.options);
        }
        if shared.print {
            shared.sink.print(shared.columns.line(entry, true));
        }
    }

    /// What the reply tells of the transaction: its marker, and how long the ended one took.
    fn follow_transaction(
        &mut self,
        reply: &ReplySummary<'_>,
        now: Instant,
    ) -> (&'static str, Option<std::time::Duration>) {
        if reply.trx.trx_ending() {
            let took = self.transaction.take().map(|began| now.since(began));
            if reply.trx.is_open() {
                self.transaction = Some(now);
            }
            return ("END", took);
        }
        if reply.trx.trx_starting() {
            self.transaction = Some(reply.sent);
            return ("BEGIN", None);
        }
        ("", None)
    }
}

/// The word for the end of a transaction, by how it was asked for.
fn marker(word: &'static str, query: &[u8]) -> &'static str {
    match word {
        "END"
            if query
                .trim_ascii_start()
                .get(..8)
                .is_some_and(|head| head.eq_ignore_ascii_case(b"ROLLBACK")) =>
        {
            "ROLLBACK"
        }
        "END" => "COMMIT",
        other => other,
    }
}

impl FilterSession for Log {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            replies: true,
            statements: false,
        }
    }

    fn on_request(
        &mut self,
        request: &Request<'_>,
        _hints: &mut Vec<Hint>,
        scene: &FilterScene<'_>,
    ) -> Verdict {
        let has_reply = !matches!(
            request.command,
            Command::StmtClose | Command::StmtSendLongData
        );
        if let (Command::StmtClose, Some(id)) = (request.command, request.prepared) {
            self.types.forget(id);
        }
        if has_reply {
            let entry = self.entry(request, scene);
            self.waiting.push_back(entry);
        }
        Verdict::Pass
    }

    fn on_reply(&mut self, reply: &ReplySummary<'_>, scene: &FilterScene<'_>) {
        let Some(place) = self.waiting.pop_front() else {
            return;
        };
        let (word, took) = self.follow_transaction(reply, scene.now);
        let Some(mut entry) = place else { return };
        entry.reply = Some(Reply {
            first: reply.first_byte.since(reply.sent),
            total: scene.now.since(reply.sent),
            rows: reply.rows,
            bytes: reply.bytes,
            warnings: reply.warnings,
            error: reply.error_text.to_vec(),
            server: reply.server.unwrap_or_default().to_owned(),
            transaction: marker(word, &entry.query),
            transaction_time: took,
        });
        self.write(&entry);
    }

    fn on_end(&mut self, _scene: &FilterScene<'_>) {
        for entry in std::mem::take(&mut self.waiting).into_iter().flatten() {
            self.write(&entry);
        }
        if let Some(path) = &self.file {
            self.shared.sink.close(path);
        }
    }

    fn reset(&mut self) {
        self.types = ParamTypes::default();
        self.transaction = None;
    }

    fn freeze(&self, into: &mut Encoder) {
        self.types.freeze(into);
        into.option(self.transaction, |into, at| into.u64(at.0));
    }
}
