//! D11: nginx speaks TLS to a backend with settings that no policy asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{
            BackendDecision, BackendState, ClientCertificate, directives, key_pair_file,
            snippets::{Block, Snippet, of_rule},
        },
        rule::{Need, Rule},
        rules::nginx_config::{found, location, of_gateway, read_at},
        words::list,
    },
    model::{
        kind::Kind,
        object::{Object, ObjectRef},
    },
    nginx_config::Directive,
};

/// What NGF renders into the location of a backend with a policy, without the prefix: a directive of a wider block
/// has no effect there, and a second one in the location is refused by nginx (NGF-D1).
const RENDERED: &[&str] = &["_server_name", "_verify", "_name", "_trusted_certificate"];

/// Whether a directive, without its prefix, changes nothing of how a certificate is judged: nginx may resume sessions
/// or not, and what it does by default may be written down.
fn is_harmless(what: &str, value: &str) -> bool {
    what == "_session_reuse"
        || matches!(
            (what, value),
            ("_protocols", "TLSv1.2 TLSv1.3") | ("_ciphers", "DEFAULT")
        )
}

pub(in crate::diagnosis) const D11: Rule = Rule {
    code: Code::D11,
    severity: Severity::Warning,
    title: "nginx speaks TLS to a backend with settings that no policy asks for",
    explanation: "A SnippetsFilter or SnippetsPolicy can set proxy_ssl_* and grpc_ssl_* directives that NGF does not render in that place: another client certificate, TLS versions, ciphers, a CRL. nginx takes a directive from the narrowest block that sets it. The handshakes of this tool follow the objects that NGF reads, and not snippets, so that nginx may fail where they succeed, and the other way round.",
    remedy: "Remove the directives, or compare with what nginx's log says of the backend.",
    causes: &[Code::D5, Code::T11],
    needs: &[Need::Paths, Need::NginxConfig],
    check: |context, findings| {
        by_snippets(context, findings);
        by_configuration(context, findings);
    },
};

/// What one snippet changes for backends.
#[derive(Default)]
struct Changed<'c> {
    directives: Vec<Directive>,
    routes: BTreeSet<&'c ObjectRef>,
    gateways: BTreeSet<&'c ObjectRef>,
    backends: BTreeSet<String>,
}

fn by_snippets(context: &Context<'_>, findings: &mut Findings) {
    let mut changed: BTreeMap<ObjectRef, Changed<'_>> = BTreeMap::new();
    for rule in &context.rules {
        let backends: BTreeSet<String> = tls_backends(rule).collect();
        let Some(prefix) = prefix(rule).filter(|_| !backends.is_empty()) else {
            continue;
        };
        for gateway in &rule.gateways {
            for snippet in of_rule(context.snapshot, rule.route, rule.index, gateway) {
                let effective = effective(context, &snippet, prefix, gateway);
                if effective.is_empty() {
                    continue;
                }
                let changed = changed.entry(snippet.object.clone()).or_default();
                for directive in effective {
                    if !changed.directives.contains(&directive) {
                        changed.directives.push(directive);
                    }
                }
                changed.routes.insert(&rule.route.reference);
                changed.gateways.insert(gateway);
                changed.backends.extend(backends.iter().cloned());
            }
        }
    }
    for (name, changed) in changed {
        let what: Vec<&str> = changed.directives.iter().map(|one| &*one.name).collect();
        let mut finding = Finding::new(
            Code::D11,
            Severity::Warning,
            &name,
            format!(
                "{name} sets {} for {}",
                list(&what, 3),
                list(&changed.backends, 3)
            ),
        )
        .because("NGF does not render these directives there, so that they take effect.")
        .because("Handshakes of this tool follow the objects that NGF reads, and not snippets.")
        .scope(changed.routes.iter().copied())
        .scope(changed.gateways.iter().copied())
        .remedy(Remedy::say(format!(
            "Remove them from {name}, or compare the handshakes of this tool with nginx's log."
        )));
        for directive in changed.directives.iter().take(4) {
            finding = finding.evidence("snippet", directive.to_string(), name.to_string());
        }
        findings.add(finding);
    }
}

/// The directives of a snippet that take effect on backends with a policy.
fn effective(
    context: &Context<'_>,
    snippet: &Snippet,
    prefix: &str,
    gateway: &ObjectRef,
) -> Vec<Directive> {
    let has_certificate = matches!(
        context.gateways.get(gateway),
        Some((_, ClientCertificate::Presented(_)))
    );
    let takes_effect = |directive: &&Directive| {
        let Some(what) = directive.name.strip_prefix(prefix) else {
            return false;
        };
        let is_rendered = RENDERED.contains(&what)
            || what == "_verify_depth" && context.running.release.renders_verify_depth();
        if is_harmless(what, &directive.value) {
            return false;
        }
        // What NGF leaves out for a GRPCRoute: the plan follows it.
        if of_gateway_itself(context, gateway, what, directive) && prefix == "grpc_ssl" {
            return false;
        }
        // NGF renders the Gateway's certificate into the http block, where a second one is refused (NGF-D1).
        let is_repeated = snippet.block == Block::Http
            && has_certificate
            && prefix == "proxy_ssl"
            && what.starts_with("_certificate");
        !is_rendered && !is_repeated
    };
    let all = snippet.directives.iter();
    all.filter(takes_effect).cloned().collect()
}

/// Whether a directive presents the Gateway's own client certificate.
fn of_gateway_itself(
    context: &Context<'_>,
    gateway: &ObjectRef,
    what: &str,
    directive: &Directive,
) -> bool {
    let Some((_, ClientCertificate::Presented(secret))) = context.gateways.get(gateway) else {
        return false;
    };
    what.starts_with("_certificate")
        && directive.value == key_pair_file(&secret.namespace, &secret.name)
}

/// How the directives of a route's locations begin; `None` for those that snippets do not reach.
fn prefix(rule: &RuleInUse<'_>) -> Option<&'static str> {
    match rule.route.reference.kind {
        Kind::HTTPRoute => Some("proxy_ssl"),
        Kind::GRPCRoute => Some("grpc_ssl"),
        _ => None,
    }
}

/// The backends of a rule that nginx speaks TLS to.
fn tls_backends<'r>(rule: &'r RuleInUse<'_>) -> impl Iterator<Item = String> + 'r {
    let backends = rule.decision.backends.iter();
    backends
        .filter(|backend| !backend.filter && matches!(backend.state, BackendState::Tls { .. }))
        .map(BackendDecision::label)
}

/// The same, as `nginx -T` shows it, where no snippet explains it.
fn by_configuration(context: &Context<'_>, findings: &mut Findings) {
    for (in_pod, rendered) in found(context) {
        let mut added: BTreeMap<(&ObjectRef, u16), Vec<Directive>> = BTreeMap::new();
        let connections = of_gateway(context, &in_pod.gateway);
        for connection in connections.iter().filter(|one| one.tls.is_some()) {
            let route = context.snapshot.routes.get(&connection.route);
            let Some((location, route)) = location(context, rendered, connection).zip(route) else {
                continue;
            };
            let expected = directives(connection);
            let prefix = match connection.route.kind {
                Kind::GRPCRoute => "grpc_ssl",
                _ => "proxy_ssl",
            };
            let snippets = of_rule(context.snapshot, route, connection.rule, &in_pod.gateway);
            let foreign = location.tls.iter().filter(|directive| {
                let what = directive.name.strip_prefix(prefix);
                // A client certificate is compared by NGF-D5.
                what.is_some_and(|what| {
                    !what.starts_with("_certificate") && !is_harmless(what, &directive.value)
                }) && !expected.iter().any(|known| known.name == directive.name)
                    && !snippets
                        .iter()
                        .any(|snippet| snippet.sets(&directive.name).is_some())
            });
            let foreign: Vec<Directive> = foreign.cloned().collect();
            if !foreign.is_empty() {
                added
                    .entry((&connection.service, connection.port))
                    .or_insert(foreign);
            }
        }
        for ((service, port), directives) in added {
            let gateway: Option<&Object<_>> = context
                .gateways
                .get(&in_pod.gateway)
                .map(|(gateway, _)| *gateway);
            let Some(gateway) = gateway else { continue };
            let what: Vec<&str> = directives.iter().map(|one| &*one.name).collect();
            let mut finding = Finding::new(
                Code::D11,
                Severity::Warning,
                &gateway.reference,
                format!(
                    "nginx in {} speaks TLS to {service}:{port} with {}, which NGF does not render",
                    in_pod.pod,
                    list(&what, 3)
                ),
            )
            .because(read_at(context, in_pod))
            .because("No SnippetsFilter or SnippetsPolicy that is known sets it: a newer release of NGF may render it, or somebody changed the file in the pod.")
            .scope([service, &in_pod.pod])
            .remedy(Remedy::say("Look for it in what `nginx -T` prints in the pod: the comment above says which file it is from."));
            for directive in directives.iter().take(4) {
                finding = finding.evidence(
                    "directive",
                    directive.to_string(),
                    format!("nginx -T in {}", in_pod.pod),
                );
            }
            findings.add(finding);
        }
    }
}
