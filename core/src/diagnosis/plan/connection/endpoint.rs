//! Where a connection leads: the address of an endpoint, or why there is none.

use super::super::{PlanError, PlannedTls};
use crate::{
    diagnosis::ngf::{cluster_ip::cluster_ip, known},
    model::{
        index::{Endpoint, NoEndpoints},
        kind::Kind,
        kinds::{Service, ServicePort},
        object::{Object, ObjectRef},
    },
};
use ngf_text::host_and_port;

use super::{Connection, Place, Planner};

/// The Host header that nginx passes on (`createBaseProxySetHeaders`, `generateProxySetHeaders`),
/// and why it is that.
pub(in crate::diagnosis::plan) fn host(
    at: &Place<'_>,
    service: &Object<Service>,
    tls: Option<&PlannedTls>,
) -> (String, String) {
    let rule = at.route.spec.rules.get(at.rule);
    if let Some(host) = rule.and_then(|rule| rule.rewrite_hostname.as_ref()) {
        let why = format!("A URLRewrite filter sets the Host header to {host}.");
        return (host.clone(), why);
    }
    if let Some(name) = &service.spec.external_name
        && service.spec.service_type == "ExternalName"
    {
        let why = format!("The Host header is the ExternalName's own name, {name}.");
        return (name.clone(), why);
    }
    match at.hostnames.first() {
        Some(host) if host.starts_with("*.") => {
            let host = host.replacen('*', "any", 1);
            let why = format!(
                "nginx passes the client's Host header on; {host} stands for the route's wildcard."
            );
            (host, why)
        }
        Some(host) => (
            host.clone(),
            format!("nginx passes the client's Host header on: {host}."),
        ),
        None => {
            let host = tls.map_or_else(
                || format!("{}.{}", service.reference.name, service.reference.namespace),
                |tls| tls.hostname.trim_start_matches("*.").to_owned(),
            );
            let why = format!(
                "nginx passes the client's Host header on; the route takes any, so {host} stands for it."
            );
            (host, why)
        }
    }
}

pub(in crate::diagnosis::plan) fn how_reached(at: &Place<'_>) -> String {
    let (route, gateway) = (&at.route.reference, &at.gateway.reference);
    match &at.listener {
        Some((owner, name)) if owner == gateway => {
            format!("{route} is attached to listener {name} of {gateway}.")
        }
        Some((owner, name)) => {
            format!("{route} is attached to listener {name} of {owner}, and so to {gateway}.")
        }
        None => format!("{route} is attached to {gateway}."),
    }
}

pub(in crate::diagnosis::plan) fn with_endpoint(
    because: &[String],
    endpoint: &Endpoint,
) -> Vec<String> {
    let mut because = because.to_vec();
    let address = host_and_port(&endpoint.address, endpoint.port);
    because.push(match (&endpoint.pod, endpoint.ready) {
        (_, false) => format!("{address} is not ready: nginx is not given it."),
        (Some(pod), true) => {
            format!("nginx connects to {address}, the address of {pod}, not to the Service's.")
        }
        (None, true) => format!("nginx connects to {address}."),
    });
    because
}

/// Why a Service has no endpoint where its EndpointSlices hold names.
pub const NAMES_ONLY: &str = "its EndpointSlices are of addressType FQDN, which NGF passes over";

pub(in crate::diagnosis::plan) fn no_endpoints(
    why: &NoEndpoints,
    service: &Object<Service>,
) -> String {
    match why {
        NoEndpoints::NoSlices if service.spec.selector.is_empty() => {
            "the Service has no selector, and nobody wrote EndpointSlices for it".to_owned()
        }
        NoEndpoints::NoSlices => "there is no EndpointSlice for the Service".to_owned(),
        NoEndpoints::NoSuchPort { name, found } => format!(
            "its EndpointSlices have no port named {name:?} but {}: the Service's targetPort names no port of the pods",
            found.join(", ")
        ),
        NoEndpoints::NamesOnly => NAMES_ONLY.to_owned(),
        NoEndpoints::NoneReady(1) => "its only endpoint is not ready".to_owned(),
        NoEndpoints::NoneReady(count) => format!("none of its {count} endpoints is ready"),
        NoEndpoints::NoAddresses => "no pod meets its selector".to_owned(),
    }
}

impl Planner<'_> {
    /// The Service's ClusterIP, where nginx connects to that.
    pub(super) fn cluster_ip(
        &self,
        connection: &Connection,
        service: &Object<Service>,
        port: &ServicePort,
    ) -> Option<Endpoint> {
        let gateway = self.snapshot.gateways.get(&connection.gateway)?;
        let kind = connection.route.kind;
        cluster_ip(self.snapshot, self.release, gateway, kind, service, port)
    }

    pub(super) fn ready_endpoints(
        &self,
        service: &Object<Service>,
        port: &ServicePort,
        effect: &'static str,
    ) -> Result<Vec<Endpoint>, PlanError> {
        let ready: Vec<_> = self
            .index
            .endpoints(service, port)
            .into_iter()
            .filter(|endpoint| endpoint.ready || self.unready_too)
            .collect();
        if !ready.is_empty() {
            return Ok(ready);
        }
        let label = format!("{}:{}", service.reference, port.port);
        let why = self.index.why_none_ready(service, port);
        let slices = ObjectRef::new(Kind::EndpointSlice, &service.reference.namespace, "*");
        match known::absence_is_proven(self.snapshot, &slices) {
            Err(unknown) if why == NoEndpoints::NoSlices => Err(PlanError::NotKnown(format!(
                "the endpoints of {label} are not known: {}",
                known::kind_is_known(self.snapshot, Kind::EndpointSlice)
                    .err()
                    .unwrap_or(unknown)
            ))),
            _ => Err(PlanError::NoEndpoints {
                service: label,
                why: no_endpoints(&why, service),
                effect,
            }),
        }
    }
}
