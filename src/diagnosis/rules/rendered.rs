//! D3, D4, D5: what the data plane's nginx is using, beside what the objects say.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        context::Context,
        finding::{Finding, Severity},
        ngf::{Directive, bundle_file, directives, key_pair_file},
        plan::{Connection, ProbeTarget, TrustSource, connections},
        registry::Rule,
        trust, words,
        words::list,
    },
    model::{object::ObjectRef, topology::host_and_port},
    rendered::{InPod, Location, Rendered},
};

pub(in crate::diagnosis) const D3: Rule = Rule {
    code: "NGF-D3",
    severity: Severity::Warning,
    title: "A certificate on the data plane's disk is not the one in its Secret or ConfigMap",
    explanation: "NGF's agent writes the files, and nginx loads them when it reloads. Where an update did not arrive (agent disconnected, reload refused), nginx goes on with the older certificate or CA, and no condition says so.",
    remedy: "See whether the agent is connected and whether the last reload was refused; restarting the data-plane pod writes the files anew.",
    causes: &[
        "NGF-T1", "NGF-B2", "NGF-B5", "NGF-B6", "NGF-B3", "NGF-B10", "NGF-B11",
    ],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut seen = BTreeSet::new();
            for connection in of_gateway(context, &in_pod.gateway) {
                let Some(tls) = &connection.tls else { continue };
                let mut files = Vec::new();
                if let TrustSource::Object { object, key } = &tls.trust {
                    let file = bundle_file(&object.namespace, &object.name);
                    files.push(("CA", object, key.as_str(), file));
                }
                if let Some(secret) = &tls.client_certificate {
                    let file = key_pair_file(&secret.namespace, &secret.name);
                    files.push(("client certificate", secret, "tls.crt", file));
                }
                for (what, object, key, path) in files {
                    if !seen.insert(path.clone()) {
                        continue;
                    }
                    let finding = on_disk(context, in_pod, rendered, what, object, key, &path);
                    if let Some(finding) = finding {
                        findings.add(finding.scope([
                            &connection.service,
                            &connection.route,
                            &tls.policy,
                        ]));
                    }
                }
            }
        }
    },
};

fn on_disk(
    context: &Context<'_>,
    in_pod: &InPod,
    rendered: &Rendered,
    what: &str,
    object: &ObjectRef,
    key: &str,
    path: &str,
) -> Option<Finding> {
    let held = trust::certificates(context.snapshot, object, key).ok()?;
    let prints: Vec<&String> = held.iter().map(|facts| &facts.fingerprint_sha256).collect();
    let pod = &in_pod.pod;
    let (title, shown) = match rendered.file(path) {
        None => (
            format!("The {what} in {object} is not on the disk of {pod}"),
            "no such file".to_owned(),
        ),
        Some(file) if file.fingerprints.iter().collect::<Vec<_>>() == prints => return None,
        Some(file) => {
            let since = file.written.map_or_else(String::new, |at| {
                format!(" since {}", words::moment(at.as_second()))
            });
            let shown = shown(&file.subjects, &file.fingerprints);
            (
                format!("The {what} on the disk of {pod} is not the one in {object}{since}"),
                shown,
            )
        }
    };
    let subjects: Vec<String> = held.iter().map(|facts| facts.subject.clone()).collect();
    let prints: Vec<String> = prints.into_iter().cloned().collect();
    Some(
        Finding::new("NGF-D3", Severity::Warning, &in_pod.gateway, title)
            .evidence("on disk", shown, format!("{path} in {pod}"))
            .evidence(
                "in the cluster",
                self::shown(&subjects, &prints),
                format!("{object}[{key}]"),
            )
            .because(read_at(context, in_pod))
            .scope([object]),
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
    code: "NGF-D4",
    severity: Severity::Warning,
    title: "nginx asks endpoints that the Service no longer has, or not those that it has",
    explanation: "NGF writes the ready endpoints of a Service into nginx's configuration. Where an update did not arrive, nginx goes on with addresses of pods that are gone, which another pod may have by now (nginx-gateway-fabric issues 5120 and 5330).",
    remedy: "See whether the agent is connected and whether the last reload was refused; restarting the data-plane pod brings the configuration anew.",
    causes: &["NGF-T14", "NGF-T15", "NGF-T16"],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut seen = BTreeSet::new();
            for connection in of_gateway(context, &in_pod.gateway) {
                let upstream = upstream(&connection);
                let Some(Some(servers)) = rendered.upstreams.get(&upstream) else {
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
                findings.add(
                    Finding::new("NGF-D4", Severity::Warning, &in_pod.gateway, title)
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
                        .scope([&connection.service, &connection.route]),
                );
            }
        }
    },
};

/// The addresses that NGF would write; `None` where nobody knows them.
fn ready(context: &Context<'_>, connection: &Connection) -> Option<BTreeSet<String>> {
    let service = context.index.service(&connection.service)?;
    if service.spec.service_type == "ExternalName" {
        return None;
    }
    crate::diagnosis::ngf::known::kind_is_known(
        context.snapshot,
        crate::model::kind::Kind::EndpointSlice,
    )
    .ok()?;
    let port = service
        .spec
        .ports
        .iter()
        .find(|port| port.port == connection.port)?;
    let all = context.index.endpoints(service, port);
    let ready = all.iter().filter(|endpoint| endpoint.ready);
    Some(
        ready
            .map(|endpoint| host_and_port(&endpoint.address, endpoint.port))
            .collect(),
    )
}

pub(in crate::diagnosis) const D5: Rule = Rule {
    code: "NGF-D5",
    severity: Severity::Warning,
    title: "nginx is configured otherwise than the objects ask for",
    explanation: "What NGF renders for a backend follows from the objects: server name, CA, client certificate. Where nginx has something else, its configuration is older than the objects, or another version of NGF renders differently, or a SnippetsFilter changes it.",
    remedy: "See whether the Gateway is programmed, whether the agent is connected, and what SnippetsFilters add.",
    causes: &[],
    check: |context, findings| {
        for (in_pod, rendered) in found(context) {
            let mut differing: BTreeMap<(&ObjectRef, u16), (Connection, Vec<String>)> =
                BTreeMap::new();
            let connections = of_gateway(context, &in_pod.gateway);
            for connection in &connections {
                let Some(location) = location(rendered, connection) else {
                    continue;
                };
                let differences = differences(connection, location);
                if !differences.is_empty() {
                    let key = (&connection.service, connection.port);
                    differing
                        .entry(key)
                        .or_insert_with(|| (connection.clone(), differences));
                }
            }
            for ((service, port), (connection, differences)) in differing {
                let mut finding = Finding::new(
                    "NGF-D5",
                    Severity::Warning,
                    &in_pod.gateway,
                    format!(
                        "nginx in {} speaks to {service}:{port} otherwise than the objects ask for: {}",
                        in_pod.pod,
                        list(&differences, 2)
                    ),
                )
                .because(read_at(context, in_pod))
                .scope([&connection.service, &connection.route]);
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

/// The location by which nginx passes requests of that host to that Service, alone or as one of several
/// backends behind a variable; `None` where it has none.
fn location<'a>(rendered: &'a Rendered, connection: &Connection) -> Option<&'a Location> {
    let upstream = upstream(connection);
    rendered.locations.iter().find(|location| {
        let passes = location
            .pass
            .split_once("://")
            .map_or(&*location.pass, |(_, place)| place);
        let among = || {
            let group = rendered.groups.get(passes);
            group.is_some_and(|group| group.contains(&upstream))
        };
        (passes == upstream || among()) && location.server_names.contains(&connection.host)
    })
}

/// `upstream` as NGF names it (`nginx/config/upstreams.go`).
fn upstream(connection: &Connection) -> String {
    let service = &connection.service;
    format!("{}_{}_{}", service.namespace, service.name, connection.port)
}

fn differences(connection: &Connection, location: &Location) -> Vec<String> {
    let expected = directives(connection);
    let speaks_tls = location.pass.starts_with("https://") || location.pass.starts_with("grpcs://");
    let mut all = Vec::new();
    match (speaks_tls, expected.is_empty()) {
        (true, true) => all.push(format!(
            "{} is TLS, and no policy takes effect",
            location.pass
        )),
        (false, false) => all.push(format!(
            "{} is no TLS, and a policy takes effect",
            location.pass
        )),
        _ => {}
    }
    if expected.is_empty() {
        return all;
    }
    let of = |name: &str| location.tls.iter().find(|known| known.name == name);
    for Directive { name, value } in &expected {
        match of(name) {
            Some(known) if known.value == *value => {}
            Some(known) => all.push(format!("{name} is {}, and would be {value}", known.value)),
            None => all.push(format!("{name} is missing, and would be {value}")),
        }
    }
    let presents = location
        .tls
        .iter()
        .find(|known| known.name.ends_with("_ssl_certificate"));
    if let Some(known) = presents
        && connection
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_certificate.is_none())
    {
        // A GRPCRoute never presents what stands at the top (NGF-R9).
        let is_for_it = expected
            .iter()
            .any(|directive| directive.name.split('_').next() == known.name.split('_').next());
        if is_for_it {
            all.push(format!(
                "{} is {}, and would not be there",
                known.name, known.value
            ));
        }
    }
    all
}

fn found<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (&'a InPod, &'a Rendered)> {
    context
        .evidence
        .rendered()
        .filter_map(|in_pod| Some((in_pod, in_pod.found.as_ref().ok()?)))
}

fn of_gateway(context: &Context<'_>, gateway: &ObjectRef) -> Vec<Connection> {
    let target = ProbeTarget::Gateway(gateway.clone());
    connections(context.snapshot, context.index, context.topology, &target).unwrap_or_default()
}

fn read_at(context: &Context<'_>, in_pod: &InPod) -> String {
    format!(
        "It was read {} ago; right after a change the agent may still be at it.",
        words::span(context.now.as_second() - in_pod.at.as_second())
    )
}
