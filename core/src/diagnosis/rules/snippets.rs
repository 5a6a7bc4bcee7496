//! D1 by the objects: a snippet that repeats a directive which NGF, or another snippet, puts into the same block. nginx takes
//! each of them once (`ngx_conf_set_flag_slot` and its like: "directive is duplicate").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{
            BackendState, ClientCertificate,
            snippets::{Block, of_rule},
        },
        words::list,
    },
    model::{
        kind::Kind,
        kinds::NgfResource,
        object::{Object, ObjectRef},
    },
};

/// What NGF renders into the location of a backend with a policy
/// (`nginx/config/servers_template.go`).
const IN_LOCATION: &[&str] = &[
    "ssl_server_name",
    "ssl_verify",
    "ssl_name",
    "ssl_trusted_certificate",
];

/// What NGF renders into the http block of a Gateway with a client certificate
/// (`nginx/config/base_http_config_template.go`).
const IN_HTTP: &[&str] = &["proxy_ssl_certificate", "proxy_ssl_certificate_key"];

/// Looks for snippets that make nginx refuse the configuration.
pub(super) fn repeated(context: &Context<'_>, findings: &mut Findings) {
    for (name, snippets) in &context.snapshot.ngf {
        let repeated = match name.kind {
            Kind::SnippetsFilter => {
                by_filter(context, snippets).or_else(|| by_filter_in_http(context, snippets))
            }
            Kind::SnippetsPolicy => by_policy(context, snippets),
            _ => continue,
        };
        let Some((directives, gateways, because)) = repeated else {
            continue;
        };
        // nginx itself has said what it refuses.
        if gateways
            .iter()
            .all(|gateway| findings.has(Code::D1, gateway))
        {
            continue;
        }
        let Some(gateway) = gateways.first() else {
            continue;
        };
        let what = list(&directives, 4);
        findings.add(
            Finding::new(
                Code::D1,
                Severity::Error,
                gateway,
                format!(
                    "nginx of {} refuses its configuration: {name} repeats {what}",
                    list(&gateways, 2)
                ),
            )
            .because(because)
            .because(format!(
                "nginx logs: [emerg] \"{}\" directive is duplicate.",
                directives[0]
            ))
            .evidence("spec.snippets", &what, name.to_string())
            .scope([name])
            .scope(gateways.iter().skip(1))
            .breaks("nothing that changes takes effect, for any route of the Gateway")
            .remedy(Remedy::say(format!(
                "Remove {what} from {name}: the BackendTLSPolicy sets it."
            ))),
        );
    }
    twice(context, findings);
}

/// Snippets in one place of nginx's configuration, each with what it sets.
type Beside = BTreeMap<ObjectRef, Vec<String>>;

/// Looks for snippets that repeat each other's directives, or their own.
fn twice(context: &Context<'_>, findings: &mut Findings) {
    // By Gateway, block, and the route and rule whose server or location it is.
    let mut places: BTreeMap<(&ObjectRef, Block, String), Beside> = BTreeMap::new();
    for rule in &context.rules {
        let route = &rule.route.reference;
        for gateway in &rule.gateways {
            for snippet in of_rule(context.snapshot, rule.route, rule.index, gateway) {
                let place = match snippet.block {
                    Block::Http => "the http block".to_owned(),
                    Block::Server => format!("the server of {route}"),
                    Block::Location => format!("the location of {route} rule {}", rule.index),
                };
                // This one may be repeated (`ngx_conf_set_keyval_slot`).
                let sets = snippet.directives.iter().map(|one| one.name.clone());
                let sets = sets.filter(|name| !name.ends_with("_conf_command"));
                let beside = places.entry((*gateway, snippet.block, place)).or_default();
                // NGF includes what several rules use once.
                beside
                    .entry(snippet.object)
                    .or_insert_with(|| sets.collect());
            }
        }
    }
    for ((gateway, _, place), beside) in places {
        let mut by_name: BTreeMap<&str, Vec<&ObjectRef>> = BTreeMap::new();
        for (object, names) in &beside {
            for name in names {
                by_name.entry(name).or_default().push(object);
            }
        }
        let found = by_name.into_iter().find(|(_, objects)| objects.len() > 1);
        let Some((name, objects)) = found.filter(|_| !findings.has(Code::D1, gateway)) else {
            continue;
        };
        let whose: BTreeSet<&ObjectRef> = objects.into_iter().collect();
        let who = list(&whose, 3);
        let how = if whose.len() == 1 {
            "sets it twice"
        } else {
            "set the same"
        };
        findings.add(
            Finding::new(
                Code::D1,
                Severity::Error,
                gateway,
                format!(
                    "nginx of {gateway} refuses its configuration: {name} stands twice in {place}"
                ),
            )
            .because(format!(
                "{who} {how}: nginx takes a directive once in a block."
            ))
            .because(format!(
                "nginx logs: [emerg] \"{name}\" directive is duplicate."
            ))
            .evidence("spec.snippets", name, &who)
            .scope(whose.iter().copied())
            .breaks("nothing that changes takes effect, for any route of the Gateway")
            .remedy(Remedy::say(format!("Leave {name} in one snippet only."))),
        );
    }
}

type Repeated = (Vec<String>, Vec<ObjectRef>, String);

/// A filter of a rule with a backend that nginx speaks TLS to.
fn by_filter(context: &Context<'_>, filter: &Object<NgfResource>) -> Option<Repeated> {
    let name = &filter.reference;
    let rules: Vec<&RuleInUse<'_>> = context
        .rules
        .iter()
        .filter(|rule| uses(rule, name) && speaks_tls(rule))
        .collect();
    let first = rules.first()?;
    // `grpc_pass` has directives of its own.
    let prefix = match first.route.reference.kind {
        Kind::GRPCRoute => "grpc",
        Kind::HTTPRoute => "proxy",
        _ => return None,
    };
    let mut rendered: Vec<String> = IN_LOCATION
        .iter()
        .map(|directive| format!("{prefix}_{directive}"))
        .collect();
    if context.running.release.renders_verify_depth() {
        rendered.push(format!("{prefix}_ssl_verify_depth"));
    }
    let directives = named(filter, "http.server.location", &rendered);
    if directives.is_empty() {
        return None;
    }
    let gateways: BTreeSet<ObjectRef> = rules
        .iter()
        .flat_map(|rule| rule.gateways.iter().map(|gateway| (*gateway).clone()))
        .collect();
    let because = format!(
        "NGF renders the same directives into the location of {} rule {}, because a BackendTLSPolicy takes effect on its backend.",
        first.route.reference, first.index
    );
    Some((directives, gateways.into_iter().collect(), because))
}

/// A filter of a rule of a Gateway with a client certificate, with a snippet for the http block.
fn by_filter_in_http(context: &Context<'_>, filter: &Object<NgfResource>) -> Option<Repeated> {
    let rules = context.rules.iter();
    let rules = rules.filter(|rule| uses(rule, &filter.reference));
    let gateways: BTreeSet<ObjectRef> = rules
        .flat_map(|rule| rule.gateways.iter().map(|gateway| (*gateway).clone()))
        .collect();
    in_http(context, filter, gateways)
}

/// A policy that targets a Gateway with a client certificate.
fn by_policy(context: &Context<'_>, policy: &Object<NgfResource>) -> Option<Repeated> {
    let gateways = policy.spec.target_refs.iter().map(|target| {
        ObjectRef::new(
            Kind::Gateway,
            policy.reference.namespace.as_str(),
            target.name.as_str(),
        )
    });
    in_http(context, policy, gateways)
}

/// A snippet for the http block of Gateways, of which some have a client certificate.
fn in_http(
    context: &Context<'_>,
    snippets: &Object<NgfResource>,
    gateways: impl IntoIterator<Item = ObjectRef>,
) -> Option<Repeated> {
    let rendered: Vec<String> = IN_HTTP.iter().map(|name| (*name).to_owned()).collect();
    let directives = named(snippets, "http", &rendered);
    if directives.is_empty() {
        return None;
    }
    let gateways: Vec<ObjectRef> = gateways
        .into_iter()
        .filter(|gateway| {
            matches!(
                context.gateways.get(gateway),
                Some((_, ClientCertificate::Presented(_)))
            )
        })
        .collect();
    let first = gateways.first()?;
    let because = format!(
        "NGF renders the same directives into the http block, because {first} names a client certificate."
    );
    Some((directives, gateways, because))
}

/// Whether a rule, or a backend of it, has the filter.
fn uses(rule: &RuleInUse<'_>, filter: &ObjectRef) -> bool {
    if rule.route.reference.namespace != filter.namespace {
        return false;
    }
    rule.route.filters(rule.index).iter().any(|found| {
        let text = |field: &str| {
            let reference = found.get("extensionRef")?;
            reference.get(field).and_then(Value::as_str)
        };
        text("kind") == Some(filter.kind.name()) && text("name") == Some(&filter.name)
    })
}

fn speaks_tls(rule: &RuleInUse<'_>) -> bool {
    let backends = &rule.decision.backends;
    backends
        .iter()
        .any(|backend| !backend.filter && matches!(backend.state, BackendState::Tls { .. }))
}

/// Which of the directives the snippets of that context set.
fn named(snippets: &Object<NgfResource>, block: &str, rendered: &[String]) -> Vec<String> {
    let list = snippets
        .raw
        .pointer("/spec/snippets")
        .and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(|snippet| {
        let text = |field: &str| snippet.get(field).and_then(Value::as_str);
        (text("context") == Some(block)).then(|| text("value"))?
    });
    let mut found = BTreeSet::new();
    for text in texts {
        found.extend(
            directives(text)
                .filter(|name| rendered.iter().any(|rendered| rendered == name))
                .map(str::to_owned),
        );
    }
    found.into_iter().collect()
}

/// The first word of each directive on the snippet's own level: what is within braces is another block.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let lines = text.lines().map(|line| match line.find('#') {
        Some(at) => &line[..at],
        None => line,
    });
    lines
        .flat_map(|line| line.split_inclusive([';', '{', '}']))
        .filter_map(move |part| {
            let at = depth;
            depth += match part.as_bytes().last() {
                Some(b'{') => 1,
                Some(b'}') => -1,
                _ => 0,
            };
            let word = part
                .split([' ', '\t', ';', '{', '}'])
                .find(|word| !word.is_empty())?;
            (at == 0).then_some(word)
        })
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn directives_of_other_blocks_and_comments_are_left_out() {
        let text = "proxy_ssl_verify off; proxy_ssl_name a;\n# proxy_ssl_server_name on;\nif ($x) { proxy_ssl_session_reuse off; }\n  proxy_http_version\n  1.1;";
        let found: Vec<&str> = directives(text).collect();
        assert_eq!(
            found,
            [
                "proxy_ssl_verify",
                "proxy_ssl_name",
                "if",
                "proxy_http_version",
                "1.1"
            ]
        );
    }
}
