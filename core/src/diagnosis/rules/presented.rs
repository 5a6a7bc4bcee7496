//! X1, P20 and T9 by the objects: every certificate that a backend may present, judged by its policy before
//! anybody probes. Never a verdict, since only a probe sees what is presented.

mod candidate;
mod hostname;

use std::collections::BTreeSet;

use ngf_tls::certificate::CertificateFacts;

use super::expected::{is_probed, told};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendDecision, BackendState, incomplete},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::cert_manager::{ca_secret, issuer_name, issuer_of},
        rules::{change, expiry},
        trust, words,
    },
    model::{
        kinds::{BackendTLSPolicy, Certificate, Service, ServicePort},
        object::{Object, ObjectRef},
    },
};

use candidate::{Candidate, From, Is, candidates};

pub(in crate::diagnosis) use hostname::P20;
pub(super) use hostname::address_as_hostname;

/// What nginx would say.
struct Foreseen {
    complaint: String,
    /// The chain leads to a CA that the policy trusts, so that the name alone is wrong.
    only_name: bool,
    /// Who is trusted.
    trusted: String,
    /// What else is to be said.
    because: Option<String>,
}

/// What nginx would say of a candidate; `None` where it would accept it, an error where it is unknown.
fn judge(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    policy: &BackendTLSPolicy,
    trust: &TrustSource,
) -> Result<Option<Foreseen>, ()> {
    match (&candidate.is, trust) {
        (Is::Chain(chain), TrustSource::Object { .. }) => {
            by_bundle(context, chain, trust, &policy.hostname)
        }
        (Is::Chain(chain), TrustSource::System) => by_system(context, candidate, chain),
        (Is::Requested(certificate), _) => requested(context, certificate, policy, trust),
    }
}

fn by_bundle(
    context: &Context<'_>,
    presented: &[CertificateFacts],
    source: &TrustSource,
    hostname: &str,
) -> Result<Option<Foreseen>, ()> {
    let trusted = trust::trusted(context.snapshot, source).map_err(|_| ())?;
    let release = context.running.release;
    let depth = release.verify_depth();
    let now = context.now.for_validity(presented.iter().chain(trusted));
    let judge = |depth| trust::judge_backend(presented, trusted, hostname, depth, now);
    let judgement = judge(depth).map_err(|_| ())?;
    let Some(complaint) = trust::complaint(&judgement, hostname) else {
        return Ok(None);
    };
    let is_too_long = judgement.code == 20 && judge(100).is_ok_and(|other| other.code == 0);
    Ok(Some(Foreseen {
        complaint,
        only_name: judgement.code == 0,
        trusted: words::list(trusted.iter().map(words::holder), 3),
        because: is_too_long
            .then(|| super::handshake::depth_text(context, trust::intermediates(presented))),
    }))
}

/// Names that no public CA signs: the Baseline Requirements of the CA/Browser Forum (7.1.4.2) forbid
/// internal names, and the root zone has none of these.
pub(super) fn is_internal(name: &str) -> bool {
    let name = name.trim_start_matches("*.");
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains('.')
        || matches!(
            last,
            "svc"
                | "local"
                | "internal"
                | "cluster"
                | "lan"
                | "home"
                | "corp"
                | "localdomain"
                | "localhost"
                | "test"
                | "invalid"
        )
}

/// A private certificate by the system's CAs, which are public ones.
fn by_system(
    context: &Context<'_>,
    candidate: &Candidate<'_>,
    chain: &[CertificateFacts],
) -> Result<Option<Foreseen>, ()> {
    let leaf = chain.first().ok_or(())?;
    let complaint = private(context, &candidate.secret, chain).ok_or(())?;
    Ok(Some(Foreseen {
        complaint: format!("{complaint}, and the policy trusts public CAs only"),
        only_name: false,
        trusted: "the system's CAs".to_owned(),
        because: (leaf.issuer == leaf.subject).then(|| "It is self-signed.".to_owned()),
    }))
}

/// What shows that a private CA signed a certificate, in words.
fn private(
    context: &Context<'_>,
    secret: &ObjectRef,
    chain: &[CertificateFacts],
) -> Option<String> {
    let leaf = chain.first()?;
    let issuer = context
        .writer(secret)
        .and_then(|certificate| context.snapshot.certificates.get(certificate))
        .and_then(|certificate| context.snapshot.issuers.get(&issuer_name(certificate)?));
    if let Some(issuer) =
        issuer.filter(|issuer| matches!(issuer.spec.issuer_type.as_str(), "ca" | "selfSigned"))
    {
        return Some(format!(
            "its CA, {}, is one of this cluster, of {}",
            leaf.issuer, issuer.reference
        ));
    }
    // A ca.crt beside it may be an old issuer's (NGF-M8).
    if issuer.is_some_and(|issuer| issuer.spec.issuer_type == "acme") {
        return None;
    }
    if trust::signed(leaf, leaf) {
        return Some("it signed itself".to_owned());
    }
    // Issuers of public certificates give no ca.crt.
    let beside = trust::certificates(context.snapshot, secret, "ca.crt").unwrap_or(&[]);
    let signs = |ca: &&CertificateFacts| chain.iter().any(|facts| trust::signed(facts, ca));
    if let Some(ca) = beside.iter().find(signs) {
        return Some(format!(
            "its CA, {}, is a private one, which {secret} holds as ca.crt",
            words::holder(ca)
        ));
    }
    let internal = leaf.dns_names.iter().find(|name| is_internal(name))?;
    Some(format!(
        "it is for {internal}, a name that no public CA signs"
    ))
}

/// A certificate that cert-manager was asked for: its names, and the CA of its issuer.
fn requested(
    context: &Context<'_>,
    certificate: &Object<Certificate>,
    policy: &BackendTLSPolicy,
    source: &TrustSource,
) -> Result<Option<Foreseen>, ()> {
    let spec = &certificate.spec;
    let hostname = &policy.hostname;
    let name = &certificate.reference;
    let is_for = |wanted: &str| {
        let covers = |known: &str| match known.strip_prefix("*.") {
            Some(rest) => wanted
                .split_once('.')
                .is_some_and(|(_, of)| of.eq_ignore_ascii_case(rest)),
            None => known.eq_ignore_ascii_case(wanted),
        };
        match (spec.dns_names.as_slice(), &spec.common_name) {
            ([], Some(common)) => covers(common),
            (names, _) => names.iter().any(|known| covers(known)),
        }
    };
    let issuer = issuer_of(context.snapshot, certificate);
    let of_ca = issuer.and_then(ca_secret);
    let issuing = of_ca
        .as_ref()
        .and_then(|secret| trust::certificates(context.snapshot, secret, "tls.crt").ok());
    let (trusted, other_ca) = match (source, issuer, issuing) {
        (TrustSource::System, Some(issuer), _) => (
            "the system's CAs".to_owned(),
            matches!(issuer.spec.issuer_type.as_str(), "ca" | "selfSigned").then(|| {
                format!(
                    "{} signs with a CA of this cluster, and the policy trusts public CAs only",
                    issuer.reference
                )
            }),
        ),
        (TrustSource::Object { .. }, Some(issuer), Some(issuing)) => {
            let trusted = trust::trusted(context.snapshot, source).map_err(|_| ())?;
            let is_trusted = issuing.iter().any(|ca| {
                trusted.iter().any(|known| {
                    known.fingerprint_sha256 == ca.fingerprint_sha256 || trust::signed(ca, known)
                })
            });
            let signer = issuing.first().map(words::holder).unwrap_or_default();
            (
                words::list(trusted.iter().map(words::holder), 3),
                (!is_trusted).then(|| {
                    format!(
                        "{} signs with {signer}, which the policy does not trust",
                        issuer.reference
                    )
                }),
            )
        }
        _ => ("the policy's CA".to_owned(), None),
    };
    // Without any name it may get one otherwise: an IP address, a URI.
    let is_named = is_for(hostname) || (spec.dns_names.is_empty() && spec.common_name.is_none());
    let complaint = match (&other_ca, is_named) {
        (Some(other), _) => other.clone(),
        (None, false) => format!("the certificate does not match \"{hostname}\""),
        (None, true) => return if issuing.is_some() { Ok(None) } else { Err(()) },
    };
    Ok(Some(Foreseen {
        complaint,
        only_name: other_ca.is_none(),
        trusted,
        because: Some(format!(
            "{name} asks cert-manager for {}; its Secret is not known.",
            if spec.dns_names.is_empty() {
                spec.common_name
                    .clone()
                    .unwrap_or_else(|| "no name".to_owned())
            } else {
                words::list(&spec.dns_names, 3)
            }
        )),
    }))
}

/// A candidate with what nginx would say of it.
type Bad<'a> = (Candidate<'a>, Foreseen);

/// The candidate that nginx would refuse, where it would refuse every one that the backend can present.
fn refused<'a>(
    context: &'a Context<'_>,
    service: &Object<Service>,
    policy: &BackendTLSPolicy,
    trust: &TrustSource,
) -> Option<(Bad<'a>, usize)> {
    let candidates = candidates(context, service);
    let count = candidates.len();
    let mut bad: Vec<Bad<'a>> = Vec::new();
    for candidate in candidates {
        match judge(context, &candidate, policy, trust) {
            Ok(Some(foreseen)) => bad.push((candidate, foreseen)),
            // One that would pass, or that nobody can judge, may be the one that is presented.
            Ok(None) | Err(()) => return None,
        }
    }
    let hostname = &policy.hostname;
    let is_meant = |(candidate, foreseen): &Bad<'_>| {
        let named = match &candidate.is {
            Is::Chain(chain) => chain.first().is_some_and(|leaf| {
                leaf.ip_addresses.contains(hostname)
                    || leaf.subject.contains(&format!("CN={hostname}"))
            }),
            Is::Requested(_) => false,
        };
        named
            || foreseen.only_name && candidate.is_of_namespace(context, &service.reference)
            || candidate.names().contains(hostname)
            || candidate.is_for(&service.reference)
            || count == 1 && candidate.says_server()
    };
    // A certificate for something else altogether is probably not the server's.
    let found = bad.iter().position(is_meant)?;
    Some((bad.swap_remove(found), count))
}

/// A backend that nginx speaks TLS to by a policy.
struct Unproved<'c, 'a> {
    backend: &'c BackendDecision<'a>,
    policy: &'a Object<BackendTLSPolicy>,
    source: TrustSource,
    service: &'a Object<Service>,
    port: &'a ServicePort,
}

/// Backends that nginx speaks TLS to by a policy, and that nobody has probed.
fn unproved<'c, 'a>(context: &'c Context<'a>, findings: &Findings) -> Vec<Unproved<'c, 'a>> {
    let told = told(findings);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for rule in &context.rules {
        for backend in &rule.decision.backends {
            let BackendState::Tls { policy, trust, .. } = &backend.state else {
                continue;
            };
            let Some((service, port)) = backend.port else {
                continue;
            };
            let key = (&service.reference, port.port, &policy.reference);
            // What a placeholder stands for nobody can judge.
            if incomplete(context.snapshot, policy).is_none()
                && !is_probed(context, service, port)
                && !told.contains(&service.reference)
                && seen.insert(key)
            {
                found.push(Unproved {
                    backend,
                    policy,
                    source: trust.clone(),
                    service,
                    port,
                });
            }
        }
    }
    found
}

pub(in crate::diagnosis) const X1: Rule = Rule {
    code: Code::X1,
    severity: Severity::Warning,
    title: "nginx would refuse the certificate that the backend's pods mount",
    explanation: "Every certificate that the pods behind the Service mount, or that is made for the Service, was judged by the policy's hostname and CA as nginx judges, and none would pass. A certificate that cert-manager has not written yet is judged by what was requested. Only a probe shows which one the backend presents.",
    remedy: "Probe the backend.",
    causes: &[],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::Pods,
        Need::CertManager,
    ],
    check: |context, findings| {
        for Unproved {
            policy,
            source,
            service,
            port,
            ..
        } in unproved(context, findings)
        {
            // NGF-T9 says that nginx matches no address.
            let is_address = findings.has(Code::T9, &policy.reference);
            let Some(((candidate, foreseen), count)) =
                refused(context, service, &policy.spec, &source)
            else {
                continue;
            };
            if is_address && foreseen.only_name {
                continue;
            }
            let place = format!("{}[tls.crt]", candidate.secret);
            let trusted_object = match &source {
                TrustSource::Object { object, .. } => Some(object),
                TrustSource::System => None,
            };
            let what = match &candidate.is {
                Is::Chain(_) => candidate.secret.to_string(),
                Is::Requested(certificate) => {
                    format!("the certificate of {}", certificate.reference)
                }
            };
            let mut finding = Finding::new(
                Code::X1,
                Severity::Warning,
                &service.reference,
                format!(
                    "nginx would refuse {what}, if {}:{} presents it: {}",
                    service.reference, port.port, foreseen.complaint
                ),
            )
            .unknown()
            .because(known_from(&candidate, count))
            .scope([&policy.reference, &candidate.secret])
            .scope(context.writer(&candidate.secret))
            .scope(trusted_object);
            if let Some(because) = &foreseen.because {
                finding = finding.because(because.clone());
            }
            finding = match &candidate.is {
                Is::Chain(chain) => match chain.first() {
                    Some(leaf) => finding
                        .evidence(
                            "certificate",
                            format!("{}, issued by {}", words::holder(leaf), leaf.issuer),
                            &place,
                        )
                        .evidence("names", names(leaf), &place)
                        .evidence("valid", expiry::validity(leaf), &place),
                    None => finding,
                },
                Is::Requested(certificate) => finding.evidence(
                    "spec.dnsNames",
                    words::list(&certificate.spec.dns_names, 4),
                    certificate.reference.to_string(),
                ),
            };
            finding = finding
                .evidence("trusted", &foreseen.trusted, source.to_string())
                .evidence(
                    "hostname",
                    &policy.spec.hostname,
                    policy.reference.to_string(),
                );
            let name = change::usable_name(candidate.names()).filter(|_| foreseen.only_name);
            finding = finding.remedy(Remedy::say(match name {
                Some(name) => format!(
                    "Set validation.hostname of {} to a name that the certificate carries, such as {name}, or reissue the certificate. A probe shows what is presented.",
                    policy.reference
                ),
                None => "Probe the backend: it shows what is presented.".to_owned(),
            }));
            findings.add(finding);
        }
    },
};

fn names(leaf: &CertificateFacts) -> String {
    let all: Vec<&String> = leaf.dns_names.iter().chain(&leaf.ip_addresses).collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        words::list(all, 4)
    }
}

fn known_from(candidate: &Candidate<'_>, count: usize) -> String {
    match &candidate.from {
        From::Mounted(mounted) if count == 1 => format!(
            "It is the only certificate that {} mounts, at {}; only a probe shows whether it is presented.",
            mounted.by, mounted.path
        ),
        From::Mounted(mounted) => format!(
            "It is one of {count} certificates that {} mounts, at {}, and none would pass; only a probe shows which one is presented.",
            mounted.by, mounted.path
        ),
        From::Named(object) => format!(
            "{object} is for the name of the Service; only a probe shows whether it is presented."
        ),
    }
}
