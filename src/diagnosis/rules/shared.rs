//! What rules of several families need.

use serde_json::{Value, json};

use crate::{diagnosis::context::Context, model::object::ObjectRef};

/// The cert-manager Certificate that writes a Secret.
pub(in crate::diagnosis) fn writer(context: &Context<'_>, secret: &ObjectRef) -> Option<ObjectRef> {
    context
        .snapshot
        .certificates
        .values()
        .find(|certificate| {
            certificate.reference.namespace == secret.namespace
                && certificate.spec.secret_name == secret.name
        })
        .map(|certificate| certificate.reference.clone())
}

/// A ReferenceGrant.
pub(crate) fn grant(
    from_kind: &str,
    from_namespace: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {
            "name": format!("allow-{from_namespace}-{name}"),
            "namespace": namespace,
        },
        "spec": {
            "from": [{
                "group": "gateway.networking.k8s.io",
                "kind": from_kind,
                "namespace": from_namespace,
            }],
            "to": [{"group": "", "kind": kind, "name": name}],
        },
    })
}

/// With a capital letter, as a sentence begins.
pub(super) fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
