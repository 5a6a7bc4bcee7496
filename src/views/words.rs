//! Quantities in words, as kubectl and people write them.

use jiff::Timestamp;

/// `12d`, `3m`, `5s`: how long ago, in the largest unit that fits; `in 6d` for the future.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    if seconds < 0 {
        return format!("in {}", span(seconds.unsigned_abs()));
    }
    span(seconds.unsigned_abs())
}

/// A span of seconds in its largest unit: `45s`, `3m`, `7h`, `12d`, `3y`.
pub fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        DAY..YEAR => format!("{}d", seconds / DAY),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// `0.31 ms`, `12.4 ms`, `1.20 s`.
pub fn micros(micros: u64) -> String {
    let millis = micros as f64 / 1000.0;
    match micros {
        0..10_000 => format!("{millis:.2} ms"),
        10_000..1_000_000 => format!("{millis:.1} ms"),
        _ => format!("{:.2} s", millis / 1000.0),
    }
}

/// `517 B`, `1.5 kB`, `3.2 MB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// `1 endpoint`, `3 endpoints`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (ago, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (31_536_000, "1y"),
            (-60, "in 1m"),
        ] {
            let then = Timestamp::from_second(1_800_000_000 - ago).unwrap();
            assert_eq!(age(then, now), expected);
        }
    }

    #[test]
    fn quantities_keep_three_figures() {
        assert_eq!(micros(310), "0.31 ms");
        assert_eq!(micros(12_400), "12.4 ms");
        assert_eq!(micros(1_200_000), "1.20 s");
        assert_eq!(bytes(517), "517 B");
        assert_eq!(bytes(1_517), "1.5 kB");
        assert_eq!(bytes(3_200_000), "3.2 MB");
        assert_eq!(count(1, "endpoint"), "1 endpoint");
        assert_eq!(count(3, "endpoint"), "3 endpoints");
    }
}
