//! The configuration that NGF's agent writes for a Gateway (`internal/controller/nginx/config`): what
//! of it is about backends and their TLS.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ngf_core::diagnosis::ngf::frontend::frontend_bundle_file;
use ngf_core::diagnosis::ngf::{
    BackendDecision, BackendState, RuleDecision, SYSTEM_CA_FILE, bundle_file, key_pair_file,
};
use ngf_core::diagnosis::plan::TrustSource;
use ngf_core::model::attachment::accepted_hostnames;
use ngf_core::model::kind::Kind;
use ngf_core::model::kinds::Listener;
use ngf_core::model::object::ObjectRef;
use serde_json::Value;
use zeroize::Zeroizing;

use super::gateway::GatewayState;
use super::routes::RouteState;
use crate::data_plane::{Clients, Configuration, Location, Pass, Server, ServerTls, UpstreamTls};
use crate::kinds;
use crate::metadata::meta;
use crate::nginx::config::Files;
use crate::reconcile::Controllers;
use crate::store::Store;

type Upstreams = BTreeMap<String, Vec<(Ipv4Addr, u16)>>;

/// The bytes under a Secret's key.
pub(super) fn data(secret: &Value, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.get("data")?.get(key)?.as_str()?;
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

/// `ca.crt` of a Secret or ConfigMap; `binaryData` wins.
pub(super) fn authority(store: &Store, object: &ObjectRef) -> Option<Zeroizing<Vec<u8>>> {
    let (namespace, name) = (&object.namespace, &object.name);
    if object.kind == Kind::Secret {
        return data(&*store.get(kinds::SECRET, namespace, name)?, "ca.crt");
    }
    let map = store.get(kinds::CONFIG_MAP, namespace, name)?;
    let text = |pointer: &str| map.pointer(pointer).and_then(Value::as_str);
    let bytes = match text("/binaryData/ca.crt") {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => text("/data/ca.crt")?.as_bytes().to_vec(),
    };
    Some(Zeroizing::new(bytes))
}

/// The backends of a rule that nginx asks; none where it is to answer 500.
pub(super) fn taken<'r, 's>(
    rule: &'r RuleDecision<'s>,
) -> impl Iterator<Item = &'r BackendDecision<'s>> {
    let backends = rule.backends.iter();
    let backends = backends.filter(|_| !rule.mismatch && rule.barred.is_none());
    backends.filter(|backend| {
        let works = matches!(
            backend.state,
            BackendState::Plain | BackendState::Tls { .. }
        );
        works && !backend.filter && backend.port.is_some()
    })
}

/// Writes it.
pub(super) fn run(
    controllers: &Controllers,
    gateway: &GatewayState<'_>,
    routes: &[RouteState<'_>],
) {
    let mut files = Files::new();
    let client_pair = client_pair(controllers, gateway, &mut files);
    let (mut servers, mut upstreams) = (Vec::new(), Upstreams::new());
    let listeners = gateway.read.spec.listeners.iter().zip(&gateway.listeners);
    // Only these are played.
    let played = listeners.filter(|(listener, decided)| {
        decided.valid == Some(true) && matches!(listener.protocol.as_str(), "HTTP" | "HTTPS")
    });
    for (listener, _) in played {
        let tls = (listener.protocol == "HTTPS")
            .then(|| listener_tls(controllers, gateway, listener, &mut files));
        let name = &gateway.read.reference;
        for route in routes.iter().filter(|route| route.attached_to(name)) {
            let hosts =
                accepted_hostnames(listener.hostname.as_deref(), &route.read.spec.hostnames);
            for host in names(hosts) {
                let mut server = Server {
                    port: listener.port,
                    name: host,
                    tls: tls.clone(),
                    locations: Vec::new(),
                };
                for (index, rule) in route.rules.iter().enumerate() {
                    let pass = pass(controllers, route, rule, &mut upstreams, &mut files);
                    for (exact, path) in paths(route, index) {
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
            port: listener.port,
            name: String::new(),
            tls,
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
    controllers
        .pods
        .configure(namespace, &deployment, configuration);
}

/// nginx does not accept what would be rendered.
pub(super) fn refused(controllers: &Controllers, gateway: &GatewayState<'_>, error: &str) {
    let (namespace, deployment) = data_plane(gateway);
    controllers.pods.refuse(namespace, &deployment, error);
}

/// Namespace and name of its Deployment.
fn data_plane<'g>(gateway: &'g GatewayState<'_>) -> (&'g str, String) {
    let name = super::provision::resource_name(meta(&gateway.object, "name"), super::CLASS);
    (meta(&gateway.object, "namespace"), name)
}

/// What a listener presents to its clients, and what it demands of them.
fn listener_tls(
    controllers: &Controllers,
    gateway: &GatewayState<'_>,
    listener: &Listener,
    files: &mut Files,
) -> ServerTls {
    let own = &gateway.read.reference;
    let secrets = listener.certificate_refs.iter().map(|reference| {
        let namespace = reference.namespace.as_deref().unwrap_or(&own.namespace);
        ObjectRef::new(Kind::Secret, namespace, &reference.name)
    });
    let secrets: Vec<ObjectRef> = secrets.collect();
    let pairs = secrets
        .iter()
        .filter_map(|secret| pair(controllers, secret, files));
    let pairs = pairs.collect();
    let clients = match gateway.demand(listener.port) {
        None => Clients::Anyone,
        Some(demand) if demand.insecure => Clients::AnyCertificate,
        Some(demand) => {
            let file = frontend_bundle_file(own, listener.port);
            let mut bundle = Zeroizing::new(Vec::new());
            let usable = demand.cas.iter().filter(|ca| ca.fault == Ok(None));
            for ca in usable.filter_map(|ca| ca.object.as_ref()) {
                bundle.extend_from_slice(&authority(&controllers.store, ca).unwrap_or_default());
                bundle.push(b'\n');
            }
            files.insert(file.clone(), bundle);
            Clients::Of(file)
        }
    };
    ServerTls { pairs, clients }
}

fn client_pair(
    controllers: &Controllers,
    gateway: &GatewayState<'_>,
    files: &mut Files,
) -> Option<String> {
    pair(controllers, gateway.client_secret.as_ref()?, files)
}

/// `ssl_keypair_NAMESPACE_NAME.pem`: certificate and key in one file.
fn pair(controllers: &Controllers, secret: &ObjectRef, files: &mut Files) -> Option<String> {
    let (namespace, name) = (&secret.namespace, &secret.name);
    let secret = controllers.store.get(kinds::SECRET, namespace, name)?;
    let mut pem = Zeroizing::new(Vec::new());
    for key in ["tls.crt", "tls.key"] {
        pem.extend_from_slice(&data(&secret, key)?);
        if !pem.ends_with(b"\n") {
            pem.push(b'\n');
        }
    }
    let file = key_pair_file(namespace, name);
    files.insert(file.clone(), pem);
    Some(file)
}

/// The names of the servers for the host names that route and listener share; `~^` is NGF's for every name.
fn names(hosts: Option<Vec<String>>) -> Vec<String> {
    match hosts {
        Some(all) if all.is_empty() => vec!["~^".to_owned()],
        Some(all) => all.iter().map(|host| host.to_lowercase()).collect(),
        None => Vec::new(),
    }
}

/// Paths of a rule's matches: exact ones, and prefixes; `/app` as a prefix is `/app/` and `= /app`.
fn paths(route: &RouteState<'_>, rule: usize) -> Vec<(bool, String)> {
    let matches = route
        .read
        .raw
        .pointer(&format!("/spec/rules/{rule}/matches"));
    let matches = matches.and_then(Value::as_array);
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

fn pass(
    controllers: &Controllers,
    route: &RouteState<'_>,
    rule: &RuleDecision<'_>,
    upstreams: &mut Upstreams,
    files: &mut Files,
) -> Pass {
    let (mut to, mut tls) = (Vec::new(), None);
    for backend in taken(rule) {
        let Some((service, port)) = backend.port else {
            continue;
        };
        let (namespace, name) = (&service.reference.namespace, &service.reference.name);
        let upstream = format!("{namespace}_{name}_{}", port.port);
        upstreams.entry(upstream.clone()).or_insert_with(|| {
            let stored = controllers.store.get(kinds::SERVICE, namespace, name);
            let endpoints = stored.map(|stored| controllers.pods.endpoints(&stored, true));
            let named = endpoints
                .into_iter()
                .flatten()
                .filter(|(name, ..)| *name == port.name);
            let mut servers: Vec<_> = named.map(|(_, address, port)| (address, port)).collect();
            servers.sort_unstable();
            servers
        });
        to.push((
            upstream,
            u64::try_from(backend.reference.weight).unwrap_or(0),
        ));
        // A policy holds for the whole location, whichever backend has it.
        if let (None, BackendState::Tls { policy, trust, .. }) = (&tls, &backend.state) {
            tls = Some(UpstreamTls {
                name: policy.spec.hostname.clone(),
                trusted: trusted(&controllers.store, trust, files),
            });
        }
    }
    if to.is_empty() {
        return Pass::Invalid;
    }
    Pass::To {
        upstreams: to,
        tls,
        grpc: route.read.reference.kind == Kind::GRPCRoute,
    }
}

/// The file of a policy's CA, which is written.
fn trusted(store: &Store, trust: &TrustSource, files: &mut Files) -> String {
    let TrustSource::Object { object, .. } = trust else {
        return SYSTEM_CA_FILE.to_owned();
    };
    let file = bundle_file(&object.namespace, &object.name);
    files.insert(file.clone(), authority(store, object).unwrap_or_default());
    file
}
