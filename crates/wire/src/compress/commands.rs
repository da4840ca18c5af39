//! The frames in which packets go to a server.
//!
//! A server counts on from the frames of a command when it numbers the packets of the answer, and those
//! of whoever sent the command must come out the same as without compression. So each packet gets a frame
//! of its own, numbered from 0 for a command, and from where the server ended where it is answered (a
//! file that it asked for, a proof). A packet that has not come whole goes as it is: a frame's length
//! stands before it.
//!
//! A packet that is too long for a frame, by its header, has its last bytes in the frame of the next.
//!
//! Source: what MariaDB servers answer.

use super::MAX_LEN;
use crate::frame::Header;

/// How a frame is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// On from the last frame.
    GoOn,
    /// 0.
    Command,
    /// On from the server's last frame.
    Answer,
}

/// The beginning of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its length.
    pub(super) len: usize,
    /// The frame that begins with it, and its whole length; `None`: it is more of the last one.
    pub(super) begins: Option<(Number, usize)>,
}

/// Follows the packets that go to a server.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// Bytes of the current frame that have not passed.
    left: usize,
    /// Bytes of the last packet that its frame had no room for.
    tail: usize,
    last: Option<Header>,
}

impl Commands {
    /// What to do with the start of `run`. `None`: more must come first.
    pub(super) fn piece(&mut self, run: &[u8]) -> Option<Piece> {
        if self.left > 0 {
            let len = self.left.min(run.len());
            self.left -= len;
            return (len > 0).then_some(Piece { len, begins: None });
        }
        let (number, total) = match self.last {
            Some(last) if self.tail > 0 && !last.continues() => (Number::GoOn, self.tail),
            _ => {
                let header = Header::parse(run.get(self.tail..)?)?;
                let number = self.number_of(header);
                self.last = Some(header);
                (number, self.tail + Header::LEN + header.len as usize)
            }
        };
        let frame = total.min(MAX_LEN);
        self.tail = total - frame;
        let len = frame.min(run.len());
        self.left = frame - len;
        let begins = Some((number, frame));
        Some(Piece { len, begins })
    }

    /// Packets count on within a command and within a file, also from 255 to 0, and an empty one ends
    /// either.
    fn number_of(&self, header: Header) -> Number {
        let goes_on = self
            .last
            .is_some_and(|last| last.len > 0 && last.seq.wrapping_add(1) == header.seq);
        if goes_on {
            Number::GoOn
        } else if header.seq == 0 {
            Number::Command
        } else {
            Number::Answer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MAX_FRAME;

    /// Packets by length and number, and the frames they make.
    fn check(packets: &[(usize, u8)], expect: &[(Number, usize)]) {
        let mut bytes = Vec::new();
        for &(len, seq) in packets {
            let len = len as u32;
            bytes.extend_from_slice(&Header { len, seq }.encode());
            bytes.resize(bytes.len() + len as usize, b'x');
        }
        for cut in [bytes.len(), 1 << 20, 1000] {
            let (mut commands, mut at, mut frames) = (Commands::default(), 0, Vec::new());
            let mut end = 0;
            while at < bytes.len() {
                end = bytes.len().min(end + cut);
                while let Some(piece) = commands.piece(&bytes[at..end]) {
                    frames.extend(piece.begins);
                    at += piece.len;
                }
            }
            assert_eq!(frames, expect);
        }
    }

    #[test]
    fn each_packet_has_its_frame() {
        use Number::{Answer, Command, GoOn};
        check(&[(3, 0), (5, 0)], &[(Command, 7), (Command, 9)]);
        // A file in two packets and its end, after the server has asked for it.
        check(
            &[(3, 0), (2, 2), (2, 3), (0, 4), (1, 0)],
            &[
                (Command, 7),
                (Answer, 6),
                (GoOn, 6),
                (GoOn, 4),
                (Command, 5),
            ],
        );
    }

    #[test]
    fn a_file_counts_on_beyond_255() {
        let file: Vec<(usize, u8)> = (2..=255).chain(0..3).map(|seq| (1, seq)).collect();
        let packets = [&[(3, 0)], &file[..], &[(0, 3), (1, 0)]].concat();
        let mut frames = vec![(Number::Command, 7), (Number::Answer, 5)];
        frames.resize(1 + file.len(), (Number::GoOn, 5));
        frames.extend([(Number::GoOn, 4), (Number::Command, 5)]);
        check(&packets, &frames);
    }

    #[test]
    fn a_packet_that_no_frame_holds_ends_in_the_next() {
        use Number::{Command, GoOn};
        check(
            &[(MAX_FRAME, 0), (MAX_FRAME, 1), (0, 2), (1, 0)],
            &[
                (Command, MAX_LEN),
                (GoOn, MAX_LEN),
                (GoOn, 12),
                (Command, 5),
            ],
        );
        check(&[(MAX_FRAME - 1, 0)], &[(Command, MAX_LEN), (GoOn, 3)]);
    }
}
