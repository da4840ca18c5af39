//! May this account use that database?
//!
//! Asked for the database of a login or a `COM_CHANGE_USER`; for `USE` the server decides. The
//! check saves a round trip and gives good errors: what it allows a server may still refuse.

use std::collections::BTreeSet;

use crate::host::ClientHost;
use crate::like::{Case, Like};
use crate::snapshot::{Account, Accounts};

/// The database everybody may use.
const INFORMATION_SCHEMA: &str = "information_schema";

/// The role that everybody has.
pub(crate) const PUBLIC: &str = "PUBLIC";

/// How a database's name is compared: `lower_case_table_names` in `authenticator_options`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DatabaseCase {
    /// 0: exactly.
    #[default]
    Exact,
    /// 1: stored in lower case, compared without regard to case.
    Lower,
    /// 2: compared without regard to case.
    Ignore,
}

impl DatabaseCase {
    fn case(self) -> Case {
        match self {
            Self::Exact => Case::Exact,
            Self::Lower | Self::Ignore => Case::IgnoreAscii,
        }
    }

    fn same(self, a: &str, b: &str) -> bool {
        match self.case() {
            Case::Exact => a == b,
            Case::IgnoreAscii => a.eq_ignore_ascii_case(b),
        }
    }
}

/// What the check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseVerdict {
    /// Go on.
    Allowed,
    /// No grant reaches it; whether it exists is not told.
    Denied,
    /// A grant reaches it, but it does not exist.
    Missing,
}

/// Asks whether `account`, logged in from `client`, may use `database`.
pub(crate) fn check(
    accounts: &Accounts,
    account: &Account,
    client: &ClientHost,
    database: &str,
    case: DatabaseCase,
) -> DatabaseVerdict {
    if database.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
        return DatabaseVerdict::Allowed;
    }
    if accounts.grants_complete() && !is_granted(accounts, account, client, database, case) {
        return DatabaseVerdict::Denied;
    }
    let exists = accounts.databases().is_none_or(|known| match case {
        DatabaseCase::Exact => known.contains(database),
        DatabaseCase::Lower | DatabaseCase::Ignore => {
            known.iter().any(|name| case.same(name, database))
        }
    });
    if exists {
        DatabaseVerdict::Allowed
    } else {
        DatabaseVerdict::Missing
    }
}

fn is_granted(
    accounts: &Accounts,
    account: &Account,
    client: &ClientHost,
    database: &str,
    case: DatabaseCase,
) -> bool {
    let row = account.row();
    let fits = |pattern: &Like| pattern.matches(database, case.case());
    row.global_access
        || accounts.database_patterns(&row.user, client).any(fits)
        || accounts
            .object_databases(&row.user, client)
            .any(|name| case.same(name, database))
        || roles_grant(accounts, row.default_role.as_deref(), database, case)
}

/// Looks through the default role, `PUBLIC` and all roles granted to them.
fn roles_grant(
    accounts: &Accounts,
    default_role: Option<&str>,
    database: &str,
    case: DatabaseCase,
) -> bool {
    let mut waiting: Vec<&str> = default_role.into_iter().chain([PUBLIC]).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name) {
            continue;
        }
        let Some(role) = accounts.role(name) else {
            continue;
        };
        let granted = role.global_access
            || role
                .databases
                .iter()
                .any(|p| p.matches(database, case.case()))
            || role.objects.iter().any(|own| case.same(own, database));
        if granted {
            return true;
        }
        waiting.extend(role.roles.iter().map(String::as_str));
    }
    false
}
