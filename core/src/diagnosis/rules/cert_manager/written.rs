//! M5 and M7 to M10: what cert-manager and trust-manager write, and what they leave out.

mod keys;

use std::collections::BTreeSet;

use super::{ca_secret, certificates_in_use, issuer_of, secret_of};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        mounted,
        ngf::{PolicyDecision, known},
        plan::TrustSource,
        rule::{Need, Rule},
        trust,
        words::{condition, list},
    },
    model::{
        kind::Kind,
        kinds::{Certificate, Issuer, SecretFacts},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(in crate::diagnosis) use keys::M9;

/// A Secret that policies in use trust and cert-manager writes.
struct Trusted<'a> {
    name: &'a ObjectRef,
    secret: &'a Object<SecretFacts>,
    certificate: &'a Object<Certificate>,
    issuer: &'a Object<Issuer>,
    policies: Vec<&'a ObjectRef>,
}

fn trusted<'a>(context: &'a Context<'_>) -> Vec<Trusted<'a>> {
    let names: BTreeSet<&ObjectRef> = context
        .policies
        .iter()
        .filter(|(policy, _)| context.is_in_use(policy))
        .filter_map(|(_, (_, decision))| match decision {
            PolicyDecision::Valid(TrustSource::Object { object, .. }) => Some(object),
            _ => None,
        })
        .filter(|object| object.kind == Kind::Secret)
        .collect();
    names
        .into_iter()
        .filter_map(|name| {
            let Lookup::Found(secret) = known::secret(context.snapshot, name) else {
                return None;
            };
            let mut certificates = context.snapshot.certificates.values();
            let certificate = certificates.find(|found| secret_of(found) == *name)?;
            Some(Trusted {
                name,
                secret,
                certificate,
                issuer: issuer_of(context.snapshot, certificate)?,
                policies: context
                    .policies_trusting(name)
                    .into_iter()
                    .map(|policy| &policy.reference)
                    .collect(),
            })
        })
        .collect()
}

pub(in crate::diagnosis) const M5: Rule = Rule {
    code: Code::M5,
    severity: Severity::Warning,
    title: "The policy trusts a self-signed certificate that is not the backend's",
    explanation: "A selfSigned issuer writes the certificate itself as ca.crt. As a policy's CA it trusts that one certificate and nothing else: two Certificates of a selfSigned issuer do not trust each other.",
    remedy: "Make a CA of the selfSigned issuer, a CA issuer of that, and issue both certificates from it; or name the backend's own Secret.",
    causes: &[Code::T1, Code::T4, Code::X1],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::Pods,
    ],
    check: |context, findings| {
        for found in trusted(context) {
            let own = found.secret.spec.certificate.certificates().first();
            let ca = found.secret.spec.ca.certificates();
            let (Some(own), [ca]) = (own, ca) else {
                continue;
            };
            let itself = own.fingerprint_sha256 == ca.fingerprint_sha256 && ca.is_ca != Some(true);
            if found.issuer.spec.issuer_type != "selfSigned" || !itself {
                continue;
            }
            // Where it is what the pods mount, trusting it is right.
            let others = services_with_another(context, &found, own);
            if others.is_empty() {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::M5,
                    Severity::Warning,
                    found.name,
                    format!(
                        "The ca.crt in {} is its own self-signed certificate, and {} has another",
                        found.name,
                        list(&others, 2)
                    ),
                )
                .because(format!(
                    "{} is selfSigned: what it issues trusts only itself.",
                    found.issuer.reference
                ))
                .evidence(
                    "ca.crt",
                    format!("{}, issued by itself", ca.subject),
                    found.name.to_string(),
                )
                .scope(&others)
                .scope([&found.certificate.reference])
                .mark_objects(found.policies)
                .remedy(Remedy::say(format!(
                    "Issue both from one CA issuer, or name in the policy the Secret that {} mounts.",
                    list(&others, 2)
                ))),
            );
        }
    },
};

/// Services under the policies whose pods mount, or which presented, another certificate.
fn services_with_another(
    context: &Context<'_>,
    found: &Trusted<'_>,
    own: &ngf_tls::certificate::CertificateFacts,
) -> Vec<ObjectRef> {
    let services: BTreeSet<&ObjectRef> = found
        .policies
        .iter()
        .flat_map(|policy| context.users_of(policy))
        .filter_map(|(_, backend)| backend.port.map(|(service, _)| &service.reference))
        .collect();
    let differs = |service: &&ObjectRef| {
        let presented = context
            .probes
            .iter()
            .filter(|probed| probed.plan.service == **service)
            .filter_map(|probed| probed.result.as_ref().ok()?.server_chain.first())
            .any(|leaf| leaf.fingerprint_sha256 != own.fingerprint_sha256);
        let mounted = context
            .index
            .service(service)
            .map(|service| mounted::with_certificates(context.snapshot, service, "tls.crt"))
            .unwrap_or_default();
        let leaves: Vec<_> = mounted.iter().filter_map(|(_, all)| all.first()).collect();
        let another = !leaves.is_empty()
            && leaves
                .iter()
                .all(|leaf| leaf.fingerprint_sha256 != own.fingerprint_sha256);
        presented || another
    };
    services.into_iter().filter(differs).cloned().collect()
}

pub(in crate::diagnosis) const M7: Rule = Rule {
    code: Code::M7,
    severity: Severity::Error,
    title: "The issuer of the policy's CA Secret returns no CA",
    explanation: "ACME issuers, and some external ones, give a certificate and its chain, and no CA: cert-manager writes no ca.crt. Such a Secret cannot be a policy's CA (NGF-P8).",
    remedy: "Trust the system's CAs (wellKnownCACertificates: System) for public certificates, or name a ConfigMap with the CA.",
    causes: &[Code::P6, Code::P8],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        for found in trusted(context) {
            let keyless = matches!(found.secret.spec.ca, crate::model::kinds::PemFacts::Missing);
            let kind = found.issuer.spec.issuer_type.as_str();
            if !keyless || kind != "acme" {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::M7,
                    Severity::Error,
                    &found.certificate.reference,
                    format!(
                        "{} is an ACME issuer and returns no CA, so that {} has no ca.crt",
                        found.issuer.reference, found.name
                    ),
                )
                .evidence("spec", "acme", found.issuer.reference.to_string())
                .scope([found.name, &found.issuer.reference])
                .mark_objects(found.policies.iter().copied())
                .remedy(Remedy::yaml(
                    "Trust the system's CAs, if the backend presents a public certificate.",
                    "spec:\n  validation:\n    caCertificateRefs: null\n    wellKnownCACertificates: System\n",
                )),
            );
        }
        not_written_yet(context, findings);
    },
};

/// Of a Secret that is not there yet and that an ACME Certificate is to write: it never has a ca.crt.
fn not_written_yet(context: &Context<'_>, findings: &mut Findings) {
    for (policy, (object, _)) in &context.policies {
        if !context.is_in_use(policy) {
            continue;
        }
        let [reference] = object.spec.ca_certificate_refs.as_slice() else {
            continue;
        };
        if reference.kind.as_deref() != Some("Secret") {
            continue;
        }
        let secret = ObjectRef::new(Kind::Secret, &policy.namespace, &reference.name);
        let Some(certificate) = context
            .writer(&secret)
            .and_then(|writer| context.snapshot.certificates.get(writer))
        else {
            continue;
        };
        let is_there = matches!(known::secret(context.snapshot, &secret), Lookup::Found(_));
        let Some(issuer) = issuer_of(context.snapshot, certificate) else {
            continue;
        };
        if is_there || issuer.spec.issuer_type != "acme" {
            continue;
        }
        findings.add(
            Finding::new(
                Code::M7,
                Severity::Error,
                &certificate.reference,
                format!(
                    "{} is an ACME issuer and returns no CA, so that {secret} will have no ca.crt",
                    issuer.reference
                ),
            )
            .because("Once cert-manager has written it, NGF writes an empty CA bundle, and nginx refuses the configuration (NGF-P8).")
            .evidence("spec", "acme", issuer.reference.to_string())
            .scope([&secret, &issuer.reference, *policy])
            .mark_objects([*policy])
            .remedy(Remedy::yaml(
                "Trust the system's CAs, if the backend presents a public certificate.",
                "spec:\n  validation:\n    caCertificateRefs: null\n    wellKnownCACertificates: System\n",
            )),
        );
    }
}

pub(in crate::diagnosis) const M8: Rule = Rule {
    code: Code::M8,
    severity: Severity::Warning,
    title: "A Secret's ca.crt is of another CA than the one that signed its certificate",
    explanation: "When a Certificate changes to an issuer that returns no CA, cert-manager leaves the old ca.crt in the Secret. Whoever trusts it, or mounts it as the CA of clients, trusts a CA that signs nothing any more.",
    remedy: "Delete the key ca.crt, or the Secret, and let cert-manager write it again; name the new CA.",
    causes: &[
        Code::T1,
        Code::B2,
        Code::B5,
        Code::B6,
        Code::B10,
        Code::B11,
        Code::X1,
        Code::X2,
    ],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::Pods,
    ],
    check: |context, findings| {
        for (certificate, users) in certificates_in_use(context) {
            let secret = secret_of(certificate);
            let Lookup::Found(facts) = known::secret(context.snapshot, &secret) else {
                continue;
            };
            let (chain, held) = (
                facts.spec.certificate.certificates(),
                facts.spec.ca.certificates(),
            );
            let Some(last) = chain.last() else { continue };
            let signed = held.iter().any(|ca| {
                ca.subject == last.issuer || chain.iter().any(|facts| facts.issuer == ca.subject)
            });
            // An intermediate that is not sent may lie between, where the issuer is one of its own.
            let known_ca = issuer_of(context.snapshot, certificate)
                .and_then(ca_secret)
                .and_then(|name| trust::certificates(context.snapshot, &name, "tls.crt").ok())
                .is_some_and(|ca| {
                    ca.iter()
                        .any(|facts| held.iter().any(|ca| ca.subject == facts.issuer))
                });
            if held.is_empty()
                || signed
                || known_ca
                || held
                    .iter()
                    .any(|ca| ca.fingerprint_sha256 == last.fingerprint_sha256)
            {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::M8,
                    Severity::Warning,
                    &secret,
                    format!(
                        "The ca.crt in {secret} did not sign the certificate in the same Secret"
                    ),
                )
                .because("cert-manager leaves an old ca.crt where a new issuer returns none.")
                .evidence(
                    "tls.crt",
                    format!("{}, issued by {}", last.subject, last.issuer),
                    secret.to_string(),
                )
                .evidence(
                    "ca.crt",
                    list(held.iter().map(|ca| &ca.subject), 3),
                    secret.to_string(),
                )
                .scope([&certificate.reference])
                .mark_objects(users)
                .remedy(Remedy::command(
                    "Let cert-manager write the Secret again.",
                    Command::kubectl(&secret.namespace)
                        .words(["delete"])
                        .object(&secret),
                )),
            );
        }
    },
};

pub(in crate::diagnosis) const M10: Rule = Rule {
    code: Code::M10,
    severity: Severity::Warning,
    title: "cert-manager has not written a Secret yet that traffic depends on",
    explanation: "The Certificate is being issued for the first time. NGF says that the Secret does not exist, and recovers when it appears.",
    remedy: "Wait; where it takes longer than a minute, follow the CertificateRequest.",
    causes: &[Code::G3, Code::L7, Code::P6, Code::S3],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        for (certificate, users) in certificates_in_use(context) {
            if !is_first_issue(context, certificate) {
                continue;
            }
            let name = &certificate.reference;
            let secret = secret_of(certificate);
            let issuing = condition(&certificate.status.conditions, "Issuing");
            findings.add(
                Finding::new(
                    Code::M10,
                    Severity::Warning,
                    name,
                    format!("cert-manager is about to write {secret} for the first time"),
                )
                .condition_if(name, issuing)
                .scope([&secret])
                .mark_objects(users.iter().copied())
                .remedy(Remedy::command(
                    "Wait for it, or follow the request.",
                    Command::kubectl(&name.namespace)
                        .words(["get", "certificate,certificaterequest"]),
                )),
            );
        }
    },
};

/// The Secret does not exist yet, and cert-manager is at it.
pub(super) fn is_first_issue(context: &Context<'_>, certificate: &Object<Certificate>) -> bool {
    let conditions = &certificate.status.conditions;
    let issuing = condition(conditions, "Issuing").is_some_and(|issuing| issuing.status == "True");
    let told = condition(conditions, "Ready").is_some_and(|ready| ready.reason == "DoesNotExist");
    let absent = match known::secret(context.snapshot, &secret_of(certificate)) {
        Lookup::Absent => true,
        Lookup::Unknown(_) => told,
        Lookup::Found(_) => false,
    };
    let issuer = issuer_of(context.snapshot, certificate);
    let can_issue = issuer.is_some_and(|issuer| {
        condition(&issuer.status.conditions, "Ready").is_none_or(|ready| ready.status == "True")
    });
    issuing && absent && can_issue
}
