//! Remedies that are changes of objects. Each needs nothing that the tool does not know: where the
//! evidence leaves more than one answer there is no change, only words.

mod ca;
mod shown;

pub(super) use ca::{ca_of_mounted, ca_that_signed, named_ca_signed, same_ca};
use serde_json::{Value, json};
pub(super) use shown::{client_secret_by_ca, client_secrets, name_in_mounted, tls_port};

use crate::{
    diagnosis::{
        context::Context, finding::Remedy, mounted, ngf::policy::hostname_problem, plan::ProbePlan,
        rules::shared::writer, words::says,
    },
    model::{
        kind::Kind,
        kinds::{Certificate, LocalRef},
        object::{Object, ObjectRef},
        snapshot::{Lookup, Snapshot},
    },
};

/// The list at a pointer of an object, with something done to each entry; `None` where that changes
/// nothing. A JSON merge patch replaces lists as a whole.
fn list_with(
    snapshot: &Snapshot,
    object: &ObjectRef,
    pointer: &str,
    mut change: impl FnMut(&mut Value),
) -> Option<Value> {
    let raw = snapshot.raw(object)?;
    let before = raw.pointer(pointer)?;
    let mut list = before.clone();
    list.as_array_mut()?.iter_mut().for_each(&mut change);
    (list != *before).then_some(list)
}

/// A policy's hostname, set to a name.
pub(super) fn hostname(summary: &str, policy: &ObjectRef, name: &str) -> Remedy {
    let patch = json!({"spec": {"validation": {"hostname": name}}});
    Remedy::merge(summary, policy, patch)
}

/// What somebody meant who wrote a URL, a port, a trailing dot or capitals into a hostname.
pub(super) fn hostname_meant(written: &str) -> Option<String> {
    let name = written.trim();
    let name = name.strip_prefix("https://").unwrap_or(name);
    let name = name.split('/').next()?;
    let name = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => name,
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    (name != written && hostname_problem(&name).is_none()).then_some(name)
}

/// The first of a certificate's names that a policy may have as hostname.
pub(super) fn usable_name(names: &[String]) -> Option<&String> {
    names
        .iter()
        .find(|name| !name.starts_with("*.") && hostname_problem(name).is_none())
}

/// A policy's target with another section, or name.
pub(super) fn target(
    context: &Context<'_>,
    summary: impl Into<String>,
    policy: &ObjectRef,
    missed: &LocalRef,
    fields: &Value,
) -> Option<Remedy> {
    let section = missed.section_name.as_deref();
    let targets = list_with(context.snapshot, policy, "/spec/targetRefs", |target| {
        let text = |field: &str| target.get(field).and_then(Value::as_str);
        if text("name") == Some(&missed.name) && text("sectionName") == section {
            json_patch::merge(target, fields);
        }
    })?;
    let patch = json!({"spec": {"targetRefs": targets}});
    Some(Remedy::merge(summary, policy, patch))
}

/// The name that a sectionName means which names no port: that of the port with this number, or the
/// only one there is.
pub(super) fn section_meant<'a>(
    written: &str,
    ports: &'a [crate::model::kinds::ServicePort],
) -> Option<&'a str> {
    let named = || ports.iter().filter(|port| !port.name.is_empty());
    let by_number = written.parse().ok().and_then(|number: u16| {
        named().find(|port| port.port == number || port.target_port.as_deref() == Some(written))
    });
    let only = || match (named().next(), ports.len()) {
        (Some(port), 1) => Some(port),
        _ => None,
    };
    by_number.or_else(only).map(|port| port.name.as_str())
}

/// A route's references to a port that its Service does not have, set to the only one it has.
pub(super) fn backend_port(
    context: &Context<'_>,
    route: &ObjectRef,
    service: &ObjectRef,
    wrong: Option<u16>,
    right: u16,
) -> Option<Remedy> {
    let rules = list_with(context.snapshot, route, "/spec/rules", |rule| {
        let backends = rule.get_mut("backendRefs").and_then(Value::as_array_mut);
        for backend in backends.into_iter().flatten() {
            let text = |field: &str| backend.get(field).and_then(Value::as_str);
            let namespace = text("namespace").unwrap_or(&route.namespace);
            let is_it = text("name") == Some(&service.name)
                && namespace == service.namespace
                && matches!(text("kind"), None | Some("Service"))
                && backend.get("port").and_then(Value::as_u64) == wrong.map(u64::from);
            if is_it {
                backend["port"] = json!(right);
            }
        }
    })?;
    Some(Remedy::merge(
        format!("Use the only port that {service} has, {right}."),
        route,
        json!({"spec": {"rules": rules}}),
    ))
}

/// A route's reference to a listener that its Gateway does not have, set to the only one it has.
pub(super) fn listener(context: &Context<'_>, route: &ObjectRef) -> Option<Remedy> {
    let mut named = None;
    let parents = list_with(context.snapshot, route, "/spec/parentRefs", |parent| {
        let text = |field: &str| parent.get(field).and_then(Value::as_str);
        if !matches!(text("kind"), None | Some("Gateway")) {
            return;
        }
        let namespace = text("namespace").unwrap_or(&route.namespace);
        let gateway = ObjectRef::new(Kind::Gateway, namespace, text("name").unwrap_or_default());
        let Some((gateway, _)) = context.gateways.get(&gateway) else {
            return;
        };
        if let (Some(section), [only]) = (text("sectionName"), gateway.spec.listeners.as_slice())
            && section != only.name
        {
            named = Some((gateway.reference.clone(), only.name.clone()));
            parent["sectionName"] = json!(only.name);
        }
    })?;
    let (gateway, name) = named?;
    Some(Remedy::merge(
        format!("Name the only listener that {gateway} has, {name}."),
        route,
        json!({"spec": {"parentRefs": parents}}),
    ))
}

/// A Gateway's client certificate, set to a Secret of its namespace.
pub(super) fn client_certificate(
    summary: impl Into<String>,
    gateway: &ObjectRef,
    secret: &str,
) -> Remedy {
    let reference = json!({"group": "", "kind": "Secret", "name": secret});
    let patch = json!({"spec": {"tls": {"backend": {"clientCertificateRef": reference}}}});
    Remedy::merge(summary, gateway, patch)
}

/// Whether a Secret of that name is known to be there, or cert-manager writes it.
pub(super) fn secret_exists(context: &Context<'_>, secret: &ObjectRef) -> bool {
    matches!(context.snapshot.secrets.get(secret), Some(Lookup::Found(_)))
        || writer(context, secret).is_some()
}

/// The Secret that a Gateway is to present, where only one can be meant: of the Certificates in its
/// namespace that are issued and fit for clients, the only one that says so in its usages, or else
/// the only one whose Secret nothing uses yet.
pub(super) fn client_secret(context: &Context<'_>, gateway: &ObjectRef) -> Option<String> {
    let here: Vec<&Object<Certificate>> = context
        .snapshot
        .certificates
        .values()
        .map(|certificate| &**certificate)
        .filter(|certificate| certificate.reference.namespace == gateway.namespace)
        .filter(|certificate| !certificate.spec.is_ca && is_ready(certificate))
        .collect();
    let says = |certificate: &&&Object<Certificate>| {
        let usages = &certificate.spec.usages;
        usages.iter().any(|usage| usage == "client auth")
    };
    let for_clients: Vec<_> = here.iter().filter(says).collect();
    match for_clients.as_slice() {
        [one] => return Some(one.spec.secret_name.clone()),
        [] => {}
        _ => return None,
    }
    let free: Vec<_> = here
        .iter()
        // Where usages are named and client auth is not among them, backends refuse it.
        .filter(|certificate| !has_extended_usage(&certificate.spec.usages))
        .filter(|certificate| !is_used(context, certificate))
        .collect();
    match free.as_slice() {
        [one] => Some(one.spec.secret_name.clone()),
        _ => None,
    }
}

fn has_extended_usage(usages: &[String]) -> bool {
    let extended = [
        "server auth",
        "code signing",
        "email protection",
        "ocsp signing",
    ];
    usages
        .iter()
        .any(|usage| extended.contains(&usage.as_str()))
}

fn is_ready(certificate: &Object<Certificate>) -> bool {
    let ready = crate::diagnosis::words::condition(&certificate.status.conditions, "Ready");
    ready.is_some_and(|ready| ready.status == "True") || says(ready, "True", &["Ready"])
}

/// Whether a pod, a workload, a listener or a policy uses the Secret that a Certificate writes.
fn is_used(context: &Context<'_>, certificate: &Object<Certificate>) -> bool {
    let namespace = &certificate.reference.namespace;
    let secret = ObjectRef::new(Kind::Secret, namespace, &certificate.spec.secret_name);
    let cluster = context.cluster(&[Kind::Pod, Kind::Deployment, Kind::DaemonSet]);
    let mounted = cluster
        .pods
        .values()
        .flat_map(|pod| &pod.spec.volumes)
        .chain(
            cluster
                .workloads
                .values()
                .flat_map(|workload| &workload.spec.template.volumes),
        )
        .any(|volume| volume.source == secret);
    mounted || context.references().contains(&secret)
}

/// A BackendTLSPolicy for a Service whose pods mount one TLS Secret of a CA issuer of cert-manager:
/// its `ca.crt` is the CA, and the name is the certificate's.
pub(super) fn policy_for(context: &Context<'_>, service: &ObjectRef) -> Option<Remedy> {
    let found = context.index.service(service)?;
    if !context.index.claims(service).is_empty() {
        // Another beside the one that takes no effect would only conflict with it.
        return None;
    }
    let certificates: Vec<&Object<Certificate>> = mounted::by_service(context.snapshot, found)
        .into_iter()
        .filter(|mounted| mounted.source.kind == Kind::Secret)
        .filter_map(|mounted| writer(context, &mounted.source))
        .filter_map(|writer| context.snapshot.certificates.get(&writer))
        .map(|certificate| &**certificate)
        .filter(|certificate| !certificate.spec.dns_names.is_empty())
        .collect();
    let [certificate] = certificates.as_slice() else {
        return ca::policy_by_facts(context, found);
    };
    let issuer = &certificate.spec.issuer_ref;
    let kind = match issuer.kind.as_deref() {
        None | Some("Issuer") => Kind::Issuer,
        Some("ClusterIssuer") => Kind::ClusterIssuer,
        Some(_) => return None,
    };
    let issuer = ObjectRef::new(kind, &certificate.reference.namespace, &issuer.name);
    let issuer = context.snapshot.issuers.get(&issuer)?;
    // Only these write the CA's own certificate as ca.crt for certain.
    if !is_ready(certificate) || issuer.spec.ca_secret.is_none() {
        return None;
    }
    let name = usable_name(&certificate.spec.dns_names)?;
    let secret = &certificate.spec.secret_name;
    Some(Remedy::create(
        format!(
            "Create a BackendTLSPolicy for {service}: its pods mount Secret {}/{secret}, whose certificate is for {name} and whose ca.crt is the CA of {}.",
            service.namespace, issuer.reference
        ),
        policy_manifest(
            service,
            &json!({"group": "", "kind": "Secret", "name": secret}),
            name,
        ),
    ))
}

/// A NetworkPolicy that lets the data plane's pods of a Gateway in to a Service's pods, beside those that
/// do not: what one of them admits is admitted.
pub(super) fn admit(context: &Context<'_>, from: &ObjectRef, plan: &ProbePlan) -> Option<Remedy> {
    const LABELS: [&str; 2] = [
        "gateway.networking.k8s.io/gateway-name",
        "app.kubernetes.io/name",
    ];
    let service = context.index.service(&plan.service)?;
    let pod = context.snapshot.pods.get(from)?;
    let labels = &pod.meta.labels;
    let label = LABELS
        .into_iter()
        .find(|label| labels.contains_key(*label))?;
    let value = labels.get(label)?;
    let namespace = &plan.service.namespace;
    let name = format!("{}-from-{}", plan.service.name, plan.gateway.name);
    let object = ObjectRef::new(Kind::NetworkPolicy, namespace, &name);
    if service.spec.selector.is_empty() || context.snapshot.contains(&object) {
        return None;
    }
    Some(Remedy::create(
        format!(
            "Let the pods of {} in to those of {}.",
            plan.gateway, plan.service
        ),
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "podSelector": {"matchLabels": service.spec.selector},
                "policyTypes": ["Ingress"],
                "ingress": [{
                    "from": [{
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": from.namespace}},
                        "podSelector": {"matchLabels": {label: value}},
                    }],
                    "ports": [{"protocol": "TCP", "port": plan.endpoint.port}],
                }],
            },
        }),
    ))
}

/// An object of a kind that is to be created, under a name that nothing of that kind has and nothing refers to,
/// as far as is known.
pub(super) fn unused(context: &Context<'_>, kind: Kind, namespace: &str, name: &str) -> ObjectRef {
    let named = |name: String| ObjectRef::new(kind, namespace, name);
    let numbered = (2..100).map(|number| named(format!("{name}-{number}")));
    let mut all = std::iter::once(named(name.to_owned())).chain(numbered);
    all.find(|object| !context.is_taken(object))
        .unwrap_or_else(|| named(name.to_owned()))
}

/// A BackendTLSPolicy of a Service's name.
pub(crate) fn policy_manifest(service: &ObjectRef, ca: &Value, hostname: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "BackendTLSPolicy",
        "metadata": {"name": service.name, "namespace": service.namespace},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": service.name}],
            "validation": {"caCertificateRefs": [ca], "hostname": hostname},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::hostname_meant;

    #[test]
    fn a_hostname_with_a_port_a_scheme_or_capitals_has_one_meaning() {
        for (written, meant) in [
            (
                "secure-app.example.com:8443",
                Some("secure-app.example.com"),
            ),
            (
                "https://secure-app.example.com/",
                Some("secure-app.example.com"),
            ),
            ("Secure-App.Example.com.", Some("secure-app.example.com")),
            ("secure-app.example.com", None),
            ("secure_app", None),
            ("", None),
            ("a:b", None),
        ] {
            assert_eq!(hostname_meant(written).as_deref(), meant, "{written}");
        }
    }
}
