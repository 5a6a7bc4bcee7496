//! What tools and container runtimes put before a line, or around it, when they save it: `kubectl logs --prefix`, stern,
//! the files of containerd, CRI-O and Docker, syslog. A line from the API server has none of it.

use std::borrow::Cow;

use jiff::Timestamp;
use ngf_text::sanitize;
use serde::Deserialize;

use super::LONGEST;
use crate::model::{kind::Kind, object::ObjectRef};

/// A line of Docker's `json-file`.
#[derive(Deserialize)]
struct InJson {
    log: String,
    stream: String,
    time: String,
}

/// The line itself, as the API server gives it with or without a time, and the pod where a prefix names it.
pub fn unwrapped(line: &str) -> (Option<ObjectRef>, Cow<'_, str>) {
    let line = line.trim_end_matches(['\r', '\n']);
    if let Some((pod, rest)) = of_kubectl(line).or_else(|| of_stern(line)) {
        let pod = ObjectRef::new(Kind::Pod, "", sanitize::line(pod, 253));
        return (Some(pod), Cow::Borrowed(rest));
    }
    let rest = of_docker(line)
        .or_else(|| of_runtime(line))
        .or_else(|| of_syslog(line).map(Cow::Borrowed));
    (None, rest.unwrap_or(Cow::Borrowed(line)))
}

/// `[pod/NAME/CONTAINER] ` of `kubectl logs --prefix`.
fn of_kubectl(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("[pod/")?.split_once("] ")?;
    let (pod, _) = name.split_once('/')?;
    Some((pod, rest))
}

/// `POD CONTAINER ` of stern.
fn of_stern(line: &str) -> Option<(&str, &str)> {
    let is_name = |word: &str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        word.bytes().next().is_some_and(is_part)
            && word
                .bytes()
                .all(|byte| is_part(byte) || matches!(byte, b'-' | b'.'))
    };
    let mut words = line.splitn(3, ' ');
    let (pod, container, rest) = (words.next()?, words.next()?, words.next()?);
    (is_name(pod) && is_name(container) && begins_a_line(rest)).then_some((pod, rest))
}

/// `{"log":"…\n","stream":"stderr","time":"…"}`.
fn of_docker(line: &str) -> Option<Cow<'static, str>> {
    if !line.starts_with('{') || line.len() > LONGEST {
        return None;
    }
    let found: InJson = serde_json::from_str(line).ok()?;
    let is_time = found.time.parse::<Timestamp>().is_ok();
    (is_time && matches!(found.stream.as_str(), "stdout" | "stderr"))
        .then(|| Cow::Owned(format!("{} {}", found.time, found.log.trim_end())))
}

/// `TIME stderr F ` of containerd and CRI-O.
fn of_runtime(line: &str) -> Option<Cow<'static, str>> {
    let mut words = line.splitn(4, ' ');
    let (time, stream, part) = (words.next()?, words.next()?, words.next()?);
    let is_one = time.parse::<Timestamp>().is_ok()
        && matches!(stream, "stdout" | "stderr")
        && matches!(part, "F" | "P");
    is_one.then(|| Cow::Owned(format!("{time} {}", words.next().unwrap_or_default())))
}

/// `Nov 30 10:00:00 HOST nginx[30]: `.
fn of_syslog(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("]: ")?;
    let is_before = !before.contains('"') && before.split_whitespace().count() == 5;
    (is_before && begins_a_line(rest)).then_some(rest)
}

/// Whether nginx's error log begins here, or the kubelet's time before it.
fn begins_a_line(text: &str) -> bool {
    let is_nginx = |text: &str| {
        let mut bytes = text.bytes();
        let shape = b"0000/00/00 00:00:00 [";
        shape.iter().all(|shape| match (shape, bytes.next()) {
            (b'0', Some(byte)) => byte.is_ascii_digit(),
            (shape, byte) => byte == Some(*shape),
        })
    };
    let stamped = |(time, rest): (&str, &str)| time.parse::<Timestamp>().is_ok() && is_nginx(rest);
    is_nginx(text) || text.split_once(' ').is_some_and(stamped)
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    const LINE: &str =
        "2026/11/30 10:00:00 [error] 30#30: *7 no live upstreams, request: \"GET / HTTP/1.1\"";
    const TIME: &str = "2026-11-30T10:00:00.123456789Z";

    #[test]
    fn what_tools_and_runtimes_add_is_taken_away() {
        let stamped = format!("{TIME} {LINE}");
        let docker =
            serde_json::json!({"log": format!("{LINE}\n"), "stream": "stderr", "time": TIME});
        for (saved, pod, expected) in [
            (LINE.to_owned(), None, LINE),
            (stamped.clone(), None, &stamped),
            (format!("[pod/web-1/nginx] {LINE}"), Some("web-1"), LINE),
            (
                format!("[pod/web-1/nginx] {stamped}"),
                Some("web-1"),
                &stamped,
            ),
            (format!("web-1 nginx {LINE}"), Some("web-1"), LINE),
            (format!("web-1 nginx {stamped}"), Some("web-1"), &stamped),
            (format!("{TIME} stderr F {LINE}"), None, &stamped),
            (docker.to_string(), None, &stamped),
            (
                format!("Nov 30 10:00:00 node-1 nginx[30]: {LINE}"),
                None,
                LINE,
            ),
        ] {
            let (found, line) = unwrapped(&saved);
            assert_eq!(line, expected, "{saved}");
            assert_eq!(found.map(|pod| pod.name.clone()).as_deref(), pod, "{saved}");
        }
    }

    #[test]
    fn a_line_within_another_one_is_no_line() {
        for text in [
            format!("10.0.0.1 - {LINE}"),
            format!("10.0.0.1 - - [30/Nov/2026:10:00:00 +0000] \"GET /{LINE}\" 200"),
            format!("got a request for {LINE}"),
            format!("level=info msg=\"x[1]: {LINE}\""),
        ] {
            assert_eq!(unwrapped(&text).1, text);
        }
    }
}
