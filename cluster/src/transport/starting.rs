//! Whether a container that was asked for runs yet, and why it never will: from its status, from its
//! pod's, and from Events, which say it up to a minute before a status does.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod};
use ngf_text::sanitize;

/// How far a container has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// It runs.
    Running,
    /// Not yet: what it waits for.
    Waiting(String),
    /// It never will: why, and what to do.
    Failed(String),
}

/// Reasons of a waiting container that only a change ends.
const HOPELESS: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
    "StartError",
];

/// How far the container `name` of a pod has come; `image` is what it was asked to run.
pub(super) fn start(pod: &Pod, name: &str, image: &str, events: &[Event]) -> Start {
    let status = pod.status.as_ref();
    let containers = status
        .and_then(|status| status.container_statuses.as_ref())
        .into_iter()
        .chain(status.and_then(|status| status.ephemeral_container_statuses.as_ref()))
        .flatten();
    let mut containers = containers.filter(|container| container.name == name);
    if let Some(start) = containers.next().and_then(|c| of_container(c, image)) {
        return start;
    }
    if let Some(why) = failed_event(name, events) {
        return Start::Failed(hint(&why, &why, image));
    }
    let phase = status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default();
    if matches!(phase, "Failed" | "Succeeded") {
        let reason = status.and_then(|status| status.reason.as_deref());
        let message = status.and_then(|status| status.message.as_deref());
        return Start::Failed(format!(
            "the pod ended before it ran: {}",
            line(&[reason, message])
        ));
    }
    let unmet = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    Start::Waiting(match unmet {
        Some(condition) => format!(
            "it is not scheduled: {}",
            line(&[condition.reason.as_deref(), condition.message.as_deref()])
        ),
        None => "its container is being created".to_owned(),
    })
}

fn of_container(container: &ContainerStatus, image: &str) -> Option<Start> {
    let state: &ContainerState = container.state.as_ref()?;
    if state.running.is_some() {
        return Some(Start::Running);
    }
    if let Some(ended) = &state.terminated {
        return Some(Start::Failed(format!(
            "it ended at once (exit status {}: {}): the image {} cannot run `sleep`; name one that holds sleep and nc, as busybox does, or this tool's own, with --image",
            ended.exit_code,
            line(&[ended.reason.as_deref(), ended.message.as_deref()]),
            sanitize::line(image, 100)
        )));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = line(&[Some(reason), waiting.message.as_deref()]);
    if HOPELESS.contains(&reason) {
        return Some(Start::Failed(hint(reason, &said, image)));
    }
    // Its Events may know more.
    None
}

/// The message of an Event that says that this container failed.
fn failed_event(name: &str, events: &[Event]) -> Option<String> {
    let of_it = |event: &&Event| {
        let path = event.involved_object.field_path.as_deref();
        path.is_some_and(|path| path.ends_with(&format!("{{{name}}}")))
    };
    let failed = |event: &&Event| {
        matches!(
            event.reason.as_deref(),
            Some("Failed" | "InspectFailed" | "ErrImageNeverPull")
        )
    };
    let mut events = events.iter().filter(of_it).filter(failed);
    events.find_map(|event| Some(sanitize::line(event.message.as_deref()?, 300)))
}

fn hint(reason: &str, said: &str, image: &str) -> String {
    let image = sanitize::line(image, 100);
    if said.contains("runAsNonRoot") || said.contains("non-root") {
        return format!("{said}; the data plane's pods may not run as root");
    }
    if reason.contains("mage") || reason.contains("pull") {
        return format!(
            "the image {image} cannot be had ({said}); name one that this cluster can pull with --image"
        );
    }
    said.to_owned()
}

fn line(parts: &[Option<&str>]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .copied()
        .collect();
    if parts.is_empty() {
        return "nobody says why".to_owned();
    }
    sanitize::line(&parts.join(": "), 300)
}

#[cfg(test)]
#[allow(
    clippy::unnecessary_wraps,
    clippy::large_stack_arrays,
    clippy::needless_pass_by_value
)] // test data
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn start_of(status: Value, events: Value) -> Start {
        let pod = serde_json::from_value(json!({"status": status})).expect("a pod");
        let events: Vec<Event> = serde_json::from_value(events).expect("events");
        start(&pod, "relay", "busybox", &events)
    }

    fn container(state: Value) -> Value {
        json!({"containerStatuses": [{
            "name": "relay", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }]})
    }

    fn failure(start: Start) -> String {
        match start {
            Start::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_container_that_runs() {
        assert_eq!(
            start_of(container(json!({"running": {}})), json!([])),
            Start::Running
        );
    }

    #[test]
    fn a_container_that_may_yet_run() {
        for status in [
            json!({}),
            json!({"phase": "Pending"}),
            container(json!({"waiting": {"reason": "ContainerCreating"}})),
            container(json!({"waiting": {"reason": "PodInitializing"}})),
        ] {
            assert!(matches!(start_of(status, json!([])), Start::Waiting(_)));
        }
    }

    #[test]
    fn a_pod_that_no_node_takes() {
        let status = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"},
        ]});
        assert_eq!(
            start_of(status, json!([])),
            Start::Waiting("it is not scheduled: Unschedulable: 0/3 nodes".to_owned())
        );
    }

    #[test]
    fn an_image_that_cannot_be_pulled() {
        let why = failure(start_of(
            container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}})),
            json!([]),
        ));
        assert!(why.contains("--image"), "{why}");
    }

    #[test]
    fn an_image_without_sleep() {
        let state = json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: \"sleep\": not found"}});
        let why = failure(start_of(container(state), json!([])));
        assert!(why.contains("cannot run `sleep`"), "{why}");
    }

    #[test]
    fn an_event_says_it_before_the_status() {
        let event = |path: &str| {
            json!([{
                "metadata": {}, "reason": "Failed", "message": "Error: container has runAsNonRoot and image will run as root",
                "involvedObject": {"fieldPath": path},
            }])
        };
        let status = || container(json!({"waiting": {"reason": "PodInitializing"}}));
        let why = failure(start_of(status(), event("spec.ephemeralContainers{relay}")));
        assert!(why.contains("may not run as root"), "{why}");
        let other = start_of(status(), event("spec.ephemeralContainers{other}"));
        assert!(matches!(other, Start::Waiting(_)), "{other:?}");
    }

    #[test]
    fn a_pod_that_the_node_refused() {
        let status = json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource"});
        let why = failure(start_of(status, json!([])));
        assert!(why.contains("OutOfcpu"), "{why}");
    }
}
