//! L7: certificates of listeners that NGF rejects.

use super::{EndsTls, Reference, Why, listeners};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::resolve::Fault,
        rule::{Need, Rule},
        rules::{
            expiry::reissue,
            shared::{grant, near, upper, with_oddity, writer},
        },
        words::condition,
    },
    model::{object::ObjectRef, status::ListenersStatus},
};

pub(in crate::diagnosis) const L7: Rule = Rule {
    code: Code::L7,
    severity: Severity::Error,
    title: "NGF cannot use the certificate of a listener",
    explanation: "A listener that ends TLS needs a Secret of type kubernetes.io/tls whose tls.key is the key of its tls.crt; one of another namespace needs a ReferenceGrant, which names the kind Gateway or ListenerSet. A ca.crt in it that cannot be read counts, too. Where none of its certificates can be used, NGF refuses the listener, and nginx does not listen for its host names; of several it leaves out those that it cannot use.",
    remedy: "Correct the reference or the Secret, or create the ReferenceGrant.",
    causes: &[Code::S2, Code::S3],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for one in listeners(context) {
            let usable = one
                .references
                .iter()
                .any(|reference| !matches!(reference, Reference::Rejected(..)));
            for reference in &one.references {
                match reference {
                    Reference::Rejected(why, secret) => {
                        let finding = rejected(context, findings, &one, why, secret, usable);
                        findings.add(finding);
                    }
                    Reference::Unknown(secret, why) if !is_told(context, &one) => {
                        findings.add(unknown(context, &one, secret, why));
                    }
                    _ => {}
                }
            }
        }
    },
};

/// Whether NGF has written of the listener.
fn is_told(context: &Context<'_>, one: &EndsTls<'_>) -> bool {
    let own = context.snapshot.gateways.get(one.owner);
    let set = context.snapshot.listener_sets.get(one.owner);
    own.is_some_and(|own| !own.status.conditions.is_empty())
        || set.is_some_and(|set| !set.status.conditions.is_empty())
}

/// A certificate of which nobody has said yet whether NGF can use it.
fn unknown(context: &Context<'_>, one: &EndsTls<'_>, secret: &ObjectRef, why: &str) -> Finding {
    let severity = if context.is_files() {
        Severity::Info
    } else {
        Severity::Warning
    };
    let title = format!(
        "Whether NGF takes {secret} as the certificate of {} is unknown",
        one.label()
    );
    let finding = Finding::new(Code::L7, severity, one.owner, title)
        .unknown()
        .because(format!("{}.", upper(why)))
        .mark(one.mark())
        .scope([one.gateway, secret]);
    match writer(context, secret) {
        Some(writer) => finding.because(format!("{writer} writes it.")),
        None => finding,
    }
}

fn rejected(
    context: &Context<'_>,
    findings: &mut Findings,
    one: &EndsTls<'_>,
    why: &Why,
    secret: &ObjectRef,
    usable: bool,
) -> Finding {
    let severity = if usable {
        Severity::Warning
    } else {
        Severity::Error
    };
    let label = one.label();
    let title = match why {
        Why::NotGranted => format!("No ReferenceGrant lets {} use {secret}", one.owner),
        Why::Kind(what) => {
            format!("The certificate of {label} is of {what}, and NGF accepts Secrets")
        }
        Why::Secret(Fault::DoesNotExist, _) => {
            format!("{secret}, the certificate of {label}, does not exist")
        }
        Why::Secret(..) => format!("NGF cannot use {secret}, the certificate of {label}"),
    };
    let mut finding = Finding::new(Code::L7, severity, one.owner, title)
        .mark(one.mark())
        .scope([one.gateway]);
    finding = match why {
        Why::Secret(Fault::DoesNotExist, _) | Why::NotGranted => finding.scope([secret]),
        Why::Secret(_, words) => finding
            .scope([secret])
            .because(format!("NGF reports: {words}.")),
        Why::Kind(_) => finding,
    };
    if matches!(why, Why::Secret(..)) {
        finding = with_oddity(context, finding, secret);
    }
    if matches!(why, Why::NotGranted) {
        let (kind, namespace) = (one.owner.kind.name(), &one.owner.namespace);
        finding = near(context, finding, kind, namespace, secret);
    }
    finding = finding.breaks(if usable {
        "nginx presents the other certificates of the listener to its clients".to_owned()
    } else {
        format!("NGF refuses {label}: nginx does not listen for its host names")
    });
    for kind in ["Accepted", "ResolvedRefs", "Programmed"] {
        findings.explain(one.owner, format!("{}/{kind}", one.listener.name));
    }
    let own = context
        .gateways
        .get(one.owner)
        .map(|(found, _)| &found.status);
    if let Some(said) = own.and_then(|own| said(own, &one.listener.name)) {
        finding = finding.condition(one.owner, said);
    }
    finding.remedy(remedy(context, one, why, secret))
}

/// What NGF's status says of the listener's references.
fn said<'a>(
    gateway: &'a ListenersStatus,
    listener: &str,
) -> Option<&'a crate::model::object::Condition> {
    let mut listeners = gateway.listeners.iter();
    let status = listeners.find(|status| status.name == listener)?;
    condition(&status.conditions, "ResolvedRefs").filter(|said| said.status == "False")
}

fn remedy(context: &Context<'_>, one: &EndsTls<'_>, why: &Why, secret: &ObjectRef) -> Remedy {
    match why {
        Why::NotGranted => Remedy::create(
            format!(
                "Allow it with a ReferenceGrant in namespace {}.",
                secret.namespace
            ),
            grant(
                one.owner.kind.name(),
                &one.owner.namespace,
                "Secret",
                &secret.namespace,
                &secret.name,
            ),
        ),
        Why::Kind(_) => Remedy::say("Name a Secret of type kubernetes.io/tls."),
        Why::Secret(Fault::DoesNotExist, _) => match writer(context, secret) {
            Some(certificate) => Remedy::command(
                format!("{certificate} is to write it: find out why it has not."),
                Command::kubectl(&certificate.namespace)
                    .words(["describe"])
                    .object(&certificate),
            ),
            None => Remedy::say(format!(
                "Create {secret} of type kubernetes.io/tls, with tls.crt and tls.key."
            )),
        },
        Why::Secret(Fault::WrongType, _) => Remedy::say(format!(
            "Create {secret} again with type kubernetes.io/tls: the type of a Secret cannot be changed."
        )),
        Why::Secret(Fault::BrokenCa | Fault::NoCa, _) => {
            Remedy::say(format!("Correct the ca.crt of {secret}, or remove it."))
        }
        Why::Secret(Fault::KeyPair, _) => reissue(context, secret),
    }
}
