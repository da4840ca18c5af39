//! One entry: its columns and how they are written.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_config::WordSet;
use tidegate_session::WallTime;

use super::{DurationUnit, LogData, QlaFilterParams};

/// The order in which columns stand, whatever the order they were asked for in, and their headers.
const ORDER: [(LogData, &str); 16] = [
    (LogData::Service, "Service"),
    (LogData::Session, "Session"),
    (LogData::Date, "Date"),
    (LogData::User, "User@Host"),
    (LogData::ReplyTime, "Reply_time"),
    (LogData::TotalReplyTime, "Total_reply_time"),
    (LogData::Query, "Query"),
    (LogData::DefaultDb, "Default_db"),
    (LogData::NumRows, "Num_rows"),
    (LogData::ReplySize, "Reply_size"),
    (LogData::Transaction, "Transaction"),
    (LogData::TransactionTime, "Transaction_time"),
    (LogData::NumWarnings, "Num_warnings"),
    (LogData::ErrorMsg, "Error_msg"),
    (LogData::Server, "Server"),
    (LogData::Command, "Command"),
];

/// What is known of a statement and its reply. What is unknown is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) service: String,
    pub(crate) session: u64,
    pub(crate) received: WallTime,
    pub(crate) user: Vec<u8>,
    pub(crate) host: String,
    pub(crate) query: Vec<u8>,
    pub(crate) database: Vec<u8>,
    pub(crate) command: &'static str,
    pub(crate) reply: Option<Reply>,
}

/// What a reply adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) first: Duration,
    pub(crate) total: Duration,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) warnings: u16,
    pub(crate) error: Vec<u8>,
    pub(crate) server: String,
    /// `BEGIN`, `COMMIT` or `ROLLBACK`, where the statement was one.
    pub(crate) transaction: &'static str,
    /// How long the transaction took that it ended.
    pub(crate) transaction_time: Option<Duration>,
}

/// Which columns an entry has and how they are written.
#[derive(Debug)]
pub(crate) struct Columns {
    wanted: WordSet<LogData>,
    unit: DurationUnit,
    separator: String,
    newline: Vec<u8>,
    zone: TimeZone,
}

impl Columns {
    pub(crate) fn new(params: &QlaFilterParams) -> Columns {
        Columns {
            wanted: params.log_data,
            unit: params.duration_unit,
            separator: params.separator.clone(),
            newline: params.newline_replacement.clone().into_bytes(),
            zone: TimeZone::system(),
        }
    }

    /// The columns in their order; the session's number is left out of its own file.
    fn of(&self, with_session: bool) -> impl Iterator<Item = (LogData, &'static str)> {
        ORDER.into_iter().filter(move |(column, _)| {
            self.wanted.contains(*column) && (with_session || *column != LogData::Session)
        })
    }

    /// Is this column written?
    pub(crate) fn has(&self, column: LogData) -> bool {
        self.wanted.contains(column)
    }

    /// The first line of a file.
    pub(crate) fn header(&self, with_session: bool) -> Vec<u8> {
        let names: Vec<&str> = self.of(with_session).map(|(_, name)| name).collect();
        format!("{}\n", names.join(&self.separator)).into_bytes()
    }

    /// An entry as a line.
    pub(crate) fn line(&self, entry: &Entry, with_session: bool) -> Vec<u8> {
        let mut line = Vec::with_capacity(64 + entry.query.len());
        for (ix, (column, _)) in self.of(with_session).enumerate() {
            if ix > 0 {
                line.extend_from_slice(self.separator.as_bytes());
            }
            self.value(column, entry, &mut line);
        }
        line.push(b'\n');
        line
    }

    fn value(&self, column: LogData, entry: &Entry, line: &mut Vec<u8>) {
        let reply = entry.reply.as_ref();
        let mut number = |value: Option<u64>| {
            if let Some(value) = value {
                line.extend_from_slice(value.to_string().as_bytes());
            }
        };
        match column {
            LogData::NumRows => number(reply.map(|reply| reply.rows)),
            LogData::ReplySize => number(reply.map(|reply| reply.bytes)),
            LogData::NumWarnings => number(reply.map(|reply| u64::from(reply.warnings))),
            LogData::ReplyTime => number(reply.map(|reply| self.amount(reply.first))),
            LogData::TotalReplyTime => number(reply.map(|reply| self.amount(reply.total))),
            LogData::TransactionTime => {
                number(
                    reply
                        .and_then(|reply| reply.transaction_time)
                        .map(|time| self.amount(time)),
                );
            }
            LogData::Session => number(Some(entry.session)),
            LogData::Service => line.extend_from_slice(entry.service.as_bytes()),
            LogData::Date => line.extend_from_slice(self.date(entry.received).as_bytes()),
            LogData::User => {
                line.extend_from_slice(&entry.user);
                line.push(b'@');
                line.extend_from_slice(entry.host.as_bytes());
            }
            LogData::Query => self.one_line(&entry.query, line),
            LogData::DefaultDb => line.extend_from_slice(&entry.database),
            LogData::Transaction => {
                line.extend_from_slice(reply.map_or("", |reply| reply.transaction).as_bytes())
            }
            LogData::ErrorMsg => self.one_line(reply.map_or(&[], |reply| &reply.error), line),
            LogData::Server => {
                line.extend_from_slice(reply.map_or("", |reply| &reply.server).as_bytes())
            }
            LogData::Command => line.extend_from_slice(entry.command.as_bytes()),
        }
    }

    fn amount(&self, time: Duration) -> u64 {
        let amount = match self.unit {
            DurationUnit::Milliseconds => time.as_millis(),
            DurationUnit::Microseconds => time.as_micros(),
        };
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    fn date(&self, at: WallTime) -> String {
        let Ok(stamp) = Timestamp::from_microsecond(at.0) else {
            return String::new();
        };
        stamp
            .to_zoned_datetime(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    /// Puts the replacement in place of each `\r`, `\n` and `\r\n`; an empty one leaves them.
    fn one_line(&self, text: &[u8], line: &mut Vec<u8>) {
        if self.newline.is_empty() {
            line.extend_from_slice(text);
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (before, from) = rest.split_at(at);
            line.extend_from_slice(before);
            line.extend_from_slice(&self.newline);
            let len = if from.starts_with(b"\r\n") { 2 } else { 1 };
            rest = from.get(len..).unwrap_or_default();
        }
        line.extend_from_slice(rest);
    }
}
