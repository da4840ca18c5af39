//! Commands that are sent one behind the other, of which the later ones name what the earlier prepare.

use tidegate_testkit::raw::{Login, RawClient};

use super::{COM_STMT_CLOSE, COM_STMT_EXECUTE, named};
use crate::house::{Plan, group, value};

/// The statement prepared just before.
const LAST: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
enum Step {
    Prepare(&'static str),
    /// Of the last one, without parameters.
    Execute,
    /// Of the last one, with one text.
    ExecuteWith(&'static str),
    /// Of the last one.
    Close,
    Query(&'static str),
}

use Step::{Close, Execute, ExecuteWith, Prepare, Query};

const BAD: Step = Prepare("SELECT nonsense FROM nowhere");

const PIPELINES: &[&[Step]] = &[
    &[Prepare("SELECT 'one'"), Execute, Query("SELECT 'two'")],
    &[BAD, Execute, Query("SELECT 'two'")],
    &[BAD, Close, Query("SELECT 'two'")],
    &[Prepare("SELECT 'one'"), BAD, Execute, Query("SELECT 'two'")],
    &[BAD, Execute, Prepare("SELECT 'one'"), Execute, Execute],
    &[BAD, Execute, BAD, Execute, BAD, Execute, Query("DO 1")],
    &[
        Prepare("SELECT 'one'"),
        Execute,
        Close,
        Execute,
        Query("SELECT 'two'"),
    ],
    &[
        Prepare("SELECT CONCAT(?)"),
        ExecuteWith("a"),
        ExecuteWith("b"),
    ],
    &[
        Prepare("SELECT CONCAT(?"),
        ExecuteWith("a"),
        Prepare("SELECT CONCAT(?)"),
        ExecuteWith("b"),
    ],
    &[
        Prepare("SELECT 'one'"),
        Execute,
        Prepare("SELECT 'two'"),
        Execute,
        Prepare("SELECT 'three'"),
        Execute,
    ],
    &[
        Query("BEGIN"),
        Prepare("SELECT 'one'"),
        Execute,
        Query("COMMIT"),
        Execute,
    ],
    &[
        Prepare("SELECT 'one'"),
        Query("BEGIN"),
        Execute,
        Query("ROLLBACK"),
        Execute,
        Close,
    ],
    &[
        Prepare("SET @pipe = 'set'"),
        Execute,
        Prepare("SELECT @pipe"),
        Execute,
    ],
    &[
        Prepare("INSERT INTO nowhere VALUES (?)"),
        ExecuteWith("a"),
        Query("SELECT 'two'"),
    ],
    &[
        Prepare("DO 1"),
        Execute,
        BAD,
        Execute,
        Query("SELECT 'two'"),
        Execute,
    ],
    &[Execute, Prepare("SELECT 'one'"), Execute],
];

impl Step {
    fn command(self) -> Vec<u8> {
        match self {
            Prepare(text) => [&[0x16], text.as_bytes()].concat(),
            Execute => named(COM_STMT_EXECUTE, LAST, &[0, 1, 0, 0, 0]),
            ExecuteWith(text) => {
                let length = u8::try_from(text.len()).expect("a short text");
                let head = [0, 1, 0, 0, 0, 0, 1, 253, 0, length];
                named(COM_STMT_EXECUTE, LAST, &[&head, text.as_bytes()].concat())
            }
            Close => named(COM_STMT_CLOSE, LAST, &[]),
            Query(text) => [&[0x03], text.as_bytes()].concat(),
        }
    }

    /// The answer in words.
    fn answer(self, client: &mut RawClient) -> String {
        if matches!(self, Close) {
            return "nothing".to_owned();
        }
        client.packets().expect_answer();
        if matches!(self, Prepare(_)) {
            return match prepared(client) {
                Ok(_) => "prepared".to_owned(),
                Err(error) => error
                    .split_once(':')
                    .map_or(error.clone(), |(code, _)| code.to_owned()),
            };
        }
        let replies = client.replies().expect("an answer");
        match self {
            Query(_) if replies[0].text_rows().is_ok() => replies[0].text_value().expect("a value"),
            _ => super::said(&replies[0]),
        }
    }
}

/// Reads the answer to a COM_STMT_PREPARE: the id, or the error's number and text.
pub(super) fn prepared(client: &mut RawClient) -> Result<u32, String> {
    let answer = client.packets().read().expect("an answer");
    if answer[0] == 0xFF {
        let code = u16::from_le_bytes([answer[1], answer[2]]);
        return Err(format!("{code}: {}", String::from_utf8_lossy(&answer[3..])));
    }
    for count in [[answer[7], answer[8]], [answer[5], answer[6]]] {
        let count = u16::from_le_bytes(count);
        // An end behind the definitions, if there are any.
        for _ in 0..count + u16::from(count > 0) {
            client.packets().read().expect("a definition");
        }
    }
    Ok(u32::from_le_bytes([
        answer[1], answer[2], answer[3], answer[4],
    ]))
}

/// Everything is written at once, and read then.
fn outcome(client: &mut RawClient, steps: &[Step]) -> Vec<String> {
    let mut bytes = Vec::new();
    for step in steps {
        let command = step.command();
        bytes.extend_from_slice(&command.len().to_le_bytes()[..3]);
        bytes.push(0);
        bytes.extend(command);
    }
    client.packets().write_bytes(&bytes).expect("sent");
    steps.iter().map(|step| step.answer(client)).collect()
}

#[test]
fn what_is_executed_right_behind_its_preparation_ends_as_on_a_server() {
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&group().accounts().app).database("test");
    let connect = |address| RawClient::connect(address, &login).expect("a login");
    for port in ["rw", "read"] {
        let mut one_session = connect(tidegate.address(port));
        let mut one_connection = connect(group().primary().address());
        for steps in PIPELINES {
            let mut direct = connect(group().primary().address());
            let mut client = connect(tidegate.address(port));
            let expected = outcome(&mut direct, steps);
            assert_eq!(outcome(&mut client, steps), expected, "{port}: {steps:?}");
            assert_eq!(value(&mut client, "SELECT 1"), "1");
            // And with all that was before.
            let expected = outcome(&mut one_connection, steps);
            assert_eq!(
                outcome(&mut one_session, steps),
                expected,
                "{port}: {steps:?}"
            );
        }
    }
}
