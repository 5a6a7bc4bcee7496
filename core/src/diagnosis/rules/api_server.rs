//! A: what the API server says of manifests that are to be applied (`check --over`), asked by dry runs.

use std::collections::BTreeMap;

use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        rule::Rule,
        rules::shared::upper,
        words::{count, list},
    },
    model::object::ObjectRef,
    overlay::{
        READ_ONLY,
        said::{DryRunAnswer, DryRunOutcome, ManifestRefusal, Why},
    },
};

/// Where the evidence stands.
const PLACE: &str = "the API server's answer to a dry run";
/// Fields that a title names.
const NAMED: usize = 3;

pub(in crate::diagnosis) const A1: Rule = Rule {
    code: Code::A1,
    severity: Severity::Error,
    title: "The API server would refuse a manifest",
    explanation: "Asked by a dry run, which stores nothing: the object breaks its schema or a rule of it (CEL), changes a field that never changes, takes a field that another manager owns, or a webhook, policy or quota does not let it in. The rest is applied without it.",
    remedy: "Correct the field that the API server names, and check again.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        for said in context.evidence.said() {
            if let DryRunOutcome::Refused(refusal) = &said.outcome {
                findings.add(refused(said, refusal));
            }
        }
    },
};

fn refused(said: &DryRunAnswer, refusal: &ManifestRefusal) -> Finding {
    let object = &said.object;
    let what = match refusal.causes.as_slice() {
        [] => refusal.words.clone(),
        [(field, message)] => format!("{field}: {message}"),
        [(field, message), rest @ ..] => {
            format!(
                "{field}: {message} (and {} more)",
                count(rest.len(), "cause")
            )
        }
    };
    let title = format!("The API server would refuse {object}: {what}");
    let mut finding = Finding::new(Code::A1, Severity::Error, object, title);
    // One alone stands in the title.
    if refusal.causes.len() > 1 {
        for (field, message) in &refusal.causes {
            finding = finding.evidence(field, message, PLACE);
        }
    }
    for warning in &said.warnings {
        finding = finding.evidence("it warns", warning, PLACE);
    }
    at_its_place(finding, said).remedy(Remedy::say(match refusal.why {
        Why::Invalid => "Correct the field that it names.",
        Why::Immutable => {
            "The field never changes: make a new object with another name and refer to that, or delete this one and create it again."
        }
        Why::Conflict => {
            "Leave the field to its owner, or take it over (kubectl apply --server-side --force-conflicts); if it says that the object was modified, take resourceVersion out of the manifest."
        }
        Why::Admission => {
            "Do as the webhook, policy or quota says, or ask whoever runs it for an exception."
        }
        Why::NotServed => "Install or upgrade the CRDs first, or write a version that the cluster serves.",
        Why::NoNamespace => "Create the namespace first, or name another.",
    }))
}

pub(in crate::diagnosis) const A2: Rule = Rule {
    code: Code::A2,
    severity: Severity::Error,
    title: "The API server would drop a field of a manifest",
    explanation: "The cluster's API does not have the field: it is misspelt, or the CRDs are older than the manifest. kubectl apply refuses such a manifest, since it asks for strict validation; Helm, Argo CD and others store the object without the field, and what it should set has no effect.",
    remedy: "Correct the field's name, or upgrade the CRDs.",
    causes: &[Code::C3],
    needs: &[],
    check: |context, findings| {
        for said in context.evidence.said() {
            let DryRunOutcome::Taken { dropped, .. } = &said.outcome else {
                continue;
            };
            if dropped.is_empty() {
                continue;
            }
            let object = &said.object;
            let title = format!(
                "The API server would drop {} of {object}",
                list(dropped, NAMED)
            );
            let mut finding = Finding::new(Code::A2, Severity::Error, object, title).because(
                "It is misspelt, or the cluster's CRDs are older than the manifest. kubectl apply refuses the manifest; other tools store the object without it.",
            );
            for field in dropped.iter().skip(NAMED) {
                finding = finding.evidence(field, "dropped, too", PLACE);
            }
            for warning in &said.warnings {
                finding = finding.evidence("it warns", warning, PLACE);
            }
            findings.add(at_its_place(finding, said));
        }
    },
};

pub(in crate::diagnosis) const A3: Rule = Rule {
    code: Code::A3,
    severity: Severity::Warning,
    title: "The API server could not try a manifest",
    explanation: "A dry run takes the rights of the write itself, needs the namespace and the CRD to be there, and needs webhooks that allow it (sideEffects None or NoneOnDryRun). Without it the tool merges the manifest by itself, as kubectl apply would: defaults, dropped fields and refusals are not known.",
    remedy: "Let whoever runs the check create and patch these objects (a dry run stores nothing).",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let mut by_reason: BTreeMap<&str, Vec<&DryRunAnswer>> = BTreeMap::new();
        for said in context.evidence.said() {
            if let DryRunOutcome::Unknown(why) = &said.outcome {
                by_reason.entry(why).or_default().push(said);
            }
        }
        for (why, all) in by_reason {
            findings.add(not_asked(why, &all));
        }
    },
};

fn not_asked(why: &str, all: &[&DryRunAnswer]) -> Finding {
    let objects: Vec<&ObjectRef> = all.iter().map(|said| &said.object).collect();
    let about = match objects.as_slice() {
        [one] => one.to_string(),
        several => count(several.len(), "object"),
    };
    let title = format!("It is not known what the API server would store of {about}: {why}");
    let mut finding = Finding::new(Code::A3, Severity::Warning, objects[0], title)
        .unknown()
        .because(
            "The tool merged it by itself: defaults, dropped fields and refusals are not known.",
        )
        .mark_objects(objects.iter().copied())
        .scope(objects.iter().copied());
    if objects.len() > 1 {
        finding = finding.because(format!("{}.", upper(&list(&objects, 8))));
    }
    finding.remedy(Remedy::say(match why {
        READ_ONLY => "Leave --read-only out to ask the API server; a dry run stores nothing.",
        why if why.starts_with("you may not") => A3.remedy,
        why if why.contains("among the files") => "Apply that first, and check again.",
        _ => "Check again once it answers; a webhook takes part where its sideEffects are None or NoneOnDryRun.",
    }))
}

pub(in crate::diagnosis) const A4: Rule = Rule {
    code: Code::A4,
    severity: Severity::Info,
    title: "The API server would change a manifest, or warns about it",
    explanation: "A mutating webhook or the API server itself sets a field to another value, or a version or field is deprecated. The report shows the object as it would be stored.",
    remedy: "Write what will be stored, or nothing of it.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        for said in context.evidence.said() {
            let DryRunOutcome::Taken { altered, dropped } = &said.outcome else {
                continue;
            };
            let object = &said.object;
            if !dropped.is_empty() {
                continue;
            }
            let title = match (altered.as_slice(), said.warnings.as_slice()) {
                ([], []) => continue,
                ([], [warning, ..]) => format!("The API server warns of {object}: {warning}"),
                (fields, _) => format!(
                    "The API server would store another {} in {object}",
                    list(fields, NAMED)
                ),
            };
            let mut finding = Finding::new(Code::A4, Severity::Info, object, title);
            for field in altered {
                finding = finding.evidence(field, "another value than the manifest's", PLACE);
            }
            let told = usize::from(altered.is_empty());
            for warning in said.warnings.iter().skip(told) {
                finding = finding.evidence("it warns", warning, PLACE);
            }
            findings.add(at_its_place(finding, said));
        }
    },
};

fn at_its_place(finding: Finding, said: &DryRunAnswer) -> Finding {
    if said.place.is_empty() {
        return finding;
    }
    finding.evidence("manifest", &said.place, said.object.to_string())
}
