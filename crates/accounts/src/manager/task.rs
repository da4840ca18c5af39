//! The inside of an account manager.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_sqlclient::Credentials;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::{
    AccountHost, AccountNote, AccountSettings, AccountSource, AccountsView, Calls, Refresh,
    RefreshLimit, Request, Wish,
};
use crate::file::AccountsFile;
use crate::load::{Gap, LoadError, Loaded, load};
use crate::snapshot::Accounts;

/// How soon loading is tried again while there are no accounts at all.
const FIRST_LOAD_RETRY: Duration = Duration::from_secs(1);

/// How long after a statement that changes accounts they are loaded: such statements come in groups.
const SETTLE: Duration = Duration::from_secs(1);

/// A time that does not come.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) struct Task {
    settings: AccountSettings,
    host: Arc<dyn AccountHost>,
    views: watch::Sender<AccountsView>,
    /// When the next load is due without anybody asking.
    next_load: Instant,
    /// When a failed login last caused a load.
    last_caused: Option<Instant>,
    /// The source that was best at the last load.
    best: Option<String>,
    /// Has a load been tried? Before the first look at the servers none is known to run, which
    /// is no news.
    tried: bool,
    told_gaps: Vec<Gap>,
    told_failure: Vec<String>,
    waiting: VecDeque<Request>,
}

/// What the sources told together.
struct Gathered {
    loaded: Loaded,
    servers: Vec<String>,
    failures: Vec<String>,
    old_password: Vec<String>,
}

impl Task {
    pub(super) fn new(
        settings: AccountSettings,
        host: Arc<dyn AccountHost>,
    ) -> (Self, watch::Receiver<AccountsView>) {
        let (views, seen) = watch::channel(AccountsView::default());
        let task = Self {
            settings,
            host,
            views,
            next_load: Instant::now(),
            last_caused: None,
            best: None,
            tried: false,
            told_gaps: Vec::new(),
            told_failure: Vec::new(),
            waiting: VecDeque::new(),
        };
        (task, seen)
    }

    /// Loads and takes requests until nobody holds the manager any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Request>, calls: Calls) {
        loop {
            while let Some(request) = self.waiting.pop_front() {
                if self.take(request, &mut inbox).await.is_none() {
                    return;
                }
            }
            tokio::select! {
                biased;
                request = inbox.recv() => match request {
                    Some(request) => self.waiting.push_back(request),
                    None => return,
                },
                () = calls.accounts_changed.notified() => {
                    self.next_load = self.next_load.min(Instant::now() + SETTLE);
                }
                () = calls.servers_changed.notified() => {
                    if self.has_better_source() && self.refresh(&mut inbox).await.is_none() {
                        return;
                    }
                }
                () = sleep_until(self.next_load) => {
                    if self.refresh(&mut inbox).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// `None`: nobody holds the manager any more.
    async fn take(&mut self, request: Request, inbox: &mut mpsc::Receiver<Request>) -> Option<()> {
        match request {
            Request::Reconfigure(settings) => {
                self.settings = *settings;
                self.plan_next();
            }
            Request::Refresh(Wish::FailedLogin, reply) if !self.may_refresh() => {
                answer(reply, Refresh::NotNow);
            }
            Request::Refresh(Wish::TooOld, reply) if self.settings.limit == RefreshLimit::Never => {
                answer(reply, Refresh::NotNow);
            }
            Request::Refresh(Wish::TooOld, reply) if self.views.borrow().is_fresh() => {
                answer(reply, Refresh::Unchanged);
            }
            Request::Refresh(wish, reply) => {
                if wish == Wish::FailedLogin {
                    self.last_caused = Some(Instant::now());
                }
                let outcome = self.refresh(inbox).await?;
                answer(reply, outcome);
            }
        }
        Some(())
    }

    fn may_refresh(&self) -> bool {
        match (self.settings.limit, self.last_caused) {
            (RefreshLimit::Never, _) => false,
            (RefreshLimit::OncePer(_), None) => true,
            (RefreshLimit::OncePer(time), Some(last)) => last.elapsed() >= time,
        }
    }

    fn has_better_source(&self) -> bool {
        let nothing_yet = self.views.borrow().accounts.is_none();
        let best = self
            .host
            .sources()
            .into_iter()
            .next()
            .map(|source| source.name);
        nothing_yet || (best.is_some() && best != self.best)
    }

    fn plan_next(&mut self) {
        let nothing_yet = self.views.borrow().accounts.is_none();
        let pause = match self.settings.interval {
            _ if nothing_yet => FIRST_LOAD_RETRY,
            Some(interval) => interval,
            None => NEVER,
        };
        self.next_load = Instant::now() + pause;
    }

    /// Loads once. Failed logins that come meanwhile get the same outcome. `None`: nobody holds
    /// the manager any more, and the load was given up.
    async fn refresh(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<Refresh> {
        let began = Instant::now();
        let sources = self.host.sources();
        let mut joined = Vec::new();
        let gathered = {
            let settings = self.settings.clone();
            let loading = gather(&settings, &sources);
            tokio::pin!(loading);
            loop {
                tokio::select! {
                    biased;
                    request = inbox.recv() => match request? {
                        Request::Refresh(Wish::FailedLogin | Wish::TooOld, reply) => {
                            joined.push(reply);
                        }
                        other => self.waiting.push_back(other),
                    },
                    gathered = &mut loading => break gathered,
                }
            }
        };
        self.best = sources.into_iter().next().map(|source| source.name);
        let too_early = !self.tried && self.best.is_none();
        self.tried = true;
        let outcome = self.conclude(gathered, too_early, began);
        self.plan_next();
        for reply in joined {
            answer(reply, outcome.clone());
        }
        Some(outcome)
    }

    /// Makes known what was gathered.
    fn conclude(&mut self, gathered: Gathered, too_early: bool, began: Instant) -> Refresh {
        let service = self.settings.service.clone();
        for server in gathered.old_password {
            self.host.noted(&AccountNote::OldPassword {
                service: service.clone(),
                server,
            });
        }
        if !too_early {
            self.tell_failures(&gathered.failures, gathered.servers.is_empty());
        }
        if gathered.servers.is_empty() {
            let reason = gathered.failures.join("; ");
            let failure = Some(reason.clone());
            self.views.send_modify(|view| view.failure = failure);
            return Refresh::Failed(reason);
        }
        self.tell_gaps(gathered.loaded.gaps);
        let fresh = Accounts::new(gathered.loaded.tables);
        let accounts = fresh.len();
        let before = self.views.borrow().clone();
        let known = before.accounts;
        let changed = known.as_deref() != Some(&fresh);
        let snapshot = match known {
            Some(known) if !changed => known,
            Some(_) | None => Arc::new(fresh),
        };
        let seen_at = gathered.loaded.seen_at;
        let troubles = if changed || seen_at != before.seen_at {
            self.host.replaced(&snapshot, seen_at.as_deref()).into()
        } else {
            before.troubles
        };
        self.views.send_replace(AccountsView {
            accounts: Some(snapshot),
            loaded_at: Some(SystemTime::now()),
            servers: gathered.servers.clone(),
            seen_at,
            troubles,
            failure: None,
            fresh_until: match self.settings.limit {
                RefreshLimit::Never => None,
                RefreshLimit::OncePer(time) => began.checked_add(time).map(Instant::into_std),
            },
        });
        self.host.noted(&AccountNote::Loaded {
            service,
            servers: gathered.servers,
            accounts,
            changed,
        });
        if changed {
            Refresh::Changed
        } else {
            Refresh::Unchanged
        }
    }

    /// Says each new set of reasons once.
    fn tell_failures(&mut self, reasons: &[String], all: bool) {
        if self.told_failure != reasons && !reasons.is_empty() {
            let service = self.settings.service.clone();
            let reasons = reasons.to_vec();
            self.host.noted(&if all {
                AccountNote::Failed { service, reasons }
            } else {
                AccountNote::Incomplete { service, reasons }
            });
        }
        self.told_failure = reasons.to_vec();
    }

    /// Says each gap once.
    fn tell_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps.iter().filter(|gap| !self.told_gaps.contains(gap)) {
            self.host.noted(&AccountNote::Gap {
                service: self.settings.service.clone(),
                gap: gap.clone(),
            });
        }
        self.told_gaps = gaps;
    }
}

fn answer(reply: oneshot::Sender<Refresh>, outcome: Refresh) {
    // Whoever asked may have gone.
    let _ = reply.send(outcome);
}

/// Reads the first source that answers, or all of them.
async fn gather(settings: &AccountSettings, sources: &[AccountSource]) -> Gathered {
    let mut gathered = Gathered {
        loaded: Loaded::default(),
        servers: Vec::new(),
        failures: Vec::new(),
        old_password: Vec::new(),
    };
    let alone = settings.file.as_ref().is_some_and(|file| file.alone);
    for source in sources.iter().filter(|_| !alone) {
        match load_from(settings, source, &mut gathered.old_password).await {
            Ok(loaded) => {
                gathered.loaded.gaps.extend(loaded.gaps);
                if gathered.servers.is_empty() {
                    gathered.loaded.tables = loaded.tables;
                    gathered.loaded.seen_at = loaded.seen_at;
                } else {
                    gathered.loaded.tables.absorb(loaded.tables);
                }
                gathered.servers.push(source.name.clone());
                if !settings.all_servers {
                    break;
                }
            }
            Err(error) => gathered.failures.push(error.to_string()),
        }
    }
    if let Some(file) = &settings.file
        && (alone || !gathered.servers.is_empty())
    {
        add_file(file, &mut gathered).await;
    } else if sources.is_empty() {
        gathered
            .failures
            .push("none of its servers is running".to_owned());
    }
    gathered
}

/// Adds what a file says.
async fn add_file(file: &AccountsFile, gathered: &mut Gathered) {
    match file.read().await {
        Ok(mut tables) if file.alone => {
            // It does not know which databases there are.
            tables.databases = None;
            gathered.loaded.tables = tables;
            gathered.servers.push(file.path.display().to_string());
        }
        Ok(tables) => gathered.loaded.tables.absorb(tables),
        Err(error) => gathered.failures.push(error),
    }
}

/// Tries the service's credentials, and those from before their last change if they are refused.
async fn load_from(
    settings: &AccountSettings,
    source: &AccountSource,
    old_password: &mut Vec<String>,
) -> Result<Loaded, LoadError> {
    let refused = match load_as(&settings.credentials, settings, source).await {
        Err(error) if error.is_access_denied() => error,
        done => return done,
    };
    let Some(previous) = &settings.previous else {
        return Err(refused);
    };
    let loaded = load_as(previous, settings, source).await;
    let loaded = loaded.map_err(|_| refused)?;
    old_password.push(source.name.clone());
    Ok(loaded)
}

/// Tries the extra port, where there is one, then the usual one.
async fn load_as(
    credentials: &Credentials,
    settings: &AccountSettings,
    source: &AccountSource,
) -> Result<Loaded, LoadError> {
    if let Some(extra) = source.extra_address() {
        let options = settings.connect_options(source, &extra, credentials);
        match load(&source.name, &options).await {
            Err(LoadError::Connect { source, .. }) if !source.is_access_denied() => {}
            done => return done,
        }
    }
    let options = settings.connect_options(source, &source.address, credentials);
    load(&source.name, &options).await
}
