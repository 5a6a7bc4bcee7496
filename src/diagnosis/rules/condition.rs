//! C, D and S: what conditions say, what they should have said by now, and what explains several of
//! them at once.

use std::collections::BTreeMap;

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        registry::Rule,
        words::{condition, count, list},
    },
    model::{
        kind::Kind,
        kinds::{ListenerStatus, ParentStatus},
        object::{Condition, Meta, ObjectRef},
        topology::is_ngf_controller,
    },
};

/// A condition with the object that has it, and where in its status.
struct Told<'a> {
    object: &'a ObjectRef,
    meta: &'a Meta,
    condition: &'a Condition,
    /// The listener, where it is one's.
    listener: Option<&'a str>,
    family: Family,
}

/// Objects whose conditions are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Class,
    Gateway,
    Listener,
    Route,
    Policy,
    Other,
}

impl Family {
    fn code(self) -> &'static str {
        match self {
            Self::Class => "NGF-S1",
            Self::Gateway => "NGF-S2",
            Self::Listener => "NGF-S3",
            Self::Route => "NGF-S4",
            Self::Policy => "NGF-S5",
            Self::Other => "NGF-S6",
        }
    }
}

impl Told<'_> {
    /// As findings name a condition that they explain.
    fn name(&self) -> String {
        match self.listener {
            Some(listener) => format!("{listener}/{}", self.condition.kind),
            None => self.condition.kind.clone(),
        }
    }

    fn mark(&self) -> Mark {
        match self.listener {
            Some(name) => Mark::Listener {
                owner: self.object.clone(),
                name: name.to_owned(),
            },
            None => Mark::Object(self.object.clone()),
        }
    }

    /// Whether it says that something is wrong: most conditions are good when True.
    fn is_bad(&self) -> bool {
        match self.condition.kind.as_str() {
            "Conflicted" | "PartiallyInvalid" | "OverlappingTLSConfig" => {
                self.condition.status == "True"
            }
            "Accepted" | "Programmed" | "ResolvedRefs" | "SupportedVersion" | "Ready" => {
                self.condition.status != "True"
            }
            _ => false,
        }
    }
}

/// Every condition that NGF wrote, or should have.
fn told<'a>(context: &Context<'a>) -> Vec<Told<'a>> {
    let snapshot = context.snapshot;
    let mut all = Vec::new();
    for (object, class) in &snapshot.gateway_classes {
        if is_ngf_controller(&class.spec.controller_name) {
            push(
                &mut all,
                object,
                &class.meta,
                &class.spec.conditions,
                None,
                Family::Class,
            );
        }
    }
    for (object, (gateway, _)) in &context.gateways {
        let (meta, spec) = (&gateway.meta, &gateway.spec);
        push(
            &mut all,
            object,
            meta,
            &spec.conditions,
            None,
            Family::Gateway,
        );
        listeners(&mut all, object, meta, &spec.listener_status);
    }
    for (object, set) in &snapshot.listener_sets {
        push(
            &mut all,
            object,
            &set.meta,
            &set.spec.conditions,
            None,
            Family::Gateway,
        );
        listeners(&mut all, object, &set.meta, &set.spec.listener_status);
    }
    for (object, route) in &snapshot.routes {
        parents(
            &mut all,
            object,
            &route.meta,
            &route.spec.parents,
            Family::Route,
        );
    }
    for (object, policy) in &snapshot.policies {
        parents(
            &mut all,
            object,
            &policy.meta,
            &policy.spec.ancestors,
            Family::Policy,
        );
    }
    for (object, other) in &snapshot.ngf {
        parents(
            &mut all,
            object,
            &other.meta,
            &other.spec.status,
            Family::Other,
        );
    }
    all
}

fn push<'a>(
    all: &mut Vec<Told<'a>>,
    object: &'a ObjectRef,
    meta: &'a Meta,
    conditions: &'a [Condition],
    listener: Option<&'a str>,
    family: Family,
) {
    all.extend(conditions.iter().map(|condition| Told {
        object,
        meta,
        condition,
        listener,
        family,
    }));
}

fn listeners<'a>(
    all: &mut Vec<Told<'a>>,
    object: &'a ObjectRef,
    meta: &'a Meta,
    status: &'a [ListenerStatus],
) {
    for listener in status {
        let name = Some(listener.name.as_str());
        push(
            all,
            object,
            meta,
            &listener.conditions,
            name,
            Family::Listener,
        );
    }
}

fn parents<'a>(
    all: &mut Vec<Told<'a>>,
    object: &'a ObjectRef,
    meta: &'a Meta,
    status: &'a [ParentStatus],
    family: Family,
) {
    for parent in status {
        // Another controller's words about another controller's Gateway are none of ours.
        if parent.controller_name.is_empty() || is_ngf_controller(&parent.controller_name) {
            push(all, object, meta, &parent.conditions, None, family);
        }
    }
}

macro_rules! repeats {
    ($name:ident, $family:ident, $code:literal, $title:literal, $causes:expr) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: "The object's own status says so, in the controller's words, and no other rule explains it.",
            remedy: "Follow the message.",
            causes: $causes,
            check: |context, findings| repeat(context, findings, Family::$family),
        };
    };
}

repeats!(
    S1,
    Class,
    "NGF-S1",
    "A condition of the GatewayClass says that something is wrong",
    &["NGF-S2", "NGF-S3", "NGF-S4", "NGF-S5", "NGF-D1"]
);
repeats!(
    S2,
    Gateway,
    "NGF-S2",
    "A condition of the Gateway says that something is wrong",
    &["NGF-S3", "NGF-S4"]
);
repeats!(
    S3,
    Listener,
    "NGF-S3",
    "A condition of a listener says that something is wrong",
    &["NGF-S4"]
);
repeats!(
    S4,
    Route,
    "NGF-S4",
    "A condition of a route says that something is wrong",
    &[]
);
repeats!(
    S5,
    Policy,
    "NGF-S5",
    "A condition of a BackendTLSPolicy says that something is wrong",
    &["NGF-S4"]
);
repeats!(
    S6,
    Other,
    "NGF-S6",
    "A condition of one of NGF's own objects says that something is wrong",
    &["NGF-S1", "NGF-S2"]
);

/// What no other rule explained, one finding for each cause: the same words about several objects
/// have one.
fn repeat(context: &Context<'_>, findings: &mut Findings, family: Family) {
    let mut alike: BTreeMap<(&str, &str, &str, &str), Vec<Told<'_>>> = BTreeMap::new();
    for told in told(context) {
        if told.family == family
            && told.is_bad()
            && !findings.is_explained(told.object, &told.name())
        {
            let condition = told.condition;
            let key = (
                condition.kind.as_str(),
                condition.status.as_str(),
                condition.reason.as_str(),
                condition.message.as_str(),
            );
            alike.entry(key).or_default().push(told);
        }
    }
    for told in alike.values() {
        let Some(first) = told.first() else { continue };
        let mut objects: Vec<&ObjectRef> = told.iter().map(|told| told.object).collect();
        objects.dedup();
        let whom = match (objects.as_slice(), first.listener) {
            ([one], Some(listener)) => format!("Listener {listener} of {one}"),
            ([one], None) => one.to_string(),
            (several, _) => format!("{} and {} more", first.object, several.len() - 1),
        };
        let said = &first.condition;
        let mut finding = Finding::new(
            family.code(),
            severity(first),
            first.object,
            format!("{whom}: {}", sentence(said)),
        )
        .condition(first.object, said)
        .scope(related(context, first.object).iter());
        finding.marks.clear();
        for told in told {
            finding = finding.mark(told.mark());
        }
        if said.status == "Unknown" {
            finding = finding.unknown();
        }
        findings.add(finding);
    }
}

fn severity(told: &Told<'_>) -> Severity {
    match told.condition.kind.as_str() {
        "OverlappingTLSConfig" | "SupportedVersion" | "PartiallyInvalid" => Severity::Warning,
        _ if told.condition.status == "Unknown" => Severity::Warning,
        _ if told.family == Family::Other => Severity::Warning,
        _ => Severity::Error,
    }
}

fn sentence(condition: &Condition) -> String {
    if condition.message.is_empty() {
        format!(
            "{} is {} ({})",
            condition.kind, condition.status, condition.reason
        )
    } else {
        format!("{} ({})", condition.message, condition.reason)
    }
}

/// What an object's condition may be the consequence of.
fn related(context: &Context<'_>, object: &ObjectRef) -> Vec<ObjectRef> {
    match object.kind {
        Kind::Gateway => context
            .snapshot
            .gateways
            .get(object)
            .map(|gateway| ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class))
            .into_iter()
            .collect(),
        _ if context.snapshot.routes.contains_key(object) => context
            .topology
            .places(object)
            .iter()
            .flat_map(|place| context.topology.ancestors(*place))
            .filter_map(|above| context.topology.node(above).object.clone())
            .collect(),
        _ => Vec::new(),
    }
}

pub(in crate::diagnosis) const C1: Rule = Rule {
    code: "NGF-C1",
    severity: Severity::Error,
    title: "NGF does not support the installed Gateway API CRDs",
    explanation: "The major version of the CRDs' bundle is another than NGF was built for: NGF accepts no Gateway of the class.",
    remedy: "Install the version that the message names.",
    causes: &["NGF-S2", "NGF-S3", "NGF-S4"],
    check: |context, findings| crd_version(context, findings, "NGF-C1"),
};

pub(in crate::diagnosis) const C2: Rule = Rule {
    code: "NGF-C2",
    severity: Severity::Warning,
    title: "NGF recommends another version of the Gateway API CRDs",
    explanation: "The minor version of the CRDs' bundle is another than NGF was built for. NGF goes on; fields may be missing, and those that the API server does not know it drops.",
    remedy: "Install the version that the message names.",
    causes: &[],
    check: |context, findings| crd_version(context, findings, "NGF-C2"),
};

fn crd_version(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    for (name, class) in &context.snapshot.gateway_classes {
        let version = condition(&class.spec.conditions, "SupportedVersion")
            .filter(|version| version.status == "False");
        let Some(version) = version else { continue };
        let refused = condition(&class.spec.conditions, "Accepted").is_some_and(|accepted| {
            accepted.status == "False" && accepted.reason == "UnsupportedVersion"
        });
        if refused != (code == "NGF-C1") || !is_ngf_controller(&class.spec.controller_name) {
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
                    "kubectl get crd gateways.gateway.networking.k8s.io -o jsonpath='{.metadata.annotations.gateway\\.networking\\.k8s\\.io/bundle-version}'",
                )),
        );
    }
}

pub(in crate::diagnosis) const C5: Rule = Rule {
    code: "NGF-C5",
    severity: Severity::Error,
    title: "No controller looks after a Gateway",
    explanation: "NGF looks after the Gateways of one GatewayClass, the one it was installed with. A Gateway whose class does not exist, or that another class of NGF's controller claims, gets no status and no data plane.",
    remedy: "Name the class that NGF was installed with (usually nginx).",
    causes: &["NGF-S2", "NGF-S8"],
    check: |context, findings| {
        for (name, gateway) in &context.snapshot.gateways {
            let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
            let found = context.snapshot.gateway_classes.get(&class);
            let conflict = found.and_then(|class| {
                condition(&class.spec.conditions, "Accepted")
                    .filter(|accepted| accepted.reason == "GatewayClassConflict")
            });
            let missing = found.is_none()
                && crate::diagnosis::ngf::known::absence_is_proven(context.snapshot, &class)
                    .is_ok();
            if conflict.is_none() && !missing {
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
            let title = if missing {
                format!("Nobody looks after {name}: there is no {class}")
            } else {
                findings.explain(&class, "Accepted");
                format!("NGF does not look after {name}: it ignores {class}")
            };
            let remedy = if classes.is_empty() {
                Remedy::say("Create the GatewayClass, or name one that exists.")
            } else {
                Remedy::command(
                    format!("Name NGF's own class: {}.", list(&classes, 3)),
                    format!(
                        "kubectl -n {} patch gateway {} --type=merge -p '{{\"spec\":{{\"gatewayClassName\":\"{}\"}}}}'",
                        name.namespace, name.name, classes[0]
                    ),
                )
            };
            findings.add(
                Finding::new("NGF-C5", Severity::Error, name, title)
                    .condition_if(&class, conflict)
                    .scope([&class])
                    .breaks("it gets no status, no data plane and no address")
                    .remedy(remedy),
            );
        }
    },
};

pub(in crate::diagnosis) const C7: Rule = Rule {
    code: "NGF-C7",
    severity: Severity::Error,
    title: "The NginxProxy that a Gateway or GatewayClass names is missing or invalid",
    explanation: "NGF goes on without it: what it should have set (logging, DNS resolver, IP family, the data plane's Deployment) does not take effect.",
    remedy: "Create or correct the NginxProxy.",
    causes: &["NGF-R7", "NGF-S6"],
    check: |context, findings| {
        let classes = context
            .snapshot
            .gateway_classes
            .values()
            .map(|class| (&class.reference, &class.spec.conditions));
        let gateways = context
            .gateways
            .values()
            .map(|(gateway, _)| (&gateway.reference, &gateway.spec.conditions));
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
                    "NGF-C7",
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
                    "kubectl get nginxproxies -A",
                )),
            );
        }
    },
};

pub(in crate::diagnosis) const D1: Rule = Rule {
    code: "NGF-D1",
    severity: Severity::Error,
    title: "nginx could not load the Gateway's configuration, and keeps the old one",
    explanation: "NGF wrote a configuration that nginx refuses: Programmed is False/Invalid for the Gateway and its listeners. What was configured before still works; nothing that changed since takes effect, for any route of the Gateway.",
    remedy: "Find what nginx refuses in the message or in the data plane's log ([emerg]).",
    causes: &["NGF-S2", "NGF-S3"],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let programmed =
                condition(&gateway.spec.conditions, "Programmed").filter(|condition| {
                    condition.status == "False"
                        && (condition.message.contains("reload")
                            || condition.message.contains("Config apply failed"))
                });
            let Some(programmed) = programmed else {
                continue;
            };
            findings.explain(name, "Programmed");
            let mut finding = Finding::new(
                "NGF-D1",
                Severity::Error,
                name,
                format!("nginx of {name} could not load its configuration, and keeps the old one"),
            )
            .condition(name, programmed)
            .breaks("nothing that changed since takes effect, for any route of the Gateway")
            .remedy(Remedy::command(
                "Read what nginx refuses in the data plane's log.",
                format!(
                    "kubectl -n {} logs -l gateway.networking.k8s.io/gateway-name={} -c nginx --tail=200 | grep emerg",
                    name.namespace, name.name
                ),
            ));
            for listener in &gateway.spec.listener_status {
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
    },
};

pub(in crate::diagnosis) const D2: Rule = Rule {
    code: "NGF-D2",
    severity: Severity::Error,
    title: "The Gateway's data plane has no ready pod",
    explanation: "NGF makes a Deployment or DaemonSet for each Gateway. Programmed stays True without a pod: nothing answers at the Gateway's address all the same.",
    remedy: "Look at the pods of the data plane.",
    causes: &[],
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
            if workload.spec.ready > 0 || !context.is_settled(workload.meta.created) {
                continue;
            }
            let what = &workload.reference;
            let pods = if workload.spec.desired == 0 {
                "is scaled to 0".to_owned()
            } else {
                format!(
                    "has 0 of {} ready",
                    count(workload.spec.desired.max(0) as usize, "pod")
                )
            };
            let selector: Vec<String> = workload
                .spec
                .selector
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            findings.add(
                Finding::new(
                    "NGF-D2",
                    Severity::Error,
                    name,
                    format!("The data plane of {name} has no ready pod: {what} {pods}"),
                )
                .because("Programmed stays True without a pod.")
                .scope([what])
                .breaks("nothing answers at the Gateway's address")
                .remedy(Remedy::command(
                    "Look at its pods.",
                    format!(
                        "kubectl -n {} get pods -l {}",
                        name.namespace,
                        selector.join(",")
                    ),
                )),
            );
        }
    },
};

pub(in crate::diagnosis) const S7: Rule = Rule {
    code: "NGF-S7",
    severity: Severity::Warning,
    title: "NGF has not looked at the last change of an object",
    explanation: "observedGeneration of its conditions is behind the object's generation: what they say is about an older spec. The controller is down, restarting, overloaded, or does not watch the namespace.",
    remedy: "Look at the controller's pod and log.",
    causes: &[],
    check: |context, findings| {
        let mut stale: BTreeMap<&ObjectRef, (i64, i64)> = BTreeMap::new();
        for told in told(context) {
            if let Some(observed) = told.condition.observed_generation
                && observed < told.meta.generation
            {
                stale.insert(told.object, (observed, told.meta.generation));
            }
        }
        let Some((first, (observed, generation))) = stale.first_key_value() else {
            return;
        };
        let whom = match stale.len() {
            1 => first.to_string(),
            several => format!("{first} and {} more", several - 1),
        };
        findings.add(
            Finding::new(
                "NGF-S7",
                Severity::Warning,
                first,
                format!("NGF has not looked at the last change of {whom}"),
            )
            .because("What the conditions say is about an older generation.")
            .evidence(
                "observedGeneration",
                format!("{observed}, generation is {generation}"),
                format!("{first} status"),
            )
            .mark_objects(stale.keys().copied())
            .remedy(controller()),
        );
    },
};

pub(in crate::diagnosis) const S8: Rule = Rule {
    code: "NGF-S8",
    severity: Severity::Warning,
    title: "NGF has written no status into objects that it should look after",
    explanation: "A Gateway of its class, a route that one of its Gateways takes, or a policy on such a route's backend gets a status within a second. Without one the controller is down, does not watch the namespace, or started before the kind's CRD was installed (BackendTLSPolicy v1: upgrade the CRDs, then restart NGF).",
    remedy: "Look at the controller's pod and log; restart it after installing CRDs.",
    causes: &[],
    check: |context, findings| {
        if context.is_files() {
            return;
        }
        let mut silent: Vec<&ObjectRef> = Vec::new();
        for (name, (gateway, _)) in &context.gateways {
            if gateway.spec.conditions.is_empty() && context.is_settled(gateway.meta.created) {
                silent.push(name);
            }
        }
        for rule in context.rules.iter().filter(|rule| rule.index == 0) {
            let ours = rule
                .route
                .spec
                .parents
                .iter()
                .any(|parent| is_ngf_controller(&parent.controller_name));
            if !ours && context.is_settled(rule.route.meta.created) {
                silent.push(&rule.route.reference);
            }
        }
        for name in context.policy_users.keys() {
            if let Some((policy, _)) = context.policies.get(*name)
                && !policy
                    .spec
                    .ancestors
                    .iter()
                    .any(|ancestor| is_ngf_controller(&ancestor.controller_name))
                && context.is_settled(policy.meta.created)
            {
                silent.push(name);
            }
        }
        let Some(first) = silent.first() else { return };
        let whom = list(&silent, 3);
        let only_policies = silent
            .iter()
            .all(|name| name.kind == Kind::BackendTLSPolicy);
        let mut finding = Finding::new(
            "NGF-S8",
            Severity::Warning,
            first,
            format!("NGF has written no status into {whom}"),
        )
        .unknown()
        .mark_objects(silent.iter().copied())
        .remedy(controller());
        if only_policies {
            finding = finding.because("Gateways and routes have one: the CRD of BackendTLSPolicy may have been installed after NGF started, or in a version that it does not watch (NGF-C4).");
        }
        findings.add(finding);
    },
};

fn controller() -> Remedy {
    Remedy::command(
        "Look at the controller's pod and log.",
        "kubectl get pods -A -l app.kubernetes.io/name=nginx-gateway-fabric",
    )
}
