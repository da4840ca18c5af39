//! One request at a time: from the HTTP library's types to ours and back.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use tidegate_jsonapi::to_text;
use tokio::time::timeout;

use crate::app::App;
use crate::read::wants_indentation;
use crate::reply::{Content, Reply};
use crate::request::{Method, Request};
use crate::session_list::SessionRows;

/// Answers one request.
pub(super) async fn respond(
    app: &App,
    peer: IpAddr,
    incoming: hyper::Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let (parts, body) = incoming.into_parts();
    let uri = &parts.uri;
    let request = Request::new(
        parts.method.as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        parts.headers,
        peer,
    );
    let (name, reply) = match app.admit(&request).await {
        Err(refusal) => (None, refusal),
        Ok(identity) => {
            let reply = match read_body(app, body).await {
                Ok(bytes) => app.answer(&request, identity.as_ref(), &bytes).await,
                Err(refusal) => refusal,
            };
            (identity.map(|identity| identity.name), reply)
        }
    };
    audit(&request, name.as_deref(), reply.status);
    Ok(encode(&request, reply))
}

async fn read_body(app: &App, body: Incoming) -> Result<Bytes, Reply> {
    let limits = app.config.limits;
    let collect = Limited::new(body, limits.body_bytes).collect();
    match timeout(limits.body, collect).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {} bytes", limits.body_bytes),
        )),
        Ok(Err(_)) => Err(Reply::bad("the body did not arrive whole")),
        Err(_) => Err(Reply::error(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "the body took longer than {} seconds",
                limits.body.as_secs()
            ),
        )),
    }
}

/// Leaves a trace of whatever may have changed something. Only parameters that are no secret
/// are named, bodies never.
fn audit(request: &Request, user: Option<&str>, status: StatusCode) {
    let method = match &request.method {
        Ok(method) if method.reads() => return,
        Ok(method) => method.word(),
        Err(_) => "unknown method",
    };
    let details: String = ["state", "force", "ttl"]
        .into_iter()
        .filter_map(|name| {
            let value = request.query.get(name)?;
            let plain: String = value
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(32)
                .collect();
            Some(format!(" {name}={plain}"))
        })
        .collect();
    tracing::info!(
        target: "tidegate::audit",
        user = user.unwrap_or("-"),
        peer = %request.peer,
        status = status.as_u16(),
        "REST: {method} {}{details}",
        request.path()
    );
}

fn encode(request: &Request, reply: Reply) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(None));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(reply.headers);
    let media_type = match reply.content {
        Content::Empty => None,
        Content::Text(_) => Some("text/plain; charset=utf-8"),
        Content::Document(_) | Content::Sessions(_) => Some(request.media_type()),
    };
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    let wanted = request.method != Ok(Method::Head);
    let body = match reply.content {
        Content::Sessions(rows) if wanted => ReplyBody::Sessions(rows),
        Content::Empty | Content::Sessions(_) => ReplyBody::Whole(None),
        Content::Text(text) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
            ReplyBody::Whole(wanted.then(|| text.into()))
        }
        Content::Document(document) => {
            let text = to_text(&document, wants_indentation(request));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
            ReplyBody::Whole(wanted.then(|| text.into()))
        }
    };
    *response.body_mut() = body;
    response
}

/// The body of a response.
pub(super) enum ReplyBody {
    /// All of it, until it is taken.
    Whole(Option<Bytes>),
    /// Rendered piece by piece, as fast as the client takes it.
    Sessions(Box<SessionRows>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Sessions(rows) => rows.next().map(Bytes::from),
        };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Sessions(_) => SizeHint::default(),
        }
    }
}
