//! Whether a Gateway's nginx has a DNS resolver (`buildEffectiveNginxProxy`).

use super::known;
use crate::{
    diagnosis::context::Context,
    model::{kind::Kind, kinds::LocalRef, object::ObjectRef},
};

/// Whether the NginxProxy of the Gateway, or else of its class, names a DNS resolver; `None` where one
/// of them is not known.
pub fn has_resolver(context: &Context<'_>, gateway: &ObjectRef) -> Option<bool> {
    let (found, _) = context.gateways.get(gateway)?;
    let class = ObjectRef::new(Kind::GatewayClass, "", &found.spec.class);
    let class = context.snapshot.gateway_classes.get(&class);
    if class.is_none() && context.is_files() {
        return None;
    }
    let of_class = class.and_then(|class| class.spec.parameters_ref.as_ref());
    let mut any = false;
    for reference in found.spec.parameters_ref.iter().chain(of_class) {
        any |= names_resolver(context, gateway, reference)?;
    }
    Some(any)
}

fn names_resolver(
    context: &Context<'_>,
    gateway: &ObjectRef,
    reference: &LocalRef,
) -> Option<bool> {
    let namespace = reference.namespace.as_deref().unwrap_or(&gateway.namespace);
    let name = ObjectRef::new(Kind::NginxProxy, namespace, &reference.name);
    match context.snapshot.ngf.get(&name) {
        Some(proxy) => Some(proxy.raw.pointer("/spec/dnsResolver").is_some()),
        None => known::absence_is_proven(context.snapshot, &name)
            .is_ok()
            .then_some(false),
    }
}
