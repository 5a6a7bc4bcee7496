//! The embedded cluster's objects on the real API server, and NGF's part played by its recorded answers.

use ngf_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::{sandbox_support::Cluster, server::ApiServer};

/// NGF's answers to the guide's objects.
pub(crate) const GUIDE: &str = "tests/scenarios/guide/ngf.txt";

/// What is copied: what people, cert-manager, NGF and the kubelet would have made.
const KINDS: &str = "namespaces,secrets,configmaps,services,deployments,pods,endpointslices,gatewayclasses,\
    gateways,httproutes,backendtlspolicies,nginxproxies.gateway.nginx.org,nginxgateways.gateway.nginx.org,\
    clusterissuers,certificates";

/// The embedded cluster with the guide at a stage.
pub(crate) struct Embedded {
    pub(crate) cluster: Cluster,
}

impl Embedded {
    pub(crate) async fn start(stage: ngf_sandbox::Stage) -> Self {
        let cluster = Cluster::start("guide", stage).await;
        Self { cluster }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.cluster.sandbox
    }

    /// Its objects as somebody would apply them to another cluster. Those of NGF's kinds have no status.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let text = self
            .cluster
            .kubectl(&format!("get {KINDS} -A -o json"))
            .fine();
        // The API server takes no endpoint on a loopback address.
        let text = text.replace("\"127.", "\"10.");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let items = list["items"].as_array().expect("a list").clone();
        let mut objects: Vec<Value> = items.into_iter().map(as_applied).collect();
        objects.sort_by_key(|object| object["kind"] != "Namespace");
        objects
    }
}

fn as_applied(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    metadata
        .retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    if kind == "Service" {
        let spec = object["spec"].as_object_mut().expect("a spec");
        spec.retain(|key, _| !key.starts_with("clusterIP"));
    }
    // Conditions of a Deployment have no observedGeneration; the embedded cluster gives them one.
    if kind == "Deployment" {
        let conditions = object.pointer_mut("/status/conditions");
        for condition in conditions
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let condition = condition.as_object_mut().expect("a condition");
            condition.remove("observedGeneration");
        }
    }
    let is_of_gateway_api = object["apiVersion"]
        .as_str()
        .is_some_and(|version| version.starts_with("gateway."));
    if is_of_gateway_api || kind == "Namespace" {
        object.as_object_mut().expect("an object").remove("status");
    }
    object
}

/// Manifests of objects, a document each.
pub(crate) fn documents(objects: &[Value]) -> String {
    objects
        .iter()
        .map(|object| format!("---\n{object}\n"))
        .collect()
}

/// Writes the statuses that NGF 2.6 writes for the guide, by its recorded answers, of every object that is
/// there, at its generation of now.
pub(crate) fn play_ngf(server: &ApiServer, answers: &str) {
    let recorded = std::fs::read_to_string(answers).expect("recorded answers");
    for resource in [
        "gatewayclasses",
        "gateways",
        "httproutes",
        "backendtlspolicies",
    ] {
        let list = server.get(&format!("{resource} -A"), "default");
        for object in list["items"].as_array().expect("a list") {
            if let Some(status) = status(object, &recorded) {
                let metadata = &object["metadata"];
                let manifest = json!({
                    "apiVersion": object["apiVersion"],
                    "kind": object["kind"],
                    "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
                    "status": status,
                });
                server.write_status(&manifest);
            }
        }
    }
}

/// A recorded condition: `KIND/NAMESPACE/NAME PLACE: TYPE STATUS/REASON "MESSAGE"`.
struct Recorded<'t> {
    place: &'t str,
    condition: Value,
}

/// What NGF 2.6 says to this object.
fn recorded<'t>(answers: &'t str, subject: &str, generation: &Value) -> Vec<Recorded<'t>> {
    let lines = answers.lines().filter_map(|line| line.split_once('\t'));
    let of_release = lines.filter(|(releases, _)| {
        releases
            .split(' ')
            .any(|release| release == "all" || release == "2.6")
    });
    let of_subject = of_release.filter_map(|(_, rest)| {
        let rest = rest.strip_prefix(subject)?;
        let (place, said) = rest.split_once(": ")?;
        (place.is_empty() || place.starts_with(' ')).then_some((place.trim(), said))
    });
    of_subject
        .map(|(place, said)| {
            let (kind, said) = said.split_once(' ').expect("a type");
            let (status, said) = said.split_once('/').expect("a status");
            let (reason, message) = said.split_once(' ').expect("a reason");
            let condition = json!({
                "type": kind, "status": status, "reason": reason,
                "message": message.trim_matches('"'),
                "observedGeneration": generation,
                "lastTransitionTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            });
            Recorded { place, condition }
        })
        .collect()
}

const CONTROLLER: &str = "gateway.nginx.org/nginx-gateway-controller";

fn status(object: &Value, answers: &str) -> Option<Value> {
    let text = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let kind = text("/kind");
    let subject = format!(
        "{kind}/{}/{}",
        text("/metadata/namespace"),
        text("/metadata/name")
    );
    let all = recorded(answers, &subject, &object["metadata"]["generation"]);
    if all.is_empty() {
        return None;
    }
    let at = |place: &str| -> Vec<&Value> {
        let here = all.iter().filter(|one| one.place == place);
        here.map(|one| &one.condition).collect()
    };
    Some(match kind {
        "GatewayClass" => json!({"conditions": at("")}),
        "Gateway" => {
            let listeners = object["spec"]["listeners"].as_array().expect("listeners");
            let listeners: Vec<Value> = listeners
                .iter()
                .map(|listener| {
                    let name = listener["name"].as_str().unwrap_or_default();
                    json!({
                        "name": name, "attachedRoutes": 1,
                        "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                        "conditions": at(&format!("listener {name}")),
                    })
                })
                .collect();
            json!({
                "addresses": [{"type": "IPAddress", "value": "10.96.36.219"}],
                "conditions": at(""), "listeners": listeners,
            })
        }
        "HTTPRoute" => {
            let parents = object["spec"]["parentRefs"].as_array().expect("parents");
            let parents: Vec<Value> = parents
                .iter()
                .map(|parent| {
                    let section = parent["sectionName"].as_str().unwrap_or_default();
                    let place = format!("of Gateway default/gateway#{section}");
                    json!({"parentRef": parent, "controllerName": CONTROLLER, "conditions": at(&place)})
                })
                .collect();
            json!({"parents": parents})
        }
        _ => json!({"ancestors": [{
            "ancestorRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "default", "name": "gateway"},
            "controllerName": CONTROLLER,
            "conditions": at("of Gateway default/gateway"),
        }]}),
    })
}
