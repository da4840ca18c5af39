//! The account table, from `mysql.global_priv` or from `mysql.user`.

use serde_json::Value;
use tidegate_sqlclient::{ResultSet, Row};

use super::columns::Columns;
use super::privileges;
use crate::account::{AccountRow, Expiry, Method};
use crate::encryption::TlsDemand;

/// Everything there is to know, as one JSON object an account.
pub(super) const GLOBAL_PRIV: &str = "SELECT User, Host, Priv FROM mysql.global_priv";

/// What is read of `mysql.user`, besides privileges.
const USER_COLUMNS: [&str; 14] = [
    "User",
    "Host",
    "plugin",
    "authentication_string",
    "Password",
    "is_role",
    "default_role",
    "ssl_type",
    "ssl_cipher",
    "x509_issuer",
    "x509_subject",
    "account_locked",
    "password_expired",
    "Super_priv",
];

/// Reads a row of [`GLOBAL_PRIV`]. A row whose description makes no sense is no account.
pub(super) fn from_global_priv(row: &Row) -> Option<AccountRow> {
    let described: Value = serde_json::from_slice(row.bytes(2)?).ok()?;
    Some(describe(row.text(0)?, row.text(1)?, &described))
}

fn describe(user: &str, host: &str, described: &Value) -> AccountRow {
    let flag = |key: &str| described.get(key).and_then(Value::as_bool).unwrap_or(false);
    let access = described.get("access").and_then(Value::as_u64).unwrap_or(0);
    let is_role = flag("is_role");
    AccountRow {
        user: user.to_owned(),
        host: host.to_owned(),
        methods: if is_role {
            Vec::new()
        } else {
            methods(described)
        },
        global_access: privileges::reaches_databases(access),
        is_super: privileges::is_super(access),
        is_role,
        default_role: text(described, "default_role"),
        tls: tls(described),
        locked: flag("account_locked"),
        expiry: expiry(described),
        may_proxy: false,
    }
}

fn text(described: &Value, key: &str) -> Option<String> {
    let text = described.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// One method, or the list `auth_or`, in which an empty object stands for that one.
fn methods(described: &Value) -> Vec<Method> {
    let one = |value: &Value| {
        let plugin = text(value, "plugin").unwrap_or_default();
        Method::new(
            &plugin,
            &text(value, "authentication_string").unwrap_or_default(),
        )
    };
    let Some(several) = described.get("auth_or").and_then(Value::as_array) else {
        return vec![one(described)];
    };
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    several
        .iter()
        .map(|value| one(if is_empty(value) { described } else { value }))
        .collect()
}

fn tls(described: &Value) -> TlsDemand {
    let property = |key| text(described, key).unwrap_or_default();
    match described.get("ssl_type").and_then(Value::as_u64) {
        Some(1) => TlsDemand::Any,
        Some(2..) => TlsDemand::Certificate {
            issuer: property("x509_issuer"),
            subject: property("x509_subject"),
            cipher: property("ssl_cipher"),
        },
        Some(0) | None => TlsDemand::None,
    }
}

/// `password_last_changed` 0 is `PASSWORD EXPIRE`; a negative `password_lifetime` is the server's
/// default.
fn expiry(described: &Value) -> Expiry {
    let changed = described
        .get("password_last_changed")
        .and_then(Value::as_u64);
    let days = described.get("password_lifetime").and_then(Value::as_i64);
    match changed {
        None => Expiry::Never,
        Some(0) => Expiry::Expired,
        Some(changed) => Expiry::After {
            changed,
            lifetime_days: days.and_then(|days| u32::try_from(days).ok()),
        },
    }
}

/// The statement for `mysql.user`, or nothing if that table may not be read.
pub(super) fn user_query(columns: &Columns) -> Option<String> {
    let table = columns.of("user");
    if !table.has("User") || !table.has("Host") {
        return None;
    }
    let wanted = table.those_of(USER_COLUMNS.into_iter().chain(privileges::columns()));
    Some(format!("SELECT {} FROM mysql.user", wanted.join(", ")))
}

/// Reads a row of [`user_query`].
pub(super) fn from_user(result: &ResultSet, row: &Row) -> AccountRow {
    let text = |name: &str| result.text(row, name).unwrap_or("").to_owned();
    let is_set = |name: &str| result.text(row, name) == Some("Y");
    let is_role = is_set("is_role");
    let stored = match text("authentication_string") {
        empty if empty.is_empty() => text("Password"),
        stored => stored,
    };
    let method = Method::new(&text("plugin"), &stored);
    AccountRow {
        user: text("User"),
        host: text("Host"),
        methods: if is_role { Vec::new() } else { vec![method] },
        global_access: privileges::columns().any(is_set),
        is_super: is_set("Super_priv"),
        is_role,
        default_role: Some(text("default_role")).filter(|role| !role.is_empty()),
        tls: match text("ssl_type").as_str() {
            "" => TlsDemand::None,
            "ANY" => TlsDemand::Any,
            _ => TlsDemand::Certificate {
                issuer: text("x509_issuer"),
                subject: text("x509_subject"),
                cipher: text("ssl_cipher"),
            },
        },
        locked: is_set("account_locked"),
        expiry: if is_set("password_expired") {
            Expiry::Expired
        } else {
            Expiry::Never
        },
        may_proxy: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(described: &str, expect: AccountRow) {
        let described: Value = serde_json::from_str(described).expect("JSON");
        let expect = AccountRow {
            user: "u".to_owned(),
            host: "h".to_owned(),
            ..expect
        };
        assert_eq!(describe("u", "h", &described), expect, "{described}");
    }

    fn native(stored: &str) -> Vec<Method> {
        vec![Method::new("mysql_native_password", stored)]
    }

    /// Rows of a MariaDB 10.11.
    #[test]
    fn descriptions_are_read() {
        check(
            r#"{"access":18446744073709551615}"#,
            AccountRow {
                methods: native(""),
                global_access: true,
                is_super: true,
                ..AccountRow::default()
            },
        );
        check(
            r#"{"access":0,"plugin":"mysql_native_password","authentication_string":"*B6","ssl_type":1,"ssl_cipher":"","password_last_changed":5,"default_role":"r1"}"#,
            AccountRow {
                methods: native("*B6"),
                default_role: Some("r1".to_owned()),
                tls: TlsDemand::Any,
                expiry: Expiry::After {
                    changed: 5,
                    lifetime_days: None,
                },
                ..AccountRow::default()
            },
        );
        check(
            r#"{"access":0,"ssl_type":3,"ssl_cipher":"AES","x509_issuer":"/CN=i","x509_subject":"/CN=x"}"#,
            AccountRow {
                methods: native(""),
                tls: TlsDemand::Certificate {
                    issuer: "/CN=i".to_owned(),
                    subject: "/CN=x".to_owned(),
                    cipher: "AES".to_owned(),
                },
                ..AccountRow::default()
            },
        );
        check(
            r#"{"access":536870912,"account_locked":true,"password_last_changed":0,"password_lifetime":-1}"#,
            AccountRow {
                methods: native(""),
                global_access: true,
                locked: true,
                expiry: Expiry::Expired,
                ..AccountRow::default()
            },
        );
        check(
            r#"{"access":8589934592,"password_last_changed":7,"password_lifetime":3}"#,
            AccountRow {
                methods: native(""),
                is_super: true,
                expiry: Expiry::After {
                    changed: 7,
                    lifetime_days: Some(3),
                },
                ..AccountRow::default()
            },
        );
        check(
            r#"{"access":16384,"is_role":true}"#,
            AccountRow {
                is_role: true,
                ..AccountRow::default()
            },
        );
    }

    #[test]
    fn methods_are_read_in_order() {
        check(
            r#"{"access":0,"plugin":"mysql_native_password","authentication_string":"*74","auth_or":[{"plugin":"unix_socket"},{},{"plugin":"ed25519","authentication_string":"x"}]}"#,
            AccountRow {
                methods: vec![
                    Method::new("unix_socket", ""),
                    Method::new("mysql_native_password", "*74"),
                    Method::new("ed25519", "x"),
                ],
                ..AccountRow::default()
            },
        );
    }

    #[test]
    fn strange_descriptions_do_no_harm() {
        for strange in ["[]", "null", r#"{"access":"x","auth_or":7,"ssl_type":-1}"#] {
            check(
                strange,
                AccountRow {
                    methods: native(""),
                    ..AccountRow::default()
                },
            );
        }
    }
}
