//! A session's place in the world: the session itself, its client, its links to servers, and what the
//! driver keeps for it, as a worker would.

use tidegate_session::question::Question;
use tidegate_session::{BackendId, Instant, Leftover, ServerId, Session, Token};

use crate::client::Client;

/// One side's input as the driver keeps it.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// What the session has not consumed.
    pub(crate) kept: Vec<u8>,
    pub(crate) paused: bool,
    /// What is kept shall be presented again.
    pub(crate) again: bool,
    /// The end of the stream was told.
    pub(crate) ended: bool,
    /// The side has more unsent bytes than the high water mark, and the session knows.
    pub(crate) swollen: bool,
}

/// How far the connecting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It will be decided at that time; `None`: never.
    Connecting { at: Option<Instant>, fails: bool },
    /// It was refused.
    Failed,
    /// Another session left it behind, and this one does not know yet that it has it.
    Adopted {
        conn: usize,
        leftover: Box<Leftover>,
    },
    /// Connected: the server's end is that connection.
    Up { conn: usize },
}

/// A session's connection to a server.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) server: ServerId,
    pub(crate) reach: Reach,
    pub(crate) input: Input,
    /// The server's end has closed.
    pub(crate) cut: bool,
}

impl Link {
    pub(crate) fn conn(&self) -> Option<usize> {
        match self.reach {
            Reach::Up { conn } | Reach::Adopted { conn, .. } => Some(conn),
            Reach::Connecting { .. } | Reach::Failed => None,
        }
    }
}

/// A question on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) token: Token,
    pub(crate) question: Question,
    /// When it is answered; `None`: never.
    pub(crate) at: Option<Instant>,
    /// The account manager does not know better yet.
    pub(crate) stale: bool,
}

/// One session in the world.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Gone once it is over.
    pub(crate) session: Option<Session>,
    pub(crate) client: Client,
    pub(crate) input: Input,
    pub(crate) links: Vec<Option<Link>>,
    pub(crate) wake: Option<Instant>,
    pub(crate) asked: Vec<Asked>,
    /// It has not heard of the newest view of the servers.
    pub(crate) uninformed: bool,
    pub(crate) worker: usize,
    /// The proxy has closed the client's connection; what was written can still be read.
    pub(crate) closed: bool,
    /// When the client was last heard or answered, and before that.
    pub(crate) heard: [Instant; 2],
    /// An administrator wants it to end by then.
    pub(crate) doomed: Option<Instant>,
    /// An administrator wants it to end at its next rest.
    pub(crate) draining: bool,
}

impl Slot {
    /// The client was heard or answered.
    pub(crate) fn hear(&mut self, now: Instant) {
        if self.heard[0] != now {
            self.heard = [now, self.heard[0]];
        }
    }

    /// When the client was heard or answered last before this moment.
    pub(crate) fn last_heard(&self, now: Instant) -> Instant {
        if self.heard[0] == now {
            self.heard[1]
        } else {
            self.heard[0]
        }
    }

    pub(crate) fn link(&self, backend: BackendId) -> Option<&Link> {
        self.links.get(usize::from(backend.0))?.as_ref()
    }

    pub(crate) fn link_mut(&mut self, backend: BackendId) -> Option<&mut Link> {
        self.links.get_mut(usize::from(backend.0))?.as_mut()
    }

    /// Links with the session's names for them.
    pub(crate) fn open_links(&self) -> impl Iterator<Item = (BackendId, &Link)> {
        self.links
            .iter()
            .enumerate()
            .filter_map(|(ix, link)| Some((BackendId(ix as u16), link.as_ref()?)))
    }

    /// Has it ended, and has its client read all there is?
    pub(crate) fn is_done(&self) -> bool {
        self.session.is_none() && self.client.unread() == 0
    }
}
