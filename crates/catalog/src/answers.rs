//! The answers to sessions' questions: account decisions on the newest snapshot, and once more on
//! fresh data where the first one said no.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_accounts::{
    AccountHost, AccountManager, AccountNote, AccountSource, Accounts, ClientCertificate,
    ClientTls, LoginDecision, LoginPolicy, LoginRequest, Refresh, check_after_password, decide,
};
use tidegate_monitors::ServerBits;
use tidegate_proofs::is_quick;
use tidegate_runtime::log::Log;
use tidegate_runtime::{Answers, Reply};
use tidegate_session::question::{
    AccountAnswer, AccountQuery, Answer, Barred, ClientAddress, Question, WorkOrder,
};
use tidegate_session::{ErrReply, Level};
use tokio::sync::Semaphore;

use crate::board::Board;
use crate::kill;
use crate::logins::Logins;

/// The accounts of all services.
#[derive(Debug)]
pub(crate) struct AccountAnswers {
    pub(crate) services: Arc<BTreeMap<String, Arc<AccountManager>>>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) tasks: tokio::runtime::Handle,
    /// Slow work that is done at the same time.
    pub(crate) benches: Arc<Semaphore>,
    /// The servers and workers, for those who kill.
    pub(crate) board: Arc<Board>,
    pub(crate) log: Log,
}

/// How much slow work is done at the same time: it must not take the processors from the workers.
pub(crate) const BENCHES: usize = 2;

impl Answers for AccountAnswers {
    fn at_once(&self, question: &Question) -> Option<Answer> {
        match question {
            Question::Account(query) => {
                if query.after_failure {
                    return None;
                }
                let accounts = self.services.get(&*query.service)?.accounts()?;
                let logins = self.logins.of(&query.listener)?;
                Some(Answer::Account(answer(&accounts, &logins.policy, query)))
            }
            Question::Work(order) => {
                let logins = self.logins.of(&order.listener)?;
                let quick = is_quick(&order.work);
                quick.then(|| Answer::Work(logins.workshop.perform(&order.work)))
            }
            Question::Kill(_) => None,
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
        self.tasks.spawn(async move {
            let answer = refreshed(&manager, &logins.policy, &query).await;
            reply.send(Answer::Account(answer));
        });
    }

    fn work_later(&self, order: WorkOrder, reply: Reply) {
        let Some(logins) = self.logins.of(&order.listener).map(Arc::clone) else {
            let text = "the listener is gone".to_owned();
            return reply.send(Answer::Work(Err(text)));
        };
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

/// Decides on fresh data, if there is any.
async fn refreshed(
    manager: &AccountManager,
    policy: &LoginPolicy,
    query: &AccountQuery,
) -> AccountAnswer {
    let refresh = manager.refresh_after_failure().await;
    match (manager.accounts(), refresh) {
        (Some(accounts), Refresh::Changed) => answer(&accounts, policy, query),
        (Some(accounts), _) if !query.after_failure => answer(&accounts, policy, query),
        (Some(_), _) => AccountAnswer::Unchanged,
        (None, Refresh::Failed(reason)) => {
            AccountAnswer::denied(&format!("account data is not loaded yet: {reason}"))
        }
        (None, _) => AccountAnswer::denied("account data is not loaded yet"),
    }
}

fn answer(accounts: &Accounts, policy: &LoginPolicy, query: &AccountQuery) -> AccountAnswer {
    let request = request(query);
    match decide(accounts, policy, &request) {
        LoginDecision::Denied { reason, decoy } => AccountAnswer::Denied {
            reason: reason.to_string(),
            decoy,
        },
        LoginDecision::Account { account, methods } => {
            let verdict = check_after_password(accounts, policy, &account, &request, now_secs());
            AccountAnswer::Found {
                methods,
                at_servers: None,
                is_super: account.row().is_super,
                after_password: verdict.map_err(|refusal| barred(&refusal)),
            }
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
    pub(crate) log: Log,
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
                extra_port: None,
                tls: entry.tls.now(),
            })
            .collect()
    }

    fn replaced(&self, _accounts: &Arc<Accounts>) {}

    fn noted(&self, note: &AccountNote) {
        let level = if note.is_warning() {
            Level::Warning
        } else {
            Level::Notice
        };
        self.log.say(level, note.to_string());
    }
}
