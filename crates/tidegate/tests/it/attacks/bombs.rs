//! Frames of few bytes that stand for many, and frames that lie.

use std::io::Read as _;

use tidegate_testkit::Tidegate;
use tidegate_testkit::raw::{CLIENT_COMPRESS, CLIENT_ZSTD_COMPRESSION, Login, RawClient};

use super::refused;
use super::siege::{besiege, plan, start};
use crate::house::group;

/// The longest plain text that a frame can have.
const MOST: usize = 0xFF_FFFF;

/// The largest window that plain text of a frame can need, as its logarithm.
const WINDOW_LOG: u8 = 24;

#[derive(Debug, Clone, Copy)]
enum Method {
    Zlib,
    Zstd,
}

impl Method {
    /// `count` times the byte, in as few bytes as an encoder needs for it.
    fn repeated(self, byte: u8, count: usize) -> Vec<u8> {
        match self {
            Method::Zlib => deflated(byte, count),
            Method::Zstd => zstd(WINDOW_LOG, byte, count),
        }
    }

    fn login(self, tidegate: &Tidegate) -> RawClient {
        let capability = match self {
            Method::Zlib => CLIENT_COMPRESS,
            Method::Zstd => CLIENT_ZSTD_COMPRESSION,
        };
        let login = Login::new(&group().accounts().app).capabilities(capability);
        RawClient::connect(tidegate.address("rw"), &login).expect("a login")
    }
}

/// Bits from the lowest on, as deflate wants them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if value >> bit & 1 == 1 {
                *self.bytes.last_mut().expect("a byte") |= 1 << (self.count % 8);
            }
            self.count += 1;
        }
    }

    /// A Huffman code, which goes from its highest bit on.
    fn put_code(&mut self, code: u32, count: usize) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }
}

/// A zlib stream of a byte below 144 that is repeated (RFC 1950, RFC 1951 3.2.6).
fn deflated(byte: u8, count: usize) -> Vec<u8> {
    const LONGEST: usize = 258;
    let mut bits = Bits {
        bytes: vec![0x78, 0x01],
        count: 16,
    };
    // The last block, with the codes that are fixed.
    bits.put(1, 1);
    bits.put(1, 2);
    let literal = |bits: &mut Bits| bits.put_code(0x30 + u32::from(byte), 8);
    let repeats = count.saturating_sub(1) / LONGEST;
    for _ in 0..count - repeats * LONGEST {
        literal(&mut bits);
    }
    for _ in 0..repeats {
        // Length 258, distance 1.
        bits.put_code(0b1100_0101, 8);
        bits.put_code(0, 5);
    }
    bits.put_code(0, 7);
    let (mut a, mut b) = (1u32, 0u32);
    for _ in 0..count {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let mut stream = bits.bytes;
    stream.extend_from_slice(&(b << 16 | a).to_be_bytes());
    stream
}

/// A zstd frame of a byte that is repeated (RFC 8878), whose decoder has to keep `1 << window_log` bytes.
fn zstd(window_log: u8, byte: u8, count: usize) -> Vec<u8> {
    const BLOCK: usize = 128 * 1024;
    const RLE: usize = 1;
    let mut frame = b"\x28\xB5\x2F\xFD\0".to_vec();
    frame.push((window_log - 10) << 3);
    let mut left = count;
    while left > 0 {
        let here = left.min(BLOCK);
        left -= here;
        let header = here << 3 | RLE << 1 | usize::from(left == 0);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(byte);
    }
    frame
}

/// A compressed frame that says that its data holds `said` bytes; 0: it is as it is.
fn frame(seq: u8, said: usize, data: &[u8]) -> Vec<u8> {
    let mut frame = data.len().to_le_bytes()[..3].to_vec();
    frame.push(seq);
    frame.extend_from_slice(&said.to_le_bytes()[..3]);
    frame.extend_from_slice(data);
    frame
}

/// The beginning of a statement that `padding` bytes follow.
fn statement(text: &[u8], padding: usize) -> Vec<u8> {
    let len = 1 + text.len() + padding;
    let header = [&len.to_le_bytes()[..3], &[0, 3]].concat();
    frame(0, 0, &[&header, text].concat())
}

#[test]
fn what_a_few_bytes_stand_for_is_run_all_the_same() {
    let tidegate = start(&plan());
    for method in [Method::Zlib, Method::Zstd] {
        let mut client = method.login(&tidegate);
        for padding in [1, 258, 1000, 1 << 20, MOST - 6] {
            let packets = client.packets();
            let spaces = method.repeated(b' ', padding);
            let bytes = [statement(b"DO 0", padding), frame(1, padding, &spaces)].concat();
            packets.write_bytes(&bytes).expect("sent");
            let mut answer = [0; 7];
            packets.stream().read_exact(&mut answer).expect("a frame");
            assert_eq!(answer[4..], [0; 3], "{method:?}: {answer:?}");
            let mut data = vec![0; usize::from(answer[0])];
            packets.stream().read_exact(&mut data).expect("an answer");
            assert_eq!(data[4], 0, "{method:?}, {padding} spaces: {data:?}");
        }
    }
}

#[test]
fn compression_bombs() {
    let tidegate = start(&plan());
    let kinds = [Method::Zlib, Method::Zstd].map(|method| (method, method.repeated(0, MOST)));
    besiege(&tidegate, 60, |round| {
        let (method, zeros) = &kinds[round as usize % 2];
        let mut client = method.login(&tidegate);
        let packets = client.packets();
        // It is refused when it is longer than the servers take, so that not all of it may be taken.
        let _ = packets.write_bytes(&statement(b"SELECT '", MOST - 9));
        for seq in 1..=8 {
            let _ = packets.write_bytes(&frame(seq, MOST, zeros));
        }
        packets.shutdown(std::net::Shutdown::Write);
        refused(packets);
    });
}

#[test]
fn compressed_frames_that_lie() {
    let tidegate = start(&plan());
    besiege(&tidegate, 400, |round| {
        let method = [Method::Zlib, Method::Zstd][round as usize % 2];
        let spaces = method.repeated(b' ', 100_000);
        let mut client = method.login(&tidegate);
        let packets = client.packets();
        let _ = packets.write_bytes(&statement(b"DO 0", 100_000));
        let lie = match round / 2 % 7 {
            // More, or less, than it says.
            0 => frame(1, 10, &spaces),
            1 => frame(1, MOST, &spaces),
            // Cut off, and not.
            2 => frame(1, 100_000, &spaces)[..spaces.len() / 2].to_vec(),
            3 => frame(1, 100_000, &spaces[..spaces.len() / 2]),
            4 => frame(1, 100_000, b"neither the one nor the other"),
            // Nothing at all.
            5 => frame(1, MOST, &[]),
            // Two thousand gibibytes to be kept.
            _ => frame(1, 100_000, &zstd(41, b' ', 100_000)),
        };
        // It may have been refused before its end.
        let _ = packets.write_bytes(&lie);
        packets.shutdown(std::net::Shutdown::Write);
        refused(packets);
    });
}
