//! Column definitions that servers leave out because a client has them
//! (`MARIADB_CLIENT_CACHE_METADATA`).
//!
//! A server takes it that the client of a prepared statement holds the definitions that it sent last
//! itself. A client of several servers may hold another's: a table was altered, and not all servers
//! know yet. So the definitions are followed on their way: what the client was sent last of each
//! statement, and what each connection sent last. Where a reply leaves them out and the two differ, they
//! are put in, and the packets that follow are renumbered (`waiting`).
//!
//! Left out: text results, whose definitions always come; sessions whose statements are on one
//! connection alone; and those that may repeat transactions, which are not offered the capability.
//!
//! Invariant: a client that is sent rows of a prepared statement holds the definitions that its server
//! wrote them by.

use std::ops::Range;
use std::sync::Arc;

use tidegate_wire::frame::Header;
use tidegate_wire::{Caps, ReplyError, Shape};

use crate::backend::{About, Owed, OwedTo};
use crate::ids::{BackendId, ClientStmtId, Side};
use crate::session::{Cx, Session};
use crate::ticket::Then;
use crate::waiting::Prefix;

/// The definitions of a result's columns: their packets, all of them numbered 0. Copies share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definitions(Arc<[u8]>);

/// Definitions on their way from a server.
#[derive(Debug)]
pub(crate) struct Collecting {
    stmt: ClientStmtId,
    /// Packets that come before: the parameters of a statement.
    skip: u32,
    /// Definitions that are still to come.
    left: u32,
    packets: Vec<u8>,
    /// The client gets them.
    for_client: bool,
    /// The server leaves them out from now on.
    lasts: bool,
}

impl Definitions {
    pub(crate) fn new(packets: &[u8]) -> Definitions {
        Definitions(packets.into())
    }

    pub(crate) fn packets(&self) -> &[u8] {
        &self.0
    }

    /// What a prepare reply says of its columns; `None`: they cannot be found there.
    pub(crate) fn of_prepare_reply(
        reply: &[u8],
        params: u16,
        columns: u16,
        caps: Caps,
    ) -> Option<Definitions> {
        let eof = usize::from(params > 0 && !caps.contains(Caps::DEPRECATE_EOF));
        let before = 1 + usize::from(params) + eof;
        let mut packets = Packets(reply).skip(before).take(usize::from(columns));
        let mut found = Vec::new();
        packets.try_for_each(|packet| put_unnumbered(&mut found, packet))?;
        (columns > 0).then(|| Definitions(found.into()))
    }

    /// Their memory, as far as nobody shares it.
    pub(crate) fn own_bytes(&self) -> usize {
        if Arc::strong_count(&self.0) == 1 {
            self.0.len()
        } else {
            0
        }
    }

    /// Writes them, numbered from `seq`. Returns how many they are, modulo 256.
    fn write(&self, mut seq: u8, out: &mut Vec<u8>) -> u8 {
        let first = seq;
        for packet in Packets(&self.0) {
            let at = out.len();
            out.extend_from_slice(packet);
            if let Some(number) = out.get_mut(at + Header::LEN - 1) {
                *number = seq;
            }
            seq = seq.wrapping_add(1);
        }
        seq.wrapping_sub(first)
    }
}

/// The packets of one frame each that stand one after another.
struct Packets<'a>(&'a [u8]);

impl<'a> Iterator for Packets<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let header = Header::parse(self.0)?;
        let (packet, rest) = self.0.split_at_checked(header.total())?;
        self.0 = rest;
        Some(packet)
    }
}

fn put_unnumbered(out: &mut Vec<u8>, packet: &[u8]) -> Option<()> {
    let (header, payload) = packet.split_first_chunk::<{ Header::LEN }>()?;
    let [a, b, c, _] = *header;
    out.extend_from_slice(&[a, b, c, 0]);
    out.extend_from_slice(payload);
    Some(())
}

impl Session {
    /// Which statement a reply in progress is of.
    fn stmt_of(&self, owed: &Owed) -> Option<ClientStmtId> {
        match owed.about {
            About::Preparing(stmt) | About::Executing(stmt) => Some(stmt),
            About::Else if owed.to == OwedTo::Client => self.tickets.front()?.stmt,
            About::Else => None,
        }
    }

    /// A prepare reply begins.
    #[inline(never)]
    pub(crate) fn prepare_reply_begins(
        &mut self,
        id: BackendId,
        owed: &Owed,
        params: u16,
        columns: u16,
    ) {
        if !self.needs.definitions {
            return;
        }
        let for_client = owed.to == OwedTo::Client;
        let collecting = self.stmt_of(owed).filter(|_| columns > 0).map(|stmt| {
            Box::new(Collecting {
                stmt,
                skip: u32::from(params),
                left: u32::from(columns),
                packets: Vec::new(),
                for_client,
                lasts: true,
            })
        });
        if let Some(backend) = self.backend_mut(id) {
            backend.collecting = collecting;
        }
    }

    /// A result of an execution begins.
    #[inline(never)]
    pub(crate) fn result_begins(&mut self, id: BackendId, owed: &Owed, columns: u64) {
        let stmt = self.stmt_of(owed);
        let for_client = owed.to == OwedTo::Client;
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        backend.collecting = None;
        if !backend.tracker.awaits_definitions() {
            return;
        }
        let Some(stmt) = stmt else { return };
        // Unit results of a bulk execution are no result of the statement itself.
        let lasts = backend.tracker.front() == Some(Shape::Execute);
        backend.collecting = Some(Box::new(Collecting {
            stmt,
            skip: 0,
            left: u32::try_from(columns).unwrap_or(u32::MAX),
            packets: Vec::new(),
            for_client,
            lasts,
        }));
        if for_client && let Some(prepared) = self.stmts.get_mut(stmt) {
            prepared.held = None;
        }
    }

    /// One more definition; `packet` is empty if it was too long to be looked at.
    #[inline(never)]
    pub(crate) fn collect_definition(&mut self, id: BackendId, packet: &[u8], cx: &mut Cx<'_>) {
        let Some(collecting) = self
            .backend_mut(id)
            .and_then(|backend| backend.collecting.as_mut())
        else {
            return;
        };
        if collecting.skip > 0 {
            collecting.skip -= 1;
            return;
        }
        if put_unnumbered(&mut collecting.packets, packet).is_none() {
            let error = ReplyError::Unexpected {
                due: "a column definition of usual length",
                first: 0,
                len: 0,
            };
            self.nonsense(id, &error, cx);
            return;
        }
        collecting.left = collecting.left.saturating_sub(1);
        if collecting.left == 0 {
            self.collected(id);
        }
    }

    /// All definitions of a result have come.
    fn collected(&mut self, id: BackendId) {
        let Some(collected) = self
            .backend_mut(id)
            .and_then(|backend| backend.collecting.take())
        else {
            return;
        };
        let stmt = collected.stmt;
        let held = self
            .stmts
            .get(stmt)
            .and_then(|prepared| prepared.held.clone());
        let definitions = held
            .filter(|held| *held.packets() == *collected.packets)
            .unwrap_or_else(|| Definitions::new(&collected.packets));
        if collected.lasts
            && let Some(backend) = self.backend_mut(id)
        {
            backend.stmts.set_told(stmt, definitions.clone());
        }
        if !collected.for_client {
            return;
        }
        // Those that came before the client's share its copy from here on.
        for backend in &mut self.backends {
            if backend.stmts.told(stmt) == Some(&definitions) {
                backend.stmts.set_told(stmt, definitions.clone());
            }
        }
        self.now_held(stmt, definitions);
    }

    /// The client holds these definitions of a statement.
    fn now_held(&mut self, stmt: ClientStmtId, definitions: Definitions) {
        let ticket = self.tickets.front_mut();
        match ticket.map(|ticket| &mut ticket.then) {
            Some(Then::Prepared(prepared)) if prepared.id == stmt => {
                prepared.held = Some(definitions);
            }
            _ => {
                if let Some(prepared) = self.stmts.get_mut(stmt) {
                    prepared.held = Some(definitions);
                }
            }
        }
    }

    /// The definitions that a server leaves out of the result that begins, if the client does not hold
    /// them.
    fn missing_definitions(&self, id: BackendId) -> Option<(ClientStmtId, Definitions)> {
        let backend = self.backend(id)?;
        if backend.tracker.awaits_definitions() || planted!(DefinitionsNotInserted) {
            return None;
        }
        let stmt = self.tickets.front()?.stmt?;
        let told = backend.stmts.told(stmt)?;
        let held = self.stmts.get(stmt)?.held.as_ref();
        (held != Some(told)).then(|| (stmt, told.clone()))
    }

    /// Sends the client a column count, and what its server leaves out and the client does not hold.
    #[inline(never)]
    pub(crate) fn pass_column_count(
        &mut self,
        id: BackendId,
        whole: Range<usize>,
        packet: Range<usize>,
        run: &mut [u8],
        cx: &mut Cx<'_>,
    ) {
        let header = run.get(packet.clone()).and_then(Header::parse);
        let (Some((stmt, definitions)), Some(header)) = (self.missing_definitions(id), header)
        else {
            cx.out.forward(Side::Client, whole);
            return;
        };
        // The last byte of the count says whether definitions follow.
        if let Some(follow) = run.get_mut(packet.end - 1) {
            *follow = 1;
        }
        cx.out.forward(Side::Client, whole);
        let mut inserted = 0;
        cx.out.send_with(Side::Client, |own| {
            inserted = definitions.write(header.seq.wrapping_add(1), own);
        });
        if let Some(ticket) = self.tickets.front_mut() {
            let prefix = ticket.prefix.get_or_insert(Prefix::nothing());
            prefix.note_inserted(inserted);
        }
        self.now_held(stmt, definitions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_wire::frame::frame_into;

    fn framed(first_seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
        let (mut out, mut seq) = (Vec::new(), first_seq);
        for payload in payloads {
            frame_into(&mut out, &mut seq, payload);
        }
        out
    }

    fn unnumbered(payloads: &[&[u8]]) -> Vec<u8> {
        payloads
            .iter()
            .flat_map(|payload| framed(0, &[payload]))
            .collect()
    }

    #[track_caller]
    fn check(params: u16, columns: u16, caps: Caps, reply: &[&[u8]], expect: Option<&[&[u8]]>) {
        let reply = framed(1, reply);
        let found = Definitions::of_prepare_reply(&reply, params, columns, caps);
        let expect = expect.map(|payloads| Definitions::new(&unnumbered(payloads)));
        assert_eq!(found, expect);
    }

    #[test]
    fn columns_are_found_in_prepare_replies() {
        let modern = Caps::DEPRECATE_EOF;
        let classic = Caps::empty();
        check(0, 0, modern, &[b"ok"], None);
        check(1, 0, classic, &[b"ok", b"p", b"eof"], None);
        check(0, 1, modern, &[b"ok", b"c"], Some(&[b"c"]));
        check(2, 1, modern, &[b"ok", b"p", b"q", b"c"], Some(&[b"c"]));
        check(
            1,
            2,
            classic,
            &[b"ok", b"p", b"eof", b"c", b"dd", b"eof"],
            Some(&[b"c", b"dd"]),
        );
        check(0, 1, classic, &[b"ok", b"c", b"eof"], Some(&[b"c"]));
    }

    #[test]
    fn definitions_are_numbered_where_they_are_put_in() {
        let payloads: [&[u8]; 3] = [b"a", b"bb", b"ccc"];
        let definitions = Definitions::new(&unnumbered(&payloads));
        let mut out = b"before".to_vec();
        assert_eq!(definitions.write(254, &mut out), 3);
        assert_eq!(out, [b"before".to_vec(), framed(254, &payloads)].concat());
        let many: Vec<&[u8]> = vec![b"x"; 300];
        let definitions = Definitions::new(&unnumbered(&many));
        assert_eq!(definitions.write(2, &mut Vec::new()), 44);
    }
}
