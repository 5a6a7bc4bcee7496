//! K: what is not known, said so that nobody takes it for health.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        rule::Rule,
        rules::{manifest::old_shape, rights, shared::upper},
        words::{count, list, moment},
    },
    model::{
        kind::{KINDS, Kind, KindInfo},
        object::{Note, NoteKind, ObjectRef},
        snapshot::{KindState, Loss, Source},
    },
    overlay::said::DryRunOutcome,
};

/// Kinds that a title names.
const MOST_NAMES: usize = 6;
/// Inputs that could not be read are listed one by one up to here.
const MOST_PROBLEMS: usize = 50;

pub(in crate::diagnosis) const K1: Rule = Rule {
    code: Code::K1,
    severity: Severity::Warning,
    title: "A kind of object could not be read",
    explanation: "Denied, or failed: what these objects would say is missing from every verdict.",
    remedy: "Grant list and watch on it where it is denied; otherwise fix what the API server reports.",
    causes: &[Code::K2, Code::K5],
    needs: &[],
    check: |context, findings| {
        for severity in [Severity::Warning, Severity::Info] {
            if let Some(finding) = denied(context, severity) {
                findings.add(finding);
            }
        }
        if context.snapshot.lost.is_none() {
            unreadable(context, findings);
        }
        rights::narrowed(context, findings);
    },
};

/// Kinds that cannot be read for another reason than a missing right: one finding for each reason, because
/// an API server in trouble gives the same one for all.
fn unreadable(context: &Context<'_>, findings: &mut Findings) {
    let mut by_reason: BTreeMap<(Severity, String), (String, Vec<&KindInfo>)> = BTreeMap::new();
    for info in KINDS {
        let why = match context.snapshot.kinds.get(&info.kind) {
            Some(KindState::Failed(why)) => why.clone(),
            Some(KindState::UnknownVersions(versions)) => {
                format!("the cluster serves it only as {}", versions.join(", "))
            }
            Some(KindState::Stale { why, .. }) => {
                format!("what is known may be old, since the watch broke: {why}")
            }
            _ => continue,
        };
        // Versions and identifiers of requests differ.
        let alike = why.chars().filter(|c| !c.is_ascii_digit()).collect();
        let (_, kinds) = by_reason
            .entry((importance(info.kind), alike))
            .or_insert_with(|| (why, Vec::new()));
        kinds.push(info);
    }
    for ((severity, _), (why, kinds)) in by_reason {
        let title = match kinds.as_slice() {
            [one] => format!("Objects of kind {} could not be read", one.name),
            _ => {
                let names = list(kinds.iter().map(|info| info.name), MOST_NAMES);
                format!(
                    "Objects of {} kinds could not be read: {names}",
                    kinds.len()
                )
            }
        };
        let all: Vec<ObjectRef> = kinds.iter().map(|info| any_of(info.kind)).collect();
        let plurals: Vec<&str> = kinds.iter().map(|info| info.plural).collect();
        let mut finding = Finding::new(Code::K1, severity, &all[0], title)
            .unknown()
            .because(format!("{}.", upper(why.trim_end_matches('.'))))
            .scope(&all)
            .remedy(Remedy::say(format!(
                "Check what the API server reports when {} are listed. The tool tries again by itself.",
                plurals[0]
            )));
        finding.marks.clear();
        findings.add(finding);
    }
}

pub(in crate::diagnosis) const K8: Rule = Rule {
    code: Code::K8,
    severity: Severity::Warning,
    title: "The cluster cannot be read for now",
    explanation: "The API server does not answer, fails for most kinds, or does not accept the credentials. What was read before may be old.",
    remedy: "Check the API server and the network, or log in again.",
    causes: &[Code::K1, Code::K2, Code::K5, Code::K7],
    needs: &[],
    check: |context, findings| {
        let Some(lost) = &context.snapshot.lost else {
            return;
        };
        let since = moment(lost.since.as_second());
        let unread: Vec<ObjectRef> = context
            .snapshot
            .kinds
            .iter()
            .filter(|(_, state)| matches!(state, KindState::Failed(_) | KindState::Stale { .. }))
            .map(|(kind, _)| any_of(*kind))
            .collect();
        let (title, remedy) = match &lost.loss {
            Loss::Silent => (
                format!("The API server does not answer; its last answer came at {since}"),
                "Check the network, and that the API server runs. The tool tries again by itself.".to_owned(),
            ),
            Loss::Failing => (
                format!("{} kinds of objects cannot be read since {since}", unread.len()),
                "Check the API server and its etcd: kubectl get --raw /readyz. The tool tries again by itself.".to_owned(),
            ),
            Loss::Refused { who } => (
                format!("The API server does not accept the credentials{} since {since}: log in again", of_whom(context, who)),
                "Log in again, so that the kubeconfig or its plugin has new credentials: the tool takes them up by itself.".to_owned(),
            ),
        };
        let mut finding = Finding::new(Code::K8, Severity::Warning, &any_of(Kind::Gateway), title)
            .unknown()
            .because(format!("{}.", upper(lost.why.trim_end_matches('.'))))
            .because("What was read before that may be old.")
            .scope(&unread)
            .remedy(Remedy::say(remedy));
        finding.marks.clear();
        finding.input = Some("API server".to_owned());
        findings.add(finding);
    },
};

/// ` of context prod (user "alice")`.
fn of_whom(context: &Context<'_>, who: &str) -> String {
    let Source::Cluster { context, .. } = &context.snapshot.source else {
        return String::new();
    };
    match who {
        "" => format!(" of context {context:?}"),
        who => format!(" of context {context:?} ({who})"),
    }
}

/// What may not be read, all in one, with the one rule that would allow it.
fn denied(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    let kinds: Vec<(&KindInfo, &str)> = KINDS
        .iter()
        .filter(|info| importance(info.kind) == severity)
        .filter_map(|info| match context.snapshot.kinds.get(&info.kind) {
            Some(KindState::Denied(why)) => Some((info, why.as_str())),
            _ => None,
        })
        .collect();
    let (first, why) = kinds.first()?;
    let title = match kinds.as_slice() {
        [_] => format!("Objects of kind {} may not be read", first.name),
        _ => {
            let names: Vec<&str> = kinds.iter().map(|(info, _)| info.name).collect();
            format!(
                "Objects of {} kinds may not be read: {}",
                names.len(),
                names.join(", ")
            )
        }
    };
    let others: Vec<ObjectRef> = kinds.iter().map(|(info, _)| any_of(info.kind)).collect();
    let mut finding = Finding::new(Code::K1, severity, &any_of(first.kind), title)
        .unknown()
        .because(format!("The API server says: {why}."))
        .scope(&others)
        .remedy(allow(&kinds));
    finding.marks.clear();
    Some(finding)
}

/// All objects of a kind.
fn any_of(kind: Kind) -> ObjectRef {
    ObjectRef::new(kind, "", "*")
}

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

fn allow(kinds: &[(&KindInfo, &str)]) -> Remedy {
    let mut by_group: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (info, _) in kinds {
        by_group.entry(info.group).or_default().push(info.plural);
    }
    let rules = by_group.into_iter().map(|(group, plurals)| {
        json!({
            "apiGroups": [group],
            "resources": plurals,
            "verbs": ["get", "list", "watch"],
        })
    });
    Remedy::manifest(
        "Add this to the role of whoever runs the tool.",
        &rules.collect(),
    )
}

/// `spec.listeners[0].port is no number`; what is said of the whole object names no field.
fn told(note: &Note) -> String {
    match note.path.as_str() {
        "" => format!("it {}", note.message),
        path => format!("{path} {}", note.message),
    }
}

pub(in crate::diagnosis) const K3: Rule = Rule {
    code: Code::K3,
    severity: Severity::Error,
    title: "An object could not be understood in full",
    explanation: "A field is missing or has the wrong type. The rest of the object is read all the same. In files, a missing field that the API requires is an error, and so is a value in the data of a Secret that is not base64: the API server refuses the object.",
    remedy: "Correct the field.",
    causes: &[Code::K2],
    needs: &[],
    check: |context, findings| {
        each_object(context, &mut |object, notes| {
            // NGF-K6 says what the fields of an old policy are called now.
            let is_old = is_old_policy(context, object);
            let is_meant =
                |note: &&Note| matches!(note.kind, NoteKind::Malformed | NoteKind::Missing);
            let mut malformed: Vec<&Note> = notes.iter().filter(is_meant).collect();
            malformed.sort_by_key(|note| note.kind != NoteKind::Missing);
            if is_old {
                malformed.retain(|note| note.kind != NoteKind::Missing);
            }
            if let Some(first) = malformed.first() {
                let no_base64 = malformed.iter().find(|note| is_no_base64(note));
                let first = no_base64.unwrap_or(first);
                // What an API server stored has passed its schema.
                let is_refused = context.is_files()
                    && (no_base64.is_some()
                        || first.kind == NoteKind::Missing && first.path.starts_with("spec"));
                let more = match malformed.len() - 1 {
                    0 => String::new(),
                    more => format!(" (and {} more)", count(more, "field")),
                };
                let mut finding = if is_refused {
                    let lacks = matches!(&*first.message, "is missing" | "is empty");
                    let required = if lacks {
                        ", and the API requires it"
                    } else {
                        ""
                    };
                    let title = format!(
                        "The API server refuses {object}: {}{required}{more}",
                        told(first)
                    );
                    Finding::new(Code::K3, Severity::Error, object, title)
                } else {
                    let title = format!(
                        "{object} could not be understood in full: {}{more}",
                        told(first)
                    );
                    Finding::new(Code::K3, Severity::Warning, object, title).unknown()
                };
                if is_refused && no_base64.is_some() {
                    finding = finding.remedy(Remedy::say(
                        "Write the text under stringData (of a ConfigMap: data), or encode it with base64.",
                    ));
                } else if is_refused && first.path.ends_with("group") {
                    finding = finding.remedy(Remedy::say(format!(
                        "Write {}; the core group is \"\".",
                        first.path
                    )));
                } else if is_refused {
                    let what = match &*first.message {
                        "is missing" | "is empty" => "Write",
                        _ => "Correct",
                    };
                    finding = finding.remedy(Remedy::say(format!("{what} {}.", first.path)));
                }
                for note in malformed.iter().take(8) {
                    let what = if note.path.is_empty() {
                        "the object"
                    } else {
                        &note.path
                    };
                    finding = finding.evidence(what, &note.message, object.to_string());
                }
                findings.add(finding);
            }
        });
    },
};

/// Whether a value in `data` of a Secret, or `binaryData`, is a text as it is.
fn is_no_base64(note: &Note) -> bool {
    note.message == "is not base64"
}

pub(in crate::diagnosis) const K6: Rule = Rule {
    code: Code::K6,
    severity: Severity::Error,
    title: "A manifest has a field that the API does not have",
    explanation: "Usually a misspelt name. The API server drops such a field or refuses the object, and what it should have set has no effect.",
    remedy: "Correct the field's name.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        // The cluster's own objects passed its API server; they may be newer than this tool. What is
        // laid over them did not where the API server could not be asked.
        let is_unseen = |object: &ObjectRef| {
            context
                .evidence
                .said_of(object)
                .is_some_and(|said| matches!(said.outcome, DryRunOutcome::Unknown(_)))
        };
        each_object(context, &mut |object, notes| {
            if !context.is_files() && !is_unseen(object) {
                return;
            }
            let unknown: Vec<&Note> = notes
                .iter()
                .filter(|note| note.kind == NoteKind::UnknownField)
                .collect();
            if let Some(policy) = context
                .snapshot
                .policies
                .get(object)
                .filter(|_| is_old_policy(context, object))
            {
                findings.add(old_shape(policy));
            } else if let Some(first) = unknown.first() {
                let mut finding = Finding::new(
                    Code::K6,
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
    code: Code::K4,
    severity: Severity::Warning,
    title: "An input could not be read",
    explanation: "A file, a document or an object as a whole: what it holds is missing from every verdict.",
    remedy: "Correct it, or leave it out if it is not a manifest.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let problems = &context.snapshot.problems;
        for problem in problems.iter().take(MOST_PROBLEMS) {
            // The subject must be something; the input says what is meant.
            let subject = ObjectRef::new(Kind::ConfigMap, "", &problem.place);
            let mut finding = Finding::new(
                Code::K4,
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

/// Whether a policy in files is written in the shape of v1alpha2.
fn is_old_policy(context: &Context<'_>, object: &ObjectRef) -> bool {
    let policy = context.snapshot.policies.get(object);
    context.is_files() && policy.is_some_and(|policy| policy.spec.is_of_old_shape)
}

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
        certificate_requests,
        orders,
        challenges,
        trust_bundles
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
