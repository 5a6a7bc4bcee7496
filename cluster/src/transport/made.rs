//! What the tool would make in a cluster: a debug pod, or an ephemeral container. Only manifests;
//! nothing here is sent.

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    hash::BuildHasher,
    time::Duration,
};

use k8s_openapi::api::core::v1::{EphemeralContainer, Pod};
use serde_json::{Map, Value, json};

use super::heartbeat;
use ngf_core::data_plane::{CONTAINER, DataPlanePod, raw_field};
use ngf_core::model::{kinds::Gateway, object::Object, snapshot::Snapshot};

/// Label of what the tool made; `kubectl get pods -l app.kubernetes.io/managed-by=ngf-tui`.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "ngf-tui");
/// Label of every debug pod, whatever its other labels are.
pub(super) const DEBUG_POD: (&str, &str) = ("ngf-tui/debug-pod", "true");
/// Begins the name of what the tool makes.
pub(super) const PREFIX: &str = "ngf-tui-";
/// The container of a debug pod.
pub(super) const RELAY: &str = "relay";
/// The image where nobody names another.
pub const IMAGE: &str = "busybox";
/// A readiness gate that nothing meets: the pod is never ready, and so never an endpoint.
const NEVER_READY: &str = "ngf-tui/never-ready";
/// NGF's nginx runs as this user and group.
const NGINX: (i64, i64) = (101, 1001);
/// Labels that a workload's controller adds to its pods, and adopts by.
const CONTROLLERS_OWN: &[&str] = &[
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
];
/// Containers that a mesh adds; where the data plane has none, neither has the debug pod.
const SIDECARS: &[&str] = &["istio-proxy", "linkerd-proxy"];

/// How a debug pod or ephemeral container is to be.
#[derive(Debug, Clone)]
pub struct MakeOptions {
    /// Image that holds `sleep` and `nc`, or this tool's own.
    pub image: String,
    /// After which time it is deleted.
    pub lives: Duration,
    /// A debug pod with the data plane's labels, so that NetworkPolicies see the same pod.
    pub like_data_plane: bool,
}

impl Default for MakeOptions {
    fn default() -> Self {
        Self {
            image: IMAGE.to_owned(),
            lives: Duration::from_mins(5),
            like_data_plane: false,
        }
    }
}

/// A name that nothing else has: `ngf-tui-x7k2p`.
pub(super) fn name() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = RandomState::new().hash_one(std::time::SystemTime::now());
    let mut name = PREFIX.to_owned();
    for _ in 0..6 {
        let index = number % LETTERS.len() as u64;
        name.push(char::from(LETTERS[index as usize]));
        number /= LETTERS.len() as u64;
    }
    name
}

fn restricted(spec: &Value) -> Value {
    let nginx = spec
        .get("containers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|container| container.get("name").and_then(Value::as_str) == Some(CONTAINER));
    let id = |key: &str, otherwise: i64| {
        let of = |value: Option<&Value>| value?.get("securityContext")?.get(key)?.as_i64();
        of(nginx)
            .or_else(|| of(Some(spec)))
            .filter(|id| *id > 0)
            .unwrap_or(otherwise)
    };
    json!({
        "runAsNonRoot": true,
        "runAsUser": id("runAsUser", NGINX.0),
        "runAsGroup": id("runAsGroup", NGINX.1),
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// A container that relays when it is asked to, and ends by itself: `args` without `command`, so that
/// both an image without entry point and this tool's own sleep.
fn sleeper(name: &str, options: &MakeOptions, spec: &Value) -> Map<String, Value> {
    let container = json!({
        "name": name,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["sleep", options.lives.as_secs().to_string()],
        "securityContext": restricted(spec),
    });
    match container {
        Value::Object(container) => container,
        _ => Map::new(),
    }
}

/// An ephemeral container for a data-plane pod (`pod`, as the API server gave it).
pub(super) fn ephemeral_container(
    pod: &Value,
    name: &str,
    options: &MakeOptions,
) -> Result<EphemeralContainer, String> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let mut container = sleeper(name, options, spec);
    let owner = json!([{"name": heartbeat::OWNER_VARIABLE, "value": heartbeat::owner()}]);
    container.insert("env".to_owned(), owner);
    serde_json::from_value(Value::Object(container)).map_err(|error| error.to_string())
}

/// A debug pod beside a data-plane pod (`pod`, as the API server gave it).
///
/// # Errors
/// A sentence, where the pod would be an endpoint of a Service.
pub(super) fn debug_pod(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    from: &DataPlanePod,
    pod: &Value,
    name: &str,
    options: &MakeOptions,
) -> Result<Pod, String> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let labels = labels(pod, options);
    if let Some(service) = publishes_unready(snapshot, &from.pod.namespace, &labels) {
        return Err(format!(
            "a pod with the data plane's labels would get traffic: {service} publishes addresses that are not ready; leave --like-data-plane out"
        ));
    }
    let mut container = sleeper(RELAY, options, spec);
    container.insert(
        "resources".to_owned(),
        json!({
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "250m", "memory": "64Mi"},
        }),
    );
    let mut made = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": from.pod.namespace,
            "labels": labels,
            "annotations": annotations(gateway, spec),
        },
        "spec": {
            "activeDeadlineSeconds": options.lives.as_secs(),
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    });
    if !gateway.meta.uid.is_empty() {
        // A controller, so that no ReplicaSet or DaemonSet adopts it; and it goes with the Gateway.
        made["metadata"]["ownerReferences"] = json!([{
            "apiVersion": gateway.meta.api_version,
            "kind": "Gateway",
            "name": gateway.reference.name,
            "uid": gateway.meta.uid,
            "controller": true,
            "blockOwnerDeletion": false,
        }]);
    }
    for same in [
        "nodeName",
        "serviceAccountName",
        "tolerations",
        "imagePullSecrets",
        "dnsPolicy",
        "dnsConfig",
        "hostAliases",
        "hostNetwork",
    ] {
        if let Some(value) = spec.get(same) {
            made["spec"][same] = value.clone();
        }
    }
    if options.like_data_plane {
        made["spec"]["readinessGates"] = json!([{"conditionType": NEVER_READY}]);
    }
    serde_json::from_value(made).map_err(|error| error.to_string())
}

fn labels(pod: &Value, options: &MakeOptions) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    if options.like_data_plane {
        let theirs = raw_field(pod, &["metadata", "labels"]);
        for (name, value) in theirs.and_then(Value::as_object).into_iter().flatten() {
            if let Some(value) = value.as_str()
                && !CONTROLLERS_OWN.contains(&name.as_str())
            {
                labels.insert(name.clone(), value.to_owned());
            }
        }
    }
    labels.insert(DEBUG_POD.0.to_owned(), DEBUG_POD.1.to_owned());
    labels
}

fn annotations(gateway: &Object<Gateway>, spec: &Value) -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([
        ("ngf-tui/gateway", gateway.reference.path()),
        ("ngf-tui/version", env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    annotations.extend(heartbeat::annotations());
    let containers = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|key| spec.get(key).and_then(Value::as_array))
        .flatten();
    let in_mesh = containers
        .filter_map(|container| container.get("name").and_then(Value::as_str))
        .any(|name| SIDECARS.contains(&name));
    if !in_mesh {
        annotations.insert("sidecar.istio.io/inject", "false".to_owned());
        annotations.insert("linkerd.io/inject", "disabled".to_owned());
    }
    annotations
}

/// A Service that would take a pod with these labels as endpoint although it is never ready.
fn publishes_unready(
    snapshot: &Snapshot,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Option<String> {
    snapshot
        .services
        .values()
        .filter(|service| service.reference.namespace == namespace)
        .filter(|service| service.spec.selects(labels))
        .find(|service| {
            let path = ["spec", "publishNotReadyAddresses"];
            raw_field(&service.raw, &path) == Some(&Value::Bool(true))
        })
        .map(|service| service.reference.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ngf_core::manifests;
    use ngf_core::model::{kind::Kind, object::ObjectRef};

    const OBJECTS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway, namespace: shop, uid: g-1}
spec: {gatewayClassName: nginx, listeners: []}
---
apiVersion: v1
kind: Pod
metadata:
  name: gateway-nginx-abc-1
  namespace: shop
  labels:
    app.kubernetes.io/name: gateway-nginx
    app.kubernetes.io/managed-by: ngf-nginx
    gateway.networking.k8s.io/gateway-name: gateway
    pod-template-hash: abc
spec:
  nodeName: one
  serviceAccountName: gateway-nginx
  tolerations: [{key: edge, operator: Exists}]
  imagePullSecrets: [{name: registry}]
  dnsPolicy: ClusterFirst
  volumes: [{name: secret, secret: {secretName: agent}}]
  containers:
  - name: nginx
    image: nginx
    securityContext: {runAsUser: 1234, runAsGroup: 5678}
status: {phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: gateway-nginx, namespace: shop}
spec:
  publishNotReadyAddresses: false
  selector: {app.kubernetes.io/name: gateway-nginx}
  ports: [{port: 80}]
";

    fn made(objects: &str, like_data_plane: bool) -> Result<Value, String> {
        let snapshot = manifests::parse(objects, "default");
        assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
        let gateway = &snapshot.gateways[&ObjectRef::new(Kind::Gateway, "shop", "gateway")];
        let reference = ObjectRef::new(Kind::Pod, "shop", "gateway-nginx-abc-1");
        let from = DataPlanePod {
            pod: reference.clone(),
            uid: String::new(),
            ready: true,
            running: true,
            deleting: false,
            state: "running".to_owned(),
            node: Some("one".to_owned()),
        };
        let options = MakeOptions {
            like_data_plane,
            ..MakeOptions::default()
        };
        let raw = snapshot.raw(&reference).expect("the pod");
        let pod = debug_pod(&snapshot, gateway, &from, &raw, "ngf-tui-x", &options)?;
        Ok(serde_json::to_value(pod).expect("JSON"))
    }

    #[test]
    fn a_debug_pod_is_small_restricted_and_ends() {
        let pod = made(OBJECTS, false).expect("a pod");
        let spec = &pod["spec"];
        assert_eq!(spec["activeDeadlineSeconds"], 300);
        assert_eq!(spec["restartPolicy"], "Never");
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["nodeName"], "one");
        assert_eq!(spec["serviceAccountName"], "gateway-nginx");
        assert_eq!(spec["tolerations"][0]["key"], "edge");
        assert_eq!(spec["imagePullSecrets"][0]["name"], "registry");
        assert_eq!(spec["volumes"], Value::Null);
        let container = &spec["containers"][0];
        assert_eq!(container["args"], json!(["sleep", "300"]));
        assert_eq!(container["resources"]["limits"]["memory"], "64Mi");
        // What PodSecurity's level `restricted` asks for.
        let security = &container["securityContext"];
        assert_eq!(security["runAsNonRoot"], true);
        assert_eq!(security["runAsUser"], 1234);
        assert_eq!(security["runAsGroup"], 5678);
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["metadata"]["labels"][MANAGED_BY.0], MANAGED_BY.1);
        assert_eq!(pod["metadata"]["labels"][DEBUG_POD.0], DEBUG_POD.1);
        assert_eq!(pod["metadata"]["labels"].as_object().map(Map::len), Some(2));
        assert_eq!(spec["readinessGates"], Value::Null);
    }

    #[test]
    fn with_the_data_planes_labels_it_gets_no_traffic_and_no_other_controller() {
        let pod = made(OBJECTS, true).expect("a pod");
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], "gateway-nginx");
        assert_eq!(
            labels[MANAGED_BY.0], "ngf-nginx",
            "NetworkPolicies see the same"
        );
        assert_eq!(
            labels[DEBUG_POD.0], DEBUG_POD.1,
            "cleanup finds it all the same"
        );
        assert_eq!(labels["pod-template-hash"], Value::Null);
        assert_eq!(
            pod["spec"]["readinessGates"],
            json!([{"conditionType": NEVER_READY}])
        );
        let owner = &pod["metadata"]["ownerReferences"][0];
        assert_eq!(owner["kind"], "Gateway");
        assert_eq!(owner["controller"], true);
    }

    #[test]
    fn it_is_not_made_where_a_service_takes_what_is_not_ready() {
        let publishes = OBJECTS.replace(
            "publishNotReadyAddresses: false",
            "publishNotReadyAddresses: true",
        );
        let why = made(&publishes, true).unwrap_err();
        assert!(why.contains("Service shop/gateway-nginx"), "{why}");
        assert!(
            made(&publishes, false).is_ok(),
            "without the labels it is not taken"
        );
    }

    #[test]
    fn names_differ_and_are_dns_labels() {
        let (a, b) = (name(), name());
        assert_ne!(a, b);
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(a.chars().all(is_label), "{a}");
    }
}
