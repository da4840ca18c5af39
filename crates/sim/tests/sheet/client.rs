//! The client: it logs in by itself, says what the script says, and takes answers apart.

use std::collections::VecDeque;

use crate::packets::{CAPS, Frames, Inbox, Packet, SEVERAL};

/// What an answer is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Login,
    /// Of a change of user.
    Change,
    Text,
    Binary,
    Prepare,
}

/// The client's end.
#[derive(Debug, Default)]
pub(crate) struct Client {
    inbox: Inbox,
    /// The shapes of the answers that are due.
    due: VecDeque<Shape>,
    /// Packets of an answer that is not whole.
    packets: Vec<Packet>,
    /// Answers that nobody has looked at.
    pub(crate) unseen: VecDeque<String>,
    greeted: bool,
    /// It does not ask for several statements in one text.
    single: bool,
    /// The number of the next piece of a file.
    file: u8,
}

impl Client {
    /// One that does not ask for several statements in one text.
    pub(crate) fn single() -> Client {
        Client {
            single: true,
            ..Client::default()
        }
    }

    /// It is told something; what it answers by itself.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.inbox.push(bytes);
        let mut own = Vec::new();
        while let Some(packet) = self.inbox.pull() {
            if !self.greeted {
                self.greeted = true;
                self.due.push_back(Shape::Login);
                own.extend_from_slice(&response(packet.seq + 1, self.single));
                continue;
            }
            self.take(packet, &mut own)?;
        }
        Ok(own)
    }

    fn take(&mut self, packet: Packet, own: &mut Vec<u8>) -> Result<(), String> {
        let shape = self.due.front().copied();
        // Whatever is due, an error may come that ends the session.
        let Some(shape) = shape.or((packet.first() == Some(0xFF)).then_some(Shape::Text)) else {
            return Err(format!("an answer to nothing: {packet:?}"));
        };
        if matches!(shape, Shape::Login | Shape::Change) && packet.first() == Some(0xFE) {
            // No password.
            own.extend_from_slice(&[0, 0, 0, packet.seq + 1]);
            return Ok(());
        }
        let next = self.packets.last().map_or(packet.seq, |last| last.seq + 1);
        if packet.seq != next {
            return Err(format!("a packet numbered {}, not {next}", packet.seq));
        }
        if self.packets.is_empty() && packet.first() == Some(0xFB) && shape == Shape::Text {
            self.file = packet.seq + 1;
            self.unseen.push_back("file".to_owned());
            return Ok(());
        }
        self.packets.push(packet);
        let Some(text) = whole(&self.packets, shape) else {
            return Ok(());
        };
        let first = self.packets.first().map_or(0, |first| first.seq);
        self.packets.clear();
        self.due.pop_front();
        if shape == Shape::Login && text == "ok" {
            return Ok(());
        }
        // An error that nobody asked for has a number of its own.
        let is_first = first == 1 || shape == Shape::Change || self.file > 0;
        if !is_first && !text.starts_with("error") {
            return Err(format!("{text} begins with the number {first}"));
        }
        self.file = 0;
        self.unseen.push_back(text);
        Ok(())
    }

    /// The part of an answer that has come so far.
    pub(crate) fn part(&self) -> Option<String> {
        let rows = self.packets.get(3..)?;
        Some(values(rows) + " ...")
    }

    /// The bytes of what it says.
    pub(crate) fn say(&mut self, text: &str) -> Result<Vec<u8>, String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let number = || rest.split(' ').next().unwrap_or_default().parse::<u32>();
        let (payload, shape) = match word {
            "piece" => return Ok(self.piece(rest)),
            "prepare" => ([&[0x16], rest.as_bytes()].concat(), Some(Shape::Prepare)),
            "execute" => {
                let id = number().map_err(|_| format!("which statement: {rest}?"))?;
                let parameter = rest.split_once(' ').map(|(_, parameter)| parameter);
                (execution(id, parameter)?, Some(Shape::Binary))
            }
            "close" => {
                let id = number().map_err(|_| format!("which statement: {rest}?"))?;
                ([&[0x19], &id.to_le_bytes()[..]].concat(), None)
            }
            "quit" => (vec![0x01], None),
            "change" => {
                let user = rest.strip_prefix("user ").ok_or("change what?")?;
                let tail = b"\0\0test\0\x2d\0mysql_native_password\0";
                (
                    [&[0x11], user.as_bytes(), tail].concat(),
                    Some(Shape::Change),
                )
            }
            _ => ([&[0x03], text.as_bytes()].concat(), Some(Shape::Text)),
        };
        self.due.extend(shape);
        let mut frames = Frames::from(0);
        frames.put(&payload);
        Ok(frames.bytes)
    }

    fn piece(&mut self, text: &str) -> Vec<u8> {
        let mut frames = Frames::from(self.file);
        // The byte of COM_STMT_EXECUTE.
        frames.put(text.replace("\\x17", "\x17").as_bytes());
        self.file += 1;
        frames.bytes
    }
}

fn response(seq: u8, single: bool) -> Vec<u8> {
    let caps = if single { CAPS & !SEVERAL } else { CAPS };
    let mut payload = (caps as u32).to_le_bytes().to_vec();
    payload.extend_from_slice(&[0, 0, 0, 1, 45]);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(b"app\0\0test\0mysql_native_password\0");
    let mut frames = Frames::from(seq);
    frames.put(&payload);
    frames.bytes
}

/// An execution: `with VALUE` sends the type of its parameter, `untyped VALUE` leaves it out.
fn execution(id: u32, parameter: Option<&str>) -> Result<Vec<u8>, String> {
    let mut payload = vec![0x17];
    payload.extend_from_slice(&id.to_le_bytes());
    payload.extend_from_slice(&[0, 1, 0, 0, 0]);
    let Some(parameter) = parameter else {
        return Ok(payload);
    };
    let value = match parameter.split_once(' ') {
        Some(("with", value)) => {
            payload.extend_from_slice(&[0, 1, 253, 0]);
            value
        }
        Some(("untyped", value)) => {
            payload.extend_from_slice(&[0, 0]);
            value
        }
        _ => return Err(format!("what is the parameter {parameter:?}?")),
    };
    crate::packets::put_text(&mut payload, value.as_bytes());
    Ok(payload)
}

/// The answer in the words of the script, if it is whole.
fn whole(packets: &[Packet], shape: Shape) -> Option<String> {
    let first = packets.first()?;
    match (first.first()?, shape) {
        (0xFF, _) => {
            let code = first.payload.get(1..3)?.first_chunk::<2>()?;
            Some(format!("error {}", u16::from_le_bytes(*code)))
        }
        (0x00, Shape::Prepare) => prepared(packets),
        (0x00, _) => Some("ok".to_owned()),
        _ => {
            let ends = |packet: &Packet| packet.first() == Some(0xFE) && packet.payload.len() < 9;
            let (last, body) = packets.split_last()?;
            let failed = last.first() == Some(0xFF);
            let rows = body.get(3..).filter(|_| ends(last) || failed)?;
            let end = if failed { " error" } else { "" };
            Some(values(rows) + end)
        }
    }
}

/// Rows of one column, text or binary.
fn values(rows: &[Packet]) -> String {
    let mut text = "rows".to_owned();
    for row in rows {
        let value = row.payload.strip_prefix(&[0, 0]).unwrap_or(&row.payload);
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(value.get(1..).unwrap_or_default()));
    }
    text
}

fn prepared(packets: &[Packet]) -> Option<String> {
    let payload = &packets.first()?.payload;
    let id = payload.get(1..5)?.first_chunk::<4>()?;
    let columns = usize::from(*payload.get(5)?);
    let params = usize::from(*payload.get(7)?);
    let ends = usize::from(columns > 0) + usize::from(params > 0);
    (packets.len() == 1 + columns + params + ends)
        .then(|| format!("prepared {}", u32::from_le_bytes(*id)))
}
