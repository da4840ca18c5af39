//! Session state changes in OK packets, and OK packets rewritten for one client.
//!
//! | kind | data                                               | when                                |
//! |-----:|----------------------------------------------------|-------------------------------------|
//! |    0 | lenenc name, lenenc value                          | a variable of `session_track_system_variables` |
//! |    1 | lenenc database                                    | `session_track_schema`              |
//! |    2 | `1` or `0`, without a length of its own            | `session_track_state_change`        |
//! |    3 | encoding (1), lenenc GTIDs                         | `session_track_gtids` (MySQL)       |
//! |    4 | lenenc SQL that recreates the transaction          | `session_track_transaction_info`    |
//! |    5 | lenenc 8 characters                                | `session_track_transaction_info`    |
//!
//! Each entry is its kind (1), the length of its data (lenenc), the data.
//!
//! Invariant: entries that are kept, of unknown kinds too, are copied as they came.
//!
//! Source: MariaDB manual, "OK_Packet", session state info.

use crate::codec::{Reader, put_lenenc_bytes};
use crate::reply::OkPacket;
use crate::{Caps, Rewrite, Status, WireError};

/// One change of session state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A system variable has a new value.
    Variable {
        /// Its name, lower case.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// The current database is another; empty: none.
    Schema(&'a [u8]),
    /// Something of the session's state changed.
    State(bool),
    /// GTIDs of the transaction (MySQL).
    Gtids(&'a [u8]),
    /// SQL that recreates the transaction; empty: none is open.
    Characteristics(&'a [u8]),
    /// The transaction's state in eight characters, `_` each where it does not apply.
    TrxState([u8; 8]),
    /// An entry of a kind not known here.
    Unknown {
        /// The kind.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
}

/// The entries of an OK packet's raw block of changes.
pub fn changes(raw: &[u8]) -> Changes<'_> {
    Changes { raw }
}

/// Iterator of [`changes`]; ends after the first error.
#[derive(Debug, Clone)]
pub struct Changes<'a> {
    raw: &'a [u8],
}

impl<'a> Changes<'a> {
    /// The next entry with its bytes as they came.
    fn next_raw(&mut self) -> Option<Result<(Change<'a>, &'a [u8]), WireError>> {
        if self.raw.is_empty() {
            return None;
        }
        let mut reader = Reader::new(self.raw);
        let change = read_change(&mut reader);
        let (entry, rest) = self.raw.split_at(reader.offset());
        self.raw = if change.is_ok() { rest } else { &[] };
        Some(change.map(|change| (change, entry)))
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<Change<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_raw().map(|item| item.map(|(change, _)| change))
    }
}

fn read_change<'a>(reader: &mut Reader<'a>) -> Result<Change<'a>, WireError> {
    let kind = reader.u8()?;
    let data = reader.lenenc_bytes()?;
    let mut inner = Reader::new(data);
    let change = match kind {
        0 => Change::Variable {
            name: inner.lenenc_bytes()?,
            value: inner.lenenc_bytes()?,
        },
        1 => Change::Schema(inner.lenenc_bytes()?),
        2 => Change::State(inner.rest() == b"1"),
        3 => {
            inner.u8()?;
            Change::Gtids(inner.lenenc_bytes()?)
        }
        4 => Change::Characteristics(inner.lenenc_bytes()?),
        5 => trx_state(inner.lenenc_bytes()?)?,
        _ => return Ok(Change::Unknown { kind, data }),
    };
    inner.finish()?;
    Ok(change)
}

fn trx_state(text: &[u8]) -> Result<Change<'_>, WireError> {
    let Some((state, rest)) = text.split_first_chunk::<8>() else {
        return Err(WireError::Truncated {
            at: 0,
            needed: 8,
            left: text.len(),
        });
    };
    Reader::new(rest).finish()?;
    Ok(Change::TrxState(*state))
}

/// Appends one entry to a raw block of changes.
pub fn put_change(out: &mut Vec<u8>, change: &Change<'_>) {
    let mut data = Vec::new();
    let kind = match change {
        Change::Variable { name, value } => {
            put_lenenc_bytes(&mut data, name);
            put_lenenc_bytes(&mut data, value);
            0
        }
        Change::Schema(name) => {
            put_lenenc_bytes(&mut data, name);
            1
        }
        Change::State(changed) => {
            data.push(if *changed { b'1' } else { b'0' });
            2
        }
        Change::Gtids(gtids) => {
            data.push(0);
            put_lenenc_bytes(&mut data, gtids);
            3
        }
        Change::Characteristics(sql) => {
            put_lenenc_bytes(&mut data, sql);
            4
        }
        Change::TrxState(state) => {
            put_lenenc_bytes(&mut data, state);
            5
        }
        Change::Unknown { kind, data: bytes } => {
            data.extend_from_slice(bytes);
            *kind
        }
    };
    out.push(kind);
    put_lenenc_bytes(out, &data);
}

/// The variable with which a server sends its clients elsewhere, and what a client reads in its place:
/// it is not to be led past the proxy.
const REDIRECT: &[u8] = b"redirect_url";
const HIDDEN_REDIRECT: &[u8] = b"mxs_rdir_url";

/// Makes a server's OK packet what a client reads: without the changes that `keep` refuses, without
/// any for a client that did not negotiate [`Caps::SESSION_TRACK`]. A `redirect_url` is renamed
/// `mxs_rdir_url`.
///
/// # Errors
/// What is wrong with the packet's layout or with one of its entries.
pub fn rewrite_ok(
    payload: &[u8],
    server_caps: Caps,
    client_caps: Caps,
    keep: impl Fn(&Change<'_>) -> bool,
    out: &mut Vec<u8>,
) -> Result<Rewrite, WireError> {
    let packet = OkPacket::parse(payload, server_caps)?;
    let flagged = packet.status.contains(Status::SESSION_STATE_CHANGED);
    if !flagged || !server_caps.contains(Caps::SESSION_TRACK) {
        return Ok(Rewrite::Unchanged);
    }
    if !client_caps.contains(Caps::SESSION_TRACK) {
        let bare = OkPacket {
            changes: &[],
            ..packet
        };
        bare.encode(client_caps, out);
        return Ok(Rewrite::Written);
    }
    let mut kept = Vec::with_capacity(packet.changes.len());
    let mut same = true;
    let mut entries = changes(packet.changes);
    while let Some(entry) = entries.next_raw() {
        let (change, bytes) = entry?;
        if !keep(&change) {
            same = false;
        } else if let Change::Variable { name, value } = change
            && name == REDIRECT
        {
            let name = HIDDEN_REDIRECT;
            put_change(&mut kept, &Change::Variable { name, value });
            same = false;
        } else {
            kept.extend_from_slice(bytes);
        }
    }
    if same {
        return Ok(Rewrite::Unchanged);
    }
    OkPacket {
        changes: &kept,
        ..packet
    }
    .encode(client_caps, out);
    Ok(Rewrite::Written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKED: Caps = Caps::SESSION_TRACK;

    /// MariaDB 10.11.19: `set session_track_transaction_info=characteristics,
    /// session_track_state_change=1, time_zone='+1:00', autocommit=1`.
    const VARIABLES: &[u8] =
        b"\0\0\0\x02@\0\0\x004\0\x0e\nautocommit\x02ON\0\x11\ttime_zone\x06+01:00\x02\x011\x05\t\x08________\x04\x01\0";

    fn check_changes(raw: &[u8], expect: &[Change<'_>]) {
        let found: Vec<_> = changes(raw).map(Result::unwrap).collect();
        assert_eq!(found, expect);
        let mut out = Vec::new();
        for change in expect {
            put_change(&mut out, change);
        }
        assert_eq!(out, raw);
    }

    #[test]
    fn a_servers_redirection_is_renamed_and_the_rest_stays() {
        let variable = |name| Change::Variable { name, value: b"v" };
        let packet = |name| {
            let mut changes = Vec::new();
            put_change(&mut changes, &variable(b"autocommit"));
            put_change(&mut changes, &variable(name));
            let mut payload = Vec::new();
            OkPacket {
                changes: &changes,
                ..OkPacket::new(Status::SESSION_STATE_CHANGED)
            }
            .encode(TRACKED, &mut payload);
            payload
        };
        let mut out = Vec::new();
        let told = packet(b"redirect_url");
        let done = rewrite_ok(&told, TRACKED, TRACKED, |_| true, &mut out);
        assert_eq!(done, Ok(Rewrite::Written));
        assert_eq!(out, packet(b"mxs_rdir_url"));
    }

    #[test]
    fn every_kind_of_change() {
        let packet = OkPacket::parse(VARIABLES, TRACKED).unwrap();
        check_changes(
            packet.changes,
            &[
                Change::Variable {
                    name: b"autocommit",
                    value: b"ON",
                },
                Change::Variable {
                    name: b"time_zone",
                    value: b"+01:00",
                },
                Change::State(true),
                Change::TrxState(*b"________"),
                Change::Characteristics(b""),
            ],
        );
        check_changes(b"\x01\x02\x01t", &[Change::Schema(b"t")]);
        check_changes(b"\x01\x01\0", &[Change::Schema(b"")]);
        check_changes(b"\x03\x05\0\x03a:1", &[Change::Gtids(b"a:1")]);
        check_changes(
            b"\x05\x09\x08T_______\x04\x13\x12START TRANSACTION;",
            &[
                Change::TrxState(*b"T_______"),
                Change::Characteristics(b"START TRANSACTION;"),
            ],
        );
        let data = b"xy";
        check_changes(b"\x63\x02xy", &[Change::Unknown { kind: 99, data }]);
    }

    #[test]
    fn a_broken_entry_ends_the_list() {
        for raw in [
            &b"\x01"[..],
            b"\x01\x05\x01t",
            b"\x01\x03\x01tx",
            b"\x05\x02\x01T",
            b"\x05\x0a\x09T_______x",
        ] {
            let mut found = changes(raw);
            assert!(found.next().unwrap().is_err(), "{raw:?}");
            assert_eq!(found.next(), None);
        }
    }

    #[track_caller]
    fn check_rewrite(client: Caps, keep: impl Fn(&Change<'_>) -> bool, expect: Option<&[u8]>) {
        let mut out = Vec::new();
        let rewrite = rewrite_ok(VARIABLES, TRACKED, client, keep, &mut out).unwrap();
        assert_eq!(rewrite == Rewrite::Written, expect.is_some());
        assert_eq!(out, expect.unwrap_or_default());
    }

    #[test]
    fn changes_are_dropped_one_by_one_or_all() {
        let state_only = |change: &Change<'_>| matches!(change, Change::State(_));
        let bare = Some(&b"\0\0\0\x02\0\0\0"[..]);
        let state = Some(&b"\0\0\0\x02@\0\0\0\x03\x02\x011"[..]);
        check_rewrite(TRACKED, |_| true, None);
        check_rewrite(TRACKED, state_only, state);
        check_rewrite(TRACKED, |_| false, bare);
        check_rewrite(Caps::empty(), |_| true, bare);
    }

    #[test]
    fn the_info_stays() {
        let server = b"\0\x01\0\x02@\x03\0\x04info\x04\x01\x02\x01t";
        let mut out = Vec::new();
        let rewrite = rewrite_ok(server, TRACKED, Caps::empty(), |_| true, &mut out);
        assert_eq!(rewrite, Ok(Rewrite::Written));
        assert_eq!(out, b"\0\x01\0\x02\0\x03\0\x04info");
        let plain = rewrite_ok(&out, TRACKED, Caps::empty(), |_| false, &mut Vec::new());
        assert_eq!(plain, Ok(Rewrite::Unchanged));
    }
}
