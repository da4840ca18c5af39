//! Frames: the pieces in which a packet travels.
//!
//! | offset | bytes | field    | note                                                        |
//! |-------:|------:|----------|-------------------------------------------------------------|
//! |      0 |     3 | length   | of what follows the header; 0xFFFFFF: another frame follows |
//! |      3 |     1 | sequence | starts at 0 with each command, wraps after 255              |
//! |      4 |       | payload  | a piece of the packet                                       |
//!
//! A packet whose length is a multiple of 0xFFFFFF ends with an empty frame.
//!
//! Left out: compressed frames, which are [`crate::compress`]'s. Invariant: what [`frame_into`] writes, [`split_packet`] gives back.
//!
//! Source: MariaDB manual, "0 - Packet".

use crate::WireError;
use std::borrow::Cow;

/// The longest piece of a packet that one frame can hold.
pub const MAX_FRAME: usize = 0xFF_FFFF;

/// The header of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload in this frame, at most [`MAX_FRAME`].
    pub len: u32,
    /// The frame's number in the dialogue.
    pub seq: u8,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 4;

    /// Reads a header from the start of `run`; `None` if it is cut.
    #[inline]
    pub fn parse(run: &[u8]) -> Option<Self> {
        let &[a, b, c, seq] = run.first_chunk::<4>()?;
        Some(Self {
            len: u32::from_le_bytes([a, b, c, 0]),
            seq,
        })
    }

    /// The header's bytes. A length above [`MAX_FRAME`] is a caller's bug and is cut to its low bits.
    #[inline]
    pub fn encode(self) -> [u8; 4] {
        debug_assert!(self.len as usize <= MAX_FRAME);
        let [a, b, c, _] = self.len.to_le_bytes();
        [a, b, c, self.seq]
    }

    /// Bytes of header and payload together.
    #[inline]
    pub fn total(self) -> usize {
        Self::LEN + self.len as usize
    }

    /// Whether the packet goes on in the next frame.
    #[inline]
    pub fn continues(self) -> bool {
        self.len as usize == MAX_FRAME
    }
}

/// Appends `payload` as one packet, in as many frames as it takes. `seq` is the first frame's number
/// and becomes the number after the last one's.
pub fn frame_into(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    out.reserve(payload.len() + Header::LEN * (1 + payload.len() / MAX_FRAME));
    let mut rest = payload;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(MAX_FRAME));
        let header = Header {
            len: piece.len() as u32,
            seq: *seq,
        };
        out.extend_from_slice(&header.encode());
        out.extend_from_slice(piece);
        *seq = seq.wrapping_add(1);
        rest = after;
        if piece.len() < MAX_FRAME {
            return;
        }
    }
}

/// Appends what `payload` appends as one packet, without a second buffer as long as it fits one frame.
pub fn frame_with(out: &mut Vec<u8>, seq: &mut u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; Header::LEN]);
    payload(out);
    let len = out.len() - start - Header::LEN;
    if len >= MAX_FRAME {
        let long = out.split_off(start + Header::LEN);
        out.truncate(start);
        return frame_into(out, seq, &long);
    }
    let header = Header {
        len: len as u32,
        seq: *seq,
    };
    if let Some(place) = out.get_mut(start..start + Header::LEN) {
        place.copy_from_slice(&header.encode());
    }
    *seq = seq.wrapping_add(1);
}

/// A whole packet found at the start of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<'a> {
    /// The packet's bytes; copied only if it came in several frames.
    pub payload: Cow<'a, [u8]>,
    /// The number of its first frame.
    pub first_seq: u8,
    /// The number of its last frame: an answer starts with the next one.
    pub last_seq: u8,
    /// Bytes of the run it took, headers included.
    pub consumed: usize,
}

/// Takes the packet at the start of `run`; `None` if more bytes are needed.
///
/// For logins and for clients that read whole packets; traffic is followed by the reply tracker.
///
/// # Errors
/// [`WireError::OverLimit`] as soon as the headers seen promise more than `limit` bytes of payload;
/// [`WireError::OutOfOrder`] if the frames of a packet are not numbered in a row.
pub fn split_packet(run: &[u8], limit: usize) -> Result<Option<Split<'_>>, WireError> {
    let Some(first) = Header::parse(run) else {
        return Ok(None);
    };
    check_limit(first.len as usize, limit)?;
    let Some(piece) = run.get(Header::LEN..first.total()) else {
        return Ok(None);
    };
    if !first.continues() {
        return Ok(Some(Split {
            payload: Cow::Borrowed(piece),
            first_seq: first.seq,
            last_seq: first.seq,
            consumed: first.total(),
        }));
    }
    join_frames(run, first.seq, limit)
}

fn check_limit(len: usize, limit: usize) -> Result<(), WireError> {
    if len <= limit {
        return Ok(());
    }
    Err(WireError::OverLimit {
        got: len as u64,
        limit: limit as u64,
    })
}

fn join_frames(run: &[u8], first_seq: u8, limit: usize) -> Result<Option<Split<'_>>, WireError> {
    let Some((len, last_seq, consumed)) = measure(run, first_seq, limit)? else {
        return Ok(None);
    };
    let mut payload = Vec::with_capacity(len);
    let mut rest = run;
    while let Some(header) = Header::parse(rest) {
        let (Some(piece), Some(after)) = (
            rest.get(Header::LEN..header.total()),
            rest.get(header.total()..),
        ) else {
            break;
        };
        payload.extend_from_slice(piece);
        rest = after;
        if !header.continues() {
            break;
        }
    }
    Ok(Some(Split {
        payload: Cow::Owned(payload),
        first_seq,
        last_seq,
        consumed,
    }))
}

/// Payload length, last sequence number and run length of the packet at the start, if it is whole.
fn measure(
    run: &[u8],
    first_seq: u8,
    limit: usize,
) -> Result<Option<(usize, u8, usize)>, WireError> {
    let (mut len, mut seq, mut at) = (0, first_seq, 0);
    loop {
        let Some(header) = run.get(at..).and_then(Header::parse) else {
            return Ok(None);
        };
        if header.seq != seq {
            return Err(WireError::OutOfOrder {
                expected: seq,
                got: header.seq,
            });
        }
        len += header.len as usize;
        at += header.total();
        check_limit(len, limit)?;
        if at > run.len() {
            return Ok(None);
        }
        if !header.continues() {
            return Ok(Some((len, seq, at)));
        }
        seq = seq.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(len: usize) -> (Vec<u8>, u8) {
        let mut payload = vec![b'x'; len];
        payload
            .iter_mut()
            .rev()
            .take(9)
            .for_each(|byte| *byte = b'y');
        let (mut out, mut seq) = (Vec::new(), 254);
        frame_into(&mut out, &mut seq, &payload);
        let mut again = Vec::new();
        let mut seq_again = 254;
        frame_with(&mut again, &mut seq_again, |out| {
            out.extend_from_slice(&payload);
        });
        assert!(out == again && seq == seq_again);
        let split = split_packet(&out, usize::MAX).unwrap().unwrap();
        assert!(*split.payload == payload);
        assert_eq!(split.consumed, out.len());
        assert_eq!(split.first_seq, 254);
        assert_eq!(split.last_seq.wrapping_add(1), seq);
        (out, seq)
    }

    #[test]
    fn long_packets_are_split_and_exact_multiples_end_with_an_empty_frame() {
        for (len, frames, last) in [
            (0, 1, 0),
            (1, 1, 1),
            (MAX_FRAME - 1, 1, MAX_FRAME - 1),
            (MAX_FRAME, 2, 0),
            (MAX_FRAME + 1, 2, 1),
            (2 * MAX_FRAME, 3, 0),
        ] {
            let (out, seq) = framed(len);
            assert_eq!(out.len(), len + 4 * frames);
            assert_eq!(seq, 254_u8.wrapping_add(frames as u8));
            let header = Header::parse(&out[out.len() - last - 4..]).unwrap();
            assert_eq!(header.len as usize, last);
        }
    }

    #[test]
    fn a_cut_packet_waits_for_more() {
        let (out, _) = framed(MAX_FRAME);
        for cut in [0, 3, 4, 5, MAX_FRAME, MAX_FRAME + 4, MAX_FRAME + 7] {
            assert_eq!(split_packet(&out[..cut], usize::MAX), Ok(None));
        }
    }

    #[test]
    fn the_limit_is_checked_before_the_bytes_are_there() {
        let over = |got, limit| Err(WireError::OverLimit { got, limit });
        assert_eq!(split_packet(&[11, 0, 0, 0], 10), over(11, 10));
        let (out, _) = framed(MAX_FRAME + 20);
        let cut = &out[..MAX_FRAME + 8];
        let limit = MAX_FRAME + 10;
        assert_eq!(
            split_packet(cut, limit),
            over((MAX_FRAME + 20) as u64, limit as u64)
        );
    }

    #[test]
    fn frames_of_one_packet_are_numbered_in_a_row() {
        let (mut out, _) = framed(MAX_FRAME + 1);
        out[MAX_FRAME + 4 + 3] = 7;
        assert_eq!(
            split_packet(&out, usize::MAX),
            Err(WireError::OutOfOrder {
                expected: 255,
                got: 7
            })
        );
    }
}
