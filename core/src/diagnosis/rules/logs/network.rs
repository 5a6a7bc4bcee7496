//! N1, N2, R14, and T15 and T16 by the log: what only the log, or the log beside a probe, tells.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::{Outcome, Transcript};

use super::{Age, age, line, mark};
use crate::{
    command::Command,
    diagnosis::{
        admits::{Admits, admits},
        code::Code,
        context::Context,
        engine::Findings,
        evidence::Probed,
        fault,
        finding::{Finding, Remedy, Severity},
        joined::Joined,
        plan::ProbePlan,
        rule::{Need, Rule},
        rules::{change, handshake::objects},
        words,
    },
    logs::{Meaning, Phase},
    model::{
        kind::Kind,
        object::{ObjectRef, is_ambient},
    },
};

/// Containers that service meshes put before an application's.
const SIDECARS: &[&str] = &["istio-proxy", "linkerd-proxy"];
/// How far apart a probe and a line may be to be about the same state, in seconds.
const TOGETHER: i64 = 600;

pub(in crate::diagnosis) const N1: Rule = Rule {
    code: Code::N1,
    severity: Severity::Error,
    title: "The gateway cannot reach a backend that can be reached from elsewhere, or that no NetworkPolicy lets it reach",
    explanation: "nginx logs that connecting timed out, or a probe from nginx's pod times out, and a probe from another place connects to the same endpoint. Packets are dropped on the gateway's way alone: most often by a NetworkPolicy that does not name the data plane's namespace or pods. Where the NetworkPolicies are read, the one that lets it in, or those that do not, are named; the time-out is enough then. Clients get 504.",
    remedy: "Let a NetworkPolicy of the backend admit the data plane's pods.",
    causes: &[Code::T14],
    needs: &[Need::Paths, Need::NetworkPolicies, Need::Pods, Need::Logs],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for joined in &context.logs {
            let timed_out = Meaning::TimedOut {
                phase: Phase::Connecting,
            };
            if joined.counted.last_line.what != timed_out {
                continue;
            }
            for plan in &joined.plans {
                let elsewhere = reached_otherwise(context, plan, joined.counted.last.as_second());
                let admits = admits(context.snapshot, &joined.log.pod, plan);
                // One of the two makes more of it than a time-out.
                if elsewhere.is_none() && !matches!(admits, Admits::Nobody(_)) {
                    continue;
                }
                if age(context, joined.log, joined.counted, plan) != Age::Current
                    && elsewhere.is_none()
                {
                    continue;
                }
                if !seen.insert((&plan.gateway, &plan.service, plan.port)) {
                    continue;
                }
                let finding = kept_out(context, &joined.log.pod, plan, elsewhere, &admits);
                findings.add(line(context, finding, joined.log, joined.counted));
            }
        }
        for (pod, probed) in timed_out_in_the_pod(context) {
            let plan = &probed.plan;
            let at = probed.at.as_second();
            let elsewhere = reached_otherwise(context, plan, at);
            let admits = admits(context.snapshot, &pod, plan);
            if elsewhere.is_none() && !matches!(admits, Admits::Nobody(_)) {
                continue;
            }
            if !seen.insert((&plan.gateway, &plan.service, plan.port)) {
                continue;
            }
            let finding = kept_out(context, &pod, plan, elsewhere, &admits).evidence(
                "timed out",
                format!("connecting to {}", plan.endpoint.address),
                format!("probe from {pod} {} ago", context.now.span(at)),
            );
            findings.add(finding);
        }
    },
};

/// Probes by nginx's own way whose connecting timed out, and the data-plane pod that each left from.
fn timed_out_in_the_pod<'a>(
    context: &Context<'a>,
) -> impl Iterator<Item = (ObjectRef, &'a Probed)> {
    context.probes.iter().filter_map(|probed| {
        let transcript = probed.result.as_ref().ok()?;
        let timed_out = transcript.nginx.outcome == Outcome::Timeout && !connected(transcript);
        timed_out.then_some((probed.data_plane_pod()?, *probed))
    })
}

fn kept_out(
    context: &Context<'_>,
    from: &ObjectRef,
    plan: &ProbePlan,
    elsewhere: Option<(String, i64)>,
    admits: &Admits,
) -> Finding {
    let namespace = &plan.service.namespace;
    let service = format!("{}:{}", plan.service, plan.port);
    let title = match admits {
        Admits::Nobody(policies) => format!(
            "{} cannot reach {service}: {} {} not let the data plane in",
            plan.gateway,
            words::list(policies, 2),
            if policies.len() == 1 { "does" } else { "do" }
        ),
        _ => format!(
            "{} cannot reach {service}, which can be reached from elsewhere",
            plan.gateway
        ),
    };
    let mut finding = Finding::new(Code::N1, Severity::Error, &plan.service, title)
        .scope(objects(plan).iter())
        .because(said_by_policies(plan, admits));
    finding.marks = vec![mark(plan)];
    if let Some((via, at)) = elsewhere {
        finding = finding
            .because(format!(
                "A probe ({via}) connects to {}.",
                plan.endpoint.address
            ))
            .evidence(
                "connected",
                format!("by {via}"),
                format!(
                    "probe of {} {} ago",
                    plan.endpoint.address,
                    context.now.span(at)
                ),
            );
    }
    let Admits::Nobody(policies) = admits else {
        return finding.remedy(Remedy::command(
            "See which NetworkPolicies select the backend's pods, and whether they admit the data plane's.",
            Command::kubectl(namespace).words(["get", "networkpolicies", "-o", "wide"]),
        ));
    };
    for policy in policies {
        finding = finding.scope([policy]).evidence(
            "spec.ingress",
            format!("no rule for {from} and TCP port {}", plan.endpoint.port),
            policy.to_string(),
        );
    }
    match change::admit(context, from, plan) {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

fn said_by_policies(plan: &ProbePlan, admits: &Admits) -> String {
    let (gateway, namespace) = (&plan.gateway.namespace, &plan.service.namespace);
    match admits {
        Admits::Nobody(_) => format!(
            "Packets are dropped: no NetworkPolicy that selects the backend's pods lets those of the data plane in {gateway} in."
        ),
        Admits::By(policy) => format!(
            "{policy} lets the data plane in: what drops its packets is something else, such as a policy on what leaves {gateway}, or one of the network plugin's own."
        ),
        Admits::NotIsolated => format!(
            "No NetworkPolicy in {namespace} selects the backend's pods: what drops the packets is something else, such as a policy on what leaves {gateway}, or one of the network plugin's own."
        ),
        Admits::Unknown(why) => format!(
            "A NetworkPolicy in {namespace} may drop what comes from the data plane in {gateway}; whether one does is not known: {why}."
        ),
    }
}

/// The way and time of a probe that reached the endpoint from another place than nginx's pod.
fn reached_otherwise(
    context: &Context<'_>,
    plan: &ProbePlan,
    timed_out_at: i64,
) -> Option<(String, i64)> {
    context.probes.iter().find_map(|probed| {
        let transcript = probed.result.as_ref().ok()?;
        let apart = probed.at.as_second() - timed_out_at;
        let same = probed.plan.endpoint == plan.endpoint && apart.abs() <= TOGETHER;
        // Exec leaves from the data plane's own pod; port-forward knows no NetworkPolicy at all, and so
        // proves no way.
        let elsewhere = transcript.via == "direct" || transcript.via.starts_with("pod ");
        (same && elsewhere && connected(transcript))
            .then(|| (transcript.via.clone(), probed.at.as_second()))
    })
}

fn connected(transcript: &Transcript) -> bool {
    transcript.address.is_some()
        && match transcript.nginx.outcome {
            Outcome::ConnectError => false,
            Outcome::Timeout => {
                transcript.tls.is_some() || fault::waiting(transcript) != Phase::Connecting
            }
            _ => true,
        }
}

pub(in crate::diagnosis) const N2: Rule = Rule {
    code: Code::N2,
    severity: Severity::Warning,
    title: "A sidecar before the backend may take the gateway's TLS for its own",
    explanation: "The backend closes the connection in the handshake, and its pod has a service mesh's sidecar, or is in Istio's ambient mesh. With strict mutual TLS of the mesh the sidecar takes only its mesh's certificates; a policy of the Gateway API adds a second TLS inside of it. Whether the sidecar or the application closes, its log tells.",
    remedy: "Exclude the port from the mesh, or let the mesh accept it (Istio: PeerAuthentication PERMISSIVE for the port).",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::Logs],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        let closed_by_log = context
            .logs
            .iter()
            .filter(|joined| is_closed(&joined.counted.last_line.what))
            .flat_map(|joined| joined.plans.iter().map(|plan| &**plan));
        let closed_by_probe = context.probes.iter().filter_map(|probed| {
            let transcript = probed.result.as_ref().ok()?;
            let closed = transcript.nginx.outcome == Outcome::Closed && transcript.tls.is_none();
            (closed && probed.plan.tls.is_some()).then_some(&*probed.plan)
        });
        for plan in closed_by_log.chain(closed_by_probe) {
            let pod = plan
                .endpoint
                .pod
                .as_ref()
                .and_then(|pod| context.snapshot.pods.get(pod));
            let Some(pod) = pod else { continue };
            let mut containers = pod.spec.containers.iter();
            let Some(sidecar) = containers.find(|c| SIDECARS.contains(&c.name.as_str())) else {
                if is_ambient(&pod.meta) && seen.insert(&plan.service) {
                    findings.add(in_ambient_mesh(plan, &pod.reference));
                }
                continue;
            };
            if !seen.insert(&plan.service) {
                continue;
            }
            findings.add(
                Finding::new(
                    Code::N2,
                    Severity::Warning,
                    &plan.service,
                    format!(
                        "{} closes the handshake, and {} stands before it in {}",
                        plan.service, sidecar.name, pod.reference
                    ),
                )
                .unknown()
                .scope(objects(plan).iter())
                .evidence(
                    "container",
                    format!("{} ({})", sidecar.name, sidecar.image),
                    pod.reference.to_string(),
                )
                .remedy(Remedy::command(
                    "Read the sidecar's log of that moment.",
                    Command::kubectl(&pod.reference.namespace)
                        .words(["logs"])
                        .name(Kind::Pod, &pod.reference.name)
                        .words(["-c"])
                        .other_name(&sidecar.name)
                        .words(["--tail=50"]),
                )),
            );
        }
    },
};

/// Istio's ambient mesh has no sidecar: ztunnel on the node stands before the pod.
fn in_ambient_mesh(plan: &ProbePlan, pod: &ObjectRef) -> Finding {
    Finding::new(
        Code::N2,
        Severity::Warning,
        &plan.service,
        format!(
            "{} closes the handshake, and {pod} is in Istio's ambient mesh",
            plan.service
        ),
    )
    .unknown()
    .scope(objects(plan).iter())
    .evidence(
        "mesh",
        "istio.io/dataplane-mode=ambient, or ambient.istio.io/redirection=enabled",
        pod.to_string(),
    )
    .remedy(Remedy::say(
        "Read the log of ztunnel on the pod's node of that moment. With a strict PeerAuthentication ztunnel accepts only connections of the mesh: let it accept the port (PERMISSIVE), or add the data plane's pods to the mesh.",
    ))
}

fn is_closed(what: &Meaning) -> bool {
    matches!(
        what,
        Meaning::Closed {
            phase: Phase::Handshaking,
            ..
        }
    )
}

pub(in crate::diagnosis) const R14: Rule = Rule {
    code: Code::R14,
    severity: Severity::Error,
    title: "A request that nginx makes in addition to the client's fails",
    explanation: "External authentication and mirrors are subrequests. An authentication service that cannot be reached over TLS gives clients 500, and the log `auth request unexpected status: 502`; a mirror that fails is silent but for the log.",
    remedy: "Probe the Service of the filter.",
    causes: &[],
    needs: &[Need::Paths, Need::Logs],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for joined in &context.logs {
            let said = &joined.counted.last_line;
            let Some(gateway) = &joined.log.gateway else {
                continue;
            };
            let host = said.request.host.as_deref().unwrap_or("a route");
            let (severity, title, effect) = match &said.what {
                Meaning::AuthRequest { status } => (
                    Severity::Error,
                    format!("The external authentication for {host} fails with {status}"),
                    format!("clients of {host} got 500"),
                ),
                _ if is_mirror(said.request.subrequest.as_deref()) => (
                    Severity::Warning,
                    format!("Requests for {host} do not reach their mirror"),
                    "nothing is mirrored; clients do not notice".to_owned(),
                ),
                _ => continue,
            };
            if !seen.insert((gateway, title.clone())) {
                continue;
            }
            let reloaded = joined.log.tally.reloaded;
            let is_old = reloaded.is_some_and(|at| at > joined.counted.last);
            let asked = beside(context, joined, gateway);
            // Whose service it is nobody says: then it is no other finding's effect.
            let subject = match asked.iter().collect::<Vec<_>>().as_slice() {
                [one] => one,
                _ => &joined.log.pod,
            };
            let mut finding = Finding::new(
                Code::R14,
                if is_old { Severity::Warning } else { severity },
                subject,
                title,
            )
            .mark_objects([gateway])
            .scope([gateway])
            .scope(&asked);
            if is_old {
                finding = finding
                    .unknown()
                    .because("nginx has loaded another configuration since.");
            } else {
                finding = finding.breaks(effect);
            }
            for plan in &joined.plans {
                finding = finding.scope([&plan.service, &plan.route]);
            }
            findings.add(line(context, finding, joined.log, joined.counted));
        }
    },
};

/// The Services that nginx asks beside the backend: the one that the line names, or those of the filters
/// of routes with that host.
fn beside(context: &Context<'_>, joined: &Joined<'_>, gateway: &ObjectRef) -> BTreeSet<ObjectRef> {
    if !joined.plans.is_empty() {
        return joined
            .plans
            .iter()
            .map(|plan| plan.service.clone())
            .collect();
    }
    let host = joined
        .counted
        .last_line
        .request
        .host
        .as_deref()
        .unwrap_or("");
    let host = host.split(':').next().unwrap_or(host);
    let takes = |names: &[String]| names.is_empty() || names.iter().any(|name| name == host);
    context
        .rules_of(gateway)
        .filter(|rule| takes(&rule.route.spec.hostnames))
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| backend.filter)
        .filter_map(|backend| backend.service.clone())
        .collect()
}

/// NGF's locations for mirrors (`InternalMirrorRoutePathPrefix` in `nginx/config/http/config.go`).
fn is_mirror(subrequest: Option<&str>) -> bool {
    subrequest.is_some_and(|path| path.starts_with("/_ngf-internal-mirror"))
}

/// T15 and T16 as the log has them: added to what probes make of the same, or a finding of their own.
pub(in crate::diagnosis::rules) fn left_out(
    context: &Context<'_>,
    findings: &mut Findings,
    code: Code,
) {
    let what = match code {
        Code::T15 => Meaning::NoLiveUpstreams,
        _ => Meaning::Disabled,
    };
    let mut by_service: BTreeMap<(&ObjectRef, u16), (&ProbePlan, &Joined<'_>, BTreeSet<_>)> =
        BTreeMap::new();
    for joined in &context.logs {
        if joined.counted.last_line.what != what {
            continue;
        }
        for plan in &joined.plans {
            // What a probe or another configuration came after is no news.
            if age(context, joined.log, joined.counted, plan) != Age::Current {
                continue;
            }
            let group = by_service.entry((&plan.service, plan.port));
            let (_, _, marks) = group.or_insert_with(|| (plan, joined, BTreeSet::new()));
            marks.insert(mark(plan));
        }
    }
    for ((service, port), (plan, joined, marks)) in by_service {
        if let Some(known) = findings.about(code, &[service, &plan.gateway]) {
            *known = line(context, known.clone(), joined.log, joined.counted);
            continue;
        }
        let (severity, title) = if code == Code::T15 {
            let title = format!("nginx asked no endpoint of {service}:{port}: all had failed");
            (Severity::Error, title)
        } else {
            let title = format!(
                "nginx left {} of {service}:{port} out for a while, because it failed",
                words::count(marks.len(), "endpoint")
            );
            (Severity::Warning, title)
        };
        let mut finding = Finding::new(code, severity, service, title).scope(objects(plan).iter());
        finding.marks = marks.into_iter().collect();
        findings.add(line(context, finding, joined.log, joined.counted));
    }
}
