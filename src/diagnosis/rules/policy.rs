//! P: BackendTLSPolicies.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{self, BackendState, PolicyDecision, PolicyFault, known, resolve::Fault},
        plan::TrustSource,
        registry::Rule,
        rules::client_certificate::{upper, writer},
        words::{self, condition, list},
    },
    model::{
        index::service_port,
        kind::Kind,
        kinds::{BackendTLSPolicy, LocalRef, PemFacts},
        object::{Condition, Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(in crate::diagnosis) const P1: Rule = Rule {
    code: "NGF-P1",
    severity: Severity::Error,
    title: "A BackendTLSPolicy takes effect on nothing",
    explanation: "NGF looks at a policy only when a route's backend meets it: same namespace as the Service, the Service's name, and, where sectionName is set, the *name* of the port. A policy that misses gets no status at all, and nginx speaks plain HTTP to the backend.",
    remedy: "Move the policy to the Service's namespace, correct the name or the sectionName, or add the route.",
    causes: &["NGF-B9", "NGF-G10"],
    check: |context, findings| {
        for (name, (policy, _)) in &context.policies {
            let used = context.policy_users.contains_key(name) || loses(context, name);
            if !used {
                unused(context, policy, findings);
            }
        }
    },
};

/// Whether a policy targets a backend in use, and an older one takes effect on it.
fn loses(context: &Context<'_>, policy: &ObjectRef) -> bool {
    context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .any(|backend| {
            backend
                .losers
                .iter()
                .any(|loser| loser.reference == *policy)
        })
}

fn unused(context: &Context<'_>, policy: &Object<BackendTLSPolicy>, findings: &mut Findings) {
    let name = &policy.reference;
    let mut finding = Finding::new(
        "NGF-P1",
        Severity::Error,
        name,
        format!("{name} takes effect on nothing"),
    )
    .because("NGF writes no status into a policy that no route's backend meets.");
    let mut proven = true;
    let mut misses = false;
    for target in &policy.spec.target_refs {
        let miss = why_missed(context, name, target);
        misses |= miss.is_mistake;
        proven &= miss.is_proven;
        finding = finding
            .because(format!("{}.", upper(&miss.sentence)))
            .scope(miss.service.iter())
            .scope(&miss.elsewhere);
        for service in miss.elsewhere.iter().chain(&miss.service) {
            finding = finding.scope(gateways_routing_to(context, service));
            if context.index.service(service).is_some() && miss.is_mistake {
                finding = finding.mark(Mark::Backend {
                    service: service.clone(),
                    port: None,
                });
            }
        }
        if let Some(remedy) = miss.remedy {
            finding = finding.remedy(remedy);
        }
    }
    if policy.spec.target_refs.is_empty() {
        finding = finding.because("It has no targetRefs.");
    }
    if !misses {
        // A Service that no route uses yet breaks nothing.
        finding.severity = Severity::Info;
    } else if !proven {
        finding.severity = if context.is_files() {
            Severity::Info
        } else {
            Severity::Warning
        };
        finding = finding.unknown();
    } else {
        finding = finding.breaks("nginx speaks plain HTTP to the backend that it was made for");
    }
    findings.add(finding);
}

/// Why a target meets no backend.
struct Miss {
    sentence: String,
    /// It is wrong, rather than merely unused.
    is_mistake: bool,
    is_proven: bool,
    service: Option<ObjectRef>,
    /// Services that may have been meant.
    elsewhere: Vec<ObjectRef>,
    remedy: Option<Remedy>,
}

fn why_missed(context: &Context<'_>, policy: &ObjectRef, target: &LocalRef) -> Miss {
    let service = ObjectRef::new(Kind::Service, &policy.namespace, &target.name);
    let mut miss = Miss {
        sentence: String::new(),
        is_mistake: true,
        is_proven: true,
        service: Some(service.clone()),
        elsewhere: Vec::new(),
        remedy: None,
    };
    let kind = target.kind.as_deref().unwrap_or_default();
    let group = target.group.as_deref().unwrap_or_default();
    if kind != "Service" || !matches!(group, "" | "core") {
        miss.sentence = format!(
            "it targets a {kind} of group {group:?}, and NGF knows only Services of the core group"
        );
        miss.service = None;
        return miss;
    }
    let Some(found) = context.index.service(&service) else {
        if let Err(why) = known::absence_is_proven(context.snapshot, &service) {
            miss.sentence = why;
            miss.is_proven = false;
        } else {
            miss.sentence = format!("there is no {service}");
        }
        miss.elsewhere = services_elsewhere(context, &service);
        if miss.elsewhere.is_empty() && miss.is_proven {
            wants_it(context, policy, &mut miss);
        } else if let [one] = miss.elsewhere.as_slice() {
            miss.sentence = format!(
                "{}; routes use {one}, and a policy must stand in its Service's namespace",
                miss.sentence
            );
            miss.remedy = Some(Remedy::say(format!(
                "Create the policy in namespace {} instead, with its CA there, too.",
                one.namespace
            )));
            miss.is_proven = true;
        }
        return miss;
    };
    if let Some(section) = target.section_name.as_deref()
        && !found.spec.ports.iter().any(|port| port.name == section)
    {
        let names: Vec<&str> = found
            .spec
            .ports
            .iter()
            .map(|port| port.name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        let have = if names.is_empty() {
            "its ports have no names".to_owned()
        } else {
            format!("its ports are named {}", list(&names, 6))
        };
        miss.sentence = format!("sectionName {section} names no port of {service}: {have}");
        miss.remedy = Some(Remedy::yaml(
            "Set sectionName to the port's name (not its number), or leave it out for all ports.",
            format!(
                "spec:\n  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: {}\n{}",
                target.name,
                names
                    .first()
                    .map_or_else(String::new, |name| format!("    sectionName: {name}\n"))
            ),
        ));
        return miss;
    }
    if let Some(section) = target.section_name.as_deref() {
        let ports: BTreeSet<String> = ports_in_use(context, &service)
            .into_iter()
            .map(|port| {
                service_port(&found.spec, port)
                    .map(|port| port.name.clone())
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| port.to_string())
            })
            .collect();
        if !ports.is_empty() {
            miss.sentence = format!(
                "it targets port {section} of {service}, and routes use port {}",
                list(ports, 6)
            );
            return miss;
        }
    }
    miss.is_mistake = false;
    miss.sentence = format!("no route that a listener takes refers to {service}");
    miss
}

/// A probe may have shown which Service of the namespace wants the TLS that the policy is for.
fn wants_it(context: &Context<'_>, policy: &ObjectRef, miss: &mut Miss) {
    let wanting: Vec<&ObjectRef> = super::handshake::wanting_tls(context)
        .into_iter()
        .filter(|service| service.namespace == policy.namespace)
        .collect();
    if let [one] = wanting.as_slice() {
        miss.sentence = format!(
            "{}; {one} wants TLS, as a probe shows, and no policy targets it",
            miss.sentence
        );
        miss.elsewhere = vec![(*one).clone()];
        miss.remedy = Some(Remedy::command(
            format!("Target {one}, if the policy is meant for it."),
            format!(
                "kubectl -n {} patch backendtlspolicy {} --type=merge -p '{{\"spec\":{{\"targetRefs\":[{{\"group\":\"\",\"kind\":\"Service\",\"name\":\"{}\"}}]}}}}'",
                policy.namespace, policy.name, one.name
            ),
        ));
    }
}

/// Services of that name in other namespaces that routes use and no policy targets.
fn services_elsewhere(context: &Context<'_>, service: &ObjectRef) -> Vec<ObjectRef> {
    let found: BTreeSet<&ObjectRef> = context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter_map(|backend| backend.service.as_ref())
        .filter(|other| other.name == service.name && other.namespace != service.namespace)
        .filter(|other| context.index.claims(other).is_empty())
        .collect();
    found.into_iter().cloned().collect()
}

fn gateways_routing_to<'a>(context: &Context<'a>, service: &ObjectRef) -> BTreeSet<&'a ObjectRef> {
    context
        .rules
        .iter()
        .filter(|rule| {
            rule.decision
                .backends
                .iter()
                .any(|backend| backend.service.as_ref() == Some(service))
        })
        .flat_map(|rule| rule.gateways.iter().copied())
        .collect()
}

fn ports_in_use(context: &Context<'_>, service: &ObjectRef) -> BTreeSet<u16> {
    context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| backend.service.as_ref() == Some(service))
        .filter_map(|backend| backend.reference.target.port)
        .collect()
}

macro_rules! invalid {
    ($name:ident, $code:literal, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &["NGF-P15"],
            check: |context, findings| invalid(context, findings, $code),
        };
    };
}

invalid!(
    P2,
    "NGF-P2",
    "The policy's hostname is none that NGF takes",
    "NGF wants a lower-case RFC 1123 name, with *. before it if need be: no port, no underscore, no trailing dot. A backend that the policy takes effect on is answered with 500.",
    "Write the name that the backend's certificate carries, in lower case and without a port."
);
invalid!(
    P3,
    "NGF-P3",
    "The policy names both or neither of CA references and well-known CAs",
    "Exactly one of caCertificateRefs and wellKnownCACertificates must be given, and the latter must be System. A backend that the policy takes effect on is answered with 500.",
    "Keep one of them."
);
invalid!(
    P4,
    "NGF-P4",
    "The policy names more than one CA",
    "NGF takes one caCertificateRef. A backend that the policy takes effect on is answered with 500.",
    "Put all CAs into one ConfigMap's ca.crt and name that."
);
invalid!(
    P5,
    "NGF-P5",
    "The policy's CA reference names a kind that NGF does not take",
    "NGF takes ConfigMaps and Secrets of the core group. A backend that the policy takes effect on is answered with 500.",
    "Name a ConfigMap or a Secret."
);
invalid!(
    P6,
    "NGF-P6",
    "The CA that the policy names does not exist or cannot be read",
    "NGF wants the key ca.crt in a ConfigMap, or a Secret of type kubernetes.io/tls, in the policy's namespace. A backend that the policy takes effect on is answered with 500.",
    "Create what is missing, or repair it."
);
invalid!(
    P7,
    "NGF-P7",
    "The policy's CA is in a Secret that is not of type kubernetes.io/tls",
    "NGF refuses Opaque Secrets as CA, even with a good ca.crt. A backend that the policy takes effect on is answered with 500.",
    "Put the CA into a ConfigMap under the key ca.crt."
);

fn invalid(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    // One finding for a broken CA, however many policies name it.
    let mut by_culprit: BTreeMap<
        Option<&ObjectRef>,
        Vec<(&Object<BackendTLSPolicy>, &PolicyFault)>,
    > = BTreeMap::new();
    for (name, (policy, decision)) in &context.policies {
        match decision {
            PolicyDecision::Invalid(fault) if fault.code == code => {
                let culprit = fault.culprit.as_ref().map(|(object, _)| object);
                match culprit {
                    Some(_) => by_culprit.entry(culprit).or_default().push((policy, fault)),
                    None => add_invalid(context, findings, &[(policy, fault)]),
                }
            }
            PolicyDecision::Unknown { why, trust } if code == "NGF-P6" => {
                unknown_ca(context, findings, policy, trust.as_ref(), why);
            }
            PolicyDecision::Valid(_) => {
                if let Some(reported) = reported(policy)
                    && code_in_words(reported) == code
                    && context.policy_users.contains_key(name)
                {
                    only_reported(findings, policy, code, reported);
                }
            }
            _ => {}
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
        .evidence(
            "NGF says",
            &fault.message,
            "by what it checks in the objects",
        )
        .mark_objects(names.iter().copied())
        .remedy(invalid_remedy(context, policy, fault));
    if let Some((object, Fault::DoesNotExist)) = &fault.culprit
        && let Some(writer) = writer(context, object)
    {
        finding = finding
            .because(format!(
                "{writer} is to write it and has not: see its conditions."
            ))
            .scope([&writer]);
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
            "NGF refuses {object} as the CA of {users}, because its tls.crt and tls.key are no usable pair"
        ),
        Some((object, Fault::BrokenCa)) => {
            format!("The ca.crt in {object}, the CA of {users}, cannot be read")
        }
        None => format!("NGF does not take {}: {}", policy.reference, fault.message),
    }
}

fn invalid_remedy(
    context: &Context<'_>,
    policy: &Object<BackendTLSPolicy>,
    fault: &PolicyFault,
) -> Remedy {
    let namespace = &policy.reference.namespace;
    let Some((object, what)) = &fault.culprit else {
        return match fault.code {
            "NGF-P2" => Remedy::yaml(
                "Name what the backend's certificate carries.",
                "spec:\n  validation:\n    hostname: NAME.IN.THE.CERTIFICATE\n",
            ),
            _ => Remedy::yaml(
                "Name one ConfigMap or TLS Secret.",
                "spec:\n  validation:\n    caCertificateRefs:\n    - group: \"\"\n      kind: ConfigMap\n      name: backend-ca\n",
            ),
        };
    };
    let name = &object.name;
    match what {
        Fault::WrongType => Remedy::command(
            "Copy the CA into a ConfigMap and name that in the policy.",
            format!(
                "kubectl -n {namespace} get secret {name} -o jsonpath='{{.data.ca\\.crt}}' | base64 -d > ca.crt\n\
                 kubectl -n {namespace} create configmap {name} --from-file=ca.crt\n\
                 kubectl -n {namespace} patch backendtlspolicy {} --type=merge -p '{{\"spec\":{{\"validation\":{{\"caCertificateRefs\":[{{\"group\":\"\",\"kind\":\"ConfigMap\",\"name\":\"{name}\"}}]}}}}}}'",
                policy.reference.name
            ),
        ),
        Fault::DoesNotExist if writer(context, object).is_some() => Remedy::say(
            "Find out why cert-manager has not written it; NGF recovers when it appears.",
        ),
        Fault::NoCa => Remedy::command(
            "Put the CA under the key ca.crt.",
            format!(
                "kubectl -n {namespace} create configmap {name} --from-file=ca.crt --dry-run=client -o yaml | kubectl apply -f -"
            ),
        ),
        _ if object.kind == Kind::ConfigMap => Remedy::command(
            format!("Create {object} with the CA under the key ca.crt."),
            format!(
                "kubectl -n {namespace} create configmap {name} --from-file=ca.crt --dry-run=client -o yaml | kubectl apply -f -"
            ),
        ),
        _ => Remedy::say(format!(
            "Give {object} the type kubernetes.io/tls, a tls.crt with its tls.key, and the CA as ca.crt; or name a ConfigMap with ca.crt."
        )),
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
    if !context.policy_users.contains_key(name) {
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
        "NGF-P6",
        severity,
        name,
        format!("Whether NGF takes {what} as the CA of {name} is unknown"),
    )
    .unknown()
    .because(format!("{}.", upper(why)));
    if let Some(TrustSource::Object { object, .. }) = trust {
        finding = finding.scope([object]);
        if let Some(writer) = writer(context, object) {
            finding = finding.because(format!("{writer} writes it."));
        }
    }
    findings.add(finding);
}

fn only_reported(
    findings: &mut Findings,
    policy: &Object<BackendTLSPolicy>,
    code: &'static str,
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

fn ancestors_say<'a>(policy: &'a Object<BackendTLSPolicy>, kind: &str) -> Option<&'a Condition> {
    policy
        .spec
        .ancestors
        .iter()
        .find_map(|ancestor| condition(&ancestor.conditions, kind))
}

fn code_in_words(condition: &Condition) -> &'static str {
    let message = condition.message.as_str();
    match () {
        () if condition.reason == "InvalidKind" => "NGF-P5",
        () if message.contains("unsupported secret type") => "NGF-P7",
        () if message.contains("Invalid hostname") => "NGF-P2",
        () if message.contains("Too many") => "NGF-P4",
        () if condition.reason == "Invalid" => "NGF-P3",
        () => "NGF-P6",
    }
}

pub(in crate::diagnosis) const P15: Rule = Rule {
    code: "NGF-P15",
    severity: Severity::Error,
    title: "A route's backend has an invalid BackendTLSPolicy, and clients get 500",
    explanation: "NGF never falls back to plain text where a policy takes effect and is invalid: it answers 500 for the backend and says so in the route's ResolvedRefs.",
    remedy: "Repair the policy.",
    causes: &[],
    check: |context, findings| {
        for (name, (policy, decision)) in &context.policies {
            let PolicyDecision::Invalid(fault) = decision else {
                continue;
            };
            let mut routes = BTreeSet::new();
            let mut finding = Finding::new("NGF-P15", Severity::Error, &policy.reference, "")
                .scope(fault.culprit.iter().map(|(object, _)| object));
            for (rule, backend) in context.users_of(name) {
                routes.insert(&rule.route.reference);
                finding = finding.mark(rule.mark());
                finding.marks.extend(backend.mark());
                super::route::explain_resolved_refs(context, findings, rule);
            }
            if routes.is_empty() {
                continue;
            }
            finding.title = format!(
                "Clients of {} get 500, because {name} is invalid",
                list(&routes, 3)
            );
            findings.add(finding.evidence(
                "NGF says",
                format!("The BackendTLSPolicy is invalid: {}", fault.message),
                "route status ResolvedRefs",
            ));
        }
    },
};

pub(in crate::diagnosis) const P8: Rule = Rule {
    code: "NGF-P8",
    severity: Severity::Error,
    title: "The policy's CA Secret has no ca.crt, so nginx cannot load the Gateway's configuration",
    explanation: "NGF takes a TLS Secret without ca.crt and writes an empty bundle. nginx refuses it with the whole configuration (`[emerg] SSL_CTX_load_verify_locations … no certificate or crl found`): the Gateway keeps its old configuration, for every route, while all conditions of the policy are True. Issuers that return no CA (ACME) make such Secrets.",
    remedy: "Give the Secret a ca.crt, or name a ConfigMap that has one.",
    causes: &["NGF-D1"],
    check: |context, findings| unloadable(context, findings, "NGF-P8"),
};

pub(in crate::diagnosis) const P9: Rule = Rule {
    code: "NGF-P9",
    severity: Severity::Error,
    title: "The policy's CA bundle holds something that nginx cannot load",
    explanation: "NGF parses only the first PEM block. nginx reads the whole file, and garbage after the first certificate makes it refuse the whole configuration of the Gateway.",
    remedy: "Leave only CERTIFICATE blocks in ca.crt.",
    causes: &["NGF-D1"],
    check: |context, findings| unloadable(context, findings, "NGF-P9"),
};

/// CAs that NGF takes and nginx does not.
fn unloadable(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    let mut objects: BTreeSet<&ObjectRef> = BTreeSet::new();
    for (name, (_, decision)) in &context.policies {
        if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
            && context.policy_users.contains_key(name)
        {
            objects.insert(object);
        }
    }
    for object in objects {
        let ca = match object.kind {
            Kind::Secret => match known::secret(context.snapshot, object) {
                Lookup::Found(secret) => &secret.spec.ca,
                _ => continue,
            },
            _ => match known::config_map(context.snapshot, object) {
                Lookup::Found(map) => &map.spec.ca,
                _ => continue,
            },
        };
        let (title, detail) = match (code, ca) {
            ("NGF-P8", PemFacts::Missing) => (
                format!(
                    "{object} has no ca.crt, and nginx cannot load the configuration with the empty bundle"
                ),
                "missing".to_owned(),
            ),
            (
                "NGF-P9",
                PemFacts::Certificates {
                    trailing: Some(trailing),
                    ..
                },
            ) => (
                format!(
                    "The ca.crt in {object} holds more than certificates, and nginx cannot load it"
                ),
                trailing.clone(),
            ),
            _ => continue,
        };
        add_unloadable(context, findings, code, object, &title, &detail);
    }
}

fn add_unloadable(
    context: &Context<'_>,
    findings: &mut Findings,
    code: &'static str,
    object: &ObjectRef,
    title: &str,
    detail: &str,
) {
    let policies = context.policies_trusting(object);
    let mut gateways = BTreeSet::new();
    let mut finding = Finding::new(code, Severity::Error, object, title)
        .because("Every condition of the policy is True: NGF does not check this.")
        .evidence("ca.crt", detail, object.to_string())
        .evidence(
            "file",
            ngf::bundle_file(&object.namespace, &object.name),
            "in the data plane",
        );
    for policy in &policies {
        gateways.extend(context.gateways_using(&policy.reference));
        finding = finding.mark_objects([&policy.reference]);
    }
    let affected = list(&gateways, 3);
    finding = finding
        .scope(gateways.iter().copied())
        .breaks(format!(
            "the configuration of {affected} does not load any more: nothing that changes takes effect, for any route"
        ))
        .remedy(ca_remedy(context, object, &policies));
    for gateway in gateways {
        finding = finding.mark(Mark::Object(gateway.clone()));
    }
    findings.add(finding);
}

fn ca_remedy(
    context: &Context<'_>,
    object: &ObjectRef,
    policies: &[&Object<BackendTLSPolicy>],
) -> Remedy {
    let policy = policies
        .first()
        .map_or("POLICY", |policy| policy.reference.name.as_str());
    let namespace = &object.namespace;
    let why = writer(context, object).map_or_else(String::new, |writer| {
        format!(" {writer} writes the Secret, and its issuer returns no CA.")
    });
    Remedy::command(
        format!(
            "Put the CA that signed the backend's certificate into a ConfigMap, and name that.{why}"
        ),
        format!(
            "kubectl -n {namespace} create configmap backend-ca --from-file=ca.crt\n\
             kubectl -n {namespace} patch backendtlspolicy {policy} --type=merge -p '{{\"spec\":{{\"validation\":{{\"caCertificateRefs\":[{{\"group\":\"\",\"kind\":\"ConfigMap\",\"name\":\"backend-ca\"}}]}}}}}}'"
        ),
    )
}

pub(in crate::diagnosis) const P10: Rule = Rule {
    code: "NGF-P10",
    severity: Severity::Error,
    title: "A Secret and a ConfigMap of one name are both trusted, and NGF writes them to one file",
    explanation: "The file is cert_bundle_<namespace>_<name>.crt, without the kind. Of the two the last one written is what nginx trusts for both policies.",
    remedy: "Give one of them another name.",
    causes: &["NGF-T1"],
    check: |context, findings| {
        let mut kinds: BTreeMap<(&str, &str), BTreeSet<&ObjectRef>> = BTreeMap::new();
        for (name, (_, decision)) in &context.policies {
            if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
                && context.policy_users.contains_key(name)
            {
                kinds
                    .entry((&object.namespace, &object.name))
                    .or_default()
                    .insert(object);
            }
        }
        for ((namespace, name), objects) in kinds {
            let mut objects = objects.into_iter();
            let (Some(first), Some(second)) = (objects.next(), objects.next()) else {
                continue;
            };
            let policies: Vec<_> = [first, second]
                .into_iter()
                .flat_map(|object| context.policies_trusting(object))
                .map(|policy| &policy.reference)
                .collect();
            findings.add(
                Finding::new(
                    "NGF-P10",
                    Severity::Error,
                    first,
                    format!("{first} and {second} are written to one file, and nginx trusts only one of them"),
                )
                .evidence("file", ngf::bundle_file(namespace, name), "in the data plane")
                .scope([second])
                .mark_objects(policies)
                .remedy(Remedy::say("Give one of them another name, and name it in its policy.")),
            );
        }
    },
};

pub(in crate::diagnosis) const P12: Rule = Rule {
    code: "NGF-P12",
    severity: Severity::Warning,
    title: "NGF ignores fields that the policy sets",
    explanation: "NGF does not look at validation.subjectAltNames nor at options: the certificate is checked against validation.hostname alone.",
    remedy: "Do not rely on them: set validation.hostname to a name that the certificate carries.",
    causes: &[],
    check: |context, findings| {
        for (name, (policy, _)) in &context.policies {
            let mut ignored = Vec::new();
            if !policy.spec.subject_alt_names.is_empty() {
                ignored.push((
                    "spec.validation.subjectAltNames",
                    list(&policy.spec.subject_alt_names, 4),
                ));
            }
            if !policy.spec.options.is_empty() {
                ignored.push(("spec.options", list(policy.spec.options.keys(), 4)));
            }
            if ignored.is_empty() || !context.policy_users.contains_key(name) {
                continue;
            }
            let fields = list(ignored.iter().map(|(field, _)| field), 2);
            let mut finding = Finding::new(
                "NGF-P12",
                Severity::Warning,
                name,
                format!("NGF ignores {fields} of {name}"),
            )
            .because("nginx checks the certificate's name against validation.hostname alone.")
            .remedy(Remedy::say(
                "Set validation.hostname to a name that the backend's certificate carries.",
            ));
            for (field, value) in ignored {
                finding = finding.evidence(field, value, name.to_string());
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const P13: Rule = Rule {
    code: "NGF-P13",
    severity: Severity::Warning,
    title: "Two BackendTLSPolicies target one Service port, and the older one wins",
    explanation: "NGF takes the oldest, then the first by namespace and name; a sectionName gives no priority. The loser gets Accepted False/Conflicted, in one condition for all of its targets, so that it may look refused although it takes effect elsewhere.",
    remedy: "Delete one, or make each target another port by sectionName.",
    causes: &[],
    check: |context, findings| {
        let mut losers: BTreeMap<&ObjectRef, BTreeMap<&ObjectRef, BTreeSet<String>>> =
            BTreeMap::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                if let Some(winner) = backend.state.policy() {
                    for loser in &backend.losers {
                        losers
                            .entry(&loser.reference)
                            .or_default()
                            .entry(&winner.reference)
                            .or_default()
                            .insert(backend.label());
                    }
                }
            }
        }
        for (loser, winners) in losers {
            let Some((policy, _)) = context.policies.get(loser) else {
                continue;
            };
            let winner_names: Vec<&ObjectRef> = winners.keys().copied().collect();
            let ports: BTreeSet<&String> = winners.values().flatten().collect();
            let reported = ancestors_say(policy, "Accepted")
                .filter(|condition| condition.reason == "Conflicted");
            if reported.is_some() {
                findings.explain(loser, "Accepted");
            }
            findings.add(
                Finding::new(
                    "NGF-P13",
                    Severity::Warning,
                    loser,
                    format!(
                        "{loser} has no effect on {}: {} wins",
                        list(ports, 3),
                        list(&winner_names, 3)
                    ),
                )
                .because("The oldest policy wins, then the first by namespace and name; sectionName gives no priority.")
                .evidence("created", created(policy), loser.to_string())
                .evidence(
                    "created",
                    winner_names
                        .first()
                        .and_then(|winner| context.policies.get(*winner))
                        .map_or_else(String::new, |(winner, _)| created(winner)),
                    winner_names.first().map_or_else(String::new, ToString::to_string),
                )
                .condition_if(loser, reported)
                .scope(winner_names)
                .remedy(Remedy::command(
                    "Delete the one that is not wanted.",
                    format!("kubectl -n {} delete backendtlspolicy {}", loser.namespace, loser.name),
                )),
            );
        }
    },
};

fn created(policy: &Object<BackendTLSPolicy>) -> String {
    policy.meta.created.map_or_else(
        || "unknown".to_owned(),
        |time| words::moment(time.as_second()),
    )
}

pub(in crate::diagnosis) const P14: Rule = Rule {
    code: "NGF-P14",
    severity: Severity::Error,
    title: "A policy has more Gateways than its status can list, and nginx speaks plain HTTP for the rest",
    explanation: "A policy's status holds 16 ancestors. For a seventeenth Gateway NGF sets AncestorLimitReached there and does not apply the policy: its nginx speaks plain HTTP to the backend, against the API's intent.",
    remedy: "Use one policy for each Service, and fewer Gateways for each.",
    causes: &["NGF-B9"],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let limit = gateway
                .spec
                .conditions
                .iter()
                .find(|condition| condition.reason == "AncestorLimitReached");
            if let Some(condition) = limit {
                let policies: Vec<&ObjectRef> = context
                    .policies
                    .keys()
                    .copied()
                    .filter(|policy| {
                        condition
                            .message
                            .split([' ', ','])
                            .any(|word| word == policy.path())
                    })
                    .collect();
                findings.explain(name, &condition.kind);
                findings.add(
                    Finding::new(
                        "NGF-P14",
                        Severity::Error,
                        name,
                        format!("{name} is one Gateway too many for a policy: nginx speaks plain HTTP to its backends"),
                    )
                    .condition(name, condition)
                    .mark_objects(policies)
                    .remedy(Remedy::say("Spread the Services over several policies, so that each has at most 16 Gateways.")),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const M6: Rule = Rule {
    code: "NGF-M6",
    severity: Severity::Error,
    title: "The policy's CA bundle holds no root, so that no chain can end in it",
    explanation: "nginx does not accept partial chains: the bundle must hold the self-signed root. With an intermediate alone every handshake fails with verify code 2. cert-manager's ca.crt may be the highest intermediate that its issuer returned.",
    remedy: "Add the root to ca.crt.",
    causes: &["NGF-T3", "NGF-X1"],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for (name, (_, decision)) in &context.policies {
            let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision else {
                continue;
            };
            if !context.policy_users.contains_key(name) || !seen.insert(object) {
                continue;
            }
            let certificates = match (object.kind, known::secret(context.snapshot, object)) {
                (Kind::Secret, Lookup::Found(secret)) => secret.spec.ca.certificates(),
                _ => match known::config_map(context.snapshot, object) {
                    Lookup::Found(map) => map.spec.ca.certificates(),
                    _ => continue,
                },
            };
            // A certificate that names itself as issuer may end a chain; others cannot.
            if certificates.is_empty()
                || certificates
                    .iter()
                    .any(|facts| facts.subject == facts.issuer)
            {
                continue;
            }
            let policies: Vec<_> = context
                .policies_trusting(object)
                .into_iter()
                .map(|policy| &policy.reference)
                .collect();
            let mut finding = Finding::new(
                "NGF-M6",
                Severity::Error,
                object,
                format!(
                    "The ca.crt in {object} holds no root: nginx can verify no certificate with it"
                ),
            )
            .mark_objects(policies)
            .breaks("every handshake fails with verify code 2, and clients get 502")
            .remedy(Remedy::say(
                "Add the self-signed root to ca.crt, after or instead of the intermediate.",
            ));
            for facts in certificates.iter().take(3) {
                finding = finding.evidence(
                    "CA",
                    format!("{}, issued by {}", facts.subject, facts.issuer),
                    format!("{object}[ca.crt]"),
                );
            }
            findings.add(finding);
        }
    },
};

/// Whether a backend's TLS is certain.
pub(super) fn is_tls(state: &BackendState<'_>) -> bool {
    matches!(state, BackendState::Tls { .. })
}
