//! What the gateway's client gets: a handshake with the listener as a strict client performs it, and a request.

use std::{sync::Arc, time::Duration};

use ngf_probes::{
    client::{ClientEnding, ClientSpec, ClientTls, ClientTranscript, ask},
    dial::{Dial, Direct},
    spec::{ClientIdentity, HttpSpec, Trust},
};
use ngf_text::{host_and_port, in_words, sanitize};
use ngf_tls::{
    chain::{Certificates, ChainQuestion, GATEWAY_DEPTH, Purpose, judge},
    messages::names,
    transcript::Transcript,
};
use tokio_util::sync::CancellationToken;

use super::{Address, Asked, ClientView, compare::compare};
use crate::transport::{PortForward, Transports, Via};
use ngf_core::{
    diagnosis::{
        evidence::Met,
        ngf::{
            Running,
            frontend::{self, Demand},
            known,
        },
        plan::ProbePlan,
        probe_context::headline,
    },
    model::{
        kind::Kind,
        kinds::Listener,
        object::ObjectRef,
        snapshot::{Lookup, Snapshot},
    },
};

/// How long an address of the Gateway may take to answer before another way is tried: many are not
/// reachable from where people sit.
const CONNECT: Duration = Duration::from_secs(2);

/// The listener by which a route is reached.
struct At<'a> {
    snapshot: &'a Snapshot,
    /// The Gateway or ListenerSet.
    owner: &'a ObjectRef,
    listener: &'a Listener,
    plan: &'a ProbePlan,
    /// What it demands of its clients.
    demand: Option<Demand>,
}

/// Asks as a client of the Gateway would: at the address of its status, or at `address`, or, where
/// that cannot be reached, through port-forward to the data plane.
///
/// # Errors
/// Why there is no listener to ask, or why it could not be asked.
pub async fn client_view(
    transports: &Transports,
    plan: &ProbePlan,
    asked: &Asked<'_>,
    probe: &Transcript,
) -> Result<ClientView, String> {
    let at = At::of(transports.snapshot(), plan).ok_or("no listener of it is known")?;
    let place = at.place(asked.address);
    // Through the data plane it can be asked before it has an address.
    let has_address = place.is_some();
    let (host, port) = place.unwrap_or_else(|| ("localhost".to_owned(), at.listener.port));
    let spec = at.spec(&host, port, asked)?;
    let request = at.request(&spec);
    let (transcript, dial) = reach(transports, plan, asked, &spec, &request, has_address).await?;
    let mut view = view(request, &transcript);
    if asked.identity.is_some() && transcript.client_certificate.requested {
        // The contrast: what becomes of a client that has none.
        let without = spec.without_certificate();
        let without = ask(&without, &*dial, asked.cancel).await;
        view.without_certificate = without.ok().map(Box::new);
    }
    view.sentence = at.sentence(&view, &transcript, asked.identity, probe);
    view.transcript = Some(Box::new(transcript));
    Ok(view)
}

/// A handshake with the listener of a plan, through port-forward to the data plane: with nginx itself, and not with what
/// may stand before it.
///
/// # Errors
/// Why it could not be made.
pub async fn meet(
    transports: &Transports,
    plan: &ProbePlan,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Met, String> {
    let at = At::of(transports.snapshot(), plan).ok_or("no listener of it is known")?;
    let asked = Asked {
        address: None,
        elsewhere: None,
        seen_from: None,
        exec: None,
        service_names: false,
        identity: None,
        timeout,
        cancel,
    };
    let spec = ClientSpec {
        request: None,
        ..at.spec("localhost", at.listener.port, &asked)?
    };
    let forward: Arc<dyn Dial> = Arc::new(forward(transports, plan).await?);
    let seen = try_one(&spec, &forward, timeout, cancel).await?;
    Ok(as_met(seen))
}

/// What a handshake alone says of a listener.
pub fn as_met(seen: ClientTranscript) -> Met {
    let is_complete = matches!(seen.ending, ClientEnding::Shaken | ClientEnding::Closed);
    let judged = seen.judged.as_ref();
    Met {
        via: seen.via,
        accepted: judged.and_then(|judged| judged.accepted),
        verdict: judged.map_or_else(String::new, |judged| judged.sentence.clone()),
        chain: seen.chain,
        failed: (!is_complete).then_some(seen.ended),
    }
}

/// Reaches the listener, by the first way that leads there.
async fn reach(
    transports: &Transports,
    plan: &ProbePlan,
    asked: &Asked<'_>,
    spec: &ClientSpec,
    request: &str,
    has_address: bool,
) -> Result<(ClientTranscript, Arc<dyn Dial>), String> {
    // An address that somebody names is meant; one of the status may be behind a firewall.
    let patience = if asked.address.is_some() {
        asked.timeout
    } else {
        asked.timeout.min(CONNECT)
    };
    let direct: Arc<dyn Dial> = Arc::new(Direct);
    let first = match asked.elsewhere {
        Some(why) => Err(why.to_owned()),
        None if has_address => try_one(spec, &direct, patience, asked.cancel).await,
        None => Err("the Gateway's status holds no address".to_owned()),
    };
    let why = match first {
        Ok(transcript) => return Ok((transcript, direct)),
        Err(why) if asked.address.is_some() => return Err(format!("{request}: {why}")),
        Err(why) => why,
    };
    let forward = forward(transports, plan).await;
    let forward = forward.map_err(|other| format!("{request}: {why}; {other}"))?;
    let forward: Arc<dyn Dial> = Arc::new(forward);
    match try_one(spec, &forward, asked.timeout, asked.cancel).await {
        Ok(transcript) => Ok((transcript, forward)),
        Err(other) => Err(format!("{request}: {why}; by {}: {other}", forward.via())),
    }
}

/// One way; an error where nothing came from the other side.
async fn try_one(
    spec: &ClientSpec,
    dial: &Arc<dyn Dial>,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<ClientTranscript, String> {
    let spec = ClientSpec {
        timeout,
        ..spec.clone()
    };
    match ask(&spec, &**dial, cancel).await {
        Ok(transcript) if transcript.ending == ClientEnding::NotConnected => Err(transcript.ended),
        Ok(transcript) => Ok(transcript),
        Err(error) => Err(in_words(&error)),
    }
}

async fn forward(transports: &Transports, plan: &ProbePlan) -> Result<PortForward, String> {
    let pod = transports.data_plane_pod(&plan.gateway, None)?;
    let namespace = &plan.gateway.namespace;
    transports.allowed(Via::PortForward, namespace).await?;
    Ok(PortForward::new(transports.cluster(), &pod.pod))
}

fn view(request: String, transcript: &ClientTranscript) -> ClientView {
    let http = transcript.http.as_ref();
    ClientView {
        request,
        via: transcript.via.clone(),
        status: http.map(|http| http.status),
        answer: http.map_or_else(|| transcript.ended.clone(), |http| headline(&http.body)),
        body: http.map_or_else(String::new, |http| http.body.clone()),
        sentence: String::new(),
        transcript: None,
        without_certificate: None,
    }
}

impl<'a> At<'a> {
    fn of(snapshot: &'a Snapshot, plan: &'a ProbePlan) -> Option<Self> {
        let (owner, name) = plan.listener.as_ref()?;
        let gateways = snapshot.gateways.get(owner);
        let listeners = gateways
            .map(|gateway| &gateway.spec.listeners)
            .or_else(|| {
                let set = snapshot.listener_sets.get(owner)?;
                Some(&set.spec.listeners)
            })?;
        let listener = listeners.iter().find(|listener| listener.name == *name)?;
        let gateway = snapshot.gateways.get(&plan.gateway);
        let demand = gateway
            .filter(|_| listener.protocol == "HTTPS")
            .and_then(|gateway| {
                let release = Running::of(snapshot).release;
                frontend::demand(snapshot, release, gateway, listener.port)
            });
        Some(Self {
            snapshot,
            owner,
            listener,
            plan,
            demand,
        })
    }

    /// The address of the listener.
    fn place(&self, address: Option<&Address>) -> Option<(String, u16)> {
        let port = self.listener.port;
        if let Some(address) = address {
            return Some((address.host.clone(), address.port.unwrap_or(port)));
        }
        let gateway = self.snapshot.gateways.get(&self.plan.gateway)?;
        Some((gateway.status.addresses.first()?.clone(), port))
    }

    fn spec(&self, host: &str, port: u16, asked: &Asked<'_>) -> Result<ClientSpec, String> {
        let speaks_tls = matches!(self.listener.protocol.as_str(), "HTTPS" | "TLS");
        let is_grpc = self.plan.route.kind == Kind::GRPCRoute;
        if is_grpc && !speaks_tls {
            return Err(
                "not asked: a client of a GRPCRoute speaks HTTP/2, and an HTTP/1.1 request would prove nothing"
                    .to_owned(),
            );
        }
        let is_http = matches!(self.listener.protocol.as_str(), "HTTP" | "HTTPS");
        if self.listener.protocol == "UDP" {
            return Err(format!("listener {} speaks UDP", self.listener.name));
        }
        let alpn = match (is_http, is_grpc) {
            (true, true) => vec!["h2".to_owned()],
            (true, false) => vec!["http/1.1".to_owned()],
            // What the application speaks is not known.
            (false, _) => Vec::new(),
        };
        Ok(ClientSpec {
            host: host.to_owned(),
            port,
            tls: speaks_tls.then(|| ClientTls {
                server_name: self.plan.host.clone(),
                trust: self.trust(),
                identity: asked.identity.cloned(),
                alpn,
            }),
            // In raw TLS and TCP an HTTP request would prove nothing: there the handshake is the answer.
            request: (is_http && !is_grpc).then(|| HttpSpec {
                method: "GET".to_owned(),
                host: self.plan.host.clone(),
                // Not marked as a probe's: what nginx makes of it is evidence.
                path: self.plan.path.clone(),
            }),
            timeout: asked.timeout,
        })
    }

    /// Whom a client may trust: public CAs, or else the CA that the listener's Secret holds.
    fn trust(&self) -> Vec<Trust> {
        let mut trust = vec![Trust::System];
        for reference in &self.listener.certificate_refs {
            let namespace = reference
                .namespace
                .as_deref()
                .unwrap_or(&self.owner.namespace);
            let secret = ObjectRef::new(Kind::Secret, namespace, &reference.name);
            if let Lookup::Found(found) = known::secret(self.snapshot, &secret) {
                let der: Vec<_> = found
                    .spec
                    .ca
                    .certificates()
                    .iter()
                    .map(|ca| ca.der.clone())
                    .collect();
                if !der.is_empty() {
                    trust.push(Trust::Certificates {
                        der,
                        origin: format!("{secret}[ca.crt]"),
                    });
                }
            }
        }
        trust
    }

    fn request(&self, spec: &ClientSpec) -> String {
        let scheme = match self.listener.protocol.as_str() {
            "HTTP" => "http",
            "HTTPS" => "https",
            "TLS" => "tls",
            _ => "tcp",
        };
        let path = spec.request.as_ref().map_or("", |request| &request.path);
        let place = host_and_port(&spec.host, spec.port);
        sanitize::line(&format!("{scheme}://{place}{path}"), 300)
    }

    fn label(&self) -> String {
        format!("listener {}", self.listener.name)
    }

    /// What the client saw, and how it stands to what the probe says.
    fn sentence(
        &self,
        view: &ClientView,
        seen: &ClientTranscript,
        identity: Option<&ClientIdentity>,
        probe: &Transcript,
    ) -> String {
        let mut sentences = Vec::new();
        if let Some(judged) = seen
            .judged
            .as_ref()
            .filter(|judged| judged.accepted != Some(true))
        {
            sentences.push(judged.sentence.clone());
        }
        let label = self.label();
        sentences.push(match (seen.ending, self.refused(seen, identity)) {
            (_, Some(why)) => why,
            (ClientEnding::Shaken, None) if self.listener.protocol == "TCP" => {
                format!("{label} takes the connection; what is spoken over it is not known")
            }
            (ClientEnding::Shaken, None) => format!(
                "the handshake with {label} is complete; what is spoken over it is not known, and nothing was asked"
            ),
            (ClientEnding::HandshakeFailed, None) if seen.alert == Some(112) => format!(
                "{label} rejects the server name {}: nginx has no server for it (alert 112), or refused its configuration",
                self.plan.host
            ),
            (ClientEnding::HandshakeFailed, None) => match seen.alert {
                Some(alert) => format!(
                    "the handshake with {label} fails with alert {} ({alert}): no request reaches the backend",
                    names::alert(alert)
                ),
                None => format!("the handshake with {label} fails: no request reaches the backend"),
            },
            _ => compare(view, probe),
        });
        if let Some(without) = &view.without_certificate {
            sentences.push(match &without.http {
                Some(http) if http.status < 400 => format!(
                    "without a client certificate it answers {}, too: it does not demand one",
                    http.status
                ),
                Some(http) => format!("without a client certificate it answers {}", http.status),
                None => {
                    "without a client certificate it gives no answer: it demands one".to_owned()
                }
            });
        }
        sentences.join("; ")
    }

    /// Why a client gets no answer, where the listener does not accept its certificate, or its absence: with
    /// AllowValidOnly NGF renders `return 444` for such clients.
    fn refused(
        &self,
        seen: &ClientTranscript,
        identity: Option<&ClientIdentity>,
    ) -> Option<String> {
        let part = &seen.client_certificate;
        if seen.ending != ClientEnding::Closed || !part.requested {
            return None;
        }
        let label = self.label();
        let cas = self.demand.iter().flat_map(|demand| &demand.cas);
        let cas = cas
            .map(|ca| ca.label.clone())
            .collect::<Vec<_>>()
            .join(", ");
        let of = if cas.is_empty() {
            part.acceptable_cas.join(", ")
        } else {
            cas
        };
        let nothing = "the gateway closes the connection without an answer (444), which says nothing about the backend";
        Some(match identity {
            Some(identity) if part.sent => {
                let why = self
                    .verdict(identity)
                    .map_or_else(String::new, |why| format!(": {why}"));
                format!(
                    "{label} does not accept the client certificate of {}{why}; {nothing}",
                    identity.origin
                )
            }
            _ => format!(
                "{label} demands a client certificate ({of}), and this request has none: {nothing}; name one with --gateway-client-cert and --gateway-client-key"
            ),
        })
    }

    /// What nginx says of the client certificate, by the CAs that the Gateway names: `(10:certificate has expired)`.
    fn verdict(&self, identity: &ClientIdentity) -> Option<String> {
        let mut trusted = Vec::new();
        for object in self
            .demand
            .iter()
            .flat_map(|demand| &demand.cas)
            .filter_map(|ca| ca.object.as_ref())
        {
            let ca = match object.kind {
                Kind::Secret => match known::secret(self.snapshot, object) {
                    Lookup::Found(found) => found.spec.ca.certificates(),
                    _ => return None,
                },
                _ => match known::config_map(self.snapshot, object) {
                    Lookup::Found(found) => found.spec.ca.certificates(),
                    _ => return None,
                },
            };
            trusted.extend(ca.iter().map(|ca| ca.der.clone()));
        }
        if trusted.is_empty() {
            return None;
        }
        let judged = judge(&ChainQuestion {
            presented: Certificates::Pem(identity.certificate_pem.clone()),
            trusted: Certificates::Der(trusted),
            purpose: Purpose::Client,
            depth: GATEWAY_DEPTH,
            name: None,
            at: None,
        });
        let judged = judged.ok().filter(|judged| judged.code != 0)?;
        Some(format!("({}:{})", judged.code, judged.text))
    }
}
