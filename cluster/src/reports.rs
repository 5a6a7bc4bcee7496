//! Stores a report in a ConfigMap: the one thing that a check writes, and only where it is told to.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use thiserror::Error;

use crate::{
    Cluster,
    fix::exchange::{ask, path, request},
};
use ngf_core::model::{kind::Kind, object::ObjectRef};

/// The manager of the fields of a ConfigMap, for server-side apply.
const MANAGER: &str = "ngf-tui-check";
/// Bytes of a report: Kubernetes takes 1 MiB for a ConfigMap, keys and metadata included.
const MOST: usize = 1_000_000;
/// Bound on the request.
const ANSWER: Duration = Duration::from_secs(15);

/// Why a report was not stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It does not fit.
    #[error(
        "the report has {size} bytes, and {object} holds 1 MiB: check one namespace (-n) or a part (--shard) at a time"
    )]
    TooLarge {
        /// The ConfigMap.
        object: ObjectRef,
        /// Bytes of the report.
        size: usize,
    },
    /// The API server refuses.
    #[error("the API server refuses to apply {object}: {why}")]
    Refused {
        /// The ConfigMap.
        object: ObjectRef,
        /// Its words.
        why: String,
    },
    /// No answer.
    #[error(
        "the API server does not answer (apply {object}): {why}; whether the report was stored is not known"
    )]
    NoAnswer {
        /// The ConfigMap.
        object: ObjectRef,
        /// What went wrong.
        why: String,
    },
}

/// Applies a ConfigMap that holds the report (server-side apply, which creates it where it is missing). The key is
/// `report.json` for JSON, else `report.txt`.
///
/// # Errors
/// Where the report is too large, or the API server does not take it.
pub async fn store(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    text: &str,
) -> Result<ObjectRef, StoreError> {
    let object = ObjectRef::new(Kind::ConfigMap, namespace, name);
    if text.len() > MOST {
        let size = text.len();
        return Err(StoreError::TooLarge { object, size });
    }
    let is_json = text.trim_start().starts_with('{');
    let key = if is_json { "report.json" } else { "report.txt" };
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "ngf-tui"},
        },
        "data": {key: text},
    });
    let refused = |why: String| StoreError::Refused {
        object: object.clone(),
        why,
    };
    let place = path(&object, "v1")
        .ok_or_else(|| refused("it has no name that Kubernetes allows".to_owned()))?;
    let query = format!("?fieldManager={MANAGER}&force=true");
    let body = Some(("application/apply-patch+yaml", &manifest));
    let request =
        request(Method::PATCH, &place, &query, body).map_err(|error| refused(error.to_string()))?;
    match ask(cluster, request, ANSWER).await {
        Ok(answer) if matches!(answer.status, StatusCode::OK | StatusCode::CREATED) => Ok(object),
        Ok(answer) => Err(refused(answer.words())),
        Err(why) => Err(StoreError::NoAnswer { object, why }),
    }
}
