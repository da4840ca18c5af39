//! What the errors of servers mean for an open transaction.

use tidegate_wire::reply::ErrPacket;

/// What an error means for the transaction it was given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The transaction was undone to make room for another: a deadlock and its like.
    Undone,
    /// The server takes no writes: it has lost its role.
    ReadOnly,
    /// The server is going away, or not ready; the connection will end, or is of no use.
    Leaving,
    /// The transaction may have been undone, or not.
    Doubtful,
    /// The statement failed, and that is all.
    Plain,
}

/// Reads an ERR packet's payload.
pub(super) fn meaning(payload: &[u8]) -> Meaning {
    let Ok(packet) = ErrPacket::parse(payload) else {
        return Meaning::Doubtful;
    };
    match packet.code {
        // Server shutdown in progress; Connection was killed.
        1053 | 1927 => Meaning::Leaving,
        // A Galera node that does not take part; "Unknown command" has the same number.
        1047 if mentions(packet.message, b"prepared") => Meaning::Leaving,
        1290 if mentions(packet.message, b"read-only")
            || mentions(packet.message, b"read_only") =>
        {
            Meaning::ReadOnly
        }
        _ if packet.sqlstate.starts_with(b"40") => Meaning::Undone,
        // Record has changed since last read; lock wait timeout; lock table full: the storage engine
        // or its settings decide how much is undone.
        1020 | 1205 | 1206 => Meaning::Doubtful,
        _ => Meaning::Plain,
    }
}

fn mentions(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: u16, sqlstate: &[u8; 5], text: &str, expected: Meaning) {
        let mut payload = Vec::new();
        ErrPacket {
            code,
            sqlstate: *sqlstate,
            message: text.as_bytes(),
        }
        .encode(&mut payload);
        assert_eq!(meaning(&payload), expected, "{code} {text}");
    }

    #[test]
    fn errors_and_what_they_mean() {
        check(
            1213,
            b"40001",
            "Deadlock found when trying to get lock; try restarting transaction",
            Meaning::Undone,
        );
        check(
            1053,
            b"08S01",
            "Server shutdown in progress",
            Meaning::Leaving,
        );
        check(1927, b"70100", "Connection was killed", Meaning::Leaving);
        check(
            1047,
            b"08S01",
            "WSREP has not yet prepared node for application use",
            Meaning::Leaving,
        );
        check(1047, b"08S01", "Unknown command", Meaning::Plain);
        check(
            1290,
            b"HY000",
            "The MariaDB server is running with the --read-only option so it cannot execute this statement",
            Meaning::ReadOnly,
        );
        check(
            1290,
            b"HY000",
            "The MariaDB server is running with the --secure-file-priv option so it cannot execute this statement",
            Meaning::Plain,
        );
        check(
            1205,
            b"HY000",
            "Lock wait timeout exceeded",
            Meaning::Doubtful,
        );
        check(1062, b"23000", "Duplicate entry", Meaning::Plain);
        assert_eq!(meaning(b"\xff"), Meaning::Doubtful);
    }
}
