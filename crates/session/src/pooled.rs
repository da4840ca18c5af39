//! Connections that outlive their sessions: what a session leaves behind, and how another takes it
//! over.
//!
//! Left behind is only what stands between two commands outside a transaction; it is reset before
//! anybody gets it, and whoever gets it logs in anew by COM_CHANGE_USER, so that the server decides
//! about the account and nothing of the former session is left. Where the connections are kept,
//! how many and for how long, is the worker's affair.

use std::net::IpAddr;
use std::sync::Arc;

use tidegate_wire::frame::{Header, frame_into};
use tidegate_wire::login::{ClientLogin, ServerInfo};
use tidegate_wire::reply::OK;
use tidegate_wire::{Caps, Command};

use crate::backend::State;
use crate::ids::{BackendId, SessionId, Side};
use crate::opening::is_mariadb;
use crate::output::{Errand, Level, Op, Wanted};
use crate::session::{Cx, Env, Session};
use crate::ticket::{Then, Ticket};
use crate::world::ServerView;

/// What of a connection can never be changed: only a session that wants just this can take it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// The capabilities that were asked for at its login.
    pub caps: Caps,
    /// The client's address that the server was told in a PROXY header, and by which it knows the
    /// account; `None`: it was told none.
    pub told: Option<IpAddr>,
}

/// A connection that its session has no more use for, logged in and at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Whom it fits.
    pub fit: Fit,
    /// What the server said at its login.
    pub info: ServerInfo,
    /// The TLS cipher; `None`: in the clear.
    pub cipher: Option<Arc<str>>,
    /// How many answers to the commands that reset it are due.
    pub due: usize,
    /// It was lent, and is as this session has left it; `None`: it is reset.
    pub owner: Option<Owner>,
}

/// Whose a lent connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The session.
    pub session: SessionId,
    /// Its name for the connection.
    pub backend: BackendId,
    /// Which of the times it was lent: under one name it may have lent several, of which it wants the
    /// newest alone.
    pub loan: u64,
}

/// MariaDB's servers keep the role through COM_RESET_CONNECTION and COM_CHANGE_USER both (seen with
/// 10.11), so that it has to be given up by a statement.
const NO_ROLE: &[u8] = b"SET ROLE NONE";

/// What a server has said on a connection that was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Not all of what is due yet.
    Waiting,
    /// All that is due, and nothing else: the connection is reset.
    Reset,
    /// Anything else: the connection is of no more use.
    Other,
}

impl Said {
    /// The answers are small packets; session tracking makes them hardly longer.
    pub const MAX_BYTES: usize = 4096;

    /// Looks at all that has come, where so many answers are due: each must be OK.
    #[must_use]
    pub fn look(mut bytes: &[u8], due: usize) -> Said {
        for _ in 0..due {
            let Some(header) = Header::parse(bytes) else {
                return Said::Waiting;
            };
            let Some(packet) = bytes.get(..header.total()) else {
                return if header.total() <= Said::MAX_BYTES {
                    Said::Waiting
                } else {
                    Said::Other
                };
            };
            if header.seq != 1 || packet.get(Header::LEN) != Some(&OK) {
                return Said::Other;
            }
            bytes = bytes.get(header.total()..).unwrap_or_default();
        }
        if bytes.is_empty() {
            Said::Reset
        } else {
            Said::Other
        }
    }
}

impl Session {
    /// A connection that was asked for is one that another session left behind.
    pub fn on_backend_reused(&mut self, id: BackendId, leftover: Leftover, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.take_over(id, leftover, &mut env.cx());
        self.finish_event(env);
    }

    /// What a connection to this server must be for this session to take it over.
    pub(crate) fn fit(&self, view: &ServerView) -> Option<Fit> {
        view.pool?;
        let told = view.proxy_header.and(self.client.address.socket());
        Some(Fit {
            caps: self.server_caps(),
            told: told.map(|address| address.ip()),
        })
    }

    fn take_over(&mut self, id: BackendId, leftover: Leftover, cx: &mut Cx<'_>) {
        let server = self.backend(id).map(|backend| backend.server);
        let view = server.and_then(|server| cx.servers.get(server));
        let guise = self.guise(view);
        let schema = self.client.database.clone();
        let Some(mut identity) = self.identity(view) else {
            return;
        };
        let own = self.owner(id);
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        if !matches!(backend.state, State::Connecting) {
            return;
        }
        if backend.lent && !backend.stale && leftover.owner == own {
            return self.comes_back(id);
        }
        if backend.lent {
            backend.begin_anew();
        }
        identity.private = leftover.cipher.is_some();
        backend.cipher = leftover.cipher;
        backend.guise = guise;
        backend.login_schema = schema;
        if planted!(ReusedUnchanged) {
            self.logged_in(id, leftover.info, cx);
            return;
        }
        let gives_up_role = leftover.owner.is_some() && is_mariadb(&leftover.info.version);
        backend.skip = u8::from(gives_up_role);
        let mut login = None;
        cx.out.send_with(Side::Backend(id), |own| {
            if gives_up_role {
                frame_into(own, &mut 0, &[&[Command::Query.byte()], NO_ROLE].concat());
            }
            login = Some(ClientLogin::change_user(identity, leftover.info, own));
        });
        if let Some(login) = login {
            backend.state = State::Reusing(Box::new(login));
        }
    }

    /// Whose the connection is that was lent last.
    pub(crate) fn owner(&self, id: BackendId) -> Option<Owner> {
        let backend = self.backend(id).filter(|backend| backend.lent)?;
        Some(Owner {
            session: self.id,
            backend: id,
            loan: backend.loan,
        })
    }

    /// A connection that was lent is there again, as it was.
    fn comes_back(&mut self, id: BackendId) {
        let paused = self.client_backlogged;
        if let Some(backend) = self.backend_mut(id) {
            backend.state = State::Ready;
            backend.lent = false;
            backend.deadline = None;
            backend.paused = paused;
        }
        if let Some(lending) = &mut self.lending {
            lending.returned += 1;
        }
        self.moved = true;
    }

    /// A connection that was taken over broke before it could be used, as one does that the server
    /// closed meanwhile: a new one is opened in its place. `false`: it is no such connection.
    pub(crate) fn open_instead(&mut self, id: BackendId, cx: &mut Cx<'_>) -> bool {
        let Some(backend) = self.backend_mut(id) else {
            return false;
        };
        if !matches!(backend.state, State::Reusing(_)) {
            return false;
        }
        backend.state = State::Connecting;
        backend.order = None;
        backend.cipher = None;
        backend.skip = 0;
        let (server, paused) = (backend.server, backend.paused);
        cx.out.push(Op::Close(Side::Backend(id)));
        cx.out.errand(Errand::Connect(Wanted {
            backend: id,
            server,
            fit: None,
            own: None,
            waits: self.lending.is_some(),
        }));
        if paused {
            cx.out.push(Op::Pause(Side::Backend(id)));
        }
        let name = self.server_name(id, cx);
        self.log(Level::Info, cx, || {
            format!(
                "a pooled connection to server '{name}' was no good any more; a new one is opened"
            )
        });
        true
    }

    /// Parts with a connection in order: it is left to others, or closed.
    pub(crate) fn part_from(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(leftover) = self.leftover(id, cx) else {
            self.say_goodbye(id, cx);
            return;
        };
        let keeps_role = self
            .backend(id)
            .is_some_and(|backend| !backend.mysql_family);
        cx.out.send_with(Side::Backend(id), |own| {
            frame_into(own, &mut 0, &[Command::ResetConnection.byte()]);
            if keeps_role {
                frame_into(own, &mut 0, &[&[Command::Query.byte()], NO_ROLE].concat());
            }
        });
        cx.out.errand(Errand::Park {
            backend: id,
            leftover,
        });
        self.forget_connection(id, false, cx);
    }

    /// Is a COM_SET_OPTION in flight? Whether a connection has carried it out is not known, and a reset does
    /// not undo it.
    fn is_setting_several(&self) -> bool {
        let sets = |ticket: &Ticket| matches!(ticket.then, Then::MultiStatements(_));
        self.tickets.iter().any(sets)
    }

    /// What others may get of a connection; `None`: it must be closed.
    pub(crate) fn leftover(&self, id: BackendId, cx: &Cx<'_>) -> Option<Leftover> {
        let backend = self.backend(id)?;
        let view = cx.servers.get(backend.server)?;
        let fit = self.fit(view)?;
        let at_rest = matches!(backend.state, State::Ready)
            && backend.owed.is_empty()
            && !backend.backlogged
            && !self.aims.any()
            && !self.is_setting_several()
            && self.stream.is_none()
            && self.infile.is_none();
        // COM_RESET_CONNECTION came with these versions.
        let first = if backend.mysql_family {
            5_07_03
        } else {
            10_02_04
        };
        let usable =
            at_rest && !self.trx.is_open() && backend.version >= first && view.status.connectable();
        usable.then_some(Leftover {
            fit,
            info: *backend.info.clone()?,
            cipher: backend.cipher.clone(),
            owner: None,
            due: match backend.mysql_family {
                _ if planted!(ResetNotAwaited) => 0,
                true => 1,
                false => 2,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_oks_and_nothing_else_confirm() {
        let ok = [7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        let two = [ok, ok].concat();
        for cut in 0..two.len() {
            let (said, _) = two.split_at(cut);
            assert_eq!(Said::look(said, 2), Said::Waiting, "{cut} bytes");
        }
        assert_eq!(Said::look(&two, 2), Said::Reset);
        assert_eq!(Said::look(&two, 1), Said::Other, "one too many");
        assert_eq!(Said::look(&[], 0), Said::Reset);
        assert_eq!(Said::look(&[3, 0, 0, 1, 0xff, 1, 2], 1), Said::Other);
        let misnumbered = Said::look(&[1, 0, 0, 0, 0], 1);
        assert_eq!(misnumbered, Said::Other);
        assert_eq!(Said::look(&[0, 0, 0, 1], 1), Said::Other, "an empty packet");
    }
}
