//! A KMIP server that knows the operation Get, for clients whose certificate its authority signed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};

use super::peer::{Mood, Peer, Stream, tls};
use crate::pki::Identity;

/// A server. Dropping it closes its port.
#[derive(Debug)]
pub struct KmipPeer {
    peer: Peer,
    keys: Arc<Mutex<BTreeMap<String, Held>>>,
}

/// An object and how it is handed over.
#[derive(Debug, Clone)]
enum Held {
    Raw(Vec<u8>),
    Transparent(Vec<u8>),
    Certificate,
}

impl KmipPeer {
    /// A server with this identity, for clients that the authority has signed.
    ///
    /// # Errors
    /// No port, or an identity or authority that is none.
    pub fn start(identity: &Identity, clients: &str) -> Result<KmipPeer> {
        let keys = Arc::new(Mutex::new(BTreeMap::new()));
        let held = Arc::clone(&keys);
        let peer = Peer::start(Some(tls(identity, Some(clients))?), move |stream, mood| {
            let keys = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
            answer(stream, mood, &keys)
        })?;
        Ok(KmipPeer { peer, keys })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Has a key, in hexadecimal digits, to hand over as it is.
    pub fn put(&self, id: &str, digits: &str) {
        self.insert(id, Held::Raw(bytes(digits)));
    }

    /// The same, handed over as a transparent symmetric key.
    pub fn put_transparent(&self, id: &str, digits: &str) {
        self.insert(id, Held::Transparent(bytes(digits)));
    }

    /// Has something that is no symmetric key.
    pub fn put_certificate(&self, id: &str) {
        self.insert(id, Held::Certificate);
    }

    fn insert(&self, id: &str, held: Held) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(id.to_owned(), held);
    }

    /// Behaves like this from the next connection on.
    pub fn set(&self, mood: Mood) {
        self.peer.set(mood);
    }

    /// How many connections there were.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.peer.accepted()
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn answer(stream: &mut dyn Stream, mood: Mood, keys: &BTreeMap<String, Held>) -> Result<()> {
    let id = identifier(&request(stream)?)?;
    let batch = match (mood, keys.get(&id)) {
        (Mood::Garbled, _) => {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            stream.flush()?;
            return Ok(());
        }
        (Mood::Sealed, _) => failure(0x0C, "not for you"),
        (_, Some(held)) => success(&id, held),
        (_, None) => failure(1, "no such object"),
    };
    let version = [integer(0x42_00_6A, 1), integer(0x42_00_6B, 0)].concat();
    let header = [
        item(0x42_00_69, 1, &version),
        item(0x42_00_92, 9, &1_700_000_000_i64.to_be_bytes()),
        integer(0x42_00_0D, 1),
    ];
    let message = [
        item(0x42_00_7A, 1, &header.concat()),
        item(0x42_00_0F, 1, &batch),
    ];
    stream.write_all(&item(0x42_00_7B, 1, &message.concat()))?;
    stream.flush()?;
    Ok(())
}

fn failure(reason: u32, text: &str) -> Vec<u8> {
    [
        enumeration(0x42_00_5C, 10),
        enumeration(0x42_00_7F, 1),
        enumeration(0x42_00_7E, reason),
        item(0x42_00_7D, 7, text.as_bytes()),
    ]
    .concat()
}

fn success(id: &str, held: &Held) -> Vec<u8> {
    let (kind, object) = match held {
        Held::Raw(key) => (2, symmetric(1, &item(0x42_00_43, 8, key), key.len())),
        Held::Transparent(key) => {
            let material = item(0x42_00_43, 1, &item(0x42_00_3F, 8, key));
            (2, symmetric(7, &material, key.len()))
        }
        Held::Certificate => (1, item(0x42_00_13, 1, &[])),
    };
    let payload = [
        enumeration(0x42_00_57, kind),
        item(0x42_00_94, 7, id.as_bytes()),
        object,
    ];
    [
        enumeration(0x42_00_5C, 10),
        enumeration(0x42_00_7F, 0),
        item(0x42_00_7C, 1, &payload.concat()),
    ]
    .concat()
}

fn symmetric(format: u32, material: &[u8], len_bytes: usize) -> Vec<u8> {
    let block = [
        enumeration(0x42_00_42, format),
        item(0x42_00_45, 1, material),
        enumeration(0x42_00_28, 3),
        integer(0x42_00_2A, i32::try_from(len_bytes * 8).unwrap_or(0)),
    ];
    item(0x42_00_8F, 1, &item(0x42_00_40, 1, &block.concat()))
}

fn item(tag: u32, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut item = tag.to_be_bytes()[1..].to_vec();
    item.push(kind);
    item.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    item.extend(value);
    item.resize(item.len().next_multiple_of(8), 0);
    item
}

fn enumeration(tag: u32, number: u32) -> Vec<u8> {
    item(tag, 5, &number.to_be_bytes())
}

fn integer(tag: u32, number: i32) -> Vec<u8> {
    item(tag, 2, &number.to_be_bytes())
}

/// One whole message.
fn request(stream: &mut dyn Stream) -> Result<Vec<u8>> {
    let mut message = vec![0; 8];
    stream.read_exact(&mut message)?;
    ensure!(message[..4] == [0x42, 0x00, 0x78, 1], "no request message");
    let len = u32::from_be_bytes([message[4], message[5], message[6], message[7]]);
    ensure!(len < 10_000, "a request of {len} bytes");
    message.resize(8 + len as usize, 0);
    stream.read_exact(&mut message[8..])?;
    Ok(message)
}

/// The unique identifier that is asked for.
fn identifier(request: &[u8]) -> Result<String> {
    let get = enumeration(0x42_00_5C, 10);
    let has = |part: &[u8]| request.windows(part.len()).any(|window| window == part);
    ensure!(has(&get), "no Get");
    let start = request
        .windows(4)
        .position(|window| window == [0x42, 0x00, 0x94, 7])
        .context("no unique identifier")?;
    let len = usize::from(*request.get(start + 7).context("no length")?);
    let text = request.get(start + 8..start + 8 + len).context("cut off")?;
    Ok(String::from_utf8(text.to_vec())?)
}
