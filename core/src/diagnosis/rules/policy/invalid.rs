//! P2 to P7 and P15: policies that NGF does not take.

mod remedies;

use std::collections::{BTreeMap, BTreeSet};

use super::{ancestors_say, bundle::unloadable, unused::is_anothers};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity, Verdict},
        ngf::{Answer, PolicyDecision, PolicyFault, incomplete, known, resolve::Fault},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::cert_manager::bundles::writing,
        rules::condition::blind::is_blind_to,
        rules::route::refused,
        rules::shared::{upper, with_oddity, writer},
        words::{answer_to, condition, list},
    },
    model::{
        kinds::BackendTLSPolicy,
        object::{Condition, Object, ObjectRef},
        snapshot::Lookup,
    },
};

use remedies::invalid_remedy;

macro_rules! invalid {
    ($name:ident, $code:expr, $needs:expr, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: if matches!($code, Code::P7) {
                &[Code::P15, Code::R21, Code::D1]
            } else {
                &[Code::P15, Code::R21]
            },
            needs: $needs,
            check: |context, findings| {
                invalid(context, findings, $code);
                if $code == Code::P7 {
                    unloadable(context, findings, Code::P7);
                }
            },
        };
    };
}

invalid!(
    P2,
    Code::P2,
    &[Need::Paths, Need::NginxProxies],
    "NGF rejects the policy's hostname",
    "NGF wants a lower-case RFC 1123 name, with *. before it if need be: no port, no underscore, no trailing dot. A backend that the policy takes effect on is answered with 500.",
    "Write the name that the backend's certificate carries, in lower case and without a port."
);

invalid!(
    P3,
    Code::P3,
    &[Need::Paths, Need::NginxProxies],
    "The policy names both or neither of CA references and well-known CAs",
    "Exactly one of caCertificateRefs and wellKnownCACertificates must be given, and the latter must be System. A backend that the policy takes effect on is answered with 500.",
    "Keep one of them."
);

invalid!(
    P4,
    Code::P4,
    &[Need::Paths, Need::NginxProxies],
    "The policy names more than one CA",
    "NGF takes one caCertificateRef. A backend that the policy takes effect on is answered with 500.",
    "Put all CAs into one ConfigMap's ca.crt and name that."
);

invalid!(
    P5,
    Code::P5,
    &[Need::Paths, Need::NginxProxies],
    "The policy's CA reference names a kind that NGF does not take",
    "NGF takes ConfigMaps and Secrets of the core group. A backend that the policy takes effect on is answered with 500.",
    "Name a ConfigMap or a Secret."
);

invalid!(
    P6,
    Code::P6,
    &[Need::Paths, Need::Certificates, Need::NginxProxies],
    "The CA that the policy names does not exist or cannot be read",
    "NGF wants the key ca.crt in a ConfigMap, or a Secret of type kubernetes.io/tls, in the policy's namespace. A backend that the policy takes effect on is answered with 500.",
    "Create what is missing, or repair it."
);

invalid!(
    P7,
    Code::P7,
    &[Need::Paths, Need::Certificates, Need::NginxProxies],
    "The policy's CA is in a Secret that is not of type kubernetes.io/tls",
    "NGF refuses Opaque Secrets as CA, even with a good ca.crt. A backend that the policy takes effect on is answered with 500. NGF 2.6 accepts one that a listener names as CA of its clients, too, and writes no file of it: nginx refuses the configuration then (NGF-L2).",
    "Put the CA into a ConfigMap under the key ca.crt."
);

fn invalid(context: &Context<'_>, findings: &mut Findings, code: Code) {
    // One finding for a broken CA, however many policies name it.
    let mut by_culprit: BTreeMap<
        Option<&ObjectRef>,
        Vec<(&Object<BackendTLSPolicy>, &PolicyFault)>,
    > = BTreeMap::new();
    for (name, (policy, decision)) in &context.policies {
        // What another controller makes of its own policies is its affair.
        if !context.policy_users.contains_key(name) && is_anothers(context, policy) {
            continue;
        }
        match decision {
            PolicyDecision::Invalid(first) => {
                let Some(fault) = first.all().find(|fault| fault.code == code) else {
                    continue;
                };
                let culprit = fault.culprit.as_ref().map(|(object, _)| object);
                match culprit {
                    Some(_) => by_culprit.entry(culprit).or_default().push((policy, fault)),
                    None => add_invalid(context, findings, &[(policy, fault)]),
                }
            }
            PolicyDecision::Unknown { why, trust } if code == Code::P6 => {
                unknown_ca(context, findings, policy, trust.as_ref(), why);
            }
            PolicyDecision::Valid(_) => {
                if let Some(reported) = reported(policy)
                    && code_in_words(reported) == code
                    && context.policy_users.contains_key(name)
                    && !is_blind_to(findings, name)
                {
                    only_reported(findings, policy, code, reported);
                }
            }
            PolicyDecision::Unknown { .. } => {}
        }
    }
    for policies in by_culprit.values() {
        add_invalid(context, findings, policies);
    }
}

fn add_invalid(
    context: &Context<'_>,
    findings: &mut Findings,
    policies: &[(&Object<BackendTLSPolicy>, &PolicyFault)],
) {
    let [(policy, fault), ..] = policies else {
        return;
    };
    let names: Vec<&ObjectRef> = policies
        .iter()
        .map(|(policy, _)| &policy.reference)
        .collect();
    let subject = fault
        .culprit
        .as_ref()
        .map_or(&policy.reference, |(object, _)| object);
    let in_use = names
        .iter()
        .any(|name| context.policy_users.contains_key(*name));
    let severity = if in_use {
        Severity::Error
    } else {
        Severity::Warning
    };
    let title = invalid_title(context, policy, fault, &names);
    let mut finding = Finding::new(fault.code, severity, subject, title)
        .mark_objects(names.iter().copied())
        .remedy(invalid_remedy(context, policy, fault, names.len()));
    if let Some((object, Fault::BrokenCa | Fault::KeyPair)) = &fault.culprit {
        finding = with_oddity(context, finding, object);
    }
    if let Some((object, Fault::DoesNotExist)) = &fault.culprit
        && let Some(writer) = writer(context, object)
    {
        finding = finding
            .because(format!(
                "{writer} is to write it and has not: see its conditions."
            ))
            .scope([&writer]);
    }
    if reported(policy).is_none() {
        finding = finding.evidence("NGF says", &fault.message, "predicted from the objects");
    }
    for (policy, _) in policies {
        if let Some(reported) = reported(policy) {
            finding = finding.condition(&policy.reference, reported);
        }
        for kind in ["ResolvedRefs", "Accepted"] {
            findings.explain(&policy.reference, kind);
        }
    }
    findings.add(finding);
}

fn invalid_title(
    context: &Context<'_>,
    policy: &Object<BackendTLSPolicy>,
    fault: &PolicyFault,
    names: &[&ObjectRef],
) -> String {
    let users = list(names, 2);
    match &fault.culprit {
        Some((object, Fault::DoesNotExist)) => {
            format!("{object}, the CA of {users}, does not exist")
        }
        Some((object, Fault::WrongType)) => {
            let kind = match known::secret(context.snapshot, object) {
                Lookup::Found(secret) => secret.spec.secret_type.clone(),
                _ => "another type".to_owned(),
            };
            format!(
                "NGF refuses {object} as the CA of {users}: it is {kind}, not kubernetes.io/tls"
            )
        }
        Some((object, Fault::NoCa)) => {
            let keys = match known::config_map(context.snapshot, object) {
                Lookup::Found(map) if !map.spec.keys.is_empty() => {
                    format!(", only {}", list(map.spec.keys.keys(), 3))
                }
                _ => String::new(),
            };
            format!("{object}, the CA of {users}, has no key ca.crt{keys}")
        }
        Some((object, Fault::KeyPair)) => format!(
            "NGF refuses {object} as the CA of {users}, because its tls.crt and tls.key do not form a usable pair"
        ),
        Some((object, Fault::BrokenCa)) => {
            format!("NGF cannot read the ca.crt in {object}, the CA of {users}")
        }
        None => without_culprit(policy, fault),
    }
}

fn without_culprit(policy: &Object<BackendTLSPolicy>, fault: &PolicyFault) -> String {
    let name = &policy.reference;
    let spec = &policy.spec;
    match fault.code {
        Code::P2 => format!("NGF rejects the hostname of {name}, \"{}\"", spec.hostname),
        Code::P3 if spec.ca_certificate_refs.is_empty() => match &spec.well_known_ca_certificates {
            None => format!("{name} names no CA at all"),
            Some(other) => {
                format!("{name} names {other} as well-known CAs, and NGF knows only System")
            }
        },
        Code::P3 => format!("{name} names both a CA of its own and the system's"),
        Code::P4 => format!(
            "{name} names {} CAs, and NGF takes one",
            spec.ca_certificate_refs.len()
        ),
        Code::P5 => {
            let what = spec
                .ca_certificate_refs
                .first()
                .map_or_else(String::new, |reference| {
                    let group = reference.group.as_deref().unwrap_or_default();
                    let kind = reference.kind.as_deref().unwrap_or_default();
                    format!("{kind}.{group}").trim_end_matches('.').to_owned()
                });
            format!("The CA of {name} is of kind {what}, and NGF takes only ConfigMaps and Secrets")
        }
        _ => format!("NGF does not take {name}: {}", fault.message),
    }
}

fn unknown_ca(
    context: &Context<'_>,
    findings: &mut Findings,
    policy: &Object<BackendTLSPolicy>,
    trust: Option<&TrustSource>,
    why: &str,
) {
    let name = &policy.reference;
    // NGF-K3 and NGF-K11 report what is not known of it.
    if !context.policy_users.contains_key(name) || incomplete(context.snapshot, policy).is_some() {
        return;
    }
    if let Some(reported) = reported(policy) {
        only_reported(findings, policy, code_in_words(reported), reported);
        return;
    }
    let accepted =
        ancestors_say(policy, "ResolvedRefs").is_some_and(|condition| condition.status == "True");
    if accepted {
        return;
    }
    let what = trust.map_or_else(|| "its CA".to_owned(), ToString::to_string);
    let severity = if context.is_files() {
        Severity::Info
    } else {
        Severity::Warning
    };
    let mut finding = Finding::new(
        Code::P6,
        severity,
        name,
        format!("Whether NGF takes {what} as the CA of {name} is unknown"),
    )
    .unknown()
    .because(format!("{}.", upper(why)));
    if let Some(TrustSource::Object { object, .. }) = trust {
        finding = finding.scope([object]);
        let writer = writer(context, object).or_else(|| writing(context, object));
        if let Some(writer) = writer {
            finding = finding.because(format!("{writer} writes it."));
        }
    }
    findings.add(finding);
}

fn only_reported(
    findings: &mut Findings,
    policy: &Object<BackendTLSPolicy>,
    code: Code,
    reported: &Condition,
) {
    let name = &policy.reference;
    for kind in ["ResolvedRefs", "Accepted"] {
        findings.explain(name, kind);
    }
    findings.add(
        Finding::new(
            code,
            Severity::Error,
            name,
            format!("NGF does not take {name}: {}", reported.message),
        )
        .because("The objects that are known show no fault: NGF may be behind, or not see what the policy names.")
        .condition(name, reported)
        .remedy(Remedy::say(
            "Compare the message with the object it names, and the controller's --watch-namespaces with its namespace.",
        )),
    );
}

/// The condition in which NGF says why it does not take a policy.
fn reported(policy: &Object<BackendTLSPolicy>) -> Option<&Condition> {
    let refused = |kind, reasons: &'static [&'static str]| {
        ancestors_say(policy, kind).filter(move |condition| {
            condition.status == "False" && reasons.contains(&condition.reason.as_str())
        })
    };
    refused("ResolvedRefs", &["InvalidCACertificateRef", "InvalidKind"])
        .or_else(|| refused("Accepted", &["Invalid", "NoValidCACertificate"]))
}

fn code_in_words(condition: &Condition) -> Code {
    let message = condition.message.as_str();
    match () {
        () if condition.reason == "InvalidKind" => Code::P5,
        () if message.contains("unsupported secret type") => Code::P7,
        () if message.contains("Invalid hostname") => Code::P2,
        () if message.contains("Too many") => Code::P4,
        () if condition.reason == "Invalid" => Code::P3,
        () => Code::P6,
    }
}

/// Whether a finding tells that NGF does not take the policy, though the objects do not show why.
fn is_refused(findings: &Findings, policy: &Object<BackendTLSPolicy>) -> bool {
    reported(policy).is_some_and(|reported| {
        let code = code_in_words(reported);
        findings.iter().any(|finding| {
            finding.code == code
                && finding.subject == policy.reference
                && finding.verdict == Verdict::Fail
        })
    })
}

pub(in crate::diagnosis) const P15: Rule = Rule {
    code: Code::P15,
    severity: Severity::Error,
    title: "A route's backend has an invalid BackendTLSPolicy, and NGF refuses the backend",
    explanation: "NGF never falls back to plain text where a policy takes effect and is invalid: it refuses the backend, and says so in the route's ResolvedRefs. Clients get 500; where a valid policy of another backend makes the rule speak TLS they get 502, or nginx cannot load the configuration (NGF-R1). For a TLSRoute nginx closes the connection.",
    remedy: "Repair the policy.",
    causes: &[Code::R1, Code::R19, Code::D1],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| {
        for (name, (policy, decision)) in &context.policies {
            let culprit = match decision {
                PolicyDecision::Invalid(fault) => fault.culprit.as_ref(),
                _ if is_refused(findings, policy) => None,
                _ => continue,
            };
            let proven = matches!(decision, PolicyDecision::Invalid(_));
            let mut routes = BTreeSet::new();
            let mut rules = Vec::new();
            let mut finding = Finding::new(Code::P15, Severity::Error, &policy.reference, "")
                .scope(culprit.iter().map(|(object, _)| object));
            for (rule, backend) in context.users_of(name) {
                let told = rule
                    .route
                    .status
                    .parents
                    .iter()
                    .filter_map(|parent| condition(&parent.conditions, "ResolvedRefs"))
                    .find(|condition| condition.status == "False");
                let says_so =
                    |told: &Condition| told.message.contains("BackendTLSPolicy is invalid");
                if !proven && !told.is_some_and(says_so) {
                    continue;
                }
                routes.insert(&rule.route.reference);
                rules.push(rule);
                finding = finding.mark(rule.mark());
                finding.marks.extend(backend.mark());
                if finding.evidence.is_empty() {
                    finding = finding.condition_if(&rule.route.reference, told);
                }
                crate::diagnosis::rules::route::explain_resolved_refs(context, findings, rule);
            }
            if routes.is_empty() {
                continue;
            }
            let answers = rules.iter().map(|rule| refused::answer(context, rule));
            let worst = answers.max().unwrap_or(Answer::Status500);
            let clients = list(&routes, 3);
            finding.title = match worst {
                Answer::Status500 => {
                    format!(
                        "Clients of {clients} get {}, because {name} is invalid",
                        answer_to(routes.iter().copied(), 500)
                    )
                }
                Answer::Status502 { .. } => {
                    format!(
                        "Clients of {clients} get {}, because {name} is invalid",
                        answer_to(routes.iter().copied(), 502)
                    )
                }
                Answer::Closed => format!(
                    "nginx closes the connections of clients of {clients}, because {name} is invalid"
                ),
                Answer::NotLoaded { .. } => format!(
                    "nginx cannot load its configuration: {name}, of a backend of {clients}, is invalid"
                ),
            };
            if worst != Answer::Status500 {
                finding = refused::tell(context, finding, rules);
            }
            findings.add(finding.remedy(Remedy::say(format!("Repair {name}."))));
        }
    },
};
