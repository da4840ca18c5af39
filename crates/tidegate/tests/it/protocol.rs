//! The rarer shapes of the protocol, through readwritesplit: cursors, files, large packets, a
//! connection that starts anew.

use tidegate_testkit::Tidegate;
use tidegate_testkit::raw::{
    CLIENT_LOCAL_FILES, CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply, native_password,
};

use crate::house::{Plan, connect, document, group, run, value};
use crate::readwritesplit::{PRIMARY, place, well_connected};

const COM_CHANGE_USER: u8 = 0x11;
const COM_RESET_CONNECTION: u8 = 0x1F;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_FETCH: u8 = 0x1C;
const COM_STMT_CLOSE: u8 = 0x19;

/// The status flags that say that a cursor is open, and that it gave its last row.
const CURSOR_EXISTS: u16 = 0x40;
const LAST_ROW_SENT: u16 = 0x80;

/// Reads packets up to the next end of definitions or rows; their number, and the status there.
fn until_end(client: &mut RawClient) -> (usize, u16) {
    for count in 0.. {
        let packet = client.packets().read().expect("a packet");
        assert_ne!(packet[0], 0xFF, "{}", String::from_utf8_lossy(&packet));
        if packet[0] == 0xFE && packet.len() == 5 {
            return (count, u16::from_le_bytes([packet[3], packet[4]]));
        }
    }
    unreachable!("an endless result")
}

#[test]
fn a_cursor_is_read_piece_by_piece() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let id = client
        .prepare("SELECT seq FROM seq_1_to_25")
        .expect("prepared");
    let named = |command: u8, rest: &[u8]| [&[command], &id.to_le_bytes()[..], rest].concat();
    // Flag 1: a cursor that only reads. Once.
    client
        .send(&named(COM_STMT_EXECUTE, &[1, 1, 0, 0, 0]))
        .expect("sent");
    // The number of columns, one definition, and the end that says that a cursor is open.
    let (packets, status) = until_end(&mut client);
    assert_eq!((packets, status & CURSOR_EXISTS), (2, CURSOR_EXISTS));
    for (expected, last) in [(10, false), (10, false), (5, true)] {
        client
            .send(&named(COM_STMT_FETCH, &10u32.to_le_bytes()))
            .expect("sent");
        let (rows, status) = until_end(&mut client);
        assert_eq!((rows, status & LAST_ROW_SENT != 0), (expected, last));
    }
    client.send(&named(COM_STMT_CLOSE, &[])).expect("sent");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}

#[test]
fn results_come_whole_when_there_are_several() {
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&group().accounts().admin)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS);
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(
        &mut client,
        "CREATE PROCEDURE three_results() BEGIN SELECT 1; SELECT 2 UNION SELECT 3; DO 1; END",
    );
    client.send_query("CALL three_results()").expect("sent");
    let replies = client.replies().expect("replies");
    assert_eq!(replies.len(), 3, "{replies:?}");
    assert_eq!(replies[1].text_rows().expect("rows").len(), 2);
    client
        .send_query("SELECT 1; SET @a = 4; SELECT @a; SELECT no_such_column")
        .expect("sent");
    let replies = client.replies().expect("replies");
    assert_eq!(replies.len(), 4, "{replies:?}");
    assert_eq!(replies[2].text_value().expect("a value"), "4");
    assert_eq!(replies[3].error_code(), Some(1054));
    assert_eq!(value(&mut client, "SELECT 5"), "5");
}

/// LOAD DATA LOCAL INFILE over this port; the lines are 0 to `count`.
pub(crate) fn load_local(tidegate: &Tidegate, port: &str, table: &str, count: u32) {
    let login = Login::new(&group().accounts().app)
        .database("test")
        .capabilities(CLIENT_LOCAL_FILES);
    let mut client = RawClient::connect(tidegate.address(port), &login).expect("a login");
    client
        .send_query(&format!(
            "LOAD DATA LOCAL INFILE 'lines' INTO TABLE {table}"
        ))
        .expect("sent");
    let asked = client.packets().read().expect("a question for the file");
    assert_eq!(asked, b"\xFBlines", "{}", String::from_utf8_lossy(&asked));
    let lines: Vec<String> = (0..count).map(|n| format!("{n}\n")).collect();
    for piece in lines.chunks(1000) {
        client
            .packets()
            .write(piece.concat().as_bytes())
            .expect("taken");
    }
    client.packets().write(b"").expect("taken");
    let replies = client.replies().expect("a reply");
    let Reply::Ok { affected_rows, .. } = replies[0] else {
        panic!("{replies:?}")
    };
    assert_eq!(affected_rows, u64::from(count));
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}

#[test]
fn a_local_file_is_loaded() {
    let tidegate = Plan::new(group()).start();
    let primary = group().primary();
    primary
        .sql("CREATE TABLE test.loaded_rw (n INT)")
        .expect("a table");
    load_local(&tidegate, "rw", "loaded_rw", 50_000);
    let count = primary.value("SELECT COUNT(*) FROM test.loaded_rw");
    assert_eq!(count.expect("a count"), "50000");
}

#[test]
fn packets_of_more_than_sixteen_mebibytes_pass_both_ways() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    for len in [0xFF_FFFF - 30, 0xFF_FFFF, 0x100_0000, 20 << 20] {
        let text = "x".repeat(len);
        assert_eq!(
            value(&mut client, &format!("SELECT LENGTH('{text}')")),
            len.to_string()
        );
        let back = value(&mut client, &format!("SELECT REPEAT('y', {len})"));
        assert!(back.len() == len && back.bytes().all(|byte| byte == b'y'));
    }
    run(&mut client, "CREATE TABLE large (body LONGTEXT)");
    let text = "z".repeat(17 << 20);
    run(&mut client, &format!("INSERT INTO large VALUES ('{text}')"));
    let len = group()
        .primary()
        .value("SELECT LENGTH(body) FROM test.large");
    assert_eq!(len.expect("a row"), text.len().to_string());
}

/// The most that a frame holds, and what a packet's length has to do with it.
pub(crate) const BOUNDARIES: [usize; 4] = [0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 2 * 0xFF_FFFF];

/// A statement whose packet is so long, and the length of the text in it.
pub(crate) fn statement_of(len: usize) -> (String, usize) {
    let (head, tail) = ("SELECT LENGTH('", "')");
    // The command's byte stands in front.
    let text_len = len - 1 - head.len() - tail.len();
    (format!("{head}{}{tail}", "x".repeat(text_len)), text_len)
}

/// A statement whose row's packet is so long, and the length of its only value.
pub(crate) fn row_of(len: usize) -> (String, usize) {
    // The length of a value below 16 MiB takes four bytes.
    let text_len = if len - 4 < 0x100_0000 {
        len - 4
    } else {
        len - 9
    };
    (format!("SELECT REPEAT('y', {text_len})"), text_len)
}

#[test]
fn packets_of_the_lengths_that_frames_end_at_pass_both_ways() {
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        for len in BOUNDARIES {
            let (sql, text_len) = statement_of(len);
            assert_eq!(value(&mut client, &sql), text_len.to_string());
            let (sql, text_len) = row_of(len);
            let back = value(&mut client, &sql);
            assert!(back.len() == text_len && back.bytes().all(|byte| byte == b'y'));
        }
    }
}

/// Written in two pieces, cut around each header.
#[test]
fn packets_of_several_frames_may_be_cut_anywhere_around_their_headers() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    for len in BOUNDARIES {
        let (sql, text_len) = statement_of(len);
        let mut bytes = Vec::new();
        let payload = [b"\x03", sql.as_bytes()].concat();
        let mut frames = 0u8;
        let mut rest = payload.as_slice();
        loop {
            let (frame, next) = rest.split_at(rest.len().min(0xFF_FFFF));
            bytes.extend_from_slice(&frame.len().to_le_bytes()[..3]);
            bytes.push(frames);
            bytes.extend_from_slice(frame);
            frames += 1;
            rest = next;
            if frame.len() < 0xFF_FFFF {
                break;
            }
        }
        let headers = (0..usize::from(frames)).map(|frame| frame * (0xFF_FFFF + 4));
        for cut in headers.flat_map(|at| at.saturating_sub(1)..=at + 5) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let packets = client.packets();
            packets.write_bytes(first).expect("sent");
            packets.write_bytes(second).expect("sent");
            packets.expect_answer_to(frames);
            let replies = client.replies().expect("a reply");
            assert_eq!(
                replies[0].text_value().expect("a value"),
                text_len.to_string(),
                "{len}, cut at {cut}"
            );
        }
    }
}

#[test]
fn a_big_result_comes_whole() {
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        client
            .send_query("SELECT seq, REPEAT('r', 500) FROM seq_1_to_60000")
            .expect("sent");
        let (rows, bytes) = client.count_rows().expect("rows");
        assert_eq!(rows, 60_000);
        assert!(bytes > 30_000_000, "{bytes}");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}

#[test]
fn a_reset_connection_forgets_everywhere() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(&mut client, "SET @kept = 'yes'");
    client.send(&[COM_RESET_CONNECTION]).expect("sent");
    let replies = client.replies().expect("a reply");
    assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
    for sql in ["SELECT @kept IS NULL", "SELECT @kept IS NULL FOR UPDATE"] {
        assert_eq!(value(&mut client, sql), "1", "{sql}");
    }
    assert_ne!(place(&mut client), PRIMARY);
}

#[test]
fn a_changed_user_is_another_one_on_every_server() {
    let other = group()
        .create_account("other_user", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(&mut client, "SET @kept = 'yes'");
    change_user(&mut client, &other.user, &other.password);
    let replies = client.replies().expect("a reply");
    assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
    for _ in 0..5 {
        assert!(value(&mut client, "SELECT CURRENT_USER()").starts_with("other_user@"));
        assert_eq!(value(&mut client, "SELECT @kept IS NULL"), "1");
    }
    run(&mut client, "BEGIN");
    assert!(value(&mut client, "SELECT CURRENT_USER()").starts_with("other_user@"));
    run(&mut client, "COMMIT");
    let id = client.connection_id();
    let session = document(&tidegate, &format!("/v1/sessions/{id}"));
    assert_eq!(session["data"]["attributes"]["user"], "other_user");
}

#[test]
fn three_failed_changes_of_user_are_all_whatever_comes_between() {
    let other = group()
        .create_account("other_guesser", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    for password in ["wrong", "wrong too", &other.password, "wrong again"] {
        change_user(&mut client, &other.user, password);
        let replies = client.replies().expect("a reply");
        let expected = (*password != *other.password).then_some(1045);
        assert_eq!(replies[0].error_code(), expected, "{replies:?}");
    }
    client
        .send(&[&[COM_CHANGE_USER], other.user.as_bytes(), &[0; 5]].concat())
        .expect("sent");
    let replies = client.replies().expect("a reply");
    assert_eq!(replies[0].error_code(), Some(1047), "{replies:?}");
}

/// Sends COM_CHANGE_USER and answers the scramble that comes back.
pub(crate) fn change_user(client: &mut RawClient, user: &str, password: &str) {
    let mut command = vec![COM_CHANGE_USER];
    command.extend_from_slice(user.as_bytes());
    // No proof yet: the server has to ask with a scramble of its own.
    command.extend_from_slice(&[0, 0]);
    command.extend_from_slice(b"test\0");
    command.extend_from_slice(&[45, 0]);
    command.extend_from_slice(b"mysql_clear_password\0");
    client.send(&command).expect("sent");
    let asked = client.packets().read().expect("an answer");
    let scramble = asked
        .strip_prefix(b"\xFEmysql_native_password\0")
        .unwrap_or_else(|| panic!("no switch: {}", String::from_utf8_lossy(&asked)));
    let proof = native_password(password, &scramble[..20]);
    client.packets().write(&proof).expect("sent");
}

#[test]
fn commands_without_text_are_answered() {
    const COM_STATISTICS: u8 = 0x09;
    const COM_PING: u8 = 0x0E;
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    client.send(&[COM_PING]).expect("sent");
    let replies = client.replies().expect("a reply");
    assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
    client.send(&[COM_STATISTICS]).expect("sent");
    let text = client.packets().read().expect("a reply");
    assert!(
        text.starts_with(b"Uptime: "),
        "{}",
        String::from_utf8_lossy(&text)
    );
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    client.send(&[0xF0]).expect("sent");
    let replies = client.replies().expect("a reply");
    assert_eq!(replies[0].error_code(), Some(1047), "{replies:?}");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}

/// What the first packet of an answer says: that all is well, which error, or that more follows.
fn gist(client: &mut RawClient, command: &[u8]) -> String {
    client.send(command).expect("sent");
    let packet = client.packets().read().expect("an answer");
    match packet[0] {
        0xFF => format!("error {}", u16::from_le_bytes([packet[1], packet[2]])),
        0x00 => "OK".to_owned(),
        0xFE if packet.len() < 9 => "EOF".to_owned(),
        _ => String::from_utf8_lossy(&packet)
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect(),
    }
}

#[test]
fn commands_are_answered_as_by_a_server() {
    const UNKNOWN_STATEMENT: [u8; 4] = [9, 9, 0, 0];
    let named = |code: u8, rest: &[u8]| [&[code], &UNKNOWN_STATEMENT[..], rest].concat();
    let commands: Vec<Vec<u8>> = vec![
        vec![0x00],
        b"\x02test".to_vec(),
        b"\x02no_such_database".to_vec(),
        b"\x05created".to_vec(),
        b"\x06dropped".to_vec(),
        // The cache of threads is emptied.
        vec![0x07, 0x20],
        vec![0x09],
        vec![0x0B],
        vec![0x0D],
        vec![0x0E],
        vec![0x0F],
        vec![0x10],
        vec![0x13],
        vec![0x14],
        named(0x17, &[0, 1, 0, 0, 0]),
        named(0x1A, &[]),
        vec![0x1B, 0, 0],
        vec![0x1B, 1, 0],
        vec![0x1B, 2, 0],
        named(0x1C, &[1, 0, 0, 0]),
        vec![0x1D],
        vec![0x1F],
        vec![0x20],
        vec![0xF0],
        vec![0xFE],
    ];
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&group().accounts().admin).database("test");
    let connect = |address| RawClient::connect(address, &login).expect("a login");
    let mut server = connect(group().primary().address());
    for port in ["rw", "read"] {
        let mut proxy = connect(tidegate.address(port));
        for command in &commands {
            let expected = gist(&mut server, command);
            assert_eq!(gist(&mut proxy, command), expected, "{port}: {command:x?}");
        }
        assert_eq!(value(&mut proxy, "SELECT 1"), "1");
    }
}

#[test]
fn replicas_are_sent_to_the_servers() {
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        for code in [0x12, 0x15, 0x1E] {
            assert_eq!(gist(&mut client, &[code, 0, 0, 0, 0]), "error 1289");
        }
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}
