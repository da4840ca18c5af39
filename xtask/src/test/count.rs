//! How many tests a stage ran, read from what it printed.

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl Count {
    /// Adds up the closing lines of cargo's test runner (`test result: ok. 3 passed; ...`) and of
    /// our own tasks (`3 passed, 0 failed`, alone on a line).
    pub(super) fn of(text: &str) -> Self {
        let mut sum = Self::default();
        text.lines()
            .filter_map(Self::of_line)
            .for_each(|count| sum.add(count));
        sum
    }

    /// What a stage counts for: its tests; without any, itself. One that failed without a failed
    /// test (it did not compile, it died) counts as one failure.
    pub(super) fn of_stage(text: &str, succeeded: bool) -> Self {
        let mut count = Self::of(text);
        if !succeeded && count.failed == 0 {
            count.failed = 1;
        }
        if count == Self::default() {
            count.passed = 1;
        }
        count
    }

    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    fn of_line(line: &str) -> Option<Self> {
        let line = line.trim();
        let numbers = match line.strip_prefix("test result:") {
            Some(rest) => rest.split_once('.')?.1,
            None if line.starts_with(|c: char| c.is_ascii_digit()) => line,
            None => return None,
        };
        let mut count = Self::default();
        let mut words = Vec::new();
        for part in numbers.split([',', ';']) {
            let (number, word) = part.trim().split_once(' ')?;
            match (number.parse().ok(), word) {
                (Some(number), "passed") => count.passed = number,
                (Some(number), "failed") => count.failed = number,
                (Some(number), "ignored" | "skipped") => count.ignored = number,
                _ => {}
            }
            words.push(word);
        }
        words.starts_with(&["passed", "failed"]).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, passed: u64, failed: u64, ignored: u64) {
        assert_eq!(
            Count::of(text),
            Count {
                passed,
                failed,
                ignored
            },
            "{text:?}"
        );
    }

    #[test]
    fn closing_lines_are_added_up() {
        check(
            "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; \
             finished in 0.03s\nnoise\n\
             test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
            6,
            3,
            2,
        );
        check("14 passed, 1 failed\n", 14, 1, 0);
        check("14 passed, 1 failed, 2 skipped", 14, 1, 2);
        check(
            "3 warnings, 1 failed\nall 5 passed, 0 failed\n12 passed",
            0,
            0,
            0,
        );
    }

    #[test]
    fn a_stage_without_tests_counts_as_one() {
        assert_eq!(Count::of_stage("", true).passed, 1);
        assert_eq!(
            Count::of_stage("error: no", false),
            Count {
                failed: 1,
                ..Count::default()
            }
        );
        assert_eq!(Count::of_stage("4 passed, 0 failed", false).failed, 1);
    }
}
