//! G10 and C3: client certificates that are never presented.

use serde_json::Value;

use crate::{
    diagnosis::{
        code::Code,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendState, ClientCertificate, known},
        rule::{Need, Rule},
        rules::condition::class::gateway_api_version,
    },
    model::{kinds::Gateway, object::Object},
};

/// The annotation in which kubectl keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The same as a place of evidence.
const OF_APPLIED: &str = "annotation kubectl.kubernetes.io/last-applied-configuration";

pub(in crate::diagnosis) const G10: Rule = Rule {
    code: Code::G10,
    severity: Severity::Warning,
    title: "The Gateway has a client certificate, and no backend that it could present it to",
    explanation: "nginx presents the client certificate only in TLS connections, and speaks TLS only to backends on which a BackendTLSPolicy takes effect. Without one it speaks plain HTTP, whatever the port is named.",
    remedy: "Create a BackendTLSPolicy that targets the backend's Service in the Service's namespace, or drop the client certificate.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            let ClientCertificate::Presented(secret) = certificate else {
                continue;
            };
            let name = &gateway.reference;
            let routed = context.rules_of(name).next().is_some();
            // With a policy that fails for another reason, that reason is the finding.
            let any_policy = context
                .rules_of(name)
                .flat_map(|rule| &rule.decision.backends)
                .any(|backend| backend.state.policy().is_some());
            // Nor is plain HTTP spoken to a backend that is answered for with 500.
            let any_plain = context
                .rules_of(name)
                .flat_map(|rule| &rule.decision.backends)
                .any(|backend| matches!(backend.state, BackendState::Plain));
            let all_known =
                known::kind_is_known(context.snapshot, crate::model::kind::Kind::BackendTLSPolicy)
                    .is_ok();
            if !routed || any_policy || !any_plain || !all_known && !context.is_files() {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::G10,
                    Severity::Warning,
                    name,
                    format!("{name} has a client certificate, and speaks TLS to none of its backends"),
                )
                .because("No BackendTLSPolicy takes effect on any Service behind it, so nginx speaks plain HTTP to all of them.")
                .evidence("spec.tls.backend.clientCertificateRef", secret.path(), name.to_string())
                .scope([secret])
                .remedy(Remedy::say("Create a BackendTLSPolicy for the backend's Service (NGF-P1 names policies that miss theirs).")),
            );
        }
    },
};

pub(in crate::diagnosis) const C3: Rule = Rule {
    code: Code::C3,
    severity: Severity::Error,
    title: "The API server dropped what was applied to the Gateway about client certificates",
    explanation: "spec.tls.backend, the certificate that nginx presents to backends, and spec.tls.frontend, the CAs of the Gateway's clients, are in the standard CRDs only from Gateway API v1.5.0 on (v1.4: experimental only; v1.3 experimental: spec.backendTLS, and tls.frontendValidation of a listener). An API server with older CRDs drops them without a word.",
    remedy: "Upgrade the Gateway API CRDs and apply the Gateway again.",
    causes: &[Code::B1, Code::B10, Code::B11, Code::G8],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for (gateway, _) in context.gateways.values() {
            let name = &gateway.reference;
            let applied = gateway
                .meta
                .annotations
                .get(LAST_APPLIED)
                .and_then(|text| serde_json::from_str::<Value>(text).ok());
            clients_dropped(findings, gateway, applied.as_ref());
            if gateway.spec.client_certificate_ref.is_some() {
                continue;
            }
            let dropped = applied.is_some_and(|applied| {
                applied
                    .pointer("/spec/tls/backend/clientCertificateRef/name")
                    .is_some()
            });
            let old = gateway.spec.old_client_certificate_ref.as_ref();
            if !dropped && old.is_none() {
                continue;
            }
            let (what, value, place) = if dropped {
                (
                    "applied, and not in the object",
                    "spec.tls.backend.clientCertificateRef".to_owned(),
                    OF_APPLIED,
                )
            } else {
                (
                    "spec.backendTLS.clientCertificateRef",
                    old.map_or_else(String::new, |old| old.name.clone()),
                    "the place of Gateway API 1.3, which NGF does not read",
                )
            };
            findings.add(
                Finding::new(
                    Code::C3,
                    Severity::Error,
                    name,
                    format!("{name} was given a client certificate in a field that this cluster's Gateway API does not have"),
                )
                .because("nginx presents no client certificate, and every condition stays True.")
                .evidence(what, value, place)
                .remedy(Remedy::command(
                    "Upgrade the Gateway API CRDs to v1.5 or later, then apply the Gateway again.",
                    gateway_api_version(),
                )),
            );
        }
    },
};

/// C3 of the CAs by which the Gateway would verify its clients.
fn clients_dropped(findings: &mut Findings, gateway: &Object<Gateway>, applied: Option<&Value>) {
    if gateway.raw.pointer("/spec/tls/frontend").is_some() {
        return;
    }
    let name = &gateway.reference;
    let applied = applied.and_then(|applied| applied.pointer("/spec/tls/frontend"));
    let listeners = gateway
        .raw
        .pointer("/spec/listeners")
        .and_then(Value::as_array);
    let mut listeners = listeners.into_iter().flatten();
    let has_old = listeners.any(|listener| listener.pointer("/tls/frontendValidation").is_some());
    let (what, value, place) = if applied.is_some_and(Value::is_object) {
        (
            "applied, and not in the object",
            "spec.tls.frontend",
            OF_APPLIED,
        )
    } else if has_old {
        (
            "spec.listeners[].tls.frontendValidation",
            "set",
            "the place of Gateway API 1.3, which NGF does not read",
        )
    } else {
        return;
    };
    findings.add(
        Finding::new(
            Code::C3,
            Severity::Error,
            name,
            format!("{name} was given CAs of its clients in a field that this cluster's Gateway API does not have"),
        )
        .because("Its listeners accept clients with any certificate, and without one, and every condition stays True.")
        .evidence(what, value, place)
        .remedy(Remedy::command(
            "Upgrade the Gateway API CRDs to v1.5 or later, then apply the Gateway again.",
            gateway_api_version(),
        )),
    );
}
