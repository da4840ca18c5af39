//! How busy the workers are: the processor time of their threads, looked at once a second. It costs
//! the workers nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tidegate_admin::views::LoadView;
use tidegate_runtime::Runtime;
use tokio::time::{Instant, MissedTickBehavior};

/// Values of one span that are kept: sixty seconds make a minute, sixty minutes an hour.
const KEPT: usize = 60;

/// The load of all workers.
#[derive(Debug, Default)]
pub(super) struct Load(Mutex<Vec<Busy>>);

/// The load of one worker.
#[derive(Debug, Default)]
struct Busy {
    /// Processor time used when it was looked at last.
    used: Option<Duration>,
    /// Parts of a second, newest last.
    seconds: VecDeque<f64>,
    /// Parts of a minute, newest last.
    minutes: VecDeque<f64>,
    /// Seconds since the newest minute.
    unsummed: usize,
}

impl Load {
    /// Looks at the workers for as long as anybody holds the result.
    pub(super) fn watch(runtime: &Runtime) -> Arc<Load> {
        let load = Arc::new(Load::default());
        tokio::spawn(look(Arc::downgrade(&load), runtime.clone()));
        load
    }

    /// A worker's load.
    pub(super) fn of(&self, worker: usize) -> LoadView {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(worker).map(Busy::view).unwrap_or_default()
    }

    fn take_in(&self, runtime: &Runtime, passed: Duration) {
        let shard = |worker| runtime.counters().shard(worker);
        let threads = (0..runtime.workers()).map(|worker| shard(worker).thread_id.get());
        let used: Vec<_> = threads.map(processor_time).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.resize_with(used.len(), Busy::default);
        for (busy, used) in all.iter_mut().zip(used) {
            busy.take_in(used, passed);
        }
    }
}

async fn look(load: Weak<Load>, runtime: Runtime) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Instant::now();
    loop {
        let now = ticks.tick().await;
        let Some(load) = load.upgrade() else {
            return;
        };
        load.take_in(&runtime, now - before);
        before = now;
    }
}

/// The processor time that a thread of this process has used; `None`: there is no such thread, or
/// the kernel does not count.
fn processor_time(thread: u64) -> Option<Duration> {
    let path = format!("/proc/self/task/{thread}/schedstat");
    let text = std::fs::read_to_string(path).ok()?;
    let nanoseconds = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

impl Busy {
    fn take_in(&mut self, used: Option<Duration>, passed: Duration) {
        let before = std::mem::replace(&mut self.used, used);
        let (Some(before), Some(used)) = (before, used) else {
            return;
        };
        if passed.is_zero() {
            return;
        }
        let part = used.saturating_sub(before).div_duration_f64(passed);
        keep(&mut self.seconds, part.min(1.0));
        self.unsummed += 1;
        if self.unsummed >= KEPT {
            self.unsummed = 0;
            keep(&mut self.minutes, average(&self.seconds));
        }
    }

    fn view(&self) -> LoadView {
        let hour = if self.minutes.is_empty() {
            &self.seconds
        } else {
            &self.minutes
        };
        LoadView {
            last_second: percent(self.seconds.back().copied().unwrap_or(0.0)),
            last_minute: percent(average(&self.seconds)),
            last_hour: percent(average(hour)),
        }
    }
}

fn keep(values: &mut VecDeque<f64>, newest: f64) {
    if values.len() >= KEPT {
        values.pop_front();
    }
    values.push_back(newest);
}

fn average(values: &VecDeque<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn percent(part: f64) -> u8 {
    (part * 100.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn averages_are_of_what_there_is_and_forget() {
        let mut busy = Busy::default();
        let mut used = Duration::ZERO;
        let mut run = |busy: &mut Busy, seconds: u32, millis: u64| {
            for _ in 0..seconds {
                used += Duration::from_millis(millis);
                busy.take_in(Some(used), SECOND);
            }
            let view = busy.view();
            (view.last_second, view.last_minute, view.last_hour)
        };
        assert_eq!(run(&mut busy, 1, 0), (0, 0, 0), "nothing to compare with");
        assert_eq!(run(&mut busy, 10, 500), (50, 50, 50));
        assert_eq!(run(&mut busy, 10, 1000), (100, 75, 75));
        assert_eq!(
            run(&mut busy, 60, 100),
            (10, 10, 32),
            "a minute and a third"
        );
        busy.take_in(None, SECOND);
        assert_eq!(busy.view().last_second, 10, "no thread to look at");
    }

    #[test]
    fn a_thread_s_time_can_be_read() {
        let own = rustix::thread::gettid().as_raw_nonzero().get();
        assert!(processor_time(u64::from(own.unsigned_abs())).is_some());
        assert_eq!(processor_time(0), None);
    }
}
