//! Reads that wait: a command runs on its server only when that has reached a position.
//!
//! Two ways. In front of a text the wait is a statement in the same packet; its answer is dropped and the
//! packets that follow are renumbered in place. A connection whose client did not ask for several
//! statements in a text takes them for this one alone, and only where a text that is not read right
//! could not gain anything by it. Everything else waits as the command at the head, with its bytes
//! where they are, for the answer to a statement of the proxy's own.
//!
//! The waiting statement raises an error when the position is not reached in time, so what follows
//! it in the packet never starts. Its own answer says nothing to the client: no result, no warning.
//!
//! Invariant: a command that was behind has not run anywhere.

use std::fmt::Write as _;

use tidegate_wire::frame::Header;
use tidegate_wire::reply::{Event, Progress};
use tidegate_wire::{Caps, Command, GtidList, Reader, ReplyError, Shape, Status};

use crate::backend::{Link, Owed, OwedTo};
use crate::chain::{Node, Target};
use crate::dispatch::Body;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::{BackendId, Side, TargetId};
use crate::position::{Before, Behind, Told, Wait};
use crate::request::Request;
use crate::route::{Leaves, Stop};
use crate::session::{Cx, Session};
use crate::world::ServerStatus;

/// Is the text one statement, however it is read? A server takes no notice of semicolons and spaces at
/// its end.
fn is_one(text: &[u8]) -> bool {
    let ends = |byte: &u8| *byte == b';' || byte.is_ascii_whitespace();
    let end = text.iter().rposition(|byte| !ends(byte));
    let statement = end.and_then(|end| text.get(..=end)).unwrap_or_default();
    !statement.contains(&b';')
}

/// What the waiting statement raises. Any error will do; this one is found in no manual.
const NOT_REACHED: u16 = 31_792;

/// The command at the head waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// For this connection to reach a position.
    Reaching(BackendId),
    /// No longer: this connection has reached it, and runs the command.
    Reached(BackendId),
    /// For this connection to tell its position.
    Asked(BackendId),
    /// No longer: it is answered with this.
    Refused(ErrReply),
}

/// An answer whose packets are not numbered as its server did it: the answer to a waiting statement stood
/// in front, or definitions were put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefix {
    /// The answer to the waiting statement is still to come.
    due: bool,
    /// Packets that were dropped, less those that were put in, modulo 256: by so much all others are
    /// numbered too high.
    dropped: u8,
    /// Bytes of the frame in progress that are still to come.
    left: usize,
}

impl Prefix {
    pub(crate) fn new() -> Prefix {
        Prefix {
            due: true,
            dropped: 0,
            left: 0,
        }
    }

    /// Nothing stands in front.
    pub(crate) fn nothing() -> Prefix {
        Prefix {
            due: false,
            dropped: 0,
            left: 0,
        }
    }

    /// So many packets were put in where the answer is now: the others are numbered too low.
    pub(crate) fn note_inserted(&mut self, count: u8) {
        self.dropped = self.dropped.wrapping_sub(count);
    }

    pub(crate) fn dropped(self) -> u8 {
        self.dropped
    }

    /// Numbers the packets of a piece of the answer as if it had begun with the client's statement.
    fn renumber(&mut self, mut piece: &mut [u8]) {
        loop {
            let here = self.left.min(piece.len());
            self.left -= here;
            piece = piece.get_mut(here..).unwrap_or_default();
            let Some(header) = Header::parse(piece) else {
                debug_assert!(piece.is_empty(), "a piece ends amid a header");
                return;
            };
            if let Some(seq) = piece.get_mut(3) {
                *seq = seq.wrapping_sub(self.dropped);
            }
            self.left = header.total();
        }
    }
}

impl Wait {
    /// The statement that waits, and raises an error if the position is not reached in time.
    pub(crate) fn write(&self, mysql_family: bool, out: &mut Vec<u8>) {
        let (position, seconds) = (&self.position, self.timeout.as_secs_f64());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = if mysql_family {
            // Outside of programs MySQL has no IF and raises no errors, but that of a subquery.
            write!(
                text,
                "DO IF((WAIT_FOR_EXECUTED_GTID_SET('{position}',{seconds})<=>0)=1,0,(SELECT 1 UNION ALL SELECT 2))"
            )
        } else {
            write!(
                text,
                "IF (MASTER_GTID_WAIT('{position}',{seconds})<=>0)=0 THEN SIGNAL SQLSTATE '45000' SET \
                 MYSQL_ERRNO={NOT_REACHED},MESSAGE_TEXT='the position was not reached in time'; END IF",
            )
        };
        out.extend_from_slice(text.as_bytes());
    }
}

impl Session {
    /// What the command at the head already waits for: it is not looked at before.
    pub(crate) fn check_waiting(&self) -> Result<(), Stop> {
        match &self.waiting {
            None | Some(Waiting::Reached(_)) => Ok(()),
            Some(Waiting::Reaching(_) | Waiting::Asked(_)) => Err(Stop::Wait),
            Some(Waiting::Refused(reply)) => Err(Stop::Reject(reply.clone())),
        }
    }

    /// The connection on which the command at the head has waited.
    pub(crate) fn waited_on(&self) -> Option<BackendId> {
        match self.waiting {
            Some(Waiting::Reached(id)) => Some(id),
            _ => None,
        }
    }

    /// Asks the routers on the way what must hold first, and sees to it.
    pub(crate) fn check_position(
        &mut self,
        request: &Request<'_>,
        leaves: &mut Leaves,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        let command = request.command;
        let executes = matches!(command, Command::Query | Command::StmtExecute);
        let Some(answer) = leaves.answer.filter(|_| executes && !leaves.all) else {
            return Ok(());
        };
        // A primary has everything, and would wait in vain for what it never replicated.
        let waits = self.backend(answer).is_some_and(|backend| {
            let view = cx.servers.get(backend.server);
            view.is_some_and(|view| !view.status.has(ServerStatus::MASTER))
        });
        // What is repeated must end as it did, whatever it sees now.
        if !waits || self.is_repeating() || self.waited_on() == Some(answer) {
            return Ok(());
        }
        let Some((node, before)) = self.before(answer, request, cx) else {
            return Ok(());
        };
        if !self.tickets.is_empty() {
            return Err(Stop::Wait);
        }
        match before {
            Before::Nothing => Ok(()),
            Before::Refuse(reply) => {
                self.waiting = Some(Waiting::Refused(reply.clone()));
                Err(Stop::Reject(reply))
            }
            Before::Ask(target) => Err(self.ask_position(node, target, cx)),
            Before::Reach(wait) if command == Command::Query && self.may_prefix(request) => {
                leaves.wait = Some(wait);
                Ok(())
            }
            Before::Reach(wait) => {
                let mut payload = vec![Command::Query.byte()];
                wait.write(self.is_mysql(answer), &mut payload);
                self.say(answer, &payload, OwedTo::Wait, cx);
                self.waiting = Some(Waiting::Reaching(answer));
                Err(Stop::Wait)
            }
        }
    }

    /// May another statement stand in front of the text? Not where the client could not have written
    /// it itself, nor where the statement's effect on the transaction would be predicted twice.
    fn may_prefix(&self, request: &Request<'_>) -> bool {
        // In a transaction that may be repeated every answer is compared from its first byte, and an
        // error of the proxy's own, were it behind, might not fit what the client has.
        let recorded = self.is_replaying() || self.replay.is_some() && self.trx.is_open();
        (self.takes_several() || is_one(request.text))
            && !recorded
            && request.complete
            && request
                .statement
                .is_some_and(|statement| statement.trx == tidegate_sql::TrxEffect::None)
    }

    /// Does the client want several statements taken in one text?
    pub(crate) fn takes_several(&self) -> bool {
        self.client.caps.contains(Caps::MULTI_STATEMENTS)
    }

    /// Has a connection take several statements in one text from here on, or no longer.
    pub(crate) fn set_several(&mut self, id: BackendId, on: bool, cx: &mut Cx<'_>) {
        let payload = [Command::SetOption.byte(), u8::from(!on), 0];
        if let Some(backend) = self.backend_mut(id) {
            let shape = Command::SetOption.reply_shape();
            backend.tell(id, shape, &payload, Owed::to(OwedTo::Setup), cx);
        }
    }

    /// What the routers between the client and a connection want first, all together; with the node
    /// whose router asks.
    fn before(
        &self,
        answer: BackendId,
        request: &Request<'_>,
        cx: &Cx<'_>,
    ) -> Option<(usize, Before)> {
        let leaf = self.backend(answer)?.node;
        let mut wait: Option<Wait> = None;
        for node in Node::path(&self.nodes, leaf) {
            let hints = self.hints_at(node);
            let hinted = request.hinted(&hints);
            let request = hinted.as_ref().unwrap_or(request);
            let target = self.target_of(node, answer)?;
            let scene = self.scene(node, cx)?;
            let router = self.nodes.get(node)?.router.as_ref()?;
            match (router.before(request, target, &scene), &mut wait) {
                (Before::Nothing, _) => {}
                (Before::Reach(more), Some(wait)) => {
                    wait.position.merge(&more.position);
                    wait.timeout = wait.timeout.min(more.timeout);
                }
                (Before::Reach(first), none) => *none = Some(first),
                (before @ (Before::Ask(_) | Before::Refuse(_)), _) => return Some((node, before)),
            }
        }
        wait.map(|wait| (leaf, Before::Reach(wait)))
    }

    /// Asks a target for its position.
    fn ask_position(&mut self, node: usize, target: TargetId, cx: &mut Cx<'_>) -> Stop {
        let none = || {
            let reason = "there is no primary to be asked for its position";
            Stop::End(SessionFault::NoServer(reason.to_owned()))
        };
        let Some(id) = self.primary_behind(node, target, cx) else {
            return none();
        };
        match self.backend(id).map(|backend| backend.link()) {
            Some(Link::Closed) if self.recoverable() => Stop::Connect(id),
            Some(Link::Open) => {
                let variable = match self.is_mysql(id) {
                    true => "@@global.gtid_executed",
                    false => "@@gtid_current_pos",
                };
                let mut payload = vec![Command::Query.byte()];
                payload.extend_from_slice(b"SELECT ");
                payload.extend_from_slice(variable.as_bytes());
                self.say(id, &payload, OwedTo::Position, cx);
                self.waiting = Some(Waiting::Asked(id));
                Stop::Wait
            }
            Some(Link::Opening) => Stop::Wait,
            Some(Link::Closed | Link::Failed) | None => none(),
        }
    }

    /// The connection that a target stands for: of a service the one to a primary.
    fn primary_behind(&self, node: usize, target: TargetId, cx: &Cx<'_>) -> Option<BackendId> {
        match self.target(node, target)? {
            Target::Backend(id) => Some(id),
            Target::Node(inner) => {
                let targets = self.nodes.get(inner)?.targets.len();
                let targets = (0..u16::try_from(targets).ok()?).map(TargetId);
                targets
                    .filter_map(|target| self.primary_behind(inner, target, cx))
                    .find(|id| {
                        self.backend(*id)
                            .and_then(|backend| cx.servers.get(backend.server))
                            .is_some_and(|view| view.status.has(ServerStatus::MASTER))
                    })
            }
        }
    }

    /// A statement of the proxy's own.
    pub(crate) fn say(&mut self, id: BackendId, payload: &[u8], to: OwedTo, cx: &mut Cx<'_>) {
        if let Some(backend) = self.backend_mut(id) {
            backend.tell(id, Shape::Query, payload, Owed::to(to), cx);
            backend.begin_operation(cx.now);
        }
    }

    /// Is the connection's server one of MySQL's?
    pub(crate) fn is_mysql(&self, id: BackendId) -> bool {
        self.backend(id).is_some_and(|backend| backend.mysql_family)
    }

    /// Writes a statement with the waiting one in front of it.
    pub(crate) fn write_prefixed(
        &mut self,
        id: BackendId,
        body: &Body<'_>,
        wait: &Wait,
        cx: &mut Cx<'_>,
    ) {
        let side = Side::Backend(id);
        let text = body.payload().get(1..).unwrap_or_default();
        let mut prefix = vec![0; Header::LEN];
        prefix.push(Command::Query.byte());
        wait.write(self.is_mysql(id), &mut prefix);
        prefix.push(b';');
        let header = Header {
            len: (prefix.len() - Header::LEN + text.len()) as u32,
            seq: 0,
        };
        if let Some(place) = prefix.get_mut(..Header::LEN) {
            place.copy_from_slice(&header.encode());
        }
        cx.out.send(side, &prefix);
        match body {
            Body::Run { found, .. } => {
                let span = found.payload();
                cx.out.forward(side, span.start + 1..span.end);
            }
            Body::Own { .. } => cx.out.send(side, text),
        }
    }

    /// One step of an answer that has the waiting statement's in front. `true`: it is no part of what
    /// the client gets.
    pub(crate) fn take_prefix(
        &mut self,
        id: BackendId,
        at: usize,
        progress: &Progress,
        run: &mut [u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        let Some(prefix) = self.tickets.front_mut().and_then(|it| it.prefix.as_mut()) else {
            return false;
        };
        if !prefix.due {
            let piece = run.get_mut(at..at + progress.consumed);
            prefix.renumber(piece.unwrap_or_default());
            return false;
        }
        match progress.event {
            Event::Ok { status, .. } if status.contains(Status::MORE_RESULTS) => {
                prefix.due = false;
                prefix.dropped = prefix.dropped.wrapping_add(1);
                if let Some(backend) = self.backend_mut(id) {
                    backend.tracker.forget_results();
                }
            }
            Event::ProgressReport => prefix.dropped = prefix.dropped.wrapping_add(1),
            Event::Err { .. } => {}
            _ => {
                let error = ReplyError::Unexpected {
                    due: "the answer to the waiting statement",
                    first: 0,
                    len: 0,
                };
                self.nonsense(id, &error, cx);
            }
        }
        true
    }

    /// Is the answer in progress still that to a waiting statement?
    pub(crate) fn awaits_prefix(&self) -> bool {
        let prefix = self.tickets.front().and_then(|ticket| ticket.prefix);
        prefix.is_some_and(|prefix| prefix.due)
    }

    /// The waiting statement in front of the oldest command has failed, and so the command has not
    /// run: what becomes of it is its router's affair.
    pub(crate) fn prefix_failed(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(ticket) = self.tickets.pop_front() else {
            return;
        };
        self.drop_ticket(ticket.seq);
        // Its filters have seen it; one that waits behind it keeps its place.
        std::mem::swap(&mut self.passed, &mut self.passed_by_newest);
        self.sent_again = true;
        self.moved = true;
        match self.ask_behind(id, cx) {
            Behind::Reroute => {
                self.observe.retried();
                self.pending.push_front(std::mem::take(&mut self.retry));
            }
            Behind::Fail(reply) => self.answer_error(&reply, cx),
        }
    }

    /// The answer to the waiting statement before a command that waits at the head.
    pub(crate) fn wait_done(&mut self, id: BackendId, ok: bool, cx: &mut Cx<'_>) {
        self.moved = true;
        if ok {
            self.waiting = Some(Waiting::Reached(id));
        } else {
            self.behind(id, cx);
        }
    }

    /// A connection has not reached the position that the command at the head wants.
    fn behind(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        self.moved = true;
        self.waiting = match self.ask_behind(id, cx) {
            Behind::Reroute => None,
            Behind::Fail(reply) => Some(Waiting::Refused(reply)),
        };
    }

    /// A row of the answer to the question for a position.
    pub(crate) fn position_row(&mut self, id: BackendId, payload: &[u8], cx: &Cx<'_>) {
        let text = Reader::new(payload).lenenc_bytes().unwrap_or_default();
        let position = GtidList::parse(text).unwrap_or_default();
        self.tell_position(id, Told::Is(&position), cx);
    }

    /// The question for a position is answered.
    pub(crate) fn position_done(&mut self, id: BackendId, ok: bool, cx: &mut Cx<'_>) {
        if ok {
            self.moved = true;
            self.waiting = None;
        } else {
            self.behind(id, cx);
        }
    }

    /// Asks the routers, nearest to the server first, what becomes of a command that would have to
    /// wait longer.
    fn ask_behind(&mut self, id: BackendId, cx: &Cx<'_>) -> Behind {
        let mut verdict = Behind::Reroute;
        let Some(leaf) = self.backend(id).map(|backend| backend.node) else {
            return verdict;
        };
        self.each_router(id, leaf, cx, |router, target, scene| {
            if let Behind::Fail(reply) = router.on_behind(target, scene) {
                verdict = Behind::Fail(reply);
            }
        });
        verdict
    }

    /// A server has said something about its position.
    pub(crate) fn tell_position(&mut self, id: BackendId, told: Told<'_>, cx: &Cx<'_>) {
        let Some(leaf) = self.backend(id).map(|backend| backend.node) else {
            return;
        };
        self.each_router(id, leaf, cx, |router, target, scene| {
            router.on_position(target, told, scene);
        });
    }

    /// A statement has succeeded. What it wrote is in its answer, unless the connection cannot say.
    pub(crate) fn tell_unknown_position(&mut self, id: BackendId, has_rows: bool, cx: &Cx<'_>) {
        let tells = self.backend(id).is_some_and(|backend| {
            let caps = backend.caps;
            let at_the_end = !has_rows || caps.contains(Caps::DEPRECATE_EOF);
            let reports = !backend.mysql_family || backend.tells_gtids;
            caps.contains(Caps::SESSION_TRACK) && at_the_end && reports
        });
        if !tells {
            self.tell_position(id, Told::Unknown, cx);
        }
    }

    /// The connection is gone: nobody waits for it any more.
    pub(crate) fn forget_waiting(&mut self, id: BackendId) {
        if let Some(Waiting::Reaching(on) | Waiting::Reached(on) | Waiting::Asked(on)) =
            self.waiting
            && on == id
        {
            self.waiting = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_text_that_may_be_read_as_several_is_not_one() {
        for text in ["SELECT 1", "SELECT 1 ; \n;", "", ";"] {
            assert!(is_one(text.as_bytes()), "{text}");
        }
        for text in [
            "SELECT 1; SELECT 2",
            "SELECT ';'",
            "SELECT 1; -- end",
            "/*;*/ SELECT 1",
        ] {
            assert!(!is_one(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_waiting_statement() {
        let wait = Wait {
            position: "0-1-90,3-7-5".parse().unwrap(),
            timeout: Duration::from_millis(1500),
        };
        let written = |mysql_family| {
            let mut out = Vec::new();
            wait.write(mysql_family, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            written(true),
            "DO IF((WAIT_FOR_EXECUTED_GTID_SET('0-1-90,3-7-5',1.5)<=>0)=1,0,\
             (SELECT 1 UNION ALL SELECT 2))"
        );
        assert_eq!(
            written(false),
            "IF (MASTER_GTID_WAIT('0-1-90,3-7-5',1.5)<=>0)=0 THEN SIGNAL SQLSTATE '45000' SET \
             MYSQL_ERRNO=31792,MESSAGE_TEXT='the position was not reached in time'; END IF"
        );
    }

    /// Frames of these lengths and numbers, one after another.
    fn frames(list: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (len, seq) in list {
            let header = Header {
                len: *len as u32,
                seq: *seq,
            };
            bytes.extend_from_slice(&header.encode());
            bytes.extend(std::iter::repeat_n(7, *len));
        }
        bytes
    }

    #[test]
    fn packets_are_renumbered_wherever_payloads_are_cut() {
        let came = frames(&[(1, 2), (0, 3), (9, 4), (3, 255), (2, 0), (5, 1)]);
        let wanted = frames(&[(1, 1), (0, 2), (9, 3), (3, 254), (2, 255), (5, 0)]);
        let headers = [0, 5, 9, 22, 29, 35];
        for cut in 0..=came.len() {
            if headers.iter().any(|at| (at + 1..at + 4).contains(&cut)) {
                continue;
            }
            let mut prefix = Prefix {
                due: false,
                dropped: 1,
                left: 0,
            };
            let mut bytes = came.clone();
            let (first, second) = bytes.split_at_mut(cut);
            prefix.renumber(first);
            prefix.renumber(second);
            assert_eq!(bytes, wanted, "cut at {cut}");
        }
    }
}
