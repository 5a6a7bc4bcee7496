//! Whether the NetworkPolicies of a backend's namespace let the data plane's pods in. What a policy says is
//! not what happens: that is up to the cluster's network plugin, so that this is evidence beside a fault
//! that somebody saw, and none alone.

use std::collections::BTreeMap;

use super::{ngf::known, plan::ProbePlan};
use crate::model::{
    kind::Kind,
    kinds::Pod,
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
    /// Nobody knows: why, in a sentence.
    Unknown(String),
}

/// What the policies say of a connection from a pod of the data plane.
pub fn admits(snapshot: &Snapshot, from: &ObjectRef, plan: &ProbePlan) -> Admits {
    let all = ObjectRef::new(Kind::NetworkPolicy, &plan.service.namespace, "*");
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
    if let Err(why) = known::kind_is_known(snapshot, Kind::NetworkPolicy) {
        return Admits::Unknown(why);
    }
    // Traffic from and to a node's own network is the network plugin's own affair.
    if let Some(pod) = [&**from, &**to].into_iter().find(|pod| is_on_host(pod)) {
        return Admits::Unknown(format!("{} is on its node's network", pod.reference));
    }
    let mut isolating = Vec::new();
    let mut doubt = None;
    for policy in snapshot.network_policies.values() {
        if policy.reference.namespace != to.reference.namespace || !policy.spec.is_about_ingress {
            continue;
        }
        match policy.spec.pods.meets(&to.meta.labels) {
            Some(false) => continue,
            Some(true) => isolating.push(policy.reference.clone()),
            None => doubt = Some(not_understood(policy)),
        }
        for rule in &policy.spec.ingress {
            match admitted(rule, policy, from, to, plan.endpoint.port) {
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
    from: &Object<Pod>,
    to: &Object<Pod>,
    port: u16,
) -> Result<bool, String> {
    let named = named_ports(to);
    let mut port_is_meant = rule.ports.is_empty();
    for wanted in &rule.ports {
        // A name that no container of the pod has means none of its ports.
        port_is_meant |= wanted.is(port, &named).unwrap_or(false);
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

fn is_peer(
    peer: &Peer,
    policy: &Object<NetworkPolicy>,
    from: &Object<Pod>,
) -> Result<bool, String> {
    if let Some(block) = &peer.ip_block {
        let mut within = false;
        for address in &from.spec.ips {
            let address = address.parse().map_err(|_| not_understood(policy))?;
            within |= block.holds(address).ok_or_else(|| not_understood(policy))?;
        }
        if from.spec.ips.is_empty() {
            return Err(format!("the address of {} is not known", from.reference));
        }
        return Ok(within);
    }
    let meets = |selector: &Selector| {
        let labels = &from.meta.labels;
        selector.meets(labels).ok_or_else(|| not_understood(policy))
    };
    if let Some(pods) = &peer.pods
        && !meets(pods)?
    {
        return Ok(false);
    }
    let namespace = &from.reference.namespace;
    match &peer.namespaces {
        None => Ok(policy.reference.namespace == *namespace && peer.pods.is_some()),
        Some(selector) => {
            let name = BTreeMap::from([(NAMESPACE_NAME.to_owned(), namespace.clone())]);
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

fn is_on_host(pod: &Object<Pod>) -> bool {
    let on_host = pod.raw.pointer("/spec/hostNetwork");
    on_host.and_then(serde_json::Value::as_bool) == Some(true)
}

/// The ports of a pod's containers by their names.
fn named_ports(pod: &Object<Pod>) -> BTreeMap<String, u16> {
    let mut named = BTreeMap::new();
    let list = |value: Option<&serde_json::Value>| {
        value
            .and_then(|value| value.as_array().cloned())
            .unwrap_or_default()
    };
    for container in list(pod.raw.pointer("/spec/containers")) {
        for port in list(container.get("ports")) {
            let number = port
                .get("containerPort")
                .and_then(serde_json::Value::as_u64);
            let name = port.get("name").and_then(serde_json::Value::as_str);
            if let (Some(name), Some(number)) = (name, number.and_then(|n| u16::try_from(n).ok())) {
                named.insert(name.to_owned(), number);
            }
        }
    }
    named
}
