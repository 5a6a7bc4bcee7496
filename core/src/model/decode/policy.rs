//! BackendTLSPolicy, ReferenceGrant, and NGF's own kinds.

use crate::model::{
    kinds::{BackendTLSPolicy, NgfResource, ReferenceGrant},
    status::{NgfStatus, ParentStatus, PolicyStatus},
};

use super::{
    meta::{conditions, full_reference, full_references, nameless_ref, parents},
    reader::Field,
};

/// The fields of v1alpha2 that later versions do not have.
const OLD_FIELDS: [&str; 4] = [
    "/spec/targetRef",
    "/spec/tls",
    "/spec/validation/caCertRefs",
    "/spec/validation/wellKnownCACerts",
];

/// `v1` and `v1alpha3` have the same fields.
pub(super) fn backend_tls_policy(root: Field<'_>) -> BackendTLSPolicy {
    let spec = root.required("spec");
    spec.required("targetRefs");
    let validation = spec.required("validation");
    let hostname = validation.required_text("hostname");
    // Gateway API's `PreciseHostname`, whose pattern has no place for `*`.
    if hostname.starts_with("*.") {
        validation
            .get("hostname")
            .refused("is a wildcard, and the API accepts a precise host name only");
    }
    let has = |pointer| {
        root.value()
            .is_some_and(|value| value.pointer(pointer).is_some())
    };
    BackendTLSPolicy {
        is_of_old_shape: OLD_FIELDS.into_iter().any(has),
        target_refs: full_references(spec, "targetRefs"),
        ca_certificate_refs: full_references(validation, "caCertificateRefs"),
        well_known_ca_certificates: validation.choice("wellKnownCACertificates", &["System"]),
        hostname,
        subject_alt_names: validation
            .objects("subjectAltNames")
            .map(subject_alt_name)
            .collect(),
        options: spec.text_map("options"),
    }
}

pub(super) fn policy_status(root: Field<'_>) -> PolicyStatus {
    PolicyStatus {
        ancestors: parents(root.get("status"), "ancestors", "ancestorRef"),
    }
}

fn subject_alt_name(field: Field<'_>) -> String {
    field.required("type");
    let name_type = field
        .choice("type", &["Hostname", "URI"])
        .unwrap_or_default();
    let value = match name_type.as_str() {
        "URI" => field.required_text("uri"),
        "Hostname" => field.required_text("hostname"),
        _ => field
            .text("hostname")
            .or_else(|| field.text("uri"))
            .unwrap_or_default(),
    };
    format!("{name_type}:{value}")
}

/// `v1` and `v1beta1` have the same fields.
pub(super) fn reference_grant(root: Field<'_>) -> ReferenceGrant {
    let spec = root.required("spec");
    spec.required("from");
    spec.required("to");
    ReferenceGrant {
        from: spec
            .objects("from")
            .map(|field| {
                field.required("group");
                field.required("kind");
                field.required("namespace");
                nameless_ref(field)
            })
            .collect(),
        to: spec
            .objects("to")
            .map(|field| {
                field.required("group");
                field.required("kind");
                nameless_ref(field)
            })
            .collect(),
    }
}

pub(super) fn ngf_resource(root: Field<'_>) -> NgfResource {
    let spec = root.get("spec");
    let mut target_refs = full_references(spec, "targetRefs");
    target_refs.extend(full_reference(spec, "targetRef"));
    NgfResource { target_refs }
}

pub(super) fn ngf_status(root: Field<'_>) -> NgfStatus {
    let status = root.get("status");
    let mut parents_of = parents(status, "ancestors", "ancestorRef");
    parents_of.extend(parents(status, "controllers", "parentRef"));
    let own = conditions(status, "conditions");
    if !own.is_empty() {
        parents_of.push(ParentStatus {
            conditions: own,
            ..ParentStatus::default()
        });
    }
    NgfStatus {
        parents: parents_of,
    }
}
