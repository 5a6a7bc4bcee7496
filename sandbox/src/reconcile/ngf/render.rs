//! The configuration that NGF's agent writes for a Gateway (`internal/controller/nginx/config`): what
//! of it is about backends and their TLS.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::gateway::GatewayState;
use super::policies::PolicyState;
use super::references::{config_map_authority, secret_data};
use super::routes::{Backend, RouteState, RuleState};
use crate::data_plane::{Configuration, Location, Pass, Server, UpstreamTls};
use crate::kinds;
use crate::metadata::meta;
use crate::nginx::config::Files;
use crate::reconcile::World;

/// Where NGF's agent writes certificates.
const SECRETS: &str = "/etc/nginx/secrets";

/// Writes it.
pub(super) fn run(
    world: &World,
    gateway: &GatewayState,
    policies: &[PolicyState],
    routes: &[RouteState],
) {
    let mut files = Files::new();
    let client_pair = client_pair(world, gateway, &mut files);
    let name = gateway.name();
    let (mut servers, mut upstreams) = (Vec::new(), BTreeMap::new());
    for listener in gateway.listeners.iter().filter(|l| l.valid) {
        let port = listener.spec["port"].as_u64();
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            continue;
        };
        // Only these are played.
        if listener.spec["protocol"] != "HTTP" {
            continue;
        }
        let own = listener.spec["hostname"].as_str().unwrap_or_default();
        for route in routes.iter().filter(|route| route.attached_to(&name)) {
            for host in hosts(own, &route.object) {
                let mut server = Server {
                    port,
                    name: host,
                    locations: Vec::new(),
                };
                for rule in &route.rules {
                    let pass = pass(world, route, rule, policies, &mut upstreams, &mut files);
                    for (exact, path) in paths(&rule.spec) {
                        server.locations.push(Location {
                            exact,
                            path,
                            pass: pass.clone(),
                        });
                    }
                }
                servers.push(server);
            }
        }
        servers.push(Server {
            port,
            name: String::new(),
            locations: Vec::new(),
        });
    }
    let configuration = Configuration {
        client_pair,
        upstreams: upstreams.into_iter().collect(),
        servers,
        secrets: files,
    };
    let (namespace, deployment) = data_plane(gateway);
    world.pods.configure(namespace, &deployment, configuration);
}

/// nginx does not take what would be made.
pub(super) fn refused(world: &World, gateway: &GatewayState, error: &str) {
    let (namespace, deployment) = data_plane(gateway);
    world.pods.refuse(namespace, &deployment, error);
}

/// Namespace and name of its Deployment.
fn data_plane(gateway: &GatewayState) -> (&str, String) {
    let name = super::provision::resource_name(meta(&gateway.object, "name"), super::CLASS);
    (meta(&gateway.object, "namespace"), name)
}

/// `ssl_keypair_NAMESPACE_NAME.pem`: certificate and key in one file.
fn client_pair(world: &World, gateway: &GatewayState, files: &mut Files) -> Option<String> {
    let (namespace, name) = gateway.client_secret.as_ref()?;
    let secret = world.store.get(kinds::SECRET, namespace, name)?;
    let mut pem = Zeroizing::new(Vec::new());
    for key in ["tls.crt", "tls.key"] {
        pem.extend_from_slice(&secret_data(&secret, key)?);
        if !pem.ends_with(b"\n") {
            pem.push(b'\n');
        }
    }
    let file = format!("{SECRETS}/ssl_keypair_{namespace}_{name}.pem");
    files.insert(file.clone(), pem);
    Some(file)
}

/// The names of the servers for a route at a listener of this name; `~^` is NGF's for every name.
fn hosts(own: &str, route: &Value) -> Vec<String> {
    let names = route.pointer("/spec/hostnames").and_then(Value::as_array);
    let names: Vec<String> = names
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_lowercase))
        .collect();
    match (names.is_empty(), own) {
        (false, _) => names,
        (true, "") => vec!["~^".to_owned()],
        (true, own) => vec![own.to_lowercase()],
    }
}

/// Paths of a rule's matches: exact ones, and prefixes; `/app` as a prefix is `/app/` and `= /app`.
fn paths(rule: &Value) -> Vec<(bool, String)> {
    let matches = rule["matches"].as_array();
    let mut paths = Vec::new();
    for path in matches.into_iter().flatten().map(|one| &one["path"]) {
        let value = path["value"].as_str().unwrap_or("/").to_owned();
        match path["type"].as_str() {
            Some("Exact") => paths.push((true, value)),
            _ if value == "/" => paths.push((false, value)),
            _ => {
                let bare = value.trim_end_matches('/');
                paths.push((false, format!("{bare}/")));
                paths.push((true, bare.to_owned()));
            }
        }
    }
    if paths.is_empty() {
        paths.push((false, "/".to_owned()));
    }
    paths.dedup();
    paths
}

type Upstreams = BTreeMap<String, Vec<(std::net::Ipv4Addr, u16)>>;

fn pass(
    world: &World,
    route: &RouteState,
    rule: &RuleState,
    policies: &[PolicyState],
    upstreams: &mut Upstreams,
    files: &mut Files,
) -> Pass {
    let Some(first) = rule.backends.first() else {
        return Pass::Invalid;
    };
    let tls = first
        .policy
        .map(|index| trust(world, &policies[index].object, files));
    let mut to = Vec::new();
    for backend in &rule.backends {
        let name = upstream(backend);
        upstreams.entry(name.clone()).or_insert_with(|| {
            let endpoints = world.pods.endpoints(&backend.service, true);
            let named = endpoints
                .into_iter()
                .filter(|(name, ..)| *name == backend.port.1);
            let mut servers: Vec<_> = named.map(|(_, address, port)| (address, port)).collect();
            servers.sort_unstable();
            servers
        });
        to.push((name, backend.weight));
    }
    Pass::To {
        upstreams: to,
        tls,
        grpc: route.kind.kind == "GRPCRoute",
    }
}

/// `NAMESPACE_SERVICE_PORT`.
fn upstream(backend: &Backend) -> String {
    let service = &backend.service;
    let (namespace, name) = (meta(service, "namespace"), meta(service, "name"));
    format!("{namespace}_{name}_{}", backend.port.0)
}

/// The name and the CA of a policy; `cert_bundle_NAMESPACE_NAME.crt` whatever kind it comes from.
fn trust(world: &World, policy: &Value, files: &mut Files) -> UpstreamTls {
    let validation = &policy["spec"]["validation"];
    let name = validation["hostname"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let reference = &validation["caCertificateRefs"][0];
    let Some(object) = reference["name"].as_str() else {
        return UpstreamTls {
            name,
            trusted: "/etc/ssl/cert.pem".to_owned(),
        };
    };
    let namespace = meta(policy, "namespace");
    let bundle = if reference["kind"] == "Secret" {
        let secret = world.store.get(kinds::SECRET, namespace, object);
        secret.and_then(|secret| secret_data(&secret, "ca.crt"))
    } else {
        let map = world.store.get(kinds::CONFIG_MAP, namespace, object);
        map.and_then(|map| config_map_authority(&map))
            .map(Zeroizing::new)
    };
    let trusted = format!("{SECRETS}/cert_bundle_{namespace}_{object}.crt");
    files.insert(trusted.clone(), bundle.unwrap_or_default());
    UpstreamTls { name, trusted }
}
