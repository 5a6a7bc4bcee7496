//! M11: Bundles of trust-manager that do not bring a CA where traffic needs it.

use std::collections::BTreeMap;

use ngf_tls::certificate::CertificateFacts;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{PolicyDecision, frontend, known},
        plan::TrustSource,
        rule::{Need, Rule},
        trust,
        words::{self, condition, list},
    },
    model::{
        kind::Kind,
        kinds::{SourceOf, TrustBundle},
        object::{Condition, Meta, Object, ObjectRef},
        references::trust_namespace,
        snapshot::{Lookup, Snapshot},
    },
};

pub(in crate::diagnosis) const M11: Rule = Rule {
    code: Code::M11,
    severity: Severity::Error,
    title: "trust-manager does not bring a CA that traffic depends on where it is needed",
    explanation: "A Bundle or ClusterBundle writes its CAs into a ConfigMap or Secret of its own name, in each namespace that its target's namespaceSelector selects (and that trust-manager's option --target-namespaces allows). It writes none where the target names another kind of object, and none anywhere while its condition Synced is False: a source is missing or cannot be read, or it may not write Secrets. What it wrote before stays, and grows old. Where it has not taken up a change of the Bundle or of a source, what it wrote is older than the sources.",
    remedy: "Repair what the Bundle's condition Synced reports, or let its target select the namespace and the kind of object.",
    causes: &[Code::P6, Code::L1, Code::T1, Code::X1, Code::X2],
    needs: &[Need::Paths, Need::Certificates, Need::TrustManager],
    check: |context, findings| {
        for (object, users) in cas_in_use(context) {
            let (is_written, is_absent) = state(context, &object);
            for bundle in bundles(context, &object.name) {
                let synced = condition(&bundle.status.conditions, "Synced");
                let failing = synced.filter(|synced| synced.status == "False");
                let finding = match failing {
                    Some(synced) if is_written => old(bundle, synced, &object),
                    Some(synced) if is_absent => not_written(bundle, synced, &object),
                    // It has synced, and all that it selects has the object.
                    None if is_absent && writes(context, bundle, synced) => {
                        Some(left_out(bundle, &object))
                    }
                    None if is_written => behind(context, bundle, synced, &object),
                    // What is not in files may be there all the same, from somebody else.
                    None if context.is_files()
                        && targets(bundle, object.kind).is_none()
                        && !is_in_files(context, &object) =>
                    {
                        let mut finding = left_out(bundle, &object);
                        finding.severity = Severity::Warning;
                        Some(finding.unknown())
                    }
                    _ => None,
                };
                let Some(finding) = finding else { continue };
                findings.add(
                    finding
                        .condition_if(&bundle.reference, synced)
                        .scope([&object])
                        .mark_objects(users.iter().copied()),
                );
                break;
            }
        }
    },
};

/// The Secrets and ConfigMaps whose CA something in use trusts, each with who does.
fn cas_in_use<'a>(context: &'a Context<'_>) -> BTreeMap<ObjectRef, Vec<&'a ObjectRef>> {
    let mut used: BTreeMap<ObjectRef, Vec<&ObjectRef>> = BTreeMap::new();
    for (name, (_, decision)) in &context.policies {
        let objects: Vec<ObjectRef> = match decision {
            PolicyDecision::Valid(TrustSource::Object { object, .. })
            | PolicyDecision::Unknown {
                trust: Some(TrustSource::Object { object, .. }),
                ..
            } => vec![object.clone()],
            PolicyDecision::Invalid(first) => first
                .all()
                .filter_map(|fault| fault.culprit.as_ref())
                .map(|(object, _)| object.clone())
                .collect(),
            _ => Vec::new(),
        };
        for object in objects {
            used.entry(object).or_default().push(*name);
        }
    }
    for (name, (gateway, _)) in &context.gateways {
        for (_, listener) in context.listeners(name) {
            let release = context.running.release;
            let demand = frontend::demand(context.snapshot, release, gateway, listener.port);
            let cas = demand.into_iter().flat_map(|demand| demand.cas);
            for object in cas.filter_map(|ca| ca.object) {
                let users = used.entry(object).or_default();
                if users.last() != Some(name) {
                    users.push(*name);
                }
            }
        }
    }
    for service in context.service_users.keys() {
        let Some(service) = context.index.service(service) else {
            continue;
        };
        for mounted in context.mounted(service).iter() {
            let users = used.entry(mounted.source.clone()).or_default();
            users.push(&service.reference);
        }
    }
    used
}

/// Whether trust-manager has written a Secret or ConfigMap, by its label; and whether there is none.
fn state(context: &Context<'_>, object: &ObjectRef) -> (bool, bool) {
    let is_its_own = |meta: &Meta| {
        let labels = ["trust-manager.io/bundle", "trust.cert-manager.io/bundle"];
        let mut labels = labels.iter().filter_map(|label| meta.labels.get(*label));
        labels.any(|bundle| *bundle == object.name)
    };
    if object.kind == Kind::Secret {
        match known::secret(context.snapshot, object) {
            Lookup::Found(found) => (is_its_own(&found.meta), false),
            Lookup::Absent => (false, true),
            Lookup::Unknown(_) => (false, false),
        }
    } else {
        match known::config_map(context.snapshot, object) {
            Lookup::Found(found) => (is_its_own(&found.meta), false),
            Lookup::Absent => (false, true),
            Lookup::Unknown(_) => (false, false),
        }
    }
}

/// The Bundle that writes an object.
pub(in crate::diagnosis) fn writing(
    context: &Context<'_>,
    object: &ObjectRef,
) -> Option<ObjectRef> {
    let bundle = bundles(context, &object.name).into_iter().next()?;
    targets(bundle, object.kind).map(|_| bundle.reference.clone())
}

/// Whether a Secret or ConfigMap is known.
fn is_in_files(context: &Context<'_>, object: &ObjectRef) -> bool {
    match object.kind {
        Kind::Secret => matches!(known::secret(context.snapshot, object), Lookup::Found(_)),
        _ => matches!(
            known::config_map(context.snapshot, object),
            Lookup::Found(_)
        ),
    }
}

/// The Bundles of that name, which is that of what they write.
pub(super) fn bundles<'a>(context: &Context<'a>, name: &str) -> Vec<&'a Object<TrustBundle>> {
    let of = |kind| ObjectRef::new(kind, "", name);
    let table = &context.snapshot.trust_bundles;
    [Kind::ClusterBundle, Kind::Bundle]
        .into_iter()
        .filter_map(|kind| table.get(&of(kind)).map(|bundle| &**bundle))
        .collect()
}

/// Whether a Bundle has written what it selects: it says so, and had the time to.
fn writes(context: &Context<'_>, bundle: &Object<TrustBundle>, synced: Option<&Condition>) -> bool {
    synced
        .is_some_and(|synced| synced.status == "True" && context.is_settled(synced.last_transition))
        && context.is_settled(bundle.meta.created)
}

/// What a Bundle takes its CAs from.
fn with_sources(finding: Finding, bundle: &Object<TrustBundle>) -> Finding {
    match bundle.spec.sources.as_slice() {
        [] => finding,
        sources => finding.evidence(
            "sources",
            list(sources.iter().map(|source| &source.label), 4),
            bundle.reference.to_string(),
        ),
    }
}

fn describe(bundle: &Object<TrustBundle>) -> Command {
    Command::new("kubectl")
        .words(["describe"])
        .object(&bundle.reference)
}

/// It is not synced, and what it wrote before is still there.
fn old(bundle: &Object<TrustBundle>, synced: &Condition, object: &ObjectRef) -> Option<Finding> {
    // Where it writes another kind of object, this one is not its own.
    targets(bundle, object.kind)?;
    let title = format!(
        "trust-manager does not sync {} any more ({}): the CAs in {object} may be old",
        bundle.reference, synced.reason
    );
    Some(not_synced(bundle, synced, Severity::Warning, title))
}

/// It is not synced, and has written nothing.
fn not_written(
    bundle: &Object<TrustBundle>,
    synced: &Condition,
    object: &ObjectRef,
) -> Option<Finding> {
    targets(bundle, object.kind)?;
    let title = format!(
        "trust-manager has not written {object}: {} is not synced ({})",
        bundle.reference, synced.reason
    );
    Some(not_synced(bundle, synced, Severity::Error, title))
}

/// What trust-manager reports of a Bundle that is not synced.
fn not_synced(
    bundle: &Object<TrustBundle>,
    synced: &Condition,
    severity: Severity,
    title: String,
) -> Finding {
    let finding = Finding::new(Code::M11, severity, &bundle.reference, title);
    let finding = finding.because(format!(
        "It reports: {}.",
        synced.message.trim_end_matches('.')
    ));
    with_sources(finding, bundle)
        .remedy(Remedy::command("Repair what it reports.", describe(bundle)))
}

/// It is synced, and the object is not among what it writes.
fn left_out(bundle: &Object<TrustBundle>, object: &ObjectRef) -> Finding {
    let name = &bundle.reference;
    let finding = Finding::new(
        Code::M11,
        Severity::Error,
        name,
        format!("trust-manager does not write {object}: {name} leaves it out"),
    );
    let finding = match (targets(bundle, object.kind), &bundle.spec.selector) {
        (None, _) => finding
            .because(format!(
                "Its target writes no {}s.",
                object.kind
            ))
            .remedy(Remedy::say(format!(
                "Add a target for {}s with the key ca.crt to {name}, or name the object that it writes.",
                object.kind
            ))),
        (Some(_), Some(selector)) => finding
            .because(format!(
                "Its target selects namespaces with {selector}, and it reports that all of these are synced."
            ))
            .evidence("namespaceSelector", selector, name.to_string())
            .remedy(Remedy::command(
                format!(
                    "Give namespace {} these labels, or change the selector.",
                    object.namespace
                ),
                Command::new("kubectl")
                    .words(["get", "namespace"])
                    .other_name(&object.namespace)
                    .words(["--show-labels"]),
            )),
        (Some(_), None) => finding
            .because("It reports that all allowed namespaces are synced: trust-manager's option --target-namespaces leaves this one out, or the object was deleted a moment ago.")
            .remedy(Remedy::say(format!(
                "Add namespace {} to trust-manager's option --target-namespaces.",
                object.namespace
            ))),
    };
    with_sources(finding, bundle)
}

/// The keys that it writes into objects of that kind; `None` where it writes none of these.
pub(super) fn targets(bundle: &Object<TrustBundle>, kind: Kind) -> Option<&[String]> {
    let spec = &bundle.spec;
    let keys = match kind {
        Kind::Secret => &spec.secret_keys,
        _ => &spec.config_map_keys,
    };
    keys.as_deref()
}

/// What it wrote is older than the Bundle, or than what it takes the CAs from.
fn behind(
    context: &Context<'_>,
    bundle: &Object<TrustBundle>,
    synced: Option<&Condition>,
    object: &ObjectRef,
) -> Option<Finding> {
    targets(bundle, object.kind)?;
    let name = &bundle.reference;
    let held = known::ca(context.snapshot, object)?.certificates();
    let parts: Vec<(&str, Option<&[CertificateFacts]>)> = bundle
        .spec
        .sources
        .iter()
        .map(|source| (&*source.label, of_source(context.snapshot, &source.held)))
        .collect();
    let is_in = |all: &[CertificateFacts], one: &CertificateFacts| {
        all.iter()
            .any(|facts| facts.fingerprint_sha256 == one.fingerprint_sha256)
    };
    // trust-manager leaves out what has expired, if it is started so.
    let lacks: Vec<(&str, &CertificateFacts)> = parts
        .iter()
        .flat_map(|(label, facts)| {
            facts
                .iter()
                .flat_map(|all| all.iter())
                .map(move |one| (*label, one))
        })
        .filter(|(_, facts)| !context.now.is_after(facts.not_after) && !is_in(held, facts))
        .collect();
    // Only where all sources are known it is certain that none holds it.
    let all_known = !parts.is_empty() && parts.iter().all(|(_, facts)| facts.is_some());
    let more: Vec<&CertificateFacts> = held
        .iter()
        .filter(|facts| {
            all_known
                && !parts
                    .iter()
                    .any(|(_, all)| all.is_some_and(|all| is_in(all, facts)))
        })
        .collect();
    let is_unread = synced.is_some_and(|synced| {
        let observed = synced.observed_generation;
        observed.is_some_and(|observed| observed < bundle.meta.generation)
    });
    let title = if lacks.is_empty() && more.is_empty() {
        if !is_unread {
            return None;
        }
        format!(
            "trust-manager has not taken up the last change of {name}: the CAs in {object} may be old"
        )
    } else if lacks.is_empty() {
        format!("{object} holds CAs that the sources of {name} do not hold any more")
    } else {
        format!("{object} lacks CAs that the sources of {name} hold")
    };
    let mut finding = Finding::new(Code::M11, Severity::Warning, name, title)
        .because("trust-manager writes what the sources hold a moment after they change; it is not running, or may not write.");
    for (label, facts) in lacks.iter().take(3) {
        finding = finding.evidence("lacks", words::holder(facts), *label);
    }
    for facts in more.iter().take(3) {
        finding = finding.evidence("holds", words::holder(facts), object.to_string());
    }
    if let Some(synced) = synced.filter(|_| is_unread) {
        finding = finding.evidence(
            "observedGeneration",
            synced.observed_generation.unwrap_or_default().to_string(),
            name.to_string(),
        );
    }
    Some(finding.remedy(Remedy::command(
        "See what trust-manager logs, and whether its pod runs.",
        describe(bundle),
    )))
}

/// The certificates of a source, as far as they are known.
fn of_source<'a>(snapshot: &'a Snapshot, source: &'a SourceOf) -> Option<&'a [CertificateFacts]> {
    match source {
        SourceOf::Inline(facts) => Some(facts.certificates()),
        SourceOf::Key { kind, name, key } => {
            let namespace = trust_namespace(snapshot);
            let object = ObjectRef::new(*kind, namespace, name.as_str());
            // Of other keys no certificates are kept.
            let is_read = match kind {
                Kind::Secret => matches!(&**key, "ca.crt" | "tls.crt"),
                _ => key == "ca.crt",
            };
            if !is_read {
                return None;
            }
            trust::certificates(snapshot, &object, key).ok()
        }
        SourceOf::Elsewhere => None,
    }
}
