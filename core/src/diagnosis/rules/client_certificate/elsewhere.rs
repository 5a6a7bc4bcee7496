//! G13: servers beside the backends of routes that a Gateway's client certificate is presented to.

use std::collections::{BTreeMap, BTreeSet};

use ngf_text::sanitize;
use serde_json::Value;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendState, ClientCertificate, PolicyDecision, backend::is_authentication},
        rule::{Need, Rule},
        rules::payload_processor::processors,
        words::{condition, list},
    },
    model::{
        kind::Kind,
        kinds::NgfResource,
        object::{Object, ObjectRef},
        topology::is_ngf_controller,
    },
};

/// Characters of a URI that is shown.
const URI: usize = 120;

pub(in crate::diagnosis) const G13: Rule = Rule {
    code: Code::G13,
    severity: Severity::Warning,
    title: "nginx presents the Gateway's client certificate to other servers than the backends of routes",
    explanation: "NGF renders proxy_ssl_certificate once, for all of nginx's http block. Every location that passes requests on by https:// inherits it: the one that fetches the keys of an AuthenticationFilter (JWKS), and those for the backends of ExternalAuth filters and PayloadProcessors, too. A server learns the certificate if it asks for one in the handshake; it cannot use it without its key.",
    remedy: "Where such a server must not learn who the Gateway is, give the routes that need it a Gateway of their own, without a client certificate.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            let ClientCertificate::Presented(secret) = certificate else {
                continue;
            };
            let name = &gateway.reference;
            let mut servers = key_servers(context, name);
            servers.extend(of_processors(context, name));
            if servers.is_empty() {
                continue;
            }
            // By itself it is a path of a route, and shown with its client certificate.
            servers.extend(of_authentication(context, name));
            let all: BTreeSet<&str> = servers.iter().map(|one| one.address.as_str()).collect();
            let severity = if servers.iter().all(|one| one.is_inside) {
                Severity::Info
            } else {
                Severity::Warning
            };
            let mut finding = Finding::new(
                Code::G13,
                severity,
                name,
                format!(
                    "nginx of {name} presents its client certificate also to {}",
                    list(&all, 3)
                ),
            )
            .because("NGF renders proxy_ssl_certificate for all of nginx's http block, and these locations inherit it.")
            .because("A server learns the certificate only if it asks for one.")
            .evidence("client certificate", secret.path(), name.to_string())
            .scope([secret])
            .remedy(Remedy::say(format!(
                "Where one of them must not learn who the Gateway is, give the routes that need it a Gateway without a client certificate. Otherwise nothing: NGF-G13 can be accepted for {name}."
            )));
            for server in servers.iter().take(3) {
                finding = finding.evidence(server.what, &server.address, server.owner.to_string());
            }
            let owners: BTreeSet<&ObjectRef> = servers.iter().map(|one| &one.owner).collect();
            findings.add(finding.scope(owners));
        }
    },
};

/// A server that nginx speaks TLS to.
struct Server {
    /// What it is for.
    what: &'static str,
    /// Its URI, or the Service.
    address: String,
    /// The object that names it.
    owner: ObjectRef,
    /// Whether it is a Service with endpoints in the cluster.
    is_inside: bool,
}

/// The servers of keys that AuthenticationFilters name (`extractUniqueJWKSLocations`).
fn key_servers(context: &Context<'_>, gateway: &ObjectRef) -> Vec<Server> {
    let mut found: BTreeMap<ObjectRef, Server> = BTreeMap::new();
    for rule in context.rules_of(gateway) {
        for filter in rule.route.filters(rule.index) {
            let text = |field: &str| filter.pointer(field).and_then(Value::as_str);
            if text("/extensionRef/kind") != Some(Kind::AuthenticationFilter.name()) {
                continue;
            }
            let named = text("/extensionRef/name").unwrap_or_default();
            let namespace = rule.route.reference.namespace.as_str();
            let name = ObjectRef::new(Kind::AuthenticationFilter, namespace, named);
            let object = context.snapshot.ngf.get(&name);
            if let Some(address) = object.and_then(|object| key_uri(object)) {
                let server = Server {
                    what: "keys are fetched from",
                    address,
                    owner: name.clone(),
                    is_inside: false,
                };
                found.insert(name, server);
            }
        }
    }
    found.into_values().collect()
}

/// Where an AuthenticationFilter that NGF accepts fetches keys from by TLS.
fn key_uri(filter: &Object<NgfResource>) -> Option<String> {
    let text = |pointer: &str| filter.raw.pointer(pointer).and_then(Value::as_str);
    let mut told = filter.status.parents.iter().filter_map(|parent| {
        let of_ngf = is_ngf_controller(&parent.controller_name);
        condition(&parent.conditions, "Accepted").filter(|_| of_ngf)
    });
    let is_refused = told.any(|accepted| accepted.status == "False");
    let is_remote = text("/spec/type") == Some("JWT") && text("/spec/jwt/source") == Some("Remote");
    let uri = text("/spec/jwt/remote/uri").filter(|uri| uri.starts_with("https://"))?;
    (is_remote && !is_refused).then(|| sanitize::line(uri, URI))
}

/// The backends of PayloadProcessors that nginx speaks TLS to (`extractGuardrailsInternalLocations`).
fn of_processors(context: &Context<'_>, gateway: &ObjectRef) -> Vec<Server> {
    let mut found = Vec::new();
    for processor in processors(context) {
        let refusal = processor.refusal(context);
        let is_refused = refusal.is_some_and(|refusal| refusal.gateways.contains(gateway));
        if is_refused || !processor.gateways.contains(gateway) {
            continue;
        }
        let external = processor.external_name(context);
        let is_valid = processor.policy(context).is_some_and(|policy| {
            let decided = context.policies.get(&policy.reference);
            matches!(decided, Some((_, PolicyDecision::Valid(_))))
        });
        if external.is_none() && !is_valid {
            continue;
        }
        found.push(Server {
            what: "requests are inspected by",
            address: match external {
                Some(host) => format!("https://{host}"),
                None => processor.service.to_string(),
            },
            owner: processor.object.reference.clone(),
            is_inside: external.is_none(),
        });
    }
    found
}

/// The backends of ExternalAuth filters that nginx speaks TLS to.
fn of_authentication(context: &Context<'_>, gateway: &ObjectRef) -> Vec<Server> {
    let mut found = BTreeMap::new();
    for rule in context.rules_of(gateway) {
        for backend in &rule.decision.backends {
            let is_authentication = backend.reference.filter.is_some_and(|filter| {
                backend.filter && is_authentication(rule.route, rule.index, filter)
            });
            if is_authentication && matches!(backend.state, BackendState::Tls { .. }) {
                found.entry(backend.label()).or_insert_with(|| Server {
                    what: "requests are authenticated by",
                    address: backend.label(),
                    owner: rule.route.reference.clone(),
                    is_inside: true,
                });
            }
        }
    }
    found.into_values().collect()
}
