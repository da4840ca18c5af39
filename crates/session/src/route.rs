//! From a command to the connections it goes to: the filters it passes, the routers that decide.

use std::sync::Arc;

use tidegate_sql::hints::{Hint, Route};
use tidegate_sql::{Cache, Kill, Statement, TrxTracker, may_concern_sessions};
use tidegate_wire::Command;
use tidegate_wire::frame::Header;

use crate::backend::{Backend, Link};
use crate::chain::Target;
use crate::commands::{Found, Taken};
use crate::digest::Named;
use crate::dispatch::Body;
use crate::fault::{ErrReply, SessionFault};
use crate::filter::Verdict;
use crate::ids::{BackendId, ClientStmtId, TargetId};
use crate::long_data::long_data_lost;
use crate::own::concerns_sessions;
use crate::position::Wait;
use crate::request::{OwnAnswer, Request};
use crate::router::{Course, Decision, TargetSet};
use crate::scene::Scene;
use crate::service::Counted;
use crate::session::{Cx, Env, Session};
use crate::stmts::PreparedText;
use crate::ticket::{Passed, Stream};
use crate::time::Instant;

/// Where a command goes, all services resolved.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    /// Whose answer the client gets.
    pub(crate) answer: Option<BackendId>,
    /// Who else gets it.
    pub(crate) others: Vec<BackendId>,
    /// A statement in front of it waits for this.
    pub(crate) wait: Option<Wait>,
    /// It may be sent again if the answer does not come.
    pub(crate) retry: bool,
    /// It is a session command.
    pub(crate) all: bool,
    /// Services behind the one that says so send it to a primary.
    pub(crate) on_primary: bool,
    /// The way through the client's service.
    pub(crate) root: Option<Course>,
    /// The ways through the services behind it.
    pub(crate) inner: Vec<(usize, Course)>,
}

/// Why a command goes nowhere now.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Until something moves: an answer is given, a connection opens.
    Wait,
    /// Until that time, or until the servers' states change.
    Later(Instant),
    /// Until this connection is open.
    Connect(BackendId),
    Own(OwnAnswer),
    Reject(ErrReply),
    End(SessionFault),
    /// A filter made another command of it.
    Replaced(Vec<u8>),
    /// The long data of the statement it executes are gone, or where it cannot be executed.
    LongDataLost,
    /// The open transaction must be repeated first.
    Replay(SessionFault),
    /// The open transaction must be repeated first, and undone where it is.
    Move(SessionFault),
    /// A statement of the replay that its connection does not know any more.
    Prepare(BackendId, ClientStmtId),
    /// A preparation that this statement, which was closed and kept, answers.
    Reuse(ClientStmtId),
    /// The statement is closed for the client, but kept.
    Keep(ClientStmtId),
    /// It kills.
    Kill(Kill),
    /// It has no answer and nobody wants it.
    Drop,
}

/// What a command is about.
#[derive(Clone, Copy, Default)]
struct Subject<'a> {
    statement: Option<&'a Statement>,
    /// The statement that was prepared, and its text.
    prepared: Option<(ClientStmtId, &'a [u8])>,
    named: Option<Named<'a>>,
}

impl<'a> Subject<'a> {
    /// As filters and routers see it.
    #[inline]
    fn request<'r>(&'r self, body: &'r Body<'_>, trx: &'r TrxTracker) -> Request<'r>
    where
        'a: 'r,
    {
        let command = body.command();
        let payload = body.payload();
        let text = match (self.prepared, command) {
            (Some((_, text)), _) => text,
            (None, Command::Query | Command::StmtPrepare) => payload.get(1..).unwrap_or_default(),
            (None, _) => &[],
        };
        Request {
            command,
            payload,
            complete: body.is_whole(),
            text,
            statement: self.statement,
            prepared: self.prepared.map(|(id, _)| id),
            hints: &[],
            trx,
        }
    }
}

impl Session {
    /// Routes a command that lies in the client's run.
    pub(crate) fn route_from_run(
        &mut self,
        run: &mut [u8],
        found: Found,
        env: &mut Env<'_>,
    ) -> Taken {
        let mut body = Body::Run { run, found };
        if self.route(&mut body, env) {
            return Taken::Bytes(Header::LEN + found.have);
        }
        match body {
            // A filter made another command of it, which waits on its own.
            Body::Own { payload, .. } => {
                self.pending.push_back(payload);
                Taken::Bytes(Header::LEN + found.have)
            }
            Body::Run { .. } => Taken::Hold,
        }
    }

    /// Routes the commands that wait with bytes of their own, as far as their time has come.
    pub(crate) fn resume_pending(&mut self, env: &mut Env<'_>) {
        while let Some(payload) = self.pending.pop_front() {
            let Some(command) = payload.first().copied().and_then(Command::from_byte) else {
                continue;
            };
            let mut body = Body::Own { command, payload };
            let routed = self.route(&mut body, env);
            if self.is_over() {
                return;
            }
            if !routed {
                if let Body::Own { payload, .. } = body {
                    self.pending.push_front(payload);
                }
                return;
            }
        }
    }

    /// Routes a command. `false`: it has to wait; `true`: it is on its way, answered or swallowed.
    pub(crate) fn route(&mut self, body: &mut Body<'_>, env: &mut Env<'_>) -> bool {
        if self.is_put_off(env.now) {
            return false;
        }
        loop {
            let (classifier, mut cx) = env.split();
            let text: Arc<PreparedText>;
            let command = body.command();
            let payload = body.payload();
            let subject = if self.needs.history && names_statement(command) {
                match self.statement_named(command, payload) {
                    Ok((id, found)) => {
                        text = found;
                        Subject {
                            prepared: Some((id, &text.text)),
                            statement: Some(&text.statement),
                            named: text.named(),
                        }
                    }
                    Err(stop) => return self.conclude(stop, body, &mut cx),
                }
            } else {
                self.own_subject(command, payload, classifier)
            };
            let trx = self.trx;
            if let Body::Run { .. } = body
                && let request = subject.request(body, &trx)
                && let Some(way) = self.straight(&request, &cx)
            {
                self.go_straight(way, &request, subject.named, &mut cx);
                way.forward(body, &mut cx);
                return true;
            }
            if let Some(routed) = self.route_anyhow(body, subject, &trx, &mut cx) {
                return routed;
            }
        }
    }

    /// Routes a command that may be anything. `None`: a filter made another of it.
    #[inline(never)]
    fn route_anyhow(
        &mut self,
        body: &mut Body<'_>,
        subject: Subject<'_>,
        trx: &TrxTracker,
        cx: &mut Cx<'_>,
    ) -> Option<bool> {
        let request = subject.request(body, trx);
        match self.plan(&request, cx) {
            Ok(leaves) => {
                let since = self.put_off.map(|put_off| put_off.since);
                self.head_leaves();
                let digest = match self.is_repeating() {
                    true => None,
                    false => self.count_digest(&request, subject.named, cx),
                };
                let name = subject.named.map(|named| named.digest);
                let mut order = self.order(&request, name, &leaves);
                order.digest = digest;
                order.since = since;
                if self.replay.is_some() {
                    self.take_down(body, request.statement, &mut order, &leaves, cx);
                }
                self.announce(&request, &leaves, cx);
                self.dispatch(body, order, &leaves, cx);
                Some(true)
            }
            Err(Stop::Replaced(payload)) => {
                let Some(command) = payload.first().copied().and_then(Command::from_byte) else {
                    return Some(true);
                };
                self.swallow_rest(body, None);
                *body = Body::Own { command, payload };
                None
            }
            Err(stop) => Some(self.conclude(stop, body, cx)),
        }
    }

    /// A command with a text of its own, or with none.
    fn own_subject<'s>(
        &self,
        command: Command,
        payload: &[u8],
        classifier: &'s mut Cache,
    ) -> Subject<'s> {
        if !matches!(command, Command::Query | Command::StmtPrepare) {
            return Subject::default();
        }
        let text = payload.get(1..).unwrap_or_default();
        let (statement, named) = match (self.needs.statements, self.digests) {
            (false, _) if may_concern_sessions(text) => {
                let statement = Some(classifier.classify(text, self.modes));
                (statement.filter(|it| concerns_sessions(it)), None)
            }
            (false, _) => (None, None),
            (true, None) => (Some(classifier.classify(text, self.modes)), None),
            (true, Some(_)) => {
                let classified = classifier.classify_named(text, self.modes);
                let named = Named::of(&classified);
                (Some(classified.statement), named)
            }
        };
        Subject {
            statement,
            prepared: None,
            named,
        }
    }

    /// The statement that a COM_STMT command names.
    fn statement_named(
        &self,
        command: Command,
        payload: &[u8],
    ) -> Result<(ClientStmtId, Arc<PreparedText>), Stop> {
        let named = tidegate_wire::stmt::stmt_id(payload).map(ClientStmtId);
        if named == Some(ClientStmtId::LAST_PREPARED) && !self.tickets.is_empty() {
            return Err(Stop::Wait);
        }
        let known = named
            .and_then(|id| self.stmts.resolve(id))
            .and_then(|id| self.stmts.get(id))
            .filter(|prepared| prepared.closed.is_none() || self.is_replaying());
        match (known, command) {
            (Some(prepared), _) => Ok((prepared.id, Arc::clone(&prepared.prepared))),
            (None, Command::StmtClose | Command::StmtSendLongData) => Err(Stop::Drop),
            (None, _) => Err(Stop::Reject(unknown_statement(named, command))),
        }
    }

    /// Runs the filters and asks the routers.
    fn plan(&mut self, request: &Request<'_>, cx: &mut Cx<'_>) -> Result<Leaves, Stop> {
        let command = request.command;
        let mut leaves = Leaves::default();
        self.check_waiting()?;
        if let Some(id) = request.prepared {
            leaves.answer = self.fixed_target(command, id)?;
        }
        self.decide(0, request, &mut leaves, cx)?;
        self.check_order(command, &leaves)?;
        if leaves.all {
            self.check_openings(command, cx)?;
            if self.needs.reuses {
                self.check_reuse(request, cx)?;
            }
        }
        if let Some(id) = request.prepared {
            self.check_prepared(command, id, &mut leaves)?;
        }
        if self.needs.positions {
            self.check_position(request, &mut leaves, cx)?;
        }
        Ok(leaves)
    }

    /// The connection a command is bound to by an earlier one: FETCH by its execution, an execution
    /// by the long data sent for it.
    fn fixed_target(&self, command: Command, id: ClientStmtId) -> Result<Option<BackendId>, Stop> {
        let Some(prepared) = self.stmts.get(id) else {
            return Ok(None);
        };
        match command {
            Command::StmtFetch => match prepared.executed_on {
                Some(backend) => Ok(Some(backend)),
                None => Err(Stop::Reject(ErrReply::new(
                    1421,
                    b"HY000",
                    "The statement has no open cursor.",
                ))),
            },
            Command::StmtExecute | Command::StmtBulkExecute if prepared.long_data_lost => {
                Err(Stop::LongDataLost)
            }
            Command::StmtSendLongData if prepared.long_data_lost => Err(Stop::Drop),
            Command::StmtExecute | Command::StmtSendLongData | Command::StmtBulkExecute => {
                Ok(prepared.long_data_on)
            }
            _ => Ok(None),
        }
    }

    /// Asks the router of `node`, and those behind it, after its filters.
    fn decide(
        &mut self,
        node: usize,
        request: &Request<'_>,
        leaves: &mut Leaves,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        let course = match self.consult(node, request, leaves.on_primary, cx)? {
            Decision::One {
                target,
                retry,
                on_primary,
            } => {
                leaves.retry = retry;
                leaves.on_primary |= on_primary;
                self.one(node, target, request, leaves, cx)?;
                Course::One(target)
            }
            Decision::All { to, answer } => {
                leaves.all = true;
                self.one(node, answer, request, leaves, cx)?;
                for target in to.without(answer).iter() {
                    self.another(node, target, request, leaves, cx)?;
                }
                Course::All { to, answer }
            }
            Decision::Own(answer) => return Err(Stop::Own(answer)),
            Decision::Reject(reply) => return Err(Stop::Reject(reply)),
            Decision::End(fault) => return Err(Stop::End(fault)),
            Decision::Replay(fault) => return Err(Stop::Replay(fault)),
            Decision::Move(fault) => return Err(Stop::Move(fault)),
            Decision::Wait => return Err(Stop::Wait),
            Decision::Later(at) => return Err(Stop::Later(at)),
        };
        if node == 0 {
            leaves.root = Some(course);
        } else {
            leaves.inner.push((node, course));
        }
        Ok(())
    }

    /// What the router of `node` says, after its filters. `on_primary`: a service before it wants the
    /// command on a primary.
    fn consult(
        &mut self,
        node: usize,
        request: &Request<'_>,
        on_primary: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Decision, Stop> {
        if self.needs.requests && !self.is_repeating() {
            if node == 0 {
                self.run_filters(None, request, cx)?;
            }
            self.run_filters(Some(node), request, cx)?;
        }
        if node == 0 && !self.is_repeating() {
            self.keep_own_business(request)?;
        }
        let hints = self.hints_behind(node, on_primary);
        let hinted = request.hinted(&hints);
        let request = hinted.as_ref().unwrap_or(request);
        let Some(scene) = self.scene(node, cx) else {
            return Err(Stop::Wait);
        };
        let Some(router) = self.nodes.get(node).and_then(|node| node.router.as_ref()) else {
            return Err(Stop::Wait);
        };
        Ok(router.route(request, &scene))
    }

    /// The target whose answer counts.
    fn one(
        &mut self,
        node: usize,
        target: TargetId,
        request: &Request<'_>,
        leaves: &mut Leaves,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        let command = request.command;
        match self.target(node, target) {
            Some(Target::Backend(chosen)) => {
                let waited_on = self.waited_on();
                let backend = leaves.answer.or(waited_on).unwrap_or(chosen);
                let backend = if planted!(WriteToReplica) && command == Command::Query {
                    self.any_open().unwrap_or(backend)
                } else {
                    backend
                };
                let executes = matches!(command, Command::StmtExecute | Command::StmtBulkExecute);
                let moved = backend != chosen && waited_on != Some(backend);
                if request.prepared.is_some() && executes && moved && !leaves.retry {
                    return Err(Stop::LongDataLost);
                }
                match self
                    .backend(backend)
                    .map_or(Link::Failed, |backend| backend.link())
                {
                    Link::Open => {
                        if let Some(statement) = request.statement
                            && let Some(reply) = self.values_lost(backend, statement)
                            && request.executes()
                        {
                            return Err(Stop::Reject(reply));
                        }
                        leaves.answer = Some(backend);
                        Ok(())
                    }
                    Link::Opening => Err(Stop::Wait),
                    Link::Closed => Err(Stop::Connect(backend)),
                    Link::Failed => Err(Stop::End(SessionFault::NoServer(format!(
                        "'{}' cannot be used in this session any more",
                        self.server_name(backend, cx)
                    )))),
                }
            }
            Some(Target::Node(inner)) => self.decide(inner, request, leaves, cx),
            None => Err(Stop::End(SessionFault::NoServer(
                "the router chose a target that does not exist".to_owned(),
            ))),
        }
    }

    /// The last connection that is open: where a planted defect sends everything.
    fn any_open(&self) -> Option<BackendId> {
        self.backend_ids()
            .filter(|id| {
                self.backend(*id)
                    .is_some_and(|backend| backend.link() == Link::Open)
            })
            .last()
    }

    /// A target that gets a session command besides the one whose answer counts: as it is, or not
    /// at all if it has no connection.
    fn another(
        &mut self,
        node: usize,
        target: TargetId,
        request: &Request<'_>,
        leaves: &mut Leaves,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        match self.target(node, target) {
            Some(Target::Backend(backend)) => {
                let takes = self
                    .backend(backend)
                    .is_some_and(|backend| backend.takes_commands());
                if takes && leaves.answer != Some(backend) && !leaves.others.contains(&backend) {
                    leaves.others.push(backend);
                }
                Ok(())
            }
            Some(Target::Node(inner)) => self.broadcast(inner, request, leaves, cx),
            None => Ok(()),
        }
    }

    /// A service that gets a session command besides the one whose answer counts: those of its
    /// connections that its router names. What one service refuses nobody gets, or its connections
    /// would have another state than all others.
    fn broadcast(
        &mut self,
        node: usize,
        request: &Request<'_>,
        leaves: &mut Leaves,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        let decision = match self.consult(node, request, false, cx) {
            Ok(decision) => decision,
            // Its filters keep it from the service.
            Err(Stop::Own(_)) => return Ok(()),
            Err(stop) => return Err(stop),
        };
        if let Decision::Reject(reply) = &decision
            && self.is_connected_behind(node)
        {
            return Err(Stop::Reject(reply.clone()));
        }
        // A service without an open connection is told when it opens one.
        let Some(course) = decision.course() else {
            return Ok(());
        };
        let to = match course {
            Course::One(target) => TargetSet::one(target),
            Course::All { to, .. } => to,
        };
        for target in to.iter() {
            self.another(node, target, request, leaves, cx)?;
        }
        leaves.inner.push((node, course));
        Ok(())
    }

    /// Has a service a connection that takes commands, through whatever services behind it?
    fn is_connected_behind(&self, node: usize) -> bool {
        self.backends.iter().any(|backend| {
            backend.takes_commands()
                && crate::chain::Node::path(&self.nodes, backend.node).any(|up| up == node)
        })
    }

    pub(crate) fn target(&self, node: usize, target: TargetId) -> Option<Target> {
        self.nodes
            .get(node)?
            .targets
            .get(usize::from(target.0))
            .copied()
    }

    /// Answers go out in the order of the commands. Whatever routers say, a command may follow one
    /// that is not answered only to the same connection, and a session command none at all.
    fn check_order(&self, command: Command, leaves: &Leaves) -> Result<(), Stop> {
        let Some(newest) = self.tickets.back() else {
            return Ok(());
        };
        // Only one statement at a time can be interrupted.
        if self.replay.is_some() && self.trx.is_open() || self.sync.is_some() {
            return Err(Stop::Wait);
        }
        // One that may still turn out to be behind is sent elsewhere then.
        let stays = newest.seq.is_none() && newest.prefix.is_none() && !self.turns_behind(newest);
        let same = newest.answer == leaves.answer && stays;
        let follows = same && !leaves.all && command != Command::ResetConnection;
        if follows || planted!(AnswersOutOfOrder) {
            Ok(())
        } else {
            Err(Stop::Wait)
        }
    }

    /// A session command: a connection that is being opened cannot catch up with what is not in the
    /// history, nor with the history's end. Before that end, what is lent is fetched back: after it nothing
    /// could come in its place.
    fn check_openings(&self, command: Command, cx: &Cx<'_>) -> Result<(), Stop> {
        let opening = |backend: &Backend| backend.is_connected() && !backend.takes_commands();
        let resets = command == Command::ResetConnection;
        let last = !resets && !self.history.survives_one_more();
        if self.needs.history && (resets || last) && self.backends.iter().any(opening) {
            return Err(Stop::Wait);
        }
        if last && let Some(lent) = self.lent_somewhere(cx) {
            return Err(Stop::Connect(lent));
        }
        Ok(())
    }

    /// A prepared statement can be used only where it has been prepared.
    fn check_prepared(
        &self,
        command: Command,
        id: ClientStmtId,
        leaves: &mut Leaves,
    ) -> Result<(), Stop> {
        let preparing = |backend: &Backend| backend.is_preparing(id);
        let others = || {
            leaves
                .others
                .iter()
                .filter_map(|other| self.backend(*other))
        };
        if command == Command::StmtExecute && others().any(preparing) {
            return Err(Stop::Wait);
        }
        leaves.others.retain(|other| {
            self.backend(*other)
                .is_some_and(|backend| backend.stmts.get(id).is_some())
        });
        let Some(answer) = leaves.answer.and_then(|id| self.backend(id)) else {
            return Ok(());
        };
        if answer.stmts.get(id).is_some() || command == Command::StmtClose {
            return Ok(());
        }
        if preparing(answer) {
            return Err(Stop::Wait);
        }
        if self.is_replaying()
            && let Some(answer) = leaves.answer
        {
            return Err(Stop::Prepare(answer, id));
        }
        Err(Stop::Reject(unknown_statement(Some(id), command)))
    }

    /// Tells the routers that their decisions are being carried out.
    fn announce(&mut self, request: &Request<'_>, leaves: &Leaves, cx: &Cx<'_>) {
        self.counted.set(Counted::Other);
        if let Some(course) = leaves.root {
            self.tell_routed(0, course, request, leaves, cx);
        }
        for (node, course) in &leaves.inner {
            self.tell_routed(*node, *course, request, leaves, cx);
        }
    }

    fn tell_routed(
        &mut self,
        node: usize,
        course: Course,
        request: &Request<'_>,
        leaves: &Leaves,
        cx: &Cx<'_>,
    ) {
        let Some(mut router) = self.nodes.get_mut(node).and_then(|node| node.router.take()) else {
            return;
        };
        // What is bound to a connection goes there, wherever the router would have sent it.
        let bound = leaves.answer.and_then(|id| self.target_of(node, id));
        let course = match (course, bound) {
            (Course::One(_), Some(target)) => Course::One(target),
            (course, _) => course,
        };
        let hints = self.hints_behind(node, leaves.on_primary && node != 0);
        if let Some(scene) = self.scene(node, cx) {
            let hinted = request.hinted(&hints);
            router.on_routed(hinted.as_ref().unwrap_or(request), course, &scene);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.router = Some(router);
        }
    }

    /// Shows a command to the filters of one chain that have not seen it.
    fn run_filters(
        &mut self,
        node: Option<usize>,
        request: &Request<'_>,
        cx: &Cx<'_>,
    ) -> Result<(), Stop> {
        let slots = match node {
            None => &mut self.own_filters,
            Some(ix) => match self.nodes.get_mut(ix) {
                Some(node) => &mut node.filters,
                None => return Ok(()),
            },
        };
        if slots.is_empty() {
            return Ok(());
        }
        let known = self.passed.iter().position(|passed| passed.node == node);
        let ix = known.unwrap_or(self.passed.len());
        if known.is_none() {
            self.passed.push(Passed {
                node,
                filters: 0,
                hints: Vec::new(),
                verdict: None,
            });
        }
        let Some(passed) = self.passed.get_mut(ix) else {
            return Ok(());
        };
        if let Some(stop) = passed.verdict.clone().and_then(stop_by_filter) {
            return Err(stop);
        }
        let scene = self.client.filter_scene(self.id, &self.service.name, cx);
        for slot in slots.iter_mut().skip(passed.filters) {
            passed.filters += 1;
            if !slot.wants.requests {
                continue;
            }
            let verdict = slot.session.on_request(request, &mut passed.hints, &scene);
            if matches!(verdict, Verdict::Answer(_) | Verdict::Reject(_)) {
                passed.verdict = Some(verdict.clone());
            }
            if let Some(stop) = stop_by_filter(verdict) {
                return Err(stop);
            }
        }
        Ok(())
    }

    /// What filters on the way to `node` said where the command should go.
    #[inline]
    pub(crate) fn hints_at(&self, node: usize) -> Vec<Hint> {
        let mut hints = Vec::new();
        if self.is_repeating() {
            return hints;
        }
        for passed in &self.passed {
            let on_the_way = passed
                .node
                .is_none_or(|ix| crate::chain::Node::path(&self.nodes, node).any(|up| up == ix));
            if on_the_way {
                hints.extend_from_slice(&passed.hints);
            }
        }
        hints
    }

    /// The same, and what a service before it wants.
    fn hints_behind(&self, node: usize, on_primary: bool) -> Vec<Hint> {
        let mut hints = self.hints_at(node);
        if on_primary {
            hints.push(Hint::Route(Route::Master));
        }
        hints
    }

    /// What the router of `node` sees.
    #[inline]
    pub(crate) fn scene<'a>(&'a self, node: usize, cx: &Cx<'a>) -> Option<Scene<'a>> {
        Some(Scene {
            now: cx.now,
            session: self,
            servers: cx.servers,
            node: self.nodes.get(node)?,
            ix: node,
            imagined: None,
        })
    }

    /// Which target of `node` a connection belongs to.
    pub(crate) fn target_of(&self, node: usize, backend: BackendId) -> Option<TargetId> {
        let backend = self.backend(backend)?;
        if backend.node == node {
            return Some(backend.target);
        }
        crate::chain::Node::path(&self.nodes, backend.node)
            .filter_map(|ix| self.nodes.get(ix)?.parent)
            .find(|(parent, _)| *parent == node)
            .map(|(_, target)| target)
    }

    /// Carries out what happens to a command that goes nowhere now. `false`: it waits.
    fn conclude(&mut self, stop: Stop, body: &mut Body<'_>, cx: &mut Cx<'_>) -> bool {
        let Some(stop) = self.stop_for_replay(stop, cx) else {
            return false;
        };
        match stop {
            Stop::Wait | Stop::Replaced(_) | Stop::Prepare(..) => false,
            Stop::Later(until) => {
                self.put_off_until(until, cx);
                false
            }
            Stop::Connect(backend) => {
                self.open(backend, cx);
                false
            }
            Stop::Drop => {
                self.head_leaves();
                self.passed.clear();
                self.swallow_rest(body, None);
                true
            }
            Stop::Reuse(id) => {
                self.head_leaves();
                self.note_received(body, cx);
                self.give_out(id, cx);
                true
            }
            Stop::Keep(id) => {
                self.head_leaves();
                self.passed.clear();
                self.keep_statement(id, cx);
                true
            }
            Stop::End(fault) | Stop::Replay(fault) | Stop::Move(fault) => {
                self.fail(&fault, cx);
                true
            }
            Stop::Own(_) | Stop::Reject(_)
                if body.command().reply_shape() == tidegate_wire::Shape::Nothing =>
            {
                self.lose_long_data(body);
                self.conclude(Stop::Drop, body, cx)
            }
            Stop::Own(_) | Stop::Reject(_) | Stop::Kill(_) | Stop::LongDataLost
                if !self.tickets.is_empty() =>
            {
                false
            }
            Stop::Kill(kill) => {
                self.head_leaves();
                self.note_received(body, cx);
                self.ask_kill(&kill, cx);
                true
            }
            Stop::LongDataLost => self.conclude(Stop::Reject(long_data_lost()), body, cx),
            Stop::Own(answer) => {
                self.head_leaves();
                self.note_received(body, cx);
                self.answer_own(&answer, cx);
                self.swallow_rest(body, None);
                true
            }
            Stop::Reject(reply) => {
                self.head_leaves();
                self.execution_refused(body, cx);
                self.note_received(body, cx);
                if body.is_whole() {
                    self.answer_error(&reply, cx);
                } else {
                    self.swallow_rest(body, Some(reply));
                }
                true
            }
        }
    }

    /// The rest of a command that goes nowhere is swallowed as it comes.
    fn swallow_rest(&mut self, body: &Body<'_>, after: Option<ErrReply>) {
        if let Body::Run { found, .. } = body
            && !found.whole
        {
            self.stream = Some(Box::new(Stream {
                left: found.header.len as usize - found.have,
                continues: found.header.continues(),
                next_seq: 1,
                total: found.have as u64,
                after,
                ..Stream::default()
            }));
        }
    }
}

/// What a filter's verdict means for the command; `None`: it goes on.
fn stop_by_filter(verdict: Verdict) -> Option<Stop> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Replace(payload) => Some(Stop::Replaced(payload)),
        Verdict::Answer(answer) => Some(Stop::Own(answer)),
        Verdict::Reject(reply) => Some(Stop::Reject(reply)),
        Verdict::End(fault) => Some(Stop::End(fault)),
    }
}

/// Does the command name a statement by its id?
fn names_statement(command: Command) -> bool {
    matches!(
        command,
        Command::StmtExecute
            | Command::StmtBulkExecute
            | Command::StmtSendLongData
            | Command::StmtFetch
            | Command::StmtReset
            | Command::StmtClose
    )
}

fn unknown_statement(id: Option<ClientStmtId>, command: Command) -> ErrReply {
    let id = id.map_or(0, |id| id.0);
    ErrReply::new(
        1243,
        b"HY000",
        format!(
            "Unknown prepared statement handler ({id}) given to {}",
            command.name()
        ),
    )
}
