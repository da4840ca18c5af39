//! Compression towards real servers, which refuse frames that are numbered in another way; and, for
//! zstd, which they do not offer, towards another proxy.

use tidegate_testkit::raw::RawClient;
use tidegate_testkit::{Scratch, Tidegate, wait_until};

use super::say;
use crate::house::{Plan, connect, group, value};

/// Does the server compress on the session's connection?
fn compresses(client: &mut RawClient) -> String {
    let sql = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
               WHERE VARIABLE_NAME = 'Compression'";
    value(client, sql)
}

/// Statements of all lengths on one session, state and prepared statements among them.
fn converse(client: &mut RawClient) {
    client.query("SET @a = 1").expect("an answer");
    assert_eq!(value(client, "SELECT @a"), "1");
    let id = client.prepare("SELECT ?").expect("a statement");
    for length in [1, 100, 70_000, 200_000, 5 << 20, 17 << 20] {
        let sql = format!("SELECT LENGTH('{}')", "x".repeat(length));
        assert_eq!(value(client, &sql), length.to_string());
        client.execute(id, &["text"]).expect("a row");
        client
            .send_query(&format!(
                "SELECT REPEAT('r', 1000), seq FROM seq_1_to_{}",
                1 + length / 1000
            ))
            .expect("sent");
        let (rows, _) = client.count_rows().expect("rows");
        assert_eq!(rows, 1 + length as u64 / 1000);
    }
}

#[test]
fn servers_are_spoken_to_in_compressed_frames() {
    let tidegate = Plan::new(group())
        .every_server("compression=zlib\n")
        .split("master_accept_reads=true\n")
        .start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        assert_eq!(compresses(&mut client), "ON");
        converse(&mut client);
        // Compressed on both sides, and not only where the client compresses.
        let rows = say(
            &tidegate,
            port,
            &[],
            "SELECT seq, REPEAT('r', 500) FROM seq_1_to_20000",
        );
        assert_eq!(rows.lines().count(), 20_000);
    }
    let plain = Plan::new(group()).start();
    assert_eq!(compresses(&mut connect(&plain, "rw")), "OFF");
}

#[test]
fn files_go_to_a_compressing_server() {
    let tidegate = Plan::new(group())
        .every_server("compression=zlib\n")
        .start();
    let create = "CREATE TABLE test.compressed_file (n INT, body VARCHAR(100))";
    group().primary().sql(create).expect("a table");
    let lines: String = (0..200_000).map(|n| format!("{n}\tline {n}\n")).collect();
    let folder = Scratch::new("compressed-file").expect("a folder");
    let file = folder.write("lines", &lines).expect("a file");
    let load = format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE compressed_file; \
         BEGIN; SELECT COUNT(*) FROM compressed_file; COMMIT; \
         LOAD DATA LOCAL INFILE '{0}' INTO TABLE compressed_file; \
         BEGIN; SELECT COUNT(*) FROM compressed_file; COMMIT",
        file.display()
    );
    assert_eq!(say(&tidegate, "rw", &[], &load), "200000\n400000\n");
}

#[test]
fn a_connection_of_the_pool_goes_on_compressing() {
    let lines = "compression=zlib\npersistpoolmax=10\npersistmaxtime=300s\n";
    let text = Plan::new(group())
        .read("router_options=master\n")
        .every_server(lines)
        .text();
    let tidegate = Tidegate::start(&text.replace("threads=2\n", "threads=1\n")).expect("tidegate");
    let number = |client: &mut RawClient| value(client, "SELECT @@pseudo_thread_id + 0");
    let mut first = connect(&tidegate, "read");
    let numbered = number(&mut first);
    converse(&mut first);
    first.quit().expect("a goodbye");
    let mut again = None;
    wait_until("the connection of the pool", || {
        let mut client = connect(&tidegate, "read");
        let same = number(&mut client) == numbered;
        again = Some(client);
        same
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    let mut client = again.expect("a session");
    assert_eq!(compresses(&mut client), "ON");
    converse(&mut client);
}

#[test]
fn zstd_is_spoken_where_it_is_offered() {
    let far = Plan::new(group()).read("router_options=master\n").start();
    let primary = group().primary().name();
    let near = Plan::new(group())
        .only(&[primary])
        .at(primary, far.address("read"))
        .every_server("compression=zstd\n")
        .start();
    let mut client = connect(&near, "rw");
    converse(&mut client);
    let rows = say(
        &near,
        "rw",
        &[],
        "SELECT seq, REPEAT('r', 500) FROM seq_1_to_20000",
    );
    assert_eq!(rows.lines().count(), 20_000);
    // Servers themselves do not offer it, and are spoken to as ever.
    let plain = Plan::new(group())
        .every_server("compression=zstd\n")
        .start();
    assert_eq!(compresses(&mut connect(&plain, "rw")), "OFF");
}
