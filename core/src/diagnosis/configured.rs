//! nginx's configuration for a connection, directive by directive: what NGF renders from the objects, beside what
//! each data-plane pod's nginx is using.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Evidence,
    context::Context,
    ngf::directives,
    plan::{Connection, PlanError, ProbeTarget, connections},
    rules::nginx_config::{location, ready, servers, speaks_tls, upstream},
};
use crate::{
    model::{index::Index, kind::Kind, object::ObjectRef, snapshot::Snapshot, topology::Topology},
    nginx_config::{InPod, NginxConfig},
};

/// The configuration of one connection.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The connection.
    pub connection: Connection,
    /// Its lines: where requests are passed to, the directives about TLS, the servers.
    pub lines: Vec<Line>,
    /// The data-plane pods of its Gateway whose configuration was asked for.
    pub pods: Vec<Asked>,
}

/// A data-plane pod whose configuration was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The pod.
    pub pod: ObjectRef,
    /// When.
    pub at: Timestamp,
    /// Why it is not compared, in a sentence; `None` where it is.
    pub missing: Option<String>,
}

/// A directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name: `proxy_ssl_name`.
    pub name: String,
    /// The value that NGF renders from the objects; `None` where it renders no such directive, or it is unknown.
    pub predicted: Option<String>,
    /// What the pods are using instead or as well: a value, or `None` where the directive is missing, and the pods.
    pub live: BTreeMap<Option<String>, Vec<ObjectRef>>,
    /// How both compare.
    pub state: State,
}

/// How the configuration that was predicted compares with the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Every pod that was read uses what was predicted.
    Same,
    /// A pod uses something else.
    Different,
    /// No pod was read, or nobody can predict it.
    Unknown,
}

/// The configuration for a target of each connection that nginx would open.
///
/// # Errors
/// One sentence, where nginx opens no connection for it.
pub fn configured(
    snapshot: &Snapshot,
    topology: &Topology,
    evidence: &Evidence,
    target: &ProbeTarget,
    now: Timestamp,
) -> Result<Vec<Configured>, PlanError> {
    let index = Index::of(snapshot);
    let context = Context::new(snapshot, evidence, now, &index, topology);
    let connections = connections(snapshot, &index, topology, target)?;
    Ok(connections
        .into_iter()
        .map(|connection| of_connection(&context, connection))
        .collect())
}

fn of_connection(context: &Context<'_>, connection: Connection) -> Configured {
    let asked: Vec<&InPod> = context
        .evidence
        .rendered()
        .filter(|in_pod| in_pod.gateway == connection.gateway)
        .collect();
    let mut pods = Vec::new();
    let mut read = Vec::new();
    for in_pod in asked {
        let missing = match &in_pod.found {
            Err(why) => Some(why.clone()),
            Ok(rendered) => {
                read.push((&in_pod.pod, rendered));
                None
            }
        };
        pods.push(Asked {
            pod: in_pod.pod.clone(),
            at: in_pod.at,
            missing,
        });
    }
    let mut lines = vec![pass(context, &connection, &read)];
    lines.extend(tls(context, &connection, &read));
    lines.push(endpoints(context, &connection, &read));
    Configured {
        connection,
        lines,
        pods,
    }
}

type Read<'a> = [(&'a ObjectRef, &'a NginxConfig)];

/// Where requests are passed to.
fn pass(context: &Context<'_>, connection: &Connection, read: &Read<'_>) -> Line {
    let is_tls = connection.tls.is_some();
    let upstream = upstream(connection);
    let (name, scheme) = match connection.route.kind {
        Kind::GRPCRoute => ("grpc_pass", if is_tls { "grpcs://" } else { "grpc://" }),
        Kind::TLSRoute => ("proxy_pass", ""),
        _ => ("proxy_pass", if is_tls { "https://" } else { "http://" }),
    };
    let is_stream = connection.route.kind == Kind::TLSRoute;
    let mut state = if read.is_empty() || is_stream {
        State::Unknown
    } else {
        State::Same
    };
    let mut live: BTreeMap<Option<String>, Vec<ObjectRef>> = BTreeMap::new();
    for (pod, rendered) in read.iter().filter(|_| !is_stream) {
        let found = location(context, rendered, connection);
        if found.is_none_or(|found| speaks_tls(found) != is_tls) {
            state = State::Different;
        }
        let pass = found.map(|found| found.pass.clone());
        live.entry(pass).or_default().push((*pod).clone());
    }
    Line {
        name: name.to_owned(),
        predicted: Some(format!("{scheme}{upstream}")),
        live,
        state,
    }
}

/// The directives about TLS: those that NGF renders, and others that are in use.
fn tls(context: &Context<'_>, connection: &Connection, read: &Read<'_>) -> Vec<Line> {
    let expected = directives(connection);
    let found: Vec<_> = read
        .iter()
        .filter_map(|(pod, rendered)| Some((*pod, location(context, rendered, connection)?)))
        .collect();
    let mut names: Vec<&str> = expected.iter().map(|known| known.name.as_str()).collect();
    // Where nginx speaks plain HTTP, what it inherits about TLS means nothing.
    let used = found
        .iter()
        .filter(|(_, location)| !expected.is_empty() || speaks_tls(location));
    for directive in used.flat_map(|(_, location)| &location.tls) {
        if !names.contains(&directive.name.as_str()) {
            names.push(&directive.name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let predicted = expected.iter().find(|known| known.name == name);
            let predicted = predicted.map(|known| known.value.clone());
            let mut live: BTreeMap<Option<String>, Vec<ObjectRef>> = BTreeMap::new();
            for (pod, location) in &found {
                let value = location.tls.iter().find(|known| known.name == name);
                let value = value.map(|known| known.value.clone());
                live.entry(value).or_default().push((*pod).clone());
            }
            let state = match () {
                () if live.is_empty() => State::Unknown,
                // A directive that NGF does not render may come from a SnippetsFilter: it is shown, and not judged.
                () if predicted.is_none() => State::Unknown,
                () if live.keys().all(|value| *value == predicted) => State::Same,
                () => State::Different,
            };
            Line {
                name: name.to_owned(),
                predicted,
                live,
                state,
            }
        })
        .collect()
}

/// The servers of the upstream.
fn endpoints(context: &Context<'_>, connection: &Connection, read: &Read<'_>) -> Line {
    let upstream = upstream(connection);
    let sorted = |servers: Vec<String>| {
        if servers.is_empty() {
            "none".to_owned()
        } else {
            servers.join(" ")
        }
    };
    let predicted = ready(context, connection).map(|ready| sorted(ready.into_iter().collect()));
    let mut live: BTreeMap<Option<String>, Vec<ObjectRef>> = BTreeMap::new();
    for (pod, rendered) in read {
        if let Some(servers) = servers(rendered, &upstream) {
            let mut servers: Vec<String> = servers
                .iter()
                // NGF's own socket, which answers 503 where there is no endpoint.
                .filter(|server| !server.starts_with("unix:"))
                .cloned()
                .collect();
            servers.sort();
            let pods = live.entry(Some(sorted(servers))).or_default();
            pods.push((*pod).clone());
        }
    }
    let state = match (&predicted, live.is_empty()) {
        (None, _) | (_, true) => State::Unknown,
        (Some(_), false) if live.keys().all(|value| *value == predicted) => State::Same,
        _ => State::Different,
    };
    Line {
        name: format!("upstream {upstream}"),
        predicted,
        live,
        state,
    }
}
