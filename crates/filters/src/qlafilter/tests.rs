//! Lines as they are written, from commands and replies.

use std::cell::RefCell;
use std::sync::Mutex;

use tidegate_config::{Params as _, Value, Values};
use tidegate_session::filter::FilterScene;
use tidegate_session::question::ClientAddress;
use tidegate_session::request::{ReplySummary, Request};
use tidegate_session::{Instant, SessionId, WallTime};
use tidegate_sql::TrxTracker;
use tidegate_wire::Command;

use super::*;

/// Keeps what is written.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(String, String)>>, bool);

impl LineSink for Kept {
    fn append(&self, path: &Arc<Path>, lines: Vec<u8>, _: &Arc<SinkOptions>) {
        let entry = (
            path.display().to_string(),
            String::from_utf8(lines).unwrap(),
        );
        self.0.lock().unwrap().push(entry);
    }
    fn close(&self, _: &Arc<Path>) {}
    fn print(&self, lines: Vec<u8>) {
        self.0
            .lock()
            .unwrap()
            .push(("stdout".to_owned(), String::from_utf8(lines).unwrap()));
    }
    fn probe(&self, _: &Path) -> std::io::Result<()> {
        if self.1 {
            Err(std::io::ErrorKind::PermissionDenied.into())
        } else {
            Ok(())
        }
    }
}

fn params(change: impl FnOnce(&mut QlaFilterParams)) -> QlaFilterParams {
    let mut values = Values::defaults([QlaFilterParams::TABLE]);
    values.set("filebase", Value::Text("q".to_owned()));
    let mut params = QlaFilterParams::from_values(&values);
    change(&mut params);
    params
}

struct Bench {
    kept: Arc<Kept>,
    session: Box<dyn FilterSession>,
    trx: TrxTracker,
    warnings: RefCell<Vec<String>>,
    service: Arc<str>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut QlaFilterParams)) -> Bench {
        let kept = Arc::new(Kept::default());
        let filter = QlaFilter::new(
            "qla",
            params(change),
            Arc::clone(&kept) as Arc<dyn LineSink>,
        )
        .unwrap();
        let service: Arc<str> = "svc".into();
        let session = filter.start(&who(&service)).unwrap().unwrap();
        Bench {
            kept,
            session,
            trx: TrxTracker::new(),
            warnings: RefCell::default(),
            service,
        }
    }

    fn request(&mut self, command: Command, text: &str) {
        let scene = FilterScene {
            who: who(&self.service),
            now: Instant(0),
            wall: WallTime(0),
            warnings: &self.warnings,
        };
        let payload = [&[command.byte()], text.as_bytes()].concat();
        let request = Request {
            command,
            payload: &payload,
            complete: true,
            text: if command == Command::InitDb {
                b""
            } else {
                text.as_bytes()
            },
            statement: None,
            prepared: None,
            hints: &[],
            trx: &self.trx,
        };
        self.session.on_request(&request, &mut Vec::new(), &scene);
    }

    fn reply(&mut self, error: &str) {
        let now = Instant(7_000);
        let scene = FilterScene {
            who: who(&self.service),
            now,
            wall: WallTime(0),
            warnings: &self.warnings,
        };
        let reply = ReplySummary {
            command: Command::Query,
            error: (!error.is_empty()).then_some(1064),
            error_text: error.as_bytes(),
            rows: 3,
            bytes: 90,
            warnings: 1,
            status: 2,
            has_rows: true,
            sent: Instant(1_000),
            first_byte: Instant(3_000),
            server: Some("db1"),
            trx: &self.trx,
        };
        self.session.on_reply(&reply, &scene);
    }

    fn lines(&self) -> Vec<(String, String)> {
        self.kept.0.lock().unwrap().clone()
    }
}

fn who(service: &Arc<str>) -> Who<'_> {
    Who {
        session: SessionId(9),
        service,
        user: b"bob",
        address: &ClientAddress::Unix,
        database: Some(b"shop"),
    }
}

fn all_but_the_date(params: &mut QlaFilterParams) {
    let all = [
        LogData::Service,
        LogData::Session,
        LogData::User,
        LogData::Query,
        LogData::ReplyTime,
        LogData::TotalReplyTime,
        LogData::DefaultDb,
        LogData::NumRows,
        LogData::ReplySize,
        LogData::NumWarnings,
        LogData::ErrorMsg,
        LogData::Server,
        LogData::Command,
    ];
    params.log_data = WordSet::of(&all);
}

#[test]
fn columns_stand_in_their_fixed_order() {
    let mut bench = Bench::new(|params| {
        all_but_the_date(params);
        params.log_type = WordSet::of(&[LogType::Unified]);
    });
    bench.request(Command::Query, "SELECT\r\n1\n+2");
    bench.reply("");
    let line = "svc,9,bob@localhost,2,6,SELECT 1 +2,shop,3,90,1,,db1,COM_QUERY\n";
    assert_eq!(bench.lines(), [("q.unified".to_owned(), line.to_owned())]);
}

#[test]
fn a_session_file_leaves_the_number_out() {
    let mut bench =
        Bench::new(|params| params.log_data = WordSet::of(&[LogData::Session, LogData::Query]));
    bench.request(Command::InitDb, "shop");
    bench.reply("");
    assert_eq!(bench.lines(), [("q.9".to_owned(), "USE shop\n".to_owned())]);
}

#[test]
fn entries_and_replies_pair_up_though_some_are_not_logged() {
    let mut bench = Bench::new(|params| {
        params.log_data = WordSet::of(&[LogData::Query, LogData::ErrorMsg]);
        params.exclude = Some(Pattern::new("hidden").unwrap());
    });
    for text in ["SELECT 1", "SELECT hidden", "SELECT 3"] {
        bench.request(Command::Query, text);
    }
    bench.reply("");
    bench.reply("belongs to the hidden one");
    bench.reply("oops");
    let lines: Vec<String> = bench.lines().into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["SELECT 1,\n", "SELECT 3,oops\n"]);
}

#[test]
fn an_unanswered_statement_is_written_at_the_end() {
    let mut bench =
        Bench::new(|params| params.log_data = WordSet::of(&[LogData::Query, LogData::NumRows]));
    bench.request(Command::Query, "SELECT SLEEP(9)");
    let scene = FilterScene {
        who: who(&bench.service),
        now: Instant(0),
        wall: WallTime(0),
        warnings: &bench.warnings,
    };
    bench.session.on_end(&scene);
    assert_eq!(bench.lines()[0].1, "SELECT SLEEP(9),\n");
}

#[test]
fn durations_in_microseconds_and_canonical_texts() {
    let mut bench = Bench::new(|params| {
        params.log_data = WordSet::of(&[LogData::Query, LogData::ReplyTime]);
        params.duration_unit = DurationUnit::Microseconds;
        params.use_canonical_form = true;
    });
    bench.request(Command::Query, "SELECT 'secret'");
    bench.reply("");
    assert_eq!(bench.lines()[0].1, "2000,SELECT ?\n");
}

#[test]
fn a_session_of_somebody_else_is_no_concern() {
    let kept: Arc<dyn LineSink> = Arc::new(Kept::default());
    let filter = QlaFilter::new(
        "qla",
        params(|params| params.user = Some("alice".to_owned())),
        kept,
    )
    .unwrap();
    let service: Arc<str> = "svc".into();
    assert!(filter.start(&who(&service)).unwrap().is_none());
}

#[test]
fn a_file_that_cannot_be_opened_refuses_the_session_or_the_filter() {
    let broken = || Arc::new(Kept(Mutex::default(), true)) as Arc<dyn LineSink>;
    let filter = QlaFilter::new("qla", params(|_| {}), broken()).unwrap();
    let service: Arc<str> = "svc".into();
    assert_eq!(filter.start(&who(&service)).unwrap_err().code, 1105);
    let unified = params(|params| params.log_type = WordSet::of(&[LogType::Unified]));
    assert!(
        QlaFilter::new("qla", unified, broken())
            .unwrap_err()
            .contains("q.unified")
    );
}

#[test]
fn the_header_names_the_columns() {
    let columns = Columns::new(&params(all_but_the_date));
    let header = String::from_utf8(columns.header(true)).unwrap();
    assert!(
        header.starts_with("Service,Session,User@Host,Reply_time,Total_reply_time,Query,"),
        "{header}"
    );
    assert_eq!(
        columns
            .line(&entry::Entry::default(), true)
            .iter()
            .filter(|byte| **byte == b',')
            .count(),
        12
    );
}
