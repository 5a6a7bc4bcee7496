//! The guide from its first object to its last: the same report as on the embedded cluster at each stage.

use ngf_sandbox::{STEPS, Stage};
use serde_json::Value;

use crate::{
    mirror::{Embedded, documents, play_ngf},
    server::{ApiServer, GATEWAY_API},
};

const ANSWERS: &str = "tests/scenarios/guide/ngf.txt";

/// The findings of a report: code, subject, verdict.
fn findings(report: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let mut lines: Vec<String> = findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} {} {}",
                finding["code"], finding["verdict"], finding["subject"], finding["title"]
            )
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_stage_the_report_is_that_of_the_embedded_cluster() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    let embedded = Embedded::start(Stage::Before).await;
    for stage in Stage::ALL {
        embedded.sandbox().set_stage(stage).await.expect("a stage");
        let objects = embedded.objects();
        server.apply(&documents(&objects));
        play_ngf(&server, ANSWERS);
        let arguments = "check --no-probe --no-logs --no-data-plane -o json";
        let here = server.ngf_tui("admin", arguments);
        let there = embedded.cluster.ngf_tui(arguments);
        println!("{stage}: {}\n{}", here.out, there.out);
        assert_eq!(findings(&here.out), findings(&there.out), "{stage}");
    }
}
