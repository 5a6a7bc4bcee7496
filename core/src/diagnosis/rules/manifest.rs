//! K9 to K11 and the old shape of a policy: how files are written, where that alone decides what is known.

use serde_json::{Value, json};

use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        rule::Rule,
        words::{count, list},
    },
    model::{
        kind::Kind,
        kinds::BackendTLSPolicy,
        object::{Object, ObjectRef},
    },
};

/// Placeholders that are shown one by one.
const SHOWN: usize = 6;

pub(in crate::diagnosis) const K11: Rule = Rule {
    code: Code::K11,
    severity: Severity::Info,
    title: "Manifests hold placeholders or encrypted values, which are unknown",
    explanation: "Something fills in the value before it reaches the API server: envsubst, Flux, Kustomize, Helm, Argo CD or SOPS. Until then the value is unknown: it is neither right nor wrong, and what depends on it is not checked.",
    remedy: "Render the manifests first (kustomize build, helm template, flux envsubst, sops -d) and check the result.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let snapshot = context.snapshot;
        let objects: Vec<&ObjectRef> = snapshot.unrendered.keys().collect();
        if objects.is_empty() && snapshot.templates.is_empty() {
            return;
        }
        let mut what = Vec::new();
        if !objects.is_empty() {
            what.push(list(&objects, 3));
        }
        if !snapshot.templates.is_empty() {
            what.push(list(&snapshot.templates, 2));
        }
        let title = format!(
            "Placeholders or encrypted values are unknown until they are rendered: {}",
            what.join("; ")
        );
        let subject = objects
            .first()
            .map_or_else(|| input(&snapshot.templates[0]), |first| (*first).clone());
        let mut finding = Finding::new(Code::K11, Severity::Info, &subject, title).unknown();
        finding.marks.clear();
        if objects.is_empty() {
            finding.input = snapshot.templates.first().cloned();
        }
        for (object, paths) in snapshot.unrendered.iter().take(SHOWN) {
            finding = finding.evidence("not rendered", list(paths, 4), object.to_string());
        }
        for place in snapshot.templates.iter().take(SHOWN) {
            finding = finding.evidence("not rendered", "the whole document", place);
        }
        findings.add(finding);
    },
};

pub(in crate::diagnosis) const K9: Rule = Rule {
    code: Code::K9,
    severity: Severity::Info,
    title: "Files of the directory hold no Kubernetes object",
    explanation: "They are YAML or JSON and no manifests: data, or the configuration of another tool. They are left out. A file that is named on the command line, and a document with an apiVersion, is expected to be a manifest (NGF-K4).",
    remedy: "Nothing, if they are not manifests.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let files = &context.snapshot.not_manifests;
        let Some(first) = files.first() else { return };
        let mut finding = Finding::new(
            Code::K9,
            Severity::Info,
            &input(first),
            format!(
                "{} left out, because {}: {}",
                match files.len() {
                    1 => "1 file is".to_owned(),
                    more => format!("{} are", count(more, "file")),
                },
                if files.len() == 1 {
                    "it holds no Kubernetes object"
                } else {
                    "they hold no Kubernetes object"
                },
                list(files, 3)
            ),
        );
        finding.marks.clear();
        finding.input = Some(first.clone());
        findings.add(finding);
    },
};

/// The subject must be something; the input says what is meant.
fn input(place: &str) -> ObjectRef {
    ObjectRef::new(Kind::ConfigMap, "", place)
}

pub(in crate::diagnosis) const K10: Rule = Rule {
    code: Code::K10,
    severity: Severity::Warning,
    title: "A manifest is written for an old version of the API",
    explanation: "The CRDs of Gateway API 1.4 and later serve BackendTLSPolicy as v1, and NGF watches v1. kubectl apply refuses a manifest whose version the cluster does not serve.",
    remedy: "Write apiVersion: gateway.networking.k8s.io/v1, and the fields of that version.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        if !context.is_files() {
            return;
        }
        for (name, policy) in &context.snapshot.policies {
            let version = version(policy);
            if version == "v1" || version.is_empty() || policy.spec.is_of_old_shape {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::K10,
                    Severity::Warning,
                    name,
                    format!("{name} is written for {version}, and NGF watches v1"),
                )
                .unknown()
                .because("Whether the cluster still serves that version is not known.")
                .evidence("apiVersion", &policy.meta.api_version, name.to_string())
                .remedy(Remedy::yaml(
                    "Write it for v1; the fields are the same.",
                    "apiVersion: gateway.networking.k8s.io/v1\n",
                )),
            );
        }
    },
};

fn version(policy: &Object<BackendTLSPolicy>) -> &str {
    policy
        .meta
        .api_version
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

/// Says of a policy in the shape of v1alpha2 what its fields are called now.
pub(super) fn old_shape(policy: &Object<BackendTLSPolicy>) -> Finding {
    let name = &policy.reference;
    Finding::new(
        Code::K6,
        Severity::Error,
        name,
        format!(
            "{name} is written in the shape of v1alpha2: v1 has spec.targetRefs for spec.targetRef, and spec.validation for spec.tls"
        ),
    )
    .because("The API server refuses it, or drops the fields; NGF then has no policy, and nginx speaks plain HTTP to the Service.")
    .evidence("apiVersion", &policy.meta.api_version, name.to_string())
    .remedy(Remedy::manifest("Write it for v1.", &in_v1(policy)))
}

/// The same policy with the fields of v1, as far as it has them.
fn in_v1(policy: &Object<BackendTLSPolicy>) -> Value {
    let at = |pointer: &str| policy.raw.pointer(pointer).cloned();
    let mut target = at("/spec/targetRef")
        .unwrap_or_else(|| json!({"group": "", "kind": "Service", "name": "THE-SERVICE"}));
    if let Value::Object(map) = &mut target {
        // A policy and its Service are in one namespace.
        map.remove("namespace");
    }
    let refs = at("/spec/tls/caCertRefs").or_else(|| at("/spec/tls/caCertificateRefs"));
    let refs = refs.or_else(|| at("/spec/validation/caCertRefs"));
    let known =
        at("/spec/tls/wellKnownCACerts").or_else(|| at("/spec/validation/wellKnownCACerts"));
    let hostname = at("/spec/tls/hostname").or_else(|| at("/spec/validation/hostname"));
    let mut validation = serde_json::Map::new();
    match (refs, known) {
        (Some(refs), _) => validation.insert("caCertificateRefs".to_owned(), refs),
        (None, known) => validation.insert(
            "wellKnownCACertificates".to_owned(),
            known.unwrap_or_else(|| json!("System")),
        ),
    };
    validation.insert(
        "hostname".to_owned(),
        hostname.unwrap_or_else(|| json!("NAME.IN.THE.CERTIFICATE")),
    );
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "BackendTLSPolicy",
        "metadata": {"name": policy.reference.name, "namespace": policy.reference.namespace},
        "spec": {"targetRefs": [target], "validation": validation},
    })
}
