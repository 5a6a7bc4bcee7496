//! Whose debug pod it is, and whether its probe still runs: annotations that the program writes while
//! it runs, and that `cleanup` reads.
//!
//! Times are the API server's, since the clocks of two machines differ: the writer adds to its own
//! clock what it was off when the pod was created, the reader takes the time of an answer.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use ngf_text::sanitize;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Cluster, error::Failure, request::answered};
use ngf_core::model::object::ObjectRef;

/// Who created it: `user@host`.
const OWNER: &str = "ngf-tui/owner";
/// The program: what names its machine, and its process id.
const PROCESS: &str = "ngf-tui/process";
/// When the program was last known to be alive, RFC 3339. Absent where it may not patch pods.
const LAST_ALIVE: &str = "ngf-tui/last-alive";
/// The time between two heartbeats.
const EVERY: Duration = Duration::from_secs(30);
/// A program whose last heartbeat is older than this has ended.
const FRESH: SignedDuration = SignedDuration::from_secs(100);

/// The environment variable of an ephemeral container that names its owner.
pub(super) const OWNER_VARIABLE: &str = "NGF_TUI_OWNER";

/// The annotations that a pod is created with.
pub(super) fn annotations() -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([(OWNER, owner())]);
    if let Some(machine) = machine() {
        annotations.insert(PROCESS, format!("{machine} {}", std::process::id()));
    }
    annotations
}

/// Who runs this program: `user@host`.
pub(super) fn owner() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned());
    #[cfg(unix)]
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let host = std::env::var("COMPUTERNAME").unwrap_or_default();
    sanitize::line(&format!("{user}@{host}"), 120)
}

/// What tells this machine and its process ids from all others; `None` where nothing does.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pids = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), pids.to_str()?))
}

/// Whether a process of this machine is there.
fn is_alive(pid: i32) -> bool {
    #[cfg(unix)]
    {
        let Some(pid) = rustix::process::Pid::from_raw(pid) else {
            return false;
        };
        // One of another user may not be signalled, but is there.
        rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        true
    }
}

/// Renews the heartbeat of a pod until the answer is dropped. Ends by itself where the pod is gone or
/// may not be patched: then its deadline has to do.
pub(super) fn start(client: Client, pod: ObjectRef, created: Option<Timestamp>) -> DropGuard {
    let cancel = CancellationToken::new();
    let guard = cancel.clone().drop_guard();
    let now = Timestamp::now();
    let ahead = created.unwrap_or(now).duration_since(now);
    tokio::spawn(async move { cancel.run_until_cancelled(beat(client, pod, ahead)).await });
    guard
}

async fn beat(client: Client, pod: ObjectRef, ahead: SignedDuration) {
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
    let params = PatchParams::default();
    loop {
        let now = Timestamp::now();
        let now = now.checked_add(ahead).unwrap_or(now);
        let change = json!({"metadata": {"annotations": {LAST_ALIVE: now.to_string()}}});
        let patch = Patch::Merge(change);
        let patched = pods.patch_metadata(&pod.name, &params, &patch);
        match answered(patched).await {
            Err(Failure::Denied(_) | Failure::NotFound(_) | Failure::Unauthorized(_)) => return,
            Ok(_) | Err(_) => sleep(EVERY).await,
        }
    }
}

/// The API server's clock, to the second; this machine's where it does not say.
pub(super) async fn server_time(cluster: &Cluster) -> Timestamp {
    let asked = async {
        let request = http::Request::get("/version")
            .body(kube::client::Body::empty())
            .ok()?;
        let client = cluster.client();
        let answer = answered(client.send(request)).await.ok()?;
        let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .ok()
    };
    asked.await.unwrap_or_else(Timestamp::now)
}

/// Whether a probe still uses a debug pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// It does, as far as anybody can tell; why.
    InUse(String),
    /// It may, since nothing says that it does not; why.
    Unknown(String),
    /// It does not; why.
    Ended(String),
}

impl Usage {
    /// Why, in words.
    pub fn words(&self) -> &str {
        match self {
            Self::InUse(words) | Self::Unknown(words) | Self::Ended(words) => words,
        }
    }

    /// Whether somebody has to be asked before it is deleted.
    pub fn may_be_in_use(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// Who created a pod, where it says so.
pub(super) fn owner_of(pod: &Pod) -> Option<String> {
    annotation(pod, OWNER).map(|owner| sanitize::line(owner, 120))
}

/// Whether a probe still uses this debug pod.
pub(super) fn usage(pod: &Pod, now: Timestamp) -> Usage {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Failed" | "Succeeded")) || pod.metadata.deletion_timestamp.is_some() {
        return Usage::Ended("it has ended".to_owned());
    }
    if let Some(pid) = process_here(pod) {
        return if is_alive(pid) {
            Usage::InUse(format!("in use by process {pid} of this machine"))
        } else {
            Usage::Ended(format!("process {pid} of this machine has ended"))
        };
    }
    let beat = annotation(pod, LAST_ALIVE).and_then(|text| text.parse::<Timestamp>().ok());
    if let Some(beat) = beat {
        let ago = now.duration_since(beat);
        let seconds = ago.as_secs().max(0);
        return if ago <= FRESH {
            Usage::InUse(format!("in use: its program was alive {seconds} s ago"))
        } else {
            Usage::Ended(format!(
                "its program was last alive {seconds} s ago, and says so every {} s",
                EVERY.as_secs()
            ))
        };
    }
    match deadline(pod) {
        Some(deadline) if deadline <= now => Usage::Ended(format!("its deadline was {deadline}")),
        Some(deadline) => Usage::Unknown(format!(
            "perhaps in use: it has no heartbeat, and ends by itself at {deadline}"
        )),
        None => Usage::Unknown("perhaps in use: it has no heartbeat and no deadline".to_owned()),
    }
}

/// The process that created it, where that is one of this machine.
fn process_here(pod: &Pod) -> Option<i32> {
    let (there, pid) = annotation(pod, PROCESS)?.rsplit_once(' ')?;
    (there == machine()?).then_some(())?;
    pid.parse().ok().filter(|pid| *pid > 0)
}

/// When the kubelet ends it: its deadline counts from its start, which is not before its creation.
fn deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    let started = pod.status.as_ref().and_then(|s| s.start_time.as_ref());
    let begun = started.or(pod.metadata.creation_timestamp.as_ref())?.0;
    begun.checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn annotation<'p>(pod: &'p Pod, name: &str) -> Option<&'p str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NOW: &str = "2026-11-23T17:00:00Z";

    fn usage_of(annotations: &Value, status: &Value) -> Usage {
        let pod = serde_json::from_value(json!({
            "metadata": {"annotations": annotations, "creationTimestamp": "2026-11-23T16:58:00Z"},
            "spec": {"containers": [], "activeDeadlineSeconds": 300},
            "status": status,
        }));
        usage(&pod.expect("a pod"), NOW.parse().expect("a time"))
    }

    fn running(annotations: &Value) -> Usage {
        usage_of(annotations, &json!({"phase": "Running"}))
    }

    #[test]
    fn a_fresh_heartbeat_means_that_it_is_in_use() {
        for (beat, fresh) in [
            ("2026-11-23T16:59:48Z", true),
            ("2026-11-23T16:58:20Z", true),
            // two clocks differ
            ("2026-11-23T17:00:03Z", true),
            ("2026-11-23T16:58:19Z", false),
            ("2026-11-22T17:00:00Z", false),
        ] {
            let usage = running(&json!({LAST_ALIVE: beat}));
            assert_eq!(usage.may_be_in_use(), fresh, "{beat}: {usage:?}");
        }
        assert_eq!(
            running(&json!({LAST_ALIVE: "2026-11-23T16:59:48Z"})).words(),
            "in use: its program was alive 12 s ago"
        );
    }

    #[test]
    fn without_a_heartbeat_its_deadline_decides() {
        for annotations in [json!({}), json!({LAST_ALIVE: "yesterday"})] {
            let usage = running(&annotations);
            assert!(matches!(usage, Usage::Unknown(_)), "{usage:?}");
            assert!(usage.words().contains("2026-11-23T17:03:00Z"), "{usage:?}");
        }
        let begun = json!({"phase": "Running", "startTime": "2026-11-23T16:54:59Z"});
        let usage = usage_of(&json!({}), &begun);
        assert!(!usage.may_be_in_use(), "{usage:?}");
    }

    #[test]
    fn a_pod_that_has_ended_is_not_in_use() {
        for phase in ["Failed", "Succeeded"] {
            let beat = json!({LAST_ALIVE: NOW});
            assert!(!usage_of(&beat, &json!({"phase": phase})).may_be_in_use());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_this_machine_says_more_than_a_heartbeat() {
        let mut child = std::process::Command::new("true").spawn().expect("true");
        let ended = child.id();
        child.wait().expect("it ends");
        let machine = machine().expect("a name");
        let here = |pid: u32| format!("{machine} {pid}");
        let old = "2026-11-22T17:00:00Z";
        for (process, beat, may_be) in [
            (here(std::process::id()), old, true),
            (here(ended), NOW, false),
            (format!("another 4026531836 {ended}"), NOW, true),
            (format!("another 4026531836 {ended}"), old, false),
            ("nonsense".to_owned(), NOW, true),
            (format!("{machine} -1"), NOW, true),
        ] {
            let usage = running(&json!({PROCESS: process, LAST_ALIVE: beat}));
            assert_eq!(usage.may_be_in_use(), may_be, "{process}: {usage:?}");
        }
    }

    #[test]
    fn the_owner_is_a_user_and_a_host() {
        let owner = owner();
        let (user, host) = owner.split_once('@').expect("user@host");
        assert!(!user.is_empty() && !host.is_empty(), "{owner}");
        assert_eq!(annotations()[OWNER], owner);
    }
}
