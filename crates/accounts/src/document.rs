//! JSON files that say who is who: an object of lists, whose items are objects of texts and flags.
//!
//! They hold passwords and hashes, so whatever was read is wiped when it is dropped. Unknown lists and
//! fields are errors, which name them and quote no value.

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

/// What such a file holds.
pub struct Document(Value);

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Document(..)")
    }
}

impl Document {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document = serde_json::from_str(text).map(Self);
        document.map_err(|error| error.to_string())
    }

    /// Calls `take` for each item of each list, with the list's name.
    ///
    /// # Errors
    /// A text that says what is wrong with the document, or what `take` says.
    pub fn each(
        &self,
        mut take: impl FnMut(&str, Fields<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let lists = self.0.as_object().ok_or("it is no JSON object")?;
        for (list, items) in lists {
            let items = items
                .as_array()
                .ok_or_else(|| format!("'{list}' is no list"))?;
            for item in items {
                let fields = item
                    .as_object()
                    .ok_or_else(|| format!("'{list}' holds something that is no object"))?;
                take(list, Fields { list, fields })?;
            }
        }
        Ok(())
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An item of a list.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    list: &'a str,
    fields: &'a Map<String, Value>,
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({})", self.list)
    }
}

impl Fields<'_> {
    /// Are there no others than these?
    ///
    /// # Errors
    /// A text that names one.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self
            .fields
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            Some(unknown) => Err(format!("'{}' has no field '{unknown}'", self.list)),
            None => Ok(()),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// A text that says that it is not.
    pub fn needed(&self, name: &str) -> Result<String, String> {
        self.text(name)?
            .ok_or_else(|| format!("'{}' holds an object without the text '{name}'", self.list))
    }

    /// A text that may be there.
    ///
    /// # Errors
    /// A text that says that it is none.
    pub fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("'{name}' in '{}' is no text", self.list)),
        }
    }

    /// A flag; `false` where it is left out.
    ///
    /// # Errors
    /// A text that says that it is none.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.fields.get(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => Err(format!(
                "'{name}' in '{}' is neither true nor false",
                self.list
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        Document::parse(text)?.each(|_, fields| {
            fields.only(&["name", "on"])?;
            fields.flag("on")?;
            fields.needed("name").map(drop)
        })
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(check(r#"{"list": [{"name": "a", "on": true}]}"#), Ok(()));
        for (text, expect) in [
            ("[]", "it is no JSON object"),
            (r#"{"list": {}}"#, "'list' is no list"),
            (
                r#"{"list": [1]}"#,
                "'list' holds something that is no object",
            ),
            (
                r#"{"list": [{}]}"#,
                "'list' holds an object without the text 'name'",
            ),
            (r#"{"list": [{"name": 1}]}"#, "'name' in 'list' is no text"),
            (
                r#"{"list": [{"name": "a", "no": 1}]}"#,
                "'list' has no field 'no'",
            ),
            (
                r#"{"list": [{"name": "a", "on": 1}]}"#,
                "'on' in 'list' is neither true nor false",
            ),
        ] {
            assert_eq!(check(text), Err(expect.to_owned()), "{text}");
        }
    }

    #[test]
    fn texts_are_wiped() {
        let mut document = Document::parse(r#"{"a": [{"b": "hunter2"}]}"#).expect("JSON");
        wipe(&mut document.0);
        assert!(!document.0.to_string().contains("hunter2"));
    }
}
