//! The rests of long commands. They grow piece by piece, and nothing that is there is moved.

/// The size of a piece: small enough that an allocator uses the freed ones of one session for the
/// next, instead of handing each back to the system and asking for others.
const PIECE_BYTES: usize = 32 * 1024;

/// The rests of a history's long commands: there are few.
#[derive(Debug, Clone, Default)]
pub(super) struct Rests(Vec<Rest>);

/// The rest of one command; each piece but the last is full.
#[derive(Debug, Clone)]
struct Rest {
    /// The number of its command's record.
    seq: u32,
    pieces: Vec<Vec<u8>>,
}

impl Rests {
    /// The memory they own.
    pub(super) fn capacity(&self) -> usize {
        let rests = self.0.iter().map(|rest| {
            let pieces = rest.pieces.iter().map(Vec::capacity).sum::<usize>();
            rest.pieces.capacity() * size_of::<Vec<u8>>() + pieces
        });
        self.0.capacity() * size_of::<Rest>() + rests.sum::<usize>()
    }

    /// The pieces of command `seq`; none if it is short.
    pub(super) fn get(&self, seq: u32) -> &[Vec<u8>] {
        let rest = self.0.iter().find(|rest| rest.seq == seq);
        rest.map_or(&[], |rest| &rest.pieces)
    }

    pub(super) fn append(&mut self, seq: u32, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let rest = match self.0.iter().position(|rest| rest.seq == seq) {
            Some(ix) => self.0.get_mut(ix),
            None => {
                self.0.push(Rest {
                    seq,
                    pieces: Vec::new(),
                });
                self.0.last_mut()
            }
        };
        let Some(rest) = rest else { return };
        while !bytes.is_empty() {
            let piece = match rest.pieces.last_mut() {
                Some(piece) if piece.len() < PIECE_BYTES => piece,
                _ => {
                    rest.pieces.push(Vec::with_capacity(PIECE_BYTES));
                    continue;
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - piece.len()));
            piece.extend_from_slice(now);
            bytes = later;
        }
    }

    pub(super) fn remove(&mut self, seq: u32) {
        self.0.retain(|rest| rest.seq != seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_takes_at_most_one_piece_more_than_its_bytes() {
        let mut rests = Rests::default();
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 5).map(|at| at as u8).collect();
        for part in bytes.chunks(1000) {
            rests.append(7, part);
            rests.append(8, b"other");
        }
        assert!(rests.get(7).concat() == bytes);
        assert_eq!(rests.get(9), [] as [Vec<u8>; 0]);
        rests.remove(8);
        assert!(rests.capacity() < bytes.len() + PIECE_BYTES + 1024);
        rests.remove(7);
        assert!(rests.capacity() < 1024);
    }
}
