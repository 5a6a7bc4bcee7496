//! D1 by the log, D6, D7 and K7: nginx and its agent as processes, and logs that could not be read.

use std::collections::{BTreeMap, BTreeSet};

use super::{agent, is_over, line};
use crate::{
    command::Command,
    data_plane::CONTAINER,
    diagnosis::{
        Hidden,
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        hidden,
        joined::Joined,
        ngf::{bundle_file, key_pair_file},
        rule::{Need, Rule},
        words::list,
    },
    logs::{Counted, Meaning, PodLog, Role},
    model::{kind::Kind, object::ObjectRef},
};

/// D1 as the log has it: what nginx refuses, by file; a finding of its own where no condition says so.
pub(in crate::diagnosis::rules) fn refused_configuration(
    context: &Context<'_>,
    findings: &mut Findings,
) {
    let mut newest: BTreeMap<&ObjectRef, &Joined<'_>> = BTreeMap::new();
    for joined in &context.logs {
        let gateway = joined.log.gateway.as_ref();
        let is_refusal = matches!(
            joined.counted.last_line.what,
            Meaning::ConfigurationRefused { .. } | Meaning::ApplyFailed { .. }
        );
        if let (Some(gateway), true) = (gateway, is_refusal) {
            let known = newest.entry(gateway).or_insert(joined);
            let emerg = |joined: &Joined<'_>| {
                matches!(
                    joined.counted.last_line.what,
                    Meaning::ConfigurationRefused { .. }
                )
            };
            if (emerg(joined), joined.counted.last) > (emerg(known), known.counted.last) {
                *known = joined;
            }
        }
    }
    for (gateway, joined) in newest {
        if !context.gateways.contains_key(gateway) {
            continue;
        }
        let (file, reason) = match &joined.counted.last_line.what {
            Meaning::ConfigurationRefused { file, reason } => (file.as_deref(), reason),
            Meaning::ApplyFailed { reason } => (None, reason),
            _ => continue,
        };
        let loaded_since = joined
            .log
            .tally
            .reloaded
            .is_some_and(|at| at > joined.counted.last);
        let about: Vec<ObjectRef> = file.map(|file| of_file(context, file)).unwrap_or_default();
        if let Some(known) = findings.about(Code::D1, &[gateway]) {
            let because = format!("nginx says: {reason}");
            let finding = known.clone().because(because).scope(&about);
            *known = line(context, finding, joined.log, joined.counted);
            continue;
        }
        if loaded_since {
            continue;
        }
        let is_nginx = matches!(
            joined.counted.last_line.what,
            Meaning::ConfigurationRefused { .. }
        );
        let finding = if is_nginx {
            Finding::new(
                Code::D1,
                Severity::Error,
                gateway,
                format!("nginx of {gateway} refused its configuration, and keeps the old one"),
            )
            .because(format!("nginx says: {reason}"))
        } else {
            not_applied(gateway, joined, reason)
        };
        let finding = finding
            .because("No condition of the Gateway says so.")
            .scope(&about)
            .breaks("nothing that changed since takes effect, for any route of the Gateway");
        findings.add(line(context, finding, joined.log, joined.counted));
    }
}

/// The agent failed before nginx saw the configuration.
fn not_applied(gateway: &ObjectRef, joined: &Joined<'_>, reason: &str) -> Finding {
    let pod = &joined.log.pod;
    let finding = Finding::new(
        Code::D1,
        Severity::Error,
        gateway,
        format!(
            "The agent in {} could not apply a configuration, and nginx keeps the old one",
            joined.log.who()
        ),
    )
    .because(format!("The agent says: {reason}"));
    let lower = reason.to_ascii_lowercase();
    if lower.contains("read-only file system") || lower.contains("permission denied") {
        let path = reason
            .split_whitespace()
            .find(|word| word.starts_with('/'))
            .map_or("the file", |path| path.trim_end_matches(':'));
        return finding
            .because("nginx has not seen the configuration: the agent may not write, because the file is on a read-only mount or belongs to another user.")
            .remedy(in_pod(
                joined,
                format!("See what mounts {path} in the pod (volumes of the NginxProxy's Deployment, read-only mounts), and update NGF, if nobody changed the pod."),
                Command::kubectl(&pod.namespace)
                    .words(["get"])
                    .object(pod)
                    .json_path("{.spec.containers[*].volumeMounts}"),
            ));
    }
    if lower.contains("no space left") {
        return finding
            .because("nginx has not seen the configuration: the disk of the pod is full.")
            .remedy(Remedy::say(
                "Free the disk of the node, or raise the limit of the pod's emptyDir volumes.",
            ));
    }
    finding.remedy(in_pod(
        joined,
        "Read the agent's log around that moment.",
        newest_lines(joined).pipe(Command::new("grep").words(["level=ERROR"])),
    ))
}

/// The newest lines of a log.
pub(super) fn newest_lines(joined: &Joined<'_>) -> Command {
    let pod = &joined.log.pod;
    Command::kubectl(&pod.namespace)
        .words(["logs"])
        .name(pod.kind, &pod.name)
        .words(["-c"])
        .other_name(&joined.log.container)
        .words(["--tail=200"])
}

/// A command for the pod that wrote a log; of a saved log only the sentence is of use.
fn in_pod(joined: &Joined<'_>, summary: impl Into<String>, command: Command) -> Remedy {
    if joined.log.pod.namespace.is_empty() {
        Remedy::say(summary)
    } else {
        Remedy::command(summary, command)
    }
}

/// What the nginx of a backend refused at its start: the newest line of each pod of a Service, and the
/// Secret or ConfigMap whose key it misses.
pub(in crate::diagnosis::rules) fn refused_by_backend<'a>(
    context: &'a Context<'_>,
    pods: &BTreeSet<&ObjectRef>,
) -> Vec<(&'a PodLog, &'a Counted)> {
    let mut found: Vec<(&PodLog, &Counted)> = Vec::new();
    for log in context.evidence.logs() {
        if log.role != Role::Application || !pods.contains(&log.pod) {
            continue;
        }
        let refusals = log.tally.said.values().filter(|counted| {
            matches!(counted.last_line.what, Meaning::ConfigurationRefused { .. })
        });
        let newest = refusals.max_by_key(|counted| counted.last);
        // nginx that started afterwards loaded what it refused.
        let started = log.tally.reloaded;
        found.extend(
            newest
                .filter(|counted| started.is_none_or(|at| at < counted.last))
                .map(|counted| (log, counted)),
        );
    }
    found
}

/// The Secret or ConfigMap that NGF makes a file of, among those that the cluster's objects refer to.
pub(in crate::diagnosis::rules) fn of_file(context: &Context<'_>, file: &str) -> Vec<ObjectRef> {
    let cluster = context.cluster(&[Kind::Secret, Kind::ConfigMap]);
    let referred = cluster.secrets.keys().chain(cluster.config_maps.keys());
    let found: Vec<ObjectRef> = referred
        .filter(|object| {
            bundle_file(&object.namespace, &object.name) == file
                || key_pair_file(&object.namespace, &object.name) == file
        })
        .cloned()
        .collect();
    context.look_at(&found);
    found
}

pub(in crate::diagnosis) const D6: Rule = Rule {
    code: Code::D6,
    severity: Severity::Error,
    title: "The data plane's agent has no connection to NGF's control plane",
    explanation: "nginx keeps the configuration that it has; nothing that changes takes effect, and Programmed stays True. The agent logs `Failed to create connection`.",
    remedy: "Where TLS fails, compare the Secrets of both sides (agent-tls and server-tls). Otherwise see whether the control plane runs, and whether a NetworkPolicy lets the data plane reach it.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::Logs],
    check: |context, findings| {
        for joined in &context.logs {
            let Meaning::NotConnected { reason } = &joined.counted.last_line.what else {
                continue;
            };
            let Some(gateway) = &joined.log.gateway else {
                continue;
            };
            // The agent tries again every few seconds; a start before its control plane is no fault.
            if is_over(context, joined.log, joined.counted, 120) || joined.counted.count < 2 {
                continue;
            }
            let finding = Finding::new(
                Code::D6,
                Severity::Error,
                gateway,
                format!(
                    "The agent in {} has no connection to NGF's control plane",
                    joined.log.who()
                ),
            )
            .because(format!("It says: {reason}"))
            .breaks("nothing that changes takes effect in that pod");
            let finding = match context.gateways.get(gateway) {
                Some((gateway, _)) => agent::explain(context, gateway, reason, finding),
                None => finding,
            };
            findings.add(line(context, finding, joined.log, joined.counted));
        }
    },
};

pub(in crate::diagnosis) const D7: Rule = Rule {
    code: Code::D7,
    severity: Severity::Warning,
    title: "A worker process of nginx died",
    explanation: "A signal or a fatal error ended it; its clients lost their connections, and nginx started another. Signal 9 is most often the memory limit of the container.",
    remedy: "Look at the container's memory limit, and at the log before.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::Logs],
    check: |context, findings| {
        for joined in &context.logs {
            let (Meaning::WorkerDied { how }, Some(gateway)) =
                (&joined.counted.last_line.what, &joined.log.gateway)
            else {
                continue;
            };
            let finding = Finding::new(
                Code::D7,
                Severity::Warning,
                gateway,
                format!("A worker process of nginx in {} {how}", joined.log.who()),
            );
            findings.add(line(context, finding, joined.log, joined.counted));
        }
    },
};

/// What shows by hand why something was not read that RBAC does not hide.
fn ask_again(what: &str, pod: &ObjectRef) -> Remedy {
    let kubectl = Command::kubectl(&pod.namespace);
    let command = if what.ends_with("log") {
        kubectl
            .words(["logs"])
            .name(Kind::Pod, &pod.name)
            .words(["--tail=20"])
    } else {
        kubectl
            .words(["exec"])
            .name(Kind::Pod, &pod.name)
            .words(["-c", CONTAINER, "--", "nginx", "-T"])
    };
    Remedy::command("See whether the pod answers.", command)
}

/// A log file of which nothing can be said.
fn tells_nothing(log: &PodLog, why: &str) -> Finding {
    let place = crate::diagnosis::rules::shared::upper(&log.place());
    let mut finding = Finding::new(
        Code::K7,
        Severity::Info,
        &log.pod,
        format!("{place} tells nothing: {why}"),
    )
    .unknown()
    .remedy(Remedy::say(
        "Give the log of nginx's container in a data-plane pod, of a backend's nginx, or of NGF's control plane.",
    ));
    finding.marks.clear();
    finding
}

pub(in crate::diagnosis) const K7: Rule = Rule {
    code: Code::K7,
    severity: Severity::Info,
    title: "A log, or what nginx is configured with, could not be read",
    explanation: "Denied, or failed, or a file without a line of nginx or NGF: what the data plane, the control plane or a backend says is missing from every verdict.",
    remedy: "Grant get on pods/log, and get and create on pods/exec, where RBAC hides it; otherwise see whether the pod answers.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let mut unread: BTreeMap<(&str, &ObjectRef), String> = BTreeMap::new();
        for log in context.evidence.logs() {
            if let (Some(why), Some(_)) = (&log.failed, &log.file) {
                findings.add(tells_nothing(log, why));
            } else if let Some(why) = &log.failed {
                let what = match log.role {
                    Role::DataPlane => "the data plane's log",
                    Role::Application => "the application's log",
                    Role::Controller => "the control plane's log",
                };
                unread.insert((what, &log.pod), why.clone());
            }
        }
        for in_pod in context.evidence.rendered() {
            if let Err(why) = &in_pod.found {
                unread.insert(("nginx's configuration", &in_pod.pod), why.clone());
            }
        }
        let mut by_what: BTreeMap<&str, Vec<(&ObjectRef, String)>> = BTreeMap::new();
        for ((what, pod), why) in unread {
            by_what.entry(what).or_default().push((pod, why));
        }
        for (what, pods) in by_what {
            let Some((pod, why)) = pods.first() else {
                continue;
            };
            let names = list(pods.iter().map(|(pod, _)| pod), 3);
            let mut finding = Finding::new(
                Code::K7,
                Severity::Info,
                pod,
                format!(
                    "{} could not be read, of {names}",
                    crate::diagnosis::rules::shared::upper(what)
                ),
            )
            .unknown()
            .because(why.clone());
            finding.marks.clear();
            let about = |hidden: &&Hidden| hidden.objects.contains(pod) && hidden.is_of_pods(what);
            let hidden = hidden::of(context.snapshot, context.evidence);
            finding = finding.remedy(match hidden.iter().find(about) {
                Some(hidden) => Remedy::manifest(
                    format!("Add this to {}.", hidden.role()),
                    &hidden.manifest(),
                ),
                None => ask_again(what, pod),
            });
            findings.add(finding);
        }
    },
};
