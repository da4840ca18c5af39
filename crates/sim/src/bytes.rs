//! The protocol's bytes as the scripted peers write and read them: their own code, so that a mistake
//! in `wire` cannot hide itself.

/// The longest payload of one frame.
pub(crate) const MAX_FRAME: usize = 0xFF_FFFF;

pub(crate) fn put_int(out: &mut Vec<u8>, value: u64, len: usize) {
    out.extend_from_slice(&value.to_le_bytes()[..len]);
}

pub(crate) fn put_lenenc(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xFFFF => {
            out.push(0xFC);
            put_int(out, value, 2);
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            put_int(out, value, 3);
        }
        _ => {
            out.push(0xFE);
            put_int(out, value, 8);
        }
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_lenenc(out, text.len() as u64);
    out.extend_from_slice(text);
}

pub(crate) fn put_nul(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// Appends `payload` as one packet and counts its frames in `seq`.
pub(crate) fn put_packet(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    let mut rest = payload;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(MAX_FRAME));
        put_int(out, piece.len() as u64, 3);
        out.push(*seq);
        out.extend_from_slice(piece);
        *seq = seq.wrapping_add(1);
        rest = after;
        if piece.len() < MAX_FRAME {
            return;
        }
    }
}

/// How many frames a payload of that length has.
pub(crate) fn frames_of(len: usize) -> u8 {
    (len / MAX_FRAME + 1) as u8
}

/// Reads a payload from its start; `None`: it ends too early.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn int(&mut self, len: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.take(len)?);
        Some(u64::from_le_bytes(bytes))
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    pub(crate) fn lenenc(&mut self) -> Option<u64> {
        match self.byte()? {
            0xFC => self.int(2),
            0xFD => self.int(3),
            0xFE => self.int(8),
            0xFB | 0xFF => None,
            small => Some(u64::from(small)),
        }
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.lenenc()?).ok()?;
        self.take(len)
    }

    pub(crate) fn nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) payload: Vec<u8>,
    /// The number of its first frame.
    pub(crate) first_seq: u8,
    /// The number of its last frame.
    pub(crate) last_seq: u8,
}

/// Bytes of a stream on their way to being packets.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    bytes: Vec<u8>,
    at: usize,
}

impl Packets {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 && self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing of a packet is there?
    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next whole packet. `Err`: its frames are not numbered in a row.
    pub(crate) fn pull(&mut self) -> Result<Option<Packet>, String> {
        let mut end = self.at;
        let mut seqs: Option<(u8, u8)> = None;
        let mut total = 0;
        loop {
            let Some(header) = self.bytes.get(end..end + 4) else {
                return Ok(None);
            };
            let len =
                usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            let seq = header[3];
            seqs = match seqs {
                None => Some((seq, seq)),
                Some((first, last)) if seq == last.wrapping_add(1) => Some((first, seq)),
                Some((_, last)) => {
                    return Err(format!("frame {seq} follows frame {last} in one packet"));
                }
            };
            end += 4 + len;
            total += len;
            if end > self.bytes.len() {
                return Ok(None);
            }
            if len < MAX_FRAME {
                break;
            }
        }
        let (first_seq, last_seq) = seqs.unwrap_or_default();
        let mut payload = Vec::with_capacity(total);
        let mut at = self.at;
        while at < end {
            let header = &self.bytes[at..at + 4];
            let len =
                usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            payload.extend_from_slice(&self.bytes[at + 4..at + 4 + len]);
            at += 4 + len;
        }
        self.at = end;
        Ok(Some(Packet {
            payload,
            first_seq,
            last_seq,
        }))
    }
}

/// One direction of a connection: bytes written and not yet read.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    bytes: Vec<u8>,
    at: usize,
}

impl Pipe {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves `count` bytes to the end of `to`.
    pub(crate) fn read(&mut self, count: usize, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        } else if self.at > 64 * 1024 && self.at > self.bytes.len() / 2 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
    }

    /// Loses what was written last, so that `keep` unread bytes are left.
    pub(crate) fn truncate(&mut self, keep: usize) {
        self.bytes.truncate(self.at + keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back_however_they_are_cut() {
        let payloads = [
            vec![],
            vec![1; 300],
            vec![7; MAX_FRAME],
            vec![8; MAX_FRAME + 5],
        ];
        let mut stream = Vec::new();
        let mut seq = 253;
        for payload in &payloads {
            put_packet(&mut stream, &mut seq, payload);
        }
        for step in [1_000_003, stream.len()] {
            let mut packets = Packets::default();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                packets.push(piece);
                while let Some(packet) = packets.pull().unwrap() {
                    found.push(packet.payload);
                }
            }
            assert!(found == payloads && packets.is_empty());
        }
    }

    #[test]
    fn a_pipe_keeps_the_order() {
        let mut pipe = Pipe::default();
        pipe.push(b"abc");
        pipe.push(b"defg");
        let mut got = Vec::new();
        pipe.read(4, &mut got);
        pipe.truncate(1);
        pipe.read(1, &mut got);
        assert_eq!(
            (got.as_slice(), pipe.is_empty()),
            (b"abcde".as_slice(), true)
        );
    }
}
