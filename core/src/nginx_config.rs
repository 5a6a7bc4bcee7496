//! What the data plane's nginx is really using: the backends and TLS directives of its configuration, and
//! the certificates in its files.
//!
//! Of `nginx -T` only what a list of directives names is kept ([`KEPT`]): nothing else, an OIDC
//! `client_secret` or a cookie seed among it, is held, shown or written anywhere.

mod certificates;
mod directive;
mod syntax;
mod tokens;

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_text::sanitize;
use serde::Serialize;

pub use certificates::{CertificateFile, parse as parse_certificate_files};
pub use directive::Directive;
pub use tokens::{OpenQuotes, Token, Tokens, unescaped, unescaped_as_nginx};

use self::syntax::Node;
use crate::model::{object::ObjectRef, versions::Versions};

/// Directives that are kept; each begins with one of these and is shown.
const KEPT: &[&str] = &["proxy_ssl", "grpc_ssl"];
/// Characters of a value.
const VALUE: usize = 512;

/// What was found in a data-plane pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct InPod {
    /// The Gateway.
    pub gateway: ObjectRef,
    /// The pod.
    pub pod: ObjectRef,
    /// When.
    pub at: Timestamp,
    /// The versions that objects had when it was read.
    #[serde(skip)]
    pub versions: Versions,
    /// What; or why it could not be read, in a sentence.
    pub found: Result<NginxConfig, String>,
}

/// What nginx is configured with, as far as it is about backends.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct NginxConfig {
    /// The servers of each `upstream` block; `None` where they stand elsewhere (`state`).
    pub upstreams: BTreeMap<String, Option<Vec<String>>>,
    /// The upstreams behind each variable of `split_clients`, by its name with the `$`.
    pub groups: BTreeMap<String, Vec<String>>,
    /// The locations that pass requests on.
    pub locations: Vec<Location>,
    /// The files of certificates.
    pub files: Vec<CertificateFile>,
}

/// A location that passes requests on, or a server of a stream that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Location {
    /// `server_name`.
    pub server_names: Vec<String>,
    /// `/`, `= /a`; empty in a stream.
    pub path: String,
    /// `proxy_pass` or `grpc_pass` up to the path: `https://shop_cart_443`.
    pub pass: String,
    /// The directives about TLS that take effect in it, its own and those that it inherits.
    pub tls: Vec<Directive>,
}

impl NginxConfig {
    /// Reads what `nginx -T` and the certificates' files gave.
    ///
    /// # Errors
    /// A sentence, where it is no configuration.
    pub fn parse(configuration: &[u8], certificates: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(configuration);
        let mut rendered = Self {
            files: certificates::parse(certificates),
            ..Self::default()
        };
        let nodes = syntax::parse(&text)?;
        // NGF's files are included by `http { … }` and stand behind it.
        let inherited = directives(&nodes, &[]);
        rendered.block(&nodes, &inherited, &[]);
        Ok(rendered)
    }

    /// The file of that path.
    pub fn file(&self, path: &str) -> Option<&CertificateFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether a location names the file of that path.
    pub fn names_file(&self, path: &str) -> bool {
        let mut directives = self.locations.iter().flat_map(|location| &location.tls);
        directives.any(|directive| directive.value == path)
    }

    fn block(&mut self, nodes: &[Node<'_>], inherited: &[Directive], names: &[String]) {
        for node in nodes {
            match node.name() {
                "http" | "stream" => {
                    let own = directives(&node.children, inherited);
                    self.block(&node.children, &own, names);
                }
                "server" if !node.children.is_empty() => {
                    let own = directives(&node.children, inherited);
                    let directive = node
                        .children
                        .iter()
                        .find(|child| child.name() == "server_name");
                    let names: Vec<String> = directive.map_or_else(Vec::new, |directive| {
                        directive
                            .words
                            .iter()
                            .skip(1)
                            .map(|name| clean(name))
                            .collect()
                    });
                    self.passes(node, "", &own, &names);
                    self.block(&node.children, &own, &names);
                }
                "location" => {
                    let own = directives(&node.children, inherited);
                    self.passes(node, &node.value(), &own, names);
                    self.block(&node.children, &own, names);
                }
                "split_clients" => {
                    let variable = node.words.last().map_or("", |word| word);
                    let upstreams = node.children.iter().filter_map(|part| part.words.get(1));
                    let upstreams = upstreams.map(|upstream| clean(upstream)).collect();
                    self.groups.insert(clean(variable), upstreams);
                }
                "upstream" => {
                    let is_elsewhere = node.children.iter().any(|child| child.name() == "state");
                    let servers = node
                        .children
                        .iter()
                        .filter(|child| child.name() == "server");
                    let servers = servers.filter_map(|server| server.words.get(1));
                    let servers = servers.map(|server| clean(server)).collect();
                    let servers = (!is_elsewhere).then_some(servers);
                    self.upstreams.insert(clean(&node.value()), servers);
                }
                _ => {}
            }
        }
    }

    fn passes(&mut self, node: &Node<'_>, path: &str, tls: &[Directive], names: &[String]) {
        let pass = node
            .children
            .iter()
            .find(|child| matches!(child.name(), "proxy_pass" | "grpc_pass"));
        if let Some(pass) = pass {
            self.locations.push(Location {
                server_names: names.to_vec(),
                path: clean(path),
                pass: clean(&without_path(&pass.value())),
                tls: tls.to_vec(),
            });
        }
    }
}

/// The directives about TLS of a block, over those that it inherits.
fn directives(nodes: &[Node<'_>], inherited: &[Directive]) -> Vec<Directive> {
    let mut all: Vec<Directive> = inherited.to_vec();
    let own = nodes
        .iter()
        .filter(|node| KEPT.iter().any(|kept| node.name().starts_with(kept)));
    for node in own {
        let name = clean(node.name());
        // A certificate or key can stand in the configuration itself.
        let value = match node.value() {
            value if value.starts_with("data:") || value.contains("-----") => "data:…".to_owned(),
            value => clean(&value),
        };
        all.retain(|known| known.name != name);
        all.push(Directive { name, value });
    }
    all
}

/// `https://shop_cart_443$request_uri` up to what is asked there.
fn without_path(pass: &str) -> String {
    let (scheme, place) = pass.split_once("://").unwrap_or(("", pass));
    let end = place.find(['/', '?']).unwrap_or(place.len());
    // `$group_…` is the upstream itself; a variable behind it is what is asked there.
    let variable = place.char_indices().skip(1).find(|(_, sign)| *sign == '$');
    let end = variable.map_or(end, |(at, _)| end.min(at));
    // What stands before an @ would be a password.
    let place = &place[..end];
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    if scheme.is_empty() {
        place.to_owned()
    } else {
        format!("{scheme}://{place}")
    }
}

/// The directives about TLS to backends that a snippet sets on its own level, in order; none of a snippet that is no
/// configuration. What stands within braces is another block.
pub fn of_snippet(text: &str) -> Vec<Directive> {
    directives(&syntax::parse(text).unwrap_or_default(), &[])
}

fn clean(text: &str) -> String {
    sanitize::line(text, VALUE)
}
