//! Frames and the few packets that peers write, with code of their own.

/// Several statements in one text.
pub(crate) const SEVERAL: u64 = 1 << 16;

/// Capabilities that both peers have: protocol 4.1, files, transactions, several statements.
pub(crate) const CAPS: u64 = 1 << 3 // a database at the login
    | 1 << 7 // LOAD DATA LOCAL
    | 1 << 9 // protocol 4.1
    | 1 << 13 // status flags
    | 1 << 15 // long passwords
    | SEVERAL
    | 1 << 17 // several results
    | 1 << 18 // of prepared statements too
    | 1 << 19; // plugins

/// What servers have beyond that: they report what changes in a session.
pub(crate) const TRACKING: u64 = 1 << 23;

/// The status flags that matter here.
pub(crate) const IN_TRANSACTION: u16 = 1;
pub(crate) const AUTOCOMMIT: u16 = 2;
pub(crate) const MORE_RESULTS: u16 = 8;
pub(crate) const NO_BACKSLASHES: u16 = 1 << 9;
pub(crate) const READ_ONLY: u16 = 1 << 13;
pub(crate) const STATE_CHANGED: u16 = 1 << 14;

/// One packet as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) seq: u8,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// Its first byte.
    pub(crate) fn first(&self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// What stands behind the first byte, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.payload.get(1..).unwrap_or_default()).into_owned()
    }
}

/// Bytes that came and are not read yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Vec<u8>);

impl Inbox {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next packet that is whole.
    pub(crate) fn pull(&mut self) -> Option<Packet> {
        let &[a, b, c, seq] = self.0.first_chunk::<4>()?;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        let payload = self.0.get(4..4 + len)?.to_vec();
        self.0.drain(..4 + len);
        Some(Packet { seq, payload })
    }
}

/// Packets in the making.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) bytes: Vec<u8>,
    seq: u8,
}

impl Frames {
    /// Numbered from `seq`.
    pub(crate) fn from(seq: u8) -> Frames {
        Frames {
            bytes: Vec::new(),
            seq,
        }
    }

    pub(crate) fn put(&mut self, payload: &[u8]) {
        let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
        self.bytes.extend_from_slice(&[a, b, c, self.seq]);
        self.bytes.extend_from_slice(payload);
        self.seq = self.seq.wrapping_add(1);
    }
}

/// A text with its length in front; texts are short here.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    let len = u8::try_from(text.len()).ok().filter(|len| *len < 251);
    out.push(len.expect("a short text"));
    out.extend_from_slice(text);
}

/// The definition of a column of text.
pub(crate) fn definition() -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, b"def");
    for name in ["", "", "", "v", ""] {
        put_text(&mut out, name.as_bytes());
    }
    // Character set, length, type VAR_STRING, flags, decimals, filler.
    out.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0]);
    out
}

/// The end of definitions or rows.
pub(crate) fn eof(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![0xFE, 0, 0, low, high]
}
