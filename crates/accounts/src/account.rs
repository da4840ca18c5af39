//! One account or role as the servers describe it.
//!
//! Password hashes are let in but never out: nothing here prints them.

use std::fmt;

use crate::encryption::TlsDemand;

/// The plugin that an empty name stands for.
pub(crate) const NATIVE_PLUGIN: &str = "mysql_native_password";

const SECONDS_PER_DAY: u64 = 86_400;

/// One way to prove who one is. An account may have several, tried in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Method {
    plugin: String,
    stored: String,
}

impl Method {
    /// `plugin` as the account names it (empty: `mysql_native_password`) and what the account
    /// stores for it, such as a password hash.
    #[must_use]
    pub fn new(plugin: &str, stored: &str) -> Self {
        let plugin = if plugin.is_empty() {
            NATIVE_PLUGIN
        } else {
            plugin
        };
        Self {
            plugin: plugin.to_owned(),
            stored: stored.to_owned(),
        }
    }

    /// The plugin's name; never empty.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn stored(&self) -> &str {
        &self.stored
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method")
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

/// When the password expires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Not known, or never.
    #[default]
    Never,
    /// `PASSWORD EXPIRE`: it has.
    Expired,
    /// A number of days after the last change. `None`: the server's default number of days.
    After {
        /// Seconds since 1970.
        changed: u64,
        /// Days; 0 means never.
        lifetime_days: Option<u32>,
    },
}

impl Expiry {
    /// Has the password expired at `now`, in seconds since 1970? `default_days` is the server's
    /// `default_password_lifetime`, where 0 means never.
    #[must_use]
    pub fn is_over(self, now: u64, default_days: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Expired => true,
            Self::After {
                changed,
                lifetime_days,
            } => {
                let days = u64::from(lifetime_days.unwrap_or(default_days));
                days > 0 && changed.saturating_add(days * SECONDS_PER_DAY) < now
            }
        }
    }
}

/// A row of the servers' account table: an account, or a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// The user name; empty for anonymous accounts.
    pub user: String,
    /// The host pattern; empty for roles.
    pub host: String,
    /// How to prove it, in order of trial. Empty for roles.
    pub methods: Vec<Method>,
    /// Does a global privilege reach every database?
    pub global_access: bool,
    /// `SUPER`, or from MariaDB 10.11 on `READ_ONLY ADMIN`.
    pub is_super: bool,
    /// A role cannot log in.
    pub is_role: bool,
    /// The role that is active from the start, if any.
    pub default_role: Option<String>,
    /// What the connection's encryption must be like.
    pub tls: TlsDemand,
    /// `ACCOUNT LOCK`.
    pub locked: bool,
    /// When the password expires.
    pub expiry: Expiry,
    /// May it act as another account?
    pub may_proxy: bool,
}

/// A privilege on a database, or on something inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantRow {
    /// To whom: a user name (empty: everyone) or a role.
    pub user: String,
    /// From where; empty for roles.
    pub host: String,
    /// The database: a pattern in database-level grants, a name otherwise.
    pub database: String,
}

/// `GRANT role TO grantee`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleRow {
    /// To whom: a user name or another role.
    pub user: String,
    /// Where; empty when the grantee is a role.
    pub host: String,
    /// The role granted.
    pub role: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_not_printed() {
        let method = Method::new("", "*54958E764CE10E50764C2EECBB71D01F08549980");
        assert!(!format!("{method:?}").contains("54958E"));
    }

    #[test]
    fn passwords_expire_after_their_days() {
        let day = SECONDS_PER_DAY;
        let after = |lifetime_days| Expiry::After {
            changed: day,
            lifetime_days,
        };
        assert!(!Expiry::Never.is_over(u64::MAX, 1));
        assert!(Expiry::Expired.is_over(0, 0));
        assert!(!after(Some(2)).is_over(3 * day, 0));
        assert!(after(Some(2)).is_over(3 * day + 1, 0));
        assert!(!after(Some(0)).is_over(u64::MAX, 1));
        assert!(!after(None).is_over(u64::MAX, 0));
        assert!(after(None).is_over(3 * day, 1));
    }
}
