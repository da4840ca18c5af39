//! A request as plain data.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{self, HeaderName};
use tidegate_jsonapi::Query;

use percent_encoding::percent_decode_str;

/// The methods that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Patch,
    Put,
    Delete,
    Options,
}

impl Method {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether it leaves everything as it is.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `Err` holds the word of a method that means nothing here.
    pub(crate) method: Result<Method, String>,
    /// Decoded path segments, without empty ones and without the version prefix.
    pub(crate) segments: Vec<String>,
    /// Whether the path began with `/v1`.
    pub(crate) versioned: bool,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: IpAddr,
}

impl Request {
    pub(crate) fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: HeaderMap,
        peer: IpAddr,
    ) -> Self {
        let mut segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let versioned = segments.first().is_some_and(|first| first == "v1");
        if versioned {
            segments.remove(0);
        }
        // Not HEAD: whether a body follows is settled by the method on the request line.
        let overriding = headers
            .get("x-http-method-override")
            .and_then(|value| value.to_str().ok())
            .filter(|word| *word != "HEAD");
        let word = overriding.unwrap_or(method);
        Self {
            method: Method::from_word(word).ok_or_else(|| word.to_owned()),
            segments,
            versioned,
            query: Query::parse(query),
            headers,
            peer,
        }
    }

    /// The path as it is written in logs: decoded, without control characters.
    pub(crate) fn path(&self) -> String {
        let path: String = self
            .segments
            .iter()
            .flat_map(|segment| ["/", segment])
            .collect();
        path.chars()
            .filter(|char| !char.is_control())
            .take(200)
            .collect()
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a browser's script sent it.
    pub(crate) fn is_xhr(&self) -> bool {
        self.headers
            .get("x-requested-with")
            .is_some_and(|value| value.as_bytes() == b"XMLHttpRequest")
    }

    /// The `host:port` that the client called us by, if it is one.
    pub(crate) fn authority(&self) -> Option<&str> {
        let host = self.header(&header::HOST)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        (!host.is_empty() && host.bytes().all(plain)).then_some(host)
    }

    /// The media type that answers have: the one that JSON:API made for itself, if the client
    /// wants only that.
    pub(crate) fn media_type(&self) -> &'static str {
        const PLAIN: &str = "application/json";
        const OWN: &str = "application/vnd.api+json";
        let only_own = self.header(&header::ACCEPT).is_some_and(|accept| {
            accept.split(',').all(|range| {
                range
                    .split(';')
                    .next()
                    .is_some_and(|name| name.trim() == OWN)
            })
        });
        if only_own { OWN } else { PLAIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&'static str, &str)]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    value.parse().expect("a value"),
                )
            })
            .collect();
        Request::new("GET", path, "", headers, [127, 0, 0, 1].into())
    }

    #[test]
    fn paths() {
        for (path, segments, versioned) in [
            ("/", vec![], false),
            ("/v1", vec![], true),
            ("//v1//servers//", vec!["servers"], true),
            ("/servers/a%20b%2Fc", vec!["servers", "a b/c"], false),
            ("/servers/v1", vec!["servers", "v1"], false),
            ("*", vec!["*"], false),
        ] {
            let request = request(path, &[]);
            assert_eq!(request.segments, segments, "{path}");
            assert_eq!(request.versioned, versioned, "{path}");
        }
    }

    #[test]
    fn the_method_can_be_overridden() {
        assert_eq!(request("/", &[]).method, Ok(Method::Get));
        let overridden = |word| request("/", &[("x-http-method-override", word)]).method;
        assert_eq!(overridden("PATCH"), Ok(Method::Patch));
        assert_eq!(overridden("patch"), Err("patch".into()));
        assert_eq!(overridden("HEAD"), Ok(Method::Get));
    }

    #[test]
    fn only_a_sane_authority_is_repeated() {
        assert_eq!(request("/", &[("host", "h:1")]).authority(), Some("h:1"));
        assert_eq!(
            request("/", &[("host", "[::1]:8989")]).authority(),
            Some("[::1]:8989")
        );
        assert_eq!(request("/", &[("host", "h\"/x")]).authority(), None);
        assert_eq!(request("/", &[("host", "")]).authority(), None);
        assert_eq!(request("/", &[]).authority(), None);
    }

    #[test]
    fn the_own_media_type_only_if_nothing_else_is_wanted() {
        let media = |accept| request("/", &[("accept", accept)]).media_type();
        assert_eq!(
            media("application/vnd.api+json"),
            "application/vnd.api+json"
        );
        assert_eq!(media("application/vnd.api+json, */*"), "application/json");
        assert_eq!(media("text/html"), "application/json");
        assert_eq!(request("/", &[]).media_type(), "application/json");
    }

    #[test]
    fn a_logged_path_is_one_line() {
        assert_eq!(request("/servers/a%0Ab", &[]).path(), "/servers/ab");
    }
}
