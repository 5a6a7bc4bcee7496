//! X3 and X4: what the number, the name and the appProtocol of a Service's port say it speaks, beside
//! what nginx speaks to it.

use std::collections::{BTreeSet, HashMap};

use super::expected::{is_probed, told};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendDecision, BackendState, known},
        rule::{Need, Rule},
        rules::{change, payload_processor::processors},
        words::list,
    },
    model::{
        index::Endpoint,
        kind::Kind,
        kinds::{Service, ServicePort},
        meant::{Meant, meant},
        object::{Object, ObjectRef},
    },
};

/// A Service's port that routes use.
struct InUse<'c, 'a> {
    backend: &'c BackendDecision<'a>,
    service: &'a Object<Service>,
    port: &'a ServicePort,
    routes: BTreeSet<&'a ObjectRef>,
    gateways: BTreeSet<&'a ObjectRef>,
}

/// The ports that routes use; backends without a share of the traffic are left out.
fn ports_in_use<'c, 'a>(context: &'c Context<'a>) -> Vec<InUse<'c, 'a>> {
    let mut found: Vec<InUse<'_, '_>> = Vec::new();
    let mut places = HashMap::new();
    for rule in &context.rules {
        let route = &rule.route.reference;
        // nginx does not look into the bytes of the others.
        let is_http = matches!(route.kind, Kind::HTTPRoute | Kind::GRPCRoute);
        // Clients get 500 (NGF-R1), or nginx speaks TLS to all (NGF-R2).
        if !is_http
            || rule.decision.mismatch
            || rule.decision.spills
            || rule.decision.barred.is_some()
        {
            continue;
        }
        for backend in &rule.decision.backends {
            let Some((service, port)) = backend.port.filter(|_| backend.reference.weight != 0)
            else {
                continue;
            };
            let key = (
                &service.reference,
                port.port,
                std::mem::discriminant(&backend.state),
            );
            let place = *places.entry(key).or_insert(found.len());
            match found.get_mut(place) {
                Some(known) => {
                    known.routes.insert(route);
                    known.gateways.extend(&rule.gateways);
                }
                None => found.push(InUse {
                    backend,
                    service,
                    port,
                    routes: BTreeSet::from([route]),
                    gateways: rule.gateways.clone(),
                }),
            }
        }
    }
    found
}

pub(in crate::diagnosis) const X3: Rule = Rule {
    code: Code::X3,
    severity: Severity::Warning,
    title: "nginx speaks TLS to a port that is meant for plain HTTP",
    explanation: "A BackendTLSPolicy without sectionName takes effect on every port of the Service, and the route uses one that its name, appProtocol or number says is for plain HTTP. nginx sends a ClientHello there. If the port speaks plain HTTP, nginx logs `wrong version number` and clients get 502 (NGF-T12). Only a probe shows what the port speaks.",
    remedy: "Let the route use the TLS port, or limit the policy to it with a sectionName.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods],
    check: |context, findings| {
        let told = told(findings);
        for InUse {
            backend,
            service,
            port,
            routes,
            gateways,
        } in ports_in_use(context)
        {
            let BackendState::Tls { policy, .. } = &backend.state else {
                continue;
            };
            let (Meant::Plain, why) = meant(port) else {
                continue;
            };
            let name = &service.reference;
            if is_probed(context, service, port) || told.contains(name) {
                continue;
            }
            // A policy that names the port was written for it.
            let is_named = policy
                .spec
                .target_refs
                .iter()
                .any(|target| target.name == name.name && target.section_name.is_some());
            if is_named {
                continue;
            }
            let tls = service
                .spec
                .ports
                .iter()
                .find(|other| matches!(meant(other), (Meant::Tls, _)));
            // A name alone says little: many call a port http that speaks HTTPS.
            if tls.is_none() && port.port != 80 {
                continue;
            }
            let mut finding = Finding::new(
                Code::X3,
                Severity::Warning,
                name,
                format!(
                    "nginx speaks TLS to {name}:{}, which is meant for plain HTTP: {why}",
                    port.port
                ),
            )
            .unknown()
            .because(format!(
                "{} has no sectionName, so it takes effect on every port of the Service.",
                policy.reference
            ))
            .because("If the port speaks plain HTTP, clients get 502. Only a probe shows what it speaks.")
            .evidence("port", described(port), name.to_string())
            .scope([&policy.reference])
            .scope(routes.iter().copied())
            .scope(gateways);
            finding.marks.extend(backend.mark());
            if let Some(tls) = tls {
                finding = finding.remedy(Remedy::say(format!(
                    "Let {} use port {} of {name}, or limit {} to that port with a sectionName.",
                    list(&routes, 2),
                    tls.port,
                    policy.reference
                )));
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const X4: Rule = Rule {
    code: Code::X4,
    severity: Severity::Warning,
    title: "nginx speaks plain HTTP to a port that is meant for TLS",
    explanation: "The port's name, number or appProtocol says that it is for TLS, and no BackendTLSPolicy takes effect on it. NGF reads none of them: without a policy nginx speaks plain HTTP. If the port wants TLS, an nginx backend answers 400 `The plain HTTP request was sent to HTTPS port`, and others close the connection (NGF-B9). Resources and annotations of other controllers (Istio DestinationRule, Traefik ServersTransport, Envoy Gateway Backend and BackendTrafficPolicy, annotations of ingress-nginx) mean nothing to NGF. Only a probe shows what the port speaks.",
    remedy: "Create a BackendTLSPolicy that targets the Service, in the Service's namespace.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::NginxProxies],
    check: |context, findings| {
        let told = told(findings);
        for InUse {
            backend,
            service,
            port,
            routes,
            gateways,
        } in ports_in_use(context)
        {
            let (Meant::Tls, why) = meant(port) else {
                continue;
            };
            let name = &service.reference;
            let is_plain = matches!(backend.state, BackendState::Plain);
            if !is_plain || is_probed(context, service, port) || told.contains(name) {
                continue;
            }
            // Without an endpoint there is nothing to speak to; NGF-N3 says so.
            let is_refused = |route: &&ObjectRef| findings.has(Code::R7, route);
            if findings.has(Code::N3, name) || routes.iter().all(is_refused) {
                continue;
            }
            let endpoints = context.index.endpoints(service, port);
            let effect = if backend.filter {
                "the requests of the route's filter to it fail"
            } else {
                "clients get 400 or 502"
            };
            let mut finding = Finding::new(
                Code::X4,
                Severity::Warning,
                name,
                format!(
                    "nginx speaks plain HTTP to {name}:{}, which is meant for TLS: {why}",
                    port.port
                ),
            )
            .unknown()
            .because("No BackendTLSPolicy takes effect on it; NGF turns TLS on for nothing else.")
            .because(match endpoints.iter().find(|endpoint| endpoint.ready) {
                Some(Endpoint { .. }) if !context.is_files() => {
                    let probe = Command::own()
                        .namespace(&name.namespace)
                        .words(["probe"])
                        .service_port(name, port.port);
                    let see = probe.text().map_or_else(
                        |_| "Only a probe shows what it speaks.".to_owned(),
                        |probe| format!("To see what it speaks: {probe}"),
                    );
                    format!("If it wants TLS, {effect}. {see}")
                }
                _ => format!("If it wants TLS, {effect}. Only a probe shows what it speaks."),
            })
            .evidence("port", described(port), name.to_string())
            .scope(routes.iter().copied())
            .scope(gateways);
            for foreign in foreign(context, service) {
                finding = finding.because(format!("{foreign} means nothing to NGF."));
            }
            finding.marks.extend(backend.mark());
            if let Some(mut remedy) = change::policy_for(context, name) {
                // On a port that speaks plain HTTP after all, it would break what works.
                remedy.changes.clear();
                finding = finding.remedy(remedy);
            }
            findings.add(finding);
        }
        of_processors(context, findings);
    },
};

/// X4 of the backends of PayloadProcessors.
fn of_processors(context: &Context<'_>, findings: &mut Findings) {
    for processor in processors(context) {
        let Some((service, port)) = processor.port(context) else {
            continue;
        };
        let (Meant::Tls, why) = meant(port) else {
            continue;
        };
        let is_plain = processor.policy(context).is_none()
            && processor.external_name(context).is_none()
            && known::kind_is_known(context.snapshot, Kind::BackendTLSPolicy).is_ok();
        let name = &service.reference;
        if !is_plain || processor.refusal(context).is_some() || findings.has(Code::X4, name) {
            continue;
        }
        let inspects = &processor.object.reference;
        let mut finding = Finding::new(
            Code::X4,
            Severity::Warning,
            name,
            format!(
                "nginx speaks plain HTTP to {name}:{}, which inspects requests and is meant for TLS: {why}",
                port.port
            ),
        )
        .unknown()
        .because("No BackendTLSPolicy takes effect on it; NGF turns TLS on for nothing else.")
        .because(format!("If it wants TLS, {inspects} can inspect nothing."))
        .evidence("port", described(port), name.to_string())
        .scope([inspects])
        .scope(processor.gateways.iter().copied())
        .mark_objects([inspects]);
        if let Some(mut remedy) = change::policy_for(context, name) {
            remedy.changes.clear();
            finding = finding.remedy(remedy);
        }
        findings.add(finding);
    }
}

/// `https 443 → 8443 (appProtocol https)`.
fn described(port: &ServicePort) -> String {
    let name = if port.name.is_empty() {
        String::new()
    } else {
        format!("{} ", port.name)
    };
    let target = port
        .target_port
        .as_deref()
        .map_or_else(String::new, |target| format!(" → {target}"));
    let protocol = port
        .app_protocol
        .as_deref()
        .map_or_else(String::new, |protocol| format!(" (appProtocol {protocol})"));
    format!("{name}{}{target}{protocol}", port.port)
}

/// Kinds of other controllers that set TLS to a backend, by `Kind` and the end of their group.
const FOREIGN_KINDS: &[(&str, &str)] = &[
    ("DestinationRule", "istio.io"),
    ("ServiceEntry", "istio.io"),
    ("PeerAuthentication", "istio.io"),
    ("ServersTransport", "traefik.io"),
    ("ServersTransport", "traefik.containo.us"),
    ("ServersTransportTCP", "traefik.io"),
    ("Backend", "gateway.envoyproxy.io"),
    ("BackendTrafficPolicy", "gateway.envoyproxy.io"),
    ("TrafficPolicy", "kgateway.dev"),
    ("BackendConfigPolicy", "kgateway.dev"),
    ("Upstream", "gloo.solo.io"),
    ("CiliumEnvoyConfig", "cilium.io"),
    ("TLSPolicy", "kuadrant.io"),
    ("KongUpstreamPolicy", "konghq.com"),
    ("BackendConfig", "cloud.google.com"),
    ("HTTPProxy", "projectcontour.io"),
    ("VirtualServer", "nginx.org"),
    ("TransportServer", "nginx.org"),
    ("Policy", "nginx.org"),
];

/// Prefixes of annotations with which other controllers turn TLS to a backend on.
const FOREIGN_ANNOTATIONS: &[&str] = &[
    "nginx.ingress.kubernetes.io/backend-protocol",
    "nginx.ingress.kubernetes.io/proxy-ssl",
    "nginx.org/ssl-services",
    "traefik.ingress.kubernetes.io/service.serversscheme",
    "traefik.ingress.kubernetes.io/service.serverstransport",
    "projectcontour.io/upstream-protocol.tls",
    "cloud.google.com/app-protocols",
    "alb.ingress.kubernetes.io/backend-protocol",
    "haproxy.org/server-ssl",
    "ingress.kubernetes.io/secure-backends",
    "konghq.com/protocol",
];

/// What of other controllers is beside the Service and may have been meant to turn TLS on.
fn foreign(context: &Context<'_>, service: &Object<Service>) -> Vec<String> {
    let annotations = service.meta.annotations.keys().filter(|key| {
        FOREIGN_ANNOTATIONS
            .iter()
            .any(|prefix| key.starts_with(prefix))
    });
    let annotations =
        annotations.map(|key| format!("The annotation {key} of {}", service.reference));
    // Of objects that the tool does not read, it knows the kind alone.
    let kinds = context.snapshot.ignored.keys().filter_map(|name| {
        let (api_version, kind) = name.rsplit_once(' ')?;
        let (group, _) = api_version.split_once('/')?;
        FOREIGN_KINDS
            .iter()
            .any(|(known, of)| *known == kind && group.ends_with(of))
            .then(|| format!("The {kind} of {group} in the files"))
    });
    annotations.chain(kinds).take(4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, number: u16, app_protocol: Option<&str>) -> ServicePort {
        ServicePort {
            name: name.to_owned(),
            port: number,
            app_protocol: app_protocol.map(str::to_owned),
            ..ServicePort::default()
        }
    }

    #[test]
    fn a_port_is_meant_for_what_its_service_says() {
        for (port, expected) in [
            (port("https", 9443, None), Meant::Tls),
            (port("https-console", 9443, None), Meant::Tls),
            (port("web", 443, None), Meant::Tls),
            (port("", 8443, None), Meant::Tls),
            (port("web", 8080, Some("https")), Meant::Tls),
            (port("web", 8080, Some("kubernetes.io/wss")), Meant::Tls),
            // Somebody says so of this very port.
            (port("http", 443, None), Meant::Plain),
            (port("https", 443, Some("http")), Meant::Plain),
            (port("http", 8080, None), Meant::Plain),
            (port("", 80, None), Meant::Plain),
            (port("grpc", 443, Some("kubernetes.io/h2c")), Meant::Plain),
            (port("api", 8080, None), Meant::Nothing),
            (port("metrics", 9090, None), Meant::Nothing),
        ] {
            assert_eq!(meant(&port).0, expected, "{port:?}");
        }
    }
}
