//! `check` and the listeners of a Gateway: a handshake with each, as one of its clients makes it.

use crate::sandbox_support::Cluster;
use ngf_sandbox::{Denied, SandboxOptions, Scenario, Stage};

fn frontend() -> SandboxOptions {
    let scenario = Scenario::find("frontend-mtls").expect("the scenario");
    SandboxOptions::new(scenario, Stage::Policy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_presents_its_secret_gives_no_finding() {
    let cluster = Cluster::with(frontend()).await;
    let text = cluster.ngf_tui("check").out;
    for code in ["NGF-L8", "NGF-L9"] {
        assert!(!text.contains(code), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_no_port_forward_reaches_is_unknown() {
    let mut options = frontend();
    options.denied = vec![Denied {
        verb: "*".to_owned(),
        resource: "pods/portforward".to_owned(),
    }];
    let cluster = Cluster::with(options).await;
    let text = cluster.ngf_tui("check").out;
    assert!(text.contains("? NGF-L9"), "{text}");
    let text = cluster.ngf_tui("check --no-probe").out;
    assert!(!text.contains("NGF-L9"), "{text}");
}
