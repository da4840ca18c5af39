//! Signals, as what they ask for.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// End in order: SIGTERM, SIGINT.
    End,
    /// Open the log files again: SIGUSR1.
    Reopen,
    /// The same, and read certificates again: SIGHUP.
    Renew,
}

/// The signals that mean something.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    user: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on signals are wishes; one that came before ends the process as the system does.
    pub(crate) fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            user: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next wish.
    ///
    /// # Cancel safety
    /// A signal is not lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.user.recv() => Wish::Reopen,
            _ = self.hangup.recv() => Wish::Renew,
        }
    }
}
