//! D12: a configuration that nginx refused once, and that NGF does not send again although its cause has gone
//! (nginx-gateway-fabric issues 4697, 5330, 5496, 5550).

use std::collections::BTreeSet;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        joined::Joined,
        rule::{Need, Rule},
        rules::{condition::data_plane::not_applied, logs::of_file},
        words::{holder, list, moment},
    },
    logs::{Meaning, Role},
    model::{
        kinds::{KeyState, PemFacts},
        object::{Condition, ObjectRef},
        snapshot::Lookup,
    },
};

/// Where NGF writes certificates.
const SECRETS: &str = "/etc/nginx/secrets/";

/// Rules that say why nginx refuses the configuration, or a file of it, as the objects are now.
const STILL: &[Code] = &[
    Code::P8,
    Code::P9,
    Code::P10,
    Code::G12,
    Code::D8,
    Code::L2,
    Code::R1,
    Code::R3,
    Code::R5,
    Code::R7,
];

pub(in crate::diagnosis) const D12: Rule = Rule {
    code: Code::D12,
    severity: Severity::Error,
    title: "nginx refused a configuration whose cause has gone, and NGF does not send it again",
    explanation: "NGF sends a configuration to its agents when something changes, and the current one when an agent connects. Where nginx refused one because of a file, and the Secret or ConfigMap of that file is well now, Programmed stays False, and nginx keeps the configuration from before, until NGF sends the next one.",
    remedy: "Restart NGF's control plane, or change a route of the Gateway: either makes NGF send the whole configuration.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let Some(programmed) = not_applied(gateway) else {
                continue;
            };
            let Some(file) = file(context, name, programmed) else {
                continue;
            };
            let objects = of_file(context, &file);
            let loads = |object: &ObjectRef| {
                let facts = facts(context, object, &file);
                matches!(facts, Some(PemFacts::Certificates { trailing: None, .. }))
            };
            if objects.is_empty()
                || !context.is_settled(programmed.last_transition)
                || !objects.iter().all(loads)
                || is_still_refused(context, findings, name, &objects)
            {
                continue;
            }
            let what = list(&objects, 2);
            let since = programmed.last_transition.map_or_else(String::new, |at| {
                format!(" since {}", moment(at.as_second()))
            });
            let mut finding = Finding::new(
                Code::D12,
                Severity::Error,
                name,
                format!("NGF has not sent the configuration of {name} again, although {what} is well now"),
            )
            .because(format!(
                "nginx refused a configuration because of {file}{since}, and the file would load as {what} is now."
            ))
            .because("NGF sends the configuration again when something changes for the Gateway, or when the agent connects.")
            .condition(name, programmed)
            .scope(&objects)
            .breaks("nothing that changed since takes effect, for any route of the Gateway")
            .remedy(again(context));
            for object in &objects {
                let facts = facts(context, object, &file).map(PemFacts::certificates);
                let subjects = facts.unwrap_or_default().iter().map(holder);
                finding = finding.evidence("certificates", list(subjects, 3), object.to_string());
            }
            findings.add(finding);
        }
    },
};

/// The file of certificates that nginx refused: as the condition names it, or else the newest line of the data
/// plane.
fn file(context: &Context<'_>, gateway: &ObjectRef, programmed: &Condition) -> Option<String> {
    let quoted = programmed.message.split('"');
    let mut named = quoted.filter(|text| text.starts_with(SECRETS));
    if let Some(file) = named.next() {
        return Some(file.to_owned());
    }
    let of_gateway = context.logs.iter().filter(|joined| {
        joined.log.role == Role::DataPlane && joined.log.gateway.as_ref() == Some(gateway)
    });
    let refusals = of_gateway.filter_map(|joined| Some((joined.counted.last, refused(joined)?)));
    let (_, file) = refusals.max_by_key(|(at, _)| *at)?;
    file.starts_with(SECRETS).then(|| file.to_owned())
}

/// The file that a line is about, if it says that nginx refused its configuration; empty where it names none.
fn refused<'a>(joined: &Joined<'a>) -> Option<&'a str> {
    match &joined.counted.last_line.what {
        Meaning::ConfigurationRefused { file, .. } => Some(file.as_deref().unwrap_or_default()),
        _ => None,
    }
}

/// What nginx would read from the file that NGF makes of a Secret or ConfigMap.
fn facts<'a>(context: &'a Context<'_>, object: &ObjectRef, file: &str) -> Option<&'a PemFacts> {
    let is_bundle = file.starts_with(&format!("{SECRETS}cert_bundle_"));
    match (
        context.snapshot.secrets.get(object),
        context.snapshot.config_maps.get(object),
    ) {
        (Some(Lookup::Found(secret)), _) if is_bundle => Some(&secret.spec.ca),
        (Some(Lookup::Found(secret)), _) => {
            let fits = matches!(secret.spec.key, KeyState::Fits(_));
            fits.then_some(&secret.spec.certificate)
        }
        (_, Some(Lookup::Found(map))) if is_bundle => Some(&map.spec.ca),
        _ => None,
    }
}

/// Whether anything says that nginx would refuse the configuration of today, too.
fn is_still_refused(
    context: &Context<'_>,
    findings: &Findings,
    gateway: &ObjectRef,
    objects: &[ObjectRef],
) -> bool {
    let about: BTreeSet<&ObjectRef> = objects.iter().chain([gateway]).collect();
    let told = findings.iter().any(|finding| {
        STILL.contains(&finding.code) && finding.objects().any(|object| about.contains(object))
    });
    told || context.unloadable(gateway).next().is_some()
}

/// What makes NGF send the configuration again.
fn again(context: &Context<'_>) -> Remedy {
    let summary =
        "Restart NGF's control plane: its agents connect again, and get the whole configuration.";
    let workloads = context.snapshot.workloads.values();
    let mut control_planes = workloads.filter(|workload| {
        let mut containers = workload.spec.template.containers.iter();
        containers.any(|container| container.name == "nginx-gateway")
    });
    match control_planes.next() {
        Some(workload) => Remedy::command(
            summary,
            Command::kubectl(&workload.reference.namespace)
                .words(["rollout", "restart"])
                .object(&workload.reference),
        ),
        None => Remedy::say(summary),
    }
}
