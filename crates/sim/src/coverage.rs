//! How often the rare things happened. A simulator that never meets a situation says nothing about it,
//! so the counts are printed, and a test wants all of them above zero.

macro_rules! rare {
    ($($name:ident,)+) => {
        /// A rare thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Rare { $($name,)+ }

        impl Rare {
            pub(crate) const ALL: &'static [Rare] = &[$(Rare::$name,)+];

            fn name(self) -> &'static str {
                match self { $(Rare::$name => stringify!($name),)+ }
            }
        }
    };
}

rare! {
    Sessions,
    Commands,
    Pipelined,
    LongCommand,
    GiantPacket,
    ErrorAmidRows,
    FileLoaded,
    ProgressReported,
    Prepared,
    ExecutedWithoutTypes,
    DefinitionsLeftOut,
    CursorOpened,
    Fetched,
    LongDataSent,
    BulkExecuted,
    UserChanged,
    UserChangedOnServer,
    ServiceTurned,
    ServerSwitchesPlugin,
    ProxySwitchesPlugin,
    HalfLogin,
    LoginRefused,
    QuestionRepeated,
    QuestionLate,
    QuestionUnanswered,
    ClientGarbage,
    ClientLostWaiting,
    ProxyError,
    ProxyErrorAmidAnswer,
    DivergentAnswer,
    Reconnected,
    HistoryReplayed,
    Retried,
    ConnectionDied,
    ConnectionDiedIdle,
    ConnectionDiedInLogin,
    ConnectionDiedAmidPacket,
    ConnectionDiedInTransaction,
    ServerDied,
    ServerHung,
    ServerGarbage,
    ServerSaidGoodbye,
    ServerStopped,
    NodeUnprepared,
    ConnectRefused,
    ConnectTimedOut,
    LoginRefusedByServer,
    MonitorSawDown,
    Maintenance,
    Draining,
    PrimaryMoved,
    NoPrimary,
    StatementWaited,
    WriteRefused,
    LagChanged,
    KilledNow,
    KilledLater,
    KilledInTransaction,
    Drained,
    Stopped,
    FiltersSwapped,
    RestartPlanned,
    RestartRefused,
    SwitchesSet,
    Frozen,
    FrozenInTransaction,
    FrozenWithStatements,
    FrozenDoomed,
    PanicInFilter,
    PanicInRouter,
    BacklogOfClient,
    BacklogOfServer,
    ClientPaused,
    ServerPaused,
    Again,
    Nested,
    FilterAnswered,
    FilterRefused,
    FilterReplaced,
    FilterEnded,
    HintsMade,
    WaitedInFront,
    WaitedAside,
    WaitTimedOut,
    WaitTimedOutInTransaction,
    PositionAsked,
    Idle,
    StatementReused,
    WriteSynced,
    WriteToldLate,
    TransactionReplayed,
    AnswerSpliced,
    ReplayDiffered,
    ReplayGivenUp,
    ReplayTooLong,
    TransactionMoved,
    SessionCommandAnew,
    CommitUnknown,
    RepeatedOnServer,
    FrozenWithRecord,
    Parked,
    Adopted,
    CameBack,
    LentTaken,
    Queued,
    QuietWorld,
}

/// The counts of one schedule, or of many.
#[derive(Debug, Clone)]
pub struct Coverage {
    counts: Vec<u64>,
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage {
            counts: vec![0; Rare::ALL.len()],
        }
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, what: Rare) {
        self.counts[what as usize] += 1;
    }

    pub(crate) fn add(&mut self, what: Rare, count: u64) {
        self.counts[what as usize] += count;
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Coverage) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
    }

    /// Every rare thing with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Rare::ALL
            .iter()
            .map(|what| (what.name(), self.counts[*what as usize]))
    }

    /// Has everything happened but what is too rare, or takes too long, for a short test?
    #[must_use]
    pub fn is_broad(&self) -> bool {
        let too_rare = [
            Rare::GiantPacket.name(),
            Rare::BulkExecuted.name(),
            Rare::AnswerSpliced.name(),
            Rare::ReplayDiffered.name(),
            Rare::ReplayTooLong.name(),
            Rare::WaitTimedOutInTransaction.name(),
        ];
        self.missing().iter().all(|name| too_rare.contains(name))
    }

    /// What has never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.iter()
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name)
            .collect()
    }
}
