//! Ways that write to the cluster first: what would be written, shown; then, once somebody agreed,
//! written, and removed afterwards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{EphemeralContainer, Event, Pod};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Exec, Leftovers, Transports, Via, Way,
    leftovers::runs_until,
    made::{self, MakeOptions, PREFIX, RELAY},
    starting::{self, Start},
};
use crate::{error::Failure, pace::pauses, request::answered};
use ngf_core::command::own;
use ngf_core::data_plane::DataPlanePod;
use ngf_core::model::{object::ObjectRef, raw::Raw};

/// How long a container may take to run: its image may have to be pulled.
const RUNNING: Duration = Duration::from_mins(1);
/// A container that ends sooner than this is not used again.
const ENOUGH: Duration = Duration::from_mins(1);

/// What a probe would write to the cluster, to be shown before.
#[derive(Debug, Clone)]
pub struct WritePlan {
    /// What will be created: `Pod default/ngf-tui-x7k2p`.
    pub object: String,
    /// Its image.
    pub image: String,
    /// Its namespace.
    pub namespace: String,
    /// Its node.
    pub node: Option<String>,
    /// After which time it is deleted.
    pub lives: Duration,
    /// What one should know before one agrees, a sentence each.
    pub sentences: Vec<String>,
    from: DataPlanePod,
    write: Write,
}

#[derive(Debug, Clone)]
enum Write {
    Pod(Box<Pod>),
    Ephemeral(Box<EphemeralContainer>),
}

/// Somebody was shown a [`WritePlan`], and agreed; a clone is for another plan that they were shown at
/// the same time.
#[derive(Debug, Clone)]
pub struct Confirmation(());

impl Confirmation {
    /// To be called only where a person agreed: by a key after they were shown the plan, or by
    /// `--yes`.
    pub fn given() -> Self {
        Self(())
    }
}

/// A way that may have to be made first.
pub enum Prepared {
    /// It is there already: an ephemeral container of an earlier probe that still runs.
    Ready(Box<Way>),
    /// It has to be made.
    Wanted(Box<WritePlan>),
}

impl WritePlan {
    /// The plan in lines, for a person to decide by.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} will be created:", self.object),
            format!("  image      {}", self.image),
            format!("  namespace  {}", self.namespace),
        ];
        if let Some(node) = &self.node {
            lines.push(format!("  node       {node}"));
        }
        lines.push(format!(
            "  deadline   deleted after {} s",
            self.lives.as_secs()
        ));
        lines.extend(self.sentences.iter().map(|line| format!("  {line}")));
        lines
    }
}

impl Transports {
    /// What has to be written for a way that writes, from this data-plane pod.
    ///
    /// # Errors
    /// A sentence, where the user may not, or where it must not be.
    pub async fn prepare(
        &self,
        via: Via,
        gateway: &ObjectRef,
        from: &DataPlanePod,
        options: &MakeOptions,
    ) -> Result<Prepared, String> {
        self.allowed(via, &gateway.namespace).await?;
        if via == Via::Pod {
            return self.prepare_pod(gateway, from, options);
        }
        if let Some(way) = self.running_ephemeral(from, options).await? {
            return Ok(Prepared::Ready(Box::new(way)));
        }
        let raw = self.raw(&from.pod)?;
        let container = made::ephemeral_container(&raw, &made::name(), options)?;
        Ok(Prepared::Wanted(Box::new(WritePlan {
            object: format!("Ephemeral container {} in {}", container.name, from.pod),
            image: options.image.clone(),
            namespace: from.pod.namespace.clone(),
            node: from.node.clone(),
            lives: options.lives,
            sentences: vec![
                "Kubernetes never removes an ephemeral container: its entry stays in the pod until the pod is replaced. This one ends by itself, and is used again by probes until then.".to_owned(),
                "It runs as nginx's user, with no capabilities, and sees nginx's network, not its files. An environment variable says who added it.".to_owned(),
            ],
            from: from.clone(),
            write: Write::Ephemeral(Box::new(container)),
        })))
    }

    fn raw(&self, pod: &ObjectRef) -> Result<Arc<Raw>, String> {
        let gone = || format!("{pod} is gone; probe again");
        self.snapshot().raw(pod).ok_or_else(gone)
    }

    fn prepare_pod(
        &self,
        gateway: &ObjectRef,
        from: &DataPlanePod,
        options: &MakeOptions,
    ) -> Result<Prepared, String> {
        let raw = self.raw(&from.pod)?;
        let owner = self
            .snapshot()
            .gateways
            .get(gateway)
            .ok_or_else(|| format!("{gateway} is gone"))?;
        let name = made::name();
        let pod = made::debug_pod(self.snapshot(), owner, from, &raw, &name, options)?;
        let mut sentences = vec![
            format!(
                "It is removed when the probe ends, however it ends; if this program is killed, the deadline ends the pod, and `{}` removes it.",
                own("cleanup")
            ),
            "Its annotations say who created it and, every 30 s, that the probe still runs."
                .to_owned(),
        ];
        sentences.push(if options.like_data_plane {
            "It has the data plane's labels, so that NetworkPolicies see the same pod; it is never ready, so that no Service sends it traffic. A PodDisruptionBudget or HorizontalPodAutoscaler with these labels counts it while it lives.".to_owned()
        } else {
            "It has none of the data plane's labels: a NetworkPolicy that selects by them sees another pod (--like-data-plane gives it them).".to_owned()
        });
        Ok(Prepared::Wanted(Box::new(WritePlan {
            object: format!("Pod {}/{name}", from.pod.namespace),
            image: options.image.clone(),
            namespace: from.pod.namespace.clone(),
            node: from.node.clone(),
            lives: options.lives,
            sentences,
            from: from.clone(),
            write: Write::Pod(Box::new(pod)),
        })))
    }

    /// An ephemeral container that an earlier probe left running in this pod.
    async fn running_ephemeral(
        &self,
        from: &DataPlanePod,
        options: &MakeOptions,
    ) -> Result<Option<Way>, String> {
        let pods: Api<Pod> = Api::namespaced(self.cluster().client(), &from.pod.namespace);
        let pod = answered(pods.get(&from.pod.name))
            .await
            .map_err(|failure| format!("{} cannot be read: {}", from.pod, failure.words()))?;
        let soon = Timestamp::now() + ENOUGH;
        let containers = pod
            .spec
            .iter()
            .filter_map(|spec| spec.ephemeral_containers.as_ref())
            .flatten();
        let mut containers = containers.filter(|container| {
            container.name.starts_with(PREFIX)
                && container.image.as_deref() == Some(options.image.as_str())
                && runs_until(&pod, &container.name, container.args.as_ref())
                    .is_some_and(|until| until > soon)
        });
        Ok(containers.next().map(|container| {
            self.way_in(
                Via::Ephemeral,
                &from.pod,
                &container.name,
                from,
                &format!(
                    "The connection originates from {}'s network, using ephemeral container {} of an earlier probe.",
                    from.pod, container.name
                ),
            )
        }))
    }

    fn way_in(
        &self,
        via: Via,
        pod: &ObjectRef,
        container: &str,
        from: &DataPlanePod,
        because: &str,
    ) -> Way {
        let name = match via {
            Via::Pod => format!("pod {}", pod.name),
            _ => format!("ephemeral {container} in {}", pod.name),
        };
        let client = self.cluster().client();
        let exec = Exec::new(client, pod, container, from.node.as_deref(), name);
        Way {
            via,
            dial: Arc::new(exec.clone()),
            exec: Some(exec),
            because: because.to_owned(),
            seen_from: if via == Via::Ephemeral {
                self.ip(pod)
            } else {
                None
            },
            data_plane: None,
        }
    }

    /// Does what a plan says, and waits until it can be used. What it makes is in `leftovers` from
    /// before it is made until it is gone again.
    ///
    /// # Errors
    /// A sentence; temporary resources are removed again then.
    pub async fn carry_out(
        &self,
        plan: WritePlan,
        _: Confirmation,
        leftovers: &Leftovers,
        cancel: &CancellationToken,
    ) -> Result<Way, String> {
        match plan.write.clone() {
            Write::Pod(pod) => self.make_pod(plan, *pod, leftovers, cancel).await,
            Write::Ephemeral(container) => self.make_ephemeral(plan, *container, cancel).await,
        }
    }

    async fn make_pod(
        &self,
        plan: WritePlan,
        pod: Pod,
        leftovers: &Leftovers,
        cancel: &CancellationToken,
    ) -> Result<Way, String> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let reference = ObjectRef::new(ngf_core::model::kind::Kind::Pod, &plan.namespace, name);
        let client = self.cluster().client();
        leftovers.add(client.clone(), reference.clone(), plan.lives);
        let pods: Api<Pod> = Api::namespaced(client, &plan.namespace);
        // Not cancelled: a request that was sent is answered, or it is unknown what is left.
        let made = answered(pods.create(&PostParams::default(), &pod)).await;
        let result = match made {
            Ok(pod) => {
                let created = pod.metadata.creation_timestamp.map(|time| time.0);
                leftovers.keep_alive(&reference, created);
                self.running(&reference, RELAY, &plan.image, cancel).await
            }
            Err(failure) => Err(refused("a pod", &plan, &failure)),
        };
        if let Err(why) = result {
            return Err(match leftovers.remove(&reference).await {
                Ok(()) => format!("{}: {why}", plan.object),
                Err(left) => format!(
                    "{}: {why}; and it could not be removed: {left}",
                    plan.object
                ),
            });
        }
        let because = format!(
            "The connection originates from debug {reference}, beside {} on the same node.",
            plan.from.pod
        );
        Ok(self.way_in(Via::Pod, &reference, RELAY, &plan.from, &because))
    }

    async fn make_ephemeral(
        &self,
        plan: WritePlan,
        container: EphemeralContainer,
        cancel: &CancellationToken,
    ) -> Result<Way, String> {
        let pod = &plan.from.pod;
        let pods: Api<Pod> = Api::namespaced(self.cluster().client(), &pod.namespace);
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [container]}}));
        let params = PatchParams::default();
        let patched = pods.patch_ephemeral_containers(&pod.name, &params, &patch);
        if let Err(failure) = answered(patched).await {
            return Err(format!(
                "{}: {}",
                plan.object,
                refused("an ephemeral container", &plan, &failure)
            ));
        }
        self.running(pod, &container.name, &plan.image, cancel)
            .await
            .map_err(|why| {
                format!(
                    "{}: {why}; its entry stays in the pod until the pod is replaced, and it does not run",
                    plan.object
                )
            })?;
        let because = format!(
            "The connection originates from {pod}'s network, using ephemeral container {}.",
            container.name
        );
        Ok(self.way_in(Via::Ephemeral, pod, &container.name, &plan.from, &because))
    }

    /// Waits until a container runs.
    async fn running(
        &self,
        pod: &ObjectRef,
        container: &str,
        image: &str,
        cancel: &CancellationToken,
    ) -> Result<(), String> {
        let client = self.cluster().client();
        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
        let events: Api<Event> = Api::namespaced(client, &pod.namespace);
        let about = ListParams::default().fields(&format!("involvedObject.name={}", pod.name));
        let until = Instant::now() + RUNNING;
        let mut waits = String::new();
        for pause in pauses() {
            if Instant::now() >= until {
                break;
            }
            if cancel.is_cancelled() {
                return Err("cancelled before it ran".to_owned());
            }
            match answered(pods.get(&pod.name)).await {
                Ok(now) => {
                    // Whoever may not read Events waits a little longer for the same answer.
                    let events = match answered(events.list(&about)).await {
                        Ok(events) => events.items,
                        Err(_) => Vec::new(),
                    };
                    match starting::start(&now, container, image, &events) {
                        Start::Running => return Ok(()),
                        Start::Failed(why) => return Err(why),
                        Start::Waiting(why) => waits = why,
                    }
                }
                Err(Failure::NotFound(_)) => return Err("somebody deleted it".to_owned()),
                Err(failure @ (Failure::Denied(_) | Failure::Unauthorized(_))) => {
                    return Err(failure.words().to_owned());
                }
                Err(failure) => failure.words().clone_into(&mut waits),
            }
            tokio::select! {
                () = cancel.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
        Err(format!(
            "it did not run within {} s: {waits}; see why with kubectl describe, or name an image that is on the node already with --image",
            RUNNING.as_secs()
        ))
    }
}

/// What to say of an API server that does not take what is to be made.
fn refused(what: &str, plan: &WritePlan, failure: &Failure) -> String {
    let namespace = &plan.namespace;
    let words = failure.words();
    if words.contains("PodSecurity") {
        return format!(
            "PodSecurity of namespace {namespace} refuses {what} ({words}); use --via exec, which makes nothing"
        );
    }
    match failure {
        Failure::Denied(_) if words.contains("exceeded quota") => {
            format!("the quota of namespace {namespace} is used up ({words}); use --via exec")
        }
        Failure::Denied(_) => {
            format!("the API server refuses {what} ({words}); use --via exec, which makes nothing")
        }
        Failure::NotFound(_) => format!("{words}; the data-plane pod is gone: probe again"),
        _ => format!("the API server does not take {what}: {words}"),
    }
}
