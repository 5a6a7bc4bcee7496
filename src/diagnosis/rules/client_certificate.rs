//! G: the client certificate that a Gateway's nginx presents to backends.

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{self, ClientCertificate, known, resolve::Fault},
        registry::Rule,
        words::{self, condition, says},
    },
    model::{
        kinds::Gateway,
        object::{Condition, Object, ObjectRef},
        snapshot::Lookup,
    },
};

macro_rules! refused {
    ($name:ident, $code:literal, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &["NGF-B1", "NGF-B10", "NGF-B11"],
            check: |context, findings| refused(context, findings, $code),
        };
    };
}

refused!(
    G1,
    "NGF-G1",
    "The Gateway's client certificate reference names a kind other than Secret",
    "NGF takes only Secrets as spec.tls.backend.clientCertificateRef. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Set the reference's kind to Secret."
);
refused!(
    G2,
    "NGF-G2",
    "The Gateway's client certificate reference names a group other than the core one",
    "NGF takes only Secrets of the core group as spec.tls.backend.clientCertificateRef. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Leave the reference's group out, or set it to \"\"."
);
refused!(
    G3,
    "NGF-G3",
    "The Gateway's client certificate Secret does not exist",
    "The Gateway stays Accepted and Programmed, and nginx runs without a client certificate. NGF recovers by itself when the Secret appears.",
    "Create the Secret, or name the one that exists."
);
refused!(
    G4,
    "NGF-G4",
    "The Gateway's client certificate Secret is not of type kubernetes.io/tls",
    "NGF reads tls.crt and tls.key of TLS Secrets only; an Opaque one with the same keys is refused. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Create the Secret anew as kubernetes.io/tls: a Secret's type cannot be changed."
);
refused!(
    G5,
    "NGF-G5",
    "The certificate and key in the Gateway's client certificate Secret are no usable pair",
    "NGF parses both and refuses what does not fit together, is truncated, or is encrypted. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Put a matching certificate and unencrypted key into the Secret."
);
refused!(
    G6,
    "NGF-G6",
    "A broken ca.crt in the client certificate Secret makes NGF refuse a good pair",
    "NGF validates ca.crt wherever it stands in a TLS Secret, although a client certificate does not need it.",
    "Repair ca.crt, or remove it from the Secret."
);
refused!(
    G7,
    "NGF-G7",
    "No ReferenceGrant lets the Gateway use the client certificate Secret of another namespace",
    "A Gateway may refer to a Secret of another namespace only where a ReferenceGrant there allows it. The Gateway stays Accepted and Programmed, and nginx runs without a client certificate.",
    "Create the ReferenceGrant in the Secret's namespace."
);

/// The condition in which NGF reports all of these.
fn reported(gateway: &Object<Gateway>) -> Option<&Condition> {
    condition(&gateway.spec.conditions, "ResolvedRefs").filter(|condition| {
        let reason = condition.reason.as_str();
        condition.status == "False"
            && (reason == "InvalidClientCertificateRef"
                || reason == "RefNotPermitted" && condition.message.starts_with("secret ref "))
    })
}

/// Which of the codes NGF's words mean.
fn code_in_words(condition: &Condition) -> &'static str {
    let message = condition.message.as_str();
    match () {
        () if condition.reason == "RefNotPermitted" => "NGF-G7",
        () if message.contains("clientCertificateRef.kind") => "NGF-G1",
        () if message.contains("clientCertificateRef.group") => "NGF-G2",
        () if message.contains("unsupported secret type") => "NGF-G4",
        () if message.contains("tls secret is invalid") => "NGF-G5",
        () if message.contains("ca.crt") || message.contains("failed to validate certificate") => {
            "NGF-G6"
        }
        () => "NGF-G3",
    }
}

/// What the objects say first; what NGF reported where they say nothing.
fn refused(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
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
            ClientCertificate::Refused { .. } => None,
            ClientCertificate::None => None,
            ClientCertificate::Presented(secret) => reported
                .filter(|condition| code_in_words(condition) == code)
                .map(|condition| only_reported(gateway, code, secret, condition)),
            ClientCertificate::Unknown { secret, why } => match reported {
                Some(condition) if code_in_words(condition) == code => {
                    Some(only_reported(gateway, code, secret, condition))
                }
                None if code == "NGF-G3" => unknown_secret(context, gateway, secret, why),
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
    code: &'static str,
    secret: Option<&ObjectRef>,
    fault: Option<Fault>,
    message: &str,
    reported: Option<&Condition>,
) -> Finding {
    let name = &gateway.reference;
    let what = secret.map_or_else(|| "what it names".to_owned(), ToString::to_string);
    let title = match (code, fault) {
        ("NGF-G3", _) => format!("{what}, the client certificate of {name}, does not exist"),
        ("NGF-G4", _) => format!(
            "{what}, the client certificate of {name}, is of type {}, not kubernetes.io/tls",
            secret.map_or_else(String::new, |secret| secret_type(context, secret))
        ),
        ("NGF-G5", _) => format!(
            "{what}, the client certificate of {name}, holds no usable pair of certificate and key"
        ),
        ("NGF-G6", _) => format!(
            "A broken ca.crt in {what} keeps {name} from presenting the good certificate beside it"
        ),
        ("NGF-G7", _) => format!("No ReferenceGrant lets {name} use {what} as client certificate"),
        _ => format!("{name} names something other than a Secret as client certificate"),
    };
    let mut finding = Finding::new(code, Severity::Error, name, title)
        .because("Accepted and Programmed stay True, and nginx presents no client certificate.")
        .evidence("NGF says", message, "by what it checks in the objects")
        .condition_if(name, reported)
        .scope(secret)
        .remedy(remedy(gateway, code, secret));
    if reported.is_none() && !context.is_files() && context.is_settled(gateway.meta.created) {
        finding = finding.because(
            "NGF's status does not say so (yet): it looks at a Secret again when something changes.",
        );
    }
    with_effects(context, gateway, finding)
}

fn only_reported(
    gateway: &Object<Gateway>,
    code: &'static str,
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
    .remedy(remedy(gateway, code, Some(secret)))
    .mark_objects([name])
}

/// A Secret that nobody read is worth a word only where a backend may ask for it.
fn unknown_secret(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    secret: &ObjectRef,
    why: &str,
) -> Option<Finding> {
    let resolved = condition(&gateway.spec.conditions, "ResolvedRefs");
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
    let mut finding = Finding::new("NGF-G3", severity, name, title)
        .unknown()
        .because(format!("{}.", upper(why)))
        .scope([secret]);
    if let Some(writer) = writer(context, secret) {
        finding = finding.because(format!("{writer} writes it."));
    }
    Some(finding)
}

/// The cert-manager Certificate that writes a Secret.
pub(in crate::diagnosis) fn writer(context: &Context<'_>, secret: &ObjectRef) -> Option<ObjectRef> {
    context
        .snapshot
        .certificates
        .values()
        .find(|certificate| {
            certificate.reference.namespace == secret.namespace
                && certificate.spec.secret_name == secret.name
        })
        .map(|certificate| certificate.reference.clone())
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

fn remedy(gateway: &Object<Gateway>, code: &str, secret: Option<&ObjectRef>) -> Remedy {
    let (namespace, name) = secret.map_or(("NAMESPACE", "SECRET"), |secret| {
        (secret.namespace.as_str(), secret.name.as_str())
    });
    let create = format!(
        "kubectl -n {namespace} create secret tls {name} --cert=client.crt --key=client.key"
    );
    match code {
        "NGF-G3" => Remedy::command(
            format!(
                "Create Secret {namespace}/{name} from the client certificate and its key, or let cert-manager write it."
            ),
            create,
        ),
        "NGF-G4" => Remedy::command(
            "Create the Secret anew with type kubernetes.io/tls; the type of a Secret cannot be changed.",
            format!("kubectl -n {namespace} delete secret {name}\n{create}"),
        ),
        "NGF-G5" => Remedy::command(
            "Replace the pair by one that fits.",
            format!("{create} --dry-run=client -o yaml | kubectl apply -f -"),
        ),
        "NGF-G6" => Remedy::command(
            "Remove ca.crt from the Secret, if nothing else needs it, or repair it.",
            format!(
                "kubectl -n {namespace} patch secret {name} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/data/ca.crt\"}}]'"
            ),
        ),
        "NGF-G7" => Remedy::yaml(
            format!("Allow it with a ReferenceGrant in namespace {namespace}."),
            grant(
                "Gateway",
                &gateway.reference.namespace,
                "Secret",
                namespace,
                name,
            ),
        ),
        _ => Remedy::yaml(
            "Name a Secret of the core group.",
            format!(
                "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: {name}\n"
            ),
        ),
    }
}

/// A ReferenceGrant as YAML.
pub(super) fn grant(
    from_kind: &str,
    from_namespace: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1beta1\n\
         kind: ReferenceGrant\n\
         metadata:\n  name: allow-{from_namespace}-{name}\n  namespace: {namespace}\n\
         spec:\n  from:\n  - group: gateway.networking.k8s.io\n    kind: {from_kind}\n    namespace: {from_namespace}\n  \
         to:\n  - group: \"\"\n    kind: {kind}\n    name: {name}\n"
    )
}

/// With a capital letter, as a sentence begins.
pub(super) fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

pub(in crate::diagnosis) const G10: Rule = Rule {
    code: "NGF-G10",
    severity: Severity::Warning,
    title: "The Gateway has a client certificate, and no backend that it could present it to",
    explanation: "nginx presents the client certificate only in TLS connections, and speaks TLS only to backends on which a BackendTLSPolicy takes effect. Without one it speaks plain HTTP, whatever the port is named.",
    remedy: "Create a BackendTLSPolicy that targets the backend's Service in the Service's namespace, or drop the client certificate.",
    causes: &[],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            let ClientCertificate::Presented(secret) = certificate else {
                continue;
            };
            let name = &gateway.reference;
            let routed = context
                .rules
                .iter()
                .any(|rule| rule.gateways.contains(name));
            // With a policy that fails for another reason, that reason is the finding.
            let any_policy = context
                .rules
                .iter()
                .filter(|rule| rule.gateways.contains(name))
                .flat_map(|rule| &rule.decision.backends)
                .any(|backend| backend.state.policy().is_some());
            let all_known =
                known::kind_is_known(context.snapshot, crate::model::kind::Kind::BackendTLSPolicy)
                    .is_ok();
            if !routed || any_policy || !all_known && !context.is_files() {
                continue;
            }
            findings.add(
                Finding::new(
                    "NGF-G10",
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

pub(in crate::diagnosis) const G9: Rule = Rule {
    code: "NGF-G9",
    severity: Severity::Error,
    title: "The Gateway's client certificate is expired, not yet valid, or not made for clients",
    explanation: "NGF never looks at validity or at the extended key usage of the client certificate, and nginx presents it all the same. It is the backend that refuses it.",
    remedy: "Reissue the certificate with a validity that covers now and, where it has an extended key usage, with clientAuth.",
    causes: &["NGF-B3", "NGF-B4", "NGF-B10", "NGF-B11"],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            if let ClientCertificate::Presented(secret) = certificate
                && let Lookup::Found(facts) = known::secret(context.snapshot, secret)
                && let Some(leaf) = facts.spec.certificate.certificates().first()
            {
                unfit(context, gateway, secret, leaf, findings);
            }
        }
    },
};

fn unfit(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    secret: &ObjectRef,
    leaf: &ngf_probes::certificate::CertificateFacts,
    findings: &mut Findings,
) {
    let name = &gateway.reference;
    let now = context.now.as_second();
    let (severity, title) = if leaf.not_after < now {
        let ago = words::span(now - leaf.not_after);
        (
            Severity::Error,
            format!("The client certificate of {name} expired {ago} ago"),
        )
    } else if leaf.not_before > now {
        let until = words::span(leaf.not_before - now);
        (
            Severity::Error,
            format!("The client certificate of {name} is not valid before {until} from now"),
        )
    } else if !super::expiry::may(leaf, "clientAuth") {
        (
            Severity::Error,
            format!(
                "The client certificate of {name} is not made for clients: its extended key usage is {}",
                leaf.extended_key_usage.join(", ")
            ),
        )
    } else {
        return;
    };
    let remedy = super::expiry::reissue(context, secret);
    let severity = if context.speaks_tls(name) {
        severity
    } else {
        Severity::Warning
    };
    findings.add(
        Finding::new("NGF-G9", severity, name, title)
            .because("NGF does not check this, and nginx presents the certificate all the same: backends that verify clients refuse it.")
            .evidence("subject", &leaf.subject, format!("{secret}[tls.crt]"))
            .evidence("valid", super::expiry::validity(leaf), format!("{secret}[tls.crt]"))
            .scope([secret])
            .mark(Mark::Object(name.clone()))
            .remedy(remedy),
    );
}

pub(in crate::diagnosis) const G12: Rule = Rule {
    code: "NGF-G12",
    severity: Severity::Error,
    title: "The Gateway's client certificate has a key that OpenSSL refuses as too weak",
    explanation: "NGF takes any key. nginx's OpenSSL refuses RSA keys under 2048 bits at its default security level, and with them the whole configuration: the Gateway is not programmed any more, and the old configuration stays.",
    remedy: "Reissue the certificate with RSA 2048 or more, or with an elliptic curve such as P-256.",
    causes: &["NGF-D1"],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            let ClientCertificate::Presented(secret) = certificate else {
                continue;
            };
            let Lookup::Found(facts) = known::secret(context.snapshot, secret) else {
                continue;
            };
            let weak = facts
                .spec
                .certificate
                .certificates()
                .first()
                .filter(|leaf| {
                    leaf.key
                        .strip_prefix("RSA ")
                        .and_then(|bits| bits.parse::<u32>().ok())
                        .is_some_and(|bits| bits < 2048)
                });
            if let Some(leaf) = weak {
                let name = &gateway.reference;
                findings.add(
                    Finding::new(
                        "NGF-G12",
                        Severity::Error,
                        name,
                        format!("nginx refuses the client certificate of {name}: its key, {}, is too weak", leaf.key),
                    )
                    .because("The configuration does not load (`ee key too small`), so the Gateway keeps the one it had.")
                    .evidence("key", &leaf.key, format!("{secret}[tls.crt]"))
                    .evidence("file", ngf::key_pair_file(&secret.namespace, &secret.name), "in the data plane")
                    .scope([secret])
                    .remedy(super::expiry::reissue(context, secret)),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const C3: Rule = Rule {
    code: "NGF-C3",
    severity: Severity::Error,
    title: "The client certificate was applied to the Gateway, and the API server dropped the field",
    explanation: "spec.tls.backend is in the standard CRDs only from Gateway API v1.5.0 on (v1.4: experimental only; v1.3 experimental: spec.backendTLS). An API server with older CRDs drops it without a word.",
    remedy: "Upgrade the Gateway API CRDs and apply the Gateway again.",
    causes: &["NGF-B1", "NGF-B10", "NGF-B11", "NGF-G8"],
    check: |context, findings| {
        for (gateway, _) in context.gateways.values() {
            if gateway.spec.client_certificate_ref.is_some() {
                continue;
            }
            let name = &gateway.reference;
            let applied = gateway
                .meta
                .annotations
                .get("kubectl.kubernetes.io/last-applied-configuration")
                .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
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
                    "annotation kubectl.kubernetes.io/last-applied-configuration",
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
                    "NGF-C3",
                    Severity::Error,
                    name,
                    format!("{name} was given a client certificate in a field that this cluster's Gateway API does not have"),
                )
                .because("nginx presents no client certificate, and every condition stays True.")
                .evidence(what, value, place)
                .remedy(Remedy::command(
                    "Upgrade the Gateway API CRDs to v1.5 or later, then apply the Gateway again.",
                    "kubectl get crd gateways.gateway.networking.k8s.io -o jsonpath='{.metadata.annotations.gateway\\.networking\\.k8s\\.io/bundle-version}'",
                )),
            );
        }
    },
};
