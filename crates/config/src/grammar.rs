//! The file format: text to sections and entries, each with its line.
//!
//! A dialect of INI. Nothing is interpreted here: keys and values are what was written, and
//! since any value may turn out to be a password, all are kept as [`Secret`].
//!
//! ```text
//! file         = { blank | comment | header | entry | continuation }
//! comment      = [ws] "#" anything
//! header       = "[" name "]" [ws]
//! entry        = key [ws] "=" [ws] value          ; key in column 1
//! continuation = ws value-part                    ; appended to the value above
//! ```

use std::borrow::Cow;
use std::sync::Arc;

use crate::problem::{Fault, Place};
use crate::quote;
use crate::report::{Report, Spot};
use crate::secret::Secret;

/// Longest line.
const LINE_LIMIT_BYTES: usize = 16 << 20;
/// Longest section name.
const NAME_LIMIT_BYTES: usize = 1023;

/// One section as written.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) entries: Vec<Entry>,
}

/// One parameter as written.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Secret,
    pub(crate) place: Place,
    /// How much of the value stands on its first line. A message quotes no more than that:
    /// what an indented line adds by accident may be a password.
    pub(crate) first_len: usize,
    /// Continuation lines that look like parameters of their own.
    pub(crate) indented: Vec<(String, Place)>,
    pub(crate) form: Form,
}

impl Entry {
    /// What a message may quote of the value: what was written on its first line.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        let written = self.value.written().unwrap_or(self.value.reveal());
        match written.get(..self.first_len) {
            Some(first) if first.len() < written.len() => format!("{first}...").into(),
            _ => written.into(),
        }
    }

    /// The value without quotes around it.
    pub(crate) fn word(&self) -> &str {
        quote::strip(self.value.reveal())
    }
}

/// How a value is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it was written: variables, escapes and quotes are still to be understood.
    Raw,
    /// Exactly as it is: it came from a variable, an escaped form or an option.
    Literal,
    /// Not at all: what is wrong with it has been reported.
    Failed,
}

/// Reads a file. Lines that make no sense are reported and skipped.
pub(crate) fn parse(file: &Arc<str>, bytes: &[u8], report: &mut Report) -> Vec<Section> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = Reader {
        sections: Vec::new(),
        open: None,
        report,
    };
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = Place {
            file: Arc::clone(file),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        reader.line(line.strip_suffix(b"\r").unwrap_or(line), place);
    }
    reader.close();
    reader.sections
}

/// An entry whose value may go on.
struct Open {
    key: String,
    value: String,
    place: Place,
    first_len: usize,
    indented: Vec<(String, Place)>,
    /// It stands in no section, or is a second of its name: read, but not kept.
    dropped: bool,
}

struct Reader<'a> {
    sections: Vec<Section>,
    open: Option<Open>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8], place: Place) {
        if line.len() > LINE_LIMIT_BYTES {
            self.close();
            return self.wrong(
                &place,
                Fault::LineTooLong {
                    len_bytes: line.len(),
                    limit_bytes: LINE_LIMIT_BYTES,
                },
            );
        }
        let Ok(line) = std::str::from_utf8(line) else {
            self.close();
            return self.wrong(&place, Fault::NotUtf8);
        };
        let text = line.trim_matches(BLANKS);
        match text.chars().next() {
            None => self.close(),
            Some('#') => {}
            Some(_) if line.starts_with(BLANKS) => self.continuation(text, place),
            Some(';') => self.alone(&place, Fault::Semicolon),
            Some('[') => self.header(text, place),
            Some(_) => self.entry(text, place),
        }
    }

    fn header(&mut self, text: &str, place: Place) {
        self.close();
        let Some((name, after)) = text.get(1..).and_then(|rest| rest.split_once(']')) else {
            return self.wrong(&place, Fault::HeaderNotClosed);
        };
        if !after.is_empty() {
            self.wrong(&place, Fault::AfterHeader);
        }
        if name.len() > NAME_LIMIT_BYTES {
            self.wrong(
                &place,
                Fault::NameTooLong {
                    len_bytes: name.len(),
                    limit_bytes: NAME_LIMIT_BYTES,
                },
            );
        }
        self.sections.push(Section {
            name: name.to_owned(),
            place,
            entries: Vec::new(),
        });
    }

    fn entry(&mut self, text: &str, place: Place) {
        self.close();
        let Some((key, value)) = text.split_once('=') else {
            return self.wrong(&place, Fault::NoEquals);
        };
        let key = key.trim_end_matches(BLANKS);
        if key.is_empty() {
            return self.wrong(&place, Fault::NoKey);
        }
        let value = value.trim_start_matches(BLANKS).to_owned();
        self.open = Some(Open {
            key: key.to_owned(),
            first_len: value.len(),
            value,
            dropped: self.is_misplaced(key, &place),
            place,
            indented: Vec::new(),
        });
    }

    /// Reports an entry outside any section, or one whose name is there already.
    fn is_misplaced(&mut self, key: &str, place: &Place) -> bool {
        let Some(section) = self.sections.last() else {
            self.report.error(&Spot::file(place), Fault::NoSection);
            return true;
        };
        let Some(first) = section.entries.iter().find(|entry| entry.key == key) else {
            return false;
        };
        let fault = Fault::DuplicateParameter {
            first: first.place.clone(),
        };
        self.report
            .error(&Spot::parameter(place, &section.name, key), fault);
        true
    }

    fn continuation(&mut self, text: &str, place: Place) {
        if text.starts_with('[') && text.ends_with(']') && self.open.is_some() {
            return self.wrong(&place, Fault::IndentedHeader);
        }
        let Some(open) = self.open.as_mut() else {
            return self.wrong(&place, Fault::NothingToContinue);
        };
        if let Some((key, _)) = text.split_once('=') {
            let key = key.trim_end_matches(BLANKS);
            open.indented.push((key.to_owned(), place));
        }
        open.value.push_str(text);
    }

    /// Files the open entry in its section.
    fn close(&mut self) {
        let Some(open) = self.open.take().filter(|open| !open.dropped) else {
            return;
        };
        if let Some(section) = self.sections.last_mut() {
            section.entries.push(Entry {
                key: open.key,
                value: Secret::new(open.value),
                place: open.place,
                first_len: open.first_len,
                indented: open.indented,
                form: Form::Raw,
            });
        }
    }

    fn alone(&mut self, place: &Place, fault: Fault) {
        self.close();
        self.wrong(place, fault);
    }

    fn wrong(&mut self, place: &Place, fault: Fault) {
        let section = self.sections.last().map(|section| section.name.as_str());
        let spot = Spot {
            place,
            section,
            parameter: None,
        };
        self.report.error(&spot, fault);
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Report, Section, parse};

    fn read(text: &[u8]) -> (Vec<Section>, Vec<String>) {
        let mut report = Report::default();
        let sections = parse(&Arc::from("x.cnf"), text, &mut report);
        let problems = match report.finish() {
            Ok(_) => Vec::new(),
            Err(errors) => errors.errors.iter().map(ToString::to_string).collect(),
        };
        (sections, problems)
    }

    /// Reads a file without errors and compares it with `[section] key=value ...`.
    fn check(text: &[u8], expected: &str) {
        let (sections, problems) = read(text);
        assert_eq!(problems, Vec::<String>::new());
        let shown: Vec<String> = sections
            .iter()
            .map(|section| {
                let entries = section.entries.iter();
                let entries = entries.map(|entry| {
                    format!(
                        " {}={}@{}",
                        entry.key,
                        entry.value.reveal(),
                        entry.place.line
                    )
                });
                format!("[{}]{}", section.name, entries.collect::<String>())
            })
            .collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn blanks_comments_and_line_ends() {
        check(
            b"\xEF\xBB\xBF# c\r\n[a] \r\nk = v w  \r\n\r\n  # c\n[b]\nx=1",
            "[a] k=v w@3 [b] x=1@7",
        );
    }

    #[test]
    fn continuation_lines() {
        check(
            b"[a]\nservers=x,\n  y,\n# between\n\t# too\n   z\nport=1\n",
            "[a] servers=x,y,z@2 port=1@7",
        );
    }

    #[test]
    fn values_are_literal() {
        check(
            b"[a]\np=3306 # main\nq='a\" = ;b\nr=\n",
            "[a] p=3306 # main@2 q='a\" = ;b@3 r=@4",
        );
    }

    #[test]
    fn long_names_and_values() {
        let name = "n".repeat(1023);
        let value = "v".repeat(1 << 20);
        let (sections, problems) = read(format!("[{name}]\nk={value}\n").as_bytes());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(sections[0].name, name);
        assert_eq!(sections[0].entries[0].value.reveal(), value);
        let (_, problems) = read(format!("[{name}n]\n").as_bytes());
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn every_bad_line_is_reported() {
        let (_, problems) = read(
            b"early=1\n  lost\n[a\n[b] x\n; old\npassword hunter2\n=5\nk=1\nk=2\nl=1\n  [c]\nm=\xFF\n",
        );
        let expected = [
            "x.cnf:1: the parameter stands before the first [section]",
            "x.cnf:3: the section header has no closing ']'",
            "x.cnf:4: there is text after the section header; put it on a line of its own",
            "x.cnf:5: section 'b': ';' does not begin a comment; use '#'",
            "x.cnf:6: section 'b': the line has no '='; write parameter=value",
            "x.cnf:7: section 'b': there is no parameter name before '='",
            "x.cnf:9: section 'b', parameter 'k': the parameter is there already, at x.cnf:8; remove one of them",
            "x.cnf:11: section 'b': an indented section header continues the parameter above it; remove the blanks",
            "x.cnf:12: section 'b': the line is not valid UTF-8",
        ];
        assert_eq!(problems, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in "[\\[\\]=# \t\n\r\"$;abé@]{0,60}") {
            let mut bytes = bytes.into_bytes();
            read(&bytes);
            // Cut anywhere, what is left may end amid a character.
            while bytes.pop().is_some() {
                read(&bytes);
            }
        }
    }
}
