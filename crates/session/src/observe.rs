//! What a session remembers of itself for those who look at it: statements, log lines, activity.
//! Nothing here is ever read for a decision.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidegate_wire::Command;

use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::histogram::AnswerTimes;
use crate::output::Level;
use crate::service::LogSwitches;
use crate::time::{Instant, WallTime};
use crate::view::QueryView;

/// I/O events of the last 30 seconds, in three buckets of 10.
#[derive(Debug, Default)]
struct Activity {
    buckets: [u32; 3],
    /// The number of the newest bucket's ten seconds.
    decade: u64,
}

const DECADE_US: u64 = 10_000_000;

impl Activity {
    fn turn_to(&mut self, now: Instant) {
        let decade = now.0 / DECADE_US;
        let passed = decade.saturating_sub(self.decade);
        if passed > 0 {
            let [newest, middle, _] = self.buckets;
            self.buckets = match passed {
                1 => [0, newest, middle],
                2 => [0, 0, newest],
                _ => [0; 3],
            };
            self.decade = decade;
        }
    }
}

/// A statement that is kept for `queries[]`.
#[derive(Debug)]
struct Retained {
    number: u64,
    statement: Box<[u8]>,
    command: &'static str,
    received: WallTime,
    completed: Option<WallTime>,
    responses: Vec<(Arc<str>, Duration)>,
}

/// A session's memory of itself.
#[derive(Debug)]
pub(crate) struct Observe {
    retain: usize,
    /// Oldest first.
    queries: VecDeque<Retained>,
    trace: usize,
    log: VecDeque<String>,
    pub(crate) switches: LogSwitches,
    activity: Activity,
    /// Commands received since statements are retained.
    received: u64,
    /// Those of them that are completed.
    completed: u64,
    /// How long servers' answers took.
    pub(crate) times: AnswerTimes,
}

impl Observe {
    pub(crate) fn new(retain: usize, trace: usize, switches: LogSwitches) -> Observe {
        Observe {
            retain,
            queries: VecDeque::new(),
            trace,
            log: VecDeque::new(),
            switches,
            activity: Activity::default(),
            received: 0,
            completed: 0,
            times: AnswerTimes::default(),
        }
    }

    #[inline]
    pub(crate) fn event(&mut self, now: Instant) {
        self.activity.turn_to(now);
        let [newest, ..] = &mut self.activity.buckets;
        *newest = newest.saturating_add(1);
    }

    pub(crate) fn io_activity(&self, now: Instant) -> u64 {
        let mut activity = Activity {
            buckets: self.activity.buckets,
            decade: self.activity.decade,
        };
        activity.turn_to(now);
        activity.buckets.iter().map(|count| u64::from(*count)).sum()
    }

    pub(crate) fn is_tracing(&self) -> bool {
        self.trace > 0
    }

    pub(crate) fn is_retaining(&self) -> bool {
        self.retain > 0
    }

    pub(crate) fn trace(&mut self, wall: WallTime, level: Level, text: &str) {
        if self.trace == 0 {
            return;
        }
        if self.log.len() >= self.trace {
            self.log.pop_front();
        }
        let word = match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        self.log
            .push_back(format!("{} {word}: {text}", Stamp(wall)));
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.iter().cloned().collect()
    }

    /// A command arrived. `text` is made only if statements are retained.
    #[inline]
    pub(crate) fn received(
        &mut self,
        command: &'static str,
        wall: WallTime,
        text: impl FnOnce() -> Box<[u8]>,
    ) {
        if self.retain == 0 {
            return;
        }
        self.received += 1;
        if self.queries.len() >= self.retain {
            self.queries.pop_front();
        }
        self.queries.push_back(Retained {
            number: self.received,
            statement: text(),
            command,
            received: wall,
            completed: None,
            responses: Vec::new(),
        });
    }

    /// The oldest command that was not complete is.
    pub(crate) fn completed(&mut self, wall: WallTime, response: Option<(&Arc<str>, Duration)>) {
        if self.retain == 0 {
            return;
        }
        self.completed += 1;
        let number = self.completed;
        if let Some(query) = self.queries.iter_mut().find(|query| query.number == number) {
            query.completed = Some(wall);
            if let Some((server, duration)) = response {
                query.responses.push((Arc::clone(server), duration));
            }
        }
    }

    /// The oldest command that was not complete will be received again.
    pub(crate) fn retried(&mut self) {
        self.completed += u64::from(self.is_retaining());
    }

    /// What REST shows, newest first.
    pub(crate) fn queries(&self) -> Vec<QueryView> {
        self.queries
            .iter()
            .rev()
            .map(|query| QueryView {
                statement: String::from_utf8_lossy(&query.statement).into_owned(),
                command: query.command,
                received: query.received,
                completed: query.completed,
                responses: query.responses.clone(),
            })
            .collect()
    }

    /// The retained statements as log lines, oldest first.
    pub(crate) fn retained_lines(&self) -> Vec<String> {
        self.queries
            .iter()
            .map(|query| {
                format!(
                    "{} {}",
                    Stamp(query.received),
                    String::from_utf8_lossy(&query.statement)
                )
            })
            .collect()
    }

    pub(crate) fn query_bytes(&self) -> usize {
        self.queries
            .iter()
            .map(|query| size_of::<Retained>() + query.statement.len())
            .sum()
    }

    pub(crate) fn trace_bytes(&self) -> usize {
        self.log
            .iter()
            .map(|line| size_of::<String>() + line.capacity())
            .sum()
    }
}

impl Observe {
    /// Statements and log lines; activity starts anew.
    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.u64(self.received);
        into.u64(self.completed);
        into.list(self.times.decades.iter(), |into, count| into.u32(*count));
        into.u64(self.times.total_us);
        into.u64(self.times.max_us);
        into.list(self.queries.iter(), |into, query| {
            into.u64(query.number);
            into.bytes(&query.statement);
            into.bytes(query.command.as_bytes());
            into.u64(query.received.0 as u64);
            into.option(query.completed, |into, at| into.u64(at.0 as u64));
            into.list(query.responses.iter(), |into, (server, took)| {
                into.bytes(server.as_bytes());
                into.u64(took.as_micros() as u64);
            });
        });
        into.list(self.log.iter(), |into, line| into.bytes(line.as_bytes()));
    }

    /// Takes what [`Observe::freeze`] wrote, as far as this service keeps it.
    pub(crate) fn thaw(&mut self, from: &mut Decoder<'_>) -> Result<(), FreezeError> {
        self.received = from.u64()?;
        self.completed = from.u64()?;
        let decades = from.list(Decoder::u32)?;
        for (kept, count) in self.times.decades.iter_mut().zip(decades) {
            *kept = count;
        }
        self.times.total_us = from.u64()?;
        self.times.max_us = from.u64()?;
        self.queries = from.list(thaw_retained)?.into();
        self.log = from.list(Decoder::text)?.into();
        while self.queries.len() > self.retain {
            self.queries.pop_front();
        }
        while self.log.len() > self.trace {
            self.log.pop_front();
        }
        Ok(())
    }
}

fn thaw_retained(from: &mut Decoder<'_>) -> Result<Retained, FreezeError> {
    let wall = |from: &mut Decoder<'_>| from.u64().map(|micros| WallTime(micros as i64));
    Ok(Retained {
        number: from.u64()?,
        statement: from.bytes()?.into(),
        command: command_name(from)?,
        received: wall(from)?,
        completed: from.option(wall)?,
        responses: from.list(|from| {
            let server = from.text()?.into();
            Ok((server, Duration::from_micros(from.u64()?)))
        })?,
    })
}

fn command_name(from: &mut Decoder<'_>) -> Result<&'static str, FreezeError> {
    let name = from.text()?;
    let known = Command::ALL.iter().find(|command| command.name() == name);
    known
        .map(|command| command.name())
        .ok_or(FreezeError::Gone {
            what: "command",
            name,
        })
}

/// Wall-clock time as ISO 8601 text in UTC with milliseconds.
struct Stamp(WallTime);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.0.div_euclid(1000);
        let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar: eras of 400 years, each
/// year beginning in March so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_iso_8601() {
        let check = |micros: i64, text: &str| assert_eq!(Stamp(WallTime(micros)).to_string(), text);
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_123_456, "2000-02-29T00:00:00.123Z");
        check(1_707_730_211_000_000, "2024-02-12T09:30:11.000Z");
        check(-1_000, "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn activity_forgets_after_thirty_seconds() {
        let mut observe = Observe::new(0, 0, LogSwitches::default());
        for second in 0..60 {
            observe.event(Instant(second * 1_000_000));
        }
        assert_eq!(observe.io_activity(Instant(59_000_000)), 30);
        assert_eq!(observe.io_activity(Instant(95_000_000)), 0);
    }

    #[test]
    fn statements_are_kept_newest_first_and_completed_in_order() {
        let mut observe = Observe::new(2, 0, LogSwitches::default());
        for text in ["a", "b", "c"] {
            observe.received("COM_QUERY", WallTime(1), || text.as_bytes().into());
        }
        observe.completed(WallTime(2), None);
        observe.completed(WallTime(3), None);
        let seen: Vec<_> = observe
            .queries()
            .into_iter()
            .map(|query| (query.statement, query.completed))
            .collect();
        assert_eq!(
            seen,
            [("c".to_owned(), None), ("b".to_owned(), Some(WallTime(3)))]
        );
    }
}
