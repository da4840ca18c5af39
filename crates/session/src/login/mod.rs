//! The client's dialogues: the login, and COM_CHANGE_USER, which is a login in mid-session.
//!
//! The account's data comes through a question; whatever is wrong with name, host or password
//! sounds the same to the client. Data that did not let the client in may be stale, so the
//! question is asked a second time before the answer is no.

mod judge;
mod proof;

use self::judge::Judge;
use tidegate_wire::auth::{Method, Nonces, certificate_proof};
use tidegate_wire::frame::split_packet;
use tidegate_wire::login::{
    ClientHello, ClientLogin, LoginError, MAX_PACKET, Secret, ServerLogin, ServerLoginConfig,
    ServerStep,
};
use tidegate_wire::reply::OkPacket;
use tidegate_wire::{Caps, Status};

use crate::backend::State;
use crate::cause::Cause;
use crate::chain::{TreeNeeds, lay_out, open_filters, replay_rules, sync_rules};
use crate::client::Identity;
use crate::commands::Taken;
use crate::compression;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::{BackendId, Side, Token};
use crate::origin::Told;
use crate::output::{Errand, Event, Level, Op};
use crate::question::{AccountAnswer, AccountQuery, Answer, Barred, Question};
use crate::replay::Replay;
use crate::session::{Birth, Cx, LOGIN_TIMEOUT, Phase, Session};
use crate::sync::Syncing;
use crate::tally::Counting;
use crate::time::Instant;

/// After so many failed COM_CHANGE_USER commands no further one is tried, as servers do: not in a
/// row, but in all, or a password could be guessed between changes to an account that is known.
const MAX_FAILED_CHANGES: u32 = 3;

/// A login or a change of user in progress.
#[derive(Debug)]
pub(crate) struct Dialogue {
    step: Step,
    hello: Option<Box<ClientHello>>,
    /// The account, once it is known.
    account: Option<AccountAnswer>,
    /// The data was asked for again because it did not let the client in.
    asked_again: bool,
    /// Why it did not.
    obstacle: Option<Obstacle>,
    /// COM_CHANGE_USER, not the login.
    change: bool,
    /// It must be over by then.
    deadline: Instant,
    token: Token,
}

#[derive(Debug)]
enum Step {
    /// The client's next packet.
    Client(ServerLogin),
    /// TLS. What comes before it stands is not the client's word: it is not looked at.
    Tls(ServerLogin),
    /// The answer to our question; the client's packets wait.
    Answer(ServerLogin),
    /// What comes of a piece of work; the client's packets wait.
    Work(ServerLogin),
    /// A server's acceptance of the user.
    Server { login: ServerLogin, judge: Judge },
    /// Between two of these, within one call.
    Moving,
}

/// What stands in a client's way.
#[derive(Debug, Clone)]
enum Obstacle {
    /// It is not who it says, or nobody knows whom it names: the client hears the same. For the log.
    Unproven(String),
    /// Nobody's word can be checked; the client hears the same again. For the log.
    Unready(String),
    /// It is who it says.
    Barred(Barred),
}

impl Session {
    /// What the service's routers cannot have their clients use.
    fn caps_withheld(&self) -> Caps {
        if replay_rules(&self.service).is_some() {
            // Two servers that give the same answer must give the same packets.
            Caps::CACHE_METADATA.union(Caps::PROGRESS)
        } else {
            Caps::empty()
        }
    }

    /// Sends the greeting.
    pub(crate) fn greet(&mut self, birth: &Birth, cx: &mut Cx<'_>) {
        let config = ServerLoginConfig {
            version: birth.greeting.version.as_bytes().to_vec(),
            conn_id: u32::try_from(birth.id.0 & u64::from(u32::MAX)).unwrap_or_default(),
            scramble: birth.scramble,
            collation: birth.greeting.collation,
            caps_offered: birth
                .greeting
                .caps
                .difference(self.caps_withheld())
                .union(compression::offered(birth.greeting.compression)),
            default_plugin: birth.plugin.to_vec(),
            nonces: {
                self.client.nonces = Nonces::new(birth.seed);
                Nonces::new(self.client.nonces.take())
            },
        };
        self.client.scramble = birth.scramble;
        self.client.compression = birth.greeting.compression;
        self.client.terms = std::sync::Arc::clone(&birth.greeting.terms);
        self.modes.mysql_family = birth.greeting.mysql_family;
        let mut login = None;
        cx.out.send_with(Side::Client, |own| {
            login = Some(ServerLogin::start(config, own));
        });
        let Some(login) = login else { return };
        self.phase = Phase::Dialogue(Box::new(Dialogue {
            step: Step::Client(login),
            hello: None,
            account: None,
            asked_again: false,
            obstacle: None,
            change: false,
            deadline: cx.now.after(LOGIN_TIMEOUT),
            token: Token(0),
        }));
    }

    /// The time by which the dialogue must be over.
    pub(crate) fn dialogue_deadline(&self) -> Option<Instant> {
        match &self.phase {
            // A server has its own deadline, and its own fault.
            Phase::Dialogue(dialogue) if matches!(dialogue.step, Step::Server { .. }) => None,
            Phase::Dialogue(dialogue) => Some(dialogue.deadline),
            Phase::Commands | Phase::Over(_) => None,
        }
    }

    /// The number of the dialogue's next packet to the client, behind the one that is due from it.
    pub(crate) fn dialogue_seq(&self) -> Option<u8> {
        let Phase::Dialogue(dialogue) = &self.phase else {
            return None;
        };
        Some(match &dialogue.step {
            Step::Client(login) | Step::Tls(login) => login.seq().wrapping_add(1),
            Step::Answer(login) | Step::Work(login) | Step::Server { login, .. } => login.seq(),
            Step::Moving => 2,
        })
    }

    pub(crate) fn dialogue_bytes(&mut self, run: &[u8], cx: &mut Cx<'_>) -> Taken {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return Taken::Hold;
        };
        if !matches!(dialogue.step, Step::Client(_)) {
            return Taken::Hold;
        }
        if let Told::NotYet { allowed } = self.client.told
            && let Some(taken) = self.take_header(run, allowed, cx)
        {
            return taken;
        }
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return Taken::Hold;
        };
        let split = match split_packet(run, MAX_PACKET) {
            Ok(Some(split)) => split,
            Ok(None) => return Taken::More,
            Err(error) => {
                self.dialogue_broken(&LoginError::from(error), cx);
                return Taken::Bytes(run.len());
            }
        };
        let Step::Client(login) = std::mem::replace(&mut dialogue.step, Step::Moving) else {
            return Taken::Hold;
        };
        match login.on_packet(&split.payload, split.last_seq) {
            Ok(ServerStep::StartTls(login)) => {
                dialogue.step = Step::Tls(login);
                cx.out.push(Op::StartTls(Side::Client));
            }
            Ok(ServerStep::Identify(login, hello)) => {
                dialogue.hello = Some(hello);
                dialogue.step = Step::Answer(login);
                self.ask_account(false, cx);
            }
            Ok(ServerStep::Answered(login)) => self.prove(login, ServerLogin::go_on, cx),
            Err(error) => self.dialogue_broken(&error, cx),
        }
        Taken::Bytes(split.consumed)
    }

    /// TLS stands: the client's next packet may come.
    pub(crate) fn dialogue_encrypted(&mut self) {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        dialogue.step = match std::mem::replace(&mut dialogue.step, Step::Moving) {
            Step::Tls(login) => Step::Client(login),
            other => other,
        };
        self.moved = true;
    }

    fn dialogue_broken(&mut self, error: &LoginError, cx: &mut Cx<'_>) {
        let reply = error.client_reply();
        let reply = ErrReply::new(
            reply.code,
            &reply.sqlstate,
            String::from_utf8_lossy(reply.message).into_owned(),
        );
        let fault = SessionFault::LoginRefused {
            reason: error.to_string(),
            reply,
        };
        self.client.seq = 2;
        self.finish(Cause::ClientProtocol, Some(&fault), cx);
    }

    fn ask_account(&mut self, after_failure: bool, cx: &mut Cx<'_>) {
        let service = std::sync::Arc::clone(&self.service.name);
        let listener = std::sync::Arc::clone(&self.listener);
        let address = self.client.address.clone();
        let tls = self.client.encryption.clone();
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        let Some(hello) = &dialogue.hello else { return };
        dialogue.token = Token(dialogue.token.0.wrapping_add(1));
        let query = AccountQuery {
            service,
            listener,
            user: hello.user.clone(),
            address,
            database: hello.database.clone(),
            tls,
            handles_expired: hello.caps.contains(Caps::CAN_HANDLE_EXPIRED_PASSWORDS),
            after_failure,
        };
        cx.out.errand(Errand::Ask {
            token: dialogue.token,
            question: Question::Account(Box::new(query)),
        });
    }

    pub(crate) fn answered(&mut self, token: Token, answer: Answer, cx: &mut Cx<'_>) {
        match answer {
            Answer::Account(account) => self.account_answered(token, account, cx),
            Answer::Work(done) => self.work_answered(token, done, cx),
            Answer::Known { done, at_servers } => {
                if let Phase::Dialogue(dialogue) = &mut self.phase
                    && let Some(AccountAnswer::Found(found)) = &mut dialogue.account
                    && dialogue.token == token
                {
                    found.at_servers.get_or_insert(at_servers);
                }
                self.work_answered(token, done, cx);
            }
            Answer::Kill(answer) => self.kill_answered(answer, cx),
        }
    }

    /// Who the client says it is, or has proven to be, as servers show it.
    fn named_client(&self) -> String {
        let said = match &self.phase {
            Phase::Dialogue(dialogue) => dialogue.hello.as_ref().map(|hello| hello.user.as_slice()),
            Phase::Commands | Phase::Over(_) => None,
        };
        let known = self.client.identity.as_ref().map(|who| who.user.as_slice());
        let user = String::from_utf8_lossy(said.or(known).unwrap_or_default());
        format!("'{user}'@'{}'", self.client.address.host())
    }

    /// A switchover that makes servers read-only does not stop such a client from writing.
    fn warn_of_super_user(&mut self, cx: &mut Cx<'_>) {
        let who = self.named_client();
        self.log(Level::Warning, cx, || {
            format!(
                "login of {who}, whose account has SUPER: servers take its writes although they are read-only"
            )
        });
    }

    fn refuse_login(&mut self, login: ServerLogin, reply: ErrReply, reason: &str, cx: &mut Cx<'_>) {
        let change = matches!(&self.phase, Phase::Dialogue(dialogue) if dialogue.change);
        if !change {
            return self.refuse_for_good(login, reply, reason, cx);
        }
        self.note_refusal(reason, cx);
        self.client.seq = login.seq();
        self.client.failed_changes += 1;
        self.phase = Phase::Commands;
        self.send_error(&reply, cx);
        self.client.seq = 0;
        self.observe.completed(cx.wall, None);
        self.client.last_active = cx.now;
        self.moved = true;
    }

    /// The same, and that is the session's end.
    fn refuse_for_good(
        &mut self,
        login: ServerLogin,
        reply: ErrReply,
        reason: &str,
        cx: &mut Cx<'_>,
    ) {
        self.note_refusal(reason, cx);
        self.client.seq = login.seq();
        let reason = reason.to_owned();
        let fault = SessionFault::LoginRefused { reason, reply };
        self.fail(&fault, cx);
    }

    fn note_refusal(&mut self, reason: &str, cx: &mut Cx<'_>) {
        if self.service.login_log.refusals {
            self.log_event(Event::AuthenticationFailure, reason, cx);
        }
        self.counters.failed_auths.add(1);
    }

    /// The client is who it says.
    fn granted(&mut self, login: ServerLogin, secret: Secret, cx: &mut Cx<'_>) {
        let Phase::Dialogue(dialogue) = &mut self.phase else {
            return;
        };
        let Some(hello) = dialogue.hello.take() else {
            return;
        };
        let change = dialogue.change;
        let mut found = match &mut dialogue.account {
            Some(AccountAnswer::Found(found)) => Some(found),
            Some(
                AccountAnswer::Denied { .. }
                | AccountAnswer::Refused(_)
                | AccountAnswer::Unready(_)
                | AccountAnswer::Unchanged,
            )
            | None => None,
        };
        let is_super = found.as_ref().is_some_and(|found| found.is_super);
        let servers_decide = found.as_ref().is_some_and(|found| found.servers_decide);
        let at_servers = found.as_mut().and_then(|found| found.at_servers.take());
        let as_service = found.and_then(|found| found.as_service.take());
        let before = self
            .client
            .identity
            .as_ref()
            .map_or(45, |identity| identity.collation);
        self.client.identity = Some(Identity {
            user: hello.user,
            secret,
            at_servers,
            as_service,
            collation: hello.collation.unwrap_or(before),
            attributes: hello.attrs,
        });
        self.client.database = hello.database;
        if !servers_decide {
            self.login_ended(true, cx);
        }
        if is_super && self.service.login_log.super_users {
            self.warn_of_super_user(cx);
        }
        if change {
            self.change_servers(login, servers_decide, cx);
            return;
        }
        self.client.caps = hello.caps;
        let zstd_level = hello.zstd_level;
        self.client.connected = cx.wall;
        self.client.connected_at = cx.now;
        self.client.last_active = cx.now;
        match self.begin_service(cx) {
            Ok(()) if servers_decide => {
                let judge = Judge::First { zstd_level };
                self.await_judge(login, judge);
                self.judge_missing(cx);
            }
            Ok(()) => {
                self.welcome(login, cx);
                self.begin_compression(zstd_level, cx);
            }
            Err(fault) => {
                self.client.seq = login.seq();
                self.fail(&fault, cx);
            }
        }
    }

    /// Makes the tree of services, filters and routers, and begins to open the connections that
    /// routers want at once.
    fn begin_service(&mut self, cx: &mut Cx<'_>) -> Result<(), SessionFault> {
        self.make_tree(true, cx).map(drop)
    }

    /// The same, but the connections are opened only if `open`. Returns which they are.
    pub(crate) fn make_tree(
        &mut self,
        open: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<BackendId>, SessionFault> {
        let mut wanted = Vec::new();
        let service = std::sync::Arc::clone(&self.service);
        let counting = Counting {
            servers: cx.servers,
            worker: cx.worker,
        };
        lay_out(
            &service,
            &mut self.nodes,
            &mut self.backends,
            None,
            0,
            counting,
        );
        for ix in 0..self.nodes.len() {
            let Some(spec) = self
                .nodes
                .get(ix)
                .map(|node| std::sync::Arc::clone(&node.spec))
            else {
                continue;
            };
            let who = self.client.who(self.id, &spec.name);
            let filters = open_filters(&spec.filters, &who).map_err(SessionFault::Module)?;
            if let Some(node) = self.nodes.get_mut(ix) {
                node.filters = filters;
            }
        }
        self.needs = TreeNeeds::of(&self.nodes, &self.own_filters, self.client.caps);
        self.replay = replay_rules(&service).map(|rules| Box::new(Replay::new(rules)));
        self.sync = sync_rules(&service).map(|rules| Box::new(Syncing::new(rules)));
        self.set_lending();
        // The services behind others first: what a router sees of them must exist.
        for ix in (0..self.nodes.len()).rev() {
            let Some(scene) = self.scene(ix, cx) else {
                continue;
            };
            let Some(spec) = self
                .nodes
                .get(ix)
                .map(|node| std::sync::Arc::clone(&node.spec))
            else {
                continue;
            };
            let (router, eager) = spec.router.start(&scene)?;
            if let Some(node) = self.nodes.get_mut(ix) {
                node.router = Some(router);
            }
            for target in eager.iter() {
                if let Some(crate::chain::Target::Backend(backend)) = self.target(ix, target) {
                    wanted.push(backend);
                    if open {
                        self.open(backend, cx);
                    }
                }
            }
        }
        Ok(wanted)
    }

    /// The OK that ends the login.
    fn welcome(&mut self, login: ServerLogin, cx: &mut Cx<'_>) {
        let proof = self.certificate_proof().unwrap_or_default();
        let change = matches!(&self.phase, Phase::Dialogue(dialogue) if dialogue.change);
        let tracks = self.client.caps.contains(Caps::SESSION_TRACK);
        let changes = if tracks && !change {
            self.announcements(cx)
        } else {
            Vec::new()
        };
        self.phase = Phase::Commands;
        self.nearer = true;
        let caps = self.client.caps;
        let packet = OkPacket {
            info: proof.as_bytes(),
            changes: &changes,
            ..OkPacket::new(Status::AUTOCOMMIT)
        };
        cx.out
            .send_with(Side::Client, |own| login.write_ok(&packet, caps, own));
        self.client.seq = 0;
        self.client.last_active = cx.now;
        self.moved = true;
        self.log(Level::Info, cx, || "client logged in".to_owned());
    }

    /// What tells the client that the certificate it was shown is ours, if it has a password. A
    /// change of user comes over a connection that it trusts already.
    fn certificate_proof(&self) -> Option<String> {
        let Phase::Dialogue(dialogue) = &self.phase else {
            return None;
        };
        let Some(AccountAnswer::Found(found)) = &dialogue.account else {
            return None;
        };
        let [Method::Native(hash)] = found.methods.as_slice() else {
            return None;
        };
        if dialogue.change {
            return None;
        }
        let shown = self.client.encryption.as_ref()?.shown?;
        Some(certificate_proof(
            hash.bytes()?,
            &self.client.scramble,
            &shown,
        ))
    }

    /// May a change of user begin? Only where nothing is in progress anywhere.
    pub(crate) fn can_change_user(&self) -> bool {
        self.tickets.is_empty()
            && self.backends.iter().all(|backend| {
                backend.owed.is_empty()
                    && matches!(
                        backend.state,
                        State::Closed | State::Failed | State::Lent | State::Ready
                    )
            })
    }

    /// COM_CHANGE_USER: the client is authenticated as at the login.
    pub(crate) fn change_user(
        &mut self,
        payload: &[u8],
        header: tidegate_wire::frame::Header,
        whole: bool,
        cx: &mut Cx<'_>,
    ) {
        self.observe.received("COM_CHANGE_USER", cx.wall, || {
            b"COM_CHANGE_USER".as_slice().into()
        });
        if self.client.failed_changes >= MAX_FAILED_CHANGES || !whole {
            self.answer_error(&ErrReply::new(1047, b"08S01", "Unknown command"), cx);
            return;
        }
        let nonces = Nonces::new(self.client.nonces.take());
        let (caps, scramble) = (self.client.caps, self.client.scramble);
        let login = ServerLogin::change_user(payload, header.seq, caps, scramble, nonces);
        match login {
            Ok((login, hello)) => {
                self.phase = Phase::Dialogue(Box::new(Dialogue {
                    step: Step::Answer(login),
                    hello: Some(hello),
                    account: None,
                    asked_again: false,
                    obstacle: None,
                    change: true,
                    deadline: cx.now.after(LOGIN_TIMEOUT),
                    token: Token(self.client.changes),
                }));
                self.client.changes = self.client.changes.wrapping_add(16);
                self.ask_account(false, cx);
            }
            Err(error) => self.dialogue_broken(&error, cx),
        }
    }

    /// The new identity goes to every open connection; the client's OK follows the answer of the
    /// one whose answer it would get. `servers_decide`: without such an answer it is not let in.
    fn change_servers(&mut self, login: ServerLogin, servers_decide: bool, cx: &mut Cx<'_>) {
        self.forget_state();
        let mut deciding = None;
        for id in self.backend_ids() {
            let server = self.backend(id).map(|backend| backend.server);
            let view = server.and_then(|server| cx.servers.get(server));
            let (identity, guise) = (self.identity(view), self.guise(view));
            let schema = self.client.database.clone();
            let (Some(mut identity), Some(backend)) = (identity, self.backend_mut(id)) else {
                continue;
            };
            let (State::Ready, Some(info)) = (&backend.state, backend.info.take()) else {
                continue;
            };
            backend.stmts.clear();
            identity.private = backend.cipher.is_some();
            let mut machine = None;
            cx.out.send_with(Side::Backend(id), |own| {
                machine = Some(ClientLogin::change_user(identity, *info, own));
            });
            let Some(machine) = machine else { continue };
            backend.guise = guise;
            backend.login_schema = schema;
            backend.state = State::Switching(Box::new(machine));
            backend.deadline = Some(cx.now.after(LOGIN_TIMEOUT));
            deciding = deciding.or(Some(id));
        }
        match deciding {
            Some(deciding) => self.await_judge(login, Judge::Of(deciding)),
            None if servers_decide => {
                self.await_judge(login, Judge::First { zstd_level: 0 });
                self.judge_missing(cx);
            }
            None => self.change_done(login, cx),
        }
    }
}
