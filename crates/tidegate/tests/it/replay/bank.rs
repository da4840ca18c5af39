//! A bank: clients move money between accounts, and look at them in between, while servers are killed,
//! restarted or change their roles, and at the end the whole history is checked, not just a sum.
//!
//! Each account counts its changes. A transfer notes which change of each of its two accounts it made
//! and what it found there, so that the notes must form one unbroken chain an account: a transfer that
//! was lost leaves a gap, one that was done twice a fork.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidegate_testkit::mariadb::Server;
use tidegate_testkit::raw::{RawClient, Reply};
use tidegate_testkit::{ServerGroup, Tidegate, wait_until};

use super::{connect, counted, own_servers};
use crate::house::run;

const CLIENTS: usize = 4;
/// Accounts that one client alone has: whatever happens to servers, it sees no error.
const OWN: usize = 2;
/// Accounts that all clients have: a transaction that is lost may find them changed by another.
const SHARED: usize = 5;
const ACCOUNTS: usize = CLIENTS * OWN + SHARED;
const OPENING: i64 = 1000;

/// What a client was told of its transfers, by their numbers.
#[derive(Debug, Default)]
struct Told {
    done: BTreeSet<u64>,
    /// Nobody knows whether they were committed.
    unknown: BTreeSet<u64>,
    /// They were lost, met other balances when they were repeated, and are not done.
    refused: BTreeSet<u64>,
    errors: Vec<String>,
}

/// How a transfer ended.
enum End {
    Done,
    Unknown,
    Refused,
    Error(String),
}

/// One transfer between two accounts.
struct Transfer {
    client: usize,
    number: u64,
    from: usize,
    to: usize,
    amount: i64,
}

impl Transfer {
    /// Every other one is between accounts of the client's own; all are, if they shall not meet.
    fn of(client: usize, number: u64, meet: bool) -> Transfer {
        let step = number as usize / 2;
        let (first, count) = if number.is_multiple_of(2) || !meet {
            (client * OWN, OWN)
        } else {
            (CLIENTS * OWN, SHARED)
        };
        let from = first + (step * 3 + client) % count;
        let to = first + (from - first + 1 + step % (count - 1)) % count;
        Transfer {
            client,
            number,
            from,
            to,
            amount: 1 + (number % 7) as i64,
        }
    }

    fn is_own(&self) -> bool {
        self.from < CLIENTS * OWN
    }

    fn carry_out(&self, client: &mut RawClient) -> End {
        let Transfer {
            client: who,
            number,
            from,
            to,
            amount,
        } = self;
        let lock = format!(
            "SELECT balance, changes FROM accounts WHERE id IN ({from}, {to}) ORDER BY id = {to} FOR UPDATE"
        );
        if let Err(end) = ask(client, "BEGIN") {
            return end;
        }
        let found = match ask(client, &lock) {
            Ok(Reply::Rows {
                rows,
                columns,
                status,
            }) => {
                let rows = Reply::Rows {
                    rows,
                    columns,
                    status,
                };
                rows.text_rows().expect("text")
            }
            Ok(other) => return End::Error(format!("no rows but {other:?}")),
            Err(end) => return end,
        };
        let number_at = |row: usize, column: usize| -> i64 {
            let field = found[row][column].as_deref().expect("a number");
            field.parse().expect("a number")
        };
        for (account, sum) in [(from, -amount), (to, *amount)] {
            let change = format!(
                "UPDATE accounts SET balance = balance + {sum}, changes = changes + 1 WHERE id = {account}"
            );
            if let Err(end) = ask(client, &change) {
                return end;
            }
        }
        let note = format!(
            "INSERT INTO transfers VALUES ({who}, {number}, {from}, {to}, {amount}, {}, {}, {}, {})",
            number_at(0, 0),
            number_at(0, 1),
            number_at(1, 0),
            number_at(1, 1)
        );
        if let Err(end) = ask(client, &note) {
            return end;
        }
        match ask(client, "COMMIT") {
            Ok(_) => End::Done,
            Err(end) => end,
        }
    }
}

/// A client's connection, with what it has prepared on it.
struct Desk {
    client: RawClient,
    prepared: u32,
}

impl Desk {
    fn open(tidegate: &Tidegate, servers: &ServerGroup) -> Desk {
        let mut client = connect(tidegate, servers);
        let prepared = client
            .prepare("SELECT COUNT(*) FROM accounts WHERE id >= ?")
            .expect("prepared");
        Desk { client, prepared }
    }

    /// Looks at the accounts in every way in which servers may be lost unnoticed: alone, prepared,
    /// in a transaction that only reads, and with the session's own state.
    fn look(&mut self, number: u64) -> Result<(), String> {
        let client = &mut self.client;
        let is_all = |reply: Reply| match reply.text_value() {
            Ok(count) if count == ACCOUNTS.to_string() => Ok(()),
            other => Err(format!("{other:?} accounts")),
        };
        let asked = |end| match end {
            End::Error(text) => text,
            End::Done | End::Unknown | End::Refused => "a read is told of a transaction".to_owned(),
        };
        let count = "SELECT COUNT(*) FROM accounts";
        is_all(ask(client, count).map_err(asked)?)?;
        match client.execute(self.prepared, &["0"]) {
            Ok(Reply::Rows { .. }) => {}
            other => return Err(format!("a prepared read: {other:?}")),
        }
        ask(client, "START TRANSACTION READ ONLY").map_err(asked)?;
        is_all(ask(client, count).map_err(asked)?)?;
        ask(client, &format!("SET @number = {number}")).map_err(asked)?;
        is_all(ask(client, count).map_err(asked)?)?;
        ask(client, "COMMIT").map_err(asked)?;
        let found = ask(client, "SELECT @number").map_err(asked)?.text_value();
        match found {
            Ok(found) if found == number.to_string() => Ok(()),
            other => Err(format!("@number is {other:?}, not {number}")),
        }
    }
}

fn ask(client: &mut RawClient, sql: &str) -> Result<Reply, End> {
    match client.query(sql) {
        Ok(Reply::Err { message, .. }) if message.contains("not known whether") => {
            Err(End::Unknown)
        }
        Ok(Reply::Err { message, .. }) if message.contains("its answers differ") => {
            Err(End::Refused)
        }
        Ok(Reply::Err { code, message, .. }) => Err(End::Error(format!("{sql}: {code} {message}"))),
        Ok(reply) => Ok(reply),
        Err(error) => Err(End::Error(format!("{sql}: {error:#}"))),
    }
}

/// Moves money until it is told to stop.
fn work(
    client: usize,
    tidegate: &Tidegate,
    servers: &ServerGroup,
    meet: bool,
    stop: &AtomicBool,
    progress: &AtomicUsize,
) -> Told {
    let mut told = Told::default();
    let mut desk = Desk::open(tidegate, servers);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        if let Err(text) = desk.look(number) {
            told.errors.push(text);
            desk = Desk::open(tidegate, servers);
        }
        let transfer = Transfer::of(client, number, meet);
        match transfer.carry_out(&mut desk.client) {
            End::Done => {
                told.done.insert(number);
                progress.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            End::Unknown => {
                told.unknown.insert(number);
            }
            End::Refused if !transfer.is_own() => {
                told.refused.insert(number);
            }
            End::Refused => told.errors.push(format!("{number} met other balances")),
            End::Error(text) => told.errors.push(text),
        }
        desk = Desk::open(tidegate, servers);
    }
    told
}

/// What a transfer noted of one of its accounts: the change it found, the balance then, and after.
type Notes = BTreeMap<usize, BTreeMap<i64, (i64, i64)>>;

/// Every account's changes are one chain from the first balance to the last.
fn check_chains(notes: &Notes, accounts: &[Vec<String>]) {
    for account in accounts {
        let [id, balance, changes] = account.as_slice() else {
            panic!("{account:?}")
        };
        let id: usize = id.parse().expect("a number");
        let empty = BTreeMap::new();
        let chain = notes.get(&id).unwrap_or(&empty);
        let mut expected = OPENING;
        for (place, (change, (before, after))) in chain.iter().enumerate() {
            assert_eq!(
                *change, place as i64,
                "account {id}: a gap or a fork in {chain:?}"
            );
            assert_eq!(*before, expected, "account {id}, change {change}");
            expected = *after;
        }
        assert_eq!(*balance, expected.to_string(), "account {id}");
        assert_eq!(*changes, chain.len().to_string(), "account {id}");
    }
}

#[test]
fn money_is_neither_lost_nor_made_while_all_servers_are_killed_in_turn() {
    let kill = |servers: &ServerGroup, number| ends(&servers.servers()[number % 3], Server::kill);
    move_money(true, kill);
}

#[test]
fn money_is_neither_lost_nor_made_while_all_servers_are_restarted_in_turn() {
    let stop = |servers: &ServerGroup, number| ends(&servers.servers()[number % 3], Server::stop);
    move_money(true, stop);
}

#[test]
fn money_is_neither_lost_nor_made_while_the_primary_is_switched_to_and_fro() {
    // A lock that is waited for when a server becomes read-only is waited for until that gives up.
    move_money(false, |servers, number| {
        let [first, second, third] = servers.servers() else {
            panic!("three servers")
        };
        if number.is_multiple_of(2) {
            switch_over(servers, first, second, third);
        } else {
            switch_over(servers, second, first, third);
        }
    });
}

/// A server ends in some way, and is started again.
fn ends(server: &Server, end: fn(&Server) -> anyhow::Result<()>) {
    end(server).expect("ended");
    server.restart().expect("started again");
}

/// `new` becomes the primary, once it has all that `old` has committed; `old` and `third` follow it.
fn switch_over(servers: &ServerGroup, old: &Server, new: &Server, third: &Server) {
    old.sql("SET GLOBAL read_only = 1").expect("read only");
    let position = old.value("SELECT @@gtid_binlog_pos").expect("a position");
    let reached = format!("SELECT MASTER_GTID_WAIT('{position}', 60)");
    for replica in [new, third] {
        assert_eq!(replica.value(&reached).expect("a wait"), "0", "{position}");
        replica.sql("STOP SLAVE; RESET SLAVE ALL").expect("stopped");
    }
    new.sql("SET GLOBAL read_only = 0").expect("a primary");
    old.sql("SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos")
        .expect("a position");
    for replica in [old, third] {
        servers.join(replica, new).expect("a replica");
    }
}

/// Moves money while something happens to the servers, so often that all are as they were.
fn move_money(meet: bool, happens: fn(&ServerGroup, usize)) {
    let (servers, tidegate) = own_servers();
    let mut client = connect(&tidegate, &servers);
    run(
        &mut client,
        "CREATE TABLE accounts (id INT PRIMARY KEY, balance INT, changes INT) ENGINE=InnoDB",
    );
    run(
        &mut client,
        "CREATE TABLE transfers (client INT, number INT, a INT, b INT, amount INT, \
         a_balance INT, a_change INT, b_balance INT, b_change INT, PRIMARY KEY (client, number)) \
         ENGINE=InnoDB",
    );
    let values: Vec<String> = (0..ACCOUNTS)
        .map(|id| format!("({id}, {OPENING}, 0)"))
        .collect();
    run(
        &mut client,
        &format!("INSERT INTO accounts VALUES {}", values.join(", ")),
    );
    servers.wait_replicated().expect("replicated");
    let stop = AtomicBool::new(false);
    let progress = AtomicUsize::new(0);
    let told: Vec<Told> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (tidegate, servers) = (&tidegate, &servers);
                let (stop, progress) = (&stop, &progress);
                scope.spawn(move || work(client, tidegate, servers, meet, stop, progress))
            })
            .collect();
        for number in 0..6 {
            let before = progress.load(Ordering::Relaxed);
            wait_until("transfers", || {
                progress.load(Ordering::Relaxed) >= before + 20
            })
            .expect("transfers");
            happens(&servers, number);
        }
        let before = progress.load(Ordering::Relaxed);
        wait_until("transfers at the end", || {
            progress.load(Ordering::Relaxed) >= before + 20
        })
        .expect("transfers");
        stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .collect()
    });
    check(&servers, &told);
    let sum = |count: fn(&Told) -> usize| told.iter().map(count).sum::<usize>() as u64;
    assert_eq!(
        counted(&tidegate, "unknown_commits"),
        sum(|told| told.unknown.len())
    );
    assert_eq!(
        counted(&tidegate, "replay_mismatches"),
        sum(|told| told.refused.len())
    );
    assert!(counted(&tidegate, "replayed_transactions") > 0);
}

/// Whoever was told that a transfer is done finds it, nobody finds one that nobody began, and the
/// accounts are what the transfers have made of them.
fn check(servers: &ServerGroup, told: &[Told]) {
    let primary = servers.primary();
    let rows = primary
        .rows("SELECT client, number, a, b, amount, a_balance, a_change, b_balance, b_change FROM test.transfers")
        .expect("rows");
    let mut kept: Vec<BTreeSet<u64>> = vec![BTreeSet::new(); told.len()];
    let mut notes = Notes::new();
    for row in rows {
        let row: Vec<i64> = row
            .iter()
            .map(|field| field.parse().expect("a number"))
            .collect();
        let [
            client,
            number,
            a,
            b,
            amount,
            a_balance,
            a_change,
            b_balance,
            b_change,
        ] = row.as_slice()
        else {
            panic!("{row:?}")
        };
        kept[*client as usize].insert(*number as u64);
        for (account, change, before, after) in [
            (*a, *a_change, *a_balance, a_balance - amount),
            (*b, *b_change, *b_balance, b_balance + amount),
        ] {
            let chain = notes.entry(account as usize).or_default();
            assert!(
                chain.insert(change, (before, after)).is_none(),
                "account {account}: change {change} was made twice"
            );
        }
    }
    for (client, (told, kept)) in told.iter().zip(&kept).enumerate() {
        assert_eq!(told.errors, Vec::<String>::new(), "client {client}");
        let lost: Vec<_> = told.done.difference(kept).collect();
        assert!(
            lost.is_empty(),
            "client {client}: {lost:?} were done and are lost"
        );
        let made: Vec<_> = kept
            .difference(&told.done)
            .filter(|number| !told.unknown.contains(number))
            .collect();
        assert!(
            made.is_empty(),
            "client {client}: nobody was told of {made:?}"
        );
    }
    let accounts = primary
        .rows("SELECT id, balance, changes FROM test.accounts")
        .expect("rows");
    check_chains(&notes, &accounts);
}
