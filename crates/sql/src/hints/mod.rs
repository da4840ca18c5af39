//! Routing hints in comments: `-- maxscale route to master`.
//!
//! The first comment of a statement may carry one, if its first word is `maxscale`. A hint is
//! advice for routing and is never taken out of the text. What is malformed is an error for the
//! log, and no hint.
//!
//! ```text
//! comment = "maxscale" body
//! body    = content                        for this statement alone
//!         | name "prepare" content         define a named hint
//!         | name "begin" [content]         push it, defined first if content is given
//!         | "begin" content                push an anonymous hint
//!         | "end"                          pop the newest
//! content = "route" "to" ("master" | "slave" | "last" | "all" | "server" name)
//!         | parameter "=" value
//! ```
//!
//! `start` and `stop` stand for `begin` and `end`: people write them. Keywords ignore letter case,
//! names do not.

mod parse;
mod stack;

pub use parse::{find, parse};
pub use stack::{HintStack, MAX_NAMED, MAX_PUSHED};

/// Where a statement should go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// The primary.
    Master,
    /// A replica.
    Slave,
    /// Wherever the statement before went.
    Last,
    /// Everywhere.
    All,
    /// The server or service of this name.
    Server(Box<str>),
}

/// One piece of advice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Where to go.
    Route(Route),
    /// A parameter for routers and filters, such as `max_slave_replication_lag`.
    Parameter {
        /// Its name as written.
        name: Box<str>,
        /// Its value as written, without quotes.
        value: Box<str>,
    },
}

/// What a hint comment says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Directive {
    /// A hint for this statement.
    Once(Hint),
    /// Remember a hint under a name.
    Prepare {
        /// The name.
        name: Box<str>,
        /// The hint.
        hint: Hint,
    },
    /// From this statement on, until an end.
    Begin {
        /// The hint's name; none when it is anonymous.
        name: Option<Box<str>>,
        /// The hint; none when the name has been defined before.
        hint: Option<Hint>,
    },
    /// Take back the newest pushed hint, before this statement.
    End,
}

/// Why a comment that begins with `maxscale` is no hint, or one that cannot be followed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HintError {
    /// The grammar wants something else.
    #[error("routing hint: expected {expected} at byte {at} of the comment")]
    Expected {
        /// What could have stood there.
        expected: &'static str,
        /// Where, counted from the start of the comment's text.
        at: usize,
    },
    /// `begin` with a name that nobody has defined.
    #[error("routing hint: no hint is named '{name}'")]
    Undefined {
        /// The name.
        name: Box<str>,
    },
    /// Too many hints are kept.
    #[error("routing hint: more than {limit} hints are kept in this session")]
    Full {
        /// How many may be kept.
        limit: usize,
    },
}

#[cfg(test)]
mod tests;
