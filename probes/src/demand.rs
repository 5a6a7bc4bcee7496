//! Whether a backend demands the client certificate that it took: only a handshake without one
//! tells.

use tokio_util::sync::CancellationToken;

use crate::dial::Dial;
use crate::probe::probe;
use crate::spec::ProbeSpec;
use crate::transcript::Transcript;
use crate::verdict::client;

/// Where `transcript` leaves open whether the backend demands the client certificate that it took,
/// probes once more as `spec` says but without one, and completes what the transcript says of it.
/// Where that second probe proves nothing, the transcript stays as it is.
pub async fn settle_demand(
    transcript: &mut Transcript,
    spec: &ProbeSpec,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) {
    if !client::is_demand_open(&transcript.client_certificate) {
        return;
    }
    let without = spec.without_client_certificate();
    if let Ok(second) = probe(&without, dial, cancel).await {
        client::settle(
            &mut transcript.client_certificate,
            second.client_certificate.demand,
        );
    }
}
