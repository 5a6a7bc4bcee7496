//! NGINX's verdicts beside the probe's.

use std::fmt::Write as _;

use ngf_probes::ProbeError;
use ngf_tls::transcript::Transcript;

use crate::vector::{Backend, Expected, Vector};
use crate::verdict::Verdict;

/// Compares, prints the count, and panics with a table where not all are equal.
pub(crate) fn assert_equal(
    vectors: &[Vector],
    nginx: &[Verdict],
    probe: &[Result<Transcript, ProbeError>],
) {
    let differing: Vec<String> = differences(vectors, nginx, probe)
        .map(|(_, rows)| rows)
        .collect();
    let equal = format!(
        "{} of {} equal",
        vectors.len() - differing.len(),
        vectors.len()
    );
    println!("{equal}");
    assert!(
        differing.is_empty(),
        "{equal}; these differ:\n{}",
        differing.concat()
    );
}

/// The names of the vectors that the two do not agree upon.
pub(crate) fn differing<'a>(
    vectors: &'a [Vector],
    nginx: &[Verdict],
    probe: &[Result<Transcript, ProbeError>],
) -> Vec<&'a str> {
    differences(vectors, nginx, probe)
        .map(|(name, _)| name)
        .collect()
}

/// Name and rows of the table for each vector that the two do not agree upon.
fn differences<'a>(
    vectors: &'a [Vector],
    nginx: &[Verdict],
    probe: &[Result<Transcript, ProbeError>],
) -> impl Iterator<Item = (&'a str, String)> {
    assert_eq!((vectors.len(), vectors.len()), (nginx.len(), probe.len()));
    vectors
        .iter()
        .zip(nginx)
        .zip(probe)
        .filter_map(|((vector, theirs), probe)| {
            let name = vector.name.as_str();
            match probe {
                Err(error) => Some((
                    name,
                    format!("{name}\n  nginx: {theirs}\n  probe: {error:?}\n"),
                )),
                Ok(transcript) => {
                    let ours = Verdict::of_probe(transcript);
                    let mut rows = format!("{name}\n  nginx: {theirs}\n  probe: {ours}\n");
                    if theirs.body != ours.body {
                        let _ = writeln!(
                            rows,
                            "  bodies: {:?}\n          {:?}",
                            theirs.body, ours.body
                        );
                    }
                    (!agree(vector, theirs, &ours)).then_some((name, rows))
                }
            }
        })
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
