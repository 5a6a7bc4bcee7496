//! Which way a probe goes: what was asked for, or the most faithful one that the user may go.

use std::{net::IpAddr, sync::Arc};

use ngf_probes::dial::{Dial, Direct};

use super::{Exec, PortForward, Via, access::Reviewer, port_forward::PROVES};
use crate::Cluster;
use ngf_core::{
    data_plane::{DataPlanePod, NoDataPlane, data_plane},
    diagnosis::plan::ProbePlan,
    model::{
        object::ObjectRef,
        snapshot::{Snapshot, Source},
    },
};

/// A way to a backend that can be gone now.
#[derive(Clone)]
pub struct Way {
    /// What kind of way.
    pub via: Via,
    /// Goes it.
    pub dial: Arc<dyn Dial>,
    /// Why this one, and what it proves, in a sentence.
    pub because: String,
    /// The address that the backend sees, where it is known.
    pub seen_from: Option<IpAddr>,
    /// The container from which the connection originates, where it is one.
    pub exec: Option<Exec>,
    /// The data-plane pod from whose own container the connection originates.
    pub data_plane: Option<DataPlanePod>,
}

/// The ways that a probe may go.
#[derive(Clone, Default)]
pub struct Ways {
    /// The best first; the next one where the transport of one fails. Never empty.
    pub ways: Vec<Way>,
    /// Why better ones are not among them, a sentence each.
    pub not_taken: Vec<String>,
}

/// Finds ways through one cluster, as it stands in one snapshot.
pub struct Transports {
    cluster: Cluster,
    snapshot: Arc<Snapshot>,
    reviewer: Arc<Reviewer>,
}

impl Transports {
    /// Of this cluster.
    pub fn new(cluster: Cluster, snapshot: Arc<Snapshot>) -> Self {
        let version = match &snapshot.source {
            Source::Cluster { version, .. } => version.clone(),
            Source::Files { .. } => None,
        };
        Self {
            reviewer: Arc::new(Reviewer::new(cluster.client(), version)),
            cluster,
            snapshot,
        }
    }

    /// The same at another moment; what the user may do is asked again only after a while.
    #[must_use]
    pub fn at(&self, snapshot: Arc<Snapshot>) -> Self {
        Self {
            cluster: self.cluster.clone(),
            snapshot,
            reviewer: Arc::clone(&self.reviewer),
        }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The ways for one planned connection. `pod` names the data-plane pod to probe from.
    ///
    /// # Errors
    /// A sentence, where the way that was asked for cannot be gone. [`Via::Auto`] has no errors: at
    /// least the direct way is always there. Ways that write to the cluster need a
    /// [`WritePlan`](super::WritePlan) and are refused here.
    pub async fn ways(
        &self,
        plan: &ProbePlan,
        via: Via,
        pod: Option<&str>,
    ) -> Result<Ways, String> {
        let only = |way: Way| Ways {
            ways: vec![way],
            not_taken: Vec::new(),
        };
        match via {
            Via::Direct => Ok(only(direct())),
            Via::Exec => self.exec(&plan.gateway, pod).await.map(only),
            Via::PortForward => self.port_forward(plan).await.map(only),
            Via::Auto => {
                let mut ways = Ways::default();
                match self.exec(&plan.gateway, pod).await {
                    Ok(way) => ways.ways.push(way),
                    Err(why) => ways.not_taken.push(format!("not using exec: {why}")),
                }
                match self.port_forward(plan).await {
                    Ok(way) => ways.ways.push(way),
                    Err(why) if ways.ways.is_empty() => {
                        ways.not_taken.push(format!("not by port-forward: {why}"));
                    }
                    Err(_) => {}
                }
                ways.ways.push(direct());
                Ok(ways)
            }
            Via::Ephemeral | Via::Pod => Err(format!(
                "--via {via} writes to the cluster, which needs a plan and its confirmation"
            )),
        }
    }

    /// Exec in the data plane of a Gateway.
    ///
    /// # Errors
    /// A sentence, where there is no such pod, or the user may not.
    pub async fn exec(&self, gateway: &ObjectRef, pod: Option<&str>) -> Result<Way, String> {
        let pod = self.data_plane_pod(gateway, pod)?;
        self.allowed(Via::Exec, &gateway.namespace).await?;
        Ok(self.exec_in(&pod))
    }

    /// Exec in this pod, without asking.
    pub fn exec_in(&self, pod: &DataPlanePod) -> Way {
        let exec = Exec::in_data_plane(&self.cluster, pod);
        Way {
            via: Via::Exec,
            dial: Arc::new(exec.clone()),
            exec: Some(exec),
            because: format!(
                "The connection originates from the gateway's own {}, using exec: nginx's own network path.",
                pod.pod
            ),
            seen_from: self.ip(&pod.pod),
            data_plane: Some(pod.clone()),
        }
    }

    /// The address of a pod, where it has one.
    pub(super) fn ip(&self, pod: &ObjectRef) -> Option<IpAddr> {
        let pod = self.snapshot.pods.get(pod)?;
        pod.status.ips.first()?.parse().ok()
    }

    async fn port_forward(&self, plan: &ProbePlan) -> Result<Way, String> {
        let Some(pod) = &plan.endpoint.pod else {
            return Err(format!(
                "{} is not the address of a pod, and port-forward reaches pods only",
                plan.endpoint.address
            ));
        };
        self.allowed(Via::PortForward, &pod.namespace).await?;
        Ok(Way {
            via: Via::PortForward,
            dial: Arc::new(PortForward::new(&self.cluster, pod)),
            because: format!(
                "The bytes go through the API server to localhost in {pod}, by port-forward: {PROVES}."
            ),
            seen_from: Some(IpAddr::from([127, 0, 0, 1])),
            exec: None,
            data_plane: None,
        })
    }

    /// Whether the user may, so far as the API server can say.
    ///
    /// # Errors
    /// What is denied, and the rule to add.
    pub async fn allowed(&self, via: Via, namespace: &str) -> Result<(), String> {
        let access = self.reviewer.may(via, namespace).await;
        if access.is_allowed() {
            Ok(())
        } else {
            Err(access.words(namespace))
        }
    }

    /// All data-plane pods in which something can be started, ready or not; or the one of that name.
    ///
    /// # Errors
    /// A sentence, where there is none.
    pub fn data_plane_pods(
        &self,
        gateway: &ObjectRef,
        name: Option<&str>,
    ) -> Result<Vec<DataPlanePod>, String> {
        if name.is_some() {
            return self.data_plane_pod(gateway, name).map(|pod| vec![pod]);
        }
        let data_plane = data_plane(&self.snapshot, gateway).map_err(words)?;
        data_plane.usable().map_err(words)?;
        let running = |pod: &DataPlanePod| pod.running && !pod.deleting;
        Ok(data_plane.pods.into_iter().filter(running).collect())
    }

    /// The data-plane pod of that name, or the first that is ready.
    ///
    /// # Errors
    /// A sentence, where there is none.
    pub fn data_plane_pod(
        &self,
        gateway: &ObjectRef,
        name: Option<&str>,
    ) -> Result<DataPlanePod, String> {
        let data_plane = data_plane(&self.snapshot, gateway).map_err(words)?;
        let usable = data_plane.usable().map_err(words)?;
        let Some(name) = name else {
            return Ok(usable[0].clone());
        };
        let named = data_plane.pods.iter().find(|pod| pod.pod.name == name);
        match named {
            Some(pod) if pod.running && !pod.deleting => Ok(pod.clone()),
            Some(pod) => Err(format!("{} does not run: {}", pod.pod, pod.state)),
            None => {
                let known: Vec<_> = data_plane
                    .pods
                    .iter()
                    .map(|pod| pod.pod.name.as_str())
                    .collect();
                Err(format!(
                    "{gateway} has no data-plane pod {name:?}; it has {}",
                    known.join(", ")
                ))
            }
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn words(why: NoDataPlane) -> String {
    why.to_string()
}

fn direct() -> Way {
    Way {
        via: Via::Direct,
        dial: Arc::new(Direct),
        because: "The connection originates from this machine, directly: what lies between the gateway's pod and the backend, NetworkPolicies included, is not proven.".to_owned(),
        seen_from: None,
        exec: None,
        data_plane: None,
    }
}
