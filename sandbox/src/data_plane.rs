//! nginx in a Gateway's data plane: the files that NGF's image holds and NGF's agent writes, and what
//! nginx does with them, as far as HTTP listeners and backends go.

mod clients;
mod proxy;

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::nginx::config::Files;

pub(crate) use self::proxy::{Inside, Served};

/// The container that nginx runs in.
pub(crate) const CONTAINER: &str = "nginx";

/// Files of NGF's image, those that a person looks at.
pub(crate) const IMAGE_FILES: &[(&str, &str)] = &[
    (
        "/etc/nginx/nginx.conf",
        include_str!("data_plane/files/nginx.conf"),
    ),
    (
        "/etc/nginx/mime.types",
        include_str!("data_plane/files/mime.types"),
    ),
    (
        "/etc/nginx/main-includes/main.conf",
        "\nerror_log stderr info;\n\nworker_processes auto;\n",
    ),
    (
        "/etc/nginx/events-includes/events.conf",
        "\nworker_connections 1024;\n",
    ),
];

/// What NGF's agent has written into a data plane.
#[derive(PartialEq)]
pub(crate) struct Configuration {
    /// The file of the client certificate and its key.
    pub(crate) client_pair: Option<String>,
    /// Addresses of each upstream.
    pub(crate) upstreams: Vec<(String, Vec<(Ipv4Addr, u16)>)>,
    /// Servers; one without a name is the port's default.
    pub(crate) servers: Vec<Server>,
    /// Certificates and keys.
    pub(crate) secrets: Files,
}

/// A `server` block.
#[derive(PartialEq)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) locations: Vec<Location>,
}

/// TLS to the clients of a server.
#[derive(Clone, PartialEq)]
pub(crate) struct ServerTls {
    /// Files, each with a certificate, its chain and its key.
    pub(crate) pairs: Vec<String>,
    /// Whom it lets in.
    pub(crate) clients: Clients,
}

/// Whom a server lets in (`ssl_verify_client`).
#[derive(Clone, PartialEq)]
pub(crate) enum Clients {
    /// It asks for no certificate.
    Anyone,
    /// It asks for one and takes any, and none (`AllowInsecureFallback`).
    AnyCertificate,
    /// It demands one of the CAs in the file (`AllowValidOnly`).
    Of(String),
}

/// A `location` block.
#[derive(PartialEq)]
pub(crate) struct Location {
    /// `location = PATH`.
    pub(crate) exact: bool,
    pub(crate) path: String,
    pub(crate) pass: Pass,
}

/// Where a location leads.
#[derive(Clone, PartialEq)]
pub(crate) enum Pass {
    /// To nothing that NGF takes: 500.
    Invalid,
    /// To one of these upstreams, by their weights.
    To {
        upstreams: Vec<(String, u64)>,
        tls: Option<UpstreamTls>,
        grpc: bool,
    },
}

/// TLS to an upstream.
#[derive(Clone, PartialEq)]
pub(crate) struct UpstreamTls {
    /// `proxy_ssl_name`.
    pub(crate) name: String,
    /// `proxy_ssl_trusted_certificate`.
    pub(crate) trusted: String,
}

impl Configuration {
    /// The files that the agent has written; `former` is the CA of every bundle where the agent is
    /// behind.
    pub(crate) fn files(&self, former: Option<&[u8]>) -> Files {
        let mut files = self.secrets.clone();
        if let Some(former) = former {
            for (path, bytes) in &mut files {
                if path.contains("/cert_bundle_") {
                    *bytes = Zeroizing::new(former.to_vec());
                }
            }
        }
        let text = self.http();
        let http = "/etc/nginx/conf.d/http.conf".to_owned();
        files.insert(http, Zeroizing::new(text.into_bytes()));
        let matches = "/etc/nginx/conf.d/matches.json".to_owned();
        files.insert(matches, Zeroizing::new(b"{}".to_vec()));
        files
    }

    /// `http.conf`.
    fn http(&self) -> String {
        let mut text = include_str!("data_plane/files/base.conf").to_owned();
        if let Some(file) = &self.client_pair {
            let _ = write!(
                text,
                "\nproxy_ssl_certificate {file};\nproxy_ssl_certificate_key {file};\n"
            );
        }
        text += "\nserver_tokens off;\n";
        for (name, servers) in &self.upstreams {
            let _ = write!(
                text,
                "\nupstream {name} {{\n    random two least_conn;\n    zone {name} 512k;\n"
            );
            for (address, port) in servers {
                let _ = writeln!(text, "    server {address}:{port};");
            }
            if servers.is_empty() {
                text += "    server unix:/var/run/nginx/nginx-503-server.sock;\n";
            }
            text += "}\n";
        }
        text += include_str!("data_plane/files/unix.conf");
        for server in &self.servers {
            text += &server.text();
        }
        text
    }

    /// Servers of a port.
    fn at(self: &Arc<Self>, port: u16) -> bool {
        self.servers.iter().any(|server| server.port == port)
    }
}

impl Server {
    fn text(&self) -> String {
        let port = self.port;
        if self.name.is_empty() && self.tls.is_some() {
            return format!(
                "\nserver {{\n    listen {port} ssl default_server;\n    listen [::]:{port} ssl default_server;\n    \
                 ssl_reject_handshake on;\n}}\n"
            );
        }
        if self.name.is_empty() {
            return format!(
                "\nserver {{\n    listen {port} default_server;\n    listen [::]:{port} default_server;\n    \
                 default_type text/html;\n    return 404;\n}}\n"
            );
        }
        let ssl = if self.tls.is_some() { " ssl" } else { "" };
        let mut text =
            format!("\nserver {{\n    listen {port}{ssl};\n    listen [::]:{port}{ssl};\n");
        text += &self.tls.as_ref().map_or_else(String::new, ServerTls::text);
        let _ = write!(text, "\n    server_name {};\n", self.name);
        for location in &self.locations {
            let sign = if location.exact { "= " } else { "" };
            let _ = write!(text, "\n    location {sign}{} {{\n", location.path);
            text += &location.pass.text();
            text += "    }\n";
        }
        text + "}\n"
    }
}

impl Pass {
    fn text(&self) -> String {
        let Self::To {
            upstreams,
            tls,
            grpc,
        } = self
        else {
            return "        proxy_http_version 1.1;\n        proxy_pass http://invalid-backend-ref$request_uri;\n"
                .to_owned();
        };
        let module = if *grpc { "grpc" } else { "proxy" };
        let mut text = String::from("        proxy_http_version 1.1;\n");
        for (name, value) in [
            ("Host", "$gw_api_compliant_host"),
            ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
            ("X-Real-IP", "$remote_addr"),
            ("X-Forwarded-Proto", "$scheme"),
            ("X-Forwarded-Host", "$host"),
            ("X-Forwarded-Port", "$server_port"),
            ("Upgrade", "$http_upgrade"),
            ("Connection", "$connection_upgrade"),
        ] {
            let _ = writeln!(text, "        {module}_set_header {name} \"{value}\";");
        }
        let scheme = match (grpc, tls) {
            (true, Some(_)) => "grpcs",
            (true, None) => "grpc",
            (false, Some(_)) => "https",
            (false, None) => "http",
        };
        let uri = if *grpc { "" } else { "$request_uri" };
        let upstream = upstreams.first().map_or("", |(name, _)| name.as_str());
        let _ = writeln!(text, "        {module}_pass {scheme}://{upstream}{uri};");
        if let Some(tls) = tls {
            let _ = write!(
                text,
                "        {module}_ssl_server_name on;\n        {module}_ssl_verify on;\n        \
                 {module}_ssl_verify_depth 4;\n        {module}_ssl_name {};\n        \
                 {module}_ssl_trusted_certificate {};\n",
                tls.name, tls.trusted
            );
        }
        text
    }
}

impl ServerTls {
    /// As NGF renders it (`servers_template.go`).
    fn text(&self) -> String {
        let mut text = String::new();
        for pair in &self.pairs {
            let _ = writeln!(text, "    ssl_certificate {pair};");
        }
        for pair in &self.pairs {
            let _ = writeln!(text, "    ssl_certificate_key {pair};");
        }
        match &self.clients {
            Clients::Anyone => {}
            Clients::AnyCertificate => text += "    ssl_verify_client optional_no_ca;\n",
            Clients::Of(file) => {
                let _ = write!(
                    text,
                    "    ssl_client_certificate {file};\n    ssl_verify_client on;\n    \
                     ssl_verify_depth 4;\n    error_page 495 496 = @frontend_tls_verify_failed;\n    \
                     location @frontend_tls_verify_failed {{\n        return 444;\n    }}\n"
                );
            }
        }
        text
    }
}
