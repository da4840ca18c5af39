//! The client's side of a session: who it is, what was agreed with it, when it last spoke.

use tidegate_wire::Caps;
use tidegate_wire::auth::{Nonces, Secret};
use tidegate_wire::compress::CompressionOffer;

use crate::encryption::Encryption;
use crate::filter::{FilterScene, Who};
use crate::ids::SessionId;
use crate::origin::{Origin, Told};
use crate::question::{AtServers, ClientAddress, ServiceLogin};
use crate::session::Cx;
use crate::terms::Terms;
use crate::time::{Instant, WallTime};
use crate::wishes::Wishes;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who the client proved to be.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: Vec<u8>,
    /// What the proof left us with. Servers are answered with it, unless the client is somebody else
    /// to them.
    pub(crate) secret: Secret,
    /// Who it is to servers, if somebody else.
    pub(crate) at_servers: Option<AtServers>,
    /// How servers that can do so let it in instead.
    pub(crate) as_service: Option<Arc<ServiceLogin>>,
    /// The collation id of the handshake response, passed on unread.
    pub(crate) collation: u16,
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The client's side of a session.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: ClientAddress,
    /// `None`: it speaks in the clear.
    pub(crate) encryption: Option<Arc<Encryption>>,
    /// This end of its connection; `None`: a UNIX socket.
    pub(crate) local: Option<SocketAddr>,
    /// Whether a PROXY header told the address.
    pub(crate) told: Told,
    /// `None` until the login is complete.
    pub(crate) identity: Option<Identity>,
    /// What was agreed.
    pub(crate) caps: Caps,
    pub(crate) database: Option<Vec<u8>>,
    /// How its bytes may be compressed.
    pub(crate) compression: CompressionOffer,
    /// What its listener's parameters say.
    pub(crate) terms: Arc<Terms>,
    /// What it wants servers to report.
    pub(crate) wishes: Wishes,
    /// When the connection was accepted.
    pub(crate) started: Instant,
    /// When the login was accepted.
    pub(crate) connected: WallTime,
    pub(crate) connected_at: Instant,
    /// When the client last sent a command, or got the answer to one.
    pub(crate) last_active: Instant,
    /// The number of the next packet to the client outside a server's reply.
    pub(crate) seq: u8,
    /// The scramble of the greeting.
    pub(crate) scramble: [u8; 20],
    /// What its dialogues take random bytes from.
    pub(crate) nonces: Nonces,
    /// Tells the questions of one change of user from those of another.
    pub(crate) changes: u32,
    /// Pieces of work that logins to servers asked for.
    pub(crate) orders: u32,
    /// Failed COM_CHANGE_USER commands.
    pub(crate) failed_changes: u32,
}

impl Client {
    pub(crate) fn new(origin: &Origin, now: Instant, wall: WallTime) -> Client {
        Client {
            encryption: None,
            address: origin.peer.clone(),
            local: origin.local,
            told: Told::NotYet {
                allowed: origin.may_tell,
            },
            identity: None,
            caps: Caps::empty(),
            database: None,
            compression: CompressionOffer::NONE,
            terms: Arc::default(),
            wishes: Wishes::default(),
            started: now,
            connected: wall,
            connected_at: now,
            last_active: now,
            seq: 0,
            scramble: [0; 20],
            nonces: Nonces::default(),
            changes: 16,
            orders: 0,
            failed_changes: 0,
        }
    }

    pub(crate) fn who<'a>(&'a self, session: SessionId, service: &'a Arc<str>) -> Who<'a> {
        Who {
            session,
            service,
            user: self
                .identity
                .as_ref()
                .map_or(&[], |identity| &identity.user),
            address: &self.address,
            database: self.database.as_deref(),
        }
    }

    pub(crate) fn filter_scene<'a>(
        &'a self,
        session: SessionId,
        service: &'a Arc<str>,
        cx: &'a Cx<'_>,
    ) -> FilterScene<'a> {
        FilterScene {
            who: self.who(session, service),
            now: cx.now,
            wall: cx.wall,
            warnings: &cx.out.warnings,
        }
    }
}
