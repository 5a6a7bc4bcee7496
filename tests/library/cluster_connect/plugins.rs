//! Credentials from plugins.

use std::time::Duration;

use crate::support::hostile_api::{Answer, HostileApi, kubeconfig};
use ngf_cluster::{ClusterOptions, connect};

use super::{TOKEN, authorization, config, words};

#[tokio::test]
async fn a_plugin_that_gives_no_credentials_is_named_and_its_output_is_not_repeated() {
    let exec = |command: &str, script: &str| {
        config(
            "https://127.0.0.1:1",
            "",
            &format!(
                "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, \
                 installHint: try our site, command: {command}, args: [-c, '{script}']}}"
            ),
        )
    };
    for (text, expected) in [
        (
            exec("no-such-plugin", ""),
            "no credentials for the context \"prod\": its plugin \"no-such-plugin\" does not start: No such file or directory (os error 2); install it or put it in PATH (try our site)".to_owned(),
        ),
        (
            exec("sh", &format!("echo {TOKEN}; echo log in first >&2; exit 3")),
            "no credentials for the context \"prod\": its plugin \"sh\" failed (exit status: 3): log in first".to_owned(),
        ),
        (
            exec("sh", &format!("echo {TOKEN}")),
            "no credentials for the context \"prod\": its plugin \"sh\" does not answer with an ExecCredential".to_owned(),
        ),
    ] {
        assert_eq!(words(&text, None).await, expected);
    }
}

pub(super) fn exec(script: &str) -> String {
    let script = serde_json::to_string(script).expect("JSON");
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, {script}]}}"
    )
}

pub(super) fn credential(status: &str) -> String {
    format!("printf '%s' '{{\"kind\":\"ExecCredential\",\"status\":{{{status}}}}}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_bounded_and_named() {
    let good = credential(r#""token":"abc""#);
    // What it left behind holds its output, and its answer is there.
    let held = format!("sleep 30 & {good}");
    assert_eq!(
        authorization("", &exec(&held)).await.as_deref(),
        Ok("Bearer abc")
    );
    for (script, limit, expected) in [
        ("sleep 30", 1, "its plugin \"sh\" did not end within 1 s"),
        (
            "sleep 30 & echo",
            20,
            "its plugin \"sh\" ended, left a process behind that holds its output open, and gave no ExecCredential",
        ),
        (
            "cat /dev/zero",
            20,
            "its plugin \"sh\" wrote more than 1 MiB",
        ),
        (
            "printf 'first\\n\\033[31mlog in\\033[0m\\n' >&2; exit 2",
            20,
            "its plugin \"sh\" failed (exit status: 2): [31mlog in[0m",
        ),
        (
            "echo '{\"status\":{}}'",
            20,
            "its plugin \"sh\" answers with neither a token nor a client certificate and its key",
        ),
        (
            "echo '{\"status\":{\"token\":\"a\",\"expirationTimestamp\":\"soon\"}}'",
            20,
            "its plugin \"sh\" answers with an expirationTimestamp that is not a time: \"soon\"",
        ),
    ] {
        let options = ClusterOptions {
            kubeconfig_text: Some(kubeconfig("http://127.0.0.1:1", "", &exec(script))),
            limit: Some(Duration::from_secs(limit)),
            ..ClusterOptions::default()
        };
        let said = connect(&options)
            .await
            .err()
            .expect("no credentials")
            .to_string();
        assert_eq!(
            said,
            format!("no credentials for the context \"prod\": {expected}")
        );
    }
    let always = exec("exit 0").replace("Never", "Always");
    let said = authorization("", &always).await.expect_err("nobody to ask");
    assert!(
        said.ends_with("its plugin \"sh\" has to ask its user (interactiveMode: Always), and standard input is not a terminal"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_screen_is_drawn_a_plugin_only_leaves_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    // Its token ends in this moment, so that it is run again.
    let script = format!(
        "cat >> {runs}; echo run >> {runs}; printf 'old\\n\\033[2Jsession ends soon\\n' >&2; {}",
        credential(r#""token":"abc","expirationTimestamp":"2020-01-01T00:00:00Z""#),
        runs = runs.display()
    );
    let api = HostileApi::start(|_| Answer::Ordinary);
    let options = ClusterOptions {
        kubeconfig_text: Some(kubeconfig(
            &format!("http://{}", api.address),
            "",
            &exec(&script),
        )),
        ..ClusterOptions::default()
    };
    let cluster = connect(&options).await.expect("a connection");
    let mut messages = cluster.screen_is_drawn();
    let cancel = tokio_util::sync::CancellationToken::new();
    let _snapshots = cluster.watch(&cancel);
    let message = tokio::time::timeout(Duration::from_mins(2), messages.recv()).await;
    assert_eq!(
        message.expect("it is run again").as_deref(),
        Some("plugin \"sh\": [2Jsession ends soon")
    );
    cancel.cancel();
    let runs = std::fs::read_to_string(&runs).expect("its runs");
    assert!(runs.lines().count() < 6, "{runs}");
}
