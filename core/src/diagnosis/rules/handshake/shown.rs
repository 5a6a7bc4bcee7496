//! The certificates and names that explain what a probe showed.

use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};

use super::{
    connection::{Case, client_leaf},
    refusal::{Doubt, HandshakeRefusal, Known, refusal},
    sentence::too_deep,
};
use crate::{
    diagnosis::{
        context::Context,
        finding::Finding,
        ngf::known,
        plan::{ProbePlan, TrustSource},
        rules::{expiry, shared::upper},
        words::{holder, list},
    },
    model::{kind::Kind, snapshot::Lookup},
};

/// Where the certificates of a probe come from.
pub(super) fn presented(case: &Case<'_, '_>) -> String {
    format!(
        "presented by {}:{}",
        case.plan.service.path(),
        case.plan.port
    )
}

/// What a probe saw, and what is trusted.
pub(super) fn chain_and_trusted(case: &Case<'_, '_>, mut finding: Finding) -> Finding {
    let Some(transcript) = case.transcript() else {
        return finding;
    };
    for facts in transcript.server_chain.iter().take(2) {
        finding = finding.evidence(
            "certificate",
            format!("{}, issued by {}", holder(facts), facts.issuer),
            presented(case),
        );
    }
    let trust = case.plan.tls.as_ref().map(|tls| tls.trust.to_string());
    for facts in trusted(case.context, case.plan).iter().take(2) {
        finding = finding.evidence(
            "trusted CA",
            format!(
                "{} {}",
                facts.subject,
                short_print(&facts.fingerprint_sha256)
            ),
            trust.clone().unwrap_or_default(),
        );
    }
    finding
}

/// When the leaf of a probe is valid.
pub(super) fn validity(case: &Case<'_, '_>, finding: Finding) -> Finding {
    match case.leaf() {
        Some(leaf) => finding.evidence("valid", expiry::validity(leaf), presented(case)),
        None => finding,
    }
}

/// A rotated CA: the name is the one that is trusted, and the key is not.
pub(super) fn same_name_other_key(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
    finding: Finding,
) -> Finding {
    let Some(last) = transcript.server_chain.last() else {
        return finding;
    };
    let namesake = trusted(context, plan)
        .iter()
        .find(|facts| facts.subject == last.issuer);
    match namesake {
        Some(ca) if !ngf_tls::chain::signed_by(&last.der, &ca.der) && !last.der.is_empty() => {
            finding.because(format!(
                "The CA has the issuer's name, {}, and another key: it was rotated, or made twice.",
                last.issuer
            ))
        }
        Some(_) => finding,
        None => finding.because(format!(
            "The issuer {} is not among the trusted CAs, and the backend sends no certificate of it that one of them signed.",
            last.issuer
        )),
    }
}

pub(super) fn trusted<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> &'a [CertificateFacts] {
    let Some(TrustSource::Object { object, .. }) = plan.tls.as_ref().map(|tls| &tls.trust) else {
        return &[];
    };
    if object.kind == Kind::Secret {
        match known::secret(context.snapshot, object) {
            Lookup::Found(secret) => secret.spec.ca.certificates(),
            _ => &[],
        }
    } else {
        match known::config_map(context.snapshot, object) {
            Lookup::Found(map) => map.spec.ca.certificates(),
            _ => &[],
        }
    }
}

/// What the backend of a probe asks for, and what nginx has.
pub(super) fn client_side(case: &Case<'_, '_>, mut finding: Finding) -> Finding {
    let (context, plan) = (case.context, case.plan);
    let Some(transcript) = case.transcript() else {
        return finding;
    };
    let asked = &transcript.client_certificate;
    let service = format!("{}:{}", plan.service.path(), plan.port);
    if asked.acceptable_cas.is_empty() {
        finding = finding.because("The backend named no CA in its request.");
    } else {
        finding = finding.evidence(
            "CAs that the backend names",
            list(&asked.acceptable_cas, 4),
            format!("CertificateRequest of {service}"),
        );
    }
    if let (Some(leaf), Some(secret)) = (
        client_leaf(context, plan),
        plan.tls
            .as_ref()
            .and_then(|tls| tls.client_certificate.as_ref()),
    ) {
        finding = finding.evidence(
            "client certificate",
            format!("{}, issued by {}", holder(leaf), leaf.issuer),
            format!("{secret}[tls.crt]"),
        );
        let is_deep = matches!(
            refusal(context, plan, Some(transcript)),
            HandshakeRefusal::TooDeep { .. }
        );
        if !asked.acceptable_cas.is_empty()
            && !asked.acceptable_cas.contains(&leaf.issuer)
            && !is_deep
        {
            finding = finding.because(format!(
                "Its issuer, {}, is none of the CAs that the backend names.",
                leaf.issuer
            ));
        }
    }
    finding
}

/// What tells B2, B5 and B6 apart, by a probe.
pub(super) fn refused(case: &Case<'_, '_>, finding: Finding) -> Finding {
    let Some(transcript) = case.transcript() else {
        return finding;
    };
    let mut finding = client_side(case, finding);
    match refusal(case.context, case.plan, Some(transcript)) {
        HandshakeRefusal::Incomplete(missing) => incomplete(finding, &missing),
        HandshakeRefusal::OtherCaInBackend(other) => {
            finding = finding.evidence(
                "CA of both sides' certificates",
                format!(
                    "{} {}",
                    other.common.facts.subject,
                    short_print(&other.common.facts.fingerprint_sha256)
                ),
                other.common.place(),
            );
            if let Some(object) = &other.mounted {
                finding = finding
                    .because(format!("Its pods mount the CA that it asks for: {object}."))
                    .scope([object]);
            }
            if let Some(object) = &other.right {
                finding = finding.because(format!(
                    "Its pods mount the right one, {object}: it is configured with another file, or has not loaded this one."
                ));
            }
            finding.because("No client certificate of the CA that it asks for is known; if there is one that is meant, it is the Gateway's that is wrong (NGF-B2).")
        }
        HandshakeRefusal::TooDeep {
            intermediates,
            depth,
        } => finding.because(format!("{}.", upper(&too_deep(intermediates, depth)))),
        HandshakeRefusal::NotTrusted(Doubt::Either) => finding.because(
            "Whether the certificate is from the wrong CA, an intermediate is missing behind it (NGF-B5), or the wrong CA is mounted in the backend (NGF-B6), what is known here does not tell.",
        ),
        _ => finding,
    }
}

/// The intermediates that are missing, and where they stand.
pub(super) fn incomplete(mut finding: Finding, missing: &[Known<'_>]) -> Finding {
    for known in missing {
        let facts = known.facts;
        finding = finding.evidence(
            "missing intermediate",
            format!("{}, issued by {}", facts.subject, facts.issuer),
            known.place(),
        );
    }
    finding.because(
        "nginx sends what tls.crt holds and nothing else; the backend trusts the CA above.",
    )
}

/// `ab:12:…:9f`.
pub(super) fn short_print(fingerprint: &str) -> String {
    let parts: Vec<&str> = fingerprint.split(':').collect();
    match parts.as_slice() {
        [first, second, .., last] => format!("{first}:{second}:…:{last}"),
        _ => fingerprint.to_owned(),
    }
}
