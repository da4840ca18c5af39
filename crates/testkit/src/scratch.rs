//! A temporary folder and the processes that live in it.
//!
//! Dropping a [`Scratch`] ends its processes and removes the folder. If the owner dies without
//! dropping (a signal, an abort, a value in a static), a small shell that holds the other end of
//! a pipe notices and does the same. It runs in its own process group, so that Ctrl-C on a
//! terminal reaches the owner alone, and a child's death is an ordered one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use crate::wait::wait_for;

/// Reads the folder, then process ids, one a line, until the pipe closes; then cleans up what is
/// left. A process is only touched while its command line still names the folder, since ids are
/// reused.
const REAPER: &str = r#"
trap '' INT TERM HUP QUIT
read -r root
pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$root"; then
        kill -9 "$pid" 2>/dev/null
    fi
done
rm -rf -- "$root"
"#;

/// The system users that may run servers, in order of preference.
const USERS: [&str; 2] = ["mysql", "nobody"];

/// An unprivileged user of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

/// A temporary folder with the processes that were started in it.
///
/// Under root, folder and processes belong to the unprivileged user `mysql` or `nobody`;
/// otherwise to whoever runs the test.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    user: Option<User>,
    /// The reaper's process, its standard input still open.
    reaper: Mutex<Child>,
}

impl Scratch {
    /// Makes a folder whose name begins with `prefix`.
    ///
    /// # Errors
    /// The folder or the reaper could not be made, or root finds no unprivileged user.
    pub fn new(prefix: &str) -> Result<Arc<Self>> {
        let user = if getuid().is_root() {
            Some(unprivileged_user()?)
        } else {
            None
        };
        let folder = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .context("cannot make a temporary folder")?;
        let mut reaper = Command::new("sh")
            .args(["-c", REAPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .context("cannot start the shell that cleans up")?;
        if let Some(stdin) = &mut reaper.stdin {
            writeln!(stdin, "{}", folder.path().display())?;
        }
        let scratch = Self {
            folder,
            user,
            reaper: Mutex::new(reaper),
        };
        scratch.give_away(scratch.path())?;
        Ok(Arc::new(scratch))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a folder inside, owned by the user the processes run as.
    ///
    /// # Errors
    /// The file system refused.
    pub fn folder(&self, name: &str) -> Result<std::path::PathBuf> {
        let path = self.path().join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// Writes a file that the processes can read and write.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&self, name: &str, text: &str) -> Result<std::path::PathBuf> {
        let path = self.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// Hands `path` and all below it to the user the processes run as.
    ///
    /// # Errors
    /// The file system refused.
    pub fn give_away(&self, path: &Path) -> Result<()> {
        let Some(User { uid, gid }) = self.user else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid))
            .with_context(|| format!("cannot hand {} to user {uid}", path.display()))?;
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                self.give_away(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// Whether processes run as another user than this one.
    #[must_use]
    pub fn changes_user(&self) -> bool {
        self.user.is_some()
    }

    /// Lets `command` run as the folder's user.
    pub fn disguise(&self, command: &mut Command) {
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
    }

    /// Starts `command` as the folder's user, in a process group of its own. Its command line
    /// has to name the folder (a path in it), which is how the reaper knows it.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn spawn(self: &Arc<Self>, name: &str, command: &mut Command) -> Result<Managed> {
        self.disguise(command);
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}: {}", command.get_program().display()))?;
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stdin) = &mut reaper.stdin {
            writeln!(stdin, "{}", child.id())?;
        }
        Ok(Managed {
            name: name.to_owned(),
            child,
            scratch: Arc::clone(self),
        })
    }
}

impl Drop for Scratch {
    /// The children are gone (each holds this alive); what is left for the reaper is the folder.
    fn drop(&mut self) {
        let reaper = self
            .reaper
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(reaper.stdin.take());
        // A reaper that cannot be waited for leaves the folder to `TempDir`.
        let _ = reaper.wait();
    }
}

/// A process that ends with its handle.
#[derive(Debug)]
pub struct Managed {
    name: String,
    child: Child,
    scratch: Arc<Scratch>,
}

impl Managed {
    /// The operating system's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder the process lives in.
    #[must_use]
    pub fn scratch(&self) -> &Arc<Scratch> {
        &self.scratch
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// The operating system does not know the process any more.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if let Some(status) = self.exited()? {
            bail!("{} has already ended: {status}", self.name);
        }
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the process id does not fit")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Ends the process at once, as a crash would.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn kill(&mut self) -> Result<()> {
        // `kill` of a dead child is no error; a stopped one dies too.
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It did not end within `deadline`; it is left running then.
    pub fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        self.wait(deadline)
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// It did not within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait_for(&what, deadline, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        // There is nobody left to tell; the reaper tries again.
        let _ = self.kill();
    }
}

fn unprivileged_user() -> Result<User> {
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read the list of users")?;
    USERS
        .iter()
        .find_map(|name| find_user(&passwd, name))
        .with_context(|| format!("root runs no server, and none of the users {USERS:?} exists"))
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_the_list_by_its_whole_name() {
        let passwd = "root:x:0:0::/:/bin/sh\nmysqlx:x:1:1::/:/x\nmysql:x:102:105::/:/x\n";
        assert_eq!(
            find_user(passwd, "mysql"),
            Some(User { uid: 102, gid: 105 })
        );
        assert_eq!(find_user(passwd, "nobody"), None);
    }

    #[test]
    fn dropping_ends_the_processes_and_removes_the_folder() {
        let scratch = Scratch::new("tidegate-test").expect("a folder");
        let path = scratch.path().to_owned();
        let mut command = Command::new("tail");
        command
            .arg("-f")
            .arg(scratch.write("empty", "").expect("a file"));
        let child = scratch.spawn("tail", &mut command).expect("tail starts");
        let proc = format!("/proc/{}", child.pid());
        assert!(Path::new(&proc).exists());
        drop(scratch);
        assert!(path.exists(), "a running process keeps its folder");
        drop(child);
        assert!(!Path::new(&proc).exists());
        assert!(!path.exists());
    }

    #[test]
    fn the_reaper_cleans_up_after_an_owner_that_never_drops() {
        let scratch = Scratch::new("tidegate-test").expect("a folder");
        let mut command = Command::new("tail");
        command
            .arg("-f")
            .arg(scratch.write("empty", "").expect("a file"));
        let mut child = scratch.spawn("tail", &mut command).expect("tail starts");
        // What the death of the owner does: the pipe closes.
        drop(scratch.reaper.lock().expect("not poisoned").stdin.take());
        child
            .wait(crate::PATIENCE)
            .expect("the reaper ends the child");
        crate::wait_until("the folder's removal", || !scratch.path().exists()).expect("removed");
    }
}
