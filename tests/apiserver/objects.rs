//! Manifests that several tests apply.

use std::fmt::Write as _;

/// HTTPRoutes by number, to Gateway `gateway` and Service `app`.
pub(crate) fn routes(namespace: &str, numbers: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for n in numbers {
        let _ = write!(
            text,
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n\
             metadata: {{name: route-{n}, namespace: {namespace}}}\n\
             spec: {{parentRefs: [{{name: gateway}}], hostnames: [h{n}.example.com], rules: [{{backendRefs: [{{name: app, port: 8443}}]}}]}}\n"
        );
    }
    text
}

/// A Gateway that presents the certificate of Secret `client`, where one is wanted.
pub(crate) fn gateway(namespace: &str, client: Option<&str>) -> String {
    let tls = client.map_or(String::new(), |name| {
        format!(", tls: {{backend: {{clientCertificateRef: {{name: {name}}}}}}}")
    });
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
         metadata: {{name: gateway, namespace: {namespace}}}\n\
         spec: {{gatewayClassName: nginx, listeners: [{{name: http, port: 80, protocol: HTTP}}]{tls}}}\n"
    )
}

/// The GatewayClass of NGF.
pub(crate) const CLASS: &str = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n\
     metadata: {name: nginx}\nspec: {controllerName: gateway.nginx.org/nginx-gateway-controller}\n";

/// A Service `app` with the port 8443.
pub(crate) fn service(namespace: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: app, namespace: {namespace}}}\n\
         spec: {{selector: {{app: app}}, ports: [{{name: https, port: 8443}}]}}\n"
    )
}

/// A Secret with these values, which need not be certificates.
pub(crate) fn secret(namespace: &str, name: &str, values: &[(&str, &str)]) -> String {
    use base64::Engine as _;
    let mut text = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata:\n"
    );
    for (key, value) in values {
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        let _ = writeln!(text, "  {key}: {value}");
    }
    text
}
