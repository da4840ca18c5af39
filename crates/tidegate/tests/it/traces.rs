//! Statement traces of applications, run directly and through both routers: the answers are equal.
//!
//! Reads may go to replicas, and nothing here waits for them on its own, so the test waits after
//! each change until it has arrived there. What that leaves out, causal reads are for.

use std::collections::HashMap;
use std::net::SocketAddr;

use tidegate_testkit::ServerGroup;
use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};

use crate::house::{Plan, group};

const TRACES: [(&str, &str); 2] = [
    ("blog", include_str!("../../../../bench/traces/blog.trace")),
    ("orm", include_str!("../../../../bench/traces/orm.trace")),
];

const COM_INIT_DB: u8 = 0x02;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_RESET_CONNECTION: u8 = 0x1F;

/// A step with the text it was written as.
#[derive(Debug)]
struct Step {
    line: usize,
    verb: char,
    rest: String,
}

/// The steps of a trace; a line that begins with a blank belongs to the one before.
fn steps(trace: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in (1..).zip(trace.lines()) {
        if text.starts_with('#') || text.is_empty() {
            continue;
        }
        if let Some(more) = text.strip_prefix(' ') {
            let step = steps.last_mut().expect("a line to go on with");
            step.rest.push(' ');
            step.rest.push_str(more.trim_start());
            continue;
        }
        let verb = text.chars().next().expect("a verb");
        let rest = text[1..].trim_start().to_owned();
        steps.push(Step { line, verb, rest });
    }
    steps
}

/// A client that runs a trace.
struct Runner {
    client: RawClient,
    prepared: HashMap<String, u32>,
    texts: HashMap<String, String>,
}

impl Runner {
    fn connect(address: SocketAddr) -> Runner {
        let login = Login::new(&group().accounts().admin)
            .database("trace")
            .capabilities(CLIENT_MULTI_STATEMENTS);
        Runner {
            client: RawClient::connect(address, &login).expect("a login"),
            prepared: HashMap::new(),
            texts: HashMap::new(),
        }
    }

    /// What the client got, in words that can be compared.
    fn run(&mut self, step: &Step) -> String {
        match step.verb {
            'q' => {
                self.client.send_query(&step.rest).expect("sent");
                self.replies(step.rest.contains("ORDER BY"))
            }
            'p' => {
                let (name, sql) = step.rest.split_once(' ').expect("a name and a text");
                match self.client.prepare(sql) {
                    Ok(id) => {
                        self.prepared.insert(name.to_owned(), id);
                        self.texts.insert(name.to_owned(), sql.to_owned());
                        "prepared".to_owned()
                    }
                    Err(error) => format!("{error:#}"),
                }
            }
            'e' => {
                let mut words = step.rest.split('|').map(str::trim);
                let name = words.next().expect("a name");
                let values: Vec<&str> = words.collect();
                let reply = self.client.execute(self.prepared[name], &values);
                told(
                    &reply.expect("a reply"),
                    self.texts[name].contains("ORDER BY"),
                )
            }
            'c' => {
                let id = self.prepared[&step.rest].to_le_bytes();
                let close = [&[COM_STMT_CLOSE], &id[..]].concat();
                self.client.send(&close).expect("sent");
                "closed".to_owned()
            }
            'd' => self.command(&[&[COM_INIT_DB], step.rest.as_bytes()].concat()),
            'r' => self.command(&[COM_RESET_CONNECTION]),
            other => panic!("no verb {other} in line {}", step.line),
        }
    }

    fn command(&mut self, command: &[u8]) -> String {
        self.client.send(command).expect("sent");
        self.replies(true)
    }

    fn replies(&mut self, ordered: bool) -> String {
        let replies = self.client.replies().expect("replies");
        let told: Vec<String> = replies.iter().map(|it| told(it, ordered)).collect();
        told.join("\n")
    }

    /// Can the step have changed what replicas must know?
    fn may_write(&self, step: &Step) -> bool {
        let text = match step.verb {
            'q' => Some(step.rest.as_str()),
            'e' => {
                let name = step.rest.split('|').next().unwrap_or_default();
                self.texts.get(name.trim()).map(String::as_str)
            }
            _ => None,
        };
        let reads = ["SELECT", "SHOW", "DESCRIBE", "SET", "WITH"];
        text.is_some_and(|text| !reads.iter().any(|word| text.starts_with(word)))
    }
}

/// What of a status word is about session and reply: the transaction and its kind, autocommit,
/// results and rows to come. The rest tells which index the optimizer chose.
const STATUS: u16 = 0x20CB;

/// A reply in words that can be compared; rows in no order where none was asked for.
fn told(reply: &Reply, ordered: bool) -> String {
    match reply {
        Reply::Rows {
            columns,
            rows,
            status,
        } => {
            let mut rows: Vec<String> = rows
                .iter()
                .map(|row| row.escape_ascii().to_string())
                .collect();
            if !ordered {
                rows.sort();
            }
            let status = status & STATUS;
            format!("{columns} columns, {status:#x}: {}", rows.join(" | "))
        }
        Reply::Ok {
            affected_rows,
            last_insert_id,
            status,
            warnings,
        } => {
            let status = status & STATUS;
            format!("OK {affected_rows} {last_insert_id} {status:#x} {warnings}")
        }
        Reply::Err { .. } => format!("{reply:?}"),
    }
}

fn empty_database(group: &ServerGroup) {
    group
        .primary()
        .sql("DROP DATABASE IF EXISTS trace; CREATE DATABASE trace CHARACTER SET utf8mb4")
        .expect("a database");
    group.wait_replicated().expect("on the replicas");
}

/// All answers of a trace.
fn answers(trace: &str, address: SocketAddr, group: &ServerGroup) -> Vec<(Step, String)> {
    empty_database(group);
    let mut runner = Runner::connect(address);
    let run = |step: Step| {
        let answer = runner.run(&step);
        if runner.may_write(&step) {
            group.wait_replicated().expect("on the replicas");
        }
        (step, answer)
    };
    steps(trace).into_iter().map(run).collect()
}

#[test]
fn traces_of_applications_give_the_same_answers_through_both_routers() {
    let group = group();
    // The proxy knows the databases there are from its start on.
    empty_database(group);
    let tidegate = Plan::new(group).read("router_options=master\n").start();
    for (name, trace) in TRACES {
        let direct = answers(trace, group.primary().address(), group);
        let failed = direct.iter().filter(|(_, it)| it.contains("Err {")).count();
        assert!(failed < direct.len() / 8, "{name}: {failed} errors");
        for port in ["rw", "read"] {
            let routed = answers(trace, tidegate.address(port), group);
            for ((step, expected), (_, answer)) in direct.iter().zip(&routed) {
                let Step { line, rest, .. } = step;
                assert_eq!(answer, expected, "{name}, line {line} by {port}: {rest}");
            }
            assert_eq!(routed.len(), direct.len());
        }
    }
    let split = crate::house::document(&tidegate, "/v1/services/RW-Split-Router");
    let diagnostics = &split["data"]["attributes"]["router_diagnostics"];
    let count = |name: &str| diagnostics[name].as_u64().unwrap_or_default();
    assert!(
        count("route_slave") > 30 && count("route_master") > 30,
        "{diagnostics:#}"
    );
}
