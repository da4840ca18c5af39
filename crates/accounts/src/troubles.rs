//! The self-check: accounts that will not work through the proxy, and why.
//!
//! Servers see the proxy's address where clients log in, unless they are told the client's
//! (`proxy_protocol`). An account that the client's address leads to here may be hidden there by
//! another, or lead to none.
//!
//! Left out: what the addresses of clients are. Of an account it is asked what happens to a client
//! that logs in with it.

use std::fmt;

use crate::account::{AccountRow, Method};
use crate::host::{ClientHost, HostPattern};
use crate::snapshot::Accounts;
use crate::ways::{Use, Ways};

/// An account that will not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The user name; empty for anonymous accounts.
    pub user: String,
    /// The host pattern.
    pub host: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, reason } = self;
        write!(f, "'{user}'@'{host}': {reason}")
    }
}

/// What the check has to know of the way from clients to servers.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// What listeners have enabled: an account needs one of them.
    pub ways: &'a [Ways],
    /// A listener has TLS.
    pub tls: bool,
    /// Where servers see the proxy; `None`: they see clients' own addresses, or it is not known.
    pub seen_at: Option<&'a ClientHost>,
}

/// Finds the accounts that will not work, in the order of the snapshot.
#[must_use]
pub fn troubles(accounts: &Accounts, passage: Passage<'_>) -> Vec<Trouble> {
    let native = Ways::native();
    let rows = accounts.rows().iter();
    let rows = rows.filter(|row| is_meant(row, &native));
    rows.filter_map(|row| {
        reason(accounts, row, passage).map(|reason| Trouble {
            user: row.user.clone(),
            host: row.host.clone(),
            reason,
        })
    })
    .collect()
}

/// Is it meant for clients over the network? What is locked, has a hash that nothing matches, or is for
/// processes of the server's own machine is not.
fn is_meant(row: &AccountRow, native: &Ways) -> bool {
    let usable = |method: &Method| {
        !method.plugin().eq_ignore_ascii_case("unix_socket")
            && native.of_method(method) != Use::Unusable
    };
    !row.is_role && !row.locked && row.methods.iter().any(usable)
}

fn reason(accounts: &Accounts, row: &AccountRow, passage: Passage<'_>) -> Option<String> {
    let can = |ways: &Ways| !ways.of_account(row).is_empty();
    if !passage.ways.iter().any(can) {
        let plugins: Vec<&str> = row.methods.iter().map(|method| method.plugin()).collect();
        return Some(format!(
            "no listener of the service lets it log in by {}",
            plugins.join(" or ")
        ));
    }
    if row.tls != crate::TlsDemand::None && !passage.tls {
        return Some("it requires TLS, and no listener of the service has it".to_owned());
    }
    at_servers(accounts, row, passage.seen_at?)
}

/// What a server that sees the proxy's address makes of a client with this account.
fn at_servers(accounts: &Accounts, row: &AccountRow, seen_at: &ClientHost) -> Option<String> {
    // Anonymous accounts have many names.
    if row.user.is_empty() || HostPattern::new(&row.host).matches(seen_at) {
        return None;
    }
    let text = seen_at.text();
    let Some(there) = accounts.at(&row.user, seen_at) else {
        return Some(format!(
            "servers see its clients at '{text}', where no account has this name"
        ));
    };
    let (user, host) = (&there.row().user, &there.row().host);
    (there.row().methods != row.methods).then(|| {
        format!(
            "servers see its clients at '{text}' and take them for '{user}'@'{host}', whose password is another"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Tables;

    const HASH: &str = "*54958E764CE10E50764C2EECBB71D01F08549980";

    fn row(user: &str, host: &str, stored: &str) -> AccountRow {
        AccountRow {
            user: user.to_owned(),
            host: host.to_owned(),
            methods: vec![Method::new("", stored)],
            ..AccountRow::default()
        }
    }

    #[test]
    fn what_will_not_work_is_told_with_its_reason() {
        let accounts = Accounts::new(Tables {
            accounts: vec![
                row("fine", "%", HASH),
                row("both", "10.%", HASH),
                row("both", "192.168.0.1", HASH),
                row("differs", "10.%", HASH),
                row("differs", "192.168.%", ""),
                row("elsewhere", "10.%", HASH),
                AccountRow {
                    methods: vec![Method::new("pam", "")],
                    ..row("pam", "%", "")
                },
                AccountRow {
                    tls: crate::TlsDemand::Any,
                    ..row("tls", "%", "")
                },
                row("mysql", "localhost", "invalid"),
                AccountRow {
                    is_role: true,
                    ..row("role", "", "")
                },
            ],
            ..Tables::default()
        });
        let seen_at = ClientHost::ip("192.168.0.1".parse().expect("an address"));
        let passage = Passage {
            ways: &[Ways::native()],
            tls: false,
            seen_at: Some(&seen_at),
        };
        let found: Vec<String> = troubles(&accounts, passage)
            .iter()
            .map(ToString::to_string)
            .collect();
        let expect = [
            "'differs'@'10.%': servers see its clients at '192.168.0.1' and take them for 'differs'@'192.168.%', whose password is another",
            "'elsewhere'@'10.%': servers see its clients at '192.168.0.1', where no account has this name",
            "'pam'@'%': no listener of the service lets it log in by pam",
            "'tls'@'%': it requires TLS, and no listener of the service has it",
        ];
        assert_eq!(found, expect);
        let told = Passage {
            seen_at: None,
            tls: true,
            ..passage
        };
        assert_eq!(troubles(&accounts, told).len(), 1);
    }
}
