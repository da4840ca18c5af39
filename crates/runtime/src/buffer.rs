//! Memory for bytes on the way: a queue of bytes, and the pool it comes from.
//!
//! A connection owns memory only while it has partial or unsent bytes. The memory comes from and
//! goes back to its worker's pool, so that a warm worker allocates nothing.
//!
//! The invariant: an empty [`Bytes`] holds no memory of the pool, unless it is being filled.

/// Buffers are given out with this size and grow from there.
const FRESH_BYTES: usize = 4 * 1024;

/// Larger ones are not kept.
const KEEP_BYTES: usize = 256 * 1024;

/// All buffers that are kept have together at most this size.
const POOL_BYTES: usize = 4 * 1024 * 1024;

/// Empty buffers that wait to be used again.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
    free_bytes: usize,
}

impl Pool {
    fn take(&mut self) -> Vec<u8> {
        match self.free.pop() {
            Some(buffer) => {
                self.free_bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(FRESH_BYTES),
        }
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes == 0 || bytes > KEEP_BYTES || self.free_bytes + bytes > POOL_BYTES {
            return;
        }
        buffer.clear();
        self.free_bytes += bytes;
        self.free.push(buffer);
    }
}

/// Bytes that are appended at the end and used up from the front.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    buffer: Vec<u8>,
    start: usize,
}

impl Bytes {
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory it owns.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    pub(crate) fn append(&mut self, bytes: &[u8], pool: &mut Pool) {
        if !bytes.is_empty() {
            self.writable(bytes.len(), pool).extend_from_slice(bytes);
        }
    }

    /// The underlying buffer with room for `room` more bytes, to append to. Amortised over the
    /// bytes that pass through, nothing is moved more than once.
    pub(crate) fn writable(&mut self, room: usize, pool: &mut Pool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        if self.start > 0
            && self.buffer.capacity() - self.buffer.len() < room
            && self.start >= self.len()
        {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(room);
        &mut self.buffer
    }

    /// Uses up `count` bytes; the memory goes back when none are left.
    pub(crate) fn consume(&mut self, count: usize, pool: &mut Pool) {
        debug_assert!(count <= self.len());
        self.start += count;
        if self.start >= self.buffer.len() {
            self.clear(pool);
        }
    }

    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        self.start = 0;
        pool.give(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let (mut pool, mut bytes) = (Pool::default(), Bytes::default());
        let (mut written, mut read) = (0u32, 0u32);
        for round in 0..2000u32 {
            for _ in 0..round % 7 {
                bytes.append(&written.to_le_bytes(), &mut pool);
                written += 1;
            }
            for _ in 0..round % 5 {
                if let Some(number) = bytes.as_slice().first_chunk() {
                    assert_eq!(u32::from_le_bytes(*number), read);
                    bytes.consume(4, &mut pool);
                    read += 1;
                }
            }
            assert_eq!(bytes.len(), 4 * (written - read) as usize);
        }
    }

    #[test]
    fn empty_owns_nothing() {
        let (mut pool, mut bytes) = (Pool::default(), Bytes::default());
        bytes.append(b"abc", &mut pool);
        bytes.consume(2, &mut pool);
        assert_eq!(
            (bytes.as_slice(), bytes.capacity() > 0),
            (b"c".as_slice(), true)
        );
        bytes.consume(1, &mut pool);
        assert_eq!((bytes.capacity(), pool.free.len()), (0, 1));
        bytes.append(b"", &mut pool);
        assert_eq!(bytes.capacity(), 0);
    }

    #[test]
    fn memory_is_used_again() {
        let (mut pool, mut bytes) = (Pool::default(), Bytes::default());
        for _ in 0..10 {
            bytes.append(&[1; 100], &mut pool);
            let place = bytes.as_slice().as_ptr();
            bytes.consume(100, &mut pool);
            bytes.append(&[2; 100], &mut pool);
            assert_eq!(bytes.as_slice().as_ptr(), place);
            bytes.clear(&mut pool);
        }
    }

    #[test]
    fn a_queue_that_never_empties_does_not_grow() {
        let (mut pool, mut bytes) = (Pool::default(), Bytes::default());
        bytes.append(&[0; 1000], &mut pool);
        for _ in 0..10_000 {
            bytes.append(&[0; 1000], &mut pool);
            bytes.consume(1000, &mut pool);
        }
        assert!(bytes.capacity() <= 2 * FRESH_BYTES, "{}", bytes.capacity());
    }

    #[test]
    fn the_pool_is_bounded() {
        let mut pool = Pool::default();
        pool.give(Vec::with_capacity(KEEP_BYTES + 1));
        assert_eq!(pool.free.len(), 0);
        for _ in 0..100 {
            pool.give(Vec::with_capacity(KEEP_BYTES));
        }
        assert!(pool.free_bytes <= POOL_BYTES && pool.free.len() == POOL_BYTES / KEEP_BYTES);
    }
}
