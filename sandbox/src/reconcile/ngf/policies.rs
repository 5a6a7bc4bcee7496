//! BackendTLSPolicies (`state/graph/backend_tls_policy.go`).

use serde_json::{Value, json};

use super::gateway::GatewayState;
use super::references;
use super::routes::RouteState;
use super::{CONTROLLER, MAX_ANCESTORS, age_order, deduplicated, name_of};
use crate::kinds;
use crate::metadata::meta;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::{Object, Store};

/// What NGF knows about one policy.
pub(super) struct PolicyState {
    pub(super) object: Object,
    pub(super) valid: bool,
    pub(super) conditions: Vec<Value>,
    /// A route's backend uses it, or would if another policy did not.
    pub(super) referenced: bool,
    /// Gateways in its status.
    pub(super) gateways: Vec<String>,
}

/// All policies, judged; the older first.
pub(super) fn build(store: &Store) -> Vec<PolicyState> {
    let mut policies: Vec<_> = store
        .list(kinds::BACKEND_TLS_POLICY, None)
        .0
        .into_iter()
        .map(|object| {
            let (valid, conditions) = validate(store, &object);
            PolicyState {
                object,
                valid,
                conditions,
                referenced: false,
                gateways: Vec::new(),
            }
        })
        .collect();
    policies.sort_by_key(|p| age_order(&p.object));
    policies
}

fn invalid(message: &str) -> Value {
    condition("Accepted", false, "Invalid", message)
}

fn validate(store: &Store, policy: &Value) -> (bool, Vec<Value>) {
    let mut conditions = Vec::new();
    let validation = &policy["spec"]["validation"];
    let hostname = validation["hostname"].as_str().unwrap_or_default();
    if let Err(error) = check_hostname(hostname) {
        let message =
            format!("Invalid hostname: validation.hostname: Invalid value: {hostname:?}: {error}");
        conditions.push(invalid(&message));
    }
    let references = validation["caCertificateRefs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let well_known = validation["wellKnownCACertificates"].as_str();
    match (references, well_known) {
        ([_, ..], Some(_)) => conditions.push(invalid(
            "CACertificateRefs and WellKnownCACertificates are mutually exclusive",
        )),
        ([_, ..], None) => match authority(store, policy, references) {
            Err(refused) => conditions.extend(refused),
            Ok(()) if conditions.is_empty() => {
                let message = "All CACertificateRefs are resolved";
                return (
                    true,
                    vec![condition("ResolvedRefs", true, "ResolvedRefs", message)],
                );
            }
            Ok(()) => {}
        },
        ([], Some("System")) => {}
        ([], Some(other)) => {
            let message = format!(
                "invalid WellKnownCACertificates: tls.wellknowncacertificates: Unsupported value: \
                 {other:?}: supported values: \"System\""
            );
            conditions.push(invalid(&message));
        }
        ([], None) => conditions.push(invalid(
            "Either CACertificateRefs or WellKnownCACertificates must be specified",
        )),
    }
    (conditions.is_empty(), conditions)
}

/// RFC 1123, or that after `*.`.
fn check_hostname(hostname: &str) -> Result<(), String> {
    if hostname.is_empty() {
        return Err("cannot be empty string".to_owned());
    }
    let (bare, words, example) = match hostname.strip_prefix("*.") {
        Some(bare) => (
            bare,
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            "",
        ),
        None => (
            hostname,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            " (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fine = bare.split('.').all(|label| {
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|c| plain(c) || c == '-')
    });
    if fine {
        Ok(())
    } else {
        Err(format!("{words}{example}"))
    }
}

/// `validateBackendTLSCACertRef`.
fn authority(store: &Store, policy: &Value, references: &[Value]) -> Result<(), Vec<Value>> {
    const PATH: &str = "validation.caCertificateRefs[0]";
    let none = || {
        let message = "No valid CACertificateRef found";
        condition("Accepted", false, "NoValidCACertificate", message)
    };
    let [reference] = references else {
        let count = references.len();
        let message =
            format!("validation.caCertificateRefs: Too many: {count}: must have at most 1 item");
        return Err(vec![invalid(&message)]);
    };
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let unsupported = |field: &str, supported: &str| {
        let message = format!(
            "{PATH}.{field}: Unsupported value: {:?}: supported values: {supported}",
            text(field)
        );
        Err(vec![
            condition("ResolvedRefs", false, "InvalidKind", &message),
            none(),
        ])
    };
    if !matches!(text("kind"), "ConfigMap" | "Secret") {
        return unsupported("kind", "\"ConfigMap\", \"Secret\"");
    }
    if !matches!(text("group"), "" | "core") {
        return unsupported("group", "\"\", \"core\"");
    }
    let (namespace, name) = (meta(policy, "namespace"), text("name"));
    let resolved = if text("kind") == "Secret" {
        references::secret(store, namespace, name)
    } else {
        references::config_map(store, namespace, name)
    };
    resolved.map_err(|error| {
        let value = json!({"group": text("group"), "kind": text("kind"), "name": name});
        let message = format!("{PATH}: Invalid value: {value}: {error}");
        vec![
            condition("ResolvedRefs", false, "InvalidCACertificateRef", &message),
            none(),
        ]
    })
}

/// Finds the policy for a Service's port, marks it and those that lose to it
/// (`findBackendTLSPolicyForService`). The error is the condition's message.
pub(super) fn find(
    policies: &mut [PolicyState],
    namespace: &str,
    service: &str,
    port_name: &str,
) -> Result<Option<usize>, String> {
    let mut winner = None;
    for (index, policy) in policies.iter_mut().enumerate() {
        if !targets(&policy.object, namespace, service, port_name) {
            continue;
        }
        policy.referenced = true;
        if winner.is_none() {
            // The list is in order of age.
            winner = Some(index);
            if policy.valid {
                let message = "The Policy is accepted";
                policy
                    .conditions
                    .push(condition("Accepted", true, "Accepted", message));
            }
        } else {
            let message = "Conflicts with another BackendTLSPolicy targeting the same Service";
            policy
                .conditions
                .push(condition("Accepted", false, "Conflicted", message));
        }
    }
    match winner {
        Some(index) if !policies[index].valid => {
            let why = policies[index].conditions[0]["message"]
                .as_str()
                .unwrap_or_default();
            Err(format!("The BackendTLSPolicy is invalid: {why}"))
        }
        winner => Ok(winner),
    }
}

fn targets(policy: &Value, namespace: &str, service: &str, port_name: &str) -> bool {
    let references = policy.pointer("/spec/targetRefs").and_then(Value::as_array);
    meta(policy, "namespace") == namespace
        && references.into_iter().flatten().any(|target| {
            let text = |field: &str| target[field].as_str().unwrap_or_default();
            text("name") == service
                && text("kind") == "Service"
                && matches!(text("group"), "" | "core")
                && target["sectionName"]
                    .as_str()
                    .is_none_or(|section| section == port_name)
        })
}

/// The Gateways of each policy, through the routes whose backends it is about
/// (`addGatewaysForBackendTLSPolicies`).
pub(super) fn add_ancestors(
    policies: &mut [PolicyState],
    routes: &[RouteState],
    gateways: &mut [GatewayState],
) {
    for policy in policies {
        let others = policy
            .object
            .pointer("/status/ancestors")
            .and_then(Value::as_array);
        let mut count = others
            .into_iter()
            .flatten()
            .filter(|a| a["controllerName"] != CONTROLLER)
            .count();
        let namespace = meta(&policy.object, "namespace");
        let name = name_of(&policy.object);
        let services: Vec<(String, String)> = policy
            .object
            .pointer("/spec/targetRefs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|target| target["kind"] == "Service")
            .filter_map(|target| Some((namespace.to_owned(), target["name"].as_str()?.to_owned())))
            .collect();
        for gateway in &mut *gateways {
            let used = routes.iter().any(|route| {
                route.attached_to(&gateway.name())
                    && route
                        .services
                        .iter()
                        .any(|service| services.contains(service))
            });
            if !used {
                continue;
            }
            if count >= MAX_ANCESTORS {
                let message = format!(
                    "Policies cannot be applied because the ancestor status list has reached the \
                     maximum size. The following policies have been ignored: BackendTLSPolicy {name}"
                );
                gateway.conditions.push(condition(
                    "Accepted",
                    false,
                    "AncestorLimitReached",
                    &message,
                ));
                continue;
            }
            count += 1;
            policy.gateways.push(gateway.name());
        }
    }
}

impl PolicyState {
    /// Writes the ancestors. A policy that nothing uses is left as it is, even where it has a status
    /// of former times (`PrepareBackendTLSPolicyRequests`).
    pub(super) fn write_status(&self, store: &Store) {
        if !self.referenced {
            return;
        }
        let (namespace, name) = (meta(&self.object, "namespace"), meta(&self.object, "name"));
        let Some(policy) = store.get(kinds::BACKEND_TLS_POLICY, namespace, name) else {
            return;
        };
        let conditions = deduplicated(&self.conditions);
        let ours = self.gateways.iter().filter_map(|gateway| {
            let (namespace, name) = gateway.split_once('/')?;
            Some(json!({
                "ancestorRef": {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": name,
                    "namespace": namespace,
                },
                "conditions": conditions,
                "controllerName": CONTROLLER,
            }))
        });
        let others = policy
            .pointer("/status/ancestors")
            .and_then(Value::as_array);
        let others = others
            .into_iter()
            .flatten()
            .filter(|a| a["controllerName"] != CONTROLLER);
        let ancestors: Vec<_> = ours.chain(others.cloned()).collect();
        let status = json!({"ancestors": ancestors});
        set_status(
            store,
            kinds::BACKEND_TLS_POLICY,
            &policy,
            status,
            Transition::All,
        );
    }
}
