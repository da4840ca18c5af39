//! What is code in a Rust file, and what is a comment, a text or a test.
//!
//! Not a parser: it knows just enough of the lexical grammar to blank out comments, strings and
//! characters, keeping every line where it was.

/// The text with comments and the insides of literals replaced by blanks.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skip_length(&bytes[at..], out.last().copied()).unwrap_or(0);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(
                bytes[at..end]
                    .iter()
                    .map(|&b| if b == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How long the comment or literal at the start of `rest` is, if there is one.
fn skip_length(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match rest {
        [b'/', b'/', ..] => Some(rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, 1)),
        [b'b' | b'c', b'"', ..] if !in_word => Some(quoted(rest, 2)),
        [b'r', ..] if !in_word => raw_string(rest, 1),
        [b'b' | b'c', b'r', ..] if !in_word => raw_string(rest, 2),
        [b'\'', ..] => character(rest),
        _ => None,
    }
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0u32, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// A string whose opening quote ends at `start`.
fn quoted(rest: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string whose hashes begin at `start`; none if no quote follows them.
fn raw_string(rest: &[u8], start: usize) -> Option<usize> {
    let hashes = rest[start..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let inside = start + hashes + 1;
    let end = rest[inside..]
        .windows(close.len())
        .position(|window| window == close);
    Some(end.map_or(rest.len(), |end| inside + end + close.len()))
}

/// A character literal; none if the quote begins a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|&b| b == b'\'')?;
        return Some(end + 4);
    }
    // One character of up to four bytes, then the closing quote.
    (2..=5)
        .find(|&at| rest.get(at) == Some(&b'\''))
        .filter(|&at| {
            std::str::from_utf8(&rest[1..at]).is_ok_and(|inside| inside.chars().count() == 1)
        })
        .map(|at| at + 1)
}

/// For each line of `code` (comments and literals blanked) whether it is inside an item under
/// `#[cfg(test)]`.
pub(super) fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = Vec::new();
    let (mut depth, mut pending, mut inside_from) = (0i32, false, None);
    for line in code.lines() {
        pending |= line.contains("#[cfg(test)]") || line.contains("#[cfg(any(test");
        let was_inside = inside_from.is_some();
        for c in line.chars() {
            match c {
                '{' => {
                    if pending && inside_from.is_none() {
                        inside_from = Some(depth);
                        pending = false;
                    }
                    depth += 1;
                }
                '}' => {
                    depth -= 1;
                    if inside_from == Some(depth) {
                        inside_from = None;
                    }
                }
                ';' if inside_from.is_none() => pending = false,
                _ => {}
            }
        }
        marks.push(was_inside || inside_from.is_some() || pending);
    }
    marks
}

/// Whether `text` holds `word` with nothing of a name on either side.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(code_only(text), expect, "{text:?}");
        assert_eq!(code_only(text).len(), text.len());
    }

    #[test]
    fn comments_and_literals_are_blank() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("f(\"x\\\"y\", 'z')", "f(      ,    )");
        check("f(r#\"a\"b\"#) g", "f(        ) g");
        check("f(b\"a\", br\"b\", b'c')", "f(    ,      , b   )");
        check("'a: loop { '\\'' }", "'a: loop {      }");
        check("for\"x\"", "for   ");
    }

    #[test]
    fn test_modules_are_marked() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n";
        assert_eq!(test_lines(code), [false, true, true, true, true, false]);
        let code = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert_eq!(test_lines(code), [true, false, false]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("x unsafe {", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
    }
}
