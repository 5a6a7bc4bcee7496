//! Exec: a byte relay in a container that runs already, nginx's own for preference. The connection originates
//! from the pod's network as nginx's do; TLS stays here. Nothing is created in the cluster, and no
//! key leaves this machine.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, api::AttachParams, core::Request};
use ngf_probes::{
    Recorder,
    dial::{Dial, DialError, Dialled, Target},
};
use ngf_text::sanitize;
use ngf_tls::transcript::{Direction, Layer, Step, StepStatus};
use tokio::{
    io::AsyncReadExt,
    sync::watch,
    time::{timeout, timeout_at},
};

use super::{
    access,
    relay::{self, Progress, RelayRefusal, RelayRequest},
    socket::{self, ChannelStream, Channels, Side},
};
use crate::{Cluster, error::Failure};
use ngf_core::model::{object::ObjectRef, rights::FORBIDS};
use ngf_text::host_and_port;

/// The step of the relay's start.
pub(super) const STEP: &str = "exec";
/// How long the API server, the kubelet and the container runtime may take to start a relay.
const START: Duration = Duration::from_secs(20);
/// Bytes of a small file.
const SMALL: usize = 64 << 10;
/// Seconds that a relay lives beyond the phases of its probe, so that none stays for ever.
const SPARE: u64 = 30;

/// Dials from within a container.
#[derive(Clone)]
pub struct Exec {
    client: Client,
    pod: ObjectRef,
    container: String,
    node: Option<String>,
    via: String,
}

impl Exec {
    /// Relays in this container of this pod, which runs on `node`. `via` names it in transcripts.
    pub(super) fn new(
        client: Client,
        pod: &ObjectRef,
        container: &str,
        node: Option<&str>,
        via: String,
    ) -> Self {
        Self {
            client,
            pod: pod.clone(),
            container: container.to_owned(),
            node: node.map(str::to_owned),
            via,
        }
    }

    /// Relays in the nginx container of a data-plane pod.
    pub fn in_data_plane(cluster: &Cluster, pod: &ngf_core::data_plane::DataPlanePod) -> Self {
        Self::new(
            cluster.client(),
            &pod.pod,
            ngf_core::data_plane::CONTAINER,
            pod.node.as_deref(),
            format!("exec in {}", pod.pod.name),
        )
    }

    /// Relays in any container.
    pub fn in_container(cluster: &Cluster, pod: &ObjectRef, container: &str) -> Self {
        let via = format!("exec in {}", pod.name);
        Self::new(cluster.client(), pod, container, None, via)
    }

    /// The pod from which the connection originates.
    pub fn pod(&self) -> &ObjectRef {
        &self.pod
    }

    fn place(&self) -> String {
        format!("container {} of {}", self.container, self.pod)
    }

    fn failed(&self, why: impl std::fmt::Display) -> DialError {
        DialError::Transport(format!("exec in {}: {why}", self.place()))
    }

    /// Starts a command; what comes of it is told on the side.
    pub(super) async fn start(
        &self,
        command: &[String],
    ) -> Result<(ChannelStream, watch::Receiver<Side>, &'static str), Failure> {
        let params = AttachParams::default()
            .container(&self.container)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .tty(false);
        let path = <Pod as kube::Resource>::url_path(&(), Some(&self.pod.namespace));
        let request = Request::new(path)
            .exec(&self.pod.name, command, &params)
            .map_err(|error| Failure::Other(error.to_string()))?;
        let connection = self.client.connect(request).await?;
        let closes_alone = connection.supports_stream_close();
        let channels = Channels {
            data_out: 0,
            data_in: 1,
            words: 2,
            status: Some(3),
            begins_with_port: false,
            closes_alone,
        };
        let (stream, side) = socket::open(socket::of(connection).await, channels, relay::end);
        let protocol = if closes_alone {
            "v5.channel.k8s.io"
        } else {
            "v4.channel.k8s.io"
        };
        Ok((stream, side, protocol))
    }

    /// Runs a command to its end, and returns what it wrote to standard output.
    ///
    /// # Errors
    /// A sentence, where it does not run, fails, takes longer than 20 s or writes more than `most`
    /// bytes.
    pub(super) async fn output(&self, command: &[&str], most: usize) -> Result<Vec<u8>, String> {
        let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let running = async {
            let (mut stream, side, _) = self
                .start(&words)
                .await
                .map_err(|failure| self.not_started(&failure).to_string())?;
            let fault = stream.fault();
            let mut read = Vec::new();
            let done = (&mut stream)
                .take(most as u64 + 1)
                .read_to_end(&mut read)
                .await;
            if read.len() > most {
                return Err(format!("{} writes more than {most} bytes", words.join(" ")));
            }
            match (done, fault.get()) {
                (Ok(_), _) => Ok(read),
                (Err(_), Some(why)) => Err(why.to_owned()),
                (Err(_), None) => Err(side.borrow().words()),
            }
        };
        timeout(START, running)
            .await
            .unwrap_or_else(|_| Err(too_slow(START)))
    }

    /// The text of a small file.
    ///
    /// # Errors
    /// A sentence, where it cannot be read.
    pub async fn file(&self, path: &str) -> Result<String, String> {
        let bytes = self.output(&["cat", path], SMALL).await?;
        Ok(sanitize::block(&String::from_utf8_lossy(&bytes), SMALL))
    }

    /// What to say of an API server that does not start anything.
    fn not_started(&self, failure: &Failure) -> DialError {
        let rule = || access::rule(&self.pod.namespace, "pods/exec", &["get", "create"]);
        self.failed(match failure {
            Failure::Denied(words) => format!(
                "{FORBIDS} ({words}); let an administrator {}, or use --via port-forward or --via direct",
                rule()
            ),
            Failure::NotFound(words) => super::not_found(words, &self.pod),
            other => super::no_websocket(other),
        })
    }

    async fn relayed(&self, target: &Target, recorder: &Recorder) -> Result<Dialled, DialError> {
        let host = bare(&target.host);
        if !relay::is_plain(host) {
            return Err(self.failed(format!(
                "invalid host {host:?}: expected a name or an address"
            )));
        }
        let seconds = target.timeout.as_secs() + 1;
        let wanted = RelayRequest {
            host,
            port: target.port,
            patience: seconds,
            life: 3 * seconds + SPARE,
        };
        let bound = start_bound(target.timeout);
        // One bound for all programs that are tried.
        let until = Instant::now() + bound;
        for command in relay::commands(&wanted) {
            let began = recorder.now_us();
            let started = timeout_at(until.into(), self.start(&command)).await;
            let (stream, side, protocol) = match started {
                Ok(Ok(started)) => started,
                Ok(Err(failure)) => {
                    let error = self.not_started(&failure);
                    recorder.push(
                        self.step(recorder, began, "not started")
                            .status(StepStatus::Failed)
                            .field("error", error.to_string()),
                    );
                    return Err(error);
                }
                Err(_) => return Err(self.failed(too_slow(bound))),
            };
            let attempt = Attempt {
                exec: self,
                target,
                recorder,
                began,
                protocol,
                bound,
            };
            // Without an address its program is missing: the next is tried.
            if let Some(address) = attempt.connected(side, until).await? {
                return Ok(Dialled {
                    fault: stream.fault(),
                    stream: Box::new(stream),
                    address,
                });
            }
        }
        Err(self.failed(
            "the container holds neither nc nor bash, so that nothing in it can relay bytes; use --via ephemeral --yes (a container with nc beside nginx) or --via pod --yes (a pod beside it)",
        ))
    }

    fn step(&self, recorder: &Recorder, began: u64, summary: &str) -> Step {
        let now = recorder.now_us();
        let summary = format!("{summary} in {}", self.place());
        let step = Step::new(STEP, Layer::Tcp, Direction::Local, now, summary)
            .field("pod", self.pod.path())
            .field("container", &self.container)
            .field("took_us", now.saturating_sub(began).to_string());
        match &self.node {
            Some(node) => step.field("node", node),
            None => step,
        }
    }
}

fn too_slow(bound: Duration) -> String {
    format!(
        "nothing was started within {bound:?}: the kubelet or the container runtime of the node is slow or stuck; probe again with a longer --timeout, or from another pod with --pod"
    )
}

/// How long the API server, the kubelet and the container runtime may take to start a relay, where each
/// phase of a probe may take that long: twice as long, for the API server is asked first.
pub(super) fn start_bound(phase: Duration) -> Duration {
    START.min(phase * 2)
}

/// One start of a relay.
struct Attempt<'a> {
    exec: &'a Exec,
    target: &'a Target,
    recorder: &'a Recorder,
    began: u64,
    protocol: &'static str,
    /// How long starting may take.
    bound: Duration,
}

impl Attempt<'_> {
    /// Waits until the relay is connected; `None` where its program is missing, else the address.
    async fn connected(
        &self,
        mut side: watch::Receiver<Side>,
        until: Instant,
    ) -> Result<Option<Option<String>>, DialError> {
        let mut until = until;
        let mut by = None;
        loop {
            let progress = relay::progress(&side.borrow_and_update());
            match progress {
                Progress::Starting => {}
                Progress::Connecting(program) => {
                    if by.is_none() {
                        self.started(&program);
                        // From now on it is the backend that is waited for.
                        until = Instant::now() + self.target.timeout;
                        by = Some(program);
                    }
                }
                Progress::Connected(program) => {
                    if by.is_none() {
                        self.started(&program);
                    }
                    return Ok(Some(self.done("connected")));
                }
                Progress::Blind(program) => {
                    self.started(&program);
                    return Ok(Some(self.done(
                        "not known to be connected: the container shows no state of its sockets; to",
                    )));
                }
                Progress::Refused(RelayRefusal::NoProgram(_)) => return Ok(None),
                Progress::Refused(refusal) => return Err(self.refused(refusal)),
            }
            match timeout_at(until.into(), side.changed()).await {
                Ok(Ok(())) => {}
                // Both tasks of the websocket are gone, and said nothing that ends this.
                Ok(Err(_)) => {
                    let why = "the connection through the API server ended without a word";
                    return Err(self.exec.failed(why));
                }
                Err(_) if by.is_some() => return Err(self.refused(RelayRefusal::TimedOut)),
                Err(_) => return Err(self.exec.failed(too_slow(self.bound))),
            }
        }
    }

    fn address(&self) -> String {
        host_and_port(&self.target.host, self.target.port)
    }

    fn started(&self, program: &str) {
        let summary = format!("{program} started");
        let mut step = self
            .exec
            .step(self.recorder, self.began, &summary)
            .field("relay", program)
            .field("protocol", self.protocol);
        if program != "ngf-tui" && program != "bash" {
            step = step.field(
                "reset",
                "nc does not tell a reset from an end: a backend that resets looks like one that closes",
            );
        }
        self.recorder.push(step);
    }

    fn connect_step(&self, summary: String) -> Step {
        Step::new(
            ngf_probes::dial::tcp::CONNECT,
            Layer::Tcp,
            Direction::Sent,
            self.recorder.now_us(),
            summary,
        )
        .field("address", self.address())
        .field("from", self.exec.pod.path())
        .field(
            "time",
            "not separable: the relay looks every few milliseconds whether it is connected, and its answer comes through the API server",
        )
    }

    fn done(&self, how: &str) -> Option<String> {
        let address = self.address();
        let to = if how == "connected" { " to" } else { "" };
        self.recorder
            .push(self.connect_step(format!("{how}{to} {address}, from {}", self.exec.pod.name)));
        // A name was resolved in the pod, and the relay does not say to what.
        let is_address = bare(&self.target.host).parse::<IpAddr>().is_ok();
        is_address.then_some(address)
    }

    fn refused(&self, refusal: RelayRefusal) -> DialError {
        let address = self.address();
        let reason = match &refusal {
            RelayRefusal::Os { reason, .. } => (*reason).to_owned(),
            RelayRefusal::TimedOut => format!("no answer within {:?}", self.target.timeout),
            RelayRefusal::Name { reason, .. } => reason.clone(),
            RelayRefusal::NoProgram(why) | RelayRefusal::Broken(why) => why.clone(),
        };
        self.recorder.push(
            self.connect_step(format!("{address}: {reason}"))
                .status(StepStatus::Failed)
                .field("error", &reason),
        );
        match refusal {
            RelayRefusal::Os { errno, .. } => DialError::Remote {
                address,
                errno: Some(errno),
                reason,
            },
            RelayRefusal::TimedOut => DialError::TimedOut { address },
            RelayRefusal::Name {
                is_authoritative, ..
            } => DialError::Name {
                host: self.target.host.clone(),
                reason,
                is_authoritative,
            },
            RelayRefusal::NoProgram(why) | RelayRefusal::Broken(why) => self.exec.failed(why),
        }
    }
}

/// Without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

impl Dial for Exec {
    fn via(&self) -> &str {
        &self.via
    }

    fn dial<'a>(
        &'a self,
        target: &'a Target,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>> {
        self.relayed(target, recorder).boxed()
    }
}
