//! The answer to a write waits for replicas: with `sync_transaction` the client hears of a commit when
//! so many replicas have it, or when the time is up, and then with one warning more.
//!
//! What a statement wrote is in its answer (`last_gtid`). The last packet of such an answer is kept;
//! the session's connections to replicas are asked to wait for the transaction, and more are opened
//! where too few are open. The write stands whatever comes of that: an answer that was kept always
//! goes out, also where the session ends.
//!
//! A COMMIT whose server is lost before it has answered stays unknown: its position is in the answer, and
//! without it nobody knows what to ask the replicas for.
//!
//! Left out on purpose: who may be read meanwhile, and writes that a server does not report (an
//! `INSERT ... RETURNING` to a client that knows EOF packets, MySQL servers): they are not waited for.
//!
//! Invariant: while an answer is kept its ticket is the only one, and no connection owes it.

use std::time::Duration;

use tidegate_wire::frame::{Header, frame_with};
use tidegate_wire::reply::{OkPacket, Progress, Summary};
use tidegate_wire::track::{Change, rewrite_ok};
use tidegate_wire::{Caps, Command, Gtid, GtidList, Rewrite};

use crate::backend::{Link, OwedTo};
use crate::ids::{BackendId, ServerId, Side};
use crate::output::Level;
use crate::position::Wait;
use crate::session::{Cx, Session};
use crate::time::Instant;
use crate::world::ServerStatus;

/// What a router wants to hold before a commit is told, see [`Needs`](crate::router::Needs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncRules {
    /// So many replicas have the transaction.
    pub replicas: usize,
    /// The client is told anyway when it has waited so long.
    pub timeout: Duration,
}

/// What waits for replicas.
#[derive(Debug)]
pub(crate) struct Syncing {
    rules: SyncRules,
    /// What the answer that is coming, or is kept, says that was written.
    written: GtidList,
    kept: Option<Kept>,
    /// Counts the answers that were kept: what a replica is still asked of an older one says nothing.
    count: u64,
}

/// An answer that is complete but for its last packet.
#[derive(Debug)]
struct Kept {
    /// Who gave it.
    by: BackendId,
    /// The capabilities of that connection.
    caps: Caps,
    summary: Summary,
    /// The last packet's number and payload.
    seq: u8,
    payload: Vec<u8>,
    /// It is told then.
    until: Instant,
    /// Connections that were opened for it: one that does not come up is not tried again and again.
    opened: Vec<BackendId>,
    /// Servers that were asked and have not answered, and on which connection.
    asked: Vec<(ServerId, BackendId)>,
    /// Servers that have it, or are known not to get it in time.
    answered: Vec<ServerId>,
    reached: usize,
}

impl Syncing {
    pub(crate) fn new(rules: SyncRules) -> Syncing {
        Syncing {
            rules,
            written: GtidList::default(),
            kept: None,
            count: 0,
        }
    }
}

impl Session {
    /// The answer that is coming reports a write.
    pub(crate) fn note_written(&mut self, id: Gtid) {
        let repeated = self.is_repeating();
        if let Some(sync) = &mut self.sync
            && !repeated
        {
            sync.written.raise(id);
        }
    }

    /// Is an answer being kept until replicas have what it tells?
    pub(crate) fn keeps_answer(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| sync.kept.is_some())
    }

    /// When the answer that is kept goes out in any case.
    pub(crate) fn sync_deadline(&self) -> Option<Instant> {
        Some(self.sync.as_ref()?.kept.as_ref()?.until)
    }

    /// The last step of an answer: is its last packet kept? What came before it goes out.
    pub(crate) fn keep_last_packet(
        &mut self,
        id: BackendId,
        from: usize,
        at: usize,
        progress: &Progress,
        run: &[u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        let packet = at + progress.packet.start..at + progress.packet.end;
        if !progress.done || progress.packet.is_empty() {
            return false;
        }
        self.take_news(id, progress, packet.clone(), run, cx);
        let payload = run
            .get(packet.start + Header::LEN..packet.end)
            .unwrap_or_default();
        let caps = self
            .backend(id)
            .map_or(Caps::empty(), |backend| backend.caps);
        let Some(sync) = &mut self.sync else {
            return false;
        };
        let header = run.get(packet.clone()).and_then(Header::parse);
        let (Some(header), false) = (header, sync.written.is_empty()) else {
            return false;
        };
        sync.count += 1;
        sync.kept = Some(Kept {
            by: id,
            caps,
            summary: Summary::default(),
            seq: header.seq,
            payload: payload.to_vec(),
            until: cx.now.after(sync.rules.timeout),
            opened: Vec::new(),
            asked: Vec::new(),
            answered: Vec::new(),
            reached: 0,
        });
        if let Some(ticket) = self.tickets.front_mut()
            && !ticket.started
        {
            ticket.first_byte = cx.now;
            ticket.started = from < packet.start;
        }
        cx.out.forward(Side::Client, from..packet.start);
        self.nearer = true;
        true
    }

    /// The answer whose last packet is kept is complete.
    pub(crate) fn answer_kept(&mut self, summary: &Summary, cx: &mut Cx<'_>) {
        if let Some(kept) = self.kept_answer() {
            kept.summary = *summary;
        }
        self.ask_replicas(cx);
    }

    fn kept_answer(&mut self) -> Option<&mut Kept> {
        self.sync.as_mut()?.kept.as_mut()
    }

    /// Asks those replicas that can be asked, and connects to others if they are too few: once to each,
    /// and only where the session's state can be rebuilt.
    pub(crate) fn ask_replicas(&mut self, cx: &mut Cx<'_>) {
        let Some((wait, needed)) = self.sync.as_ref().and_then(|sync| {
            let kept = sync.kept.as_ref()?;
            let wait = Wait {
                position: sync.written.clone(),
                timeout: kept.until.since(cx.now),
            };
            Some((wait, sync.rules.replicas))
        }) else {
            return;
        };
        let mut concerned = 0;
        let mut closed = Vec::new();
        for (server, id) in self.replicas(cx) {
            let known = self.kept_answer().is_some_and(|kept| {
                let asked = kept.asked.iter().any(|(asked, _)| *asked == server);
                asked || kept.answered.contains(&server)
            });
            match self.backend(id).map(|backend| backend.link()) {
                _ if known => concerned += 1,
                Some(Link::Open) => {
                    concerned += 1;
                    self.ask_replica(server, id, &wait, cx);
                }
                Some(Link::Opening) => concerned += 1,
                Some(Link::Closed) => closed.push(id),
                Some(Link::Failed) | None => {}
            }
        }
        if !self.recoverable() {
            return;
        }
        if let Some(kept) = self.kept_answer() {
            closed.retain(|id| !kept.opened.contains(id));
            closed.truncate(needed.saturating_sub(concerned));
            kept.opened.extend_from_slice(&closed);
        }
        for id in closed {
            self.open(id, cx);
        }
    }

    fn ask_replica(&mut self, server: ServerId, id: BackendId, wait: &Wait, cx: &mut Cx<'_>) {
        let mut payload = vec![Command::Query.byte()];
        wait.write(self.is_mysql(id), &mut payload);
        let answer = self.sync.as_ref().map_or(0, |sync| sync.count);
        self.say(id, &payload, OwedTo::Replica { answer }, cx);
        if let Some(kept) = self.kept_answer() {
            kept.asked.push((server, id));
        }
    }

    /// The session's connections to replicas of who wrote, one of each server.
    fn replicas(&self, cx: &Cx<'_>) -> Vec<(ServerId, BackendId)> {
        let writer = self.sync.as_ref().and_then(|sync| sync.kept.as_ref());
        let mut servers: Vec<_> = writer
            .and_then(|kept| self.backend(kept.by))
            .map(|backend| backend.server)
            .into_iter()
            .collect();
        let mut found = Vec::new();
        // Of two connections to one server the more open one.
        let mut ids: Vec<BackendId> = self.backend_ids().collect();
        ids.sort_by_key(|id| std::cmp::Reverse(self.backend(*id).map(|backend| backend.link())));
        for id in ids {
            let Some(backend) = self.backend(id) else {
                continue;
            };
            let waits = cx.servers.get(backend.server).is_some_and(|view| {
                let status = view.status;
                status.has(ServerStatus::RUNNING)
                    && status.has(ServerStatus::SLAVE)
                    && !status.has(ServerStatus::MASTER)
            });
            if waits && !servers.contains(&backend.server) {
                servers.push(backend.server);
                found.push((backend.server, id));
            }
        }
        found
    }

    /// A replica has what was written, or did not get it in time.
    pub(crate) fn replica_answered(
        &mut self,
        id: BackendId,
        answer: u64,
        ok: bool,
        cx: &mut Cx<'_>,
    ) {
        self.moved = true;
        let Some(sync) = self.sync.as_ref().filter(|sync| sync.count == answer) else {
            return;
        };
        let needed = sync.rules.replicas;
        let Some(kept) = self.kept_answer() else {
            return;
        };
        let Some(place) = kept.asked.iter().position(|(_, asked)| *asked == id) else {
            return;
        };
        let (server, _) = kept.asked.swap_remove(place);
        kept.answered.push(server);
        kept.reached += usize::from(ok);
        if kept.reached >= needed {
            self.tell_kept(true, cx);
        }
    }

    /// A connection is gone: nobody waits for what it would have said, nor for the rest of an answer
    /// of its.
    pub(crate) fn forget_replica(&mut self, id: BackendId) {
        let answering = self.tickets.front().and_then(|ticket| ticket.answer);
        match self.sync.as_deref_mut() {
            Some(Syncing {
                kept: Some(kept), ..
            }) => kept.asked.retain(|(_, asked)| *asked != id),
            Some(sync) if answering == Some(id) => sync.written = GtidList::default(),
            _ => {}
        }
    }

    /// Was it this connection that gave the answer which is kept?
    pub(crate) fn keeps_answer_of(&self, id: BackendId) -> bool {
        self.sync
            .as_ref()
            .and_then(|sync| sync.kept.as_ref())
            .is_some_and(|kept| kept.by == id)
    }

    /// Tells the client what was kept. `reached`: as many replicas have it as was wanted.
    pub(crate) fn tell_kept(&mut self, reached: bool, cx: &mut Cx<'_>) {
        let Some(sync) = &mut self.sync else { return };
        let Some(kept) = sync.kept.take() else { return };
        sync.written = GtidList::default();
        let (needed, shard) = (sync.rules.replicas, &self.counters);
        if reached {
            shard.synced_transactions.add(1);
        } else {
            shard.sync_timeouts.add(1);
            let has = kept.reached;
            self.log(Level::Warning, cx, || {
                format!("a write is told to the client although {has} of {needed} replicas have it")
            });
        }
        let client_caps = self.client.caps;
        let wishes = &self.client.wishes;
        let wanted = |change: &Change<'_>| wishes.include(change);
        let mut seq = kept.seq;
        let payload = if reached { None } else { kept.with_warning() };
        let payload = payload.as_deref().unwrap_or(&kept.payload);
        cx.out.send_with(Side::Client, |own| {
            frame_with(own, &mut seq, |own| {
                let start = own.len();
                let server_caps = kept.caps;
                if rewrite_ok(payload, server_caps, client_caps, wanted, own)
                    != Ok(Rewrite::Written)
                {
                    own.truncate(start);
                    own.extend_from_slice(payload);
                }
            });
        });
        if let Some(ticket) = self.tickets.front_mut() {
            ticket.started = true;
        }
        self.client_reply_done(kept.by, &kept.summary, &kept.payload, cx);
    }
}

impl Kept {
    /// The packet with one warning more, if it is an OK packet.
    fn with_warning(&self) -> Option<Vec<u8>> {
        let packet = OkPacket::parse(&self.payload, self.caps).ok()?;
        let mut payload = Vec::new();
        OkPacket {
            warnings: packet.warnings.saturating_add(1),
            ..packet
        }
        .encode(self.caps, &mut payload);
        Some(payload)
    }
}
