//! Whether nginx is given a Service's ClusterIP in place of its endpoints: `useClusterIP`, since 2.7
//! (`resolveUpstreamEndpoints`).

use serde_json::Value;

use super::{known, listener::proxy_name, release::Release};
use crate::model::{
    index::Endpoint,
    kind::Kind,
    kinds::{Gateway, NgfResource, Service, ServicePort},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// The ClusterIP, with the port of the Service, that nginx of a Gateway connects to for a route of this kind;
/// `None` where it is given endpoints, or that is unknown.
pub fn cluster_ip(
    snapshot: &Snapshot,
    release: Release,
    gateway: &Object<Gateway>,
    route: Kind,
    service: &Object<Service>,
    port: &ServicePort,
) -> Option<Endpoint> {
    // Upstreams of streams never have it.
    let is_http = matches!(route, Kind::HTTPRoute | Kind::GRPCRoute);
    if !release.may_use_cluster_ip() || !is_http || service.spec.service_type == "ExternalName" {
        return None;
    }
    let address = service.spec.cluster_ip.as_deref()?;
    if address.is_empty() || address == "None" {
        return None;
    }
    let wanted = of_service(snapshot, &service.reference)
        .or_else(|| of_gateway(snapshot, gateway))
        .unwrap_or(false);
    wanted.then(|| Endpoint {
        address: address.to_owned(),
        port: port.port,
        ready: true,
        says_ready: true,
        terminating: false,
        pod: None,
        node: None,
    })
}

/// What an UpstreamSettingsPolicy says; it wins over the NginxProxy.
fn of_service(snapshot: &Snapshot, service: &ObjectRef) -> Option<bool> {
    let mut of = snapshot.ngf.iter().filter(|(name, policy)| {
        name.kind == Kind::UpstreamSettingsPolicy
            && name.namespace == service.namespace
            && policy
                .spec
                .target_refs
                .iter()
                .any(|target| target.name == service.name)
    });
    of.find_map(|(_, policy)| policy.raw.pointer("/spec/useClusterIP")?.as_bool())
}

/// What the Gateway's NginxProxy says, or else its class's.
fn of_gateway(snapshot: &Snapshot, gateway: &Object<Gateway>) -> Option<bool> {
    flag_of_proxy(snapshot, gateway, "/spec/useClusterIP").map(|(_, flag)| flag)
}

/// A setting of the Gateway's NginxProxy, or else of its class's, with the NginxProxy that has it.
pub fn flag_of_proxy(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    pointer: &str,
) -> Option<(ObjectRef, bool)> {
    of_proxy(snapshot, gateway, |proxy| {
        let flag = proxy.raw.pointer(pointer).and_then(Value::as_bool)?;
        Some((proxy.reference.clone(), flag))
    })
}

/// The same for a setting that is a text.
pub fn text_of_proxy(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    pointer: &str,
) -> Option<String> {
    of_proxy(snapshot, gateway, |proxy| {
        let text = proxy.raw.pointer(pointer)?.as_str()?;
        Some(text.to_owned())
    })
}

fn of_proxy<T>(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    setting: impl Fn(&Object<NgfResource>) -> Option<T>,
) -> Option<T> {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = snapshot.gateway_classes.get(&class);
    let of_class = class.and_then(|class| class.spec.parameters_ref.as_ref());
    let references = gateway.spec.parameters_ref.iter().chain(of_class);
    let mut proxies = references.filter_map(|one| snapshot.ngf.get(&proxy_name(gateway, one)));
    proxies.find_map(|proxy| setting(proxy))
}

/// Whether it is certain that nginx is given endpoints or the ClusterIP, as [`cluster_ip`] says: what decides can
/// be read.
pub fn is_certain(snapshot: &Snapshot, release: Release) -> bool {
    !release.may_use_cluster_ip()
        || [Kind::UpstreamSettingsPolicy, Kind::NginxProxy]
            .into_iter()
            .all(|kind| known::kind_is_known(snapshot, kind).is_ok())
}
