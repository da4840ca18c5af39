//! Documents as text: indented by four spaces or compact, whole or row by row.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::PrettyFormatter;
use sha1::{Digest, Sha1};

const INDENT: &str = "    ";

/// The text of a document.
pub fn to_text(value: &Value, pretty: bool) -> String {
    if !pretty {
        return value.to_string();
    }
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(INDENT.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => value.to_string(),
    }
}

/// The entity tag of a document, quotes included: SHA-1 of its compact text.
pub fn etag(document: &Value) -> String {
    struct Hashing(Sha1);
    impl io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha1::new());
    if serde_json::to_writer(&mut hashing, document).is_err() {
        hashing.0.update(document.to_string());
    }
    let mut tag = String::from("\"");
    for byte in hashing.0.finalize() {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Writes a collection piece by piece, so that a long one is never in memory as a whole. The
/// pieces put together are the same bytes as [`to_text`] of [`crate::collection`].
#[derive(Debug)]
pub struct CollectionRenderer {
    pretty: bool,
    rows: usize,
}

impl CollectionRenderer {
    /// Starts a collection; what it returns comes first.
    pub fn start(links: &Value, pretty: bool) -> (Self, String) {
        let links = indented(links, pretty, 1);
        let head = if pretty {
            format!("{{\n{INDENT}\"links\": {links},\n{INDENT}\"data\": [")
        } else {
            format!("{{\"links\":{links},\"data\":[")
        };
        (Self { pretty, rows: 0 }, head)
    }

    /// Appends the next row.
    pub fn row(&mut self, value: &Value, out: &mut String) {
        if self.rows > 0 {
            out.push(',');
        }
        if self.pretty {
            out.push('\n');
            out.push_str(INDENT);
            out.push_str(INDENT);
        }
        out.push_str(&indented(value, self.pretty, 2));
        self.rows += 1;
    }

    /// Appends what comes last.
    pub fn finish(self, meta: Option<&Value>, out: &mut String) {
        if self.pretty && self.rows > 0 {
            out.push('\n');
            out.push_str(INDENT);
        }
        out.push(']');
        if let Some(meta) = meta {
            let text = indented(meta, self.pretty, 1);
            if self.pretty {
                let _ = write!(out, ",\n{INDENT}\"meta\": {text}");
            } else {
                let _ = write!(out, ",\"meta\":{text}");
            }
        }
        out.push_str(if self.pretty { "\n}" } else { "}" });
    }
}

/// The text of a value that stands `depth` levels deep. JSON strings hold no raw line ends, so
/// every one of them is indentation.
fn indented(value: &Value, pretty: bool, depth: usize) -> String {
    let text = to_text(value, pretty);
    if pretty {
        text.replace('\n', &format!("\n{}", INDENT.repeat(depth)))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn four_spaces_or_none() {
        let value = json!({ "a": [ 1, { "b": [] } ] });
        assert_eq!(
            to_text(&value, true),
            "{\n    \"a\": [\n        1,\n        {\n            \"b\": []\n        }\n    ]\n}"
        );
        assert_eq!(to_text(&value, false), "{\"a\":[1,{\"b\":[]}]}");
    }

    #[test]
    fn row_by_row_is_the_same_text() {
        let links = json!({ "self": "u" });
        let rows = [
            json!({ "id": "1", "a": "x\ny" }),
            json!({}),
            json!({ "b": { "c": [ 1 ] } }),
        ];
        for pretty in [true, false] {
            for meta in [None, Some(json!({ "total": 3 }))] {
                for count in 0..=rows.len() {
                    let whole =
                        crate::collection(links.clone(), rows[..count].to_vec(), meta.clone());
                    let (mut renderer, mut text) = CollectionRenderer::start(&links, pretty);
                    for row in &rows[..count] {
                        renderer.row(row, &mut text);
                    }
                    renderer.finish(meta.as_ref(), &mut text);
                    assert_eq!(text, to_text(&whole, pretty));
                }
            }
        }
    }

    #[test]
    fn an_etag_is_the_quoted_hash_of_the_text() {
        // printf '{}' | sha1sum
        assert_eq!(
            etag(&json!({})),
            "\"bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f\""
        );
        assert_ne!(etag(&json!({ "a": 1 })), etag(&json!({ "a": 2 })));
    }
}
