//! A source that repeats itself is silenced for a while (`log_throttling`).
//!
//! A source is a place in the program together with the object it speaks of; the texts may differ.
//! Time is an argument. At most [`MAX_SOURCES`] sources are remembered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tidegate_session::Level;

/// Sources that are remembered; beyond it those that were quiet are forgotten, and then new ones
/// pass without being counted.
const MAX_SOURCES: usize = 4096;

/// When a source is silenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// After so many messages
    pub count: u32,
    /// within this time
    pub window: Duration,
    /// it is silent for this long, and until it has paused for longer than `window`.
    pub suppress: Duration,
}

impl Default for Throttling {
    fn default() -> Throttling {
        Throttling {
            count: 10,
            window: Duration::from_secs(1),
            suppress: Duration::from_secs(10),
        }
    }
}

impl Throttling {
    /// Does it do anything? Any member that is zero switches it off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.count > 0 && !self.window.is_zero() && !self.suppress.is_zero()
    }
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// It passes, and is the last of its source for now.
    PassAsLast,
    Suppress,
}

/// A silence that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) level: Level,
    pub(crate) suppressed: u64,
    /// The message that the silence began with.
    pub(crate) sample: String,
}

#[derive(Debug)]
struct Source {
    window_start: Duration,
    count: u32,
    silence: Option<Silence>,
}

#[derive(Debug)]
struct Silence {
    until: Duration,
    last: Duration,
    suppressed: u64,
    level: Level,
    sample: String,
}

impl Silence {
    fn end(&self, window: Duration) -> Duration {
        self.until.max(self.last + window)
    }
}

/// The sources that were heard lately.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    settings: Option<Throttling>,
    sources: HashMap<u64, Source>,
    silent: usize,
}

impl Throttle {
    pub(crate) fn set(&mut self, settings: Option<Throttling>) {
        self.settings = settings.filter(Throttling::is_on);
        if self.settings.is_none() {
            self.sources.clear();
            self.silent = 0;
        }
    }

    /// May this message be written? `now` counts from any fixed origin and never goes back.
    pub(crate) fn admit(
        &mut self,
        source: u64,
        level: Level,
        text: &str,
        now: Duration,
    ) -> Verdict {
        let Some(settings) = self.settings else {
            return Verdict::Pass;
        };
        if !matches!(level, Level::Error | Level::Warning) {
            return Verdict::Pass;
        }
        if self.sources.len() >= MAX_SOURCES && !self.sources.contains_key(&source) {
            self.sources.retain(|_, source| {
                source.silence.is_some() || now < source.window_start + settings.window
            });
            if self.sources.len() >= MAX_SOURCES {
                return Verdict::Pass;
            }
        }
        let fresh = Source {
            window_start: now,
            count: 0,
            silence: None,
        };
        let source = self.sources.entry(source).or_insert(fresh);
        if let Some(silence) = &mut source.silence {
            silence.suppressed += 1;
            silence.last = now;
            return Verdict::Suppress;
        }
        if now >= source.window_start + settings.window {
            source.window_start = now;
            source.count = 0;
        }
        source.count += 1;
        if source.count < settings.count {
            return Verdict::Pass;
        }
        let until = now + settings.suppress;
        source.silence = Some(Silence {
            until,
            last: now,
            suppressed: 0,
            level,
            sample: text.to_owned(),
        });
        self.silent += 1;
        Verdict::PassAsLast
    }

    /// Takes out the silences that are over. Those in which nothing was said are not reported.
    pub(crate) fn ended(&mut self, now: Duration) -> Vec<Ended> {
        let Some(settings) = self.settings else {
            return Vec::new();
        };
        if self.silent == 0 {
            return Vec::new();
        }
        let mut ended = Vec::new();
        self.sources.retain(|_, source| {
            let over = source
                .silence
                .take_if(|silence| now >= silence.end(settings.window));
            let Some(silence) = over else { return true };
            if silence.suppressed > 0 {
                ended.push(Ended {
                    level: silence.level,
                    suppressed: silence.suppressed,
                    sample: silence.sample,
                });
            }
            false
        });
        self.silent = self
            .sources
            .values()
            .filter(|source| source.silence.is_some())
            .count();
        ended.sort_by(|a, b| a.sample.cmp(&b.sample));
        ended
    }

    /// Is any source silent, so that [`Throttle::ended`] has to be asked now and then?
    pub(crate) fn is_silencing(&self) -> bool {
        self.silent > 0
    }
}

/// Tells sources apart.
pub(crate) fn source(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What texts of one log statement have in common: the words before the first quoted part or
/// number.
pub(crate) fn shape(text: &str) -> &str {
    let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, '\'' | '"' | '`' | '@'));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn throttle() -> Throttle {
        let mut throttle = Throttle::default();
        throttle.set(Some(Throttling {
            count: 3,
            window: MS(1000),
            suppress: MS(10_000),
        }));
        throttle
    }

    fn burst(throttle: &mut Throttle, times: &[u64]) -> Vec<Verdict> {
        times
            .iter()
            .map(|ms| throttle.admit(1, Level::Error, "disk '3' full", MS(*ms)))
            .collect()
    }

    #[test]
    fn silent_after_count_within_window() {
        use Verdict::{Pass, PassAsLast, Suppress};
        let mut throttle = throttle();
        assert_eq!(
            burst(&mut throttle, &[0, 100, 200, 300, 5000]),
            [Pass, Pass, PassAsLast, Suppress, Suppress]
        );
        assert_eq!(
            throttle.admit(2, Level::Error, "another source", MS(300)),
            Pass
        );
        assert_eq!(throttle.ended(MS(10_199)), []);
        let expect = Ended {
            level: Level::Error,
            suppressed: 2,
            sample: "disk '3' full".into(),
        };
        assert_eq!(throttle.ended(MS(10_200)), [expect]);
        assert!(!throttle.is_silencing());
        assert_eq!(burst(&mut throttle, &[10_300]), [Pass]);
    }

    #[test]
    fn slow_sources_are_never_silenced() {
        let mut throttle = throttle();
        assert_eq!(
            burst(&mut throttle, &[0, 500, 1000, 1500, 2000, 2500]),
            [Verdict::Pass; 6]
        );
    }

    #[test]
    fn silence_goes_on_until_a_pause_longer_than_the_window() {
        let mut throttle = throttle();
        burst(&mut throttle, &[0, 1, 2, 9_900]);
        assert_eq!(throttle.ended(MS(10_500)), []);
        assert_eq!(burst(&mut throttle, &[10_800]), [Verdict::Suppress]);
        assert_eq!(throttle.ended(MS(11_799)), []);
        assert_eq!(throttle.ended(MS(11_800)).len(), 1);
    }

    #[test]
    fn only_errors_and_warnings() {
        let mut throttle = throttle();
        for _ in 0..10 {
            assert_eq!(throttle.admit(1, Level::Notice, "", MS(0)), Verdict::Pass);
        }
    }

    #[test]
    fn a_zero_switches_it_off() {
        let off = Throttling {
            count: 3,
            window: MS(0),
            suppress: MS(1),
        };
        let mut throttle = throttle();
        burst(&mut throttle, &[0, 1, 2]);
        throttle.set(Some(off));
        assert_eq!(burst(&mut throttle, &[3, 3, 3, 3, 3]), [Verdict::Pass; 5]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = throttle();
        for source in 0..3 * MAX_SOURCES as u64 {
            throttle.admit(source, Level::Error, "", MS(0));
        }
        assert!(throttle.sources.len() <= MAX_SOURCES);
    }

    #[test]
    fn texts_of_one_statement_share_a_shape() {
        assert_eq!(
            shape("login of 'joe'@'::1' refused"),
            shape("login of 'ann'@'10.0.0.1' refused")
        );
        assert_ne!(shape("login refused"), shape("server lost"));
    }
}
