//! Value to text: what [`parse`](crate::parse) reads back as the same value.

use crate::decl::{Kind, ParamDecl};
use crate::quote;
use crate::secret::{ENCRYPTED, Secret};
use crate::unit::print_span;
use crate::value::Value;
use crate::word::words_of;

/// The text of a value in a file. It may be a password.
pub(crate) fn print(decl: &ParamDecl, value: &Value) -> Secret {
    let plain = match value {
        Value::Secret(secret) => return print_secret(secret),
        Value::Unset => String::new(),
        Value::Auto => "auto".to_owned(),
        Value::Bool(on) => on.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Count(number) => number.to_string(),
        Value::Size(size) => size.to_string(),
        Value::Millis(milliseconds) => match u64::try_from(*milliseconds) {
            Ok(milliseconds) => print_span(milliseconds),
            Err(_) => "-1ms".to_owned(),
        },
        Value::Word(word) => (*word).to_owned(),
        Value::Mask(bits) => match decl.kind {
            Kind::Mask { words } | Kind::WordList { words } => {
                words_of(words, *bits).collect::<Vec<_>>().join(",")
            }
            _ => String::new(),
        },
        Value::List(items) => match decl.kind {
            Kind::References(to) => items.join(&to.separator().to_string()),
            _ => items.join(","),
        },
        Value::Text(text) => return Secret::new(print_text(text)),
        Value::Pattern(pattern) => pattern.to_string(),
        Value::Throttling(throttling) => throttling.to_string(),
        Value::Networks(networks) => networks.to_string(),
    };
    if quote::needs_escape(&plain) {
        return Secret::new(quote::escape(&plain));
    }
    Secret::new(plain)
}

fn print_text(text: &str) -> String {
    if quote::needs_escape(text) {
        quote::escape(text)
    } else {
        quote::wrap(text)
    }
}

/// What was written, if that is known; else the clear text, marked as such if it could be
/// taken for an encrypted one.
fn print_secret(secret: &Secret) -> Secret {
    if let Some(written) = secret.written() {
        return Secret::new(written);
    }
    let clear = secret.reveal();
    if looks_encrypted(clear) || clear.starts_with(PLAIN) {
        Secret::new(print_text(&format!("{PLAIN}{clear}")))
    } else {
        Secret::new(print_text(clear))
    }
}

/// Before a password that must not be decrypted.
pub(crate) const PLAIN: &str = "plain:";

/// Whether a password has the form of an encrypted one: an even number of hexadecimal digits, or
/// what says so itself.
pub(crate) fn looks_encrypted(text: &str) -> bool {
    let digits = !text.is_empty()
        && text.len().is_multiple_of(2)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits || text.starts_with(ENCRYPTED)
}
