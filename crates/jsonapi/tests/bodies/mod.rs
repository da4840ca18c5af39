//! What must hold for any query string and any body: the bodies of the fuzz targets, which stable
//! tests run too.

use serde_json::{Value, json};
use tidegate_jsonapi::{Body, Fields, Filter, Page, Query, etag, lenient_bool, to_text};

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Target] = &[("jsonapi_query", query), ("jsonapi_body", body)];

/// A row as sessions have it.
fn row() -> Value {
    json!({
        "id": "7", "type": "sessions",
        "attributes": { "idle": 1.5, "user": "app", "connections": [{ "server": "a" }, 3, null] },
        "relationships": { "services": { "data": [{ "id": "RW", "type": "services" }] } },
        "links": { "self": "http://h/sessions/7/" }
    })
}

/// Filter, fields, page and switches of a query string: what they take away stays away, and nothing
/// comes of them that was not there.
pub(crate) fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let query = Query::parse(&text);
    match Filter::of(&query) {
        Ok(filter) => {
            let passes = filter.passes(&row());
            assert!(passes || !filter.is_empty(), "no filter keeps every row");
        }
        Err(error) => assert_ne!(error.to_string(), ""),
    }
    let fields = Fields::of(&query, "sessions");
    let mut once = row();
    fields.apply(&mut once);
    let mut twice = once.clone();
    fields.apply(&mut twice);
    assert_eq!(once, twice, "what was left out is left out");
    assert_eq!(once["id"], "7");
    if let Some(page) = Page::of(&query) {
        let range = page.range(10);
        assert!(range.start <= range.end && range.end <= 10);
        let mut links = json!({});
        page.add_links(&mut links, "http://h/sessions/", &query, 10);
        assert!(links["first"].is_string() && links["last"].is_string());
    }
    let _ = (query.switch("pretty"), query.get("compat"));
}

/// Bodies are read or refused with a reason, and what is written can be read.
pub(crate) fn body(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        for pretty in [false, true] {
            let text = to_text(&value, pretty);
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        }
        assert_eq!(etag(&value), etag(&value));
        let _ = lenient_bool(&value);
    }
    match Body::parse(data) {
        Ok(body) => {
            let _ = (body.attributes(), body.parameters(), body.references());
            let _ = body.relationship("filters");
        }
        Err(error) => assert_ne!(error.to_string(), ""),
    }
}
