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
use tidegate_runtime::log::Log;
use tidegate_runtime::{Answers, Reply};
use tidegate_session::question::{
    AccountAnswer, AccountQuery, Answer, Barred, ClientAddress, Question,
};
use tidegate_session::{ErrReply, Level};

use crate::board::Board;

/// The accounts of one service.
#[derive(Debug)]
pub(crate) struct ServiceAccounts {
    pub(crate) manager: AccountManager,
    pub(crate) policy: LoginPolicy,
}

/// The accounts of all services.
#[derive(Debug)]
pub(crate) struct AccountAnswers {
    pub(crate) services: Arc<BTreeMap<String, Arc<ServiceAccounts>>>,
    pub(crate) tasks: tokio::runtime::Handle,
}

impl Answers for AccountAnswers {
    fn at_once(&self, question: &Question) -> Option<Answer> {
        let Question::Account(query) = question;
        if query.after_failure {
            return None;
        }
        let service = self.services.get(&*query.service)?;
        let accounts = service.manager.accounts()?;
        Some(Answer::Account(answer(&accounts, &service.policy, query)))
    }

    fn later(&self, question: Question, reply: Reply) {
        let Question::Account(query) = question;
        let Some(service) = self.services.get(&*query.service).map(Arc::clone) else {
            reply.send(Answer::Account(AccountAnswer::Denied {
                reason: "the service has no accounts".to_owned(),
            }));
            return;
        };
        self.tasks.spawn(async move {
            reply.send(Answer::Account(refreshed(&service, &query).await));
        });
    }
}

/// Decides on fresh data, if there is any.
async fn refreshed(service: &ServiceAccounts, query: &AccountQuery) -> AccountAnswer {
    let refresh = service.manager.refresh_after_failure().await;
    match (service.manager.accounts(), refresh) {
        (Some(accounts), Refresh::Changed) => answer(&accounts, &service.policy, query),
        (Some(accounts), _) if !query.after_failure => answer(&accounts, &service.policy, query),
        (Some(_), _) => AccountAnswer::Unchanged,
        (None, Refresh::Failed(reason)) => AccountAnswer::Denied {
            reason: format!("account data is not loaded yet: {reason}"),
        },
        (None, _) => AccountAnswer::Denied {
            reason: "account data is not loaded yet".to_owned(),
        },
    }
}

fn answer(accounts: &Accounts, policy: &LoginPolicy, query: &AccountQuery) -> AccountAnswer {
    let request = request(query);
    match decide(accounts, policy, &request) {
        LoginDecision::Denied(reason) => AccountAnswer::Denied {
            reason: reason.to_string(),
        },
        LoginDecision::Account { account, password } => {
            let verdict = check_after_password(accounts, policy, &account, &request, now_secs());
            AccountAnswer::Found {
                hash: password,
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
