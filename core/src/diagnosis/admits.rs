//! Whether the NetworkPolicies of a backend's namespace let the data plane's pods in. What a policy says is
//! not what happens: that is up to the cluster's network plugin, so that this is evidence beside a fault
//! that somebody saw, and none alone.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{ngf::known, plan::ProbePlan};
use crate::model::{
    kind::Kind,
    kinds::{Gateway, Pod, Workload},
    network::{IngressRule, NetworkPolicy, Peer, Selector},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// The label that every namespace has, with its name (`kubernetes.io/metadata.name`).
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// What NetworkPolicies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admits {
    /// No policy isolates the backend's pod.
    NotIsolated,
    /// This one lets the data plane in.
    By(ObjectRef),
    /// These isolate the pod, and none of them lets the data plane in.
    Nobody(Vec<ObjectRef>),
    /// Unknown: why, in a sentence.
    Unknown(String),
}

/// One end of a connection: a pod, or what a pod would be.
#[derive(Debug, Clone)]
pub struct End<'a> {
    /// The pod, or what makes it.
    pub object: ObjectRef,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: Cow<'a, BTreeMap<String, String>>,
    /// It may have further labels.
    pub is_partial: bool,
    /// Its addresses; none where it does not run.
    pub ips: &'a [String],
    /// The ports of its containers by their names.
    pub ports: BTreeMap<String, u16>,
    /// It is on its node's network.
    pub on_host: bool,
}

impl<'a> End<'a> {
    /// A pod.
    pub fn pod(pod: &'a Object<Pod>) -> Self {
        Self {
            object: pod.reference.clone(),
            namespace: &pod.reference.namespace,
            labels: Cow::Borrowed(&pod.meta.labels),
            is_partial: false,
            ips: &pod.status.ips,
            ports: named_ports(pod.raw.pointer("/spec/containers")),
            on_host: pod
                .raw
                .pointer("/spec/hostNetwork")
                .and_then(Value::as_bool)
                == Some(true),
        }
    }

    /// A pod that a workload will make.
    pub fn template(workload: &'a Object<Workload>) -> Self {
        let at = |path: &str| workload.raw.pointer(&format!("/spec/template/spec/{path}"));
        Self {
            object: workload.reference.clone(),
            namespace: &workload.reference.namespace,
            labels: Cow::Borrowed(&workload.spec.template.labels),
            is_partial: false,
            ips: &[],
            ports: named_ports(at("containers")),
            on_host: at("hostNetwork").and_then(Value::as_bool) == Some(true),
        }
    }

    /// A pod of a Gateway's data plane, as NGF makes it (`provisioner/objects.go`).
    pub fn data_plane(gateway: &'a Object<Gateway>) -> Self {
        let name = &gateway.reference.name;
        let resource = format!("{name}-{}", gateway.spec.class);
        let labels = BTreeMap::from([
            (GATEWAY_NAME.to_owned(), name.clone()),
            ("app.kubernetes.io/name".to_owned(), resource),
        ]);
        Self {
            object: gateway.reference.clone(),
            namespace: &gateway.reference.namespace,
            labels: Cow::Owned(labels),
            is_partial: true,
            ips: &[],
            ports: BTreeMap::new(),
            on_host: false,
        }
    }

    /// Whether a selector meets it; `None` where that depends on labels that are not known.
    fn meets(&self, selector: &Selector) -> Option<bool> {
        let is_known = |key: &String| !self.is_partial || self.labels.contains_key(key);
        let keys = selector.labels.keys();
        let all = keys.chain(selector.expressions.iter().map(|(key, _, _)| key));
        // A label that it has and that differs is enough to say no.
        let differs = selector
            .labels
            .iter()
            .any(|(key, value)| self.labels.get(key).is_some_and(|own| own != value));
        if differs {
            return Some(false);
        }
        all.into_iter()
            .all(is_known)
            .then(|| selector.meets(&self.labels))
            .flatten()
    }
}

/// The label that NGF gives the pods of a data plane, with the Gateway's name.
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What the policies say of a connection from a pod of the data plane.
pub fn admits(snapshot: &Snapshot, from: &ObjectRef, plan: &ProbePlan) -> Admits {
    let Some(to) = plan
        .endpoint
        .pod
        .as_ref()
        .and_then(|pod| snapshot.pods.get(pod))
    else {
        return Admits::Unknown(format!("the pod at {} is not known", plan.endpoint.address));
    };
    let Some(from) = snapshot.pods.get(from) else {
        return Admits::Unknown(format!("the labels of {from} are not known"));
    };
    admits_between(snapshot, &End::pod(from), &End::pod(to), plan.endpoint.port)
}

/// What the policies say of a connection between two pods, to that port.
pub fn admits_between(snapshot: &Snapshot, from: &End<'_>, to: &End<'_>, port: u16) -> Admits {
    let all = ObjectRef::new(Kind::NetworkPolicy, to.namespace, "*");
    if let Err(why) = known::kind_is_known(snapshot, Kind::NetworkPolicy) {
        return Admits::Unknown(why);
    }
    // Traffic from and to a node's own network is the network plugin's own affair.
    if let Some(end) = [from, to].into_iter().find(|end| end.on_host) {
        return Admits::Unknown(format!("{} is on its node's network", end.object));
    }
    let mut isolating = Vec::new();
    let mut doubt = None;
    for policy in snapshot.network_policies.values() {
        if policy.reference.namespace != to.namespace || !policy.spec.is_about_ingress {
            continue;
        }
        match to.meets(&policy.spec.pods) {
            Some(false) => continue,
            Some(true) => isolating.push(policy.reference.clone()),
            None => doubt = Some(not_understood(policy)),
        }
        for rule in &policy.spec.ingress {
            match admitted(rule, policy, from, to, port) {
                Ok(true) => return Admits::By(policy.reference.clone()),
                Ok(false) => {}
                Err(why) => doubt = Some(why),
            }
        }
    }
    match (doubt, isolating.is_empty()) {
        (Some(why), _) => Admits::Unknown(why),
        (None, false) => Admits::Nobody(isolating),
        (None, true) => match known::absence_is_proven(snapshot, &all) {
            Ok(()) => Admits::NotIsolated,
            Err(why) => Admits::Unknown(why),
        },
    }
}

fn admitted(
    rule: &IngressRule,
    policy: &Object<NetworkPolicy>,
    from: &End<'_>,
    to: &End<'_>,
    port: u16,
) -> Result<bool, String> {
    let mut port_is_meant = rule.ports.is_empty();
    for wanted in &rule.ports {
        // A name that no container of the pod has means none of its ports.
        port_is_meant |= wanted.is(port, &to.ports).unwrap_or(false);
    }
    if !port_is_meant || rule.from.is_empty() {
        return Ok(port_is_meant);
    }
    let mut doubt = None;
    for peer in &rule.from {
        match is_peer(peer, policy, from) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(why) => doubt = Some(why),
        }
    }
    doubt.map_or(Ok(false), Err)
}

fn is_peer(peer: &Peer, policy: &Object<NetworkPolicy>, from: &End<'_>) -> Result<bool, String> {
    if let Some(block) = &peer.ip_block {
        let mut within = false;
        for address in from.ips {
            let address = address.parse().map_err(|_| not_understood(policy))?;
            within |= block.holds(address).ok_or_else(|| not_understood(policy))?;
        }
        if from.ips.is_empty() {
            return Err(format!("the address of {} is not known", from.object));
        }
        return Ok(within);
    }
    let meets = |selector: &Selector| {
        from.meets(selector).ok_or_else(|| {
            if from.is_partial {
                format!(
                    "not all labels of the data plane of {} are known",
                    from.object
                )
            } else {
                not_understood(policy)
            }
        })
    };
    if let Some(pods) = &peer.pods
        && !meets(pods)?
    {
        return Ok(false);
    }
    let namespace = from.namespace;
    match &peer.namespaces {
        None => Ok(policy.reference.namespace == namespace && peer.pods.is_some()),
        Some(selector) if selector.labels.is_empty() && selector.expressions.is_empty() => Ok(true),
        Some(selector) => {
            let name = BTreeMap::from([(NAMESPACE_NAME.to_owned(), namespace.to_owned())]);
            if selector.is_only_about(NAMESPACE_NAME) {
                return selector.meets(&name).ok_or_else(|| not_understood(policy));
            }
            Err(format!(
                "{} selects namespaces by labels, and those of {namespace} are not read",
                policy.reference
            ))
        }
    }
}

fn not_understood(policy: &Object<NetworkPolicy>) -> String {
    format!(
        "{} holds what this tool does not understand",
        policy.reference
    )
}

/// The ports of a pod's containers by their names.
fn named_ports(containers: Option<&Value>) -> BTreeMap<String, u16> {
    let mut named = BTreeMap::new();
    let list = |value: Option<&Value>| {
        value
            .and_then(|value| value.as_array().cloned())
            .unwrap_or_default()
    };
    for container in list(containers) {
        for port in list(container.get("ports")) {
            let number = port.get("containerPort").and_then(Value::as_u64);
            let name = port.get("name").and_then(Value::as_str);
            if let (Some(name), Some(number)) = (name, number.and_then(|n| u16::try_from(n).ok())) {
                named.insert(name.to_owned(), number);
            }
        }
    }
    named
}
