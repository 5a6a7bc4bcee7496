//! The directives that NGF renders for a backend (`nginx/config/servers_template.go`,
//! `nginx/config/stream_servers_template.go`, `nginx/config/base_http_config_template.go`).

use super::{SYSTEM_CA_FILE, bundle_file, key_pair_file, release::DEPTH_OF_NGINX};
use crate::{
    diagnosis::plan::{Connection, TrustSource},
    model::kind::Kind,
    nginx_config::Directive,
};

/// What NGF renders about TLS for a connection, in the template's order, with the client certificate
/// of the Gateway last; nothing where nginx speaks plain HTTP. A GRPCRoute has `grpc_ssl_*` instead,
/// and never a client certificate (NGF-R9).
pub fn directives(connection: &Connection) -> Vec<Directive> {
    let Some(tls) = &connection.tls else {
        return Vec::new();
    };
    let prefix = match connection.route.kind {
        Kind::GRPCRoute => "grpc_ssl",
        _ => "proxy_ssl",
    };
    let mut all = Vec::new();
    let mut add = |name: &str, value: String| {
        all.push(Directive {
            name: format!("{prefix}{name}"),
            value,
        });
    };
    if connection.route.kind == Kind::TLSRoute {
        add("", "on".to_owned());
    }
    add("_server_name", "on".to_owned());
    add("_verify", "on".to_owned());
    // Where NGF renders none, nginx takes its own default.
    if tls.verify_depth != DEPTH_OF_NGINX {
        add("_verify_depth", tls.verify_depth.to_string());
    }
    add("_name", tls.hostname.clone());
    add(
        "_trusted_certificate",
        match &tls.trust {
            TrustSource::Object { object, .. } => bundle_file(&object.namespace, &object.name),
            TrustSource::System => SYSTEM_CA_FILE.to_owned(),
        },
    );
    if let Some(secret) = &tls.client_certificate {
        let file = key_pair_file(&secret.namespace, &secret.name);
        add("_certificate", file.clone());
        add("_certificate_key", file);
    }
    all
}
