//! Gateways and their listeners (`state/graph/gateway.go`, `gateway_listener.go`).

use serde_json::{Value, json};

use super::references;
use super::{deduplicated, name_of};
use crate::kinds;
use crate::metadata::meta;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::{Object, Store};

/// What NGF knows about one Gateway.
pub(super) struct GatewayState {
    pub(super) object: Object,
    pub(super) valid: bool,
    pub(super) conditions: Vec<Value>,
    pub(super) listeners: Vec<Listener>,
    /// Name and namespace of the Secret whose certificate nginx presents.
    pub(super) client_secret: Option<(String, String)>,
    /// Why nginx did not take the configuration.
    pub(super) reload_error: Option<String>,
}

/// One listener.
pub(super) struct Listener {
    pub(super) spec: Value,
    pub(super) valid: bool,
    pub(super) attachable: bool,
    pub(super) conditions: Vec<Value>,
    pub(super) attached: usize,
}

impl Listener {
    pub(super) fn name(&self) -> &str {
        self.spec["name"].as_str().unwrap_or_default()
    }

    /// Kinds of routes that the protocol takes, of those that `allowedRoutes.kinds` leaves.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let of_protocol: &[&'static str] = match self.spec["protocol"].as_str() {
            Some("HTTP" | "HTTPS") => &["HTTPRoute", "GRPCRoute"],
            Some("TLS") => &["TLSRoute"],
            Some("TCP") => &["TCPRoute"],
            Some("UDP") => &["UDPRoute"],
            _ => &[],
        };
        let allowed = self
            .spec
            .pointer("/allowedRoutes/kinds")
            .and_then(Value::as_array);
        of_protocol
            .iter()
            .copied()
            .filter(|kind| {
                allowed.is_none_or(|all| all.is_empty() || all.iter().any(|k| k["kind"] == *kind))
            })
            .collect()
    }
}

impl GatewayState {
    /// `NS/NAME`.
    pub(super) fn name(&self) -> String {
        name_of(&self.object)
    }

    /// Judges a Gateway; `class` is whether its class is valid, `None` if there is none.
    pub(super) fn build(store: &Store, object: Object, class: Option<bool>) -> Self {
        let mut conditions = Vec::new();
        let mut invalid = |message: &str| {
            conditions.push(condition("Accepted", false, "Invalid", message));
            conditions.push(condition("Programmed", false, "Invalid", message));
        };
        match class {
            None => invalid("The GatewayClass doesn't exist"),
            Some(false) => invalid("The GatewayClass is invalid"),
            Some(true) => {}
        }
        for address in object
            .pointer("/spec/addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if address["type"]
                .as_str()
                .is_some_and(|kind| kind != "IPAddress")
            {
                let message = "Only AddressType IPAddress is supported";
                conditions.push(condition("Accepted", false, "UnsupportedAddress", message));
            }
        }
        let valid = conditions.is_empty();
        let (references, client_secret) = references(store, &object);
        conditions.extend(references);
        let listeners = if valid {
            listeners(store, &object)
        } else {
            Vec::new()
        };
        Self {
            object,
            valid,
            conditions,
            listeners,
            client_secret,
            reload_error: None,
        }
    }

    /// Writes conditions, listeners and addresses (`prepareGatewayRequest`).
    pub(super) fn write_status(&self, store: &Store) {
        let status = if self.valid {
            self.valid_status(store)
        } else {
            json!({"conditions": deduplicated(&self.conditions)})
        };
        // What was judged may have been changed or deleted meanwhile.
        let (namespace, name) = (meta(&self.object, "namespace"), meta(&self.object, "name"));
        if let Some(gateway) = store.get(kinds::GATEWAY, namespace, name) {
            set_status(store, kinds::GATEWAY, &gateway, status, Transition::All);
        }
    }

    fn valid_status(&self, store: &Store) -> Value {
        let mut conditions = vec![
            condition("Accepted", true, "Accepted", "The Gateway is accepted"),
            condition(
                "Programmed",
                true,
                "Programmed",
                "The Gateway is programmed",
            ),
        ];
        conditions.extend(self.conditions.iter().cloned());
        let valid = self.listeners.iter().filter(|l| l.valid).count();
        if valid == 0 && !self.listeners.is_empty() {
            let message = "The Gateway has no valid listeners";
            conditions.push(condition("Accepted", false, "ListenersNotValid", message));
            conditions.push(condition("Programmed", false, "Invalid", message));
        } else if valid < self.listeners.len() {
            let message = "The Gateway has at least one valid listener";
            conditions.push(condition("Accepted", true, "ListenersNotValid", message));
        }
        let failed = |what: &str| {
            self.reload_error.as_ref().map(|error| {
                let message = format!(
                    "The {what} is not programmed due to a failure to reload nginx with the \
                     configuration: {error}"
                );
                condition("Programmed", false, "Invalid", &message)
            })
        };
        conditions.extend(failed("Gateway"));
        let listeners: Vec<_> = self
            .listeners
            .iter()
            .map(|listener| {
                let mut conditions = listener.conditions.clone();
                if listener.valid {
                    conditions.extend(default_listener_conditions(&listener.conditions));
                }
                conditions.extend(failed("Listener"));
                let kinds = listener
                    .kinds()
                    .into_iter()
                    .map(|kind| json!({"group": "gateway.networking.k8s.io", "kind": kind}));
                json!({
                    "name": listener.name(),
                    "attachedRoutes": listener.attached,
                    "supportedKinds": kinds.collect::<Vec<_>>(),
                    "conditions": deduplicated(&conditions),
                })
            })
            .collect();
        json!({
            "addresses": self.addresses(store),
            "attachedListenerSets": 0,
            "conditions": deduplicated(&conditions),
            "listeners": listeners,
        })
    }

    /// The addresses of the data plane's Service.
    fn addresses(&self, store: &Store) -> Vec<Value> {
        let namespace = meta(&self.object, "namespace");
        let name = super::provision::resource_name(meta(&self.object, "name"), super::CLASS);
        let Some(service) = store.get(kinds::SERVICE, namespace, &name) else {
            return Vec::new();
        };
        let address = |value: &Value| json!({"type": "IPAddress", "value": value});
        if service["spec"]["type"] != "LoadBalancer" {
            return vec![address(&service["spec"]["clusterIP"])];
        }
        let ingress = service
            .pointer("/status/loadBalancer/ingress")
            .and_then(Value::as_array);
        ingress
            .into_iter()
            .flatten()
            .map(|ingress| address(&ingress["ip"]))
            .collect()
    }
}

/// `parametersRef` and `tls.backend` (`validateGatewayRefs`).
fn references(store: &Store, gateway: &Value) -> (Vec<Value>, Option<(String, String)>) {
    let parameters = gateway.pointer("/spec/infrastructure/parametersRef");
    let backend = gateway.pointer("/spec/tls/backend");
    if parameters.is_none() && backend.is_none() {
        return (Vec::new(), None);
    }
    let namespace = meta(gateway, "namespace");
    let mut conditions = Vec::new();
    let parameters_error = parameters.and_then(|reference| {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        if text("kind") != "NginxProxy" {
            Some(format!(
                "Spec.infrastructure.parametersRef.kind: Unsupported value: {:?}: supported values: \
                 \"NginxProxy\"",
                text("kind")
            ))
        } else if store.get(kinds::NGINX_PROXY, namespace, text("name")).is_none() {
            Some(format!("Spec.infrastructure.parametersRef.name: Not found: {:?}", text("name")))
        } else {
            None
        }
    });
    if let Some(error) = &parameters_error {
        let message =
            format!("The Gateway is not accepted due to an invalid ParametersRef: {error}");
        conditions.push(condition("Accepted", false, "InvalidParameters", &message));
    }
    let client = backend
        .and_then(|b| b.get("clientCertificateRef"))
        .filter(|r| r.is_object());
    let judged = client.map(|reference| client_certificate(store, namespace, reference));
    let (error, secret) = match judged {
        None => (None, None),
        Some(Ok(secret)) => (None, Some(secret)),
        Some(Err(condition)) => (Some(condition), None),
    };
    conditions.push(match (error, parameters_error) {
        (Some(error), _) => error,
        (None, Some(error)) => condition("ResolvedRefs", false, "ParametersRefInvalid", &error),
        (None, None) => condition(
            "ResolvedRefs",
            true,
            "ResolvedRefs",
            "The referenced resources are resolved",
        ),
    });
    (conditions, secret)
}

/// `validateGatewayTLSBackend`.
fn client_certificate(
    store: &Store,
    gateway_namespace: &str,
    reference: &Value,
) -> Result<(String, String), Value> {
    const PATH: &str = "Spec.tls.backend.clientCertificateRef";
    let invalid = |message: &str| {
        Err(condition(
            "ResolvedRefs",
            false,
            "InvalidClientCertificateRef",
            message,
        ))
    };
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    if !matches!(text("kind"), "" | "Secret") {
        return invalid(&format!(
            "{PATH}.kind: Unsupported value: {:?}: supported values: \"Secret\"",
            text("kind")
        ));
    }
    if !matches!(text("group"), "" | "core") {
        return invalid(&format!(
            "{PATH}.group: Unsupported value: {:?}: supported values: \"core\", \"\"",
            text("group")
        ));
    }
    let namespace = reference["namespace"].as_str().unwrap_or(gateway_namespace);
    let name = text("name");
    if let Err(error) = references::secret(store, namespace, name) {
        let named = json!({"Namespace": namespace, "Name": name});
        return invalid(&format!("{PATH}: Invalid value: {named}: {error}"));
    }
    let from = ("gateway.networking.k8s.io", "Gateway", gateway_namespace);
    if namespace != gateway_namespace
        && !references::granted(store, from, ("Secret", namespace, name))
    {
        let message = format!("secret ref {namespace}/{name} not permitted by any ReferenceGrant");
        return Err(condition(
            "ResolvedRefs",
            false,
            "RefNotPermitted",
            &message,
        ));
    }
    Ok((namespace.to_owned(), name.to_owned()))
}

fn listeners(store: &Store, gateway: &Value) -> Vec<Listener> {
    let specs = gateway.pointer("/spec/listeners").and_then(Value::as_array);
    specs
        .into_iter()
        .flatten()
        .map(|spec| {
            let mut listener = Listener {
                spec: spec.clone(),
                valid: true,
                attachable: true,
                conditions: Vec::new(),
                attached: 0,
            };
            check_listener(store, meta(gateway, "namespace"), &mut listener);
            listener
        })
        .collect()
}

fn check_listener(store: &Store, namespace: &str, listener: &mut Listener) {
    let protocol = listener.spec["protocol"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if !["HTTP", "HTTPS", "TLS", "TCP", "UDP"].contains(&protocol.as_str()) {
        let message = format!(
            "protocol: Unsupported value: {protocol:?}: supported values: \"HTTP\", \"HTTPS\", \
             \"TLS\", \"TCP\", \"UDP\""
        );
        listener.conditions = vec![
            condition("Accepted", false, "UnsupportedProtocol", &message),
            condition("Programmed", false, "Invalid", &message),
        ];
        (listener.valid, listener.attachable) = (false, false);
        return;
    }
    let certificates = listener
        .spec
        .pointer("/tls/certificateRefs")
        .and_then(Value::as_array);
    let mut errors = Vec::new();
    for (index, reference) in certificates.into_iter().flatten().enumerate() {
        let name = reference["name"].as_str().unwrap_or_default();
        let of = reference["namespace"].as_str().unwrap_or(namespace);
        let from = ("gateway.networking.k8s.io", "Gateway", namespace);
        if of != namespace && !references::granted(store, from, ("Secret", of, name)) {
            errors.push((
                "RefNotPermitted",
                format!(
                    "Certificate ref to secret {of}/{name} not permitted by any ReferenceGrant"
                ),
            ));
        } else if let Err(error) = references::secret(store, of, name) {
            let named = json!({"Namespace": of, "Name": name});
            errors.push((
                "InvalidCertificateRef",
                format!("tls.certificateRefs[{index}]: Invalid value: {named}: {error}"),
            ));
        }
    }
    if let Some((reason, message)) = errors.first() {
        listener.conditions = vec![
            condition("Accepted", false, reason, message),
            condition("ResolvedRefs", false, reason, message),
            condition("Programmed", false, "Invalid", message),
        ];
        listener.valid = false;
    }
}

/// `NewDefaultListenerConditions`.
fn default_listener_conditions(existing: &[Value]) -> Vec<Value> {
    let mut conditions = vec![
        condition(
            "Programmed",
            true,
            "Programmed",
            "The Listener is programmed",
        ),
        condition("Accepted", true, "Accepted", "The Listener is accepted"),
    ];
    if existing.iter().all(|c| c["type"] != "ResolvedRefs") {
        conditions.push(condition(
            "ResolvedRefs",
            true,
            "ResolvedRefs",
            "All references are resolved",
        ));
    }
    conditions.push(condition(
        "Conflicted",
        false,
        "NoConflicts",
        "No conflicts",
    ));
    conditions
}
