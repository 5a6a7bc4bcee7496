//! What must hold of what ngf-core makes of anything.

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, Finding},
    fix,
    model::snapshot::Snapshot,
};
use serde_json::Value;

use crate::{assert_fit_to_show, assert_lines_fit_to_show};

/// Diagnoses it: nothing panics, and all that is said is fit to show.
pub fn assert_diagnosis(snapshot: &Snapshot, now: Timestamp) {
    for problem in &snapshot.problems {
        assert_fit_to_show(&problem.place);
        assert_fit_to_show(&problem.message);
    }
    let diagnosis = Diagnosis::of(snapshot, &Evidence::none(), now);
    diagnosis.findings.iter().for_each(assert_finding);
    for (_, plan) in fix::plans(&diagnosis.findings, snapshot) {
        plan.lines();
    }
}

fn assert_finding(finding: &Finding) {
    assert_fit_to_show(&finding.subject.to_string());
    assert_fit_to_show(&finding.title);
    for text in finding.detail.iter().chain(&finding.effects) {
        assert_fit_to_show(text);
    }
    for line in &finding.evidence {
        for text in [&line.what, &line.value, &line.place] {
            assert_fit_to_show(text);
        }
    }
    if let Some(remedy) = &finding.remedy {
        assert_fit_to_show(&remedy.summary);
        remedy
            .command
            .iter()
            .for_each(|text| assert_lines_fit_to_show(text));
        remedy
            .yaml
            .iter()
            .for_each(|text| assert_lines_fit_to_show(text));
    }
}

/// Every text of a document that is given to programs is fit to show.
pub fn assert_json(value: &Value) {
    match value {
        Value::String(text) => assert_fit_to_show(text),
        Value::Array(values) => values.iter().for_each(assert_json),
        Value::Object(fields) => fields.values().for_each(assert_json),
        _ => {}
    }
}
