//! Deployments make ReplicaSets, ReplicaSets make Pods, and what has lost its owner is collected.

use jiff::Timestamp;
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};

use super::Controllers;
use super::write::{Transition, condition, event, own, owned_by, set_status};
use crate::admission;
use crate::kinds::{self, KINDS};
use crate::metadata::{meta, name_suffix, place, timestamp};
use crate::store::{Key, Object, Part, Preconditions, StoreError};

/// Pods that one workload may have here, whatever it asks for.
const MAX_REPLICAS: usize = 50;

/// Looks at every workload.
pub(super) fn run(controllers: &Controllers) {
    collect(controllers);
    for deployment in controllers.store.list(kinds::DEPLOYMENT, None).0 {
        roll(controllers, &deployment);
    }
    for set in controllers.store.list(kinds::REPLICA_SET, None).0 {
        scale(controllers, &set);
    }
    for set in controllers.store.list(kinds::DAEMON_SET, None).0 {
        daemon(controllers, &set);
    }
    for deployment in controllers.store.list(kinds::DEPLOYMENT, None).0 {
        deployment_status(controllers, &deployment);
    }
}

/// Garbage collection: deletes what is owned by objects that are gone.
fn collect(controllers: &Controllers) {
    for kind in KINDS {
        for object in controllers.store.list(kind, None).0 {
            let references = object
                .pointer("/metadata/ownerReferences")
                .and_then(Value::as_array);
            let Some(references) = references.filter(|r| !r.is_empty()) else {
                continue;
            };
            let orphan = references.iter().all(|reference| {
                let text = |field: &str| reference[field].as_str().unwrap_or_default();
                kinds::of_type(text("apiVersion"), text("kind")).is_none_or(|owner| {
                    let namespace = if owner.namespaced {
                        meta(&object, "namespace")
                    } else {
                        ""
                    };
                    controllers
                        .store
                        .get(owner, namespace, text("name"))
                        .is_none_or(|o| meta(&o, "uid") != text("uid"))
                })
            });
            if orphan {
                let key = Key::of(&object);
                let _ = controllers
                    .store
                    .delete(kind, &key, &Preconditions::default(), true);
            }
        }
    }
    // What lives in a namespace goes with it.
    let (namespaces, _) = controllers.store.list(kinds::NAMESPACE, None);
    for kind in KINDS.iter().filter(|k| k.namespaced) {
        for object in controllers.store.list(kind, None).0 {
            if !namespaces
                .iter()
                .any(|n| meta(n, "name") == meta(&object, "namespace"))
            {
                let key = Key::of(&object);
                let _ = controllers
                    .store
                    .delete(kind, &key, &Preconditions::default(), true);
            }
        }
    }
}

/// The letters by which a Deployment's ReplicaSet is named after its template.
fn template_hash(template: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = hash(MessageDigest::sha256(), template.to_string().as_bytes());
    let digest = digest.map_or_else(|_| vec![0; 10], |d| d.to_vec());
    digest
        .iter()
        .take(10)
        .map(|b| LETTERS[usize::from(*b) % LETTERS.len()] as char)
        .collect()
}

fn owned<'a>(all: &'a [Object], owner: &'a Object) -> impl Iterator<Item = &'a Object> {
    all.iter().filter(move |object| owned_by(object, owner))
}

/// One ReplicaSet for the template as it is; older ones go down to zero.
fn roll(controllers: &Controllers, deployment: &Object) {
    let template = &deployment["spec"]["template"];
    let hash = template_hash(template);
    let name = format!("{}-{hash}", meta(deployment, "name"));
    let namespace = meta(deployment, "namespace");
    let replicas = deployment["spec"]["replicas"].clone();
    let (sets, _) = controllers.store.list(kinds::REPLICA_SET, Some(namespace));
    let mut known = false;
    for set in owned(&sets, deployment) {
        let current = meta(set, "name") == name;
        known |= current;
        let wanted = if current { replicas.clone() } else { json!(0) };
        if set["spec"]["replicas"] != wanted {
            let _: Result<_, StoreError> = controllers.store.modify(
                kinds::REPLICA_SET,
                &Key::of(set),
                Part::Main,
                true,
                |stored| {
                    let mut object = stored.clone();
                    *place(&mut object, &["spec", "replicas"]) = wanted;
                    Ok(object)
                },
            );
        }
    }
    if known {
        return;
    }
    let mut template = template.clone();
    *place(&mut template, &["metadata", "labels", "pod-template-hash"]) = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    *place(&mut selector, &["matchLabels", "pod-template-hash"]) = json!(hash);
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
            "annotations": {"deployment.kubernetes.io/revision": (owned(&sets, deployment).count() + 1).to_string()},
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    own(&mut set, deployment);
    if controllers
        .store
        .create(kinds::REPLICA_SET, set, true)
        .is_ok()
    {
        let message = format!("Scaled up replica set {name} from 0 to {replicas}");
        event(
            &controllers.store,
            deployment,
            "Normal",
            "ScalingReplicaSet",
            &message,
            "deployment-controller",
        );
    }
}

/// As many Pods as the ReplicaSet asks for.
fn scale(controllers: &Controllers, set: &Object) {
    let (pods, _) = controllers
        .store
        .list(kinds::POD, Some(meta(set, "namespace")));
    let mine: Vec<_> = owned(&pods, set).collect();
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(0) as usize;
    for pod in mine.iter().skip(wanted) {
        let key = Key::of(pod);
        let _ = controllers
            .store
            .delete(kinds::POD, &key, &Preconditions::default(), true);
    }
    for _ in mine.len()..wanted.min(MAX_REPLICAS) {
        create_pod(controllers, set, "replicaset-controller");
    }
    let ready = mine.iter().filter(|pod| is_ready(pod)).count();
    let status = json!({
        "replicas": mine.len(),
        "fullyLabeledReplicas": mine.len(),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "observedGeneration": set["metadata"]["generation"],
    });
    set_status(
        &controllers.store,
        kinds::REPLICA_SET,
        set,
        status,
        Transition::EachItsOwn,
    );
}

/// One Pod: there is one node.
fn daemon(controllers: &Controllers, set: &Object) {
    let (pods, _) = controllers
        .store
        .list(kinds::POD, Some(meta(set, "namespace")));
    let mine: Vec<_> = owned(&pods, set).collect();
    if mine.is_empty() {
        create_pod(controllers, set, "daemonset-controller");
    }
    let ready = mine.iter().filter(|pod| is_ready(pod)).count();
    let status = json!({
        "desiredNumberScheduled": 1,
        "currentNumberScheduled": mine.len(),
        "numberReady": ready,
        "numberAvailable": ready,
        "updatedNumberScheduled": mine.len(),
        "numberMisscheduled": 0,
        "observedGeneration": set["metadata"]["generation"],
    });
    set_status(
        &controllers.store,
        kinds::DAEMON_SET,
        set,
        status,
        Transition::EachItsOwn,
    );
}

fn create_pod(controllers: &Controllers, owner: &Object, from: &str) {
    let template = &owner["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"],
        "spec": template["spec"],
    });
    let name = format!("{}-{}", meta(owner, "name"), name_suffix(5));
    *place(&mut pod, &["metadata", "name"]) = json!(name);
    pod["metadata"]["generateName"] = json!(format!("{}-", meta(owner, "name")));
    pod["metadata"]["namespace"] = owner["metadata"]["namespace"].clone();
    *place(&mut pod, &["spec", "nodeName"]) = json!("ngf-demo");
    own(&mut pod, owner);
    let admitted = admission::admit(kinds::POD, &mut pod, None, &controllers.store);
    if admitted.is_ok() && controllers.store.create(kinds::POD, pod, true).is_ok() {
        let message = format!("Created pod: {name}");
        event(
            &controllers.store,
            owner,
            "Normal",
            "SuccessfulCreate",
            &message,
            from,
        );
    }
}

/// Whether a Pod's `Ready` condition is True.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn deployment_status(controllers: &Controllers, deployment: &Object) {
    let namespace = meta(deployment, "namespace");
    let hash = template_hash(&deployment["spec"]["template"]);
    let current = format!("{}-{hash}", meta(deployment, "name"));
    let (sets, _) = controllers.store.list(kinds::REPLICA_SET, Some(namespace));
    let count = |set: &Object, field: &str| set["status"][field].as_u64().unwrap_or(0);
    let mine: Vec<_> = owned(&sets, deployment).collect();
    let total: u64 = mine.iter().map(|s| count(s, "replicas")).sum();
    let ready: u64 = mine.iter().map(|s| count(s, "readyReplicas")).sum();
    let updated: u64 = mine
        .iter()
        .filter(|s| meta(s, "name") == current)
        .map(|s| count(s, "replicas"))
        .sum();
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(0);
    let available = ready >= wanted;
    let mut conditions = [
        if available {
            condition(
                "Available",
                true,
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            condition(
                "Available",
                false,
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        },
        if available {
            condition(
                "Progressing",
                true,
                "NewReplicaSetAvailable",
                &format!("ReplicaSet \"{current}\" has successfully progressed."),
            )
        } else {
            condition(
                "Progressing",
                true,
                "ReplicaSetUpdated",
                &format!("ReplicaSet \"{current}\" is progressing."),
            )
        },
    ];
    let old = deployment
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    for condition in &mut conditions {
        // What a Deployment's conditions have besides; kept as long as nothing else changes.
        let before = old
            .into_iter()
            .flatten()
            .find(|c| c["type"] == condition["type"] && c["status"] == condition["status"]);
        condition["lastUpdateTime"] = before.map_or_else(
            || json!(timestamp(Timestamp::now())),
            |c| c["lastUpdateTime"].clone(),
        );
    }
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "conditions": conditions,
    });
    if wanted > ready {
        status["unavailableReplicas"] = json!(wanted - ready);
    }
    set_status(
        &controllers.store,
        kinds::DEPLOYMENT,
        deployment,
        status,
        Transition::EachItsOwn,
    );
}
