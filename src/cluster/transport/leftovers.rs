//! What the tool made and has not removed yet: of this run, to be removed however it ends, and of
//! runs that were killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Preconditions},
};
use tokio::time::sleep;

use super::made::{DEBUG_POD, MANAGED_BY, PREFIX};
use crate::{
    cluster::{Cluster, error::Failure, request::answered},
    model::{clean::clean_line, kind::Kind, object::ObjectRef},
};

/// How long to wait until a pod that was deleted is gone.
const GONE: Duration = Duration::from_secs(15);

/// The pods that this run made. Clones share one list.
#[derive(Clone, Default)]
pub struct Leftovers {
    pods: Arc<Mutex<BTreeMap<ObjectRef, (Client, Duration)>>>,
}

impl Leftovers {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a pod down, before it is asked for: an answer may never come. `lives` is when it ends by
    /// itself.
    pub(super) fn add(&self, client: Client, pod: ObjectRef, lives: Duration) {
        self.lock().insert(pod, (client, lives));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, (Client, Duration)>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes everything, and waits until it is gone. To be called at the end of a run, after a
    /// panic too; what it holds is then gone or named in the answer, a sentence each.
    pub async fn remove_all(&self) -> Vec<String> {
        let pods = std::mem::take(&mut *self.lock());
        let removed = pods.into_iter().map(|(pod, (client, lives))| async move {
            remove(&client, &pod, None).await.err().map(|why| {
                format!(
                    "{pod} could not be removed: {why}; it ends by itself within {} s, and `ngf-tui cleanup` removes it",
                    lives.as_secs()
                )
            })
        });
        join_all(removed).await.into_iter().flatten().collect()
    }

    /// Removes one.
    ///
    /// # Errors
    /// A sentence, where it is still there.
    pub(super) async fn remove(&self, pod: &ObjectRef) -> Result<(), String> {
        let Some((client, _)) = self.lock().get(pod).cloned() else {
            return Ok(());
        };
        remove(&client, pod, None).await?;
        self.lock().remove(pod);
        Ok(())
    }
}

/// Deletes a pod, and waits until it is gone.
async fn remove(client: &Client, pod: &ObjectRef, uid: Option<&str>) -> Result<(), String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let params = DeleteParams {
        preconditions: uid.map(|uid| Preconditions {
            uid: Some(uid.to_owned()),
            ..Preconditions::default()
        }),
        ..DeleteParams::default()
    };
    match answered(pods.delete(&pod.name, &params)).await {
        Ok(_) => {}
        Err(Failure::NotFound(_)) => return Ok(()),
        Err(failure) => return Err(failure.words().to_owned()),
    }
    let until = Instant::now() + GONE;
    while Instant::now() < until {
        match answered(pods.get(&pod.name)).await {
            Err(Failure::NotFound(_)) => return Ok(()),
            Ok(now) if uid.is_some_and(|uid| now.metadata.uid.as_deref() != Some(uid)) => {
                return Ok(());
            }
            // Whoever may delete it but not read it has done what they can.
            Err(Failure::Denied(_)) => return Ok(()),
            Ok(_) | Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
    Err(format!(
        "it was deleted {} s ago and is still there: its node does not answer",
        GONE.as_secs()
    ))
}

/// Something that the tool made and that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The pod.
    pub pod: ObjectRef,
    /// What it is and what it does, in words: `a debug pod, Running since 2026-11-23T17:00:00Z`.
    pub words: String,
    /// The name of the ephemeral container in it; `None` where the pod itself is the tool's.
    pub ephemeral: Option<String>,
    uid: String,
}

/// Finds what the tool made, in one namespace or in all.
///
/// # Errors
/// A sentence, where pods cannot be listed.
pub async fn find_leftovers(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<Vec<Leftover>, String> {
    let pods: Api<Pod> = match namespace {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    };
    let where_ = namespace.map_or_else(
        || "in all namespaces (name one with -n)".to_owned(),
        |namespace| format!("in namespace {namespace}"),
    );
    let listed = |selector: String| {
        let pods = pods.clone();
        let where_ = where_.clone();
        async move {
            answered(pods.list(&ListParams::default().labels(&selector)))
                .await
                .map_err(|failure| format!("pods {where_} cannot be listed: {}", failure.words()))
        }
    };
    let mut found = BTreeMap::new();
    for (key, value) in [DEBUG_POD, MANAGED_BY] {
        for pod in listed(format!("{key}={value}")).await? {
            let leftover = debug_pod(&pod);
            found.insert((leftover.pod.clone(), None), leftover);
        }
    }
    let data_planes = "gateway.networking.k8s.io/gateway-name".to_owned();
    for pod in listed(data_planes).await? {
        for leftover in ephemeral_containers(&pod) {
            let key = (leftover.pod.clone(), leftover.ephemeral.clone());
            found.insert(key, leftover);
        }
    }
    Ok(found.into_values().collect())
}

/// Removes a debug pod.
///
/// # Errors
/// A sentence: it is an ephemeral container, which Kubernetes never removes, or it is still there.
pub async fn remove_leftover(cluster: &Cluster, leftover: &Leftover) -> Result<(), String> {
    if leftover.ephemeral.is_some() {
        return Err(
            "Kubernetes never removes an ephemeral container: it goes with its pod".to_owned(),
        );
    }
    remove(&cluster.client(), &leftover.pod, Some(&leftover.uid)).await
}

fn reference(pod: &Pod) -> ObjectRef {
    ObjectRef::new(
        Kind::Pod,
        clean_line(pod.metadata.namespace.as_deref().unwrap_or_default()),
        clean_line(pod.metadata.name.as_deref().unwrap_or_default()),
    )
}

fn debug_pod(pod: &Pod) -> Leftover {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending");
    let since = pod
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0.to_string());
    Leftover {
        pod: reference(pod),
        words: clean_line(&format!(
            "a debug pod, {phase}, made {}",
            since.as_deref().unwrap_or("nobody knows when")
        )),
        ephemeral: None,
        uid: pod.metadata.uid.clone().unwrap_or_default(),
    }
}

fn ephemeral_containers(pod: &Pod) -> Vec<Leftover> {
    let containers = pod
        .spec
        .iter()
        .filter_map(|spec| spec.ephemeral_containers.as_ref())
        .flatten();
    containers
        .filter(|container| container.name.starts_with(PREFIX))
        .map(|container| {
            let runs = runs_until(pod, &container.name, container.args.as_ref()).map_or_else(
                || "it does not run".to_owned(),
                |until| format!("it runs until {until}"),
            );
            Leftover {
                pod: reference(pod),
                words: clean_line(&format!("ephemeral container {}: {runs}", container.name)),
                ephemeral: Some(container.name.clone()),
                uid: pod.metadata.uid.clone().unwrap_or_default(),
            }
        })
        .collect()
}

/// When a container that sleeps ends; `None` where it does not run.
pub(super) fn runs_until(pod: &Pod, name: &str, args: Option<&Vec<String>>) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.ephemeral_container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == name)?;
    let running = status.state.as_ref()?.running.as_ref()?;
    let since = running.started_at.as_ref()?.0;
    let seconds: i64 = args?.get(1)?.parse().ok()?;
    since
        .checked_add(jiff::SignedDuration::from_secs(seconds))
        .ok()
}
