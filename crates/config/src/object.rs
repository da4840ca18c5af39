//! The kinds of objects a configuration has.

/// What a section makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The global section.
    MaxScale,
    /// A database server.
    Server,
    /// A watcher of servers.
    Monitor,
    /// A filter instance.
    Filter,
    /// A virtual database.
    Service,
    /// A socket.
    Listener,
    /// Parameters shared by other sections.
    Include,
}

impl ObjectKind {
    /// Everything `type=` may say.
    pub(crate) const TYPES: [&'static str; 6] = [
        "server", "monitor", "filter", "service", "listener", "include",
    ];

    /// All kinds that have parameters of their own.
    pub(crate) const WITH_PARAMETERS: [Self; 6] = [
        Self::MaxScale,
        Self::Server,
        Self::Monitor,
        Self::Filter,
        Self::Service,
        Self::Listener,
    ];

    /// The kind that `type=` means.
    #[must_use]
    pub fn from_type(word: &str) -> Option<Self> {
        Some(match word {
            "server" => Self::Server,
            "monitor" => Self::Monitor,
            "filter" => Self::Filter,
            "service" => Self::Service,
            "listener" => Self::Listener,
            "include" => Self::Include,
            _ => return None,
        })
    }

    /// The word for messages and for `type=`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::MaxScale => "maxscale",
            Self::Server => "server",
            Self::Monitor => "monitor",
            Self::Filter => "filter",
            Self::Service => "service",
            Self::Listener => "listener",
            Self::Include => "include",
        }
    }

    /// Several of them, as messages say "belongs to services".
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::MaxScale => "the [maxscale] section",
            Self::Server => "servers",
            Self::Monitor => "monitors",
            Self::Filter => "filters",
            Self::Service => "services",
            Self::Listener => "listeners",
            Self::Include => "include sections",
        }
    }
}
