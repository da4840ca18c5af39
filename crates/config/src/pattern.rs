//! Regular expressions as configuration values.

use std::fmt;

/// A regular expression that compiles; its text without the slashes around it.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: regex::bytes::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Checks `text`, without slashes.
    ///
    /// # Errors
    ///
    /// The engine's reason, when the expression does not compile.
    pub fn new(text: &str) -> Result<Self, String> {
        match regex::bytes::Regex::new(text) {
            Ok(regex) => Ok(Self {
                text: text.to_owned(),
                regex,
            }),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(format!("compiled it would take more than {limit} bytes"))
            }
            Err(error) => Err(last_line(&error.to_string())),
        }
    }

    /// The expression without slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is there a match anywhere in `text`?
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

/// The engine draws the place over several lines and says what is wrong in the last one.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn what_does_not_compile_says_why() {
        assert_eq!(Pattern::new("a(b").unwrap_err(), "unclosed group");
        assert!(Pattern::new("(?i)^select").is_ok());
        assert!(Pattern::new("").is_ok());
    }

    #[test]
    fn a_match_may_be_anywhere() {
        let pattern = Pattern::new("lost|gone").expect("a pattern");
        assert!(pattern.is_match(b"the server is gone\xff"));
        assert!(!pattern.is_match(b"the server is there"));
    }
}
