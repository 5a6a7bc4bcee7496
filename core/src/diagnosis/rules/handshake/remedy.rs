//! What to do about what a probe showed.

use serde_json::json;

use super::{
    connection::Case,
    refusal::{Known, OtherCa},
};
use crate::{
    command::Command,
    diagnosis::{
        context::Context,
        finding::Remedy,
        plan::ProbePlan,
        rules::{change, shared},
        words::list,
    },
    model::{kind::Kind, object::ObjectRef},
};

/// The CA that signed what a probe saw: named in the policy instead of the one that is, or brought to nginx by NGF.
pub(super) fn the_ca(case: &Case<'_, '_>) -> Option<Remedy> {
    let transcript = case.transcript()?;
    // Another name for the same CA changes nothing: nginx has not read the one that is named.
    if change::named_ca_signed(case.context, case.plan, transcript) {
        return Some(Remedy::say(format!(
            "Let NGF bring nginx the CA that {} names: it verifies this certificate, and nginx has an older one.",
            case.policy()?
        )));
    }
    change::ca_that_signed(case.context, case.plan, transcript)
}

/// The same in words, where it is unknown which CA is meant.
pub(super) fn name_the_ca(case: &Case<'_, '_>) -> Option<Remedy> {
    case.transcript()?;
    let issuer = case.leaf().map(|leaf| format!(" ({})", leaf.issuer));
    Some(Remedy::say(format!(
        "Name in {} the CA that signed the backend's certificate{}, or reissue the certificate from the CA that is named.",
        case.policy()?,
        issuer.unwrap_or_default()
    )))
}

/// Another certificate for the backend of a probe.
pub(super) fn renew_backend(case: &Case<'_, '_>) -> Option<Remedy> {
    case.transcript()?;
    Some(Remedy::say(
        "Renew the backend's certificate, and let the backend load it: many servers read it only at start.",
    ))
}

/// A client certificate of a CA that the backend of a probe trusts.
pub(super) fn reissue_from_trusted(case: &Case<'_, '_>) -> Option<Remedy> {
    let cas = &case.transcript()?.client_certificate.acceptable_cas;
    let from = if cas.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(cas, 2))
    };
    Some(Remedy::say(format!(
        "Issue the certificate in {} from the CA that the backend trusts{from}, or let the backend trust its issuer.",
        case.client_certificate()?
    )))
}

/// The name in the policy that the certificate of a probe is for.
pub(super) fn hostname(case: &Case<'_, '_>) -> Option<Remedy> {
    case.transcript()?;
    let policy = case.policy()?;
    let names = case.leaf().map_or(&[][..], |leaf| &leaf.dns_names);
    Some(match change::usable_name(names) {
        Some(name) => change::hostname(
            "Set the policy's hostname to a name in the certificate, or reissue the certificate.",
            policy,
            name,
        ),
        None => Remedy::say(
            "Set validation.hostname to a name in the certificate, or reissue the certificate with the name.",
        ),
    })
}

/// The log of the endpoint's pod, then the objects of another resource in its namespace.
pub(super) fn pod_log(
    plan: &ProbePlan,
    what: &str,
    resource: Option<&'static str>,
) -> Option<Remedy> {
    let pod = plan.endpoint.pod.as_ref()?;
    let kubectl = || Command::kubectl(&pod.namespace);
    let log = kubectl()
        .words(["logs"])
        .name(pod.kind, &pod.name)
        .words(["--tail=50"]);
    Some(Remedy::command(
        what,
        match resource {
            None => log,
            Some(resource) => log.then(kubectl().words(["get", resource])),
        },
    ))
}

/// A backend that follows as many intermediates as the chain has.
pub(super) fn deeper(intermediates: usize) -> Remedy {
    Remedy::say(format!(
        "Set ssl_verify_depth {intermediates}; in the backend's nginx and reload it, or issue the client certificate with fewer intermediates."
    ))
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
        let get = Command::kubectl(&object.namespace)
            .words(["get"])
            .object(object)
            .data_key(key);
        // A ConfigMap holds text.
        if object.kind == Kind::Secret {
            get.pipe(Command::new("base64").words(["-d"]))
        } else {
            get
        }
    };
    let mut commands = get(client, "tls.crt").write_to("chain.pem");
    for known in missing {
        let Some((object, key)) = &known.object else {
            return Remedy::say(summary);
        };
        commands = commands.then(get(object, key).append_to("chain.pem"));
    }
    let patch = Command::kubectl(&client.namespace)
        .words(["patch"])
        .object(client)
        .words(["--type=merge"])
        .patch_with(
            "{\"data\":{\"tls.crt\":\"",
            Command::new("base64").words(["-w0", "chain.pem"]),
            "\"}}",
        );
    Remedy::command(summary, commands.then(patch))
}

/// The right CA in the backend.
pub(super) fn mount(plan: &ProbePlan, other: &OtherCa<'_>) -> Remedy {
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
            Command::kubectl(&pod.namespace)
                .words(["get"])
                .object(pod)
                .json_path("{.spec.volumes}"),
        ),
        None => Remedy::say(summary),
    }
}

/// A client certificate for the Gateway of a connection, which names none.
pub(super) fn name_one(case: &Case<'_, '_>) -> Remedy {
    name_client_certificate(case.context, &case.plan.gateway, &case.plan.service)
}

/// A client certificate for a Gateway that names none.
pub(super) fn name_client_certificate(
    context: &Context<'_>,
    gateway: &ObjectRef,
    service: &ObjectRef,
) -> Remedy {
    if let Some(secret) = change::client_secret_by_ca(context, gateway, service) {
        let summary = format!(
            "Name Secret {}/{secret} in {gateway}: of the certificates for clients in its namespace, the only one that verifies by the CA that the pods of {service} mount.",
            gateway.namespace
        );
        return change::client_certificate(summary, gateway, &secret);
    }
    match change::client_secret(context, gateway) {
        Some(secret) => change::client_certificate(
            format!(
                "Name Secret {}/{secret} in {gateway}: of the certificates in its namespace, the only one for clients.",
                gateway.namespace
            ),
            gateway,
            &secret,
        ),
        None => client_certificate_to_choose(context, gateway),
    }
}

/// Where no one Secret can be meant: those that can, or how to find or create one.
fn client_certificate_to_choose(context: &Context<'_>, gateway: &ObjectRef) -> Remedy {
    let namespace = &gateway.namespace;
    let name_it = format!(
        "name it in spec.tls.backend.clientCertificateRef of {gateway}; the backend must trust its CA"
    );
    let known = change::client_secrets(context, namespace);
    if !known.is_empty() {
        return Remedy::say(format!(
            "Choose one of the TLS Secrets in namespace {namespace} with a certificate for clients ({}) and {name_it}.",
            list(&known, 4)
        ));
    }
    let create = change::unused(context, Kind::Secret, namespace, "gateway-client-tls");
    let command = Command::kubectl(namespace)
        .words(["create", "secret", "tls"])
        .name(Kind::Secret, &create.name)
        .words(["--cert=client.crt", "--key=client.key"]);
    if context.is_files() {
        return Remedy::command(
            format!(
                "The files hold no TLS Secret in namespace {namespace} with a certificate for clients. Create one, such as {create}, and {name_it}."
            ),
            command,
        );
    }
    Remedy::command(
        format!(
            "Look for a TLS Secret in namespace {namespace} with a certificate for clients (the tool reads only Secrets that something refers to), or create one, such as {create}; then {name_it}."
        ),
        Command::kubectl(namespace)
            .words(["get", "secrets"])
            .words(["--field-selector=type=kubernetes.io/tls"])
            .then(command),
    )
}

/// A policy in which a person has to fill in the name, for a CA that stands in no object that is known.
pub(super) fn policy_to_complete(case: &Case<'_, '_>) -> Remedy {
    let (context, service) = (case.context, &case.plan.service);
    let claims = context.index.claims(service);
    if let Some(claim) = claims.first() {
        return Remedy::say(format!(
            "{} targets {service} and takes no effect on this port: repair that one, because another policy would conflict with it.",
            claim.policy.reference
        ));
    }
    let ca = format!("{}-ca", service.name);
    let ca = change::unused(context, Kind::ConfigMap, &service.namespace, &ca);
    let reference = json!({"group": "", "kind": "ConfigMap", "name": ca.name});
    Remedy::manifest(
        format!(
            "Create {ca} with the backend's CA under ca.crt (there is none of that name yet), then a BackendTLSPolicy for {service} with a name that the certificate carries."
        ),
        &change::policy_manifest(service, &reference, "NAME.IN.THE.CERTIFICATE"),
    )
}
