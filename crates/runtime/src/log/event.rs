//! `tracing` events of the control plane on their way to the log.
//!
//! What it leaves out: spans. Only events whose target begins with `tidegate` are taken, so other
//! crates' traces stay out.

use std::fmt::Write as _;
use std::sync::Arc;

use tidegate_session::{Level, SessionId};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::{Line, Log, Value, throttle, wall_now};

/// A subscriber that writes events to the log.
///
/// `ERROR` and `WARN` are error and warning; `INFO` is notice, `DEBUG` is info, `TRACE` is debug.
/// The fields `session` (a number), `module` and `object` become the line's prefixes; any other
/// field follows the message as `name=value`, or stands in `fields` of a JSON line.
#[derive(Debug, Clone)]
pub struct Events {
    log: Log,
}

impl Events {
    /// A subscriber for `log`.
    #[must_use]
    pub fn new(log: Log) -> Events {
        Events { log }
    }
}

impl Subscriber for Events {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Levels change while the process runs.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("tidegate")
            && self.log.enabled(level(metadata))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let source = throttle::source(&(metadata.file(), metadata.line(), &fields.object));
        self.log.write(Line {
            level: level(metadata),
            wall: wall_now(),
            session: fields.session.map(SessionId),
            service: None,
            module: fields.module.map(String::into_boxed_str),
            object: fields.object.map(Arc::from),
            text: fields.message,
            fields: fields.rest,
            event: None,
            asked: false,
            source,
            place: metadata.module_path(),
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Notice,
        tracing::Level::DEBUG => Level::Info,
        tracing::Level::TRACE => Level::Debug,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
    session: Option<u64>,
    module: Option<String>,
    object: Option<String>,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.rest.push((field.name(), Value::Float(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.push((field.name(), Value::Signed(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "session" {
            self.session = Some(value);
        } else {
            self.rest.push((field.name(), Value::Unsigned(value)));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.push((field.name(), Value::Bool(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "module" => self.module = Some(value.to_owned()),
            "object" => self.object = Some(value.to_owned()),
            name => self.rest.push((name, Value::Text(value.to_owned()))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail; `%value` arrives here too, as its display form.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "module" => write!(self.module.get_or_insert_default(), "{value:?}"),
            "object" => write!(self.object.get_or_insert_default(), "{value:?}"),
            name => {
                self.rest.push((name, Value::Text(format!("{value:?}"))));
                Ok(())
            }
        };
    }
}
