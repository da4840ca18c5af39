//! What the runner prints of each test, read line by line.

use std::collections::BTreeMap;

/// How a test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// It is not for these surroundings, or it is switched off.
    Skipped,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "was skipped",
        }
    }
}

/// The tests of a run by their names, with their combination of options if they have several:
/// `main.alias`, `main.commit 'innodb'`.
pub(super) type Outcomes = BTreeMap<String, Outcome>;

/// What a line of the runner says of a test, if it does.
pub(super) fn of_line(line: &str) -> Option<(String, Outcome)> {
    let (head, rest) = line.split_once(" [ ")?;
    let (word, _) = rest.split_once(" ]")?;
    let outcome = match word.strip_prefix("retry-").unwrap_or(word) {
        "pass" => Outcome::Passed,
        "fail" | "exp-fail" => Outcome::Failed,
        "skipped" | "disabled" => Outcome::Skipped,
        _ => return None,
    };
    let mut words: Vec<&str> = head.split_whitespace().collect();
    if words.last().is_some_and(|word| is_worker(word)) {
        words.pop();
    }
    let name = words.join(" ");
    let (suite, test) = name.split_once('.')?;
    let plain = |text: &str| !text.is_empty() && !text.contains([' ', '/', ':']);
    let first = test.split(' ').next().unwrap_or_default();
    (plain(suite) && plain(first)).then_some((name, outcome))
}

/// The test's name without its combination of options.
pub(super) fn plain_name(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

/// The process of the runner that ran the test: `w1`.
fn is_worker(word: &str) -> bool {
    word.strip_prefix('w').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, Outcome)>) {
        let found = of_line(line);
        let found = found
            .as_ref()
            .map(|(name, outcome)| (name.as_str(), *outcome));
        assert_eq!(found, expected, "{line:?}");
    }

    #[test]
    fn lines_of_tests_are_read() {
        check(
            "main.alias                               w1 [ pass ]      5",
            Some(("main.alias", Outcome::Passed)),
        );
        check(
            "main.commit 'innodb'                     w2 [ retry-pass ]  12",
            Some(("main.commit 'innodb'", Outcome::Passed)),
        );
        check("main.x [ fail ]", Some(("main.x", Outcome::Failed)));
        check(
            "main.y 'a,b' w1 [ skipped ]  no plugin",
            Some(("main.y 'a,b'", Outcome::Skipped)),
        );
    }

    #[test]
    fn other_lines_are_not() {
        check("worker[1] > Restart  - not started", None);
        check("CURRENT_TEST: main.x", None);
        check("at line 5. in file [ pass ]", None);
    }

    #[test]
    fn the_combination_is_no_part_of_the_plain_name() {
        assert_eq!(plain_name("main.commit 'innodb'"), "main.commit");
        assert_eq!(plain_name("main.alias"), "main.alias");
    }
}
