//! The servers' option file: small, careless, alone.
//!
//! Careless means: a commit is handed to the operating system, never flushed to the disk. It
//! survives the death of the server, not that of the machine.

use std::path::Path;

/// What keeps a server small; also what a data folder is made with, so that files fit.
pub(super) const SIZES: &str = "\
innodb_buffer_pool_size=16M
innodb_log_file_size=4M
innodb_data_file_path=ibdata1:4M:autoextend
innodb_autoextend_increment=1
innodb_temp_data_file_path=ibtmp1:1M:autoextend
innodb_undo_tablespaces=0
innodb_flush_method=nosync
aria_pagecache_buffer_size=2M
key_buffer_size=64K
";

/// The same for MySQL.
pub(super) const MYSQL_SIZES: &str = "\
innodb_buffer_pool_size=32M
innodb_redo_log_capacity=8M
innodb_flush_method=nosync
key_buffer_size=64K
";

/// What a server of a group is told.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// The server's own folder.
    pub(super) folder: &'a Path,
    /// Where it listens.
    pub(super) port: u16,
    /// Its number in the group, from 1.
    pub(super) server_id: u32,
    /// Whether it starts as a replica.
    pub(super) read_only: bool,
    /// More lines from the test; they win.
    pub(super) extra: &'a [String],
}

impl Options<'_> {
    /// The option file's text for MariaDB.
    pub(super) fn mariadb(&self) -> String {
        let own = "\
binlog_format=ROW
log_slave_updates=1
gtid_strict_mode=1
slave_net_timeout=5
";
        self.text("mariadbd", &format!("{own}{SIZES}"))
    }

    /// The option file's text for MySQL.
    pub(super) fn mysql(&self) -> String {
        let own = "\
mysqlx=0
log_replica_updates=1
gtid_mode=ON
enforce_gtid_consistency=ON
replica_net_timeout=5
";
        let folder = self.folder.display();
        let files = format!("secure_file_priv={folder}\n");
        self.text("mysqld", &format!("{own}{files}{MYSQL_SIZES}"))
    }

    /// What both are told, and lines of their own.
    fn text(&self, section: &str, own: &str) -> String {
        let Self {
            port, server_id, ..
        } = self;
        let folder = self.folder.display();
        let read_only = u8::from(self.read_only);
        let extra = self.extra.join("\n");
        format!(
            "[{section}]
datadir={folder}/data
socket={folder}/sock
pid_file={folder}/pid
log_error={folder}/error.log
tmpdir={folder}
bind_address=127.0.0.1
port={port}
server_id={server_id}
report_host=127.0.0.1
report_port={port}
read_only={read_only}
skip_name_resolve=1
log_bin=binlog
relay_log=relay
sync_binlog=0
innodb_flush_log_at_trx_commit=2
innodb_doublewrite=0
innodb_buffer_pool_dump_at_shutdown=0
innodb_buffer_pool_load_at_startup=0
performance_schema=0
max_connections=600
{own}{extra}
"
        )
    }
}
