//! How a cluster is probed, and the stages of the embedded one.

use crate::tui::state::event::Stage as StageEvent;
use futures::future::BoxFuture;
use ngf_cluster::{probe_context::Address, prober::ProberOptions, transport::IMAGE};
use ngf_probes::spec::ClientIdentity;
use std::time::Duration;

/// The stages of a guide that the embedded cluster can be taken to.
pub trait Stages: Send + Sync {
    /// Takes the cluster to the stage with this index, and says what it is about.
    fn go_to_stage(&self, index: usize) -> BoxFuture<'_, Result<StageEvent, String>>;
}

/// How a cluster is probed.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Bounds each phase of a probe.
    pub timeout: Duration,
    /// Image of what is made in the cluster.
    pub image: String,
    /// Where the Gateway is, where its status does not say so.
    pub address: Option<Address>,
    /// Why the address of a Gateway's status leads elsewhere, where it does.
    pub elsewhere: Option<&'static str>,
    /// The certificate that the gateway's client presents to a listener that asks for one.
    pub identity: Option<ClientIdentity>,
}

impl LiveOptions {
    /// With this bound on each phase of a probe.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            image: IMAGE.to_owned(),
            address: None,
            elsewhere: None,
            identity: None,
        }
    }

    /// As the prober takes them.
    pub(super) fn prober(&self) -> ProberOptions {
        ProberOptions {
            address: self.address.clone(),
            elsewhere: self.elsewhere,
            identity: self.identity.clone(),
            ..ProberOptions::new(self.timeout)
        }
    }

    /// For the embedded cluster: the Gateway's address there may be somebody else's here.
    #[must_use]
    pub fn embedded(timeout: Duration) -> Self {
        Self {
            elsewhere: Some("the address may be somebody else's on this machine"),
            ..Self::new(timeout)
        }
    }
}
