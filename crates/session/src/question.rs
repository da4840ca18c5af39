//! What a session asks the outside world, and what it may hear: the login's account questions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tidegate_wire::auth::native::NativeHash;
use tidegate_wire::auth::{Done, Method, Secret, Work};

use crate::encryption::Encryption;
use crate::fault::ErrReply;
use crate::kill::KillOrder;

/// Where a client connected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAddress {
    /// TCP; an IPv4-mapped IPv6 address is given as IPv4.
    Ip(IpAddr, u16),
    /// A UNIX socket: `localhost` for account matching.
    Unix,
}

impl ClientAddress {
    /// The address alone, as servers show it.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            ClientAddress::Ip(ip, _) => ip.to_string(),
            ClientAddress::Unix => "localhost".to_owned(),
        }
    }

    /// The address with its port, if there is one.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        match *self {
            ClientAddress::Ip(ip, port) => Some(SocketAddr::new(ip, port)),
            ClientAddress::Unix => None,
        }
    }
}

impl From<SocketAddr> for ClientAddress {
    fn from(address: SocketAddr) -> ClientAddress {
        ClientAddress::Ip(address.ip().to_canonical(), address.port())
    }
}

/// A question. The answer may come before or after any other event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which account is this, and may it in?
    Account(Box<AccountQuery>),
    /// What comes of this piece of work?
    Work(Box<WorkOrder>),
    /// Carry this out, and tell what came of it.
    Kill(Box<KillOrder>),
}

/// A piece of work that a login needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkOrder {
    /// The listener of the session's client.
    pub listener: Arc<str>,
    /// The user name as the client sent it.
    pub user: Vec<u8>,
    /// Where the client is.
    pub address: ClientAddress,
    /// What is to be done.
    pub work: Work,
}

/// What an account decision needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountQuery {
    /// The service whose account manager decides.
    pub service: Arc<str>,
    /// The listener, which says how a client may prove itself.
    pub listener: Arc<str>,
    /// The user name as sent, bytewise.
    pub user: Vec<u8>,
    /// Where the client is.
    pub address: ClientAddress,
    /// The database to be checked, if one was named.
    pub database: Option<Vec<u8>>,
    /// How the connection is encrypted; `None`: it is not.
    pub tls: Option<Arc<Encryption>>,
    /// Can the client handle an expired password?
    pub handles_expired: bool,
    /// The data that was used first did not let the client in: refresh it if the limit allows,
    /// and answer [`AccountAnswer::Unchanged`] if nothing better is known.
    pub after_failure: bool,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Question::Account`].
    Account(AccountAnswer),
    /// To [`Question::Work`].
    Work(Done),
    /// To [`Question::Work`], where that also told who the client is to servers.
    Known {
        /// What came of the work.
        done: Done,
        /// Whom servers see.
        at_servers: AtServers,
    },
    /// To [`Question::Kill`].
    Kill(KillAnswer),
}

/// What came of a KILL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillAnswer {
    /// So many sessions were killed, or what they executed.
    Done {
        /// How many; 0 for one that was named by its number.
        sessions: u64,
        /// The session itself is among them, and ends when it has told.
        ends: bool,
    },
    /// The session named itself, and ends.
    Killed,
    /// The session named what it executes, which is the KILL.
    Interrupted,
    /// Nobody was killed.
    Refused(ErrReply),
}

impl KillAnswer {
    /// The KILL could not even be tried.
    #[must_use]
    pub fn failed(reason: &str) -> KillAnswer {
        let text = format!("KILL could not be carried out: {reason}");
        KillAnswer::Refused(ErrReply::new(1105, b"HY000", text))
    }
}

/// Who a client is to servers, where that is not who it is to us.
#[derive(Debug, Clone)]
pub struct AtServers {
    /// The user name.
    pub user: Vec<u8>,
    /// What proves it.
    pub secret: Secret,
}

/// The service's own account, with which servers let sessions of others in that then run in their
/// clients' names (`use_service_credentials`).
#[derive(Debug, Clone)]
pub struct ServiceLogin {
    /// The user name.
    pub user: Vec<u8>,
    /// What proves it.
    pub secret: Secret,
    /// Whom a session turns into, in the words of SET SESSION AUTHORIZATION.
    pub becomes: Arc<str>,
}

/// Why a client that proved who it is may not log in all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// What the client reads.
    pub reply: ErrReply,
    /// What the log says.
    pub reason: String,
}

/// An account that the client may turn out to be.
#[derive(Debug, Clone)]
pub struct FoundAccount {
    /// How it may prove it, in order of trial.
    pub methods: Vec<Method>,
    /// Who it is to servers, if somebody else.
    pub at_servers: Option<AtServers>,
    /// How servers that can do so let it in instead; `None`: none of them may.
    pub as_service: Option<Arc<ServiceLogin>>,
    /// Servers let it write although they are read-only.
    pub is_super: bool,
    /// What stands in the way once the password was right: lock, expiry, database.
    pub after_password: Result<(), Barred>,
    /// Nothing is known but what the client says: it is let in when the first server lets it in
    /// (`clear_pw_passthrough`).
    pub servers_decide: bool,
    /// The log shows how the hash of a wrong password differs (`log_password_mismatch`).
    pub tells_mismatch: bool,
}

impl FoundAccount {
    /// An account with nothing but ways to prove it.
    #[must_use]
    pub fn with(methods: Vec<Method>) -> FoundAccount {
        FoundAccount {
            methods,
            at_servers: None,
            as_service: None,
            is_super: false,
            after_password: Ok(()),
            servers_decide: false,
            tells_mismatch: false,
        }
    }
}

/// What is known of an account.
#[derive(Debug, Clone)]
pub enum AccountAnswer {
    /// There is an account. Let the client prove it, then obey `after_password`.
    Found(Box<FoundAccount>),
    /// No account, or one that cannot log in here.
    Denied {
        /// For the log only.
        reason: String,
        /// What the client is asked all the same, so that it cannot tell what is missing. No answer
        /// is right.
        decoy: Vec<Method>,
    },
    /// It is not let in, whoever it is, and need not prove anything.
    Refused(Barred),
    /// Nothing is known of any account, which is not the client's fault. For the log only: why.
    Unready(String),
    /// Asked again after a failure: nothing new is known.
    Unchanged,
}

impl AccountAnswer {
    /// An account with nothing but a password for `mysql_native_password`.
    #[must_use]
    pub fn by_native(hash: NativeHash) -> AccountAnswer {
        AccountAnswer::Found(Box::new(FoundAccount::with(vec![Method::Native(hash)])))
    }

    /// Does it name the service's account, with which servers check nothing of the client's any more?
    #[must_use]
    pub fn is_for_service(&self) -> bool {
        matches!(self, Self::Found(found) if found.as_service.is_some())
    }

    /// The same with all that servers check.
    #[must_use]
    pub fn for_servers_to_check(mut self) -> AccountAnswer {
        if let Self::Found(found) = &mut self {
            found.as_service = None;
        }
        self
    }

    /// Nobody is let in; the client is asked as most are.
    #[must_use]
    pub fn denied(reason: &str) -> AccountAnswer {
        AccountAnswer::Denied {
            reason: reason.to_owned(),
            decoy: vec![Method::Native(NativeHash::UNKNOWN_USER)],
        }
    }
}
