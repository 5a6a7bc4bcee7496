//! Port-forward: to a port of the backend's pod, through the API server and the kubelet, which dials
//! `localhost` within the pod. The TLS and what the application says are its own; the network between
//! the gateway and the pod, NetworkPolicies and meshes included, is not on the way.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, core::Request};
use ngf_probes::{
    Recorder,
    dial::{Dial, DialError, Dialled, Target},
};
use ngf_text::sanitize;
use ngf_tls::transcript::{Direction, Layer, Step, StepStatus};
use tokio::time::timeout_at;

use super::{
    access,
    exec::start_bound,
    socket::{self, Channels, End, Side},
};
use crate::{Cluster, error::Failure};
use ngf_core::model::{object::ObjectRef, rights::FORBIDS};
use ngf_text::host_and_port;

/// The step of the forwarding.
pub(super) const STEP: &str = "port-forward";
/// What a probe this way proves.
pub(super) const PROVES: &str = "TLS content valid, network path not proven";

/// Dials a port of one pod.
#[derive(Clone)]
pub struct PortForward {
    client: Client,
    pod: ObjectRef,
    via: String,
}

impl PortForward {
    /// To this pod.
    pub fn new(cluster: &Cluster, pod: &ObjectRef) -> Self {
        Self {
            client: cluster.client(),
            pod: pod.clone(),
            via: format!("port-forward to {}", pod.name),
        }
    }

    fn failed(&self, why: impl std::fmt::Display) -> DialError {
        DialError::Transport(format!("port-forward to {}: {why}", self.pod))
    }

    async fn forwarded(&self, target: &Target, recorder: &Recorder) -> Result<Dialled, DialError> {
        let began = recorder.now_us();
        let bound = start_bound(target.timeout);
        let until = Instant::now() + bound;
        let opened = timeout_at(until.into(), self.open(target.port)).await;
        let result = match opened {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(failure)) => Err(self.not_opened(&failure)),
            Err(_) => Err(self.failed(too_slow(bound))),
        };
        let (stream, mut side) = result.inspect_err(|error| {
            recorder.push(
                self.step(recorder, began, target, "not forwarded")
                    .status(StepStatus::Failed)
                    .field("error", error.to_string()),
            );
        })?;
        // Both channels begin with the port's number; an error may be there as soon.
        let started = side.wait_for(|side| {
            side.begun == 0b11 || side.ended.is_some() || !side.words().is_empty()
        });
        let ready = match timeout_at(until.into(), started).await {
            Ok(Ok(side)) => match end(&side) {
                End::Broken(why) if side.begun != 0b11 || !side.words().is_empty() => Err(why),
                _ => Ok(()),
            },
            Ok(Err(_)) => Err("the connection through the API server ended".to_owned()),
            Err(_) => Err(too_slow(bound)),
        };
        if let Err(why) = ready {
            recorder.push(
                self.step(recorder, began, target, "not forwarded")
                    .status(StepStatus::Failed)
                    .field("error", &why),
            );
            return Err(self.failed(why));
        }
        recorder.push(self.step(recorder, began, target, "forwarded"));
        let is_address = target.host.parse::<IpAddr>().is_ok();
        Ok(Dialled {
            fault: stream.fault(),
            stream: Box::new(stream),
            address: is_address.then(|| host_and_port(&target.host, target.port)),
        })
    }

    async fn open(
        &self,
        port: u16,
    ) -> Result<(socket::ChannelStream, tokio::sync::watch::Receiver<Side>), Failure> {
        let path = <Pod as kube::Resource>::url_path(&(), Some(&self.pod.namespace));
        let request = Request::new(path)
            .portforward(&self.pod.name, &[port])
            .map_err(|error| Failure::Other(error.to_string()))?;
        let connection = self.client.connect(request).await?;
        let channels = Channels {
            data_out: 0,
            data_in: 0,
            words: 1,
            status: None,
            begins_with_port: true,
            // Kubernetes closes no channel of a forwarded port alone, whatever the version.
            closes_alone: false,
        };
        Ok(socket::open(socket::of(connection).await, channels, end))
    }

    fn step(&self, recorder: &Recorder, began: u64, target: &Target, summary: &str) -> Step {
        let now = recorder.now_us();
        let summary = format!(
            "{summary} to port {} of {}: {PROVES}",
            target.port, self.pod
        );
        Step::new(STEP, Layer::Tcp, Direction::Sent, now, summary)
            .field("pod", self.pod.path())
            .field("port", target.port.to_string())
            .field("proves", PROVES)
            .field(
                "dials",
                "localhost within the pod, by the kubelet: past NetworkPolicies, Services and meshes",
            )
            .field("took_us", now.saturating_sub(began).to_string())
            .field(
                "time",
                "the kubelet connects when the first byte comes: the connection's own time is in the answer's",
            )
    }

    fn not_opened(&self, failure: &Failure) -> DialError {
        self.failed(match failure {
            Failure::Denied(words) => format!(
                "{FORBIDS} ({words}); let an administrator {}, or use --via direct",
                access::rule(&self.pod.namespace, "pods/portforward", &["get", "create"])
            ),
            Failure::NotFound(words) => super::not_found(words, &self.pod),
            other => super::no_websocket(other),
        })
    }
}

fn too_slow(bound: Duration) -> String {
    format!(
        "nothing was forwarded within {bound:?}: the kubelet of its node is slow or stuck; probe again with a longer --timeout, or use --via direct"
    )
}

/// What the end of the stream means, by what came on the error channel.
fn end(side: &Side) -> End {
    let words = side.words();
    let words = words.trim();
    if words.is_empty() {
        return match &side.ended {
            Some(Err(why)) => End::Broken(format!(
                "the connection through the API server broke ({why}): the pod was deleted, or a proxy before the API server does not let websockets pass; probe again"
            )),
            _ => End::Closed,
        };
    }
    if words.contains("connection refused") {
        return End::Broken(format!(
            "nothing in the pod listens on localhost at that port, and port-forward dials localhost: whether the application listens on the pod's address is not known this way; use --via exec, or --via direct ({})",
            sanitize::line(words, 200)
        ));
    }
    if words.contains("reset by peer") || words.contains("broken pipe") {
        return End::Reset;
    }
    End::Broken(format!("the kubelet says: {}", sanitize::line(words, 300)))
}

impl Dial for PortForward {
    fn via(&self) -> &str {
        &self.via
    }

    fn dial<'a>(
        &'a self,
        target: &'a Target,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>> {
        self.forwarded(target, recorder).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(frames: &[&[u8]], ended: Option<Result<(), String>>) -> Side {
        Side::told(frames, ended)
    }

    #[test]
    fn an_end_is_the_backends_only_where_nothing_else_ended_it() {
        let refused = b"an error occurred forwarding 9 -> 9: dial tcp4 127.0.0.1:9: connect: connection refused";
        let reset = b"read tcp4 127.0.0.1:4->127.0.0.1:9: read: connection reset by peer";
        assert_eq!(end(&side(&[], None)), End::Closed);
        assert_eq!(end(&side(&[], Some(Ok(())))), End::Closed);
        assert_eq!(end(&side(&[reset], Some(Ok(())))), End::Reset);
        for (broken, says) in [
            (side(&[refused], None), "localhost"),
            (side(&[b"network namespace is gone"], None), "kubelet says"),
            (side(&[], Some(Err("EOF".to_owned()))), "API server broke"),
        ] {
            let End::Broken(why) = end(&broken) else {
                panic!("{broken:?} is a fault of the transport");
            };
            assert!(why.contains(says), "{why}");
        }
    }
}
