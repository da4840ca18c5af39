//! Regular expressions as configuration values.

use std::fmt;

/// A regular expression that compiles; its text without the slashes around it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks `text`, without slashes.
    ///
    /// # Errors
    ///
    /// The engine's reason, when the expression does not compile.
    pub fn new(text: &str) -> Result<Self, String> {
        match regex::bytes::Regex::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(format!("compiled it would take more than {limit} bytes"))
            }
            Err(error) => Err(last_line(&error.to_string())),
        }
    }

    /// The expression without slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The engine draws the place over several lines and says what is wrong in the last one.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0)
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
}
