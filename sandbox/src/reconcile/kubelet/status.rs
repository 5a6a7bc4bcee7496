//! What a kubelet writes about a pod: the state of each container, conditions, phase, and Events.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Controllers;
use super::super::write::{Transition, condition, event, event_about, set_status};
use crate::kinds;
use crate::metadata::{meta, timestamp};
use crate::pods::{Ended, Image, Live};
use crate::store::Object;

const KUBELET: &str = "kubelet";

/// The state of a container, and whether it is ready.
struct State {
    value: Value,
    ready: bool,
    restarts: u32,
    /// Its exit status, where it has ended and stays so.
    ended: Option<i32>,
}

impl State {
    fn new(value: Value, ready: bool) -> Self {
        Self {
            value,
            ready,
            restarts: 0,
            ended: None,
        }
    }
}

/// A pod that waits for a volume.
pub(super) fn waiting(controllers: &Controllers, pod: &Object, why: &str) {
    let store = &controllers.store;
    if pod.pointer("/status/phase").is_none() {
        event(store, pod, "Warning", "FailedMount", why, KUBELET);
    }
    let state = State::new(json!({"waiting": {"reason": "ContainerCreating"}}), false);
    let containers = pod["spec"]["containers"].as_array();
    let statuses: Vec<_> = containers
        .into_iter()
        .flatten()
        .map(|container| container_status(container, &state))
        .collect();
    let status = json!({
        "phase": "Pending",
        "conditions": [
            condition("Initialized", true, "", ""),
            condition("Ready", false, "ContainersNotReady", "containers are not ready"),
            condition("PodScheduled", true, "", ""),
        ],
        "hostIP": host(controllers),
        "qosClass": "BestEffort",
        "containerStatuses": statuses,
    });
    set_status(store, kinds::POD, pod, status, Transition::EachItsOwn);
}

fn host(controllers: &Controllers) -> String {
    controllers.network.address(1).to_string()
}

fn container_status(container: &Value, state: &State) -> Value {
    json!({
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": state.ready,
        "started": state.ready,
        "restartCount": state.restarts,
        "lastState": {},
        "state": state.value,
    })
}

/// What a container does.
fn state(pod: &Value, live: &Live, container: &Value, crash: Option<&str>) -> State {
    let name = container["name"].as_str().unwrap_or_default();
    let image = container["image"].as_str().unwrap_or_default();
    if let Some(why) = Image::cannot_be_pulled(image) {
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {why}");
        let waits = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
        return State::new(waits, false);
    }
    let main = live.mains().get(name).cloned();
    let started = timestamp(main.as_ref().map_or_else(
        || started_at(pod, name).unwrap_or_else(Timestamp::now),
        |main| main.started,
    ));
    if let Some(message) = crash {
        let waits = json!({"waiting": {
            "reason": "CrashLoopBackOff",
            "message": format!("back-off restarting failed container: nginx: [emerg] {message}"),
        }});
        return State {
            restarts: 1,
            ..State::new(waits, false)
        };
    }
    let ended = match &main {
        Some(main) => main.ended(),
        None => live.expired().map(Ended::killed),
    };
    let Some(ended) = ended else {
        return State::new(json!({"running": {"startedAt": started}}), true);
    };
    let policy = pod["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    let stays = policy == "Never"
        || policy == "OnFailure" && ended.code == 0
        || live.expired().is_some()
        || is_ephemeral(pod, name);
    let terminated = json!({"terminated": {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": started,
        "finishedAt": timestamp(ended.at),
    }});
    if stays {
        return State {
            ended: Some(ended.code),
            ..State::new(terminated, false)
        };
    }
    let message = format!("back-off 10s restarting failed container={name}");
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
    State {
        restarts: 1,
        ..State::new(waits, false)
    }
}

fn is_ephemeral(pod: &Value, name: &str) -> bool {
    let list = pod["spec"]["ephemeralContainers"].as_array();
    list.is_some_and(|all| all.iter().any(|container| container["name"] == name))
}

/// Since when a container runs, by what was written before.
fn started_at(pod: &Value, name: &str) -> Option<Timestamp> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    let status = statuses.iter().find(|status| status["name"] == name)?;
    let text = status["state"]["running"]["startedAt"].as_str()?;
    text.parse().ok()
}

/// The status of a pod that was started.
pub(super) fn report(controllers: &Controllers, pod: &Object, live: &Live, crash: Option<&str>) {
    let list = |field: &str| {
        let list = pod["spec"][field].as_array();
        list.map_or(&[][..], Vec::as_slice)
    };
    let reported: Vec<State> = list("containers")
        .iter()
        .map(|container| state(pod, live, container, crash))
        .collect();
    let ready = !reported.is_empty() && reported.iter().all(|state| state.ready);
    let ended: Option<Vec<i32>> = reported.iter().map(|state| state.ended).collect();
    let pending = reported
        .iter()
        .all(|state| !state.value["waiting"].is_null())
        && crash.is_none()
        && reported.iter().all(|state| state.restarts == 0);
    let phase = match &ended {
        Some(codes) if codes.iter().all(|code| *code == 0) && live.expired().is_none() => {
            "Succeeded"
        }
        Some(_) => "Failed",
        None if pending => "Pending",
        None => "Running",
    };
    let conditions = conditions(pod, ready, phase, &gates(pod));
    let now = timestamp(Timestamp::now());
    let start = pod["status"]["startTime"].as_str().unwrap_or(&now);
    let statuses: Vec<_> = list("containers")
        .iter()
        .zip(&reported)
        .map(|(container, state)| container_status(container, state))
        .collect();
    let mut status = json!({
        "phase": phase,
        "conditions": conditions,
        "hostIP": host(controllers),
        "hostIPs": [{"ip": host(controllers)}],
        "startTime": start,
        "qosClass": "BestEffort",
        "containerStatuses": statuses,
    });
    if live.expired().is_some() {
        status["reason"] = json!("DeadlineExceeded");
        status["message"] = json!("Pod was active on the node longer than the specified deadline");
    }
    if let Some(ip) = live.address {
        status["podIP"] = json!(ip.to_string());
        status["podIPs"] = json!([{"ip": ip.to_string()}]);
    }
    if !list("initContainers").is_empty() {
        let done = State::new(
            json!({"terminated": {
                "exitCode": 0, "reason": "Completed", "startedAt": start, "finishedAt": start,
            }}),
            true,
        );
        let statuses = list("initContainers").iter();
        status["initContainerStatuses"] = statuses
            .map(|container| container_status(container, &done))
            .collect();
    }
    if !list("ephemeralContainers").is_empty() {
        let statuses = list("ephemeralContainers").iter().map(|container| {
            let mut state = state(pod, live, container, None);
            // Kubernetes has no readiness for them.
            state.ready = false;
            container_status(container, &state)
        });
        status["ephemeralContainerStatuses"] = statuses.collect();
        ephemeral_events(controllers, pod);
    }
    set_status(
        &controllers.store,
        kinds::POD,
        pod,
        status,
        Transition::EachItsOwn,
    );
}

/// The conditions of a pod's readiness gates that are not met.
fn gates(pod: &Value) -> Vec<String> {
    let conditions = pod["status"]["conditions"].as_array();
    let met = |wanted: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|c| c["type"] == wanted && c["status"] == "True")
    };
    let gates = pod["spec"]["readinessGates"].as_array();
    gates
        .into_iter()
        .flatten()
        .filter_map(|gate| gate["conditionType"].as_str())
        .filter(|gate| !met(gate))
        .map(str::to_owned)
        .collect()
}

fn conditions(pod: &Value, ready: bool, phase: &str, unmet: &[String]) -> Vec<Value> {
    let done = matches!(phase, "Succeeded" | "Failed");
    let why = match (ready, phase) {
        (true, _) => ("", String::new()),
        (false, "Succeeded") => ("PodCompleted", String::new()),
        (false, "Failed") => ("PodFailed", String::new()),
        (false, _) => ("ContainersNotReady", "containers are not ready".to_owned()),
    };
    let of_gates = match unmet {
        [gate, ..] if ready => (
            "ReadinessGatesNotReady",
            format!("corresponding condition of pod readiness gate \"{gate}\" does not exist."),
        ),
        _ => why.clone(),
    };
    let mut all = vec![
        condition("PodReadyToStartContainers", !done, "", ""),
        condition("Initialized", true, "", ""),
        condition("Ready", ready && unmet.is_empty(), of_gates.0, &of_gates.1),
        condition("ContainersReady", ready, why.0, &why.1),
        condition("PodScheduled", true, "", ""),
    ];
    // What others have written stays.
    let old = pod["status"]["conditions"].as_array();
    for condition in old.into_iter().flatten() {
        if !all.iter().any(|known| known["type"] == condition["type"]) {
            let mut condition = condition.clone();
            if let Some(fields) = condition.as_object_mut() {
                fields.shift_remove("lastTransitionTime");
                fields.shift_remove("observedGeneration");
            }
            all.push(condition);
        }
    }
    all
}

/// The Events of a pod that was started.
pub(super) fn first_events(controllers: &Controllers, pod: &Object, crashed: bool) {
    let store = &controllers.store;
    let name = format!("{}/{}", meta(pod, "namespace"), meta(pod, "name"));
    event(
        store,
        pod,
        "Normal",
        "Scheduled",
        &format!("Successfully assigned {name} to ngf-demo"),
        "default-scheduler",
    );
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        container_events(controllers, pod, "containers", container);
    }
    if crashed {
        let text = "Back-off restarting failed container";
        event(store, pod, "Warning", "BackOff", text, KUBELET);
    }
}

/// The Events of ephemeral containers that are new.
fn ephemeral_events(controllers: &Controllers, pod: &Object) {
    let reported = pod["status"]["ephemeralContainerStatuses"].as_array();
    let containers = pod["spec"]["ephemeralContainers"].as_array();
    for container in containers.into_iter().flatten() {
        let known = reported
            .into_iter()
            .flatten()
            .any(|status| status["name"] == container["name"]);
        if !known {
            container_events(controllers, pod, "ephemeralContainers", container);
        }
    }
}

fn container_events(controllers: &Controllers, pod: &Object, list: &str, container: &Value) {
    let name = container["name"].as_str().unwrap_or_default();
    let image = container["image"].as_str().unwrap_or_default();
    let path = format!("spec.{list}{{{name}}}");
    let say = |kind: &str, reason: &str, message: &str| {
        event_about(
            &controllers.store,
            pod,
            &path,
            (kind, reason, message),
            KUBELET,
        );
    };
    if let Some(why) = Image::cannot_be_pulled(image) {
        say("Normal", "Pulling", &format!("Pulling image \"{image}\""));
        say(
            "Warning",
            "Failed",
            &format!("Failed to pull image \"{image}\": {why}"),
        );
        say("Warning", "Failed", "Error: ErrImagePull");
        return;
    }
    say("Normal", "Created", &format!("Created container: {name}"));
    say("Normal", "Started", &format!("Started container: {name}"));
}
