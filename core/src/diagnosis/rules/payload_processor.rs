//! R21 and R22: PayloadProcessors, whose backend inspects what passes through a Gateway
//! (`state/graph/payloadprocessor.go`, `convertGraphGuardrails`).

use std::collections::{BTreeMap, BTreeSet};

use ngf_text::sanitize;
use serde_json::Value;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{PolicyDecision, known, resolver::has_resolver},
        rule::{Need, Rule},
        words::{condition, list},
    },
    model::{
        decode::MAX_NAME,
        kind::Kind,
        kinds::{BackendTLSPolicy, NgfResource, Service, ServicePort},
        object::{Condition, Object, ObjectRef},
        topology::is_ngf_controller,
    },
};

/// A PayloadProcessor that is meant for traffic of NGF's Gateways.
pub(in crate::diagnosis) struct Processor<'a> {
    pub(in crate::diagnosis) object: &'a Object<NgfResource>,
    /// The Gateways and HTTPRoutes that it targets.
    targets: Vec<ObjectRef>,
    /// The Gateways whose nginx it is for.
    pub(in crate::diagnosis) gateways: BTreeSet<&'a ObjectRef>,
    /// The Service that inspects, as the object names it.
    pub(in crate::diagnosis) service: ObjectRef,
    /// The port of the Service, as the object names it.
    number: Option<u16>,
}

/// The PayloadProcessors of NGF's Gateways.
pub(in crate::diagnosis) fn processors<'a>(context: &Context<'a>) -> Vec<Processor<'a>> {
    if !context.running.release.processes_payloads() {
        return Vec::new();
    }
    let all = context.snapshot.ngf.iter();
    let processors = all.filter(|(name, _)| name.kind == Kind::PayloadProcessor);
    processors
        .filter_map(|(_, object)| of(context, object))
        .collect()
}

/// The policies for backends of PayloadProcessors that NGF does not refuse, with their Gateways. NGF writes the CAs of
/// these, too (`collectGuardrailsCertBundleIDs`), not for an ExternalName (NGF-R22).
pub(in crate::diagnosis) fn policies<'a>(
    context: &Context<'a>,
) -> BTreeMap<&'a ObjectRef, BTreeSet<&'a ObjectRef>> {
    let mut found: BTreeMap<&ObjectRef, BTreeSet<&ObjectRef>> = BTreeMap::new();
    for processor in processors(context) {
        let policy = processor.policy(context);
        let Some(policy) = policy.filter(|_| processor.external_name(context).is_none()) else {
            continue;
        };
        let mut gateways = processor.gateways.clone();
        if let Some(refusal) = processor.refusal(context) {
            gateways.retain(|gateway| !refusal.gateways.contains(gateway));
        }
        if !gateways.is_empty() {
            found.entry(&policy.reference).or_default().extend(gateways);
        }
    }
    found
}

fn of<'a>(context: &Context<'a>, object: &'a Object<NgfResource>) -> Option<Processor<'a>> {
    let namespace = object.reference.namespace.as_str();
    // NGF takes the first processor of type ExtProcess.
    let entries = object.raw.pointer("/spec/processors")?.as_array()?;
    let backend = entries
        .iter()
        .find_map(|entry| entry.pointer("/extProcess/backendRef"))?;
    let text = |field: &str| {
        let text = backend.get(field).and_then(Value::as_str)?;
        Some(sanitize::line(text, MAX_NAME))
    };
    let of = text("namespace").unwrap_or_else(|| namespace.to_owned());
    let service = ObjectRef::new(Kind::Service, of, text("name")?);
    let number = backend.get("port").and_then(Value::as_u64);
    let (mut targets, mut gateways) = (Vec::new(), BTreeSet::new());
    for target in &object.spec.target_refs {
        // NGF does not inspect what passes through a GRPCRoute.
        let kind = match target.kind.as_deref() {
            Some("Gateway") => Kind::Gateway,
            Some("HTTPRoute") => Kind::HTTPRoute,
            _ => continue,
        };
        let target = ObjectRef::new(kind, namespace, target.name.as_str());
        let known = gateways.len();
        if let Some((gateway, _)) = context.gateways.get_key_value(&target) {
            gateways.insert(*gateway);
        }
        let rules = context.rules.iter();
        let rules = rules.filter(|rule| rule.route.reference == target);
        gateways.extend(rules.flat_map(|rule| rule.gateways.iter().copied()));
        if gateways.len() > known {
            targets.push(target);
        }
    }
    (!gateways.is_empty()).then(|| Processor {
        object,
        targets,
        gateways,
        service,
        number: number.and_then(|number| u16::try_from(number).ok()),
    })
}

impl<'a> Processor<'a> {
    /// The Service and its port, where both exist.
    pub(in crate::diagnosis) fn port(
        &self,
        context: &Context<'a>,
    ) -> Option<(&'a Object<Service>, &'a ServicePort)> {
        let service = context.index.service(&self.service)?;
        let mut ports = service.spec.ports.iter();
        let port = ports.find(|port| Some(port.port) == self.number)?;
        Some((service, port))
    }

    /// The policy that NGF takes for the backend.
    pub(in crate::diagnosis) fn policy(
        &self,
        context: &Context<'a>,
    ) -> Option<&'a Object<BackendTLSPolicy>> {
        let (service, port) = self.port(context)?;
        let policies = context.index.policies(&service.reference, &port.name);
        policies.first().copied()
    }

    /// The host name of a backend that is an ExternalName Service.
    pub(in crate::diagnosis) fn external_name(&self, context: &Context<'a>) -> Option<&'a str> {
        let service = context.index.service(&self.service)?;
        let is_external = service.spec.service_type == "ExternalName";
        let name = service.spec.external_name.as_deref();
        name.filter(|name| is_external && !name.is_empty())
    }

    /// `Accepted: False`, as NGF wrote it.
    fn told(&self) -> Option<&'a Condition> {
        let parents = self.object.status.parents.iter();
        let of_ngf = parents.filter(|parent| is_ngf_controller(&parent.controller_name));
        let conditions = of_ngf.filter_map(|parent| condition(&parent.conditions, "Accepted"));
        conditions
            .into_iter()
            .find(|accepted| accepted.status == "False")
    }

    /// Why NGF refuses it; for all Gateways, or for those that are named.
    pub(in crate::diagnosis) fn refusal(
        &self,
        context: &Context<'a>,
    ) -> Option<ProcessorRefusal<'a>> {
        let everywhere = |why: String| {
            Some(ProcessorRefusal {
                why,
                policy: None,
                gateways: self.gateways.clone(),
            })
        };
        let service = &self.service;
        if context.index.service(service).is_none()
            && known::absence_is_proven(context.snapshot, service).is_ok()
        {
            return everywhere(format!("its backend {service} does not exist"));
        }
        if self.number.is_none() {
            return everywhere("its backendRef has no port".to_owned());
        }
        if let (Some(_), None, Some(number)) = (
            context.index.service(service),
            self.port(context),
            self.number,
        ) {
            return everywhere(format!("its backend {service} has no port {number}"));
        }
        let invalid = self.policy(context).filter(|policy| {
            let decided = context.policies.get(&policy.reference);
            matches!(decided, Some((_, PolicyDecision::Invalid(_))))
        });
        if let Some(policy) = invalid {
            return Some(ProcessorRefusal {
                why: format!("{} for its backend is invalid", policy.reference),
                policy: Some(policy),
                gateways: self.gateways.clone(),
            });
        }
        if self.external_name(context).is_some() {
            let without = self.gateways.iter().copied().filter(|gateway| {
                let (gateway, _) = &context.gateways[*gateway];
                has_resolver(context.snapshot, gateway) == Some(false)
            });
            let without: BTreeSet<&ObjectRef> = without.collect();
            if !without.is_empty() {
                return Some(ProcessorRefusal {
                    why: format!(
                        "its backend {service} is an ExternalName, and the NginxProxy of {} names no DNS resolver",
                        list(&without, 2)
                    ),
                    policy: None,
                    gateways: without,
                });
            }
        }
        let told = self.told()?;
        everywhere(format!(
            "NGF reports {}: {}",
            told.reason,
            told.message.trim_end_matches('.')
        ))
    }
}

/// Why NGF refuses a PayloadProcessor.
pub(in crate::diagnosis) struct ProcessorRefusal<'a> {
    /// Half a sentence.
    why: String,
    /// The policy to blame.
    policy: Option<&'a Object<BackendTLSPolicy>>,
    /// The Gateways for which NGF refuses it.
    pub(in crate::diagnosis) gateways: BTreeSet<&'a ObjectRef>,
}

pub(in crate::diagnosis) const R21: Rule = Rule {
    code: Code::R21,
    severity: Severity::Error,
    title: "NGF refuses a PayloadProcessor, and requests pass without inspection",
    explanation: "NGF 2.7 asks the backend of a PayloadProcessor before it passes a request or an answer on. It refuses the whole PayloadProcessor where the backend's Service or port does not exist, where the BackendTLSPolicy for the backend is invalid, or where the backend is an ExternalName and the Gateway has no DNS resolver. The backend is not asked without TLS then; it is not asked at all, and requests are passed on as if there were no PayloadProcessor.",
    remedy: "Repair what its condition Accepted reports. Until then nothing is inspected.",
    causes: &[Code::S6],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| {
        for processor in processors(context) {
            let Some(refusal) = processor.refusal(context) else {
                continue;
            };
            let name = &processor.object.reference;
            let told = processor.told();
            if told.is_some() {
                findings.explain(name, "Accepted");
            }
            let whose = list(&processor.targets, 3);
            let mut finding = Finding::new(
                Code::R21,
                Severity::Error,
                name,
                format!("NGF refuses {name}: {}", refusal.why),
            )
            .because("NGF renders nothing of a PayloadProcessor that it refuses, so that its backend is not asked.")
            .condition_if(name, told)
            .scope(&processor.targets)
            .scope(refusal.gateways.iter().copied())
            .mark_objects(&processor.targets)
            .breaks(format!(
                "requests for {whose} and their answers pass without inspection, unless another PayloadProcessor inspects them"
            ))
            .remedy(Remedy::say(format!(
                "Repair {}; take the route out of service until then, if nothing may pass without inspection.",
                refusal.policy.map_or_else(|| name.to_string(), |policy| policy.reference.to_string())
            )));
            if let Some(policy) = refusal.policy {
                finding = finding.scope([&policy.reference]);
                let decided = context.policies.get(&policy.reference);
                if let Some((_, PolicyDecision::Invalid(fault))) = decided {
                    let culprits = fault.all().filter_map(|fault| fault.culprit.as_ref());
                    finding = finding.scope(culprits.map(|(object, _)| object));
                    finding = finding.evidence(
                        "NGF reports",
                        &fault.message,
                        policy.reference.to_string(),
                    );
                }
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const R22: Rule = Rule {
    code: Code::R22,
    severity: Severity::Warning,
    title: "NGF ignores the BackendTLSPolicy of a PayloadProcessor's backend that is an ExternalName",
    explanation: "NGF speaks TLS to the backend of a PayloadProcessor that is an ExternalName Service, always: nginx trusts the CAs of its image, and expects the external name in the certificate. A BackendTLSPolicy for that Service is accepted and has no effect there. A backend with a certificate of a private CA is not reached, and the request is not inspected as it should be.",
    remedy: "Give the backend a certificate of a public CA for its external name, or a Service with a selector or with EndpointSlices of its own, for which the policy counts.",
    causes: &[],
    needs: &[Need::Paths],
    check: |context, findings| {
        for processor in processors(context) {
            let Some(host) = processor.external_name(context) else {
                continue;
            };
            let (Some(policy), None) = (processor.policy(context), processor.refusal(context))
            else {
                continue;
            };
            let name = &processor.object.reference;
            let spec = &policy.spec;
            // What the policy asks for is what NGF does.
            if spec.well_known_ca_certificates.is_some() && spec.hostname.eq_ignore_ascii_case(host)
            {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::R22,
                    Severity::Warning,
                    &policy.reference,
                    format!(
                        "NGF ignores {} for the backend of {name}: {} is an ExternalName",
                        policy.reference, processor.service
                    ),
                )
                .because(format!(
                    "nginx trusts the CAs of its image there, and expects {host} in the certificate."
                ))
                .evidence("spec.externalName", host, processor.service.to_string())
                .evidence(
                    "spec.validation.hostname",
                    &spec.hostname,
                    policy.reference.to_string(),
                )
                .scope([name, &processor.service])
                .mark_objects([name])
                .remedy(Remedy::say(format!(
                    "Give {host} a certificate of a public CA, or make {} a Service with endpoints of its own.",
                    processor.service
                ))),
            );
        }
    },
};
