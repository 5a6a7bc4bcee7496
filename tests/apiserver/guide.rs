//! The guide from its first object to its last.

use std::path::Path;

use ngf_sandbox::Stage;
use serde_json::Value;

use crate::{
    mirror::{Embedded, GUIDE, documents, play_ngf},
    server::{ApiServer, GATEWAY_API},
};

/// A report, with the embedded cluster's addresses as the mirror has them.
fn report(text: &str) -> Value {
    let text = text.replace("\"127.", "\"10.").replace(" 127.", " 10.");
    serde_json::from_str(&text).expect("JSON")
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter_map(|finding| finding["code"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_stage_the_report_is_that_of_the_embedded_cluster() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    let embedded = Embedded::start(Stage::Before).await;
    for (stage, expected) in [
        (Stage::Before, &["NGF-X4"][..]),
        (Stage::ClientCertificate, &["NGF-G10", "NGF-X4"]),
        (Stage::Policy, &[]),
    ] {
        embedded.sandbox().set_stage(stage).await.expect("a stage");
        server.apply(&documents(&embedded.objects()));
        play_ngf(&server, GUIDE);
        let arguments = "check --no-probe --no-logs --no-data-plane -o json";
        let here = report(&server.ngf_tui("admin", arguments).out);
        let there = report(&embedded.cluster.ngf_tui(arguments).out);
        assert_eq!(here, there, "{stage}");
        assert_eq!(codes(&here), expected, "{stage}");
    }
}

/// The manifests of `init` are what the API server with the real schemas takes, and all that was missing.
#[tokio::test(flavor = "multi_thread")]
async fn what_init_writes_is_taken_whole_and_nothing_is_missing_after_it() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    let embedded = Embedded::start(Stage::Before).await;
    server.apply(&documents(&embedded.objects()));
    play_ngf(&server, GUIDE);
    let folder = server.folder.join("manifests");
    let folder = folder.to_str().expect("a path");
    let init = format!("init service/secure-app --hostname secure-app.example.com -o {folder}");
    server.ngf_tui("reader", &init).fine();
    assert!(Path::new(folder).join("40-gateway.yaml").is_file());

    let over = format!("check --no-probe --over -f {folder}");
    let said = server.ngf_tui("admin", &over);
    let text = said.out + &said.err;
    for code in ["NGF-A1", "NGF-A2", "NGF-A3", "NGF-A4"] {
        assert!(!text.contains(code), "{code}: {text}");
    }
    let stored = server.asked(|asked| asked.writes() && asked.agent.contains("ngf-tui"));
    let stored = stored.iter().filter(|one| !one.uri.contains("dryRun=All"));
    assert_eq!(stored.count(), 0, "--over stores nothing");

    // A field that no schema has is an error.
    let applied = server.kubectl(&format!("apply --validate=true -f {folder}"));
    assert!(applied.ok, "{applied:?}");
    // The embedded cluster's cert-manager issues what is asked for.
    embedded
        .cluster
        .kubectl(&format!("apply -f {folder}"))
        .fine();
    embedded.cluster.kubectl_until(
        "get secret gateway-client-tls -o name --ignore-not-found",
        "gateway-client-tls",
    );
    let objects = embedded.objects();
    let secrets = objects.iter().filter(|object| object["kind"] == "Secret");
    let secrets: Vec<Value> = secrets.cloned().collect();
    server.apply(&documents(&secrets));
    play_ngf(&server, GUIDE);
    let text = server
        .ngf_tui(
            "reader",
            "check --no-probe --no-logs --no-data-plane -o json",
        )
        .out;
    assert_eq!(codes(&report(&text)), [] as [&str; 0], "{text}");
}
