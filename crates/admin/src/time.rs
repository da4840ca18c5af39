//! How times and spans are spelled in documents and headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The last second of the year 9999, beyond which there is no HTTP date.
const LAST_SECOND: u64 = 253_402_300_799;

/// `Tue, 02 Jul 2024 18:00:05 GMT`
pub(crate) fn http_date(time: SystemTime) -> String {
    let last = UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
    httpdate::fmt_http_date(time.clamp(UNIX_EPOCH, last))
}

/// `Wed May 17 10:06:35 2017`, local time: what the oldest form has for dates.
pub(crate) fn ctime(time: SystemTime, zone: &TimeZone) -> String {
    timestamp(time)
        .to_zoned_datetime(zone.clone())
        .strftime("%a %b %e %H:%M:%S %Y")
        .to_string()
}

/// `2024-07-02T18:00:05.123Z`
pub(crate) fn iso_ms(time: SystemTime) -> String {
    timestamp(time)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A span as an integer of the largest unit that it reaches: `0ns`, `250us`, `12ms`, `3s`.
#[must_use]
pub fn short_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (divisor, unit) = match nanos {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    format!("{}{unit}", nanos / divisor)
}

/// Whole microseconds.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Seconds with three decimals.
pub(crate) fn seconds_ms(span: Duration) -> f64 {
    whole(span.as_millis()) / 1000.0
}

/// Seconds in steps of a tenth.
pub(crate) fn seconds_tenths(span: Duration) -> f64 {
    whole(span.as_millis() / 100) / 10.0
}

/// Exact below 2⁵³, which is 285,000 years of milliseconds.
fn whole(count: u128) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn dates() {
        // `date -u -d @1495015595`
        let time = at(1_495_015_595);
        assert_eq!(http_date(time), "Wed, 17 May 2017 10:06:35 GMT");
        assert_eq!(ctime(time, &TimeZone::UTC), "Wed May 17 10:06:35 2017");
        assert_eq!(
            ctime(at(1_709_251_200), &TimeZone::UTC),
            "Fri Mar  1 00:00:00 2024"
        );
        assert_eq!(
            iso_ms(time + Duration::from_millis(7)),
            "2017-05-17T10:06:35.007Z"
        );
    }

    #[test]
    fn times_no_clock_should_show() {
        assert_eq!(
            http_date(UNIX_EPOCH - Duration::from_secs(1)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        let far = at(u64::MAX / 4);
        assert_eq!(http_date(far), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(iso_ms(far), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn spans() {
        assert_eq!(short_duration(Duration::ZERO), "0ns");
        assert_eq!(short_duration(Duration::from_nanos(999)), "999ns");
        assert_eq!(short_duration(Duration::from_micros(250)), "250us");
        assert_eq!(short_duration(Duration::from_millis(12)), "12ms");
        assert_eq!(short_duration(Duration::from_secs(90)), "90s");
        assert!((seconds_ms(Duration::from_micros(42_731_999)) - 42.731).abs() < 1e-9);
        assert!((seconds_tenths(Duration::from_millis(3_499)) - 3.4).abs() < 1e-9);
    }
}
