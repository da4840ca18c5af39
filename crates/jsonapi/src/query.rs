//! The query string of a request, decoded.

use percent_encoding::{percent_decode_str, utf8_percent_encode};

use crate::body::lenient_bool_text;
use crate::links::COMPONENT;

/// Names and values in the order they came. Nothing is refused here: a name that nobody knows
/// is ignored, a byte sequence that is not UTF-8 becomes the replacement character.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads what stands after the `?` of a request target.
    pub fn parse(raw: &str) -> Self {
        let pairs = raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            })
            .collect();
        Self { pairs }
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The arguments of a command (`?My-Monitor&My-Server`), in the order they came: names without
    /// values, but for the switches that every request may have.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter(|(name, value)| value.is_empty() && name != "pretty")
            .map(|(name, _)| name.as_str())
    }

    /// The value of a switch: one without a value (`?pretty`) is on, one whose value is no
    /// boolean is as if absent.
    pub fn switch(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            "" => Some(true),
            text => lenient_bool_text(text),
        }
    }

    /// The pairs named `family[inner]`, as (inner, value).
    pub(crate) fn family<'a>(
        &'a self,
        family: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs.iter().filter_map(move |(name, value)| {
            let inner = name.strip_prefix(family)?.strip_prefix('[')?;
            Some((inner.strip_suffix(']')?, value.as_str()))
        })
    }

    /// The query as text again, without the names that `drop` picks and with `extra` behind.
    pub(crate) fn rewrite(&self, drop: impl Fn(&str) -> bool, extra: &[(&str, String)]) -> String {
        let kept = self
            .pairs
            .iter()
            .filter(|(name, _)| !drop(name))
            .map(|(name, value)| (name.as_str(), value));
        let added = extra.iter().map(|(name, value)| (*name, value));
        kept.chain(added)
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let query = Query::parse("a=1&b=x+y%3Dz&&c&a=2&page[size]=5&%70=q");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("b"), Some("x y=z"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.get("p"), Some("q"));
        assert_eq!(query.get("nothing"), None);
        assert_eq!(query.family("page").collect::<Vec<_>>(), [("size", "5")]);
    }

    #[test]
    fn arguments_are_names_without_values() {
        let query = Query::parse("pretty&My%20Monitor&fields[x]=y&Other");
        let arguments: Vec<&str> = query.arguments().collect();
        assert_eq!(arguments, ["My Monitor", "Other"]);
    }

    #[test]
    fn switches() {
        let query = Query::parse("on&off=NO&odd=maybe&one=1");
        assert_eq!(query.switch("on"), Some(true));
        assert_eq!(query.switch("off"), Some(false));
        assert_eq!(query.switch("one"), Some(true));
        assert_eq!(query.switch("odd"), None);
        assert_eq!(query.switch("absent"), None);
    }
}
