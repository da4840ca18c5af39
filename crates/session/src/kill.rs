//! KILL: who is meant, and what the one who is meant does.
//!
//! Only the workers together know all sessions, and the servers decide who may kill whom, so the
//! session asks ([`Question::Kill`](crate::question::Question::Kill)) and waits: whoever answers has
//! found the victims ([`Session::as_victim`]), run the servers' own KILL on their connections in the
//! issuer's name, and ended the sessions that may be ended.
//!
//! The invariant: a session that is to be killed repeats nothing. From the moment it was found it is
//! condemned: the loss of a connection is its end. And a connection that a KILL may be on its way to is
//! left to nobody else. Both hold until the last KILL that aims at it is over ([`Aims`]).

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_sql::{Kill, KillForce, Victim};
use tidegate_wire::login::Identity;
use tidegate_wire::proxy_header;

use crate::backend::State;
use crate::cause::Cause;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::{ServerId, SessionId, Token};
use crate::output::Errand;
use crate::question::ServiceLogin;
use crate::question::{KillAnswer, Question};
use crate::request::OwnAnswer;
use crate::session::{Cx, Session};
use crate::world::ProxyHeader;

/// A KILL that somebody said.
#[derive(Debug, Clone)]
pub struct KillOrder {
    /// The session that said it.
    pub session: SessionId,
    /// Its user, as clients' names are compared.
    pub user: Vec<u8>,
    /// Who it is to servers, which decide what it may do.
    pub login: Identity,
    /// How servers that can do so let it in instead.
    pub as_service: Option<Arc<ServiceLogin>>,
    /// Where its client is, for servers that want to be told; `None`: on no address.
    pub peer: Option<SocketAddr>,
    /// The proxy's end of that connection, if it has an address.
    pub local: Option<SocketAddr>,
    /// Whom it means.
    pub whom: Whom,
    /// Only what is being executed, not the connection.
    pub query_only: bool,
    /// How hard, if that was said.
    pub force: Option<KillForce>,
}

/// Sessions that are meant by a KILL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// This one.
    Session(SessionId),
    /// All of this user.
    User {
        /// The name, bytewise.
        name: Vec<u8>,
        /// The client's address as servers show it; `None`, `%`: any.
        host: Option<Vec<u8>>,
    },
}

impl PartialEq for KillOrder {
    fn eq(&self, other: &KillOrder) -> bool {
        self.session == other.session
            && self.whom == other.whom
            && self.query_only == other.query_only
            && self.force == other.force
    }
}

impl Eq for KillOrder {}

impl KillOrder {
    /// Is the session that said it among those that are meant?
    #[must_use]
    pub fn means_itself(&self) -> bool {
        let host = self.peer.map_or_else(
            || "localhost".to_owned(),
            |peer| peer.ip().to_canonical().to_string(),
        );
        self.whom.means(self.session, &self.user, &host)
    }

    /// What a server reads first that wants to know where clients are.
    #[must_use]
    pub fn header(&self, version: ProxyHeader) -> Vec<u8> {
        let mut header = Vec::new();
        // A proxy on a UNIX socket told the client's address: it came to none of ours.
        let local = self.local.unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
        proxy_header::write(version, self.peer, local, &mut header);
        header
    }

    /// The statement that kills a server's connection in the same way.
    #[must_use]
    pub fn statement(&self, thread_id: u64) -> String {
        let force = match self.force {
            None => "",
            Some(KillForce::Hard) => "HARD ",
            Some(KillForce::Soft) => "SOFT ",
        };
        let kind = if self.query_only {
            "QUERY"
        } else {
            "CONNECTION"
        };
        format!("KILL {force}{kind} {thread_id}")
    }
}

impl Whom {
    fn means(&self, id: SessionId, user: &[u8], host: &str) -> bool {
        match self {
            Whom::Session(meant) => *meant == id,
            Whom::User { name, host: at } => {
                let here = match at.as_deref() {
                    None | Some(b"%") => true,
                    Some(at) => at.eq_ignore_ascii_case(host.as_bytes()),
                };
                name == user && here
            }
        }
    }
}

/// The KILLs that a session was found for and that are being carried out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Aims {
    sessions: u32,
    queries: u32,
}

impl Aims {
    fn of(&mut self, query_only: bool) -> &mut u32 {
        if query_only {
            &mut self.queries
        } else {
            &mut self.sessions
        }
    }

    fn begin(&mut self, query_only: bool) {
        let count = self.of(query_only);
        *count = count.saturating_add(1);
    }

    /// One is over, and the session goes on. `unheard`: a server has not said that it is done with it, so
    /// that it may hit a connection yet.
    pub(crate) fn end(&mut self, query_only: bool, unheard: bool) {
        let count = self.of(query_only);
        *count = count.saturating_sub(1);
        if unheard {
            self.begin(true);
        }
    }

    /// It is being killed: nothing is repeated any more.
    #[inline]
    pub(crate) fn condemn(self) -> bool {
        self.sessions > 0
    }

    /// A KILL may be on its way to one of its connections, which nobody else must get.
    pub(crate) fn any(self) -> bool {
        self.sessions > 0 || self.queries > 0
    }
}

/// A session that is meant by a KILL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub session: SessionId,
    /// Its user.
    pub user: Vec<u8>,
    /// Its connections that are to be killed, each with the server's number for it.
    pub connections: Vec<(ServerId, u64)>,
}

impl Session {
    /// The session as a victim; `None`: it is not meant. One that is meant lends nothing from now on,
    /// and is condemned if its connection is to be killed, until [`Control::Kill`](crate::Control::Kill)
    /// or [`Control::Pardon`](crate::Control::Pardon).
    pub fn as_victim(&mut self, order: &KillOrder) -> Option<Found> {
        let identity = self.client.identity.as_ref()?;
        let host = self.client.address.host();
        let meant = self.has_login()
            && self.id != order.session
            && order.whom.means(self.id, &identity.user, &host);
        if !meant {
            return None;
        }
        let user = identity.user.clone();
        self.aims.begin(order.query_only);
        // Every connection runs a session command, whoever answers it.
        let for_all = self.tickets.front().and_then(|ticket| ticket.seq);
        let known = self.backends.iter().filter(|backend| {
            let logged_in = matches!(
                backend.state,
                State::Replaying | State::Switching(_) | State::Ready
            );
            logged_in && (!order.query_only || backend.runs(for_all))
        });
        Some(Found {
            session: self.id,
            user,
            connections: known
                .map(|backend| (backend.server, backend.thread_id))
                .collect(),
        })
    }

    /// Asks for a KILL to be carried out; the client waits. Nothing else is in flight.
    pub(crate) fn ask_kill(&mut self, kill: &Kill, cx: &mut Cx<'_>) {
        let (Some(identity), Some(mut login)) = (&self.client.identity, self.identity(None)) else {
            return;
        };
        // Whoever only kills needs no database.
        login.database = None;
        let user = identity.user.clone();
        let whom = match &kill.victim {
            Victim::Id(id) => Whom::Session(SessionId(*id)),
            Victim::User { name, host } => Whom::User {
                name: name.to_vec(),
                host: host.as_deref().map(<[u8]>::to_vec),
            },
            Victim::CurrentUser => Whom::User {
                name: user.clone(),
                host: None,
            },
            Victim::Own | Victim::QueryId | Victim::Amid | Victim::Computed => {
                Whom::Session(self.id)
            }
        };
        let order = KillOrder {
            session: self.id,
            user,
            login,
            as_service: identity
                .as_service
                .clone()
                .filter(|_| identity.at_servers.is_none()),
            peer: self.client.address.socket(),
            local: self.client.local,
            whom,
            query_only: kill.query_only,
            force: kill.force,
        };
        self.killing = true;
        cx.out.errand(Errand::Ask {
            // One at a time, and it is waited for.
            token: Token(0),
            question: Question::Kill(Box::new(order)),
        });
    }

    /// A KILL was carried out, or not.
    pub(crate) fn kill_answered(&mut self, answer: KillAnswer, cx: &mut Cx<'_>) {
        if !std::mem::take(&mut self.killing) {
            return;
        }
        match answer {
            KillAnswer::Done { sessions, ends } => {
                self.answer_own(&OwnAnswer::Affected(sessions), cx);
                if ends {
                    self.finish(Cause::Killed, None, cx);
                }
            }
            KillAnswer::Interrupted => {
                let reply = ErrReply::new(1317, b"70100", "Query execution was interrupted");
                self.answer_error(&reply, cx);
            }
            KillAnswer::Killed => self.fail(&SessionFault::Killed, cx),
            KillAnswer::Refused(reply) => self.answer_error(&reply, cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_kill_means() {
        let check = |whom: &Whom, expect: bool| {
            assert_eq!(
                whom.means(SessionId(5), b"bob", "10.0.0.1"),
                expect,
                "{whom:?}"
            );
        };
        check(&Whom::Session(SessionId(5)), true);
        check(&Whom::Session(SessionId(6)), false);
        let user = |name: &[u8], host: Option<&[u8]>| Whom::User {
            name: name.to_vec(),
            host: host.map(<[u8]>::to_vec),
        };
        check(&user(b"bob", None), true);
        check(&user(b"Bob", None), false);
        check(&user(b"bob", Some(b"%")), true);
        check(&user(b"bob", Some(b"10.0.0.1")), true);
        check(&user(b"bob", Some(b"10.0.0.2")), false);
    }

    #[test]
    fn servers_are_told_the_same_kind() {
        let order = |query_only, force| KillOrder {
            session: SessionId(1),
            user: Vec::new(),
            login: Identity::new(b"", tidegate_wire::login::Secret::None),
            as_service: None,
            peer: None,
            local: None,
            whom: Whom::Session(SessionId(1)),
            query_only,
            force,
        };
        assert_eq!(order(false, None).statement(7), "KILL CONNECTION 7");
        assert_eq!(
            order(true, Some(KillForce::Soft)).statement(7),
            "KILL SOFT QUERY 7"
        );
        assert!(order(false, None).means_itself());
    }
}
