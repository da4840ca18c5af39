//! A warm worker allocates nothing for a statement: counted over the whole process, with real
//! sockets, a scripted client and a scripted server that allocate nothing themselves.

mod house;

use std::alloc::System;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use house::{House, Plan};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tidegate_testkit::raw::ScriptedServer;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const STATEMENTS: usize = 10_000;

/// One row of one column, as the scripted server sends it after a COM_QUERY.
fn result() -> Vec<u8> {
    let mut definition = vec![3, b'd', b'e', b'f', 0, 0, 0, 1, b'v', 1, b'v'];
    definition.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0]);
    let eof = [0xFE, 0, 0, 2, 0];
    let payloads: [&[u8]; 5] = [&[1], &definition, &eof, &[2, b'4', b'2'], &eof];
    let mut bytes = Vec::new();
    for (payload, sequence) in payloads.iter().zip(1..) {
        bytes.extend_from_slice(&[payload.len() as u8, 0, 0, sequence]);
        bytes.extend_from_slice(payload);
    }
    bytes
}

fn run(client: &mut TcpStream, statement: &[u8], reply: &mut [u8], times: usize) {
    for _ in 0..times {
        client.write_all(statement).unwrap();
        client.read_exact(reply).unwrap();
    }
}

#[test]
fn nothing_is_allocated_once_warm() {
    let reply = result();
    let answer = reply.clone();
    // A statement is read whole: it comes in one piece.
    let server = ScriptedServer::start(move |peer| {
        peer.login()?;
        let mut command = [0; 4096];
        let mut stream = peer.packets.stream();
        while stream.read(&mut command)? > 0 {
            stream.write_all(&answer)?;
        }
        Ok(())
    })
    .unwrap();
    let mut plan = Plan::new(&[&server]);
    plan.workers = 1;
    let house = House::new(plan);
    let mut client = house.connect();
    let mut stream = client.packets().stream().try_clone().unwrap();
    let statement = b"\x14\x00\x00\x00\x03SELECT v FROM t WHE";
    let mut buffer = vec![0; reply.len()];
    run(&mut stream, statement, &mut buffer, 500);
    assert_eq!(buffer, reply);

    let region = Region::new(ALLOCATOR);
    run(&mut stream, statement, &mut buffer, STATEMENTS);
    let change = region.change();
    assert_eq!(
        (
            change.allocations,
            change.reallocations,
            change.deallocations
        ),
        (0, 0, 0),
        "{change:?}"
    );

    let shard = house.runtime.counters().shard(0);
    let statements = (500 + STATEMENTS) as u64;
    assert!(
        shard.writes.get() < 2 * statements + 100,
        "one write a side"
    );
    assert!(shard.reads.get() < 2 * statements + 100, "one read a side");
}
