//! Quotes around values, and the escaped form that can hold any text.
//!
//! Values are literal. One pair of equal quotes around the whole value is removed for texts,
//! so that `""` is an empty text and `" "` a blank. A value between triple double quotes is
//! escaped: `\n \r \t \\ \" \$ \u{...}`; it holds line breaks and a leading `$`, and is the
//! form in which such values are printed.

use std::fmt::Write as _;

const TRIPLE: &str = "\"\"\"";

/// Removes one pair of equal quotes around the whole text.
pub(crate) fn strip(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}

/// The text between triple quotes, still escaped.
pub(crate) fn triple(text: &str) -> Option<&str> {
    let inner = text.strip_prefix(TRIPLE)?.strip_suffix(TRIPLE)?;
    Some(inner)
}

/// Undoes the escapes; `None` if there is an unknown one.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => code_point(&mut chars)?,
            c @ ('\\' | '"' | '$') => c,
            _ => return None,
        });
    }
    Some(out)
}

fn code_point(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
    let c = u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32)?;
    *chars = rest.chars();
    Some(c)
}

/// The triple-quoted form of any text.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::from(TRIPLE);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' | '"' | '$' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push_str(TRIPLE);
    out
}

/// Whether a text can only be written escaped: it breaks the line, would be taken for a
/// variable, or looks escaped itself.
pub(crate) fn needs_escape(text: &str) -> bool {
    text.chars().any(char::is_control)
        || text.starts_with('$')
        || text.contains("${")
        || triple(text).is_some()
}

/// A text so written that [`strip`] gives it back, whatever it begins or ends with.
pub(crate) fn wrap(text: &str) -> String {
    let trimmed = text.trim_matches([' ', '\t']);
    let quoted = strip(text) != text;
    if text.is_empty() || quoted || trimmed != text {
        let quote = if text.starts_with('"') { '\'' } else { '"' };
        format!("{quote}{text}{quote}")
    } else {
        text.to_owned()
    }
}

/// A value as a message quotes it: on one line, and not too long.
pub(crate) fn shown(text: &str) -> String {
    const LIMIT_CHARS: usize = 60;
    let mut shown: String = text.chars().take(LIMIT_CHARS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("'{}'", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        let check = |text, inner| assert_eq!(strip(text), inner);
        check("\"a b\"", "a b");
        check("''", "");
        check("\"", "\"");
        check("'a\"", "'a\"");
        check("\"'a'\"", "'a'");
        for text in ["", " ", "a", "\"a\"", "'a'", "'\"a\"'", "\"", "a'", "\" '"] {
            assert_eq!(strip(&wrap(text)), text, "{text}");
        }
    }

    #[test]
    fn escapes() {
        for text in ["", "a\nb", "$x", "\"\"\"", "\\", "\u{7f}\0é"] {
            let escaped = escape(text);
            assert_eq!(unescape(triple(&escaped).unwrap()).as_deref(), Some(text));
        }
        assert_eq!(unescape("\\q"), None);
        assert_eq!(unescape("\\"), None);
        assert_eq!(unescape("\\u{110000}"), None);
        assert!(triple("\"\"\"\"").is_none());
        assert!(needs_escape("\"\"\"a\"\"\""));
    }
}
