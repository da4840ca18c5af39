//! The client's run, cut into commands: sequence numbers, commands the proxy answers itself, the
//! rest of long commands, and the files of LOAD DATA LOCAL.

use tidegate_sql::{Kill, LOOKED_AT_BYTES, Victim};
use tidegate_wire::Command;
use tidegate_wire::frame::{Header, MAX_FRAME};

use crate::cause::Cause;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::Side;
use crate::replay::Part;
use crate::session::{Cx, Env, Phase, Session};
use crate::ticket::Stream;

/// The longest packet a server can be configured to take (`max_allowed_packet`).
const MAX_PACKET_BYTES: u64 = 1 << 30;

/// What became of the bytes at the start of the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// So many were consumed.
    Bytes(usize),
    /// More must come first.
    More,
    /// Something else must happen first.
    Hold,
}

/// A command in the client's run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) command: Command,
    /// Where its first header begins.
    pub(crate) at: usize,
    /// Bytes of its first frame's payload that are in the run.
    pub(crate) have: usize,
    pub(crate) header: Header,
    /// Is that the whole command?
    pub(crate) whole: bool,
}

impl Found {
    /// Where its payload lies in the run, as far as it is there.
    pub(crate) fn payload(&self) -> std::ops::Range<usize> {
        let start = self.at + Header::LEN;
        start..start + self.have
    }

    /// Header and payload, as far as they are there.
    pub(crate) fn span(&self) -> std::ops::Range<usize> {
        self.at..self.at + Header::LEN + self.have
    }
}

impl Session {
    pub(crate) fn client_bytes(&mut self, run: &mut [u8], env: &mut Env<'_>) -> usize {
        let mut at = 0;
        self.held = false;
        while at < run.len() && !self.is_over() {
            let taken = if matches!(self.phase, Phase::Dialogue(_)) {
                let rest = run.get(at..).unwrap_or_default();
                let taken = self.dialogue_bytes(rest, &mut env.cx());
                if let (Taken::Bytes(count), true) = (taken, self.is_compressed_from_now()) {
                    // What follows is not plain any more.
                    at += count;
                    break;
                }
                taken
            } else if self.answers_after_stream() && self.client_backlogged {
                Taken::Hold
            } else if self.stream.is_some() {
                self.stream_bytes(run, at, &mut env.cx())
            } else if self.infile.is_some() {
                self.infile_bytes(run, at, &mut env.cx())
            } else if self.pending.is_empty() && !self.client_backlogged && !self.killing {
                self.next_command(run, at, env)
            } else {
                Taken::Hold
            };
            match taken {
                Taken::Bytes(count) => at += count,
                Taken::More => break,
                Taken::Hold => {
                    self.held = true;
                    break;
                }
            }
        }
        if self.is_over() { run.len() } else { at }
    }

    /// Will the client be told something once it has sent the rest of a command?
    fn answers_after_stream(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(|stream| stream.after.is_some())
    }

    fn next_command(&mut self, run: &mut [u8], at: usize, env: &mut Env<'_>) -> Taken {
        let rest = run.get(at..).unwrap_or_default();
        let Some(header) = Header::parse(rest) else {
            return Taken::More;
        };
        let have = (rest.len() - Header::LEN).min(header.len as usize);
        let whole = have == header.len as usize && !header.continues();
        let first = rest.get(Header::LEN).copied().filter(|_| header.len > 0);
        if header.seq != 0 {
            self.fail(
                &SessionFault::OutOfOrder {
                    expected: 0,
                    got: header.seq,
                },
                &mut env.cx(),
            );
            return Taken::Bytes(rest.len());
        }
        // What the client says waits for the replay, but it may leave.
        if self.is_replaying() && first != Some(Command::Quit.byte()) {
            return Taken::Hold;
        }
        if !whole && have < self.needed(header, first) {
            return Taken::More;
        }
        let Some(command) = first.and_then(Command::from_byte) else {
            return self.refuse(run, at, header, have, unknown_command(), &mut env.cx());
        };
        self.client.last_active = env.now;
        self.command(
            run,
            Found {
                command,
                at,
                have,
                header,
                whole,
            },
            env,
        )
    }

    /// How many bytes of a frame's payload must be there before the command can be looked at.
    fn needed(&self, header: Header, first: Option<u8>) -> usize {
        let len = header.len as usize;
        let small = matches!(
            first.and_then(Command::from_byte),
            Some(
                Command::ChangeUser
                    | Command::Quit
                    | Command::InitDb
                    | Command::SetOption
                    | Command::ProcessKill
            )
        );
        if first.is_none() {
            len.min(1)
        } else if self.needs.whole_commands() || small || self.observe.is_retaining() {
            len.min(Session::WINDOW - Header::LEN)
        } else {
            // A KILL is to be seen before its first part is on its way.
            len.min(LOOKED_AT_BYTES)
        }
    }

    fn command(&mut self, run: &mut [u8], found: Found, env: &mut Env<'_>) -> Taken {
        let Found {
            at, have, header, ..
        } = found;
        match found.command {
            Command::Quit => {
                self.finish(Cause::ClientQuit, None, &mut env.cx());
                Taken::Bytes(run.len() - at)
            }
            Command::ChangeUser => {
                if !self.can_change_user() {
                    return Taken::Hold;
                }
                self.head_leaves();
                let payload = run.get(found.payload()).unwrap_or_default();
                self.change_user(payload, header, found.whole, &mut env.cx());
                Taken::Bytes(Header::LEN + have)
            }
            Command::Sleep
            | Command::Connect
            | Command::Time
            | Command::DelayedInsert
            | Command::ConnectOut
            | Command::TableDump
            | Command::Daemon
            | Command::Multi => {
                self.refuse(run, at, header, have, unknown_command(), &mut env.cx())
            }
            Command::BinlogDump | Command::BinlogDumpGtid | Command::RegisterSlave => {
                self.refuse(run, at, header, have, replication_refused(), &mut env.cx())
            }
            Command::ProcessKill => self.process_kill(run, found, &mut env.cx()),
            _ => self.route_from_run(run, found, env),
        }
    }

    /// COM_PROCESS_KILL: KILL CONNECTION with an id of four bytes.
    fn process_kill(&mut self, run: &[u8], found: Found, cx: &mut Cx<'_>) -> Taken {
        let payload = run.get(found.payload()).unwrap_or_default();
        let id = payload.get(1..).and_then(|id| <[u8; 4]>::try_from(id).ok());
        let Some(id) = id.filter(|_| found.whole) else {
            return self.refuse(run, found.at, found.header, found.have, malformed(), cx);
        };
        if !self.tickets.is_empty() {
            return Taken::Hold;
        }
        self.head_leaves();
        let kill = Kill {
            force: None,
            query_only: false,
            victim: Victim::Id(u64::from(u32::from_le_bytes(id))),
        };
        self.ask_kill(&kill, cx);
        Taken::Bytes(Header::LEN + found.have)
    }

    /// Answers a command with an error, in its turn.
    pub(crate) fn refuse(
        &mut self,
        run: &[u8],
        at: usize,
        header: Header,
        have: usize,
        reply: ErrReply,
        cx: &mut Cx<'_>,
    ) -> Taken {
        if !self.tickets.is_empty() {
            return Taken::Hold;
        }
        self.head_leaves();
        let whole = have == header.len as usize && !header.continues();
        if whole {
            self.answer_error(&reply, cx);
        } else {
            self.stream = Some(Box::new(Stream {
                left: header.len as usize - have,
                continues: header.continues(),
                next_seq: 1,
                total: have as u64,
                after: Some(reply),
                ..Stream::default()
            }));
        }
        debug_assert!(run.len() >= at + Header::LEN + have);
        Taken::Bytes(Header::LEN + have)
    }

    /// Takes what is there of a long command's rest: forwards it, or swallows it.
    fn stream_bytes(&mut self, run: &mut [u8], at: usize, cx: &mut Cx<'_>) -> Taken {
        let Some(stream) = &mut self.stream else {
            return Taken::More;
        };
        let rest = run.get(at..).unwrap_or_default();
        if stream.left == 0 && stream.continues {
            let Some(header) = Header::parse(rest) else {
                return Taken::More;
            };
            if header.seq != stream.next_seq {
                let fault = SessionFault::OutOfOrder {
                    expected: stream.next_seq,
                    got: header.seq,
                };
                self.fail(&fault, cx);
                return Taken::Bytes(rest.len());
            }
            stream.left = header.len as usize;
            stream.continues = header.continues();
            stream.next_seq = stream.next_seq.wrapping_add(1);
            for backend in &stream.to {
                cx.out
                    .forward(Side::Backend(*backend), at..at + Header::LEN);
            }
            if stream.left == 0 && !stream.continues {
                self.end_stream(cx);
            }
            return Taken::Bytes(Header::LEN);
        }
        let count = stream.left.min(rest.len());
        stream.left -= count;
        stream.total += count as u64;
        if stream.total > MAX_PACKET_BYTES {
            let fault = SessionFault::TooLarge {
                len_bytes: stream.total,
                limit_bytes: MAX_PACKET_BYTES,
            };
            self.stream = None;
            self.fail(&fault, cx);
            return Taken::Bytes(rest.len());
        }
        for backend in &stream.to {
            cx.out.forward(Side::Backend(*backend), at..at + count);
        }
        let done = stream.left == 0 && !stream.continues;
        let recorded = stream.part == Part::Recorded;
        if let Some(seq) = stream.record {
            self.history
                .append(seq, rest.get(..count).unwrap_or_default());
        }
        if recorded {
            self.take_down_rest(rest.get(..count).unwrap_or_default());
        }
        if done {
            self.end_stream(cx);
        }
        Taken::Bytes(count)
    }

    fn end_stream(&mut self, cx: &mut Cx<'_>) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        self.client.last_active = cx.now;
        if stream.part == Part::Recorded {
            self.taken_down(stream.ticketed, cx);
        }
        if let Some(reply) = stream.after {
            self.client.seq = stream.next_seq;
            self.answer_error(&reply, cx);
            self.client.seq = 0;
        } else if stream.ticketed
            && let Some(ticket) = self.tickets.back_mut()
        {
            ticket.next_seq = stream.next_seq;
        }
        self.moved = true;
    }

    /// The file that a server asked for: frames go to it untouched until an empty one.
    fn infile_bytes(&mut self, run: &mut [u8], at: usize, cx: &mut Cx<'_>) -> Taken {
        let Some(backend) = self.infile else {
            return Taken::More;
        };
        let rest = run.get(at..).unwrap_or_default();
        let Some(header) = Header::parse(rest) else {
            return Taken::More;
        };
        let have = (rest.len() - Header::LEN).min(header.len as usize);
        cx.out
            .forward(Side::Backend(backend), at..at + Header::LEN + have);
        if header.len == 0 {
            self.infile = None;
            if let Some(backend) = self.backend_mut(backend) {
                backend.tracker.expect_infile_end();
            }
        } else if have < header.len as usize {
            self.stream = Some(Box::new(Stream {
                to: vec![backend],
                left: header.len as usize - have,
                continues: false,
                ..Stream::default()
            }));
        }
        debug_assert!(header.len as usize <= MAX_FRAME);
        Taken::Bytes(Header::LEN + have)
    }
}

fn unknown_command() -> ErrReply {
    ErrReply::new(1047, b"08S01", "Unknown command")
}

fn malformed() -> ErrReply {
    ErrReply::new(1835, b"HY000", "Malformed communication packet")
}

fn replication_refused() -> ErrReply {
    ErrReply::new(
        1289,
        b"HY000",
        "The 'replication' feature is disabled on this listener; connect replicas to the server itself",
    )
}
