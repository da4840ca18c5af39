//! One client on all ways, and the comparison.

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{PATIENCE, Server, ServerGroup, wait_for, wait_until};

use crate::driver::{Client, Destination, Driver};
use crate::scenario::{Expect, Step, steps};
use crate::stage::{Stage, WAYS, Way, stage};

/// What the client got at each step, on one way.
type Answers = Vec<String>;

/// In the place of an answer to a step that was left out.
const LEFT_OUT: &str = "left out";

/// Runs the scenario with a client on all ways.
///
/// # Panics
/// A step failed without a proxy that should not have, or the other way round; or an answer by a
/// router differs.
pub(crate) fn check(client: &Client) {
    let database = format!("clients_{}", client.name);
    let other = format!("{database}_too");
    let stage = stage();
    let steps = steps(|text| {
        text.replace("<database>", &database)
            .replace("<database2>", &other)
            .replace("<user2>", &stage.other.user)
            .replace("<password2>", &stage.other.password)
            .replace("<files>", &stage.files.display().to_string())
    });
    let run = |way| {
        stage.empty(&[&database, &other]);
        Run::new(client, stage, way, &database).answers(&steps)
    };
    let [direct, routed @ ..] = WAYS.map(run);
    for (step, answer) in steps.iter().zip(&direct) {
        println!("{} {}: {answer}", step.line, step.verb);
        plausible(client, step, answer);
    }
    let differences: Vec<String> = WAYS[1..]
        .iter()
        .zip(&routed)
        .flat_map(|(way, answers)| differences(*way, &steps, &direct, answers))
        .collect();
    assert!(
        differences.is_empty(),
        "{}: {} differences\n{}",
        client.name,
        differences.len(),
        differences.join("\n")
    );
}

/// Without a proxy a step goes as the scenario says, or the client is known not to have it.
fn plausible(client: &Client, step: &Step, answer: &str) {
    let Step {
        line, verb, fields, ..
    } = step;
    if answer == LEFT_OUT {
        return;
    }
    let options = if verb == "open" { &fields[1..] } else { &[] };
    let lacking = client.lacks.iter().any(|lack| {
        let option = lack.strip_prefix("open ");
        verb == lack || option.is_some_and(|option| options.iter().any(|it| it.starts_with(option)))
    });
    assert_eq!(
        answer == "unsupported",
        lacking,
        "{}, line {line}, {verb} {:?}: {answer}",
        client.name,
        step.fields
    );
    if lacking {
        return;
    }
    let failed = answer.starts_with("error");
    let expected = match step.expect {
        Expect::Success => !failed,
        Expect::Failure => failed,
        Expect::Either => true,
    };
    assert!(
        expected,
        "{}, line {line}, {verb} {:?} without a proxy: {answer}",
        client.name, step.fields
    );
}

fn differences(way: Way, steps: &[Step], direct: &Answers, routed: &Answers) -> Vec<String> {
    let all = steps.iter().zip(direct.iter().zip(routed));
    all.filter(|(_, (expected, answer))| expected != answer)
        .map(|(step, (expected, answer))| {
            let Step {
                line, verb, fields, ..
            } = step;
            format!("line {line}, {verb} {fields:?}\n  direct: {expected}\n  {way:?}: {answer}")
        })
        .collect()
}

/// A client on one way.
struct Run<'a> {
    client: &'a Client,
    stage: &'a Stage,
    way: Way,
    database: String,
    driver: Driver,
    /// The last connection id that the client was told.
    id: Option<String>,
    /// Somebody with the same account who kills.
    killer: RawClient,
    abreast: Abreast,
}

/// Sees to it that replicas have what the primary has.
struct Abreast {
    primary: RawClient,
    replicas: Vec<RawClient>,
}

impl Abreast {
    fn new(group: &ServerGroup) -> Abreast {
        let login = Login::new(&group.accounts().admin);
        let connect = |server: &Server| RawClient::connect(server.address(), &login);
        Abreast {
            primary: connect(group.primary()).expect("a login"),
            replicas: group
                .replicas()
                .iter()
                .map(|replica| connect(replica).expect("a login"))
                .collect(),
        }
    }

    fn wait(&mut self) {
        let value = |client: &mut RawClient, sql: &str| {
            let reply = client.query(sql).expect("a reply");
            reply.text_value().expect("a value")
        };
        let position = value(&mut self.primary, "SELECT @@gtid_binlog_pos");
        let wait = format!("SELECT MASTER_GTID_WAIT('{position}', 60)");
        for replica in &mut self.replicas {
            assert_eq!(value(replica, &wait), "0", "a replica lags");
        }
    }
}

impl<'a> Run<'a> {
    fn new(client: &'a Client, stage: &'a Stage, way: Way, database: &str) -> Run<'a> {
        let to = Destination {
            address: stage.address(way),
            tls: stage.tls_address(way),
            account: stage.account.clone(),
            database: database.to_owned(),
            ca: stage.ca.clone(),
        };
        let killer = RawClient::connect(to.address, &Login::new(&stage.account));
        Run {
            client,
            stage,
            way,
            database: to.database.clone(),
            driver: client.start(&to),
            id: None,
            killer: killer.expect("a login"),
            abreast: Abreast::new(&stage.group),
        }
    }

    /// What is done on a connection that the client cannot have is left out.
    fn answers(mut self, steps: &[Step]) -> Answers {
        let mut lacking: Option<&String> = None;
        let mut answers = Answers::new();
        for step in steps {
            if let Some(name) = lacking {
                if step.verb == "close" && step.fields.first() == Some(name) {
                    lacking = None;
                }
                answers.push(LEFT_OUT.to_owned());
                continue;
            }
            let answer = self.step(step);
            if step.verb == "open" && answer == "unsupported" {
                lacking = step.fields.first();
            }
            answers.push(answer);
        }
        answers
    }

    fn step(&mut self, step: &Step) -> String {
        println!("{:?}, {}: {}", self.way, step.line, step.verb);
        let answer = match step.verb.as_str() {
            "id" => self.learn_id(),
            "killed-statement" => self.kill_statement(&step.fields),
            "killed" => self.kill(),
            // A server closes without a word, Tidegate says why (1927); both are errors.
            "gone" => {
                let answer = self.ask("query", &step.fields);
                answer.split(' ').next().unwrap_or_default().to_owned()
            }
            // Statements that some clients cannot have: no files of theirs go out, an error amid
            // several results is hidden or waited for without end.
            verb @ ("load" | "second-fails") => {
                if self.client.lacks.contains(&verb) {
                    "unsupported".to_owned()
                } else {
                    self.ask("query", &step.fields)
                }
            }
            verb => self.ask(verb, &step.fields),
        };
        if self.way == Way::ReadWriteSplit {
            // Reads may go to replicas, which need not have what was written yet.
            self.abreast.wait();
        }
        self.comparable(&answer)
    }

    fn ask(&mut self, verb: &str, fields: &[String]) -> String {
        self.driver.send(verb, fields);
        self.driver.answer()
    }

    /// The answer without what differs by itself, which only errors name.
    fn comparable(&self, answer: &str) -> String {
        if !answer.starts_with("error") {
            return answer.to_owned();
        }
        let ports = [
            self.stage.address(self.way),
            self.stage.tls_address(self.way),
        ];
        ports.iter().fold(answer.to_owned(), |text, address| {
            text.replace(&address.port().to_string(), "<port>")
        })
    }

    fn learn_id(&mut self) -> String {
        let answer = self.ask("query", &["SELECT CONNECTION_ID() AS id".to_owned()]);
        let digits: String = answer.chars().filter(char::is_ascii_digit).collect();
        let told = answer.replace(&digits, "<id>");
        self.id = Some(digits);
        told
    }

    /// The client waits for a statement that somebody else ends.
    fn kill_statement(&mut self, fields: &[String]) -> String {
        self.driver.send("query", fields);
        let sql = &fields[0];
        wait_for("the statement to run", PATIENCE, || {
            Ok(self.runs(sql).then_some(()))
        })
        .expect("it runs");
        self.say("KILL QUERY");
        self.driver.answer()
    }

    fn runs(&self, sql: &str) -> bool {
        let look = format!(
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE info = '{sql}' AND db = '{}'",
            self.database
        );
        let servers = self.stage.group.servers().iter();
        servers
            .map(|server| server.value(&look).expect("a list"))
            .any(|count| count != "0")
    }

    fn kill(&mut self) -> String {
        self.say("KILL CONNECTION");
        wait_until("the end of the connection", || !self.is_there()).expect("killed");
        "killed".to_owned()
    }

    /// Is the client's connection known where it goes to?
    fn is_there(&self) -> bool {
        let id = self.id.as_deref().unwrap_or_default();
        if self.way == Way::Direct {
            let look =
                format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
            self.stage.group.primary().value(&look).expect("a list") != "0"
        } else {
            let rest = self.stage.tidegate.rest();
            let session = rest.get(&format!("/v1/sessions/{id}"));
            session.expect("an answer").status == 200
        }
    }

    fn say(&mut self, kill: &str) {
        let id = self.id.clone().expect("an id");
        let reply = self.killer.query(&format!("{kill} {id}")).expect("a reply");
        assert!(matches!(reply, Reply::Ok { .. }), "{kill}: {reply:?}");
    }
}
