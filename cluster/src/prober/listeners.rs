//! A handshake with every listener that ends TLS, as one of its clients makes it: bounded in number and time. `check`
//! uses it.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{probe_context::meet, transport::Transports};
use ngf_core::{
    diagnosis::{
        evidence::{Meeting, Met},
        plan::ProbePlan,
    },
    model::{kinds::Listener, object::ObjectRef, snapshot::Snapshot},
};

/// Handshakes in all.
pub const MOST: usize = 50;
/// Host names of one listener.
const HOSTS: usize = 4;
/// Handshakes at a time.
const PARALLEL: usize = 4;

/// What to do: a handshake for some host names of each listener that ends TLS and that a plan is reached by.
pub fn select(snapshot: &Snapshot, plans: &[ProbePlan]) -> Vec<(Meeting, ProbePlan)> {
    let mut by_listener: BTreeMap<(&ObjectRef, &ObjectRef, &str), BTreeMap<&str, &ProbePlan>> =
        BTreeMap::new();
    for plan in plans {
        let Some((owner, name)) = &plan.listener else {
            continue;
        };
        let ends_tls = listener(snapshot, owner, name).is_some_and(|listener| {
            matches!(listener.protocol.as_str(), "HTTPS" | "TLS")
                && listener.tls_mode.as_deref() != Some("Passthrough")
        });
        if ends_tls {
            let key = (&plan.gateway, owner, name.as_str());
            by_listener.entry(key).or_default().insert(&plan.host, plan);
        }
    }
    let meetings = by_listener
        .into_iter()
        .flat_map(|((gateway, owner, name), hosts)| {
            hosts.into_iter().take(HOSTS).map(move |(host, plan)| {
                let meeting = Meeting {
                    gateway: gateway.clone(),
                    owner: owner.clone(),
                    listener: name.to_owned(),
                    server_name: host.to_owned(),
                };
                (meeting, plan.clone())
            })
        });
    meetings.take(MOST).collect()
}

fn listener<'s>(snapshot: &'s Snapshot, owner: &ObjectRef, name: &str) -> Option<&'s Listener> {
    let of_gateway = snapshot.gateways.get(owner);
    let listeners = of_gateway
        .map(|gateway| &gateway.spec.listeners)
        .or_else(|| {
            let set = snapshot.listener_sets.get(owner)?;
            Some(&set.spec.listeners)
        })?;
    listeners.iter().find(|listener| listener.name == name)
}

/// Makes the handshakes, each bounded by `timeout`, all of them by `within`. What was not made in time is not told.
pub async fn run(
    transports: &Transports,
    chosen: Vec<(Meeting, ProbePlan)>,
    timeout: Duration,
    within: Duration,
    cancel: &CancellationToken,
) -> Vec<(Meeting, Timestamp, Result<Met, String>)> {
    let one = |(meeting, plan): (Meeting, ProbePlan)| async move {
        let at = Timestamp::now();
        let met = meet(transports, &plan, timeout, cancel).await;
        (meeting, at, met)
    };
    let end = async {
        tokio::select! {
            () = tokio::time::sleep(within) => {}
            () = cancel.cancelled() => {}
        }
    };
    stream::iter(chosen)
        .map(one)
        .buffer_unordered(PARALLEL)
        .take_until(Box::pin(end))
        .collect()
        .await
}
