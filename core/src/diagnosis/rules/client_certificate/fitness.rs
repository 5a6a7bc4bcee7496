//! G9, G12 and D8: certificates that NGF takes, and others refuse.

use ngf_tls::certificate::CertificateFacts;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{
            self, ClientCertificate,
            gateway::grant_allows,
            known,
            resolve::{Resolved, resolve_secret},
        },
        rule::{Need, Rule},
        words::{self},
    },
    model::{
        kind::Kind,
        kinds::{Gateway, PemFacts},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(in crate::diagnosis) const G9: Rule = Rule {
    code: Code::G9,
    severity: Severity::Error,
    title: "The Gateway's client certificate is expired, not yet valid, or not made for clients",
    explanation: "NGF never looks at validity or at the extended key usage of the client certificate, and nginx presents it all the same. It is the backend that refuses it.",
    remedy: "Reissue the certificate with a validity that covers now and, where it has an extended key usage, with clientAuth.",
    causes: &[Code::B3, Code::B4, Code::B10, Code::B11],
    needs: &[Need::Paths, Need::Certificates],
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
    leaf: &CertificateFacts,
    findings: &mut Findings,
) {
    let name = &gateway.reference;
    let now = &context.now;
    let (severity, title) = if now.is_after(leaf.not_after) {
        let ago = now.span(leaf.not_after);
        (
            Severity::Error,
            format!("The client certificate of {name} expired {ago} ago"),
        )
    } else if now.is_before(leaf.not_before) {
        let until = now.span(leaf.not_before);
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
        Finding::new(Code::G9, severity, name, title)
            .because("NGF does not check this, and nginx presents the certificate all the same: backends that verify clients refuse it.")
            .evidence("subject", words::holder(leaf), format!("{secret}[tls.crt]"))
            .evidence("valid", crate::diagnosis::rules::expiry::validity(leaf), format!("{secret}[tls.crt]"))
            .scope([secret])
            .mark(Mark::Object(name.clone()))
            .remedy(remedy),
    );
}

/// What OpenSSL refuses in a chain that nginx is to present.
struct Unloadable {
    /// `its key, RSA 1024, is too weak`
    sentence: String,
    /// As OpenSSL words it.
    openssl: &'static str,
    what: &'static str,
    value: String,
    /// What to do instead of issuing the certificate again.
    remedy: Option<Remedy>,
}

/// What keeps nginx from loading a `tls.crt` that NGF takes.
fn unloadable(certificate: &PemFacts, secret: &ObjectRef) -> Option<Unloadable> {
    match certificate {
        PemFacts::Certificates {
            trailing: Some(trailing),
            ..
        } => Some(Unloadable {
            sentence: "a CERTIFICATE block of its tls.crt cannot be read".to_owned(),
            openssl: "PEM_read_bio_X509() failed",
            what: "tls.crt",
            value: trailing.clone(),
            remedy: Some(Remedy::say(format!(
                "Remove the broken CERTIFICATE block from the tls.crt of {secret}, or issue the certificate again."
            ))),
        }),
        other => weakness(other.certificates()),
    }
}

/// The first weakness of a chain, leaf first (`ssl_security_cert`), at OpenSSL's default security level of 2: a key under
/// 112 bits of security, or a signature with SHA-1 or MD5 by another certificate than itself.
fn weakness(chain: &[CertificateFacts]) -> Option<Unloadable> {
    chain.iter().enumerate().find_map(|(place, certificate)| {
        let whose = match place {
            0 => "its".to_owned(),
            _ => format!("in its chain, {}'s", words::holder(certificate)),
        };
        let bits = certificate.key.strip_prefix("RSA ");
        let is_short = bits
            .and_then(|bits| bits.parse::<u32>().ok())
            .is_some_and(|bits| bits < 2048);
        let signature = certificate.signature.to_ascii_lowercase();
        if is_short {
            Some(Unloadable {
                sentence: format!("{whose} key, {}, is too weak", certificate.key),
                openssl: if place == 0 {
                    "ee key too small"
                } else {
                    "ca key too small"
                },
                what: "key",
                value: certificate.key.clone(),
                remedy: None,
            })
        } else if certificate.subject != certificate.issuer
            && (signature.contains("sha1") || signature.contains("md5"))
        {
            Some(Unloadable {
                sentence: format!("{whose} signature, {}, is too weak", certificate.signature),
                openssl: "ca md too weak",
                what: "signature",
                value: certificate.signature.clone(),
                remedy: None,
            })
        } else {
            None
        }
    })
}

impl Unloadable {
    fn finding(
        self,
        context: &Context<'_>,
        code: Code,
        gateway: &ObjectRef,
        of: &str,
        secret: &ObjectRef,
    ) -> Finding {
        Finding::new(
            code,
            Severity::Error,
            gateway,
            format!("nginx refuses {of}: {}", self.sentence),
        )
        .because(format!(
            "The configuration does not load (`{}`), so the Gateway keeps the one it had.",
            self.openssl
        ))
        .evidence(self.what, self.value, format!("{secret}[tls.crt]"))
        .evidence(
            "file",
            ngf::key_pair_file(&secret.namespace, &secret.name),
            "in the data plane",
        )
        .scope([secret])
        .remedy(
            self.remedy
                .unwrap_or_else(|| crate::diagnosis::rules::expiry::reissue(context, secret)),
        )
    }
}

pub(in crate::diagnosis) const G12: Rule = Rule {
    code: Code::G12,
    severity: Severity::Error,
    title: "nginx's OpenSSL refuses the Gateway's client certificate: a key or a signature is too weak, or a block cannot be read",
    explanation: "NGF takes any key and any signature, and reads only the first certificate of tls.crt. nginx's OpenSSL refuses RSA keys under 2048 bits and signatures with SHA-1 or MD5 at its default security level, in the certificate and in the rest of tls.crt, and a CERTIFICATE block that it cannot read; and with them the whole configuration: the Gateway is not programmed any more, and the old configuration stays.",
    remedy: "Reissue the certificate with RSA 2048 or more, or with an elliptic curve such as P-256, signed with SHA-256; remove a broken block.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for (gateway, certificate) in context.gateways.values() {
            let ClientCertificate::Presented(secret) = certificate else {
                continue;
            };
            let Lookup::Found(facts) = known::secret(context.snapshot, secret) else {
                continue;
            };
            if let Some(unloadable) = unloadable(&facts.spec.certificate, secret) {
                let name = &gateway.reference;
                let of = format!("the client certificate of {name}");
                findings.add(unloadable.finding(context, Code::G12, name, &of, secret));
            }
        }
    },
};

pub(in crate::diagnosis) const D8: Rule = Rule {
    code: Code::D8,
    severity: Severity::Error,
    title: "nginx's OpenSSL refuses a listener's certificate: a key or a signature is too weak, or a block cannot be read",
    explanation: "As with the client certificate (NGF-G12), NGF takes any key and any signature, and reads only the first certificate of tls.crt. nginx's OpenSSL refuses the weak ones and broken CERTIFICATE blocks with the whole configuration: nothing that changes takes effect any more, backends and their TLS included.",
    remedy: "Reissue the certificate with RSA 2048 or more, or with an elliptic curve such as P-256, signed with SHA-256; remove a broken block.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for name in context.gateways.keys() {
            for (owner, listener) in context.listeners(name) {
                // nginx never loads the certificates of one that passes TLS through.
                if listener.tls_mode.as_deref() == Some("Passthrough") {
                    continue;
                }
                let secrets = listener.certificate_refs.iter().map(|reference| {
                    let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
                    ObjectRef::new(Kind::Secret, namespace, &reference.name)
                });
                for secret in secrets {
                    let Lookup::Found(facts) = known::secret(context.snapshot, &secret) else {
                        continue;
                    };
                    // What NGF does not take nginx never sees.
                    let resolved =
                        resolve_secret(context.snapshot, context.running.release, &secret);
                    let is_taken = resolved == Resolved::Usable
                        && (secret.namespace == owner.namespace
                            || grant_allows(
                                context.snapshot,
                                owner.kind.name(),
                                &owner.namespace,
                                &secret,
                            ) == Ok(true));
                    let unloadable = unloadable(&facts.spec.certificate, &secret);
                    if let Some(unloadable) = unloadable.filter(|_| is_taken) {
                        let of =
                            format!("the certificate of listener {} of {owner}", listener.name);
                        findings.add(
                            unloadable
                                .finding(context, Code::D8, name, &of, &secret)
                                .mark(Mark::Listener {
                                    owner: owner.clone(),
                                    name: listener.name.clone(),
                                }),
                        );
                    }
                }
            }
        }
    },
};
