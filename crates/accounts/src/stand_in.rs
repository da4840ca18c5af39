//! Sessions that a server lets in with the service's account and then turns into their clients
//! (`use_service_credentials`): of whom may that be done?
//!
//! SET SESSION AUTHORIZATION looks neither at locks nor at expired passwords nor at TLS requirements, so
//! it is for those alone who have passed all checks here.
//!
//! The invariant: whoever is named proved it to us, by an account whose host matches the address that the
//! server is told.

use crate::decide::{LoginPolicy, LoginRequest};
use crate::snapshot::{Account, Accounts};

/// Whom a session turns into, in the words of SET SESSION AUTHORIZATION; `None`: servers must check it
/// themselves. `now` is in seconds since 1970.
///
/// Only for clients that [`check_after_password`](crate::check_after_password) lets in.
#[must_use]
pub fn stand_in(
    accounts: &Accounts,
    policy: &LoginPolicy,
    account: &Account,
    request: &LoginRequest,
    now: u64,
) -> Option<String> {
    let row = account.row();
    let proven = !policy.servers_decide && !policy.ways.unchecked;
    let expired = row.expiry.is_over(now, accounts.default_password_days());
    let place = request.client.unnamed();
    if !accounts.service_sets_users() || !proven || expired || row.locked {
        return None;
    }
    let name = std::str::from_utf8(&request.user).ok()?;
    // An anonymous account may be one that servers find another account by.
    (row.user == name && account.host.matches(&place) && is_plain(name) && is_plain(place.text()))
        .then(|| format!("`{name}`@`{}`", place.text()))
}

/// Does the text mean the same in every character set and every `sql_mode`, between backquotes?
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'`' | b'\'' | b'"' | b'\\');
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AccountRow, Expiry, Method};
    use crate::snapshot::Tables;

    fn of(
        change: impl FnOnce(&mut AccountRow, &mut LoginPolicy, &mut LoginRequest),
    ) -> Option<String> {
        let mut row = AccountRow {
            user: "app".to_owned(),
            host: "10.%".to_owned(),
            methods: vec![Method::new("", "")],
            ..AccountRow::default()
        };
        let address = "10.0.0.1".parse().ok();
        let (mut policy, mut request) =
            (LoginPolicy::default(), LoginRequest::new(b"app", address));
        change(&mut row, &mut policy, &mut request);
        let accounts = Accounts::new(Tables {
            accounts: vec![row],
            service_sets_users: true,
            ..Tables::default()
        });
        let account = accounts.candidates("app").into_iter().next()?.clone();
        stand_in(&accounts, &policy, &account, &request, 0)
    }

    #[test]
    fn whoever_was_checked_here_is_named_with_its_address() {
        assert_eq!(of(|_, _, _| {}).as_deref(), Some("`app`@`10.0.0.1`"));
        let local = of(|row, _, request| {
            row.host = "localhost".to_owned();
            *request = LoginRequest::new(b"app", None);
        });
        assert_eq!(local.as_deref(), Some("`app`@`localhost`"));
    }

    #[test]
    fn all_others_are_checked_by_servers() {
        assert_eq!(of(|row, _, _| row.expiry = Expiry::Expired), None);
        assert_eq!(of(|row, _, _| row.locked = true), None);
        assert_eq!(of(|_, policy, _| policy.servers_decide = true), None);
        assert_eq!(of(|_, policy, _| policy.ways.unchecked = true), None);
        let by_name = of(|row, _, request| {
            row.host = "%.example.org".to_owned();
            request.client = request.client.clone().named("db.example.org");
        });
        assert_eq!(by_name, None);
        assert_eq!(of(|row, _, _| row.user = String::new()), None);
        for odd in ["", "a`b", "a'b", "a b", "a\\", "j\u{f6}rg"] {
            assert_eq!(of(|_, _, request| request.user = odd.into()), None, "{odd}");
        }
    }

    #[test]
    fn without_the_privilege_nobody_is_named() {
        let accounts = Accounts::new(Tables {
            accounts: vec![AccountRow {
                user: "app".to_owned(),
                host: "%".to_owned(),
                ..AccountRow::default()
            }],
            ..Tables::default()
        });
        let account = accounts.candidates("app")[0].clone();
        let request = LoginRequest::new(b"app", "10.0.0.1".parse().ok());
        let named = stand_in(&accounts, &LoginPolicy::default(), &account, &request, 0);
        assert_eq!(named, None);
    }
}
