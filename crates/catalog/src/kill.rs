//! Carrying out a KILL: victims are found on all workers, the servers kill their connections in the
//! issuer's name, and the sessions end that may be ended.
//!
//! The servers decide who may: a session of another user is ended only where a server has let the
//! issuer kill one of its connections, or, where there is none to be tried on, where a server says that
//! the issuer has the privilege. Every KILL is logged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_runtime::Runtime;
use tidegate_runtime::log::Log;
use tidegate_session::question::KillAnswer;
use tidegate_session::{Control, ErrReply, Found, KillOrder, Level, ServerId, SessionId, Whom};
use tidegate_sqlclient::{Client, ConnectOptions, Credentials, Error, Timeouts};
use tidegate_wire::login::Identity;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::board::{Board, BoardEntry};

/// How long a server may take to carry out a KILL: it only sets a mark.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// "Unknown thread id".
const NO_SUCH_THREAD: u16 = 1094;
/// "You are not owner of thread".
const DENIED: u16 = 1095;

/// Has the account a privilege that lets it kill connections of others? MariaDB and MySQL spell it
/// differently. Every account may read its own.
const MAY_KILL_ANYBODY: &str = "SELECT COUNT(*) FROM information_schema.user_privileges \
    WHERE privilege_type IN ('CONNECTION ADMIN', 'CONNECTION_ADMIN') AND grantee = CONCAT('''', \
    SUBSTRING(CURRENT_USER(), 1, CHAR_LENGTH(CURRENT_USER()) - 1 \
    - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))), '''@''', \
    SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";

/// What a server said to a KILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Done,
    Gone,
    Denied,
    /// It could not be asked, or said something else.
    Nothing,
}

/// What servers said, by connection.
type Answers = BTreeMap<(ServerId, u64), Said>;

/// Carries out a KILL and tells what came of it.
pub(crate) async fn carry_out(order: KillOrder, board: Arc<Board>, log: Log) -> KillAnswer {
    let order = Arc::new(order);
    let Some(runtime) = board.runtime() else {
        return KillAnswer::failed("there are no workers");
    };
    let found = match victims(&runtime, &order).await {
        Ok(found) => found,
        Err(reason) => return KillAnswer::failed(&reason),
    };
    let own = order.means_itself();
    if found.is_empty() && !own {
        return nobody(&order);
    }
    let said = on_servers(&order, &found, &board).await;
    let verdicts = judge(&order, &found, &said, &board).await;
    let mut killed = Vec::new();
    let mut told = Vec::new();
    for (victim, may) in found.iter().zip(verdicts) {
        if may {
            killed.push(victim.session);
        }
        let ends = may && !order.query_only;
        let control = if ends {
            Control::Kill { after: None }
        } else {
            Control::Pardon {
                query_only: order.query_only,
                unheard: victim
                    .connections
                    .iter()
                    .any(|it| said.get(it).is_none_or(|said| *said == Said::Nothing)),
            }
        };
        told.push(tell(&runtime, victim.session, control));
    }
    for heard in told {
        heard.await;
    }
    log.say(Level::Notice, line(&order, &killed, own));
    match (&order.whom, found.first()) {
        (Whom::Session(_), None) if order.query_only => KillAnswer::Interrupted,
        (Whom::Session(_), None) => KillAnswer::Killed,
        (_, Some(victim)) if killed.is_empty() && !own => {
            KillAnswer::Refused(denied(victim.session))
        }
        (Whom::Session(_), Some(_)) => KillAnswer::Done {
            sessions: 0,
            ends: false,
        },
        (Whom::User { .. }, _) => KillAnswer::Done {
            sessions: killed.len() as u64 + u64::from(own),
            ends: own && !order.query_only,
        },
    }
}

async fn victims(runtime: &Runtime, order: &Arc<KillOrder>) -> Result<Vec<Found>, String> {
    let (send, receive) = oneshot::channel();
    let pending = runtime.victims(Arc::clone(order), move |result| {
        // Whoever asked may be gone.
        let _ = send.send(result);
    });
    let found = receive.await.map_err(|_| "no worker answered".to_owned())?;
    drop(pending);
    found
        .map(|found| found.iter().cloned().collect())
        .map_err(|unanswered| unanswered.to_string())
}

/// Has each victim been killed on the servers, or may it be ended without?
async fn judge(order: &KillOrder, found: &[Found], said: &Answers, board: &Board) -> Vec<bool> {
    let mut privileged = None;
    let mut verdicts = Vec::new();
    for victim in found {
        let mut answers = victim.connections.iter().filter_map(|it| said.get(it));
        let may = if victim.user == order.user || answers.clone().any(|said| *said == Said::Done) {
            true
        } else if answers.any(|said| *said == Said::Denied) {
            false
        } else {
            match privileged {
                Some(known) => known,
                None => *privileged.insert(may_kill_anybody(order, board).await),
            }
        };
        verdicts.push(may);
    }
    verdicts
}

/// Kills the victims' connections, on all servers at once.
async fn on_servers(order: &Arc<KillOrder>, found: &[Found], board: &Board) -> Answers {
    let mut threads: BTreeMap<ServerId, Vec<u64>> = BTreeMap::new();
    for (server, thread) in found.iter().flat_map(|victim| &victim.connections) {
        threads.entry(*server).or_default().push(*thread);
    }
    let (entries, local) = (board.entries(), board.local());
    let mut tasks = JoinSet::new();
    for (server, threads) in threads {
        let Some(entry) = entries.get(server.0 as usize).cloned() else {
            continue;
        };
        let order = Arc::clone(order);
        tasks.spawn(async move {
            let said = on_server(&order, &entry, local, &threads).await;
            threads
                .into_iter()
                .zip(said)
                .map(move |(thread, said)| ((server, thread), said))
                .collect::<Vec<_>>()
        });
    }
    let mut all = BTreeMap::new();
    while let Some(said) = tasks.join_next().await {
        all.extend(said.unwrap_or_default());
    }
    all
}

async fn on_server(
    order: &KillOrder,
    entry: &BoardEntry,
    local: Option<IpAddr>,
    threads: &[u64],
) -> Vec<Said> {
    let mut said = Vec::new();
    let Ok(mut client) = connect(order, entry, local).await else {
        return vec![Said::Nothing; threads.len()];
    };
    for thread in threads {
        said.push(match client.query(&order.statement(*thread)).await {
            Ok(_) => Said::Done,
            Err(Error::Server {
                errno: NO_SUCH_THREAD,
                ..
            }) => Said::Gone,
            Err(Error::Server { errno: DENIED, .. }) => Said::Denied,
            Err(_) => Said::Nothing,
        });
    }
    client.close().await;
    said
}

/// Asks the server that knows best, which is the primary if there is one.
async fn may_kill_anybody(order: &KillOrder, board: &Board) -> bool {
    let mut usable: Vec<BoardEntry> = board.entries();
    usable.retain(|entry| entry.state.bits.is_usable());
    usable.sort_by_key(|entry| {
        !entry
            .state
            .bits
            .contains(tidegate_monitors::ServerBits::MASTER)
    });
    let Some(entry) = usable.first() else {
        return false;
    };
    let Ok(mut client) = connect(order, entry, board.local()).await else {
        return false;
    };
    let rows = client.rows(MAY_KILL_ANYBODY).await;
    client.close().await;
    rows.is_ok_and(|rows| {
        let count = rows.rows().first().and_then(|row| row.text(0));
        count.is_some_and(|count| count != "0")
    })
}

/// A connection of the issuer's own.
async fn connect(
    order: &KillOrder,
    entry: &BoardEntry,
    local: Option<IpAddr>,
) -> Result<Client, Error> {
    let timeouts = Timeouts::new(
        entry.state.connect_timeout,
        STATEMENT_TIMEOUT,
        STATEMENT_TIMEOUT,
    );
    // Who it is comes with the order.
    let nobody = Credentials::new("", "");
    let mut options = ConnectOptions::new(entry.address.clone(), nobody, timeouts);
    options.local_address = local;
    options.tls = entry.tls.now();
    let header = entry.proxy_header.map(|version| order.header(version));
    let header = header.unwrap_or_default();
    let service = order.as_service.as_ref();
    let Some(service) = service.filter(|_| entry.lets_service_in()) else {
        return Client::connect_as(order.login.clone(), &header, &options).await;
    };
    let login = Identity::new(&service.user, service.secret.clone());
    let mut client = Client::connect_as(login, &header, &options).await?;
    let turn = format!("SET SESSION AUTHORIZATION {}", service.becomes);
    client.query(&turn).await?;
    Ok(client)
}

/// Tells a session at once; what is returned waits until it has heard.
fn tell(runtime: &Runtime, session: SessionId, control: Control) -> impl Future<Output = ()> {
    let (send, receive) = oneshot::channel();
    let pending = runtime.control(session, control, move |result| {
        // Whoever asked may be gone.
        let _ = send.send(result);
    });
    async move {
        // One that has ended meanwhile is as dead as it was to be.
        let _ = receive.await;
        drop(pending);
    }
}

fn nobody(order: &KillOrder) -> KillAnswer {
    match order.whom {
        Whom::Session(SessionId(id)) => KillAnswer::Refused(ErrReply::new(
            NO_SUCH_THREAD,
            b"HY000",
            format!("Unknown thread id: {id}"),
        )),
        Whom::User { .. } => KillAnswer::Done {
            sessions: 0,
            ends: false,
        },
    }
}

fn denied(SessionId(id): SessionId) -> ErrReply {
    ErrReply::new(
        DENIED,
        b"HY000",
        format!("You are not owner of thread {id}"),
    )
}

fn line(order: &KillOrder, killed: &[SessionId], own: bool) -> String {
    let what = if order.query_only {
        "KILL QUERY"
    } else {
        "KILL CONNECTION"
    };
    let user = String::from_utf8_lossy(&order.user).into_owned();
    let mut ids: Vec<String> = killed.iter().map(ToString::to_string).collect();
    if own {
        ids.push("itself".to_owned());
    }
    let ids = if ids.is_empty() {
        "nobody, for the servers do not let it".to_owned()
    } else {
        ids.join(", ")
    };
    format!(
        "session {} of user '{user}' said {what}: {ids}",
        order.session
    )
}
