//! Replies recorded from real servers, and what the tracker must say about them: at one go, packet by
//! packet, and cut at every byte.

mod mariadb_10_11;

use tidegate_wire::reply::Kind;
use tidegate_wire::{Caps, Event, ReplyTracker, Shape, Status, Step, Summary};

/// A command, the packets of its reply, and the events of [`Step::PerPacket`].
struct Recording {
    name: &'static str,
    shape: Shape,
    command: &'static [u8],
    events: &'static str,
    reply: &'static [&'static [u8]],
}

/// Recordings of connections with these capabilities.
struct Group {
    caps: Caps,
    recordings: &'static [Recording],
}

fn flags(status: Status, warnings: u16, has_changes: bool) -> String {
    let mut text = format!("{:04x}", status.bits());
    if warnings != 0 {
        text += &format!(" warnings={warnings}");
    }
    if has_changes {
        text += " changes";
    }
    text
}

fn word(event: Event) -> String {
    match event {
        Event::More => "More".into(),
        Event::Ok {
            status,
            affected_rows,
            last_insert_id,
            warnings,
            has_changes,
        } => {
            let mut text = format!("Ok({}", flags(status, warnings, has_changes));
            if affected_rows != 0 {
                text += &format!(" rows={affected_rows}");
            }
            if last_insert_id != 0 {
                text += &format!(" id={last_insert_id}");
            }
            text + ")"
        }
        Event::Err { code } => format!("Err({code})"),
        Event::ProgressReport => "Progress".into(),
        Event::ColumnCount(count) => format!("Count({count})"),
        Event::Eof {
            status,
            warnings,
            has_changes,
        } => format!("Eof({})", flags(status, warnings, has_changes)),
        Event::End {
            status,
            warnings,
            has_changes,
        } => format!("End({})", flags(status, warnings, has_changes)),
        Event::PrepareOk {
            id,
            params,
            columns,
        } => format!("Prepare(id={id} params={params} columns={columns})"),
        Event::LocalInfile => "Infile".into(),
        Event::Statistics => "Statistics".into(),
        Event::AuthMore => "AuthMore".into(),
        Event::Column => "Column".into(),
        Event::Row => "Row".into(),
        Event::StreamPacket => "Packet".into(),
    }
}

/// Events of a reply that arrives in runs of at most `cut` bytes more each.
fn follow(caps: Caps, shape: Shape, reply: &[u8], cut: usize, step: Step) -> Vec<Event> {
    follow_with(ReplyTracker::new(caps), shape, reply, cut, step)
}

fn follow_with(
    mut tracker: ReplyTracker,
    shape: Shape,
    reply: &[u8],
    cut: usize,
    step: Step,
) -> Vec<Event> {
    tracker.expect(shape);
    let (mut events, mut start, mut end) = (Vec::new(), 0, 0);
    while start < reply.len() || !tracker.is_idle() {
        let progress = tracker
            .advance(&reply[start..end], step)
            .unwrap_or_else(|error| panic!("{error} after {events:?}"));
        start += progress.consumed;
        if progress.event == Event::More {
            assert!(end < reply.len(), "the reply does not end: {events:?}");
            end = (end + cut).min(reply.len());
            continue;
        }
        events.push(progress.event);
        if progress.event == Event::LocalInfile {
            tracker.expect_infile_end();
        }
        assert_eq!(progress.done, tracker.is_idle());
    }
    assert_eq!(tracker.bytes(), reply.len() as u64);
    check_summary(shape, &events, tracker.summary());
    events
}

/// Events of a reply that arrives in two runs.
fn follow_cut(caps: Caps, shape: Shape, reply: &[u8], cut: usize, step: Step) -> Vec<Event> {
    let mut tracker = ReplyTracker::new(caps);
    tracker.expect(shape);
    let (mut events, mut start) = (Vec::new(), 0);
    for end in [cut, reply.len()] {
        while start < end {
            let progress = tracker.advance(&reply[start..end], step).unwrap();
            start += progress.consumed;
            if progress.event == Event::More {
                break;
            }
            events.push(progress.event);
            if progress.event == Event::LocalInfile {
                tracker.expect_infile_end();
            }
        }
    }
    assert!(tracker.is_idle() && start == reply.len());
    events
}

/// Rows that one go in fast steps counts.
fn count_rows(caps: Caps, recording: &Recording, reply: &[u8]) -> usize {
    let mut tracker = ReplyTracker::new(caps);
    tracker.expect(recording.shape);
    let mut rest = reply;
    while !rest.is_empty() {
        rest = &rest[tracker.advance(rest, Step::Fast).unwrap().consumed..];
        tracker.expect_infile_end();
    }
    tracker.rows() as usize
}

/// What the summary must say after a reply with these events.
fn check_summary(shape: Shape, events: &[Event], summary: &Summary) {
    let last = events.last().unwrap();
    let (kind, error_code, status) = match *last {
        Event::Err { code } => (Kind::Err, code, summary.status),
        Event::End { status, .. } => (Kind::ResultSet, 0, status),
        Event::Ok { status, .. } | Event::Eof { status, .. } => (Kind::Ok, 0, status),
        _ => (Kind::Ok, 0, Status::default()),
    };
    assert_eq!(
        (summary.kind, summary.error_code, summary.status),
        (kind, error_code, status),
        "{last:?}"
    );
    let cursor_open = matches!(last, Event::End { .. })
        && match shape {
            Shape::Execute => status.contains(Status::CURSOR_EXISTS),
            Shape::Fetch => !status.contains(Status::LAST_ROW_SENT),
            _ => false,
        };
    assert_eq!(summary.cursor_open, cursor_open);
}

/// `Row Row Row` is written `Row*3`.
fn shorten(events: &[Event]) -> String {
    let mut words: Vec<(String, usize)> = Vec::new();
    for event in events {
        let word = word(*event);
        match words.last_mut() {
            Some((last, count)) if *last == word => *count += 1,
            _ => words.push((word, 1)),
        }
    }
    let texts: Vec<_> = words
        .into_iter()
        .map(|(word, count)| match count {
            1 => word,
            _ => format!("{word}*{count}"),
        })
        .collect();
    texts.join(" ")
}

/// What [`Step::Fast`] leaves out. The last event is always reported.
fn is_quiet(event: &Event) -> bool {
    matches!(
        event,
        Event::ColumnCount(_)
            | Event::Column
            | Event::Row
            | Event::Eof { .. }
            | Event::StreamPacket
    )
}

/// What a tracker that tells definitions reports besides: of prepared statements, where they may be left
/// out.
fn is_told(caps: Caps, shape: Shape, event: &Event) -> bool {
    let told = match shape {
        Shape::Execute | Shape::Bulk => matches!(event, Event::ColumnCount(_) | Event::Column),
        Shape::Prepare => *event == Event::Column,
        _ => false,
    };
    told && caps.contains(Caps::CACHE_METADATA)
}

/// The events of a tracker that tells definitions.
fn check_told(group: &Group, recording: &Recording, events: &[Event]) {
    let (last, others) = events.split_last().unwrap();
    let told = others.iter().copied();
    let mut told: Vec<_> = told
        .filter(|event| !is_quiet(event) || is_told(group.caps, recording.shape, event))
        .collect();
    told.push(*last);
    let reply = recording.reply.concat();
    for cut in (1..=40).chain([reply.len()]) {
        let tracker = ReplyTracker::new(group.caps).telling_definitions();
        let found = follow_with(tracker, recording.shape, &reply, cut, Step::Fast);
        assert_eq!(found, told, "{}, in runs of {cut} bytes", recording.name);
    }
}

fn check(group: &Group, recording: &Recording) {
    let name = recording.name;
    let reply = recording.reply.concat();
    let per_packet = |cut| follow(group.caps, recording.shape, &reply, cut, Step::PerPacket);
    let fast = |cut| follow(group.caps, recording.shape, &reply, cut, Step::Fast);
    let events = per_packet(reply.len());
    assert_eq!(events.len(), recording.reply.len(), "{name}");
    assert_eq!(shorten(&events), recording.events, "{name}");
    let (last, others) = events.split_last().unwrap();
    let mut loud: Vec<_> = others
        .iter()
        .copied()
        .filter(|event| !is_quiet(event))
        .collect();
    loud.push(*last);
    assert_eq!(fast(reply.len()), loud, "{name}");
    let rows = events.iter().filter(|event| **event == Event::Row).count();
    assert_eq!(count_rows(group.caps, recording, &reply), rows, "{name}");
    for cut in 1..=40 {
        assert_eq!(per_packet(cut), events, "{name}, in runs of {cut} bytes");
        assert_eq!(fast(cut), loud, "{name}, in runs of {cut} bytes");
    }
    // In two runs, cut at every byte.
    for cut in 1..reply.len() {
        let first_long = |step| follow_cut(group.caps, recording.shape, &reply, cut, step);
        assert_eq!(first_long(Step::PerPacket), events, "{name}, cut at {cut}");
        assert_eq!(first_long(Step::Fast), loud, "{name}, cut at {cut}");
    }
    check_told(group, recording, &events);
}

#[test]
fn mariadb_10_11() {
    for group in mariadb_10_11::GROUPS {
        for recording in group.recordings {
            check(group, recording);
        }
    }
}

#[test]
fn commands_have_the_shapes_of_their_replies() {
    for group in mariadb_10_11::GROUPS {
        for recording in group.recordings {
            if let Some(command) = tidegate_wire::Command::from_byte(recording.command[0]) {
                let shape = command.reply_shape();
                assert_eq!(shape, recording.shape, "{}", command.name());
            }
        }
    }
}
