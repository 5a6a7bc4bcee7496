//! What snippets set about TLS to backends, beside what NGF renders (`SnippetsFilter`, `SnippetsPolicy`).

use serde_json::Value;

use crate::{
    model::{
        kind::Kind,
        kinds::{NgfResource, Route},
        object::{Object, ObjectRef},
        snapshot::Snapshot,
    },
    nginx_config::{Directive, of_snippet},
};

/// The directive by which nginx presents a client certificate to gRPC backends, which NGF does not render.
pub const GRPC_CERTIFICATE: &str = "grpc_ssl_certificate";

/// Where a snippet is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Block {
    /// Into nginx's http block.
    Http,
    /// Into the server block of the route's host names.
    Server,
    /// Into the location of the rule.
    Location,
}

/// A snippet with what it sets about TLS to backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The SnippetsFilter or SnippetsPolicy.
    pub object: ObjectRef,
    /// Where it is put.
    pub block: Block,
    /// What it sets, directives that begin with `proxy_ssl` or `grpc_ssl` alone.
    pub directives: Vec<Directive>,
}

impl Snippet {
    /// The directive of that name.
    pub fn sets(&self, name: &str) -> Option<&Directive> {
        self.directives.iter().find(|known| known.name == name)
    }
}

/// The snippets that are in effect for a rule of a route, the narrowest block first: nginx takes a directive from the
/// narrowest block that sets it.
pub fn of_rule(
    snapshot: &Snapshot,
    route: &Object<Route>,
    rule: usize,
    gateway: &ObjectRef,
) -> Vec<Snippet> {
    let mut all: Vec<Snippet> = filters(route, rule)
        .filter_map(|name| snapshot.ngf.get(&name))
        .flat_map(|filter| snippets(filter))
        .collect();
    let policies = snapshot.ngf.iter();
    let policies = policies.filter(|(name, policy)| {
        let mut targets = policy.spec.target_refs.iter();
        name.kind == Kind::SnippetsPolicy
            && name.namespace == gateway.namespace
            && targets.any(|target| target.name == gateway.name)
    });
    all.extend(policies.flat_map(|(_, policy)| snippets(policy)));
    all.sort_by_key(|snippet| std::cmp::Reverse(snippet.block));
    all
}

/// The SnippetsFilters that a rule names.
fn filters(route: &Object<Route>, rule: usize) -> impl Iterator<Item = ObjectRef> {
    let kind = Kind::SnippetsFilter;
    route.filters(rule).iter().filter_map(move |filter| {
        let text = |field: &str| filter.pointer(field).and_then(Value::as_str);
        let name = text("/extensionRef/name")?;
        (text("/extensionRef/kind") == Some(kind.name()))
            .then(|| ObjectRef::new(kind, route.reference.namespace.as_str(), name))
    })
}

/// What an object's snippets set.
fn snippets(object: &Object<NgfResource>) -> Vec<Snippet> {
    let list = object
        .raw
        .pointer("/spec/snippets")
        .and_then(Value::as_array);
    let all = list.into_iter().flatten().filter_map(|snippet| {
        let text = |field: &str| snippet.get(field).and_then(Value::as_str);
        let block = match text("context")? {
            "http" => Block::Http,
            "http.server" => Block::Server,
            "http.server.location" => Block::Location,
            _ => return None,
        };
        Some(Snippet {
            object: object.reference.clone(),
            block,
            directives: of_snippet(text("value")?),
        })
    });
    all.filter(|snippet| !snippet.directives.is_empty())
        .collect()
}
