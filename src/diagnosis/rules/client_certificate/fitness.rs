//! G9 and G12: client certificates that NGF takes, and others refuse.

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Severity},
        ngf::{self, ClientCertificate, known},
        registry::Rule,
        words::{self},
    },
    model::{
        kinds::Gateway,
        object::{Object, ObjectRef},
        snapshot::Lookup,
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
    } else if !crate::diagnosis::rules::expiry::may(leaf, "clientAuth") {
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
    let remedy = crate::diagnosis::rules::expiry::reissue(context, secret);
    let severity = if context.speaks_tls(name) {
        severity
    } else {
        Severity::Warning
    };
    findings.add(
        Finding::new("NGF-G9", severity, name, title)
            .because("NGF does not check this, and nginx presents the certificate all the same: backends that verify clients refuse it.")
            .evidence("subject", words::holder(leaf), format!("{secret}[tls.crt]"))
            .evidence("valid", crate::diagnosis::rules::expiry::validity(leaf), format!("{secret}[tls.crt]"))
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
                    .remedy(crate::diagnosis::rules::expiry::reissue(context, secret)),
                );
            }
        }
    },
};
