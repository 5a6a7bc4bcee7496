//! What a way needs before it can be gone: found out, shown, and, once somebody agreed, made. The
//! command line and the terminal interface do it alike.

use std::{collections::BTreeMap, fmt};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::transport::{
    Confirmation, Leftovers, MakeOptions, Prepared, Transports, Via, Way, Ways, WritePlan,
};
use ngf_core::{data_plane::DataPlanePod, diagnosis::plan::ProbePlan, model::object::ObjectRef};

/// Why nothing is written, where that was asked for.
pub const READ_ONLY: &str = "--read-only (or NGF_TUI_READ_ONLY) is set, so nothing is written to the cluster; leave it out, or choose what writes nothing";

/// Temporary resources are deleted after this time: for one probe, and where probes repeat.
pub const ONCE: std::time::Duration = std::time::Duration::from_mins(5);
/// See [`ONCE`].
pub const WATCHING: std::time::Duration = std::time::Duration::from_hours(1);

/// What is there to go by, by Gateway and data-plane pod.
pub type Made = BTreeMap<ObjectRef, Vec<(DataPlanePod, Way)>>;

/// What somebody wants to probe by.
#[derive(Debug, Clone)]
pub struct TransportRequest {
    /// The way.
    pub via: Via,
    /// For the data planes of these.
    pub gateways: Vec<ObjectRef>,
    /// From every data-plane pod; from one otherwise.
    pub every_pod: bool,
    /// The data-plane pod of that name only.
    pub pod: Option<String>,
    /// How it is to be.
    pub options: MakeOptions,
}

/// What is there already, and what would have to be made.
#[derive(Clone, Default)]
pub struct Preparation {
    ready: Made,
    wanted: Vec<Missing>,
}

#[derive(Clone)]
struct Missing {
    gateway: ObjectRef,
    from: DataPlanePod,
    plan: WritePlan,
}

/// A preparation that may be carried out: somebody agreed to what it makes, or it makes nothing.
#[derive(Debug, Clone)]
pub struct Agreed {
    preparation: Preparation,
    confirmation: Option<Confirmation>,
}

impl Preparation {
    /// What will be created, in lines, for a person to decide by; none where nothing has to be created.
    pub fn lines(&self) -> Vec<String> {
        self.wanted
            .iter()
            .flat_map(|wanted| wanted.plan.lines())
            .collect()
    }

    /// Whether it goes without writing: everything is there already.
    pub fn is_ready(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Continues without asking, where nothing has to be created.
    ///
    /// # Errors
    /// The preparation, where somebody has to be asked first.
    pub fn without_asking(self) -> Result<Agreed, Self> {
        if self.is_ready() {
            Ok(Agreed {
                preparation: self,
                confirmation: None,
            })
        } else {
            Err(self)
        }
    }

    /// Continues: a person was shown [`Preparation::lines`], and agreed.
    #[must_use]
    pub fn agreed(self, confirmation: Confirmation) -> Agreed {
        Agreed {
            preparation: self,
            confirmation: Some(confirmation),
        }
    }
}

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

/// The Gateways of these plans, each once, in order.
pub fn gateways<'a>(plans: impl IntoIterator<Item = &'a ProbePlan>) -> Vec<ObjectRef> {
    let mut gateways: Vec<ObjectRef> = Vec::new();
    for plan in plans {
        if !gateways.contains(&plan.gateway) {
            gateways.push(plan.gateway.clone());
        }
    }
    gateways
}

/// Finds out what has to be made. Ways that write nothing need nothing.
///
/// # Errors
/// A sentence: the user may not, or there is no data plane to make it beside.
pub async fn prepare(
    transports: &Transports,
    request: &TransportRequest,
) -> Result<Preparation, String> {
    let mut preparation = Preparation::default();
    if !request.via.writes() {
        return Ok(preparation);
    }
    for gateway in &request.gateways {
        let name = request.pod.as_deref();
        let pods = if request.every_pod {
            transports.data_plane_pods(gateway, name)?
        } else {
            vec![transports.data_plane_pod(gateway, name)?]
        };
        for from in pods {
            let prepared = transports
                .prepare(request.via, gateway, &from, &request.options)
                .await?;
            match prepared {
                Prepared::Ready(way) => {
                    let ready = preparation.ready.entry(gateway.clone()).or_default();
                    ready.push((from, *way));
                }
                Prepared::Wanted(plan) => preparation.wanted.push(Missing {
                    gateway: gateway.clone(),
                    from,
                    plan: *plan,
                }),
            }
        }
    }
    Ok(preparation)
}

/// Makes what somebody agreed to, all of it at the same time. What is made is in `leftovers` until it
/// is gone again.
///
/// # Errors
/// A sentence, where one of them cannot be made; what the others made is in `leftovers`.
pub async fn make(
    transports: &Transports,
    agreed: Agreed,
    leftovers: &Leftovers,
    cancel: &CancellationToken,
) -> Result<Made, String> {
    let Preparation {
        ready: mut made,
        wanted,
    } = agreed.preparation;
    // Without a confirmation nothing is wanted: see `without_asking`.
    let Some(confirmation) = agreed.confirmation else {
        return Ok(made);
    };
    let confirmation = &confirmation;
    let temporary = wanted.into_iter().map(|wanted| async move {
        let way = transports.carry_out(wanted.plan, confirmation.clone(), leftovers, cancel);
        way.await.map(|way| (wanted.gateway, wanted.from, way))
    });
    for result in join_all(temporary).await {
        let (gateway, pod, way) = result?;
        made.entry(gateway).or_default().push((pod, way));
    }
    Ok(made)
}

/// This way and no other.
pub fn only(way: &Way) -> Ways {
    Ways {
        ways: vec![way.clone()],
        not_taken: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_nothing_needs_no_agreement() {
        assert!(Preparation::default().is_ready());
        assert!(Preparation::default().lines().is_empty());
        assert!(Preparation::default().without_asking().is_ok());
    }
}
