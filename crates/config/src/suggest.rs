//! "Did you mean": the nearest known name.

/// The candidate nearest to `word`: equal after folding case and `-_`, else at most two edits
/// away. Of equally near ones the first.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = fold(word);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&word, &fold(candidate))?, candidate)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> Vec<char> {
    let lower = word.chars().flat_map(char::to_lowercase);
    lower.map(|c| if c == '-' { '_' } else { c }).collect()
}

/// Edits (insert, delete, replace, swap two neighbours) from `a` to `b`, up to the number
/// that still makes a suggestion: two, in short words one, in single letters none.
fn distance(a: &[char], b: &[char]) -> Option<usize> {
    let limit = match a.len() {
        0 | 1 => 0,
        2..=4 => 1,
        _ => 2,
    };
    if a == b {
        return Some(0);
    }
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, &to) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, j).saturating_add(usize::from(from != to));
            let edited = at(&last, j + 1).min(at(&row, j)).saturating_add(1);
            let mut least = replaced.min(edited);
            let swapped =
                i > 0 && j > 0 && a.get(i - 1) == Some(&to) && b.get(j - 1) == Some(&from);
            if swapped {
                least = least.min(at(&before_last, j - 1).saturating_add(1));
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let names = ["max_connections", "user", "wait_timeout", "ssl"];
        let check = |word, found| assert_eq!(nearest(word, names), found, "{word}");
        check("max_conections", Some("max_connections"));
        check("Max-Connections", Some("max_connections"));
        check("uesr", Some("user"));
        check("wait_timeuot", Some("wait_timeout"));
        check("waittimeout", Some("wait_timeout"));
        check("timeout", None);
        check("x", None);
        check("", None);
        check("ssl_", Some("ssl"));
        check("sll", Some("ssl"));
        check("sx", None);
    }
}
