use proptest::prelude::*;

use super::*;

const METHODS: [Method; 3] = [
    Method::Zlib,
    Method::Zstd { level: 3 },
    Method::Zstd { level: 1 },
];

/// Unpacks a run that comes in pieces, with so much room each time.
fn unpacked(
    packing: &mut Packing,
    run: &[u8],
    piece: usize,
    room: usize,
) -> Result<Vec<u8>, CompressionError> {
    let (mut codecs, mut plain, mut waiting) = (Codecs::default(), Vec::new(), Vec::new());
    for piece in run.chunks(piece) {
        waiting.extend_from_slice(piece);
        loop {
            let before = plain.len();
            let used = packing.unpack(&waiting, room, &mut codecs, &mut plain)?;
            let made = plain.len() - before;
            assert!(made <= room, "{made} bytes where there is room for {room}");
            waiting.drain(..used);
            if made < room {
                assert_eq!(waiting, [], "with room left all is used");
                break;
            }
        }
    }
    Ok(plain)
}

fn packed(method: Method, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Packing::new(method, 50).pack(plain, &mut Codecs::default(), &mut out);
    out
}

/// The header of a frame and what follows it.
fn frame(said: usize, data: &[u8]) -> Vec<u8> {
    [&header(data.len(), 0, said), data].concat()
}

/// What is in a frame that holds `plain` compressed.
fn data(method: Method, plain: &[u8]) -> Vec<u8> {
    let out = packed(method, plain);
    out[HEADER_LEN..].to_vec()
}

fn check_refused(method: Method, run: &[u8], expect: CompressionError) {
    for (piece, room) in [(run.len(), 1 << 20), (1, 7)] {
        let refused = unpacked(&mut Packing::new(method, 50), run, piece, room);
        assert_eq!(refused, Err(expect), "{method:?} in pieces of {piece}");
    }
}

/// From MySQL internals, `page_protocol_basic_compression_packet`.
#[test]
fn a_statement_as_mysql_documents_it() {
    let run = b"\x22\0\0\0\x32\0\0\x78\x9c\xd3\x63\x60\x60\x60\x2e\x4e\xcd\x49\x4d\x2e\x51\x50\x32\
        \x30\x34\x32\x36\x31\x35\x33\xb7\xb0\xc4\xcd\x52\x02\x00\x0c\xd1\x0a\x6c";
    let plain = b"\x2e\0\0\0\x03select \"012345678901234567890123456789012345\"";
    let found = unpacked(&mut Packing::new(Method::Zlib, 50), run, 5, 100);
    assert_eq!(found.as_deref(), Ok(&plain[..]));
}

#[test]
fn what_is_small_or_cannot_be_made_smaller_goes_as_it_is() {
    for method in METHODS {
        for plain in [&[7; 50][..], &random(5000)] {
            let out = packed(method, plain);
            assert_eq!(out[..HEADER_LEN], header(plain.len(), 0, 0), "{method:?}");
            assert_eq!(&out[HEADER_LEN..], plain);
        }
        let out = packed(method, &[7; 51]);
        assert_eq!(out[4..HEADER_LEN], [51, 0, 0], "{method:?}");
    }
}

/// Bytes without any order in them.
fn random(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn an_answer_is_numbered_after_the_command() {
    let mut packing = Packing::new(Method::Zlib, 50);
    let mut codecs = Codecs::default();
    let numbers = |out: &[u8]| (out[3], out[HEADER_LEN + 1 + 3]);
    for _ in 0..2 {
        let command = [frame(0, b"a"), [&header(1, 1, 0)[..], b"b"].concat()].concat();
        let mut plain = Vec::new();
        packing
            .unpack(&command, 10, &mut codecs, &mut plain)
            .expect("frames");
        assert_eq!(plain, b"ab");
        let mut out = Vec::new();
        packing.pack(b"x", &mut codecs, &mut out);
        packing.pack(b"y", &mut codecs, &mut out);
        assert_eq!(numbers(&out), (2, 3));
    }
}

#[test]
fn a_few_bytes_that_stand_for_many_come_out_as_there_is_room() {
    const LEN: usize = 8 << 20;
    for method in METHODS {
        let mut data = Vec::new();
        data.resize(LEN, b'x');
        let mut out = Vec::new();
        assert!(Codecs::default().compress(method, &data, &mut out));
        assert!(out.len() < 128 * 1024, "{method:?}: {}", out.len());
        let found = unpacked(
            &mut Packing::new(method, 50),
            &frame(LEN, &out),
            4096,
            10_000,
        );
        assert_eq!(found.map(|plain| plain.len()), Ok(LEN), "{method:?}");
    }
}

#[test]
fn frames_that_lie_are_refused() {
    let plain = [b"abcdefgh".repeat(40), random(100)].concat();
    for method in METHODS {
        let data = data(method, &plain);
        let said = |said| CompressionError::Length { said };
        check_refused(
            method,
            &frame(plain.len() + 1, &data),
            said(plain.len() + 1),
        );
        check_refused(
            method,
            &frame(plain.len() - 1, &data),
            said(plain.len() - 1),
        );
        let more = [&data[..], b"more"].concat();
        check_refused(method, &frame(plain.len(), &more), said(plain.len()));
        let cut = frame(plain.len(), &data[..data.len() - 1]);
        let cut = [cut, frame(0, b"next")].concat();
        check_refused(method, &cut, said(plain.len()));
        check_refused(
            method,
            &frame(plain.len(), &random(200)),
            CompressionError::Damaged,
        );
    }
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked_however_it_is_cut(
        plain in prop::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..2000),
        repeat in 1usize..20,
        method in 0..METHODS.len(),
        outputs in 1usize..4,
        piece in 1usize..5000,
        room in 1usize..9000,
    ) {
        let method = METHODS[method];
        let plain = plain.repeat(repeat);
        let (mut sender, mut codecs, mut run) =
            (Packing::new(method, 50), Codecs::default(), Vec::new());
        for output in plain.chunks(plain.len().div_ceil(outputs).max(1)) {
            sender.pack(output, &mut codecs, &mut run);
        }
        let found = unpacked(&mut Packing::new(method, 50), &run, piece, room);
        prop_assert_eq!(found.as_deref(), Ok(&plain[..]));
    }
}
