//! L8 and L9: what a listener really presents, by a handshake as one of its clients makes it.

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::{EndsTls, Reference, listeners};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        evidence::{Meeting, Met},
        finding::{Finding, Mark, Remedy, Severity},
        rule::{Need, Rule},
        words::{self, holder, list},
    },
    model::object::ObjectRef,
};

/// Rules that say of a listener, by the objects, why its clients refuse it, or it them.
const TOLD: &[Code] = &[
    Code::E1,
    Code::E2,
    Code::L1,
    Code::L2,
    Code::L5,
    Code::L6,
    Code::L7,
    Code::L8,
    Code::D1,
    Code::D2,
    Code::D8,
    Code::S2,
    Code::S3,
];

pub(in crate::diagnosis) const L8: Rule = Rule {
    code: Code::L8,
    severity: Severity::Warning,
    title: "A listener presents another certificate than its Secret holds",
    explanation: "NGF writes the Secret's certificate to the data plane, and nginx loads it when it reloads. Where the update did not arrive (agent not connected, reload refused), or somebody changed the pod, clients get the certificate from before. No condition says so. `check` sees it in a handshake with the listener, through a port-forward to the data plane.",
    remedy: "See whether the Gateway is programmed, the agent connected and NGF's control plane running.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Handshake],
    check: |context, findings| {
        let known = listeners(context);
        for (meeting, at, met) in context.evidence.meetings() {
            let (Some(one), Ok(met)) = (of(&known, meeting), met) else {
                continue;
            };
            let Some(leaf) = met.chain.first() else {
                continue;
            };
            // Of what is not known nothing can be said to be another one.
            let is_known = |reference: &Reference<'_>| !matches!(reference, Reference::Unknown(..));
            let held: Vec<(&ObjectRef, &CertificateFacts)> = leaves(one).collect();
            let is_held = |(_, held): &(&ObjectRef, &CertificateFacts)| {
                held.fingerprint_sha256 == leaf.fingerprint_sha256
            };
            if held.is_empty()
                || !one.references.iter().all(is_known)
                || held.iter().any(is_held)
                || held.iter().any(|(_, held)| is_just_issued(context, held))
                || findings.has(Code::L8, one.owner)
            {
                continue;
            }
            findings.add(another(context, one, meeting, met, leaf, &held, at));
        }
    },
};

/// A Secret that was written a moment ago is still on its way to nginx.
fn is_just_issued(context: &Context<'_>, held: &CertificateFacts) -> bool {
    let issued = Timestamp::from_second(held.not_before).ok();
    issued.is_some_and(|issued| {
        context.now.is_after(issued.as_second()) && !context.is_settled(Some(issued))
    })
}

fn another(
    context: &Context<'_>,
    one: &EndsTls<'_>,
    meeting: &Meeting,
    met: &Met,
    leaf: &CertificateFacts,
    held: &[(&ObjectRef, &CertificateFacts)],
    at: Timestamp,
) -> Finding {
    let secrets: Vec<&ObjectRef> = held.iter().map(|(secret, _)| *secret).collect();
    let is_older = held
        .iter()
        .all(|(_, held)| held.not_before > leaf.not_before);
    let which = if is_older { "an older" } else { "another" };
    let (severity, expired) = if context.now.is_after(leaf.not_after) {
        let ago = context.now.span(leaf.not_after);
        (Severity::Error, format!(", which expired {ago} ago"))
    } else {
        (Severity::Warning, String::new())
    };
    let mut finding = Finding::new(
        Code::L8,
        severity,
        one.owner,
        format!(
            "{} presents {which} certificate than {} holds{expired}",
            upper(&one.label()),
            list(&secrets, 2)
        ),
    )
    .because(format!(
        "A client that asked for {} at {} got it.",
        meeting.server_name,
        words::moment(at.as_second())
    ))
    .evidence("presented", described(leaf), met.via.clone())
    .scope(secrets.iter().copied())
    .scope([one.gateway])
    .mark(one.mark())
    .remedy(Remedy::say("See whether the Gateway is programmed, whether the agent in the data plane is connected, and what nginx refused in its log."));
    for (secret, held) in held.iter().take(2) {
        finding = finding.evidence("tls.crt", described(held), secret.to_string());
    }
    if severity == Severity::Error {
        finding = finding.breaks("clients that verify refuse the certificate");
    }
    finding
}

fn described(certificate: &CertificateFacts) -> String {
    format!(
        "{}, serial {}, until {}",
        holder(certificate),
        certificate.serial,
        words::moment(certificate.not_after)
    )
}

pub(in crate::diagnosis) const L9: Rule = Rule {
    code: Code::L9,
    severity: Severity::Error,
    title: "A client cannot complete the handshake with a listener, or does not accept its certificate",
    explanation: "`check` makes a handshake with each listener that ends TLS, for the host names of its routes, as a strict client makes it (rustls with webpki), through a port-forward to the data plane. Where the objects say why it fails, that is the finding; this one is for what they do not show.",
    remedy: "Compare with `openssl s_client` from where the client stands.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Handshake],
    check: |context, findings| {
        let known = listeners(context);
        for (meeting, at, met) in context.evidence.meetings() {
            let Some(one) = of(&known, meeting) else {
                continue;
            };
            if is_told(one, findings) || findings.has(Code::L9, one.owner) {
                continue;
            }
            let place = format!("handshake with {} for {}", one.label(), meeting.server_name);
            let finding = match met {
                Err(why) => untested(one, why),
                Ok(met) => match (&met.failed, met.accepted) {
                    (Some(failed), _) => failing(one, meeting, failed, &place),
                    (None, Some(false)) => not_accepted(one, met, &place),
                    _ => continue,
                },
            };
            let moment = words::moment(at.as_second());
            findings.add(
                finding
                    .evidence("when", moment, place)
                    .scope([one.gateway])
                    .mark(one.mark()),
            );
        }
    },
};

/// Whether another rule says why, of this listener or of its Gateway.
fn is_told(one: &EndsTls<'_>, findings: &Findings) -> bool {
    findings.iter().any(|finding| {
        let of_listener = finding.marks.iter().any(|mark| match mark {
            Mark::Listener { owner, name } => owner == one.owner && *name == one.listener.name,
            Mark::Object(object) => object == one.gateway || object == one.owner,
            _ => false,
        });
        let mut about = finding.objects();
        let of_secret = leaves(one).any(|(secret, _)| about.any(|object| object == secret));
        TOLD.contains(&finding.code) && (of_listener || of_secret)
    })
}

fn failing(one: &EndsTls<'_>, meeting: &Meeting, failed: &str, place: &str) -> Finding {
    Finding::new(
        Code::L9,
        Severity::Error,
        one.owner,
        format!(
            "A client cannot complete the handshake with {} for {}",
            one.label(),
            meeting.server_name
        ),
    )
    .because(format!("{}.", upper(failed.trim_end_matches('.'))))
    .evidence("handshake", failed, place)
    .breaks("clients that ask for that name get no answer")
    .remedy(Remedy::say(
        "See whether nginx loaded the listener: the Gateway's Programmed, and [emerg] in the data plane's log.",
    ))
}

fn not_accepted(one: &EndsTls<'_>, met: &Met, place: &str) -> Finding {
    let finding = Finding::new(
        Code::L9,
        Severity::Warning,
        one.owner,
        format!(
            "A strict client does not accept the certificate of {}",
            one.label()
        ),
    )
    .because(format!("{}.", upper(met.verdict.trim_end_matches('.'))))
    .remedy(Remedy::say(
        "Reissue the certificate so that clients that verify accept it.",
    ));
    match met.chain.first() {
        Some(leaf) => finding.evidence("presented", described(leaf), place),
        None => finding,
    }
}

fn untested(one: &EndsTls<'_>, why: &str) -> Finding {
    Finding::new(
        Code::L9,
        Severity::Info,
        one.owner,
        format!("Whether clients accept what {} presents was not tested", one.label()),
    )
    .unknown()
    .because(format!("{}.", upper(why.trim_end_matches('.'))))
    .remedy(Remedy::say(
        "Allow create on pods/portforward in the Gateway's namespace, or ask the listener with openssl s_client.",
    ))
}

/// The listener of a handshake.
fn of<'k, 'a>(known: &'k [EndsTls<'a>], meeting: &Meeting) -> Option<&'k EndsTls<'a>> {
    known.iter().find(|one| {
        *one.gateway == meeting.gateway
            && *one.owner == meeting.owner
            && one.listener.name == meeting.listener
    })
}

/// The certificates that nginx is given for a listener, each with its Secret.
fn leaves<'o>(one: &'o EndsTls<'_>) -> impl Iterator<Item = (&'o ObjectRef, &'o CertificateFacts)> {
    one.references
        .iter()
        .filter_map(|reference| match reference {
            Reference::Used(secret, chain) => Some((secret, chain.first()?)),
            _ => None,
        })
}

use crate::diagnosis::rules::shared::upper;
