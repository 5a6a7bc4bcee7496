//! What rules of several families need.

use serde_json::{Value, json};

use crate::{
    diagnosis::{context::Context, finding::Finding, ngf::gateway::near_grants},
    model::object::ObjectRef,
};

/// The cert-manager Certificate that writes a Secret.
pub(in crate::diagnosis) fn writer(context: &Context<'_>, secret: &ObjectRef) -> Option<ObjectRef> {
    context.writer(secret).cloned()
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

/// Adds the ReferenceGrants that were meant to permit a reference, each with why it does not.
pub(super) fn near(
    context: &Context<'_>,
    mut finding: Finding,
    from_kind: &str,
    namespace: &str,
    to: &ObjectRef,
) -> Finding {
    let near = near_grants(context.snapshot, from_kind, namespace, to);
    for (grant, why) in near.into_iter().take(3) {
        finding = finding.because(format!("{grant} {why}.")).scope([&grant]);
    }
    finding
}

/// With a capital letter, as a sentence begins.
pub(super) fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
