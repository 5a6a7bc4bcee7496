//! The kinds that the embedded cluster serves: one list, in [`list`]. Discovery, routing, the printed tables,
//! field selectors, generation counting and the CustomResourceDefinitions derive from it.
//!
//! TCPRoute and UDPRoute are left out on purpose, as in Gateway API 1.5's standard channel, so that
//! "a kind that the cluster does not have" is met by everybody who reads this cluster.

mod list;

pub(crate) use self::list::*;

/// Where a kind comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Compiled into a real API server; `kubectl` patches it with strategic merge patches.
    BuiltIn,
    /// Served by a CustomResourceDefinition of the Gateway API's standard channel.
    GatewayApi,
    /// Served by a CustomResourceDefinition of another project.
    Custom,
}

/// The last column of every kind.
pub(crate) const AGE: (&str, &str) = ("Age", ".metadata.creationTimestamp");

/// One kind.
#[derive(Debug)]
// `kind` is what Kubernetes calls it.
#[allow(clippy::struct_field_names)]
pub(crate) struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Served versions, the preferred one first.
    pub versions: &'static [&'static str],
    /// `Gateway`.
    pub kind: &'static str,
    /// `gateways`.
    pub plural: &'static str,
    /// `gateway`.
    pub singular: &'static str,
    /// `gtw`.
    pub short_names: &'static [&'static str],
    /// `kubectl get gateway-api`.
    pub categories: &'static [&'static str],
    /// Objects live in namespaces.
    pub namespaced: bool,
    /// `status` is a subresource: writes to the object leave it alone, and the other way round.
    pub status: bool,
    /// `metadata.generation` counts changes outside metadata and status.
    pub generation: bool,
    /// Who serves it.
    pub origin: Origin,
    /// What `kubectl get` prints between name and age: heading, and the JSONPath of the value.
    pub columns: &'static [(&'static str, &'static str)],
    /// Fields that a field selector may name, besides `metadata.name` and `metadata.namespace`.
    pub fields: &'static [&'static str],
}

impl Kind {
    /// `gateways.gateway.networking.k8s.io`, or `pods`: how messages name it.
    pub(crate) fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `gateway.networking.k8s.io/v1`, or `v1`.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }

    /// The preferred version.
    pub(crate) fn preferred(&self) -> &'static str {
        self.versions[0]
    }

    /// The names of subresources that the API serves for this kind.
    pub(crate) fn subresources(&self) -> &'static [&'static str] {
        if std::ptr::eq(self, POD) {
            &["log", "exec", "portforward", "ephemeralcontainers"]
        } else {
            &[]
        }
    }
}

/// The kind of this group and plural, where a version is served.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .copied()
        .find(|k| k.group == group && k.plural == plural && k.versions.contains(&version))
}

/// The kind of this `apiVersion` and `kind`.
pub(crate) fn of_type(api_version: &str, kind: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    KINDS
        .iter()
        .copied()
        .find(|k| k.group == group && k.kind == kind && k.versions.contains(&version))
}

/// The groups with their served versions in the order of first appearance.
pub(crate) fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for kind in KINDS {
        let index = all
            .iter()
            .position(|(g, _)| *g == kind.group)
            .unwrap_or_else(|| {
                all.push((kind.group, Vec::new()));
                all.len() - 1
            });
        for version in kind.versions {
            if !all[index].1.contains(version) {
                all[index].1.push(version);
            }
        }
    }
    all
}
