//! D3, D4, D5 and D9: what the data plane's nginx is using, beside what the objects say.

mod differing;
mod lookup;

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::Outcome;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        evidence::Probed,
        finding::{Finding, Severity},
        ngf::{bundle_file, key_pair_file},
        plan::{Connection, TrustSource},
        rule::{Need, Rule},
        rules::logs::stale_by_log,
        trust,
        words::{self, list},
    },
    model::object::ObjectRef,
    nginx_config::{InPod, Location, NginxConfig},
};

use lookup::not_known_yet;
pub(in crate::diagnosis) use lookup::{location, of_gateway, ready, servers, speaks_tls, upstream};

pub(in crate::diagnosis) use differing::D9;
use differing::differences;
pub(super) use lookup::{found, read_at, tls_since};

pub(in crate::diagnosis) const D3: Rule = Rule {
    code: Code::D3,
    severity: Severity::Warning,
    title: "A certificate on the data plane's disk is not the one in its Secret or ConfigMap",
    explanation: "NGF's agent writes the files, and nginx loads them when it reloads. Where an update did not arrive (agent disconnected, reload refused), nginx continues with the older certificate or CA, and no condition says so.",
    remedy: "See whether NGF's control plane runs, whether the agent is connected and whether nginx refused the last reload. Do not restart the data-plane pod while the control plane is away: the new pod gets no configuration.",
    causes: &[
        Code::T1,
        Code::B2,
        Code::B5,
        Code::B6,
        Code::B3,
        Code::B10,
        Code::B11,
    ],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::Pods,
        Need::NginxConfig,
    ],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut files: BTreeMap<String, OnDisk<'_>> = BTreeMap::new();
            let connections = of_gateway(context, &in_pod.gateway);
            for connection in &connections {
                let Some(tls) = &connection.tls else { continue };
                let mut add = |what, object, key, path| {
                    let known = files.entry(path).or_insert_with(|| OnDisk {
                        what,
                        object,
                        key,
                        of: BTreeSet::new(),
                    });
                    known
                        .of
                        .extend([&connection.service, &connection.route, &tls.policy]);
                };
                if let TrustSource::Object { object, key } = &tls.trust {
                    let file = bundle_file(&object.namespace, &object.name);
                    add("CA", object, key.as_str(), file);
                }
                if let Some(secret) = &tls.client_certificate {
                    let file = key_pair_file(&secret.namespace, &secret.name);
                    add("client certificate", secret, "tls.crt", file);
                }
            }
            for (path, file) in &files {
                if let Some(finding) = on_disk(context, in_pod, rendered, file, path) {
                    findings.add(finding.scope(file.of.iter().copied()));
                }
            }
        }
    },
};

/// A file that nginx needs for connections.
struct OnDisk<'a> {
    what: &'static str,
    object: &'a ObjectRef,
    key: &'a str,
    /// The Services, routes and policies of these connections.
    of: BTreeSet<&'a ObjectRef>,
}

fn on_disk(
    context: &Context<'_>,
    in_pod: &InPod,
    rendered: &NginxConfig,
    file: &OnDisk<'_>,
    path: &str,
) -> Option<Finding> {
    let OnDisk {
        what, object, key, ..
    } = *file;
    let held = trust::certificates(context.snapshot, object, key).ok()?;
    let prints: Vec<&String> = held.iter().map(|facts| &facts.fingerprint_sha256).collect();
    let pod = &in_pod.pod;
    let (title, shown) = match rendered.file(path) {
        // NGF writes the file together with the configuration that names it (NGF-D5).
        None if !rendered.names_file(path) => return None,
        None => (
            format!("The {what} in {object} is not on the disk of {pod}"),
            "no such file".to_owned(),
        ),
        Some(file) if file.fingerprints.iter().collect::<Vec<_>>() == prints => return None,
        Some(file) => {
            let written = file.written.map_or_else(String::new, |at| {
                format!(", written {},", words::moment(at.as_second()))
            });
            let shown = shown(&file.subjects, &file.fingerprints);
            (
                format!("The {what} on the disk of {pod}{written} is not the one in {object}"),
                shown,
            )
        }
    };
    if let Some(changed) = context.changed_since(in_pod, file.of.iter().copied().chain([object])) {
        let title = format!(
            "Whether the {what} on the disk of {pod} is the one in {object} is not known yet"
        );
        return Some(not_known_yet(context, Code::D3, in_pod, changed, title).scope([object, pod]));
    }
    let subjects: Vec<String> = held.iter().map(|facts| facts.subject.clone()).collect();
    let prints: Vec<String> = prints.into_iter().cloned().collect();
    let failing: Vec<&Probed> = context
        .unfit
        .iter()
        .filter(|(known, _)| known == pod)
        .map(|(_, probed)| *probed)
        .collect();
    let severity = if failing.is_empty() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let mut finding = Finding::new(Code::D3, severity, &in_pod.gateway, title);
    if let Some(Ok(transcript)) = failing.first().map(|probed| &probed.result) {
        if let Some(line) = &transcript.nginx.log_line {
            finding = finding.evidence("nginx would log", line, format!("probe from {pod}"));
        }
        let pods = context
            .evidence
            .rendered()
            .filter(|other| other.gateway == in_pod.gateway)
            .count();
        let status = transcript
            .nginx
            .client_status
            .map_or_else(|| "an error".to_owned(), |status| status.to_string());
        finding = finding.breaks(format!(
            "1 of {pods} data-plane pods: clients whose requests {pod} takes get {status}; the other pods get through"
        ));
    }
    Some(
        finding
            .evidence("on disk", shown, format!("{path} in {pod}"))
            .evidence(
                "in the cluster",
                self::shown(&subjects, &prints),
                format!("{object}[{key}]"),
            )
            .because(read_at(context, in_pod))
            .scope([object, pod]),
    )
}

/// `CN=LocalCA ab:12:…`, of each.
fn shown(subjects: &[String], fingerprints: &[String]) -> String {
    let each = subjects.iter().zip(fingerprints);
    let each = each.map(|(subject, print)| {
        let print: String = print.chars().take(11).collect();
        format!("{subject} {print}…")
    });
    match list(each, 3) {
        none if none.is_empty() => "no certificate".to_owned(),
        some => some,
    }
}

pub(in crate::diagnosis) const D4: Rule = Rule {
    code: Code::D4,
    severity: Severity::Error,
    title: "nginx asks endpoints that the Service no longer has, or not those that it has",
    explanation: "NGF writes the ready endpoints of a Service into nginx's configuration. Where an update did not arrive, nginx continues with addresses of pods that are gone, which another pod may have by now (nginx-gateway-fabric issues 5120 and 5330). nginx's configuration shows it, and so does its log: addresses that no EndpointSlice has, or NGF's own server for backends without endpoints (nginx-503-server.sock) although the Service has ready ones.",
    remedy: "See whether NGF's control plane runs, whether the agent is connected and whether nginx refused the last reload. Do not restart the data-plane pod while the control plane is away: the new pod gets no configuration.",
    causes: &[Code::T12, Code::T14, Code::T15, Code::T16, Code::N1],
    needs: &[Need::Paths, Need::Pods, Need::NginxConfig, Need::Logs],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut seen = BTreeSet::new();
            for connection in of_gateway(context, &in_pod.gateway) {
                let upstream = upstream(&connection);
                let Some(servers) = servers(rendered, &upstream) else {
                    continue;
                };
                if !seen.insert(upstream.clone()) {
                    continue;
                }
                let Some(ready) = ready(context, &connection) else {
                    continue;
                };
                let asked: BTreeSet<String> = servers
                    .iter()
                    .filter(|server| !server.starts_with("unix:"))
                    .cloned()
                    .collect();
                // No endpoint gives NGF's socket for 503.
                if asked == ready {
                    continue;
                }
                let slices = context.index.slices(&connection.service).iter();
                let objects = [&in_pod.gateway, &connection.service]
                    .into_iter()
                    .chain(slices.map(|slice| &slice.reference));
                if let Some(changed) = context.changed_since(in_pod, objects) {
                    let title = format!(
                        "Whether nginx in {} asks the endpoints of {}:{} is not known yet",
                        in_pod.pod, connection.service, connection.port
                    );
                    let finding = not_known_yet(context, Code::D4, in_pod, changed, title);
                    findings.add(finding.scope([&connection.service, &connection.route]));
                    continue;
                }
                let gone: Vec<&String> = asked.difference(&ready).collect();
                let new: Vec<&String> = ready.difference(&asked).collect();
                let service = format!("{}:{}", connection.service, connection.port);
                let title = if gone.is_empty() {
                    format!(
                        "nginx in {} does not ask {} of {service}",
                        in_pod.pod,
                        list(&new, 3)
                    )
                } else {
                    format!(
                        "nginx in {} asks {}, which {service} no longer has",
                        in_pod.pod,
                        list(&gone, 3)
                    )
                };
                let or_none = |all: &BTreeSet<String>| match list(all, 6) {
                    none if none.is_empty() => "none".to_owned(),
                    some => some,
                };
                // Not one live address: every request fails or waits.
                let is_dead = !ready.is_empty() && asked.is_disjoint(&ready);
                let severity = if is_dead {
                    Severity::Error
                } else {
                    Severity::Warning
                };
                let mut finding = Finding::new(Code::D4, severity, &in_pod.gateway, title)
                    .evidence(
                        "nginx asks",
                        or_none(&asked),
                        format!("upstream {upstream} in {}", in_pod.pod),
                    )
                    .evidence(
                        "ready endpoints",
                        or_none(&ready),
                        connection.service.to_string(),
                    )
                    .because(read_at(context, in_pod))
                    .scope([&connection.service, &connection.route]);
                if is_dead {
                    finding = finding.breaks(format!("requests for {service} fail or wait"));
                }
                findings.add(finding);
            }
        }
        stale_by_log(context, findings);
    },
};

pub(in crate::diagnosis) const D5: Rule = Rule {
    code: Code::D5,
    severity: Severity::Warning,
    title: "nginx is configured otherwise than the objects ask for",
    explanation: "What NGF renders for a backend follows from the objects: server name, CA, client certificate. Where nginx has something else, its configuration is older than the objects, or another version of NGF renders differently, or a SnippetsFilter changes it.",
    remedy: "See whether NGF's control plane runs, whether the Gateway is programmed and the agent connected, and what SnippetsFilters add.",
    causes: &[Code::B9, Code::T12],
    needs: &[Need::Paths, Need::Pods, Need::NginxConfig],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut differing: BTreeMap<(&ObjectRef, u16), Differing<'_>> = BTreeMap::new();
            let connections = of_gateway(context, &in_pod.gateway);
            for connection in &connections {
                let Some(location) = location(context, rendered, connection) else {
                    continue;
                };
                let differences = differences(connection, location);
                if !differences.is_empty() {
                    let key = (&connection.service, connection.port);
                    differing.entry(key).or_insert_with(|| Differing {
                        connection,
                        location,
                        differences,
                    });
                }
            }
            for ((service, port), differing) in differing {
                let Differing {
                    connection,
                    location,
                    differences,
                } = differing;
                let policy = connection.tls.as_ref().map(|tls| &tls.policy);
                let objects = [&in_pod.gateway, &connection.service, &connection.route];
                let objects = objects.into_iter().chain(policy);
                if let Some(changed) = context.changed_since(in_pod, objects.clone()) {
                    let title = format!(
                        "Whether nginx in {} speaks to {service}:{port} as the objects ask for is not known yet",
                        in_pod.pod
                    );
                    let finding = not_known_yet(context, Code::D5, in_pod, changed, title);
                    findings.add(finding.scope(objects));
                    continue;
                }
                let fails = fails(context, connection, location);
                let severity = match fails {
                    Some(_) => Severity::Error,
                    None => Severity::Warning,
                };
                let mut finding = Finding::new(
                    Code::D5,
                    severity,
                    &in_pod.gateway,
                    format!(
                        "nginx in {} speaks to {service}:{port} otherwise than the objects ask for: {}",
                        in_pod.pod,
                        list(&differences, 2)
                    ),
                )
                .because(read_at(context, in_pod))
                .scope([&connection.service, &connection.route])
                .scope(connection.tls.as_ref().map(|tls| &tls.policy));
                if let Some(fails) = fails {
                    finding = finding.breaks(fails);
                }
                for difference in differences {
                    finding = finding.evidence(
                        "directive",
                        difference,
                        format!("nginx -T in {}", in_pod.pod),
                    );
                }
                findings.add(finding);
            }
        }
    },
};

/// A connection whose location differs from what the objects ask for.
struct Differing<'a> {
    connection: &'a Connection,
    location: &'a Location,
    differences: Vec<String>,
}

/// What clients get where nginx speaks plain HTTP, and a probe shows that the port speaks TLS, or the other way
/// round. `None` where it is unknown whether requests fail.
fn fails(context: &Context<'_>, connection: &Connection, location: &Location) -> Option<String> {
    let policy = connection.tls.as_ref().map(|tls| &tls.policy);
    let created = policy.and_then(|policy| context.snapshot.policies.get(policy));
    if created.is_some_and(|policy| !context.is_settled(policy.meta.created)) {
        return None;
    }
    let mut probes = context.probes.iter().filter(|probed| {
        probed.plan.gateway == connection.gateway
            && probed.plan.service == connection.service
            && probed.plan.port == connection.port
    });
    let route = &connection.route;
    match (speaks_tls(location), policy.is_some()) {
        (false, true) => probes
            .any(|probed| matches!(&probed.result, Ok(seen) if seen.tls.is_some()))
            .then(|| format!("nginx speaks plain HTTP, and the port speaks TLS: clients of {route} get 400 or 502")),
        (true, false) => probes
            .any(|probed| matches!(&probed.result, Ok(seen) if seen.nginx.outcome == Outcome::Ok))
            .then(|| format!("nginx speaks TLS, and the port speaks plain HTTP: clients of {route} get 502")),
        _ => None,
    }
}
