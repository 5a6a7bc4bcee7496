//! M: cert-manager's objects, as far as traffic depends on them.

pub(in crate::diagnosis) mod acme;
pub(in crate::diagnosis) mod bundles;
pub(in crate::diagnosis) mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{ClientCertificate, PolicyDecision, known},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::expiry,
        words::{condition, list},
    },
    model::{
        kind::Kind,
        kinds::{Certificate, Issuer},
        object::{Object, ObjectRef},
        snapshot::{Lookup, Snapshot},
    },
};

const REISSUE: &str = "Reissue what the issuer signed.";

/// cert-manager's default for where ClusterIssuers' Secrets live.
const CLUSTER_RESOURCE_NAMESPACE: &str = "cert-manager";

/// The Secrets that traffic depends on, each with whom to show it at.
fn secrets_in_use<'a>(context: &'a Context<'_>) -> BTreeMap<ObjectRef, Vec<&'a ObjectRef>> {
    let mut used: BTreeMap<ObjectRef, Vec<&ObjectRef>> = BTreeMap::new();
    for (name, (_, certificate)) in &context.gateways {
        let secret = match certificate {
            ClientCertificate::Presented(secret) | ClientCertificate::Unknown { secret, .. } => {
                Some(secret.clone())
            }
            ClientCertificate::Refused { secret, .. } => secret.clone(),
            ClientCertificate::None => None,
        };
        if let Some(secret) = secret {
            used.entry(secret).or_default().push(name);
        }
        for (owner, listener) in context.listeners(name) {
            for reference in &listener.certificate_refs {
                let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
                let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
                used.entry(secret).or_default().push(name);
            }
        }
    }
    for (name, (_, decision)) in &context.policies {
        if !context.is_in_use(name) {
            continue;
        }
        let secret = match decision {
            PolicyDecision::Valid(TrustSource::Object { object, .. })
            | PolicyDecision::Unknown {
                trust: Some(TrustSource::Object { object, .. }),
                ..
            } => Some(object),
            PolicyDecision::Invalid(fault) => fault.culprit.as_ref().map(|(object, _)| object),
            _ => None,
        };
        if let Some(secret) = secret {
            used.entry(secret.clone()).or_default().push(name);
        }
    }
    for (service, secret) in context.secrets_of_backends() {
        let users = used.entry(secret.clone()).or_default();
        users.extend(
            context
                .index
                .service(service)
                .map(|service| &service.reference),
        );
    }
    used
}

/// The Certificates behind them, and those of their issuers' CAs.
fn certificates_in_use<'a>(
    context: &'a Context<'_>,
) -> Vec<(&'a Object<Certificate>, Vec<&'a ObjectRef>)> {
    let mut by_secret: BTreeMap<ObjectRef, Vec<&'a Object<Certificate>>> = BTreeMap::new();
    for certificate in context.snapshot.certificates.values() {
        by_secret
            .entry(secret_of(certificate))
            .or_default()
            .push(certificate);
    }
    let mut found: BTreeMap<&ObjectRef, (&Object<Certificate>, Vec<&ObjectRef>)> = BTreeMap::new();
    let mut open: Vec<(ObjectRef, Vec<&ObjectRef>)> = secrets_in_use(context).into_iter().collect();
    while let Some((secret, users)) = open.pop() {
        for certificate in by_secret.get(&secret).into_iter().flatten() {
            if found.contains_key(&certificate.reference) {
                continue;
            }
            found.insert(&certificate.reference, (certificate, users.clone()));
            if let Some(issuer) = issuer_of(context.snapshot, certificate)
                && let Some(ca) = ca_secret(issuer)
            {
                open.push((ca, users.clone()));
            }
        }
    }
    found.into_values().collect()
}

fn secret_of(certificate: &Object<Certificate>) -> ObjectRef {
    ObjectRef::new(
        Kind::Secret,
        &certificate.reference.namespace,
        &certificate.spec.secret_name,
    )
}

/// The name of the issuer that a Certificate asks; `None` for those of other groups.
pub(in crate::diagnosis) fn issuer_name(certificate: &Object<Certificate>) -> Option<ObjectRef> {
    let reference = &certificate.spec.issuer_ref;
    let ours = matches!(
        reference.group.as_deref(),
        None | Some("" | "cert-manager.io")
    );
    let kind = match reference.kind.as_deref() {
        None | Some("" | "Issuer") => Kind::Issuer,
        Some("ClusterIssuer") => Kind::ClusterIssuer,
        Some(_) => return None,
    };
    ours.then(|| ObjectRef::new(kind, &certificate.reference.namespace, &reference.name))
}

pub(in crate::diagnosis) fn issuer_of<'a>(
    snapshot: &'a Snapshot,
    certificate: &Object<Certificate>,
) -> Option<&'a Object<Issuer>> {
    let name = issuer_name(certificate)?;
    snapshot.issuers.get(&name).map(|issuer| &**issuer)
}

/// The Secret with the CA of a CA issuer.
pub(in crate::diagnosis) fn ca_secret(issuer: &Object<Issuer>) -> Option<ObjectRef> {
    let namespace = match issuer.reference.kind {
        Kind::ClusterIssuer => CLUSTER_RESOURCE_NAMESPACE,
        _ => &issuer.reference.namespace,
    };
    let name = issuer.spec.ca_secret.as_ref()?;
    Some(ObjectRef::new(Kind::Secret, namespace, name))
}

pub(in crate::diagnosis) const M1: Rule = Rule {
    code: Code::M1,
    severity: Severity::Error,
    title: "A cert-manager Certificate that traffic depends on is not Ready",
    explanation: "Its Secret is missing, old, or of another key or issuer than it should be.",
    remedy: "Follow Certificate, CertificateRequest and Issuer.",
    causes: &[
        Code::G3,
        Code::G5,
        Code::G9,
        Code::L7,
        Code::P6,
        Code::E1,
        Code::E3,
        Code::T5,
        Code::S3,
        Code::X1,
    ],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::Pods,
    ],
    check: |context, findings| {
        for (certificate, users) in certificates_in_use(context) {
            let name = &certificate.reference;
            let Some(ready) = condition(&certificate.status.conditions, "Ready") else {
                continue;
            };
            if ready.status == "True"
                || !context.is_settled(certificate.meta.created)
                || written::is_first_issue(context, certificate)
            {
                continue;
            }
            let secret = secret_of(certificate);
            let missing = !matches!(known::secret(context.snapshot, &secret), Lookup::Found(_));
            let issuing = condition(&certificate.status.conditions, "Issuing");
            let severity =
                if missing || matches!(ready.reason.as_str(), "Expired" | "InvalidKeyPair") {
                    Severity::Error
                } else {
                    Severity::Warning
                };
            let mut finding = Finding::new(
                Code::M1,
                severity,
                name,
                format!("cert-manager has not (re)issued {name}: {}", ready.message),
            )
            .condition(name, ready)
            .scope([&secret])
            .mark_objects(users.iter().copied())
            .remedy(Remedy::command(
                "Follow it through CertificateRequest and Issuer.",
                Command::kubectl(&name.namespace)
                    .words(["describe"])
                    .object(name)
                    .then(Command::kubectl(&name.namespace).words(["get", "certificaterequests"])),
            ));
            if let Some(issuing) = issuing {
                finding = finding.condition(name, issuing);
            }
            if let Some(issuer) = issuer_name(certificate) {
                if !context.snapshot.issuers.contains_key(&issuer)
                    && known::absence_is_proven(context.snapshot, &issuer).is_ok()
                {
                    finding = finding.because(format!("There is no {issuer}, which it asks."));
                }
                finding = finding.scope([&issuer]);
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const M2: Rule = Rule {
    code: Code::M2,
    severity: Severity::Error,
    title: "A cert-manager issuer that traffic depends on is not Ready",
    explanation: "It issues nothing: Certificates wait, and what they should renew runs out.",
    remedy: "Follow the message; for a CA issuer see its Secret.",
    causes: &[Code::M1, Code::E3],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        type Dependent<'c> = (BTreeSet<&'c ObjectRef>, BTreeSet<&'c ObjectRef>);
        let mut issuers: BTreeMap<ObjectRef, Dependent<'_>> = BTreeMap::new();
        for (certificate, users) in certificates_in_use(context) {
            if let Some(issuer) = issuer_name(certificate) {
                let (certificates, shown_at) = issuers.entry(issuer).or_default();
                certificates.insert(&certificate.reference);
                shown_at.extend(users);
            }
        }
        for (name, (certificates, shown_at)) in issuers {
            let Some(issuer) = context.snapshot.issuers.get(&name) else {
                continue;
            };
            let Some(ready) = condition(&issuer.status.conditions, "Ready") else {
                continue;
            };
            if ready.status == "True" || !context.is_settled(issuer.meta.created) {
                continue;
            }
            let secret = ca_secret(issuer);
            findings.add(
                Finding::new(
                    Code::M2,
                    Severity::Error,
                    &name,
                    format!("{name} issues nothing: {}", ready.message),
                )
                .condition(&name, ready)
                .scope(secret.iter())
                .scope(certificates.iter().copied())
                .mark_objects(shown_at)
                .breaks(format!("{} cannot be issued", list(&certificates, 3)))
                .remedy(Remedy::command(
                    "Follow the message.",
                    Command::kubectl(&name.namespace)
                        .words(["describe"])
                        .object(&name),
                )),
            );
        }
    },
};

pub(in crate::diagnosis) const M3: Rule = Rule {
    code: Code::M3,
    severity: Severity::Error,
    title: "Two cert-manager Certificates write one Secret",
    explanation: "cert-manager (since 1.14) issues for one of them only: the one that the Secret's annotation cert-manager.io/certificate-name names, or else the oldest. It skips the other ones, asks again every three minutes, and they never become Ready: what they ask for (names, CA, usages) is not in the Secret. Older releases of cert-manager let each overwrite the other, again and again.",
    remedy: "Give each Certificate a Secret of its own.",
    causes: &[Code::M1, Code::T1, Code::T8, Code::X1, Code::X2],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        let used = secrets_in_use(context);
        let mut writers: BTreeMap<ObjectRef, Vec<&ObjectRef>> = BTreeMap::new();
        for certificate in context.snapshot.certificates.values() {
            writers
                .entry(secret_of(certificate))
                .or_default()
                .push(&certificate.reference);
        }
        for (secret, certificates) in writers {
            if certificates.len() < 2 {
                continue;
            }
            let users = used.get(&secret).cloned().unwrap_or_default();
            let owner = owner_of(context, &secret, &certificates);
            let severity = if used.contains_key(&secret) {
                Severity::Error
            } else {
                Severity::Warning
            };
            findings.add(
                Finding::new(
                    Code::M3,
                    severity,
                    &secret,
                    format!(
                        "{} write one Secret, {}: cert-manager issues for {owner} only",
                        list(&certificates, 3),
                        secret.path()
                    ),
                )
                .breaks(format!(
                    "what {} asks for is never issued",
                    list(certificates.iter().filter(|one| **one != owner), 3)
                ))
                .scope(certificates.iter().copied())
                .mark_objects(users)
                .remedy(Remedy::say(
                    "Give each Certificate a secretName of its own.",
                )),
            );
        }
    },
};

/// The Certificate that cert-manager issues for, of several that name one Secret (`CertificateOwnsSecret`).
fn owner_of<'a>(
    context: &Context<'_>,
    secret: &ObjectRef,
    certificates: &[&'a ObjectRef],
) -> &'a ObjectRef {
    let annotation = match known::secret(context.snapshot, secret) {
        Lookup::Found(found) => {
            let annotations = &found.meta.annotations;
            annotations.get("cert-manager.io/certificate-name").cloned()
        }
        _ => None,
    };
    let named = annotation.and_then(|name| certificates.iter().find(|one| one.name == name));
    let created = |name: &ObjectRef| {
        let found = context.snapshot.certificates.get(name);
        found.and_then(|found| found.meta.created)
    };
    let oldest = || certificates.iter().min_by_key(|one| (created(one), *one));
    named.or_else(oldest).unwrap_or(&certificates[0])
}

pub(in crate::diagnosis) const M4: Rule = Rule {
    code: Code::M4,
    severity: Severity::Warning,
    title: "A Secret's ca.crt is not the CA that its issuer signs with",
    explanation: "Renewing a CA does not reissue what it signed, nor the ca.crt beside it; rotationPolicy Always gives the CA a new key. Certificates that are issued from then on do not verify against the old ca.crt.",
    remedy: "Reissue the Certificates of that issuer.",
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
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        let mut by_issuer: BTreeMap<ObjectRef, Vec<(ObjectRef, &ObjectRef)>> = BTreeMap::new();
        for (certificate, _) in certificates_in_use(context) {
            let secret = secret_of(certificate);
            let Some(issuer) = issuer_of(context.snapshot, certificate) else {
                continue;
            };
            let Some(ca) = ca_secret(issuer) else {
                continue;
            };
            let (Lookup::Found(written), Lookup::Found(ca)) = (
                known::secret(context.snapshot, &secret),
                known::secret(context.snapshot, &ca),
            ) else {
                continue;
            };
            let Some(current) = ca.spec.certificate.certificates().first() else {
                continue;
            };
            let held = written.spec.ca.certificates();
            // Another certificate of the same key verifies as before.
            let stale = !held.is_empty()
                && !held
                    .iter()
                    .any(|facts| facts.public_key_sha256 == current.public_key_sha256)
                && held.iter().any(|facts| facts.subject == current.subject);
            if stale {
                by_issuer
                    .entry(issuer.reference.clone())
                    .or_default()
                    .push((secret, &certificate.reference));
            }
        }
        for (issuer, stale) in by_issuer {
            let used = secrets_in_use(context);
            let secrets: Vec<&ObjectRef> = stale.iter().map(|(secret, _)| secret).collect();
            let marks: Vec<&ObjectRef> = secrets
                .iter()
                .filter_map(|secret| used.get(*secret))
                .flatten()
                .copied()
                .collect();
            let renewals = stale
                .iter()
                .map(|(_, certificate)| expiry::renew(certificate))
                .reduce(Command::then);
            findings.add(
                Finding::new(
                    Code::M4,
                    Severity::Warning,
                    &issuer,
                    format!("The ca.crt in {} is not the CA that {issuer} signs with", list(&secrets, 3)),
                )
                .because("It has the same name and another key: the CA was renewed since, and what it signs now does not verify against the old one.")
                .scope(secrets)
                .scope(stale.iter().map(|(_, certificate)| *certificate))
                .mark_objects(marks)
                .remedy(match renewals {
                    Some(renewals) => Remedy::command(REISSUE, renewals),
                    None => Remedy::say(REISSUE),
                }),
            );
        }
    },
};
