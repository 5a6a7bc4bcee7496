//! The CustomResourceDefinitions of the kinds that are not built in, derived from the list of kinds.

use serde_json::{Value, json};

use crate::kinds::{AGE, KINDS, Kind, Origin};

/// The release of Gateway API whose standard channel is installed.
const BUNDLE_VERSION: &str = "v1.5.1";

/// All of them.
pub(super) fn all() -> Vec<Value> {
    KINDS
        .iter()
        .filter(|kind| kind.origin != Origin::BuiltIn)
        .map(|kind| crd(kind))
        .collect()
}

fn crd(kind: &Kind) -> Value {
    let mut metadata = json!({"name": kind.resource()});
    if kind.origin == Origin::GatewayApi {
        metadata["annotations"] = json!({
            "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2466",
            "gateway.networking.k8s.io/bundle-version": BUNDLE_VERSION,
            "gateway.networking.k8s.io/channel": "standard",
        });
    } else if kind.group == "cert-manager.io" {
        metadata["labels"] = json!({"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/version": "v1.19.1"});
    } else {
        metadata["annotations"] = json!({"controller-gen.kubebuilder.io/version": "v0.20.1"});
    }
    let names = json!({
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "plural": kind.plural,
        "singular": kind.singular,
        "shortNames": kind.short_names,
        "categories": kind.categories,
    });
    let established = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "conversion": {"strategy": "None"},
            "versions": kind.versions.iter().map(|v| version(kind, v)).collect::<Vec<_>>(),
        },
        "status": {
            "acceptedNames": names,
            "conditions": [
                established("NamesAccepted", "NoConflicts", "no conflicts found"),
                established("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "storedVersions": [kind.preferred()],
        },
    })
}

fn version(kind: &Kind, name: &str) -> Value {
    let columns = kind.columns.iter().chain([&AGE]).map(|(name, path)| {
        let format = if *name == AGE.0 { "date" } else { "string" };
        json!({"name": name, "type": format, "jsonPath": path})
    });
    let columns: Vec<_> = columns.collect();
    let mut version = json!({
        "name": name,
        "served": true,
        "storage": name == kind.preferred(),
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema(kind)},
    });
    if kind.status {
        version["subresources"] = json!({"status": {}});
    }
    version
}

/// Open, but for the fields by which one tells releases of Gateway API apart.
fn schema(kind: &Kind) -> Value {
    let open = || json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let with = |properties: Value| {
        let mut object = open();
        object["properties"] = properties;
        object
    };
    let spec = match kind.kind {
        "Gateway" => with(json!({
            "tls": with(json!({
                "backend": with(json!({
                    "clientCertificateRef": with(json!({
                        "group": {"type": "string", "default": ""},
                        "kind": {"type": "string", "default": "Secret"},
                        "name": {"type": "string"},
                        "namespace": {"type": "string"},
                    })),
                })),
                "frontend": open(),
            })),
        })),
        _ => open(),
    };
    with(json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
        "status": open(),
    }))
}
