//! Licence expressions: `MIT OR Apache-2.0`, `(A OR B) AND C`, `A WITH exception`, and the old
//! `MIT/Apache-2.0`.

/// Whether one may use what stands under `expression` with the allowed licences alone. What
/// cannot be read is not allowed.
pub(super) fn allowed(expression: &str, licenses: &[String]) -> bool {
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let verdict = either(&mut words, licenses);
    words.next().is_none() && verdict == Some(true)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `a OR b OR ...`; none if it cannot be read.
fn either(words: &mut Words<'_>, licenses: &[String]) -> Option<bool> {
    let mut verdict = both(words, licenses)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= both(words, licenses)?;
    }
    Some(verdict)
}

/// `a AND b AND ...`, which binds closer than OR.
fn both(words: &mut Words<'_>, licenses: &[String]) -> Option<bool> {
    let mut verdict = one(words, licenses)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, licenses)?;
    }
    Some(verdict)
}

fn one(words: &mut Words<'_>, licenses: &[String]) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let verdict = either(words, licenses)?;
        return words.next_if_eq(&")").map(|_| verdict);
    }
    let mut name = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next()?);
    }
    Some(licenses.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        let licenses = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, expect) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("MIT AND (GPL-3.0 OR ISC)", true),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("", false),
            ("(MIT", false),
            ("MIT MIT", false),
        ] {
            assert_eq!(allowed(expression, &licenses), expect, "{expression:?}");
        }
    }
}
