//! What a real API server does to an object before it stores it: defaults, and the refusals that a
//! person meets when they edit the guide's objects. Not a schema: unknown fields are kept.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::metadata::{meta, metadata_mut, name_suffix, place, random};
use super::store::{Store, StoreError};

type Causes = Vec<(String, String)>;

/// `metadata.generateName`.
pub(crate) fn name(object: &mut Value) {
    let metadata = metadata_mut(object);
    let named = metadata
        .get("name")
        .and_then(Value::as_str)
        .is_some_and(|n| !n.is_empty());
    if !named && let Some(prefix) = metadata.get("generateName").and_then(Value::as_str) {
        let name = format!("{prefix}{}", name_suffix(5));
        metadata.insert("name".into(), json!(name));
    }
}

/// Completes and checks an object; `stored` is what it replaces.
pub(crate) fn admit(
    kind: &'static Kind,
    object: &mut Value,
    stored: Option<&Value>,
    store: &Store,
) -> Result<(), StoreError> {
    let mut causes = Causes::new();
    check_name(object, &mut causes);
    check_texts(object, &mut causes);
    let is = |other: &Kind| std::ptr::eq(kind, other);
    if is(kinds::SECRET) {
        secret(object, stored, &mut causes);
    } else if is(kinds::SERVICE) {
        service(object, stored, store, &mut causes);
    } else if is(kinds::NAMESPACE) {
        *place(object, &["spec", "finalizers"]) = json!(["kubernetes"]);
        if stored.is_none() {
            object["status"] = json!({"phase": "Active"});
        }
    } else if is(kinds::POD) {
        require(object, &["/spec/containers"], &mut causes);
        pod_spec(&mut object["spec"]);
    } else if is(kinds::DEPLOYMENT) || is(kinds::REPLICA_SET) || is(kinds::DAEMON_SET) {
        workload(kind, object, &mut causes);
    } else if is(kinds::GATEWAY) {
        gateway(object, &mut causes);
    } else if is(kinds::GATEWAY_CLASS) {
        require(object, &["/spec/controllerName"], &mut causes);
    } else if is(kinds::HTTP_ROUTE) || is(kinds::GRPC_ROUTE) || is(kinds::TLS_ROUTE) {
        route(kind, object);
    } else if is(kinds::BACKEND_TLS_POLICY) {
        policy(object, &mut causes);
    } else if is(kinds::REFERENCE_GRANT) {
        require(object, &["/spec/from", "/spec/to"], &mut causes);
    } else if is(kinds::CERTIFICATE) {
        require(
            object,
            &["/spec/secretName", "/spec/issuerRef/name"],
            &mut causes,
        );
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(StoreError::Invalid(causes))
    }
}

/// RFC 1123 subdomain, as nearly every kind's name must be.
fn check_name(object: &Value, causes: &mut Causes) {
    let name = meta(object, "name");
    if name.is_empty() {
        let message = "Required value: name or generateName is required";
        causes.push(("metadata.name".into(), message.into()));
        return;
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let fine = name.len() <= 253
        && name.split('.').all(|label| {
            edge(label.chars().next())
                && edge(label.chars().last())
                && label.chars().all(|c| edge(Some(c)) || c == '-')
        });
    if !fine {
        causes.push((
            "metadata.name".into(),
            format!(
                "Invalid value: {name:?}: a lowercase RFC 1123 subdomain must consist of lower case \
                 alphanumeric characters, '-' or '.', and must start and end with an alphanumeric \
                 character"
            ),
        ));
    }
}

/// Labels and annotations are maps of texts.
fn check_texts(object: &Value, causes: &mut Causes) {
    for field in ["labels", "annotations"] {
        let fine = match object.pointer(&format!("/metadata/{field}")) {
            None | Some(Value::Null) => true,
            Some(Value::Object(map)) => map.values().all(Value::is_string),
            Some(_) => false,
        };
        if !fine {
            causes.push((
                format!("metadata.{field}"),
                "Invalid value: not a map of texts".into(),
            ));
        }
    }
}

fn require(object: &Value, pointers: &[&str], causes: &mut Causes) {
    for pointer in pointers {
        let empty = match object.pointer(pointer) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        };
        if empty {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            causes.push((field, "Required value".into()));
        }
    }
}

fn default(object: &mut Value, field: &str, value: Value) {
    if let Some(map) = object.as_object_mut()
        && map.get(field).is_none_or(Value::is_null)
    {
        map.insert(field.to_owned(), value);
    }
}

fn each<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn secret(object: &mut Value, stored: Option<&Value>, causes: &mut Causes) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    if let Some(Value::Object(texts)) = object
        .as_object_mut()
        .and_then(|map| map.shift_remove("stringData"))
    {
        if !object["data"].is_object() {
            object["data"] = json!({});
        }
        for (key, text) in texts {
            object["data"][key] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
        }
    }
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let decoded = value
            .as_str()
            .and_then(|text| STANDARD.decode(text.trim()).ok());
        if decoded.is_none() {
            causes.push((format!("data[{key}]"), "Invalid value: not base64".into()));
        }
    }
    default(object, "type", json!("Opaque"));
    if object["type"] == "kubernetes.io/tls" {
        for key in ["tls.crt", "tls.key"] {
            if object["data"].get(key).is_none() {
                causes.push((format!("data[{key}]"), "Required value".into()));
            }
        }
    }
    if let Some(stored) = stored
        && stored["type"] != object["type"]
    {
        causes.push((
            "type".into(),
            format!("Invalid value: {}: field is immutable", object["type"]),
        ));
    }
}

fn service(object: &mut Value, stored: Option<&Value>, store: &Store, causes: &mut Causes) {
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    default(spec, "type", json!("ClusterIP"));
    if spec["type"] != "ExternalName" {
        let kept = stored.and_then(|s| s.pointer("/spec/clusterIP")).cloned();
        default(
            spec,
            "clusterIP",
            // Of a Service that is being changed the store is locked: it cannot be asked.
            kept.filter(Value::is_string)
                .unwrap_or_else(|| match stored {
                    Some(_) => json!(cluster_ip()),
                    None => json!(free_cluster_ip(store)),
                }),
        );
        let ip = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([ip]));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    default(spec, "sessionAffinity", json!("None"));
    let load_balancer = spec["type"] == "LoadBalancer";
    let exposed = load_balancer || spec["type"] == "NodePort";
    if load_balancer {
        default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    for port in each(spec, "ports") {
        default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        if number.as_u64().is_none_or(|n| n == 0 || n > 65535) {
            causes.push((
                "spec.ports[0].port".into(),
                format!("Invalid value: {number}: must be between 1 and 65535, inclusive"),
            ));
        }
        if exposed {
            let [high, low] = random::<2>();
            let node_port = 30000 + u32::from(u16::from_be_bytes([high, low])) % 2768;
            default(port, "nodePort", json!(node_port));
        }
        default(port, "targetPort", number);
    }
    if stored.is_none() {
        object["status"] = json!({"loadBalancer": {}});
    }
}

/// An address of the network of Services; the DNS has one of those with a zero.
fn cluster_ip() -> String {
    let [third, fourth] = random::<2>();
    Ipv4Addr::new(10, 96, third.max(1), fourth.clamp(2, 254)).to_string()
}

fn free_cluster_ip(store: &Store) -> String {
    let (services, _) = store.list(kinds::SERVICE, None);
    loop {
        let ip = cluster_ip();
        if services.iter().all(|s| s["spec"]["clusterIP"] != ip) {
            return ip;
        }
    }
}

fn pod_spec(spec: &mut Value) {
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        default(spec, field, value);
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list).for_each(container);
    }
    for volume in each(spec, "volumes") {
        for source in ["secret", "configMap"] {
            if let Some(source) = volume.get_mut(source) {
                default(source, "defaultMode", json!(420));
            }
        }
    }
}

/// The defaults of a container.
pub(crate) fn container(container: &mut Value) {
    let latest = container["image"].as_str().is_some_and(|image| {
        let name = image.rsplit('/').next().unwrap_or_default();
        name.ends_with(":latest") || !name.contains(':')
    });
    let pull = if latest { "Always" } else { "IfNotPresent" };
    default(container, "imagePullPolicy", json!(pull));
    default(container, "resources", json!({}));
    default(
        container,
        "terminationMessagePath",
        json!("/dev/termination-log"),
    );
    default(container, "terminationMessagePolicy", json!("File"));
    for port in each(container, "ports") {
        default(port, "protocol", json!("TCP"));
    }
}

/// Label of a namespace that says which of the Pod Security Standards its pods must keep.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Whether pods of a namespace must keep the level `restricted`.
pub(crate) fn is_restricted(store: &Store, namespace: &str) -> bool {
    let namespace = store.get(kinds::NAMESPACE, "", namespace);
    namespace.is_some_and(|namespace| namespace["metadata"]["labels"][ENFORCE] == "restricted")
}

/// The level `restricted` of the Pod Security Standards, as far as containers say it; the others allow
/// everything that is run here. The words are those of `k8s.io/pod-security-admission/policy`.
pub(crate) fn pod_security(pod: &Value) -> Result<(), StoreError> {
    let of_pod = &pod["spec"]["securityContext"];
    let containers = ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .filter_map(|list| pod["spec"][*list].as_array())
        .flatten();
    let (mut escalation, mut capabilities, mut root, mut seccomp) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for container in containers {
        let name = container["name"].as_str().unwrap_or_default();
        let context = &container["securityContext"];
        let either = |field: &str| match &context[field] {
            Value::Null => of_pod[field].clone(),
            own => own.clone(),
        };
        if context["allowPrivilegeEscalation"] != false {
            escalation.push(name);
        }
        let dropped = context["capabilities"]["drop"].as_array();
        if !dropped.is_some_and(|all| all.contains(&json!("ALL"))) {
            capabilities.push(name);
        }
        if either("runAsNonRoot") != true {
            root.push(name);
        }
        let profile = either("seccompProfile");
        if !matches!(
            profile["type"].as_str(),
            Some("RuntimeDefault" | "Localhost")
        ) {
            seccomp.push(name);
        }
    }
    let mut violated = Vec::new();
    let mut add = |names: &[&str], what: &str, who: &str, must: &str| {
        if !names.is_empty() {
            let s = if names.len() > 1 { "s" } else { "" };
            let names = names.join("\", \"");
            violated.push(format!("{what} ({who}{s} \"{names}\" must set {must})"));
        }
    };
    add(
        &escalation,
        "allowPrivilegeEscalation != false",
        "container",
        "securityContext.allowPrivilegeEscalation=false",
    );
    add(
        &capabilities,
        "unrestricted capabilities",
        "container",
        "securityContext.capabilities.drop=[\"ALL\"]",
    );
    add(
        &root,
        "runAsNonRoot != true",
        "pod or container",
        "securityContext.runAsNonRoot=true",
    );
    add(
        &seccomp,
        "seccompProfile",
        "pod or container",
        "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
    );
    if violated.is_empty() {
        return Ok(());
    }
    Err(StoreError::Forbidden(format!(
        "violates PodSecurity \"restricted:latest\": {}",
        violated.join(", ")
    )))
}

fn workload(kind: &Kind, object: &mut Value, causes: &mut Causes) {
    require(
        object,
        &["/spec/selector", "/spec/template/spec/containers"],
        causes,
    );
    let chosen = object.pointer("/spec/selector/matchLabels");
    if chosen.is_some() && !super::selectors::labels_match(chosen, &object["spec"]["template"]) {
        causes.push((
            "spec.template.metadata.labels".into(),
            "Invalid value: `selector` does not match template `labels`".into(),
        ));
    }
    let spec = &mut object["spec"];
    if kind.kind != "DaemonSet" {
        default(spec, "replicas", json!(1));
    }
    if kind.kind == "Deployment" {
        default(spec, "progressDeadlineSeconds", json!(600));
        default(spec, "revisionHistoryLimit", json!(10));
        default(
            spec,
            "strategy",
            json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            }),
        );
    }
    if let Some(template) = spec.pointer_mut("/template/spec") {
        pod_spec(template);
    }
}

/// The defaults of Gateway API's CustomResourceDefinitions.
fn gateway(object: &mut Value, causes: &mut Causes) {
    require(
        object,
        &["/spec/gatewayClassName", "/spec/listeners"],
        causes,
    );
    for listener in each(&mut object["spec"], "listeners") {
        for (at, field, value) in [
            ("", "allowedRoutes", json!({})),
            ("/allowedRoutes", "namespaces", json!({})),
            ("/allowedRoutes/namespaces", "from", json!("Same")),
        ] {
            if let Some(place) = listener.pointer_mut(at) {
                default(place, field, value);
            }
        }
    }
    if let Some(reference) = object.pointer_mut("/spec/tls/backend/clientCertificateRef") {
        default(reference, "group", json!(""));
        default(reference, "kind", json!("Secret"));
    }
}

fn route(kind: &Kind, object: &mut Value) {
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    for parent in each(spec, "parentRefs") {
        default(parent, "group", json!("gateway.networking.k8s.io"));
        default(parent, "kind", json!("Gateway"));
    }
    let anything = json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    if kind.kind == "HTTPRoute" {
        default(spec, "rules", json!([{}]));
    }
    for rule in each(spec, "rules") {
        if kind.kind == "HTTPRoute" {
            default(rule, "matches", anything.clone());
        }
        for backend in each(rule, "backendRefs") {
            default(backend, "group", json!(""));
            default(backend, "kind", json!("Service"));
            default(backend, "weight", json!(1));
        }
    }
}

fn policy(object: &mut Value, causes: &mut Causes) {
    require(
        object,
        &["/spec/targetRefs", "/spec/validation/hostname"],
        causes,
    );
    let validation = &object["spec"]["validation"];
    let references = validation["caCertificateRefs"]
        .as_array()
        .map_or(0, Vec::len);
    let well_known = validation["wellKnownCACertificates"]
        .as_str()
        .is_some_and(|w| !w.is_empty());
    let message = match (references > 0, well_known) {
        (true, true) => "must not contain both CACertificateRefs and WellKnownCACertificates",
        (false, false) => "must specify either CACertificateRefs or WellKnownCACertificates",
        _ => return,
    };
    causes.push((
        "spec.validation".into(),
        format!("Invalid value: {message}"),
    ));
}
