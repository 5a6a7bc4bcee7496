//! P7 to P10 and M6: CA bundles that NGF takes, and nginx cannot use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{self, PolicyDecision, frontend, known},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::change,
        rules::listener::demanding,
        rules::shared::writer,
        words::list,
    },
    model::{
        kind::Kind,
        kinds::{BackendTLSPolicy, PemFacts},
        object::{Object, ObjectRef},
    },
};

pub(in crate::diagnosis) const P8: Rule = Rule {
    code: Code::P8,
    severity: Severity::Error,
    title: "The policy's CA Secret has no ca.crt, so nginx cannot load the Gateway's configuration",
    explanation: "NGF takes a TLS Secret without ca.crt and writes an empty bundle. nginx refuses it with the whole configuration (`[emerg] cannot load certificate … no start line` from nginx 1.29.5 on, which NGF 2.4 has, and `SSL_CTX_load_verify_locations … no certificate or crl found` from older ones): the Gateway keeps its old configuration, for every route, while all conditions of the policy are True. Issuers that return no CA (ACME) make such Secrets.",
    remedy: "Give the Secret a ca.crt, or name a ConfigMap that has one.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| unloadable(context, findings, Code::P8),
};

pub(in crate::diagnosis) const P9: Rule = Rule {
    code: Code::P9,
    severity: Severity::Error,
    title: "The policy's CA bundle holds something that nginx cannot load",
    explanation: "NGF parses only the first PEM block. nginx reads the whole file, and a CERTIFICATE block that it cannot read makes it refuse the whole configuration of the Gateway. Prose and other kinds of PEM blocks do no harm.",
    remedy: "Remove the broken CERTIFICATE block from ca.crt.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| unloadable(context, findings, Code::P9),
};

/// CAs that NGF takes and nginx does not.
pub(super) fn unloadable(context: &Context<'_>, findings: &mut Findings, code: Code) {
    let mut objects: BTreeSet<&ObjectRef> = BTreeSet::new();
    for (name, (_, decision)) in &context.policies {
        if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
            && context.is_in_use(name)
        {
            objects.insert(object);
        }
    }
    for object in objects {
        let Some(ca) = known::ca(context.snapshot, object) else {
            continue;
        };
        let (title, detail) = match (code, ca) {
            (_, _) if (code == Code::P7) != frontend::is_opaque(context.snapshot, object) => {
                continue;
            }
            (Code::P7, _) => (
                format!(
                    "{object} is Opaque: NGF accepts it as the policy's CA, because a listener names it as CA of its clients, and writes no file of it"
                ),
                "Opaque".to_owned(),
            ),
            (Code::P8, PemFacts::Missing) => (
                format!(
                    "{object} has no ca.crt, and nginx cannot load the configuration with the empty bundle"
                ),
                "missing".to_owned(),
            ),
            // NGF takes a block whose headers OpenSSL refuses.
            (
                Code::P9,
                PemFacts::Certificates {
                    trailing: Some(trailing),
                    ..
                }
                | PemFacts::Broken(trailing),
            ) => (
                format!(
                    "The ca.crt in {object} holds more than certificates, and nginx cannot load it"
                ),
                trailing.clone(),
            ),
            _ => continue,
        };
        add_unloadable(context, findings, code, object, &title, &detail);
    }
}

fn add_unloadable(
    context: &Context<'_>,
    findings: &mut Findings,
    code: Code,
    object: &ObjectRef,
    title: &str,
    detail: &str,
) {
    let policies = context.policies_trusting(object);
    let mut gateways = BTreeSet::new();
    let mut finding = Finding::new(code, Severity::Error, object, title)
        .because("Every condition of the policy is True: NGF does not check this.")
        .evidence(
            if code == Code::P7 { "type" } else { "ca.crt" },
            detail,
            object.to_string(),
        )
        .evidence(
            "file",
            ngf::bundle_file(&object.namespace, &object.name),
            "in the data plane",
        );
    for policy in &policies {
        gateways.extend(context.gateways_using(&policy.reference));
        finding = finding.mark_objects([&policy.reference]);
    }
    let affected = list(&gateways, 3);
    finding = finding
        .scope(gateways.iter().copied())
        .breaks(format!(
            "the configuration of {affected} does not load any more: nothing that changes takes effect, for any route"
        ))
        .remedy(match code {
            Code::P9 => Remedy::say(format!("Leave only CERTIFICATE blocks in the ca.crt of {object}.")),
            _ => ca_remedy(context, object, &policies),
        });
    for gateway in gateways {
        finding = finding.mark(Mark::Object(gateway.clone()));
    }
    findings.add(finding);
}

fn ca_remedy(
    context: &Context<'_>,
    object: &ObjectRef,
    policies: &[&Object<BackendTLSPolicy>],
) -> Remedy {
    let why = writer(context, object).map_or_else(String::new, |writer| {
        format!(" {writer} writes the Secret, and its issuer returns no CA.")
    });
    let create = create_ca(&object.namespace, "backend-ca");
    Remedy::command(
        format!(
            "Put the CA that signed the backend's certificate into a ConfigMap, and name that.{why}"
        ),
        match policies.first() {
            Some(policy) => create.then(trust_ca(&policy.reference, "backend-ca")),
            None => create,
        },
    )
}

/// The command that makes a ConfigMap of the file `ca.crt`.
pub(super) fn create_ca(namespace: &str, name: &str) -> Command {
    Command::kubectl(namespace)
        .words(["create"])
        .object(&ObjectRef::new(Kind::ConfigMap, namespace, name))
        .words(["--from-file=ca.crt"])
}

/// A ConfigMap to create with the CA of a policy, and the policy's reference to it: for CAs that stand in no
/// object that is known.
pub(in crate::diagnosis::rules) fn create_and_trust(
    context: &Context<'_>,
    policy: &ObjectRef,
    what: &str,
) -> Remedy {
    let namespace = &policy.namespace;
    let object = change::unused(context, Kind::ConfigMap, namespace, "backend-ca");
    let known = context.policies.get(policy);
    let of_system =
        known.is_some_and(|(policy, _)| policy.spec.well_known_ca_certificates.is_some());
    let trust = trust_instead(policy, &object.name, of_system);
    let command = create_ca(namespace, &object.name).then(trust);
    let summary = format!(
        "Put {what} into a file ca.crt, create {object} from it (there is none of that name yet), and name that in {policy}."
    );
    Remedy::command(summary, command)
}

/// The command that makes a ConfigMap the CA of a policy.
pub(super) fn trust_ca(policy: &ObjectRef, name: &str) -> Command {
    trust_instead(policy, name, false)
}

fn trust_instead(policy: &ObjectRef, name: &str, of_system: bool) -> Command {
    let reference = json!({"group": "", "kind": "ConfigMap", "name": name});
    let mut validation = json!({"caCertificateRefs": [reference]});
    if of_system {
        validation["wellKnownCACertificates"] = Value::Null;
    }
    Command::kubectl(&policy.namespace)
        .words(["patch"])
        .object(policy)
        .words(["--type=merge"])
        .patch(&json!({"spec": {"validation": validation}}))
}

pub(in crate::diagnosis) const P10: Rule = Rule {
    code: Code::P10,
    severity: Severity::Error,
    title: "A Secret and a ConfigMap of one name are both trusted, and NGF writes them to one file",
    explanation: "The file is cert_bundle_<namespace>_<name>.crt, without the kind. NGF writes the Secret first and then the ConfigMap over it, so that nginx trusts what is in the ConfigMap, for both policies.",
    remedy: "Give one of them another name.",
    causes: &[Code::T1],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| {
        let mut kinds: BTreeMap<(&str, &str), BTreeSet<&ObjectRef>> = BTreeMap::new();
        for (name, (_, decision)) in &context.policies {
            if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
                && context.is_in_use(name)
            {
                kinds
                    .entry((&object.namespace, &object.name))
                    .or_default()
                    .insert(object);
            }
        }
        for ((namespace, name), objects) in kinds {
            let mut objects = objects.into_iter();
            let (Some(first), Some(second)) = (objects.next(), objects.next()) else {
                continue;
            };
            let policies: Vec<_> = [first, second]
                .into_iter()
                .flat_map(|object| context.policies_trusting(object))
                .map(|policy| &policy.reference)
                .collect();
            findings.add(
                Finding::new(
                    Code::P10,
                    Severity::Error,
                    first,
                    format!("{first} and {second} are written to one file, and nginx trusts what is in the {}", second.kind),
                )
                .evidence("file", ngf::bundle_file(namespace, name), "in the data plane")
                .scope([second])
                .mark_objects(policies)
                .remedy(Remedy::say("Give one of them another name, and name it in its policy.")),
            );
        }
    },
};

pub(in crate::diagnosis) const M6: Rule = Rule {
    code: Code::M6,
    severity: Severity::Error,
    title: "The policy's CA bundle holds no root, so that no chain can end in it",
    explanation: "nginx does not accept partial chains: the bundle must hold the self-signed root. With an intermediate alone every handshake fails with verify code 2. cert-manager's ca.crt may be the highest intermediate that its issuer returned.",
    remedy: "Add the root to ca.crt.",
    causes: &[Code::T3, Code::X1],
    needs: &[Need::Paths, Need::Certificates, Need::CertManager],
    check: |context, findings| {
        of_clients_without_root(context, findings);
        let mut seen = BTreeSet::new();
        for (name, (_, decision)) in &context.policies {
            let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision else {
                continue;
            };
            if !context.is_in_use(name) || !seen.insert(object) {
                continue;
            }
            let Some(ca) = known::ca(context.snapshot, object) else {
                continue;
            };
            let certificates = ca.certificates();
            // A certificate that names itself as issuer may end a chain; others cannot.
            if certificates.is_empty()
                || certificates
                    .iter()
                    .any(|facts| facts.subject == facts.issuer)
            {
                continue;
            }
            let policies: Vec<_> = context
                .policies_trusting(object)
                .into_iter()
                .map(|policy| &policy.reference)
                .collect();
            let mut finding = Finding::new(
                Code::M6,
                Severity::Error,
                object,
                format!(
                    "The ca.crt in {object} holds no root: nginx can verify no certificate with it"
                ),
            )
            .mark_objects(policies)
            .breaks("every handshake fails with verify code 2, and clients get 502")
            .remedy(Remedy::say(
                "Add the self-signed root to ca.crt, after or instead of the intermediate.",
            ));
            for facts in certificates.iter().take(3) {
                finding = finding.evidence(
                    "CA",
                    format!("{}, issued by {}", facts.subject, facts.issuer),
                    format!("{object}[ca.crt]"),
                );
            }
            findings.add(finding);
        }
    },
};

/// M6 of the CAs by which a listener verifies its clients.
fn of_clients_without_root(context: &Context<'_>, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for one in demanding(context) {
        let cas = &one.demand.cas;
        // What cannot be read, or is left out, may be the root, or has a finding of its own.
        if one.demand.insecure || cas.iter().any(|ca| ca.fault != Ok(None)) {
            continue;
        }
        let objects: Vec<&ObjectRef> = cas.iter().filter_map(|ca| ca.object.as_ref()).collect();
        let certificates: Vec<_> = objects
            .iter()
            .filter_map(|object| known::ca(context.snapshot, object))
            .flat_map(PemFacts::certificates)
            .collect();
        let has_root = certificates
            .iter()
            .any(|facts| facts.subject == facts.issuer);
        let Some(first) = objects
            .first()
            .filter(|_| !certificates.is_empty() && !has_root)
        else {
            continue;
        };
        if !seen.insert((*first).clone()) {
            continue;
        }
        let mut finding = Finding::new(
            Code::M6,
            Severity::Error,
            first,
            format!(
                "The ca.crt in {} holds no root: nginx can verify no client of listener {} with it",
                list(&objects, 3),
                one.listener.name
            ),
        )
        .mark(one.mark())
        .scope([&one.gateway.reference])
        .breaks("clients get no answer (444), whatever certificate they present")
        .remedy(Remedy::say(
            "Add the self-signed root to ca.crt, after or instead of the intermediate.",
        ));
        for facts in certificates.iter().take(3) {
            finding = finding.evidence(
                "CA",
                format!("{}, issued by {}", facts.subject, facts.issuer),
                format!("{first}[ca.crt]"),
            );
        }
        findings.add(finding);
    }
}
