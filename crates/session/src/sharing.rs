//! Connections that a session lends while it is idle, and gets back, or others in their place, when
//! its client speaks again.
//!
//! To its routers a lent connection is open. Whether it is still there is found out when a command is
//! to go there: if nobody has taken it, it is as it was; else another connection is told the session's
//! state like any new one. So only a session is lent whose state can be told: everything else keeps its
//! connections, and [`Keeps`] says why.
//!
//! Left out on purpose: values that a statement leaves for the next one, such as LAST_INSERT_ID(). The
//! connection is kept for a while after a statement that may have left some; who asks for them later, on
//! another connection, gets an error instead of another session's values.

use std::time::Duration;

use tidegate_sql::{Operation, Statement};
use tidegate_wire::reply::{Kind, Summary};
use tidegate_wire::{Caps, OkPacket};

use crate::backend::{Backend, State};
use crate::fault::ErrReply;
use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::BackendId;
use crate::output::Errand;
use crate::pooled::Owner;
use crate::request::Request;
use crate::router::Tie;
use crate::service::Sharing;
use crate::session::{Cx, Env, Phase, Session};
use crate::time::Instant;
use crate::view::LendingView;

/// What keeps an idle session on its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// A transaction, or autocommit switched off.
    Transaction,
    /// What was said of the next transaction.
    NextTransaction,
    /// The session's state is not known whole.
    History,
    /// An open cursor, or long data of a prepared statement.
    Statement,
    /// A lock, temporary tables, user variables: what a router knows of.
    State,
    /// A procedure was called: nobody knows what it has changed.
    Procedure,
    /// The statement before has left values that the next may ask for.
    Values,
}

impl Keeps {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All of them with their names in REST, in the order of their numbers.
    pub const NAMES: [(Keeps, &'static str); Keeps::COUNT] = [
        (Keeps::Transaction, "transaction"),
        (Keeps::NextTransaction, "next_transaction"),
        (Keeps::History, "history"),
        (Keeps::Statement, "statement"),
        (Keeps::State, "state"),
        (Keeps::Procedure, "procedure"),
        (Keeps::Values, "values"),
    ];
}

/// The state of a session that lends its connections.
#[derive(Debug)]
pub(crate) struct Lending {
    rules: Sharing,
    /// Its statement may have left values, which are kept until then.
    values_until: Instant,
    /// Its statement has SQL_CALC_FOUND_ROWS.
    counts_rows: bool,
    /// The last value of an AUTO_INCREMENT column that a server said it generated.
    last_insert_id: u64,
    /// A procedure was called.
    called: bool,
    /// A command of the client was held back and will be presented again.
    again: bool,
    /// What keeps it now, if it could lend otherwise.
    pub(crate) kept_by: Option<Keeps>,
    /// How often each reason kept it.
    pub(crate) kept: [u32; Keeps::COUNT],
    /// How often a connection came back as it was.
    pub(crate) returned: u64,
}

impl Lending {
    pub(crate) fn new(rules: Sharing) -> Lending {
        Lending {
            rules,
            values_until: Instant::default(),
            counts_rows: false,
            last_insert_id: 0,
            called: false,
            again: false,
            kept_by: None,
            kept: [0; Keeps::COUNT],
            returned: 0,
        }
    }
}

impl Session {
    /// A connection that was asked for has to wait until another is given back.
    pub fn on_backend_queued(&mut self, id: BackendId, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        let patience = self.lending.as_ref().map(|lending| lending.rules.patience);
        if let Some(patience) = patience
            && let Some(backend) = self.backend_mut(id)
            && matches!(backend.state, State::Connecting)
        {
            backend.deadline = Some(env.now.after(patience));
            backend.queued = true;
            self.nearer = true;
        }
        self.finish_event(env);
    }

    /// The wait of [`Session::on_backend_queued`] is over: the connection is being made.
    pub fn on_backend_served(&mut self, id: BackendId, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        let timeout = self.connect_timeout(id, &env.cx());
        if let Some(backend) = self.backend_mut(id)
            && std::mem::take(&mut backend.queued)
        {
            backend.deadline = Some(env.now.after(timeout));
            self.nearer = true;
        }
        self.finish_event(env);
    }

    /// When the session lends its connections if nothing happens before.
    pub(crate) fn lending_deadline(&self, now: Instant) -> Option<Instant> {
        let lending = self.lending.as_ref()?;
        let has_some = self.has_login()
            && self
                .backends
                .iter()
                .any(|backend| matches!(backend.state, State::Ready));
        let due = lending.due(self.client.last_active);
        (has_some && due > now).then_some(due)
    }

    /// Lends the connections of a session that has been idle for long enough.
    pub(crate) fn lend_if_idle(&mut self, cx: &mut Cx<'_>) {
        let Some(lending) = &self.lending else { return };
        // Whatever happened may have brought the time nearer.
        self.nearer = true;
        let due = lending.due(self.client.last_active);
        if self.is_over() || !matches!(self.phase, Phase::Commands) || !self.at_rest() {
            return;
        }
        if due > cx.now || lending.again || self.next_service.is_some() || self.drain.is_some() {
            return;
        }
        let ready: Vec<BackendId> = self
            .backend_ids()
            .filter(|id| {
                let backend = self.backend(*id);
                backend.is_some_and(|backend| matches!(backend.state, State::Ready))
            })
            .collect();
        if ready.is_empty() {
            return;
        }
        let kept_by = self.keeps(cx);
        if let Some(lending) = &mut self.lending {
            if let Some(keeps) = kept_by
                && let Some(count) = lending.kept.get_mut(keeps as usize)
                && lending.kept_by != kept_by
            {
                *count += 1;
            }
            lending.kept_by = kept_by;
        }
        if kept_by.is_some() {
            return;
        }
        for id in ready {
            self.lend(id, cx);
        }
    }

    /// The command that was held back will be presented again: the connection is for it.
    pub(crate) fn expect_again(&mut self) {
        if let Some(lending) = &mut self.lending {
            lending.again = true;
        }
    }

    /// It was.
    #[inline]
    pub(crate) fn saw_again(&mut self) {
        if let Some(lending) = &mut self.lending {
            lending.again = false;
        }
    }

    /// What keeps the session on its connections, if something does.
    fn keeps(&self, cx: &Cx<'_>) -> Option<Keeps> {
        if planted!(LentWithoutLook) {
            return None;
        }
        if self.trx.is_open() {
            return Some(Keeps::Transaction);
        }
        if self.trx.is_next_pending() {
            return Some(Keeps::NextTransaction);
        }
        if !self.recoverable() {
            return Some(Keeps::History);
        }
        if self.stmts.tied_to_connection() {
            return Some(Keeps::Statement);
        }
        match self.tie(cx) {
            Some(Tie::State(_)) => return Some(Keeps::State),
            Some(Tie::Transaction) => return Some(Keeps::Transaction),
            None => {}
        }
        let lending = self.lending.as_ref()?;
        if lending.called {
            Some(Keeps::Procedure)
        } else if lending.values_until > cx.now {
            Some(Keeps::Values)
        } else {
            None
        }
    }

    fn lend(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(mut leftover) = self.leftover(id, cx) else {
            return;
        };
        self.loans += 1;
        let loan = self.loans;
        leftover.due = 0;
        leftover.owner = Some(Owner {
            session: self.id,
            backend: id,
            loan,
        });
        cx.out.errand(Errand::Park {
            backend: id,
            leftover,
        });
        let now = cx.now;
        if let Some(backend) = self.backend_mut(id) {
            backend.hand_back(now);
            backend.state = State::Lent;
            backend.lent = true;
            backend.loan = loan;
            backend.stale = false;
        }
    }

    /// Whether the session lends connections, as its service and its routers have it.
    pub(crate) fn set_lending(&mut self) {
        let shares = self.service.sharing.filter(|_| self.needs.history);
        self.lending = shares.map(|rules| Box::new(Lending::new(rules)));
    }

    pub(crate) fn freeze_lending(&self, into: &mut Encoder, now: Instant) {
        into.u64(self.loans);
        into.option(self.lending.as_deref(), |into, lending| {
            into.flag(lending.called);
            into.u64(lending.values_until.since(now).as_micros() as u64);
        });
    }

    pub(crate) fn thaw_lending(
        &mut self,
        from: &mut Decoder<'_>,
        now: Instant,
    ) -> Result<(), FreezeError> {
        self.set_lending();
        self.loans = from.u64()?;
        let frozen = from.option(|from| Ok((from.flag()?, from.u64()?)))?;
        if let (Some((called, micros)), Some(lending)) = (frozen, &mut self.lending) {
            lending.called = called;
            lending.values_until = now.after(Duration::from_micros(micros));
        }
        Ok(())
    }

    /// What REST shows of it.
    pub(crate) fn lending_view(&self) -> Option<LendingView> {
        let lending = self.lending.as_ref()?;
        let lent = |backend: &&Backend| matches!(backend.state, State::Lent);
        let named = Keeps::NAMES.iter().zip(lending.kept);
        Some(LendingView {
            lent_now: self.backends.iter().filter(lent).count(),
            lent: self.loans,
            returned: lending.returned,
            kept_by: Keeps::NAMES
                .iter()
                .find(|(keeps, _)| lending.kept_by == Some(*keeps))
                .map(|(_, name)| *name),
            kept: named.map(|((_, name), count)| (*name, count)).collect(),
        })
    }

    /// Something of the session's state changes that lent connections are not told.
    pub(crate) fn lent_grow_stale(&mut self) {
        if self.lending.is_none() || planted!(LentStaysFresh) {
            return;
        }
        for backend in &mut self.backends {
            backend.stale |= backend.lent;
        }
    }

    /// A lent connection that can still be had again.
    pub(crate) fn lent_somewhere(&self, cx: &Cx<'_>) -> Option<BackendId> {
        if self.lending.is_none() || !self.recoverable() {
            return None;
        }
        self.backend_ids().find(|id| {
            let backend = self.backend(*id);
            backend.is_some_and(|backend| {
                let view = cx.servers.get(backend.server);
                matches!(backend.state, State::Lent)
                    && view.is_some_and(|view| view.status.connectable())
            })
        })
    }

    /// A lent connection that its router does not want any more.
    pub(crate) fn renounce(&mut self, id: BackendId, cx: &Cx<'_>) -> bool {
        let lent = self
            .backend_mut(id)
            .filter(|backend| matches!(backend.state, State::Lent));
        let Some(backend) = lent else {
            return false;
        };
        backend.reset(State::Closed);
        let leaf = backend.node;
        self.each_router(id, leaf, cx, |router, target, _| {
            router.on_renounced(target)
        });
        true
    }

    /// A command is on its way: what of its text says what it will leave behind.
    pub(crate) fn note_lender(&mut self, request: &Request<'_>) {
        const CALC: &[u8] = b"SQL_CALC_FOUND_ROWS";
        let Some(lending) = &mut self.lending else {
            return;
        };
        let mut words = request.text.windows(CALC.len());
        lending.counts_rows = words.any(|word| word.eq_ignore_ascii_case(CALC));
        lending.last_insert_id = 0;
        lending.called |= request.executes()
            && request.statement.is_some_and(|statement| {
                let calls = |one: &Statement| one.operation == Operation::Call;
                calls(statement) || statement.parts.iter().any(calls)
            });
    }

    /// A server's OK packet on its way to the client.
    pub(crate) fn note_ok(&mut self, payload: &[u8], caps: Caps) {
        if let Some(lending) = &mut self.lending
            && let Ok(ok) = OkPacket::parse(payload, caps)
            && ok.last_insert_id != 0
        {
            lending.last_insert_id = ok.last_insert_id;
        }
    }

    /// The session's state is as after its login.
    pub(crate) fn forget_lending(&mut self) {
        self.lent_grow_stale();
        if let Some(lending) = &mut self.lending {
            lending.called = false;
        }
    }

    /// A statement has been answered on a connection.
    pub(crate) fn note_values(&mut self, id: BackendId, summary: &Summary, now: Instant) {
        let Some(lending) = &mut self.lending else {
            return;
        };
        lending.kept_by = None;
        let last_insert_id = lending.last_insert_id;
        let some = summary.affected_rows > 0
            || summary.warnings > 0
            || summary.kind == Kind::Err
            || lending.counts_rows;
        lending.values_until = if some {
            now.after(lending.rules.keep_values)
        } else {
            Instant::default()
        };
        if let Some(backend) = self.backend_mut(id) {
            backend.lost_previous = false;
            backend.lost_insert_id &= last_insert_id == 0;
            backend.generated |= last_insert_id != 0;
        }
    }

    /// Does a statement ask a connection for values that were left on another? The error that says so.
    pub(crate) fn values_lost(&self, id: BackendId, statement: &Statement) -> Option<ErrReply> {
        self.lending.as_ref()?;
        let backend = self.backend(id)?;
        let what = if statement.previous && backend.lost_previous {
            "the statement before it"
        } else if statement.insert_id && backend.lost_insert_id {
            "LAST_INSERT_ID()"
        } else {
            return None;
        };
        let text = format!(
            "The connection that knew the values of {what} was lent to another session \
             (idle_session_pool_time)"
        );
        Some(ErrReply::new(1105, b"HY000", text))
    }
}

impl Lending {
    fn due(&self, last_active: Instant) -> Instant {
        last_active.after(self.rules.idle).max(self.values_until)
    }
}
