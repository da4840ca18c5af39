//! The administrative users and the file that keeps them.
//!
//! The file is JSON, readable by its owner only, replaced as a whole: written beside, synced,
//! renamed. It holds no password. Logging in with a password that was right before costs next
//! to nothing; any other attempt costs one Argon2 run, and only one of them runs at a time, so
//! that guessing cannot eat the machine.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;

use super::Account;
use super::password::{self, Cost, Remembered};
use crate::config::StartError;

const FIRST_USER: &str = "admin";
const FIRST_PASSWORD: &str = "mariadb";

/// One administrative user.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) account: Account,
    pub(crate) created: SystemTime,
    pub(crate) last_update: Option<SystemTime>,
    pub(crate) last_login: Option<SystemTime>,
    hash: String,
}

/// Somebody who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) account: Account,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("no such user")]
    Unknown,
    #[error("cannot write {}: {cause}", file.display())]
    Store { file: PathBuf, cause: io::Error },
}

/// All of them.
pub(crate) struct Users {
    file: PathBuf,
    cost: Cost,
    list: RwLock<Vec<User>>,
    remembered: Remembered,
    verifying: Arc<Semaphore>,
    changing: Mutex<()>,
}

impl Users {
    /// Reads the file; where there is none, makes one with `admin` and `mariadb`.
    pub(crate) fn open(file: &Path, cost: Cost) -> Result<Self, StartError> {
        let failed = |cause| StartError::users(file, cause);
        let list = match fs::read(file) {
            Ok(bytes) => {
                guard_mode(file).map_err(failed)?;
                decode(&bytes).map_err(|problem| StartError::BrokenUsers {
                    file: file.to_owned(),
                    problem,
                })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let first = first_user(cost).map_err(failed)?;
                store(file, std::slice::from_ref(&first)).map_err(failed)?;
                tracing::warn!(
                    "the REST interface has its default user {FIRST_USER} with the default \
                     password, kept in {}; change it with PATCH /users/inet/{FIRST_USER}",
                    file.display()
                );
                vec![first]
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self {
            file: file.to_owned(),
            cost,
            list: RwLock::new(list),
            remembered: Remembered::new(password::random().map_err(failed)?),
            verifying: Arc::new(Semaphore::new(1)),
            changing: Mutex::new(()),
        })
    }

    /// Who this is, if the password is right.
    ///
    /// # Cancel safety
    ///
    /// Nothing is kept between polls but the place in the queue.
    pub(crate) async fn authenticate(&self, name: &str, given: &str) -> Option<Identity> {
        let stored = self.find(name).map(|user| user.hash);
        let right = match &stored {
            Some(stored) if self.remembered.knows(name, given, stored) => true,
            _ => self.verify_slowly(given, stored.as_deref()).await,
        };
        let stored = stored.filter(|_| right)?;
        self.remembered.learn(name, given, &stored);
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let user = list.iter_mut().find(|user| user.name == name)?;
        user.last_login = Some(SystemTime::now());
        Some(Identity {
            name: user.name.clone(),
            account: user.account,
        })
    }

    /// Verifies, one at a time. For a user that does not exist it takes the same time: it
    /// verifies against somebody else's password and forgets the outcome.
    async fn verify_slowly(&self, given: &str, stored: Option<&str>) -> bool {
        let Ok(permit) = Arc::clone(&self.verifying).acquire_owned().await else {
            return false;
        };
        let exists = stored.is_some();
        let against = stored.map_or_else(|| self.any_hash(), str::to_owned);
        let given = given.to_owned();
        let work = spawn_blocking(move || {
            let right = password::verify(&given, &against);
            drop(permit);
            right
        });
        work.await.unwrap_or(false) && exists
    }

    fn any_hash(&self) -> String {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.first()
            .map(|user| user.hash.clone())
            .unwrap_or_default()
    }

    /// All users, by name.
    pub(crate) fn all(&self) -> Vec<User> {
        let mut all = self
            .list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }

    /// The user of that name.
    pub(crate) fn find(&self, name: &str) -> Option<User> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|user| user.name == name).cloned()
    }

    /// Gives a user a new password: first on disk, then in force.
    pub(crate) async fn change_password(
        self: &Arc<Self>,
        name: &str,
        new: &str,
    ) -> Result<(), ChangeError> {
        let _one_at_a_time = self.changing.lock().await;
        let (users, name, new) = (Arc::clone(self), name.to_owned(), new.to_owned());
        spawn_blocking(move || users.change_password_now(&name, &new))
            .await
            .unwrap_or_else(|panic| Err(self.unstored(io::Error::other(panic))))
    }

    fn change_password_now(&self, name: &str, new: &str) -> Result<(), ChangeError> {
        let hash = password::hash(new, self.cost).map_err(|cause| self.unstored(cause))?;
        let mut list = self.all();
        let user = list
            .iter_mut()
            .find(|user| user.name == name)
            .ok_or(ChangeError::Unknown)?;
        user.hash = hash;
        user.last_update = Some(SystemTime::now());
        store(&self.file, &list).map_err(|cause| self.unstored(cause))?;
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(())
    }

    fn unstored(&self, cause: io::Error) -> ChangeError {
        ChangeError::Store {
            file: self.file.clone(),
            cause,
        }
    }
}

fn first_user(cost: Cost) -> io::Result<User> {
    Ok(User {
        name: FIRST_USER.to_owned(),
        account: Account::Admin,
        created: SystemTime::now(),
        last_update: None,
        last_login: None,
        hash: password::hash(FIRST_PASSWORD, cost)?,
    })
}

/// Takes the file away from everybody but its owner, if somebody opened it up.
fn guard_mode(file: &Path) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        tracing::warn!(
            "{} had the mode {mode:03o}, others could read the password hashes; it is 600 now",
            file.display()
        );
    }
    Ok(())
}

fn store(file: &Path, users: &[User]) -> io::Result<()> {
    let beside = file.with_added_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    out.write_all(encode(users).as_bytes())?;
    out.sync_all()?;
    fs::rename(&beside, file)?;
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn encode(users: &[User]) -> String {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    };
    let users: Vec<Value> = users
        .iter()
        .map(|user| {
            json!({
                "name": user.name,
                "account": user.account.word(),
                "hash": user.hash,
                "created": seconds(user.created),
                "last_update": user.last_update.map(seconds),
                "last_login": user.last_login.map(seconds),
            })
        })
        .collect();
    tidegate_jsonapi::to_text(&json!({ "version": 1, "users": users }), true)
}

fn decode(bytes: &[u8]) -> Result<Vec<User>, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    if value["version"] != 1 {
        return Err("not of version 1".into());
    }
    let entries = value["users"].as_array().ok_or("no list of users")?;
    let users = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| decode_user(entry).ok_or(format!("user {index} is incomplete")))
        .collect::<Result<Vec<_>, _>>()?;
    if users.iter().any(|user| user.account == Account::Admin) {
        Ok(users)
    } else {
        Err("it holds no user with the account 'admin'".into())
    }
}

fn decode_user(entry: &Value) -> Option<User> {
    let time = |name: &str| {
        let seconds = entry.get(name)?.as_u64()?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(User {
        name: text("name").filter(|name| !name.is_empty())?.to_owned(),
        account: Account::from_word(text("account")?)?,
        created: time("created")?,
        last_update: time("last_update"),
        last_login: time("last_login"),
        hash: text("hash")
            .filter(|hash| password::is_hash(hash))?
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
    };

    fn open(file: &Path) -> Arc<Users> {
        Arc::new(Users::open(file, CHEAP).unwrap_or_else(|error| panic!("{error}")))
    }

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).expect("a file").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_first_user_is_made_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passwd");
        let identity = open(&file).authenticate("admin", "mariadb").await;
        assert_eq!(identity.map(|who| who.account), Some(Account::Admin));
        assert_eq!(mode(&file), 0o600);
        let text = fs::read_to_string(&file).expect("text");
        assert!(
            !text.contains("mariadb") && text.contains("$argon2id$"),
            "{text}"
        );
        let again = open(&file);
        assert!(again.authenticate("admin", "mariadb").await.is_some());
        assert!(again.authenticate("admin", "wrong").await.is_none());
        assert!(again.authenticate("nobody", "mariadb").await.is_none());
    }

    #[tokio::test]
    async fn a_changed_password_is_in_force_at_once_and_after_a_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passwd");
        let users = open(&file);
        assert!(users.authenticate("admin", "mariadb").await.is_some());
        users
            .change_password("admin", "n3w")
            .await
            .expect("changed");
        for users in [users, open(&file)] {
            assert!(users.authenticate("admin", "mariadb").await.is_none());
            assert!(users.authenticate("admin", "n3w").await.is_some());
            assert!(users.find("admin").expect("admin").last_update.is_some());
        }
        assert_eq!(mode(&file), 0o600);
        let unknown = open(&file).change_password("eve", "x").await;
        assert!(matches!(unknown, Err(ChangeError::Unknown)));
    }

    #[tokio::test]
    async fn a_password_that_cannot_be_stored_is_not_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passwd");
        let users = open(&file);
        fs::create_dir(folder.path().join("passwd.new")).expect("in the way");
        let error = users
            .change_password("admin", "n3w")
            .await
            .expect_err("refused");
        assert!(error.to_string().contains("passwd"), "{error}");
        assert!(users.authenticate("admin", "mariadb").await.is_some());
        assert!(users.authenticate("admin", "n3w").await.is_none());
    }

    #[test]
    fn a_file_that_others_can_read_is_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passwd");
        open(&file);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("opened up");
        open(&file);
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn files_that_are_none_of_ours_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("passwd");
        let user = r#"{"name":"a","account":"basic","created":1,"hash":"#;
        let hash = password::hash("x", CHEAP).expect("hashed");
        let broken = [
            "hunter2".to_owned(),
            "{}".to_owned(),
            r#"{"version":1}"#.to_owned(),
            r#"{"version":1,"users":[]}"#.to_owned(),
            format!(r#"{{"version":1,"users":[{user}"hunter2"}}]}}"#),
            format!(r#"{{"version":1,"users":[{user}"{hash}"}}]}}"#),
        ];
        for text in broken {
            fs::write(&file, &text).expect("written");
            let Err(error) = Users::open(&file, CHEAP) else {
                panic!("accepted {text}");
            };
            let error = error.to_string();
            assert!(
                error.contains("passwd") && error.contains("remove it"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
