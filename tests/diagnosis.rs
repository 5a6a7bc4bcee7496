//! Every scenario under `tests/scenarios` gives the findings that it names, in that order.

mod support;

use support::scenario::{self, Scenario};

#[test]
fn every_scenario_gives_what_it_names_in_that_order() {
    let mut wrong = Vec::new();
    for name in scenario::all() {
        let scenario = Scenario::load(&name);
        let diagnosis = scenario.diagnose();
        let found: Vec<String> = diagnosis
            .findings
            .iter()
            .map(|finding| scenario::line(finding, &diagnosis.findings))
            .collect();
        if found != scenario.description.expect {
            let titles: Vec<String> = diagnosis
                .findings
                .iter()
                .map(|finding| format!("      {} {}", finding.code, finding.title))
                .collect();
            wrong.push(format!(
                "{name}: {}\n  expected {:?}\n  found    {found:?}\n{}",
                scenario.description.about,
                scenario.description.expect,
                titles.join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} scenarios:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
