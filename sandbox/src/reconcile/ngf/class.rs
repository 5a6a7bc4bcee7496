//! The GatewayClass (`internal/controller/status/gatewayclass.go`, `validateCRDVersions`): what ngf-core
//! takes from its status.

use serde_json::{Value, json};

use super::{CLASS, CONTROLLER};
use crate::kinds;
use crate::metadata::meta;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::{Object, Store};

/// The Gateway API version that NGF 2.6 is built with.
const BUNDLE_VERSION: &str = "v1.5.1";

/// The later of two conditions of one type wins and stands where it stands
/// (`DeduplicateConditions`).
fn deduplicated(conditions: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for condition in conditions.iter().rev() {
        if kept.iter().all(|k| k["type"] != condition["type"]) {
            kept.push(condition.clone());
        }
    }
    kept.reverse();
    kept
}

/// Features that NGF 2.6 claims (`internal/controller/status/gatewayclass.go`).
const FEATURES: &[&str] = &[
    "BackendTLSPolicy",
    "GRPCRoute",
    "Gateway",
    "GatewayAddressEmpty",
    "GatewayBackendClientCertificate",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayHTTPListenerIsolation",
    "GatewayHTTPSListenerDetectMisdirectedRequests",
    "GatewayInfrastructurePropagation",
    "GatewayPort8080",
    "GatewayStaticAddresses",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteCORS",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ListenerSet",
    "ReferenceGrant",
    "TLSRoute",
];

/// Writes the class's conditions; answers whether Gateways of it are valid.
pub(super) fn write_status(store: &Store, class: &Object) -> bool {
    let (versions, valid, best_effort) = crd_versions(store);
    let mut conditions = vec![
        condition("Accepted", true, "Accepted", "The GatewayClass is accepted"),
        condition(
            "SupportedVersion",
            true,
            "SupportedVersion",
            "The Gateway API CRD versions are supported",
        ),
    ];
    conditions.extend(versions);
    let reference = &class["spec"]["parametersRef"];
    if reference.is_object() {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let ignored = |error: &str| {
            let message = format!(
                "The GatewayClass is accepted, but ParametersRef is ignored due to an error: {error}"
            );
            condition("Accepted", true, "InvalidParameters", &message)
        };
        if text("kind") != "NginxProxy" {
            let error = format!(
                "Spec.parametersRef.kind: Unsupported value: {:?}: supported values: \"NginxProxy\"",
                text("kind")
            );
            conditions.push(condition(
                "ResolvedRefs",
                false,
                "ParametersRefInvalid",
                &error,
            ));
            conditions.push(ignored(&error));
        } else if store
            .get(kinds::NGINX_PROXY, text("namespace"), text("name"))
            .is_none()
        {
            let message = "The ParametersRef resource could not be found";
            conditions.push(condition(
                "ResolvedRefs",
                false,
                "ParametersRefNotFound",
                message,
            ));
            let error = format!("spec.parametersRef.name: Not found: {:?}", text("name"));
            conditions.push(ignored(&error));
        } else {
            let message = "The ParametersRef resource is resolved";
            conditions.push(condition("ResolvedRefs", true, "ResolvedRefs", message));
        }
    }
    let mut status = json!({"conditions": deduplicated(&conditions)});
    if !best_effort {
        status["supportedFeatures"] = FEATURES.iter().map(|name| json!({"name": name})).collect();
    }
    set_status(store, kinds::GATEWAY_CLASS, class, status, Transition::All);
    valid
}

/// Classes of this controller that are not the one it was started for.
pub(super) fn refuse_others(store: &Store) {
    for class in store.list(kinds::GATEWAY_CLASS, None).0 {
        if meta(&class, "name") != CLASS && class["spec"]["controllerName"] == CONTROLLER {
            let message = "The resource is ignored due to a conflicting GatewayClass resource";
            let conflict = condition("Accepted", false, "GatewayClassConflict", message);
            let status = json!({"conditions": [conflict]});
            set_status(store, kinds::GATEWAY_CLASS, &class, status, Transition::All);
        }
    }
}

/// `validateCRDVersions`: conditions, whether the class is valid, whether NGF does its best with it.
fn crd_versions(store: &Store) -> (Vec<Value>, bool, bool) {
    const WATCHED: &[&str] = &[
        "gatewayclasses",
        "gateways",
        "httproutes",
        "referencegrants",
        "backendtlspolicies",
        "grpcroutes",
        "tlsroutes",
    ];
    let part = |version: &str, index| {
        let version = version.trim_start_matches('v').to_owned();
        version.split('.').nth(index).map(str::to_owned)
    };
    let (mut unsupported, mut best_effort) = (false, false);
    for crd in store.list(kinds::CUSTOM_RESOURCE_DEFINITION, None).0 {
        let name = meta(&crd, "name").strip_suffix(".gateway.networking.k8s.io");
        if name.is_some_and(|plural| WATCHED.contains(&plural)) {
            let annotations = &crd["metadata"]["annotations"];
            let version = annotations["gateway.networking.k8s.io/bundle-version"]
                .as_str()
                .unwrap_or("");
            unsupported |= part(version, 0) != part(BUNDLE_VERSION, 0);
            best_effort |= part(version, 1) != part(BUNDLE_VERSION, 1);
        }
    }
    let reason = "UnsupportedVersion";
    if unsupported {
        let message = format!(
            "The Gateway API CRD versions are not supported. Please install version {BUNDLE_VERSION}"
        );
        let conditions = vec![
            condition("Accepted", false, reason, &message),
            condition("SupportedVersion", false, reason, &message),
        ];
        return (conditions, false, false);
    }
    if best_effort {
        let message = format!(
            "The Gateway API CRD versions are not recommended. Recommended version is {BUNDLE_VERSION}"
        );
        return (
            vec![condition("SupportedVersion", false, reason, &message)],
            true,
            true,
        );
    }
    (Vec::new(), true, false)
}
