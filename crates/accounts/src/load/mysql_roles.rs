//! MySQL's roles, as if they were MariaDB's: names that have grants, and of which one is active from the login on.
//!
//! To MySQL every account may be a role, and several may be active. So each account that is granted becomes a
//! role under the name that SQL gives it (`'name'@'host'`), with the grants of exactly that account; and where
//! several are active from an account's login on, they are granted to a role that is made up for it.
//!
//! | active from the login on           | with                                                     |
//! |------------------------------------|----------------------------------------------------------|
//! | all that are granted, and mandatory | `activate_all_roles_on_login`                           |
//! | those of `mysql.default_roles`      | otherwise                                               |
//! | those of `mandatory_roles` too      | `activate_mandatory_roles` (MySQL 9.5)                  |
//!
//! Source: MySQL manual, "Using Roles", "Server System Variables".

use std::collections::{BTreeMap, BTreeSet};

use tidegate_sqlclient::{ResultSet, quote_text};

use crate::account::{AccountRow, GrantRow, RoleRow};
use crate::database::PUBLIC;
use crate::snapshot::Tables;

/// Who is granted (the first two columns), and to whom.
pub(super) const EDGES: (&str, &str) = (
    "role_edges",
    "SELECT FROM_USER, FROM_HOST, TO_USER, TO_HOST FROM mysql.role_edges",
);

/// What is active from the login on (the first two columns), and whose.
pub(super) const DEFAULTS: (&str, &str) = (
    "default_roles",
    "SELECT DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST, USER, HOST FROM mysql.default_roles",
);

/// What counts for all accounts.
pub(super) const SETTINGS: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
     ('activate_all_roles_on_login', 'activate_mandatory_roles', 'mandatory_roles')";

/// An account or role: name and host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    user: String,
    host: String,
}

impl Name {
    fn new(user: &str, host: &str) -> Self {
        Self {
            user: user.to_owned(),
            host: host.to_owned(),
        }
    }

    /// As SQL names it.
    fn sql(&self) -> String {
        format!("{}@{}", quote_text(&self.user), quote_text(&self.host))
    }

    /// Reads one of `mandatory_roles`: `name`, `name@host`, either of both in quotes.
    fn parse(text: &str) -> Self {
        let bare = |word: &str| {
            let word = word.trim();
            let quote = word.chars().next().filter(|first| "`'\"".contains(*first));
            let inner = quote.and_then(|quote| word.strip_prefix(quote)?.strip_suffix(quote));
            inner.unwrap_or(word).to_owned()
        };
        let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
        Self {
            user: bare(user),
            host: bare(host),
        }
    }
}

/// Everything that was read of roles.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Which role is granted to whom.
    edges: BTreeSet<(Name, Name)>,
    /// Which role is active from whose login on.
    defaults: BTreeSet<(Name, Name)>,
    /// Granted to everybody.
    mandatory: BTreeSet<Name>,
    activates_all: bool,
    activates_mandatory: bool,
}

impl Roles {
    pub(super) fn take_edges(&mut self, result: &ResultSet) {
        self.edges = pairs(result);
    }

    pub(super) fn take_defaults(&mut self, result: &ResultSet) {
        self.defaults = pairs(result);
    }

    pub(super) fn take_settings(&mut self, result: &ResultSet) {
        for row in result.rows() {
            let (Some(name), Some(value)) = (row.text(0), row.text(1)) else {
                continue;
            };
            match name {
                "activate_all_roles_on_login" => self.activates_all = value == "ON",
                "activate_mandatory_roles" => self.activates_mandatory = value == "ON",
                _ => {
                    let names = value.split(',').filter(|name| !name.trim().is_empty());
                    self.mandatory = names.map(Name::parse).collect();
                }
            }
        }
    }

    /// Adds what the accounts may do by their roles.
    pub(super) fn add_to(self, tables: &mut Tables) {
        let granted = self.edges.iter().map(|(role, _)| role);
        let roles: BTreeMap<&Name, String> = granted
            .chain(&self.mandatory)
            .map(|role| (role, role.sql()))
            .collect();
        for (role, to) in &self.edges {
            if let (Some(role), Some(to)) = (roles.get(role), roles.get(to)) {
                tables.role_grants.push(grant(to, role));
            }
        }
        if self.activates_all || self.activates_mandatory {
            let mandatory = self.mandatory.iter().filter_map(|role| roles.get(role));
            let everybody = mandatory.map(|role| grant(PUBLIC, role));
            tables.role_grants.extend(everybody);
        }
        let active = self.active();
        let mut made = Vec::new();
        for account in &mut tables.accounts {
            let name = Name::new(&account.user, &account.host);
            if let Some(role) = roles.get(&name) {
                made.push(AccountRow {
                    user: role.clone(),
                    is_role: true,
                    global_access: account.global_access,
                    ..AccountRow::default()
                });
            }
            let names = active.get(&name).into_iter().flatten();
            let names: Vec<&String> = names.filter_map(|role| roles.get(role)).collect();
            account.default_role = match names.as_slice() {
                [] => None,
                [one] => Some((*one).clone()),
                several => {
                    let all = format!("default of {}", name.sql());
                    let grants = several.iter().map(|role| grant(&all, role));
                    tables.role_grants.extend(grants);
                    Some(all)
                }
            };
        }
        tables.accounts.extend(made);
        for grants in [&mut tables.database_grants, &mut tables.object_grants] {
            let of_roles: Vec<GrantRow> = grants
                .iter()
                .filter_map(|row| {
                    let role = roles.get(&Name::new(&row.user, &row.host))?;
                    Some(GrantRow {
                        user: role.clone(),
                        host: String::new(),
                        database: row.database.clone(),
                    })
                })
                .collect();
            grants.extend(of_roles);
        }
    }

    /// The roles that are active from an account's login on, mandatory ones aside.
    fn active(&self) -> BTreeMap<&Name, Vec<&Name>> {
        let mut active: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        let chosen = if self.activates_all {
            &self.edges
        } else {
            &self.defaults
        };
        for pair in chosen {
            let (role, to) = pair;
            if self.edges.contains(pair) || self.mandatory.contains(role) {
                active.entry(to).or_default().push(role);
            }
        }
        active
    }
}

/// A role that is granted to another, or to everybody.
fn grant(to: &str, role: &str) -> RoleRow {
    RoleRow {
        user: to.to_owned(),
        host: String::new(),
        role: role.to_owned(),
    }
}

/// The names of the first two columns with those of the next two.
fn pairs(result: &ResultSet) -> BTreeSet<(Name, Name)> {
    let rows = result.rows().iter();
    rows.filter_map(|row| {
        let name = |at| Some(Name::new(row.text(at)?, row.text(at + 1)?));
        Some((name(0)?, name(2)?))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(user: &str) -> AccountRow {
        AccountRow {
            user: user.to_owned(),
            host: "%".to_owned(),
            ..AccountRow::default()
        }
    }

    fn name(user: &str) -> Name {
        Name::new(user, "%")
    }

    fn edges(list: &[(&str, &str)]) -> BTreeSet<(Name, Name)> {
        let edge = |(role, to): &(&str, &str)| (name(role), name(to));
        list.iter().map(edge).collect()
    }

    /// Accounts `one`, `two` and `none`; roles `a` and `b`, the former also `inner`.
    fn tables() -> Tables {
        let users = ["one", "two", "none", "a", "b", "inner"];
        Tables {
            accounts: users.into_iter().map(row).collect(),
            database_grants: vec![GrantRow {
                user: "inner".to_owned(),
                host: "%".to_owned(),
                database: "d".to_owned(),
            }],
            ..Tables::default()
        }
    }

    fn roles() -> Roles {
        Roles {
            edges: edges(&[("a", "one"), ("a", "two"), ("b", "two"), ("inner", "a")]),
            defaults: edges(&[("a", "two"), ("b", "two"), ("b", "none")]),
            ..Roles::default()
        }
    }

    fn default_roles(tables: &Tables) -> Vec<Option<&str>> {
        let accounts = tables.accounts.iter().take(3);
        accounts.map(|row| row.default_role.as_deref()).collect()
    }

    #[test]
    fn what_is_active_is_what_the_server_activates() {
        let mut chosen = tables();
        roles().add_to(&mut chosen);
        let several = "default of 'two'@'%'";
        assert_eq!(default_roles(&chosen), [None, Some(several), None]);
        let of_two = |row: &&RoleRow| row.user == several;
        assert_eq!(chosen.role_grants.iter().filter(of_two).count(), 2);
        let mut all = tables();
        let activates_all = Roles {
            activates_all: true,
            ..roles()
        };
        activates_all.add_to(&mut all);
        assert_eq!(default_roles(&all), [Some("'a'@'%'"), Some(several), None]);
    }

    #[test]
    fn roles_have_the_grants_of_their_accounts_and_of_roles_within() {
        let mut tables = tables();
        roles().add_to(&mut tables);
        assert!(
            tables
                .role_grants
                .contains(&grant("'a'@'%'", "'inner'@'%'"))
        );
        let inner = |row: &GrantRow| row.user == "'inner'@'%'" && row.host.is_empty();
        assert!(tables.database_grants.iter().any(inner));
        let role = |row: &AccountRow| row.is_role && row.user == "'inner'@'%'";
        assert!(tables.accounts.iter().any(role));
    }

    #[test]
    fn mandatory_roles_are_everybodys_where_they_are_activated() {
        for (activates_mandatory, count) in [(false, 0), (true, 1)] {
            let mut tables = tables();
            let roles = Roles {
                mandatory: BTreeSet::from([name("b")]),
                activates_mandatory,
                ..roles()
            };
            roles.add_to(&mut tables);
            let everybodys = |row: &&RoleRow| row.user == PUBLIC;
            assert_eq!(tables.role_grants.iter().filter(everybodys).count(), count);
            // Who need not be granted it may have it as its default.
            assert_eq!(default_roles(&tables)[2], Some("'b'@'%'"));
        }
    }

    #[test]
    fn names_of_mandatory_roles_are_read() {
        for (text, user, host) in [
            ("r", "r", "%"),
            (" `r`@`10.%` ", "r", "10.%"),
            ("'a@b'@localhost", "a@b", "localhost"),
        ] {
            assert_eq!(Name::parse(text), Name::new(user, host), "{text}");
        }
    }
}
