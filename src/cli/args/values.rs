//! Values of arguments: what they may be, and what is said where they are something else.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, time::Duration};

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use jiff::{Span, SpanRelativeTo, Timestamp, civil::Date, tz::TimeZone};

use crate::cli::connect::parse_host_and_port;
use ngf_cluster::probe_context::Address;
use ngf_core::diagnosis::{Code, registry::RULES, suppress};

/// Takes any text, and offers the codes of all rules for completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeParser;

impl TypedValueParser for CodeParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let codes = RULES
            .iter()
            .map(|rule| PossibleValue::new(rule.code.as_str()).help(rule.title));
        Some(Box::new(codes))
    }
}

/// A number of seconds, up to a day.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| format!("invalid number of seconds \"{text}\": expected 1 to 86400"))
}

/// `gateway.example.com`, `10.0.0.1:8080`, `[fd00::1]:80`.
pub(super) fn gateway_address(text: &str) -> Result<Address, String> {
    if let Some((host, port)) = parse_host_and_port(text) {
        let port = Some(port);
        return Ok(Address { host, port });
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    if bare.is_empty() || (bare.contains(':') && !is_address) {
        return Err(format!(
            "invalid address \"{text}\": expected HOST or HOST:PORT"
        ));
    }
    Ok(Address {
        host: bare.to_owned(),
        port: None,
    })
}

/// As kubectl's `-v`: what is more than 10 shows no more than 10.
pub(super) fn verbosity(text: &str) -> Result<u8, String> {
    text.parse::<u64>()
        .map(|level| level.min(10) as u8)
        .map_err(|_| format!("invalid log level \"{text}\": expected 0 to 10"))
}

/// `-v6` and `-v 6` as kubectl takes them, in the one form that leaves `-v` without a number possible.
pub fn with_verbosity_joined(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut words = words.into_iter().peekable();
    let is_number = |text: &str| {
        !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit())
    };
    while let Some(word) = words.next() {
        if word == "--" {
            joined.push(word);
            joined.extend(words);
            break;
        }
        let text = word.to_str().unwrap_or_default();
        let attached = text.strip_prefix("-v").filter(|rest| is_number(rest));
        if let Some(level) = attached {
            joined.push(format!("-v={level}").into());
            continue;
        }
        let next = words.peek().and_then(|next| next.to_str());
        if let ("-v" | "--v", Some(level)) = (text, next.filter(|next| is_number(next))) {
            joined.push(format!("-v={level}").into());
            words.next();
            continue;
        }
        joined.push(word);
    }
    joined
}

/// How many at a time.
pub(super) fn parallel(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=256).contains(number))
        .ok_or_else(|| format!("invalid number \"{text}\": expected 1 to 256"))
}

/// A span of time as people write it (`5s`, `1m30s`, `2w`), where a day has 24 hours.
fn span(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let days = SpanRelativeTo::days_are_24_hours();
    Duration::try_from(span.to_duration(days).ok()?).ok()
}

/// The same, or a bare number of seconds.
fn span_or_seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| span(text))
}

/// `5s`, `300ms`, `1m`, `1m30s`, or a bare number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = span_or_seconds(text)
        .ok_or_else(|| format!("invalid duration \"{text}\": expected 5s, 300ms or 1m"))?;
    let bounds = Duration::from_millis(1)..=Duration::from_hours(1);
    if bounds.contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("`{text}` is outside 1ms to 1h"))
    }
}

/// As kubectl's `--request-timeout`: `5s`, `1m`, `1h`, a number of seconds; 0 means without a limit.
pub(super) fn request_timeout(text: &str) -> Result<Duration, String> {
    let most = Duration::from_hours(24);
    span_or_seconds(text)
        .filter(|limit| *limit <= most)
        .ok_or_else(|| format!("invalid duration \"{text}\": expected 5s, 1m, or 0 for no limit"))
}

/// A path of `-f`. kubectl reads URLs; this tool sends no request to a server that no kubeconfig names.
pub(super) fn manifest_path(text: &str) -> Result<PathBuf, String> {
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    if scheme.is_some_and(|scheme| ["http", "https"].contains(&scheme.as_str())) {
        return Err(
            "manifests are not read from a URL: download them first, or pipe them: curl -fsSL URL | ngf-tui check -f -"
                .replace("ngf-tui", ngf_core::command::program()),
        );
    }
    Ok(PathBuf::from(text))
}

/// `-k` of kubectl.
pub(super) fn no_kustomize(_: &str) -> Result<PathBuf, String> {
    Err(
        "kustomizations are not built here: kubectl kustomize DIR | ngf-tui check -f -"
            .replace("ngf-tui", ngf_core::command::program()),
    )
}

/// How many lines.
pub(super) fn lines(text: &str) -> Result<Option<u32>, String> {
    match text.parse::<i64>() {
        // As with kubectl, -1 is all.
        Ok(-1) => Ok(None),
        Ok(number) if (0..=1_000_000).contains(&number) => Ok(u32::try_from(number).ok()),
        _ => Err(format!(
            "invalid number of lines \"{text}\": expected 0 to 1000000, or -1 for all"
        )),
    }
}

/// As [`duration()`], from a second to a day.
pub(super) fn past(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(1)..=Duration::from_hours(24);
    span_or_seconds(text)
        .filter(|past| bounds.contains(past))
        .ok_or_else(|| format!("invalid time \"{text}\": expected 1h, 15m or 90s, from 1s to 24h"))
}

/// `30d`, `2w`, `12h`, up to ten years.
pub(super) fn days(text: &str) -> Result<Duration, String> {
    let days =
        span(text).ok_or_else(|| format!("invalid time \"{text}\": expected 30d, 2w or 12h"))?;
    let bounds = Duration::from_secs(1)..=Duration::from_hours(24 * 3_653);
    if bounds.contains(&days) {
        Ok(days)
    } else {
        Err(format!("`{text}` is outside 1s to 3653d"))
    }
}

/// `--within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// So much time.
    Time(Duration),
    /// So many percent of a certificate's lifetime.
    Share(u8),
}

/// As [`days`], or `30%`.
pub(super) fn within(text: &str) -> Result<Within, String> {
    let Some(percent) = text.strip_suffix('%') else {
        return days(text)
            .map(Within::Time)
            .map_err(|why| why.replace("expected 30d, 2w or 12h", "expected 30d, 2w, 12h or 30%"));
    };
    percent
        .parse()
        .ok()
        .filter(|percent| (1..=100).contains(percent))
        .map(Within::Share)
        .ok_or_else(|| format!("invalid share \"{text}\": expected 1% to 100%"))
}

/// Codes and letters of families, with commas between.
pub(super) fn codes(text: &str) -> Result<Codes, String> {
    suppress::only(text).map(Codes)
}

/// What `--only` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(pub BTreeSet<Code>);

/// A date (its first moment in UTC) or a moment in RFC 3339.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("invalid time \"{text}\": expected 2027-01-01 or 2027-01-01T12:00:00Z");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if text.contains(['T', ' ', ':']) {
        return Err(wrong());
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    date.to_zoned(TimeZone::UTC)
        .map(|midnight| midnight.timestamp())
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_level_is_read_as_kubectl_reads_it() {
        for (line, expected) in [
            ("check -v6", "check -v=6"),
            ("check -v 6 -o name", "check -v=6 -o name"),
            ("check --v 99", "check -v=99"),
            ("check -v httproute/a", "check -v httproute/a"),
            ("check -v", "check -v"),
            ("-v=8 check", "-v=8 check"),
            ("explain -- -v 6", "explain -- -v 6"),
            ("check -via", "check -via"),
        ] {
            let words = line.split(' ').map(OsString::from);
            let joined = with_verbosity_joined(words).join(std::ffi::OsStr::new(" "));
            assert_eq!(joined.to_str(), Some(expected), "{line}");
        }
        assert_eq!(verbosity("99"), Ok(10));
        assert_eq!(
            verbosity("x"),
            Err("invalid log level \"x\": expected 0 to 10".to_owned())
        );
    }

    #[test]
    fn moments() {
        for (text, expected) in [
            ("2027-01-01", Some("2027-01-01T00:00:00Z")),
            ("2027-01-01T12:30:00Z", Some("2027-01-01T12:30:00Z")),
            ("2027-01-01T12:30:00+02:00", Some("2027-01-01T10:30:00Z")),
            ("2027-02-30", None),
            ("2027-01-01T12:30:00", None),
            ("1.1.2027", None),
            ("tomorrow", None),
            ("", None),
        ] {
            let parsed = moment(text).ok().map(|moment| moment.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn times_ahead() {
        for (text, expected) in [
            ("30d", Some(30 * 86_400)),
            ("2w", Some(14 * 86_400)),
            ("12h", Some(12 * 3_600)),
            ("30", None),
            ("0d", None),
            ("-1d", None),
            ("99999d", None),
            ("99999999999999999999w", None),
            ("1d12h", Some(36 * 3_600)),
            ("soon", None),
            ("3ä", None),
            ("", None),
        ] {
            let parsed = days(text).ok().map(|time| time.as_secs());
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn shares_of_a_lifetime() {
        for (text, expected) in [
            ("30%", Ok(Within::Share(30))),
            ("100%", Ok(Within::Share(100))),
            ("30d", Ok(Within::Time(Duration::from_hours(720)))),
            ("0%", Err(())),
            ("101%", Err(())),
            ("-1%", Err(())),
            ("%", Err(())),
            ("3.5%", Err(())),
        ] {
            assert_eq!(within(text).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("5s", Ok(5_000)),
            ("300ms", Ok(300)),
            ("1m", Ok(60_000)),
            ("1m30s", Ok(90_000)),
            ("7", Ok(7_000)),
            ("0", Err(())),
            ("-5s", Err(())),
            ("2h", Err(())),
            ("soon", Err(())),
            ("", Err(())),
        ] {
            let parsed = duration(text)
                .map(|duration| duration.as_millis())
                .map_err(|_| ());
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
