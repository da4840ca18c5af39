//! The account manager of a service: one task that loads, refreshes and hands out snapshots.
//!
//! Accounts are loaded at the start, when the service's primary changes, each
//! `users_refresh_interval`, after a failed login at most once per `users_refresh_time`, a second
//! after a statement that changed them, and when somebody asks. While nothing is loaded it is tried again each second. Equal data leaves the
//! snapshot as it is.
//!
//! Left out: which servers a service has. [`AccountHost`] answers that.
//!
//! The invariant: a snapshot is replaced whole or not at all, and a load that fails takes nothing
//! away.

mod note;
mod settings;
mod task;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use note::AccountNote;
pub use settings::{AccountSettings, AccountSource, RefreshLimit};

use crate::snapshot::Accounts;
use crate::troubles::Trouble;
use task::Task;

/// How many sessions may wait for a refresh; beyond it a failed login is not tried again.
const REQUEST_QUEUE: usize = 1024;

/// What surrounds an account manager. Called from its task; must not block.
pub trait AccountHost: Send + Sync + 'static {
    /// The servers to load from, the best first: the primary, then other running ones.
    fn sources(&self) -> Vec<AccountSource>;
    /// There is a new snapshot, or another place where its server sees us (`seen_at`). Returns the
    /// accounts that will not work.
    fn replaced(&self, accounts: &Arc<Accounts>, seen_at: Option<&str>) -> Vec<Trouble>;
    /// Something for the log.
    fn noted(&self, note: &AccountNote);
}

/// What an account manager knows.
#[derive(Debug, Clone, Default)]
pub struct AccountsView {
    /// The snapshot; `None` until a load succeeded.
    pub accounts: Option<Arc<Accounts>>,
    /// When it was last read, changed or not.
    pub loaded_at: Option<SystemTime>,
    /// From which servers.
    pub servers: Vec<String>,
    /// Where the server it was read from sees us: an address, or a name that it has looked up.
    pub seen_at: Option<String>,
    /// The accounts that will not work, and why.
    pub troubles: Arc<[Trouble]>,
    /// Why the last load failed, if it did.
    pub failure: Option<String>,
    /// Until then logins may count on the snapshot that servers do not check any more: for
    /// `users_refresh_time` after it was read.
    pub fresh_until: Option<Instant>,
}

impl AccountsView {
    /// May logins count on the snapshot that servers do not check any more?
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh_until.is_some_and(|end| Instant::now() < end)
    }
}

/// What became of a wish for fresh accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// There is a new snapshot: try again.
    Changed,
    /// The servers know nothing new.
    Unchanged,
    /// `users_refresh_time` has not passed yet, or refreshes are off.
    NotNow,
    /// The servers could not be asked; the text says why.
    Failed(String),
}

/// Why accounts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// A login failed on the data there is.
    FailedLogin,
    /// A login wants data of which servers check nothing any more, and what there is is too old.
    TooOld,
    /// Somebody asked for it.
    Command,
}

/// What a manager may be called for without an answer.
struct Calls {
    servers_changed: Arc<Notify>,
    accounts_changed: Arc<Notify>,
}

enum Request {
    Refresh(Wish, oneshot::Sender<Refresh>),
    Reconfigure(Box<AccountSettings>),
}

/// The accounts of a service. Dropping it ends the task.
#[derive(Debug)]
pub struct AccountManager {
    requests: mpsc::Sender<Request>,
    servers_changed: Arc<Notify>,
    accounts_changed: Arc<Notify>,
    views: watch::Receiver<AccountsView>,
    task: JoinHandle<()>,
}

impl AccountManager {
    /// Starts on the current tokio runtime; the first load begins at once.
    #[must_use]
    pub fn spawn(settings: AccountSettings, host: Arc<dyn AccountHost>) -> Self {
        let (requests, inbox) = mpsc::channel(REQUEST_QUEUE);
        let servers_changed = Arc::new(Notify::new());
        let accounts_changed = Arc::new(Notify::new());
        let calls = Calls {
            servers_changed: Arc::clone(&servers_changed),
            accounts_changed: Arc::clone(&accounts_changed),
        };
        let (task, views) = Task::new(settings, host);
        Self {
            requests,
            task: tokio::spawn(task.run(inbox, calls)),
            servers_changed,
            accounts_changed,
            views,
        }
    }

    /// What is known now.
    #[must_use]
    pub fn view(&self) -> AccountsView {
        self.views.borrow().clone()
    }

    /// The snapshot now; `None` until a load succeeded.
    #[must_use]
    pub fn accounts(&self) -> Option<Arc<Accounts>> {
        self.views.borrow().accounts.clone()
    }

    /// To be told when more is known.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<AccountsView> {
        self.views.clone()
    }

    /// States or roles of servers changed: accounts are loaded if there are none yet, or if
    /// another server is the best source now. Never waits.
    pub fn servers_changed(&self) {
        self.servers_changed.notify_one();
    }

    /// A statement changed accounts on the servers: they are loaded a second later, when others that
    /// belong to it have passed too. Never waits.
    pub fn accounts_changed(&self) {
        self.accounts_changed.notify_one();
    }

    /// A login failed on the snapshot there is. Loads if the limit allows, or waits for the load
    /// that is running.
    ///
    /// # Cancel safety
    /// The load goes on when the future is dropped.
    pub async fn refresh_after_failure(&self) -> Refresh {
        let (reply, answer) = oneshot::channel();
        match self
            .requests
            .try_send(Request::Refresh(Wish::FailedLogin, reply))
        {
            Ok(()) => answer.await.unwrap_or(Refresh::NotNow),
            Err(_) => Refresh::NotNow,
        }
    }

    /// A snapshot that logins may count on which servers do not check any more: the one there is, or,
    /// where that was read longer than `users_refresh_time` ago, a new one. `None`: there is none.
    ///
    /// # Cancel safety
    /// The load goes on when the future is dropped.
    pub async fn fresh_accounts(&self) -> Option<Arc<Accounts>> {
        let view = self.view();
        if view.is_fresh() {
            return view.accounts;
        }
        let (reply, answer) = oneshot::channel();
        let request = Request::Refresh(Wish::TooOld, reply);
        self.requests.try_send(request).ok()?;
        match answer.await.ok()? {
            Refresh::Changed | Refresh::Unchanged => self.accounts(),
            Refresh::NotNow | Refresh::Failed(_) => None,
        }
    }

    /// Loads now, whatever the limit.
    ///
    /// # Cancel safety
    /// The load goes on when the future is dropped.
    pub async fn reload(&self) -> Refresh {
        let ended = || Refresh::Failed("the account manager has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        match self
            .requests
            .send(Request::Refresh(Wish::Command, reply))
            .await
        {
            Ok(()) => answer.await.unwrap_or_else(|_| ended()),
            Err(_) => ended(),
        }
    }

    /// Goes on with other settings, which count at once.
    ///
    /// # Cancel safety
    /// If the future is dropped, the settings may or may not change.
    pub async fn reconfigure(&self, settings: AccountSettings) {
        // A manager that has ended needs no settings.
        let _ = self
            .requests
            .send(Request::Reconfigure(Box::new(settings)))
            .await;
    }

    /// Ends the manager; a running load is given up.
    pub async fn shutdown(self) {
        drop(self.requests);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}
