//! K1 and K2 where the user's rights are the reason: one namespace, and Secrets and ConfigMaps by name.

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        hidden,
        ngf::ClientCertificate,
        words::{count, list},
    },
    model::object::ObjectRef,
};

/// Kinds that may be read in one namespace only.
pub(in crate::diagnosis::rules) fn narrowed(context: &Context<'_>, findings: &mut Findings) {
    for hidden in hidden::of(context.snapshot, context.evidence) {
        let Some(namespace) = &hidden.read_namespace else {
            continue;
        };
        let Some(first) = hidden.kinds.first() else {
            continue;
        };
        let kinds = list(hidden.kinds.iter().map(|kind| kind.name()), 6);
        let mut finding = Finding::new(
            Code::K1,
            Severity::Info,
            &ObjectRef::new(*first, "", "*"),
            format!("Only namespace {namespace} may be read: what is in the others is not known"),
        )
        .unknown()
        .because(format!("This is so for {}: {kinds}.", count(hidden.kinds.len(), "kind")))
        .remedy(Remedy::manifest(
            format!(
                "Where other namespaces matter, add this to {} of whoever runs the tool; or say -n {namespace}.",
                hidden.role()
            ),
            &hidden.manifest(),
        ));
        finding.marks.clear();
        findings.add(finding);
    }
}

/// Secrets and ConfigMaps that the user may not read: shown where they are used.
pub(in crate::diagnosis::rules) fn named(context: &Context<'_>, findings: &mut Findings) {
    for hidden in hidden::of(context.snapshot, context.evidence) {
        let (hidden::HiddenKind::Objects, Some(first)) = (hidden.what, hidden.objects.first())
        else {
            continue;
        };
        let mut finding = Finding::new(
            Code::K2,
            Severity::Warning,
            first,
            format!("{} may not be read", hidden.phrase),
        )
        .unknown()
        .because("Whether the certificates there are right is not known.")
        .scope(&hidden.objects)
        .remedy(Remedy::manifest(
            format!("Add this to {} of whoever runs the tool.", hidden.role()),
            &hidden.manifest(),
        ));
        if let Some(why) = &hidden.why {
            finding = finding.because(format!("The API server says: {why}."));
        }
        let marks = finding.marks.len();
        for (gateway, certificate) in context.gateways.values() {
            if let ClientCertificate::Unknown { secret, .. } = certificate
                && hidden.objects.contains(secret)
            {
                finding = finding.mark_objects([&gateway.reference]);
            }
        }
        for policy in context.snapshot.policies.values() {
            let namespace = &policy.reference.namespace;
            let mut trusted = policy.spec.ca_certificate_refs.iter();
            if trusted.any(|ca| {
                let is_named = |object: &ObjectRef| {
                    Some(object.kind.name()) == ca.kind.as_deref()
                        && object.name == ca.name
                        && object.namespace == *namespace
                };
                hidden.objects.iter().any(is_named)
            }) {
                finding = finding.mark_objects([&policy.reference]);
            }
        }
        // No path depends on the others of itself, such as those of NGF's agent.
        if finding.marks.len() == marks {
            finding.severity = Severity::Info;
        }
        findings.add(finding);
    }
}
