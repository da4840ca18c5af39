//! Where documents live: the URLs under which a client finds them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is escaped in a path segment and in a query component: all but RFC 3986's unreserved.
pub(crate) const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The part that all links of one answer share: scheme, authority and, if the request came
/// with it, the version prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBase {
    root: String,
}

impl LinkBase {
    /// `scheme` is `http` or `https`, `authority` a `host:port`.
    pub fn new(scheme: &str, authority: &str, versioned: bool) -> Self {
        let prefix = if versioned { "/v1" } else { "" };
        Self {
            root: format!("{scheme}://{authority}{prefix}"),
        }
    }

    /// The URL of a collection, `…/servers/`; `path` is relative, without outer slashes.
    pub fn collection(&self, path: &str) -> String {
        format!("{}/{path}/", self.root)
    }

    /// The URL of one resource without the final slash, `…/servers/db-a`.
    pub(crate) fn bare(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }
}

/// `path/id` with the id escaped.
pub(crate) fn join(path: &str, id: &str) -> String {
    format!("{path}/{}", utf8_percent_encode(id, COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_there_only_when_asked_for() {
        assert_eq!(
            LinkBase::new("http", "h:8989", true).collection("servers"),
            "http://h:8989/v1/servers/"
        );
        assert_eq!(
            LinkBase::new("https", "h", false).collection("maxscale/threads"),
            "https://h/maxscale/threads/"
        );
    }

    #[test]
    fn ids_are_escaped() {
        assert_eq!(join("servers", "a b/c"), "servers/a%20b%2Fc");
        assert_eq!(join("servers", "RW-Split_1.x~"), "servers/RW-Split_1.x~");
    }
}
