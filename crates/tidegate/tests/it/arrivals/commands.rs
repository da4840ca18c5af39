//! Commands that are no texts, before real servers.

use tidegate_testkit::raw::{RawClient, Reply};
use tidegate_testkit::statements::Row;

use super::{Walk, servers};
use crate::house::Plan;

const COM_FIELD_LIST: u8 = 0x04;
const COM_STATISTICS: u8 = 0x09;
const COM_PROCESS_INFO: u8 = 0x0A;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_STMT_RESET: u8 = 0x1A;
const COM_RESET_CONNECTION: u8 = 0x1F;

/// Executes a statement without parameters.
pub(super) fn execute(client: &mut RawClient, id: u32) -> Vec<Reply> {
    let command = [&[COM_STMT_EXECUTE], &id.to_le_bytes()[..], &[0, 1, 0, 0, 0]];
    client.send(&command.concat()).expect("sent");
    client.replies().expect("an answer")
}

/// Sends a command and reads its answer, whatever its shape.
fn answered(client: &mut RawClient, command: &[u8]) -> Vec<Reply> {
    client.send(command).expect("sent");
    match command[0] {
        COM_STMT_CLOSE | COM_STMT_SEND_LONG_DATA => {}
        COM_STATISTICS => drop(client.packets().read().expect("a text")),
        COM_FIELD_LIST => loop {
            let packet = client.packets().read().expect("a definition");
            assert_ne!(packet[0], 0xFF, "{}", String::from_utf8_lossy(&packet));
            if packet[0] == 0xFE {
                break;
            }
        },
        _ => return client.replies().expect("an answer"),
    }
    Vec::new()
}

#[test]
fn commands_without_text_arrive_where_they_should() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    let commands: &[(&str, &str, &str, &[u8])] = &[
        ("COM_INIT_DB", "ac", "ALL", b"\x02test"),
        ("COM_INIT_DB", "rw", "ALL", b"\x02test"),
        ("COM_FIELD_LIST", "ac", "REPLICA", b"\x04t1\0"),
        ("COM_FIELD_LIST", "rw", "TRX", b"\x04t1\0"),
        ("COM_FIELD_LIST", "tmp", "PRIMARY", b"\x04tt\0"),
        ("COM_STATISTICS", "ac", "REPLICA", &[COM_STATISTICS]),
        ("COM_STATISTICS", "rw", "TRX", &[COM_STATISTICS]),
        ("COM_PROCESS_INFO", "ac", "PRIMARY", &[COM_PROCESS_INFO]),
        ("COM_RESET_CONNECTION", "ac", "ALL", &[COM_RESET_CONNECTION]),
        ("COM_RESET_CONNECTION", "rw", "ALL", &[COM_RESET_CONNECTION]),
    ];
    for (name, states, target, command) in commands {
        let row = Row::new(states, target, name);
        let (mut client, expected) = walk.prepare(&row);
        walk.say(&row, &mut client, expected, |client| {
            answered(client, command)
        });
    }
    walk.finish(commands.len(), 1);
}

#[test]
fn commands_about_prepared_statements_arrive_where_they_should() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    // State, target, what is prepared.
    let executions = [
        ("ac", "REPLICA", "SELECT 1"),
        ("ac", "PRIMARY", "SELECT LAST_INSERT_ID()"),
        ("ac", "PRIMARY", "UPDATE t1 SET v = v"),
        ("ac", "ALL", "SET @a = 1"),
        ("ac", "LAST", "SELECT FOUND_ROWS()"),
        ("ac", "LAST", "SELECT ROW_COUNT()"),
        ("rw", "TRX", "SELECT 1"),
        ("ro", "TRX", "SELECT 1"),
        ("ac0", "TRX", "SELECT 1"),
        ("tmp", "PRIMARY", "SELECT * FROM tt"),
        ("tmp", "PRIMARY", "INSERT INTO tt VALUES (1)"),
    ];
    for (states, target, text) in executions {
        let row = Row::new(states, target, text);
        let (mut client, expected) = walk.prepare(&row);
        let id = client.prepare(text).expect("prepared");
        walk.say(&row, &mut client, expected, |client| execute(client, id));
        // The one prepared last, by its other name.
        let (mut client, expected) = walk.prepare(&row);
        client.prepare(text).expect("prepared");
        walk.say(&row, &mut client, expected, |client| {
            execute(client, u32::MAX)
        });
    }
    for (command, target) in [
        (COM_STMT_RESET, "ALL"),
        // With the execution that follows, at one server.
        (COM_STMT_SEND_LONG_DATA, "REPLICA"),
    ] {
        let row = Row::new("ac", target, &format!("command {command:#x}"));
        let (mut client, expected) = walk.prepare(&row);
        let id = client.prepare("SELECT ?").expect("prepared").to_le_bytes();
        walk.say(&row, &mut client, expected, |client| {
            if command != COM_STMT_SEND_LONG_DATA {
                return answered(client, &[&[command], &id[..]].concat());
            }
            answered(client, &[&[command], &id[..], &[0, 0, b'x']].concat());
            let typed = [&[COM_STMT_EXECUTE], &id[..], &[0, 1, 0, 0, 0, 0, 1, 253, 0]];
            answered(client, &typed.concat())
        });
    }
    // Where it is not prepared yet it is closed later than a mark would say.
    let mut client = walk.session();
    let id = client.prepare("SELECT ?").expect("prepared").to_le_bytes();
    answered(&mut client, &[&[COM_STMT_CLOSE], &id[..]].concat());
    walk.watch.wait_for_all("Close stmt");
    let row = Row::new("ac", "PROXY", "a statement that nobody has prepared");
    let (mut client, expected) = walk.prepare(&row);
    walk.say(&row, &mut client, expected, |client| {
        let replies = execute(client, 99);
        assert_eq!(replies[0].error_code(), Some(1243), "{replies:?}");
        replies
    });
    walk.finish(1, 1);
}
