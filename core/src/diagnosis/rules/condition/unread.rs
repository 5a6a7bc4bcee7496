//! C9: fields that the release of NGF that runs does not read.

use serde_json::Value;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::Release,
        rule::{Need, Rule},
    },
    model::{kind::Kind, object::ObjectRef},
};

/// A field that NGF reads from some release on.
struct Newer {
    /// As it is written in JSON.
    pointer: &'static str,
    /// As people write it.
    field: &'static str,
    /// The first release that reads it.
    since: &'static str,
    reads: fn(Release) -> bool,
    severity: Severity,
    /// What happens without it.
    instead: &'static str,
}

const FRONTEND: Newer = Newer {
    pointer: "/spec/tls/frontend",
    field: "spec.tls.frontend",
    since: "2.6",
    reads: Release::validates_clients,
    severity: Severity::Warning,
    instead: "its listeners accept clients with any certificate, and without one",
};

const CLUSTER_IP: Newer = Newer {
    pointer: "/spec/useClusterIP",
    field: "spec.useClusterIP",
    since: "2.7",
    reads: Release::may_use_cluster_ip,
    severity: Severity::Info,
    instead: "nginx connects to the endpoints of the Service",
};

pub(in crate::diagnosis) const C9: Rule = Rule {
    code: Code::C9,
    severity: Severity::Warning,
    title: "A field has no effect, because the release of NGF that runs does not read it",
    explanation: "CRDs can have fields that are newer than NGF: the API server stores them, NGF ignores them, and no condition says so. NGF reads spec.tls.frontend of Gateways, which verifies clients, from 2.6 on, and useClusterIP from 2.7 on.",
    remedy: "Upgrade NGF, or remove the field.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::NginxProxies],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            unread(context, findings, &FRONTEND, name, &gateway.raw);
        }
        for (name, object) in &context.snapshot.ngf {
            if matches!(name.kind, Kind::UpstreamSettingsPolicy | Kind::NginxProxy) {
                unread(context, findings, &CLUSTER_IP, name, &object.raw);
            }
        }
    },
};

fn unread(
    context: &Context<'_>,
    findings: &mut Findings,
    newer: &Newer,
    name: &ObjectRef,
    raw: &Value,
) {
    // Only a release that is known is known not to read it.
    let Some((workload, version)) = &context.running.said_by else {
        return;
    };
    let value = raw.pointer(newer.pointer);
    let is_set = value.is_some_and(|value| !value.is_null() && value != false);
    if !is_set || (newer.reads)(context.running.release) {
        return;
    }
    findings.add(
        Finding::new(
            Code::C9,
            newer.severity,
            name,
            format!("NGF {version} does not read {} of {name}", newer.field),
        )
        .because(format!("NGF reads it from {} on.", newer.since))
        .evidence("version", version, workload.to_string())
        .evidence("field", newer.field, name.to_string())
        .scope([workload])
        .breaks(newer.instead)
        .remedy(Remedy::say(format!(
            "Upgrade NGF to {} or later, or remove the field.",
            newer.since
        ))),
    );
}
