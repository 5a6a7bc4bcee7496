//! K: what is not known, said so that nobody takes it for health.

use crate::{
    diagnosis::{
        context::Context,
        finding::{Finding, Remedy, Severity},
        registry::Rule,
        rules::client_certificate::upper,
        words::count,
    },
    model::{
        kind::{KINDS, Kind},
        object::{Note, NoteKind, ObjectRef},
        snapshot::KindState,
    },
};

/// Inputs that could not be read are listed one by one up to here.
const MOST_PROBLEMS: usize = 50;

pub(in crate::diagnosis) const K1: Rule = Rule {
    code: "NGF-K1",
    severity: Severity::Warning,
    title: "A kind of object could not be read",
    explanation: "Denied, or failed: what these objects would say is missing from every verdict.",
    remedy: "Grant list and watch on it.",
    causes: &["NGF-K2", "NGF-K5"],
    check: |context, findings| {
        for info in KINDS {
            let Some(state) = context.snapshot.kinds.get(&info.kind) else {
                continue;
            };
            let (why, remedy) = match state {
                KindState::Denied(why) => (
                    format!("the API server says: {why}"),
                    Some(allow(info.group, info.plural)),
                ),
                KindState::Failed(why) => (why.clone(), None),
                KindState::UnknownVersions(versions) => (
                    format!("the cluster serves it only as {}", versions.join(", ")),
                    None,
                ),
                KindState::Stale { why, .. } => (
                    format!("what is known may be old, since the watch broke: {why}"),
                    None,
                ),
                KindState::Loading | KindState::Live { .. } | KindState::NotServed => continue,
            };
            let subject = ObjectRef::new(info.kind, "", "*");
            let mut finding = Finding::new(
                "NGF-K1",
                importance(info.kind),
                &subject,
                format!("Objects of kind {} could not be read", info.name),
            )
            .unknown()
            .because(format!("{}.", upper(&why)));
            finding.marks.clear();
            if let Some(remedy) = remedy {
                finding = finding.remedy(remedy);
            }
            findings.add(finding);
        }
    },
};

/// What the path of a request depends on is worth a warning.
fn importance(kind: Kind) -> Severity {
    match kind {
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::HTTPRoute
        | Kind::GRPCRoute
        | Kind::TLSRoute
        | Kind::BackendTLSPolicy
        | Kind::ReferenceGrant
        | Kind::Service
        | Kind::EndpointSlice => Severity::Warning,
        _ => Severity::Info,
    }
}

fn allow(group: &str, plural: &str) -> Remedy {
    Remedy::yaml(
        "Add this rule to the role of whoever runs the tool.",
        format!(
            "- apiGroups: [\"{group}\"]\n  resources: [\"{plural}\"]\n  verbs: [\"get\", \"list\", \"watch\"]\n"
        ),
    )
}

pub(in crate::diagnosis) const K3: Rule = Rule {
    code: "NGF-K3",
    severity: Severity::Warning,
    title: "An object could not be understood in full",
    explanation: "A field is missing or has the wrong type. The rest of the object is read all the same.",
    remedy: "Correct the field.",
    causes: &[],
    check: |context, findings| {
        each_object(context, &mut |object, notes| {
            let malformed: Vec<&Note> = notes
                .iter()
                .filter(|note| note.kind == NoteKind::Malformed)
                .collect();
            if let Some(first) = malformed.first() {
                let more = match malformed.len() - 1 {
                    0 => String::new(),
                    more => format!(" (and {} more)", count(more, "field")),
                };
                let mut finding = Finding::new(
                    "NGF-K3",
                    Severity::Warning,
                    object,
                    format!(
                        "{object} could not be understood in full: {} {}{more}",
                        first.path, first.message
                    ),
                )
                .unknown();
                for note in malformed.iter().take(8) {
                    finding = finding.evidence(&note.path, &note.message, object.to_string());
                }
                findings.add(finding);
            }
        });
    },
};

pub(in crate::diagnosis) const K6: Rule = Rule {
    code: "NGF-K6",
    severity: Severity::Warning,
    title: "A manifest has a field that the API does not have",
    explanation: "Usually a misspelt name. The API server drops such a field or refuses the object, and what it should have set has no effect.",
    remedy: "Correct the field's name.",
    causes: &[],
    check: |context, findings| {
        // The cluster's own objects passed its API server; they may be newer than this tool.
        if !context.is_files() {
            return;
        }
        each_object(context, &mut |object, notes| {
            let unknown: Vec<&Note> = notes
                .iter()
                .filter(|note| note.kind == NoteKind::UnknownField)
                .collect();
            if let Some(first) = unknown.first() {
                let mut finding = Finding::new(
                    "NGF-K6",
                    Severity::Warning,
                    object,
                    format!(
                        "{object} has a field that this tool does not know: {}",
                        first.path
                    ),
                )
                .unknown()
                .because("It is misspelt, or newer than this tool.");
                for note in unknown.iter().take(8) {
                    finding = finding.evidence(&note.path, &note.message, object.to_string());
                }
                findings.add(finding);
            }
        });
    },
};

pub(in crate::diagnosis) const K4: Rule = Rule {
    code: "NGF-K4",
    severity: Severity::Warning,
    title: "An input could not be read",
    explanation: "A file, a document or an object as a whole: what it holds is missing from every verdict.",
    remedy: "Correct it.",
    causes: &[],
    check: |context, findings| {
        let problems = &context.snapshot.problems;
        for problem in problems.iter().take(MOST_PROBLEMS) {
            // The subject must be something; the input says what is meant.
            let subject = ObjectRef::new(Kind::ConfigMap, "", &problem.place);
            let mut finding = Finding::new(
                "NGF-K4",
                Severity::Warning,
                &subject,
                format!("{} {}", problem.place, problem.message),
            )
            .unknown();
            finding.marks.clear();
            finding.input = Some(problem.place.clone());
            for note in problem.notes.iter().take(8) {
                finding = finding.evidence(&note.path, &note.message, &problem.place);
            }
            findings.add(finding);
        }
    },
};

fn each_object(context: &Context<'_>, see: &mut dyn FnMut(&ObjectRef, &[Note])) {
    let snapshot = context.snapshot;
    macro_rules! each {
        ($($table:ident),*) => {
            $(for object in snapshot.$table.values() {
                if !object.notes.is_empty() {
                    see(&object.reference, &object.notes);
                }
            })*
        };
    }
    each!(
        gateway_classes,
        gateways,
        listener_sets,
        routes,
        policies,
        grants,
        services,
        endpoint_slices,
        pods,
        workloads,
        ngf,
        issuers,
        certificates,
        certificate_requests
    );
    for lookup in snapshot.secrets.values() {
        if let crate::model::snapshot::Lookup::Found(object) = lookup
            && !object.notes.is_empty()
        {
            see(&object.reference, &object.notes);
        }
    }
    for lookup in snapshot.config_maps.values() {
        if let crate::model::snapshot::Lookup::Found(object) = lookup
            && !object.notes.is_empty()
        {
            see(&object.reference, &object.notes);
        }
    }
}
