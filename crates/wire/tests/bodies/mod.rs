//! What must hold for any bytes at all: the bodies of the fuzz targets, which stable tests run too.
//!
//! Each takes its choices (capabilities, shapes, cuts) from the first bytes, the rest is the peer's.

use tidegate_wire::auth::native::{self, NativeHash};
use tidegate_wire::auth::{Method, Nonces, Secret};
use tidegate_wire::codec::Reader;
use tidegate_wire::compress::{self, Codecs, Packing};
use tidegate_wire::frame::{frame_into, split_packet};
use tidegate_wire::handshake::{
    AuthSwitch, ChangeUser, Greeting, HandshakeResponse, is_ssl_request,
};
use tidegate_wire::login::{Identity, MAX_PACKET, ServerLoginConfig, Verify};
use tidegate_wire::proxy_header::{self, Header, Start, Version};
use tidegate_wire::resultset::{ColumnDef, text_row};
use tidegate_wire::stmt::{self, Bulk, Execute, Fetch, LongData, PrepareOk};
use tidegate_wire::track::{Change, changes, put_change, rewrite_ok};
use tidegate_wire::{
    Caps, ClientLogin, ClientStep, EofPacket, ErrPacket, Event, OkPacket, ReplyError, ReplyTracker,
    Rewrite, SecretBytes, ServerLogin, ServerStep, Shape, Step, WireError,
};

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[
    ("wire_frames", frames),
    ("wire_compress", compressed),
    ("wire_proxy_header", proxy_header),
    ("wire_packets", packets),
    ("wire_stmt", statements),
    ("wire_login", login),
    ("wire_reply", reply),
];

/// The shapes in the order in which a fuzz input chooses them.
pub(crate) const SHAPES: [Shape; 11] = [
    Shape::Ok,
    Shape::Eof,
    Shape::Query,
    Shape::FieldList,
    Shape::Statistics,
    Shape::Prepare,
    Shape::Execute,
    Shape::Fetch,
    Shape::Bulk,
    Shape::Auth,
    Shape::Stream,
];

/// The capabilities that change how packets look, by the bits of a fuzz input.
pub(crate) fn caps(bits: u8) -> Caps {
    let all = [
        Caps::DEPRECATE_EOF,
        Caps::SESSION_TRACK,
        Caps::CACHE_METADATA,
        Caps::PROGRESS,
        Caps::EXTENDED_METADATA,
        Caps::PLUGIN_AUTH_LENENC_CLIENT_DATA,
        Caps::CONNECT_ATTRS,
        Caps::SSL,
    ];
    let chosen = all.into_iter().enumerate();
    chosen.filter(|(bit, _)| bits >> bit & 1 == 1).fold(
        Caps::PROTOCOL_41 | Caps::SECURE_CONNECTION | Caps::PLUGIN_AUTH | Caps::CONNECT_WITH_DB,
        |caps, (_, flag)| caps | flag,
    )
}

/// What is read can be written, and that reads the same again.
fn reread<T>(
    payload: &[u8],
    parse: impl Fn(&[u8]) -> Result<T, WireError>,
    encode: impl Fn(&T, &mut Vec<u8>),
) {
    let Ok(first) = parse(payload) else { return };
    let (mut bytes, mut bytes_again) = (Vec::new(), Vec::new());
    encode(&first, &mut bytes);
    let again = parse(&bytes).expect("what was written is read");
    encode(&again, &mut bytes_again);
    assert_eq!(bytes_again, bytes);
}

/// A PROXY header: what is read needs no more bytes than it takes, and reads the same when written.
pub(crate) fn proxy_header(data: &[u8]) {
    let Ok(Start::Whole { header, len, .. }) = proxy_header::read(data) else {
        return;
    };
    let cut = data.get(..len).expect("no more than there is");
    assert!(
        matches!(proxy_header::read(cut), Ok(Start::Whole { header: again, .. }) if again == header)
    );
    let Header::From(source) = header else {
        return;
    };
    for version in [Version::V1, Version::V2] {
        let mut bytes = Vec::new();
        proxy_header::write(version, Some(source), source, &mut bytes);
        let Ok(Start::Whole { header, .. }) = proxy_header::read(&bytes) else {
            panic!("what was written is read: {}", bytes.escape_ascii());
        };
        assert_eq!(header, Header::From(source));
    }
}

/// Framing: a packet takes no more than its limit, and is written as it came.
pub(crate) fn frames(data: &[u8]) {
    let Some((&[a, b], run)) = data.split_first_chunk::<2>() else {
        return;
    };
    let limit = usize::from(u16::from_le_bytes([a, b]));
    let Ok(Some(split)) = split_packet(run, limit) else {
        return;
    };
    assert!(split.payload.len() <= limit && split.consumed <= run.len());
    let (mut out, mut seq) = (Vec::new(), split.first_seq);
    frame_into(&mut out, &mut seq, &split.payload);
    assert_eq!(out, run[..split.consumed]);
    assert_eq!(seq, split.last_seq.wrapping_add(1));
}

/// Every packet's parser.
pub(crate) fn packets(data: &[u8]) {
    let Some((&bits, payload)) = data.split_first() else {
        return;
    };
    let caps = caps(bits);
    handshake_packets(payload, caps);
    reply_packets(payload, caps);
    rewritten(payload, caps);
    let mut row = 0;
    for value in text_row(payload).flatten().flatten() {
        row += value.len();
    }
    assert!(row <= payload.len());
    if let Some(hash) = NativeHash::parse(payload) {
        assert_eq!(NativeHash::parse(hash.to_string().as_bytes()), Some(hash));
    }
}

fn handshake_packets(payload: &[u8], caps: Caps) {
    reread(payload, Greeting::parse, Greeting::encode);
    let parse = |bytes: &[u8]| HandshakeResponse::parse(bytes, caps);
    reread(payload, parse, HandshakeResponse::encode);
    let parse = |bytes: &[u8]| ChangeUser::parse(bytes, caps);
    reread(payload, parse, |it, out| it.encode(caps, out));
    if let Ok(switch) = AuthSwitch::parse(payload) {
        let mut out = Vec::new();
        switch.encode(&mut out);
        assert!(AuthSwitch::parse(&out) == Ok(switch));
    }
    assert!(!is_ssl_request(payload) || payload.len() == 32);
}

fn reply_packets(payload: &[u8], caps: Caps) {
    if let Ok(ok) = OkPacket::parse(payload, caps) {
        let (mut out, mut again) = (Vec::new(), Vec::new());
        ok.encode(caps, &mut out);
        let reread = OkPacket::parse(&out, caps).expect("what was written is read");
        reread.encode(caps, &mut again);
        assert_eq!(out, again);
        assert_eq!(
            (reread.info, reread.affected_rows),
            (ok.info, ok.affected_rows)
        );
    }
    if let Ok(err) = ErrPacket::parse(payload) {
        let mut out = Vec::new();
        err.encode(&mut out);
        assert_eq!(ErrPacket::parse(&out), Ok(err));
    }
    reread(payload, EofPacket::parse, |it, out| it.encode(out));
    reread(payload, PrepareOk::parse, |it, out| it.encode(out));
    if let Ok(column) = ColumnDef::parse(payload, caps) {
        let mut out = Vec::new();
        column.encode(caps, &mut out);
        assert_eq!(ColumnDef::parse(&out, caps), Ok(column));
    }
    for change in changes(payload).flatten() {
        let mut out = Vec::new();
        put_change(&mut out, &change);
        let again: Vec<_> = changes(&out).collect();
        assert_eq!(again, [Ok(change)]);
    }
}

/// An OK for a client that wants everything, only the schema, or nothing.
fn rewritten(payload: &[u8], caps: Caps) {
    let Ok(server) = OkPacket::parse(payload, caps) else {
        return;
    };
    let schema = |change: &Change<'_>| matches!(change, Change::Schema(_));
    for client in [caps, caps.difference(Caps::SESSION_TRACK)] {
        let mut out = Vec::new();
        let Ok(rewrite) = rewrite_ok(payload, caps, client, schema, &mut out) else {
            continue;
        };
        if rewrite == Rewrite::Unchanged {
            assert!(out.is_empty());
            continue;
        }
        let packet = OkPacket::parse(&out, client).expect("what was written is read");
        assert_eq!(
            (packet.info, packet.warnings, packet.last_insert_id),
            (server.info, server.warnings, server.last_insert_id)
        );
        assert!(changes(packet.changes).all(|change| change.is_ok_and(|change| schema(&change))));
    }
    let all = rewrite_ok(payload, caps, caps, |_| true, &mut Vec::new());
    assert!(!matches!(all, Ok(Rewrite::Written)));
}

/// Statement commands: ids and types are changed, nothing else.
pub(crate) fn statements(data: &[u8]) {
    let Some((&params, payload)) = data.split_first() else {
        return;
    };
    let params = u16::from(params);
    let mut patched = payload.to_vec();
    if stmt::set_stmt_id(&mut patched, 7).is_ok() {
        assert_eq!(stmt::stmt_id(&patched), Some(7));
        assert_eq!((patched[0], &patched[5..]), (payload[0], &payload[5..]));
    }
    let types = vec![0xAB; usize::from(params) * 2];
    let mut out = Vec::new();
    if stmt::insert_types(payload, params, &types, &mut out) == Ok(Rewrite::Written) {
        assert_eq!(stmt::types_of(payload, params), None);
        assert_eq!(stmt::types_of(&out, params), Some(&types[..]));
        assert_eq!(out.len(), payload.len() + types.len());
        let again = stmt::insert_types(&out, params, &types, &mut Vec::new());
        assert_eq!(again, Ok(Rewrite::Unchanged));
    }
    for types in [
        Execute::parse(payload, params).map(|it| it.types),
        Bulk::parse(payload, params).map(|it| it.types),
    ]
    .into_iter()
    .flatten()
    {
        assert!(types.end <= payload.len() && types.start <= types.end);
    }
    let long = LongData::parse(payload).is_ok_and(|it| it.data.len() + 7 != payload.len());
    assert!(!long);
    assert!(Fetch::parse(payload).is_err() || payload.len() >= 9);
}

/// The packets of a dialogue: each with a length of two bytes before it.
struct Dialogue<'a>(Reader<'a>);

impl<'a> Iterator for Dialogue<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let len = self.0.u16().ok()?;
        let len = usize::from(len).min(self.0.remaining());
        self.0.take(len).ok()
    }
}

/// Both sides of a login with a peer that says anything: an unknown user never gets in, an empty
/// password is not taken for another, and what we write is well framed.
pub(crate) fn login(data: &[u8]) {
    let Some((&bits, dialogue)) = data.split_first() else {
        return;
    };
    server_login(caps(bits), Dialogue(Reader::new(dialogue)));
    client_login(caps(bits), Dialogue(Reader::new(dialogue)));
}

fn server_login(caps: Caps, dialogue: Dialogue<'_>) {
    let config = ServerLoginConfig {
        version: b"10.11.0-MariaDB".to_vec(),
        conn_id: 1,
        scramble: *b"01234567890123456789",
        collation: 45,
        caps_offered: caps,
        default_plugin: b"mysql_native_password".to_vec(),
        nonces: Nonces::new([5; 32]),
    };
    let mut out = Vec::new();
    let mut login = ServerLogin::start(config, &mut out);
    assert_framed(&out);
    for payload in dialogue {
        let seq = login.seq();
        out.clear();
        let by = |hash| vec![Method::Native(hash)];
        let (mut next, verdict, empty) = match login.on_packet(payload, seq) {
            Err(error) => return assert_ne!(error.client_reply().code, 0),
            Ok(ServerStep::StartTls(next)) => {
                login = next;
                continue;
            }
            Ok(ServerStep::Identify(mut next, hello)) => {
                let verdict = next.verify(by(NativeHash::UNKNOWN_USER), false, &mut out);
                (next, verdict, hello.auth_response.is_empty())
            }
            Ok(ServerStep::Answered(mut next)) => {
                let verdict = next.go_on(&mut out);
                (next, verdict, payload.is_empty())
            }
        };
        match verdict {
            Verify::Granted(_) => panic!("an unknown user got in"),
            Verify::Asked => assert_framed(&out),
            Verify::Work(work) => panic!("a native password needs no {work:?}"),
            Verify::Denied { .. } => {
                let verdict = next.verify(by(NativeHash::EMPTY), false, &mut Vec::new());
                assert_eq!(matches!(verdict, Verify::Granted(_)), empty);
            }
        }
        login = next;
    }
}

fn client_login(caps: Caps, dialogue: Dialogue<'_>) {
    let mut identity = Identity::new(b"app", Secret::Password(SecretBytes::new(b"secret")));
    identity.caps = caps;
    identity.allow_cleartext = caps.contains(Caps::SSL);
    let mut login = ClientLogin::new(identity);
    let mut seq = 0;
    for payload in dialogue {
        let mut out = Vec::new();
        match login.on_packet(payload, seq, &mut out) {
            Err(error) => return assert_ne!(error.to_string(), ""),
            Ok(ClientStep::Done { .. } | ClientStep::Refused(_)) => return assert!(out.is_empty()),
            Ok(ClientStep::StartTls) => {
                assert_framed(&out);
                out.clear();
                login.tls_started(&mut out);
                seq = seq.wrapping_add(3);
            }
            Ok(ClientStep::NeedMore) if out.is_empty() => {
                seq = seq.wrapping_add(1);
                continue;
            }
            Ok(ClientStep::NeedMore) => seq = seq.wrapping_add(2),
            Ok(ClientStep::Work(_)) => {
                assert!(out.is_empty());
                let done = login.worked(Ok(SecretBytes::new(b"signed")), &mut out);
                assert_eq!(done, Ok(()));
                seq = seq.wrapping_add(2);
            }
        }
        assert_framed(&out);
    }
    assert_ne!(native::hash(b"secret"), NativeHash::EMPTY);
}

fn assert_framed(out: &[u8]) {
    let split = split_packet(out, MAX_PACKET)
        .expect("in order")
        .expect("whole");
    assert_eq!(split.consumed, out.len());
}

/// Everything a tracker said, and how it ended: bytes consumed and replies still due.
#[derive(Debug, PartialEq)]
struct Trace {
    events: Vec<(Event, bool)>,
    end: Result<(usize, usize), ReplyError>,
}

/// Follows `bytes` as they arrive in runs whose lengths `cut` chooses.
fn trace(
    mut tracker: ReplyTracker,
    bytes: &[u8],
    step: Step,
    mut cut: impl FnMut() -> usize,
) -> Trace {
    let (mut events, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        let progress = match tracker.advance(&bytes[start..end], step) {
            Ok(progress) => progress,
            Err(error) => {
                let end = Err(error);
                return Trace { events, end };
            }
        };
        assert!(progress.packet.start <= progress.packet.end);
        assert!(progress.packet.end <= progress.consumed);
        assert!(progress.consumed <= end - start);
        start += progress.consumed;
        if progress.event != Event::More {
            if progress.event == Event::LocalInfile {
                tracker.expect_infile_end();
            }
            events.push((progress.event, progress.done));
            continue;
        }
        assert!(!progress.done);
        if end == bytes.len() {
            let end = Ok((start, tracker.pending()));
            return Trace { events, end };
        }
        end = (end + cut().max(1)).min(bytes.len());
    }
}

/// What [`Step::Fast`] keeps to itself.
fn is_loud((event, done): &(Event, bool)) -> bool {
    let quiet = matches!(
        event,
        Event::ColumnCount(_)
            | Event::Column
            | Event::Row
            | Event::Eof { .. }
            | Event::StreamPacket
    );
    *done || !quiet
}

/// The tracker says the same wherever the bytes are cut, and the same about what matters in both steps.
pub(crate) fn reply(data: &[u8]) {
    let Some((&[bits, shapes, more, seed], bytes)) = data.split_first_chunk::<4>() else {
        return;
    };
    let mut tracker = ReplyTracker::new(caps(bits)).with_whole_limit(64 << (seed & 3));
    for choice in [shapes & 15, shapes >> 4, more & 15, more >> 4] {
        if let Some(shape) = SHAPES.get(usize::from(choice)) {
            tracker.expect(*shape);
        }
    }
    let mut state = u32::from(seed) | 1;
    let mut random_cut = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as usize % 40
    };
    let whole = trace(tracker.clone(), bytes, Step::Fast, || usize::MAX / 2);
    let cut = trace(tracker.clone(), bytes, Step::Fast, &mut random_cut);
    assert_eq!(cut, whole);
    let packets = trace(tracker.clone(), bytes, Step::PerPacket, || usize::MAX / 2);
    let cut_packets = trace(tracker, bytes, Step::PerPacket, &mut random_cut);
    assert_eq!(cut_packets, packets);
    let loud: Vec<_> = packets.events.iter().copied().filter(is_loud).collect();
    assert_eq!(loud, whole.events);
    // Fast steps enter a packet before it is whole, so they may see its mistake earlier.
    if packets.end.is_err() {
        assert_eq!(packets.end, whole.end);
    }
}

/// Compressed frames: any bytes are unpacked within the room there is, and alike in one piece and cut
/// anywhere; what is packed comes back.
pub(crate) fn compressed(data: &[u8]) {
    let Some(([method, cut, room], run)) = data.split_first_chunk::<3>().map(|(a, b)| (*a, b))
    else {
        return;
    };
    let method = match method % 4 {
        0 => compress::Method::Zstd { level: 1 },
        _ => compress::Method::Zlib,
    };
    let room = 1 + usize::from(room) * 16;
    let codecs = &mut Codecs::default();
    let whole = unpacked(method, run, run.len().max(1), room, codecs);
    let pieces = unpacked(method, run, 1 + usize::from(cut), room, codecs);
    assert_eq!(whole, pieces, "cut frames give the same");
    let mut packed = Vec::new();
    Packing::new(method, usize::from(cut)).pack(run, codecs, &mut packed);
    let back = unpacked(method, &packed, 1 + usize::from(cut), room, codecs);
    assert_eq!(back, (run.to_vec(), true), "what was packed is unpacked");
}

/// The plain bytes of the first mebibyte, and whether all of the run was good.
fn unpacked(
    method: compress::Method,
    run: &[u8],
    piece: usize,
    room: usize,
    codecs: &mut Codecs,
) -> (Vec<u8>, bool) {
    const ENOUGH: usize = 1 << 20;
    let mut packing = Packing::new(method, 50);
    let (mut plain, mut waiting) = (Vec::new(), Vec::new());
    for piece in run.chunks(piece) {
        waiting.extend_from_slice(piece);
        loop {
            let before = plain.len();
            let Ok(used) = packing.unpack(&waiting, room, codecs, &mut plain) else {
                return (Vec::new(), false);
            };
            let made = plain.len() - before;
            assert!(made <= room);
            if plain.len() > ENOUGH {
                return (Vec::new(), false);
            }
            waiting.drain(..used);
            if made < room {
                assert!(waiting.is_empty(), "with room left all is used");
                break;
            }
        }
    }
    (plain, true)
}
