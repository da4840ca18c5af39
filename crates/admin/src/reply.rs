//! A reply as plain data.

use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use serde_json::Value;
use tidegate_jsonapi::{BodyError, FilterError, error_document};

use crate::house::{Refusal, Unanswered};
use crate::request::Method;
use crate::session_list::SessionRows;

/// What goes back to the client.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) content: Content,
}

/// The body of a reply.
pub(crate) enum Content {
    Empty,
    Document(Value),
    /// Plain text for people.
    Text(String),
    /// Rendered while it is sent.
    Sessions(Box<SessionRows>),
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Empty,
        }
    }

    pub(crate) fn document(document: Value) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content: Content::Document(document),
        }
    }

    pub(crate) fn text(text: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content: Content::Text(text),
        }
    }

    /// An error document, one entry a detail.
    pub(crate) fn errors<I>(status: StatusCode, details: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Document(error_document(details)),
        }
    }

    pub(crate) fn error(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::errors(status, [detail.into()])
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, detail)
    }

    /// 404 for a path whose shape is right but whose object is missing.
    pub(crate) fn missing(name: &str, word: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, format!("{name} is not a {word}"))
    }

    /// What comes of a refused action on an object.
    pub(crate) fn refused(refusal: Refusal, name: &str, word: &str) -> Self {
        match refusal {
            Refusal::Unknown => Self::missing(name, word),
            Refusal::Refused(reasons) => Self::errors(StatusCode::BAD_REQUEST, reasons),
            Refusal::Unanswered(unanswered) => unanswered.into(),
        }
    }

    /// 405, or the answer to OPTIONS: which methods the path knows.
    pub(crate) fn methods(status: StatusCode, methods: &[Method]) -> Self {
        let list = methods
            .iter()
            .map(|method| method.word())
            .collect::<Vec<_>>()
            .join(", ");
        let mut reply = if status.is_success() {
            Self::empty(status)
        } else {
            Self::error(status, format!("this path knows only {list}"))
        };
        for name in [header::ALLOW, header::ACCEPT] {
            reply = reply.with(name, &list);
        }
        if methods.contains(&Method::Patch) {
            reply = reply.with(HeaderName::from_static("accept-patch"), "application/json");
        }
        reply
    }

    /// With one header more; a value that HTTP cannot carry is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

impl From<Unanswered> for Reply {
    fn from(unanswered: Unanswered) -> Self {
        Self::error(StatusCode::SERVICE_UNAVAILABLE, unanswered.to_string())
    }
}

impl From<BodyError> for Reply {
    fn from(error: BodyError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<FilterError> for Reply {
    fn from(error: FilterError) -> Self {
        Self::bad(error.to_string())
    }
}
