//! Ways to a backend from where the gateway stands, as implementations of
//! [`Dial`]: the TLS is done here, and only bytes go through the
//! cluster.
//!
//! [`Transports`] says which way a probe may go; [`ngf_core::data_plane`] finds the pods of a Gateway.

mod access;
mod exec;
mod heartbeat;
mod leftovers;
mod made;
mod on_disk;
mod port_forward;
mod relay;
mod socket;
mod starting;
mod ways;
mod write_plan;

use std::fmt;

pub(crate) use access::rule;
pub use access::{Access, Need, needs};
pub use exec::Exec;
pub use heartbeat::Usage;
pub use leftovers::{Leftover, Leftovers, find_leftovers, remove_leftover};
pub use made::{IMAGE, MakeOptions};
pub use ngf_core::diagnosis::probe_context::WayTaken;
#[allow(unused_imports)] // for the text above
use ngf_probes::dial::Dial;
pub use on_disk::{OnDisk, same_certificates};
pub(crate) use on_disk::{certificates_on_disk, configured};
pub use port_forward::PortForward;
pub use ways::{Transports, Way, Ways};
pub use write_plan::{Confirmation, Prepared, WritePlan};

use super::error::Failure;
use ngf_core::model::object::ObjectRef;

/// A way to a backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// The most faithful way that you may go and that writes nothing: exec, port-forward, direct
    #[default]
    Auto,
    /// From this machine
    Direct,
    /// To the backend's pod through the API server: proves the TLS, not the network path
    PortForward,
    /// From nginx's own container, by nc or bash: the way that nginx goes
    Exec,
    /// From a container that is added to the data-plane pod, for good (needs --yes)
    Ephemeral,
    /// From a debug pod beside the data plane, removed afterwards (needs --yes)
    Pod,
}

impl Via {
    /// Every way, the one to begin with first.
    pub const ALL: [Self; 6] = [
        Self::Auto,
        Self::Exec,
        Self::Ephemeral,
        Self::Pod,
        Self::PortForward,
        Self::Direct,
    ];

    /// Its name: the value of `--via`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Direct => "direct",
            Self::PortForward => "port-forward",
            Self::Exec => "exec",
            Self::Ephemeral => "ephemeral",
            Self::Pod => "pod",
        }
    }

    /// What a handshake by this way proves, in a few words.
    pub fn proves(self) -> &'static str {
        match self {
            Self::Auto => "the best of exec, port-forward and direct that you may use",
            Self::Exec => "TLS and network, from nginx's own container and by the CA on its disk",
            Self::Ephemeral => "TLS and network, from the network of nginx's own pod",
            Self::Pod => "TLS and network, from a pod beside the data plane",
            Self::PortForward => port_forward::PROVES,
            Self::Direct => "TLS, from this machine's place in the network",
        }
    }

    /// What a way leaves in the cluster, in a few words; `None` where it writes nothing.
    pub fn leaves(self) -> Option<&'static str> {
        match self {
            Self::Ephemeral => {
                Some("adds a container to nginx's pod; it ends by itself, its entry stays")
            }
            Self::Pod => Some("makes a pod, and removes it afterwards"),
            Self::Auto | Self::Direct | Self::PortForward | Self::Exec => None,
        }
    }

    /// Whether something is written to the cluster first.
    pub fn writes(self) -> bool {
        self.leaves().is_some()
    }
}

/// A text that names no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown transport: expected auto, exec, ephemeral, pod, port-forward or direct")]
pub struct NoSuchWay;

impl std::str::FromStr for Via {
    type Err = NoSuchWay;

    fn from_str(text: &str) -> Result<Self, NoSuchWay> {
        let named = |via: &Self| via.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or(NoSuchWay)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to say of a 404: the pod is gone, or the API server has no such subresource.
fn not_found(words: &str, pod: &ObjectRef) -> String {
    if words.contains(&format!("{:?} not found", pod.name)) {
        "the pod is gone; probe again, and another one is taken".to_owned()
    } else {
        format!("the API server does not know it ({words}); use --via direct")
    }
}

/// What to say where the API server opens no websocket, for another reason than a missing right.
fn no_websocket(failure: &Failure) -> String {
    let words = failure.words();
    if ["switch protocol", "pgrade", "Sec-WebSocket"]
        .iter()
        .any(|text| words.contains(text))
    {
        return format!(
            "the API server opens no websocket ({words}): a proxy before it may not let them pass; ask the API server without the proxy, or use --via direct"
        );
    }
    format!("the API server does not start it: {words}")
}
