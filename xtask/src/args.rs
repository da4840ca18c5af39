//! Command-line words, taken one by one; whatever nobody took is an error.

use std::env;

use anyhow::{Result, bail};

/// What is left of the command line.
#[derive(Debug)]
pub(crate) struct Args(Vec<String>);

impl Args {
    /// This process's arguments, the program's name left out.
    pub(crate) fn from_command_line() -> Self {
        Self(env::args().skip(1).collect())
    }

    /// Takes the first word.
    pub(crate) fn word(&mut self) -> Option<String> {
        if self.0.is_empty() {
            None
        } else {
            Some(self.0.remove(0))
        }
    }

    /// Takes a switch and tells whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() < before
    }

    /// Takes an option with its value, written `--name value` or `--name=value`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>> {
        let with_sign = format!("{name}=");
        let place = self
            .0
            .iter()
            .position(|word| word == name || word.starts_with(&with_sign));
        let Some(place) = place else { return Ok(None) };
        let word = self.0.remove(place);
        if let Some(value) = word.strip_prefix(&with_sign) {
            return Ok(Some(value.to_owned()));
        }
        if place == self.0.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.0.remove(place)))
    }

    /// [`value`](Self::value), a list with commas; empty without the option.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<String>> {
        let value = self.value(name)?.unwrap_or_default();
        Ok(value
            .split(',')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// Whether what follows is a wish for help and nothing else.
    pub(crate) fn asks_for_help(&self) -> bool {
        matches!(self.0.as_slice(), [word] if word == "--help" || word == "-h")
    }

    /// All that is left, for another program.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0
    }

    /// Nothing more is expected.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => bail!("unexpected {word:?}; --help tells what there is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn words_switches_and_values_are_taken() {
        let mut args = args("test --a --b=1 --c 2,3");
        assert_eq!(args.word().as_deref(), Some("test"));
        assert_eq!(args.value("--b").expect("a value").as_deref(), Some("1"));
        assert_eq!(args.list("--c").expect("a list"), ["2", "3"]);
        assert!(args.flag("--a"));
        assert!(!args.flag("--a"));
        args.finish().expect("nothing is left");
    }

    #[test]
    fn what_nobody_took_is_an_error() {
        assert!(args("--surprise").finish().is_err());
        assert!(args("--b").value("--b").is_err());
    }
}
