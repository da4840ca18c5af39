//! The policy file: a keyword and a value a line; whatever follows is the reason.

use anyhow::{Result, bail};

/// What the policy file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// Names, `WITH` and the exception's name included.
    pub(super) licenses: Vec<String>,
    /// Ends of what cargo calls a source.
    pub(super) sources: Vec<String>,
    /// Crates that may come in several versions.
    pub(super) duplicates: Vec<String>,
    /// All crates there may be.
    pub(super) crates: Vec<String>,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut rules = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
            let first = rest.split_whitespace().next().unwrap_or_default();
            let has_reason = rest.trim().len() > first.len();
            match keyword {
                "license" => rules.licenses.push(rest.trim().to_owned()),
                "source" => rules.sources.push(first.to_owned()),
                "duplicate" if has_reason => rules.duplicates.push(first.to_owned()),
                "duplicate" => bail!("line {}: a duplicate needs a reason", index + 1),
                "crate" => rules.crates.push(first.to_owned()),
                _ => bail!("line {}: unknown keyword {keyword:?}", index + 1),
            }
        }
        Ok(rules)
    }
}

/// The file's text with its list of crates replaced.
pub(super) fn with_crates<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> String {
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("crate "))
        .collect();
    let mut names: Vec<String> = names.map(|name| format!("crate {name}\n")).collect();
    names.sort_unstable();
    names.dedup();
    format!("{}\n\n{}", kept.join("\n").trim_end(), names.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blessed_list_replaces_the_old_one() {
        let text = with_crates(
            "# c\nlicense MIT\n\ncrate old\n",
            ["b", "a", "b"].into_iter(),
        );
        assert_eq!(text, "# c\nlicense MIT\n\ncrate a\ncrate b\n");
        let rules = Rules::parse(&text).expect("rules");
        assert_eq!(rules.crates, ["a", "b"]);
        assert_eq!(with_crates(&text, ["a", "b"].into_iter()), text);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let error = Rules::parse("license MIT\nduplicate a\n").expect_err("no reason");
        assert_eq!(error.to_string(), "line 2: a duplicate needs a reason");
        assert!(Rules::parse("licence MIT").is_err());
    }
}
