//! The API server's part: dry runs and changes, each bound to the object as it was when the change
//! was shown.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use thiserror::Error;

use super::exchange::{self, Answer, bounded, request};
use crate::{Cluster, transport::Confirmation};
use ngf_core::model::{clean::clean_line, kind::Kind, object::ObjectRef, raw::Raw};
use ngf_core::{
    fix::{Change, FixPlan},
    json_merge::lacking,
};

/// Bound on one request.
const ANSWER: Duration = Duration::from_secs(15);

/// Why a change was not made.
#[derive(Debug, Error)]
pub enum FixError {
    /// The plan was made of files.
    #[error("{object} was read from files, not from this cluster; read the cluster to change it")]
    NotFromCluster {
        /// The object.
        object: ObjectRef,
    },
    /// No object can be called so.
    #[error("{object} has no name that Kubernetes allows")]
    Name {
        /// The object.
        object: ObjectRef,
    },
    /// Somebody changed the object meanwhile.
    #[error(
        "{object} changed since the difference was shown (resource version {shown}, now {now}); look at it again"
    )]
    Changed {
        /// The object.
        object: ObjectRef,
        /// The version that was shown.
        shown: String,
        /// The version that there is.
        now: String,
    },
    /// Somebody removed the object meanwhile.
    #[error("{object} is gone; somebody removed it since the difference was shown")]
    Gone {
        /// The object.
        object: ObjectRef,
    },
    /// Somebody made the object meanwhile.
    #[error("{object} was made by somebody else since the difference was shown; look at it again")]
    Exists {
        /// The object.
        object: ObjectRef,
    },
    /// The API server takes the change and drops part of it.
    #[error(
        "{object}: the API server drops {fields}: its CRDs do not have it; upgrade the Gateway API CRDs first"
    )]
    Dropped {
        /// The object.
        object: ObjectRef,
        /// The fields, as paths.
        fields: String,
    },
    /// The API server does not take the change.
    #[error("the API server refuses to {verb} {object}: {why}")]
    Refused {
        /// `create`, `patch`, `delete`, `get`.
        verb: &'static str,
        /// The object.
        object: ObjectRef,
        /// Its words.
        why: String,
    },
    /// No answer.
    #[error(
        "the API server does not answer ({verb} {object}): {why}; whether the change was made is not known"
    )]
    NoAnswer {
        /// `create`, `patch`, `delete`, `get`.
        verb: &'static str,
        /// The object.
        object: ObjectRef,
        /// What went wrong.
        why: String,
    },
    /// Some changes were made, and one was not.
    #[error("{cause}; made before: {done}")]
    HalfDone {
        /// The object as the API server created it.
        done: String,
        /// Why the next was not.
        cause: Box<FixError>,
    },
}

/// What the API server would make of a plan (`dryRun=All`): a sentence for each change, and its
/// warnings. Nothing is written.
///
/// # Errors
/// Where it would refuse, or would drop part of a change, or the object is not as it was.
pub async fn dry_run(cluster: &Cluster, plan: &FixPlan) -> Result<Vec<String>, FixError> {
    let mut words = Vec::new();
    for change in &plan.changes {
        words.extend(send(cluster, change, true).await?);
    }
    Ok(words)
}

/// Makes the changes of a plan that somebody was shown and agreed to: each object is read again, and
/// must be as it was; the write itself names that version too, so that nobody comes between.
///
/// # Errors
/// As [`dry_run`], which is run before anything is written.
pub async fn apply(
    cluster: &Cluster,
    plan: &FixPlan,
    _: Confirmation,
) -> Result<Vec<String>, FixError> {
    for change in &plan.changes {
        unchanged(cluster, change).await?;
    }
    dry_run(cluster, plan).await?;
    let mut words: Vec<String> = Vec::new();
    for change in &plan.changes {
        match send(cluster, change, false).await {
            Ok(done) => words.extend(done),
            Err(cause) if words.is_empty() => return Err(cause),
            Err(cause) => {
                return Err(FixError::HalfDone {
                    done: words.join("; "),
                    cause: Box::new(cause),
                });
            }
        }
    }
    Ok(words)
}

/// Reads the object again.
async fn unchanged(cluster: &Cluster, change: &Change) -> Result<(), FixError> {
    let object = change.object();
    let Some(before) = change.before() else {
        return Ok(());
    };
    let shown = version_of(object, before)?;
    let request = request(Method::GET, &path(object, api_version(before))?, "", None);
    let answer = ask(cluster, "get", object, request).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Err(FixError::Gone {
            object: object.clone(),
        });
    }
    let answer = accepted(answer, "get", object)?;
    let now = meta(&answer.body, "resourceVersion");
    if now == shown && meta(&answer.body, "uid") == meta(before, "uid") {
        return Ok(());
    }
    Err(FixError::Changed {
        object: object.clone(),
        shown: clean_line(shown),
        now: clean_line(now),
    })
}

async fn send(cluster: &Cluster, change: &Change, dry: bool) -> Result<Vec<String>, FixError> {
    let object = change.object();
    let verb = change.verb();
    let query = if dry {
        "?dryRun=All&fieldManager=ngf-tui&fieldValidation=Warn"
    } else {
        "?fieldManager=ngf-tui&fieldValidation=Warn"
    };
    let request = match change {
        Change::Create { manifest, .. } => {
            let path = collection(object, api_version(manifest))?;
            request(
                Method::POST,
                &path,
                query,
                Some(("application/json", manifest)),
            )
        }
        Change::Merge { before, patch, .. } => {
            let mut locked = patch.clone();
            let lock = json!({"metadata": {
                "resourceVersion": version_of(object, before)?,
                "uid": meta(before, "uid"),
            }});
            json_patch::merge(&mut locked, &lock);
            let path = path(object, api_version(before))?;
            let body = ("application/merge-patch+json", &locked);
            request(Method::PATCH, &path, query, Some(body))
        }
        Change::Delete { before, .. } => {
            let mut options = json!({
                "kind": "DeleteOptions",
                "apiVersion": "v1",
                "preconditions": {
                    "resourceVersion": version_of(object, before)?,
                    "uid": meta(before, "uid"),
                },
            });
            if dry {
                options["dryRun"] = json!(["All"]);
            }
            let path = path(object, api_version(before))?;
            let query = if dry { "?dryRun=All" } else { "" };
            request(
                Method::DELETE,
                &path,
                query,
                Some(("application/json", &options)),
            )
        }
    };
    let answer = ask(cluster, verb, object, request).await?;
    match answer.status {
        StatusCode::CONFLICT if matches!(change, Change::Create { .. }) => {
            return Err(FixError::Exists {
                object: object.clone(),
            });
        }
        StatusCode::CONFLICT => {
            return Err(FixError::Changed {
                object: object.clone(),
                shown: change.before().map_or_else(String::new, |before| {
                    clean_line(meta(before, "resourceVersion"))
                }),
                now: "another".to_owned(),
            });
        }
        StatusCode::NOT_FOUND if change.before().is_some() => {
            return Err(FixError::Gone {
                object: object.clone(),
            });
        }
        _ => {}
    }
    let answer = accepted(answer, verb, object)?;
    dropped(change, &answer.body)?;
    let done = match (dry, change) {
        (true, Change::Create { .. }) => format!("the API server would create {object}"),
        (true, Change::Merge { .. }) => format!("the API server would take the change of {object}"),
        (true, Change::Delete { .. }) => format!("the API server would delete {object}"),
        (false, Change::Create { .. }) => format!("created {object}"),
        (false, Change::Merge { .. }) => format!("changed {object}"),
        (false, Change::Delete { .. }) => format!("deleted {object}"),
    };
    let warnings = answer.warnings;
    let warnings = warnings
        .into_iter()
        .map(|warning| format!("the API server warns: {warning}"));
    Ok(std::iter::once(done).chain(warnings).collect())
}

/// Whether the answer has what was asked for.
fn dropped(change: &Change, answer: &Value) -> Result<(), FixError> {
    let wanted = match change {
        Change::Delete { .. } => return Ok(()),
        // The values of a Secret are not compared: an answer has them in another form.
        _ if change.object().kind == Kind::Secret => return Ok(()),
        Change::Create { manifest, .. } => manifest,
        Change::Merge { patch, .. } => patch,
    };
    let fields = lacking(wanted, answer);
    if fields.is_empty() {
        return Ok(());
    }
    Err(FixError::Dropped {
        object: change.object().clone(),
        fields: clean_line(&fields.join(", ")),
    })
}

async fn ask(
    cluster: &Cluster,
    verb: &'static str,
    object: &ObjectRef,
    request: Result<Request<Body>, http::Error>,
) -> Result<Answer, FixError> {
    let answer = match request {
        Ok(request) => exchange::ask(cluster, request, ANSWER).await,
        Err(error) => Err(bounded(&error.to_string())),
    };
    answer.map_err(|why| FixError::NoAnswer {
        verb,
        object: object.clone(),
        why,
    })
}

fn accepted(answer: Answer, verb: &'static str, object: &ObjectRef) -> Result<Answer, FixError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(FixError::Refused {
        verb,
        object: object.clone(),
        why: answer.words(),
    })
}

fn collection(object: &ObjectRef, api_version: &str) -> Result<String, FixError> {
    exchange::collection(object, api_version).ok_or_else(|| FixError::Name {
        object: object.clone(),
    })
}

fn path(object: &ObjectRef, api_version: &str) -> Result<String, FixError> {
    exchange::path(object, api_version).ok_or_else(|| FixError::Name {
        object: object.clone(),
    })
}

fn api_version(object: &Value) -> &str {
    object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn meta<'v>(object: &'v Value, field: &str) -> &'v str {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The version that was shown; objects from files have none.
fn version_of<'v>(object: &ObjectRef, before: &'v Raw) -> Result<&'v str, FixError> {
    match meta(before, "resourceVersion") {
        "" => Err(FixError::NotFromCluster {
            object: object.clone(),
        }),
        version => Ok(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_another_path() {
        let object = ObjectRef::new(Kind::Gateway, "a/../b", "c");
        assert!(matches!(
            path(&object, "gateway.networking.k8s.io/v1"),
            Err(FixError::Name { .. })
        ));
        let object = ObjectRef::new(Kind::Gateway, "a", "c");
        assert_eq!(
            path(&object, "gateway.networking.k8s.io/v1").expect("a path"),
            "/apis/gateway.networking.k8s.io/v1/namespaces/a/gateways/c"
        );
    }
}
