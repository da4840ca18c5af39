//! One end of a session's sockets: what it was sent, and what it has said that was not taken yet.

use std::collections::VecDeque;

/// A packet that a peer was sent and has not answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// Its last frame's number.
    pub(super) seq: u8,
    /// The first byte of its payload; `None` where it has none.
    pub(super) first: Option<u8>,
}

/// The client, or a server.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Its bytes that the session did not consume.
    pub(super) kept: Vec<u8>,
    /// The session wants them again.
    pub(super) again: bool,
    /// The session does not want to read.
    pub(super) paused: bool,
    /// What it was sent and has not answered.
    pub(super) heard: VecDeque<Heard>,
    /// The number of the next frame it writes in a dialogue.
    pub(super) next_seq: u8,
    /// For a server: the connection stands.
    pub(super) up: bool,
    /// For a server: its greeting was written.
    pub(super) greeted: bool,
    /// For a server: statements it has prepared.
    pub(super) prepared: u32,
    /// The head of a frame that is not whole.
    head: Vec<u8>,
    /// Bytes of the current frame that are still to come.
    left: usize,
    /// The packet whose frames are coming.
    coming: Option<Heard>,
}

impl Peer {
    /// A server whose connection stands.
    pub(super) fn connected() -> Peer {
        Peer {
            up: true,
            greeted: true,
            ..Peer::default()
        }
    }

    /// Takes bytes that the session sends it.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                if let Some(coming) = &mut self.coming
                    && coming.first.is_none()
                {
                    coming.first = Some(byte);
                }
                let count = self.left.min(bytes.len());
                bytes = &bytes[count..];
                self.left -= count;
                self.end_frame();
                continue;
            }
            bytes = rest;
            self.head.push(byte);
            let Some(&[a, b, c, seq]) = self.head.first_chunk::<4>() else {
                continue;
            };
            self.head.clear();
            self.left = u32::from_le_bytes([a, b, c, 0]) as usize;
            self.coming = Some(Heard { seq, first: None });
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        if self.left == 0
            && let Some(heard) = self.coming.take()
        {
            self.next_seq = heard.seq.wrapping_add(1);
            self.heard.push_back(heard);
        }
    }
}
