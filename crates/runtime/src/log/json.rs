//! A line as one JSON object (`log_format=json`), for machines.
//!
//! Always there: `time` (RFC 3339, local time, milliseconds), `level`, `message`. Where known:
//! `session` (a text, as REST has it), `service`, `module`, `object`, `event`, `place`. What a line
//! says in numbers and names besides stands in `fields`, with its type.

use serde_json::{Map, Value as Json, json};

use super::severity::Severity;
use super::{Line, Value, event_word};

/// The object of a line that was said at `time`.
pub(crate) fn object(line: &Line, severity: Severity, time: String, place: bool) -> Json {
    let mut object = Map::new();
    object.insert("time".to_owned(), time.into());
    object.insert("level".to_owned(), severity.word().into());
    let texts = [
        (
            "session",
            line.session.map(|session| session.to_string().into()),
        ),
        ("service", text(line.service.as_deref())),
        ("module", text(line.module.as_deref())),
        ("object", text(line.object.as_deref())),
        ("event", text(line.event.map(event_word))),
        ("message", text(Some(line.text.trim_end()))),
        ("place", text(line.place.filter(|_| place))),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    }
    if !line.fields.is_empty() {
        let fields = line.fields.iter();
        let fields: Map<String, Json> = fields
            .map(|(name, value)| ((*name).to_owned(), typed(value)))
            .collect();
        object.insert("fields".to_owned(), fields.into());
    }
    object.into()
}

fn text(text: Option<&str>) -> Option<Json> {
    text.map(Json::from)
}

fn typed(value: &Value) -> Json {
    match value {
        Value::Signed(number) => json!(number),
        Value::Unsigned(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Bool(on) => json!(on),
        Value::Text(text) => json!(text),
    }
}
