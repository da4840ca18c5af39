//! Quantities and how they are written: sizes, durations, throttling.
//!
//! Parsing takes digits and a suffix, nothing else; printing gives the shortest text that
//! parses back to the same value.

use std::fmt;
use std::time::Duration;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The number of bytes as a length in memory; saturates where memory is smaller.
    #[must_use]
    pub fn len_bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const BINARY_SUFFIXES: [(&str, u64); 4] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (suffix, unit) in BINARY_SUFFIXES {
            if self.0 != 0 && self.0.is_multiple_of(unit) {
                return write!(f, "{}{suffix}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// Reads `65536`, `64Ki`, `1G`, also with a trailing `B`; `None` if it is no size or does not
/// fit 64 bits.
pub(crate) fn parse_size(text: &str) -> Option<ByteSize> {
    let (number, suffix) = split_suffix(text)?;
    let unit = match suffix.to_ascii_lowercase().trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit).map(ByteSize)
}

/// The unit a bare number of a duration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareUnit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl BareUnit {
    fn milliseconds(self) -> u64 {
        match self {
            Self::Milliseconds => 1,
            Self::Seconds => 1_000,
        }
    }

    /// The suffix that says the same.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// A duration as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) milliseconds: u64,
    /// The number had no suffix.
    pub(crate) bare: bool,
}

/// Reads `1h`, `5min`, `10s`, `250ms`, or a bare number in `unit`.
pub(crate) fn parse_span(text: &str, unit: BareUnit) -> Option<Span> {
    let (number, suffix) = split_suffix(text)?;
    let factor = match suffix.to_ascii_lowercase().as_str() {
        "" => unit.milliseconds(),
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.checked_mul(factor)?;
    // Everything that reckons with durations may add two of them.
    let limit = u64::try_from(i64::MAX).ok()? / 2;
    (milliseconds <= limit).then_some(Span {
        milliseconds,
        bare: suffix.is_empty(),
    })
}

/// The shortest suffix form of a number of milliseconds.
pub(crate) fn print_span(milliseconds: u64) -> String {
    if milliseconds != 0 && milliseconds.is_multiple_of(1_000) {
        format!("{}s", milliseconds / 1_000)
    } else if milliseconds == 0 {
        "0s".to_owned()
    } else {
        format!("{milliseconds}ms")
    }
}

/// Saturating milliseconds of a duration.
pub(crate) fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn split_suffix(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, suffix))
}

/// How often one message may be logged: after `count` within `window`, silence for `suppress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// Messages let through within the window.
    pub count: u32,
    /// The window, in milliseconds.
    pub window_ms: u32,
    /// The silence, in milliseconds.
    pub suppress_ms: u32,
}

impl Throttling {
    /// No throttling at all.
    pub const OFF: Self = Self {
        count: 0,
        window_ms: 0,
        suppress_ms: 0,
    };

    /// Any member of zero switches throttling off.
    #[must_use]
    pub fn is_off(self) -> bool {
        self.count == 0 || self.window_ms == 0 || self.suppress_ms == 0
    }

    /// The window.
    #[must_use]
    pub fn window(self) -> Duration {
        Duration::from_millis(self.window_ms.into())
    }

    /// The silence.
    #[must_use]
    pub fn suppress(self) -> Duration {
        Duration::from_millis(self.suppress_ms.into())
    }
}

impl fmt::Display for Throttling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}ms, {}ms",
            self.count, self.window_ms, self.suppress_ms
        )
    }
}

/// Reads `10, 1000ms, 10000ms`; bare numbers are milliseconds.
pub(crate) fn parse_throttling(text: &str) -> Option<Throttling> {
    let mut parts = text.split(',').map(str::trim);
    let count = parts.next()?.parse().ok()?;
    let mut span = || {
        let span = parse_span(parts.next()?, BareUnit::Milliseconds)?;
        u32::try_from(span.milliseconds).ok()
    };
    let throttling = Throttling {
        count,
        window_ms: span()?,
        suppress_ms: span()?,
    };
    parts.next().is_none().then_some(throttling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text, bytes: Option<u64>| {
            assert_eq!(parse_size(text), bytes.map(ByteSize), "{text}");
        };
        check("0", Some(0));
        check("65536", Some(65536));
        check("64ki", Some(65536));
        check("1048576Mi", parse_size("1Ti").map(|size| size.0));
        check("1000G", parse_size("1T").map(|size| size.0));
        check("1MB", Some(1_000_000));
        check("1MiB", Some(1_048_576));
        check("", None);
        check("-1", None);
        check("1 k", None);
        check("10%", None);
        check("99999999999999999999", None);
        check("99999999Ti", None);
        for bytes in [0, 1, 1023, 1024, 65536, 1 << 40, u64::MAX] {
            assert_eq!(
                parse_size(&ByteSize(bytes).to_string()),
                Some(ByteSize(bytes))
            );
        }
    }

    #[test]
    fn spans() {
        let check = |text, unit, milliseconds: Option<u64>| {
            let read = parse_span(text, unit).map(|span| span.milliseconds);
            assert_eq!(read, milliseconds, "{text}");
        };
        check("1h", BareUnit::Seconds, Some(3_600_000));
        check("2m", BareUnit::Seconds, Some(120_000));
        check("2MIN", BareUnit::Seconds, Some(120_000));
        check("2", BareUnit::Seconds, Some(2_000));
        check("2", BareUnit::Milliseconds, Some(2));
        check("250ms", BareUnit::Seconds, Some(250));
        check("1d", BareUnit::Seconds, None);
        check("s", BareUnit::Seconds, None);
        check("-1s", BareUnit::Seconds, None);
        check("9223372036854775807h", BareUnit::Seconds, None);
    }

    #[test]
    fn throttling() {
        let default = Throttling {
            count: 10,
            window_ms: 1_000,
            suppress_ms: 10_000,
        };
        assert_eq!(parse_throttling("10, 1000ms, 10s"), Some(default));
        assert_eq!(parse_throttling("10,1000,10000"), Some(default));
        assert_eq!(parse_throttling(&default.to_string()), Some(default));
        assert_eq!(parse_throttling("10,1000"), None);
        assert_eq!(parse_throttling("10,1000,1,1"), None);
        assert!(
            Throttling {
                count: 0,
                ..default
            }
            .is_off()
        );
    }
}
