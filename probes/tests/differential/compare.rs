//! NGINX's verdicts beside the probe's.

use std::fmt::Write as _;

use ngf_probes::ProbeError;
use ngf_probes::transcript::Transcript;

use crate::vector::{Backend, Expected, Vector};
use crate::verdict::Verdict;

/// Compares, prints the count, and panics with a table where not all are equal.
pub(crate) fn assert_equal(
    vectors: &[Vector],
    nginx: &[Verdict],
    probe: &[Result<Transcript, ProbeError>],
) {
    let mut table = String::new();
    let mut equal = 0;
    for ((vector, theirs), ours) in vectors.iter().zip(nginx).zip(probe) {
        let ours = match ours {
            Ok(transcript) => Verdict::of_probe(transcript),
            Err(error) => {
                let _ = writeln!(
                    table,
                    "{}\n  nginx: {theirs}\n  probe: {error:?}",
                    vector.name
                );
                continue;
            }
        };
        if agree(vector, theirs, &ours) {
            equal += 1;
        } else {
            let _ = writeln!(table, "{}\n  nginx: {theirs}\n  probe: {ours}", vector.name);
            if theirs.body != ours.body {
                let _ = writeln!(
                    table,
                    "  bodies: {:?}\n          {:?}",
                    theirs.body, ours.body
                );
            }
        }
    }
    println!("{equal} of {} equal", vectors.len());
    assert!(
        equal == vectors.len(),
        "{equal} of {} equal; these differ:\n{table}",
        vectors.len()
    );
}

/// What NGINX backends write into their answers says what they saw of TLS, so that it must be equal
/// too; what other backends answer is no matter of TLS.
fn agree(vector: &Vector, nginx: &Verdict, probe: &Verdict) -> bool {
    let compares_body = matches!(vector.backend, Backend::Nginx(_)) && nginx.body.is_some();
    let body = if compares_body {
        nginx.body.clone()
    } else {
        probe.body.clone()
    };
    Verdict {
        body,
        ..nginx.clone()
    } == *probe
}

/// Where NGINX does not answer as the facts say, the rig is wrong or the facts are.
pub(crate) fn assert_as_the_facts_say(vectors: &[Vector], nginx: &[Verdict]) {
    let mut rows = 0;
    let mut table = String::new();
    for (vector, verdict) in vectors.iter().zip(nginx) {
        let Some(expected) = vector.expected else {
            continue;
        };
        rows += 1;
        if !is_as_expected(&expected, verdict) {
            let _ = writeln!(
                table,
                "{}\n  facts: {expected:?}\n  nginx: {verdict}",
                vector.name
            );
        }
    }
    println!("{rows} rows of the facts checked");
    assert!(
        table.is_empty(),
        "NGINX does not answer as the facts say:\n{table}"
    );
}

fn is_as_expected(expected: &Expected, verdict: &Verdict) -> bool {
    let Expected {
        outcome,
        verify_code,
        alert,
        client_status,
    } = *expected;
    outcome == verdict.outcome
        && verify_code.is_none_or(|code| verdict.verify_code == Some(code))
        && alert.is_none_or(|alert| verdict.alert == Some(alert))
        && client_status.is_none_or(|status| verdict.client_status == Some(status))
}
