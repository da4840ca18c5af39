//! A line of the log and how it looks: `YYYY-MM-DD hh:mm:ss   level  : message`, in local time, or
//! a JSON object.

use std::fmt::Write as _;
use std::panic::Location;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_session::{Event, Level, SessionId, WallTime};

use super::severity::Severity;
use super::{Format, json, throttle, wall_now};

/// One line on its way to the log.
#[derive(Debug, Clone)]
pub struct Line {
    /// How important.
    pub level: Level,
    /// When it was said.
    pub wall: WallTime,
    /// The session it is about.
    pub session: Option<SessionId>,
    /// That session's service.
    pub service: Option<Arc<str>>,
    /// The module it comes from, as in `[readwritesplit]`.
    pub module: Option<Box<str>>,
    /// The object it is about, as in `(RW-Split-Router)`.
    pub object: Option<Arc<str>>,
    /// The text, without secrets. Line breaks become spaces.
    pub text: String,
    /// What it says besides, with names.
    pub fields: Vec<(&'static str, Value)>,
    /// The event it tells of, whose label counts in place of `level`.
    pub event: Option<Event>,
    /// Somebody's own switches ask for it, whatever the log's levels are.
    pub asked: bool,
    /// What tells its source from others for throttling.
    pub source: u64,
    /// The part of the program that says it; shown with `log_augmentation`.
    pub place: Option<&'static str>,
}

/// What a line says under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Signed(i64),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Signed(number) => number.fmt(f),
            Value::Unsigned(number) => number.fmt(f),
            Value::Float(number) => number.fmt(f),
            Value::Bool(on) => on.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl Line {
    /// A line said now, by the caller of this function.
    #[track_caller]
    #[must_use]
    pub fn new(level: Level, text: String) -> Line {
        let place = Location::caller();
        Line {
            level,
            wall: wall_now(),
            session: None,
            service: None,
            module: None,
            object: None,
            text,
            fields: Vec::new(),
            event: None,
            asked: false,
            source: throttle::source(&(place.file(), place.line())),
            place: None,
        }
    }

    /// Whom it is about, as the text begins.
    pub(crate) fn prefixes(&self, text: &mut String) {
        // Writing to a String cannot fail.
        if let Some(session) = self.session {
            let _ = write!(text, "({session}) ");
        }
        if let Some(module) = &self.module {
            let _ = write!(text, "[{module}] ");
        }
        if let Some(object) = &self.object {
            let _ = write!(text, "({object}) ");
        }
    }

    /// What it says under names, as the text ends.
    pub(crate) fn write_fields(&self, text: &mut String) {
        for (name, value) in &self.fields {
            let _ = write!(text, " {name}=");
            push_on_one_line(&value.to_string(), text);
        }
    }
}

/// Formats lines; remembers the second it formatted last, because lines come in bursts.
#[derive(Debug)]
pub(crate) struct Formatter {
    zone: TimeZone,
    format: Format,
    pub(crate) milliseconds: bool,
    pub(crate) augmentation: bool,
    second: i64,
    /// That second: the date and time, and how far the zone is from UTC.
    stamp: (String, String),
}

impl Formatter {
    pub(crate) fn new(zone: TimeZone, format: Format) -> Formatter {
        Formatter {
            zone,
            format,
            milliseconds: false,
            augmentation: false,
            second: i64::MIN,
            stamp: (String::new(), String::new()),
        }
    }

    /// Appends one line, its end included.
    pub(crate) fn write(&mut self, line: &Line, severity: Severity, out: &mut Vec<u8>) {
        match self.format {
            Format::Text => self.write_text(line, severity, out),
            Format::Json => self.write_json(line, severity, out),
        }
    }

    /// Appends one line with the seconds since 1970 in place of the local time.
    pub(crate) fn write_raw(&self, line: &Line, severity: Severity, out: &mut Vec<u8>) {
        let (second, fraction) = (
            line.wall.0.div_euclid(1_000_000),
            line.wall.0.rem_euclid(1_000_000),
        );
        self.write_stamped(format!("{second}.{fraction:06}"), line, severity, out);
    }

    fn write_text(&mut self, line: &Line, severity: Severity, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(line.text.len() + 64);
        self.stamp(line.wall, &mut text);
        self.write_stamped(text, line, severity, out);
    }

    /// What follows the time, which `text` begins with.
    fn write_stamped(&self, mut text: String, line: &Line, severity: Severity, out: &mut Vec<u8>) {
        // Writing to a String cannot fail.
        let _ = write!(text, "   {:<7}: ", severity.word());
        line.prefixes(&mut text);
        if let (true, Some(place)) = (self.augmentation, line.place) {
            let _ = write!(text, "({place}) ");
        }
        push_on_one_line(&line.text, &mut text);
        line.write_fields(&mut text);
        text.push('\n');
        out.extend_from_slice(text.as_bytes());
    }

    fn write_json(&mut self, line: &Line, severity: Severity, out: &mut Vec<u8>) {
        self.turn_to(line.wall);
        let (time, zone) = &self.stamp;
        let time = format!("{}.{:03}{zone}", time.replace(' ', "T"), millis(line.wall));
        let object = json::object(line, severity, time, self.augmentation);
        out.extend_from_slice(object.to_string().as_bytes());
        out.push(b'\n');
    }

    /// What a file begins with, and what follows a rotation.
    pub(crate) fn banner(&mut self, program: &str, path: &str, wall: WallTime, out: &mut Vec<u8>) {
        if self.format == Format::Json {
            let line = Line {
                wall,
                ..Line::new(Level::Notice, format!("{program}  {path}"))
            };
            return self.write_json(&line, Severity::Notice, out);
        }
        let mut text = String::new();
        let _ = write!(text, "{program}  {path}  ");
        self.stamp(wall, &mut text);
        let rule = "-".repeat(text.chars().count());
        let _ = writeln!(text, "\n{rule}");
        out.extend_from_slice(text.as_bytes());
    }

    fn stamp(&mut self, wall: WallTime, out: &mut String) {
        self.turn_to(wall);
        out.push_str(&self.stamp.0);
        if self.milliseconds {
            let _ = write!(out, ".{:03}", millis(wall));
        }
    }

    fn turn_to(&mut self, wall: WallTime) {
        let second = wall.0.div_euclid(1_000_000);
        if second == self.second {
            return;
        }
        self.second = second;
        self.stamp = match Timestamp::from_second(second) {
            Ok(time) => {
                let time = time.to_zoned_datetime(self.zone.clone());
                let text = |format: &str| time.strftime(format).to_string();
                (text("%Y-%m-%d %H:%M:%S"), text("%:z"))
            }
            Err(_) => ("0000-00-00 00:00:00".into(), "+00:00".into()),
        };
    }
}

fn millis(wall: WallTime) -> i64 {
    wall.0.rem_euclid(1_000_000) / 1000
}

/// One line of the log is one line of the file, whatever a client put into its statement.
pub(crate) fn push_on_one_line(text: &str, out: &mut String) {
    let mut rest = text.trim_end();
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.push_str(&rest[..at]);
        out.push(' ');
        let broken = &rest[at..];
        rest = broken.strip_prefix("\r\n").unwrap_or_else(|| {
            let mut chars = broken.chars();
            chars.next();
            chars.as_str()
        });
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(format: Format, line: &Line, change: impl FnOnce(&mut Formatter)) -> String {
        let mut formatter = Formatter::new(TimeZone::fixed(jiff::tz::offset(2)), format);
        change(&mut formatter);
        let mut out = Vec::new();
        formatter.write(line, line.level.into(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn written(line: &Line, change: impl FnOnce(&mut Formatter)) -> String {
        formatted(Format::Text, line, change)
    }

    fn line(level: Level, text: &str) -> Line {
        Line {
            wall: WallTime(1_700_000_000_123_456),
            ..Line::new(level, text.into())
        }
    }

    #[test]
    fn levels_share_a_column() {
        let check = |level, expect: &str| assert_eq!(written(&line(level, "up"), |_| {}), expect);
        check(Level::Error, "2023-11-15 00:13:20   error  : up\n");
        check(Level::Warning, "2023-11-15 00:13:20   warning: up\n");
        check(Level::Notice, "2023-11-15 00:13:20   notice : up\n");
        check(Level::Info, "2023-11-15 00:13:20   info   : up\n");
        check(Level::Debug, "2023-11-15 00:13:20   debug  : up\n");
    }

    #[test]
    fn prefixes_and_milliseconds() {
        let whole = Line {
            session: Some(SessionId(7)),
            module: Some("readwritesplit".into()),
            object: Some(Arc::from("RW")),
            place: Some("session::chain"),
            ..line(Level::Info, "routed")
        };
        assert_eq!(
            written(&whole, |formatter| {
                formatter.milliseconds = true;
                formatter.augmentation = true;
            }),
            "2023-11-15 00:13:20.123   info   : (7) [readwritesplit] (RW) (session::chain) routed\n"
        );
    }

    #[test]
    fn as_json_everything_has_its_name_and_type() {
        let whole = Line {
            session: Some(SessionId(7)),
            service: Some(Arc::from("RW")),
            module: Some("readwritesplit".into()),
            event: Some(Event::AuthenticationFailure),
            fields: vec![
                ("attempts", Value::Unsigned(3)),
                ("who", Value::Text("joe".into())),
            ],
            place: Some("session::chain"),
            ..line(Level::Info, "a \"b\"\nc\n")
        };
        let expect = concat!(
            r#"{"time":"2023-11-15T00:13:20.123+02:00","level":"info","session":"7","service":"RW","#,
            r#""module":"readwritesplit","event":"authentication_failure","#,
            r#""message":"a \"b\"\nc","fields":{"attempts":3,"who":"joe"}}"#,
            "\n"
        );
        assert_eq!(formatted(Format::Json, &whole, |_| {}), expect);
        let with_place = formatted(Format::Json, &whole, |it| it.augmentation = true);
        assert!(
            with_place.contains(r#""place":"session::chain""#),
            "{with_place}"
        );
    }

    #[test]
    fn line_breaks_are_removed() {
        let check = |text, expect: &str| {
            let out = written(&line(Level::Info, text), |_| {});
            assert_eq!(
                out.strip_prefix("2023-11-15 00:13:20   info   : ").unwrap(),
                expect
            );
        };
        check("one\ntwo", "one two\n");
        check("one\r\ntwo\rthree\n\n", "one two three\n");
        check(
            "tab\tstays, escape \u{1b}[31m does not",
            "tab\tstays, escape  [31m does not\n",
        );
        check("\u{85}next line", " next line\n");
    }

    #[test]
    fn banner_names_program_and_file() {
        let mut formatter = Formatter::new(TimeZone::UTC, Format::Text);
        let mut out = Vec::new();
        formatter.banner(
            "Tidegate 0.1.0",
            "/var/log/tidegate.log",
            WallTime(1_700_000_000_000_000),
            &mut out,
        );
        let text = String::from_utf8(out).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("Tidegate 0.1.0  /var/log/tidegate.log  2023-11-14 22:13:20")
        );
        assert!(lines.next().unwrap().bytes().all(|byte| byte == b'-'));
    }
}
