//! Percent-encodes in request lines what HTTP forbids there and clients send all the same.
//!
//! The manuals of this API show `filter=/relationships/services/data/0/id="RW"` unencoded, and
//! tools send it so. The HTTP library refuses such a request line, so the bytes go through here
//! first. To know where request lines begin, this follows the framing of the messages (heads,
//! lengths, chunks) but judges nothing: everything except the target of a request line passes
//! unchanged, and what is malformed is left for the library to refuse.

/// Header lines are looked at up to this length: enough for the two that frame a body.
const HEADER_LOOK: usize = 128;

/// Where in the stream the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Before the first blank of a request line, or in blank lines before it.
    Method,
    /// In the target.
    Target,
    /// Behind the target, up to the line's end.
    Version,
    /// In a header line.
    Header,
    /// In a body with this many bytes left.
    Body(u64),
    /// In the line that says how long the next chunk is.
    ChunkSize { size: u64, digits: bool },
    /// In a chunk with this many bytes left.
    Chunk(u64),
    /// In the line end behind a chunk.
    ChunkEnd,
    /// In a line behind the last chunk, `true` if it has a byte.
    Trailer(bool),
    /// Framing was lost: everything passes.
    Lost,
}

/// How the body of the request being read is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// The encoder of one connection.
#[derive(Debug)]
pub(super) struct Sanitiser {
    place: Place,
    framing: Framing,
    line: Vec<u8>,
}

impl Sanitiser {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Method,
            framing: Framing::Length(0),
            line: Vec::new(),
        }
    }

    /// Takes the next bytes and appends what the library shall see.
    pub(super) fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = input.split_first() {
            let body_len = match self.place {
                Place::Body(left) | Place::Chunk(left) => left,
                Place::Lost => u64::MAX,
                _ => 0,
            };
            if body_len > 0 {
                let len = usize::try_from(body_len)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                let (body, after) = input.split_at(len);
                out.extend_from_slice(body);
                self.passed(len);
                input = after;
            } else {
                if self.place == Place::Target && is_forbidden(byte) {
                    push_encoded(byte, out);
                } else {
                    out.push(byte);
                }
                self.step(byte);
                input = rest;
            }
        }
    }

    /// Counts bytes of a body.
    fn passed(&mut self, len: usize) {
        let len = len as u64;
        match &mut self.place {
            Place::Body(left) => {
                *left = left.saturating_sub(len);
                if *left == 0 {
                    self.place = Place::Method;
                }
            }
            Place::Chunk(left) => {
                *left = left.saturating_sub(len);
                if *left == 0 {
                    self.place = Place::ChunkEnd;
                }
            }
            _ => {}
        }
    }

    /// Moves on behind a byte that is not of a body.
    fn step(&mut self, byte: u8) {
        match (&mut self.place, byte) {
            (Place::Method, b' ') => self.place = Place::Target,
            (Place::Target, b' ') => self.place = Place::Version,
            (Place::Target | Place::Version, b'\n') => self.place = Place::Header,
            (Place::Header, b'\n') => self.header_ended(),
            (Place::Header, b'\r') => {}
            (Place::Header, _) if self.line.len() < HEADER_LOOK => {
                self.line.push(byte.to_ascii_lowercase());
            }
            (Place::ChunkSize { size, digits }, _) => match (hex(byte), byte) {
                (Some(digit), _) if *digits => match size.checked_mul(16) {
                    Some(shifted) => *size = shifted | digit,
                    None => self.place = Place::Lost,
                },
                (_, b'\n') if *size > 0 => self.place = Place::Chunk(*size),
                (_, b'\n') => self.place = Place::Trailer(false),
                _ => *digits = false,
            },
            (Place::ChunkEnd, b'\n') => self.place = chunk_size(),
            (Place::Trailer(false), b'\n') => self.place = Place::Method,
            (Place::Trailer(true), b'\n') => self.place = Place::Trailer(false),
            (Place::Trailer(_), b'\r') => {}
            (Place::Trailer(filled), _) => *filled = true,
            _ => {}
        }
    }

    fn header_ended(&mut self) {
        if self.line.is_empty() {
            self.place = match self.framing {
                Framing::Chunked => chunk_size(),
                Framing::Length(0) => Place::Method,
                Framing::Length(length) => Place::Body(length),
            };
            self.framing = Framing::Length(0);
        } else {
            if let Some(framing) = framing_of(&self.line)
                && self.framing != Framing::Chunked
            {
                self.framing = framing;
            }
            self.line.clear();
        }
    }
}

fn chunk_size() -> Place {
    Place::ChunkSize {
        size: 0,
        digits: true,
    }
}

/// What a header line, in lower case, says of the body.
fn framing_of(line: &[u8]) -> Option<Framing> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    match name {
        "content-length" => value.trim().parse().ok().map(Framing::Length),
        "transfer-encoding" if value.trim().ends_with("chunked") => Some(Framing::Chunked),
        _ => None,
    }
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// What must not stand in a request target. Brackets may, for the library lets them pass.
fn is_forbidden(byte: u8) -> bool {
    matches!(
        byte,
        b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'\t' | 0x7f..
    )
}

fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[
        b'%',
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sanitised(pieces: &[&[u8]]) -> Vec<u8> {
        let mut sanitiser = Sanitiser::new();
        let mut out = Vec::new();
        for piece in pieces {
            sanitiser.feed(piece, &mut out);
        }
        out
    }

    fn check(input: &str, expect: &str) {
        let out = sanitised(&[input.as_bytes()]);
        assert_eq!(String::from_utf8_lossy(&out), expect, "{input:?}");
    }

    #[test]
    fn only_targets_change() {
        check(
            "GET /s?filter=a=\"b|c\"&page[size]=1 HTTP/1.1\r\nX: \"y\"\r\n\r\n",
            "GET /s?filter=a=%22b%7Cc%22&page[size]=1 HTTP/1.1\r\nX: \"y\"\r\n\r\n",
        );
        check(
            "\r\n\r\nGET /é HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET /%C3%A9 HTTP/1.1\r\n\r\n",
        );
    }

    #[test]
    fn bodies_pass_and_the_next_request_is_found() {
        check(
            "PATCH /\" HTTP/1.1\r\ncontent-LENGTH:  9\r\n\r\n{\"a\":\"b\"}GET /\" HTTP/1.1\r\n\r\n",
            "PATCH /%22 HTTP/1.1\r\ncontent-LENGTH:  9\r\n\r\n{\"a\":\"b\"}GET /%22 HTTP/1.1\r\n\r\n",
        );
        check(
            "GET /\" HTTP/1.1\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
            "GET /%22 HTTP/1.1\r\n\r\nGET /%22 HTTP/1.1\r\n\r\n",
        );
    }

    #[test]
    fn chunks_pass_and_the_next_request_is_found() {
        let chunked = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
                       6;x=\"f\"\r\na \" \n\n\r\n0a\r\n\" \" \" \" \" \r\n0\r\nT: \"\r\n\r\n";
        check(
            &format!("{chunked}GET /\" HTTP/1.1\r\n\r\n"),
            &format!("{chunked}GET /%22 HTTP/1.1\r\n\r\n"),
        );
    }

    #[test]
    fn a_chunk_size_beyond_counting_lets_everything_pass() {
        let lost = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n";
        check(&format!("{lost}GET /\" x"), &format!("{lost}GET /\" x"));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            bytes in r#"(GET /"\| HTTP/1.1\r\n|Content-Length: 3\r\n|Transfer-Encoding: chunked\r\n|\r\n|3\r\n|0\r\n|"| |abc){0,20}"#,
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = bytes.as_bytes();
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            let whole = sanitised(&[bytes]);
            prop_assert_eq!(&whole, &sanitised(&[head, tail]));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&whole, &sanitised(&single));
        }

        #[test]
        fn what_has_nothing_forbidden_passes_unchanged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let allowed: Vec<u8> = bytes.into_iter().filter(|byte| !is_forbidden(*byte)).collect();
            prop_assert_eq!(sanitised(&[&allowed]), allowed);
        }
    }
}
