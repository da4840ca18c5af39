//! All accounts, roles, grants and databases of a service's servers, as one immutable value.
//!
//! [`Tables`] is what was read; [`Accounts`] the same, arranged for questions. Workers hold it by
//! an `Arc` and ask without locks; a newer one replaces it whole.
//!
//! The invariant: two snapshots are equal exactly when every table they were made from is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::account::{AccountRow, GrantRow, RoleRow};
use crate::host::{ClientHost, HostPattern};
use crate::like::Like;

/// The rows of one or more servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Accounts and roles.
    pub accounts: Vec<AccountRow>,
    /// Database-level grants.
    pub database_grants: Vec<GrantRow>,
    /// Grants on tables, columns and routines, without repetitions.
    pub object_grants: Vec<GrantRow>,
    /// Which roles are granted to whom.
    pub role_grants: Vec<RoleRow>,
    /// The databases that exist. `None`: the list is not known to be complete.
    pub databases: Option<BTreeSet<String>>,
    /// Were all tables of grants readable? If not, nothing is denied for want of a grant.
    pub grants_complete: bool,
    /// `default_password_lifetime` in days, 0 for never.
    pub default_password_days: u32,
    /// `disconnect_on_expired_password`: is a client refused that cannot change its expired
    /// password? If not it is let in, and the server refuses its statements.
    pub refuses_expired: bool,
    /// May sessions that the server lets in with the service's account turn into others: is it a MariaDB
    /// 12, and has the account SET USER?
    pub service_sets_users: bool,
}

impl Tables {
    /// Adds what another server knows. Of an account that both have, the one that was here first
    /// stays.
    pub fn absorb(&mut self, other: Self) {
        let known: BTreeSet<(String, String)> = self
            .accounts
            .iter()
            .map(|row| (row.user.clone(), row.host.clone()))
            .collect();
        let new = |row: &AccountRow| !known.contains(&(row.user.clone(), row.host.clone()));
        self.accounts.extend(other.accounts.into_iter().filter(new));
        self.database_grants.extend(other.database_grants);
        self.object_grants.extend(other.object_grants);
        self.role_grants.extend(other.role_grants);
        self.grants_complete &= other.grants_complete;
        self.databases = match (self.databases.take(), other.databases) {
            (Some(mut all), Some(more)) => {
                all.extend(more);
                Some(all)
            }
            (None, _) | (_, None) => None,
        };
    }

    /// Brings the rows into one order, so that equal knowledge is equal data.
    fn normalise(&mut self) {
        self.accounts
            .sort_by(|a, b| (&a.user, &a.host).cmp(&(&b.user, &b.host)));
        for grants in [&mut self.database_grants, &mut self.object_grants] {
            grants.sort();
            grants.dedup();
        }
        self.role_grants.sort();
        self.role_grants.dedup();
    }
}

/// An account a client can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    row: AccountRow,
    pub(crate) host: HostPattern,
}

impl Account {
    fn new(row: AccountRow) -> Self {
        Self {
            host: HostPattern::new(&row.host),
            row,
        }
    }

    /// What the servers say of it.
    #[must_use]
    pub fn row(&self) -> &AccountRow {
        &self.row
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.row.user.is_empty()
    }

    /// Does PAM say who a client with this account is? Servers then find the account that it stands for.
    #[must_use]
    pub fn is_for_anybody(&self) -> bool {
        let mut methods = self.row.methods.iter();
        self.is_anonymous() && methods.any(|method| method.plugin().eq_ignore_ascii_case("pam"))
    }
}

/// A grant on a database, seen from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DatabaseGrant {
    host: HostPattern,
    pattern: Like,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ObjectGrant {
    host: HostPattern,
    database: String,
}

/// What a role may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) global_access: bool,
    pub(crate) databases: Vec<Like>,
    pub(crate) objects: BTreeSet<String>,
    pub(crate) roles: Vec<String>,
}

/// The accounts of a service's servers at one moment.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    tables: Tables,
    /// By user name (empty: anonymous), each list in the order of trial.
    users: BTreeMap<String, Vec<Arc<Account>>>,
    /// By user name (empty: everyone).
    database_grants: BTreeMap<String, Vec<DatabaseGrant>>,
    object_grants: BTreeMap<String, Vec<ObjectGrant>>,
    roles: BTreeMap<String, Role>,
}

impl PartialEq for Accounts {
    fn eq(&self, other: &Self) -> bool {
        self.tables == other.tables
    }
}

impl Eq for Accounts {}

impl Accounts {
    /// Arranges `tables`.
    #[must_use]
    pub fn new(mut tables: Tables) -> Self {
        tables.normalise();
        let mut made = Self::default();
        for row in &tables.accounts {
            made.add_account(row);
        }
        for list in made.users.values_mut() {
            list.sort_by(|a, b| {
                a.host
                    .precedence(a.is_anonymous(), &b.host, b.is_anonymous())
            });
        }
        for grant in &tables.database_grants {
            made.add_database_grant(grant);
        }
        for grant in &tables.object_grants {
            made.add_object_grant(grant);
        }
        for grant in &tables.role_grants {
            if grant.host.is_empty() {
                let role = made.roles.entry(grant.user.clone()).or_default();
                role.roles.push(grant.role.clone());
            }
        }
        made.tables = tables;
        made
    }

    fn add_account(&mut self, row: &AccountRow) {
        if row.is_role {
            let role = self.roles.entry(row.user.clone()).or_default();
            role.global_access = row.global_access;
        } else {
            let list = self.users.entry(row.user.clone()).or_default();
            list.push(Arc::new(Account::new(row.clone())));
        }
    }

    fn add_database_grant(&mut self, grant: &GrantRow) {
        let pattern = Like::parse(&grant.database);
        if grant.host.is_empty() {
            let role = self.roles.entry(grant.user.clone()).or_default();
            role.databases.push(pattern);
        } else {
            let list = self.database_grants.entry(grant.user.clone()).or_default();
            list.push(DatabaseGrant {
                host: HostPattern::new(&grant.host),
                pattern,
            });
        }
    }

    fn add_object_grant(&mut self, grant: &GrantRow) {
        if grant.host.is_empty() {
            let role = self.roles.entry(grant.user.clone()).or_default();
            role.objects.insert(grant.database.clone());
        } else {
            let list = self.object_grants.entry(grant.user.clone()).or_default();
            list.push(ObjectGrant {
                host: HostPattern::new(&grant.host),
                database: grant.database.clone(),
            });
        }
    }

    /// How many accounts a client could be; roles are not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.values().map(Vec::len).sum()
    }

    /// Is there no account at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The accounts and roles, by name and host.
    #[must_use]
    pub fn rows(&self) -> &[AccountRow] {
        &self.tables.accounts
    }

    /// Were all tables of grants readable?
    pub(crate) fn grants_complete(&self) -> bool {
        self.tables.grants_complete
    }

    /// May sessions that servers let in with the service's account turn into others?
    #[must_use]
    pub fn service_sets_users(&self) -> bool {
        self.tables.service_sets_users
    }

    /// The servers' `default_password_lifetime` in days, 0 for never.
    #[must_use]
    pub fn default_password_days(&self) -> u32 {
        self.tables.default_password_days
    }

    /// `disconnect_on_expired_password`.
    pub(crate) fn refuses_expired(&self) -> bool {
        self.tables.refuses_expired
    }

    /// The accounts of exactly this name (empty: anonymous), in the order of trial.
    pub(crate) fn named(&self, user: &str) -> &[Arc<Account>] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// The accounts of `user` and the anonymous ones, in the order of trial.
    pub(crate) fn candidates<'a>(&'a self, user: &str) -> Vec<&'a Arc<Account>> {
        let mut all: Vec<&Arc<Account>> = self.named(user).iter().collect();
        if !user.is_empty() {
            all.extend(self.named(""));
            all.sort_by(|a, b| {
                a.host
                    .precedence(a.is_anonymous(), &b.host, b.is_anonymous())
            });
        }
        all
    }

    /// The account that a client of this name is at this place.
    pub(crate) fn at(&self, user: &str, client: &ClientHost) -> Option<&Arc<Account>> {
        let mut candidates = self.candidates(user).into_iter();
        candidates.find(|account| account.host.matches(client))
    }

    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// The databases that exist, when that list is complete.
    pub(crate) fn databases(&self) -> Option<&BTreeSet<String>> {
        self.tables.databases.as_ref()
    }

    /// The database patterns granted to `user`, or to everyone, at `client`.
    ///
    /// As the server does it, grants are found by the client's own address and not by the host of
    /// the account it logged in to.
    pub(crate) fn database_patterns<'a>(
        &'a self,
        user: &'a str,
        client: &'a ClientHost,
    ) -> impl Iterator<Item = &'a Like> + 'a {
        let everyone = (!user.is_empty()).then_some("");
        std::iter::once(user)
            .chain(everyone)
            .filter_map(|name| self.database_grants.get(name))
            .flatten()
            .filter(|grant| grant.host.matches(client))
            .map(|grant| &grant.pattern)
    }

    /// The databases in which `user` at `client` has a grant on some table, column or routine.
    pub(crate) fn object_databases<'a>(
        &'a self,
        user: &'a str,
        client: &'a ClientHost,
    ) -> impl Iterator<Item = &'a str> + 'a {
        self.object_grants
            .get(user)
            .into_iter()
            .flatten()
            .filter(|grant| grant.host.matches(client))
            .map(|grant| grant.database.as_str())
    }
}
