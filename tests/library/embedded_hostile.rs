//! Clusters that make it hard to look from within, and those who would look further than into the
//! cluster: what cannot be done is said, with what to do, and nothing is left behind.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use crate::sandbox_support::{Cluster, ProgramOutput, peers, run};
use ngf_sandbox::{Denied, Quirk, Rule, SandboxOptions, Scenario, Stage};
use serde_json::Value;

const ROUTE: &str = "httproute/secure-app";

fn guide() -> SandboxOptions {
    SandboxOptions::new(Scenario::find("guide").expect("the guide"), Stage::Policy)
}

fn probe(cluster: &Cluster, arguments: &str) -> ProgramOutput {
    cluster.ngf_tui(&format!("probe {ROUTE} -o json --backend-only {arguments}"))
}

fn json(said: ProgramOutput) -> Value {
    serde_json::from_str(&said.fine()).expect("JSON")
}

/// The field of the exec step of a transcript.
fn of_exec(transcript: &Value, name: &str) -> String {
    let steps = transcript["steps"].as_array().expect("steps");
    let step = steps
        .iter()
        .find(|step| step["name"] == "exec")
        .expect("an exec");
    let fields = step["fields"].as_array().expect("fields");
    let field = fields.iter().find(|field| field["name"] == name);
    field
        .map_or("", |field| field["value"].as_str().unwrap_or(""))
        .to_owned()
}

/// Gives the data plane another image, and waits for its pod.
fn change_image(cluster: &Cluster, repository: &str) {
    let patch = serde_json::json!({"spec": {"kubernetes": {"deployment": {"container": {"image": {
        "repository": repository, "tag": "1",
    }}}}}});
    cluster
        .kubectl(&format!(
            "-n nginx-gateway patch nginxproxy ngf-proxy-config --type=merge -p {patch}"
        ))
        .fine();
    let images = "get pods -l app.kubernetes.io/name=gateway-nginx -o jsonpath={.items[*].spec.containers[0].image}{.items[*].status.phase}";
    cluster.kubectl_until(images, &format!("{repository}:1Running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nc_bash_relays_and_without_both_it_is_said() {
    if !peers(&["kubectl"]) {
        return;
    }
    let cluster = Cluster::with(guide()).await;
    change_image(&cluster, "registry.example.com/nginx-ubi");
    let transcript = json(probe(&cluster, "--via exec"));
    assert_eq!(transcript["http"]["status"], 200);
    assert_eq!(of_exec(&transcript, "relay"), "bash");

    change_image(&cluster, "registry.example.com/nginx-distroless");
    let said = probe(&cluster, "--via exec").refused();
    assert!(
        said.contains("holds neither nc nor bash") && said.contains("--via ephemeral --yes"),
        "{said}"
    );
    for way in ["ephemeral", "pod"] {
        let transcript = json(probe(&cluster, &format!("--via {way} --yes")));
        assert_eq!(transcript["http"]["status"], 200, "{way}");
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_warnings_and_an_old_protocol_change_nothing() {
    let mut noisy = guide();
    noisy.quirks = vec![Quirk::NoisyRelay];
    let mut old = guide();
    old.minor = 28;
    for (options, protocol) in [(noisy, "v5.channel.k8s.io"), (old, "v4.channel.k8s.io")] {
        let cluster = Cluster::with(options).await;
        for way in ["exec", "ephemeral --yes", "pod --yes", "port-forward"] {
            let transcript = json(probe(&cluster, &format!("--via {way}")));
            assert_eq!(transcript["http"]["status"], 200, "{way} by {protocol}");
            if way == "exec" {
                assert_eq!(of_exec(&transcript, "protocol"), protocol);
            }
        }
        cluster.sandbox.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_may_not_is_said_with_the_rule_that_is_missing() {
    if !peers(&["kubectl"]) {
        return;
    }
    // From 1.35 on both verbs are wanted, before that only the first.
    for (minor, verb, rule) in [
        (33, "get", "resources: [pods/exec], verbs: [get]"),
        (35, "create", "resources: [pods/exec], verbs: [create]"),
    ] {
        let mut options = guide();
        options.minor = minor;
        options.denied = vec![Denied {
            verb: verb.to_owned(),
            resource: "pods/exec".to_owned(),
        }];
        let cluster = Cluster::with(options).await;
        let said = probe(&cluster, "--via exec").refused();
        assert!(said.contains(rule), "1.{minor}: {said}");
        let transcript = json(probe(&cluster, "--via auto"));
        assert_eq!(transcript["way"]["via"], "port-forward");
        let why = transcript["way"]["not_taken"].to_string();
        assert!(why.contains(rule), "1.{minor}: {why}");
        let name = cluster.pod("gateway-nginx-");
        let refused = cluster
            .kubectl(&format!("exec {name} -c nginx -- true"))
            .refused();
        // Where kubectl may not get it asks again by SPDY, which creates, and is not served here.
        let words = if verb == "get" {
            "to a websocket"
        } else {
            "is forbidden"
        };
        assert!(refused.contains(words), "1.{minor}: {refused}");
        cluster.sandbox.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_said_soon_and_leaves_nothing() {
    if !peers(&["kubectl"]) {
        return;
    }
    let cluster = Cluster::with(guide()).await;
    let left = || {
        cluster
            .kubectl("get pods -l ngf-tui/debug-pod -o name")
            .fine()
    };
    for (arguments, says) in [
        (
            "--via pod --image registry.invalid/busybox --yes",
            "--image",
        ),
        (
            "--via ephemeral --image registry.invalid/busybox --yes",
            "its entry stays in the pod",
        ),
        (
            "--via pod --image example.com/distroless-nginx:1 --yes",
            "neither nc nor bash",
        ),
        ("--via exec --pod no-such-pod", "it has gateway-nginx-"),
        ("--via pod", "--yes"),
    ] {
        let began = Instant::now();
        let said = probe(&cluster, arguments).refused();
        assert!(said.contains(says), "{arguments}: {said}");
        assert!(
            began.elapsed().as_secs() < 10,
            "{arguments} took {:?}",
            began.elapsed()
        );
        assert_eq!(left(), "", "{arguments}");
    }

    // The strictest namespace takes what the tool makes, and not what is made without care.
    cluster
        .kubectl("label namespace default pod-security.kubernetes.io/enforce=restricted")
        .fine();
    for way in ["ephemeral", "pod"] {
        let transcript = json(probe(&cluster, &format!("--via {way} --yes")));
        assert_eq!(transcript["http"]["status"], 200, "{way}");
    }
    let name = cluster.pod("gateway-nginx-");
    for careless in [
        format!("debug {name} --image=busybox --profile=legacy"),
        "run careless --image=busybox --restart=Never".to_owned(),
    ] {
        let refused = cluster.kubectl(&careless).refused();
        assert!(
            refused.contains(
                "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false"
            ),
            "{careless}: {refused}"
        );
    }
    cluster.sandbox.shutdown().await;

    let mut options = guide();
    options.quirks = vec![Quirk::RefusesPods];
    let cluster = Cluster::with(options).await;
    let said = probe(&cluster, "--via pod --yes").refused();
    assert!(
        said.contains("quota of namespace default is used up"),
        "{said}"
    );
    cluster.sandbox.shutdown().await;
}

/// `assets/rbac.yaml` on a cluster that allows just what it says.
#[tokio::test(flavor = "multi_thread")]
async fn each_role_suffices_for_what_it_is_for() {
    let text = std::fs::read_to_string("assets/rbac.yaml").expect("the roles");
    let (head, prober) = text.split_once("\n---\n# Probes from").expect("two roles");
    let reader = Rule::of_roles(head);
    assert!(reader.len() > 4, "{reader:?}");
    let prober = format!("# Probes from{prober}");
    let prober = Rule::of_roles(&prober);
    let both = [reader.clone(), prober.clone()].concat();
    assert!(both.len() > reader.len() + 3, "{both:?}");

    let mut options = guide();
    options.allowed = Some(reader);
    let cluster = Cluster::with(options).await;
    // Logs and the data plane's files are beyond the reader, and that is said, with the rule to add.
    let check = cluster.ngf_tui("check").fine();
    assert!(
        check.contains("NGF-K7") && check.contains("pods/log"),
        "{check}"
    );
    let check = cluster
        .ngf_tui("check --no-logs --no-data-plane -o json")
        .fine();
    assert!(
        !check.contains("forbidden") && !check.contains("may not"),
        "{check}"
    );
    let transcript = json(probe(&cluster, ""));
    assert_eq!(transcript["via"], "direct");
    for way in ["exec", "port-forward", "ephemeral --yes", "pod --yes"] {
        let said = probe(&cluster, &format!("--via {way}")).refused();
        assert!(
            said.contains("add to a Role in namespace default"),
            "{way}: {said}"
        );
    }
    cluster.sandbox.shutdown().await;

    for minor in [33, 35] {
        let mut options = guide();
        options.allowed = Some(both.clone());
        options.minor = minor;
        let cluster = Cluster::with(options).await;
        for way in [
            "auto",
            "exec",
            "port-forward",
            "ephemeral --yes",
            "pod --yes",
        ] {
            let transcript = json(probe(&cluster, &format!("--via {way}")));
            assert_eq!(transcript["http"]["status"], 200, "{way}");
        }
        // With what lies beside: logs, names, the gateway's answer.
        let all = cluster.ngf_tui(&format!("probe {ROUTE} -o json --dns --via exec"));
        let context = json(all)["context"].to_string();
        assert!(
            !context.contains("may not") && !context.contains("forbid"),
            "{context}"
        );
        cluster.ngf_tui("probe gateway/gateway --all").fine();
        cluster.ngf_tui("cleanup").fine();
        cluster.sandbox.shutdown().await;
    }

    // Each rule is needed: without it its way is refused.
    for (resource, way) in [
        ("pods/exec", "exec"),
        ("pods/portforward", "port-forward"),
        ("pods/ephemeralcontainers", "ephemeral --yes"),
        ("pods", "pod --yes"),
    ] {
        let mut options = guide();
        let mut rules = both.clone();
        let probers = rules.len() - prober.len();
        let mut index = 0;
        rules.retain(|rule| {
            index += 1;
            index <= probers || !rule.resources.iter().any(|one| one == resource)
        });
        assert_eq!(rules.len(), both.len() - 1, "{resource}");
        options.allowed = Some(rules);
        let cluster = Cluster::with(options).await;
        let said = probe(&cluster, &format!("--via {way}")).refused();
        assert!(
            said.contains(&format!("resources: [{resource}]")),
            "{way}: {said}"
        );
        cluster.sandbox.shutdown().await;
    }
}

/// Nothing that is started in a pod is a process of this machine, reads its files, or reaches what
/// listens on it.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_out_of_a_pod() {
    if !peers(&["kubectl"]) {
        return;
    }
    let cluster = Cluster::with(guide()).await;
    // On every address, those of pods included.
    let ours = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    ours.set_nonblocking(true).expect("set");
    let port = ours.local_addr().expect("an address").port();
    let name = cluster.pod("gateway-nginx-");
    let (address, _) = cluster.endpoints("secure-app").remove(0);
    let exec = format!("exec {name} -c nginx --");
    for host in ["127.0.0.1", "localhost", &address, "0.0.0.0", "10.96.0.10"] {
        // The tool's own relay, which is known by its name.
        let relay = format!("sh -c script ngf-tui-relay {host} {port} 2 5");
        let said = cluster.kubectl(&format!("{exec} {relay}"));
        let words = said.refused();
        assert!(
            words.contains("Connection refused") || words.contains("No route to host"),
            "{host}: {words}"
        );
    }
    let forwarded = cluster.kubectl(&format!("{exec} ngf-tui relay 127.0.0.1:{port}"));
    assert!(forwarded.refused().contains("executable file not found"));
    assert!(ours.accept().is_err(), "somebody connected");

    let marker = cluster.path("marker");
    std::fs::write(&marker, "of this machine").expect("written");
    let marker = marker.display();
    for command in [
        format!("cat {marker}"),
        format!("cat /proc/self/root{marker}"),
        format!("cat ../../../../..{marker}"),
        "cat /proc/self/environ".to_owned(),
        "cat /etc/shadow".to_owned(),
        "curl http://127.0.0.1/".to_owned(),
        "python3 -c 1".to_owned(),
        "/bin/sh/../../../bin/sh -c true".to_owned(),
    ] {
        let said = cluster.kubectl(&format!("{exec} {command}"));
        assert!(!said.ok && said.out.is_empty(), "{command}: {said:?}");
    }
    let mut command = cluster.kubectl_command(&format!("{exec} sh -c"));
    let said = run(command.arg(format!("echo x > {marker}; cat < {marker}")));
    assert!(said.refused().contains("only ngf-tui's own scripts"));
    let kept = std::fs::read_to_string(cluster.path("marker")).expect("it is there");
    assert_eq!(kept, "of this machine");
    cluster.sandbox.shutdown().await;
}
