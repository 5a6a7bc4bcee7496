//! The one node: starts what pods say, as far as it is known here. Containers of nginx's
//! unprivileged image are run as [`super::super::secure_app`]; all others are only said to run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use openssl::sha::Sha256;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::write::{Transition, condition, event, set_status};
use super::{Network, World};
use crate::sandbox::kinds;
use crate::sandbox::metadata::{meta, place, timestamp};
use crate::sandbox::secure_app::Nginx;
use crate::sandbox::secure_app::config::Files;
use crate::sandbox::store::Object;

/// The last number of the first pod's address.
const FIRST_ADDRESS: u8 = 10;
/// Where a pod says on which port it really serves, where ports are not its own to choose.
const PORT_ANNOTATION: &str = "ngf-tui.dev/served-port";

/// A pod that was started.
#[derive(Debug)]
pub(crate) struct Running {
    namespace: String,
    name: String,
    address: Option<u8>,
    stop: CancellationToken,
    /// What was mounted when it would not start; something else is worth another try.
    crashed_with: Option<[u8; 32]>,
}

/// Starts new pods, ends those that are gone.
pub(super) fn run(world: &World, running: &mut HashMap<String, Running>) {
    let (pods, _) = world.store.list(kinds::POD, None);
    let present: HashSet<&str> = pods.iter().map(|pod| meta(pod, "uid")).collect();
    running.retain(|uid, pod| {
        let keep = present.contains(uid.as_str());
        if !keep {
            pod.stop.cancel();
            world.logs.remove_pod(&pod.namespace, &pod.name);
        }
        keep
    });
    for pod in &pods {
        let uid = meta(pod, "uid");
        if let Some(before) = running.get(uid)
            && before
                .crashed_with
                .is_none_or(|files| Some(files) == digest(world, pod))
        {
            continue;
        }
        if let Some(started) = start(world, pod, running) {
            running.insert(uid.to_owned(), started);
        }
    }
}

/// The port at which the pod's server for this container port is reached.
pub(super) fn served_port(pod: &Value, port: u64) -> u64 {
    let annotations = pod.pointer("/metadata/annotations");
    annotations
        .and_then(|a| a.get(PORT_ANNOTATION))
        .and_then(Value::as_str)
        .and_then(|text| text.split_once('='))
        .filter(|(container, _)| container.parse() == Ok(port))
        .and_then(|(_, served)| served.parse().ok())
        .unwrap_or(port)
}

/// `None` while the pod waits for something.
fn start(world: &World, pod: &Object, running: &HashMap<String, Running>) -> Option<Running> {
    let (namespace, name) = (meta(pod, "namespace"), meta(pod, "name"));
    let server = server_container(pod);
    let mut started = Running {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        address: None,
        stop: world.stop.child_token(),
        crashed_with: None,
    };
    let Some(server) = server else {
        started.address = Some(free_address(running)?);
        report(world, pod, &started, &Outcome::Runs);
        return Some(started);
    };
    let files = match mounted(world, pod, server) {
        Ok(files) => files,
        Err(missing) => {
            waiting(world, pod, &missing);
            return None;
        }
    };
    let container = server["name"].as_str().unwrap_or_default();
    let log = world.logs.open(namespace, name, container);
    let outcome = match Nginx::load(&files, &log) {
        Ok(nginx) => serve(world, pod, &nginx, &mut started, running),
        Err(message) => Outcome::Crashes(message),
    };
    if matches!(outcome, Outcome::Crashes(_)) {
        started.crashed_with = Some(digest_of(&files));
    }
    report(world, pod, &started, &outcome);
    Some(started)
}

/// The container that is played: nginx's unprivileged image.
fn server_container(pod: &Value) -> Option<&Value> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array)?;
    let known = |image: &str| image.contains("nginx-unprivileged");
    containers
        .iter()
        .find(|container| container["image"].as_str().is_some_and(known))
}

fn digest(world: &World, pod: &Value) -> Option<[u8; 32]> {
    let files = mounted(world, pod, server_container(pod)?).ok()?;
    Some(digest_of(&files))
}

fn digest_of(files: &Files) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        hasher.update(path.as_bytes());
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    }
    hasher.finish()
}

enum Outcome {
    Runs,
    Crashes(String),
}

/// Addresses are given out in turn: one that was just freed is not at once somebody else's.
fn free_address(running: &HashMap<String, Running>) -> Option<u8> {
    let taken: HashSet<u8> = running.values().filter_map(|r| r.address).collect();
    (FIRST_ADDRESS..=254).find(|number| !taken.contains(number))
}

fn serve(
    world: &World,
    pod: &Object,
    nginx: &std::sync::Arc<Nginx>,
    started: &mut Running,
    running: &HashMap<String, Running>,
) -> Outcome {
    let taken: HashSet<u8> = running.values().filter_map(|r| r.address).collect();
    let mut last = String::from("no address is left");
    for number in (FIRST_ADDRESS..=254).filter(|n| !taken.contains(n)) {
        let port = if world.network == Network::Shared {
            0
        } else {
            nginx.port()
        };
        let address = SocketAddr::from((world.network.address(number), port));
        match std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        }) {
            Ok((local, listener)) => {
                started.address = Some(number);
                let _guard = world.runtime.enter();
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    continue;
                };
                world
                    .runtime
                    .spawn(nginx.clone().serve(listener, started.stop.clone()));
                if local.port() != nginx.port() {
                    annotate(world, pod, nginx.port(), local.port());
                }
                return Outcome::Runs;
            }
            Err(error) => last = format!("bind() to {address} failed ({error})"),
        }
    }
    Outcome::Crashes(last)
}

/// Says in the pod, where clients look, that another port is served than the container names.
fn annotate(world: &World, pod: &Object, container: u16, served: u16) {
    let key = crate::sandbox::store::Key::of(pod);
    let part = crate::sandbox::store::Part::Main;
    let _: Result<_, crate::sandbox::store::StoreError> =
        world.store.modify(kinds::POD, &key, part, true, |stored| {
            let mut object = stored.clone();
            *place(&mut object, &["metadata", "annotations", PORT_ANNOTATION]) =
                json!(format!("{container}={served}"));
            let containers = object["spec"]["containers"].as_array_mut();
            for port in containers
                .into_iter()
                .flatten()
                .filter_map(|c| c["ports"].as_array_mut())
                .flatten()
            {
                if port["containerPort"] == container {
                    port["containerPort"] = json!(served);
                }
            }
            Ok(object)
        });
}

/// The files that a container's volumes hold when it starts; an error says what is missing.
fn mounted(world: &World, pod: &Value, container: &Value) -> Result<Files, String> {
    let namespace = meta(pod, "namespace");
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let volumes: BTreeMap<&str, &Value> = volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| Some((volume["name"].as_str()?, volume)))
        .collect();
    let mut files = Files::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let name = mount["name"].as_str().unwrap_or_default();
        let Some(volume) = volumes.get(name) else {
            continue;
        };
        let path = mount["mountPath"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('/');
        let (kind, source) = if let Some(source) = volume["secret"]["secretName"].as_str() {
            (kinds::SECRET, source)
        } else if let Some(source) = volume["configMap"]["name"].as_str() {
            (kinds::CONFIG_MAP, source)
        } else {
            continue;
        };
        let object = world.store.get(kind, namespace, source).ok_or_else(|| {
            let kind = kind.singular;
            format!(
                "MountVolume.SetUp failed for volume \"{name}\" : {kind} \"{source}\" not found"
            )
        })?;
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let bytes = if kind.kind == "Secret" {
                STANDARD.decode(text).unwrap_or_default()
            } else {
                text.as_bytes().to_vec()
            };
            files.insert(format!("{path}/{key}"), Zeroizing::new(bytes));
        }
    }
    Ok(files)
}

fn waiting(world: &World, pod: &Object, why: &str) {
    let (store, from) = (&world.store, "kubelet");
    if pod.pointer("/status/phase").is_none() {
        event(store, pod, "Warning", "FailedMount", why, from);
    }
    let state = json!({"waiting": {"reason": "ContainerCreating"}});
    let status = json!({
        "phase": "Pending",
        "conditions": [
            condition("Initialized", true, "", ""),
            condition("Ready", false, "ContainersNotReady", "containers are not ready"),
            condition("PodScheduled", true, "", ""),
        ],
        "hostIP": host(world),
        "qosClass": "BestEffort",
        "containerStatuses": container_statuses(pod, "containers", &state, false, 0),
    });
    set_status(store, kinds::POD, pod, status, Transition::EachItsOwn);
}

fn host(world: &World) -> String {
    world.network.address(1).to_string()
}

fn container_statuses(pod: &Value, list: &str, state: &Value, ready: bool, restarts: u32) -> Value {
    let containers = pod["spec"][list].as_array();
    containers
        .into_iter()
        .flatten()
        .map(|container| {
            let image = container["image"].as_str().unwrap_or_default();
            json!({
                "name": container["name"],
                "image": image,
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": restarts,
                "lastState": {},
                "state": state,
            })
        })
        .collect()
}

/// The status of a pod that was started, and its Events.
fn report(world: &World, pod: &Object, started: &Running, outcome: &Outcome) {
    let (store, from) = (&world.store, "kubelet");
    // Starting may have changed the pod.
    let Some(pod) = store.get(kinds::POD, meta(pod, "namespace"), meta(pod, "name")) else {
        return;
    };
    let now = timestamp(Timestamp::now());
    let (state, ready) = match outcome {
        Outcome::Runs => (json!({"running": {"startedAt": now}}), true),
        Outcome::Crashes(message) => (
            json!({"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!("back-off restarting failed container: nginx: [emerg] {message}"),
            }}),
            false,
        ),
    };
    let done = json!({"terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
    }});
    let why = if ready {
        ("", "")
    } else {
        ("ContainersNotReady", "containers are not ready")
    };
    let ip = started
        .address
        .map(|number| world.network.address(number).to_string());
    let mut status = json!({
        "phase": "Running",
        "conditions": [
            condition("PodReadyToStartContainers", true, "", ""),
            condition("Initialized", true, "", ""),
            condition("Ready", ready, why.0, why.1),
            condition("ContainersReady", ready, why.0, why.1),
            condition("PodScheduled", true, "", ""),
        ],
        "hostIP": host(world),
        "hostIPs": [{"ip": host(world)}],
        "startTime": now,
        "qosClass": "BestEffort",
        "containerStatuses":
            container_statuses(&pod, "containers", &state, ready, u32::from(!ready)),
    });
    if let Some(ip) = ip {
        status["podIP"] = json!(ip);
        status["podIPs"] = json!([{"ip": ip}]);
    }
    if pod["spec"]["initContainers"].is_array() {
        status["initContainerStatuses"] =
            container_statuses(&pod, "initContainers", &done, true, 0);
    }
    set_status(store, kinds::POD, &pod, status, Transition::EachItsOwn);
    let name = format!("{}/{}", meta(&pod, "namespace"), meta(&pod, "name"));
    event(
        store,
        &pod,
        "Normal",
        "Scheduled",
        &format!("Successfully assigned {name} to ngf-demo"),
        "default-scheduler",
    );
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        let container = container["name"].as_str().unwrap_or_default();
        let verb = |verb: &str| format!("{verb} container: {container}");
        event(store, &pod, "Normal", "Created", &verb("Created"), from);
        event(store, &pod, "Normal", "Started", &verb("Started"), from);
    }
    if !ready {
        event(
            store,
            &pod,
            "Warning",
            "BackOff",
            "Back-off restarting failed container",
            from,
        );
    }
}
