//! What objects say, and what is said about objects that are not as they should be.

use serde_json::{Value, json};

use super::*;
use crate::model::kinds::LocalRef;

fn decode(value: Value) -> Decoded {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let kind = Kind::of(&text("apiVersion"), &text("kind")).expect("a known kind");
    object(kind, Incoming { value, cut: false }, "default").expect("an object with a name")
}

fn notes(decoded: &Decoded) -> Vec<String> {
    let notes = decoded.notes().iter();
    notes
        .map(|note| format!("{}: {}", note.path, note.message))
        .collect()
}

macro_rules! spec {
    ($variant:ident, $value:expr) => {{
        let decoded = decode($value);
        let Decoded::$variant(object) = decoded else {
            panic!("another variant: {decoded:?}")
        };
        object
    }};
}

fn gateway(spec: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "gateway"}, "spec": spec,
    })
}

fn http_route(rules: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": "apps"},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules},
    })
}

#[test]
fn what_is_wrong_is_named_by_path_and_hides_nothing_else() {
    let listener = json!({"name": "http", "port": 80, "protocol": "HTTP"});
    for (spec, expected) in [
        (
            json!({"gatewayClassName": "nginx", "listeners": [listener]}),
            vec![],
        ),
        (
            json!({"gatewayClassName": 7, "listeners": [listener]}),
            vec!["spec.gatewayClassName: expected text, found 7"],
        ),
        (
            json!({"listeners": [listener]}),
            vec!["spec.gatewayClassName: is missing"],
        ),
        (
            json!({"gatewayClassName": "nginx", "listeners": {"name": "http"}}),
            vec!["spec.listeners: expected a list, found an object"],
        ),
        (
            json!({"gatewayClassName": "nginx", "listeners": ["http", listener, null]}),
            vec![
                r#"spec.listeners[0]: expected an object, found "http""#,
                "spec.listeners[2]: expected an object, found null",
            ],
        ),
        (
            json!({"gatewayClassName": "nginx", "listeners": [
                {"name": "a", "port": "eighty", "protocol": "HTTP"},
                {"name": "b", "port": 70_000, "protocol": "HTTP"},
                {"name": "c", "port": 1.5, "protocol": "QUIC"},
                {"port": 80},
            ]}),
            vec![
                r#"spec.listeners[0].port: expected a number, found "eighty""#,
                "spec.listeners[1].port: expected a number from 1 to 65535, found 70000",
                "spec.listeners[2].port: expected a number, found 1.5",
                r#"spec.listeners[2].protocol: "QUIC" is not among the values that this tool knows (HTTP, HTTPS, TLS, TCP, UDP)"#,
                "spec.listeners[3].protocol: is missing",
                "spec.listeners[3].name: is missing",
            ],
        ),
        (
            json!({"gatewayClassName": "nginx", "listeners": [listener], "tls": {"backend": []}}),
            vec!["spec.tls.backend: expected an object, found a list"],
        ),
        (
            json!({"gatewayClassName": "nginx", "listeners": [listener],
                "tls": {"backend": {"clientCertificateref": {"name": "x"}}}, "lisseners": []}),
            vec![
                "spec.tls.backend.clientCertificateref: is not a field that this tool knows: did you mean clientCertificateRef?",
                "spec.lisseners: is not a field that this tool knows: did you mean listeners?",
            ],
        ),
        (
            json!("nginx"),
            vec![r#"spec: expected an object, found "nginx""#],
        ),
    ] {
        let decoded = decode(gateway(&spec));
        assert_eq!(notes(&decoded), expected, "{spec}");
    }
}

#[test]
fn a_bad_listener_keeps_the_others() {
    let gateway = spec!(
        Gateway,
        gateway(&json!({"gatewayClassName": "nginx", "listeners": [
            {"name": "bad", "port": "eighty", "protocol": "HTTP"},
            17,
            {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com",
             "tls": {"mode": "Terminate", "certificateRefs": [{"name": "cert", "namespace": "infra"}]}},
        ]}))
    );
    let listeners: Vec<_> = gateway
        .spec
        .listeners
        .iter()
        .map(|listener| (listener.name.as_str(), listener.port))
        .collect();
    assert_eq!(listeners, [("bad", 0), ("https", 443)]);
    assert_eq!(
        gateway.spec.listeners[1].certificate_refs,
        [LocalRef {
            namespace: Some("infra".into()),
            name: "cert".into(),
            ..LocalRef::default()
        }]
    );
}

#[test]
fn the_client_certificate_is_read_from_its_place_and_from_its_old_place() {
    let reference = json!({"clientCertificateRef": {"kind": "Secret", "name": "client"}});
    let new = spec!(
        Gateway,
        gateway(
            &json!({"gatewayClassName": "nginx", "listeners": [], "tls": {"backend": reference}})
        )
    );
    let old = spec!(
        Gateway,
        gateway(&json!({"gatewayClassName": "nginx", "listeners": [], "backendTLS": reference}))
    );
    let name = |reference: &Option<LocalRef>| reference.as_ref().map(|r| r.name.clone());
    assert_eq!(
        name(&new.spec.client_certificate_ref),
        Some("client".into())
    );
    assert_eq!(name(&new.spec.old_client_certificate_ref), None);
    assert_eq!(name(&old.spec.client_certificate_ref), None);
    assert_eq!(
        name(&old.spec.old_client_certificate_ref),
        Some("client".into())
    );
    assert_eq!(old.notes, []);
}

#[test]
fn rules_say_what_they_match_and_where_a_request_would_meet_them() {
    for (rule, matches, path) in [
        (json!({}), vec!["PathPrefix /"], "/"),
        (
            json!({"matches": [
                {"method": "GET", "path": {"type": "Exact", "value": "/x"},
                 "headers": [{"name": "X-V", "value": "2"}],
                 "queryParams": [{"name": "q", "type": "RegularExpression", "value": "a.*"}]},
                {"path": {"value": "/y"}},
            ]}),
            vec!["GET Exact /x header X-V=2 query q~a.*", "PathPrefix /y"],
            "/x",
        ),
        (
            json!({"matches": [{"path": {"type": "RegularExpression", "value": "/a+"}}]}),
            vec!["RegularExpression /a+"],
            "/",
        ),
    ] {
        let route = spec!(Route, http_route(&json!([rule])));
        assert_eq!(route.spec.rules[0].matches, matches);
        assert_eq!(route.spec.rules[0].path, path);
        assert_eq!(route.notes, []);
    }
}

#[test]
fn backends_are_found_in_rules_and_in_filters() {
    let route = spec!(
        Route,
        http_route(&json!([
            "not a rule",
            {
                "filters": [
                    {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mirror", "port": 1}}},
                    {"type": "URLRewrite", "urlRewrite": {"hostname": "inner.example"}},
                    {"type": "Teleport"},
                ],
                "backendRefs": [
                    {"name": "a", "port": 8443, "weight": 0,
                     "filters": [{"type": "ExternalAuth", "externalAuth": {"backendRef": {"name": "auth"}}}]},
                    {"name": "b", "namespace": "other", "port": 99_999},
                ],
            }
        ]))
    );
    let rule = &route.spec.rules[1];
    let names = |refs: &[crate::model::kinds::BackendRef]| {
        refs.iter()
            .map(|backend| {
                (
                    backend.target.name.clone(),
                    backend.target.port,
                    backend.weight,
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&rule.backend_refs),
        [("a".into(), Some(8443), 0), ("b".into(), None, 1)]
    );
    assert_eq!(
        names(&rule.filter_backend_refs),
        [("mirror".into(), Some(1), 1), ("auth".into(), None, 1)]
    );
    assert_eq!(rule.rewrite_hostname.as_deref(), Some("inner.example"));
    let paths: Vec<_> = route.notes.iter().map(|note| note.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.rules[0]",
            "spec.rules[1].filters[2].type",
            "spec.rules[1].backendRefs[1].port"
        ]
    );
}

#[test]
fn a_grpc_method_is_a_path() {
    let route = spec!(
        Route,
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute",
            "metadata": {"name": "grpc"},
            "spec": {"rules": [{"matches": [{"method": {"service": "foo.Bar", "method": "Baz"}}]}]},
        })
    );
    assert_eq!(route.spec.rules[0].matches, ["method foo.Bar/Baz"]);
    assert_eq!(route.spec.rules[0].path, "/foo.Bar/Baz");
}

#[test]
fn both_versions_of_a_policy_are_read_alike() {
    for version in ["v1", "v1alpha3"] {
        let policy = spec!(
            BackendTLSPolicy,
            json!({
                "apiVersion": format!("gateway.networking.k8s.io/{version}"),
                "kind": "BackendTLSPolicy",
                "metadata": {"name": "tls", "namespace": "apps", "generation": 3},
                "spec": {
                    "targetRefs": [{"group": "", "kind": "Service", "name": "app", "sectionName": "https"}],
                    "validation": {
                        "hostname": "app.example.com",
                        "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "ca"}],
                        "subjectAltNames": [
                            {"type": "Hostname", "hostname": "a.example.com"},
                            {"type": "URI", "uri": "spiffe://td/app"},
                        ],
                    },
                    "options": {"a/b": "c"},
                },
                "status": {"ancestors": [{
                    "ancestorRef": {"name": "gateway", "namespace": "infra"},
                    "controllerName": "gateway.nginx.org/nginx-gateway-controller",
                    "conditions": [{
                        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "The\nPolicy",
                        "lastTransitionTime": "2026-01-09T05:40:37Z", "observedGeneration": 2,
                    }],
                }]},
            })
        );
        assert_eq!(policy.notes, []);
        assert_eq!(policy.meta.generation, 3);
        assert_eq!(policy.spec.hostname, "app.example.com");
        assert_eq!(
            policy.spec.target_refs[0].section_name.as_deref(),
            Some("https")
        );
        assert_eq!(
            policy.spec.subject_alt_names,
            ["Hostname:a.example.com", "URI:spiffe://td/app"]
        );
        let condition = &policy.status.ancestors[0].conditions[0];
        assert_eq!(condition.message, "The Policy");
        assert_eq!(condition.observed_generation, Some(2));
    }
}

#[test]
fn an_unknown_version_is_read_as_the_newest_and_said_to_be() {
    let decoded = decode(json!({
        "apiVersion": "gateway.networking.k8s.io/v2", "kind": "ReferenceGrant",
        "metadata": {"name": "grant"},
        "spec": {"from": [{"group": "", "kind": "Gateway", "namespace": "infra"}], "to": [{"group": "", "kind": "Secret"}]},
    }));
    assert_eq!(
        notes(&decoded),
        ["apiVersion: this tool reads ReferenceGrant in v1, v1beta1; v2 is read as if it were v1"]
    );
}

#[test]
fn control_characters_do_not_enter_the_model() {
    let gateway = spec!(
        Gateway,
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "gate\u{1b}[2Jway", "labels": {"a\u{7}": "b"}},
            "spec": {"gatewayClassName": "ng\u{202e}inx", "listeners": []},
        })
    );
    assert_eq!(gateway.reference.name, "gate\u{fffd}[2Jway");
    assert_eq!(gateway.spec.class, "ng\u{fffd}inx");
    let shown = format!("{:?}{}", gateway, gateway.raw);
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    assert!(gateway.notes[0].message.contains("control characters"));
}

#[test]
fn an_object_without_a_name_is_a_problem() {
    for value in [
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": "none"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": ""}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": []}),
        json!([1, 2]),
        json!(null),
    ] {
        let problem = object(Kind::Service, Incoming { value, cut: false }, "default")
            .expect_err("there is nothing to hang it on");
        assert!(
            problem.message.ends_with("it is left out"),
            "{}",
            problem.message
        );
    }
}

#[test]
fn a_service_keeps_its_target_port_as_written() {
    let service = spec!(
        Service,
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"},
            "spec": {"selector": {"app": "x"}, "ports": [
                {"port": 8443, "targetPort": 8443, "name": "https", "appProtocol": "https"},
                {"port": 80, "targetPort": "web"},
                {"port": 81},
                {"port": 82, "targetPort": 0},
            ]},
        })
    );
    let targets: Vec<_> = service
        .spec
        .ports
        .iter()
        .map(|port| port.target_port.as_deref())
        .collect();
    assert_eq!(targets, [Some("8443"), Some("web"), None, None]);
    assert_eq!(service.spec.service_type, "ClusterIP");
    assert_eq!(service.notes.len(), 1);
}

#[test]
fn an_endpoint_names_its_pod() {
    let slice = spec!(
        EndpointSlice,
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "app-1", "namespace": "apps", "labels": {"kubernetes.io/service-name": "app"}},
            "ports": [{"name": "https", "port": 8443}, {"port": null}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "nodeName": "n",
                 "targetRef": {"kind": "Pod", "name": "app-x", "namespace": "apps"}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "terminating": true}},
            ],
        })
    );
    assert_eq!(slice.notes, []);
    assert_eq!(slice.spec.service.as_deref(), Some("app"));
    assert_eq!(
        slice.spec.ports,
        [("https".into(), Some(8443)), (String::new(), None)]
    );
    assert_eq!(
        slice.spec.endpoints[0].pod,
        Some(ObjectRef::new(Kind::Pod, "apps", "app-x"))
    );
    assert_eq!(slice.spec.endpoints[1].terminating, Some(true));
}

#[test]
fn a_pod_says_what_it_mounts_and_how_its_containers_are() {
    let pod = spec!(
        Pod,
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app-x", "namespace": "apps"},
            "spec": {
                "nodeName": "n",
                "containers": [{"name": "app", "image": "nginx", "volumeMounts": [
                    {"name": "tls", "mountPath": "/tls", "subPath": "tls.crt"}]}],
                "volumes": [
                    {"name": "tls", "secret": {"secretName": "app-tls"}},
                    {"name": "conf", "configMap": {"name": "app-conf"}},
                    {"name": "all", "projected": {"sources": [
                        {"secret": {"name": "more"}}, {"configMap": {"name": "kube-root-ca.crt"}},
                        {"serviceAccountToken": {"path": "token"}}]}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
            "status": {
                "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{"name": "app", "ready": false, "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
        })
    );
    assert_eq!(pod.notes, []);
    assert_eq!(pod.status.ips, ["10.0.0.1", "fd00::1"]);
    assert!(!pod.status.ready);
    let status = &pod.status.containers[0];
    assert_eq!(
        (status.name.as_str(), status.restarts, status.ready),
        ("app", 4, false)
    );
    assert_eq!(status.state, "waiting: CrashLoopBackOff");
    let container = &pod.spec.containers[0];
    assert_eq!(
        container.mounts,
        [("tls".into(), "/tls".into(), Some("tls.crt".into()))]
    );
    let volumes: Vec<_> = pod
        .spec
        .volumes
        .iter()
        .map(|volume| format!("{}: {}", volume.name, volume.source))
        .collect();
    assert_eq!(
        volumes,
        [
            "tls: Secret apps/app-tls",
            "conf: ConfigMap apps/app-conf",
            "all: Secret apps/more",
            "all: ConfigMap apps/kube-root-ca.crt",
        ]
    );
}

#[test]
fn ngfs_own_kinds_say_where_they_attach_and_how_that_went() {
    for (kind, version, spec, status) in [
        (
            "ObservabilityPolicy",
            "v1alpha2",
            json!({"targetRefs": [{"group": "g", "kind": "HTTPRoute", "name": "r"}]}),
            json!({"ancestors": [{"ancestorRef": {"name": "r"}, "conditions": [{"type": "Accepted", "status": "True"}]}]}),
        ),
        (
            "ClientSettingsPolicy",
            "v1alpha1",
            json!({"targetRef": {"group": "g", "kind": "Gateway", "name": "r"}}),
            json!({"conditions": [{"type": "Accepted", "status": "True"}]}),
        ),
        (
            "SnippetsFilter",
            "v1alpha1",
            json!({"snippets": [{"context": "http", "value": "aio on;"}]}),
            json!({"controllers": [{"controllerName": "c", "conditions": [{"type": "Accepted", "status": "True"}]}]}),
        ),
    ] {
        let targets = usize::from(kind != "SnippetsFilter");
        let resource = spec!(
            Ngf,
            json!({"apiVersion": format!("gateway.nginx.org/{version}"), "kind": kind,
                "metadata": {"name": "x"}, "spec": spec, "status": status})
        );
        assert_eq!(resource.notes, [], "{kind}");
        assert_eq!(resource.spec.target_refs.len(), targets, "{kind}");
        assert_eq!(
            resource.status.parents[0].conditions[0].kind, "Accepted",
            "{kind}"
        );
    }
}

#[test]
fn issuers_say_what_issues() {
    for (spec, issuer_type, secret, wrong) in [
        (json!({"selfSigned": {}}), "selfSigned", None, 0),
        (json!({"ca": {"secretName": "ca"}}), "ca", Some("ca"), 0),
        (json!({"ca": {}}), "ca", None, 1),
        (json!({"acme": {"server": "https://x"}}), "acme", None, 0),
        (json!({"oracle": {}}), "oracle", None, 1),
        (json!({}), "", None, 1),
    ] {
        let issuer = spec!(
            Issuer,
            json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
                "metadata": {"name": "x", "namespace": "ignored"}, "spec": spec})
        );
        assert_eq!(issuer.reference.namespace, "");
        assert_eq!(issuer.spec.issuer_type, issuer_type);
        assert_eq!(issuer.spec.ca_secret.as_deref(), secret);
        assert_eq!(issuer.notes.len(), wrong, "{spec} {:?}", issuer.notes);
    }
}

#[test]
fn events_of_both_apis_are_read() {
    let old = spec!(
        Event,
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "apps"},
            "involvedObject": {"kind": "Pod", "namespace": "apps", "name": "p"},
            "type": "Warning", "reason": "BackOff", "message": "m", "count": 4,
            "lastTimestamp": "2026-01-09T05:40:37Z", "eventTime": null})
    );
    assert_eq!((old.spec.about_kind.as_str(), old.spec.count), ("Pod", 4));
    let new = spec!(
        Event,
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "apps"},
            "regarding": {"kind": "Gateway", "namespace": "apps", "name": "g"},
            "note": "m", "eventTime": "2026-01-09T05:40:37.123456Z"})
    );
    assert_eq!(new.spec.about_name, "g");
    assert_eq!(new.spec.message, "m");
    assert!(new.spec.last_seen.is_some());
}
