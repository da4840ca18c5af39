//! Recorded from MariaDB 10.11.19 (Debian 12) over a UNIX socket, by commands made by hand.
//!
//! Each line of a reply is one packet with its header. LOAD DATA LOCAL replies leave out what the
//! client sent between the file request and the rest.

use super::{Group, Recording};
use tidegate_wire::{Caps, Shape};

const BASE: Caps = Caps::PROTOCOL_41
    .union(Caps::LONG_FLAG)
    .union(Caps::CONNECT_WITH_DB)
    .union(Caps::LOCAL_FILES)
    .union(Caps::TRANSACTIONS)
    .union(Caps::SECURE_CONNECTION)
    .union(Caps::MULTI_STATEMENTS)
    .union(Caps::MULTI_RESULTS)
    .union(Caps::PS_MULTI_RESULTS)
    .union(Caps::PLUGIN_AUTH)
    .union(Caps::CONNECT_ATTRS)
    .union(Caps::PLUGIN_AUTH_LENENC_CLIENT_DATA);

macro_rules! recordings {
    ($($name:literal $shape:ident $command:literal => $events:literal { $($packet:literal)+ })+) => {
        &[$(Recording {
            name: $name,
            shape: Shape::$shape,
            command: $command,
            events: $events,
            reply: &[$($packet),+],
        }),+]
    };
}

/// All recordings, by the capabilities of their connections.
pub(super) const GROUPS: &[Group] = &[
    Group {
        caps: BASE,
        recordings: CLASSIC,
    },
    Group {
        caps: BASE.union(Caps::SESSION_TRACK).union(Caps::DEPRECATE_EOF),
        recordings: MODERN,
    },
    Group {
        caps: BASE.union(Caps::SESSION_TRACK),
        recordings: TRACKED,
    },
    Group {
        caps: BASE
            .union(Caps::CACHE_METADATA)
            .union(Caps::STMT_BULK_OPERATIONS),
        recordings: CLASSIC_CACHE,
    },
    Group {
        caps: BASE
            .union(Caps::SESSION_TRACK)
            .union(Caps::DEPRECATE_EOF)
            .union(Caps::PROGRESS)
            .union(Caps::STMT_BULK_OPERATIONS)
            .union(Caps::EXTENDED_METADATA)
            .union(Caps::CACHE_METADATA),
        recordings: FULL,
    },
];

/// EOF packets, no session tracking: what the oldest clients ask for.
const CLASSIC: &[Recording] = recordings! {
    "one row" Query b"\x03select 1"
        => "Count(1) Column Eof(0002) Row End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\x02\0"
    }
    "no rows" Query b"\x03select v from a where id < 0"
        => "Count(1) Column Eof(0002) End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x1b\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
    }
    "null and long text" Query b"\x03select null, repeat('x', 300)"
        => "Count(2) Column*2 Eof(0002) Row End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1a\0\0\x02\x03def\0\0\0\x04NULL\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"&\0\0\x03\x03def\0\0\0\x10repeat('x', 300)\0\x0c-\0\xb0\x04\0\0\xfd\0\0'\0\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
        b"0\x01\0\x05\xfb\xfc,\x01xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        b"\x05\0\0\x06\xfe\0\0\x02\0"
    }
    "ok with info" Query b"\x03update a set v=v"
        => "Ok(0022)" {
        b"0\0\0\x01\0\0\0\"\0\0\0(Rows matched: 3  Changed: 0  Warnings: 0"
    }
    "ok with insert id" Query b"\x03insert into a (v) values ('four')"
        => "Ok(0002 rows=1 id=4)" {
        b"\x07\0\0\x01\0\x01\x04\x02\0\0\0"
    }
    "ok with a warning" Query b"\x03do 1/0"
        => "Ok(0002 warnings=1)" {
        b"\x07\0\0\x01\0\0\0\x02\0\x01\0"
    }
    "error" Query b"\x03select nope"
        => "Err(1054)" {
        b"*\0\0\x01\xff\x1e\x04#42S22Unknown column 'nope' in 'SELECT'"
    }
    "multi-statement" Query b"\x03select 1; select 2; do 1"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x01\0\0\x06\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x012\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x02\0\0\x09\x012"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "multi-statement ends by an error" Query b"\x03do 1; select 1; selec"
        => "Ok(000a) Count(1) Column Eof(000a) Row End(000a) Err(1064)" {
        b"\x07\0\0\x01\0\0\0\n\0\0\0"
        b"\x01\0\0\x02\x01"
        b"\x17\0\0\x03\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\n\0"
        b"\x02\0\0\x05\x011"
        b"\x05\0\0\x06\xfe\0\0\n\0"
        b"\xa2\0\0\x07\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "procedure with two results" Query b"\x03call two()"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x01\0\0\x06\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x02\0\0\x09\x012"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "procedure that fails after a result" Query b"\x03call failing()"
        => "Count(1) Column Eof(000a) Row End(000a) Err(1644)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x0d\0\0\x06\xffl\x06#45000boom"
    }
    "error amid rows" Query b"\x03select f(id) from a"
        => "Count(1) Column Eof(0022) Row*2 Err(1644)" {
        b"\x01\0\0\x01\x01"
        b" \0\0\x02\x03def\0\0\0\x05f(id)\x05f(id)\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\"\0"
        b"\x02\0\0\x04\x011"
        b"\x02\0\0\x05\x012"
        b"\x12\0\0\x06\xffl\x06#45000row three"
    }
    "autocommit off" Query b"\x03set autocommit=0"
        => "Ok(0000)" {
        b"\x07\0\0\x01\0\0\0\0\0\0\0"
    }
    "in a transaction" Query b"\x03select count(*) from a"
        => "Count(1) Column Eof(0021) Row End(0021)" {
        b"\x01\0\0\x01\x01"
        b"\x1e\0\0\x02\x03def\0\0\0\x08count(*)\0\x0c?\0\x15\0\0\0\x08\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0!\0"
        b"\x02\0\0\x04\x014"
        b"\x05\0\0\x05\xfe\0\0!\0"
    }
    "rollback" Query b"\x03rollback"
        => "Ok(0000)" {
        b"\x07\0\0\x01\0\0\0\0\0\0\0"
    }
    "autocommit on" Query b"\x03set autocommit=1"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "ping" Ok b"\x0e"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "init db" Ok b"\x02other"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "init db of an unknown database" Ok b"\x02nope"
        => "Err(1049)" {
        b" \0\0\x01\xff\x19\x04#42000Unknown database 'nope'"
    }
    "statistics" Statistics b"\x09"
        => "Statistics" {
        b"s\0\0\x01Uptime: 947  Threads: 1  Questions: 321  Slow queries: 0  Opens: 33  Open tables: 17  Queries per second avg: 0.338"
    }
    "debug" Eof b"\x0d"
        => "Eof(0002)" {
        b"\x05\0\0\x01\xfe\0\0\x02\0"
    }
    "set option" Eof b"\x1b\0\0"
        => "Eof(0002)" {
        b"\x05\0\0\x01\xfe\0\0\x02\0"
    }
    "set option of no meaning" Eof b"\x1b\x07\0"
        => "Err(1047)" {
        b"\x18\0\0\x01\xff\x17\x04#08S01Unknown command"
    }
    "field list" FieldList b"\x04a\0"
        => "Column*2 Eof(0002)" {
        b"\x1f\0\0\x01\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0\x010"
        b"\x1c\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0\xfb"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
    }
    "field list of an unknown table" FieldList b"\x04nope\0"
        => "Err(1146)" {
        b"%\0\0\x01\xffz\x04#42S02Table 't.nope' doesn't exist"
    }
    "unknown command" Ok b"0"
        => "Err(1047)" {
        b"\x18\0\0\x01\xff\x17\x04#08S01Unknown command"
    }
    "reset connection" Ok b"\x1f"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "prepare without columns or parameters" Prepare b"\x16do 1"
        => "Prepare(id=1 params=0 columns=0)" {
        b"\x0c\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0"
    }
    "prepare fails" Prepare b"\x16selec"
        => "Err(1064)" {
        b"\xa2\0\0\x01\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "prepare with columns" Prepare b"\x16select 1"
        => "Prepare(id=3 params=0 columns=1) Column Eof(0002)" {
        b"\x0c\0\0\x01\0\x03\0\0\0\x01\0\0\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
    }
    "prepare with parameters" Prepare b"\x16insert into l values (?, ?)"
        => "Prepare(id=4 params=2 columns=0) Column*2 Eof(0002)" {
        b"\x0c\0\0\x01\0\x04\0\0\0\0\0\x02\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x17\0\0\x03\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
    }
    "prepare with both" Prepare b"\x16select id, v from a where id > ?"
        => "Prepare(id=5 params=1 columns=2) Column Eof(0002) Column*2 Eof(0002)" {
        b"\x0c\0\0\x01\0\x05\0\0\0\x02\0\x01\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x1d\0\0\x04\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x05\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x06\xfe\0\0\x02\0"
    }
    "execute with types" Execute b"\x17\x05\0\0\0\0\x01\0\0\0\0\x01\x03\0\x01\0\0\0"
        => "Count(2) Column*2 Eof(0002) Row*3 End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
        b"\n\0\0\x05\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x06\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x07\0\0\x04\0\0\0\x04four"
        b"\x05\0\0\x08\xfe\0\0\x02\0"
    }
    "execute without types" Execute b"\x17\x05\0\0\0\0\x01\0\0\0\0\0\x01\0\0\0"
        => "Count(2) Column*2 Eof(0002) Row*3 End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
        b"\n\0\0\x05\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x06\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x07\0\0\x04\0\0\0\x04four"
        b"\x05\0\0\x08\xfe\0\0\x02\0"
    }
    "execute opens a cursor" Execute b"\x17\x05\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0"
        => "Count(2) Column*2 End(0042)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x01\0\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0B\0"
    }
    "fetch" Fetch b"\x1c\x05\0\0\0\x02\0\0\0"
        => "Row*2 End(0042)" {
        b"\n\0\0\x01\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x05\0\0\x03\xfe\0\0B\0"
    }
    "fetch to the last row" Fetch b"\x1c\x05\0\0\0\x09\0\0\0"
        => "Row*2 End(0082)" {
        b"\x0c\0\0\x01\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x02\0\0\x04\0\0\0\x04four"
        b"\x05\0\0\x03\xfe\0\0\x82\0"
    }
    "fetch without a cursor" Fetch b"\x1c\x05\0\0\0\x02\0\0\0"
        => "Err(1421)" {
        b"-\0\0\x01\xff\x8d\x05#HY000The statement (5) has no open cursor"
    }
    "statement reset" Ok b"\x1a\x05\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "execute of an unknown statement" Execute b"\x17\xe7\x03\0\0\0\x01\0\0\0"
        => "Err(1243)" {
        b"N\0\0\x01\xff\xdb\x04#HY000Unknown prepared statement handler (999) given to mysqld_stmt_execute"
    }
    "execute with long data" Execute b"\x17\x04\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfd\0\x07\0\0\0"
        => "Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\x01\0\x02\0\0\0"
    }
    "execute with two results" Execute b"\x17\x06\0\0\0\0\x01\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x01\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x01\0\0\x06\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x06\0\0\x09\0\0\x02\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "a cursor is asked for and not opened" Execute b"\x17\x06\0\0\0\x01\x01\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x01\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x01\0\0\x06\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x06\0\0\x09\0\0\x02\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "execute with out parameters" Execute b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x03\0\x03\0\x07\0\0\0\0\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(100a) Row End(100a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x01a\x01a\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x07\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x01\0\0\x06\x01"
        b"#\0\0\x07\x03def\x01t\x05bothp\x05bothp\x01b\x01b\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\x10"
        b"\x06\0\0\x09\0\0\x08\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\x10"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "load data local" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Ok(0002 rows=2)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"7\0\0\x04\0\x02\0\x02\0\0\0/Records: 2  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local of nothing" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Ok(0002)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"7\0\0\x03\0\0\0\x02\0\0\0/Records: 0  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local as second statement" Query b"\x03do 1; load data local infile 'x.csv' into table l fields terminated by ','"
        => "Ok(000a) Infile Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\0\0\n\0\0\0"
        b"\x06\0\0\x02\xfbx.csv"
        b"7\0\0\x05\0\x01\0\x02\0\0\0/Records: 1  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local into an unknown table" Query b"\x03load data local infile 'x.csv' into table nope"
        => "Err(1146)" {
        b"%\0\0\x01\xffz\x04#42S02Table 't.nope' doesn't exist"
    }
    "register slave" Ok b"\x15\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "binlog dump" Stream b"\x12\x04\0\0\0\x01\0\x09\0\0\0pid-bin.000005"
        => "Packet*8 Eof(0002)" {
        b"*\0\0\x01\0\0\0\0\0\x04\x01\0\0\0)\0\0\0\0\0\0\0 \0\x04\0\0\0\0\0\0\0pid-bin.000005"
        b"\xfd\0\0\x02\0\x1d\xc4\x04k\x0f\x01\0\0\0\xfc\0\0\0\0\x01\0\0\0\0\x04\x0010.11.19-MariaDB-0+deb12u1-log\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x138\x0d\0\x08\0\x12\0\x04\x04\x04\x04\x12\0\0\xe4\0\x04\x1a\x08\0\0\0\x08\x08\x08\x02\0\0\0\n\n\n\0\0\0\0\0\0\n\n\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x13\x04\0\x0d\x08\x08\x08\n\n\n\x01f\x0d;6"
        b",\0\0\x03\0\x1d\xc4\x04k\x02\x01\0\0\0+\0\0\0+\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# DummE\x8e*4"
        b"*\0\0\x04\0\x1d\xc4\x04k\x02\x01\0\0\0)\0\0\0T\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# Duo\x9fhq"
        b"*\0\0\x05\0\x1d\xc4\x04k\x02\x01\0\0\0)\0\0\0}\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# Du\x8c8\x96\xdc"
        b"+\0\0\x06\0\x1d\xc4\x04k\x02\x01\0\0\0*\0\0\0\xa7\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0BEGIN\xe1\x17\xde)"
        b"]\0\0\x07\0\x1d\xc4\x04k\x02\x01\0\0\0\\\0\0\0\x03\x02\0\0\0\0(\0\0\0\0\0\0\0\x01\0\0\x1a\0\0\0\0\0\x01\x01\0\0 T\0\0\0\0\x06\x03std\x04-\0-\0\x08\0t\0insert into l values (1,\"x\")\0\x87\xd4x"
        b" \0\0\x08\0\x1d\xc4\x04k\x10\x01\0\0\0\x1f\0\0\0\"\x02\0\0\0\0j\x01\0\0\0\0\0\x005\x19\xe2\xf9"
        b"\x05\0\0\x09\xfe\0\0\x02\0"
    }
    "binlog dump of an unknown log" Stream b"\x12\x04\0\0\0\x01\0\x09\0\0\0nope"
        => "Err(1236)" {
        b"D\0\0\x01\xff\xd4\x04#HY000Could not find first log file name in binary log index file"
    }
    "change user" Auth b"\x11second\0\0other\0-\0mysql_native_password\0\0"
        => "AuthMore Ok(0002)" {
        b",\0\0\x01\xfemysql_native_password\0e$~sFBYxpJa*K{I</t}7\0"
        b"\x07\0\0\x03\0\0\0\x02\0\0\0"
    }
    "change user with a wrong password" Auth b"\x11second\0\0other\0-\0mysql_native_password\0\0"
        => "AuthMore Err(1045)" {
        b",\0\0\x01\xfemysql_native_password\0b_5-}R`jv23K_{n6aeYn\0"
        b"J\0\0\x03\xff\x15\x04#28000Access denied for user 'second'@'localhost' (using password: YES)"
    }
};

/// No EOF packets, session tracking.
const MODERN: &[Recording] = recordings! {
    "one row" Query b"\x03select 1"
        => "Count(1) Column Row End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\x02\0\0\0"
    }
    "no rows" Query b"\x03select v from a where id < 0"
        => "Count(1) Column End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x1b\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x07\0\0\x03\xfe\0\0\x02\0\0\0"
    }
    "null and long text" Query b"\x03select null, repeat('x', 300)"
        => "Count(2) Column*2 Row End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1a\0\0\x02\x03def\0\0\0\x04NULL\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"&\0\0\x03\x03def\0\0\0\x10repeat('x', 300)\0\x0c-\0\xb0\x04\0\0\xfd\0\0'\0\0"
        b"0\x01\0\x04\xfb\xfc,\x01xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        b"\x07\0\0\x05\xfe\0\0\x02\0\0\0"
    }
    "ok with info" Query b"\x03update a set v=v"
        => "Ok(0022)" {
        b"0\0\0\x01\0\0\0\"\0\0\0(Rows matched: 4  Changed: 0  Warnings: 0"
    }
    "ok with insert id" Query b"\x03insert into a (v) values ('four')"
        => "Ok(0002 rows=1 id=5)" {
        b"\x07\0\0\x01\0\x01\x05\x02\0\0\0"
    }
    "ok with a warning" Query b"\x03do 1/0"
        => "Ok(0002 warnings=1)" {
        b"\x07\0\0\x01\0\0\0\x02\0\x01\0"
    }
    "error" Query b"\x03select nope"
        => "Err(1054)" {
        b"*\0\0\x01\xff\x1e\x04#42S22Unknown column 'nope' in 'SELECT'"
    }
    "multi-statement" Query b"\x03select 1; select 2; do 1"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x01\0\0\x05\x01"
        b"\x17\0\0\x06\x03def\0\0\0\x012\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x07\x012"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "multi-statement ends by an error" Query b"\x03do 1; select 1; selec"
        => "Ok(000a) Count(1) Column Row End(000a) Err(1064)" {
        b"\x07\0\0\x01\0\0\0\n\0\0\0"
        b"\x01\0\0\x02\x01"
        b"\x17\0\0\x03\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x04\x011"
        b"\x07\0\0\x05\xfe\0\0\n\0\0\0"
        b"\xa2\0\0\x06\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "procedure with two results" Query b"\x03call two()"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x01\0\0\x05\x01"
        b"\x17\0\0\x06\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x07\x012"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "procedure that fails after a result" Query b"\x03call failing()"
        => "Count(1) Column Row End(000a) Err(1644)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x0d\0\0\x05\xffl\x06#45000boom"
    }
    "error amid rows" Query b"\x03select f(id) from a"
        => "Count(1) Column Row*2 Err(1644)" {
        b"\x01\0\0\x01\x01"
        b" \0\0\x02\x03def\0\0\0\x05f(id)\x05f(id)\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x02\0\0\x04\x012"
        b"\x12\0\0\x05\xffl\x06#45000row three"
    }
    "autocommit off" Query b"\x03set autocommit=0"
        => "Ok(4000 changes)" {
        b"\x1a\0\0\x01\0\0\0\0@\0\0\0\x11\0\x0f\nautocommit\x03OFF"
    }
    "in a transaction" Query b"\x03select count(*) from a"
        => "Count(1) Column Row End(0021)" {
        b"\x01\0\0\x01\x01"
        b"\x1e\0\0\x02\x03def\0\0\0\x08count(*)\0\x0c?\0\x15\0\0\0\x08\x81\0\0\0\0"
        b"\x02\0\0\x03\x015"
        b"\x07\0\0\x04\xfe\0\0!\0\0\0"
    }
    "rollback" Query b"\x03rollback"
        => "Ok(0000)" {
        b"\x07\0\0\x01\0\0\0\0\0\0\0"
    }
    "autocommit on" Query b"\x03set autocommit=1"
        => "Ok(4002 changes)" {
        b"\x19\0\0\x01\0\0\0\x02@\0\0\0\x10\0\x0e\nautocommit\x02ON"
    }
    "ping" Ok b"\x0e"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "init db" Ok b"\x02other"
        => "Ok(4002 changes)" {
        b"\x11\0\0\x01\0\0\0\x02@\0\0\0\x08\x01\x06\x05other"
    }
    "init db of an unknown database" Ok b"\x02nope"
        => "Err(1049)" {
        b" \0\0\x01\xff\x19\x04#42000Unknown database 'nope'"
    }
    "statistics" Statistics b"\x09"
        => "Statistics" {
        b"s\0\0\x01Uptime: 959  Threads: 3  Questions: 401  Slow queries: 0  Opens: 34  Open tables: 18  Queries per second avg: 0.418"
    }
    "debug" Eof b"\x0d"
        => "Eof(0002)" {
        b"\x07\0\0\x01\xfe\0\0\x02\0\0\0"
    }
    "set option" Eof b"\x1b\0\0"
        => "Eof(0002)" {
        b"\x07\0\0\x01\xfe\0\0\x02\0\0\0"
    }
    "set option of no meaning" Eof b"\x1b\x07\0"
        => "Err(1047)" {
        b"\x18\0\0\x01\xff\x17\x04#08S01Unknown command"
    }
    "field list" FieldList b"\x04a\0"
        => "Column*2 Eof(0002)" {
        b"\x1f\0\0\x01\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0\x010"
        b"\x1c\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0\xfb"
        b"\x07\0\0\x03\xfe\0\0\x02\0\0\0"
    }
    "field list of an unknown table" FieldList b"\x04nope\0"
        => "Err(1146)" {
        b"%\0\0\x01\xffz\x04#42S02Table 't.nope' doesn't exist"
    }
    "unknown command" Ok b"0"
        => "Err(1047)" {
        b"\x18\0\0\x01\xff\x17\x04#08S01Unknown command"
    }
    "reset connection" Ok b"\x1f"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "prepare without columns or parameters" Prepare b"\x16do 1"
        => "Prepare(id=8 params=0 columns=0)" {
        b"\x0c\0\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0"
    }
    "prepare fails" Prepare b"\x16selec"
        => "Err(1064)" {
        b"\xa2\0\0\x01\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "prepare with columns" Prepare b"\x16select 1"
        => "Prepare(id=10 params=0 columns=1) Column" {
        b"\x0c\0\0\x01\0\n\0\0\0\x01\0\0\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
    }
    "prepare with parameters" Prepare b"\x16insert into l values (?, ?)"
        => "Prepare(id=11 params=2 columns=0) Column*2" {
        b"\x0c\0\0\x01\0\x0b\0\0\0\0\0\x02\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x17\0\0\x03\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
    }
    "prepare with both" Prepare b"\x16select id, v from a where id > ?"
        => "Prepare(id=12 params=1 columns=2) Column*3" {
        b"\x0c\0\0\x01\0\x0c\0\0\0\x02\0\x01\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x1d\0\0\x03\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x04\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
    }
    "execute with types" Execute b"\x17\x0c\0\0\0\0\x01\0\0\0\0\x01\x03\0\x01\0\0\0"
        => "Count(2) Column*2 Row*4 End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\n\0\0\x04\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x05\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x06\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x07\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x08\xfe\0\0\x02\0\0\0"
    }
    "execute without types" Execute b"\x17\x0c\0\0\0\0\x01\0\0\0\0\0\x01\0\0\0"
        => "Count(2) Column*2 Row*4 End(0002)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\n\0\0\x04\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x05\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x06\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x07\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x08\xfe\0\0\x02\0\0\0"
    }
    "execute opens a cursor" Execute b"\x17\x0c\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0"
        => "Count(2) Column*2 End(0042)" {
        b"\x01\0\0\x01\x02"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x01\0\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x07\0\0\x04\xfe\0\0B\0\0\0"
    }
    "fetch" Fetch b"\x1c\x0c\0\0\0\x02\0\0\0"
        => "Row*2 End(0042)" {
        b"\n\0\0\x01\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x07\0\0\x03\xfe\0\0B\0\0\0"
    }
    "fetch to the last row" Fetch b"\x1c\x0c\0\0\0\x09\0\0\0"
        => "Row*3 End(0082)" {
        b"\x0c\0\0\x01\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x02\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x03\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x04\xfe\0\0\x82\0\0\0"
    }
    "fetch without a cursor" Fetch b"\x1c\x0c\0\0\0\x02\0\0\0"
        => "Err(1421)" {
        b".\0\0\x01\xff\x8d\x05#HY000The statement (12) has no open cursor"
    }
    "statement reset" Ok b"\x1a\x0c\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "execute of an unknown statement" Execute b"\x17\xe7\x03\0\0\0\x01\0\0\0"
        => "Err(1243)" {
        b"N\0\0\x01\xff\xdb\x04#HY000Unknown prepared statement handler (999) given to mysqld_stmt_execute"
    }
    "execute with long data" Execute b"\x17\x0b\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfd\0\x07\0\0\0"
        => "Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\x01\0\x02\0\0\0"
    }
    "execute with two results" Execute b"\x17\x0d\0\0\0\0\x01\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x03\0\0\x01\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x01\0\0\x05\x01"
        b"\x17\0\0\x06\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x07\0\0\x02\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "a cursor is asked for and not opened" Execute b"\x17\x0d\0\0\0\x01\x01\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x03\0\0\x01\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x01\0\0\x05\x01"
        b"\x17\0\0\x06\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x07\0\0\x02\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "execute with out parameters" Execute b"\x17\x0e\0\0\0\0\x01\0\0\0\0\x01\x03\0\x03\0\x07\0\0\0\0\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(100a) Ok(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x01a\x01a\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x06\0\0\x03\0\0\x07\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x01\0\0\x05\x01"
        b"#\0\0\x06\x03def\x01t\x05bothp\x05bothp\x01b\x01b\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x06\0\0\x07\0\0\x08\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\x10\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "load data local" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Ok(0002 rows=2)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"7\0\0\x04\0\x02\0\x02\0\0\0/Records: 2  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local of nothing" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Ok(0002)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"7\0\0\x03\0\0\0\x02\0\0\0/Records: 0  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local as second statement" Query b"\x03do 1; load data local infile 'x.csv' into table l fields terminated by ','"
        => "Ok(000a) Infile Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\0\0\n\0\0\0"
        b"\x06\0\0\x02\xfbx.csv"
        b"7\0\0\x05\0\x01\0\x02\0\0\0/Records: 1  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local into an unknown table" Query b"\x03load data local infile 'x.csv' into table nope"
        => "Err(1146)" {
        b"%\0\0\x01\xffz\x04#42S02Table 't.nope' doesn't exist"
    }
    "register slave" Ok b"\x15\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "binlog dump" Stream b"\x12\x04\0\0\0\x01\0\x09\0\0\0pid-bin.000006"
        => "Packet*8 Eof(0002)" {
        b"*\0\0\x01\0\0\0\0\0\x04\x01\0\0\0)\0\0\0\0\0\0\0 \0\x04\0\0\0\0\0\0\0pid-bin.000006"
        b"\xfd\0\0\x02\0)\xc4\x04k\x0f\x01\0\0\0\xfc\0\0\0\0\x01\0\0\0\0\x04\x0010.11.19-MariaDB-0+deb12u1-log\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x138\x0d\0\x08\0\x12\0\x04\x04\x04\x04\x12\0\0\xe4\0\x04\x1a\x08\0\0\0\x08\x08\x08\x02\0\0\0\n\n\n\0\0\0\0\0\0\n\n\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x13\x04\0\x0d\x08\x08\x08\n\n\n\x01\x08wr\xf7"
        b",\0\0\x03\0)\xc4\x04k\x02\x01\0\0\0+\0\0\0+\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# Dumm\x9aW\xa4\x81"
        b"*\0\0\x04\0)\xc4\x04k\x02\x01\0\0\0)\0\0\0T\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# Du\x17,\x7f\xb9"
        b"+\0\0\x05\0)\xc4\x04k\x02\x01\0\0\0*\0\0\0~\x01\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0BEGIN\xc1wX\xb0"
        b"]\0\0\x06\0)\xc4\x04k\x02\x01\0\0\0\\\0\0\0\xda\x01\0\0\0\x000\0\0\0\0\0\0\0\x01\0\0\x1a\0\0\0\0\0\x01\x01\0\0 T\0\0\0\0\x06\x03std\x04-\0-\0\x08\0t\0insert into l values (1,\"x\")\x1c\xd1g#"
        b" \0\0\x07\0)\xc4\x04k\x10\x01\0\0\0\x1f\0\0\0\xf9\x01\0\0\0\0\xba\x01\0\0\0\0\0\0\xcf\x8a\xa9*"
        b"*\0\0\x08\0)\xc4\x04k\x02\x01\0\0\0)\0\0\0\"\x02\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0# Du\x88<\xc6\xd8"
        b"\x05\0\0\x09\xfe\0\0\x02\0"
    }
    "binlog dump of an unknown log" Stream b"\x12\x04\0\0\0\x01\0\x09\0\0\0nope"
        => "Err(1236)" {
        b"D\0\0\x01\xff\xd4\x04#HY000Could not find first log file name in binary log index file"
    }
    "change user" Auth b"\x11second\0\0other\0-\0mysql_native_password\0\0"
        => "AuthMore Ok(4002 changes)" {
        b",\0\0\x01\xfemysql_native_password\x000pd$'6wxs[KHeC^3~F\"s\0"
        b"\x11\0\0\x03\0\0\0\x02@\0\0\0\x08\x01\x06\x05other"
    }
    "change user with a wrong password" Auth b"\x11second\0\0other\0-\0mysql_native_password\0\0"
        => "AuthMore Err(1045)" {
        b",\0\0\x01\xfemysql_native_password\0CFt:aYyt^Wyzxn@3{42<\0"
        b"J\0\0\x03\xff\x15\x04#28000Access denied for user 'second'@'localhost' (using password: YES)"
    }
    "row" Query b"\x03select 1"
        => "Count(1) Column Row End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\x02\0\0\0"
    }
    "ok with info" Query b"\x03update a set v=v"
        => "Ok(0022)" {
        b"0\0\0\x01\0\0\0\"\0\0\0(Rows matched: 5  Changed: 0  Warnings: 0"
    }
    "autocommit off" Query b"\x03set autocommit=0"
        => "Ok(4000 changes)" {
        b"\x1a\0\0\x01\0\0\0\0@\0\0\0\x11\0\x0f\nautocommit\x03OFF"
    }
    "rollback" Query b"\x03rollback"
        => "Ok(0000)" {
        b"\x07\0\0\x01\0\0\0\0\0\0\0"
    }
    "use" Query b"\x03use other"
        => "Ok(4000 changes)" {
        b"\x11\0\0\x01\0\0\0\0@\0\0\0\x08\x01\x06\x05other"
    }
    "init db" Ok b"\x02t"
        => "Ok(4000 changes)" {
        b"\x0d\0\0\x01\0\0\0\0@\0\0\0\x04\x01\x02\x01t"
    }
    "variables" Query b"\x03set session_track_transaction_info=characteristics, session_track_state_change=1, time_zone='+1:00', autocommit=1"
        => "Ok(4002 changes)" {
        b"2\0\0\x01\0\0\0\x02@\0\0\0)\0\x0e\nautocommit\x02ON\0\x11\x09time_zone\x06+01:00\x02\x011\x04\x01\0"
    }
    "start transaction" Query b"\x03start transaction read only, with consistent snapshot"
        => "Ok(6003 changes)" {
        b"M\0\0\x01\0\0\0\x03`\0\0\0D\x05\x09\x08T_R_____\x0476START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;"
    }
    "commit" Query b"\x03commit"
        => "Ok(4002 changes)" {
        b"\x17\0\0\x01\0\0\0\x02@\0\0\0\x0e\x05\x09\x08________\x04\x01\0"
    }
    "read in a transaction" Query b"\x03begin"
        => "Ok(4003 changes)" {
        b")\0\0\x01\0\0\0\x03@\0\0\0 \x05\x09\x08T_______\x04\x13\x12START TRANSACTION;"
    }
    "rows in a transaction" Query b"\x03select id from t.a limit 1"
        => "Count(1) Column Row End(4023 changes)" {
        b"\x01\0\0\x01\x01"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x14\0\0\x04\xfe\0\0#@\0\0\0\x0b\x05\x09\x08T_R__sS_"
    }
    "info and changes" Query b"\x03update t.a set v=v where id=1; rollback"
        => "Ok(400b changes) Ok(4002 changes)" {
        b"<\0\0\x01\0\0\0\x0b@\0\0(Rows matched: 1  Changed: 0  Warnings: 0\x0b\x05\x09\x08T_R_WsS_"
        b"\x17\0\0\x02\0\0\0\x02@\0\0\0\x0e\x05\x09\x08________\x04\x01\0"
    }
};

/// EOF packets and session tracking.
const TRACKED: &[Recording] = recordings! {
    "row" Query b"\x03select 1"
        => "Count(1) Column Eof(0002) Row End(0002)" {
        b"\x01\0\0\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\x02\0"
    }
    "ok with info" Query b"\x03update a set v=v"
        => "Ok(0022)" {
        b"0\0\0\x01\0\0\0\"\0\0\0(Rows matched: 5  Changed: 0  Warnings: 0"
    }
    "autocommit off" Query b"\x03set autocommit=0"
        => "Ok(4000 changes)" {
        b"\x1a\0\0\x01\0\0\0\0@\0\0\0\x11\0\x0f\nautocommit\x03OFF"
    }
    "rollback" Query b"\x03rollback"
        => "Ok(0000)" {
        b"\x07\0\0\x01\0\0\0\0\0\0\0"
    }
    "use" Query b"\x03use other"
        => "Ok(4000 changes)" {
        b"\x11\0\0\x01\0\0\0\0@\0\0\0\x08\x01\x06\x05other"
    }
    "init db" Ok b"\x02t"
        => "Ok(4000 changes)" {
        b"\x0d\0\0\x01\0\0\0\0@\0\0\0\x04\x01\x02\x01t"
    }
    "variables" Query b"\x03set session_track_transaction_info=characteristics, session_track_state_change=1, time_zone='+1:00', autocommit=1"
        => "Ok(4002 changes)" {
        b"2\0\0\x01\0\0\0\x02@\0\0\0)\0\x0e\nautocommit\x02ON\0\x11\x09time_zone\x06+01:00\x02\x011\x04\x01\0"
    }
    "start transaction" Query b"\x03start transaction read only, with consistent snapshot"
        => "Ok(6003 changes)" {
        b"M\0\0\x01\0\0\0\x03`\0\0\0D\x05\x09\x08T_R_____\x0476START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;"
    }
    "commit" Query b"\x03commit"
        => "Ok(4002 changes)" {
        b"\x17\0\0\x01\0\0\0\x02@\0\0\0\x0e\x05\x09\x08________\x04\x01\0"
    }
    "read in a transaction" Query b"\x03begin"
        => "Ok(4003 changes)" {
        b")\0\0\x01\0\0\0\x03@\0\0\0 \x05\x09\x08T_______\x04\x13\x12START TRANSACTION;"
    }
    "rows in a transaction" Query b"\x03select id from t.a limit 1"
        => "Count(1) Column Eof(4023) Row End(4023)" {
        b"\x01\0\0\x01\x01"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x05\0\0\x03\xfe\0\0#@"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0#@"
    }
    "info and changes" Query b"\x03update t.a set v=v where id=1; rollback"
        => "Ok(400b changes) Ok(4002 changes)" {
        b"<\0\0\x01\0\0\0\x0b@\0\0(Rows matched: 1  Changed: 0  Warnings: 0\x0b\x05\x09\x08T_R_WsS_"
        b"\x17\0\0\x02\0\0\0\x02@\0\0\0\x0e\x05\x09\x08________\x04\x01\0"
    }
};

/// EOF packets and cached metadata, as libmariadb 3.3 asks for.
const CLASSIC_CACHE: &[Recording] = recordings! {
    "one row" Query b"\x03select 1"
        => "Count(1) Column Eof(0002) Row End(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\x02\0"
    }
    "multi-statement" Query b"\x03select 1; select 2; do 1"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x02\0\0\x04\x011"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x02\0\0\x06\x01\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x012\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x02\0\0\x09\x012"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "field list" FieldList b"\x04a\0"
        => "Column*2 Eof(0002)" {
        b"\x1f\0\0\x01\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0\x010"
        b"\x1c\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0\xfb"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
    }
    "prepare without columns or parameters" Prepare b"\x16do 1"
        => "Prepare(id=1 params=0 columns=0)" {
        b"\x0c\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0"
    }
    "prepare fails" Prepare b"\x16selec"
        => "Err(1064)" {
        b"\xa2\0\0\x01\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "prepare with columns" Prepare b"\x16select 1"
        => "Prepare(id=3 params=0 columns=1) Column Eof(0002)" {
        b"\x0c\0\0\x01\0\x03\0\0\0\x01\0\0\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x011\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
    }
    "prepare with parameters" Prepare b"\x16insert into l values (?, ?)"
        => "Prepare(id=4 params=2 columns=0) Column*2 Eof(0002)" {
        b"\x0c\0\0\x01\0\x04\0\0\0\0\0\x02\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x17\0\0\x03\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\x02\0"
    }
    "prepare with both" Prepare b"\x16select id, v from a where id > ?"
        => "Prepare(id=5 params=1 columns=2) Column Eof(0002) Column*2 Eof(0002)" {
        b"\x0c\0\0\x01\0\x05\0\0\0\x02\0\x01\0\0\0\0"
        b"\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x1d\0\0\x04\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x05\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x06\xfe\0\0\x02\0"
    }
    "execute with types" Execute b"\x17\x05\0\0\0\0\x01\0\0\0\0\x01\x03\0\x01\0\0\0"
        => "Count(2) Eof(0002) Row*4 End(0002)" {
        b"\x02\0\0\x01\x02\0"
        b"\x05\0\0\x02\xfe\0\0\x02\0"
        b"\n\0\0\x03\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x04\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x05\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x06\0\0\x05\0\0\0\x04four"
        b"\x05\0\0\x07\xfe\0\0\x02\0"
    }
    "execute without types" Execute b"\x17\x05\0\0\0\0\x01\0\0\0\0\0\x01\0\0\0"
        => "Count(2) Eof(0002) Row*4 End(0002)" {
        b"\x02\0\0\x01\x02\0"
        b"\x05\0\0\x02\xfe\0\0\x02\0"
        b"\n\0\0\x03\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x04\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x05\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x06\0\0\x05\0\0\0\x04four"
        b"\x05\0\0\x07\xfe\0\0\x02\0"
    }
    "execute opens a cursor" Execute b"\x17\x05\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0"
        => "Count(2) Column*2 End(0042)" {
        b"\x02\0\0\x01\x02\x01"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x01\0\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0B\0"
    }
    "fetch" Fetch b"\x1c\x05\0\0\0\x02\0\0\0"
        => "Row*2 End(0042)" {
        b"\n\0\0\x01\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x05\0\0\x03\xfe\0\0B\0"
    }
    "fetch to the last row" Fetch b"\x1c\x05\0\0\0\x09\0\0\0"
        => "Row*3 End(0082)" {
        b"\x0c\0\0\x01\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x02\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x03\0\0\x05\0\0\0\x04four"
        b"\x05\0\0\x04\xfe\0\0\x82\0"
    }
    "fetch without a cursor" Fetch b"\x1c\x05\0\0\0\x02\0\0\0"
        => "Err(1421)" {
        b"-\0\0\x01\xff\x8d\x05#HY000The statement (5) has no open cursor"
    }
    "statement reset" Ok b"\x1a\x05\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "execute of an unknown statement" Execute b"\x17\xe7\x03\0\0\0\x01\0\0\0"
        => "Err(1243)" {
        b"N\0\0\x01\xff\xdb\x04#HY000Unknown prepared statement handler (999) given to mysqld_stmt_execute"
    }
    "execute with long data" Execute b"\x17\x04\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfd\0\x07\0\0\0"
        => "Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\x01\0\x02\0\0\0"
    }
    "execute with two results" Execute b"\x17\x06\0\0\0\0\x01\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x01\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x02\0\0\x06\x01\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x06\0\0\x09\0\0\x02\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "a cursor is asked for and not opened" Execute b"\x17\x06\0\0\0\x01\x01\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(000a) Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x17\0\0\x02\x03def\0\0\0\x01x\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x01\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x02\0\0\x06\x01\x01"
        b"\x17\0\0\x07\x03def\0\0\0\x01y\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\0"
        b"\x06\0\0\x09\0\0\x02\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\0"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "execute with out parameters" Execute b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x03\0\x03\0\x07\0\0\0\0\0\0\0"
        => "Count(1) Column Eof(000a) Row End(000a) Count(1) Column Eof(100a) Row End(100a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x01a\x01a\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\n\0"
        b"\x06\0\0\x04\0\0\x07\0\0\0"
        b"\x05\0\0\x05\xfe\0\0\n\0"
        b"\x02\0\0\x06\x01\x01"
        b"#\0\0\x07\x03def\x01t\x05bothp\x05bothp\x01b\x01b\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x08\xfe\0\0\n\x10"
        b"\x06\0\0\x09\0\0\x08\0\0\0"
        b"\x05\0\0\n\xfe\0\0\n\x10"
        b"\x07\0\0\x0b\0\0\0\x02\0\0\0"
    }
    "bulk" Bulk b"\xfa\x04\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x01a\0\x02\0\0\0\x01"
        => "Ok(0002 rows=2)" {
        b".\0\0\x01\0\x02\0\x02\0\0\0&Records: 2  Duplicates: 0  Warnings: 0"
    }
    "bulk fails" Bulk b"\xfa\x04\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0"
        => "Err(1210)" {
        b"8\0\0\x01\xff\xba\x04#HY000Incorrect arguments to mysqld_stmt_bulk_execute"
    }
    "bulk with rows" Bulk b"\xfa\x08\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x01a\0\x02\0\0\0\x01"
        => "Count(1) Column Eof(0002) Row*2 End(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x1d\0\0\x02\x03def\x01t\x01l\x01l\x02id\x02id\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x05\0\0\x03\xfe\0\0\x02\0"
        b"\x06\0\0\x04\0\0\x01\0\0\0"
        b"\x06\0\0\x05\0\0\x02\0\0\0"
        b"\x05\0\0\x06\xfe\0\0\x02\0"
    }
    "execute after the definitions changed" Execute b"\x17\x09\0\0\0\0\x01\0\0\0"
        => "Count(2) Column*2 Eof(0422) Row*5 End(0422)" {
        b"\x02\0\0\x01\x02\x01"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1b\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x05\0\0\x04\xfe\0\0\"\x04"
        b"\n\0\0\x05\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x06\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x07\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x08\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x09\0\0\x05\0\0\0\x04four"
        b"\x05\0\0\n\xfe\0\0\"\x04"
    }
    "execute once more" Execute b"\x17\x09\0\0\0\0\x01\0\0\0"
        => "Count(2) Eof(0022) Row*5 End(0022)" {
        b"\x02\0\0\x01\x02\0"
        b"\x05\0\0\x02\xfe\0\0\"\0"
        b"\n\0\0\x03\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x04\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x05\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x06\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x07\0\0\x05\0\0\0\x04four"
        b"\x05\0\0\x08\xfe\0\0\"\0"
    }
};

/// Everything that MariaDB 10.11 offers.
const FULL: &[Recording] = recordings! {
    "one row" Query b"\x03select 1"
        => "Count(1) Column Row End(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x011\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\x02\0\0\0"
    }
    "multi-statement" Query b"\x03select 1; select 2; do 1"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x011\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x03\x011"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x02\0\0\x05\x01\x01"
        b"\x18\0\0\x06\x03def\0\0\0\x012\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x02\0\0\x07\x012"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "field list" FieldList b"\x04a\0"
        => "Column*2 Eof(0002)" {
        b" \0\0\x01\x03def\x01t\x01a\x01a\x02id\x02id\0\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0\x010"
        b"\x1d\0\0\x02\x03def\x01t\x01a\x01a\x01v\x01v\0\x0c-\0P\0\0\0\xfd\0\0\0\0\0\xfb"
        b"\x07\0\0\x03\xfe\0\0\x02\0\0\0"
    }
    "prepare without columns or parameters" Prepare b"\x16do 1"
        => "Prepare(id=15 params=0 columns=0)" {
        b"\x0c\0\0\x01\0\x0f\0\0\0\0\0\0\0\0\0\0"
    }
    "prepare fails" Prepare b"\x16selec"
        => "Err(1064)" {
        b"\xa2\0\0\x01\xff(\x04#42000You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'selec' at line 1"
    }
    "prepare with columns" Prepare b"\x16select 1"
        => "Prepare(id=17 params=0 columns=1) Column" {
        b"\x0c\0\0\x01\0\x11\0\0\0\x01\0\0\0\0\0\0"
        b"\x18\0\0\x02\x03def\0\0\0\x011\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
    }
    "prepare with parameters" Prepare b"\x16insert into l values (?, ?)"
        => "Prepare(id=18 params=2 columns=0) Column*2" {
        b"\x0c\0\0\x01\0\x12\0\0\0\0\0\x02\0\0\0\0"
        b"\x18\0\0\x02\x03def\0\0\0\x01?\0\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x18\0\0\x03\x03def\0\0\0\x01?\0\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
    }
    "prepare with both" Prepare b"\x16select id, v from a where id > ?"
        => "Prepare(id=19 params=1 columns=2) Column*3" {
        b"\x0c\0\0\x01\0\x13\0\0\0\x02\0\x01\0\0\0\0"
        b"\x18\0\0\x02\x03def\0\0\0\x01?\0\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0"
        b"\x1e\0\0\x03\x03def\x01t\x01a\x01a\x02id\x02id\0\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1c\0\0\x04\x03def\x01t\x01a\x01a\x01v\x01v\0\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
    }
    "execute with types" Execute b"\x17\x13\0\0\0\0\x01\0\0\0\0\x01\x03\0\x01\0\0\0"
        => "Count(2) Row*4 End(0002)" {
        b"\x02\0\0\x01\x02\0"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x03\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x04\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x05\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x06\xfe\0\0\x02\0\0\0"
    }
    "execute without types" Execute b"\x17\x13\0\0\0\0\x01\0\0\0\0\0\x01\0\0\0"
        => "Count(2) Row*4 End(0002)" {
        b"\x02\0\0\x01\x02\0"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x03\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x04\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x05\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x06\xfe\0\0\x02\0\0\0"
    }
    "execute opens a cursor" Execute b"\x17\x13\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0"
        => "Count(2) Column*2 End(0042)" {
        b"\x02\0\0\x01\x02\x01"
        b"\x1e\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\0\x0c?\0\x0b\0\0\0\x03\x01\0\0\0\0"
        b"\x1c\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\0\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\x07\0\0\x04\xfe\0\0B\0\0\0"
    }
    "fetch" Fetch b"\x1c\x13\0\0\0\x02\0\0\0"
        => "Row*2 End(0042)" {
        b"\n\0\0\x01\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x02\0\0\x02\0\0\0\x03two"
        b"\x07\0\0\x03\xfe\0\0B\0\0\0"
    }
    "fetch to the last row" Fetch b"\x1c\x13\0\0\0\x09\0\0\0"
        => "Row*3 End(0082)" {
        b"\x0c\0\0\x01\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x02\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x03\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x04\xfe\0\0\x82\0\0\0"
    }
    "fetch without a cursor" Fetch b"\x1c\x13\0\0\0\x02\0\0\0"
        => "Err(1421)" {
        b".\0\0\x01\xff\x8d\x05#HY000The statement (19) has no open cursor"
    }
    "statement reset" Ok b"\x1a\x13\0\0\0"
        => "Ok(0002)" {
        b"\x07\0\0\x01\0\0\0\x02\0\0\0"
    }
    "execute of an unknown statement" Execute b"\x17\xe7\x03\0\0\0\x01\0\0\0"
        => "Err(1243)" {
        b"N\0\0\x01\xff\xdb\x04#HY000Unknown prepared statement handler (999) given to mysqld_stmt_execute"
    }
    "execute with long data" Execute b"\x17\x12\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfd\0\x07\0\0\0"
        => "Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\x01\0\x02\0\0\0"
    }
    "execute with two results" Execute b"\x17\x14\0\0\0\0\x01\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x01x\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x03\0\0\x01\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x02\0\0\x05\x01\x01"
        b"\x18\0\0\x06\x03def\0\0\0\x01y\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x07\0\0\x02\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "a cursor is asked for and not opened" Execute b"\x17\x14\0\0\0\x01\x01\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(000a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x18\0\0\x02\x03def\0\0\0\x01x\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x03\0\0\x01\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x02\0\0\x05\x01\x01"
        b"\x18\0\0\x06\x03def\0\0\0\x01y\0\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0"
        b"\x06\0\0\x07\0\0\x02\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\0\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "execute with out parameters" Execute b"\x17\x15\0\0\0\0\x01\0\0\0\0\x01\x03\0\x03\0\x07\0\0\0\0\0\0\0"
        => "Count(1) Column Row End(000a) Count(1) Column Row End(100a) Ok(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x19\0\0\x02\x03def\0\0\0\x01a\x01a\0\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x06\0\0\x03\0\0\x07\0\0\0"
        b"\x07\0\0\x04\xfe\0\0\n\0\0\0"
        b"\x02\0\0\x05\x01\x01"
        b"$\0\0\x06\x03def\x01t\x05bothp\x05bothp\x01b\x01b\0\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x06\0\0\x07\0\0\x08\0\0\0"
        b"\x07\0\0\x08\xfe\0\0\n\x10\0\0"
        b"\x07\0\0\x09\0\0\0\x02\0\0\0"
    }
    "bulk" Bulk b"\xfa\x12\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x01a\0\x02\0\0\0\x01"
        => "Ok(0002 rows=2)" {
        b".\0\0\x01\0\x02\0\x02\0\0\0&Records: 2  Duplicates: 0  Warnings: 0"
    }
    "bulk fails" Bulk b"\xfa\x12\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0"
        => "Err(1210)" {
        b"8\0\0\x01\xff\xba\x04#HY000Incorrect arguments to mysqld_stmt_bulk_execute"
    }
    "bulk with rows" Bulk b"\xfa\x16\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x01a\0\x02\0\0\0\x01"
        => "Count(1) Column Row*2 End(0002)" {
        b"\x02\0\0\x01\x01\x01"
        b"\x1e\0\0\x02\x03def\x01t\x01l\x01l\x02id\x02id\0\x0c?\0\x0b\0\0\0\x03\0\0\0\0\0"
        b"\x06\0\0\x03\0\0\x01\0\0\0"
        b"\x06\0\0\x04\0\0\x02\0\0\0"
        b"\x07\0\0\x05\xfe\0\0\x02\0\0\0"
    }
    "execute after the definitions changed" Execute b"\x17\x17\0\0\0\0\x01\0\0\0"
        => "Count(2) Column*2 Row*5 End(0422)" {
        b"\x02\0\0\x01\x02\x01"
        b"\x1e\0\0\x02\x03def\x01t\x01a\x01a\x02id\x02id\0\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0"
        b"\x1c\0\0\x03\x03def\x01t\x01a\x01a\x01v\x01v\0\x0c-\0P\0\0\0\xfd\0\0\0\0\0"
        b"\n\0\0\x04\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x05\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x06\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x07\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x08\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x09\xfe\0\0\"\x04\0\0"
    }
    "execute once more" Execute b"\x17\x17\0\0\0\0\x01\0\0\0"
        => "Count(2) Row*5 End(0022)" {
        b"\x02\0\0\x01\x02\0"
        b"\n\0\0\x02\0\0\x01\0\0\0\x03one"
        b"\n\0\0\x03\0\0\x02\0\0\0\x03two"
        b"\x0c\0\0\x04\0\0\x03\0\0\0\x05three"
        b"\x0b\0\0\x05\0\0\x04\0\0\0\x04four"
        b"\x0b\0\0\x06\0\0\x05\0\0\0\x04four"
        b"\x07\0\0\x07\xfe\0\0\"\0\0\0"
    }
    "load data local" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Progress Ok(0002 rows=2)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"\x19\0\0\x04\xff\xff\xff\x01\x02\x02\0\0\0\x0fEnd bulk insert"
        b"7\0\0\x05\0\x02\0\x02\0\0\0/Records: 2  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local of nothing" Query b"\x03load data local infile 'x.csv' into table l fields terminated by ','"
        => "Infile Progress Ok(0002)" {
        b"\x06\0\0\x01\xfbx.csv"
        b"\x19\0\0\x03\xff\xff\xff\x01\x02\x02\0\0\0\x0fEnd bulk insert"
        b"7\0\0\x04\0\0\0\x02\0\0\0/Records: 0  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local as second statement" Query b"\x03do 1; load data local infile 'x.csv' into table l fields terminated by ','"
        => "Ok(000a) Infile Progress Ok(0002 rows=1)" {
        b"\x07\0\0\x01\0\0\0\n\0\0\0"
        b"\x06\0\0\x02\xfbx.csv"
        b"\x19\0\0\x05\xff\xff\xff\x01\x02\x02\0\0\0\x0fEnd bulk insert"
        b"7\0\0\x06\0\x01\0\x02\0\0\0/Records: 1  Deleted: 0  Skipped: 0  Warnings: 0"
    }
    "load data local into an unknown table" Query b"\x03load data local infile 'x.csv' into table nope"
        => "Err(1146)" {
        b"%\0\0\x01\xffz\x04#42S02Table 't.nope' doesn't exist"
    }
    "alter table with progress reports" Query b"\x03alter table prog engine=aria"
        => "Progress*2 Ok(0002 rows=400000)" {
        b"\x1b\0\0\x01\xff\xff\xff\x01\x01\x02\xda\x09\0\x11copy to tmp table"
        b"\x17\0\0\x02\xff\xff\xff\x01\x02\x02\0\0\0\x0dEnabling keys"
        b"6\0\0\x03\0\xfd\x80\x1a\x06\0\x02\0\0\0+Records: 400000  Duplicates: 0  Warnings: 0"
    }
};
