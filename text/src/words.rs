//! Quantities in words, as kubectl and people write them.

use jiff::Timestamp;

/// `12d`, `3m`, `5s`: how long ago, in the largest unit that fits; `in 6d` for the future.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    if seconds < 0 {
        return format!("in {}", rounded(seconds.unsigned_abs()));
    }
    rounded(seconds.unsigned_abs())
}

/// A span of seconds in its largest unit: `45s`, `3m`, `7h`, `12d`, `3y`.
pub fn rounded(seconds: u64) -> String {
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

/// `6d 4h`, `3h 12m`, `41s`: the two largest units of a span, without a sign.
pub fn span(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = seconds.abs();
    let two = |large: i64, small: i64, letters: (&str, &str)| {
        let rest = seconds % large / small;
        if rest == 0 {
            format!("{}{}", seconds / large, letters.0)
        } else {
            format!("{}{} {rest}{}", seconds / large, letters.0, letters.1)
        }
    };
    match seconds {
        s if s >= DAY => two(DAY, HOUR, ("d", "h")),
        s if s >= HOUR => two(HOUR, MINUTE, ("h", "m")),
        s if s >= MINUTE => two(MINUTE, 1, ("m", "s")),
        _ => format!("{seconds}s"),
    }
}

/// `2026-11-23 12:03:00 UTC`; the number itself where it is no moment that a calendar has.
pub fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// `a`, `a and b`, `a, b and c`; after `most` names only how many more.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut items = items.into_iter();
    let shown: Vec<String> = items
        .by_ref()
        .take(most)
        .map(|item| item.to_string())
        .collect();
    match (shown.as_slice(), items.count()) {
        ([], 0) => String::new(),
        ([one], 0) => one.clone(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 route`, `3 routes`, `2 fixes`, `2 policies`.
pub fn count(number: usize, noun: &str) -> String {
    const HISSING: [&str; 4] = ["x", "s", "ch", "sh"];
    if number == 1 {
        return format!("1 {noun}");
    }
    let after_consonant = |stem: &str| !stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match noun.strip_suffix('y') {
        Some(stem) if after_consonant(stem) => format!("{number} {stem}ies"),
        _ if HISSING.iter().any(|end| noun.ends_with(end)) => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
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
        assert_eq!(count(2, "fix"), "2 fixes");
        assert_eq!(count(0, "policy"), "0 policies");
        assert_eq!(count(2, "gateway"), "2 gateways");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3600, "1h"),
            (-90_061, "1d 1h"),
            (86_400 * 400, "400d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn lists_are_read_aloud() {
        assert_eq!(list::<&str>([], 3), "");
        assert_eq!(list(["a"], 3), "a");
        assert_eq!(list(["a", "b"], 3), "a and b");
        assert_eq!(list(["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
