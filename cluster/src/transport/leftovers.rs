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
use ngf_text::sanitize;
use tokio::time::sleep;
use tokio_util::sync::DropGuard;

use super::{
    heartbeat::{self, OWNER_VARIABLE, Usage},
    made::{DEBUG_POD, MANAGED_BY, PREFIX},
};
use crate::{Cluster, error::Failure, pace::pauses, request::answered};
use ngf_core::command::own;
use ngf_core::model::{clean::clean_line, kind::Kind, object::ObjectRef};

/// How long to wait until a pod that was deleted is gone.
const GONE: Duration = Duration::from_secs(15);

/// The pods that this run made. Clones share one list.
#[derive(Clone, Default)]
pub struct Leftovers {
    pods: Arc<Mutex<BTreeMap<ObjectRef, Temporary>>>,
}

/// A pod of this run.
struct Temporary {
    client: Client,
    /// When it ends by itself.
    lives: Duration,
    /// Ends the heartbeat with this value.
    heartbeat: Option<DropGuard>,
}

impl Leftovers {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a pod down, before it is asked for: an answer may never come. `lives` is when it ends by
    /// itself.
    pub(super) fn add(&self, client: Client, pod: ObjectRef, lives: Duration) {
        let temporary = Temporary {
            client,
            lives,
            heartbeat: None,
        };
        self.lock().insert(pod, temporary);
    }

    /// Says in the pod, until it is removed, that it is in use. `created` is when the API server
    /// created it.
    pub(super) fn keep_alive(&self, pod: &ObjectRef, created: Option<Timestamp>) {
        if let Some(temporary) = self.lock().get_mut(pod) {
            let client = temporary.client.clone();
            temporary.heartbeat = Some(heartbeat::start(client, pod.clone(), created));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, Temporary>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes everything, and waits until it is gone. To be called at the end of a run, after a
    /// panic too; what it holds is then gone or named in the answer, a sentence each.
    pub async fn remove_all(&self) -> Vec<String> {
        let pods = std::mem::take(&mut *self.lock());
        let removed = pods.into_iter().map(|(pod, temporary)| async move {
            remove(&temporary.client, &pod, None).await.err().map(|why| {
                format!(
                    "{pod} could not be removed: {why}; it ends by itself within {} s, and `{}` removes it",
                    temporary.lives.as_secs(),
                    own("cleanup")
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
        let client = self
            .lock()
            .get(pod)
            .map(|temporary| temporary.client.clone());
        let Some(client) = client else {
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
    for pause in pauses() {
        if Instant::now() >= until {
            break;
        }
        match answered(pods.get(&pod.name)).await {
            Err(Failure::NotFound(_)) => return Ok(()),
            Ok(now) if uid.is_some_and(|uid| now.metadata.uid.as_deref() != Some(uid)) => {
                return Ok(());
            }
            // Whoever may delete it but not read it has done what they can.
            Err(Failure::Denied(_)) => return Ok(()),
            Ok(_) | Err(_) => sleep(pause).await,
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
    /// What it is, its age and owner, and whether it is in use.
    pub words: String,
    /// Whether a probe still uses it.
    pub usage: Usage,
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
    let now = heartbeat::server_time(cluster).await;
    for (key, value) in [DEBUG_POD, MANAGED_BY] {
        for pod in listed(format!("{key}={value}")).await? {
            let leftover = debug_pod(&pod, now);
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

fn debug_pod(pod: &Pod, now: Timestamp) -> Leftover {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending");
    let age = pod.metadata.creation_timestamp.as_ref().map_or_else(
        || "at an unknown time".to_owned(),
        |created| format!("{} ago", age(now.duration_since(created.0))),
    );
    let owner = heartbeat::owner_of(pod).unwrap_or_else(|| "an unknown user".to_owned());
    let usage = heartbeat::usage(pod, now);
    Leftover {
        pod: reference(pod),
        words: clean_line(&format!(
            "debug pod, {phase}, created {age} by {owner}; {}",
            usage.words()
        )),
        usage,
        ephemeral: None,
        uid: pod.metadata.uid.clone().unwrap_or_default(),
    }
}

/// `40 s`, `12 min`, `3 h`, `2 d`.
fn age(age: jiff::SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
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
            let usage = runs_until(pod, &container.name, container.args.as_ref()).map_or_else(
                || Usage::Ended("it does not run".to_owned()),
                |until| Usage::Unknown(format!("it runs until {until}")),
            );
            let owner = container
                .env
                .iter()
                .flatten()
                .find(|variable| variable.name == OWNER_VARIABLE)
                .and_then(|variable| variable.value.as_deref())
                .unwrap_or("an unknown user");
            Leftover {
                pod: reference(pod),
                words: clean_line(&format!(
                    "ephemeral container {}, added by {}; {}",
                    container.name,
                    sanitize::line(owner, 120),
                    usage.words()
                )),
                usage,
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
