//! The rules that decide where a statement goes, by name: for counters and explanations.
//!
//! Left out on purpose: what the rules look at, which is `route.rs`'s. The names and their order
//! are shown over REST and index counters, so they are kept.

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $sentence:literal;)*) => {
        /// The rule that decided.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Rule { $($(#[$doc])* $name,)* }

        impl Rule {
            /// The names of all rules, in order.
            pub(crate) const WORDS: &'static [&'static str] = &[$($word,)*];

            /// Its stable name.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Rule::$name => $word,)* }
            }

            /// What it says, in one sentence.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Rule::$name => $sentence,)* }
            }
        }
    };
}

rules! {
    /// A write.
    Write = "write", "It writes, or may write, so it goes to the primary.";
    /// Within a transaction.
    InTransaction = "in_transaction",
        "A transaction is open, so it runs where the transaction runs.";
    /// A SELECT that takes locks.
    LockingRead = "locking_read",
        "It reads and takes locks, which only the primary's writers respect.";
    /// Text that was not understood.
    UnknownText = "unknown_text",
        "Its text is not understood, and what is unknown may write.";
    /// What only the primary can answer.
    PrimaryRead = "primary_read",
        "It reads what only the primary knows, such as the last inserted id.";
    /// A temporary table.
    TemporaryTable = "temporary_table",
        "It makes or uses a temporary table, which exists on the primary's connection only.";
    /// Begins a transaction that may write.
    BeginsTransaction = "begins_transaction",
        "It begins a transaction that may write, so the whole transaction runs on the primary.";
    /// Begins a read-only transaction.
    BeginsReadOnly = "begins_read_only_transaction",
        "It begins a transaction that only reads, so the whole transaction may run on a replica.";
    /// Ends one that is not open.
    EndsTransaction = "ends_transaction",
        "It ends a transaction; where none is open the primary takes it.";
    /// Several statements in a text.
    MultiStatement = "multi_statement",
        "The text holds several statements, which go to the primary together.";
    /// Too long to be looked at.
    LongText = "long_text",
        "The command is longer than what is looked at before it is sent on.";
    /// SET TRANSACTION for the next transaction.
    NextTransaction = "next_transaction",
        "It sets up the next transaction, which will run on the primary.";
    /// Pinned by a lock.
    PinnedByLock = "pinned_by_lock",
        "The session holds a lock on its connection to the primary.";
    /// Pinned by state.
    PinnedByState = "pinned_by_session_state",
        "The session has state that was made on the primary only.";
    /// Pinned by isolation.
    PinnedByIsolation = "pinned_by_isolation",
        "The session's isolation level is SERIALIZABLE, in which reads take locks.";
    /// Pinned by SET TRANSACTION.
    PinnedByNextTransaction = "pinned_by_next_transaction",
        "SET TRANSACTION was said on the primary, where the next transaction will run.";
    /// Pinned by a strict mode.
    PinnedByStrictMode = "pinned_by_strict_mode",
        "After a CALL or several statements in a text the session stays on the primary (strict_sp_calls, strict_multi_stmt).";
    /// Variables on the primary by configuration.
    VariablesOnPrimary = "user_variables_on_primary",
        "It uses user variables, and use_sql_variables_in sends those to the primary.";
    /// A variable of the primary's.
    OwnVariable = "user_variable",
        "It uses a user variable that not every server has alike.";
    /// A prepared statement for the primary only.
    PreparedOnPrimary = "prepared_on_primary",
        "It prepares a statement that only the primary can execute.";
    /// A command without a statement.
    Command = "command",
        "It is a command without a statement that only the primary should take.";
    /// No other rule.
    Unmatched = "no_rule",
        "No rule knows it as a read, so it goes to the primary.";
    /// A read, and no replica for it.
    NoReplica = "no_eligible_replica",
        "It is a read, but no replica may take it now.";
    /// A read that waited in vain.
    CausalWait = "causal_read_timed_out",
        "It is a read that waited on a replica for the writes before it (causal_reads_timeout).";
    /// A read of what only the primary has for sure.
    CausalRead = "causal_read",
        "It is a read that must see writes which only the primary has for sure (causal_reads).";
    /// A hint.
    Hint = "hint", "A hint said where it should go.";
    /// A session command.
    SessionCommand = "session_command",
        "It changes the session's state, so every server of the session gets it.";
    /// Variables that are the same everywhere.
    VariableEverywhere = "user_variable_everywhere",
        "It gives a user variable a value that is the same on every server, so all get it.";
    /// About the statement before.
    AsksAboutPrevious = "asks_about_previous",
        "It asks about the statement before it, so it goes where that went.";
    /// A read.
    Read = "read", "It only reads, so a replica may take it.";
    /// A bare command.
    Harmless = "harmless_command",
        "It is a command that changes nothing, so any server may take it.";
}

#[cfg(test)]
mod tests {
    use tidegate_session::ServiceShard;

    use super::*;

    #[test]
    fn every_rule_has_a_counter_and_a_name_of_its_own() {
        assert!(Rule::WORDS.len() <= ServiceShard::REASONS);
        let mut words = Rule::WORDS.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Rule::WORDS.len());
        assert_eq!(
            Rule::WORDS.get(Rule::Harmless as usize),
            Some(&"harmless_command")
        );
    }
}
