//! The servers' general logs: what came over the connections of one session.

use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate, wait_until};

use crate::house::{document, run, value, wait_document};

/// Sessions after which the logs are emptied.
const EMPTIED: u64 = 25;

/// One server's log.
struct Log {
    name: String,
    admin: RawClient,
    /// The session's connection there.
    thread: u64,
}

/// The logs of all servers, the primary's first.
pub(super) struct Watch {
    logs: Vec<Log>,
    /// Counts what is watched.
    number: u64,
}

impl Watch {
    pub(super) fn new(group: &ServerGroup) -> Watch {
        let login = Login::new(&group.accounts().admin);
        let logs = group.servers().iter().map(|server| {
            let mut admin = RawClient::connect(server.address(), &login).expect("a login");
            // Replicas must not have transactions of their own.
            run(&mut admin, "SET sql_log_bin = 0");
            Log {
                name: server.name().to_owned(),
                admin,
                thread: 0,
            }
        });
        Watch {
            logs: logs.collect(),
            number: 0,
        }
    }

    /// What was said before has been done everywhere.
    pub(super) fn settle(&mut self) {
        self.number += 1;
        let (primary, replicas) = self.logs.split_first_mut().expect("a primary");
        let position = value(&mut primary.admin, "SELECT @@gtid_binlog_pos");
        let reached = format!("SELECT MASTER_GTID_WAIT('{position}', 60)");
        for replica in replicas {
            assert_eq!(value(&mut replica.admin, &reached), "0", "{position}");
        }
        if self.number.is_multiple_of(EMPTIED) {
            for log in &mut self.logs {
                run(&mut log.admin, "TRUNCATE mysql.general_log");
            }
        }
    }

    /// From now on it is this session that is watched, once it is connected to all servers.
    pub(super) fn follow(&mut self, tidegate: &Tidegate, session: u32) {
        let path = format!("/v1/sessions/{session}");
        wait_document(tidegate, &path, |document| {
            let list = document["data"]["attributes"]["connections"].as_array();
            list.is_some_and(|list| {
                list.len() == 3 && list.iter().all(|each| each["connection_id"].is_u64())
            })
        });
        let document = document(tidegate, &path);
        for log in &mut self.logs {
            let list = document["data"]["attributes"]["connections"].as_array();
            let mine = list
                .into_iter()
                .flatten()
                .find(|connection| connection["server"] == log.name.as_str());
            log.thread = mine
                .and_then(|connection| connection["connection_id"].as_u64())
                .expect("a connection");
        }
    }

    /// A mark that reaches every server.
    pub(super) fn open(&self, client: &mut RawClient) {
        let opened = format!("SET @opened = {}", self.number);
        run(client, &opened);
    }

    /// Another mark; returns which servers were told something in between that is not `but`.
    /// `hangs_up`: a server has closed its connection, the others are left, and nobody waits for the
    /// mark.
    ///
    /// # Errors
    /// A server was not told the mark.
    pub(super) fn close(
        &mut self,
        client: &mut RawClient,
        but: &str,
        hangs_up: bool,
    ) -> anyhow::Result<Vec<usize>> {
        let (opened, closed) = (
            format!("SET @opened = {}", self.number),
            format!("SET @closed = {}", self.number),
        );
        let ended = client.query(&closed).is_err();
        anyhow::ensure!(!ended || hangs_up, "the session has ended");
        let mut told = Vec::new();
        for (log, number) in self.logs.iter_mut().zip(1..) {
            let (mut arrived, mut whole) = (false, false);
            let mut look = || {
                let texts = log.texts();
                let marked = texts.iter().skip_while(|text| **text != opened).skip(1);
                let between: Vec<&String> = marked.take_while(|text| **text != closed).collect();
                let left = |text: &str| hangs_up && text == "Quit";
                arrived = (between.iter()).any(|text| **text != but && !left(text));
                whole = texts.contains(&closed);
                whole || hangs_up
            };
            wait_until(&format!("a mark in the log of server {number}"), &mut look)?;
            if arrived {
                told.push(number);
            }
        }
        Ok(told)
    }

    /// Waits until all servers were told this.
    pub(super) fn wait_for_all(&mut self, text: &str) {
        for log in &mut self.logs {
            let mut look = || log.texts().iter().any(|told| told == text);
            wait_until(text, &mut look).expect("in the log");
        }
    }
}

impl Log {
    /// What the session's connection was told, in its order: texts, and the names of other commands.
    fn texts(&mut self) -> Vec<String> {
        let query = format!(
            "SELECT IF(command_type IN ('Query', 'Execute'), CONVERT(argument USING utf8mb4), \
             command_type) FROM mysql.general_log WHERE thread_id = {}",
            self.thread
        );
        let rows = self
            .admin
            .query(&query)
            .and_then(|reply| reply.text_rows())
            .expect("the log");
        let texts = rows.into_iter().map(|mut row| row.remove(0));
        texts.map(Option::unwrap_or_default).collect()
    }
}
