//! Whether a change of an object may change what [`references`](super::references::references) finds: most changes do
//! not, and the whole cluster need not be gone through after each of them.

use super::{
    kinds::{EndpointSlice, Pod},
    object::{Object, ObjectRef},
    snapshot::{Snapshot, Table},
    status::Spec,
    table::TableName,
};

/// Whether an object refers to the same, and is referred to as before, in two snapshots. What came or went does not.
pub fn refers_alike(before: &Snapshot, after: &Snapshot, object: &ObjectRef) -> bool {
    macro_rules! alike {
        ($table:ident, $is_alike:expr) => {
            both(&before.$table, &after.$table, object, $is_alike)
        };
    }
    match object.kind.table() {
        TableName::GatewayClass => alike!(gateway_classes, same_spec),
        TableName::Gateway => alike!(gateways, same_spec),
        TableName::ListenerSet => alike!(listener_sets, same_spec),
        TableName::Route => alike!(routes, same_spec),
        TableName::BackendTLSPolicy => alike!(policies, same_spec),
        TableName::Service => alike!(services, same_spec),
        TableName::EndpointSlice => alike!(endpoint_slices, same_pods),
        TableName::Pod => alike!(pods, same_volumes),
        TableName::Workload => alike!(workloads, same_spec),
        TableName::Issuer => alike!(issuers, same_spec),
        TableName::Certificate => alike!(certificates, same_spec),
        TableName::TrustBundle => alike!(trust_bundles, same_spec),
        // None of these is looked at.
        TableName::ReferenceGrant
        | TableName::NetworkPolicy
        | TableName::Ngf
        | TableName::CertificateRequest
        | TableName::Order
        | TableName::Challenge
        | TableName::Secret
        | TableName::ConfigMap
        | TableName::Event => true,
    }
}

fn both<T: Spec>(
    before: &Table<T>,
    after: &Table<T>,
    object: &ObjectRef,
    is_alike: impl Fn(&Object<T>, &Object<T>) -> bool,
) -> bool {
    match (before.get(object), after.get(object)) {
        (Some(one), Some(other)) => is_alike(one, other),
        (None, None) => true,
        _ => false,
    }
}

fn same_spec<T: Spec + PartialEq>(one: &Object<T>, other: &Object<T>) -> bool {
    one.spec == other.spec && one.meta.labels == other.meta.labels
}

/// Readiness comes and goes, and leaves the pods as they are.
fn same_pods(one: &Object<EndpointSlice>, other: &Object<EndpointSlice>) -> bool {
    let pods = |slice: &EndpointSlice| -> Vec<Option<ObjectRef>> {
        slice.endpoints.iter().map(|one| one.pod.clone()).collect()
    };
    one.spec.service == other.spec.service && pods(&one.spec) == pods(&other.spec)
}

/// A pod's status changes often.
fn same_volumes(one: &Object<Pod>, other: &Object<Pod>) -> bool {
    one.spec.volumes == other.spec.volumes && one.meta.labels == other.meta.labels
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        manifests::parse,
        model::{kind::Kind, references::references},
    };

    const TEXT: &str = r#"---
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": {"ports": [{"name": "https", "port": 8443}]}}
---
{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": "app-1",
 "labels": {"kubernetes.io/service-name": "app"}}, "endpoints": [{"addresses": ["10.0.0.1"],
 "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "a"}}]}
---
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [], "volumes": [
 {"name": "tls", "secret": {"secretName": "a-tls"}}]}}
---
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}, "spec": {"containers": [], "volumes": [
 {"name": "tls", "secret": {"secretName": "b-tls"}}]}}
---
{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": "tls"}, "spec": {
 "targetRefs": [{"group": "", "kind": "Service", "name": "app"}], "validation": {"hostname": "a",
 "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}}}
"#;

    #[test]
    fn what_matters_to_references_is_told_from_what_does_not() {
        let before = parse(TEXT, "apps");
        let name = |kind, name: &str| ObjectRef::new(kind, "apps", name);
        let slice = name(Kind::EndpointSlice, "app-1");
        let pod = name(Kind::Pod, "a");
        let policy = name(Kind::BackendTLSPolicy, "tls");
        // Whether it is alike, and whether that is so of the references.
        let after = |object: &ObjectRef, change: &dyn Fn(&mut Snapshot)| {
            let mut after = before.clone();
            change(&mut after);
            let is_same = references(&before) == references(&after);
            (refers_alike(&before, &after, object), is_same)
        };
        let of_slice = |change: &dyn Fn(&mut EndpointSlice)| {
            after(&slice, &|after| {
                let found = after.endpoint_slices.get_mut(&slice).expect("the slice");
                change(&mut Arc::make_mut(found).spec);
            })
        };
        let of_pod = |change: &dyn Fn(&mut Object<Pod>)| {
            after(&pod, &|after| {
                change(Arc::make_mut(after.pods.get_mut(&pod).expect("the pod")));
            })
        };
        let is_alike = (true, true);
        assert_eq!(of_slice(&|slice| slice.endpoints[0].ready = None), is_alike);
        assert_eq!(of_pod(&|pod| pod.spec.node = None), is_alike);
        assert_eq!(
            after(&policy, &|after| {
                let found = after.policies.get_mut(&policy).expect("the policy");
                Arc::make_mut(found).meta.generation += 1;
            }),
            is_alike
        );
        let differs = (false, false);
        let other = name(Kind::Pod, "b");
        assert_eq!(
            of_slice(&|slice| slice.endpoints[0].pod = Some(other.clone())),
            differs
        );
        assert_eq!(of_slice(&|slice| slice.service = None), differs);
        assert_eq!(of_pod(&|pod| pod.spec.volumes.clear()), differs);
        assert_eq!(after(&pod, &|after| drop(after.pods.remove(&pod))), differs);
        assert_eq!(
            after(&policy, &|after| {
                let found = after.policies.get_mut(&policy).expect("the policy");
                Arc::make_mut(found).spec.target_refs.clear();
            }),
            differs
        );
    }
}
