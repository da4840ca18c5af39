//! What recordings of real servers do not hold: long packets, nonsense, queues.

use super::*;
use crate::frame::frame_into;
use crate::reply::EOF;
use crate::{Status, WireError};

const CLASSIC: Caps = Caps::PROTOCOL_41;
const MODERN: Caps = CLASSIC
    .union(Caps::DEPRECATE_EOF)
    .union(Caps::SESSION_TRACK);
const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0";
const EOF_PACKET: &[u8] = b"\xfe\0\0\x02\0";
const END_OK: &[u8] = b"\xfe\0\0\x02\0\0\0";
/// Where the head of a long packet is there and its end is not.
const HEAD_AND_MORE: usize = 100;
const OK_PACKET: &[u8] = b"\0\0\0\x02\0\0\0";

fn framed(first_seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let (mut out, mut seq) = (Vec::new(), first_seq);
    for payload in payloads {
        frame_into(&mut out, &mut seq, payload);
    }
    out
}

fn tracker(caps: Caps, shapes: &[Shape]) -> ReplyTracker {
    let mut tracker = ReplyTracker::new(caps);
    for shape in shapes {
        tracker.expect(*shape);
    }
    tracker
}

/// Events until the run is used up.
fn drain(tracker: &mut ReplyTracker, mut run: &[u8], step: Step) -> Result<Vec<Event>, ReplyError> {
    let mut events = Vec::new();
    while !run.is_empty() {
        let progress = tracker.advance(run, step)?;
        run = &run[progress.consumed..];
        if progress.event == Event::More {
            break;
        }
        events.push(progress.event);
    }
    Ok(events)
}

#[track_caller]
fn check_long_row(caps: Caps, len: usize) {
    // The first column of 16 MiB and more makes the row start with 0xFE.
    let mut row = vec![b'x'; len];
    row[..9].copy_from_slice(b"\xfe\0\0\0\x01\0\0\0\0");
    let classic = !caps.contains(Caps::DEPRECATE_EOF);
    let mut payloads = vec![&b"\x01"[..], DEFINITION];
    payloads.extend(classic.then_some(EOF_PACKET));
    let start = framed(1, &payloads).len();
    payloads.extend([
        &row[..],
        b"\x01z",
        if classic { EOF_PACKET } else { END_OK },
    ]);
    let reply = framed(1, &payloads);
    let tail = start + Header::LEN * (1 + len / MAX_FRAME) + len;
    let around_second = start + Header::LEN + MAX_FRAME;
    for cut in [
        start + 3,
        start + 5,
        start + HEAD_AND_MORE,
        around_second.min(tail) + 3,
        around_second.min(tail) + 5,
        tail - 1,
        tail,
        tail + 3,
        reply.len() - 1,
    ] {
        let mut tracker = tracker(caps, &[Shape::Query]);
        let first = tracker.advance(&reply[..cut], Step::Fast).unwrap();
        assert_eq!(first.event, Event::More, "{len} {cut}");
        let rest = &reply[first.consumed..];
        assert!(tracker.advance(rest, Step::Fast).unwrap().done);
        assert_eq!((tracker.rows(), tracker.bytes()), (2, reply.len() as u64));
    }
}

#[test]
fn rows_around_the_frame_limit_are_one_row_each() {
    for len in [MAX_FRAME - 1, MAX_FRAME, MAX_FRAME + 1, 2 * MAX_FRAME] {
        check_long_row(CLASSIC, len);
    }
    for len in [MAX_FRAME, MAX_FRAME + 1, 2 * MAX_FRAME] {
        check_long_row(MODERN, len);
    }
}

#[test]
fn a_packet_of_kind_fe_just_below_the_frame_limit_is_an_ok_where_eof_is_deprecated() {
    let mut end = vec![0; MAX_FRAME - 1];
    end[..7].copy_from_slice(END_OK);
    let reply = framed(1, &[b"\x01", DEFINITION, &end]);
    let mut tracker = tracker(MODERN, &[Shape::Query]);
    let progress = tracker.advance(&reply, Step::Fast).unwrap();
    assert!(progress.done && progress.packet.is_empty());
    assert_eq!(tracker.rows(), 0);
}

#[test]
fn frames_of_a_long_row_are_numbered_in_a_row() {
    let mut row = vec![b'x'; MAX_FRAME + 10];
    row[..9].copy_from_slice(b"\xfe\0\0\0\x01\0\0\0\0");
    let mut reply = framed(1, &[b"\x01", DEFINITION, &row]);
    let second = reply.len() - 14;
    reply[second + 3] = 9;
    let error = tracker(MODERN, &[Shape::Query]).advance(&reply, Step::Fast);
    let (expected, got) = (4, 9);
    assert_eq!(error, Err(ReplyError::OutOfOrder { expected, got }));
}

#[test]
fn replies_that_arrive_together_are_popped_one_by_one() {
    let mut run = framed(1, &[OK_PACKET]);
    run.extend(framed(
        1,
        &[b"\x01", DEFINITION, EOF_PACKET, b"\x01z", EOF_PACKET],
    ));
    run.extend(framed(1, &[b"\xff\x51\x04#42000no"]));
    let mut tracker = tracker(
        CLASSIC,
        &[Shape::Ok, Shape::Nothing, Shape::Query, Shape::Eof],
    );
    assert_eq!(tracker.pending(), 3);
    let mut ends = Vec::new();
    while !tracker.is_idle() {
        let progress = tracker.advance(&run, Step::Fast).unwrap();
        assert!(progress.done && !tracker.mid_reply());
        ends.push((tracker.summary().kind, tracker.rows(), progress.consumed));
        run.drain(..progress.consumed);
    }
    let expect = [
        (Kind::Ok, 0, 11),
        (Kind::ResultSet, 1, 5 + 27 + 9 + 6 + 9),
        (Kind::Err, 0, 15),
    ];
    assert_eq!(ends, expect);
    assert_eq!(tracker.summary().error_code, 1105);
}

#[test]
fn one_reply_at_a_time_allocates_nothing() {
    let reply = framed(1, &[b"\x01", DEFINITION, EOF_PACKET, b"\x01z", EOF_PACKET]);
    let mut tracker = ReplyTracker::new(CLASSIC);
    for _ in 0..3 {
        tracker.expect(Shape::Query);
        assert!(tracker.advance(&reply, Step::Fast).unwrap().done);
    }
    assert_eq!(tracker.queue.capacity(), 0);
}

#[test]
fn long_session_changes_are_not_waited_for() {
    let mut ok = b"\0\x05\0\x02\x40\0\0\0\xfd\0\0\x02".to_vec();
    ok.resize(ok.len() + 0x2_0000, b'x');
    let reply = framed(1, &[&ok]);
    for (limit, whole) in [(WHOLE_LIMIT, false), (1 << 20, true)] {
        let mut tracker = tracker(MODERN, &[Shape::Ok]).with_whole_limit(limit);
        let first = tracker.advance(&reply[..1000], Step::Fast).unwrap();
        assert_eq!(first.consumed, if whole { 0 } else { 1000 });
        assert_eq!(tracker.at_packet_boundary(), whole);
        let last = tracker
            .advance(&reply[first.consumed..], Step::Fast)
            .unwrap();
        assert!(last.done);
        assert!(matches!(
            last.event,
            Event::Ok {
                affected_rows: 5,
                has_changes: true,
                ..
            }
        ));
        assert_eq!(last.packet.len(), if whole { reply.len() } else { 0 });
    }
}

#[test]
fn a_short_row_waits_in_packet_steps_and_streams_in_fast_steps() {
    let run = framed(1, &[b"\x01", DEFINITION, EOF_PACKET, &[b'r'; 200]]);
    let cut = &run[..run.len() - 50];
    let mut fast = tracker(CLASSIC, &[Shape::Query]);
    assert_eq!(fast.advance(cut, Step::Fast).unwrap().consumed, cut.len());
    assert!(fast.mid_reply() && !fast.at_packet_boundary());
    let mut careful = tracker(CLASSIC, &[Shape::Query]);
    let events = drain(&mut careful, cut, Step::PerPacket).unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(careful.bytes(), (run.len() - 204) as u64);
    assert!(careful.at_packet_boundary());
}

#[test]
fn prepare_replies_count_up_to_65535() {
    for caps in [CLASSIC, MODERN] {
        let mut payloads = vec![&b"\0\x01\0\0\0\xff\xff\xff\xff\0\0\0"[..]];
        for _ in 0..2 {
            payloads.extend(std::iter::repeat_n(DEFINITION, 65535));
            payloads.extend((caps == CLASSIC).then_some(EOF_PACKET));
        }
        let reply = framed(1, &payloads);
        let mut tracker = tracker(caps, &[Shape::Prepare, Shape::Ok]);
        let events = drain(&mut tracker, &reply, Step::Fast).unwrap();
        assert_eq!(tracker.front(), Some(Shape::Ok));
        assert_eq!(events.len(), 2);
        assert_eq!(tracker.bytes(), reply.len() as u64);
    }
}

/// A SELECT without tables may have more columns than any table, and than a prepared statement says.
#[test]
fn a_result_may_have_more_than_65535_columns() {
    for caps in [CLASSIC, MODERN] {
        let mut payloads = vec![&b"\xfd\x01\0\x01"[..]];
        payloads.extend(std::iter::repeat_n(DEFINITION, 65537));
        payloads.extend((caps == CLASSIC).then_some(EOF_PACKET));
        payloads.push(if caps == CLASSIC { EOF_PACKET } else { END_OK });
        let reply = framed(1, &payloads);
        for step in [Step::Fast, Step::PerPacket] {
            let mut tracker = tracker(caps, &[Shape::Query, Shape::Ok]);
            drain(&mut tracker, &reply, step).unwrap();
            assert_eq!(tracker.front(), Some(Shape::Ok));
            assert_eq!(tracker.bytes(), reply.len() as u64);
        }
    }
}

#[test]
fn an_error_ends_load_data_before_the_client_is_through() {
    let mut tracker = tracker(CLASSIC, &[Shape::Query]);
    let progress = tracker
        .advance(&framed(1, &[b"\xfbx"]), Step::Fast)
        .unwrap();
    assert_eq!(progress.event, Event::LocalInfile);
    assert!(tracker.awaits_infile());
    let early = tracker
        .clone()
        .advance(&framed(7, &[OK_PACKET]), Step::Fast);
    assert!(matches!(early, Err(ReplyError::Unexpected { .. })));
    let error = framed(7, &[b"\xff\x51\x04#42000no"]);
    assert!(tracker.advance(&error, Step::Fast).unwrap().done);
    assert!(!tracker.awaits_infile());
}

#[test]
fn error_65535_is_a_progress_report_only_where_they_were_agreed_on() {
    let reply = framed(1, &[b"\xff\xff\xff\x01\x01\x02\0\0\0\x04copy"]);
    let mut plain = tracker(CLASSIC, &[Shape::Query]);
    assert_eq!(
        drain(&mut plain, &reply, Step::Fast),
        Ok(vec![Event::Err { code: 0xFFFF }])
    );
    let mut reporting = tracker(CLASSIC.union(Caps::PROGRESS), &[Shape::Query]);
    assert_eq!(
        drain(&mut reporting, &reply, Step::Fast),
        Ok(vec![Event::ProgressReport])
    );
    assert!(reporting.mid_reply());
}

#[test]
fn bytes_that_nobody_asked_for() {
    let mut tracker = ReplyTracker::new(CLASSIC);
    assert_eq!(tracker.advance(&[], Step::Fast).unwrap().consumed, 0);
    let killed = framed(1, &[b"\xff\x87\x07#70100Connection was killed"]);
    for cut in 0..killed.len() {
        let progress = tracker.advance(&killed[..cut], Step::Fast).unwrap();
        assert_eq!((progress.consumed, progress.event), (0, Event::More));
    }
    let unsolicited = |first, code| Err(ReplyError::Unsolicited { first, code });
    assert_eq!(
        tracker.advance(&killed, Step::Fast),
        unsolicited(ERR, Some(1927))
    );
    let ok = framed(1, &[OK_PACKET]);
    assert_eq!(tracker.advance(&ok, Step::Fast), unsolicited(0, None));
    for (run, first) in [(&b"\0\0\0\0\xff"[..], 0), (b"\xff\xff\xff\0\xff", ERR)] {
        assert_eq!(tracker.advance(run, Step::Fast), unsolicited(first, None));
    }
}

#[track_caller]
fn check_refused(caps: Caps, shape: Shape, payloads: &[&[u8]], expect: ReplyError) {
    let run = framed(1, payloads);
    for step in [Step::Fast, Step::PerPacket] {
        let mut tracker = tracker(caps, &[shape]);
        assert_eq!(drain(&mut tracker, &run, step), Err(expect), "{step:?}");
    }
}

#[test]
fn nonsense_is_refused() {
    let unexpected = |due, first, len| ReplyError::Unexpected { due, first, len };
    let start = "the start of a result";
    let truncated =
        |at, needed, left| ReplyError::Malformed(WireError::Truncated { at, needed, left });
    check_refused(
        CLASSIC,
        Shape::Query,
        &[b""],
        ReplyError::Empty { due: start },
    );
    check_refused(
        CLASSIC,
        Shape::Query,
        &[EOF_PACKET],
        unexpected(start, EOF, 5),
    );
    check_refused(CLASSIC, Shape::Execute, &[b"\xfbx"], {
        ReplyError::Malformed(WireError::NoLength { at: 0, first: 0xFB })
    });
    check_refused(CLASSIC, Shape::Ok, &[b"\x01"], unexpected(start, 1, 1));
    check_refused(CLASSIC, Shape::Prepare, &[b"\x01"], unexpected(start, 1, 1));
    check_refused(CLASSIC, Shape::Auth, &[b"\x02"], unexpected(start, 2, 1));
    check_refused(CLASSIC, Shape::Stream, &[b"\x07"], unexpected(start, 7, 1));
    check_refused(CLASSIC, Shape::Ok, &[b"\0\0\0\x02"], truncated(3, 2, 1));
    check_refused(CLASSIC, Shape::Ok, &[b"\xff\x01"], truncated(1, 2, 1));
    check_refused(CLASSIC, Shape::Prepare, &[b"\0\x01\0"], truncated(1, 4, 2));
    check_refused(CLASSIC, Shape::Query, &[b"\x01\x01"], {
        ReplyError::Malformed(WireError::LeftOver { at: 1, left: 1 })
    });
    check_refused(
        CLASSIC.union(Caps::CACHE_METADATA),
        Shape::Query,
        &[b"\x01"],
        truncated(1, 1, 0),
    );
    check_refused(
        CLASSIC,
        Shape::Query,
        &[b"\xfe\0\0\0\0\x01\0\0\0"],
        unexpected(start, EOF, 9),
    );
    let eof = unexpected("a column definition", EOF, 5);
    check_refused(
        CLASSIC,
        Shape::Query,
        &[b"\x02", DEFINITION, EOF_PACKET],
        eof,
    );
    let no_eof = unexpected("an EOF", 3, DEFINITION.len() as u32);
    check_refused(
        CLASSIC,
        Shape::Query,
        &[b"\x01", DEFINITION, DEFINITION],
        no_eof,
    );
    let no_row = ReplyError::Empty { due: "a row" };
    check_refused(CLASSIC, Shape::Fetch, &[b"\x01a", b""], no_row);
    check_refused(MODERN, Shape::Fetch, &[b"\xfe\0\0\x02\0\0\0", OK_PACKET], {
        ReplyError::Unsolicited {
            first: 0,
            code: None,
        }
    });
}

#[test]
fn a_gap_in_the_numbers_is_refused() {
    let mut run = framed(1, &[b"\x01", DEFINITION, EOF_PACKET, b"\x01z", b"\x01z"]);
    let last = run.len() - 6;
    run[last + 3] = 6;
    for step in [Step::Fast, Step::PerPacket] {
        let mut tracker = tracker(CLASSIC, &[Shape::Query]);
        let (expected, got) = (5, 6);
        let refused = Err(ReplyError::OutOfOrder { expected, got });
        assert_eq!(drain(&mut tracker, &run, step), refused);
    }
}

#[test]
fn the_answer_to_a_command_of_one_frame_starts_with_one() {
    // A header that promises 16 MiB must not make anybody wait for them.
    let mut long = vec![0xFE, 0xFF, 0xFF, 7, 0xFF];
    long.resize(100, b'x');
    let ok = framed(7, &[OK_PACKET]);
    for run in [&long, &ok] {
        for step in [Step::Fast, Step::PerPacket] {
            let refused = Err(ReplyError::OutOfOrder {
                expected: 1,
                got: 7,
            });
            let mut tracker = tracker(CLASSIC, &[Shape::Query]);
            assert_eq!(drain(&mut tracker, run, step), refused);
        }
    }
    let mut after_frames = ReplyTracker::new(CLASSIC);
    after_frames.expect_after_frames(Shape::Query);
    assert!(after_frames.advance(&ok, Step::Fast).unwrap().done);
}

#[test]
fn the_second_of_two_queued_replies_starts_with_one_again() {
    let mut run = framed(1, &[OK_PACKET]);
    run.extend(framed(2, &[OK_PACKET]));
    let mut tracker = tracker(CLASSIC, &[Shape::Ok, Shape::Ok]);
    let refused = Err(ReplyError::OutOfOrder {
        expected: 1,
        got: 2,
    });
    assert_eq!(drain(&mut tracker, &run, Step::Fast), refused);
}

#[test]
fn an_error_with_number_zero_is_a_goodbye() {
    let mut tracker = tracker(CLASSIC, &[Shape::Query]);
    let run = framed(0, &[b"\xff\x88\x04#08S01gone"]);
    let progress = tracker.advance(&run, Step::Fast).unwrap();
    assert_eq!(progress.event, Event::Err { code: 1160 });
}

/// Events of a tracker that tells definitions, over the same bytes whole and cut at every byte.
#[track_caller]
fn check_told(caps: Caps, shape: Shape, payloads: &[&[u8]], expect: &[Event]) {
    let run = framed(1, payloads);
    let new = || {
        let mut tracker = ReplyTracker::new(caps).telling_definitions();
        tracker.expect(shape);
        tracker
    };
    let told = drain(&mut new(), &run, Step::Fast);
    assert_eq!(told.as_deref(), Ok(expect));
    for cut in 0..run.len() {
        let mut tracker = new();
        let (mut at, mut events) = (0, Vec::new());
        for end in [cut, run.len()] {
            while at < end {
                let progress = tracker.advance(&run[at..end], Step::Fast).unwrap();
                at += progress.consumed;
                if progress.event == Event::More {
                    break;
                }
                assert!(!progress.packet.is_empty(), "cut at {cut}");
                events.push(progress.event);
            }
        }
        assert_eq!(events, expect, "cut at {cut}");
        assert_eq!(at, run.len(), "cut at {cut}");
    }
}

#[test]
fn definitions_are_told_of_prepared_statements_alone() {
    let classic = CLASSIC.union(Caps::CACHE_METADATA);
    let modern = MODERN.union(Caps::CACHE_METADATA);
    let (status, warnings) = (Status::AUTOCOMMIT, 0);
    let end = Event::End {
        status,
        warnings,
        has_changes: false,
    };
    let count = |count| Event::ColumnCount(count);
    let column = Event::Column;
    check_told(
        classic,
        Shape::Execute,
        &[
            b"\x02\x01",
            DEFINITION,
            DEFINITION,
            EOF_PACKET,
            b"\0\0x",
            EOF_PACKET,
        ],
        &[count(2), column, column, end],
    );
    check_told(
        classic,
        Shape::Execute,
        &[b"\x02\0", EOF_PACKET, b"\0\0x", EOF_PACKET],
        &[count(2), end],
    );
    check_told(
        modern,
        Shape::Bulk,
        &[b"\x01\x01", DEFINITION, b"\0\0x", END_OK],
        &[count(1), column, end],
    );
    check_told(
        modern,
        Shape::Execute,
        &[b"\x01\0", b"\0\0x", END_OK],
        &[count(1), end],
    );
    check_told(
        classic,
        Shape::Query,
        &[b"\x01\x01", DEFINITION, EOF_PACKET, b"\x01x", EOF_PACKET],
        &[end],
    );
    // Whoever has not agreed on it is told as before.
    check_told(
        CLASSIC,
        Shape::Execute,
        &[b"\x01", DEFINITION, EOF_PACKET, b"\0\0x", EOF_PACKET],
        &[end],
    );
    let prepared = Event::PrepareOk {
        id: 1,
        params: 1,
        columns: 1,
    };
    let eof = Event::Eof {
        status,
        warnings,
        has_changes: false,
    };
    let ok = b"\0\x01\0\0\0\x01\0\x01\0\0\0\0";
    check_told(
        classic,
        Shape::Prepare,
        &[ok, DEFINITION, EOF_PACKET, DEFINITION, EOF_PACKET],
        &[prepared, column, column, eof],
    );
    check_told(
        modern,
        Shape::Prepare,
        &[ok, DEFINITION, DEFINITION],
        &[prepared, column, column],
    );
}
