//! The client's ear: every byte that the core writes to a client is read here at once, as a driver would
//! read it, and compared with what the shadow model foresees.

use std::collections::BTreeMap;

use super::Notice;
use super::replies::InReply;
use crate::bytes::{Cursor, Packet, Packets};
use crate::caps;
use crate::coverage::Coverage;
use crate::model::{Answer, Model, What};

/// Where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Greeting,
    Login,
    Commands,
    /// The core has said its last: an error outside of any answer.
    Ended,
}

/// Reads one client's stream.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) session: usize,
    packets: Packets,
    phase: Phase,
    /// What was agreed.
    pub(super) caps: u64,
    /// The number of the next frame, where it is known.
    pub(super) due: Option<u8>,
    pub(super) reply: InReply,
    /// Writes wait for replicas.
    pub(super) synced: bool,
    last_was_error: bool,
    /// The command that is answered has several frames.
    long_command: bool,
    /// The form of the definitions that it was sent last, by statement.
    pub(super) forms: BTreeMap<u32, u32>,
}

impl Reader {
    pub(crate) fn new(session: usize) -> Reader {
        Reader {
            session,
            packets: Packets::default(),
            phase: Phase::Greeting,
            caps: 0,
            due: Some(0),
            synced: false,
            reply: InReply::default(),
            last_was_error: false,
            long_command: false,
            forms: BTreeMap::new(),
        }
    }

    /// The client has chosen its capabilities.
    pub(crate) fn agreed(&mut self, caps: u64) {
        self.caps = caps;
    }

    pub(super) fn has(&self, cap: u64) -> bool {
        self.caps & cap != 0
    }

    /// Has the stream ended between two packets?
    pub(crate) fn at_boundary(&self) -> bool {
        self.packets.is_empty()
    }

    /// Was the last packet an error?
    pub(crate) fn last_was_error(&self) -> bool {
        self.last_was_error
    }

    /// Does a server wait for the client's file?
    pub(crate) fn awaits_file(&self) -> bool {
        self.reply.awaits_file()
    }

    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        model: &mut Model,
        coverage: &mut Coverage,
        heard: &mut Vec<Notice>,
    ) -> Result<(), String> {
        self.packets.push(bytes);
        while let Some(packet) = self.packets.pull()? {
            self.last_was_error = packet.payload.first() == Some(&0xFF);
            self.packet(&packet, model, coverage, heard)
                .map_err(|text| format!("session {}, client: {text}", self.session))?;
        }
        Ok(())
    }

    fn packet(
        &mut self,
        packet: &Packet,
        model: &mut Model,
        coverage: &mut Coverage,
        heard: &mut Vec<Notice>,
    ) -> Result<(), String> {
        match self.phase {
            Phase::Greeting => self.greeting(packet, heard),
            Phase::Login => self.login(packet, heard),
            Phase::Commands => match model.front(self.session) {
                Some(token) => self.answer(token, packet, model, coverage, heard),
                None => self.last_word(packet),
            },
            Phase::Ended => Err("bytes after the last error".to_owned()),
        }
    }

    pub(super) fn expect_seq(&mut self, packet: &Packet) -> Result<(), String> {
        // The core cannot know how many frames a command has that it has not read to its end.
        let early = packet.payload.first() == Some(&0xFF) && self.due > Some(packet.first_seq);
        if let Some(due) = self.due
            && due != packet.first_seq
            && !(early && self.long_command)
        {
            return Err(format!(
                "packet {} came where {due} was due",
                packet.first_seq
            ));
        }
        self.due = Some(packet.last_seq.wrapping_add(1));
        Ok(())
    }

    fn greeting(&mut self, packet: &Packet, heard: &mut Vec<Notice>) -> Result<(), String> {
        self.expect_seq(packet)?;
        if packet.payload.first() == Some(&0xFF) {
            self.phase = Phase::Ended;
            return Ok(());
        }
        let notice = read_greeting(&packet.payload).ok_or("a greeting that cannot be read")?;
        heard.push(notice);
        self.phase = Phase::Login;
        self.due = Some(2);
        Ok(())
    }

    fn login(&mut self, packet: &Packet, heard: &mut Vec<Notice>) -> Result<(), String> {
        self.expect_seq(packet)?;
        match packet.payload.first() {
            Some(0x00) => {
                self.phase = Phase::Commands;
                heard.push(Notice::LoggedIn);
            }
            Some(0xFE) => heard.push(self.switch(packet)?),
            Some(0xFF) => {
                self.phase = Phase::Ended;
                heard.push(Notice::Refused);
            }
            _ => return Err("a packet that is no part of a login".to_owned()),
        }
        Ok(())
    }

    /// An AuthSwitchRequest; the client's answer takes the next number.
    pub(super) fn switch(&mut self, packet: &Packet) -> Result<Notice, String> {
        let mut cursor = Cursor(packet.payload.get(1..).unwrap_or_default());
        let plugin = cursor.nul().unwrap_or_default();
        if plugin != b"mysql_native_password" {
            return Err(format!(
                "a switch to plugin {:?}",
                String::from_utf8_lossy(plugin)
            ));
        }
        let scramble = cursor
            .take(20)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("a scramble that is too short")?;
        let seq = packet.last_seq.wrapping_add(1);
        self.due = Some(seq.wrapping_add(1));
        Ok(Notice::Switch { scramble, seq })
    }

    /// An error between two commands: the session ends with it.
    fn last_word(&mut self, packet: &Packet) -> Result<(), String> {
        if packet.payload.first() != Some(&0xFF) {
            return Err(format!(
                "a packet of kind {:?} while no answer is due",
                packet.payload.first()
            ));
        }
        self.phase = Phase::Ended;
        Ok(())
    }

    fn answer(
        &mut self,
        token: u32,
        packet: &Packet,
        model: &mut Model,
        coverage: &mut Coverage,
        heard: &mut Vec<Notice>,
    ) -> Result<(), String> {
        if !self.reply.begun {
            self.synced = model.synced > 0;
            let issued = model.get(token).ok_or("an answer to no command")?;
            self.due = Some(issued.frames);
            self.long_command = issued.frames > 1;
            let tag = match issued.what {
                What::Execute {
                    stmt,
                    carries_token: false,
                    ..
                } => stmt,
                What::Text(ref text) => text.token.unwrap_or(0),
                What::Prepare(ref text) => text.token.unwrap_or(token),
                _ => token,
            };
            self.reply = InReply::start(tag, issued.command, model.foreseen(token));
        }
        self.expect_seq(packet)
            .map_err(|text| format!("answer to command {token}: {text}"))?;
        let found = self.reply_packet(token, packet, model, coverage, heard);
        let found = found.map_err(|text| {
            format!("answer to command {token} ({:?}): {text}", model.get(token))
        })?;
        if let Some(answer) = found {
            let by = self.reply.by();
            model.told_late = !self.reply.in_time();
            self.reply = InReply::default();
            if let Answer::Prepared { id, params } = answer {
                heard.push(Notice::Prepared { token, id, params });
            }
            heard.push(Notice::Answered { token });
            if let Answer::Proxy { .. } = answer {
                coverage.count(crate::coverage::Rare::ProxyError);
            }
            model.answered(self.session, &answer, by);
        }
        Ok(())
    }
}

fn read_greeting(payload: &[u8]) -> Option<Notice> {
    let mut cursor = Cursor(payload);
    cursor.byte().filter(|version| *version == 10)?;
    cursor.nul()?;
    cursor.int(4)?;
    let mut scramble = [0; 20];
    scramble[..8].copy_from_slice(cursor.take(8)?);
    cursor.byte()?;
    let low = cursor.int(2)?;
    cursor.take(3)?;
    let high = cursor.int(2)?;
    cursor.take(7)?;
    let extended = cursor.int(4)?;
    scramble[8..].copy_from_slice(cursor.take(12)?);
    let offered = low | high << 16 | extended << 32;
    if offered & caps::PROTOCOL_41 == 0 {
        return None;
    }
    Some(Notice::Greeting {
        scramble,
        caps: offered,
    })
}
