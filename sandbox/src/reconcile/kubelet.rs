//! The one node: starts what pods say, as far as it is known here. Containers of nginx's unprivileged
//! image are run as [`super::super::secure_app`], those whose work is a command by
//! [`super::super::pods`]; all others are only said to run.

mod status;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use openssl::sha::Sha256;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Controllers;
use crate::addresses::Network;
use crate::kinds;
use crate::metadata::{meta, place};
use crate::nginx::config::Files;
use crate::pods::{Image, Live, Served, words};
use crate::secure_app::Nginx;
use crate::store::Object;

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
    /// What it serves on loopback.
    serves: Vec<Served>,
    /// What was mounted when it would not start; something else is worth another try.
    crashed_with: Option<[u8; 32]>,
    /// Why it would not start: nginx's line.
    crash: Option<String>,
}

/// Starts new pods, ends those that are gone, and writes what becomes of the others.
pub(super) fn run(controllers: &Controllers, running: &mut HashMap<String, Running>) {
    let (pods, _) = controllers.store.list(kinds::POD, None);
    let present: HashSet<&str> = pods.iter().map(|pod| meta(pod, "uid")).collect();
    running.retain(|uid, pod| {
        let keep = present.contains(uid.as_str());
        if !keep {
            pod.stop.cancel();
            controllers.pods.ended(uid);
            controllers.logs.remove_pod(&pod.namespace, &pod.name);
        }
        keep
    });
    for pod in &pods {
        let uid = meta(pod, "uid");
        if let Some(before) = running.get(uid)
            && before
                .crashed_with
                .is_none_or(|files| Some(files) == digest(controllers, pod))
        {
            advance(controllers, pod, before);
            continue;
        }
        let scheduled = bind(controllers, pod);
        let pod = scheduled.as_ref().unwrap_or(pod);
        if let Some(started) = start(controllers, pod, running) {
            let (stop, serves) = (started.stop.clone(), started.serves.clone());
            controllers.pods.started(pod, started.address, stop, serves);
            deadline(controllers, pod);
            // Starting may have changed the pod.
            if let Some(pod) = controllers
                .store
                .get(kinds::POD, &started.namespace, &started.name)
            {
                status::first_events(controllers, &pod, started.crash.is_some());
                advance(controllers, &pod, &started);
            }
            running.insert(uid.to_owned(), started);
        }
    }
}

/// The scheduler's part: a pod that names no node gets the only one.
fn bind(controllers: &Controllers, pod: &Object) -> Option<Object> {
    if pod["spec"]["nodeName"].is_string() {
        return None;
    }
    let key = crate::store::Key::of(pod);
    let part = crate::store::Part::Main;
    let bound: Result<_, crate::store::StoreError> =
        controllers
            .store
            .modify(kinds::POD, &key, part, true, |stored| {
                let mut object = stored.clone();
                *place(&mut object, &["spec", "nodeName"]) = json!("ngf-demo");
                Ok(object)
            });
    bound.ok()
}

/// Starts the containers whose work is a command, those that were added since too, and writes the
/// status.
fn advance(controllers: &Controllers, pod: &Object, started: &Running) {
    let Some(live) = controllers.pods.of(pod) else {
        return;
    };
    if started.crash.is_none() && !live.stop.is_cancelled() {
        for list in ["containers", "ephemeralContainers"] {
            for container in pod["spec"][list].as_array().into_iter().flatten() {
                let image = container["image"].as_str().unwrap_or_default();
                if Image::cannot_be_pulled(image).is_some() {
                    continue;
                }
                let name = container["name"].as_str().unwrap_or_default();
                let known = live.mains().contains_key(name);
                if let Some(words) = words(container).filter(|_| !known) {
                    controllers
                        .pods
                        .start_main(&live, pod, container, words, &controllers.runtime);
                }
            }
        }
    }
    status::report(controllers, pod, &live, started.crash.as_deref());
}

/// Ends a pod that has lived as long as it may.
fn deadline(controllers: &Controllers, pod: &Object) {
    let Some(seconds) = pod["spec"]["activeDeadlineSeconds"].as_u64() else {
        return;
    };
    let Some(live) = controllers.pods.of(pod) else {
        return;
    };
    let pods = controllers.pods.clone();
    controllers.runtime.spawn(async move {
        let sleep = tokio::time::sleep(std::time::Duration::from_secs(seconds));
        tokio::select! {
            () = live.stop.cancelled() => return,
            () = sleep => {}
        }
        live.pass_deadline();
        pods.wake();
    });
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
fn start(
    controllers: &Controllers,
    pod: &Object,
    running: &HashMap<String, Running>,
) -> Option<Running> {
    let (namespace, name) = (meta(pod, "namespace"), meta(pod, "name"));
    let mut started = Running {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        address: None,
        stop: controllers.stop.child_token(),
        serves: Vec::new(),
        crashed_with: None,
        crash: None,
    };
    let Some(server) = server_container(pod) else {
        started.address = Some(free_address(running)?);
        return Some(started);
    };
    let files = match controllers.pods.mounted(pod, server) {
        Ok(files) => files,
        Err(missing) => {
            status::waiting(controllers, pod, &missing);
            return None;
        }
    };
    let container = server["name"].as_str().unwrap_or_default();
    let log = controllers.logs.open(namespace, name, container);
    let result = match Nginx::load(&files, &log) {
        Ok(nginx) => serve(controllers, pod, &nginx, &mut started, running),
        Err(message) => Err(message),
    };
    if let Err(message) = result {
        started.crashed_with = Some(digest_of(&files));
        started.crash = Some(message);
    }
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

fn digest(controllers: &Controllers, pod: &Value) -> Option<[u8; 32]> {
    let files = controllers.pods.mounted(pod, server_container(pod)?).ok()?;
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

/// Addresses are given out in turn: one that was just freed is not at once somebody else's.
fn free_address(running: &HashMap<String, Running>) -> Option<u8> {
    let taken: HashSet<u8> = running.values().filter_map(|r| r.address).collect();
    (FIRST_ADDRESS..=254).find(|number| !taken.contains(number))
}

fn serve(
    controllers: &Controllers,
    pod: &Object,
    nginx: &std::sync::Arc<Nginx>,
    started: &mut Running,
    running: &HashMap<String, Running>,
) -> Result<(), String> {
    let taken: HashSet<u8> = running.values().filter_map(|r| r.address).collect();
    let mut last = String::from("no address is left");
    for number in (FIRST_ADDRESS..=254).filter(|n| !taken.contains(n)) {
        let port = if controllers.network == Network::Shared {
            0
        } else {
            nginx.port()
        };
        let address = SocketAddr::from((controllers.network.address(number), port));
        match std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        }) {
            Ok((local, listener)) => {
                started.address = Some(number);
                let _guard = controllers.runtime.enter();
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    continue;
                };
                controllers
                    .runtime
                    .spawn(nginx.clone().serve(listener, started.stop.clone()));
                started.serves.push(Served {
                    port: nginx.port(),
                    at: local,
                });
                if local.port() != nginx.port() {
                    annotate(controllers, pod, nginx.port(), local.port());
                }
                return Ok(());
            }
            Err(error) => last = format!("bind() to {address} failed ({error})"),
        }
    }
    Err(last)
}

/// Says in the pod, where clients look, that another port is served than the container names.
fn annotate(controllers: &Controllers, pod: &Object, container: u16, served: u16) {
    let key = crate::store::Key::of(pod);
    let part = crate::store::Part::Main;
    let _: Result<_, crate::store::StoreError> =
        controllers
            .store
            .modify(kinds::POD, &key, part, true, |stored| {
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

impl Live {
    /// Ends what runs in it: it has lived as long as it may.
    fn pass_deadline(&self) {
        self.expire();
        self.stop.cancel();
    }
}
