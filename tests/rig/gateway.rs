//! nginx as NGF configures it: the directives of the tool's own prediction, in the places that NGF's
//! templates have them (`servers_template.go`, `stream_servers_template.go`, `split_clients_template.go`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use ngf_core::{
    diagnosis::{
        ngf::{SYSTEM_CA_FILE, bundle_file, directives, key_pair_file},
        plan::{Connection, TrustSource},
        trust,
    },
    model::snapshot::Snapshot,
};
use ngf_tls::{certificate::CertificateFacts, protocol::Protocol};
use openssl::x509::X509;

use super::{
    HOST, PATIENCE,
    case::{Case, Certificates, Endpoints, Shape, Stale},
    nginx::{self, Configuration, Process},
};

/// What the data plane is given.
pub(crate) struct Given<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) connections: &'a [Connection],
    pub(crate) certificates: &'a Certificates,
    /// Where each Service's endpoints listen, by its name.
    pub(crate) ports: &'a BTreeMap<String, u16>,
}

/// Starts it.
pub(crate) fn start(case: &Case, given: &Given<'_>, listens: u16) -> Process {
    let files = files(case, given);
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    nginx::nginx(listens, &files, &configuration(case, given, listens))
}

fn configuration(case: &Case, given: &Given<'_>, listens: u16) -> Configuration {
    let upstreams = upstreams(case, given);
    if case.shape == Shape::Stream {
        return Configuration {
            stream: stream(&given.connections[0], listens, &upstreams),
            ..Configuration::default()
        };
    }
    let mut top = String::new();
    for connection in given.connections {
        for line in lines(case, connection, true) {
            if !top.contains(&line) {
                top += &line;
            }
        }
    }
    let patience = PATIENCE.as_secs();
    let timeouts: String = ["proxy", "grpc"]
        .iter()
        .map(|kind| {
            format!(
                "{kind}_connect_timeout {patience}s; {kind}_read_timeout {patience}s;
                {kind}_send_timeout {patience}s; {kind}_ssl_protocols TLSv1.2 TLSv1.3;"
            )
        })
        .collect();
    let (before, locations) = locations(case, given);
    Configuration::http(format!(
        "{top} {timeouts} {before}
        map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
        server {{ listen 127.0.0.1:{listens}; server_name {HOST};
            proxy_http_version 1.1;
            {locations} }}
        {upstreams}
        server {{ listen unix:DIR/nginx-503-server.sock; return 503; }}"
    ))
}

/// Of one connection: what stands at the top of `http`, or what in its location.
fn lines(case: &Case, connection: &Connection, at_the_top: bool) -> Vec<String> {
    directives(connection)
        .iter()
        .filter(|directive| {
            let certificate = directive.name.starts_with("proxy_ssl_certificate");
            (certificate && case.shape != Shape::Stream) == at_the_top
        })
        .map(|directive| {
            let value = match (directive.name.as_str(), case.stale) {
                ("proxy_ssl_name", Some(Stale::Hostname(name))) => name.to_owned(),
                _ if directive.value == SYSTEM_CA_FILE => "DIR/system.pem".to_owned(),
                _ => directive.value.replace("/etc/nginx/", "DIR/"),
            };
            format!("{} {value};\n", directive.name)
        })
        .collect()
}

/// What stands before the server, and its locations.
fn locations(case: &Case, given: &Given<'_>) -> (String, String) {
    let [first, others @ ..] = given.connections else {
        panic!("{}: no connection", case.name)
    };
    let to = |connection: &Connection| format!("{}://{}", scheme(connection), upstream(connection));
    match case.shape {
        Shape::Location => {
            let all = given.connections.iter().enumerate();
            let all = all.map(|(number, connection)| {
                let path = match number {
                    0 => "/".to_owned(),
                    number => format!("/{number}"),
                };
                location(case, &path, &to(connection), connection, "")
            });
            (String::new(), all.collect())
        }
        Shape::Split => {
            // One scheme for all, and TLS as the first that has it (NGF-R2).
            let speaks = given.connections.iter().find(|one| one.tls.is_some());
            let speaks = speaks.unwrap_or(first);
            let other = others.first().expect("a second backend");
            let before = format!(
                "split_clients $request_id $group_default__secure_app_rule0 {{
                    50.00% {}; * {}; }}",
                upstream(first),
                upstream(other)
            );
            let pass = format!(
                "{}://$group_default__secure_app_rule0$request_uri",
                scheme(speaks)
            );
            (before, location(case, "/", &pass, speaks, ""))
        }
        Shape::Mirror | Shape::Authentication => {
            let other = others.first().expect("a second backend");
            let (path, asks) = if case.shape == Shape::Mirror {
                let path = "/_ngf-internal-mirror-default/other-0";
                (path, format!("mirror {path}; mirror_request_body on;"))
            } else {
                let path = "/_ngf-internal-ext-auth-default/other-0";
                (path, format!("auth_request {path};"))
            };
            let context = location(case, &format!("= {path}"), &to(other), other, "internal;");
            let main = location(case, "/", &to(first), first, &asks);
            (String::new(), main + &context)
        }
        Shape::Stream => unreachable!("a stream has no locations"),
    }
}

fn location(case: &Case, path: &str, pass: &str, connection: &Connection, more: &str) -> String {
    let kind = if scheme(connection).starts_with("grpc") {
        "grpc"
    } else {
        "proxy"
    };
    format!(
        "location {path} {{ {more}
            {kind}_set_header Host \"$http_host\";
            {}
            {kind}_pass {pass};
            {} }}",
        if connection.protocol == Protocol::WebSocket {
            "proxy_set_header Upgrade \"$http_upgrade\"; proxy_set_header Connection \"$connection_upgrade\";"
        } else if case.keeps {
            // What is kept must not be asked to close.
            "proxy_set_header Connection \"\";"
        } else {
            ""
        },
        lines(case, connection, false).concat()
    )
}

fn stream(connection: &Connection, listens: u16, upstreams: &str) -> String {
    let tls: String = directives(connection)
        .iter()
        .map(|directive| {
            let value = directive.value.replace("/etc/nginx/", "DIR/");
            format!("{} {value};\n", directive.name)
        })
        .collect();
    format!(
        "{upstreams}
        server {{ listen 127.0.0.1:{listens} ssl;
            ssl_certificate listener.pem; ssl_certificate_key listener.pem;
            proxy_connect_timeout {patience}s; proxy_timeout {patience}s;
            proxy_pass {};
            {tls} proxy_ssl_protocols TLSv1.2 TLSv1.3; }}",
        upstream(connection),
        patience = PATIENCE.as_secs()
    )
}

fn scheme(connection: &Connection) -> &'static str {
    use ngf_core::model::kind::Kind;
    match (connection.route.kind, connection.tls.is_some()) {
        (Kind::GRPCRoute, true) => "grpcs",
        (Kind::GRPCRoute, false) => "grpc",
        (_, true) => "https",
        (_, false) => "http",
    }
}

fn upstream(connection: &Connection) -> String {
    let service = &connection.service;
    format!("{}_{}_{}", service.namespace, service.name, connection.port)
}

fn upstreams(case: &Case, given: &Given<'_>) -> String {
    let mut seen = BTreeSet::new();
    let mut all = String::new();
    for connection in given.connections {
        let name = upstream(connection);
        let port = given.ports[&connection.service.name];
        if !seen.insert(name.clone()) {
            continue;
        }
        let servers = match case.endpoints {
            // What NGF gives nginx then.
            Endpoints::Unready => "server unix:DIR/nginx-503-server.sock;".to_owned(),
            _ if case.stale == Some(Stale::Endpoint) => {
                format!("server 127.0.0.1:{};", nginx::free_port())
            }
            Endpoints::Two => format!("server 127.0.0.1:{port}; server 127.0.0.2:{port};"),
            Endpoints::One => format!("server 127.0.0.1:{port};"),
        };
        let keeps = if case.keeps { "keepalive 32;" } else { "" };
        let _ = writeln!(
            all,
            "upstream {name} {{ random two least_conn; zone {name} 512k; {servers} {keeps} }}"
        );
    }
    all
}

/// The files that NGF writes, by their path under nginx's folder, and the CAs of the image.
pub(crate) fn files(case: &Case, given: &Given<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let path = |path: String| path.trim_start_matches("/etc/nginx/").to_owned();
    for connection in given.connections {
        let Some(tls) = &connection.tls else { continue };
        if let TrustSource::Object { object, key } = &tls.trust {
            let facts = trust::certificates(given.snapshot, object, key).expect("a bundle");
            let file = path(bundle_file(&object.namespace, &object.name));
            let content = match case.stale {
                Some(Stale::Bundle(name)) => given.certificates[name].certificate_pem(),
                _ => pem(facts),
            };
            files.insert(file, content);
        }
        if let Some(secret) = &tls.client_certificate {
            let (chain, key) = identity(given, secret);
            let file = path(key_pair_file(&secret.namespace, &secret.name));
            files.insert(file, chain + &key);
        }
    }
    if let Some(public) = given.certificates.get("public") {
        files.insert("system.pem".to_owned(), public.certificate_pem());
    }
    let app = &given.certificates["app"];
    files.insert(
        "listener.pem".to_owned(),
        app.certificate_pem() + &app.key_pem(),
    );
    files
}

/// `tls.crt` of a Secret, and the key that was minted with its first certificate.
pub(crate) fn identity(
    given: &Given<'_>,
    secret: &ngf_core::model::object::ObjectRef,
) -> (String, String) {
    let chain = trust::certificates(given.snapshot, secret, "tls.crt").expect("a certificate");
    let key = given.certificates.values().find(|pair| {
        let der = pair.certificate.to_der().expect("DER");
        der == chain[0].der
    });
    (pem(chain), key.expect("it was minted").key_pem())
}

pub(crate) fn pem(certificates: &[CertificateFacts]) -> String {
    certificates
        .iter()
        .map(|facts| {
            let certificate = X509::from_der(&facts.der).expect("DER");
            String::from_utf8(certificate.to_pem().expect("PEM")).expect("ASCII")
        })
        .collect()
}
