//! NGF-M9: what trust-manager writes lacks the key that NGF reads.

use serde_json::json;

use super::super::bundles;
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{PolicyDecision, known, resolve::Fault},
        plan::TrustSource,
        rule::{Need, Rule},
        words::list,
    },
    model::{object::ObjectRef, snapshot::Lookup},
};

pub(in crate::diagnosis) const M9: Rule = Rule {
    code: Code::M9,
    severity: Severity::Error,
    title: "trust-manager writes the policy's CA under another key than ca.crt",
    explanation: "NGF reads the key ca.crt of a ConfigMap, in the policy's namespace. A Bundle of trust-manager writes the key that its target names, often bundle.pem or root-certs.pem.",
    remedy: "Set the Bundle's spec.target.configMap.key to ca.crt.",
    causes: &[Code::P6],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::TrustManager,
    ],
    check: |context, findings| {
        for (name, (_, decision)) in &context.policies {
            if let PolicyDecision::Unknown {
                trust: Some(TrustSource::Object { object, .. }),
                ..
            } = decision
                && context.policy_users.contains_key(*name)
                && let Some(found) = other_keys(context, object)
            {
                findings.add(found.mark_objects([*name]));
            }
            let PolicyDecision::Invalid(first) = decision else {
                continue;
            };
            for (map, _) in first
                .all()
                .filter_map(|fault| fault.culprit.as_ref())
                .filter(|(_, fault)| *fault == Fault::NoCa)
            {
                let Lookup::Found(found) = known::config_map(context.snapshot, map) else {
                    continue;
                };
                let labels = found.meta.labels.iter().chain(&found.meta.annotations);
                let mut of_bundle = labels
                    .filter(|(key, _)| {
                        ["trust.cert-manager.io/", "trust-manager.io/"]
                            .iter()
                            .any(|start| key.starts_with(start))
                    })
                    .map(|(_, value)| value);
                let owner = found
                    .meta
                    .owners
                    .iter()
                    .find(|owner| matches!(&*owner.kind, "Bundle" | "ClusterBundle"));
                if owner.is_none() && of_bundle.next().is_none() {
                    continue;
                }
                let bundle = owner.map_or(map.name.as_str(), |owner| owner.name.as_str());
                let keys = list(found.spec.keys.keys(), 3);
                // The label of a ClusterBundle and that of a Bundle differ.
                let is_new = owner.map_or_else(
                    || found.meta.labels.contains_key("trust-manager.io/bundle"),
                    |owner| owner.kind == "ClusterBundle",
                );
                let (kind, target) = if is_new {
                    ("clusterbundle", json!({"data": [{"key": "ca.crt"}]}))
                } else {
                    ("bundle", json!({"key": "ca.crt"}))
                };
                findings.add(
                    Finding::new(
                        Code::M9,
                        Severity::Error,
                        map,
                        format!("trust-manager writes {keys} into {map}, and NGF reads ca.crt"),
                    )
                    .evidence("keys", &keys, map.to_string())
                    .mark_objects([*name])
                    .remedy(Remedy::command(
                        "Let the Bundle write the key ca.crt.",
                        Command::new("kubectl")
                            .words(["patch", kind])
                            .other_name(bundle)
                            .words(["--type=merge"])
                            .patch(&json!({"spec": {"target": {"configMap": target}}})),
                    )),
                );
            }
        }
    },
};

/// A Bundle that will write an object that is not known yet, and under other keys than ca.crt.
fn other_keys(context: &Context<'_>, object: &ObjectRef) -> Option<Finding> {
    let bundle = bundles::bundles(context, &object.name).into_iter().next()?;
    let keys = bundles::targets(bundle, object.kind)?;
    if keys.is_empty() || keys.iter().any(|key| key == "ca.crt") {
        return None;
    }
    let name = &bundle.reference;
    let keys = list(keys, 3);
    Some(
        Finding::new(
            Code::M9,
            Severity::Error,
            name,
            format!("trust-manager writes {keys} into {object}, and NGF reads ca.crt"),
        )
        .evidence("keys", &keys, format!("{name} spec.target"))
        .scope([object])
        .remedy(Remedy::say(format!(
            "Set the key in spec.target of {name} to ca.crt."
        ))),
    )
}
