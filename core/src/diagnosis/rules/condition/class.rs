//! C: GatewayClasses, their CRDs and parameters.

use serde_json::json;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        rule::{Need, Rule},
        words::{condition, list},
    },
    model::{
        attachment::parent_of,
        kind::Kind,
        kinds::{Gateway, Route},
        object::{Object, ObjectRef},
        topology::{NGFS_OWN, is_ngf_controller},
    },
};

pub(in crate::diagnosis) const C1: Rule = Rule {
    code: Code::C1,
    severity: Severity::Error,
    title: "NGF does not support the installed Gateway API CRDs",
    explanation: "The major version of the CRDs' bundle is another than NGF was built for: NGF accepts no Gateway of the class.",
    remedy: "Install the version that the message names.",
    causes: &[Code::S2, Code::S3, Code::S4],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| crd_version(context, findings, Code::C1),
};

pub(in crate::diagnosis) const C2: Rule = Rule {
    code: Code::C2,
    severity: Severity::Warning,
    title: "NGF recommends another version of the Gateway API CRDs",
    explanation: "The minor version of the CRDs' bundle is another than NGF was built for. NGF continues; fields may be missing, and those that the API server does not know it drops.",
    remedy: "Install the version that the message names.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| crd_version(context, findings, Code::C2),
};

fn crd_version(context: &Context<'_>, findings: &mut Findings, code: Code) {
    for (name, class) in &context.snapshot.gateway_classes {
        let version = condition(&class.status.conditions, "SupportedVersion")
            .filter(|version| version.status == "False");
        let Some(version) = version else { continue };
        let refused = condition(&class.status.conditions, "Accepted").is_some_and(|accepted| {
            accepted.status == "False" && accepted.reason == "UnsupportedVersion"
        });
        if refused != (code == Code::C1) || !is_ngf_controller(&class.spec.controller_name) {
            continue;
        }
        findings.explain(name, "SupportedVersion");
        let severity = if refused {
            findings.explain(name, "Accepted");
            Severity::Error
        } else {
            Severity::Warning
        };
        let title = if refused {
            "NGF does not support the installed Gateway API CRDs, and accepts no Gateway"
        } else {
            "NGF recommends another version of the Gateway API CRDs"
        };
        let gateways: Vec<&ObjectRef> = context
            .gateways
            .values()
            .filter(|(gateway, _)| gateway.spec.class == name.name)
            .map(|(gateway, _)| &gateway.reference)
            .collect();
        findings.add(
            Finding::new(code, severity, name, title)
                .condition(name, version)
                .scope(gateways)
                .remedy(Remedy::command(
                    "Install the version that the message names.",
                    gateway_api_version(),
                )),
        );
    }
}

pub(in crate::diagnosis) const C5: Rule = Rule {
    code: Code::C5,
    severity: Severity::Error,
    title: "No controller manages a Gateway",
    explanation: "NGF manages the Gateways of one GatewayClass, the one it was installed with. A Gateway whose class does not exist, or that another class of NGF's controller claims, gets no status and no data plane.",
    remedy: "Name the class that NGF was installed with (usually nginx).",
    causes: &[Code::S2, Code::S8],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for (name, gateway) in &context.snapshot.gateways {
            let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
            let found = context.snapshot.gateway_classes.get(&class);
            let conflict = found
                .filter(|class| is_ngf_controller(&class.spec.controller_name))
                .and_then(|class| condition(&class.status.conditions, "Accepted"))
                .filter(|accepted| accepted.reason == "GatewayClassConflict");
            let missing = found.is_none()
                && crate::diagnosis::ngf::known::absence_is_proven(context.snapshot, &class)
                    .is_ok();
            if conflict.is_none() && !missing && found.is_some() {
                continue;
            }
            let classes: Vec<&str> = context
                .snapshot
                .gateway_classes
                .values()
                .filter(|class| is_ngf_controller(&class.spec.controller_name))
                .map(|class| class.reference.name.as_str())
                .filter(|name| *name != gateway.spec.class)
                .collect();
            if conflict.is_none() && !missing {
                // Whoever gives files with NGF's own class usually gives the one that is named.
                if !gateway.status.conditions.is_empty() {
                    continue;
                }
                if !classes.is_empty() {
                    findings.add(class_not_given(name, &class, &classes));
                } else if context.is_files() && !is_meant_for_ngf(context, gateway) {
                    findings.add(class_unknown(name, &class));
                }
                continue;
            }
            let title = if missing {
                format!("No controller manages {name}: there is no {class}")
            } else {
                findings.explain(&class, "Accepted");
                format!("NGF does not look after {name}: it ignores {class}")
            };
            let remedy = if classes.is_empty() {
                Remedy::say("Create the GatewayClass, or name one that exists.")
            } else if let [only] = classes.as_slice() {
                Remedy::merge(
                    format!("Name NGF's own class: {only}."),
                    name,
                    json!({"spec": {"gatewayClassName": only}}),
                )
            } else {
                Remedy::command(
                    format!("Name NGF's own class: {}.", list(&classes, 3)),
                    Command::kubectl(&name.namespace)
                        .words(["patch"])
                        .object(name)
                        .words(["--type=merge"])
                        .patch(&json!({"spec": {"gatewayClassName": classes[0]}})),
                )
            };
            findings.add(
                Finding::new(Code::C5, Severity::Error, name, title)
                    .condition_if(&class, conflict)
                    .scope([&class])
                    .breaks("it gets no status, no data plane and no address")
                    .remedy(remedy),
            );
        }
    },
};

/// The command that shows which release of the Gateway API's CRDs is installed.
pub(in crate::diagnosis::rules) fn gateway_api_version() -> Command {
    Command::new("kubectl")
        .words(["get", "crd", "gateways.gateway.networking.k8s.io"])
        .json_path("{.metadata.annotations.gateway\\.networking\\.k8s\\.io/bundle-version}")
}

/// A class that is not in the files, which hold one of NGF's.
fn class_not_given(gateway: &ObjectRef, class: &ObjectRef, classes: &[&str]) -> Finding {
    Finding::new(
        Code::C5,
        Severity::Warning,
        gateway,
        format!("Whether a controller manages {gateway} is not known: {class} is not in the files"),
    )
    .unknown()
    .because(format!("The files hold NGF's class {}.", list(classes, 3)))
    .scope([class])
    .remedy(Remedy::say(format!(
        "Name {}, if that is meant, or add {class} to the files.",
        list(classes, 3)
    )))
}

/// Whether a Gateway shows that NGF is meant: by the class that NGF's chart creates, by an NginxProxy, or by what NGF has
/// written of one of its routes.
fn is_meant_for_ngf(context: &Context<'_>, gateway: &Object<Gateway>) -> bool {
    let names_proxy = gateway
        .spec
        .parameters_ref
        .as_ref()
        .is_some_and(|reference| reference.kind.as_deref() == Some(Kind::NginxProxy.name()));
    let is_told = |route: &Object<Route>| {
        route.status.parents.iter().any(|told| {
            is_ngf_controller(&told.controller_name)
                && parent_of(&told.parent, &route.reference.namespace).as_ref()
                    == Some(&gateway.reference)
        })
    };
    gateway.spec.class == NGFS_OWN
        || names_proxy
        || context.snapshot.routes.values().any(|route| is_told(route))
}

/// A class that is not in the files, nor any other of NGF's.
fn class_unknown(gateway: &ObjectRef, class: &ObjectRef) -> Finding {
    Finding::new(
        Code::C5,
        Severity::Info,
        gateway,
        format!("Whether NGF manages {gateway} is not known: {class} is not in the files"),
    )
    .unknown()
    .because("All other findings assume that it does. NGF's chart creates the class nginx, unless it is told another name.")
    .scope([class])
    .remedy(Remedy::command(
        format!("Add {class} to the files."),
        Command::new("kubectl")
            .words(["get"])
            .object(class)
            .words(["-o", "yaml"]),
    ))
}

/// The NginxProxies that Gateways and NGF's classes name and that are not in the files, and references that NGF does not
/// take.
fn parameters(context: &Context<'_>, findings: &mut Findings) {
    let classes = context
        .snapshot
        .gateway_classes
        .values()
        .filter(|class| is_ngf_controller(&class.spec.controller_name))
        .map(|class| {
            let told = !class.status.conditions.is_empty();
            (&class.reference, &class.spec.parameters_ref, told)
        });
    let gateways = context.gateways.values().map(|(gateway, _)| {
        let told = !gateway.status.conditions.is_empty();
        (&gateway.reference, &gateway.spec.parameters_ref, told)
    });
    for (name, reference, told) in classes.chain(gateways) {
        let Some(reference) = reference.as_ref().filter(|_| !told) else {
            continue;
        };
        let group = reference.group.as_deref().unwrap_or_default();
        let kind = reference.kind.as_deref().unwrap_or_default();
        if (group, kind) != (Kind::NginxProxy.info().group, Kind::NginxProxy.name()) {
            findings.add(wrong_parameters(name, group, kind));
            continue;
        }
        let namespace = reference.namespace.as_deref().unwrap_or(&name.namespace);
        let proxy = ObjectRef::new(Kind::NginxProxy, namespace, &reference.name);
        if context.is_files() && !context.snapshot.ngf.contains_key(&proxy) {
            findings.add(
                Finding::new(
                    Code::C7,
                    Severity::Info,
                    name,
                    format!("What {proxy} sets for {name} is not known: it is not in the files"),
                )
                .unknown()
                .scope([&proxy])
                .remedy(Remedy::say(format!(
                    "Add {proxy} to the files. Without it NGF uses its defaults."
                ))),
            );
        }
    }
}

fn wrong_parameters(name: &ObjectRef, group: &str, kind: &str) -> Finding {
    let wanted = Kind::NginxProxy;
    Finding::new(
        Code::C7,
        Severity::Error,
        name,
        format!("NGF does not take the parametersRef of {name}: it names {kind}.{group}"),
    )
    .because(format!(
        "NGF takes only kind {wanted} of group {}.",
        wanted.info().group
    ))
    .remedy(Remedy::say(format!(
        "Set kind {wanted} and group {} in parametersRef.",
        wanted.info().group
    )))
}

pub(in crate::diagnosis) const C7: Rule = Rule {
    code: Code::C7,
    severity: Severity::Error,
    title: "The NginxProxy that a Gateway or GatewayClass names is missing or invalid",
    explanation: "NGF continues without it: what it should have set (logging, DNS resolver, IP family, the data plane's Deployment) does not take effect.",
    remedy: "Create or correct the NginxProxy.",
    causes: &[Code::R7, Code::S6],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::Pods,
        Need::NginxProxies,
    ],
    check: |context, findings| {
        parameters(context, findings);
        let classes = context
            .snapshot
            .gateway_classes
            .values()
            .filter(|class| is_ngf_controller(&class.spec.controller_name))
            .map(|class| (&class.reference, &class.status.conditions));
        let gateways = context
            .gateways
            .values()
            .map(|(gateway, _)| (&gateway.reference, &gateway.status.conditions));
        for (name, conditions) in classes.chain(gateways) {
            let bad = conditions.iter().find(|condition| {
                condition.status == "False"
                    && matches!(
                        condition.reason.as_str(),
                        "InvalidParameters" | "ParametersRefInvalid" | "ParametersRefNotFound"
                    )
            });
            let Some(bad) = bad else { continue };
            for condition in conditions {
                if matches!(
                    condition.reason.as_str(),
                    "InvalidParameters" | "ParametersRefInvalid" | "ParametersRefNotFound"
                ) {
                    findings.explain(name, &condition.kind);
                }
            }
            let proxies: Vec<&ObjectRef> = context
                .snapshot
                .ngf
                .keys()
                .filter(|object| {
                    object.kind == Kind::NginxProxy && bad.message.contains(&object.name)
                })
                .collect();
            findings.add(
                Finding::new(
                    Code::C7,
                    Severity::Error,
                    name,
                    format!(
                        "NGF does not take the NginxProxy of {name}: {}",
                        bad.message
                    ),
                )
                .condition(name, bad)
                .scope(proxies)
                .remedy(Remedy::command(
                    "Create the NginxProxy that parametersRef names, or correct it.",
                    Command::new("kubectl").words(["get", "nginxproxies", "-A"]),
                )),
            );
        }
    },
};
