//! Every form of KILL, side by side with a server's own.

use std::net::SocketAddr;

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};
use tidegate_testkit::{Tidegate, wait_until};

use super::{COM_PROCESS_KILL, is_closed, says_no_more};
use crate::house::{Plan, group};

/// Sessions of the account on one address.
struct Side {
    name: &'static str,
    address: SocketAddr,
    login: Login,
}

impl Side {
    fn connect(&self) -> RawClient {
        RawClient::connect(self.address, &self.login).expect("a login")
    }

    /// What the statement ends in, with the numbers of the sessions taken out, and what it leaves.
    fn outcome(&self, form: &str) -> String {
        wait_all_gone();
        let (mut killer, mut victim) = (self.connect(), self.connect());
        let ids = [killer.connection_id(), victim.connection_id()].map(|id| id.to_string());
        let sql = form.replace("{own}", &ids[0]).replace("{n}", &ids[1]);
        let named = |text: &str| text.replace(&ids[0], "{own}").replace(&ids[1], "{n}");
        let reply = killer.query(&sql);
        let reply = match &reply {
            Ok(Reply::Err { code, message, .. }) => format!("{code} {}", named(message)),
            Ok(Reply::Ok { affected_rows, .. }) => format!("OK {affected_rows}"),
            Ok(Reply::Rows { .. }) => "rows".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        let left = |client: &mut RawClient| match client.query("SELECT 1") {
            Ok(Reply::Rows { .. }) => "lives",
            Ok(_) | Err(_) => "closed",
        };
        let left = [left(&mut killer), left(&mut victim)];
        format!("{reply}; {left:?}")
    }
}

/// Waits until no server has a connection of the account: a KILL of a user counts them.
fn wait_all_gone() {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'kill_forms'";
    wait_until("the last sessions to end", || {
        let counts = group().servers().iter();
        let mut counts = counts.map(|server| server.value(sql).expect("a count"));
        counts.all(|count| count == "0")
    })
    .expect("they end");
}

/// Forms that end as on a server.
const SAME: &[&str] = &[
    "KILL {n}",
    "kill\t{n}\n;",
    "KILL CONNECTION {n}",
    "KILL QUERY {n}",
    "KILL HARD {n}",
    "KILL SOFT {n}",
    "KILL HARD CONNECTION {n}",
    "KILL SOFT CONNECTION {n}",
    "KILL HARD QUERY {n}",
    "KILL SOFT QUERY {n}",
    "KILL HARD QUERY {n} -- why",
    "KILL/**/{n}/* why */",
    "/* why */ KILL # here\n{n} # and there",
    "KILL /*! QUERY */ {n}",
    "KILL /*!50000 QUERY */ {n}",
    "KILL /*M!100000 QUERY*/ {n}",
    "KILL /*!999999 QUERY */ {n}",
    "/*! KILL {n} */",
    "/*!50000 KILL HARD */ /*M! CONNECTION */ {n}",
    "KILL {own}",
    "KILL CONNECTION {own}",
    "KILL HARD CONNECTION {own}",
    "KILL QUERY {own}",
    "KILL SOFT QUERY {own}",
    "KILL CONNECTION_ID()",
    "KILL CONNECTION_ID ( )",
    "KILL QUERY CONNECTION_ID()",
    "KILL HARD QUERY connection_id() ;",
    "KILL USER kill_forms",
    "KILL USER 'kill_forms'",
    "KILL USER `kill_forms`",
    "KILL USER \"kill_forms\"",
    "KILL USER kill_forms@'%'",
    "KILL USER kill_forms@`127.0.0.1`",
    "KILL USER 'kill_forms'@'127.0.0.1'",
    "KILL USER 'kill_forms' @'127.0.0.1'",
    "KILL USER 'kill_forms'@127.0.0.1",
    "KILL USER 'kill_forms'@localhost",
    "KILL USER 'kill_forms'@'10.9.8.7'",
    "KILL USER KILL_FORMS",
    "KILL HARD USER kill_forms",
    "KILL SOFT CONNECTION USER kill_forms",
    "KILL QUERY USER kill_forms",
    "KILL HARD QUERY USER kill_forms@'127.0.0.1'",
    "KILL USER CURRENT_USER",
    "KILL USER CURRENT_USER()",
    "KILL QUERY USER CURRENT_USER",
    "KILL SOFT QUERY USER CURRENT_USER ( )",
    "KILL USER nobody_at_all",
    "KILL QUERY USER nobody_at_all",
    "KILL USER root",
    "KILL 0",
    "KILL QUERY 0",
    "KILL 4294967295",
    "KILL 4294967296",
    "KILL 99999999999",
    "KILL 18446744073709551615",
    "SET STATEMENT max_statement_time=10 FOR KILL {n}",
    "SET STATEMENT max_statement_time=10 FOR KILL QUERY {n}",
    "EXPLAIN KILL {n}",
    "EXECUTE IMMEDIATE CONCAT('KILL ', 99999999)",
    "BEGIN NOT ATOMIC KILL @id; END",
];

/// Forms that a server would run with a number of its own, or refuse in other words, and the error that
/// they end in.
const REFUSED: &[(&str, u16)] = &[
    ("KILL ID {n}", 1235),
    ("KILL CONNECTION ID {n}", 1235),
    ("KILL HARD ID {n}", 1235),
    ("KILL QUERY ID 99999999", 1235),
    ("KILL HARD QUERY ID 99999999", 1235),
    ("KILL SOFT QUERY ID 99999999", 1235),
    ("KILL 18446744073709551616", 1235),
    ("KILL 0x7FFFFFFF", 1235),
    ("KILL '99999999'", 1235),
    ("KILL -1", 1235),
    ("KILL 99999999.0", 1235),
    ("KILL 99999999 + 0", 1235),
    ("KILL (99999999)", 1235),
    ("KILL @id", 1235),
    ("KILL NULL", 1235),
    ("KILL ?", 1235),
    ("KILL", 1235),
    ("KILL QUERY", 1235),
    ("KILL HARD", 1235),
    ("KILL USER", 1235),
    ("KILL USER @'%'", 1235),
    ("KILL {n} {n}", 1235),
    ("KILL {n}, {n}", 1235),
    ("KILL QUERY HARD {n}", 1235),
    ("KILL HARD SOFT {n}", 1235),
    ("KILL QUERY CONNECTION {n}", 1235),
    ("KILL USER kill_forms {n}", 1235),
    ("KILL (SELECT 99999999)", 1235),
    ("BEGIN NOT ATOMIC KILL 99999999; END", 1235),
    ("IF 1 THEN KILL 99999999; END IF", 1235),
    ("PREPARE p FROM 'KILL 99999999'", 1295),
    ("EXECUTE IMMEDIATE 'KILL 99999999'", 1295),
    (
        "PREPARE p FROM 'SET STATEMENT max_statement_time=10 FOR KILL 99999999'",
        1295,
    ),
    ("PREPARE p FROM 'BEGIN NOT ATOMIC KILL 99999999; END'", 1295),
    ("BEGIN NOT ATOMIC DO 1; KILL QUERY {n}; END", 1235),
    ("KILL {n}; SELECT 1", 1235),
];

/// A server, and both routers.
fn sides(tidegate: &Tidegate, login: &Login) -> [Side; 3] {
    let side = |name, address| Side {
        name,
        address,
        login: login.clone(),
    };
    [
        side("direct", group().primary().address()),
        side("readwritesplit", tidegate.address("rw")),
        side("readconnroute", tidegate.address("read")),
    ]
}

#[test]
fn each_form_ends_as_on_a_server_or_is_refused() {
    let account = group()
        .create_account("kill_forms", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&account).capabilities(CLIENT_MULTI_STATEMENTS);
    let [direct, rw, read] = sides(&tidegate, &login);
    for form in SAME {
        let expected = direct.outcome(form);
        for side in [&rw, &read] {
            assert_eq!(side.outcome(form), expected, "{}: {form}", side.name);
        }
    }
    for (form, code) in REFUSED {
        for side in [&rw, &read] {
            let outcome = side.outcome(form);
            let refused = outcome.starts_with(&format!("{code} "));
            let harmless = outcome.ends_with("; [\"lives\", \"lives\"]");
            assert!(refused && harmless, "{}: {form}: {outcome}", side.name);
        }
    }
}

#[test]
fn the_command_that_kills_ends_as_on_a_server() {
    let account = group()
        .create_account("kill_command", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    for side in sides(&tidegate, &Login::new(&account)) {
        let (mut killer, mut victim) = (side.connect(), side.connect());
        let kill = |killer: &mut RawClient, id: u32| {
            let command = [&[COM_PROCESS_KILL], &id.to_le_bytes()[..]].concat();
            killer.send(&command).expect("sent");
            let mut replies = killer.replies().expect("a reply");
            assert_eq!(replies.len(), 1, "{}", side.name);
            replies.remove(0)
        };
        let unknown = kill(&mut killer, 99_999_999);
        assert_eq!(unknown.error_code(), Some(1094), "{}", side.name);
        let done = kill(&mut killer, victim.connection_id());
        assert_eq!(done.error_code(), None, "{}", side.name);
        assert!(is_closed(&mut victim), "{}", side.name);
        let id = killer.connection_id();
        let own = kill(&mut killer, id);
        assert_eq!(own.error_code(), Some(1927), "{}", side.name);
        assert!(says_no_more(&mut killer), "{}", side.name);
    }
}
