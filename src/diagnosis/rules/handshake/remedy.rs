//! What to do about what a probe showed.

use std::collections::{BTreeMap, BTreeSet};

use ngf_probes::{
    certificate::CertificateFacts,
    transcript::{Outcome, Transcript},
};

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        evidence::Probed,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::known,
        plan::{PlannedTls, ProbePlan, TrustSource},
        registry::Rule,
        rules::expiry,
        words::{self, list},
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Lookup, topology::host_and_port},
};

pub(super) fn remedy(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    let policy = plan.tls.as_ref().map(|tls| &tls.policy);
    let leaf = transcript.server_chain.first();
    let client = plan
        .tls
        .as_ref()
        .and_then(|tls| tls.client_certificate.as_ref());
    Some(match code {
        "NGF-T1" | "NGF-T4" => Remedy::say(format!(
            "Name in {} the CA that signed the backend's certificate{}, or reissue the certificate from the CA that is named.",
            policy?,
            leaf.map_or_else(String::new, |leaf| format!(" ({})", leaf.issuer))
        )),
        "NGF-T3" => {
            Remedy::say("Add the self-signed root to ca.crt: nginx accepts no partial chain.")
        }
        "NGF-T8" | "NGF-T9" => {
            let policy = policy?;
            let name = leaf.and_then(|leaf| {
                leaf.dns_names
                    .iter()
                    .find(|name| !name.starts_with("*."))
                    .or(leaf.dns_names.first())
            });
            match name {
                Some(name) if !name.starts_with("*.") => Remedy::command(
                    "Set the policy's hostname to a name in the certificate, or reissue the certificate.",
                    format!(
                        "kubectl -n {} patch backendtlspolicy {} --type=merge -p '{{\"spec\":{{\"validation\":{{\"hostname\":\"{name}\"}}}}}}'",
                        policy.namespace, policy.name
                    ),
                ),
                _ => Remedy::say(
                    "Set validation.hostname to a name in the certificate, or reissue the certificate with the name.",
                ),
            }
        }
        "NGF-T10" => Remedy::say(format!(
            "Set validation.hostname of {} to a name that the backend serves.",
            policy?
        )),
        "NGF-T12" => Remedy::say(format!(
            "Let the route refer to the Service's TLS port, or take port {} out of {} with a sectionName.",
            plan.port, policy?
        )),
        "NGF-B1" | "NGF-B10" | "NGF-B11" if client.is_none() => Remedy::yaml(
            format!("Name a client certificate in {}.", plan.gateway),
            "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: gateway-client-cert\n",
        ),
        "NGF-B1" => Remedy::say(format!(
            "{} names {}, but nginx did not present it: see whether the Gateway is programmed.",
            plan.gateway, client?
        )),
        "NGF-B2" | "NGF-B10" | "NGF-B11" => {
            let cas = &transcript.client_certificate.acceptable_cas;
            let from = if cas.is_empty() {
                String::new()
            } else {
                format!(" ({})", list(cas, 2))
            };
            Remedy::say(format!(
                "Issue the certificate in {} from the CA that the backend trusts{from}, or let the backend trust its issuer.",
                client?
            ))
        }
        "NGF-B3" | "NGF-B4" => expiry::reissue(context, client?),
        "NGF-B8" => Remedy::yaml(
            "Let the policy's hostname and the Host header be one, by changing the one or rewriting the other.",
            format!(
                "filters:\n- type: URLRewrite\n  urlRewrite:\n    hostname: {}\n",
                plan.tls.as_ref()?.hostname
            ),
        ),
        "NGF-B9" => Remedy::yaml(
            "Create a BackendTLSPolicy for the Service.",
            format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: {name}\n  validation:\n    caCertificateRefs:\n    - group: \"\"\n      kind: ConfigMap\n      name: {name}-ca\n    hostname: NAME.IN.THE.CERTIFICATE\n",
                name = plan.service.name,
                namespace = plan.service.namespace
            ),
        ),
        "NGF-T14" => {
            let pod = plan.endpoint.pod.as_ref()?;
            Remedy::command(
                "See whether the process listens there, and whether a NetworkPolicy stands between.",
                format!(
                    "kubectl -n {ns} logs {name} --tail=50\nkubectl -n {ns} get networkpolicies",
                    ns = pod.namespace,
                    name = pod.name
                ),
            )
        }
        "NGF-T5" | "NGF-T6" | "NGF-T7" => Remedy::say(
            "Renew the backend's certificate, and let the backend load it: many servers read it only at start.",
        ),
        "NGF-T13" => {
            let pod = plan.endpoint.pod.as_ref()?;
            Remedy::command(
                "Look at the backend's log of that moment: a PROXY protocol listener or a sidecar closes like this.",
                format!("kubectl -n {} logs {} --tail=50", pod.namespace, pod.name),
            )
        }
        _ => return None,
    })
}
