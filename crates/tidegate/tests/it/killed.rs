//! A session with much state whose server connections are cut at random bytes: it goes on with the
//! answers it would have got, or is told in one clear error that it cannot. Never a wrong answer.
//!
//! The session has hundreds of prepared statements, user variables and a temporary table, and
//! writes rows with numbers of their own. What is expected comes from a model of it: every answer
//! is known, but for what an error has left open.

use std::collections::BTreeMap;

use tidegate_testkit::fuzz::Random;
use tidegate_testkit::raw::{Login, RawClient, Reply, take_lenenc_bytes};
use tidegate_testkit::{Count, Relay, Server, ServerGroup, Tidegate, wait_until};

use crate::house::Plan;

/// Statements that a session has prepared.
const PREPARED: usize = 500;

/// User variables that it uses.
const VARIABLES: usize = 10;

/// Steps of a round after the cut, and the most before it.
const STEPS_AFTER: usize = 12;
const MOST_STEPS: usize = 300;

/// The most bytes that pass before a cut.
const MOST_BYTES: usize = 12_000;

/// Values of which one is the right one: more than one where an error left the outcome open.
type Possible = Vec<String>;

/// Why a session can no longer be used.
#[derive(Debug)]
enum Trouble {
    /// It was told.
    Told(u16, String),
    /// Its connection was closed without a word.
    Closed(String),
}

/// What came of a round.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    pub(crate) cuts: u64,
    told: BTreeMap<String, u64>,
    closed: BTreeMap<String, u64>,
}

/// The application: a connection and what it knows of its own state.
struct App<'a> {
    client: RawClient,
    number: usize,
    statements: Vec<u32>,
    variables: Vec<Possible>,
    temporary: Possible,
    /// Numbers of rows that were acknowledged, and of those that may or may not be there.
    written: Vec<u64>,
    unsure: Vec<u64>,
    next: u64,
    tally: &'a mut Tally,
}

/// The text of a prepared statement; its parameter is a number.
fn text(index: usize) -> String {
    let variable = index % VARIABLES;
    let what = match index % 5 {
        0 => format!("{index} + ?"),
        1 => format!("CONCAT(@v{variable}, '-', ?)"),
        2 => format!("(SELECT COUNT(*) FROM kept) + 0 * {index} + 0 * ?"),
        3 => format!("(SELECT v FROM base WHERE id = {}) * ?", variable + 1),
        _ => format!("CONCAT(?, '/', (SELECT SUM(v) FROM base), '/{index}')"),
    };
    format!("SELECT CAST({what} AS CHAR)")
}

impl<'a> App<'a> {
    fn start(number: usize, tidegate: &Tidegate, login: &Login, tally: &'a mut Tally) -> App<'a> {
        // The cut that ended the session before may have made a server look down for a moment.
        let mut started = None;
        wait_until("a session", || {
            started = App::try_start(tidegate, login).ok();
            started.is_some()
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
        let (client, statements) = started.expect("a session");
        App {
            client,
            number,
            statements,
            variables: (0..VARIABLES)
                .map(|ix| vec![format!("first{ix}")])
                .collect(),
            temporary: vec!["0".to_owned()],
            written: Vec::new(),
            unsure: Vec::new(),
            next: 0,
            tally,
        }
    }

    fn try_start(tidegate: &Tidegate, login: &Login) -> anyhow::Result<(RawClient, Vec<u32>)> {
        let mut client = RawClient::connect(tidegate.address("rw"), login)?;
        for ix in 0..VARIABLES {
            ok(client.query(&format!("SET @v{ix} = 'first{ix}'"))?)?;
        }
        ok(client.query("CREATE TEMPORARY TABLE kept (a INT)")?)?;
        let prepare = |ix| client.prepare(&text(ix));
        let statements = (0..PREPARED).map(prepare).collect::<Result<_, _>>()?;
        Ok((client, statements))
    }

    /// One thing that an application does.
    fn step(&mut self, random: &mut Random) -> Result<(), Trouble> {
        match random.below(20) {
            0..=9 => self.execute(random.below(PREPARED), random.below(90)),
            10 | 11 => self.assign(random.below(VARIABLES)),
            12 | 13 => {
                let ix = random.below(VARIABLES);
                let reply = self.query(&format!("SELECT @v{ix}"))?;
                self.check(&reply, |app| app.variables[ix].clone())
            }
            14 => self.keep(),
            15 => self.write(),
            16 => self.transaction(),
            17 => self.count_written(),
            _ => self.prepare_anew(random.below(PREPARED)),
        }
    }

    fn query(&mut self, sql: &str) -> Result<Reply, Trouble> {
        let reply = self.client.query(sql);
        self.answer(reply)
    }

    fn answer(&mut self, reply: anyhow::Result<Reply>) -> Result<Reply, Trouble> {
        match reply {
            Ok(Reply::Err { code, message, .. }) => Err(Trouble::Told(code, message)),
            Ok(reply) => {
                self.tally.answers += 1;
                Ok(reply)
            }
            Err(error) => Err(Trouble::Closed(format!("{error:#}"))),
        }
    }

    /// The one value of a reply has to be one of those that are possible.
    fn check(
        &mut self,
        reply: &Reply,
        possible: impl Fn(&Self) -> Possible,
    ) -> Result<(), Trouble> {
        let value = reply.text_value().expect("a value");
        self.check_value(&value, &possible(self));
        Ok(())
    }

    fn check_value(&self, value: &str, possible: &[String]) {
        assert!(
            possible.iter().any(|it| it == value),
            "session {}: {value:?} instead of {possible:?}",
            self.client.connection_id()
        );
    }

    fn execute(&mut self, index: usize, parameter: usize) -> Result<(), Trouble> {
        let reply = self
            .client
            .execute(self.statements[index], &[&parameter.to_string()]);
        let reply = self.answer(reply)?;
        let Reply::Rows { rows, .. } = &reply else {
            panic!("no rows but {reply:?}");
        };
        // A header and one byte of null bits, then the text.
        let mut row = &rows[0][2..];
        let value = take_lenenc_bytes(&mut row).expect("a text");
        let value = String::from_utf8_lossy(value).into_owned();
        let variable = index % VARIABLES;
        let possible: Possible = match index % 5 {
            0 => vec![(index + parameter).to_string()],
            1 => self.variables[variable]
                .iter()
                .map(|it| format!("{it}-{parameter}"))
                .collect(),
            2 => self.temporary.clone(),
            3 => vec![((variable + 1) * 10 * parameter).to_string()],
            _ => vec![format!("{parameter}/550/{index}")],
        };
        self.check_value(&value, &possible);
        Ok(())
    }

    fn assign(&mut self, ix: usize) -> Result<(), Trouble> {
        self.next += 1;
        let value = format!("value{}", self.next);
        self.variables[ix].push(value.clone());
        self.query(&format!("SET @v{ix} = '{value}'"))?;
        self.variables[ix] = vec![value];
        Ok(())
    }

    /// A row of the temporary table.
    fn keep(&mut self) -> Result<(), Trouble> {
        let more: Possible = self.temporary.iter().map(|it| plus(it, 1)).collect();
        let before = std::mem::take(&mut self.temporary);
        self.temporary = [before, more.clone()].concat();
        self.query("INSERT INTO kept VALUES (1)")?;
        self.temporary = more;
        Ok(())
    }

    fn insert(&mut self) -> Result<u64, Trouble> {
        self.next += 1;
        let number = self.next;
        self.unsure.push(number);
        self.query(&format!(
            "INSERT INTO journal VALUES ({}, {number})",
            self.number
        ))?;
        Ok(number)
    }

    fn acknowledge(&mut self, numbers: &[u64]) {
        self.unsure.retain(|it| !numbers.contains(it));
        self.written.extend_from_slice(numbers);
    }

    fn write(&mut self) -> Result<(), Trouble> {
        let number = self.insert()?;
        self.acknowledge(&[number]);
        Ok(())
    }

    fn transaction(&mut self) -> Result<(), Trouble> {
        self.query("BEGIN")?;
        let numbers = [self.insert()?, self.insert()?];
        self.query("COMMIT")?;
        self.acknowledge(&numbers);
        Ok(())
    }

    fn count_written(&mut self) -> Result<(), Trouble> {
        let sql = format!(
            "SELECT COUNT(*) FROM journal WHERE session = {} FOR UPDATE",
            self.number
        );
        let reply = self.query(&sql)?;
        self.check(&reply, |app| {
            (0..=app.unsure.len())
                .map(|unsure| (app.written.len() + unsure).to_string())
                .collect()
        })
    }

    fn prepare_anew(&mut self, index: usize) -> Result<(), Trouble> {
        const COM_STMT_CLOSE: u8 = 0x19;
        let id = self.statements[index].to_le_bytes();
        let close = [&[COM_STMT_CLOSE], &id[..]].concat();
        let closed = self.client.send(&close);
        closed.map_err(|error| Trouble::Closed(format!("{error:#}")))?;
        match self.client.prepare(&text(index)) {
            Ok(id) => self.statements[index] = id,
            Err(error) => {
                // The client tells an error packet in words.
                let told = format!("{error:#}");
                return Err(match told.strip_prefix("refused: ") {
                    Some(told) => Trouble::Told(0, told.to_owned()),
                    None => Trouble::Closed(told),
                });
            }
        }
        self.tally.answers += 1;
        Ok(())
    }

    /// Rows that were acknowledged are there once, others at most once.
    fn check_journal(&self, primary: &Server) {
        let rows = primary
            .rows(&format!(
                "SELECT n, COUNT(*) FROM test.journal WHERE session = {} GROUP BY n",
                self.number
            ))
            .expect("the journal");
        let found: BTreeMap<u64, u64> = rows
            .iter()
            .map(|row| {
                (
                    row[0].parse().expect("a number"),
                    row[1].parse().expect("a count"),
                )
            })
            .collect();
        for number in &self.written {
            assert_eq!(found.get(number), Some(&1), "row {number}");
        }
        for (number, count) in &found {
            let known = self.written.contains(number) || self.unsure.contains(number);
            assert!(known && *count == 1, "row {number}: {count}");
        }
    }
}

fn plus(count: &str, more: u64) -> String {
    (count.parse::<u64>().expect("a count") + more).to_string()
}

fn ok(reply: Reply) -> anyhow::Result<()> {
    match reply {
        Reply::Ok { .. } => Ok(()),
        other => anyhow::bail!("{other:?}"),
    }
}

/// The error says what happened, in words of ours or of the server's that went.
fn is_clear(code: u16, message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "server_lost",
        "no_server",
        "server_protocol",
        "server_login",
        "session_command",
        "Tidegate",
    ];
    // A temporary table that went with the primary.
    code == 1146 || WORDS.iter().any(|word| message.contains(word))
}

#[test]
fn a_session_whose_connections_are_cut_anywhere_gets_right_answers_or_a_clear_error() {
    let group = ServerGroup::start(2).expect("a server group");
    let tally = survive(&group, "", "", 300, |_| {});
    assert!(tally.answers > 5 * tally.cuts, "{tally:?}");
}

#[test]
fn with_replay_a_session_whose_connections_are_cut_anywhere_gets_right_answers_too() {
    let group = ServerGroup::start(2).expect("a server group");
    let lines = "transaction_replay=true\ndelayed_retry=true\n";
    let tally = survive(&group, "", lines, 100, |_| {});
    assert!(tally.answers > 5 * tally.cuts, "{tally:?}");
}

/// Cuts so often; the lines are for the listener and for the service. `introduce` is called before the first
/// login.
pub(crate) fn survive(
    group: &ServerGroup,
    listener: &str,
    lines: &str,
    cuts: u64,
    introduce: impl FnOnce(&Tidegate),
) -> Tally {
    group
        .primary()
        .sql(
            "USE test;
             CREATE TABLE test.base (id INT PRIMARY KEY, v INT);
             INSERT INTO test.base VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60),
                                           (7, 70), (8, 80), (9, 90), (10, 100);
             CREATE TABLE test.journal (session INT, n INT, KEY (session))",
        )
        .expect("the tables");
    group.wait_replicated().expect("on the replicas");
    let relays: Vec<Relay> = group
        .servers()
        .iter()
        .map(|server| Relay::start(server.address()).expect("a relay"))
        .collect();
    let plan = group.servers().iter().zip(&relays).fold(
        Plan::new(group).listener(listener),
        |plan, (server, relay)| plan.at(server.name(), relay.address()),
    );
    let text = plan
        .text()
        .replace("log_info=true", "log_info=false")
        .replace(
            "[RW-Split-Router]\n",
            &format!("[RW-Split-Router]\n{lines}"),
        );
    let tidegate = Tidegate::start(&text).expect("tidegate");
    introduce(&tidegate);
    let login = Login::new(&group.accounts().app).database("test");
    let mut count = Count::of("TIDEGATE_KILL_POINTS", cuts);
    let mut random = Random::new(1);
    let mut tally = Tally::default();
    let mut number = 0;
    while tally.cuts < count.total() {
        number += 1;
        let mut app = App::start(number, &tidegate, &login, &mut tally);
        let trouble = live(&mut app, &relays, &mut random, count.total());
        app.check_journal(group.primary());
        match trouble {
            None => {}
            Some(Trouble::Told(code, message)) => {
                assert!(is_clear(code, &message), "{code}: {message}");
                *tally.told.entry(code.to_string()).or_default() += 1;
            }
            // Where a packet had begun there is no place for an error.
            Some(Trouble::Closed(how)) => {
                assert!(how.contains("a packet was cut off"), "{how}");
                *tally.closed.entry(how).or_default() += 1;
            }
        }
        count.progress(tally.cuts);
    }
    println!("{tally:#?}");
    tally
}

/// Lives through one cut after the other until one is too much.
fn live(app: &mut App<'_>, relays: &[Relay], random: &mut Random, cuts: u64) -> Option<Trouble> {
    while app.tally.cuts < cuts {
        let relay = random.pick(relays);
        relay.cut_after(random.below(MOST_BYTES) as u64);
        let mut after = 0;
        for _ in 0..MOST_STEPS {
            if let Err(trouble) = app.step(random) {
                app.tally.cuts += u64::from(!relay.is_armed());
                return Some(trouble);
            }
            after += usize::from(!relay.is_armed());
            if after > STEPS_AFTER {
                break;
            }
        }
        if relay.is_armed() {
            relay.cut();
            continue;
        }
        app.tally.cuts += 1;
    }
    None
}
