//! `pods/NAME/ephemeralcontainers`: containers are added to a pod that runs, never changed and never
//! removed (`k8s.io/kubernetes/pkg/apis/core/validation`, `ValidatePodEphemeralContainersUpdate`).

use std::collections::BTreeSet;

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use super::error::ApiError;
use super::{Api, Call, Target, resources};
use crate::store::StoreError;

/// `GET` and `PATCH`.
pub(super) fn serve(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    match call.method {
        Method::GET | Method::PATCH => resources::serve(api, call, target),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The stored pod with the ephemeral containers of `object`, where they may be.
pub(super) fn merged(object: &Value, stored: &Value) -> Result<Value, StoreError> {
    const LIST: &str = "spec.ephemeralContainers";
    let of = |pod: &Value| -> Vec<Value> {
        let list = pod["spec"]["ephemeralContainers"].as_array();
        list.cloned().unwrap_or_default()
    };
    let (old, mut new) = (of(stored), of(object));
    let mut causes = Vec::new();
    let mut names: BTreeSet<String> = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| stored["spec"][*list].as_array())
        .flatten()
        .filter_map(|container| container["name"].as_str().map(str::to_owned))
        .collect();
    let targets = names.clone();
    for (index, container) in new.iter_mut().enumerate() {
        let field = |name: &str| format!("{LIST}[{index}].{name}");
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        for required in ["name", "image"] {
            if container[required].as_str().is_none_or(str::is_empty) {
                causes.push((field(required), "Required value".to_owned()));
            }
        }
        for forbidden in [
            "ports",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
        ] {
            if !container[forbidden].is_null() {
                let message = "Forbidden: cannot be set for an Ephemeral Container";
                causes.push((field(forbidden), message.to_owned()));
            }
        }
        if container["resources"]
            .as_object()
            .is_some_and(|map| !map.is_empty())
        {
            let message = "Forbidden: cannot be set for an Ephemeral Container";
            causes.push((field("resources"), message.to_owned()));
        }
        let aimed = container["targetContainerName"]
            .as_str()
            .unwrap_or_default();
        if !aimed.is_empty() && !targets.contains(aimed) {
            causes.push((
                field("targetContainerName"),
                format!("Not found: \"{aimed}\""),
            ));
        }
        if !names.insert(name.clone()) {
            causes.push((field("name"), format!("Duplicate value: \"{name}\"")));
        }
        crate::admission::container(container);
    }
    for container in &old {
        if !new.contains(container) {
            let name = container["name"].as_str().unwrap_or_default();
            let message = format!(
                "Forbidden: existing ephemeral containers \"{name}\" may not be changed or removed"
            );
            causes.push((LIST.to_owned(), message));
        }
    }
    if !causes.is_empty() {
        return Err(StoreError::Invalid(causes));
    }
    let mut pod = stored.clone();
    pod["spec"]["ephemeralContainers"] = Value::Array(new);
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(ephemeral: &Value) -> Value {
        json!({"spec": {"containers": [{"name": "nginx"}], "ephemeralContainers": ephemeral}})
    }

    #[test]
    fn containers_are_added_and_neither_changed_nor_removed() {
        let first = json!({"name": "a", "image": "busybox"});
        let stored = merged(&pod(&json!([first])), &pod(&json!([]))).expect("added");
        let kept = stored["spec"]["ephemeralContainers"][0].clone();
        assert_eq!(kept["terminationMessagePolicy"], "File");
        let both =
            pod(&json!([kept, {"name": "b", "image": "busybox", "targetContainerName": "nginx"}]));
        assert!(merged(&both, &stored).is_ok());
        for (wrong, field) in [
            (json!([]), "spec.ephemeralContainers"),
            (
                json!([{"name": "a", "image": "other"}]),
                "spec.ephemeralContainers",
            ),
            (
                json!([kept, {"name": "nginx", "image": "x"}]),
                "spec.ephemeralContainers[1].name",
            ),
            (
                json!([kept, {"name": "b"}]),
                "spec.ephemeralContainers[1].image",
            ),
            (
                json!([kept, {"name": "b", "image": "x", "ports": [{}]}]),
                "spec.ephemeralContainers[1].ports",
            ),
            (
                json!([kept, {"name": "b", "image": "x", "targetContainerName": "no"}]),
                "spec.ephemeralContainers[1].targetContainerName",
            ),
        ] {
            match merged(&pod(&wrong), &stored) {
                Err(StoreError::Invalid(causes)) => assert_eq!(causes[0].0, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
}
