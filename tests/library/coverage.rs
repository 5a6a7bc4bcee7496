//! What is not known: kinds that have not been listed yet, paths that nobody tested, and what other
//! data-plane pods saw.

use std::sync::Arc;

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence, Health,
        evidence::Probed,
        plan::{ProbePlan, ProbeTarget, plan},
    },
    logs::Tally,
    model::{
        kind::{KINDS, Kind},
        object::ObjectRef,
        snapshot::{KindState, Snapshot, Source},
    },
};
use ngf_tls::transcript::{Outcome, Transcript};
use ngf_tui::{files, report::FailOn};
use serde_json::json;

/// A transcript with this outcome, and nothing else of interest.
fn transcript_of(plan: &ProbePlan, outcome: Outcome) -> Transcript {
    let (code, status) = match outcome {
        Outcome::Ok => (Some(0), 200),
        Outcome::VerifyError => (Some(21), 502),
        _ => (None, 504),
    };
    let place = format!("{}:{}", plan.endpoint.address, plan.endpoint.port);
    let transcript = json!({
        "schema": "ngf-tui/probe/v1", "started_at": "2026-11-29T10:00:00Z", "duration_us": 2_900,
        "target": place, "address": place, "via": "exec",
        "engine": {"name": "openssl", "version": "OpenSSL 3.5.5"},
        "nginx": {
            "outcome": outcome, "verify_code": code, "verify_text": null, "alert": null,
            "client_status": status, "log_line": null, "sentence": "what nginx makes of it"
        },
        "tls": null, "verify_trace": [], "server_chain": [], "steps": [], "http": null,
        "client_certificate": {
            "requested": false, "acceptable_cas": [], "sent": false, "subject": null
        }
    });
    serde_json::from_value(transcript).expect("a transcript")
}

/// The guide's objects as a cluster would show them, with an endpoint; every kind is read.
fn cluster(policy_target: &str) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text: String = ngf_sandbox::STEPS
        .iter()
        .map(|step| format!("{}\n---\n", step.manifest))
        .collect();
    text = text.replace(
        "    kind: Service\n    name: secure-app\n",
        &format!("    kind: Service\n    name: {policy_target}\n"),
    );
    text.push_str(
        r"
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: nginx}
spec: {controllerName: gateway.nginx.org/nginx-gateway-controller}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: secure-app-1
  namespace: default
  labels: {kubernetes.io/service-name: secure-app}
addressType: IPv4
ports: [{name: https, port: 8443, protocol: TCP}]
endpoints:
- addresses: [10.244.0.19]
  conditions: {ready: true}
- addresses: [10.244.0.20]
  conditions: {ready: true}
",
    );
    std::fs::write(folder.path().join("objects.yaml"), text).expect("a file");
    let paths = [folder.path().to_owned()];
    let mut snapshot = files::read(&paths, "default");
    snapshot.source = Source::Cluster {
        context: "test".to_owned(),
        server: "https://127.0.0.1".to_owned(),
        version: None,
    };
    for info in KINDS {
        let version = info.versions.first().copied().unwrap_or("v1").to_owned();
        snapshot
            .kinds
            .insert(info.kind, KindState::Live { version });
    }
    snapshot
}

fn codes(snapshot: &Snapshot) -> Vec<&'static str> {
    let diagnosis = Diagnosis::of(snapshot, &Evidence::none(), Timestamp::now());
    let codes = diagnosis
        .findings
        .iter()
        .map(|finding| finding.code.as_str());
    codes.collect()
}

/// Whatever kind is still being listed: no rule takes what has not come yet for what does not exist. Events hold nothing
/// up: no rule reads them.
#[test]
fn while_a_kind_is_loading_nothing_is_reported() {
    let complete = cluster("secure-app-v2");
    assert!(
        codes(&complete).contains(&"NGF-P1"),
        "{:?}",
        codes(&complete)
    );
    for info in KINDS {
        let mut snapshot = complete.clone();
        snapshot.kinds.insert(info.kind, KindState::Loading);
        let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
        if info.kind == Kind::Event {
            assert_eq!(diagnosis.loading, 0);
            assert_eq!(codes(&snapshot), codes(&complete));
            continue;
        }
        assert!(diagnosis.findings.is_empty(), "{:?}", info.kind);
        assert_eq!(diagnosis.loading, 1);
        assert!(!diagnosis.topology.is_empty(), "the tree is there already");
    }
}

fn plans(snapshot: &Snapshot) -> Vec<ProbePlan> {
    let target = ProbeTarget::parse("httproute/secure-app", "default").expect("a target");
    plan(snapshot, &target).expect("plans")
}

fn probed(plan: &ProbePlan, outcome: Outcome, at: Timestamp) -> Probed {
    Probed {
        plan: Arc::new(plan.clone()),
        at,
        result: Ok(Arc::new(transcript_of(plan, outcome))),
    }
}

#[test]
fn an_untested_path_is_counted_until_a_handshake_was_made() {
    let snapshot = cluster("secure-app-v2");
    let now = Timestamp::now();
    let mut evidence = Evidence::none();
    let before = Diagnosis::of(&snapshot, &evidence, now).coverage;
    assert_eq!((before.paths.len(), before.tested()), (1, 0));
    assert_eq!(before.untested.len(), 1);
    let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
    assert!(FailOn::Error.misses_tests(&diagnosis));
    assert!(!FailOn::Never.misses_tests(&diagnosis));
    let untested = before.untested.first().expect("a path");
    assert_eq!(
        untested.arguments.as_deref(),
        Some("check httproute/default/secure-app")
    );

    let plans = plans(&snapshot);
    evidence.record_untested(plans[0].key(), "no transport works".to_owned());
    let tried = Diagnosis::of(&snapshot, &evidence, now).coverage;
    let untested = tried.untested.first().expect("a path");
    assert_eq!(untested.why, "no transport works");
    assert_eq!(
        untested.arguments.as_deref(),
        Some("probe httproute/default/secure-app --via pod")
    );

    evidence.record(probed(&plans[0], Outcome::Ok, now));
    let after = Diagnosis::of(&snapshot, &evidence, now).coverage;
    assert_eq!((after.tested(), after.untested.len()), (1, 0));
    assert_eq!((after.tested_endpoints(), after.endpoints()), (1, 2));
}

/// A probe from one pod says nothing of another pod; a newer one from the same pod takes its place.
#[test]
fn what_another_data_plane_pod_saw_stays() {
    let snapshot = cluster("secure-app-v2");
    let plan = &plans(&snapshot)[0];
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).expect("a time");
    let mut evidence = Evidence::none();
    let outcomes = |evidence: &Evidence| {
        let all = evidence.probes_from().map(|(pod, probed)| {
            let result = probed.result.as_ref().expect("a transcript");
            (pod.map(str::to_owned), result.nginx.outcome)
        });
        all.collect::<Vec<_>>()
    };
    evidence.record(probed(plan, Outcome::Timeout, at(0)));
    evidence.record_from(Some("a"), probed(plan, Outcome::VerifyError, at(1)));
    evidence.record_from(Some("b"), probed(plan, Outcome::Ok, at(2)));
    let a = |outcome| (Some("a".to_owned()), outcome);
    let b = (Some("b".to_owned()), Outcome::Ok);
    assert_eq!(outcomes(&evidence), [a(Outcome::VerifyError), b.clone()]);
    evidence.record_from(Some("a"), probed(plan, Outcome::Ok, at(3)));
    assert_eq!(outcomes(&evidence), [a(Outcome::Ok), b.clone()]);
    // An older one is no news.
    evidence.record_from(Some("a"), probed(plan, Outcome::VerifyError, at(2)));
    assert_eq!(outcomes(&evidence), [a(Outcome::Ok), b.clone()]);
    evidence.forget_probes_of_others(&["b"].into_iter().collect());
    assert_eq!(outcomes(&evidence), [b]);
}

/// One data-plane pod that fails where the others get through is that pod's fault, and an error.
#[test]
fn a_fault_of_one_data_plane_pod_is_not_the_endpoints() {
    let snapshot = cluster("secure-app");
    let mut evidence = Evidence::none();
    let now = Timestamp::now();
    let plans = plans(&snapshot);
    for plan in &plans {
        evidence.record_from(Some("stale"), probed(plan, Outcome::VerifyError, now));
        evidence.record_from(Some("fresh"), probed(plan, Outcome::Ok, now));
    }
    let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
    let found: Vec<_> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.title.starts_with("From Pod default/stale only"))
        .collect();
    assert_eq!(found.len(), 1, "{:#?}", diagnosis.findings);
    let of_all = |finding: &&ngf_core::diagnosis::Finding| finding.code == "NGF-T15";
    assert!(!diagnosis.findings.iter().any(|finding| of_all(&finding)));
}

/// Two of three data-plane pods that fail are both named: none of them is the only one.
#[test]
fn a_fault_of_two_data_plane_pods_is_one_finding() {
    let snapshot = cluster("secure-app");
    let mut evidence = Evidence::none();
    let now = Timestamp::now();
    for plan in &plans(&snapshot) {
        for pod in ["stale", "staler"] {
            evidence.record_from(Some(pod), probed(plan, Outcome::VerifyError, now));
        }
        evidence.record_from(Some("fresh"), probed(plan, Outcome::Ok, now));
    }
    let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
    let titles: Vec<&str> = diagnosis
        .findings
        .iter()
        .map(|finding| finding.title.as_str())
        .filter(|title| title.starts_with("From "))
        .collect();
    let [title] = titles.as_slice() else {
        panic!("{titles:?}");
    };
    let names = "From Pod default/stale and Pod default/staler only: ";
    assert!(title.starts_with(names), "{title}");
}

/// What fails from one pod and not from another is said with both, and nothing is said of a pod that did not try or
/// sees the same.
#[test]
fn a_finding_says_from_which_pods_it_is_seen_and_from_which_not() {
    let snapshot = cluster("secure-app");
    let now = Timestamp::now();
    let plans = plans(&snapshot);
    let [first, second] = plans.as_slice() else {
        panic!("two endpoints: {plans:?}");
    };
    let said = |seen: &[(&str, Outcome)]| {
        let mut evidence = Evidence::none();
        for (pod, outcome) in seen {
            evidence.record_from(Some(pod), probed(first, *outcome, now));
            // Each pod gets through to the other endpoint.
            evidence.record_from(Some(pod), probed(second, Outcome::Ok, now));
        }
        evidence.record_from(Some("idle"), probed(second, Outcome::Ok, now));
        let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
        let details = diagnosis
            .findings
            .iter()
            .flat_map(|finding| &finding.detail);
        let mut said = details.filter(|line| line.starts_with("Seen from"));
        let one = said.next().cloned();
        assert_eq!(said.next(), None, "once");
        one
    };
    let (bad, good) = (Outcome::VerifyError, Outcome::Ok);
    assert_eq!(
        said(&[("a", bad), ("b", good), ("c", bad)]).as_deref(),
        Some("Seen from Pod default/a and Pod default/c, not from Pod default/b.")
    );
    assert_eq!(said(&[("a", bad), ("b", bad)]), None);
    assert_eq!(said(&[("a", bad)]), None);
    assert_eq!(said(&[("a", bad), ("b", Outcome::Timeout)]), None);
    assert_eq!(said(&[("a", good), ("b", good)]), None);
}

/// Whatever a backend logs about the tool's own requests is no evidence.
#[test]
fn marked_requests_are_not_counted() {
    let lines = |query: &str| {
        format!(
            "2026-11-29T10:00:00Z 2026/11/29 10:00:00 [info] 7#7: *1 client sent no required SSL certificate while reading client request headers, client: 10.244.0.12, server: app, request: \"GET /{query} HTTP/1.1\", host: \"app\"\n\
             2026-11-29T10:00:00Z 10.244.0.12 - \"GET /{query} HTTP/1.1\" 400 ssl_client_verify=FAILED:unable ssl_client_subject=CN=gateway\n"
        )
    };
    let count = |query: &str| {
        let mut tally = Tally::default();
        tally.read(&lines(query), Timestamp::now());
        tally.said.len()
    };
    assert_eq!(count(""), 2);
    assert_eq!(count("?a=b"), 2);
    assert_eq!(count("?ngf-tui=probe"), 0);
    assert_eq!(count("?a=b&ngf-tui=without-client-certificate"), 0);
}

/// A second Gateway that shares the backend is not crossed out by what the first one's handshake showed.
#[test]
fn a_fault_of_one_gateway_is_not_another_ones() {
    let mut snapshot = cluster("secure-app");
    let plan = plans(&snapshot).remove(0);
    let (name, gateway) = snapshot.gateways.first_key_value().expect("a Gateway");
    let mut other = (**gateway).clone();
    other.reference = ObjectRef::new(name.kind, name.namespace.as_str(), "other");
    let (name, other_name) = (name.clone(), other.reference.clone());
    snapshot
        .gateways
        .insert(other_name.clone(), Arc::new(other));
    let (route_name, route) = snapshot.routes.first_key_value().expect("a route");
    let (route_name, mut route) = (route_name.clone(), (**route).clone());
    let mut parent = route.spec.parent_refs[0].clone();
    parent.name = "other".to_owned();
    route.spec.parent_refs.push(parent);
    snapshot.routes.insert(route_name, Arc::new(route));

    let mut evidence = Evidence::none();
    let now = Timestamp::now();
    evidence.record(probed(&plan, Outcome::VerifyError, now));
    let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
    let health = |gateway: &ObjectRef| {
        let place = diagnosis.topology.places(gateway)[0];
        diagnosis.health(place)
    };
    assert_eq!(health(&name), Health::Broken);
    assert_eq!(health(&other_name), Health::Unknown, "nobody has tested it");
    assert_eq!(diagnosis.coverage.untested.len(), 1);
    let untested = diagnosis.coverage.untested.first();
    assert_eq!(untested.map(|one| &one.path.gateway), Some(&other_name));
}
