//! What a careless or hostile client may send to the embedded cluster's API: a `Status` each time, and
//! the API continues.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::sandbox_support::Cluster;
use ngf_sandbox::Stage;

/// Sends bytes over plain HTTP with the token; answers the status line's code and the body.
fn send(cluster: &Cluster, head: &str, body: &[u8]) -> (u16, String) {
    let kubeconfig = cluster.sandbox.kubeconfig();
    let token = kubeconfig
        .split("token: \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let address = cluster.sandbox.server_url().replace("https://", "");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A server that has heard enough closes early.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let code = text
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    let body = text
        .split_once("\r\n\r\n")
        .map_or("", |(_, body)| body)
        .to_owned();
    (code, body)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one table")]
async fn every_bad_request_is_answered_with_a_status() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let gateway = format!(
        "/api/v1/namespaces/default/pods/{}",
        cluster.pod("gateway-nginx-")
    );
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let long = format!(
        "{{\"metadata\":{{\"name\":\"x\"}},\"data\":{{\"a\":\"{}\"}}}}",
        "x".repeat(2_000_000)
    );
    let huge = vec![b'x'; 4 * 1024 * 1024];
    for (request, body, code, reason) in [
        ("GET /nothing".to_owned(), &b""[..], 404, "NotFound"),
        ("GET /api/v1/nothing".into(), b"", 404, "NotFound"),
        ("GET /apis/x/y/z".into(), b"", 404, "NotFound"),
        (
            "GET /apis/gateway.networking.k8s.io/v9/gateways".into(),
            b"",
            404,
            "NotFound",
        ),
        (
            "GET /api/v1/namespaces/default/pods/a/b/c/d".into(),
            b"",
            404,
            "NotFound",
        ),
        (
            "GET /api/v1/namespaces/default/nodes".into(),
            b"",
            404,
            "NotFound",
        ),
        (
            "GET /api/v1/namespaces/default/pods/%2e%2e%2f%ff".into(),
            b"",
            404,
            "NotFound",
        ),
        ("GET /api/v1/pods?limit=x".into(), b"", 400, "BadRequest"),
        (
            "GET /api/v1/pods?continue=%00%ff".into(),
            b"",
            400,
            "BadRequest",
        ),
        (
            "GET /api/v1/pods?continue=OTk5LzE".into(),
            b"",
            410,
            "Expired",
        ),
        (
            "GET /api/v1/pods?labelSelector=a+is+b".into(),
            b"",
            400,
            "BadRequest",
        ),
        (
            "GET /api/v1/pods?fieldSelector=x".into(),
            b"",
            400,
            "BadRequest",
        ),
        (
            "GET /api/v1/pods?resourceVersion=x".into(),
            b"",
            400,
            "BadRequest",
        ),
        (
            "GET /api/v1/pods?resourceVersion=999999999".into(),
            b"",
            504,
            "Timeout",
        ),
        (
            "GET /api/v1/pods?resourceVersion=1&resourceVersionMatch=Exact".into(),
            b"",
            410,
            "Expired",
        ),
        ("PUT /api/v1/pods".into(), b"", 405, "MethodNotAllowed"),
        ("TRACE /api/v1/pods".into(), b"", 405, "MethodNotAllowed"),
        (format!("POST {maps}"), b"", 400, "BadRequest"),
        (format!("POST {maps}"), b"{", 400, "BadRequest"),
        (format!("POST {maps}"), b"[1]", 400, "BadRequest"),
        (format!("POST {maps}"), b"\"x\"", 400, "BadRequest"),
        (format!("POST {maps}"), deep.as_bytes(), 400, "BadRequest"),
        (format!("POST {maps}"), b"{}", 422, "Invalid"),
        (format!("POST {maps}"), b"{\"metadata\":7}", 422, "Invalid"),
        (
            format!("POST {maps}"),
            b"{\"metadata\":{\"name\":\"../x\"}}",
            422,
            "Invalid",
        ),
        (
            format!("POST {maps}"),
            b"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"}}",
            400,
            "BadRequest",
        ),
        (
            format!("POST {maps}?dryRun=Some"),
            b"{\"metadata\":{\"name\":\"x\"}}",
            400,
            "BadRequest",
        ),
        (
            format!("POST {maps}"),
            long.as_bytes(),
            507,
            "InternalError",
        ),
        (format!("POST {maps}"), &huge, 413, "RequestEntityTooLarge"),
        (
            format!("PATCH {maps}/secure-config"),
            b"{}",
            415,
            "UnsupportedMediaType",
        ),
        (
            format!("DELETE {maps}/secure-config"),
            b"{\"preconditions\":{\"uid\":\"x\"}}",
            409,
            "Conflict",
        ),
        (
            "DELETE /api/v1/configmaps".into(),
            b"",
            405,
            "MethodNotAllowed",
        ),
        (
            "GET /api/v1/namespaces/default/pods/nobody/log".into(),
            b"",
            404,
            "NotFound",
        ),
        ("GET /openapi/v9".into(), b"", 404, "NotFound"),
        // What only other clients ask for is not served.
        ("GET /openapi/v2".into(), b"", 404, "NotFound"),
        ("GET /api/v1".into(), b"", 404, "NotFound"),
        (
            "GET /apis/apps/v1/namespaces/default/deployments/secure-app/scale".into(),
            b"",
            404,
            "NotFound",
        ),
        (
            "GET /apis/apps/v1/namespaces/default/deployments/secure-app/status".into(),
            b"",
            404,
            "NotFound",
        ),
        (
            format!("GET {gateway}/attach?stdout=1"),
            b"",
            404,
            "NotFound",
        ),
        (
            format!("GET {gateway}/exec?container=nginx&command=true&stdout=1&tty=1"),
            b"",
            400,
            "BadRequest",
        ),
        (
            format!("PUT {maps}/secure-config"),
            b"{}",
            405,
            "MethodNotAllowed",
        ),
        (format!("DELETE {maps}"), b"", 405, "MethodNotAllowed"),
        (
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(),
            b"{\"spec\":{}}",
            400,
            "BadRequest",
        ),
    ] {
        let (got, answer) = send(&cluster, &request, body);
        assert_eq!(got, code, "{request}: {answer:.300}");
        let status: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        assert_eq!(status["kind"], "Status", "{request}: {answer:.300}");
        assert_eq!(status["reason"], reason, "{request}: {answer:.300}");
        assert_eq!(status["code"], code, "{request}");
    }
    assert_eq!(send(&cluster, "GET /healthz", b"").0, 200);
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_objects_are_kept_and_hurt_nobody_else() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let group = "/apis/gateway.networking.k8s.io/v1/namespaces/default";
    for (plural, object) in [
        (
            "httproutes",
            r#"{"metadata":{"name":"a"},"spec":{"parentRefs":"x","rules":7,"hostnames":{}}}"#,
        ),
        (
            "httproutes",
            r#"{"metadata":{"name":"b"},"spec":{"parentRefs":[{"name":"gateway"}],"rules":[{"backendRefs":[{"name":7,"port":"x"}]}]}}"#,
        ),
        (
            "httproutes",
            r#"{"metadata":{"name":"c"},"spec":{"parentRefs":[7,null,{}],"rules":[null,[]]}}"#,
        ),
        (
            "gateways",
            r#"{"metadata":{"name":"d"},"spec":{"gatewayClassName":"nginx","listeners":[7,{"name":null}],"tls":{"backend":{"clientCertificateRef":"x"}}}}"#,
        ),
        (
            "backendtlspolicies",
            r#"{"metadata":{"name":"e"},"spec":{"targetRefs":[7,{"kind":[],"name":"secure-app"}],"validation":{"hostname":"x","caCertificateRefs":[7]}}}"#,
        ),
        (
            "referencegrants",
            r#"{"metadata":{"name":"f"},"spec":{"from":[7],"to":"x"}}"#,
        ),
    ] {
        let (code, answer) = send(
            &cluster,
            &format!("POST {group}/{plural}"),
            object.as_bytes(),
        );
        assert_eq!(code, 201, "{object}: {answer}");
    }
    for (path, object) in [
        (
            "/api/v1/namespaces/default/services",
            r#"{"metadata":{"name":"g"},"spec":{"selector":[],"ports":[{"port":1,"targetPort":{}}]}}"#,
        ),
        (
            "/api/v1/namespaces/default/pods",
            r#"{"metadata":{"name":"h","ownerReferences":[7],"labels":{"app":"secure-app"}},"spec":{"containers":[{"name":7,"image":"nginx-unprivileged","volumeMounts":[7]}],"volumes":7}}"#,
        ),
        (
            "/apis/cert-manager.io/v1/namespaces/default/certificates",
            r#"{"metadata":{"name":"i"},"spec":{"secretName":"i","issuerRef":{"name":"x"},"dnsNames":[7,"\u0000"],"duration":"x"}}"#,
        ),
        (
            "/apis/cert-manager.io/v1/namespaces/default/certificates",
            r#"{"metadata":{"name":"j"},"spec":{"secretName":"j","commonName":"\u0000é","issuerRef":{"name":"local-ca-issuer","kind":"ClusterIssuer"},"dnsNames":["\u0000"]}}"#,
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            r#"{"metadata":{"name":"k"},"spec":{"replicas":1000000,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"x","image":"x"}]}}}}"#,
        ),
    ] {
        let (code, answer) = send(&cluster, &format!("POST {path}"), object.as_bytes());
        assert_eq!(code, 201, "{object}: {answer}");
    }
    // The controllers still do their work.
    let body = r#"{"metadata":{"name":"z"},"spec":{"parentRefs":[{"name":"gateway"}],"rules":[{"backendRefs":[{"name":"secure-app","port":8443}]}]}}"#;
    send(
        &cluster,
        &format!("POST {group}/httproutes"),
        body.as_bytes(),
    );
    for _ in 0..100 {
        let (_, answer) = send(&cluster, &format!("GET {group}/httproutes/z"), b"");
        if answer.contains("The Route is accepted") {
            cluster.sandbox.shutdown().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the controllers have stopped");
}
