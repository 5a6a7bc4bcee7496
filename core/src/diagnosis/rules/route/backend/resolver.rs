//! NGF-R7: a backend by name, and no resolver to find it.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::refused;
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        finding::{Finding, Remedy, Severity},
        ngf::{Answer, resolver::has_resolver},
        rule::{Need, Rule},
        words::{answer_to, list},
    },
    model::{
        kinds::Service,
        object::{Object, ObjectRef},
    },
};

pub(in crate::diagnosis) const R7: Rule = Rule {
    code: Code::R7,
    severity: Severity::Error,
    title: "An ExternalName Service needs a DNS resolver in the Gateway's NginxProxy",
    explanation: "nginx resolves an ExternalName at run time, and NGF has to know by which server: without NginxProxy's dnsResolver it refuses the backend, and clients get 500. With a BackendTLSPolicy NGF still renders https:// and the policy's CA file, but does not write the file unless another backend uses it: then nginx cannot load the configuration, and else clients get 502.",
    remedy: "Set spec.dnsResolver in the NginxProxy.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            let name = &rule.route.reference;
            let reported = rule
                .route
                .status
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions)
                .find(|condition| {
                    condition.status == "False"
                        && condition.message.contains("DNS resolver configuration")
                });
            let external = rule.decision.backends.iter().filter_map(|backend| {
                let (service, _) = backend.port?;
                (service.spec.service_type == "ExternalName").then_some(&service.reference)
            });
            let external: BTreeSet<&ObjectRef> = external.collect();
            let resolver = |gateway: &ObjectRef| {
                let found = context.snapshot.gateways.get(gateway);
                found.and_then(|found| has_resolver(context.snapshot, found))
            };
            let lacks = |gateway: &&ObjectRef| resolver(gateway) == Some(false);
            let without: Vec<&ObjectRef> = if external.is_empty() {
                Vec::new()
            } else {
                rule.gateways.iter().copied().filter(lacks).collect()
            };
            let unknown: Vec<&ObjectRef> = rule
                .gateways
                .iter()
                .copied()
                .filter(|gateway| !external.is_empty() && resolver(gateway).is_none())
                .collect();
            if reported.is_none() && without.is_empty() && !unknown.is_empty() && seen.insert(name)
            {
                findings.add(resolver_unknown(context, rule, &external, &unknown));
                continue;
            }
            // What NGF says is of the route; what the objects say is of the rule.
            let is_told = reported.is_some() && rule.index == 0;
            if (is_told || !without.is_empty()) && seen.insert(name) {
                if let Some(reported) = reported {
                    findings.explain(name, &reported.kind);
                }
                let needs = "its ExternalName Service needs a DNS resolver in the NginxProxy";
                let title = match refused::answer(context, rule) {
                    Answer::Status500 => {
                        format!("Clients of {name} get {}: {needs}", answer_to([name], 500))
                    }
                    Answer::Status502 { .. } => {
                        format!("Clients of {name} get {}: {needs}", answer_to([name], 502))
                    }
                    Answer::Closed => {
                        format!("nginx closes the connections of clients of {name}: {needs}")
                    }
                    Answer::NotLoaded { .. } => format!(
                        "nginx of {} cannot load its configuration: {name} cannot be served, because {needs}",
                        list(&rule.gateways, 2)
                    ),
                };
                let mut finding = Finding::new(Code::R7, Severity::Error, name, title);
                if reported.is_none() {
                    finding =
                        finding.evidence("spec.dnsResolver", "in no NginxProxy", list(&without, 2));
                }
                let finding = finding
                    .condition_if(name, reported)
                    .scope(external)
                    .scope(without)
                    .mark(rule.mark())
                    .remedy(name_resolver(
                        context,
                        "Name a resolver in the Gateway's NginxProxy",
                    ));
                findings.add(refused::tell(context, finding, [rule]));
            }
        }
    },
};

/// Whether the Gateways have a resolver depends on objects that were not read.
fn resolver_unknown(
    context: &Context<'_>,
    rule: &RuleInUse<'_>,
    external: &BTreeSet<&ObjectRef>,
    gateways: &[&ObjectRef],
) -> Finding {
    let name = &rule.route.reference;
    let missing = if context.is_files() {
        "are not all among the files"
    } else {
        "could not all be read"
    };
    Finding::new(
        Code::R7,
        Severity::Warning,
        name,
        format!(
            "Whether nginx can resolve {}, an ExternalName, is unknown",
            list(external, 2)
        ),
    )
    .unknown()
    .because(format!(
        "NGF wants spec.dnsResolver in the NginxProxy of the Gateway or of its GatewayClass, and these {missing}."
    ))
    .scope(external.iter().copied())
    .scope(gateways.iter().copied())
    .mark(rule.mark())
    .remedy(name_resolver(
        context,
        "Add the GatewayClass and its NginxProxy to what is checked. Where it has no resolver, name one",
    ))
}

/// The cluster's own DNS Service where it is known, or how to find it.
fn name_resolver(context: &Context<'_>, what: &str) -> Remedy {
    let is_dns = |service: &&std::sync::Arc<Object<Service>>| {
        service.reference.namespace == "kube-system"
            && service.meta.labels.get("k8s-app").map(String::as_str) == Some("kube-dns")
    };
    let found = context.snapshot.services.values().find(is_dns);
    let address = found.and_then(|service| service.spec.cluster_ip.clone());
    match (found, address.filter(|address| address != "None")) {
        (Some(service), Some(address)) => Remedy::manifest(
            format!("{what}: {address} is that of {}.", service.reference),
            &json!({"spec": {"dnsResolver": {"addresses": [
                {"type": "IPAddress", "value": address}
            ]}}}),
        ),
        _ => Remedy::command(
            format!(
                "{what} (spec.dnsResolver.addresses): the ClusterIP of the cluster's DNS Service."
            ),
            Command::kubectl("kube-system").words(["get", "services", "-l", "k8s-app=kube-dns"]),
        ),
    }
}
