//! Which privileges reach databases, by column in `mysql.user` and by bit in
//! `mysql.global_priv`.

/// A privilege that, granted on everything, reaches every database: its column and its bit.
///
/// Source: MariaDB manual, "mysql.global_priv Table" and "mysql.user Table"; the view's definition
/// shows which bit is which column.
pub(super) const DATABASE_PRIVILEGES: [(&str, u32); 20] = [
    ("Select_priv", 0),
    ("Insert_priv", 1),
    ("Update_priv", 2),
    ("Delete_priv", 3),
    ("Create_priv", 4),
    ("Drop_priv", 5),
    ("Grant_priv", 10),
    ("References_priv", 11),
    ("Index_priv", 12),
    ("Alter_priv", 13),
    ("Create_tmp_table_priv", 16),
    ("Lock_tables_priv", 17),
    ("Execute_priv", 18),
    ("Create_view_priv", 21),
    ("Show_view_priv", 22),
    ("Create_routine_priv", 23),
    ("Alter_routine_priv", 24),
    ("Event_priv", 26),
    ("Trigger_priv", 27),
    ("Delete_history_priv", 29),
];

/// `SUPER`.
const SUPER_BIT: u32 = 15;

/// `READ_ONLY ADMIN`, which MariaDB 10.11 took out of `SUPER`.
const READ_ONLY_ADMIN_BIT: u32 = 33;

/// The privileges' columns.
pub(super) fn columns() -> impl Iterator<Item = &'static str> {
    DATABASE_PRIVILEGES.into_iter().map(|(column, _)| column)
}

/// Does one of these bits reach every database?
pub(super) fn reaches_databases(access: u64) -> bool {
    DATABASE_PRIVILEGES
        .into_iter()
        .any(|(_, bit)| access >> bit & 1 == 1)
}

/// Is one of these bits a superuser's?
pub(super) fn is_super(access: u64) -> bool {
    [SUPER_BIT, READ_ONLY_ADMIN_BIT]
        .into_iter()
        .any(|bit| access >> bit & 1 == 1)
}
