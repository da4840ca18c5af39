//! Reading documents of the REST interface.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_testkit::Rest;

/// The objects of a collection.
pub(super) fn list(rest: &Rest, path: &str) -> Result<Vec<Value>> {
    let response = rest.get(path)?;
    ensure!(
        response.status == 200,
        "GET {path} gave {}: {}",
        response.status,
        response.text()
    );
    let document: Value = serde_json::from_slice(&response.body)?;
    let data = document["data"].as_array();
    Ok(data
        .with_context(|| format!("{path} is no collection"))?
        .clone())
}

/// A value without quotes; empty for null.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
