//! How a line looks: `YYYY-MM-DD hh:mm:ss   level  : message`, in local time.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_session::{Level, WallTime};

use super::Line;

/// Formats lines; remembers the second it formatted last, because lines come in bursts.
#[derive(Debug)]
pub(crate) struct Formatter {
    zone: TimeZone,
    pub(crate) milliseconds: bool,
    pub(crate) augmentation: bool,
    second: i64,
    stamp: String,
}

impl Formatter {
    pub(crate) fn new(zone: TimeZone) -> Formatter {
        Formatter {
            zone,
            milliseconds: false,
            augmentation: false,
            second: i64::MIN,
            stamp: String::new(),
        }
    }

    /// Appends one line, its end included.
    pub(crate) fn write(&mut self, line: &Line, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(line.text.len() + 64);
        self.stamp(line.wall, &mut text);
        // Writing to a String cannot fail.
        let _ = write!(text, "   {:<7}: ", level_word(line.level));
        if let Some(session) = line.session {
            let _ = write!(text, "({session}) ");
        }
        if let Some(module) = &line.module {
            let _ = write!(text, "[{module}] ");
        }
        if let Some(object) = &line.object {
            let _ = write!(text, "({object}) ");
        }
        if let (true, Some(place)) = (self.augmentation, line.place) {
            let _ = write!(text, "({place}) ");
        }
        push_on_one_line(&line.text, &mut text);
        text.push('\n');
        out.extend_from_slice(text.as_bytes());
    }

    /// What a file begins with, and what follows a rotation.
    pub(crate) fn banner(&mut self, program: &str, path: &str, wall: WallTime, out: &mut Vec<u8>) {
        let mut text = String::new();
        let _ = write!(text, "{program}  {path}  ");
        self.stamp(wall, &mut text);
        let rule = "-".repeat(text.chars().count());
        let _ = writeln!(text, "\n{rule}");
        out.extend_from_slice(text.as_bytes());
    }

    fn stamp(&mut self, wall: WallTime, out: &mut String) {
        let second = wall.0.div_euclid(1_000_000);
        if second != self.second {
            self.second = second;
            self.stamp = match Timestamp::from_second(second) {
                Ok(time) => time
                    .to_zoned_datetime(self.zone.clone())
                    .strftime("%Y-%m-%d %H:%M:%S")
                    .to_string(),
                Err(_) => "0000-00-00 00:00:00".into(),
            };
        }
        out.push_str(&self.stamp);
        if self.milliseconds {
            let _ = write!(out, ".{:03}", wall.0.rem_euclid(1_000_000) / 1000);
        }
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// One line of the log is one line of the file, whatever a client put into its statement.
fn push_on_one_line(text: &str, out: &mut String) {
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
    use std::sync::Arc;

    use tidegate_session::SessionId;

    use super::*;

    fn written(line: &Line, change: impl FnOnce(&mut Formatter)) -> String {
        let mut formatter = Formatter::new(TimeZone::fixed(jiff::tz::offset(2)));
        change(&mut formatter);
        let mut out = Vec::new();
        formatter.write(line, &mut out);
        String::from_utf8(out).unwrap()
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
        let mut formatter = Formatter::new(TimeZone::UTC);
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
