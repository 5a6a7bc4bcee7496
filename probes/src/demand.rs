//! Whether a backend demands the client certificate that it took: only a handshake without one
//! tells.

use tokio_util::sync::CancellationToken;

use crate::dial::Dial;
use crate::probe::probe;
use crate::spec::ProbeSpec;
use crate::verdict::{CLIENT_NOT_PROVEN, client};
use ngf_tls::transcript::{Outcome, Transcript};

/// Where `transcript` leaves open whether the backend demands the client certificate that it took,
/// probes again as `spec` says but without one, and completes what the transcript says of it.
/// Where that second probe proves nothing, the transcript stays as it is.
pub async fn settle_demand(
    transcript: &mut Transcript,
    spec: &ProbeSpec,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) {
    let seen = &transcript.client_certificate;
    // Without an answer only an alert, or its absence, shows what the backend makes of a client.
    let is_open = client::is_demand_open(seen);
    let by_alert = !is_open
        && !spec.protocol.is_http1()
        && transcript.nginx.outcome == Outcome::Ok
        && client::is_silent(seen);
    if !is_open && !by_alert {
        return;
    }
    let without = spec.without_client_certificate();
    if let Ok(second) = probe(&without, dial, cancel).await {
        let demand = second.client_certificate.demand;
        if by_alert {
            client::settle_by_alert(&mut transcript.client_certificate, demand);
            if transcript.client_certificate.accepted == Some(true) {
                transcript.not_proven.retain(|why| why != CLIENT_NOT_PROVEN);
            }
        } else {
            client::settle(&mut transcript.client_certificate, demand);
        }
    }
}
