//! R3 to R7 and R17: backends that NGF refuses.

mod resolver;

use std::collections::{BTreeMap, BTreeSet};

use super::{explain_resolved_refs, refused};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendDecision, BackendState, known, policy},
        rule::{Need, Rule},
        rules::shared::{grant, near, upper},
        rules::{change, rights},
        words::{condition, list},
    },
    model::{
        kind::Kind,
        object::ObjectRef,
        topology::{is_ngf_controller, told_by_ngf},
    },
};

pub(in crate::diagnosis) use resolver::R7;

macro_rules! invalid {
    ($name:ident, $code:expr, $needs:expr, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &[Code::P1, Code::R1, Code::R19, Code::D1],
            needs: $needs,
            check: |context, findings| invalid(context, findings, $code),
        };
    };
}

invalid!(
    R3,
    Code::R3,
    &[Need::Paths],
    "A route's backend does not exist, or has no such port",
    "NGF keeps the route and refuses the backend: clients get 500 for it. Where another backend of the rule has a TLS policy, NGF refuses that one, too, and clients get 502, or nginx cannot load the configuration (NGF-R1).",
    "Create the Service, or correct its name, namespace or port in the route."
);

invalid!(
    R4,
    Code::R4,
    &[Need::Paths],
    "No ReferenceGrant lets the route use a Service of another namespace",
    "A route may refer to a Service of another namespace only where a ReferenceGrant there allows it. NGF answers 500 for the backend.",
    "Create the ReferenceGrant in the Service's namespace."
);

invalid!(
    R5,
    Code::R5,
    &[Need::Paths, Need::Pods],
    "NGF rejects the Service port's appProtocol for this kind of route",
    "NGF knows kubernetes.io/h2c, ws and wss; wss needs a BackendTLSPolicy. `appProtocol: https` means nothing to it and does not turn TLS on. NGF refuses the backend: clients get 500 for it. With a BackendTLSPolicy NGF still renders https:// and the policy's CA file, but does not write the file unless another backend uses it: then nginx cannot load the configuration, and else clients get 502.",
    "Correct the appProtocol, or add the BackendTLSPolicy."
);

invalid!(
    R17,
    Code::R17,
    &[Need::Paths],
    "A route's backend is of a kind that NGF does not take",
    "NGF takes Services, and InferencePools in HTTPRoutes. It answers 500 for anything else.",
    "Refer to a Service."
);

/// One finding for each missing Service, port or grant, however many rules refer to it.
fn invalid(context: &Context<'_>, findings: &mut Findings, code: Code) {
    type Users<'c, 'a> = Vec<(&'c RuleInUse<'a>, &'c BackendDecision<'a>)>;
    let mut by_backend: BTreeMap<(String, &str, &str), Users<'_, '_>> = BTreeMap::new();
    for rule in &context.rules {
        for (place, backend) in rule.decision.backends.iter().enumerate() {
            let found = match &backend.state {
                BackendState::Invalid(fault) => Some(fault.code),
                BackendState::Unknown(_) => told(rule, place, backend),
                _ => None,
            };
            if found == Some(code) {
                let from = if code == Code::R4 {
                    rule.route.reference.namespace.as_str()
                } else {
                    ""
                };
                let kind = rule.route.reference.kind.name();
                let kind = if code == Code::R3 { "" } else { kind };
                let key = (backend.label(), from, kind);
                by_backend.entry(key).or_default().push((rule, backend));
            }
        }
    }
    for users in by_backend.values() {
        let Some((rule, backend)) = users.first() else {
            continue;
        };
        let routes: BTreeSet<&ObjectRef> = users
            .iter()
            .map(|(rule, _)| &rule.route.reference)
            .collect();
        let mut finding = Finding::new(
            code,
            Severity::Error,
            &rule.route.reference,
            invalid_title(context, code, backend, &routes),
        )
        .scope(backend.service.iter())
        .mark_objects(routes.iter().copied());
        for (rule, backend) in users {
            finding = finding.mark(rule.mark());
            finding.marks.extend(backend.mark());
            explain_resolved_refs(context, findings, rule);
            for parent in told_by_ngf(&rule.route.status.parents) {
                finding = match condition(&parent.conditions, "ResolvedRefs") {
                    Some(reported) if reported.status == "False" && finding.evidence.len() < 3 => {
                        finding.condition(&rule.route.reference, reported)
                    }
                    _ => finding,
                };
            }
        }
        if let BackendState::Invalid(fault) = &backend.state
            && finding.evidence.is_empty()
        {
            finding = finding.evidence("NGF says", &fault.message, "predicted from the objects");
        }
        if let BackendState::Unknown(why) = &backend.state {
            finding = finding.because(format!("NGF says so; {why}."));
        }
        if let (Some(service), Code::R4) = (&backend.service, code) {
            let from = &rule.route.reference;
            finding = near(context, finding, from.kind.name(), &from.namespace, service);
        }
        if let Some(remedy) = invalid_remedy(context, code, rule, backend) {
            finding = finding.remedy(remedy);
        }
        // nginx sends no request to a backend without a share of the traffic.
        if users
            .iter()
            .all(|(_, backend)| backend.reference.weight == 0)
        {
            finding.severity = Severity::Warning;
            findings
                .add(finding.because("Its weight is 0: no request goes there until that changes."));
            continue;
        }
        let rules = users.iter().map(|(rule, _)| *rule);
        findings.add(refused::tell(context, finding, rules));
    }
}

/// What NGF itself says of a backend that is not known otherwise: the code of it. The condition names
/// one backend of the route (`createBackendRef`).
fn told(rule: &RuleInUse<'_>, place: usize, backend: &BackendDecision<'_>) -> Option<Code> {
    let service = backend.service.as_ref()?;
    let port = backend.reference.target.port.unwrap_or_default();
    let here = format!(
        "spec.rules[{}].backendRefs[{place}].name: Not found",
        rule.index
    );
    let no_port = format!(
        "No matching port for Service {} and port {port}",
        service.name
    );
    let no_grant = format!("Backend ref to Service {} not permitted", service.path());
    rule.route
        .status
        .parents
        .iter()
        .filter(|parent| is_ngf_controller(&parent.controller_name))
        .filter_map(|parent| condition(&parent.conditions, "ResolvedRefs"))
        .filter(|said| said.status == "False")
        .find_map(|said| match said.reason.as_str() {
            "BackendNotFound" if said.message.contains(&here) && !backend.filter => Some(Code::R3),
            "BackendNotFound" if said.message.contains(&no_port) => Some(Code::R3),
            "RefNotPermitted" if said.message.contains(&no_grant) => Some(Code::R4),
            _ => None,
        })
}

fn invalid_title(
    context: &Context<'_>,
    code: Code,
    backend: &BackendDecision<'_>,
    routes: &BTreeSet<&ObjectRef>,
) -> String {
    let users = list(routes, 2);
    let label = backend.label();
    let Some(service) = &backend.service else {
        return format!("{users} refers to {label}, which is not a Service");
    };
    match code {
        Code::R4 => format!("No ReferenceGrant lets {users} use {service}"),
        Code::R5 => {
            let protocol = backend
                .port
                .and_then(|(_, port)| port.app_protocol.clone())
                .unwrap_or_default();
            format!("{users} cannot use {label}: its appProtocol is {protocol}")
        }
        _ if context.index.service(service).is_none() => {
            format!("{users} refers to {service}, which does not exist")
        }
        _ if backend.reference.target.port.is_none() => {
            format!("{users} refers to {service} without a port")
        }
        _ => {
            let port = backend.reference.target.port.unwrap_or_default();
            format!("{users} refers to port {port} of {service}, which has no such port")
        }
    }
}

fn invalid_remedy(
    context: &Context<'_>,
    code: Code,
    rule: &RuleInUse<'_>,
    backend: &BackendDecision<'_>,
) -> Option<Remedy> {
    let service = backend.service.as_ref()?;
    Some(match code {
        Code::R4 => Remedy::create(
            format!(
                "Allow it with a ReferenceGrant in namespace {}.",
                service.namespace
            ),
            grant(
                rule.route.reference.kind.name(),
                &rule.route.reference.namespace,
                "Service",
                &service.namespace,
                &service.name,
            ),
        ),
        Code::R5 => Remedy::say(
            "Remove the appProtocol, set one that the route can use, or add a BackendTLSPolicy for wss.",
        ),
        _ => match context.index.service(service) {
            Some(found)
                if let [only] = found.spec.ports.as_slice()
                    && let Some(remedy) = change::backend_port(
                        context,
                        &rule.route.reference,
                        service,
                        backend.reference.target.port,
                        only.port,
                    ) =>
            {
                remedy
            }
            Some(found) => Remedy::say(format!(
                "Use one of its ports: {}.",
                list(
                    found.spec.ports.iter().map(|port| if port.name.is_empty() {
                        port.port.to_string()
                    } else {
                        format!("{} ({})", port.port, port.name)
                    }),
                    8
                )
            )),
            None => Remedy::command(
                format!("Create {service}, or correct the name in the route."),
                Command::kubectl(&service.namespace).words(["get", "services"]),
            ),
        },
    })
}

pub(in crate::diagnosis) const K2: Rule = Rule {
    code: Code::K2,
    severity: Severity::Info,
    title: "What a route or Gateway refers to is not known",
    explanation: "The object could not be read, or is not in the files: what nginx does with it cannot be said.",
    remedy: "Grant read access to it, or add it to the files.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let mut unknown: BTreeMap<String, (Finding, BTreeSet<&ObjectRef>)> = BTreeMap::new();
        for rule in &context.rules {
            for (place, backend) in rule.decision.backends.iter().enumerate() {
                let BackendState::Unknown(why) = &backend.state else {
                    continue;
                };
                if told(rule, place, backend).is_some() {
                    continue;
                }
                let Some(service) = &backend.service else {
                    continue;
                };
                let severity = if context.is_files() {
                    Severity::Info
                } else {
                    Severity::Warning
                };
                let lacking: Vec<&ObjectRef> = incomplete(context, service).collect();
                let (finding, routes) = unknown.entry(why.clone()).or_insert_with(|| {
                    let unread = [Kind::Service, Kind::BackendTLSPolicy, Kind::ReferenceGrant]
                        .into_iter()
                        .filter(|kind| known::kind_is_known(context.snapshot, *kind).is_err())
                        .map(|kind| ObjectRef::new(kind, "", "*"))
                        .collect::<Vec<_>>();
                    let finding = Finding::new(
                        Code::K2,
                        severity,
                        &rule.route.reference,
                        format!("How nginx speaks to {service} is unknown"),
                    )
                    .scope(&unread);
                    let finding = match lacking.as_slice() {
                        [] => finding,
                        lacking => finding.remedy(Remedy::say(format!(
                            "Write what {} lacks.",
                            list(lacking, 2)
                        ))),
                    };
                    (
                        finding.unknown().because(format!("{}.", upper(why))),
                        BTreeSet::new(),
                    )
                });
                routes.insert(&rule.route.reference);
                *finding =
                    std::mem::replace(finding, Finding::new(Code::K2, severity, service, ""))
                        .scope([service])
                        .scope(lacking)
                        .mark(rule.mark());
                finding.marks.extend(backend.mark());
            }
        }
        for (finding, _) in unknown.into_values() {
            findings.add(finding);
        }
        filters_not_given(context, findings);
        rights::named(context, findings);
    },
};

/// The filters of NGF that rules name and that are not in the files. NGF answers 500 for a rule whose filter does not
/// exist.
fn filters_not_given(context: &Context<'_>, findings: &mut Findings) {
    if !context.is_files() {
        return;
    }
    for rule in &context.rules {
        let route = &rule.route.reference;
        if !told_by_ngf(&rule.route.status.parents).all(|told| told.conditions.is_empty()) {
            continue;
        }
        for filter in rule.route.filters(rule.index) {
            let text = |name: &str| filter.pointer(&format!("/extensionRef/{name}"))?.as_str();
            let kind = text("kind").and_then(Kind::parse);
            let (Some(kind), Some(name)) = (kind, text("name")) else {
                continue;
            };
            let filter = ObjectRef::new(kind, &route.namespace, name);
            if text("group") != Some(kind.info().group)
                || context.snapshot.ngf.contains_key(&filter)
            {
                continue;
            }
            let title = format!(
                "What {filter} does to rule {} of {route} is unknown",
                rule.index
            );
            findings.add(
                Finding::new(Code::K2, Severity::Info, route, title)
                    .unknown()
                    .because(format!(
                        "{filter} is not in the files; if it does not exist, NGF refuses the rule and clients get 500."
                    ))
                    .scope([&filter])
                    .mark(rule.mark())
                    .remedy(Remedy::say(format!("Add {filter} to the files."))),
            );
        }
    }
}

/// The policies of a Service that lack a field that the API requires: NGF-K3 names the field.
fn incomplete<'a>(
    context: &'a Context<'_>,
    service: &'a ObjectRef,
) -> impl Iterator<Item = &'a ObjectRef> {
    let claims = context.index.claims(service).iter();
    let policies = claims.map(|claim| claim.policy);
    let lacking = policies.filter(|policy| policy::incomplete(context.snapshot, policy).is_some());
    lacking.map(|policy| &policy.reference)
}
