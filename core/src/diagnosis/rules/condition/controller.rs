//! C8: the control plane that writes all of it.

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Severity},
        rule::{Need, Rule},
        rules::condition::data_plane::look_at_pods,
    },
    model::{
        kinds::Workload,
        object::{Object, ObjectRef},
    },
};

/// The container of NGF's controller (`charts/nginx-gateway-fabric/templates/deployment.yaml`).
const CONTAINER: &str = "nginx-gateway";

pub(in crate::diagnosis) const C8: Rule = Rule {
    code: Code::C8,
    severity: Severity::Warning,
    title: "NGF's control plane has no ready pod",
    explanation: "nginx continues with the configuration that it has. Nothing that changes takes effect, no status is written, endpoints that come and go are not followed, and renewed certificates do not arrive; every condition stays as it was.",
    remedy: "Look at the control plane's pods and their log.",
    causes: &[
        Code::C6,
        Code::D3,
        Code::D4,
        Code::D5,
        Code::D6,
        Code::S7,
        Code::S8,
        Code::S9,
    ],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for workload in controllers(context) {
            if workload.status.ready > 0 || !context.is_settled(workload.meta.created) {
                continue;
            }
            let name = &workload.reference;
            let pods = match workload.spec.desired {
                0 => "it is scaled to 0".to_owned(),
                desired => format!("0 of {desired} are ready"),
            };
            findings.add(
                Finding::new(
                    Code::C8,
                    Severity::Warning,
                    name,
                    format!("NGF's control plane, {name}, has no ready pod: {pods}"),
                )
                .because("What the conditions say is what it wrote last.")
                .breaks("nothing that changes takes effect, for any Gateway")
                .mark_objects(context.gateways.keys().copied())
                .remedy(look_at_pods(workload)),
            );
        }
    },
};

/// The workloads that run the controller, where they come from a cluster: a manifest has no status.
fn controllers<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Object<Workload>> {
    let snapshot = context.snapshot;
    let is_files = context.is_files();
    snapshot
        .workloads
        .values()
        .map(|workload| &**workload)
        .filter(move |workload| !is_files || !workload.meta.uid.is_empty())
        .filter(|workload| {
            let mut containers = workload.spec.template.containers.iter();
            containers.any(|container| container.name == CONTAINER)
        })
}

/// What a status that is not written may be the consequence of.
pub(super) fn scope(context: &Context<'_>) -> Vec<ObjectRef> {
    controllers(context)
        .map(|workload| workload.reference.clone())
        .collect()
}
