//! Whether a Gateway's nginx has a DNS resolver (`buildEffectiveNginxProxy`).

use super::{known, listener::proxy_name};
use crate::model::{
    kind::Kind,
    kinds::{Gateway, LocalRef},
    object::{Object, ObjectRef},
    snapshot::{Snapshot, Source},
};

/// Whether the NginxProxy of the Gateway, or else of its class, names a DNS resolver; `None` where one
/// of them is not known.
pub fn has_resolver(snapshot: &Snapshot, gateway: &Object<Gateway>) -> Option<bool> {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = snapshot.gateway_classes.get(&class);
    if class.is_none() && matches!(snapshot.source, Source::Files { .. }) {
        return None;
    }
    let of_class = class.and_then(|class| class.spec.parameters_ref.as_ref());
    let mut any = false;
    for reference in gateway.spec.parameters_ref.iter().chain(of_class) {
        any |= names_resolver(snapshot, gateway, reference)?;
    }
    Some(any)
}

fn names_resolver(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    reference: &LocalRef,
) -> Option<bool> {
    let name = proxy_name(gateway, reference);
    match snapshot.ngf.get(&name) {
        Some(proxy) => Some(proxy.raw.pointer("/spec/dnsResolver").is_some()),
        None => known::absence_is_proven(snapshot, &name)
            .is_ok()
            .then_some(false),
    }
}
