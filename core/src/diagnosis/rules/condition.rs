//! S1 to S6: what conditions say that no other rule explains.

pub(in crate::diagnosis) mod blind;
pub(in crate::diagnosis) mod class;
pub(in crate::diagnosis) mod controller;
pub(in crate::diagnosis) mod data_plane;
pub(in crate::diagnosis) mod not_sent_again;
pub(in crate::diagnosis) mod silence;
mod to_come;
pub(in crate::diagnosis) mod unread;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Severity},
        rule::{Need, Rule},
        words::list,
    },
    model::{
        kind::Kind,
        object::{Condition, Meta, ObjectRef},
        status::{ListenerStatus, ParentStatus},
        topology::{gateway_of, is_ngf_controller},
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
    fn code(self) -> Code {
        match self {
            Self::Class => Code::S1,
            Self::Gateway => Code::S2,
            Self::Listener => Code::S3,
            Self::Route => Code::S4,
            Self::Policy => Code::S5,
            Self::Other => Code::S6,
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

    /// Whether it only says of a Gateway that all of its listeners are bad, which they say themselves
    /// (`NewGatewayNotAcceptedListenersNotValid`).
    fn is_of_listeners(&self, context: &Context<'_>) -> bool {
        let words = &self.condition.message;
        let listeners = match (context.gateways.get(self.object), self.object.kind) {
            (Some((gateway, _)), _) => &gateway.status.listeners,
            (None, _) => match context.snapshot.listener_sets.get(self.object) {
                Some(set) => &set.status.listeners,
                None => return false,
            },
        };
        self.family == Family::Gateway
            && (self.condition.reason == "ListenersNotValid"
                || words.ends_with("Gateway has no valid listeners"))
            && listeners
                .iter()
                .any(|listener| listener.conditions.iter().any(is_bad))
    }
}

impl Told<'_> {
    /// Whether it only repeats of a listener that its CAs for clients are bad, which another of its
    /// conditions says with their names (`NewListenerNoValidCACertificate`).
    fn is_of_client_cas(&self, context: &Context<'_>) -> bool {
        let Some((gateway, _)) = context.gateways.get(self.object) else {
            return false;
        };
        let mut listeners = gateway.status.listeners.iter();
        self.condition
            .message
            .starts_with("All frontend TLS CA certificate refs are invalid")
            && listeners.any(|listener| {
                self.listener == Some(listener.name.as_str())
                    && listener
                        .conditions
                        .iter()
                        .any(|condition| condition.reason == "InvalidCACertificateRef")
            })
    }
}

/// Whether a condition says that something is wrong: most are good when True.
fn is_bad(condition: &Condition) -> bool {
    match condition.kind.as_str() {
        "Conflicted"
        | "PartiallyInvalid"
        | "OverlappingTLSConfig"
        | "InsecureFrontendValidationMode" => condition.status == "True",
        "Accepted" | "Programmed" | "ResolvedRefs" | "SupportedVersion" | "Ready" => {
            condition.status != "True"
        }
        _ => false,
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
                &class.status.conditions,
                None,
                Family::Class,
            );
        }
    }
    for (object, (gateway, _)) in &context.gateways {
        let (meta, status) = (&gateway.meta, &gateway.status);
        push(
            &mut all,
            object,
            meta,
            &status.conditions,
            None,
            Family::Gateway,
        );
        listeners(&mut all, object, meta, &status.listeners);
    }
    for (object, set) in &snapshot.listener_sets {
        if !context.gateways.contains_key(&gateway_of(set)) {
            continue;
        }
        push(
            &mut all,
            object,
            &set.meta,
            &set.status.conditions,
            None,
            Family::Gateway,
        );
        listeners(&mut all, object, &set.meta, &set.status.listeners);
    }
    for (object, route) in &snapshot.routes {
        parents(
            &mut all,
            object,
            &route.meta,
            &route.status.parents,
            Family::Route,
        );
    }
    for (object, policy) in &snapshot.policies {
        parents(
            &mut all,
            object,
            &policy.meta,
            &policy.status.ancestors,
            Family::Policy,
        );
    }
    for (object, other) in &snapshot.ngf {
        parents(
            &mut all,
            object,
            &other.meta,
            &other.status.parents,
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
    ($name:ident, $family:ident, $code:expr, $needs:expr, $title:literal, $causes:expr) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: "The object's own status says so, in the controller's words, and no other rule explains it.",
            remedy: "Follow the message.",
            causes: $causes,
            needs: $needs,
            check: |context, findings| repeat(context, findings, Family::$family),
        };
    };
}

repeats!(
    S1,
    Class,
    Code::S1,
    &[Need::Paths],
    "A condition of the GatewayClass says that something is wrong",
    &[Code::S2, Code::S3, Code::S4, Code::S5, Code::D1]
);

repeats!(
    S2,
    Gateway,
    Code::S2,
    &[Need::Paths],
    "A condition of the Gateway says that something is wrong",
    &[Code::S3, Code::S4]
);

pub(in crate::diagnosis) const S3: Rule = Rule {
    code: Code::S3,
    severity: Severity::Error,
    title: "A condition of a listener says that something is wrong",
    explanation: "The object's own status says so, in the controller's words, and no other rule explains it. Of files, where nobody has written a status yet, the rule tells which listeners NGF refuses, because they conflict on a port or because of what they say themselves.",
    remedy: "Follow the message.",
    causes: &[Code::S4],
    needs: &[Need::Paths],
    check: |context, findings| {
        to_come::refused(context, findings);
        repeat(context, findings, Family::Listener);
    },
};

repeats!(
    S4,
    Route,
    Code::S4,
    &[Need::Paths],
    "A condition of a route says that something is wrong",
    &[]
);

repeats!(
    S5,
    Policy,
    Code::S5,
    &[Need::Paths],
    "A condition of a BackendTLSPolicy says that something is wrong",
    &[Code::S4]
);

repeats!(
    S6,
    Other,
    Code::S6,
    &[Need::Paths],
    "A condition of one of NGF's own objects says that something is wrong",
    &[Code::S1, Code::S2, Code::S4]
);

/// What no other rule explained, one finding for each cause: the same words about several objects
/// have one, and so have the same words in several conditions of one object.
fn repeat(context: &Context<'_>, findings: &mut Findings, family: Family) {
    let mut alike: BTreeMap<(&str, &str), Vec<Told<'_>>> = BTreeMap::new();
    for told in told(context) {
        if told.family == family
            && is_bad(told.condition)
            && !told.is_of_listeners(context)
            && !told.is_of_client_cas(context)
            && !findings.is_explained(told.object, &told.name())
        {
            // Where NGF says why, it says so in each condition that suffers, with reasons of their own.
            let condition = told.condition;
            let key = match condition.message.as_str() {
                "" => (condition.reason.as_str(), condition.kind.as_str()),
                message => ("", message),
            };
            alike.entry(key).or_default().push(told);
        }
    }
    for told in alike.values() {
        let Some(first) = told.first() else { continue };
        let mut objects: Vec<&ObjectRef> = told.iter().map(|told| told.object).collect();
        objects.dedup();
        let listeners: BTreeSet<&str> = told.iter().filter_map(|told| told.listener).collect();
        let whom = match (objects.as_slice(), first.listener) {
            ([one], Some(_)) if listeners.len() > 1 => {
                format!("Listeners {} of {one}", list(&listeners, 3))
            }
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
        .scope(related(context, first.object, said).iter());
        finding.marks.clear();
        finding = ngf_would_say(context, finding, first.object, Some(&said.kind));
        for also in told.iter().skip(1) {
            if also.object == first.object && also.listener == first.listener {
                finding = finding.condition(also.object, also.condition);
            }
        }
        for told in told {
            finding = finding.mark(told.mark());
        }
        if said.status == "Unknown" {
            finding = finding.unknown();
        }
        findings.add(finding);
    }
}

/// Adds what NGF would say today, where the object says otherwise: of one type of condition, or of all.
pub(super) fn ngf_would_say(
    context: &Context<'_>,
    mut finding: Finding,
    object: &ObjectRef,
    kind: Option<&str>,
) -> Finding {
    let differences = context.differences.get(object).into_iter().flatten();
    for difference in differences
        .filter(|difference| kind.is_none_or(|kind| kind == difference.predicted.condition.kind))
        .take(3)
    {
        let wanted = &difference.predicted.condition;
        finding = finding.evidence(
            format!("NGF {} would say {}", context.running.release, wanted.kind),
            wanted.to_string(),
            "predicted from the objects",
        );
    }
    finding
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
fn related(context: &Context<'_>, object: &ObjectRef, said: &Condition) -> Vec<ObjectRef> {
    match object.kind {
        // `…extensionRef: Invalid value: {"group":…,"kind":"SnippetsFilter","name":"x"}: …`
        _ if said.message.contains("extensionRef") => context
            .snapshot
            .ngf
            .keys()
            .filter(|filter| filter.namespace == object.namespace)
            .filter(|filter| {
                let kind = format!("\"kind\":\"{}\"", filter.kind);
                let name = format!("\"name\":\"{}\"", filter.name);
                said.message.contains(&kind) && said.message.contains(&name)
            })
            .cloned()
            .collect(),
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
