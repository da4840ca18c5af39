//! Documents as text: indented by four spaces or compact, whole or row by row.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use sha1::{Digest, Sha1};

const INDENT: &[u8] = b"    ";

/// The text of a document.
pub fn to_text(value: &impl Serialize, pretty: bool) -> String {
    let mut text = Vec::new();
    write_value(value, pretty, 0, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the text of a value that stands `depth` levels deep.
fn write_value(value: &impl Serialize, pretty: bool, depth: usize, out: &mut Vec<u8>) {
    // Only a map whose keys are no strings could fail here, and there is none.
    let _ = if pretty {
        let mut formatter = PrettyFormatter::with_indent(INDENT);
        for _ in 0..depth {
            // Makes the formatter count a level; what it writes for that is not wanted.
            let _ = formatter.begin_object(&mut io::sink());
        }
        value.serialize(&mut Serializer::with_formatter(out, formatter))
    } else {
        value.serialize(&mut Serializer::new(out))
    };
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
    /// Starts a collection: appends what comes before its rows.
    pub fn start(links: &Value, pretty: bool, out: &mut Vec<u8>) -> Self {
        let renderer = Self { pretty, rows: 0 };
        out.push(b'{');
        renderer.member("links", links, out);
        out.push(b',');
        renderer.name("data", out);
        out.push(b'[');
        renderer
    }

    /// Appends the next row.
    pub fn row(&mut self, value: &impl Serialize, out: &mut Vec<u8>) {
        if self.rows > 0 {
            out.push(b',');
        }
        self.new_line(2, out);
        write_value(value, self.pretty, 2, out);
        self.rows += 1;
    }

    /// Appends what comes last.
    pub fn finish(self, meta: Option<&Value>, out: &mut Vec<u8>) {
        if self.rows > 0 {
            self.new_line(1, out);
        }
        out.push(b']');
        if let Some(meta) = meta {
            out.push(b',');
            self.member("meta", meta, out);
        }
        self.new_line(0, out);
        out.push(b'}');
    }

    fn member(&self, name: &str, value: &Value, out: &mut Vec<u8>) {
        self.name(name, out);
        write_value(value, self.pretty, 1, out);
    }

    fn name(&self, name: &str, out: &mut Vec<u8>) {
        self.new_line(1, out);
        write_value(&name, self.pretty, 1, out);
        out.extend_from_slice(if self.pretty { b": " } else { b":" });
    }

    fn new_line(&self, depth: usize, out: &mut Vec<u8>) {
        if self.pretty {
            out.push(b'\n');
            for _ in 0..depth {
                out.extend_from_slice(INDENT);
            }
        }
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
                    let mut text = Vec::new();
                    let mut renderer = CollectionRenderer::start(&links, pretty, &mut text);
                    for row in &rows[..count] {
                        renderer.row(row, &mut text);
                    }
                    renderer.finish(meta.as_ref(), &mut text);
                    assert_eq!(String::from_utf8(text), Ok(to_text(&whole, pretty)));
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
