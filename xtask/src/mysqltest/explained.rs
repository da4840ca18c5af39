//! The list of tests that differ through the proxy, each with its reason.

use std::fmt;

use anyhow::{Context as _, Result, ensure};

use super::Router;
use super::outcome::plain_name;

/// The list in the repository.
const LIST: &str = include_str!("../../../bench/mysql-test/explained.txt");

/// A line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explained<'a> {
    test: &'a str,
    /// `None`: both.
    router: Option<Router>,
    reason: &'a str,
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let router = self.router.map_or("both", Router::name);
        write!(f, "{:40} {router:15} {}", self.test, self.reason)
    }
}

/// The list.
///
/// # Errors
/// A line is not `test router reason`, or lacks one of them.
pub(super) fn list() -> Result<Vec<Explained<'static>>> {
    parse(LIST)
}

/// Why `name` may differ through `router`, if there is a reason.
pub(super) fn reason<'a>(list: &[Explained<'a>], name: &str, router: Router) -> Option<&'a str> {
    let test = plain_name(name);
    let line = list
        .iter()
        .find(|line| line.test == test && line.router.is_none_or(|only| only == router))?;
    Some(line.reason)
}

fn parse(text: &str) -> Result<Vec<Explained<'_>>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| parse_line(line).with_context(|| format!("in the explained tests: {line:?}")))
        .collect()
}

fn parse_line(line: &str) -> Result<Explained<'_>> {
    let split = |text: &'_ str| {
        let (word, rest) = text.split_once(char::is_whitespace)?;
        Some((word.len(), text.len() - rest.trim_start().len()))
    };
    let (end, next) = split(line).context("no router")?;
    let (test, rest) = (&line[..end], &line[next..]);
    let (end, next) = split(rest).context("no reason")?;
    let (router, reason) = (&rest[..end], &rest[next..]);
    let router = match router {
        "both" => None,
        name => Some(Router::named(name)?),
    };
    ensure!(test.contains('.'), "a test's name begins with its suite");
    Ok(Explained {
        test,
        router,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_explains_a_test_through_one_router_or_both() {
        let text = "# comment\n\nmain.a  both  connection ids\nmain.b  readconnroute  another\n";
        let list = parse(text).expect("a list");
        let look = |name, router| reason(&list, name, router);
        assert_eq!(
            look("main.a 'x'", Router::ReadConnRoute),
            Some("connection ids")
        );
        assert_eq!(
            look("main.a", Router::ReadWriteSplit),
            Some("connection ids")
        );
        assert_eq!(look("main.b", Router::ReadConnRoute), Some("another"));
        assert_eq!(look("main.b", Router::ReadWriteSplit), None);
        assert_eq!(look("main.c", Router::ReadConnRoute), None);
    }

    #[test]
    fn a_line_without_a_reason_or_with_an_unknown_router_is_an_error() {
        for text in [
            "main.a",
            "main.a both",
            "main.a binlogrouter why",
            "a both why",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_list_in_the_repository_is_in_order() {
        let list = list().expect("the list");
        assert!(list.is_sorted_by_key(|line| line.test));
    }
}
