//! Connections from the first SYN to the moment they can be used: login, own settings, history.

use std::sync::Arc;

use tidegate_wire::auth::{Done, Work};
use tidegate_wire::frame::{frame_with, split_packet};
use tidegate_wire::login::{
    ClientLogin, ClientStep, Identity, LoginError, MAX_PACKET, Refusal, ServerInfo,
};
use tidegate_wire::version::{ServerKind, ServerVersion};
use tidegate_wire::{Caps, Command, ReplyTracker, Shape};

use crate::backend::{About, Backend, Owed, OwedTo, State};
use crate::compression;
use crate::fault::SessionFault;
use crate::history::Entry;
use crate::ids::{BackendId, Side, Token};
use crate::key::KeyRef;
use crate::output::{Errand, Level, Op, Wanted};
use crate::question::{Question, WorkOrder};
use crate::session::{CONNECT_TIMEOUT, Cx, Session};
use crate::tally::Tally;
use crate::time::Instant;
use crate::world::ServerView;
use std::time::Duration;
use tidegate_wire::reply::OK;

/// Tells the orders of connections from the questions of the client's dialogues.
const ORDER: u32 = 1 << 31;

impl Session {
    /// Begins to open a connection, unless it is open or on its way.
    pub(crate) fn open(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let paused = self.client_backlogged;
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        let back = matches!(backend.state, State::Lent);
        if back {
            backend.state = State::Connecting;
        } else if matches!(backend.state, State::Closed) {
            backend.reset(State::Connecting);
        } else {
            return;
        }
        let fresh = back && !backend.stale;
        backend.paused = paused;
        backend.opened = cx.now;
        let server = backend.server;
        let timeout = self.connect_timeout(id, cx);
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        backend.deadline = Some(cx.now.after(timeout));
        let Tally {
            server: shard,
            target,
        } = &backend.tally;
        shard.connections.add(1);
        shard.total_connections.add(u64::from(!back));
        if let Some(view) = cx.servers.get(server) {
            let open = view.counters.now(|shard| &shard.connections);
            shard.max_connections.raise(open);
        }
        target.connections.add(1);
        target.total_connections.add(u64::from(!back));
        target.opened_us.add(cx.now.0);
        self.nearer = true;
        let own = self.owner(id).filter(|_| fresh);
        let fit = cx.servers.get(server).and_then(|view| self.fit(view));
        cx.out.errand(Errand::Connect(Wanted {
            backend: id,
            server,
            fit,
            own,
            waits: self.lending.is_some(),
        }));
        if paused {
            cx.out.push(Op::Pause(Side::Backend(id)));
        }
    }

    /// How long a connection may take until it is usable.
    pub(crate) fn connect_timeout(&self, id: BackendId, cx: &Cx<'_>) -> Duration {
        self.backend(id)
            .and_then(|backend| cx.servers.get(backend.server))
            .and_then(|view| view.connect_timeout)
            .unwrap_or(CONNECT_TIMEOUT)
    }

    /// The socket is connected: the server speaks first, but for a PROXY header.
    pub(crate) fn connected(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let server = self.backend(id).map(|backend| backend.server);
        let view = server.and_then(|server| cx.servers.get(server));
        let tls = view.is_some_and(|view| view.tls);
        let compression = view.and_then(|view| view.compression);
        let guise = self.guise(view);
        let schema = self.client.database.clone();
        let Some(mut identity) = self.identity(view) else {
            return;
        };
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        if matches!(backend.state, State::Connecting) {
            identity.caps = identity.caps | compression::asked(compression);
            if tls {
                identity.caps = identity.caps | Caps::SSL;
                identity.private = true;
            }
            if backend.lent {
                backend.begin_anew();
            }
            backend.guise = guise;
            backend.login_schema = schema;
            backend.state = State::Login(Box::new(ClientLogin::new(identity)));
            self.send_header(id, cx);
        }
    }

    /// Who the session is to this server, in the words of its login. `None` for the server: to one that
    /// can do no more than any.
    pub(crate) fn identity(&self, view: Option<&ServerView>) -> Option<Identity> {
        let who = self.client.identity.as_ref()?;
        let service = self.service_login(view);
        let mut identity = match (service, &who.at_servers) {
            (Some(service), _) => Identity::new(&service.user, service.secret.clone()),
            (None, Some(other)) => Identity::new(&other.user, other.secret.clone()),
            (None, None) => Identity::new(&who.user, who.secret.clone()),
        };
        // As in MaxScale: servers that want the password itself get it, and the log a warning.
        identity.allow_cleartext = true;
        if service.is_none() {
            // The service need not have any privilege on it.
            identity.database.clone_from(&self.client.database);
        }
        identity.caps = self.server_caps();
        identity.collation = who.collation;
        identity.attrs = who.attributes.clone();
        Some(identity)
    }

    /// What is asked of servers: what the client has, and session tracking in any case.
    pub(crate) fn server_caps(&self) -> Caps {
        Caps::towards_server(self.client.caps)
    }

    /// The login dialogue's packets, each whole.
    pub(crate) fn login_bytes(&mut self, id: BackendId, run: &mut [u8], cx: &mut Cx<'_>) -> usize {
        let mut at = 0;
        while at < run.len() {
            let in_login = self.backend(id).is_some_and(|backend| {
                matches!(
                    backend.state,
                    State::Login(_) | State::Switching(_) | State::Reusing(_)
                )
            });
            if !in_login {
                return at
                    + self.backend_bytes(
                        id,
                        run.get_mut(at..).unwrap_or_default(),
                        &mut Cx {
                            digests: cx.digests,
                            out: cx.out,
                            ..*cx
                        },
                    );
            }
            let rest = run.get(at..).unwrap_or_default();
            let split = match split_packet(rest, MAX_PACKET) {
                Ok(Some(split)) => split,
                Ok(None) => break,
                Err(error) => {
                    self.login_broken(id, &LoginError::from(error), cx);
                    return run.len();
                }
            };
            at += split.consumed;
            self.login_packet(id, &split.payload, split.last_seq, cx);
            if self.is_over() {
                return run.len();
            }
        }
        at
    }

    fn login_packet(&mut self, id: BackendId, payload: &[u8], seq: u8, cx: &mut Cx<'_>) {
        if let Some(backend) = self.backend_mut(id)
            && backend.skip > 0
        {
            backend.skip -= 1;
            if payload.first() != Some(&OK) {
                let error = LoginError::Unexpected {
                    due: "the end of a role",
                    first: payload.first().copied().unwrap_or_default(),
                };
                self.login_broken(id, &error, cx);
            }
            return;
        }
        let Some(Backend {
            state: State::Login(login) | State::Switching(login) | State::Reusing(login),
            ..
        }) = self.backend_mut(id)
        else {
            return;
        };
        let mut step = Ok(ClientStep::NeedMore);
        cx.out.send_with(Side::Backend(id), |own| {
            step = login.on_packet(payload, seq, own)
        });
        match step {
            Ok(ClientStep::NeedMore) => {}
            Ok(ClientStep::StartTls) => cx.out.push(Op::StartTls(Side::Backend(id))),
            Ok(ClientStep::Work(work)) => self.order_for_backend(id, *work, cx),
            Ok(ClientStep::Done { server, .. }) => self.logged_in(id, *server, cx),
            Ok(ClientStep::Refused(refusal)) => self.login_refused(id, refusal, cx),
            Err(error) => self.login_broken(id, &error, cx),
        }
    }

    /// Has somebody do what the login to a server needs.
    fn order_for_backend(&mut self, id: BackendId, work: Work, cx: &mut Cx<'_>) {
        self.client.orders = self.client.orders.wrapping_add(1);
        let token = Token(ORDER | self.client.orders);
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        backend.order = Some(token);
        let order = WorkOrder {
            listener: Arc::clone(&self.listener),
            user: Vec::new(),
            address: self.client.address.clone(),
            work,
        };
        cx.out.errand(Errand::Ask {
            token,
            question: Question::Work(Box::new(order)),
        });
    }

    /// A connection that waits for `token` goes on with what came of its order.
    pub(crate) fn backend_work_answered(&mut self, token: Token, done: Done, cx: &mut Cx<'_>) {
        let waits = |id: &BackendId| {
            self.backend(*id)
                .is_some_and(|backend| backend.order == Some(token))
        };
        let Some(id) = self.backend_ids().find(waits) else {
            return;
        };
        let Some(Backend {
            state: State::Login(login) | State::Switching(login) | State::Reusing(login),
            order,
            ..
        }) = self.backend_mut(id)
        else {
            return;
        };
        *order = None;
        let mut worked = Ok(());
        cx.out.send_with(Side::Backend(id), |own| {
            worked = login.worked(done, own);
        });
        if let Err(error) = worked {
            self.login_broken(id, &error, cx);
        }
    }

    fn login_refused(&mut self, id: BackendId, refusal: Refusal, cx: &mut Cx<'_>) {
        if let Some(backend) = self.backend(id) {
            backend.tally.server.failed_logins.add(1);
        }
        let fault = SessionFault::ServerLogin {
            server: self.server_name(id, cx),
            code: refusal.code,
            sqlstate: refusal.sqlstate,
            text: String::from_utf8_lossy(&refusal.message).into_owned(),
        };
        // Too many connections and the like pass; a refused identity does not.
        let for_good = !matches!(refusal.code, 1040 | 1129 | 1203 | 1226);
        self.lose(id, fault, for_good, cx);
    }

    fn login_broken(&mut self, id: BackendId, error: &LoginError, cx: &mut Cx<'_>) {
        if self.open_instead(id, cx) {
            return;
        }
        let server = self.server_name(id, cx);
        let unanswered = matches!(
            error,
            LoginError::UnsupportedPlugin(_)
                | LoginError::CannotAnswer { .. }
                | LoginError::Work(_)
        );
        let fault = if unanswered {
            SessionFault::ServerLogin {
                server,
                code: 1045,
                sqlstate: *b"28000",
                text: error.to_string(),
            }
        } else {
            SessionFault::ServerProtocol {
                server,
                reason: format!("login: {error}"),
            }
        };
        self.lose(id, fault, unanswered, cx);
    }

    /// The server let the session in, or took its new identity.
    pub(crate) fn logged_in(&mut self, id: BackendId, server: ServerInfo, cx: &mut Cx<'_>) {
        let name = self.server_name(id, cx);
        let fresh = self
            .backend(id)
            .is_some_and(|backend| matches!(backend.state, State::Login(_)));
        if fresh {
            self.begin_backend_compression(id, server.caps, cx);
        }
        let missing = self
            .client
            .caps
            .intersection(format_caps())
            .difference(server.caps);
        if missing != Caps::empty() {
            let reason = "it cannot speak the dialect that was agreed with the client".to_owned();
            self.lose(
                id,
                SessionFault::ServerLost {
                    server: name,
                    reason,
                },
                true,
                cx,
            );
            return;
        }
        let history = self.needs.history;
        if history && !self.recoverable() && !self.is_switching(id) {
            let reason = "its session's state is not known any more".to_owned();
            let fault = SessionFault::ServerLost {
                server: name,
                reason,
            };
            self.lose(id, fault, false, cx);
            return;
        }
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        let switched = matches!(backend.state, State::Switching(_));
        let bared = match &backend.state {
            State::Login(login) | State::Switching(login) | State::Reusing(login) => {
                login.bared_password()
            }
            _ => false,
        };
        backend.caps = server.caps;
        backend.thread_id = u64::from(server.thread_id);
        backend.tracker = tracker(server.caps, history);
        backend.state = State::Replaying;
        let version = version(&server.version);
        let mysql = version.kind() != ServerKind::MariaDb;
        backend.version = u64::from(version.number());
        backend.mysql_family = mysql;
        backend.tells_gtids = false;
        backend.info = Some(Box::new(server));
        let turns = self.turn_into_client(id, switched, cx);
        let thread = self.backend(id).map_or(0, |backend| backend.thread_id);
        self.log(Level::Info, cx, || {
            format!("connected to server '{name}', its connection id is {thread}")
        });
        if bared {
            self.log(Level::Warning, cx, || {
                format!("server '{name}' was sent the password over a connection without TLS")
            });
        }
        if !turns || planted!(TurnNotAwaited) {
            self.furnish(id, switched, cx);
        }
    }

    /// The connection is the client's: it is told the session's state. `switched`: a COM_CHANGE_USER of
    /// the client's is over with it.
    pub(crate) fn furnish(&mut self, id: BackendId, switched: bool, cx: &mut Cx<'_>) {
        self.send_own(id, cx);
        let fresh = self
            .backend(id)
            .is_some_and(|backend| matches!(backend.state, State::Replaying));
        if fresh && self.needs.history {
            self.replay_history(id, cx);
            self.say_next_transaction(id, cx);
        }
        self.user_taken(id, switched, cx);
        self.replay_progress(id, cx);
    }

    /// Our own settings, and what every connection begins with.
    fn send_own(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        if self.needs.history {
            self.send_setup(id, cx);
        }
        self.send_init(id, cx);
    }

    /// Can the history rebuild the session's state on a new connection? Where nothing was set nothing
    /// has to be rebuilt.
    #[inline]
    pub(crate) fn recoverable(&self) -> bool {
        self.history.recoverable() || self.last_seq == 0
    }

    fn is_switching(&self, id: BackendId) -> bool {
        self.backend(id)
            .is_some_and(|backend| matches!(backend.state, State::Switching(_)))
    }

    /// Our own settings, as the connection's next statement.
    pub(crate) fn send_setup(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let positions = self.needs.positions;
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        let payload = crate::setup::statement(backend.version, backend.mysql_family, positions);
        backend.tell(id, Shape::Query, &payload, Owed::to(OwedTo::Setup), cx);
    }

    /// What every connection of the listener's sessions begins with.
    fn send_init(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let terms = Arc::clone(&self.client.terms);
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        for (index, text) in terms.init.iter().enumerate() {
            let payload = [&[Command::Query.byte()], text.as_bytes()].concat();
            let owed = Owed::to(OwedTo::Init { index });
            backend.tell(id, Shape::Query, &payload, owed, cx);
        }
    }

    /// The history, in one go: each command under the default database it was issued under, and at
    /// the end the session's own.
    fn replay_history(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let Some(backend) = self.backends.get_mut(usize::from(id.0)) else {
            return;
        };
        let mut schema = backend.login_schema.take();
        let mut schema_pending = false;
        let mut undone = false;
        let skipped = usize::from(planted!(HistoryEntrySkipped));
        for entry in self.history.entries().skip(skipped) {
            if entry.key.needs_schema()
                && let Some(needed) = entry.schema
                && schema.as_deref() != Some(needed)
            {
                use_schema(backend, id, needed, cx);
                schema = Some(needed.to_vec());
            }
            if entry.key == KeyRef::Schema {
                schema = entry.schema.map(<[u8]>::to_vec);
                schema_pending |= entry.ok.is_none();
            }
            let to = match entry.ok {
                Some(ok) => OwedTo::Replay { ok },
                // It is being answered just now, and must end here as it does there.
                None => OwedTo::Compare { seq: entry.seq },
            };
            if let OwedTo::Compare { seq } = to {
                self.verdicts.join(seq);
            }
            repeat(backend, id, &entry, to, cx);
            undone |= !entry.rest.is_empty() || crate::setup::may_be_undone_by(entry.payload);
        }
        if !schema_pending
            && let Some(needed) = self.client.database.as_deref()
            && schema.as_deref() != Some(needed)
        {
            use_schema(backend, id, needed, cx);
        }
        if undone {
            self.send_setup(id, cx);
        }
    }

    /// One more of the connection's preparations is done; after the last it is open.
    pub(crate) fn replay_progress(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        let paused = self.client_backlogged;
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        let prepares = |to: OwedTo| {
            matches!(
                to,
                OwedTo::Replay { .. } | OwedTo::Setup | OwedTo::Init { .. } | OwedTo::Guise
            )
        };
        let preparing = backend.owed.iter().any(|owed| prepares(owed.to));
        if matches!(backend.state, State::Replaying) && !preparing {
            backend.state = State::Ready;
            backend.has_served = true;
            backend.lent = false;
            backend.deadline = None;
            backend.paused = paused;
            self.moved = true;
        }
        let _ = cx;
    }

    /// COM_RESET_CONNECTION succeeded on the connection that answers: everything that was tied to
    /// the old state is forgotten, and our own settings are made again everywhere.
    pub(crate) fn state_reset(&mut self, answered: BackendId, cx: &mut Cx<'_>) {
        let _ = answered;
        self.forget_state();
        for id in self.backend_ids() {
            let Some(backend) = self.backend_mut(id) else {
                continue;
            };
            if !backend.takes_commands() {
                continue;
            }
            backend.stmts.clear();
            // Whether the server has gone back to the service's account is not asked.
            if self.turn_into_client(id, false, cx) {
                self.is_made_anew(id);
            } else {
                self.send_own(id, cx);
            }
        }
    }

    /// The connection takes no commands before it has been furnished.
    fn is_made_anew(&mut self, id: BackendId) {
        let schema = self.client.database.clone();
        if let Some(backend) = self.backend_mut(id) {
            backend.state = State::Replaying;
            backend.login_schema = schema;
        }
    }

    /// The session's state is as after the login.
    pub(crate) fn forget_state(&mut self) {
        if !planted!(ResetKeepsHistory) {
            self.history.clear();
        }
        self.forget_lending();
        self.stmts.clear();
        if let Some(replay) = &mut self.replay {
            // A transaction that was to be repeated is none any more; what was agreed in it counts.
            if let Some(caps) = replay.agreed() {
                self.client.caps = caps;
            }
            replay.forget();
        }
        self.client.wishes = crate::wishes::Wishes::default();
        self.trx = tidegate_sql::TrxTracker::new();
        self.next_trx.clear();
        self.modes = tidegate_sql::Modes {
            mysql_family: self.modes.mysql_family,
            ..tidegate_sql::Modes::default()
        };
        for node in &mut self.nodes {
            if let Some(router) = &mut node.router {
                router.reset();
            }
            for slot in &mut node.filters {
                slot.session.reset();
            }
        }
        for slot in &mut self.own_filters {
            slot.session.reset();
        }
    }

    /// A server's name, for texts.
    pub(crate) fn server_name(&self, id: BackendId, cx: &Cx<'_>) -> String {
        self.backend(id)
            .and_then(|backend| cx.servers.get(backend.server))
            .map_or_else(|| "?".to_owned(), |view| view.name.to_string())
    }

    /// The earliest time at which a connection must be usable.
    pub(crate) fn connect_deadline(&self) -> Option<Instant> {
        self.backends
            .iter()
            .filter_map(|backend| backend.deadline)
            .min()
    }
}

/// Writes a command of the history to a connection.
fn repeat(backend: &mut Backend, id: BackendId, entry: &Entry<'_>, to: OwedTo, cx: &mut Cx<'_>) {
    let Some(command) = entry.payload.first().copied().and_then(Command::from_byte) else {
        return;
    };
    let about = match entry.key {
        KeyRef::Statement(stmt) => About::Preparing(stmt),
        _ => About::Else,
    };
    backend.expect(command.reply_shape(), entry.len(), Owed { to, about });
    if to.is_command() {
        backend.begin_operation(cx.now);
    }
    cx.out.send_with(Side::Backend(id), |own| {
        frame_with(own, &mut 0, |own| {
            own.extend_from_slice(entry.payload);
            entry
                .rest
                .iter()
                .for_each(|piece| own.extend_from_slice(piece));
        });
    });
}

/// Changes the default database of a connection that is being prepared.
pub(crate) fn use_schema(backend: &mut Backend, id: BackendId, name: &[u8], cx: &mut Cx<'_>) {
    let payload = [&[Command::InitDb.byte()], name].concat();
    backend.tell(id, Shape::Ok, &payload, Owed::to(OwedTo::Setup), cx);
}

/// What follows a connection's replies; the definitions in them too, where a statement is on several
/// connections.
pub(crate) fn tracker(caps: Caps, history: bool) -> ReplyTracker {
    let tracker = ReplyTracker::new(caps);
    if history {
        tracker.telling_definitions()
    } else {
        tracker
    }
}

/// Capabilities that change what replies look like: a server must have what the client was told.
fn format_caps() -> Caps {
    Caps::DEPRECATE_EOF
        | Caps::CACHE_METADATA
        | Caps::EXTENDED_METADATA
        | Caps::PROGRESS
        | Caps::STMT_BULK_OPERATIONS
}

/// A server's version, as its greeting tells it.
fn version(text: &[u8]) -> ServerVersion {
    ServerVersion::new(&String::from_utf8_lossy(text))
}

/// Is it the version of a MariaDB server?
pub(crate) fn is_mariadb(text: &[u8]) -> bool {
    version(text).kind() == ServerKind::MariaDb
}
