//! Two ways to point into a row: JSON pointers (RFC 6901) and a small JSON path.

use serde_json::Value;

/// The steps of a JSON pointer, with or without the leading slash.
pub(crate) fn pointer_steps(text: &str) -> Vec<String> {
    text.strip_prefix('/')
        .unwrap_or(text)
        .split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Where a filter looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Exactly one place.
    Pointer(Vec<String>),
    /// Any number of places.
    Path(Vec<Step>),
}

/// One step of a JSON path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Member(String),
    /// Elements of an array, each at most once.
    Elements(Vec<usize>),
    /// All members, or all elements.
    All,
}

impl Selector {
    /// The values found, at most as many as the row has.
    pub(crate) fn find<'a>(&self, row: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Pointer(steps) => follow(row, steps).into_iter().collect(),
            Self::Path(steps) => steps.iter().fold(vec![row], |found, step| {
                found
                    .into_iter()
                    .flat_map(|value| take(value, step))
                    .collect()
            }),
        }
    }
}

fn follow<'a>(row: &'a Value, steps: &[String]) -> Option<&'a Value> {
    steps.iter().try_fold(row, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(elements) => elements.get(array_index(step)?),
        _ => None,
    })
}

/// RFC 6901: decimal digits without a leading zero.
fn array_index(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with('0');
    let digits = step.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits {
        step.parse().ok()
    } else {
        None
    }
}

fn take<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
        (Step::Elements(indices), Value::Array(elements)) => indices
            .iter()
            .filter_map(|index| elements.get(*index))
            .collect(),
        (Step::All, Value::Object(members)) => members.values().collect(),
        (Step::All, Value::Array(elements)) => elements.iter().collect(),
        _ => Vec::new(),
    }
}

/// Reads a JSON path; what is wrong with it in a few words otherwise.
pub(crate) fn parse_path(text: &str) -> Result<Vec<Step>, &'static str> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inside) => bracket_step(inside)?,
            None => dot_step(rest.strip_prefix('.').unwrap_or(rest))?,
        };
        steps.push(step);
        rest = after;
    }
    if steps.is_empty() {
        return Err("the path is empty");
    }
    Ok(steps)
}

fn dot_step(text: &str) -> Result<(Step, &str), &'static str> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    match text.split_at_checked(end) {
        None | Some(("", _)) => Err("a name is missing"),
        Some(("*", rest)) => Ok((Step::All, rest)),
        Some((name, rest)) => Ok((Step::Member(name.to_owned()), rest)),
    }
}

fn bracket_step(text: &str) -> Result<(Step, &str), &'static str> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (name, rest) = quoted.split_once(quote).ok_or("a quote is not closed")?;
            let rest = rest.strip_prefix(']').ok_or("a ']' is missing")?;
            return Ok((Step::Member(name.to_owned()), rest));
        }
    }
    let (inside, rest) = text.split_once(']').ok_or("a ']' is missing")?;
    if inside.trim() == "*" {
        return Ok((Step::All, rest));
    }
    let mut indices = inside
        .split(',')
        .map(|index| index.trim().parse::<usize>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "between brackets stand indices, '*' or a quoted name")?;
    indices.sort_unstable();
    indices.dedup();
    Ok((Step::Elements(indices), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(path: &str, row: &Value) -> Vec<Value> {
        let steps = parse_path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Selector::Path(steps)
            .find(row)
            .into_iter()
            .cloned()
            .collect()
    }

    #[test]
    fn paths() {
        let row = json!({ "a": { "b": [ 1, 2, 3 ], "c.d": 4 }, "e": [ { "f": 5 }, { "f": 6 } ] });
        let cases = [
            ("$.a.b[0]", vec![json!(1)]),
            ("a.b[0,2]", vec![json!(1), json!(3)]),
            ("a.b[2,2,2]", vec![json!(3)]),
            ("$['a']['c.d']", vec![json!(4)]),
            ("$a[\"c.d\"]", vec![json!(4)]),
            ("e[*].f", vec![json!(5), json!(6)]),
            ("a.*[1]", vec![json!(2)]),
            ("a.x.y", vec![]),
            ("a.b[9]", vec![]),
        ];
        for (path, expect) in cases {
            assert_eq!(find(path, &row), expect, "{path}");
        }
    }

    #[test]
    fn paths_that_are_none() {
        for path in [
            "", "$", "$.", "a..b", "a[", "a['b", "a['b'", "a[x]", "a[-1]", "a[]",
        ] {
            assert!(parse_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn pointers() {
        let row = json!({ "a/b": { "~": [ 7, 8 ] }, "id": "1" });
        let find = |pointer: &str| {
            let steps = pointer_steps(pointer);
            Selector::Pointer(steps)
                .find(&row)
                .first()
                .copied()
                .cloned()
        };
        assert_eq!(find("/a~1b/~0/1"), Some(json!(8)));
        assert_eq!(find("id"), Some(json!("1")));
        assert_eq!(find("/id"), Some(json!("1")));
        assert_eq!(find("/a~1b/~0/01"), None);
        assert_eq!(find("/a~1b/~0/x"), None);
        assert_eq!(find("/id/0"), None);
    }
}
