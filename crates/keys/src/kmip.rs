//! Keys of a KMIP server: the operation Get, over TLS with a client certificate.
//!
//! Source: OASIS, "Key Management Interoperability Protocol Specification Version 1.2": sections 4.11
//! (Get), 6 and 7 (messages), 9.1.3 (tags and enumerations). The request says it is of version 1.0,
//! which every server of KMIP 1 understands.
//!
//! Left out: keeping keys (every use asks), versions, keys that are wrapped, and everything else that
//! KMIP can do.

use std::time::Duration;

use tidegate_config::params::KeyParams;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::connection::{Place, Stream, TlsNames, tls};
use crate::error::KeyError;
use crate::key::{KeyManager, ManagedKey, Pending, Version, only_first};
use crate::ttlv::{self, Item, Octets, Tag, TtlvError, Value};

/// Bytes of an answer; one with a key has some hundred.
const ANSWER_BYTES: usize = 64 * 1024;

/// How an answer begins: the tag of response messages, and the type of structures.
const ANSWER: [u8; 4] = [0x42, 0x00, 0x7B, 1];

/// How long connecting and asking may take, each.
const PATIENCE: Duration = Duration::from_secs(30);

const NAMES: TlsNames = TlsNames {
    ca: "kmip.ca",
    cert: "kmip.cert",
    key: "kmip.key",
    host: "kmip.host",
};

const BATCH_COUNT: Tag = Tag::new(0x42_00_0D);
const BATCH_ITEM: Tag = Tag::new(0x42_00_0F);
const KEY: Tag = Tag::new(0x42_00_3F);
const KEY_BLOCK: Tag = Tag::new(0x42_00_40);
const KEY_MATERIAL: Tag = Tag::new(0x42_00_43);
const KEY_VALUE: Tag = Tag::new(0x42_00_45);
const KEY_WRAPPING_DATA: Tag = Tag::new(0x42_00_46);
const OBJECT_TYPE: Tag = Tag::new(0x42_00_57);
const OPERATION: Tag = Tag::new(0x42_00_5C);
const PROTOCOL_VERSION: Tag = Tag::new(0x42_00_69);
const PROTOCOL_VERSION_MAJOR: Tag = Tag::new(0x42_00_6A);
const PROTOCOL_VERSION_MINOR: Tag = Tag::new(0x42_00_6B);
const REQUEST_HEADER: Tag = Tag::new(0x42_00_77);
const REQUEST_MESSAGE: Tag = Tag::new(0x42_00_78);
const REQUEST_PAYLOAD: Tag = Tag::new(0x42_00_79);
const RESPONSE_MESSAGE: Tag = Tag::new(0x42_00_7B);
const RESPONSE_PAYLOAD: Tag = Tag::new(0x42_00_7C);
const RESULT_MESSAGE: Tag = Tag::new(0x42_00_7D);
const RESULT_REASON: Tag = Tag::new(0x42_00_7E);
const RESULT_STATUS: Tag = Tag::new(0x42_00_7F);
const SYMMETRIC_KEY: Tag = Tag::new(0x42_00_8F);
const UNIQUE_IDENTIFIER: Tag = Tag::new(0x42_00_94);

/// The operation that hands an object over.
const GET: u32 = 10;
/// The object type of symmetric keys.
const SYMMETRIC: u32 = 2;
/// The result status of what succeeded.
const SUCCESS: u32 = 0;
/// The result reason of what is not there.
const NOT_FOUND: u32 = 1;

/// A server.
#[derive(Debug)]
pub(crate) struct Kmip {
    place: Place,
}

impl Kmip {
    /// Reads certificate, key and authorities. Blocks for a moment; nothing is sent yet.
    pub(crate) fn open(params: &KeyParams) -> Result<Kmip, KeyError> {
        let host = given("kmip.host", params.kmip_host.as_ref())?;
        let cert = given("kmip.cert", params.kmip_cert.as_ref())?;
        let key = given("kmip.key", params.kmip_key.as_ref())?;
        given("kmip.port", (params.kmip_port != 0).then_some(&()))?;
        let identity = Some((cert.as_path(), key.as_path()));
        Ok(Kmip {
            place: Place {
                name: "the KMIP server",
                host: host.clone(),
                port: params.kmip_port,
                tls: Some(tls(host, params.kmip_ca.as_deref(), identity, &NAMES)?),
            },
        })
    }

    async fn fetch(&self, id: &str, version: Version) -> Result<ManagedKey, KeyError> {
        only_first(version, id)?;
        let late = |_| {
            self.place
                .late(PATIENCE, "look after it, and at what lies between")
        };
        let connecting = tokio::time::timeout(PATIENCE, self.place.connect());
        let mut stream = connecting.await.map_err(late)??;
        let asking = tokio::time::timeout(PATIENCE, self.ask(stream.as_mut(), id));
        let answer = asking.await.map_err(late)??;
        let answer = ttlv::decode(&answer).map_err(|error| self.garbled(id, error))?;
        self.understand(id, &answer)
    }

    /// Sends the request and reads one whole answer.
    async fn ask(&self, stream: &mut dyn Stream, id: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let broken = |error| self.place.broken(&error);
        let request = ttlv::encode(&request(id));
        stream.write_all(&request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut head = [0; 8];
        stream.read_exact(&mut head).await.map_err(broken)?;
        if !head.starts_with(&ANSWER) {
            return Err(self.place.nonsense(id, "this is not KMIP"));
        }
        let len = ttlv::following(&head).map_err(|error| self.garbled(id, error))?;
        if len > ANSWER_BYTES {
            let reason = format!("the answer has {len} bytes, more than {ANSWER_BYTES}");
            return Err(self.place.nonsense(id, reason));
        }
        let mut answer = Zeroizing::new(vec![0; head.len() + len]);
        let (start, rest) = answer.split_at_mut(head.len());
        start.copy_from_slice(&head);
        stream.read_exact(rest).await.map_err(broken)?;
        Ok(answer)
    }

    fn garbled(&self, id: &str, error: TtlvError) -> KeyError {
        self.place
            .nonsense(id, format!("this is not KMIP: {error}"))
    }

    fn understand(&self, id: &str, answer: &Item) -> Result<ManagedKey, KeyError> {
        let nonsense = |reason: &str| self.place.nonsense(id, reason);
        let batch = Some(answer)
            .filter(|answer| answer.tag == RESPONSE_MESSAGE)
            .and_then(|answer| answer.member(BATCH_ITEM))
            .ok_or_else(|| nonsense("it is no answer to a request"))?;
        if number(batch, RESULT_STATUS) != Some(SUCCESS) {
            return Err(self.refusal(id, batch));
        }
        let payload = batch
            .member(RESPONSE_PAYLOAD)
            .ok_or_else(|| nonsense("the answer is empty"))?;
        let same = matches!(payload.member(UNIQUE_IDENTIFIER), Some(Item { value: Value::Text(it), .. }) if it == id);
        if !same {
            return Err(nonsense("it is another object than the one asked for"));
        }
        if number(payload, OBJECT_TYPE) != Some(SYMMETRIC) {
            return Err(nonsense("the object is no symmetric key"));
        }
        let block = payload
            .member(SYMMETRIC_KEY)
            .and_then(|key| key.member(KEY_BLOCK))
            .ok_or_else(|| nonsense("the object holds no key"))?;
        if block.member(KEY_WRAPPING_DATA).is_some() {
            return Err(nonsense("the key is wrapped in another one"));
        }
        let bytes = material(block).ok_or_else(|| {
            nonsense("the key is in a format that is neither raw nor transparent")
        })?;
        ManagedKey::new(1, Zeroizing::new(bytes.reveal().to_vec())).map_err(|bits| {
            nonsense(&format!(
                "the key has {bits} bits, but must have 128, 192 or 256"
            ))
        })
    }

    fn refusal(&self, id: &str, batch: &Item) -> KeyError {
        let reason = number(batch, RESULT_REASON);
        if reason == Some(NOT_FOUND) {
            return KeyError::NoKey {
                id: id.to_owned(),
                place: self.place.shown(),
                remedy: "the id must be the unique identifier of a symmetric key".to_owned(),
            };
        }
        let words = match batch.member(RESULT_MESSAGE).map(|item| &item.value) {
            Some(Value::Text(text)) => text.as_str(),
            _ => "",
        };
        // The server was sent no secret that it could repeat.
        let words: String = words
            .chars()
            .filter(|it| !it.is_control())
            .take(200)
            .collect();
        let reason = reason.map_or_else(|| "it gives no reason".to_owned(), reason_word);
        let words = if words.is_empty() {
            words
        } else {
            format!(" ('{words}')")
        };
        self.place.refused(id, reason + &words)
    }
}

impl KeyManager for Kmip {
    fn key<'a>(
        &'a self,
        id: &'a str,
        version: Version,
    ) -> Pending<'a, Result<ManagedKey, KeyError>> {
        Box::pin(self.fetch(id, version))
    }
}

fn given<'a, T>(parameter: &'static str, value: Option<&'a T>) -> Result<&'a T, KeyError> {
    value.ok_or(KeyError::Setting {
        parameter,
        reason: "it must be given with key_manager=kmip".to_owned(),
    })
}

/// The request for an object.
fn request(id: &str) -> Item {
    let structure = |tag, items: Vec<Item>| Item::new(tag, Value::Structure(items));
    let version = structure(
        PROTOCOL_VERSION,
        vec![
            Item::new(PROTOCOL_VERSION_MAJOR, Value::Integer(1)),
            Item::new(PROTOCOL_VERSION_MINOR, Value::Integer(0)),
        ],
    );
    let identifier = Item::new(UNIQUE_IDENTIFIER, Value::Text(id.to_owned()));
    structure(
        REQUEST_MESSAGE,
        vec![
            structure(
                REQUEST_HEADER,
                vec![version, Item::new(BATCH_COUNT, Value::Integer(1))],
            ),
            structure(
                BATCH_ITEM,
                vec![
                    Item::new(OPERATION, Value::Enumeration(GET)),
                    structure(REQUEST_PAYLOAD, vec![identifier]),
                ],
            ),
        ],
    )
}

fn number(item: &Item, tag: Tag) -> Option<u32> {
    match item.member(tag)?.value {
        Value::Enumeration(number) => Some(number),
        _ => None,
    }
}

/// The key's bytes: raw, or as the one member of a transparent key.
fn material(block: &Item) -> Option<&Octets> {
    let material = block.member(KEY_VALUE)?.member(KEY_MATERIAL)?;
    let bytes = match &material.value {
        Value::Structure(_) => &material.member(KEY)?.value,
        value => value,
    };
    match bytes {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// What a result reason means, and what helps.
fn reason_word(reason: u32) -> String {
    let word = match reason {
        3 => "it does not know our certificate (kmip.cert)",
        4 | 5 => "it does not understand the request",
        12 => "whoever has this certificate (kmip.cert) may not read it",
        13 => "the key is archived",
        15 => "it wants to know an application namespace",
        256 => "it failed",
        reason => return format!("result reason {reason:#x}"),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down by hand after sections 9.1.1 and 9.1.3 of the specification.
    #[test]
    fn the_request_byte_by_byte() {
        let bytes = ttlv::encode(&request("49a1ca88-6bea-4fb2-b450-7e58802c3038"));
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "4200780100000090420077010000003842006901000000204200\
             6a0200000004000000010000000042006b02000000040000000000000000\
             42000d0200000004000000010000000042000f0100000048\
             42005c05000000040000000a000000004200790100000030\
             420094070000002434396131636138382d366265612d346662322d62343530\
             2d3765353838303263333033380000\
             0000"
        );
    }
}
