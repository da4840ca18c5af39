//! The worker's clock and its alarm.
//!
//! Waiting for events has no time-out: a wait with one would arm a high-resolution timer each
//! time. Instead one timer descriptor a worker is armed for the wheel's next turn, which the
//! coarse ticks make rare.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tidegate_session::{Instant, WallTime};

/// Reads both clocks; once a turn.
pub(crate) fn now() -> (Instant, WallTime) {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let wall = clock_gettime(ClockId::Realtime);
    (
        Instant(u64::try_from(micros(monotonic)).unwrap_or(0)),
        WallTime(micros(wall)),
    )
}

/// The first of them, some milliseconds late and for a fraction of the cost.
pub(crate) fn coarse() -> Instant {
    let monotonic = clock_gettime(ClockId::MonotonicCoarse);
    Instant(u64::try_from(micros(monotonic)).unwrap_or(0))
}

fn micros(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Becomes readable when the time comes.
#[derive(Debug)]
pub(crate) struct Alarm {
    fd: OwnedFd,
    armed: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new() -> std::io::Result<Alarm> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        Ok(Alarm { fd, armed: None })
    }

    /// Makes sure it rings not later than `at`. That it may ring earlier, for a timer that was
    /// moved since, saves the system call that would move it too.
    pub(crate) fn arm(&mut self, at: Option<Instant>) -> std::io::Result<()> {
        let Some(at) = at else { return Ok(()) };
        if self.armed.is_some_and(|armed| armed <= at) {
            return Ok(());
        }
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // An alarm of zero would be none.
        let us = i64::try_from(at.0.max(1)).unwrap_or(i64::MAX);
        let value = Timespec {
            tv_sec: us / 1_000_000,
            tv_nsec: us % 1_000_000 * 1000,
        };
        timerfd_settime(
            &self.fd,
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval: zero,
                it_value: value,
            },
        )?;
        self.armed = Some(at);
        Ok(())
    }

    /// It rang: it has to be armed again.
    pub(crate) fn rang(&mut self) {
        self.armed = None;
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn rings_not_before_its_time() {
        let mut alarm = Alarm::new().unwrap();
        let at = now().0.after(Duration::from_millis(20));
        alarm.arm(Some(at)).unwrap();
        alarm
            .arm(Some(at.after(Duration::from_secs(3600))))
            .unwrap();
        let mut fds = [PollFd::new(&alarm, PollFlags::IN)];
        assert_eq!(poll(&mut fds, None).unwrap(), 1);
        assert!(now().0 >= at);
    }
}
