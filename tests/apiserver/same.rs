//! The same requests to the embedded cluster and to the real API server.

use std::time::Duration;

use futures::{AsyncBufReadExt as _, StreamExt as _};
use kube::{Client, client::Body};
use ngf_cluster::ClusterOptions;
use ngf_sandbox::Stage;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    mirror::{Embedded, documents},
    server::{ApiServer, GATEWAY_API, PATIENCE},
};

const POLICIES: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/default/backendtlspolicies";
const ROUTE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/secure-app";
const MERGE: &str = "application/merge-patch+json";

/// A request, and what an answer to it says in short.
struct Case {
    what: &'static str,
    method: &'static str,
    path: String,
    content: &'static str,
    body: Value,
    says: &'static str,
    /// What the embedded cluster says, where that is something else.
    embedded: Option<&'static str>,
}

fn case(what: &'static str, method: &'static str, path: &str, says: &'static str) -> Case {
    Case {
        what,
        method,
        path: path.to_owned(),
        content: "application/json",
        body: Value::Null,
        says,
        embedded: None,
    }
}

impl Case {
    fn body(mut self, content: &'static str, body: Value) -> Self {
        self.content = content;
        self.body = body;
        self
    }

    fn but_embedded(mut self, says: &'static str) -> Self {
        self.embedded = Some(says);
        self
    }
}

fn policy(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    })
}

fn spec() -> Value {
    json!({
        "targetRefs": [{"group": "", "kind": "Service", "name": "other"}],
        "validation": {"hostname": "other.example.com", "wellKnownCACertificates": "System"},
    })
}

fn cases() -> Vec<Case> {
    let at = |query: &str| format!("{POLICIES}{query}");
    let named = |name: &str| format!("{POLICIES}/{name}");
    vec![
        case("an object", "GET", &named("backend-tls"), "200 BackendTLSPolicy"),
        case("a missing object", "GET", &named("none"), "404 NotFound"),
        case("a missing kind", "GET", "/apis/gateway.networking.k8s.io/v1/nothings", "404 no Status").but_embedded("404 NotFound"),
        case("a list", "GET", POLICIES, "200 BackendTLSPolicyList, 1 item"),
        case("the first page", "GET", "/api/v1/namespaces/default/configmaps?limit=1", "200 ConfigMapList, 1 item, continues"),
        case("a page of nonsense", "GET", &at("?limit=1&continue=nonsense"), "400 BadRequest"),
        case("a list by name", "GET", &at("?fieldSelector=metadata.name%3Dbackend-tls"), "200 BackendTLSPolicyList, 1 item"),
        case("a list by a field that cannot select", "GET", &at("?fieldSelector=spec.x%3D1"), "400 BadRequest"),
        case("a list by a label", "GET", &at("?labelSelector=a%3Db"), "200 BackendTLSPolicyList, 0 items"),
        case("a dry run that creates", "POST", &at("?dryRun=All"), "201 BackendTLSPolicy")
            .body("application/json", policy("dry", spec())),
        case("what a dry run created", "GET", &named("dry"), "404 NotFound"),
        case("a dry run that breaks the schema", "POST", &at("?dryRun=All"), "422 Invalid")
            .body("application/json", policy("dry", json!({"targetRefs": []}))),
        case("a dry run of what is there", "POST", &at("?dryRun=All"), "409 AlreadyExists")
            .body("application/json", policy("backend-tls", spec())),
        case("a dry run in no namespace", "POST", "/api/v1/namespaces/none/configmaps?dryRun=All", "404 NotFound")
            .body("application/json", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})),
        case("a field that is in no schema, strictly", "POST", &at("?dryRun=All&fieldValidation=Strict"), "400 BadRequest")
            .body("application/json", policy("dry", json!({"targetRefs": spec()["targetRefs"], "validation": spec()["validation"], "other": 1})))
            // Its schemas are open.
            .but_embedded("201 BackendTLSPolicy"),
        case("a merge under an old version", "PATCH", &named("backend-tls"), "409 Conflict")
            .body(MERGE, json!({"metadata": {"resourceVersion": "1"}, "spec": {"validation": {"hostname": "a.example.com"}}})),
        case("a merge of what is missing", "PATCH", &named("none"), "404 NotFound").body(MERGE, json!({})),
        case("a deletion under another UID", "DELETE", &named("backend-tls"), "409 Conflict")
            .body("application/json", json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}})),
        case("a merge of the status that goes to the object", "PATCH", ROUTE, "200 HTTPRoute, generation 1")
            .body(MERGE, json!({"status": {"parents": []}})),
        case("a merge of a label", "PATCH", ROUTE, "200 HTTPRoute, generation 1")
            .body(MERGE, json!({"metadata": {"labels": {"a": "b"}}})),
        case("a merge of a field", "PATCH", ROUTE, "200 HTTPRoute, generation 2")
            .body(MERGE, json!({"spec": {"hostnames": ["other.example.com"]}})),
        case("the same again", "PATCH", ROUTE, "200 HTTPRoute, generation 2")
            .body(MERGE, json!({"spec": {"hostnames": ["other.example.com"]}})),
        case("an access review", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "201 SelfSubjectAccessReview, allowed")
            .body("application/json", json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "subresource": "exec", "namespace": "default"}},
            })),
    ]
}

/// Code, kind or reason, and what counts of the rest.
async fn answer(client: &Client, case: &Case) -> String {
    let bytes = match &case.body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let request = axum::http::Request::builder()
        .method(case.method)
        .uri(&case.path)
        .header("content-type", case.content)
        .body(Body::from(bytes))
        .expect("a request");
    let answer = timeout(PATIENCE, client.send(request)).await;
    let answer = answer.expect("an answer in time").expect("an answer");
    let code = answer.status().as_u16();
    let body = axum::body::Body::new(answer.into_body());
    let bytes = axum::body::to_bytes(body, 16 << 20).await.expect("a body");
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if code >= 400 {
        return match text("/reason") {
            // The client makes a Status of whatever is none; it has no details.
            "" => format!("{code} no Status"),
            reason => format!("{code} {reason}"),
        };
    }
    let mut words = format!("{code} {}", text("/kind"));
    if let Some(items) = value["items"].as_array() {
        let s = if items.len() == 1 { "" } else { "s" };
        words += &format!(", {} item{s}", items.len());
    }
    if !text("/metadata/continue").is_empty() {
        words += ", continues";
    }
    if case.method == "PATCH" {
        words += &format!(", generation {}", value["metadata"]["generation"]);
    }
    if value.pointer("/status/allowed") == Some(&Value::Bool(true)) {
        words += ", allowed";
    }
    words
}

/// The events of a watch until it ends, in short.
async fn events(client: &Client, path: &str) -> Vec<String> {
    let request = axum::http::Request::get(path)
        .body(Vec::new())
        .expect("a request");
    let stream = match client.request_stream(request).await {
        Ok(stream) => stream,
        Err(error) => return vec![format!("not begun: {error}")],
    };
    let mut lines = stream.lines();
    let mut events = Vec::new();
    while let Ok(Some(line)) = timeout(Duration::from_secs(60), lines.next()).await {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let object = &event["object"];
        let ends = "/metadata/annotations/k8s.io~1initial-events-end";
        let end = object.pointer(ends).and_then(Value::as_str);
        events.push(format!(
            "{} {}{}",
            event["type"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default(),
            match (event["type"].as_str(), end) {
                (Some("ERROR"), _) => format!("{} {}", object["code"], object["reason"]),
                (_, Some(end)) => format!("initial events end: {end}"),
                _ => String::new(),
            }
        ));
        if end.is_some() || events.len() > 50 {
            break;
        }
    }
    events
}

async fn both() -> (ApiServer, Embedded, Client, Client) {
    let server = ApiServer::start(GATEWAY_API, &[]);
    let embedded = Embedded::start(Stage::Policy).await;
    server.apply(&documents(&embedded.objects()));
    let real = server.connect("admin", None).await.client();
    let options = ClusterOptions {
        kubeconfig: Some(embedded.cluster.path("kubeconfig")),
        ..ClusterOptions::default()
    };
    let there = ngf_cluster::connect(&options).await.expect("it answers");
    let client = there.client();
    (server, embedded, real, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_alike() {
    let (_server, _embedded, real, there) = both().await;
    let mut wrong = Vec::new();
    for case in cases() {
        let here = answer(&real, &case).await;
        let there = answer(&there, &case).await;
        let expected = case.embedded.unwrap_or(case.says);
        if here != case.says || there != expected {
            wrong.push(format!(
                "{}: expected {:?} and {expected:?}; the API server: {here:?}, the embedded cluster: {there:?}",
                case.what, case.says
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_answered_alike() {
    let (_server, _embedded, real, there) = both().await;
    // The embedded cluster remembers everything since its start; the API server does not.
    let path = format!("{POLICIES}?watch=true&timeoutSeconds=2&resourceVersion=1");
    assert_eq!(events(&real, &path).await, ["ERROR 410 \"Expired\""]);
    assert_eq!(
        events(&there, &path).await.first().map(String::as_str),
        Some("ADDED backend-tls")
    );
    for (query, expected) in [
        (
            "watch=true&timeoutSeconds=2&resourceVersion=0",
            &["ADDED backend-tls"][..],
        ),
        (
            "watch=true&timeoutSeconds=30&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
            &["ADDED backend-tls", "BOOKMARK initial events end: true"],
        ),
        (
            "watch=true&timeoutSeconds=2&resourceVersion=0&sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
            &[],
        ),
    ] {
        let path = format!("{POLICIES}?{query}");
        assert_eq!(
            events(&real, &path).await,
            expected,
            "the API server: {query}"
        );
        assert_eq!(
            events(&there, &path).await,
            expected,
            "the embedded cluster: {query}"
        );
    }
}
