//! G1 to G7: client certificates that NGF does not take.

pub(in crate::diagnosis) mod elsewhere;
pub(in crate::diagnosis) mod fitness;
pub(in crate::diagnosis) mod presence;

use serde_json::json;

use super::{
    change::{client_certificate, secret_exists},
    condition::blind::is_blind_to,
    shared::{grant, near, upper, with_oddity, writer},
};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{ClientCertificate, known, resolve::Fault},
        rule::{Need, Rule},
        words::{condition, says},
    },
    model::{
        kind::Kind,
        kinds::Gateway,
        object::{Condition, Object, ObjectRef},
        snapshot::Lookup,
    },
};

macro_rules! refused {
    ($name:ident, $code:expr, $needs:expr, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &[Code::B1, Code::B10, Code::B11],
            needs: $needs,
            check: |context, findings| refused(context, findings, $code),
        };
    };
}

refused!(
    G1,
    Code::G1,
    &[Need::Paths, Need::Certificates],
    "The Gateway's client certificate reference names a kind other than Secret",
    "NGF takes only Secrets as spec.tls.backend.clientCertificateRef. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Set the reference's kind to Secret."
);

refused!(
    G2,
    Code::G2,
    &[Need::Paths, Need::Certificates],
    "The Gateway's client certificate reference names a group other than the core one",
    "NGF takes only Secrets of the core group as spec.tls.backend.clientCertificateRef. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Leave the reference's group out, or set it to \"\"."
);

refused!(
    G3,
    Code::G3,
    &[Need::Paths, Need::Certificates],
    "The Gateway's client certificate Secret does not exist",
    "The Gateway stays Accepted and Programmed, and nginx runs without a client certificate. NGF recovers by itself when the Secret appears.",
    "Create the Secret, or name the one that exists."
);

refused!(
    G4,
    Code::G4,
    &[Need::Paths, Need::Certificates],
    "The Gateway's client certificate Secret is not of type kubernetes.io/tls",
    "NGF reads tls.crt and tls.key of TLS Secrets only; an Opaque one with the same keys is refused. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Create the Secret again as kubernetes.io/tls: a Secret's type cannot be changed."
);

refused!(
    G5,
    Code::G5,
    &[Need::Paths, Need::Certificates],
    "The certificate and key in the Gateway's client certificate Secret do not form a usable pair",
    "NGF parses both and refuses what does not fit together, is truncated, or is encrypted. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Put a matching certificate and unencrypted key into the Secret."
);

refused!(
    G6,
    Code::G6,
    &[Need::Paths, Need::Certificates],
    "A broken ca.crt in the client certificate Secret makes NGF refuse a good pair",
    "NGF validates ca.crt wherever it stands in a TLS Secret, although a client certificate does not need it.",
    "Repair ca.crt, or remove it from the Secret."
);

refused!(
    G7,
    Code::G7,
    &[Need::Paths, Need::Certificates],
    "No ReferenceGrant lets the Gateway use the client certificate Secret of another namespace",
    "A Gateway may refer to a Secret of another namespace only where a ReferenceGrant there allows it. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Create the ReferenceGrant in the Secret's namespace."
);

/// The condition in which NGF reports all of these.
fn reported(gateway: &Object<Gateway>) -> Option<&Condition> {
    let reference = gateway.spec.client_certificate_ref.as_ref();
    let own = &gateway.reference.namespace;
    let secret = reference.map(|reference| {
        let namespace = reference.namespace.as_deref().unwrap_or(own);
        format!("secret ref {namespace}/{} not", reference.name)
    });
    condition(&gateway.status.conditions, "ResolvedRefs").filter(|condition| {
        let reason = condition.reason.as_str();
        // A CA of the Gateway's clients that is not granted is reported in the same words (NGF-L1).
        let names_it = || secret.is_some_and(|secret| condition.message.starts_with(&*secret));
        condition.status == "False"
            && (reason == "InvalidClientCertificateRef"
                || reason == "RefNotPermitted" && names_it())
    })
}

/// Which of the codes NGF's words mean.
fn code_in_words(condition: &Condition) -> Code {
    let message = condition.message.as_str();
    match () {
        () if condition.reason == "RefNotPermitted" => Code::G7,
        () if message.contains("clientCertificateRef.kind") => Code::G1,
        () if message.contains("clientCertificateRef.group") => Code::G2,
        () if message.contains("unsupported secret type") => Code::G4,
        () if message.contains("tls secret is invalid") => Code::G5,
        () if message.contains("ca.crt") || message.contains("failed to validate certificate") => {
            Code::G6
        }
        () => Code::G3,
    }
}

/// What the objects say first; what NGF reported where they say nothing.
fn refused(context: &Context<'_>, findings: &mut Findings, code: Code) {
    for (gateway, certificate) in context.gateways.values() {
        let reported = reported(gateway);
        let finding = match certificate {
            ClientCertificate::Refused {
                code: found,
                secret,
                fault,
                message,
                ..
            } if *found == code => Some(from_objects(
                context,
                gateway,
                code,
                secret.as_ref(),
                *fault,
                message,
                reported,
            )),
            ClientCertificate::Refused { .. } | ClientCertificate::None => None,
            ClientCertificate::Presented(secret) => reported
                .filter(|condition| code_in_words(condition) == code)
                .filter(|_| !is_blind_to(findings, &gateway.reference))
                .map(|condition| only_reported(context, gateway, code, secret, condition)),
            ClientCertificate::Unknown { secret, why } => match reported {
                Some(condition) if code_in_words(condition) == code => {
                    Some(only_reported(context, gateway, code, secret, condition))
                }
                None if code == Code::G3 => unknown_secret(context, gateway, secret, why),
                _ => None,
            },
        };
        if let Some(finding) = finding {
            if reported.is_some() {
                findings.explain(&gateway.reference, "ResolvedRefs");
            }
            findings.add(finding);
        }
    }
}

fn from_objects(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    code: Code,
    secret: Option<&ObjectRef>,
    fault: Option<Fault>,
    message: &str,
    reported: Option<&Condition>,
) -> Finding {
    let name = &gateway.reference;
    let what = secret.map_or_else(|| "what it names".to_owned(), ToString::to_string);
    let title = match (code, fault) {
        (Code::G3, _) => format!("{what}, the client certificate of {name}, does not exist"),
        (Code::G4, _) => format!(
            "{what}, the client certificate of {name}, is of type {}, not kubernetes.io/tls",
            secret.map_or_else(String::new, |secret| secret_type(context, secret))
        ),
        (Code::G5, _) => format!(
            "{what}, the client certificate of {name}, holds a certificate and a key that do not form a usable pair"
        ),
        (Code::G6, _) => format!(
            "A broken ca.crt in {what} keeps {name} from presenting the good certificate in the same Secret"
        ),
        (Code::G7, _) => format!("No ReferenceGrant lets {name} use {what} as client certificate"),
        _ => format!("{name} names something other than a Secret as client certificate"),
    };
    let mut finding = Finding::new(code, Severity::Error, name, title)
        .because("Accepted and Programmed stay True, and nginx presents no client certificate.")
        .condition_if(name, reported)
        .scope(secret)
        .remedy(remedy(context, gateway, code, secret));
    if reported.is_none() {
        finding = finding.evidence("NGF says", message, "predicted from the objects");
    }
    if let (Some(secret), Code::G5 | Code::G6) = (secret, code) {
        finding = with_oddity(context, finding, secret);
    }
    if let (Some(secret), Code::G7) = (secret, code) {
        finding = near(context, finding, "Gateway", &name.namespace, secret);
    }
    if reported.is_none() && !context.is_files() && context.is_settled(gateway.meta.created) {
        finding = finding.because(
            "NGF's status does not say so (yet): it looks at a Secret again when something changes.",
        );
    }
    with_effects(context, gateway, finding)
}

fn only_reported(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    code: Code,
    secret: &ObjectRef,
    condition: &Condition,
) -> Finding {
    let name = &gateway.reference;
    Finding::new(
        code,
        Severity::Error,
        name,
        format!("NGF does not take {secret} as the client certificate of {name}"),
    )
    .because("nginx presents no client certificate, whatever Accepted and Programmed say.")
    .condition(name, condition)
    .scope([secret])
    .remedy(remedy(context, gateway, code, Some(secret)))
    .mark_objects([name])
}

/// A Secret that nobody read is worth a word only where a backend may ask for it.
fn unknown_secret(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    secret: &ObjectRef,
    why: &str,
) -> Option<Finding> {
    let resolved = condition(&gateway.status.conditions, "ResolvedRefs");
    if says(resolved, "True", &["ResolvedRefs"]) {
        // NGF read it and was content.
        return None;
    }
    let severity = if context.is_files() {
        Severity::Info
    } else {
        Severity::Warning
    };
    let name = &gateway.reference;
    let title =
        format!("Whether NGF takes {secret} as the client certificate of {name} is unknown");
    let mut finding = Finding::new(Code::G3, severity, name, title)
        .unknown()
        .because(format!("{}.", upper(why)))
        .scope([secret]);
    if let Some(writer) = writer(context, secret) {
        finding = finding.because(format!("{writer} writes it."));
    }
    Some(finding)
}

fn secret_type(context: &Context<'_>, secret: &ObjectRef) -> String {
    match known::secret(context.snapshot, secret) {
        Lookup::Found(secret) => secret.spec.secret_type.clone(),
        _ => "unknown".to_owned(),
    }
}

fn with_effects(context: &Context<'_>, gateway: &Object<Gateway>, finding: Finding) -> Finding {
    if context.speaks_tls(&gateway.reference) {
        finding.breaks(format!(
            "every backend of {} that demands a client certificate answers 400 or closes",
            gateway.reference
        ))
    } else {
        finding
    }
}

/// What a Gateway is to name, where it names nothing.
const A_SECRET: &str = "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: SECRET\n";

fn remedy(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    code: Code,
    secret: Option<&ObjectRef>,
) -> Remedy {
    let named = gateway.spec.client_certificate_ref.as_ref();
    let name = secret.map(|secret| secret.name.as_str());
    let name = name.or_else(|| named.map(|reference| reference.name.as_str()));
    let namespace = secret.map_or(&gateway.reference.namespace, |secret| &secret.namespace);
    let Some(name) = name else {
        return Remedy::yaml("Name a Secret of the core group.", A_SECRET);
    };
    let object = ObjectRef::new(Kind::Secret, namespace, name);
    let create = Command::kubectl(namespace)
        .words(["create", "secret", "tls"])
        .name(Kind::Secret, name)
        .words(["--cert=client.crt", "--key=client.key"]);
    match code {
        Code::G3 => Remedy::command(
            format!(
                "Create Secret {namespace}/{name} from the client certificate and its key, or let cert-manager write it."
            ),
            create,
        ),
        Code::G4 => Remedy::command(
            "Create the Secret again with type kubernetes.io/tls; the type of a Secret cannot be changed.",
            Command::kubectl(namespace)
                .words(["delete"])
                .object(&object)
                .then(create),
        ),
        Code::G5 => Remedy::command(
            "Replace the pair by one that fits.",
            create
                .words(["--dry-run=client", "-o", "yaml"])
                .pipe(Command::new("kubectl").words(["apply", "-f", "-"])),
        ),
        Code::G6 if secret.is_some_and(|secret| writer(context, secret).is_none()) => {
            Remedy::merge(
                "Remove ca.crt from the Secret, if nothing else needs it, or repair it.",
                &object,
                json!({"data": {"ca.crt": null}}),
            )
        }
        Code::G6 => Remedy::command(
            "Remove ca.crt from the Secret, if nothing else needs it, or repair it.",
            Command::kubectl(namespace)
                .words(["patch"])
                .object(&object)
                .words(["--type=json"])
                .patch(&json!([{"op": "remove", "path": "/data/ca.crt"}])),
        ),
        Code::G7 => Remedy::create(
            format!("Allow it with a ReferenceGrant in namespace {namespace}."),
            grant(
                "Gateway",
                &gateway.reference.namespace,
                "Secret",
                namespace,
                name,
            ),
        ),
        Code::G1 | Code::G2
            if gateway
                .spec
                .client_certificate_ref
                .as_ref()
                .is_some_and(|reference| {
                    let kind = reference.kind.as_deref().unwrap_or("Secret");
                    let here = reference.namespace.as_ref().unwrap_or(namespace) == namespace;
                    here && (kind == "Secret" || secret_exists(context, &object))
                }) =>
        {
            client_certificate(
                format!("Name Secret {namespace}/{name}, of the core group."),
                &gateway.reference,
                name,
            )
        }
        _ => Remedy::command(
            format!(
                "Create a TLS Secret with the client certificate, such as Secret {namespace}/{name}, and name it in spec.tls.backend.clientCertificateRef of {} with kind Secret and no group.",
                gateway.reference
            ),
            create,
        ),
    }
}
