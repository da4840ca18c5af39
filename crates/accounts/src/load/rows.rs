//! The tables of grants: which statement reads each, and what its rows mean.

use std::collections::BTreeSet;

use tidegate_sqlclient::{ResultSet, Row};

use super::columns::Columns;
use super::privileges;
use crate::account::{GrantRow, RoleRow};
use crate::snapshot::Tables;

/// The statement for one of the grant tables.
pub(super) fn query(table: &str, columns: &Columns) -> String {
    let wanted = match table {
        "db" => {
            let mut wanted = vec!["User", "Host", "Db"];
            wanted.extend(columns.of("db").those_of(privileges::columns()));
            wanted.join(", ")
        }
        "proxies_priv" => "DISTINCT User, Host".to_owned(),
        "roles_mapping" => "User, Host, Role".to_owned(),
        _ => "DISTINCT User, Host, Db".to_owned(),
    };
    format!("SELECT {wanted} FROM mysql.{table}")
}

/// Takes the rows of [`query`] in.
pub(super) fn take_in(table: &str, result: &ResultSet, tables: &mut Tables) {
    let rows = result.rows().iter();
    match table {
        "db" => {
            let granted = rows.filter(|row| has_privilege(result, row));
            tables.database_grants.extend(granted.filter_map(grant));
        }
        "proxies_priv" => mark_proxies(result, tables),
        "roles_mapping" => tables.role_grants.extend(rows.filter_map(role)),
        _ => tables.object_grants.extend(rows.filter_map(grant)),
    }
}

fn has_privilege(result: &ResultSet, row: &Row) -> bool {
    privileges::columns().any(|column| result.text(row, column) == Some("Y"))
}

fn grant(row: &Row) -> Option<GrantRow> {
    Some(GrantRow {
        user: row.text(0)?.to_owned(),
        host: row.text(1)?.to_owned(),
        database: row.text(2)?.to_owned(),
    })
}

fn role(row: &Row) -> Option<RoleRow> {
    Some(RoleRow {
        user: row.text(0)?.to_owned(),
        host: row.text(1)?.to_owned(),
        role: row.text(2)?.to_owned(),
    })
}

fn mark_proxies(result: &ResultSet, tables: &mut Tables) {
    let rows = result.rows().iter();
    let proxies: BTreeSet<(&str, &str)> = rows
        .filter_map(|row| Some((row.text(0)?, row.text(1)?)))
        .collect();
    for account in &mut tables.accounts {
        account.may_proxy = proxies.contains(&(account.user.as_str(), account.host.as_str()));
    }
}
