//! What all kinds share: `metadata`, conditions, references.

use crate::model::{
    kind::Kind,
    kinds::LocalRef,
    object::{Condition, Meta, Owner},
    status::{Conditions, ParentStatus},
};

use super::reader::Field;

/// `metadata.namespace` and `metadata.name`.
pub(super) fn name(root: Field<'_>) -> Option<(Option<String>, String)> {
    let metadata = root.required("metadata");
    let name = metadata.text("name").filter(|name| !name.is_empty())?;
    let namespace = metadata.text("namespace").filter(|name| !name.is_empty());
    Some((namespace, name))
}

/// `metadata`.
pub(super) fn meta(root: Field<'_>) -> Meta {
    let metadata = root.get("metadata");
    Meta {
        uid: metadata.text("uid").unwrap_or_default(),
        generation: metadata.number("generation").unwrap_or_default(),
        resource_version: metadata.text("resourceVersion").unwrap_or_default(),
        created: metadata.time("creationTimestamp"),
        deleting: metadata.get("deletionTimestamp").is_present(),
        labels: metadata.text_map("labels"),
        annotations: metadata.text_map("annotations"),
        owners: metadata.objects("ownerReferences").map(owner).collect(),
        api_version: root.text("apiVersion").unwrap_or_default(),
    }
}

fn owner(field: Field<'_>) -> Owner {
    Owner {
        api_version: field.required_text("apiVersion"),
        kind: field.required_text("kind"),
        name: field.required_text("name"),
        uid: field.text("uid").unwrap_or_default(),
        controller: field.flag("controller").unwrap_or_default(),
    }
}

/// Notes an `apiVersion` that this tool does not read.
pub(super) fn check_version(kind: Kind, root: Field<'_>) {
    let Some(api_version) = root.text("apiVersion") else {
        return;
    };
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let known = kind.info().versions;
    if !known.contains(&version) {
        root.get("apiVersion").unknown_value(format!(
            "this tool reads {kind} in {}; {version} is read as if it were {}",
            known.join(", "),
            known[0]
        ));
    }
}

/// `status.conditions` of a kind of which no more is read.
pub(super) fn status_conditions(root: Field<'_>) -> Conditions {
    Conditions {
        conditions: conditions(root.get("status"), "conditions"),
    }
}

/// A list of conditions under `key`.
pub(super) fn conditions(field: Field<'_>, key: &str) -> Vec<Condition> {
    field.objects(key).map(condition).collect()
}

fn condition(field: Field<'_>) -> Condition {
    field.required("status");
    Condition {
        kind: field.required_text("type"),
        status: field
            .choice("status", &["True", "False", "Unknown"])
            .unwrap_or_default(),
        reason: field.text("reason").unwrap_or_default(),
        message: field.text("message").unwrap_or_default(),
        last_transition: field.time("lastTransitionTime"),
        observed_generation: field.number("observedGeneration"),
    }
}

/// The reference under `key`, if there is one.
pub(super) fn reference(field: Field<'_>, key: &str) -> Option<LocalRef> {
    let field = field.get(key);
    (field.is_present() && field.is_object()).then(|| local_ref(field))
}

/// The references in the list under `key`.
pub(super) fn references(field: Field<'_>, key: &str) -> Vec<LocalRef> {
    field.objects(key).map(local_ref).collect()
}

/// A reference with a name.
pub(super) fn local_ref(field: Field<'_>) -> LocalRef {
    LocalRef {
        name: field.required_text("name"),
        ..nameless_ref(field)
    }
}

/// The references in the list under `key` of a type that requires a group, a kind and a name
/// (`LocalObjectReference`, `LocalPolicyTargetReference`, `ObjectReference`).
pub(super) fn full_references(field: Field<'_>, key: &str) -> Vec<LocalRef> {
    field.objects(key).map(full_ref).collect()
}

/// The reference under `key`, of such a type.
pub(super) fn full_reference(field: Field<'_>, key: &str) -> Option<LocalRef> {
    let field = field.get(key);
    (field.is_present() && field.is_object()).then(|| full_ref(field))
}

fn full_ref(field: Field<'_>) -> LocalRef {
    field.required("group");
    field.required("kind");
    local_ref(field)
}

/// A reference whose name may be missing, as in a ReferenceGrant.
pub(super) fn nameless_ref(field: Field<'_>) -> LocalRef {
    LocalRef {
        group: field.text("group"),
        kind: field.text("kind"),
        namespace: field.text("namespace"),
        name: field.text("name").unwrap_or_default(),
        section_name: field.text("sectionName"),
        port: field.port("port"),
    }
}

/// The list of parents or ancestors under `key`, each naming its own under `parent`.
pub(super) fn parents(status: Field<'_>, key: &str, parent: &str) -> Vec<ParentStatus> {
    status
        .objects(key)
        .map(|field| ParentStatus {
            parent: reference(field, parent).unwrap_or_default(),
            controller_name: field.text("controllerName").unwrap_or_default(),
            conditions: conditions(field, "conditions"),
        })
        .collect()
}
