//! The system journal, in its native protocol: a datagram a line, with fields.
//!
//! | field | holds |
//! |---|---|
//! | `MESSAGE` | the line as the file has it, without time and level |
//! | `PRIORITY`, `SYSLOG_FACILITY` | numbers of syslog(3) |
//! | `SYSLOG_IDENTIFIER` | `tidegate` |
//! | `SESSION`, `SERVICE`, `MODULE`, `OBJECT` | whom the line is about, where known |
//! | `EVENT` | the event it tells of |
//! | others | the line's own fields, in upper case |
//!
//! What it leaves out: passing long messages by descriptor. A line that is too long for a datagram
//! is cut.
//!
//! Source: systemd, "Native Journal Protocol" (`docs/JOURNAL_NATIVE_PROTOCOL.md`).

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::files::Trouble;
use super::line::push_on_one_line;
use super::outage::Outage;
use super::severity::Label;
use super::{Line, event_word};

/// A journal that takes longer than this for a line loses it.
const PATIENCE: Duration = Duration::from_millis(200);

/// Bytes of one field that are sent; well below the smallest buffer of a socket.
const MAX_FIELD_BYTES: usize = 32 * 1024;

/// The way to the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: Arc<Path>,
    socket: Option<UnixDatagram>,
    outage: Outage,
}

impl Journal {
    pub(crate) fn new(path: Arc<Path>) -> Journal {
        Journal {
            path,
            socket: None,
            outage: Outage::default(),
        }
    }

    /// Sends a line, or loses it.
    pub(crate) fn send(&mut self, line: &Line, label: Label, now: Duration) -> Option<Trouble> {
        if self.outage.rests(now) {
            self.outage.lose(1);
            return None;
        }
        match self.deliver(datagram(line, label).as_bytes()) {
            Ok(()) => self.outage.over(&self.path),
            Err(error) => {
                // A journal that was started anew has another socket under the same name.
                self.socket = None;
                self.outage.failed(1, now, &self.path, &error)
            }
        }
    }

    fn deliver(&mut self, datagram: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.connect(&self.path)?;
                none.insert(socket)
            }
        };
        socket.send(datagram).map(drop)
    }
}

fn datagram(line: &Line, label: Label) -> String {
    let mut text = String::with_capacity(line.text.len() + 256);
    let mut message = String::new();
    line.prefixes(&mut message);
    push_on_one_line(&line.text, &mut message);
    line.write_fields(&mut message);
    field(&mut text, "MESSAGE", &message);
    field(&mut text, "PRIORITY", &label.severity.number().to_string());
    field(&mut text, "SYSLOG_FACILITY", &label.facility.to_string());
    field(&mut text, "SYSLOG_IDENTIFIER", "tidegate");
    if let Some(session) = line.session {
        field(&mut text, "SESSION", &session.to_string());
    }
    for (name, value) in [
        ("SERVICE", line.service.as_deref()),
        ("MODULE", line.module.as_deref()),
        ("OBJECT", line.object.as_deref()),
        ("EVENT", line.event.map(event_word)),
        ("CODE_FUNC", line.place),
    ] {
        if let Some(value) = value {
            field(&mut text, name, value);
        }
    }
    for (name, value) in &line.fields {
        field(&mut text, &name.to_ascii_uppercase(), &value.to_string());
    }
    text
}

/// `NAME=value`; a field that is written so ends at the end of the line.
fn field(text: &mut String, name: &str, value: &str) {
    let end = value.floor_char_boundary(MAX_FIELD_BYTES);
    let mut short = String::new();
    push_on_one_line(&value[..end], &mut short);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name}={short}");
}

#[cfg(test)]
mod tests {
    use tidegate_session::{Event, Level, SessionId};

    use super::*;
    use crate::log::outage::RETRY;
    use crate::log::{Severity, Value};

    const NOW: Duration = Duration::from_secs(100);

    fn line() -> Line {
        Line {
            session: Some(SessionId(7)),
            service: Some(Arc::from("RW")),
            event: Some(Event::AuthenticationFailure),
            fields: vec![("attempts", Value::Unsigned(3))],
            ..Line::new(Level::Warning, "refused\nPRIORITY=0".into())
        }
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = vec![0; 256 * 1024];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_line_travels_with_its_fields_and_cannot_forge_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let label = Label {
            facility: 10,
            severity: Severity::Notice,
        };
        let mut journal = Journal::new(Arc::from(path));
        assert_eq!(journal.send(&line(), label, NOW), None);
        assert_eq!(
            received(&socket),
            "MESSAGE=(7) refused PRIORITY=0 attempts=3\nPRIORITY=5\nSYSLOG_FACILITY=10\n\
             SYSLOG_IDENTIFIER=tidegate\nSESSION=7\nSERVICE=RW\nEVENT=authentication_failure\n\
             ATTEMPTS=3\n"
        );
        let long = Line::new(Level::Notice, "ä".repeat(200_000));
        assert_eq!(journal.send(&long, label, NOW), None);
        assert!(received(&socket).contains("ä\nPRIORITY=5\n"));
    }

    #[test]
    fn a_journal_that_is_not_there_is_told_of_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = Arc::from(folder.path().join("socket"));
        let mut journal = Journal::new(Arc::clone(&path));
        let label = Label::ordinary(Level::Notice);
        let mut send = |now| journal.send(&line(), label, now);
        assert!(matches!(send(NOW), Some(Trouble::Failing { .. })));
        assert_eq!(send(NOW), None);
        let socket = UnixDatagram::bind(&path).unwrap();
        assert_eq!(send(NOW), None, "not tried again so soon");
        let recovered = Trouble::Recovered {
            path: Arc::clone(&path),
            lost: 3,
        };
        assert_eq!(send(NOW + RETRY), Some(recovered));
        assert!(received(&socket).starts_with("MESSAGE="));
    }
}
