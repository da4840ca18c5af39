//! Texts that may concern sessions rather than data: the proxy looks at them even where nobody looks at
//! statements.

/// So much of a text is looked at.
pub const LOOKED_AT_BYTES: usize = 4096;

/// The words that such a text has.
const WORDS: [&[u8]; 3] = [b"KILL", b"CONNECTION_ID", b"PSEUDO_THREAD_ID"];

/// May the text hold a KILL, or ask for the id of its session? A cheap look at its first
/// [`LOOKED_AT_BYTES`], which errs on the side of yes.
#[inline]
#[must_use]
pub fn may_concern_sessions(text: &[u8]) -> bool {
    let text = text.get(..LOOKED_AT_BYTES).unwrap_or(text);
    // The rarest byte of each word, and its place there.
    memchr::memchr3_iter(b'K', b'k', b'_', text).any(|at| {
        WORDS.iter().any(|word| {
            let rare = memchr::memchr2(b'K', b'_', word).unwrap_or(0);
            at.checked_sub(rare)
                .and_then(|start| text.get(start..start + word.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_may_concern_sessions() {
        let yes = [
            "KILL 5",
            "/* why */ kill query 5",
            "SELECT 1; KILL 5",
            "PREPARE s FROM 'kill 5'",
            "select connection_id()",
            "SELECT @@Pseudo_Thread_Id",
            "SELECT 'a skill'",
        ];
        for text in yes {
            assert!(may_concern_sessions(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "K",
            "_",
            "KIL",
            "SELECT a_b FROM milk WHERE k=1",
            "SELECT ID_",
        ] {
            assert!(!may_concern_sessions(text.as_bytes()), "{text}");
        }
        let late = format!("{}KILL 5", " ".repeat(LOOKED_AT_BYTES));
        assert!(!may_concern_sessions(late.as_bytes()));
    }
}
