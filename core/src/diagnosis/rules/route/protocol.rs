//! R6, R10 and R12: backends to which nginx speaks something else than one expects.

use std::collections::BTreeSet;

use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        plan::all_h2c,
        rule::{Need, Rule},
        rules::policy::is_tls,
        words::list,
    },
    model::{
        kind::Kind,
        object::ObjectRef,
        topology::{NodeKind, gateway_of},
    },
};

pub(in crate::diagnosis) const R6: Rule = Rule {
    code: Code::R6,
    severity: Severity::Info,
    title: "A port with appProtocol h2c has a TLS policy: nginx speaks HTTP/2 over TLS to it",
    explanation: "kubernetes.io/h2c means HTTP/2 in plain text. Where a BackendTLSPolicy takes effect on the port NGF renders TLS, and HTTP/2 where all backends of the rule are h2c: a backend that speaks cleartext only answers with something that is not TLS.",
    remedy: "Nothing, if the backend speaks HTTP/2 over TLS; else remove the policy or the appProtocol.",
    causes: &[],
    needs: &[Need::Paths],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let Some((service, port)) = backend.port.filter(|_| is_tls(&backend.state)) else {
                    continue;
                };
                let is_h2c = port.app_protocol.as_deref() == Some("kubernetes.io/h2c");
                if !is_h2c
                    || rule.route.reference.kind != Kind::HTTPRoute
                    || !seen.insert((&service.reference, port.port))
                {
                    continue;
                }
                let policy = backend.state.policy().map(|policy| &policy.reference);
                let title = if all_h2c(backend, &rule.decision) {
                    format!(
                        "nginx speaks HTTP/2 over TLS to {}, whose appProtocol means HTTP/2 in plain text",
                        backend.label()
                    )
                } else {
                    format!(
                        "nginx speaks HTTP/1.1 over TLS to {}, whose appProtocol means HTTP/2 in plain text: another backend of the rule is not h2c",
                        backend.label()
                    )
                };
                findings.add(
                    Finding::new(Code::R6, Severity::Info, &service.reference, title)
                        .evidence(
                            "appProtocol",
                            "kubernetes.io/h2c",
                            service.reference.to_string(),
                        )
                        .scope(policy)
                        .scope([&rule.route.reference]),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const R10: Rule = Rule {
    code: Code::R10,
    severity: Severity::Error,
    title: "A BackendTLSPolicy targets an InferencePool, and nginx speaks plain HTTP to it",
    explanation: "NGF renders `proxy_pass http://` for InferencePools, whatever policies say, and takes policies for Services only. The policy gets no status.",
    remedy: "Let the model servers speak plain HTTP within the cluster, or route to them by a Service.",
    causes: &[Code::P1, Code::B9, Code::G10],
    needs: &[Need::Paths],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let target = &backend.reference.target;
                if target.kind.as_deref() != Some("InferencePool") {
                    continue;
                }
                let namespace = target
                    .namespace
                    .as_deref()
                    .unwrap_or(&rule.route.reference.namespace);
                let meant = context.policies.values().find(|(policy, _)| {
                    policy.reference.namespace == namespace
                        && policy.spec.target_refs.iter().any(|reference| {
                            reference.kind.as_deref() == Some("InferencePool")
                                && reference.name == target.name
                        })
                });
                let Some((policy, _)) = meant else { continue };
                if !seen.insert((namespace, target.name.as_str())) {
                    continue;
                }
                let name = &policy.reference;
                findings.add(
                    Finding::new(
                        Code::R10,
                        Severity::Error,
                        name,
                        format!("nginx speaks plain HTTP to InferencePool {namespace}/{}, though {name} targets it", target.name),
                    )
                    .because("NGF renders http:// for InferencePools, and takes policies for Services only.")
                    .mark(rule.mark())
                    .scope([&rule.route.reference])
                    .scope(rule.gateways.iter().copied()),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const R12: Rule = Rule {
    code: Code::R12,
    severity: Severity::Error,
    title: "A TLSRoute is on a listener that terminates TLS, which this release of NGF does not take",
    explanation: "Until 2.6 NGF takes listeners of protocol TLS in mode Passthrough only, and refuses others. From 2.7 on nginx ends the client's TLS there and, where a policy takes effect, speaks TLS to the backend with the Gateway's client certificate; where that fails the client's connection is closed, without an HTTP status.",
    remedy: "Use mode Passthrough, an HTTPS listener with an HTTPRoute, or NGF 2.7.",
    causes: &[Code::S2, Code::S3, Code::S4],
    needs: &[Need::Paths, Need::Pods],
    check: |context, findings| {
        let running = &context.running;
        let Some((workload, version)) = &running.said_by else {
            return;
        };
        if running.release.terminates_tls_routes() {
            return;
        }
        let mut listeners: std::collections::BTreeMap<(&ObjectRef, &str), BTreeSet<&ObjectRef>> =
            std::collections::BTreeMap::new();
        for (place, node) in context.topology.iter() {
            let (Some(route), NodeKind::Route { .. }) = (&node.object, &node.what) else {
                continue;
            };
            if route.kind != Kind::TLSRoute {
                continue;
            }
            let listener = context.topology.above(place, |node| match &node.what {
                NodeKind::Listener { name } => Some((node.object.as_ref()?, name.as_str())),
                _ => None,
            });
            if let Some(listener) = listener {
                listeners.entry(listener).or_default().insert(route);
            }
        }
        for ((owner, name), routes) in listeners {
            let sets = &context.snapshot.listener_sets;
            let set = sets.get(owner);
            let gateway = set.map_or_else(|| owner.clone(), |set| gateway_of(set));
            let spec = match (set, context.gateways.get(&gateway)) {
                (_, None) => continue,
                (Some(set), _) => &set.spec.listeners,
                (None, Some((gateway, _))) => &gateway.spec.listeners,
            };
            let passes = spec.iter().any(|listener| {
                listener.name == name && listener.tls_mode.as_deref() == Some("Passthrough")
            });
            if passes {
                continue;
            }
            findings.explain(owner, format!("{name}/Accepted"));
            findings.explain(owner, format!("{name}/Programmed"));
            findings.add(
                Finding::new(
                    Code::R12,
                    Severity::Error,
                    owner,
                    format!("NGF {version} does not take listener {name} of {owner}: {} needs it to terminate TLS", list(&routes, 2)),
                )
                .evidence("version", version, workload.to_string())
                .mark_objects(routes.iter().copied())
                .remedy(Remedy::say("Set tls.mode Passthrough, or upgrade NGF to 2.7.")),
            );
        }
    },
};
