//! What a location differs in from what NGF renders, and NGF-D9: a backend that cannot be compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Severity},
        ngf::directives,
        plan::Connection,
        rule::{Need, Rule},
        words::list,
    },
    model::{kind::Kind, object::ObjectRef},
    nginx_config::{Directive, InPod, Location},
};

use super::lookup::server_names;
use super::lookup::{found, location, of_gateway, read_at, speaks_tls};

pub(in crate::diagnosis) const D9: Rule = Rule {
    code: Code::D9,
    severity: Severity::Info,
    title: "nginx's configuration was not compared for a backend",
    explanation: "What nginx has is compared with the objects by server_name and upstream. For this backend nginx has no such location: its configuration is older than the route, or another object takes the route's place. Nothing is known of the TLS that nginx speaks to it.",
    remedy: "See whether the Gateway is programmed and whether the agent is connected; look for the route's host name in nginx -T.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::NginxConfig],
    check: |context, findings| {
        let mut missing: BTreeMap<(&ObjectRef, ObjectRef), Vec<(&InPod, Connection)>> =
            BTreeMap::new();
        for (in_pod, rendered) in found(context) {
            for connection in of_gateway(context, &in_pod.gateway) {
                let is_stream = connection.route.kind == Kind::TLSRoute;
                if !is_stream && location(context, rendered, &connection).is_none() {
                    let key = (&in_pod.gateway, connection.route.clone());
                    missing.entry(key).or_default().push((in_pod, connection));
                }
            }
        }
        for ((gateway, route), all) in missing {
            let Some((in_pod, connection)) = all.first() else {
                continue;
            };
            let names = server_names(context, connection);
            let pods: BTreeSet<&ObjectRef> = all.iter().map(|(in_pod, _)| &in_pod.pod).collect();
            let services: BTreeSet<&ObjectRef> = all
                .iter()
                .map(|(_, connection)| &connection.service)
                .collect();
            let mut finding = Finding::new(
                Code::D9,
                Severity::Info,
                gateway,
                format!(
                    "nginx's configuration for {route} was not compared: {} has no location of it",
                    list(&pods, 2)
                ),
            )
            .unknown()
            .evidence(
                "server_name",
                list(&names, 3),
                format!("expected in {}", in_pod.pod),
            )
            .because(read_at(context, in_pod))
            .scope(services);
            finding.marks.clear();
            findings.add(finding.scope([&route]));
        }
    },
};

pub(super) fn differences(connection: &Connection, location: &Location) -> Vec<String> {
    let expected = directives(connection);
    let mut all = Vec::new();
    match (speaks_tls(location), expected.is_empty()) {
        (true, true) => all.push(format!(
            "{} is TLS, and no policy takes effect",
            location.pass
        )),
        (false, false) => all.push(format!(
            "{} is not TLS, and a policy takes effect",
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
