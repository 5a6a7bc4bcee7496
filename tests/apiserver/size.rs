//! A cluster from the generator: what is broken is found, nothing else is, on the API server and in files.

use std::collections::BTreeSet;

use ngf_core::model::kind::Kind;
use ngf_generator::{Broken, Cluster, Fault, Size};
use serde_json::Value;

use crate::{
    sandbox_support::run,
    server::{ApiServer, GATEWAY_API, PATIENCE},
    support::ngf_tui,
};

/// What the rule of a fault is about: of a missing Secret the policy, where only files are known.
fn subject(broken: &Broken, cluster: &Cluster, in_files: bool) -> String {
    let Broken {
        fault,
        namespace,
        service,
    } = broken;
    let (kind, name) = match fault {
        Fault::SecretMissing if !in_files => ("Secret", format!("{service}-ca")),
        Fault::PolicyMissesPort | Fault::SecretMissing => ("BackendTLSPolicy", service.clone()),
        Fault::NotReady => ("Service", service.clone()),
        Fault::ServiceMissing => {
            let to = |object: &&Value| {
                object.pointer("/spec/rules/0/backendRefs/0/name")
                    == Some(&Value::from(service.as_str()))
            };
            let routes = cluster.objects.iter().filter(to);
            let names = routes.filter_map(|route| route["metadata"]["name"].as_str());
            ("HTTPRoute", names.min().expect("a route").to_owned())
        }
    };
    format!("{} {kind} {namespace}/{name}", fault.code())
}

/// The causes of a report, as [`subject`] writes them; effects are left out.
fn causes(report: &str) -> BTreeSet<String> {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let effects = ["NGF-P15", "NGF-X4"];
    let lines = findings.iter().map(|finding| {
        let text = |path: &str| {
            finding
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (namespace, name) = (text("/subject/namespace"), text("/subject/name"));
        (
            text("/code").to_owned(),
            format!(
                "{} {} {namespace}/{name}",
                text("/code"),
                text("/subject/kind")
            ),
        )
    });
    let causes = lines.filter(|(code, _)| !effects.contains(&code.as_str()));
    causes.map(|(_, line)| line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_in_a_large_cluster_is_found_and_nothing_else() {
    let size = Size {
        routes: 1_200,
        broken_per_mille: 50,
        seed: 3,
    };
    let cluster = Cluster::of(size);
    let expected = |in_files: bool| -> BTreeSet<String> {
        let broken = cluster.broken.iter();
        broken
            .map(|broken| subject(broken, &cluster, in_files))
            .collect()
    };
    assert_eq!(expected(false).len(), 18);

    let server = ApiServer::start(GATEWAY_API, &[]);
    server.create(&cluster.manifests());
    let snapshot = server
        .connect("reader", None)
        .await
        .snapshot(PATIENCE)
        .await;
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.routes.len(), size.routes);
    assert_eq!(snapshot.gateways.len(), size.gateways());
    // One for each policy, of Secrets that do not exist, too.
    let secrets = snapshot
        .secrets
        .keys()
        .filter(|secret| secret.kind == Kind::Secret);
    assert_eq!(secrets.count(), snapshot.policies.len());

    let arguments = "check --no-probe --no-logs --no-data-plane -o json --timeout 120s";
    assert_eq!(
        causes(&server.ngf_tui("reader", arguments).out),
        expected(false)
    );

    let file = server.folder.join("cluster.yaml");
    std::fs::write(&file, cluster.manifests()).expect("written");
    let said = run(ngf_tui()
        .args(["check", "--no-probe", "-o", "json", "-f"])
        .arg(&file));
    assert_eq!(causes(&said.out), expected(true));
}
