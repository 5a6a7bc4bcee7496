//! `check --over` asks the API server by dry runs: what it says, what it cannot say, and that nothing is
//! ever stored. Between the program and the embedded cluster stands a recorder, which can also answer as
//! API servers, webhooks and proxies do.

mod recorder;

use crate::sandbox_support::peers;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use recorder::{Answer, Instead, Recorded, refusal};

fn policy(hostname: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\n\
         metadata: {{name: backend-tls, namespace: default}}\nspec:\n  \
         targetRefs: [{{group: '', kind: Service, name: secure-app}}]\n  validation:\n    \
         caCertificateRefs: [{{group: '', kind: Secret, name: backend-cert}}]\n    hostname: {hostname}\n---\n"
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: new, namespace: default}\n\
    spec: {ports: [{port: 80}]}\n---\n";
const POLICIES: &str = "/backendtlspolicies/backend-tls";
const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: fresh, namespace: default}\n\
    stringData: {password: swordfish}\n---\n";

fn answered(status: u16, reason: &str, message: &str) -> Vec<Instead> {
    vec![Instead {
        method: Method::PATCH,
        ends: POLICIES,
        times: usize::MAX,
        answer: Answer::With(status, Vec::new(), refusal(status, reason, message)),
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_a_dry_run_and_nothing_is_stored() {
    assert!(peers(&["kubectl"]), "kubectl is not installed");
    let recorded = Recorded::start(Vec::new()).await;
    let all = "get gateways,httproutes,backendtlspolicies,services,secrets,configmaps -A -o json";
    let before: Value =
        serde_json::from_str(&recorded.cluster.kubectl(all).fine()).expect("objects");
    let text = policy("other.example.com") + SERVICE + SECRET;
    let manifests = recorded.manifests(&text);
    let (_, printed) = recorded.check(&manifests, &[]);
    assert!(
        printed.starts_with("Laid over the cluster: 2 objects new, 1 changed, 0 as before."),
        "{printed}"
    );
    assert!(!printed.contains("swordfish"), "{printed}");
    let writes = recorded.writes();
    let seen: Vec<(&str, &str)> = writes
        .iter()
        .map(|write| {
            (
                write.method.as_str(),
                write.path.rsplit('/').next().expect("a name"),
            )
        })
        .collect();
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("PATCH", "backend-tls"),
            ("POST", "secrets"),
            ("POST", "services")
        ]
    );
    for write in &writes {
        assert!(
            write.query.split('&').any(|part| part == "dryRun=All"),
            "{write:?}"
        );
        assert!(write.query.contains("fieldValidation=Warn"), "{write:?}");
    }
    let of_secret = writes.iter().find(|write| write.path.ends_with("/secrets"));
    let body = &of_secret.expect("it was asked about").body;
    assert_eq!(
        body.matches("swordfish").count(),
        1,
        "no copy in an annotation"
    );
    let after: Value =
        serde_json::from_str(&recorded.cluster.kubectl(all).fine()).expect("objects");
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_asks_nothing_and_says_so() {
    let recorded = Recorded::start(Vec::new()).await;
    let manifests = recorded.manifests(&(policy("secure-app.example.com") + SERVICE));
    let (status, printed) = recorded.check(&manifests, &["--read-only"]);
    assert_eq!(status, Some(0), "{printed}");
    let line = "NGF-A3  It is not known what the API server would store of 2 objects:";
    assert_eq!(printed.matches(line).count(), 1, "{printed}");
    assert!(
        printed.contains("a dry run takes the rights of"),
        "{printed}"
    );
    assert!(
        printed.contains("No new problems found; some could not be determined."),
        "{printed}"
    );
    assert_eq!(recorded.writes().len(), 0, "{:?}", recorded.writes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_error_in_the_server_s_own_words_without_control_characters() {
    let conflict =
        "Apply failed with 1 conflict: conflict with \"argocd\": .spec.validation.hostname";
    let quota = "backendtlspolicies.gateway.networking.k8s.io \"backend-tls\" is forbidden: exceeded quota: few";
    let webhook =
        "admission webhook \"tls.example.com\" denied the request: \u{1b}[31mno \u{202e}host\u{7}";
    for (answer, expected) in [
        (
            answered(409, "Conflict", conflict),
            format!("NGF-A1 The API server would refuse BackendTLSPolicy default/backend-tls: {conflict}"),
        ),
        (
            answered(403, "Forbidden", quota),
            format!("NGF-A1 The API server would refuse BackendTLSPolicy default/backend-tls: {quota}"),
        ),
        (
            answered(400, "BadRequest", webhook),
            "NGF-A1 The API server would refuse BackendTLSPolicy default/backend-tls: admission webhook \
             \"tls.example.com\" denied the request: [31mno host"
                .to_owned(),
        ),
    ] {
        let recorded = Recorded::start(answer).await;
        let manifests = recorded.manifests(&(policy("other.example.com") + SERVICE));
        assert_eq!(recorded.brings(&manifests, &[]), [expected]);
        let (status, printed) = recorded.check(&manifests, &[]);
        assert_eq!(status, Some(1), "{printed}");
        assert!(!printed.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{printed:?}");
        assert!(printed.contains("1 object new, 0 changed, 0 as before, 1 refused."), "{printed}");
        assert!(printed.contains("manifests.yaml, document 1, line 1"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_field() {
    // The embedded cluster refuses it by itself, as the CRD's rule has it.
    let recorded = Recorded::start(Vec::new()).await;
    let text = policy("secure-app.example.com").replace(
        "hostname:",
        "wellKnownCACertificates: System\n    hostname:",
    );
    let manifests = recorded.manifests(&text);
    assert_eq!(
        recorded.brings(&manifests, &[]),
        [
            "NGF-A1 The API server would refuse BackendTLSPolicy default/backend-tls: spec.validation: Invalid value: \
          must not contain both CACertificateRefs and WellKnownCACertificates"
        ]
    );
    let (status, xml) = recorded.check(&manifests, &["-o", "junit"]);
    assert_eq!(status, Some(1), "{xml}");
    let document = roxmltree::Document::parse(&xml).expect("XML");
    assert_eq!(document.root_element().attribute("failures"), Some("1"));
    let (_, markdown) = recorded.check(&manifests, &["-o", "markdown"]);
    assert!(
        markdown.starts_with("### ngf-tui check --over: ❌ this change brings 1 error\n"),
        "{markdown}"
    );
    let (never, _) = recorded.check(&manifests, &["--fail-on", "never"]);
    assert_eq!(never, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_unknown_and_merged_by_the_tool() {
    let denied = "backendtlspolicies.gateway.networking.k8s.io \"backend-tls\" is forbidden: User \"ci\" cannot \
        patch resource \"backendtlspolicies\" in API group \"gateway.networking.k8s.io\" in the namespace \"default\"";
    let no_dry_run = "admission webhook \"tls.example.com\" does not support dry run";
    for (answer, expected) in [
        (
            answered(403, "Forbidden", denied),
            "you may not patch backendtlspolicies in namespace default",
        ),
        (answered(400, "BadRequest", no_dry_run), no_dry_run),
        (
            answered(
                500,
                "InternalError",
                "failed calling webhook \"tls.example.com\": no route",
            ),
            "the API server answers 500: failed calling webhook \"tls.example.com\": no route",
        ),
    ] {
        let recorded = Recorded::start(answer).await;
        let manifests = recorded.manifests(&policy("secure-app.example.com:8443"));
        let new = recorded.brings(&manifests, &[]);
        let unknown = format!(
            "NGF-A3 It is not known what the API server would store of BackendTLSPolicy default/backend-tls: {expected}"
        );
        assert!(new.contains(&unknown), "{new:#?}");
        // The tool's own merge continues.
        assert!(
            new.iter().any(|line| line.starts_with("NGF-P2 ")),
            "{new:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_asked_for_ever() {
    let recorded = Recorded::start(vec![Instead {
        method: Method::POST,
        ends: "/services",
        times: usize::MAX,
        answer: Answer::Never,
    }])
    .await;
    let services: String = (0..40)
        .map(|number| SERVICE.replace("name: new", &format!("name: new-{number}")))
        .collect();
    let manifests = recorded.manifests(&services);
    let new = recorded.brings(&manifests, &["--timeout", "1s"]);
    let about: Vec<&String> = new
        .iter()
        .filter(|line| line.starts_with("NGF-A3"))
        .collect();
    assert!(
        about
            .iter()
            .any(|line| line.contains("no answer within 1 s")),
        "{new:#?}"
    );
    assert!(
        about
            .iter()
            .any(|line| line.contains("did not answer 3 requests in a row")),
        "{new:#?}"
    );
    let asked = recorded.writes().len();
    // Those under way when the third goes without an answer, and no more.
    assert!((3..=11).contains(&asked), "{asked} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_time_is_asked_again() {
    let recorded = Recorded::start(vec![Instead {
        method: Method::PATCH,
        ends: POLICIES,
        times: 1,
        answer: Answer::With(429, Vec::new(), refusal(429, "TooManyRequests", "later")),
    }])
    .await;
    let manifests = recorded.manifests(&policy("secure-app.example.com"));
    assert_eq!(recorded.brings(&manifests, &[]), Vec::<String>::new());
    assert_eq!(recorded.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_drops_is_told() {
    let stored = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "gateway", "namespace": "default"},
        "spec": {"gatewayClassName": "nginx", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}});
    let recorded = Recorded::start(vec![Instead {
        method: Method::PATCH,
        ends: "/gateways/gateway",
        times: usize::MAX,
        answer: Answer::With(
            200,
            vec![
                "299 - \"unknown field \\\"spec.listeners[0].tsl\\\"\"",
                "299 - \"v1 is old\"",
            ],
            stored,
        ),
    }])
    .await;
    // An old API server does not warn of the second; it is not in what would be stored.
    let manifests = recorded.manifests(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gateway, namespace: default}\n\
         spec:\n  gatewayClassName: nginx\n  listeners: [{name: http, port: 80, protocol: HTTP, tsl: {}}]\n  \
         tls: {backend: {clientCertificateRef: {name: gateway-presents-this-cert-for-validation}}}\n",
    );
    let new = recorded.brings(&manifests, &[]);
    assert!(
        new.contains(
            &"NGF-A2 The API server would drop spec.listeners[0].tsl and spec.tls of Gateway default/gateway"
                .to_owned()
        ),
        "{new:#?}"
    );
    let (status, printed) = recorded.check(&manifests, &[]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("it warns: v1 is old"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_comes_with_the_files_is_not_missed() {
    let recorded = Recorded::start(Vec::new()).await;
    let service = SERVICE.replace("namespace: default", "namespace: shop");
    let new = recorded.brings(&recorded.manifests(&service), &[]);
    assert_eq!(
        new,
        ["NGF-A1 The API server would refuse Service shop/new: namespaces \"shop\" not found"]
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n";
    let new = recorded.brings(&recorded.manifests(&(namespace.to_owned() + &service)), &[]);
    assert_eq!(
        new,
        [
            "NGF-A3 It is not known what the API server would store of Service shop/new: namespace shop is among the \
          files, and not in the cluster yet"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_server_side_is_tried_so_and_only_controllers_take_over() {
    let conflict =
        "Apply failed with 1 conflict: conflict with \"kubectl-edit\": .spec.validation.hostname";
    let refusals = |times| Instead {
        times,
        ..answered(409, "Conflict", conflict).remove(0)
    };
    let live = |manager: &str| Instead {
        method: Method::GET,
        ends: POLICIES,
        times: usize::MAX,
        answer: Answer::With(
            200,
            Vec::new(),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
                "metadata": {"name": "backend-tls", "namespace": "default", "managedFields": [
                    {"manager": manager, "operation": "Apply", "time": "2026-06-01T12:00:00Z"}]}}),
        ),
    };
    let text = policy("secure-app.example.com");
    let person = Recorded::start(vec![live("kubectl"), refusals(usize::MAX)]).await;
    assert_eq!(
        person.brings(&person.manifests(&text), &[]),
        [format!(
            "NGF-A1 The API server would refuse BackendTLSPolicy default/backend-tls: {conflict}"
        )]
    );
    let queries = |recorded: &Recorded| -> Vec<String> {
        let writes = recorded.writes();
        writes.into_iter().map(|write| write.query).collect()
    };
    assert_eq!(
        queries(&person),
        ["dryRun=All&fieldValidation=Warn&force=false&fieldManager=kubectl"]
    );
    let controller = Recorded::start(vec![live("flux & co"), refusals(1)]).await;
    assert_eq!(
        controller.brings(&controller.manifests(&text), &[]),
        [format!(
            "NGF-A4 The API server warns of BackendTLSPolicy default/backend-tls: flux & co takes over fields of \
             others: {conflict}"
        )]
    );
    assert_eq!(
        queries(&controller),
        [
            "dryRun=All&fieldValidation=Warn&force=false&fieldManager=flux%20%26%20co",
            "dryRun=All&fieldValidation=Warn&force=true&fieldManager=flux%20%26%20co"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_not_json_is_no_panic() {
    let recorded = Recorded::start(vec![Instead {
        method: Method::GET,
        ends: POLICIES,
        times: usize::MAX,
        answer: Answer::With(StatusCode::OK.as_u16(), Vec::new(), json!("what")),
    }])
    .await;
    let manifests = recorded.manifests(&policy("other.example.com"));
    let (status, printed) = recorded.check(&manifests, &[]);
    assert!(status.is_some_and(|status| status < 3), "{printed}");
}
