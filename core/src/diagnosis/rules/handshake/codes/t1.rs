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
        if case.fault != (Fault::Verify { code: Some(20) }) {
            return Claim::Sure;
        }
        match case.is_too_long() {
            Some(is_too_long) => (!is_too_long).into(),
            None => Claim::Doubt(or_too_long(case)),
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
    explain: |case, finding| match (case.transcript(), some_of_all(case)) {
        (Some(transcript), _) => {
            let finding = shown::chain_and_trusted(case, finding);
            shown::same_name_other_key(case.context, case.plan, transcript, finding)
        }
        (None, Some(failing)) => finding.because(format!("Only {failing} fails: {MAY_DIFFER}")),
        (None, None) => finding,
    },
    remedy: |case| match some_of_all(case) {
        Some(failing) => Some(Remedy::say(format!("Compare what {failing} {COMPARE}"))),
        None => remedy::the_ca(case).or_else(|| remedy::name_the_ca(case)),
    },
    ..Connection::USUAL
};

/// Why one endpoint of several fails.
const MAY_DIFFER: &str =
    "it probably sends another certificate than the others, or leaves out its intermediate.";

/// What to do about it.
const COMPARE: &str =
    "presents with the other endpoints; restart it if it has not loaded a renewed certificate.";

/// The endpoints that fail by a log, where others do not.
fn some_of_all(case: &Case<'_, '_>) -> Option<String> {
    let (failing, all) = case.failing_now()?;
    (failing.len() < all).then(|| list(failing, 3))
}

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
