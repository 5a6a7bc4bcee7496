//! What rules of several families need.

use serde_json::{Value, json};

use crate::{
    diagnosis::{
        context::Context,
        finding::Finding,
        ngf::{gateway::near_grants, known},
    },
    model::{kind::Kind, kinds::ByNgf, object::ObjectRef, snapshot::Lookup},
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

/// Adds what is odd about the text in which NGF finds no certificate or key: what does not show when it is printed.
pub(super) fn with_oddity(
    context: &Context<'_>,
    mut finding: Finding,
    object: &ObjectRef,
) -> Finding {
    let texts = match object.kind {
        Kind::Secret => match known::secret(context.snapshot, object) {
            Lookup::Found(found) => vec![
                ("tls.crt or tls.key", &found.spec.pair_by_ngf),
                ("ca.crt", &found.spec.ca_by_ngf),
            ],
            _ => Vec::new(),
        },
        _ => match known::config_map(context.snapshot, object) {
            Lookup::Found(found) => vec![("ca.crt", &found.spec.ca_by_ngf)],
            _ => Vec::new(),
        },
    };
    for (key, by_ngf) in texts {
        if let ByNgf::Refused {
            oddity: Some(oddity),
            ..
        } = by_ngf
        {
            finding = finding.because(format!("Of {key} in {object}: {oddity}."));
        }
    }
    finding
}

/// With a capital letter, as a sentence begins. The path of a field (`spec.validation`) stays as it is.
pub(super) fn upper(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if first.trim_end_matches('.').contains('.') {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
