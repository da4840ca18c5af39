//! The answers to sessions' questions: account decisions on the newest snapshot, and once more on
//! fresh data where the first one said no.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_accounts::{
    AccountHost, AccountManager, AccountNote, AccountSource, Accounts, ClientCertificate,
    ClientHost, ClientTls, LoginDecision, LoginRequest, Passage, Refresh, Trouble, Ways,
    check_after_password, decide, stand_in, troubles,
};
use tidegate_monitors::ServerBits;
use tidegate_proofs::is_quick;
use tidegate_runtime::log::Log;
use tidegate_runtime::{Answers, Reply};
use tidegate_session::question::{
    AccountAnswer, AccountQuery, Answer, AtServers, Barred, ClientAddress, FoundAccount, Question,
    WorkOrder,
};
use tidegate_session::{ErrReply, Level};
use tidegate_wire::auth::{Asking, Method, PasswordCheck, Secret, Work};
use tokio::sync::Semaphore;

use crate::board::Board;
use crate::kill;
use crate::logins::{ListenerLogins, Logins};
use crate::names::Names;
use crate::pam::{LoginQuestion, PamHelpers};

/// The accounts of all services.
#[derive(Debug)]
pub(crate) struct AccountAnswers {
    pub(crate) services: Arc<BTreeMap<String, Arc<AccountManager>>>,
    pub(crate) logins: Arc<Logins>,
    /// Which services have servers in common with a service, itself among them.
    pub(crate) kin: BTreeMap<String, Vec<String>>,
    /// `None`: names are not looked up.
    pub(crate) names: Option<Arc<Names>>,
    pub(crate) tasks: tokio::runtime::Handle,
    /// Slow work that is done at the same time.
    pub(crate) benches: Arc<Semaphore>,
    /// The servers and workers, for those who kill.
    pub(crate) board: Arc<Board>,
    pub(crate) log: Log,
    pub(crate) pam: Arc<PamHelpers>,
}

/// How much slow work is done at the same time: it must not take the processors from the workers.
pub(crate) const BENCHES: usize = 2;

impl Answers for AccountAnswers {
    fn at_once(&self, question: &Question) -> Option<Answer> {
        match question {
            Question::Account(query) => {
                let logins = self.logins.of(&query.listener)?;
                if logins.policy.servers_decide {
                    return Some(Answer::Account(left_to_servers(logins, query)));
                }
                if query.after_failure {
                    return None;
                }
                let known = self.services.get(&*query.service)?.view();
                let fresh = known.is_fresh();
                let accounts = known.accounts?;
                let mut request = request(query);
                let mut decision = decide(&accounts, &logins.policy, &request);
                if let Some((names, ip)) = to_name(self.names.as_ref(), query, &decision)
                    && let Some(name) = names.known(ip)?
                {
                    request.client = request.client.named(&name);
                    decision = decide(&accounts, &logins.policy, &request);
                }
                let at_servers = logins.at_servers_at_once(&query.user)?;
                note_anonymous(&self.log, &request, &decision);
                let answer = answer(&accounts, logins, &request, decision, at_servers);
                // Of what servers do not check any more nothing old may be said.
                (fresh || !answer.is_for_service()).then_some(Answer::Account(answer))
            }
            Question::Work(order) => {
                let logins = self.logins.of(&order.listener)?;
                let quick = is_quick(&order.work);
                quick.then(|| Answer::Work(logins.workshop.perform(&order.work)))
            }
            Question::Kill(_) => None,
        }
    }

    fn accounts_changed(&self, service: &str) {
        let kin = self.kin.get(service).into_iter().flatten();
        for manager in kin.filter_map(|name| self.services.get(name)) {
            manager.accounts_changed();
        }
    }

    fn later(&self, question: Question, reply: Reply) {
        match question {
            Question::Account(query) => self.decide_later(*query, reply),
            Question::Work(order) => self.work_later(*order, reply),
            Question::Kill(order) => {
                let (board, log) = (Arc::clone(&self.board), self.log.clone());
                self.tasks.spawn(async move {
                    reply.send(Answer::Kill(kill::carry_out(*order, board, log).await));
                });
            }
        }
    }
}

impl AccountAnswers {
    fn decide_later(&self, query: AccountQuery, reply: Reply) {
        let manager = self.services.get(&*query.service).map(Arc::clone);
        let logins = self.logins.of(&query.listener).map(Arc::clone);
        let (Some(manager), Some(logins)) = (manager, logins) else {
            let denied = AccountAnswer::denied("the service has no accounts");
            return reply.send(Answer::Account(denied));
        };
        let (names, log) = (self.names.clone(), self.log.clone());
        self.tasks.spawn(async move {
            let decider = Decider {
                manager,
                logins,
                names,
                log,
            };
            reply.send(Answer::Account(decider.decide(&query).await));
        });
    }

    fn work_later(&self, order: WorkOrder, reply: Reply) {
        let Some(logins) = self.logins.of(&order.listener).map(Arc::clone) else {
            let text = "the listener is gone".to_owned();
            return reply.send(Answer::Work(Err(text)));
        };
        if let Work::Check {
            password,
            code,
            check: PasswordCheck::Pam(service),
        } = &order.work
        {
            let password = logins.workshop.open(password);
            let question = LoginQuestion {
                service: service.to_string(),
                user: String::from_utf8_lossy(&order.user).into_owned(),
                password: password.unwrap_or_default(),
                code: code.clone(),
                host: order.address.host(),
            };
            let pam = Arc::clone(&self.pam);
            self.tasks.spawn(async move {
                reply.send(ask_pam(&pam, &logins, question).await);
            });
            return;
        }
        let benches = Arc::clone(&self.benches);
        self.tasks.spawn(async move {
            // Nobody closes it.
            let _bench = benches.acquire_owned().await;
            let done = tokio::task::spawn_blocking(move || logins.workshop.perform(&order.work));
            let panicked = |_| Err("a defect in Tidegate: the work panicked".to_owned());
            reply.send(Answer::Work(done.await.unwrap_or_else(panicked)));
        });
    }
}

/// Has PAM say whether a client is who it says, and who it is to servers.
async fn ask_pam(pam: &PamHelpers, logins: &ListenerLogins, question: LoginQuestion) -> Answer {
    let verdict = pam.ask(&logins.pam, &question).await;
    let known_as = verdict.as_ref().ok().cloned();
    let done = verdict
        .map(|_| question.password.clone())
        .map_err(|reason| format!("PAM service '{}': {reason}", question.service));
    let at_servers = match (&logins.mapped.now().passwords, known_as) {
        (Some(passwords), Some(user)) => passwords.at_servers(&user),
        // Servers do likewise with that name; nobody else may say for them who it is.
        (None, Some(user)) if user != question.user => AtServers {
            user: question.user.into_bytes(),
            secret: match question.code {
                Some(code) => Secret::Codes {
                    password: question.password,
                    code,
                },
                None => Secret::of_password(question.password),
            },
        },
        (_, _) => return Answer::Work(done),
    };
    Answer::Known { done, at_servers }
}

/// Decides about a login where that takes longer.
struct Decider {
    manager: Arc<AccountManager>,
    logins: Arc<ListenerLogins>,
    names: Option<Arc<Names>>,
    log: Log,
}

impl Decider {
    async fn decide(&self, query: &AccountQuery) -> AccountAnswer {
        if !query.after_failure
            && let Some(accounts) = self.manager.accounts()
        {
            return self.answer_fresh(&accounts, query).await;
        }
        let refresh = self.manager.refresh_after_failure().await;
        match (self.manager.accounts(), refresh) {
            (Some(accounts), Refresh::Changed) => self.answer_fresh(&accounts, query).await,
            (Some(accounts), _) if !query.after_failure => {
                self.answer_fresh(&accounts, query).await
            }
            (Some(_), _) => AccountAnswer::Unchanged,
            (None, Refresh::Failed(reason)) => {
                AccountAnswer::Unready(format!("account data is not loaded yet: {reason}"))
            }
            (None, _) => AccountAnswer::Unready("account data is not loaded yet".to_owned()),
        }
    }

    /// The answer, of fresh data where servers check nothing any more; where there are none they do.
    async fn answer_fresh(&self, accounts: &Accounts, query: &AccountQuery) -> AccountAnswer {
        let first = self.answer(accounts, query).await;
        if !first.is_for_service() || self.manager.view().is_fresh() {
            return first;
        }
        match self.manager.fresh_accounts().await {
            Some(accounts) => self.answer(&accounts, query).await,
            None => first.for_servers_to_check(),
        }
    }

    async fn answer(&self, accounts: &Accounts, query: &AccountQuery) -> AccountAnswer {
        let policy = &self.logins.policy;
        let mut request = request(query);
        let mut decision = decide(accounts, policy, &request);
        if let Some((names, ip)) = to_name(self.names.as_ref(), query, &decision) {
            let (name, warning) = names.look_up(ip).await;
            if let Some(warning) = warning {
                self.log.say(Level::Warning, warning);
            }
            if let Some(name) = name {
                request.client = request.client.named(&name);
                decision = decide(accounts, policy, &request);
            }
        }
        let at_servers = self.logins.at_servers(&query.user).await;
        note_anonymous(&self.log, &request, &decision);
        answer(accounts, &self.logins, &request, decision, at_servers)
    }
}

/// The answer of a listener whose clients' passwords are tried on a server. Nothing that could be read
/// anew changes it.
fn left_to_servers(logins: &ListenerLogins, query: &AccountQuery) -> AccountAnswer {
    if query.after_failure {
        return AccountAnswer::Unchanged;
    }
    let asked_for = |check| Method::Password {
        asking: Asking::Clear,
        check,
    };
    if let Some(reason) = logins.policy.bars(&query.user) {
        return AccountAnswer::Denied {
            reason: reason.to_string(),
            decoy: vec![asked_for(PasswordCheck::Nobody)],
        };
    }
    let mut found = FoundAccount::with(vec![asked_for(PasswordCheck::AtServers)]);
    found.servers_decide = true;
    AccountAnswer::Found(Box::new(found))
}

/// The address whose name a decision wants to know before it stands, and who finds it.
fn to_name<'a>(
    names: Option<&'a Arc<Names>>,
    query: &AccountQuery,
    decision: &LoginDecision,
) -> Option<(&'a Names, IpAddr)> {
    let names = names.filter(|_| decision.wants_name())?;
    Some((names, query.address.socket()?.ip()))
}

/// Says that a client without an account of its own is left to PAM, by an account that is for anybody.
fn note_anonymous(log: &Log, request: &LoginRequest, decision: &LoginDecision) {
    let LoginDecision::Account { account, .. } = decision else {
        return;
    };
    if log.enabled(Level::Info) && account.is_for_anybody() && !request.user.is_empty() {
        let (user, row) = (String::from_utf8_lossy(&request.user), account.row());
        let text = format!(
            "user '{user}' has no account; the anonymous account ''@'{}' has PAM say who it is",
            row.host
        );
        log.say(Level::Info, text);
    }
}

fn answer(
    accounts: &Accounts,
    logins: &ListenerLogins,
    request: &LoginRequest,
    decision: LoginDecision,
    at_servers: Option<AtServers>,
) -> AccountAnswer {
    match decision {
        LoginDecision::Denied { reason, decoy } => AccountAnswer::Denied {
            reason: reason.to_string(),
            decoy,
        },
        LoginDecision::Account { account, methods } => {
            let (policy, now) = (&logins.policy, now_secs());
            let verdict = check_after_password(accounts, policy, &account, request, now);
            let becomes = match at_servers {
                Some(_) => None,
                None => stand_in(accounts, policy, &account, request, now),
            };
            AccountAnswer::Found(Box::new(FoundAccount {
                methods,
                at_servers,
                as_service: becomes.map(|becomes| logins.as_service(becomes)),
                is_super: account.row().is_super,
                after_password: verdict.map_err(|refusal| barred(&refusal)),
                servers_decide: false,
                tells_mismatch: policy.tells_mismatch,
            }))
        }
    }
}

fn barred(refusal: &tidegate_accounts::Refusal) -> Barred {
    let mut state = *b"HY000";
    let text = refusal.sqlstate().as_bytes();
    if text.len() == state.len() {
        state.copy_from_slice(text);
    }
    Barred {
        reply: ErrReply::new(refusal.errno(), &state, refusal.to_string()),
        reason: refusal.log_reason(),
    }
}

fn request(query: &AccountQuery) -> LoginRequest {
    let ip: Option<IpAddr> = match query.address {
        ClientAddress::Ip(ip, _) => Some(ip),
        ClientAddress::Unix => None,
    };
    let mut request = LoginRequest::new(&query.user, ip);
    request.database.clone_from(&query.database);
    request.tls = query.tls.as_deref().map(encryption);
    request.handles_expired = query.handles_expired;
    request
}

/// The same in the words of accounts.
fn encryption(tls: &tidegate_session::Encryption) -> ClientTls {
    let certificate = tls.certificate.as_ref();
    ClientTls {
        cipher: tls.cipher.to_string(),
        certificate: certificate.map(|certificate| ClientCertificate {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
        }),
    }
}

fn now_secs() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What an account manager asks of its surroundings.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) board: Arc<Board>,
    /// The service's servers, in configuration order.
    pub(crate) servers: Vec<String>,
    pub(crate) passages: Passages,
    pub(crate) log: Log,
}

/// How many accounts that will not work are named in a line of the log.
const TROUBLES_SHOWN: usize = 5;

/// A line about the accounts that will not work; `None`: there are none.
fn told(service: &str, found: &[Trouble]) -> Option<String> {
    let shown: Vec<String> = found
        .iter()
        .take(TROUBLES_SHOWN)
        .map(ToString::to_string)
        .collect();
    let more = match found.len().saturating_sub(TROUBLES_SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more, which the service's REST resource lists"),
    };
    (!shown.is_empty()).then(|| {
        format!(
            "service '{service}': accounts that will not work through it: {}{more}",
            shown.join("; ")
        )
    })
}

/// The ways from a service's clients to its servers, for the self-check of accounts.
#[derive(Debug, Clone)]
pub(crate) struct Passages {
    pub(crate) service: String,
    /// What its listeners have enabled.
    pub(crate) ways: Vec<Ways>,
    /// One of them has TLS.
    pub(crate) tls: bool,
    /// Servers are told where clients are.
    pub(crate) tells: bool,
}

impl Passages {
    /// The accounts that will not work, where servers see us at this place.
    pub(crate) fn troubles(&self, accounts: &Accounts, seen_at: Option<&str>) -> Vec<Trouble> {
        let seen_at = seen_at.map(ClientHost::of_text);
        let passage = Passage {
            ways: &self.ways,
            tls: self.tls,
            seen_at: seen_at.as_ref().filter(|_| !self.tells),
        };
        troubles(accounts, passage)
    }
}

impl AccountHost for Surroundings {
    fn sources(&self) -> Vec<AccountSource> {
        let mut usable: Vec<_> = self
            .servers
            .iter()
            .filter_map(|name| self.board.entry(name))
            .filter(|entry| entry.state.bits.is_usable())
            .collect();
        usable.sort_by_key(|entry| {
            let bits = entry.state.bits;
            (
                !bits.contains(ServerBits::MASTER),
                !bits.contains(ServerBits::SLAVE),
            )
        });
        usable
            .into_iter()
            .map(|entry| AccountSource {
                name: entry.name.to_string(),
                address: entry.address,
                extra_port: entry.extra_port,
                tls: entry.tls.now(),
            })
            .collect()
    }

    fn replaced(&self, accounts: &Arc<Accounts>, seen_at: Option<&str>) -> Vec<Trouble> {
        let found = self.passages.troubles(accounts, seen_at);
        if let Some(text) = told(&self.passages.service, &found) {
            self.log.say(Level::Warning, text);
        }
        found
    }

    fn noted(&self, note: &AccountNote) {
        let level = if note.is_warning() {
            Level::Warning
        } else {
            Level::Notice
        };
        self.log.say(level, note.to_string());
    }
}
