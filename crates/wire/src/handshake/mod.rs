//! The packets of a login: greeting, handshake response, SSLRequest, AuthSwitchRequest,
//! COM_CHANGE_USER.
//!
//! Left out: the order in which they come, which is [`crate::login`]'s.

mod change_user;
mod greeting;
mod response;
mod switch;

pub use change_user::ChangeUser;
pub use greeting::Greeting;
pub use response::{HandshakeResponse, is_ssl_request, put_ssl_request};
pub use switch::AuthSwitch;

use crate::WireError;
use crate::codec::{Reader, lenenc_len, put_lenenc_bytes, put_lenenc_int};

/// Connection attributes: names and values, in the client's order.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Clients send a dozen. Two bytes are enough for one, and it takes fifty in memory, so that without
/// a limit a login of 1 MiB could cost 25.
pub const MAX_ATTRIBUTES: usize = 4096;

/// Length of all (lenenc), then name and value (lenenc each).
fn read_attributes(reader: &mut Reader<'_>) -> Result<Attributes, WireError> {
    let mut inner = Reader::new(reader.lenenc_bytes()?);
    let mut attributes = Vec::new();
    while !inner.is_empty() {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(WireError::OverLimit {
                got: MAX_ATTRIBUTES as u64 + 1,
                limit: MAX_ATTRIBUTES as u64,
            });
        }
        let name = inner.lenenc_bytes()?.to_vec();
        let value = inner.lenenc_bytes()?.to_vec();
        attributes.push((name, value));
    }
    Ok(attributes)
}

fn put_attributes(out: &mut Vec<u8>, attributes: &[(Vec<u8>, Vec<u8>)]) {
    let text_len = |text: &[u8]| lenenc_len(text.len() as u64) + text.len();
    let len: usize = attributes
        .iter()
        .map(|(name, value)| text_len(name) + text_len(value))
        .sum();
    put_lenenc_int(out, len as u64);
    for (name, value) in attributes {
        put_lenenc_bytes(out, name);
        put_lenenc_bytes(out, value);
    }
}
