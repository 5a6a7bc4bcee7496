//! What to do about what a probe showed.

use ngf_probes::transcript::Transcript;

use super::refusal::{Known, OtherCa, Refusal, refusal};
use crate::{
    diagnosis::{
        context::Context,
        finding::Remedy,
        plan::ProbePlan,
        rules::{change, expiry, shared},
        words::list,
    },
    model::{kind::Kind, object::ObjectRef},
};

const CLIENT_CERTIFICATE: &str = "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: gateway-client-cert\n";

pub(super) fn remedy(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    if code.starts_with("NGF-B") {
        backend_refuses(context, code, plan, transcript)
    } else {
        gateway_refuses(context, code, plan, transcript)
    }
}

fn gateway_refuses(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    if matches!(code, "NGF-T1" | "NGF-T3" | "NGF-T4")
        && let Some(remedy) = change::ca_that_signed(context, plan, transcript)
    {
        return Some(remedy);
    }
    let policy = plan.tls.as_ref().map(|tls| &tls.policy);
    let leaf = transcript.server_chain.first();
    Some(match code {
        "NGF-T1" | "NGF-T4" => Remedy::say(format!(
            "Name in {} the CA that signed the backend's certificate{}, or reissue the certificate from the CA that is named.",
            policy?,
            leaf.map_or_else(String::new, |leaf| format!(" ({})", leaf.issuer))
        )),
        "NGF-T3" => {
            Remedy::say("Add the self-signed root to ca.crt: nginx accepts no partial chain.")
        }
        "NGF-T5" | "NGF-T6" | "NGF-T7" => Remedy::say(
            "Renew the backend's certificate, and let the backend load it: many servers read it only at start.",
        ),
        "NGF-T8" | "NGF-T9" => hostname(policy?, leaf.map_or(&[], |leaf| &leaf.dns_names)),
        "NGF-T10" => Remedy::say(format!(
            "Set validation.hostname of {} to a name that the backend serves.",
            policy?
        )),
        "NGF-T12" => Remedy::say(format!(
            "Let the route refer to the Service's TLS port, or take port {} out of {} with a sectionName.",
            plan.port, policy?
        )),
        "NGF-T13" => pod_log(
            plan,
            "Look at the backend's log of that moment: a PROXY protocol listener or a sidecar closes like this.",
            "",
        )?,
        "NGF-T14" => pod_log(
            plan,
            "See whether the process listens there, and whether a NetworkPolicy stands between.",
            "get networkpolicies",
        )?,
        _ => return None,
    })
}

fn hostname(policy: &ObjectRef, names: &[String]) -> Remedy {
    match change::usable_name(names) {
        Some(name) => change::hostname(
            "Set the policy's hostname to a name in the certificate, or reissue the certificate.",
            policy,
            name,
        ),
        None => Remedy::say(
            "Set validation.hostname to a name in the certificate, or reissue the certificate with the name.",
        ),
    }
}

fn pod_log(plan: &ProbePlan, what: &str, further: &str) -> Option<Remedy> {
    let pod = plan.endpoint.pod.as_ref()?;
    let log = format!("kubectl -n {} logs {} --tail=50", pod.namespace, pod.name);
    Some(Remedy::command(
        what,
        match further {
            "" => log,
            further => format!("{log}\nkubectl -n {} {further}", pod.namespace),
        },
    ))
}

fn backend_refuses(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    let client = plan
        .tls
        .as_ref()
        .and_then(|tls| tls.client_certificate.as_ref());
    Some(match code {
        "NGF-B1" | "NGF-B10" | "NGF-B11" if client.is_none() => {
            name_client_certificate(context, &plan.gateway)
        }
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
        "NGF-B5" | "NGF-B6" => match refusal(context, plan, Some(transcript)) {
            Refusal::Incomplete(missing) => complete(context, client?, &missing),
            Refusal::OtherCaInBackend(other) => mount(plan, &other),
            _ => return None,
        },
        "NGF-B3" | "NGF-B4" => expiry::reissue(context, client?),
        "NGF-B8" => Remedy::yaml(
            "Let the policy's hostname and the Host header be one, by changing the one or rewriting the other.",
            format!(
                "filters:\n- type: URLRewrite\n  urlRewrite:\n    hostname: {}\n",
                plan.tls.as_ref()?.hostname
            ),
        ),
        "NGF-B9" => change::policy_for(context, &plan.service).unwrap_or_else(|| {
            Remedy::yaml(
                "Create a BackendTLSPolicy for the Service.",
                policy_for(&plan.service),
            )
        }),
        _ => return None,
    })
}

/// The intermediates behind the leaf. No value of a Secret is read for it: the command does.
pub(super) fn complete(context: &Context<'_>, client: &ObjectRef, missing: &[Known<'_>]) -> Remedy {
    let names = list(missing.iter().map(|known| &known.facts.subject), 3);
    let summary = match shared::writer(context, client) {
        Some(writer) => format!(
            "Put {names} behind the leaf in tls.crt of {client}. {writer} writes it: let its issuer's own tls.crt hold the chain, too, so that the next one comes with it."
        ),
        None => format!("Put {names} behind the leaf in tls.crt of {client}."),
    };
    let get = |object: &ObjectRef, key: &str| {
        format!(
            "kubectl -n {} get {} {} -o jsonpath='{{.data.{}}}'{}",
            object.namespace,
            object.kind.name().to_ascii_lowercase(),
            object.name,
            key.replace('.', "\\."),
            // A ConfigMap holds text.
            if object.kind == Kind::Secret {
                " | base64 -d"
            } else {
                ""
            }
        )
    };
    let mut commands = vec![format!("{} > chain.pem", get(client, "tls.crt"))];
    for known in missing {
        let Some((object, key)) = &known.object else {
            return Remedy::say(summary);
        };
        commands.push(format!("{} >> chain.pem", get(object, key)));
    }
    commands.push(format!(
        "kubectl -n {} patch secret {} --type=merge -p '{{\"data\":{{\"tls.crt\":\"'$(base64 -w0 chain.pem)'\"}}}}'",
        client.namespace, client.name
    ));
    Remedy::command(summary, commands.join("\n"))
}

/// The right CA in the backend.
fn mount(plan: &ProbePlan, other: &OtherCa<'_>) -> Remedy {
    let (common, place) = (&other.common.facts.subject, other.common.place());
    let service = &plan.service;
    let summary = match (&other.mounted, &other.right) {
        (_, Some(right)) => format!(
            "Let the pods of {service} verify clients by {common}, which they mount with {right}, and load it: many servers read it only at start."
        ),
        (Some(object), None) => format!(
            "Let the pods of {service} trust {common} ({place}) for clients: they mount {object}, which holds another CA. Then let them load it."
        ),
        (None, None) => format!(
            "Let the pods of {service} trust {common} ({place}) for clients, and load it: many servers read it only at start."
        ),
    };
    match &plan.endpoint.pod {
        Some(pod) => Remedy::command(
            summary,
            format!(
                "kubectl -n {} get pod {} -o jsonpath='{{.spec.volumes}}'",
                pod.namespace, pod.name
            ),
        ),
        None => Remedy::say(summary),
    }
}

/// A client certificate for a Gateway that names none.
pub(super) fn name_client_certificate(context: &Context<'_>, gateway: &ObjectRef) -> Remedy {
    match change::client_secret(context, gateway) {
        Some(secret) => change::client_certificate(
            format!(
                "Name Secret {}/{secret} in {gateway}: of the certificates in its namespace, the only one for clients.",
                gateway.namespace
            ),
            gateway,
            &secret,
        ),
        None => Remedy::yaml(
            format!("Name a TLS Secret in {gateway} whose certificate the backend trusts."),
            CLIENT_CERTIFICATE,
        ),
    }
}

fn policy_for(service: &ObjectRef) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: {name}\n  validation:\n    caCertificateRefs:\n    - group: \"\"\n      kind: ConfigMap\n      name: {name}-ca\n    hostname: NAME.IN.THE.CERTIFICATE\n",
        name = service.name,
        namespace = service.namespace
    )
}
