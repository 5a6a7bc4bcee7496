//! D: the data plane, as far as objects tell.

use std::collections::BTreeMap;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        finding::{Finding, Mark, Remedy, Severity},
        rule::{Need, Rule},
        rules::{logs::refused_configuration, snippets::repeated},
        words::condition,
    },
    model::{
        kinds::{Gateway, Workload},
        object::{Condition, Object},
    },
};

/// NGF's label on a data plane's pods.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

pub(in crate::diagnosis) const D1: Rule = Rule {
    code: Code::D1,
    severity: Severity::Error,
    title: "nginx could not load the Gateway's configuration, and keeps the old one",
    explanation: "NGF wrote a configuration that nginx refuses: Programmed is False/Invalid for the Gateway and its listeners. What was configured before still works; nothing that changed since takes effect, for any route of the Gateway.",
    remedy: "Find what nginx refuses in the message or in the data plane's log ([emerg]).",
    causes: &[Code::S2, Code::S3, Code::L8, Code::L9],
    needs: &[Need::Paths, Need::Certificates, Need::Pods, Need::Logs],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let Some(programmed) = not_applied(gateway) else {
                continue;
            };
            findings.explain(name, "Programmed");
            let mut finding = Finding::new(
                Code::D1,
                Severity::Error,
                name,
                format!("nginx of {name} could not load its configuration, and keeps the old one"),
            )
            .condition(name, programmed)
            .breaks("nothing that changed since takes effect, for any route of the Gateway")
            .remedy(Remedy::command(
                "Read what nginx refuses in the data plane's log.",
                Command::kubectl(&name.namespace)
                    .words(["logs"])
                    .labels(&BTreeMap::from([(
                        GATEWAY_NAME.to_owned(),
                        name.name.clone(),
                    )]))
                    .words(["-c", "nginx", "--tail=200"])
                    .pipe(Command::new("grep").words(["emerg"])),
            ));
            for listener in &gateway.status.listeners {
                let failed = condition(&listener.conditions, "Programmed")
                    .is_some_and(|condition| condition.status == "False");
                if failed {
                    findings.explain(name, format!("{}/Programmed", listener.name));
                    finding = finding.mark(Mark::Listener {
                        owner: (*name).clone(),
                        name: listener.name.clone(),
                    });
                }
            }
            findings.add(finding);
        }
        refused_configuration(context, findings);
        repeated(context, findings);
    },
};

/// The condition of a Gateway that says that nginx could not load its configuration.
pub(super) fn not_applied(gateway: &Object<Gateway>) -> Option<&Condition> {
    condition(&gateway.status.conditions, "Programmed").filter(|condition| {
        condition.status == "False"
            && (condition.message.contains("reload")
                || condition.message.contains("Config apply failed"))
    })
}

pub(in crate::diagnosis) const D2: Rule = Rule {
    code: Code::D2,
    severity: Severity::Error,
    title: "The Gateway's data plane has no ready pod",
    explanation: "NGF makes a Deployment or DaemonSet for each Gateway. Programmed stays True without a pod: nothing answers at the Gateway's address all the same.",
    remedy: "Look at the pods of the data plane.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let data_plane = context.snapshot.workloads.values().find(|workload| {
                workload.reference.namespace == name.namespace
                    && workload.meta.owners.iter().any(|owner| {
                        owner.controller
                            && owner.kind == "Gateway"
                            && (owner.uid == gateway.meta.uid && !owner.uid.is_empty()
                                || owner.uid.is_empty() && owner.name == name.name)
                    })
            });
            let Some(workload) = data_plane else { continue };
            if workload.status.ready > 0 || !context.is_settled(workload.meta.created) {
                continue;
            }
            let what = &workload.reference;
            let pods = if workload.spec.desired == 0 {
                "is scaled to 0".to_owned()
            } else {
                format!("has 0 of {} pods ready", workload.spec.desired)
            };
            findings.add(
                Finding::new(
                    Code::D2,
                    Severity::Error,
                    name,
                    format!("The data plane of {name} has no ready pod: {what} {pods}"),
                )
                .because("Programmed stays True without a pod.")
                .scope([what])
                .breaks("nothing answers at the Gateway's address")
                .remedy(look_at_pods(workload)),
            );
        }
    },
};

/// The pods of a workload, by its selector.
pub(super) fn look_at_pods(workload: &Object<Workload>) -> Remedy {
    Remedy::command(
        "Look at its pods.",
        Command::kubectl(&workload.reference.namespace)
            .words(["get", "pods"])
            .labels(&workload.spec.selector),
    )
}
