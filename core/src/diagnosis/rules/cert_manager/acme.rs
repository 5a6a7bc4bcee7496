//! M12: Orders and Challenges that keep a Certificate from being issued.

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::known,
        rule::{Need, Rule},
        rules::shared::upper,
        words::condition,
    },
    model::{
        kind::Kind,
        kinds::{Certificate, Challenge, Order},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

use super::{certificates_in_use, secret_of};

/// A challenge that is not met after so many seconds is not about to be.
const SLOW: i64 = 300;

pub(in crate::diagnosis) const M12: Rule = Rule {
    code: Code::M12,
    severity: Severity::Error,
    title: "An ACME server does not issue a certificate that traffic depends on",
    explanation: "For a Certificate of an ACME issuer cert-manager makes a CertificateRequest, for that an Order, and for each name of it a Challenge, which the ACME server checks by HTTP-01 or DNS-01. The Certificate reports only that it is being issued; what the server, or cert-manager's own check beforehand, finds wrong stands in the Challenge, or in the Order.",
    remedy: "Repair what the Challenge reports: the DNS record, or the route to /.well-known/acme-challenge/ on port 80.",
    causes: &[Code::M1, Code::M10, Code::G3, Code::L7, Code::P6, Code::E1],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::CertManager,
        Need::Acme,
    ],
    check: |context, findings| {
        for (certificate, users) in certificates_in_use(context) {
            let ready = condition(&certificate.status.conditions, "Ready");
            let issuing = condition(&certificate.status.conditions, "Issuing");
            let is_issuing = issuing.is_some_and(|issuing| issuing.status == "True");
            // What was asked for an earlier certificate is over.
            if ready.is_some_and(|ready| ready.status == "True") && !is_issuing {
                continue;
            }
            let Some(order) = newest_order(context, certificate) else {
                continue;
            };
            let Some((subject, why)) = what_fails(context, order) else {
                continue;
            };
            let secret = secret_of(certificate);
            let is_there = matches!(known::secret(context.snapshot, &secret), Lookup::Found(_));
            let severity = if is_there {
                Severity::Warning
            } else {
                Severity::Error
            };
            findings.add(
                Finding::new(
                    Code::M12,
                    severity,
                    subject,
                    format!("{} is not issued: {}", certificate.reference, why.title),
                )
                .because(format!("{}.", upper(why.reason.trim_end_matches('.'))))
                .evidence("status.state", why.state, subject.to_string())
                .condition_if(&certificate.reference, issuing.or(ready))
                .scope([&certificate.reference, &order.reference, &secret])
                .mark_objects(users)
                .remedy(Remedy::command(
                    why.remedy,
                    Command::kubectl(&subject.namespace)
                        .words(["describe"])
                        .object(subject),
                )),
            );
        }
    },
};

/// What an Order or Challenge says.
struct Why<'a> {
    title: String,
    state: &'a str,
    reason: &'a str,
    remedy: &'static str,
}

/// The newest Order of a Certificate's newest CertificateRequest. cert-manager names each object after the one that
/// it is for (annotation `cert-manager.io/certificate-name`), and owns it.
fn newest_order<'a>(
    context: &Context<'a>,
    certificate: &Object<Certificate>,
) -> Option<&'a Object<Order>> {
    let namespace = &certificate.reference.namespace;
    let name = certificate.reference.name.as_str();
    let orders = context.snapshot.orders.values();
    let of_certificate = orders.filter(|order| {
        let annotation = order
            .meta
            .annotations
            .get("cert-manager.io/certificate-name");
        order.reference.namespace == *namespace
            && annotation.is_some_and(|annotation| annotation == name)
    });
    of_certificate
        .max_by_key(|order| order.meta.created)
        .map(|order| &**order)
}

/// What keeps an Order from being met; `None` where all takes its course.
fn what_fails<'a>(
    context: &Context<'a>,
    order: &'a Object<Order>,
) -> Option<(&'a ObjectRef, Why<'a>)> {
    let challenges = context.snapshot.challenges.values();
    let mut challenges =
        challenges.filter(|challenge| {
            challenge.reference.namespace == order.reference.namespace
                && challenge.meta.owners.iter().any(|owner| {
                    owner.kind == Kind::Order.name() && owner.name == order.reference.name
                })
        });
    if let Some((challenge, reason)) = challenges.find_map(|challenge| {
        let reason = reason_of(context, challenge)?;
        Some((challenge, reason))
    }) {
        let spec = &challenge.spec;
        return Some((
            &challenge.reference,
            Why {
                title: format!(
                    "its {} challenge for {} is not met",
                    spec.challenge_type, spec.dns_name
                ),
                state: &challenge.status.state,
                reason,
                remedy: "Repair what it reports: for HTTP-01 the route to /.well-known/acme-challenge/ on port 80 of that name, for DNS-01 its TXT record.",
            },
        ));
    }
    let status = &order.status;
    let has_failed = matches!(status.state.as_str(), "invalid" | "errored" | "expired");
    let reason = match status.reason.as_str() {
        "" => "the Order gives no reason",
        reason => reason,
    };
    has_failed.then(|| {
        (
            &order.reference,
            Why {
                title: format!("its order at the ACME server is {}", status.state),
                state: &status.state,
                reason,
                remedy: "Repair what it reports; cert-manager tries again an hour after a failure, and at once after cmctl renew.",
            },
        )
    })
}

/// Why a Challenge is not met: it has failed, or reports the same fault for minutes.
fn reason_of<'a>(context: &Context<'_>, challenge: &'a Object<Challenge>) -> Option<&'a str> {
    let status = &challenge.status;
    let reason = match status.reason.as_str() {
        "" => "the Challenge gives no reason",
        reason => reason,
    };
    match status.state.as_str() {
        "invalid" | "errored" | "expired" => Some(reason),
        "" | "pending" | "processing" => {
            let created = challenge.meta.created?;
            let is_slow = context.now.is_after(created.as_second() + SLOW);
            (is_slow && !status.reason.is_empty()).then_some(reason)
        }
        _ => None,
    }
}
