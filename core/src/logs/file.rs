//! Log files: what somebody saved with `kubectl logs`, stern, or a log store, read without a cluster.
//!
//! Whose log a file is shows by its lines; which Gateway's or backend's, by the hosts and addresses in them
//! (see the module `join`). A prefix and a file named `NAMESPACE_POD_CONTAINER.log` name the pod.

use jiff::Timestamp;

use super::{
    Unbroken, decode_stamped,
    line::{Decoded, Meaning, Writer},
    saved::unwrapped,
    tally::{PodLog, Role, Tally},
};
use crate::model::{kind::Kind, object::ObjectRef};

/// Reads the text of a log; `now` is the time of lines that have none.
pub fn parse(name: &str, text: &str, cut: bool, now: Timestamp) -> PodLog {
    let mut tally = Tally::default();
    let mut unbroken = Unbroken::default();
    let mut kinds = Kinds::default();
    let mut pod = None;
    let (mut first, mut last) = (None, None);
    for line in text.lines() {
        let (prefix, line) = unwrapped(line);
        pod = pod.or(prefix);
        let line = line.as_ref();
        let (stamp, decoded) = decode_stamped(line);
        let at = stamp.or_else(|| decoded.as_ref().and_then(|decoded| decoded.at));
        first = first.or(at);
        last = last.max(at);
        if let Some(decoded) = &decoded {
            kinds.count(decoded);
        }
        // A line without a time is of the moment of the one before it.
        tally.line(line, &mut unbroken, last.unwrap_or(now));
    }
    let pod = pod.or_else(|| pod_of_name(name));
    PodLog {
        role: kinds.role(),
        gateway: None,
        pod: pod.unwrap_or_else(|| ObjectRef::new(Kind::Pod, "", name)),
        container: "log".to_owned(),
        since: first.unwrap_or(now),
        failed: nothing_known(&tally),
        cut,
        file: Some(name.to_owned()),
        until: last.map(|last| last.min(now)),
        tally,
    }
}

/// Why a file tells nothing, if so.
fn nothing_known(tally: &Tally) -> Option<String> {
    match (tally.lines, tally.known) {
        (0, _) => Some("it is empty".to_owned()),
        (1, 0) => Some("its only line is not of nginx or NGF".to_owned()),
        (lines, 0) => Some(format!("none of its {lines} lines is of nginx or NGF")),
        _ => None,
    }
}

/// Lines by who must have written them.
#[derive(Debug, Default)]
struct Kinds {
    data_plane: u64,
    application: u64,
    controller: u64,
}

impl Kinds {
    fn count(&mut self, decoded: &Decoded) {
        if decoded.writer == Writer::Controller {
            self.controller += 1;
        } else if decoded.is_of_backend() {
            self.application += 1;
        } else if decoded.request.upstream.is_some()
            || decoded.writer == Writer::Agent
            || matches!(decoded.what, Meaning::NoLiveUpstreams | Meaning::Disabled)
        {
            self.data_plane += 1;
        }
    }

    /// A data plane also says of its own clients what a backend says of its.
    fn role(&self) -> Role {
        match self {
            Self {
                data_plane: 1.., ..
            } => Role::DataPlane,
            Self {
                application: 1.., ..
            } => Role::Application,
            Self {
                controller: 1.., ..
            } => Role::Controller,
            _ => Role::DataPlane,
        }
    }
}

/// `NAMESPACE_POD_CONTAINER.log`.
fn pod_of_name(name: &str) -> Option<ObjectRef> {
    let file = name.rsplit('/').next()?.strip_suffix(".log")?;
    let mut parts = file.split('_');
    let (namespace, pod, container) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && !container.is_empty();
    is_whole.then(|| ObjectRef::new(Kind::Pod, namespace, pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_log_a_file_is_shows_by_its_lines() {
        let upstream = "2026/06/01 11:59:00 [error] 31#31: *7 no live upstreams while connecting to upstream, client: 10.0.0.1, server: a, request: \"GET / HTTP/1.1\", upstream: \"https://g/\", host: \"a\"\n";
        let backend = "2026/06/01 11:59:00 [info] 11#11: *1 client sent plain HTTP request to HTTPS port while reading client request headers, client: 10.0.0.2, server: a, request: \"GET / HTTP/1.1\", host: \"a\"\n";
        for (text, role) in [
            (upstream.to_owned(), Role::DataPlane),
            (backend.to_owned(), Role::Application),
            (format!("{backend}{upstream}"), Role::DataPlane),
            (String::new(), Role::DataPlane),
            ("nothing of nginx\n".to_owned(), Role::DataPlane),
        ] {
            assert_eq!(
                parse("x.log", &text, false, Timestamp::UNIX_EPOCH).role,
                role,
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_without_a_line_of_nginx_or_ngf_tells_nothing() {
        let access =
            "10.0.0.1 - - [01/Jun/2026:11:59:00 +0000] \"GET / HTTP/1.1\" 502 157 \"-\" \"curl\"\n";
        let notice = "2026/06/01 11:59:00 [notice] 1#1: start worker processes\n";
        let other = "INFO app: listening\n";
        for (text, failed) in [
            ("", Some("it is empty")),
            (other, Some("its only line is not of nginx or NGF")),
            (
                &other.repeat(7),
                Some("none of its 7 lines is of nginx or NGF"),
            ),
            (access, None),
            (&format!("{other}{notice}"), None),
        ] {
            let log = parse("x.log", text, false, Timestamp::UNIX_EPOCH);
            assert_eq!(log.failed.as_deref(), failed, "{text}");
        }
        let log = parse("x.log", access, false, Timestamp::UNIX_EPOCH);
        assert_eq!(log.tally.refused.get(&502), Some(&1));
        let mixed = format!("{}{notice}", other.repeat(9_999));
        assert!(parse("x.log", &mixed, false, Timestamp::UNIX_EPOCH).says_little());
        let mixed = format!("{}{notice}", other.repeat(99));
        assert!(!parse("x.log", &mixed, false, Timestamp::UNIX_EPOCH).says_little());
    }

    #[test]
    fn prefix_and_file_name_tell_the_pod() {
        let now = "2026-06-02T00:00:00Z".parse().expect("a time");
        let log = parse("logs/edge_front-nginx-x0_nginx.log", "", false, now);
        assert_eq!(log.pod, ObjectRef::new(Kind::Pod, "edge", "front-nginx-x0"));
        let line = "[pod/front-nginx-x1/nginx] 2026/06/01 11:59:00 [emerg] 1#1: no such file\n";
        let log = parse("a.log", line, false, now);
        assert_eq!(log.pod.name, "front-nginx-x1");
        assert_eq!(log.tally.lines, 1);
        assert_eq!(
            log.until.map(|at| at.to_string()),
            Some("2026-06-01T11:59:00Z".to_owned())
        );
    }
}
