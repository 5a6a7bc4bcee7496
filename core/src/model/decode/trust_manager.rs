//! trust-manager's kinds: Bundle (`trust.cert-manager.io/v1alpha1`) and ClusterBundle
//! (`trust-manager.io/v1alpha2`), which say the same in different fields. ClusterTrustBundles of Kubernetes itself.

use crate::model::{
    facts,
    kind::Kind,
    kinds::{BundleSource, SourceOf, TrustBundle},
};

use super::reader::Field;

pub(super) fn bundle(kind: Kind, root: Field<'_>) -> TrustBundle {
    let spec = root.required("spec");
    if kind == Kind::ClusterTrustBundle {
        return TrustBundle {
            own: facts::certificates(spec.get("trustBundle").raw_text()),
            signer: spec.text("signerName").filter(|name| !name.is_empty()),
            ..TrustBundle::default()
        };
    }
    let target = spec.get("target");
    let is_old = kind == Kind::Bundle;
    TrustBundle {
        sources: if is_old {
            spec.objects("sources").map(old_source).collect()
        } else {
            sources(spec)
        },
        config_map_keys: keys(target, "configMap", is_old),
        secret_keys: keys(target, "secret", is_old),
        selector: selector(target.get("namespaceSelector")),
        ..TrustBundle::default()
    }
}

/// `configMap`, `secret`, `inLine` or `useDefaultCAs`.
fn old_source(source: Field<'_>) -> BundleSource {
    for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let object = source.get(field);
        if object.is_present() {
            return of_object(kind, object);
        }
    }
    let inline = source.get("inLine");
    if inline.is_present() {
        return in_line(inline);
    }
    defaults()
}

fn sources(spec: Field<'_>) -> Vec<BundleSource> {
    let mut all: Vec<BundleSource> = spec
        .objects("sourceRefs")
        .map(|source| of_object(&source.text("kind").unwrap_or_default(), source))
        .collect();
    let provider = spec.get("defaultCAs").text("provider");
    if provider.is_some_and(|provider| provider != "Disabled") {
        all.push(defaults());
    }
    let inline = spec.get("inLineCAs");
    if inline.is_present() {
        all.push(in_line(inline));
    }
    all
}

fn in_line(field: Field<'_>) -> BundleSource {
    BundleSource {
        label: "inline".to_owned(),
        held: SourceOf::Inline(facts::certificates(field.raw_text())),
    }
}

fn defaults() -> BundleSource {
    BundleSource {
        label: "the default CAs".to_owned(),
        held: SourceOf::Elsewhere,
    }
}

/// `Secret root-ca[ca.crt]`, `ConfigMaps with labels`.
fn of_object(kind: &str, source: Field<'_>) -> BundleSource {
    let Some(name) = source.text("name") else {
        let selector = selector(source.get("selector"));
        return BundleSource {
            label: format!(
                "{kind}s with {}",
                selector.as_deref().unwrap_or("any labels")
            ),
            held: SourceOf::Elsewhere,
        };
    };
    let key = source.text("key").filter(|key| !key.is_empty());
    let label = match &key {
        Some(key) => format!("{kind} {name}[{key}]"),
        None => format!("{kind} {name}"),
    };
    let kind = match kind {
        "Secret" => Some(Kind::Secret),
        "ConfigMap" => Some(Kind::ConfigMap),
        _ => None,
    };
    let held = match (kind, key) {
        // A key of a ClusterBundle may be a pattern.
        (Some(kind), Some(key)) if !key.contains('*') => SourceOf::Key { kind, name, key },
        _ => SourceOf::Elsewhere,
    };
    BundleSource { label, held }
}

/// The keys that hold PEM.
fn keys(target: Field<'_>, field: &str, is_old: bool) -> Option<Vec<String>> {
    let target = target.get(field);
    if !target.is_present() {
        return None;
    }
    if is_old {
        return Some(target.text("key").into_iter().collect());
    }
    let is_pem = |data: &Field<'_>| matches!(data.text("format").as_deref(), None | Some("PEM"));
    let data = target.objects("data").filter(is_pem);
    Some(data.filter_map(|data| data.text("key")).collect())
}

/// `team=shop, tier in (a, b)`; `None` where it selects everything.
fn selector(field: Field<'_>) -> Option<String> {
    let labels = field.text_map("matchLabels").into_iter();
    let mut all: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    all.extend(field.objects("matchExpressions").map(|expression| {
        let text = |name: &str| expression.text(name).unwrap_or_default();
        let values = expression.texts("values").join(", ");
        format!("{} {} ({values})", text("key"), text("operator"))
    }));
    (!all.is_empty()).then(|| all.join(", "))
}
