//! G11 and B12: what follows from nginx having one client certificate, and one cache of sessions, for
//! all upstreams of a Gateway.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::Transcript;

use super::{Probed, connection::client_leaf};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Severity},
        rule::{Need, Rule},
        words::list,
    },
    model::object::ObjectRef,
};
use ngf_text::host_and_port;

fn results<'a>(context: &'a Context<'_>) -> impl Iterator<Item = (&'a Probed, &'a Transcript)> {
    context.probes.iter().filter_map(|probed| {
        let transcript = probed.result.as_ref().ok()?;
        Some((*probed, &**transcript))
    })
}

/// By Service and port: whether it takes the client certificate's CA, a probe, and the CAs it names.
type Asked<'a> = BTreeMap<(&'a ObjectRef, u16), (bool, &'a Probed, &'a [String])>;

pub(in crate::diagnosis) const G11: Rule = Rule {
    code: Code::G11,
    severity: Severity::Error,
    title: "The backends of one Gateway ask for client certificates of different CAs, and nginx has one for all",
    explanation: "NGF renders one proxy_ssl_certificate for the whole Gateway; the Gateway API has no override for a Service (GEP-3155). A certificate that one backend trusts is refused by another whose CA is another.",
    remedy: "Let the backends trust one CA, or use a Gateway for each CA.",
    causes: &[Code::B2, Code::B5, Code::B6, Code::B10, Code::B11],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut asked: BTreeMap<&ObjectRef, Asked<'_>> = BTreeMap::new();
        for (probed, transcript) in results(context) {
            let (plan, names) = (&probed.plan, &transcript.client_certificate.acceptable_cas);
            // Where it sends intermediates, its chain may end in another name than its issuer's.
            let Some(leaf) = client_leaf(context, plan).filter(|_| !names.is_empty()) else {
                continue;
            };
            let takes = names.contains(&leaf.issuer);
            asked
                .entry(&plan.gateway)
                .or_default()
                .insert((&plan.service, plan.port), (takes, probed, names));
        }
        for (gateway, services) in asked {
            let takes = services.iter().find(|(_, (takes, _, _))| *takes);
            let Some(((one, _), (_, _, trusted))) = takes else {
                continue;
            };
            let others: Vec<_> = services
                .iter()
                .filter(|(_, (takes, _, names))| {
                    !*takes && names.iter().all(|name| !trusted.contains(name))
                })
                .collect();
            let Some(((other, port), (_, probed, names))) = others.first() else {
                continue;
            };
            let labels = list(
                others
                    .iter()
                    .map(|((service, port), _)| format!("{service}:{port}")),
                3,
            );
            findings.add(
                Finding::new(
                    Code::G11,
                    Severity::Error,
                    gateway,
                    format!("{gateway} has one client certificate for all backends; {one} trusts its CA, and {labels} another"),
                )
                .evidence("CAs that the backend names", list(*trusted, 3), format!("CertificateRequest of {}", one.path()))
                .evidence("CAs that the backend names", list(*names, 3), format!("CertificateRequest of {}:{port}", other.path()))
                .scope(others.iter().map(|((service, _), _)| *service))
                .scope(probed.plan.tls.iter().map(|tls| &tls.policy)),
            );
        }
    },
};

pub(in crate::diagnosis) const B12: Rule = Rule {
    code: Code::B12,
    severity: Severity::Warning,
    title: "The backend's nginx refuses resumed TLS 1.3 sessions under another server name",
    explanation: "nginx 1.27.4 to 1.29.1 refuses a resumed session with a client certificate where its server name is another than that of the session. The gateway's nginx keeps sessions for each server of an upstream, and the upstream belongs to the Service's port. Two names for one upstream come of NGF-R2 only: a Service without a policy shares one rule with a backend of one policy, and another rule with a backend of another. Some requests for it fail then.",
    remedy: "Give the Service a policy of its own, or rules of its own; or update the backend's nginx to 1.29.2 or later.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| {
        type Names<'a> = BTreeMap<&'a str, (&'a Probed, &'a str)>;
        // By Gateway, upstream (Service and port) and server.
        type Server<'a> = (&'a ObjectRef, (&'a ObjectRef, u16), (&'a str, u16));
        let mut names: BTreeMap<Server<'_>, Names<'_>> = BTreeMap::new();
        for (probed, transcript) in results(context) {
            let server = transcript
                .http
                .as_ref()
                .and_then(|http| http.server.as_deref());
            let tls13 = transcript
                .tls
                .as_ref()
                .is_some_and(|tls| tls.version == "TLSv1.3");
            let (Some(server), Some(tls), true, true) = (
                server.filter(|server| refuses_resumption(server)),
                &probed.plan.tls,
                tls13,
                transcript.client_certificate.sent,
            ) else {
                continue;
            };
            let plan = &probed.plan;
            names
                .entry((
                    &plan.gateway,
                    (&plan.service, plan.port),
                    (&*plan.endpoint.address, plan.endpoint.port),
                ))
                .or_default()
                .insert(&tls.hostname, (probed, server));
        }
        for ((_, _, (address, port)), by_name) in names {
            let routes: BTreeSet<&ObjectRef> = by_name
                .values()
                .map(|(probed, _)| &probed.plan.route)
                .collect();
            let (true, Some((probed, server))) = (by_name.len() > 1, by_name.values().next())
            else {
                continue;
            };
            let endpoint = host_and_port(address, port);
            findings.add(
                Finding::new(
                    Code::B12,
                    Severity::Warning,
                    &probed.plan.service,
                    format!(
                        "{endpoint} is reached as {}, and its {server} refuses sessions that were made under another name",
                        list(by_name.keys(), 3)
                    ),
                )
                .evidence("Server", *server, format!("answer of {endpoint}"))
                .scope(routes),
            );
        }
    },
};

/// `nginx/1.27.4` to `nginx/1.29.1`.
fn refuses_resumption(server: &str) -> bool {
    let Some(version) = server.strip_prefix("nginx/") else {
        return false;
    };
    let numbers: Option<Vec<u32>> = version
        .split(' ')
        .next()
        .unwrap_or_default()
        .split('.')
        .map(|number| number.parse().ok())
        .collect();
    matches!(numbers.as_deref(), Some([major, minor, patch]) if ((1, 27, 4)..=(1, 29, 1)).contains(&(*major, *minor, *patch)))
}
