//! Medians, and rounds of runs that follow each other.

use std::collections::BTreeMap;

use anyhow::Result;

/// The middle of the values, or the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len(), sorted.len() % 2) {
        (0, _) => f64::NAN,
        (_, 1) => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The quotients of two series, round by round.
pub(super) fn ratios(values: &[f64], to: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(to)
        .map(|(value, to)| value / to)
        .collect()
}

/// Runs every contender once a round, beginning with another one each time, so that whatever
/// changes on the machine meanwhile hits all of them alike. Returns each contender's results in
/// the order of the rounds.
pub(super) fn interleave<T>(
    rounds: usize,
    contenders: &[&'static str],
    mut run: impl FnMut(usize, &'static str) -> Result<T>,
) -> Result<BTreeMap<&'static str, Vec<T>>> {
    let mut results: BTreeMap<&'static str, Vec<T>> = BTreeMap::new();
    for round in 0..rounds {
        for place in 0..contenders.len() {
            let name = contenders[(place + round) % contenders.len()];
            results.entry(name).or_default().push(run(round, name)?);
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn each_contender_runs_once_a_round_and_not_always_first() {
        let mut order = Vec::new();
        let results = interleave(3, &["a", "b", "c"], |round, name| {
            order.push(name);
            Ok(round)
        });
        assert_eq!(order.concat(), "abcbcacab");
        assert_eq!(results.expect("results")["b"], [0, 1, 2]);
    }
}
