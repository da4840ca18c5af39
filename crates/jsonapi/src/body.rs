//! Bodies of changing requests, read as tolerantly as clients are careless.
//!
//! A body may be a whole answer, edited and sent back: members that nobody asks for are
//! ignored, never an error.

use serde_json::{Map, Value};

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The endpoint needs one.
    #[error("this request needs a JSON body")]
    Absent,
    /// It is not JSON; the parser's words, which name line and column and quote nothing.
    #[error("the body is not valid JSON: {0}")]
    NotJson(String),
    /// It is JSON, but has not the shape of a document.
    #[error("the body must be an object with the member \"data\"")]
    NoData,
    /// A member has the wrong JSON type.
    #[error("'{pointer}' must be {expected}")]
    WrongType {
        /// Where it stands.
        pointer: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// A body whose member `data` is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    data: Value,
}

/// The members that a relationship in a body asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// The body does not speak of it: it stays as it is.
    Unchanged,
    /// Exactly these ids, in this order; none removes all.
    Exactly(Vec<String>),
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// It is absent, not JSON, or not an object with a member `data`.
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(BodyError::Absent);
        }
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| BodyError::NotJson(error.to_string()))?;
        match value {
            Value::Object(mut members) => members
                .remove("data")
                .map(|data| Self { data })
                .ok_or(BodyError::NoData),
            _ => Err(BodyError::NoData),
        }
    }

    /// `data.attributes`; `None` if it is absent or null.
    ///
    /// # Errors
    ///
    /// `data` or `attributes` is no object.
    pub fn attributes(&self) -> Result<Option<&Map<String, Value>>, BodyError> {
        let data = object(&self.data, "/data")?;
        member(data, "/data", "attributes")
    }

    /// `data.attributes.parameters`; `None` if it is absent or null.
    ///
    /// # Errors
    ///
    /// One of the three is no object.
    pub fn parameters(&self) -> Result<Option<&Map<String, Value>>, BodyError> {
        match self.attributes()? {
            Some(attributes) => member(attributes, "/data/attributes", "parameters"),
            None => Ok(None),
        }
    }

    /// The members of `data.relationships.<name>`, or of `data.attributes.relationships.<name>`,
    /// where the documentation of MaxScale shows them.
    ///
    /// # Errors
    ///
    /// A member on the way has the wrong JSON type.
    pub fn relationship(&self, name: &str) -> Result<Members, BodyError> {
        let data = object(&self.data, "/data")?;
        let places = [
            (Some(data), "/data"),
            (self.attributes()?, "/data/attributes"),
        ];
        for (holder, pointer) in places {
            let Some(holder) = holder else { continue };
            let Some(all) = member(holder, pointer, "relationships")? else {
                continue;
            };
            let Some(relationship) = all.get(name) else {
                continue;
            };
            let here = format!("{pointer}/relationships/{name}");
            return match object(relationship, &here)?.get("data") {
                None => Ok(Members::Unchanged),
                Some(list) => references(list, &format!("{here}/data")).map(Members::Exactly),
            };
        }
        Ok(Members::Unchanged)
    }

    /// The ids in `data` itself, as relationship endpoints take them.
    ///
    /// # Errors
    ///
    /// `data` is neither null nor a list of objects with an id.
    pub fn references(&self) -> Result<Vec<String>, BodyError> {
        references(&self.data, "/data")
    }
}

fn object<'a>(value: &'a Value, pointer: &str) -> Result<&'a Map<String, Value>, BodyError> {
    value.as_object().ok_or_else(|| BodyError::WrongType {
        pointer: pointer.to_owned(),
        expected: "an object",
    })
}

fn member<'a>(
    holder: &'a Map<String, Value>,
    pointer: &str,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, BodyError> {
    match holder.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => object(value, &format!("{pointer}/{name}")).map(Some),
    }
}

fn references(list: &Value, pointer: &str) -> Result<Vec<String>, BodyError> {
    let wrong = |pointer: String, expected| BodyError::WrongType { pointer, expected };
    match list {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(
                |(index, item)| match item.get("id").and_then(Value::as_str) {
                    Some(id) if !id.is_empty() => Ok(id.to_owned()),
                    _ => Err(wrong(
                        format!("{pointer}/{index}/id"),
                        "a string that is not empty",
                    )),
                },
            )
            .collect(),
        _ => Err(wrong(pointer.to_owned(), "a list or null")),
    }
}

/// A boolean as bodies spell it: JSON's own, or one of `true yes on 1`, `false no off 0` as a
/// string or number, in any case.
pub fn lenient_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => lenient_bool_text(text),
        Value::Number(number) => match number.as_u64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn lenient_bool_text(text: &str) -> Option<bool> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "yes", "on", "1"].iter().any(is) {
        Some(true)
    } else if ["false", "no", "off", "0"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(value: &Value) -> Body {
        Body::parse(value.to_string().as_bytes()).expect("a body")
    }

    #[test]
    fn bodies_that_are_none() {
        assert_eq!(Body::parse(b""), Err(BodyError::Absent));
        assert_eq!(Body::parse(b" \r\n"), Err(BodyError::Absent));
        assert!(matches!(Body::parse(b"{"), Err(BodyError::NotJson(_))));
        assert!(matches!(Body::parse(b"\xff"), Err(BodyError::NotJson(_))));
        assert_eq!(Body::parse(b"[]"), Err(BodyError::NoData));
        assert_eq!(Body::parse(b"{\"dat\":1}"), Err(BodyError::NoData));
    }

    #[test]
    fn the_parser_quotes_nothing_of_the_body() {
        let error = Body::parse(b"{\"data\": hunter2}").expect_err("not JSON");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn relationships_are_found_at_either_place() {
        let list = json!({ "filters": { "data": [ { "id": "A" }, { "id": "A", "type": "x" } ] } });
        let wanted = Members::Exactly(vec!["A".into(), "A".into()]);
        let right = body(&json!({ "data": { "relationships": list } }));
        let documented = body(&json!({ "data": { "attributes": { "relationships": list } } }));
        assert_eq!(right.relationship("filters"), Ok(wanted.clone()));
        assert_eq!(documented.relationship("filters"), Ok(wanted));
    }

    #[test]
    fn what_a_relationship_may_look_like() {
        let cases = [
            (json!({}), Ok(Members::Unchanged)),
            (json!({ "relationships": null }), Ok(Members::Unchanged)),
            (json!({ "relationships": {} }), Ok(Members::Unchanged)),
            (
                json!({ "relationships": { "f": {} } }),
                Ok(Members::Unchanged),
            ),
            (
                json!({ "relationships": { "f": { "data": null } } }),
                Ok(Members::Exactly(vec![])),
            ),
            (
                json!({ "relationships": { "f": { "data": [] } } }),
                Ok(Members::Exactly(vec![])),
            ),
            (
                json!({ "relationships": { "f": null } }),
                Err("'/data/relationships/f' must be an object"),
            ),
            (
                json!({ "relationships": { "f": { "data": "A" } } }),
                Err("'/data/relationships/f/data' must be a list or null"),
            ),
            (
                json!({ "relationships": { "f": { "data": [ { "id": 5 } ] } } }),
                Err("'/data/relationships/f/data/0/id' must be a string that is not empty"),
            ),
            (
                json!({ "relationships": [] }),
                Err("'/data/relationships' must be an object"),
            ),
            (json!([]), Err("'/data' must be an object")),
        ];
        for (data, expect) in cases {
            let found = body(&json!({ "data": data })).relationship("f");
            assert_eq!(
                found.map_err(|error| error.to_string()),
                expect.map_err(String::from)
            );
        }
    }

    #[test]
    fn booleans_in_all_their_spellings() {
        for value in [json!(true), json!("YES"), json!("on"), json!("1"), json!(1)] {
            assert_eq!(lenient_bool(&value), Some(true), "{value}");
        }
        for value in [
            json!(false),
            json!("No"),
            json!("OFF"),
            json!("0"),
            json!(0),
        ] {
            assert_eq!(lenient_bool(&value), Some(false), "{value}");
        }
        for value in [
            json!(null),
            json!("2"),
            json!(2),
            json!(0.0),
            json!([]),
            json!(""),
        ] {
            assert_eq!(lenient_bool(&value), None, "{value}");
        }
    }
}
