//! What the user may do, asked beforehand, and the rule that would let them.

/// The rule that is missing, to be given to an administrator:
/// `add to a Role in namespace default: {apiGroups: [""], resources: [pods/exec], verbs: [get, create]}`.
pub(super) fn rule(namespace: &str, resource: &str, verbs: &[&str]) -> String {
    format!(
        "add to a Role in namespace {namespace}: {{apiGroups: [\"\"], resources: [{resource}], verbs: [{}]}}",
        verbs.join(", ")
    )
}
