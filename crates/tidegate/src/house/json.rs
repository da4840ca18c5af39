//! Parameters as JSON.

use serde_json::{Map, Value};
use tidegate_admin::views::{Parameters, Source, SourceKind};
use tidegate_config::View;

pub(super) fn value(view: &View) -> Value {
    match view {
        View::Null => Value::Null,
        View::Bool(on) => Value::from(*on),
        View::Int(number) => Value::from(*number),
        View::Count(number) => Value::from(*number),
        View::Text(text) => Value::from(text.as_str()),
        View::List(items) => Value::Array(items.iter().map(value).collect()),
        View::Object(members) => Value::Object(object(members)),
    }
}

fn object(members: &[(String, View)]) -> Map<String, Value> {
    members
        .iter()
        .map(|(name, view)| (name.clone(), value(view)))
        .collect()
}

pub(super) fn parameters(view: &View) -> Parameters {
    match view {
        View::Object(members) => object(members),
        _ => Parameters::new(),
    }
}

pub(super) fn source(source: &tidegate_config::Source) -> Source {
    Source {
        file: Some(source.file.clone()),
        kind: match source.kind {
            tidegate_config::SourceKind::Static => SourceKind::Static,
            tidegate_config::SourceKind::Runtime => SourceKind::Runtime,
        },
    }
}
