//! Commands: the first byte of what a client sends, and what must come back.

/// What a server answers to a command, as the reply tracker must read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// No reply at all.
    Nothing,
    /// OK or ERR.
    Ok,
    /// EOF (as OK of kind 0xFE where EOF is deprecated) or ERR.
    Eof,
    /// OK, ERR, a file request of LOAD DATA LOCAL, or result sets in text; any number of them.
    Query,
    /// Column definitions without a count, then EOF.
    FieldList,
    /// One packet of plain text.
    Statistics,
    /// The prepare reply with the definitions it announces.
    Prepare,
    /// As [`Shape::Query`] with binary rows and perhaps a cursor, without file requests.
    Execute,
    /// Rows of an open cursor, then EOF.
    Fetch,
    /// As [`Shape::Execute`] without a cursor: OK with totals, ERR, or unit results.
    Bulk,
    /// An authentication dialogue that ends with OK or ERR.
    Auth,
    /// A binary log stream that ends with EOF, ERR or the connection.
    Stream,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $shape:ident;)+) => {
        /// A client's command: the first byte of the payload it sends at rest.
        ///
        /// Source: MariaDB manual, "2 - Text protocol", "3 - Binary protocol (prepared statements)";
        /// `enum_server_command` of MySQL internals for those the manual does not describe.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Command { $($(#[$doc])* $variant = $code,)+ }

        impl Command {
            /// Every command, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The command of that code; `None` for what no server knows.
            #[inline]
            pub const fn from_byte(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The protocol's name, such as `COM_QUERY`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What comes back.
            #[inline]
            pub const fn reply_shape(self) -> Shape {
                match self { $(Self::$variant => Shape::$shape,)+ }
            }
        }
    };
}

commands! {
    /// `COM_SLEEP`: internal to servers, refused from clients.
    Sleep = 0x00, "COM_SLEEP", Ok;
    /// `COM_QUIT`: the client leaves.
    Quit = 0x01, "COM_QUIT", Nothing;
    /// `COM_INIT_DB`: changes the current database.
    InitDb = 0x02, "COM_INIT_DB", Ok;
    /// `COM_QUERY`: a statement as text.
    Query = 0x03, "COM_QUERY", Query;
    /// `COM_FIELD_LIST`: the columns of a table; deprecated.
    FieldList = 0x04, "COM_FIELD_LIST", FieldList;
    /// `COM_CREATE_DB`: withdrawn.
    CreateDb = 0x05, "COM_CREATE_DB", Ok;
    /// `COM_DROP_DB`: withdrawn.
    DropDb = 0x06, "COM_DROP_DB", Ok;
    /// `COM_REFRESH`: flushes logs, tables, caches.
    Refresh = 0x07, "COM_REFRESH", Ok;
    /// `COM_SHUTDOWN`: stops the server.
    Shutdown = 0x08, "COM_SHUTDOWN", Eof;
    /// `COM_STATISTICS`: a line of server statistics.
    Statistics = 0x09, "COM_STATISTICS", Statistics;
    /// `COM_PROCESS_INFO`: the list of threads; deprecated.
    ProcessInfo = 0x0a, "COM_PROCESS_INFO", Query;
    /// `COM_CONNECT`: internal to servers.
    Connect = 0x0b, "COM_CONNECT", Ok;
    /// `COM_PROCESS_KILL`: kills a connection.
    ProcessKill = 0x0c, "COM_PROCESS_KILL", Ok;
    /// `COM_DEBUG`: makes the server write debug output.
    Debug = 0x0d, "COM_DEBUG", Eof;
    /// `COM_PING`: is the server alive?
    Ping = 0x0e, "COM_PING", Ok;
    /// `COM_TIME`: internal to servers.
    Time = 0x0f, "COM_TIME", Ok;
    /// `COM_DELAYED_INSERT`: internal to servers.
    DelayedInsert = 0x10, "COM_DELAYED_INSERT", Ok;
    /// `COM_CHANGE_USER`: another user on the same connection.
    ChangeUser = 0x11, "COM_CHANGE_USER", Auth;
    /// `COM_BINLOG_DUMP`: asks for the binary log.
    BinlogDump = 0x12, "COM_BINLOG_DUMP", Stream;
    /// `COM_TABLE_DUMP`: withdrawn.
    TableDump = 0x13, "COM_TABLE_DUMP", Ok;
    /// `COM_CONNECT_OUT`: internal to servers.
    ConnectOut = 0x14, "COM_CONNECT_OUT", Ok;
    /// `COM_REGISTER_SLAVE`: a replica introduces itself.
    RegisterSlave = 0x15, "COM_REGISTER_SLAVE", Ok;
    /// `COM_STMT_PREPARE`: prepares a statement.
    StmtPrepare = 0x16, "COM_STMT_PREPARE", Prepare;
    /// `COM_STMT_EXECUTE`: executes a prepared statement.
    StmtExecute = 0x17, "COM_STMT_EXECUTE", Execute;
    /// `COM_STMT_SEND_LONG_DATA`: a piece of a parameter's value.
    StmtSendLongData = 0x18, "COM_STMT_SEND_LONG_DATA", Nothing;
    /// `COM_STMT_CLOSE`: forgets a prepared statement.
    StmtClose = 0x19, "COM_STMT_CLOSE", Nothing;
    /// `COM_STMT_RESET`: forgets long data and cursor of a prepared statement.
    StmtReset = 0x1a, "COM_STMT_RESET", Ok;
    /// `COM_SET_OPTION`: multi-statements on or off.
    SetOption = 0x1b, "COM_SET_OPTION", Eof;
    /// `COM_STMT_FETCH`: rows of an open cursor.
    StmtFetch = 0x1c, "COM_STMT_FETCH", Fetch;
    /// `COM_DAEMON`: internal to servers.
    Daemon = 0x1d, "COM_DAEMON", Ok;
    /// `COM_BINLOG_DUMP_GTID`: asks for the binary log by GTID (MySQL).
    BinlogDumpGtid = 0x1e, "COM_BINLOG_DUMP_GTID", Stream;
    /// `COM_RESET_CONNECTION`: session state as after login.
    ResetConnection = 0x1f, "COM_RESET_CONNECTION", Ok;
    /// `COM_STMT_BULK_EXECUTE`: executes a prepared statement for many rows (MariaDB).
    StmtBulkExecute = 0xfa, "COM_STMT_BULK_EXECUTE", Bulk;
    /// `COM_MULTI`: several commands in one packet; withdrawn.
    Multi = 0xfe, "COM_MULTI", Ok;
}

impl Command {
    /// The code on the wire.
    #[inline]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_commands_are_one_to_one() {
        let found: Vec<_> = (0..=255).filter_map(Command::from_byte).collect();
        assert_eq!(found, Command::ALL);
        for command in found {
            assert_eq!(Command::from_byte(command.byte()), Some(command));
            assert!(command.name().starts_with("COM_"));
        }
    }

    #[test]
    fn commands_without_a_reply() {
        let silent: Vec<_> = Command::ALL
            .iter()
            .filter(|command| command.reply_shape() == Shape::Nothing)
            .collect();
        assert_eq!(
            silent,
            [
                &Command::Quit,
                &Command::StmtSendLongData,
                &Command::StmtClose
            ]
        );
    }
}
