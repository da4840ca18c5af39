//! Who the process is: never root unless somebody insists, and dropped to a user if one is given.
//!
//! The system calls used here change one thread, so this runs before there is a second one.

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::exit::Failure;

/// Becomes `user`, or refuses to be root.
pub(crate) fn assume(user: Option<&str>) -> Result<(), Failure> {
    match user {
        None if geteuid().is_root() => Err(Failure::Root),
        None | Some("root") => Ok(()),
        Some(user) => become_user(user),
    }
}

/// A line of `/etc/passwd`.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// The user's and the group's number of a user; `None`: there is no such user.
pub(crate) fn ids_of(user: &str) -> std::io::Result<Option<(u32, u32)>> {
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    Ok(find(&passwd, user).map(|account| (account.uid, account.gid)))
}

fn become_user(user: &str) -> Result<(), Failure> {
    let passwd = read("/etc/passwd")?;
    let account = find(&passwd, user).ok_or_else(|| Failure::NoUser(user.to_owned()))?;
    if geteuid().as_raw() == account.uid {
        return Ok(());
    }
    let mut groups = groups_of(&read("/etc/group")?, user);
    groups.push(account.gid);
    let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
    let failed = |error: rustix::io::Errno| Failure::Become {
        user: user.to_owned(),
        error: error.into(),
    };
    set_thread_groups(&groups).map_err(failed)?;
    set_thread_gid(Gid::from_raw(account.gid)).map_err(failed)?;
    set_thread_uid(Uid::from_raw(account.uid)).map_err(failed)
}

fn read(path: &'static str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File {
        what: "read",
        path: path.into(),
        error,
    })
}

/// `name:password:uid:gid:...`
fn find(passwd: &str, user: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_user = fields.next() == Some(user);
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        is_user.then_some(Account { uid, gid })
    })
}

/// `name:password:gid:member,member`
fn groups_of(group: &str, user: &str) -> Vec<u32> {
    group
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let gid = fields.nth(2)?.parse().ok()?;
            fields
                .next()?
                .split(',')
                .any(|member| member == user)
                .then_some(gid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_groups_are_found() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbad line\nmysql:x:105:110::/nonexistent:/bin/false\n";
        assert_eq!(find(passwd, "mysql"), Some(Account { uid: 105, gid: 110 }));
        assert_eq!(find(passwd, "nobody"), None);
        let group = "adm:x:4:syslog,mysql\nssl:x:120:mysql\nmysql:x:110:\n";
        assert_eq!(groups_of(group, "mysql"), [4, 120]);
    }
}
