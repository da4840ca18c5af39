//! Conditional requests: `If-Match` and its three siblings, and when things last changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header;

use crate::request::Request;

/// Paths remembered at most. Beyond that the oldest is forgotten, and what is forgotten counts
/// as changed when the forgotten one was.
const MAX_PATHS: usize = 4096;

/// When changing requests last succeeded, by path.
pub(crate) struct Changes {
    inner: Mutex<ChangesInner>,
}

struct ChangesInner {
    floor: SystemTime,
    paths: BTreeMap<String, SystemTime>,
}

impl Changes {
    /// Nothing has changed since then.
    pub(crate) fn since(start: SystemTime) -> Self {
        Self {
            inner: Mutex::new(ChangesInner {
                floor: start,
                paths: BTreeMap::new(),
            }),
        }
    }

    /// Something changed at this path, and so in everything above it.
    pub(crate) fn touch(&self, segments: &[String], now: SystemTime) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for len in 1..=segments.len() {
            let path = segments
                .iter()
                .take(len)
                .cloned()
                .collect::<Vec<_>>()
                .join("/");
            inner.paths.insert(path, now);
        }
        while inner.paths.len() > MAX_PATHS {
            let oldest = inner.paths.iter().min_by_key(|(_, time)| **time);
            let Some((path, time)) = oldest.map(|(path, time)| (path.clone(), *time)) else {
                break;
            };
            inner.paths.remove(&path);
            inner.floor = inner.floor.max(time);
        }
    }

    /// When this path last changed.
    pub(crate) fn last(&self, segments: &[String]) -> SystemTime {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .paths
            .get(&segments.join("/"))
            .copied()
            .unwrap_or(inner.floor)
    }
}

/// What the conditions of a request come to. `etag` is that of the resource now, `None` if it
/// has none.
///
/// Returns 412 where the request must not be done, 304 where a reader already has what it
/// would get.
pub(crate) fn evaluate(
    request: &Request,
    etag: Option<&str>,
    modified: SystemTime,
) -> Option<StatusCode> {
    let modified = whole_seconds(modified);
    let matched = request
        .header(&header::IF_MATCH)
        .map(|list| names(list, etag));
    let unmodified = date(request, &header::IF_UNMODIFIED_SINCE).map(|date| modified <= date);
    if matched == Some(false) || unmodified == Some(false) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    let same = request
        .header(&header::IF_NONE_MATCH)
        .map(|list| names(list, etag));
    let old = date(request, &header::IF_MODIFIED_SINCE).map(|date| modified <= date);
    let reads = request.method.as_ref().is_ok_and(|method| method.reads());
    match (same, old) {
        (Some(true), _) if !reads => Some(StatusCode::PRECONDITION_FAILED),
        (Some(true), Some(true) | None) | (None, Some(true)) if reads => {
            Some(StatusCode::NOT_MODIFIED)
        }
        _ => None,
    }
}

/// Whether a list of entity tags, or `*`, names this one.
fn names(list: &str, etag: Option<&str>) -> bool {
    etag.is_some_and(|etag| {
        list.split(',')
            .map(str::trim)
            .any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == etag)
    })
}

fn date(request: &Request, name: &hyper::header::HeaderName) -> Option<SystemTime> {
    request
        .header(name)
        .and_then(|text| httpdate::parse_http_date(text).ok())
}

/// HTTP dates know no fractions.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    const EARLIER: &str = "Wed, 17 May 2017 10:06:34 GMT";
    const THEN: &str = "Wed, 17 May 2017 10:06:35 GMT";

    fn check(method: &str, headers: &[(&'static str, &str)], expect: Option<u16>) {
        let map = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    value.parse().expect("a value"),
                )
            })
            .collect();
        let request = Request::new(method, "/servers", "", map, [127, 0, 0, 1].into());
        let modified = UNIX_EPOCH + Duration::from_millis(1_495_015_595_900);
        let found = evaluate(&request, Some("\"a\""), modified).map(|status| status.as_u16());
        assert_eq!(found, expect, "{method} {headers:?}");
    }

    #[test]
    fn the_four_conditions() {
        check("GET", &[], None);
        check("GET", &[("if-none-match", "\"a\"")], Some(304));
        check("GET", &[("if-none-match", "\"b\", W/\"a\"")], Some(304));
        check("HEAD", &[("if-none-match", "*")], Some(304));
        check("GET", &[("if-none-match", "\"b\"")], None);
        check("GET", &[("if-none-match", "a")], None);
        check("GET", &[("if-modified-since", THEN)], Some(304));
        check("GET", &[("if-modified-since", EARLIER)], None);
        check("GET", &[("if-modified-since", "yesterday")], None);
        check(
            "GET",
            &[("if-none-match", "\"a\""), ("if-modified-since", EARLIER)],
            None,
        );
        check(
            "GET",
            &[("if-none-match", "\"b\""), ("if-modified-since", THEN)],
            None,
        );
        check(
            "GET",
            &[("if-none-match", "\"a\""), ("if-modified-since", THEN)],
            Some(304),
        );
        check("PATCH", &[("if-none-match", "\"a\"")], Some(412));
        check("PATCH", &[("if-modified-since", THEN)], None);
        check("PATCH", &[("if-match", "\"a\"")], None);
        check("PATCH", &[("if-match", "*")], None);
        check("PATCH", &[("if-match", "\"b\"")], Some(412));
        check("GET", &[("if-match", "\"b\"")], Some(412));
        check("PATCH", &[("if-unmodified-since", THEN)], None);
        check("PATCH", &[("if-unmodified-since", EARLIER)], Some(412));
    }

    #[test]
    fn a_change_touches_what_is_above_it() {
        let start = UNIX_EPOCH;
        let later = start + Duration::from_secs(9);
        let changes = Changes::since(start);
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        changes.touch(&path("servers/x/set"), later);
        for touched in ["servers", "servers/x", "servers/x/set"] {
            assert_eq!(changes.last(&path(touched)), later, "{touched}");
        }
        for untouched in ["services", "servers/y"] {
            assert_eq!(changes.last(&path(untouched)), start, "{untouched}");
        }
    }

    #[test]
    fn what_was_forgotten_never_looks_older_than_it_is() {
        let changes = Changes::since(UNIX_EPOCH);
        for id in 1..=2 * MAX_PATHS as u64 {
            let path = ["sessions".to_owned(), id.to_string()];
            changes.touch(&path, UNIX_EPOCH + Duration::from_secs(id));
        }
        assert!(changes.inner.lock().expect("unpoisoned").paths.len() <= MAX_PATHS);
        let first = ["sessions".to_owned(), "1".to_owned()];
        assert!(changes.last(&first) >= UNIX_EPOCH + Duration::from_secs(1));
    }
}
