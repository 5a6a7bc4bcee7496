//! T1: the CA that the policy names did not sign what the backend presents.

use super::prelude::*;
use crate::diagnosis::plan::TrustSource;

pub(in crate::diagnosis) const T1: Rule = Rule {
    code: Code::T1,
    severity: Severity::Error,
    title: "The CA that the policy names did not sign what the backend presents",
    explanation: "nginx builds a chain from the presented certificates to a root in the bundle, and finds none: another CA, a CA that was rotated (same name, another key), or a missing intermediate. It logs verify code 21, 20, 19 or 7; clients get 502.",
    remedy: "Name the CA that signed the backend's certificate, reissue the certificate from the CA that is named, or let the backend send its intermediates.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T1,
    means: |fault| match fault {
        Fault::Verify {
            code: Some(7 | 19 | 20 | 21),
        } => May::Likely,
        _ => May::No,
    },
    is: |case| {
        let is_20 = matches!(case.fault, Fault::Verify { code: Some(20) });
        match case.is_too_long().filter(|_| is_20) {
            Some(too_long) => (!too_long).into(),
            None if is_20 => Claim::Doubt(or_too_long(case)),
            None => Claim::Sure,
        }
    },
    subject: Subject::Policy,
    title: |case| {
        let service = case.service();
        let trust = match case.plan.tls.as_ref().map(|tls| &tls.trust) {
            Some(TrustSource::System) => {
                return format!(
                    "nginx finds no path from the certificate that {service} presents to a CA of the system"
                );
            }
            _ => trust_text(case),
        };
        older_ca(case).unwrap_or_else(|| {
            format!("{trust} did not sign the certificate that {service} presents")
        })
    },
    explain: |case, finding| {
        match (case.transcript(), case.failing_now()) {
        (Some(transcript), _) => {
            let finding = shown::chain_and_trusted(case, finding);
            shown::same_name_other_key(case.context, case.plan, transcript, finding)
        }
        (None, Some((failing, all))) if failing.len() < all => finding.because(format!(
            "Only {} fails: it probably sends another certificate than the others, or leaves out its intermediate.",
            list(failing, 3)
        )),
        _ => finding,
    }
    },
    remedy: |case| match case.failing_now() {
        Some((failing, all)) if failing.len() < all => Some(Remedy::say(format!(
            "Compare what {} presents with the other endpoints; restart it if it has not loaded a renewed certificate.",
            list(failing, 3)
        ))),
        _ => remedy::the_ca(case).or_else(|| remedy::name_the_ca(case)),
    },
    ..Connection::USUAL
};

/// Why verify code 20 may mean a chain that is too long.
fn or_too_long(case: &Case<'_, '_>) -> String {
    let release = case.context.running.release;
    match release.verify_depth() {
        1 => format!(
            "Verify code 20 also comes of a chain that is too long (NGF-T2): NGF {release} renders no proxy_ssl_verify_depth, so nginx follows 1 intermediate; NGF 2.6 and later follow 4. A probe tells them apart."
        ),
        depth => format!(
            "Verify code 20 also comes of a chain with more than {depth} intermediates (NGF-T2): a probe tells them apart."
        ),
    }
}
