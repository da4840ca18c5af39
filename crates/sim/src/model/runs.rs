//! What servers run: each statement once, where its class allows, in the session's state.

use super::{Fate, Issued, Model, What};
use crate::meaning::Trx;
use crate::plan::Writes;
use crate::replication::Position;
use crate::sql::{Stmt, Text};
use crate::state::SessionState;

/// A statement that a server is about to run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) session: usize,
    pub(crate) server: usize,
    pub(crate) conn: u32,
    /// Of the command; `None` where the command cannot carry one.
    pub(crate) token: Option<u32>,
    /// The prepared statement's token, and the default database it was prepared under there.
    pub(crate) prepared: Option<(u32, &'a Option<String>)>,
    pub(crate) text: &'a Text,
    pub(crate) state: &'a SessionState,
    pub(crate) trx: Trx,
    /// The proxy has closed the connection: whatever arrives yet, nobody hears of it.
    pub(crate) parted: bool,
    /// A waiting statement stands in front of it in its packet.
    pub(crate) waited: bool,
    /// Long data that came for it.
    pub(crate) long: (usize, u64),
    /// What the server has.
    pub(crate) applied: Position,
}

impl Run<'_> {
    /// Is it a part of a transaction there? With autocommit off everything is.
    fn in_transaction(&self) -> bool {
        self.trx != Trx::None || !self.state.autocommit()
    }
}

impl Model {
    /// A server is about to run a statement. Returns the command's token.
    pub(crate) fn runs(&mut self, run: &Run<'_>) -> Option<u32> {
        let token = match run.token {
            Some(token) => token,
            None => match self.silent_repetition(run) {
                Some(token) => token,
                None => self.silent_execution(run)?,
            },
        };
        let Some(issued) = self.get(token) else {
            self.breach(format!(
                "{} runs a statement that nobody issued: token {token}",
                place(run)
            ));
            return None;
        };
        let found = self.check_run(run, token, issued);
        let suspicion = self.suspicion(run, token);
        self.tell(|_| format!("{} runs {token}: {:?}", place(run), run.text.stmts));
        if let Err(text) = found {
            self.breach(format!("{}, command {token}: {text}", place(run)));
        }
        let diverged = self.sessions[run.session].diverged;
        match suspicion {
            Some(text) if !diverged => {
                self.breach(format!("{}, command {token}: {text}", place(run)))
            }
            suspicion => {
                if let Some(issued) = self.get_mut(token) {
                    issued.suspect = suspicion.map(|text| (run.conn, text));
                }
            }
        }
        self.follow_transaction(run, token);
        let mut again = false;
        if let Some(issued) = self.get_mut(token) {
            issued.executions += 1;
            again = issued.executions > 1;
        }
        self.retried += u64::from(again && !is_repeatable(run.text) && !run.text.everywhere);
        Some(token)
    }

    /// The command that executes a prepared statement without parameters: the oldest unanswered one
    /// that has not run, or else the oldest unanswered one, sent again. Behind a transaction that was
    /// repeated up to its last answer comes the oldest, whether it has run elsewhere or not.
    fn silent_execution(&self, run: &Run<'_>) -> Option<u32> {
        let (stmt, _) = run.prepared?;
        let known = self.sessions.get(run.session)?;
        let runs_of = |token: &u32| {
            self.get(*token).and_then(|issued| {
                matches!(issued.what, What::Execute { stmt: of, carries_token: false, .. } if of == stmt)
                    .then_some(issued.executions)
            })
        };
        let mut executions = known
            .queue
            .iter()
            .filter_map(|token| Some((*token, runs_of(token)?)));
        let oldest = executions.clone().next();
        let repeats = known.replays && run.in_transaction() && known.in_transaction();
        let caught_up = repeats && self.ran_on(run.conn) == known.log;
        executions
            .find(|(_, runs)| caught_up || *runs == 0)
            .or(oldest)
            .map(|(token, _)| token)
    }

    /// A connection that is behind the open transaction runs it again: the statement whose turn it is.
    fn silent_repetition(&self, run: &Run<'_>) -> Option<u32> {
        let known = self.sessions.get(run.session)?;
        let (stmt, _) = run.prepared?;
        if !known.replays || !run.in_transaction() || !known.in_transaction() {
            return None;
        }
        let token = *known.log.get(self.ran_on(run.conn).len())?;
        matches!(self.get(token)?.what, What::Execute { stmt: of, carries_token: false, .. } if of == stmt)
            .then_some(token)
    }

    /// What a connection has run in its open transaction.
    fn ran_on(&self, conn: u32) -> &[u32] {
        self.ran.get(&conn).map_or(&[], Vec::as_slice)
    }

    /// A connection has no transaction open any more.
    pub(crate) fn left_transaction(&mut self, conn: u32) {
        self.ran.remove(&conn);
    }

    /// What a connection runs in a transaction is what the client has been told, in that order, and
    /// then what the client said next.
    fn follow_transaction(&mut self, run: &Run<'_>, token: u32) {
        if is_repeatable(run.text) || run.text.everywhere {
            return;
        }
        let begins = matches!(run.text.stmts.as_slice(), [crate::sql::Stmt::Begin { .. }]);
        if begins {
            self.left_transaction(run.conn);
        }
        if begins || run.in_transaction() {
            self.ran.entry(run.conn).or_default().push(token);
        }
        let Some(known) = self.sessions.get(run.session) else {
            return;
        };
        let answered = self.get(token).is_some_and(|issued| issued.answered);
        self.repeated += u64::from(answered);
        let ran = match self.ran_on(run.conn) {
            [] => &[token],
            ran => ran,
        };
        let (_, before) = ran.split_last().unwrap_or((&0, &[]));
        let bound = self.get(token).is_some_and(|issued| issued.long.0 > 0);
        let exempt = !known.replays
            || begins && !answered
            || run.parted
            || bound
            || known.uncertain
            || known.over.is_some()
            || !known.in_transaction()
            || !answered && self.is_settled(run.session, token) != Some(true);
        if exempt {
            return;
        }
        let fits = if answered {
            known.log.starts_with(ran)
        } else {
            known.log == before
        };
        if !fits {
            let text = format!(
                "{}, command {token}: it runs behind {before:?} in a transaction of {:?}",
                place(run),
                known.log
            );
            self.breach(text);
        }
    }

    /// May a write that has run run again? Only if nothing is left of it.
    fn may_run_again(&self, run: &Run<'_>, issued: &Issued) -> bool {
        let known = &self.sessions[run.session];
        if known.repeats_commit {
            return true;
        }
        let gone = issued.effects.iter().all(|(conn, fate)| match fate {
            Fate::None | Fate::RolledBack | Fate::Vanished => true,
            Fate::Pending => self.parted.contains(conn),
            Fate::Durable => false,
        });
        // What arrives on a connection that was given up is undone with it.
        let undone = run.parted && (run.trx != Trx::None || !run.state.autocommit());
        known.replays && (gone || undone)
    }

    fn check_run(&self, run: &Run<'_>, token: u32, issued: &Issued) -> Result<(), String> {
        let known = &self.sessions[run.session];
        if issued.session != run.session {
            return Err(format!("it is a statement of session {}", issued.session));
        }
        if is_repeatable(run.text) || run.text.everywhere {
            return Ok(());
        }
        if run.text.writes() && issued.executions > 0 && !self.may_run_again(run, issued) {
            return Err("a write runs a second time".to_owned());
        }
        self.check_prepared(run, issued)?;
        self.check_fresh(run, issued)?;
        if known.over.is_some() || known.uncertain && known.trx == Trx::None {
            return Ok(());
        }
        let Some(settled) = self.is_settled(run.session, token) else {
            // Answered with an error because its connection was given up: it may still arrive.
            let given_up = known.trouble >= issued.step
                || run.parted && (!run.text.writes() || issued.refused)
                || known.replays && known.log.contains(&token);
            return if given_up {
                Ok(())
            } else {
                Err("it runs after its answer".to_owned())
            };
        };
        self.check_place(run, issued, settled)?;
        let begins = matches!(run.text.stmts.as_slice(), [crate::sql::Stmt::Begin { .. }]);
        if settled && known.trx != Trx::None && run.trx == Trx::None && !begins {
            return Err("it runs outside of the transaction that the client has open".to_owned());
        }
        Ok(())
    }

    /// A read sees what it was promised to see.
    fn check_fresh(&self, run: &Run<'_>, issued: &Issued) -> Result<(), String> {
        let reads = matches!(
            run.text.stmts.as_slice(),
            [Stmt::Read(_) | Stmt::LockingRead(_)]
        );
        // Chosen by what the monitor saw, the server of a transaction stays.
        let stays = self.promise.is_fast && run.trx == Trx::ReadOnly;
        // What is repeated with its transaction only has to end as it did.
        let repeated = issued.answered;
        if !reads || stays || repeated || run.parted || self.was_primary(run.server, issued.step) {
            return Ok(());
        }
        let mut promised = match self.promise.of {
            Writes::Nobodys => return Ok(()),
            Writes::Own => Position::default(),
            Writes::Everybodys => issued.told_before,
        };
        promised.merge(self.sessions[run.session].told);
        if run.applied.reaches(promised) {
            return Ok(());
        }
        Err(format!(
            "a stale read: it must see {}, the server has {}",
            promised.text(),
            run.applied.text()
        ))
    }

    /// Is the session's state known at the time of a command that is not answered? `None`: it is not
    /// due any more.
    fn is_settled(&self, session: usize, token: u32) -> Option<bool> {
        let queue = &self.sessions[session].queue;
        let place = queue.iter().position(|due| *due == token)?;
        Some(
            queue
                .iter()
                .take(place)
                .all(|before| !self.has_effect(*before)),
        )
    }

    /// Is the session's state on the connection another than it should be?
    fn suspicion(&self, run: &Run<'_>, token: u32) -> Option<String> {
        let known = &self.sessions[run.session];
        let exempt =
            is_repeatable(run.text) || !known.history || known.uncertain || known.over.is_some();
        // Several statements may be allowed for the waiting one alone.
        let waits_well = || {
            let state = SessionState {
                multi_statements: known.state.multi_statements,
                ..run.state.clone()
            };
            run.waited && state.is(&known.state)
        };
        let settled = self.is_settled(run.session, token) == Some(true);
        if exempt || !settled || run.state.is(&known.state) || waits_well() {
            return None;
        }
        Some(format!(
            "the session's state there is {:?}, not {:?}",
            run.state, known.state
        ))
    }

    /// The right statement, with all that was sent for it.
    fn check_prepared(&self, run: &Run<'_>, issued: &Issued) -> Result<(), String> {
        let (What::Execute { stmt, .. } | What::Bulk { stmt }) = &issued.what else {
            return Ok(());
        };
        let Some((found, database)) = run.prepared else {
            return Err("it is not prepared".to_owned());
        };
        if found != *stmt {
            return Err(format!(
                "it executes statement {found} in the place of {stmt}"
            ));
        }
        if issued.long != run.long {
            return Err(format!(
                "long data of {:?} in the place of {:?} (length, sum)",
                run.long, issued.long
            ));
        }
        let expected = self
            .get(*stmt)
            .and_then(|prepare| prepare.database.as_ref());
        let known = &self.sessions[run.session];
        if known.history && expected.is_some() && expected != database.as_ref() {
            return Err(format!(
                "its statement was prepared under {database:?}, not {expected:?}"
            ));
        }
        Ok(())
    }

    /// Writes, and what is not understood, run on the primary alone.
    fn check_place(&self, run: &Run<'_>, issued: &Issued, settled: bool) -> Result<(), String> {
        let known = &self.sessions[run.session];
        if !known.splits || !settled || known.trx == Trx::ReadOnly {
            return Ok(());
        }
        // An optimistic transaction is on a replica until it does more than read.
        let begins = matches!(run.text.stmts.as_slice(), [crate::sql::Stmt::Begin { .. }]);
        let writing = run.text.needs_primary() && !(known.optimistic && begins)
            || known.trx == Trx::ReadWrite && !known.optimistic
            || known.trx == Trx::None && !known.state.autocommit();
        let chosen = issued.bound_since;
        let lags = !self.was_near(run.server, chosen);
        if !writing && lags && !self.was_primary(run.server, chosen) && known.reads_freely() {
            return Err("it reads from a replica that is too far behind".to_owned());
        }
        if writing && !self.was_primary(run.server, issued.step) {
            return Err("it runs on a server that is not the primary".to_owned());
        }
        Ok(())
    }

    /// Does the command change state that later statements see?
    pub(super) fn has_effect(&self, token: u32) -> bool {
        match self.get(token).map(|issued| &issued.what) {
            Some(What::Text(text)) => text.has_effect(),
            Some(What::Execute { stmt, .. } | What::Bulk { stmt }) => {
                self.prepared(*stmt).is_some_and(Text::has_effect)
            }
            Some(
                What::InitDb(_)
                | What::MultiStatements(_)
                | What::ResetConnection
                | What::ChangeUser { .. }
                | What::Prepare(_),
            ) => true,
            Some(
                What::Fetch { .. }
                | What::StmtReset { .. }
                | What::Plain
                | What::FieldList
                | What::Statistics
                | What::Refused(_)
                | What::FilterAnswers
                | What::Silent,
            )
            | None => false,
        }
    }

    /// The text of a prepared statement.
    pub(crate) fn prepared(&self, stmt: u32) -> Option<&Text> {
        match &self.get(stmt)?.what {
            What::Prepare(text) => Some(text),
            _ => None,
        }
    }

    /// What a statement wrote has come to this.
    pub(crate) fn settle(&mut self, token: u32, conn: u32, fate: Fate) {
        let Some(issued) = self.get_mut(token) else {
            return;
        };
        match issued.effects.iter_mut().find(|(on, _)| *on == conn) {
            Some((_, known)) => *known = fate,
            None => issued.effects.push((conn, fate)),
        }
        let durable = issued
            .effects
            .iter()
            .filter(|(_, fate)| *fate == Fate::Durable);
        if durable.count() > 1 {
            let session = issued.session;
            if self.sessions[session].repeats_commit {
                return;
            }
            self.breach(format!("session {session}: write {token} is durable twice"));
        }
    }
}

/// Statements that a history repeats on every connection.
pub(crate) fn is_repeatable(text: &Text) -> bool {
    use crate::sql::Stmt;
    matches!(
        text.stmts.as_slice(),
        [Stmt::Set(_)
            | Stmt::Use(_)
            | Stmt::Prepare { .. }
            | Stmt::Deallocate(_)
            | Stmt::ProxySetup]
    )
}

fn place(run: &Run<'_>) -> String {
    format!(
        "session {}: server {} on connection {}",
        run.session, run.server, run.conn
    )
}
