//! How long answers took: quantiles as integers of microseconds.

use serde_json::{Value, json};

use crate::time::micros;
use crate::views::{SpreadView, TimesView};

/// Reads, writes and what nobody looked at.
#[must_use]
pub fn spread(view: &SpreadView) -> Value {
    json!({
        "read": times(&view.read),
        "write": times(&view.write),
        "other": times(&view.other),
    })
}

/// One kind of answers.
#[must_use]
pub fn times(view: &TimesView) -> Value {
    json!({
        "count": view.count,
        "total_us": micros(view.total),
        "mean_us": micros(view.total).checked_div(view.count).unwrap_or(0),
        "p50_us": micros(view.p50),
        "p95_us": micros(view.p95),
        "p99_us": micros(view.p99),
        "max_us": micros(view.max),
    })
}
