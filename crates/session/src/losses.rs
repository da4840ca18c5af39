//! Connections that break, or must be given up: what was owed on them, and whether the session
//! can do without.

use tidegate_wire::Command;

use crate::backend::{Owed, OwedTo, State};
use crate::fault::SessionFault;
use crate::ids::{BackendId, Side};
use crate::output::{Level, Op};
use crate::replay::Prospect;
use crate::router::{AfterLoss, Loss};
use crate::session::{Cx, Phase, Session};
use crate::ticket::Then;
use crate::world::ServerStatus;

/// How often a statement is sent again because its server was lost: what has met so many losses may be
/// their cause, and shall not bring down server after server, nor the same one again and again.
const MAX_RETRIES: u32 = 5;

/// How often the statement in flight was sent again.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// Its number among the commands that have left the head.
    statement: u64,
    count: u32,
}

impl Retries {
    fn count_of(&self, statement: u64) -> u32 {
        if self.statement == statement {
            self.count
        } else {
            0
        }
    }

    /// May the statement with this number be sent once more?
    fn leave_one(&self, statement: u64) -> bool {
        self.count_of(statement) < MAX_RETRIES
    }

    /// The statement with this number is routed again, and will have the next.
    fn add(&mut self, statement: u64) {
        self.count = self.count_of(statement) + 1;
        self.statement = statement + 1;
    }
}

impl Session {
    /// A connection broke, or could not be made.
    pub(crate) fn backend_lost(&mut self, id: BackendId, reason: &str, cx: &mut Cx<'_>) {
        let connected = self
            .backend(id)
            .is_some_and(|backend| backend.is_connected());
        let owes = self
            .backend(id)
            .is_some_and(|backend| backend.owes_client() > 0);
        if !connected || (owes && planted!(LossNotNoticed)) {
            return;
        }
        let fault = SessionFault::ServerLost {
            server: self.server_name(id, cx),
            reason: reason.to_owned(),
        };
        self.lose(id, fault, false, cx);
    }

    /// A connection can no longer be trusted to have the session's state.
    pub(crate) fn spoiled(&mut self, id: BackendId, text: String, cx: &mut Cx<'_>) {
        let fault = SessionFault::SessionCommand {
            server: self.server_name(id, cx),
            text,
        };
        self.lose(id, fault, true, cx);
    }

    /// Gives a connection up and asks its router what that means.
    pub(crate) fn lose(
        &mut self,
        id: BackendId,
        fault: SessionFault,
        for_good: bool,
        cx: &mut Cx<'_>,
    ) {
        self.lose_after(id, fault, for_good, false, cx);
    }

    /// The same; `refused`: after it has said that it did not execute the statement in flight.
    pub(crate) fn lose_after(
        &mut self,
        id: BackendId,
        fault: SessionFault,
        for_good: bool,
        refused: bool,
        cx: &mut Cx<'_>,
    ) {
        let Some(backend) = self.backend(id) else {
            return;
        };
        if !backend.is_connected() {
            return;
        }
        if self.aims.condemn() {
            self.fail(&SessionFault::Killed, cx);
            return;
        }
        let (node, target) = (backend.node, backend.target);
        let was_open = backend.has_served;
        // What it wrote stands, and who knows what becomes of it.
        if self.keeps_answer_of(id) {
            self.tell_kept(false, cx);
            if self.is_over() {
                return;
            }
        }
        self.pass_on_answering(id);
        let Some(backend) = self.backend(id) else {
            return;
        };
        let owed = backend.owes_client();
        let switching = matches!(backend.state, State::Switching(_)) || backend.turns_for_client();
        let first = self.tickets.front();
        let started = owed > 0
            && first.is_some_and(|ticket| ticket.started)
            && !planted!(StartedAnswerRetried);
        let can_retry = owed == 1
            && self.tickets.len() == 1
            && !started
            && self.stream.is_none()
            && first.is_some_and(|ticket| {
                let anew = ticket.anew && self.recoverable();
                ticket.retry || refused && ticket.kept || anew
            })
            && self.retries.leave_one(self.heads);
        let prospect = self.prospect(id, owed);
        let runs_here = self.transaction_runs_on(id);
        let level = if matches!(fault, SessionFault::ServerLost { .. }) {
            Level::Warning
        } else {
            Level::Error
        };
        let text = fault.to_string();
        self.log(level, cx, || text);
        self.drop_backend(id, for_good, cx);
        self.moved = true;
        if self.judge_lost(id, switching, &fault, cx) {
            return;
        }
        if prospect == Prospect::Unknown {
            self.commit_unknown(id, &fault, cx);
            return;
        }
        let loss = Loss {
            target,
            was_open,
            command_waits: self.held || !self.pending.is_empty(),
            owed,
            started,
            can_retry,
            refused,
            can_replay: prospect == Prospect::Repeat,
            fault,
        };
        let Some(mut router) = self.nodes.get_mut(node).and_then(|node| node.router.take()) else {
            return;
        };
        let after = match self.scene(node, cx) {
            Some(scene) => router.on_lost(&loss, &scene),
            None => AfterLoss::End(loss.fault.clone()),
        };
        if let Some(node) = self.nodes.get_mut(node) {
            node.router = Some(router);
        }
        if self.is_replaying() && (owed > 0 || runs_here || !after.goes_on()) {
            self.begin_replay(&loss.fault, cx);
        } else {
            self.after_loss(node, &loss, after, cx);
        }
        self.judge_missing(cx);
    }

    /// A session command was sent to others as well: one of those that have not answered yet gives the
    /// client its answer in the place of a connection that is lost.
    fn pass_on_answering(&mut self, lost: BackendId) {
        // With it the open transaction is lost, which is repeated as a whole.
        if self.transaction_runs_on(lost) {
            return;
        }
        let Some(ticket) = self.tickets.front() else {
            return;
        };
        let (Some(seq), Some(answer)) = (ticket.seq, ticket.answer) else {
            return;
        };
        if answer != lost || ticket.started || self.tickets.len() != 1 || self.stream.is_some() {
            return;
        }
        let compares = |owed: &Owed| owed.to == OwedTo::Compare { seq };
        let heir = self.backend_ids().find(|id| {
            self.backend(*id).is_some_and(|backend| {
                let place = backend.owed.iter().position(compares);
                let untouched =
                    place.is_some_and(|place| place > 0 || !backend.tracker.mid_reply());
                untouched && matches!(backend.state, State::Ready)
            })
        });
        let Some(heir) = heir else { return };
        if let Some(backend) = self.backend_mut(lost) {
            // Nobody will read what it says.
            for owed in &mut backend.owed {
                if owed.to == OwedTo::Client {
                    owed.to = OwedTo::Compare { seq };
                }
            }
        }
        if let Some(backend) = self.backend_mut(heir)
            && let Some(owed) = backend.owed.iter_mut().find(|owed| compares(owed))
        {
            owed.to = OwedTo::Client;
        }
        if let Some(ticket) = self.tickets.front_mut() {
            ticket.answer = Some(heir);
        }
    }

    fn after_loss(&mut self, node: usize, loss: &Loss, after: AfterLoss, cx: &mut Cx<'_>) {
        match after {
            AfterLoss::Continue if loss.owed == 0 => {}
            AfterLoss::Connect(targets) if loss.owed == 0 => {
                for target in targets.iter() {
                    if let Some(crate::chain::Target::Backend(next)) = self.target(node, target) {
                        self.open(next, cx);
                    }
                }
            }
            AfterLoss::Retry if loss.can_retry => self.retry_statement(cx),
            AfterLoss::RetryLater(until) if loss.can_retry => {
                let since = self.tickets.front().map_or(cx.now, |ticket| ticket.since);
                self.retry_statement(cx);
                self.put_off_since(since, until, cx);
            }
            AfterLoss::Replay if loss.can_replay => self.begin_replay(&loss.fault, cx),
            AfterLoss::Fail(reply)
                if loss.owed == 1 && !loss.started && self.tickets.len() == 1 =>
            {
                if let Some(ticket) = self.tickets.pop_front() {
                    self.drop_ticket(ticket.seq);
                    if ticket.predicted {
                        self.trx.failed();
                    }
                    if matches!(ticket.then, Then::Prepared(_)) {
                        self.stmts.prepare_failed();
                    }
                }
                // Its filters hear of the answer; one that waits behind it keeps its place.
                std::mem::swap(&mut self.passed, &mut self.passed_by_newest);
                self.sent_again = true;
                match &mut self.stream {
                    Some(stream) => stream.after = Some(reply),
                    None => self.answer_error(&reply, cx),
                }
            }
            AfterLoss::End(fault) => self.fail(&fault, cx),
            AfterLoss::Continue
            | AfterLoss::Connect(_)
            | AfterLoss::Retry
            | AfterLoss::RetryLater(_)
            | AfterLoss::Replay
            | AfterLoss::Fail(_) => self.fail(&loss.fault.clone(), cx),
        }
    }

    /// The statement in flight is routed again as soon as the event is over.
    fn retry_statement(&mut self, cx: &mut Cx<'_>) {
        let Some(ticket) = self.tickets.pop_front() else {
            return;
        };
        self.retries.add(self.heads);
        if let Some(seq) = ticket.seq {
            self.unsay(seq);
            if ticket.predicted {
                self.trx.failed();
            }
        }
        self.drop_ticket(None);
        self.observe.retried();
        std::mem::swap(&mut self.passed, &mut self.passed_by_newest);
        self.sent_again = true;
        self.pending.push_front(std::mem::take(&mut self.retry));
        self.moved = true;
        if ticket.seq.is_some() {
            self.give_up_told(cx);
        }
    }

    /// A ticket is gone without an answer from a server.
    pub(crate) fn drop_ticket(&mut self, seq: Option<u64>) {
        self.counters.operations.sub(1);
        if let Some(seq) = seq {
            self.verdicts.abandon(seq);
            self.history
                .confirm(seq, false, self.client.database.as_deref());
        }
    }

    /// Closes a connection and forgets what was tied to it.
    fn drop_backend(&mut self, id: BackendId, for_good: bool, cx: &mut Cx<'_>) {
        cx.out.push(Op::Close(Side::Backend(id)));
        self.forget_connection(id, for_good, cx);
    }

    /// Forgets a connection that the worker closes or keeps for others, and what was tied to it.
    pub(crate) fn forget_connection(&mut self, id: BackendId, for_good: bool, cx: &mut Cx<'_>) {
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        let never_open = matches!(
            backend.state,
            State::Connecting | State::Login(_) | State::Reusing(_)
        );
        let compares: Vec<u64> = backend
            .owed
            .iter()
            .filter_map(|owed| match owed.to {
                OwedTo::Compare { seq } => Some(seq),
                OwedTo::Client
                | OwedTo::Replay { .. }
                | OwedTo::Setup
                | OwedTo::Init { .. }
                | OwedTo::Guise
                | OwedTo::Wait
                | OwedTo::Position
                | OwedTo::Kept
                | OwedTo::Replica { .. } => None,
            })
            .collect();
        let (next_seq, torn) = (
            backend.tracker.next_seq(),
            !backend.tracker.at_packet_boundary(),
        );
        backend.hand_back(cx.now);
        if never_open {
            backend.tally.server.failed_connections.add(1);
        }
        backend.reset(if for_good {
            State::Failed
        } else {
            State::Closed
        });
        for seq in compares {
            self.verdicts.lost(seq, id);
        }
        self.verdicts.forget(id);
        self.stmts.forget_backend(id);
        self.forget_waiting(id);
        self.forget_replica(id);
        for ticket in &mut self.tickets {
            if ticket.answer == Some(id) {
                ticket.answer = None;
                if ticket.started {
                    ticket.next_seq = ticket.renumbered(next_seq);
                    ticket.torn = torn;
                }
            }
        }
        if let Some(stream) = &mut self.stream {
            stream.to.retain(|to| *to != id);
        }
        if self.infile == Some(id) {
            self.infile = None;
        }
        self.apply_backlog(cx);
    }

    /// Closes a connection in order, with COM_QUIT if it stands between two commands.
    pub(crate) fn say_goodbye(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(backend) = self.backend(id) else {
            return;
        };
        if !backend.is_connected() {
            return;
        }
        if matches!(backend.state, State::Ready) && backend.owed.is_empty() && self.stream.is_none()
        {
            cx.out
                .send(Side::Backend(id), &[1, 0, 0, 0, Command::Quit.byte()]);
        }
        self.drop_backend(id, false, cx);
    }

    /// The servers were looked at again: connections to those that are down, or in maintenance by
    /// force, end at once, others are
    /// looked at by their routers at the next rest.
    pub(crate) fn servers_changed(&mut self, cx: &mut Cx<'_>) {
        self.look_for_spare.set(true);
        self.route_again_at_once(cx.now);
        for id in self.backend_ids() {
            let Some(backend) = self.backend(id) else {
                continue;
            };
            if !backend.is_connected() && !backend.lent {
                continue;
            }
            let status = cx
                .servers
                .get(backend.server)
                .map_or(ServerStatus::default(), |view| view.status);
            let gone = !status.has(ServerStatus::RUNNING) || status.has(ServerStatus::EVICTED);
            if gone && self.renounce(id, cx) {
                continue;
            }
            if !status.has(ServerStatus::RUNNING) {
                self.backend_lost(id, "its monitor found it down", cx);
            } else if status.has(ServerStatus::EVICTED) {
                self.backend_lost(id, "it was put into maintenance by force", cx);
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Asks each router which connections it does not want any more.
    pub(crate) fn let_go_spare(&mut self, cx: &mut Cx<'_>) {
        if !matches!(self.phase, Phase::Commands) {
            return;
        }
        self.look_for_spare.set(false);
        for node in 0..self.nodes.len() {
            let Some(router) = self.nodes.get(node).and_then(|node| node.router.as_ref()) else {
                continue;
            };
            let Some(scene) = self.scene(node, cx) else {
                continue;
            };
            for target in router.spare(&scene).iter() {
                if let Some(crate::chain::Target::Backend(id)) = self.target(node, target) {
                    self.part_with(id, cx);
                }
                if self.is_over() {
                    return;
                }
            }
        }
    }

    /// Closes a connection that its router does not want; the router is told as of any loss, for
    /// one without replacement ends the session.
    fn part_with(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(backend) = self.backend(id) else {
            return;
        };
        if matches!(backend.state, State::Lent) {
            self.renounce(id, cx);
            return;
        }
        if !matches!(backend.state, State::Ready) || !backend.owed.is_empty() {
            self.look_for_spare.set(true);
            return;
        }
        cx.out
            .send(Side::Backend(id), &[1, 0, 0, 0, Command::Quit.byte()]);
        self.backend_lost(
            id,
            "its server is in maintenance or no longer wanted here",
            cx,
        );
    }
}
