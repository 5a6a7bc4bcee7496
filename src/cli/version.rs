//! `version`: of this program, and of what it meets in a cluster.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{InputArgs, VersionArgs},
    connect_within, output,
};
use crate::report::{self, clean};
use ngf_core::{
    diagnosis::ngf::release::Running,
    model::{
        kind::Kind,
        snapshot::{KindState, Snapshot, Source},
    },
};

/// The `schema` of every report that this version writes.
pub(super) const SCHEMA: &str = "ngf-tui/version/v1";

/// The versions.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Versions {
    schema: &'static str,
    /// This program.
    client: Client,
    /// What runs in the cluster; missing with `--client`, and where the cluster could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Client {
    /// Of this program.
    version: &'static str,
    /// The TLS library whose verdict is nginx's.
    openssl: String,
    /// The minimum release of Rust that builds it.
    rust: &'static str,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Server {
    /// The context of the kubeconfig.
    context: String,
    /// Of Kubernetes, as `major.minor`; `null` where the API server does not tell.
    kubernetes: Option<String>,
    /// The API version of `HTTPRoute` that is read; `null` where the cluster does not serve it.
    gateway_api: Option<String>,
    /// Of NGINX Gateway Fabric, as its workload states it; `null` where nothing states it.
    nginx_gateway_fabric: Option<String>,
    /// The workload that states it.
    stated_by: Option<String>,
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &VersionArgs) -> Result<u8, CliError> {
    let mut versions = Versions {
        schema: SCHEMA,
        client: Client {
            version: env!("CARGO_PKG_VERSION"),
            openssl: ngf_tls::engine::engine().version,
            rust: env!("CARGO_PKG_RUST_VERSION"),
        },
        server: None,
    };
    let mut status = EXIT_OK;
    if !args.client {
        match connect_within(input, args.timeout).await {
            Ok(cluster) => {
                let snapshot = cluster.snapshot(cluster.left_of(args.timeout)).await;
                versions.server = Some(server(&snapshot));
            }
            Err(why) => {
                output::complain(&why);
                status = EXIT_COULD_NOT;
            }
        }
    }
    let text = match report::shaped(&versions, &args.output)? {
        Some(text) => text,
        None => versions.text(),
    };
    output::print(&text)?;
    Ok(status)
}

fn server(snapshot: &Snapshot) -> Server {
    let (context, kubernetes) = match &snapshot.source {
        Source::Cluster {
            context, version, ..
        } => (clean(context), version.clone()),
        Source::Files { .. } => (String::new(), None),
    };
    let gateway_api = match snapshot.kinds.get(&Kind::HTTPRoute) {
        Some(KindState::Live { version } | KindState::Stale { version, .. }) => {
            Some(format!("{}/{version}", Kind::HTTPRoute.info().group))
        }
        _ => None,
    };
    let said_by = Running::of(snapshot).said_by;
    Server {
        context,
        kubernetes,
        gateway_api,
        nginx_gateway_fabric: said_by.as_ref().map(|(_, version)| clean(version)),
        stated_by: said_by.map(|(workload, _)| clean(&workload.to_string())),
    }
}

impl Versions {
    fn text(&self) -> String {
        let mut text = format!(
            "ngf-tui {} (OpenSSL: {})\n",
            self.client.version, self.client.openssl
        );
        if let Some(server) = &self.server {
            let unknown = || "not known".to_owned();
            let mut line = |what: &str, value: Option<String>| {
                let _ = writeln!(text, "{what:<22} {}", value.unwrap_or_else(unknown));
            };
            line("Context", Some(server.context.clone()));
            line("Kubernetes", server.kubernetes.clone());
            line("Gateway API", server.gateway_api.clone());
            let fabric = server.nginx_gateway_fabric.as_ref();
            let fabric = fabric.map(|version| match &server.stated_by {
                Some(workload) => format!("{version} ({workload})"),
                None => version.clone(),
            });
            line("NGINX Gateway Fabric", fabric);
        }
        text
    }
}
