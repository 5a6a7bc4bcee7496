//! Fixes: tried by a dry run, applied under the user's rights, and done once NGF says so.

use std::process::Stdio;

use ngf_sandbox::Stage;
use serde_json::{Value, json};

use crate::{
    mirror::{Embedded, GUIDE, documents, play_ngf},
    sandbox_support::ProgramOutput,
    server::{ApiServer, GATEWAY_API, until_so},
};

/// The guide at its end, and NGF has said so.
async fn guide() -> ApiServer {
    let server = ApiServer::start(GATEWAY_API, &[]);
    let embedded = Embedded::start(Stage::Policy).await;
    server.apply(&documents(&embedded.objects()));
    play_ngf(&server, GUIDE);
    server
}

/// What the tool wrote, or tried to.
fn written(server: &ApiServer) -> Vec<String> {
    let asked = server.asked(|asked| asked.writes() && asked.agent.contains("ngf-tui"));
    asked
        .iter()
        .map(|one| format!("{} {} {} {}", one.user, one.verb, one.uri, one.code))
        .collect()
}

/// Runs `fix CODE --yes`, and plays NGF once the API server has what was wanted.
async fn fix_with_ngf(
    server: &ApiServer,
    code: &str,
    answers: &str,
    has: impl Fn() -> bool,
) -> ProgramOutput {
    let mut command = crate::sandbox_support::ngf_tui(
        &server.kubeconfig(),
        &format!("fix {code} --yes --context admin --timeout 60s"),
    );
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    until_so("the fix is applied", has).await;
    play_ngf(server, answers);
    let output = child.wait_with_output().expect("it ends");
    ProgramOutput {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Makes the guide's policy name its port by number, which NGF does not know: it gets no status.
fn wrong_section(server: &ApiServer) {
    let mut policy = server.get("backendtlspolicy/backend-tls", "default");
    policy["spec"]["targetRefs"][0]["sectionName"] = json!("8443");
    policy["metadata"] = json!({"name": "backend-tls", "namespace": "default"});
    policy.as_object_mut().expect("an object").remove("status");
    server
        .kubectl("delete backendtlspolicy backend-tls -n default")
        .fine();
    server.apply(&policy.to_string());
    play_ngf(
        server,
        "tests/scenarios/p1-section-name-is-a-number/ngf.txt",
    );
}

fn section(server: &ApiServer) -> Value {
    let policy = server.get("backendtlspolicy/backend-tls", "default");
    policy["spec"]["targetRefs"][0]["sectionName"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_corrected_by_a_patch_that_was_tried_first() {
    let server = guide().await;
    wrong_section(&server);
    let said = server.ngf_tui("admin", "fix NGF-P1 --dry-run").fine();
    assert!(said.contains("sectionName: https"), "{said}");
    assert_eq!(section(&server), "8443");
    let tried = written(&server);
    assert!(!tried.is_empty());
    for one in &tried {
        assert!(one.contains("dryRun=All") && one.ends_with(" 200"), "{one}");
    }

    // Who may only read is told the rule, and nothing is sent.
    let said = server.ngf_tui("reader", "fix NGF-P1 --yes");
    let text = format!("{}{}", said.out, said.err);
    assert!(!said.ok, "{text}");
    assert!(text.contains("patch"), "{text}");
    assert_eq!(section(&server), "8443");
    let of_reader = written(&server);
    let of_reader = of_reader
        .iter()
        .filter(|one| one.starts_with("reader ") && one.ends_with(" 200"));
    assert_eq!(of_reader.count(), 0);

    let done = fix_with_ngf(&server, "NGF-P1", GUIDE, || section(&server) == "https").await;
    assert!(done.ok, "{done:?}");
    assert!(done.out.contains("NGF-P1 is gone"), "{done:?}");
    let stored = written(&server);
    let stored: Vec<&String> = stored
        .iter()
        .filter(|one| !one.contains("dryRun=All"))
        .collect();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert!(stored[0].starts_with("admin patch "), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_grant_is_created() {
    let server = guide().await;
    let mut secret = server.get(
        "secret/gateway-presents-this-cert-for-validation",
        "default",
    );
    secret["metadata"] = json!({"name": "shared", "namespace": "certs"});
    server.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: certs}\n");
    server.apply(&secret.to_string());
    let patch = r#"{"spec":{"tls":{"backend":{"clientCertificateRef":{"name":"shared","namespace":"certs"}}}}}"#;
    server
        .kubectl(&format!(
            "patch gateway gateway -n default --type=merge -p {patch}"
        ))
        .fine();
    play_ngf(
        &server,
        "tests/scenarios/g7-client-certificate-not-granted/ngf.txt",
    );
    let grants = || {
        server.get("referencegrants", "certs")["items"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(grants(), 0);
    let done = fix_with_ngf(&server, "NGF-G7", GUIDE, || grants() == 1).await;
    assert!(done.ok, "{done:?}");
    assert!(done.out.contains("NGF-G7 is gone"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_lost_is_deleted() {
    let server = guide().await;
    let mut second = server.get("backendtlspolicy/backend-tls", "default");
    // Which of two wins is decided by their age in seconds.
    until_so("the first policy is older", || {
        let made: jiff::Timestamp = second["metadata"]["creationTimestamp"]
            .as_str()
            .and_then(|made| made.parse().ok())
            .expect("a time");
        jiff::Timestamp::now().as_second() > made.as_second() + 1
    })
    .await;
    second["metadata"] = json!({"name": "second", "namespace": "default"});
    second["spec"]["validation"]["hostname"] = json!("other.example.com");
    second.as_object_mut().expect("an object").remove("status");
    server.apply(&second.to_string());
    play_ngf(&server, "tests/scenarios/p13-two-policies/ngf.txt");
    let has_two = || {
        let list = server.get("backendtlspolicies", "default");
        list["items"]
            .as_array()
            .is_some_and(|items| items.len() == 2)
    };
    assert!(has_two());
    let done = fix_with_ngf(&server, "NGF-P13", GUIDE, || !has_two()).await;
    assert!(done.ok, "{done:?}");
    assert!(done.out.contains("NGF-P13 is gone"), "{done:?}");
    let left = server.get("backendtlspolicies", "default");
    assert_eq!(left["items"][0]["metadata"]["name"], "backend-tls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_ngf_never_takes_up_is_not_done() {
    let server = guide().await;
    wrong_section(&server);
    let said = server.ngf_tui("admin", "fix NGF-P1 --yes");
    assert!(!said.ok, "{said:?}");
    assert!(
        said.err.contains("NGF has not applied the change"),
        "{said:?}"
    );
    assert!(!said.out.contains("is gone"), "{said:?}");
}
