//! Which paths there are, and which methods each of them knows.

use crate::house::Switchable;
use crate::request::Method::{self, Delete, Get, Head, Options, Patch, Post, Put};

/// A collection of configuration objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    Servers,
    Services,
    Listeners,
    Monitors,
    Filters,
}

impl Collection {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "servers" => Self::Servers,
            "services" => Self::Services,
            "listeners" => Self::Listeners,
            "monitors" => Self::Monitors,
            "filters" => Self::Filters,
            _ => return None,
        })
    }

    /// Where it is listed.
    pub(crate) fn of_switchable(what: Switchable) -> Self {
        match what {
            Switchable::Service => Self::Services,
            Switchable::Listener => Self::Listeners,
            Switchable::Monitor => Self::Monitors,
        }
    }

    /// The plural, as in paths and types.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Services => "services",
            Self::Listeners => "listeners",
            Self::Monitors => "monitors",
            Self::Filters => "filters",
        }
    }

    /// What one of them is called.
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Self::Servers => "server",
            Self::Services => "service",
            Self::Listeners => "listener",
            Self::Monitors => "monitor",
            Self::Filters => "filter",
        }
    }

    /// The relationships its members may have.
    fn relationships(self) -> &'static [&'static str] {
        match self {
            Self::Servers => &["services", "monitors"],
            Self::Services => &["servers", "services", "monitors", "filters", "listeners"],
            Self::Listeners | Self::Filters => &["services"],
            Self::Monitors => &["servers", "services"],
        }
    }
}

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/` and `/v1/`: the health check.
    Root,
    /// `/auth`
    Auth,
    /// `OPTIONS *`.
    Asterisk,
    /// `/servers`
    List(Collection),
    /// `/servers/:server`
    Object(Collection, String),
    /// `/servers/:server/relationships/services`
    Relationship(Collection, String, &'static str),
    /// `/servers/:server/set` (`true`) and `…/clear`
    ServerState(String, bool),
    /// `/services/:service/start` (`true`) and `…/stop`; of listeners and monitors too
    Switch(Switchable, String, bool),
    /// `/services/:service/reload`
    Reload(String),
    /// `/services/:service/route`
    Route(String),
    /// `/services/:service/digests`
    Digests(String),
    /// `/services/:service/digests/reset`
    DigestsReset(String),
    /// `/services/:service/digests/:digest`
    Digest(String, String),
    /// `/services/:service/listeners`
    ListenersOf(String),
    /// `/services/:service/listeners/:listener`
    ListenerOf(String, String),
    /// `/sessions`
    Sessions,
    /// `/sessions/:session`
    Session(String),
    /// `/sessions/restart`
    RestartAll,
    /// `/sessions/:session/restart`
    Restart(String),
    /// `/sessions/:session/relationships/services` and `…/filters`
    SessionRelationship(String, &'static str),
    /// `/maxscale`
    MaxScale,
    /// `/maxscale/modules/readwritesplit/reset-gtid`
    PositionReset,
    /// `/maxscale/logs/flush`
    LogsFlush,
    /// `/maxscale/threads`
    Threads,
    /// `/maxscale/threads/:thread`
    Thread(String),
    /// `/users` and `/users/inet`
    Users,
    /// `/users/inet/:user`
    User(String),
    /// `/users/unix`, of which there are none
    UnixUsers,
}

impl Endpoint {
    /// What these segments mean, if anything.
    pub(crate) fn of(segments: &[String]) -> Option<Self> {
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Some(Self::Root),
            ["*"] => Some(Self::Asterisk),
            ["auth"] => Some(Self::Auth),
            ["sessions", rest @ ..] => Self::of_session(rest),
            ["maxscale"] => Some(Self::MaxScale),
            ["maxscale", "modules", "readwritesplit", "reset-gtid"] => Some(Self::PositionReset),
            ["maxscale", "logs", "flush"] => Some(Self::LogsFlush),
            ["maxscale", "threads"] => Some(Self::Threads),
            ["maxscale", "threads", thread] => Some(Self::Thread((*thread).to_owned())),
            ["users"] | ["users", "inet"] => Some(Self::Users),
            ["users", "inet", name] => Some(Self::User((*name).to_owned())),
            ["users", "unix"] => Some(Self::UnixUsers),
            [first, rest @ ..] => Self::of_object(Collection::from_word(first)?, rest),
        }
    }

    fn of_session(rest: &[&str]) -> Option<Self> {
        match *rest {
            [] => Some(Self::Sessions),
            ["restart"] => Some(Self::RestartAll),
            [id] => Some(Self::Session(id.to_owned())),
            [id, "restart"] => Some(Self::Restart(id.to_owned())),
            [id, "relationships", name] => {
                let name = pick(&["services", "filters"], name)?;
                Some(Self::SessionRelationship(id.to_owned(), name))
            }
            _ => None,
        }
    }

    fn of_object(collection: Collection, rest: &[&str]) -> Option<Self> {
        match (collection, rest) {
            (_, []) => Some(Self::List(collection)),
            (_, [name]) => Some(Self::Object(collection, (*name).to_owned())),
            (_, [name, "relationships", other]) => {
                let other = pick(collection.relationships(), other)?;
                Some(Self::Relationship(collection, (*name).to_owned(), other))
            }
            (Collection::Servers, [name, action @ ("set" | "clear")]) => {
                Some(Self::ServerState((*name).to_owned(), *action == "set"))
            }
            (_, [name, action @ ("start" | "stop")]) => {
                let what = match collection {
                    Collection::Services => Switchable::Service,
                    Collection::Listeners => Switchable::Listener,
                    Collection::Monitors => Switchable::Monitor,
                    Collection::Servers | Collection::Filters => return None,
                };
                Some(Self::Switch(what, (*name).to_owned(), *action == "start"))
            }
            (Collection::Services, [name, "reload"]) => Some(Self::Reload((*name).to_owned())),
            (Collection::Services, [name, "route"]) => Some(Self::Route((*name).to_owned())),
            (Collection::Services, [name, "digests"]) => Some(Self::Digests((*name).to_owned())),
            (Collection::Services, [name, "digests", "reset"]) => {
                Some(Self::DigestsReset((*name).to_owned()))
            }
            (Collection::Services, [name, "digests", digest]) => {
                Some(Self::Digest((*name).to_owned(), (*digest).to_owned()))
            }
            (Collection::Services, [name, "listeners"]) => {
                Some(Self::ListenersOf((*name).to_owned()))
            }
            (Collection::Services, [name, "listeners", listener]) => {
                Some(Self::ListenerOf((*name).to_owned(), (*listener).to_owned()))
            }
            _ => None,
        }
    }

    /// The methods usable here, in the order they are listed.
    pub(crate) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Asterisk => &[Get, Head, Post, Put, Patch, Delete, Options],
            Self::ServerState(..) | Self::Switch(..) => &[Put, Options],
            Self::Reload(_)
            | Self::DigestsReset(_)
            | Self::PositionReset
            | Self::LogsFlush
            | Self::RestartAll
            | Self::Restart(_) => &[Post, Options],
            Self::Digests(_) => &[Get, Head, Delete, Options],
            Self::Route(_) => &[Get, Head, Post, Options],
            Self::Session(_) => &[Get, Head, Patch, Delete, Options],
            Self::MaxScale | Self::User(_) | Self::SessionRelationship(_, "filters") => {
                &[Get, Head, Patch, Options]
            }
            Self::Root
            | Self::Auth
            | Self::List(_)
            | Self::Object(..)
            | Self::Relationship(..)
            | Self::Digest(..)
            | Self::ListenersOf(_)
            | Self::ListenerOf(..)
            | Self::Sessions
            | Self::SessionRelationship(..)
            | Self::Threads
            | Self::Thread(_)
            | Self::Users
            | Self::UnixUsers => &[Get, Head, Options],
        }
    }
}

fn pick(words: &[&'static str], word: &str) -> Option<&'static str> {
    words.iter().copied().find(|candidate| *candidate == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<Endpoint> {
        let segments: Vec<String> = path.split_whitespace().map(str::to_owned).collect();
        Endpoint::of(&segments)
    }

    #[test]
    fn paths_and_their_meaning() {
        let name = || "x".to_owned();
        let cases = [
            ("", Some(Endpoint::Root)),
            ("servers", Some(Endpoint::List(Collection::Servers))),
            (
                "filters x",
                Some(Endpoint::Object(Collection::Filters, name())),
            ),
            (
                "monitors x relationships servers",
                Some(Endpoint::Relationship(
                    Collection::Monitors,
                    name(),
                    "servers",
                )),
            ),
            ("monitors x relationships filters", None),
            ("servers x set", Some(Endpoint::ServerState(name(), true))),
            (
                "servers x clear",
                Some(Endpoint::ServerState(name(), false)),
            ),
            ("services x set", None),
            (
                "monitors x stop",
                Some(Endpoint::Switch(Switchable::Monitor, name(), false)),
            ),
            (
                "listeners x start",
                Some(Endpoint::Switch(Switchable::Listener, name(), true)),
            ),
            ("servers x stop", None),
            ("services x reload", Some(Endpoint::Reload(name()))),
            ("services x route", Some(Endpoint::Route(name()))),
            ("services x digests", Some(Endpoint::Digests(name()))),
            (
                "services x digests reset",
                Some(Endpoint::DigestsReset(name())),
            ),
            (
                "services x digests y",
                Some(Endpoint::Digest(name(), "y".into())),
            ),
            ("servers x digests", None),
            ("services x listeners", Some(Endpoint::ListenersOf(name()))),
            (
                "services x listeners y",
                Some(Endpoint::ListenerOf(name(), "y".into())),
            ),
            ("sessions", Some(Endpoint::Sessions)),
            ("sessions x", Some(Endpoint::Session(name()))),
            (
                "sessions x relationships filters",
                Some(Endpoint::SessionRelationship(name(), "filters")),
            ),
            ("sessions x restart", Some(Endpoint::Restart(name()))),
            ("sessions restart", Some(Endpoint::RestartAll)),
            ("sessions x relationships servers", None),
            ("maxscale threads x", Some(Endpoint::Thread(name()))),
            ("threads", None),
            (
                "maxscale modules readwritesplit reset-gtid",
                Some(Endpoint::PositionReset),
            ),
            ("maxscale modules readwritesplit reset", None),
            ("maxscale servers", None),
            ("users", Some(Endpoint::Users)),
            ("users inet", Some(Endpoint::Users)),
            ("users unix x", None),
            ("Servers", None),
        ];
        for (path, expect) in cases {
            assert_eq!(of(path), expect, "{path}");
        }
    }

    #[test]
    fn every_path_can_be_asked_for_its_methods() {
        for path in [
            "",
            "servers",
            "servers x set",
            "services x reload",
            "sessions x",
            "users inet x",
        ] {
            assert!(
                of(path).is_some_and(|endpoint| endpoint.methods().contains(&Options)),
                "{path}"
            );
        }
    }
}
