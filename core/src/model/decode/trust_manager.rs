//! trust-manager's kinds: Bundle (`trust.cert-manager.io/v1alpha1`) and ClusterBundle
//! (`trust-manager.io/v1alpha2`), which say the same in different fields.

use crate::model::{kind::Kind, kinds::TrustBundle};

use super::reader::Field;

pub(super) fn bundle(kind: Kind, root: Field<'_>) -> TrustBundle {
    let spec = root.required("spec");
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
    }
}

/// `configMap`, `secret`, `inLine` or `useDefaultCAs`.
fn old_source(source: Field<'_>) -> String {
    for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let object = source.get(field);
        if object.is_present() {
            return of_object(kind, object);
        }
    }
    if source.get("inLine").is_present() {
        return "inline".to_owned();
    }
    "the default CAs".to_owned()
}

fn sources(spec: Field<'_>) -> Vec<String> {
    let mut all: Vec<String> = spec
        .objects("sourceRefs")
        .map(|source| of_object(&source.text("kind").unwrap_or_default(), source))
        .collect();
    let provider = spec.get("defaultCAs").text("provider");
    if provider.is_some_and(|provider| provider != "Disabled") {
        all.push("the default CAs".to_owned());
    }
    if spec.get("inLineCAs").is_present() {
        all.push("inline".to_owned());
    }
    all
}

/// `Secret root-ca[ca.crt]`, `ConfigMaps with labels`.
fn of_object(kind: &str, source: Field<'_>) -> String {
    let Some(name) = source.text("name") else {
        let selector = selector(source.get("selector"));
        return format!(
            "{kind}s with {}",
            selector.as_deref().unwrap_or("any labels")
        );
    };
    match source.text("key") {
        Some(key) => format!("{kind} {name}[{key}]"),
        None => format!("{kind} {name}"),
    }
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
