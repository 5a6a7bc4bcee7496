//! Ways to a backend from where the gateway stands, as implementations of
//! [`Dial`](ngf_probes::dial::Dial): the TLS is done here, and only bytes go through the cluster.

mod access;
mod data_plane;
mod exec;
mod port_forward;
mod relay;
mod socket;

pub use data_plane::{CONTAINER, DataPlane, DataPlanePod, NoDataPlane, data_plane};
pub use exec::Exec;
pub use port_forward::PortForward;

use super::error::Failure;

/// What to say where the API server opens no websocket, for another reason than a missing right.
fn no_websocket(failure: &Failure) -> String {
    let words = failure.words();
    if words.contains("switch protocol")
        || words.contains("upgrade")
        || words.contains("Sec-WebSocket")
    {
        return format!(
            "the API server opens no websocket ({words}): a proxy before it may not let them pass, or it is older than Kubernetes 1.30; ask the API server without the proxy, or use --via direct"
        );
    }
    format!("the API server does not start it: {words}")
}
