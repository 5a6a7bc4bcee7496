//! E: certificates that are expired, not valid yet, or soon will expire, by the part they play.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{BackendState, ClientCertificate, PolicyDecision, known},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::listener::demanding,
        trust, words,
    },
    model::{
        kind::Kind,
        kinds::Certificate,
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

/// Certificates that expire within this many seconds are worth a word.
const SOON: i64 = 14 * 86_400;

/// A certificate that some path depends on.
struct Use<'a> {
    /// Where it stands.
    object: ObjectRef,
    key: &'static str,
    facts: &'a CertificateFacts,
    part: Part,
    /// What shows it in the tree.
    marks: Vec<Mark>,
}

/// The part that a certificate plays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The CA of a policy in use: nginx refuses every backend when it is not valid.
    PolicyCa,
    /// What the Gateway presents to backends.
    Client,
    /// What a listener presents to clients.
    Listener,
    /// The CA by which a listener verifies its clients: none with a certificate of it gets an answer when it is not
    /// valid.
    ClientsCa,
    /// What the pods behind a Service mount for the policy's hostname.
    Backend,
}

impl Part {
    /// The client certificate has a rule of its own (G9), and what a backend would present, too (X1).
    fn is_told_here(self) -> bool {
        matches!(self, Self::PolicyCa | Self::Listener | Self::ClientsCa)
    }

    /// What nginx itself refuses is an error; what it serves all the same, clients may refuse.
    fn severity(self) -> Severity {
        match self {
            Self::PolicyCa | Self::ClientsCa | Self::Client | Self::Backend => Severity::Error,
            Self::Listener => Severity::Warning,
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::PolicyCa => "the CA that backends are checked against",
            Self::ClientsCa => "the CA that a listener's clients are verified by",
            Self::Client => "the Gateway's client certificate",
            Self::Listener => "a listener's certificate",
            Self::Backend => "the certificate that the backend's pods mount",
        }
    }
}

fn uses<'a>(context: &'a Context<'_>) -> Vec<Use<'a>> {
    let mut uses: BTreeMap<(ObjectRef, &'static str, Part), Use<'a>> = BTreeMap::new();
    let mut add = |object: &ObjectRef, key, part, mark: Mark| {
        let certificates = match (key, object.kind) {
            ("ca.crt", Kind::ConfigMap) => match known::config_map(context.snapshot, object) {
                Lookup::Found(found) => found.spec.ca.certificates(),
                _ => return,
            },
            (key, _) => match known::secret(context.snapshot, object) {
                Lookup::Found(found) if key == "ca.crt" => found.spec.ca.certificates(),
                Lookup::Found(found) => found.spec.certificate.certificates(),
                _ => return,
            },
        };
        // Of a bundle the one that lasts longest decides, of those that are valid now if any is; of a
        // chain the leaf is looked at.
        let is_valid = |facts: &CertificateFacts| context.now.is_valid(facts);
        let facts = match part {
            Part::PolicyCa | Part::ClientsCa => certificates
                .iter()
                .max_by_key(|facts| (is_valid(facts), facts.not_after)),
            Part::Client | Part::Listener | Part::Backend => certificates.first(),
        };
        if let Some(facts) = facts {
            uses.entry((object.clone(), key, part))
                .or_insert_with(|| Use {
                    object: object.clone(),
                    key,
                    facts,
                    part,
                    marks: Vec::new(),
                })
                .marks
                .push(mark);
        }
    };
    for (name, (_, decision)) in &context.policies {
        if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
            && context.is_in_use(name)
        {
            add(
                object,
                "ca.crt",
                Part::PolicyCa,
                Mark::Object((*name).clone()),
            );
        }
    }
    for (name, (_, certificate)) in &context.gateways {
        if let ClientCertificate::Presented(secret) = certificate {
            add(
                secret,
                "tls.crt",
                Part::Client,
                Mark::Object((*name).clone()),
            );
        }
        for (owner, listener) in context.listeners(name) {
            if listener.tls_mode.as_deref() == Some("Passthrough") {
                continue;
            }
            for reference in &listener.certificate_refs {
                let namespace = reference.namespace.as_deref().unwrap_or(&owner.namespace);
                let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
                let mark = Mark::Listener {
                    owner: owner.clone(),
                    name: listener.name.clone(),
                };
                add(&secret, "tls.crt", Part::Listener, mark);
            }
        }
    }
    for one in demanding(context) {
        for ca in one.demand.cas.iter().filter(|_| !one.demand.insecure) {
            // What NGF refuses, or does not write, has a finding of its own.
            if let (Some(object), Ok(None)) = (&ca.object, &ca.fault) {
                add(object, "ca.crt", Part::ClientsCa, one.mark());
            }
        }
    }
    for (service, secret) in mounted_for_hostname(context) {
        let mark = Mark::Object(service);
        add(&secret, "tls.crt", Part::Backend, mark);
    }
    uses.into_values().collect()
}

/// The Services that nginx speaks TLS to, with the Secret that their pods mount for the policy's
/// hostname; only a probe shows whether they present it.
fn mounted_for_hostname(context: &Context<'_>) -> BTreeMap<ObjectRef, ObjectRef> {
    let mut found = BTreeMap::new();
    for rule in &context.rules {
        for backend in &rule.decision.backends {
            let (BackendState::Tls { policy, .. }, Some((service, _))) =
                (&backend.state, backend.port)
            else {
                continue;
            };
            if found.contains_key(&service.reference) {
                continue;
            }
            let mounted = context.mounted(service);
            let secret = mounted.iter().find(|mounted| {
                let leaf = trust::certificates(context.snapshot, &mounted.source, "tls.crt");
                mounted.source.kind == Kind::Secret
                    && leaf.is_ok_and(|all| {
                        all.first()
                            .is_some_and(|leaf| leaf.dns_names.contains(&policy.spec.hostname))
                    })
            });
            if let Some(secret) = secret {
                found.insert(service.reference.clone(), secret.source.clone());
            }
        }
    }
    found
}

pub(in crate::diagnosis) const E1: Rule = Rule {
    code: Code::E1,
    severity: Severity::Error,
    title: "A certificate that traffic depends on has expired",
    explanation: "An expired CA in a policy's bundle makes nginx refuse every backend certificate under it (verify code 10), and clients get 502. With an expired CA of a listener's clients (frontend TLS) clients under it get no answer. An expired listener certificate nginx serves all the same; clients that verify refuse it. Conditions stay True: NGF does not look at validity.",
    remedy: "Reissue the certificate; with cert-manager find out why it was not renewed.",
    causes: &[Code::T5, Code::X1],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        let now = &context.now;
        for used in uses(context) {
            if now.is_after(used.facts.not_after) && used.part.is_told_here() {
                let ago = now.span(used.facts.not_after);
                findings.add(finding(
                    context,
                    Code::E1,
                    used.part.severity(),
                    &used,
                    &format!("expired {ago} ago"),
                ));
            }
        }
    },
};

pub(in crate::diagnosis) const E2: Rule = Rule {
    code: Code::E2,
    severity: Severity::Error,
    title: "A certificate that traffic depends on is not valid yet",
    explanation: "nginx refuses what is not valid yet (verify code 9), as clients do with a listener's certificate. A clock that is off does the same.",
    remedy: "Wait, reissue it, or set the clock.",
    causes: &[Code::T6, Code::X1],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        let now = &context.now;
        for used in uses(context) {
            if now.is_before(used.facts.not_before) && used.part.is_told_here() {
                let until = now.span(used.facts.not_before);
                findings.add(finding(
                    context,
                    Code::E2,
                    used.part.severity(),
                    &used,
                    &format!("is not valid before {until} from now"),
                ));
            }
        }
    },
};

pub(in crate::diagnosis) const E3: Rule = Rule {
    code: Code::E3,
    severity: Severity::Warning,
    title: "A certificate that traffic depends on expires soon, and nothing renews it in time",
    explanation: "Within two weeks traffic breaks unless somebody renews it. A certificate that cert-manager will renew before then is not a finding.",
    remedy: "Renew it, or let cert-manager do so.",
    causes: &[],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::Pods,
    ],
    check: |context, findings| {
        let now = &context.now;
        for used in uses(context) {
            let end = used.facts.not_after;
            let is_soon = now.is_after(end - SOON) && !now.is_after(end);
            if now.is_before(used.facts.not_before) || !is_soon {
                continue;
            }
            let lifetime = used.facts.not_after - used.facts.not_before;
            let renewed = renewal(context, &used.object);
            if renewed.is_some_and(|renewal| renewal < end && now.is_before(renewal)) {
                continue;
            }
            // What lives for hours is made to be replaced often.
            if lifetime <= SOON && now.is_before(end - lifetime / 3) {
                continue;
            }
            let what = format!("expires in {}", now.span(end));
            let finding = finding(context, Code::E3, Severity::Warning, &used, &what);
            findings.add(match renewed {
                Some(renewal) => finding.because(format!(
                    "cert-manager was to renew it at {}, and has not.",
                    words::moment(renewal)
                )),
                None => finding.because(match without_renewal(context, &used.object) {
                    Some(writer) => format!(
                        "{writer} writes it, and its renewal is disabled (spec.renewal.policy)."
                    ),
                    None => "No cert-manager Certificate renews it.".to_owned(),
                }),
            });
        }
    },
};

fn finding(
    context: &Context<'_>,
    code: Code,
    severity: Severity,
    used: &Use<'_>,
    what: &str,
) -> Finding {
    let place = format!("{}[{}]", used.object, used.key);
    let mut finding = Finding::new(
        code,
        severity,
        &used.object,
        format!(
            "{}, {place}, {what}",
            super::shared::upper(used.part.phrase())
        ),
    )
    .evidence("subject", words::holder(used.facts), &place)
    .evidence("valid", validity(used.facts), &place)
    .remedy(reissue(context, &used.object));
    for mark in &used.marks {
        finding = finding.mark(mark.clone());
    }
    if used.part == Part::PolicyCa && severity == Severity::Error {
        finding =
            finding.breaks("nginx refuses every backend certificate under it; clients get 502");
    }
    if used.part == Part::ClientsCa && severity == Severity::Error {
        finding = finding.breaks("clients with a certificate under it get no answer");
    }
    finding
}

/// When cert-manager renews what it writes into a Secret, in seconds since 1970.
fn renewal(context: &Context<'_>, secret: &ObjectRef) -> Option<i64> {
    let writer = super::shared::writer(context, secret)?;
    let certificate = context.snapshot.certificates.get(&writer)?;
    let renewal = certificate.status.renewal_time;
    let renewal = renewal.filter(|_| !is_renewal_disabled(certificate));
    renewal.map(Timestamp::as_second)
}

/// The Certificate that writes a Secret, where it is never to be renewed.
fn without_renewal(context: &Context<'_>, secret: &ObjectRef) -> Option<ObjectRef> {
    let writer = super::shared::writer(context, secret)?;
    let certificate = context.snapshot.certificates.get(&writer)?;
    is_renewal_disabled(certificate).then_some(writer)
}

/// Whether a Certificate says that cert-manager is not to renew it (cert-manager 1.21).
fn is_renewal_disabled(certificate: &Object<Certificate>) -> bool {
    let policy = certificate.raw.pointer("/spec/renewal/policy");
    policy.and_then(serde_json::Value::as_str) == Some("Disabled")
}

/// How to get a Secret's certificate issued again.
pub(super) fn reissue(context: &Context<'_>, secret: &ObjectRef) -> Remedy {
    match super::shared::writer(context, secret) {
        Some(writer) => Remedy::command(
            format!("Let cert-manager reissue {writer}."),
            renew(&writer),
        ),
        None => Remedy::say(format!(
            "Reissue the certificate in {secret}; no cert-manager Certificate that is known writes it."
        )),
    }
}

/// The command that lets cert-manager issue a Certificate again.
pub(super) fn renew(certificate: &ObjectRef) -> Command {
    Command::new("cmctl")
        .words(["renew"])
        .namespace(&certificate.namespace)
        .name(certificate.kind, &certificate.name)
}

/// `2026-01-01 … to 2026-04-01 …`.
pub(super) fn validity(facts: &CertificateFacts) -> String {
    format!(
        "{} to {}",
        words::moment(facts.not_before),
        words::moment(facts.not_after)
    )
}

/// Whether a certificate's extended key usage allows a use; without the extension everything is.
pub(super) fn may(facts: &CertificateFacts, usage: &str) -> bool {
    facts.extended_key_usage.is_empty()
        || facts
            .extended_key_usage
            .iter()
            .any(|allowed| allowed == usage)
}
