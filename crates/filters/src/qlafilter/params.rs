//! The parameters of qlafilter.

use tidegate_config::declare::{flag, optional_text, pattern, required_text, text};
use tidegate_config::{
    ModuleDecl, ModuleKind, Params as _, Pattern, RuleScope, WordSet, params, words,
};

words! {
    /// Where entries are written.
    pub enum LogType {
        /// To a file of each session.
        Session = "session",
        /// To one file.
        Unified = "unified",
        Stdout = "stdout",
    }
}

words! {
    /// A column of an entry.
    pub enum LogData {
        Service = "service",
        Session = "session",
        Date = "date",
        User = "user",
        Query = "query",
        ReplyTime = "reply_time",
        TotalReplyTime = "total_reply_time",
        DefaultDb = "default_db",
        NumRows = "num_rows",
        ReplySize = "reply_size",
        Transaction = "transaction",
        TransactionTime = "transaction_time",
        NumWarnings = "num_warnings",
        ErrorMsg = "error_msg",
        Server = "server",
        Command = "command",
    }
}

words! {
    /// The unit of durations.
    pub enum DurationUnit {
        Milliseconds = "ms",
        Microseconds = "us",
    }
}

words! {
    /// How regular expressions are understood.
    pub enum PatternOption {
        Case = "case",
        IgnoreCase = "ignorecase",
        /// Blanks and comments in the expression are ignored.
        Extended = "extended",
    }
}

const DEFAULT_LOG_DATA: u64 = LogData::Date.bit() | LogData::User.bit() | LogData::Query.bit();

params! {
    /// Parameters of qlafilter.
    pub struct QlaFilterParams {
        /// Stem of the names of the log files.
        filebase: String = required_text().runtime(),
        /// Where entries are written.
        log_type: WordSet<LogType> = LogType::mask(LogType::Session.bit()).runtime(),
        /// What an entry holds.
        log_data: WordSet<LogData> = LogData::mask(DEFAULT_LOG_DATA).runtime(),
        /// Statements that are logged. Without it: all.
        match_: Option<Pattern> = pattern().named("match").runtime(),
        /// Statements that are not logged.
        exclude: Option<Pattern> = pattern().runtime(),
        /// How regular expressions are understood.
        options: WordSet<PatternOption> = PatternOption::mask(0).runtime(),
        /// Log this user's sessions only.
        user: Option<String> = optional_text().runtime(),
        /// Log sessions from this address only.
        source: Option<String> = optional_text().runtime(),
        /// Users whose sessions are logged.
        user_match: Option<Pattern> = pattern().runtime(),
        /// Users whose sessions are not logged.
        user_exclude: Option<Pattern> = pattern().runtime(),
        /// Addresses whose sessions are logged.
        source_match: Option<Pattern> = pattern().runtime(),
        /// Addresses whose sessions are not logged.
        source_exclude: Option<Pattern> = pattern().runtime(),
        /// The unit of durations.
        duration_unit: DurationUnit = DurationUnit::Milliseconds.param()
            .spellings(&[("milliseconds", "ms"), ("microseconds", "us")]).runtime(),
        /// Log statements with their literals replaced by question marks.
        use_canonical_form: bool = flag(false).runtime(),
        /// Write every entry at once.
        flush: bool = flag(false).runtime(),
        /// Append to files that are there already.
        append: bool = flag(true).runtime(),
        /// What stands between the columns.
        separator: String = text(",").runtime(),
        /// What stands for a line break in a statement. Empty: the line break itself.
        newline_replacement: String = text(" ").runtime(),
    }
}

/// What the configuration knows of qlafilter.
pub static MODULE: ModuleDecl = ModuleDecl::new(
    ModuleKind::Filter,
    "qlafilter",
    "Writes statements to log files.",
    QlaFilterParams::TABLE,
)
.rule(check);

/// Parameters that do not go together.
fn check(scope: &mut RuleScope<'_>) {
    let own: QlaFilterParams = scope.params();
    if own.log_type.is_empty() {
        scope.warn("log_type", "it is empty: nothing will be logged");
    }
    if own.options.contains(PatternOption::Case) && own.options.contains(PatternOption::IgnoreCase)
    {
        scope.refuse("options", "case and ignorecase exclude each other");
    }
    for (exact, patterns) in [
        (own.user.is_some(), ["user_match", "user_exclude"]),
        (own.source.is_some(), ["source_match", "source_exclude"]),
    ] {
        for parameter in patterns {
            if exact && scope.is_written(parameter) {
                scope.warn(
                    parameter,
                    "it is ignored: the exact parameter is given as well",
                );
            }
        }
    }
}
