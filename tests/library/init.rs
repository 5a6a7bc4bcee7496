//! `init`: what it writes is taken by the API server, brings no error, and makes mutual TLS work.

use std::{fs, path::Path, process::Output};

use crate::sandbox_support::{Cluster, peers};
use crate::support::{ngf_tui, scenario::Scenario};
use insta::assert_snapshot;
use ngf_core::{
    init::{SetupRequest, manifests},
    model::{kind::Kind, object::ObjectRef, snapshot::Lookup},
};
use ngf_sandbox::Stage;

fn wanted() -> SetupRequest {
    SetupRequest {
        service: ObjectRef::new(Kind::Service, "default", "secure-app"),
        hostname: "secure-app.example.com".to_owned(),
        gateway: None,
        port: None,
        ca: None,
        client_secret: None,
        issuer: None,
    }
}

/// The guide's cluster before there is a policy or a client certificate.
fn before() -> Scenario {
    let mut scenario = Scenario::load("guide");
    let policy = ObjectRef::new(Kind::BackendTLSPolicy, "default", "backend-tls");
    assert!(scenario.snapshot.remove(&policy));
    scenario
}

fn texts(scenario: &Scenario, wanted: &SetupRequest) -> Result<String, String> {
    let made = manifests(&scenario.snapshot, wanted, scenario.now)?;
    let files: Vec<String> = made
        .files
        .iter()
        .map(|manifest| format!("## {}\n{}", manifest.file, manifest.text()))
        .collect();
    Ok(format!("{}\n{}", files.join("\n"), made.notes.join("\n")))
}

#[test]
fn what_is_there_is_used_and_what_is_missing_is_issued() {
    // The pods mount a Secret with this name and the CA, and the Gateway presents a certificate.
    assert_snapshot!(
        "with_all_there",
        texts(&before(), &wanted()).expect("manifests")
    );
    // Another name, a port, another namespace's Secret.
    let more = SetupRequest {
        hostname: "other.example.com".to_owned(),
        port: Some("8443".to_owned()),
        client_secret: Some(ObjectRef::new(Kind::Secret, "certificates", "gateway")),
        issuer: Some("local-ca-issuer".to_owned()),
        ..wanted()
    };
    let mut scenario = before();
    scenario.snapshot.secrets.insert(
        ObjectRef::new(Kind::Secret, "certificates", "gateway"),
        Lookup::Unknown("denied".to_owned()),
    );
    assert_snapshot!(
        "with_more_asked_for",
        texts(&scenario, &more).expect("manifests")
    );
}

#[test]
fn bad_input_gets_one_sentence() {
    let mut before = before();
    let none = ObjectRef::new(Kind::ConfigMap, "default", "none");
    before.snapshot.config_maps.insert(none, Lookup::Absent);
    let guide = Scenario::load("guide");
    let object = |kind, name: &str| ObjectRef::new(kind, "default", name);
    for (scenario, wanted, sentence) in [
        (
            &before,
            SetupRequest {
                hostname: "a:443".into(),
                ..wanted()
            },
            "--hostname a:443: a lowercase RFC 1123 subdomain",
        ),
        (
            &before,
            SetupRequest {
                hostname: "*.example.com".into(),
                ..wanted()
            },
            "so it must be one name, without *",
        ),
        (
            &before,
            SetupRequest {
                service: object(Kind::Service, "none"),
                ..wanted()
            },
            "Service default/none does not exist, or may not be read; in that namespace there are",
        ),
        (
            &before,
            SetupRequest {
                port: Some("443".into()),
                ..wanted()
            },
            "has no such port, only 8443 (https)",
        ),
        (
            &before,
            SetupRequest {
                gateway: Some(object(Kind::Gateway, "none")),
                ..wanted()
            },
            "Gateway default/none is not there; there are default/gateway",
        ),
        (
            &before,
            SetupRequest {
                ca: Some(object(Kind::ConfigMap, "none")),
                ..wanted()
            },
            "--ca: ConfigMap default/none does not exist",
        ),
        (
            &before,
            SetupRequest {
                hostname: "b.example.com".into(),
                issuer: Some("none".into()),
                ..wanted()
            },
            "--issuer none: there is no such issuer",
        ),
        (
            &before,
            SetupRequest {
                hostname: "b.example.com".into(),
                issuer: Some("selfsigned-cluster-issuer".into()),
                ..wanted()
            },
            "gives no CA to check by",
        ),
        (
            &before,
            SetupRequest {
                hostname: "b.example.com".into(),
                issuer: Some("pod/x".into()),
                ..wanted()
            },
            "write clusterissuer/NAME or issuer/NAME",
        ),
        (
            &guide,
            wanted(),
            "BackendTLSPolicy default/backend-tls targets Service default/secure-app already, and Gateway default/gateway has a client certificate: nothing is missing.",
        ),
        (
            &guide,
            SetupRequest {
                hostname: "other.example.com".into(),
                ..wanted()
            },
            "BackendTLSPolicy default/backend-tls targets Service default/secure-app already, with hostname secure-app.example.com",
        ),
    ] {
        let why = texts(scenario, &wanted).expect_err(sentence);
        assert!(why.contains(sentence), "{why}");
        assert!(!why.contains('\n'), "{why}");
    }
}

#[test]
fn with_a_policy_only_the_client_certificate_is_written() {
    let scenario = Scenario::load("g8-no-client-certificate");
    for (client_secret, files) in [
        (None, &["20-client-certificate.yaml", "40-gateway.yaml"][..]),
        (
            Some(ObjectRef::new(Kind::Secret, "default", "made-by-hand")),
            &["40-gateway.yaml"],
        ),
    ] {
        let wanted = SetupRequest {
            client_secret,
            ..wanted()
        };
        let made = manifests(&scenario.snapshot, &wanted, scenario.now).expect("manifests");
        let written: Vec<&str> = made.files.iter().map(|file| file.file.as_str()).collect();
        assert_eq!(written, files);
        assert_eq!(
            made.notes.first().map(String::as_str),
            Some(
                "BackendTLSPolicy default/backend-tls targets Service default/secure-app already, and stays as it is."
            )
        );
    }
}

fn run(cluster: &Cluster, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| {
        ngf_tui()
            .arg("--kubeconfig")
            .arg(cluster.path("kubeconfig"))
            .args(arguments)
            .output()
            .expect("it runs")
    })
}

fn fine(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{error}");
    said
}

fn text_of(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("a file").path())
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(&path).expect("text"),
            )
        })
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_writes_is_taken_breaks_nothing_and_makes_the_backend_answer() {
    if !peers(&["kubectl"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Before).await;
    let folder = cluster.path("manifests");
    let folder_text = folder.to_str().expect("a path");
    let init = [
        "init",
        "service/secure-app",
        "--hostname",
        "secure-app.example.com",
        "-o",
        folder_text,
    ];
    fine(&run(&cluster, &init));
    let written = text_of(&folder);
    assert_eq!(written.len(), 3, "{written:?}");

    let again = run(&cluster, &init);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(
        said.contains("is not overwritten; nothing was written"),
        "{said}"
    );
    assert_eq!(text_of(&folder), written, "not a byte of them changed");

    let over = fine(&run(&cluster, &["check", "-f", folder_text, "--over"]));
    assert!(!over.contains('✗'), "{over}");
    cluster
        .kubectl(&format!("apply --dry-run=server -f {folder_text}"))
        .fine();

    let probe = ["probe", "httproute/secure-app", "--backend-only"];
    assert_eq!(
        run(&cluster, &probe).status.code(),
        Some(1),
        "nothing is applied yet"
    );
    cluster.kubectl(&format!("apply -f {folder_text}")).fine();
    cluster.kubectl_until(
        "get secret gateway-client-tls -o name --ignore-not-found",
        "gateway-client-tls",
    );
    fine(&run(&cluster, &probe));
}
