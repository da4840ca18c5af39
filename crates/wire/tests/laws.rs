//! Laws over generated values: what is encoded decodes to the same, replies are followed wherever they
//! are cut, rewriting keeps all it was not asked to change.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_wire::codec::{Reader, put_lenenc_bytes, put_lenenc_int, put_lenenc_nullable};
use tidegate_wire::frame::{frame_into, split_packet};
use tidegate_wire::handshake::{ChangeUser, Greeting, HandshakeResponse};
use tidegate_wire::reply::{EOF, LOCAL_INFILE};
use tidegate_wire::resultset::{ColumnDef, ColumnType, text_row};
use tidegate_wire::stmt::{PrepareOk, insert_types, types_of};
use tidegate_wire::track::{Change, changes, put_change, rewrite_ok};
use tidegate_wire::{
    Caps, EofPacket, ErrPacket, Event, OkPacket, ReplyTracker, Rewrite, SecretBytes, Shape, Status,
    Step,
};

/// Text without NUL, some of it long enough for every length encoding but the longest.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(1_u8.., 0..40),
        1 => vec(1_u8.., 240..260),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..40),
        1 => vec(any::<u8>(), 240..260),
        1 => Just(vec![0; 70_000]),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    vec((bytes(), bytes()), 0..4)
}

/// Capabilities of a handshake, without TLS and compression.
fn handshake_caps() -> impl Strategy<Value = Caps> {
    any::<u64>().prop_map(|bits| {
        Caps::from_bits(bits)
            .union(Caps::PROTOCOL_41)
            .difference(Caps::CONNECT_WITH_DB)
            .valid()
    })
}

proptest! {
    #[test]
    fn length_encoded_values(number: u64, text in bytes(), row in vec(proptest::option::of(bytes()), 0..5)) {
        let mut out = Vec::new();
        put_lenenc_int(&mut out, number);
        put_lenenc_bytes(&mut out, &text);
        let mut reader = Reader::new(&out);
        prop_assert_eq!(reader.lenenc_int(), Ok(number));
        prop_assert_eq!(reader.lenenc_bytes(), Ok(&text[..]));
        prop_assert!(reader.is_empty());
        let mut out = Vec::new();
        row.iter().for_each(|value| put_lenenc_nullable(&mut out, value.as_deref()));
        let read: Vec<_> = text_row(&out).map(|value| value.unwrap().map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(read, row);
    }

    #[test]
    fn packets_cut_anywhere(payloads in vec(bytes(), 1..5), first: u8, cuts in vec(1_usize..50, 1..20)) {
        let (mut stream, mut seq) = (Vec::new(), first);
        payloads.iter().for_each(|payload| frame_into(&mut stream, &mut seq, payload));
        let (mut buffer, mut found, mut cuts) = (Vec::new(), Vec::new(), cuts.iter().cycle());
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            buffer.extend_from_slice(piece);
            rest = after;
            while let Some(split) = split_packet(&buffer, 80_000).unwrap() {
                found.push(split.payload.to_vec());
                let consumed = split.consumed;
                buffer.drain(..consumed);
            }
        }
        prop_assert_eq!(found, payloads);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn greetings(version in name(), conn_id: u32, scramble: [u8; 20], caps in handshake_caps(), collation: u8, status: u16, plugin in name()) {
        let greeting = Greeting {
            version, conn_id, scramble, caps, collation, status: Status::from_bits(status), plugin,
        };
        let mut out = Vec::new();
        greeting.encode(&mut out);
        prop_assert_eq!(Greeting::parse(&out), Ok(greeting));
    }

    #[test]
    fn handshake_responses(
        caps in handshake_caps(), max_packet: u32, collation: u8, user in name(), auth in vec(1_u8.., 0..200),
        database in proptest::option::of(name()), plugin in name(), attributes in attributes(),
    ) {
        let database = database.filter(|name| !name.is_empty());
        let mut response = HandshakeResponse {
            zstd_level: 0,
            caps, max_packet, collation, user, auth: SecretBytes::new(&auth), database, plugin, attributes,
        };
        let mut out = Vec::new();
        response.encode(&mut out);
        if response.database.is_some() {
            response.caps = caps.union(Caps::CONNECT_WITH_DB);
        }
        if !caps.contains(Caps::PLUGIN_AUTH) {
            response.plugin.clear();
        }
        if !caps.contains(Caps::CONNECT_ATTRS) {
            response.attributes.clear();
        }
        let offered = Caps::from_bits(u64::MAX);
        prop_assert_eq!(HandshakeResponse::parse(&out, offered), Ok(response));
    }

    #[test]
    fn changes_of_user(
        caps in handshake_caps(), user in name(), auth in vec(1_u8.., 0..200), database in name(),
        collation: u16, plugin in name(), attributes in attributes(),
    ) {
        let caps = caps.union(Caps::PLUGIN_AUTH).union(Caps::CONNECT_ATTRS);
        let packet = ChangeUser {
            user,
            auth: SecretBytes::new(&auth),
            database: Some(database).filter(|name| !name.is_empty()),
            collation: Some(collation),
            plugin,
            attributes,
        };
        let mut out = Vec::new();
        packet.encode(caps, &mut out);
        prop_assert_eq!(ChangeUser::parse(&out, caps), Ok(packet));
    }

    #[test]
    fn reply_packets(rows: u64, id: u64, status: u16, warnings: u16, code: u16, sqlstate: [u8; 5], message in bytes(), stmt: u32, columns: u16) {
        let status = Status::from_bits(status).difference(Status::SESSION_STATE_CHANGED);
        let ok = OkPacket {
            affected_rows: rows, last_insert_id: id, warnings, info: &message, ..OkPacket::new(status)
        };
        for caps in [Caps::empty(), Caps::SESSION_TRACK] {
            let mut out = Vec::new();
            ok.encode(caps, &mut out);
            prop_assert_eq!(OkPacket::parse(&out, caps), Ok(ok));
        }
        let err = ErrPacket { code, sqlstate, message: &message };
        let mut out = Vec::new();
        err.encode(&mut out);
        prop_assert_eq!(ErrPacket::parse(&out), Ok(err));
        let eof = EofPacket { warnings, status };
        let mut out = Vec::new();
        eof.encode(&mut out);
        prop_assert_eq!(EofPacket::parse(&out), Ok(eof));
        let prepared = PrepareOk { id: stmt, columns, params: warnings, warnings };
        let mut out = Vec::new();
        prepared.encode(&mut out);
        prop_assert_eq!(PrepareOk::parse(&out), Ok(prepared));
    }

    #[test]
    fn definitions(texts in vec(bytes(), 6), charset: u16, length: u32, kind: u8, flags: u16, decimals: u8) {
        let column = ColumnDef {
            schema: &texts[0], table: &texts[1], org_table: &texts[2], name: &texts[3], org_name: &texts[4],
            extended: &texts[5], charset, length, kind: ColumnType(kind), flags, decimals,
        };
        let mut out = Vec::new();
        column.encode(Caps::EXTENDED_METADATA, &mut out);
        prop_assert_eq!(ColumnDef::parse(&out, Caps::EXTENDED_METADATA), Ok(column));
    }

    #[test]
    fn inserted_types_are_found_and_nothing_else_changes(
        id: u32, params in 1_u16..300, nulls: u8, values in bytes(), bulk: bool, kind: u8,
    ) {
        let mut payload = if bulk { vec![0xfa] } else { vec![0x17] };
        payload.extend_from_slice(&id.to_le_bytes());
        if bulk {
            payload.extend_from_slice(&[0x40, 0]);
        } else {
            payload.extend_from_slice(&[0, 1, 0, 0, 0]);
            payload.extend(std::iter::repeat_n(nulls, usize::from(params).div_ceil(8)));
            payload.push(0);
        }
        let head = payload.len();
        payload.extend_from_slice(&values);
        let types = vec![kind; usize::from(params) * 2];
        let mut out = Vec::new();
        prop_assert_eq!(types_of(&payload, params), None);
        prop_assert_eq!(insert_types(&payload, params, &types, &mut out), Ok(Rewrite::Written));
        prop_assert_eq!(types_of(&out, params), Some(&types[..]));
        let flag_at = if bulk { 5 } else { head - 1 };
        let mut undone = out;
        undone.drain(head..head + types.len());
        undone[flag_at] = payload[flag_at];
        prop_assert_eq!(undone, payload);
    }
}

/// A change of session state that owns its text.
#[derive(Debug, Clone)]
enum Owned {
    Variable(Vec<u8>, Vec<u8>),
    Schema(Vec<u8>),
    State(bool),
    Gtids(Vec<u8>),
    Characteristics(Vec<u8>),
    TrxState([u8; 8]),
    Unknown(u8, Vec<u8>),
}

impl Owned {
    fn view(&self) -> Change<'_> {
        match self {
            Self::Variable(name, value) => Change::Variable { name, value },
            Self::Schema(name) => Change::Schema(name),
            Self::State(changed) => Change::State(*changed),
            Self::Gtids(gtids) => Change::Gtids(gtids),
            Self::Characteristics(sql) => Change::Characteristics(sql),
            Self::TrxState(state) => Change::TrxState(*state),
            Self::Unknown(kind, data) => Change::Unknown { kind: *kind, data },
        }
    }
}

fn change() -> impl Strategy<Value = Owned> {
    prop_oneof![
        (name(), bytes()).prop_map(|(name, value)| Owned::Variable(name, value)),
        name().prop_map(Owned::Schema),
        any::<bool>().prop_map(Owned::State),
        name().prop_map(Owned::Gtids),
        bytes().prop_map(Owned::Characteristics),
        any::<[u8; 8]>().prop_map(Owned::TrxState),
        (6_u8.., bytes()).prop_map(|(kind, data)| Owned::Unknown(kind, data)),
    ]
}

proptest! {
    #[test]
    fn rewriting_keeps_what_it_should_in_order(
        given in vec((change(), any::<bool>()), 0..6), info in bytes(), rows: u64, client_tracks: bool,
    ) {
        let mut raw = Vec::new();
        given.iter().for_each(|(change, _)| put_change(&mut raw, &change.view()));
        let packet = OkPacket {
            info: &info, affected_rows: rows, changes: &raw, ..OkPacket::new(Status::AUTOCOMMIT)
        };
        let server = Caps::SESSION_TRACK;
        let client = if client_tracks { server } else { Caps::empty() };
        let (mut payload, mut out) = (Vec::new(), Vec::new());
        packet.encode(server, &mut payload);
        let keep = |change: &Change<'_>| given.iter().any(|(it, kept)| *kept && it.view() == *change);
        let rewrite = rewrite_ok(&payload, server, client, keep, &mut out).unwrap();
        let kept: Vec<_> = given.iter().map(|(it, _)| it.view()).filter(|it| client_tracks && keep(it)).collect();
        prop_assert_eq!(rewrite == Rewrite::Unchanged, kept.len() == given.len());
        let result = if rewrite == Rewrite::Unchanged { &payload } else { &out };
        let reread = OkPacket::parse(result, client).unwrap();
        let found: Vec<_> = changes(reread.changes).map(Result::unwrap).collect();
        prop_assert_eq!(found, kept);
        prop_assert_eq!((reread.info, reread.affected_rows), (&info[..], rows));
    }
}

/// One result of a statement.
#[derive(Debug, Clone)]
enum Outcome {
    Ok {
        rows: u64,
        changes: bool,
    },
    File,
    Rows {
        columns: u8,
        follow: bool,
        rows: Vec<Vec<u8>>,
    },
}

/// A whole reply to COM_QUERY.
#[derive(Debug, Clone)]
struct Reply {
    outcomes: Vec<Outcome>,
    /// In the place of the last packet.
    error: Option<u16>,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        2 => (any::<u64>(), any::<bool>()).prop_map(|(rows, changes)| Outcome::Ok { rows, changes }),
        1 => Just(Outcome::File),
        // 0xFB and above start other packets than rows.
        4 => (1_u8..9, any::<bool>(), vec((0_u8..0xFB, vec(any::<u8>(), 0..90)), 0..9)).prop_map(
            |(columns, follow, rows)| Outcome::Rows {
                columns,
                follow,
                rows: rows
                    .into_iter()
                    .map(|(first, mut row)| {
                        row.insert(0, first);
                        row
                    })
                    .collect(),
            }
        ),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    (
        vec(outcome(), 1..4),
        proptest::option::weighted(0.2, 1_u16..0xFFFF),
    )
        .prop_map(|(outcomes, error)| Reply { outcomes, error })
}

fn reply_caps() -> impl Strategy<Value = Caps> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(deprecate, cache, track)| {
        [
            (deprecate, Caps::DEPRECATE_EOF),
            (cache, Caps::CACHE_METADATA),
            (track, Caps::SESSION_TRACK),
        ]
        .into_iter()
        .filter(|(chosen, _)| *chosen)
        .fold(Caps::PROTOCOL_41, |caps, (_, flag)| caps | flag)
    })
}

/// Writes a reply and what the tracker must say of it, packet by packet.
struct Script {
    caps: Caps,
    packets: Vec<(Vec<u8>, Event)>,
}

impl Script {
    fn push(&mut self, event: Event, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut payload = Vec::new();
        encode(&mut payload);
        self.packets.push((payload, event));
    }

    fn ok(&mut self, rows: u64, changes: bool, status: Status) {
        let caps = self.caps;
        let has_changes = changes && caps.contains(Caps::SESSION_TRACK);
        let packet = OkPacket {
            affected_rows: rows,
            changes: if changes { b"\x01\x02\x01t" } else { b"" },
            ..OkPacket::new(status)
        };
        let flag = Status::SESSION_STATE_CHANGED;
        let event = Event::Ok {
            status: if has_changes {
                status.union(flag)
            } else {
                status
            },
            affected_rows: rows,
            last_insert_id: 0,
            warnings: 0,
            has_changes,
        };
        self.push(event, |out| packet.encode(caps, out));
    }

    fn rows(&mut self, columns: u8, follow: bool, rows: &[Vec<u8>], status: Status) {
        let (caps, warnings, has_changes) = (self.caps, 0, false);
        let cached = caps.contains(Caps::CACHE_METADATA);
        self.push(Event::ColumnCount(u64::from(columns)), |out| {
            out.push(columns);
            out.extend(cached.then_some(u8::from(follow)));
        });
        let definition = ColumnDef::computed(b"a", ColumnType::LONG);
        for _ in 0..if follow || !cached { columns } else { 0 } {
            self.push(Event::Column, |out| definition.encode(caps, out));
        }
        let eof = EofPacket { warnings, status };
        let deprecated = caps.contains(Caps::DEPRECATE_EOF);
        if !deprecated {
            let event = Event::Eof {
                status,
                warnings,
                has_changes,
            };
            self.push(event, |out| eof.encode(out));
        }
        for row in rows {
            self.push(Event::Row, |out| out.extend_from_slice(row));
        }
        let event = Event::End {
            status,
            warnings,
            has_changes,
        };
        let end = OkPacket {
            header: EOF,
            ..OkPacket::new(status)
        };
        self.push(event, |out| {
            if deprecated {
                end.encode(caps, out);
            } else {
                eof.encode(out);
            }
        });
    }

    fn of(caps: Caps, reply: &Reply) -> Self {
        let mut script = Self {
            caps,
            packets: Vec::new(),
        };
        for (index, outcome) in reply.outcomes.iter().enumerate() {
            let status = if index + 1 < reply.outcomes.len() {
                Status::AUTOCOMMIT.union(Status::MORE_RESULTS)
            } else {
                Status::AUTOCOMMIT
            };
            match outcome {
                Outcome::Ok { rows, changes } => script.ok(*rows, *changes, status),
                Outcome::File => {
                    script.push(Event::LocalInfile, |out| out.extend([LOCAL_INFILE, b'f']));
                    script.ok(1, false, status);
                }
                Outcome::Rows {
                    columns,
                    follow,
                    rows,
                } => {
                    script.rows(*columns, *follow, rows, status);
                }
            }
        }
        if let Some(code) = reply.error {
            script.packets.pop();
            let sqlstate = *b"HY000";
            let err = ErrPacket {
                code,
                sqlstate,
                message: b"no",
            };
            script.push(Event::Err { code }, |out| err.encode(out));
        }
        script
    }
}

/// Replies that arrive one after the other, in runs cut anywhere: each event, and where each reply ends.
fn follow(
    caps: Caps,
    count: usize,
    bytes: &[u8],
    cuts: &[usize],
    step: Step,
) -> Vec<(Event, usize, bool)> {
    let mut tracker = ReplyTracker::new(caps);
    (0..count).for_each(|_| tracker.expect(Shape::Query));
    let mut cuts = cuts.iter().cycle();
    let (mut events, mut start, mut end) = (Vec::new(), 0, 0);
    while !tracker.is_idle() {
        let progress = tracker.advance(&bytes[start..end], step).unwrap();
        start += progress.consumed;
        if progress.event == Event::More {
            assert!(end < bytes.len(), "the replies do not end");
            end = (end + cuts.next().unwrap()).min(bytes.len());
            continue;
        }
        if progress.event == Event::LocalInfile {
            tracker.expect_infile_end();
        }
        events.push((progress.event, start, progress.done));
    }
    assert_eq!(start, bytes.len());
    events
}

proptest! {
    #[test]
    fn replies_are_followed_to_their_ends(
        caps in reply_caps(), replies in vec(reply(), 1..4), cuts in vec(1_usize..70, 1..9),
    ) {
        let (mut bytes, mut expect) = (Vec::new(), Vec::new());
        for reply in &replies {
            let script = Script::of(caps, reply);
            let mut seq = 1;
            let last = script.packets.len() - 1;
            for (index, (payload, event)) in script.packets.iter().enumerate() {
                frame_into(&mut bytes, &mut seq, payload);
                expect.push((*event, bytes.len(), index == last));
            }
        }
        let found = follow(caps, replies.len(), &bytes, &cuts, Step::PerPacket);
        prop_assert_eq!(&found, &expect);
        let quiet = |event: &Event| {
            matches!(event, Event::ColumnCount(_) | Event::Column | Event::Row | Event::Eof { .. })
        };
        let loud: Vec<_> = expect.into_iter().filter(|(event, _, _)| !quiet(event)).collect();
        for cuts in [&cuts[..], &[usize::MAX / 2]] {
            let found = follow(caps, replies.len(), &bytes, cuts, Step::Fast);
            prop_assert_eq!(&found, &loud);
        }
    }
}
