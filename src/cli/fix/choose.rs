//! Which finding is meant, and what repairs it.

use std::collections::BTreeSet;

use crate::{
    cli::{
        CliError, EXIT_OK,
        args::{FixArgs, InputArgs},
        output, target,
    },
    report::{clean, prose::Prose},
};
use ngf_core::{
    command::{Command, own},
    diagnosis::{Code, Diagnosis, Finding, Severity, registry, words::count},
    fix::{self, FixPlan},
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
};

/// The findings that the command line selects.
pub(super) struct Selection {
    pub(super) code: Option<Code>,
    object: Option<ObjectRef>,
}

/// What there is to do.
pub(super) enum Choice {
    List,
    Nothing(String),
    Plan(Box<FixPlan>),
}

impl Selection {
    pub(super) fn of(input: &InputArgs, args: &FixArgs) -> Result<Self, CliError> {
        let code = match &args.code {
            None => None,
            Some(code) => match registry::rule(code) {
                Some(rule) => Some(rule.code),
                None => {
                    return Err(format!(
                        "unknown code {}; `{}` lists what can be fixed",
                        clean(code),
                        own("fix")
                    )
                    .into());
                }
            },
        };
        let namespace = input.namespace.as_deref().unwrap_or("default");
        let object = target::only(&args.object)?
            .as_deref()
            .map(|text| object_named(text, namespace))
            .transpose()?;
        Ok(Self { code, object })
    }

    pub(super) fn choose(
        &self,
        diagnosis: &Diagnosis,
        snapshot: &Snapshot,
    ) -> Result<Choice, CliError> {
        let Some(code) = self.code else {
            return Ok(Choice::List);
        };
        let found: Vec<&Finding> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.code == code)
            .filter(|finding| {
                self.object
                    .as_ref()
                    .is_none_or(|object| finding.objects().any(|about| about == object))
            })
            .collect();
        if found.is_empty() {
            let about = self
                .object
                .as_ref()
                .map_or_else(String::new, |object| format!(" about {object}"));
            return Ok(Choice::Nothing(format!(
                "no finding {code}{about} here; `{}` lists what can be fixed",
                own("fix")
            )));
        }
        let mut plans: Vec<(&Finding, FixPlan)> = Vec::new();
        let mut refused = Vec::new();
        for finding in found {
            let plan = fix::plan(finding, snapshot);
            let of_cause = fix::plan_of_cause(finding, &diagnosis.findings, snapshot);
            if let (Ok(plan), Ok(first)) = (&plan, &of_cause)
                && !plan.does_the_same(first)
            {
                refused.push(format!(
                    "{code} is an effect of {}, and both would be fixed by: {}",
                    first.code,
                    how_to_fix_cause(finding, diagnosis, first.code)
                ));
                continue;
            }
            match plan {
                Ok(plan) if plans.iter().any(|(_, known)| known.does_the_same(&plan)) => {}
                Ok(plan) => plans.push((finding, plan)),
                Err(why) => refused.push(why),
            }
        }
        match plans.len() {
            0 => {
                refused.dedup();
                Ok(Choice::Nothing(refused.join("; ")))
            }
            1 => Ok(plans
                .pop()
                .map_or(Choice::List, |(_, plan)| Choice::Plan(Box::new(plan)))),
            several => {
                let names: BTreeSet<String> = plans
                    .iter()
                    .map(|(finding, _)| argument(&finding.subject))
                    .collect();
                let names: Vec<String> = names.into_iter().collect();
                Err(format!(
                    "{code} is here {several} times; name the object: {}",
                    clean(&names.join(", "))
                )
                .into())
            }
        }
    }
}

/// `gateway/NAME`, `secret/NAMESPACE/NAME`.
pub(in crate::cli) fn object_named(text: &str, namespace: &str) -> Result<ObjectRef, String> {
    let wrong = || {
        format!(
            "`{}` names no object: write KIND/NAME or KIND/NAMESPACE/NAME, such as gateway/default/gateway",
            clean(text)
        )
    };
    let (kind, rest) = text.split_once('/').ok_or_else(wrong)?;
    let kind = Kind::parse(kind.split('.').next().unwrap_or(kind)).ok_or_else(wrong)?;
    let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
    if name.is_empty() || namespace.is_empty() || name.contains('/') {
        return Err(wrong());
    }
    Ok(ObjectRef::new(kind, namespace, name))
}

/// An object as [`object_named`] reads it.
fn argument(object: &ObjectRef) -> String {
    format!(
        "{}/{}",
        object.kind.name().to_ascii_lowercase(),
        object.path()
    )
}

/// The command that applies the fix of a finding, or why there is none.
fn how(code: Code, subject: &ObjectRef) -> String {
    let fix = Command::own().words(["fix", code.as_str()]).path(subject);
    fix.text().unwrap_or_else(|why| why)
}

/// The command that fixes the cause with this code of a finding.
fn how_to_fix_cause(finding: &Finding, diagnosis: &Diagnosis, code: Code) -> String {
    let cause = |finding: &&Finding| diagnosis.findings.get(finding.caused_by?);
    let mut causes = std::iter::successors(Some(finding), cause).take(diagnosis.findings.len());
    let subject = causes.find(|cause| cause.code == code);
    how(code, &subject.unwrap_or(finding).subject)
}

/// Lists what can be fixed.
pub(super) fn list(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Result<u8, CliError> {
    let plans = fix::offered(&diagnosis.findings, snapshot);
    let mut text = Prose::new(output::style());
    for (finding, plan) in &plans {
        text.led(&format!("{:<8} ", finding.code), None, &finding.title);
        text.sentence(9, &plan.summary);
        // A command is copied as one line.
        let command = clean(&how(finding.code, &finding.subject));
        text.line(&format!("{:9}{command}", ""));
    }
    let others: Vec<&Finding> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.caused_by.is_none() && finding.severity != Severity::Info)
        .filter(|finding| fix::plan(finding, snapshot).is_err())
        // What an effect's fix repairs is repaired.
        .filter(|finding| {
            !plans
                .iter()
                .any(|(fixed, _)| is_below(fixed, finding, diagnosis))
        })
        .collect();
    for finding in &others {
        let remedy = finding.remedy.as_ref();
        let summary = remedy.map_or("", |remedy| remedy.summary.as_str());
        text.led(&format!("{:<8} ", finding.code), None, &finding.title);
        text.sentence(9, &format!("no automatic fix: {summary}"));
    }
    if !plans.is_empty() || !others.is_empty() {
        text.blank();
    }
    text.sentence(
        0,
        &format!(
            "{} can be applied here; {} without an automatic fix",
            count(plans.len(), "fix"),
            count(others.len(), "finding"),
        ),
    );
    output::print(&text.finish())?;
    Ok(EXIT_OK)
}

/// Whether a finding is an effect of another.
fn is_below(finding: &Finding, above: &Finding, diagnosis: &Diagnosis) -> bool {
    let cause = |finding: &&Finding| diagnosis.findings.get(finding.caused_by?);
    std::iter::successors(Some(finding), cause)
        .skip(1)
        .take(diagnosis.findings.len())
        .any(|cause| std::ptr::eq(cause, above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        for (text, expected) in [
            ("gateway/gw", Some("Gateway shop/gw")),
            ("svc/app/web", Some("Service app/web")),
            ("gatewayclass/nginx", Some("GatewayClass nginx")),
            ("gw", None),
            ("gateway/", None),
            ("gateway//x", None),
            ("gateway/a/b/c", None),
            ("dragon/x", None),
        ] {
            let named = object_named(text, "shop")
                .ok()
                .map(|object| object.to_string());
            assert_eq!(named.as_deref(), expected, "{text}");
        }
    }
}
