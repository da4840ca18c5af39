use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_session::{Level, LogLine, LogSwitches, SessionId, WallTime};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn start(path: Option<&Path>, settings: LogSettings) -> LogThread {
    let banner = "Tidegate test".to_owned();
    LogThread::start(LogConfig {
        path: path.map(Path::to_owned),
        stdout: false,
        traces: None,
        journal: LogConfig::JOURNAL.into(),
        format: Format::Text,
        banner,
        settings,
    })
    .unwrap()
}

/// The lines of a log file without banners and time stamps.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| Some(line.split_once("   ")?.1.to_owned()))
        .collect()
}

#[test]
fn lines_of_all_sources_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.log");
    let thread = start(Some(&path), LogSettings::default());
    let log = thread.log();
    log.say(Level::Notice, "started");
    log.say(Level::Info, "not seen");
    let line = LogLine {
        level: Level::Info,
        text: "login".into(),
        event: None,
        asked: true,
    };
    log.session(SessionId(3), &Arc::from("RW"), WallTime(0), line);
    tracing::subscriber::with_default(Events::new(log.clone()), || {
        tracing::error!(
            object = "server1",
            module = "mariadbmon",
            attempts = 3,
            "cannot connect"
        );
        tracing::info!(session = 4u64, "notice of {}", "tracing");
        tracing::debug!("not seen either");
        tracing::error!(target: "another_crate", "nor this");
    });
    log.flush(LIMIT);
    let expect = [
        "notice : started",
        "info   : (3) login",
        "error  : [mariadbmon] (server1) cannot connect attempts=3",
        "notice : (4) notice of tracing",
    ];
    assert_eq!(lines(&path), expect);
}

#[test]
fn levels_change_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.log");
    let thread = start(Some(&path), LogSettings::default());
    let log = thread.log();
    assert!(!log.enabled(Level::Info));
    let levels = LogSwitches {
        info: true,
        ..LogSwitches::default()
    };
    log.set(LogSettings {
        levels,
        ..LogSettings::default()
    });
    assert!(log.enabled(Level::Info) && !log.enabled(Level::Warning));
    assert!(log.enabled(Level::Error), "errors cannot be switched off");
}

#[test]
fn reopen_follows_a_rename_and_repeats_the_banner() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (
        dir.path().join("tidegate.log"),
        dir.path().join("tidegate.log.1"),
    );
    let thread = start(Some(&path), LogSettings::default());
    let log = thread.log();
    log.say(Level::Notice, "before");
    log.flush(LIMIT);
    std::fs::rename(&path, &moved).unwrap();
    log.reopen();
    log.flush(LIMIT);
    log.say(Level::Notice, "after");
    drop(thread);
    assert_eq!(lines(&moved), ["notice : before"]);
    assert_eq!(lines(&path), ["notice : after"]);
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("Tidegate test  ")
    );
}

#[test]
fn a_source_that_repeats_itself_is_silenced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.log");
    let thread = start(Some(&path), LogSettings::default());
    let log = thread.log();
    for n in 0..50 {
        log.say(Level::Error, format!("server {n} is gone"));
    }
    log.say(Level::Error, "another place");
    drop(thread);
    let lines = lines(&path);
    assert_eq!(
        lines.iter().filter(|line| line.contains("is gone")).count(),
        10
    );
    assert!(lines[10].contains("log_throttling"), "{}", lines[10]);
    assert_eq!(lines[11], "error  : another place");
}

#[test]
fn a_full_queue_drops_counts_and_tells() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.log");
    let settings = LogSettings {
        throttling: None,
        ..LogSettings::default()
    };
    let (log, entries) = Log::new(&settings);
    for _ in 0..QUEUE_LINES + 5 {
        log.say(Level::Notice, "again");
    }
    assert_eq!(log.dropped(), 5);
    let config = LogConfig {
        path: Some(path.clone()),
        stdout: false,
        traces: None,
        journal: LogConfig::JOURNAL.into(),
        format: Format::Text,
        banner: String::new(),
        settings,
    };
    let writer = writer::Writer::open(config, log.clone()).unwrap();
    log.command(Command::Stop);
    writer.run(&entries);
    let lines = lines(&path);
    assert_eq!(lines.len(), QUEUE_LINES + 1);
    assert!(
        lines[QUEUE_LINES].starts_with("warning: 5 log lines were dropped"),
        "{}",
        lines[QUEUE_LINES]
    );
}

#[test]
fn an_unwritable_folder_is_a_clear_error() {
    let path = Path::new("/dev/null/tidegate.log");
    let config = LogConfig {
        path: Some(path.to_owned()),
        stdout: false,
        traces: None,
        journal: LogConfig::JOURNAL.into(),
        format: Format::Text,
        banner: String::new(),
        settings: LogSettings::default(),
    };
    let text = LogThread::start(config).unwrap_err().to_string();
    assert!(
        text.contains("'/dev/null/tidegate.log'") && text.contains("logdir"),
        "{text}"
    );
}

#[test]
fn a_full_disk_stops_nothing() {
    let thread = start(Some(Path::new("/dev/full")), LogSettings::default());
    let log = thread.log();
    log.say(Level::Error, "lost");
    log.flush(LIMIT);
    log.say(Level::Error, "lost too");
    drop(thread);
}

#[test]
fn other_files_on_the_same_thread() {
    let dir = tempfile::tempdir().unwrap();
    let thread = start(None, LogSettings::default());
    let path: Arc<Path> = Arc::from(dir.path().join("audit.unified"));
    let options = Arc::new(FileOptions {
        header: Some(b"Date,User\n".to_vec()),
        ..FileOptions::default()
    });
    thread
        .log()
        .append(&path, b"today,joe\n".to_vec(), &options);
    thread.log().close(&path);
    drop(thread);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "Date,User\ntoday,joe\n"
    );
}
