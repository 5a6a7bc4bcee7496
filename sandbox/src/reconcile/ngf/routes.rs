//! HTTPRoutes and GRPCRoutes: to which listeners they attach, and what their backends resolve to
//! (`state/graph/route_common.go`, `backend_refs.go`).

use serde_json::{Value, json};

use super::CONTROLLER;
use super::deduplicated;
use super::gateway::{GatewayState, Listener};
use super::policies::{self, PolicyState};
use super::references;
use crate::kinds::{self, Kind};
use crate::metadata::meta;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::{Object, Store};

/// What NGF knows about one route.
pub(super) struct RouteState {
    pub(super) kind: &'static Kind,
    pub(super) object: Object,
    conditions: Vec<Value>,
    parents: Vec<Parent>,
    /// Services of its backends, by namespace and name.
    pub(super) services: Vec<(String, String)>,
    /// Policies (by their place in the list) of its valid backends.
    pub(super) policies: Vec<usize>,
    /// What its rules lead to, in their order.
    pub(super) rules: Vec<RuleState>,
}

/// What a rule leads to.
pub(super) struct RuleState {
    /// The rule as it is written.
    pub(super) spec: Value,
    /// Its backends; none where nginx is to answer 500.
    pub(super) backends: Vec<Backend>,
}

/// A backend that NGF takes.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) service: Object,
    /// The port of the Service: number and name.
    pub(super) port: (u16, String),
    pub(super) weight: u64,
    /// Its policy, by its place in the list.
    pub(super) policy: Option<usize>,
}

struct Parent {
    gateway: String,
    section: Option<String>,
    failed: Vec<Value>,
}

impl RouteState {
    /// Whether a parent of it attaches to this Gateway.
    pub(super) fn attached_to(&self, gateway: &str) -> bool {
        self.parents
            .iter()
            .any(|p| p.gateway == gateway && p.failed.is_empty())
    }

    /// Writes the parents (`prepareRouteStatus`).
    pub(super) fn write_status(&self, store: &Store) {
        let (namespace, name) = (meta(&self.object, "namespace"), meta(&self.object, "name"));
        let Some(route) = store.get(self.kind, namespace, name) else {
            return;
        };
        let ours = self.parents.iter().map(|parent| {
            let mut conditions = vec![
                condition("Accepted", true, "Accepted", "The Route is accepted"),
                condition(
                    "ResolvedRefs",
                    true,
                    "ResolvedRefs",
                    "All references are resolved",
                ),
            ];
            conditions.extend(self.conditions.iter().cloned());
            conditions.extend(parent.failed.iter().cloned());
            let (namespace, name) = parent.gateway.split_once('/').unwrap_or_default();
            let mut reference = json!({
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": name,
                "namespace": namespace,
            });
            if let Some(section) = &parent.section {
                reference["sectionName"] = json!(section);
            }
            json!({
                "conditions": deduplicated(&conditions),
                "controllerName": CONTROLLER,
                "parentRef": reference,
            })
        });
        let others = route.pointer("/status/parents").and_then(Value::as_array);
        let others = others
            .into_iter()
            .flatten()
            .filter(|p| p["controllerName"] != CONTROLLER);
        let parents: Vec<_> = ours.chain(others.cloned()).collect();
        set_status(
            store,
            self.kind,
            &route,
            json!({"parents": parents}),
            Transition::All,
        );
    }
}

/// Judges every route that names one of the Gateways.
pub(super) fn build(
    store: &Store,
    gateways: &mut [GatewayState],
    policies: &mut [PolicyState],
) -> Vec<RouteState> {
    let mut routes = Vec::new();
    for kind in [kinds::HTTP_ROUTE, kinds::GRPC_ROUTE] {
        for object in store.list(kind, None).0 {
            let references = object.pointer("/spec/parentRefs").and_then(Value::as_array);
            let ours = references
                .into_iter()
                .flatten()
                .any(|r| parent(&object, r, gateways).is_some());
            if !ours {
                continue;
            }
            let mut route = RouteState {
                kind,
                object,
                conditions: Vec::new(),
                parents: Vec::new(),
                services: Vec::new(),
                policies: Vec::new(),
                rules: Vec::new(),
            };
            backends(store, &mut route, policies);
            attach(store, &mut route, gateways);
            routes.push(route);
        }
    }
    routes
}

/// The Gateway that a parentRef names, by its place in the list.
fn parent(route: &Value, reference: &Value, gateways: &[GatewayState]) -> Option<usize> {
    let text = |field: &str| reference[field].as_str();
    if text("kind").is_some_and(|kind| kind != "Gateway")
        || text("group").is_some_and(|group| group != "gateway.networking.k8s.io")
    {
        return None;
    }
    let namespace = text("namespace").unwrap_or(meta(route, "namespace"));
    let name = format!("{namespace}/{}", text("name")?);
    gateways.iter().position(|g| g.name() == name)
}

fn attach(store: &Store, route: &mut RouteState, gateways: &mut [GatewayState]) {
    let object = route.object.clone();
    let references = object.pointer("/spec/parentRefs").and_then(Value::as_array);
    for reference in references.into_iter().flatten() {
        let Some(index) = parent(&object, reference, gateways) else {
            continue;
        };
        let gateway = &mut gateways[index];
        let name = gateway.name();
        let wanted = reference["sectionName"].as_str();
        let port = reference["port"].as_u64();
        let fits = |listener: &&mut Listener| {
            wanted.is_none_or(|section| section == listener.name())
                && port.is_none_or(|port| listener.spec["port"] == port)
        };
        let count = gateway.listeners.len();
        let valid = gateway.valid;
        let namespace = meta(&gateway.object, "namespace").to_owned();
        let mut found: Vec<_> = gateway.listeners.iter_mut().filter(fits).collect();
        // A reference to the whole Gateway is reported with the listener's name if there is only one.
        let section = wanted.map(str::to_owned).or_else(|| {
            (count == 1 && port.is_none())
                .then(|| found.first().map(|l| l.name().to_owned()))
                .flatten()
        });
        let failed = if !valid {
            vec![condition(
                "Accepted",
                false,
                "InvalidGateway",
                "The Gateway is invalid",
            )]
        } else if found.is_empty() {
            let message = "The Listener is not found for this parent ref";
            vec![condition("Accepted", false, "NoMatchingParent", message)]
        } else {
            bind(store, route, &namespace, &mut found)
        };
        route.parents.push(Parent {
            gateway: name,
            section,
            failed,
        });
    }
}

/// `tryToAttachL7RouteToListeners`; conditions say why it failed.
fn bind(
    store: &Store,
    route: &mut RouteState,
    gateway_namespace: &str,
    listeners: &mut [&mut Listener],
) -> Vec<Value> {
    let invalid = || {
        let message = "The Listener is invalid for this parent ref";
        condition("Accepted", false, "InvalidListener", message)
    };
    let (mut allowed, mut attached, mut healthy, mut attachable) = (false, false, false, false);
    let hostnames = route
        .object
        .pointer("/spec/hostnames")
        .and_then(Value::as_array)
        .cloned();
    for listener in listeners.iter_mut().filter(|l| l.attachable) {
        attachable = true;
        let permitted = listener.kinds().contains(&route.kind.kind)
            && namespace_allowed(
                store,
                listener,
                meta(&route.object, "namespace"),
                gateway_namespace,
            );
        if !permitted {
            continue;
        }
        allowed = true;
        let own = listener.spec["hostname"].as_str().unwrap_or_default();
        let hosts = hostnames.as_deref().unwrap_or_default();
        let overlaps = hosts.is_empty()
            || hosts
                .iter()
                .filter_map(Value::as_str)
                .any(|host| host_matches(own, host));
        if overlaps {
            listener.attached += 1;
            attached = true;
            healthy |= listener.valid;
        }
    }
    if !attachable {
        return vec![invalid()];
    }
    match (allowed, attached, healthy) {
        (false, ..) => {
            let message = "The Route is not allowed by any listener";
            vec![condition(
                "Accepted",
                false,
                "NotAllowedByListeners",
                message,
            )]
        }
        (true, false, _) => {
            let message = "The Listener hostname does not match the Route hostnames";
            vec![condition(
                "Accepted",
                false,
                "NoMatchingListenerHostname",
                message,
            )]
        }
        (true, true, false) => {
            route.conditions.push(invalid());
            Vec::new()
        }
        (true, true, true) => Vec::new(),
    }
}

fn namespace_allowed(store: &Store, listener: &Listener, route: &str, gateway: &str) -> bool {
    let namespaces = &listener.spec["allowedRoutes"]["namespaces"];
    match namespaces["from"].as_str() {
        Some("All") => true,
        Some("Selector") => store
            .get(kinds::NAMESPACE, "", route)
            .is_some_and(|namespace| {
                crate::selectors::labels_match(
                    namespaces.pointer("/selector/matchLabels"),
                    &namespace,
                )
            }),
        Some("None") => false,
        _ => route == gateway,
    }
}

fn host_matches(listener: &str, route: &str) -> bool {
    let wildcard = |wide: &str, host: &str| {
        wide.starts_with("*.") && host.ends_with(wide.trim_start_matches('*'))
    };
    listener.is_empty()
        || listener == route
        || wildcard(listener, route)
        || wildcard(route, listener)
}

/// `addBackendRefsToRules`.
fn backends(store: &Store, route: &mut RouteState, policies: &mut [PolicyState]) {
    let object = route.object.clone();
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    for (rule_index, rule) in rules.into_iter().flatten().enumerate() {
        let mut used: Vec<Option<usize>> = Vec::new();
        let mut taken = Vec::new();
        let references = rule["backendRefs"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        for (index, reference) in references.iter().enumerate() {
            let path = format!("spec.rules[{rule_index}].backendRefs[{index}]");
            match backend(store, route, policies, reference, &path) {
                Ok(backend) => {
                    used.push(backend.policy);
                    taken.push(backend);
                }
                Err((reason, message)) => {
                    route
                        .conditions
                        .push(condition("ResolvedRefs", false, reason, &message));
                    used.push(None);
                }
            }
        }
        if used.len() > 1 && mismatch(&used, policies) {
            let message = "Backend TLS policies do not match for all backends";
            route.conditions.push(condition(
                "ResolvedRefs",
                false,
                "UnsupportedValue",
                message,
            ));
            used.clear();
            taken.clear();
        }
        route.rules.push(RuleState {
            spec: rule.clone(),
            backends: taken,
        });
        route.policies.extend(used.into_iter().flatten());
    }
}

/// `createBackendRef`: a backend with its policy, or reason and message of the condition.
fn backend(
    store: &Store,
    route: &mut RouteState,
    policies: &mut [PolicyState],
    reference: &Value,
    path: &str,
) -> Result<Backend, (&'static str, String)> {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    if !matches!(text("group"), "" | "core") {
        return Err((
            "InvalidKind",
            format!(
                "{path}.group: Unsupported value: {:?}: supported values: \"core\", \"\", \
             \"inference.networking.k8s.io\"",
                text("group")
            ),
        ));
    }
    if !matches!(text("kind"), "" | "Service") {
        return Err((
            "InvalidKind",
            format!(
                "{path}.kind: Unsupported value: {:?}: supported values: \"Service\", \"InferencePool\"",
                text("kind")
            ),
        ));
    }
    let own = meta(&route.object, "namespace").to_owned();
    let namespace = reference["namespace"].as_str().unwrap_or(&own).to_owned();
    let name = text("name").to_owned();
    let from = ("gateway.networking.k8s.io", route.kind.kind, own.as_str());
    if namespace != own && !references::granted(store, from, ("Service", &namespace, &name)) {
        return Err((
            "RefNotPermitted",
            format!(
                "{path}.namespace: Forbidden: Backend ref to Service {namespace}/{name} not permitted by \
             any ReferenceGrant"
            ),
        ));
    }
    let Some(port) = reference["port"].as_u64() else {
        return Err((
            "UnsupportedValue",
            format!("{path}.port: Required value: port cannot be nil"),
        ));
    };
    route.services.push((namespace.clone(), name.clone()));
    let Some(service) = store.get(kinds::SERVICE, &namespace, &name) else {
        return Err((
            "BackendNotFound",
            format!("{path}.name: Not found: {name:?}"),
        ));
    };
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let Some(service_port) = ports.into_iter().flatten().find(|p| p["port"] == port) else {
        return Err((
            "BackendNotFound",
            format!("No matching port for Service {name} and port {port}"),
        ));
    };
    let port_name = service_port["name"].as_str().unwrap_or_default();
    let policy = policies::find(policies, &namespace, &name, port_name)
        .map_err(|message| ("UnsupportedValue", message))?;
    if let Some(protocol) = service_port["appProtocol"].as_str() {
        app_protocol(route.kind.kind, protocol, policy.is_some())?;
    }
    let port = (
        u16::try_from(port).unwrap_or_default(),
        port_name.to_owned(),
    );
    Ok(Backend {
        service,
        port,
        weight: reference["weight"].as_u64().unwrap_or(1),
        policy,
    })
}

/// `validateRouteBackendRefAppProtocol`.
fn app_protocol(
    kind: &str,
    protocol: &str,
    has_policy: bool,
) -> Result<(), (&'static str, String)> {
    let route = kind.trim_end_matches("Route").to_lowercase();
    let message =
        format!("The Route type {route} does not support service port appProtocol {protocol}");
    let refused = |message: String| Err(("UnsupportedProtocol", message));
    match (protocol, kind) {
        ("kubernetes.io/ws", "HTTPRoute") => Ok(()),
        ("kubernetes.io/wss", "HTTPRoute") if has_policy => Ok(()),
        ("kubernetes.io/wss", "HTTPRoute") => {
            refused(format!("{message}; missing corresponding BackendTLSPolicy"))
        }
        ("kubernetes.io/ws" | "kubernetes.io/wss", _) => refused(message),
        _ => Ok(()),
    }
}

/// `validateBackendTLSPolicyMatchingAllBackends`, its dependence on the order included: plain
/// backends before the first one with a policy are not noticed.
fn mismatch(used: &[Option<usize>], policies: &[PolicyState]) -> bool {
    let validation = |index: usize| &policies[index].object["spec"]["validation"];
    let mut first: Option<usize> = None;
    for policy in used {
        match (first, policy) {
            (None, None) => {}
            (Some(_), None) => return true,
            (None, Some(index)) => first = Some(*index),
            (Some(first), Some(index)) => {
                let (a, b) = (validation(first), validation(*index));
                // NGF compares pointers to wellKnownCACertificates: two policies never share one.
                let well_known = first != *index
                    && (a.get("wellKnownCACertificates").is_some()
                        || b.get("wellKnownCACertificates").is_some());
                if well_known
                    || a["caCertificateRefs"] != b["caCertificateRefs"]
                    || a["hostname"] != b["hostname"]
                {
                    return true;
                }
            }
        }
    }
    false
}
