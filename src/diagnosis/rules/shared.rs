//! What rules of several families need.

use crate::{diagnosis::context::Context, model::object::ObjectRef};

/// The cert-manager Certificate that writes a Secret.
pub(in crate::diagnosis) fn writer(context: &Context<'_>, secret: &ObjectRef) -> Option<ObjectRef> {
    context.writer(secret).cloned()
}

/// A ReferenceGrant as YAML.
pub(super) fn grant(
    from_kind: &str,
    from_namespace: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1beta1\n\
         kind: ReferenceGrant\n\
         metadata:\n  name: allow-{from_namespace}-{name}\n  namespace: {namespace}\n\
         spec:\n  from:\n  - group: gateway.networking.k8s.io\n    kind: {from_kind}\n    namespace: {from_namespace}\n  \
         to:\n  - group: \"\"\n    kind: {kind}\n    name: {name}\n"
    )
}

/// With a capital letter, as a sentence begins.
pub(super) fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
