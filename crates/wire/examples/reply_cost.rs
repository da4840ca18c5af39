//! Follows the reply of a point select as often as the argument says: what callgrind counts.
//!
//! `valgrind --tool=callgrind <this> 1000`, then 2000: the difference of the instruction counts,
//! divided by 1000, is the cost of one reply.

use std::hint::black_box;
use tidegate_wire::{Caps, ReplyTracker, Shape, Step};

/// MariaDB 10.11: `SELECT c FROM sbtest1 WHERE id = 1` with a column of 120 characters.
fn point_select() -> Vec<u8> {
    let mut reply = b"\x01\0\0\x01\x01".to_vec();
    reply.extend_from_slice(b"\x2c\0\0\x02\x03def\x06sbtest\x07sbtest1\x07sbtest1\x01c\x01c\x0c");
    reply.extend_from_slice(b"\x2d\0\xe0\x01\0\0\xfe\x01\0\0\0\0");
    reply.extend_from_slice(b"\x05\0\0\x03\xfe\0\0\x02\0");
    reply.extend_from_slice(b"\x78\0\0\x04\x77");
    reply.extend_from_slice(&[b'7'; 119]);
    reply.extend_from_slice(b"\x05\0\0\x05\xfe\0\0\x02\0");
    reply
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let times: u32 = std::env::args().nth(1).ok_or("how often?")?.parse()?;
    let reply = point_select();
    let mut tracker = ReplyTracker::new(Caps::towards_server(Caps::empty()));
    for _ in 0..times {
        tracker.expect(Shape::Query);
        let progress = tracker.advance(black_box(&reply), Step::Fast)?;
        assert!(progress.done && progress.consumed == reply.len());
    }
    println!("{:?}", tracker.summary());
    Ok(())
}
