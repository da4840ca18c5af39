//! A session at rest as bytes, and back: how a session is handed to another worker or process.
//!
//! References become names, times become offsets from now. The proof of the client's password
//! enters the encoding on purpose, and only here. What belongs to the transport (sockets, TLS,
//! unsent bytes) is the caller's to hand over.

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_sql::{Modes, Multibyte};
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::native::Proof;
use tidegate_wire::auth::{Nonces, Secret};
use tidegate_wire::login::ServerInfo;
use tidegate_wire::{Caps, Status};

use crate::backend::{Backend, State};
use crate::cause::Cause;
use crate::chain::{FilterSlot, TreeNeeds, lay_out};
use crate::client::Identity;
use crate::encryption::{Encryption, PeerCertificate};
use crate::filter::Filter;
use crate::freeze::{Decoder, Encoder, FreezeError, VERSION};
use crate::guise::Guise;
use crate::history::History;
use crate::ids::{ServerId, SessionId};
use crate::origin::{Origin, Told};
use crate::question::{AtServers, ServiceLogin};
use crate::replay::Replay;
use crate::service::{LogSwitches, ServiceSpec};
use crate::session::{Birth, Env, GreetingFacts, Phase, Session};
use crate::stmts::{Statements, StmtMap};
use crate::tally::{Counting, Tally};
use crate::terms::Terms;
use crate::time::{Instant, WallTime};
use crate::wishes::{Transactions, Wishes};

/// What thawing needs from the new surroundings.
#[derive(Debug)]
pub struct Thawing<'a> {
    /// The service of that name in the new configuration.
    pub service: Arc<ServiceSpec>,
    /// Finds a filter of a session's own chain by its name.
    pub filter: &'a dyn Filters,
    /// Where its connection comes from: known from the socket.
    pub origin: Origin,
}

/// Finds filters by name.
pub trait Filters: std::fmt::Debug {
    /// The filter, if the configuration has it.
    fn named(&self, name: &str) -> Option<Arc<dyn Filter>>;
}

impl Session {
    /// The whole state, if the session is at rest after its login.
    #[must_use]
    pub fn freeze(&self, now: Instant) -> Option<Vec<u8>> {
        let identity = self.client.identity.as_ref()?;
        let awaits = self.next_filters.is_some() || self.next_service.is_some();
        if !self.at_rest() || !self.has_login() || awaits {
            return None;
        }
        let mut into = Encoder::default();
        into.u32(VERSION);
        into.u64(self.id.0);
        into.bytes(self.service.name.as_bytes());
        into.bytes(self.listener.as_bytes());
        self.freeze_client(identity, now, &mut into);
        self.freeze_chain(&mut into);
        into.list(self.backends.iter(), |into, backend| {
            freeze_backend(into, backend, now);
        });
        self.history.freeze(&mut into);
        freeze_modes(self.modes, &mut into);
        self.stmts.freeze(&mut into);
        into.u16(self.trx.to_bits());
        into.list(self.next_trx.iter(), |into, said| into.bytes(said));
        into.option(self.replay.as_deref(), |into, replay| replay.freeze(into));
        into.u64(self.uses);
        into.u64(self.last_seq);
        freeze_switches(self.observe.switches, &mut into);
        self.observe.freeze(&mut into);
        into.option(self.kill_at, |into, at| {
            into.u64(at.since(now).as_micros() as u64)
        });
        into.option(self.drain, |into, cause| into.u8(cause as u8));
        self.freeze_lending(&mut into, now);
        Some(into.into_bytes())
    }

    fn freeze_client(&self, identity: &Identity, now: Instant, into: &mut Encoder) {
        let client = &self.client;
        into.bytes(&identity.user);
        freeze_secret(&identity.secret, into);
        into.option(identity.at_servers.as_ref(), |into, other| {
            into.bytes(&other.user);
            freeze_secret(&other.secret, into);
        });
        into.option(identity.as_service.as_deref(), |into, service| {
            into.bytes(&service.user);
            freeze_secret(&service.secret, into);
            into.bytes(service.becomes.as_bytes());
        });
        into.u16(identity.collation);
        into.list(identity.attributes.iter(), |into, (name, value)| {
            into.bytes(name);
            into.bytes(value);
        });
        into.u64(client.caps.bits());
        into.option(client.database.as_deref(), Encoder::bytes);
        into.option(client.wishes.variables.as_deref(), Encoder::bytes);
        into.u8(client.wishes.transactions as u8);
        into.flag(client.wishes.gtids);
        into.u64(now.since(client.started).as_micros() as u64);
        into.u64(client.connected.0 as u64);
        into.u64(now.since(client.connected_at).as_micros() as u64);
        into.u64(now.since(client.last_active).as_micros() as u64);
        into.bytes(&client.scramble);
        let (seed, made) = client.nonces.expose();
        into.bytes(seed);
        into.u32(made);
        into.u32(client.changes);
        into.u32(client.failed_changes);
        into.option(client.encryption.as_deref(), freeze_encryption);
        into.list(client.terms.init.iter(), |into, text| {
            into.bytes(text.as_bytes())
        });
        let told = client.address.socket();
        let told = told.filter(|_| client.told == Told::Address);
        into.option(told.map(|address| address.to_string()), |into, address| {
            into.bytes(address.as_bytes());
        });
    }

    fn freeze_chain(&self, into: &mut Encoder) {
        let freeze_slot = |into: &mut Encoder, slot: &FilterSlot| {
            into.bytes(slot.name.as_bytes());
            slot.session.freeze(into);
        };
        into.list(self.own_filters.iter(), freeze_slot);
        into.list(self.nodes.iter(), |into, node| {
            into.list(node.filters.iter(), freeze_slot);
            if let Some(router) = &node.router {
                router.freeze(into);
            }
        });
    }

    /// A session from its frozen state. The old session may be dropped only when this has succeeded.
    ///
    /// # Errors
    /// The encoding is of another version, damaged, or names what does not exist any more.
    pub fn thaw(
        bytes: &[u8],
        with: &Thawing<'_>,
        env: &mut Env<'_>,
    ) -> Result<Session, FreezeError> {
        let mut from = Decoder::new(bytes);
        let found = from.u32()?;
        if found != VERSION {
            return Err(FreezeError::Version { found });
        }
        let id = SessionId(from.u64()?);
        let name = from.text()?;
        if name != *with.service.name {
            return Err(FreezeError::Gone {
                what: "service",
                name,
            });
        }
        let birth = Birth {
            id,
            service: Arc::clone(&with.service),
            listener: from.text()?.into(),
            origin: with.origin.clone(),
            scramble: [0; 20],
            seed: [0; 32],
            plugin: tidegate_wire::auth::NATIVE,
            greeting: GreetingFacts {
                version: "".into(),
                caps: Caps::empty(),
                collation: 0,
                mysql_family: false,
                compression: tidegate_wire::compress::CompressionOffer::NONE,
                terms: Arc::default(),
            },
        };
        let mut session = Session::empty(&birth, env.now, env.wall, env.worker);
        session.thaw_client(&mut from, env.now)?;
        let service = Arc::clone(&session.service);
        let counting = Counting {
            servers: env.servers,
            worker: env.worker,
        };
        lay_out(
            &service,
            &mut session.nodes,
            &mut session.backends,
            None,
            0,
            counting,
        );
        session.thaw_chain(&mut from, with.filter)?;
        session.thaw_backends(&mut from, env.now)?;
        session.history = History::thaw(session.service.history, &mut from)?;
        session.modes = thaw_modes(&mut from)?;
        session.stmts = {
            let modes = &session.modes;
            Statements::thaw(&mut from, |text| tidegate_sql::classify(text, *modes))?
        };
        session.trx = tidegate_sql::TrxTracker::from_bits(from.u16()?);
        session.next_trx = from.list(|from| Ok(from.bytes()?.into()))?;
        let rules = crate::chain::replay_rules(&session.service);
        session.replay = rules.map(|rules| Box::new(Replay::new(rules)));
        let sync = crate::chain::sync_rules(&session.service);
        session.sync = sync.map(|rules| Box::new(crate::sync::Syncing::new(rules)));
        let mut unwanted = Replay::new(crate::replay::NOTHING);
        let replay = session.replay.as_deref_mut().unwrap_or(&mut unwanted);
        let limits = session.service.history;
        from.option(|from| replay.thaw(limits, from))?;
        session.uses = from.u64()?;
        session.last_seq = from.u64()?;
        session.observe.switches = thaw_switches(&mut from)?;
        session.observe.thaw(&mut from)?;
        session.kill_at = from
            .option(Decoder::u64)?
            .map(|micros| env.now.after(std::time::Duration::from_micros(micros)));
        session.drain = from.option(thaw_cause)?;
        session.needs = TreeNeeds::of(&session.nodes, &session.own_filters, session.client.caps);
        for backend in &mut session.backends {
            backend.tracker = crate::opening::tracker(backend.caps, session.needs.history);
        }
        session.thaw_lending(&mut from, env.now)?;
        from.finish()?;
        session.phase = Phase::Commands;
        session.tune(env.servers);
        // The servers may be others than those the old session last saw.
        session.look_for_spare.set(true);
        if !session.needs.reuses {
            session.stop_reusing(&mut env.cx());
        }
        session.find_digests(&mut env.cx());
        session.adopt();
        session.arm(env.now, env.out);
        Ok(session)
    }

    fn thaw_client(&mut self, from: &mut Decoder<'_>, now: Instant) -> Result<(), FreezeError> {
        let ago = |micros: u64| Instant(now.0.saturating_sub(micros));
        let user = from.bytes()?.to_vec();
        let secret = thaw_secret(from)?;
        let at_servers = from.option(|from| {
            Ok(AtServers {
                user: from.bytes()?.to_vec(),
                secret: thaw_secret(from)?,
            })
        })?;
        let as_service = from.option(|from| {
            Ok(Arc::new(ServiceLogin {
                user: from.bytes()?.to_vec(),
                secret: thaw_secret(from)?,
                becomes: from.text()?.into(),
            }))
        })?;
        let collation = from.u16()?;
        let attributes = from.list(|from| Ok((from.bytes()?.to_vec(), from.bytes()?.to_vec())))?;
        self.client.identity = Some(Identity {
            user,
            secret,
            at_servers,
            as_service,
            collation,
            attributes,
        });
        self.client.caps = Caps::from_bits(from.u64()?);
        self.client.database = from.option(Decoder::bytes)?.map(<[u8]>::to_vec);
        let variables = from.option(Decoder::bytes)?.map(<[u8]>::to_vec);
        let level = from.u8()?;
        let transactions = Transactions::numbered(level).ok_or(FreezeError::Value {
            what: "what is reported of transactions",
            value: level.into(),
        })?;
        self.client.wishes = Wishes {
            variables,
            transactions,
            gtids: from.flag()?,
        };
        self.client.started = ago(from.u64()?);
        self.client.connected = WallTime(from.u64()? as i64);
        self.client.connected_at = ago(from.u64()?);
        self.client.last_active = ago(from.u64()?);
        self.client.scramble = from.bytes()?.try_into().map_err(|_| FreezeError::Value {
            what: "a scramble's length",
            value: 0,
        })?;
        let seed = from.bytes()?.try_into().map_err(|_| FreezeError::Value {
            what: "a seed's length",
            value: 0,
        })?;
        self.client.nonces = Nonces::resume(seed, from.u32()?);
        self.client.changes = from.u32()?;
        self.client.failed_changes = from.u32()?;
        self.client.encryption = from.option(thaw_encryption)?.map(Arc::new);
        // What it was told when its login ended is told.
        self.client.terms = Arc::new(Terms {
            init: from.list(Decoder::text)?,
            metadata: Vec::new(),
        });
        self.client.told = Told::Nothing;
        if let Some(address) = from.option(Decoder::text)? {
            let address: SocketAddr = address.parse().map_err(|_| FreezeError::Value {
                what: "a client's address",
                value: 0,
            })?;
            self.client.address = address.into();
            self.client.told = Told::Address;
        }
        Ok(())
    }

    fn thaw_chain(
        &mut self,
        from: &mut Decoder<'_>,
        filters: &dyn Filters,
    ) -> Result<(), FreezeError> {
        let who = self.client.who(self.id, &self.service.name);
        let own = from.list(|from| {
            let name = from.text()?;
            let filter = filters.named(&name).ok_or(FreezeError::Gone {
                what: "filter",
                name,
            })?;
            thaw_slot(&*filter, &who, from)
        })?;
        let nodes = from.u64()?;
        if nodes != self.nodes.len() as u64 {
            return Err(FreezeError::Value {
                what: "the number of services",
                value: nodes,
            });
        }
        for ix in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(ix) else {
                continue;
            };
            let spec = Arc::clone(&node.spec);
            let who = self.client.who(self.id, &spec.name);
            let slots = from.list(|from| {
                let name = from.text()?;
                let filter = spec.filters.iter().find(|filter| filter.name() == name);
                let filter = filter.ok_or(FreezeError::Gone {
                    what: "filter",
                    name,
                })?;
                thaw_slot(&**filter, &who, from)
            })?;
            let router = spec.router.thaw(from)?;
            if let Some(node) = self.nodes.get_mut(ix) {
                node.filters = slots;
                node.router = Some(router);
            }
        }
        self.own_filters = own;
        Ok(())
    }

    fn thaw_backends(&mut self, from: &mut Decoder<'_>, now: Instant) -> Result<(), FreezeError> {
        let count = from.u64()?;
        if count != self.backends.len() as u64 {
            return Err(FreezeError::Value {
                what: "the number of connections",
                value: count,
            });
        }
        for backend in &mut self.backends {
            thaw_backend(backend, from, now)?;
        }
        Ok(())
    }

    /// The gauges follow the session to its new worker.
    fn adopt(&mut self) {
        self.counters.sessions.add(1);
        for backend in self
            .backends
            .iter()
            .filter(|backend| backend.is_connected())
        {
            let Tally { server, target } = &backend.tally;
            server.connections.add(1);
            target.connections.add(1);
            target.opened_us.add(backend.opened.0);
        }
    }

    /// Takes the gauges back when the session has been frozen and its sockets handed over.
    pub fn leave(&self, env: &Env<'_>) {
        self.counters.sessions.sub(1);
        self.give_back_connections(env.now);
    }
}

fn freeze_secret(secret: &Secret, into: &mut Encoder) {
    match secret {
        Secret::None => into.u8(0),
        Secret::Sha1(proof) => {
            into.u8(1);
            into.option(proof.expose(), |into, sha1| into.bytes(sha1));
        }
        Secret::Password(password) => {
            into.u8(2);
            into.bytes(password);
        }
        Secret::Codes { password, code } => {
            into.u8(3);
            into.bytes(password);
            into.bytes(code);
        }
        Secret::Untold => into.u8(4),
    }
}

fn thaw_secret(from: &mut Decoder<'_>) -> Result<Secret, FreezeError> {
    let text = |from: &mut Decoder<'_>| Ok(SecretBytes::new(from.bytes()?));
    Ok(match from.u8()? {
        0 => Secret::None,
        1 => match from.option(Decoder::bytes)?.map(<[u8; 20]>::try_from) {
            None => Secret::Sha1(Proof::empty()),
            Some(Ok(sha1)) => Secret::Sha1(Proof::from_sha1(sha1)),
            Some(Err(_)) => {
                return Err(FreezeError::Value {
                    what: "a proof's length",
                    value: 0,
                });
            }
        },
        2 => Secret::Password(text(from)?),
        3 => Secret::Codes {
            password: text(from)?,
            code: text(from)?,
        },
        4 => Secret::Untold,
        other => {
            return Err(FreezeError::Value {
                what: "a secret",
                value: u64::from(other),
            });
        }
    })
}

fn freeze_encryption(into: &mut Encoder, encryption: &Encryption) {
    into.bytes(encryption.cipher.as_bytes());
    into.option(encryption.certificate.as_ref(), |into, certificate| {
        into.bytes(certificate.subject.as_bytes());
        into.bytes(certificate.issuer.as_bytes());
    });
    into.option(encryption.shown.as_ref(), |into, print| into.bytes(print));
    into.flag(encryption.resumed);
}

fn thaw_encryption(from: &mut Decoder<'_>) -> Result<Encryption, FreezeError> {
    Ok(Encryption {
        cipher: from.text()?.into(),
        certificate: from.option(|from| {
            Ok(PeerCertificate {
                subject: from.text()?,
                issuer: from.text()?,
            })
        })?,
        shown: from
            .option(Decoder::bytes)?
            .and_then(|print| print.try_into().ok()),
        resumed: from.flag()?,
    })
}

fn thaw_cause(from: &mut Decoder<'_>) -> Result<Cause, FreezeError> {
    let value = from.u8()?;
    Cause::ALL
        .get(usize::from(value))
        .copied()
        .ok_or(FreezeError::Value {
            what: "a cause",
            value: u64::from(value),
        })
}

fn thaw_slot(
    filter: &dyn Filter,
    who: &crate::filter::Who<'_>,
    from: &mut Decoder<'_>,
) -> Result<FilterSlot, FreezeError> {
    let session = filter.thaw(who, from)?;
    Ok(FilterSlot {
        name: filter.name().into(),
        wants: session.wants(),
        session,
    })
}

fn freeze_backend(into: &mut Encoder, backend: &Backend, now: Instant) {
    into.u32(backend.server.0);
    into.u8(match backend.state {
        State::Failed => 1,
        State::Ready => 2,
        State::Lent => 3,
        State::Closed
        | State::Connecting
        | State::Login(_)
        | State::Replaying
        | State::Switching(_)
        | State::Reusing(_) => 0,
    });
    into.u64(backend.caps.bits());
    backend.stmts.freeze(into);
    into.u64(backend.thread_id);
    into.u64(backend.last_used);
    into.u64(now.since(backend.opened).as_micros() as u64);
    into.u64(backend.version);
    into.flag(backend.mysql_family);
    into.flag(backend.tells_gtids);
    into.flag(backend.generated);
    into.flag(backend.lost_insert_id);
    into.flag(backend.lost_previous);
    into.option(backend.guise.as_ref(), |into, guise| {
        into.bytes(guise.name().as_bytes());
    });
    into.option(backend.cipher.as_deref(), |into, cipher| {
        into.bytes(cipher.as_bytes());
    });
    into.option(backend.info.as_deref(), |into, info| {
        into.bytes(&info.version);
        into.u32(info.thread_id);
        into.u64(info.caps.bits());
        into.u64(info.offered.bits());
        into.u8(info.collation);
        into.u16(info.status.bits());
        into.bytes(&info.scramble);
    });
}

fn thaw_backend(
    backend: &mut Backend,
    from: &mut Decoder<'_>,
    now: Instant,
) -> Result<(), FreezeError> {
    let server = ServerId(from.u32()?);
    if server != backend.server {
        return Err(FreezeError::Value {
            what: "a server",
            value: u64::from(server.0),
        });
    }
    backend.state = match from.u8()? {
        0 => State::Closed,
        1 => State::Failed,
        2 => State::Ready,
        // Whoever has it now, it does not come back.
        3 => {
            (backend.lent, backend.stale) = (true, true);
            State::Lent
        }
        value => {
            return Err(FreezeError::Value {
                what: "a connection's state",
                value: u64::from(value),
            });
        }
    };
    backend.has_served = matches!(backend.state, State::Ready);
    backend.caps = Caps::from_bits(from.u64()?);
    backend.stmts = StmtMap::thaw(from)?;
    backend.thread_id = from.u64()?;
    backend.last_used = from.u64()?;
    backend.opened = Instant(now.0.saturating_sub(from.u64()?));
    backend.version = from.u64()?;
    backend.mysql_family = from.flag()?;
    backend.tells_gtids = from.flag()?;
    backend.generated = from.flag()?;
    backend.lost_insert_id = from.flag()?;
    backend.lost_previous = from.flag()?;
    backend.guise = from
        .option(Decoder::text)?
        .map(|name| Guise::of(name.into()));
    backend.cipher = from.option(Decoder::text)?.map(Arc::from);
    backend.info = from
        .option(|from| {
            Ok(ServerInfo {
                version: from.bytes()?.to_vec(),
                thread_id: from.u32()?,
                caps: Caps::from_bits(from.u64()?),
                offered: Caps::from_bits(from.u64()?),
                collation: from.u8()?,
                status: Status::from_bits(from.u16()?),
                scramble: from.bytes()?.try_into().map_err(|_| FreezeError::Value {
                    what: "a scramble's length",
                    value: 0,
                })?,
            })
        })?
        .map(Box::new);
    Ok(())
}

fn freeze_switches(switches: LogSwitches, into: &mut Encoder) {
    for flag in [
        switches.error,
        switches.warning,
        switches.notice,
        switches.info,
        switches.debug,
    ] {
        into.flag(flag);
    }
}

fn thaw_switches(from: &mut Decoder<'_>) -> Result<LogSwitches, FreezeError> {
    Ok(LogSwitches {
        error: from.flag()?,
        warning: from.flag()?,
        notice: from.flag()?,
        info: from.flag()?,
        debug: from.flag()?,
    })
}

pub(crate) fn freeze_modes(modes: Modes, into: &mut Encoder) {
    for flag in [
        modes.ansi_quotes,
        modes.no_backslash_escapes,
        modes.oracle,
        modes.mysql_family,
    ] {
        into.flag(flag);
    }
    into.u8(match modes.multibyte {
        Multibyte::None => 0,
        Multibyte::Gbk => 1,
        Multibyte::Gb18030 => 2,
        Multibyte::Big5 => 3,
        Multibyte::Sjis => 4,
    });
}

pub(crate) fn thaw_modes(from: &mut Decoder<'_>) -> Result<Modes, FreezeError> {
    Ok(Modes {
        ansi_quotes: from.flag()?,
        no_backslash_escapes: from.flag()?,
        oracle: from.flag()?,
        mysql_family: from.flag()?,
        multibyte: match from.u8()? {
            0 => Multibyte::None,
            1 => Multibyte::Gbk,
            2 => Multibyte::Gb18030,
            3 => Multibyte::Big5,
            4 => Multibyte::Sjis,
            value => {
                return Err(FreezeError::Value {
                    what: "a character set",
                    value: u64::from(value),
                });
            }
        },
    })
}
