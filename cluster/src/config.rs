//! Finds the kubeconfig and makes a client of it.

mod kubeconfig;

use std::{env, time::Duration};

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri, header::USER_AGENT, uri::Authority};
use kube::{Client, Config, client::ClientBuilder, config::AuthInfo};
use tower::buffer::BufferLayer;

use super::{
    ClusterOptions, address,
    credentials::{self, Authorize, NoCredentials},
    deadline::Deadline,
    error::{ClusterError, Failure, bounded},
    limits::Limits,
    plugin::{self, Screen},
    short_lived::ShortLived,
    socks,
};
use ngf_core::model::clean::clean_line;

pub(crate) use kubeconfig::{Surroundings, kubeconfig, read_kubeconfig};
use kubeconfig::{context_error, of_kubeconfig};

/// Bound on making a TCP and TLS connection to the API server.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// Contexts that an error names.
const MAX_NAMED: usize = 20;
/// What `--timeout` is where nobody says.
const DEFAULT_LIMIT: Duration = Duration::from_secs(15);
/// What a context is called that is none.
pub(crate) const IN_CLUSTER: &str = "in-cluster";

/// Requests that may wait for the client.
const WAITING: usize = 1024;

/// A client, and where it leads.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The same for Secrets.
    pub(super) short_lived: Arc<ShortLived>,
    /// Name of the context.
    pub(super) context: String,
    /// Scheme, host and port of the API server.
    pub(super) server: String,
    /// Namespace of the context.
    pub(super) namespace: String,
    /// A plugin may have waited for a person.
    pub(super) has_asked: bool,
}

/// Makes a client. Reads files and runs credential plugins, and sends nothing to the API server. A plugin
/// of a client that is made later, too, knows by `screen` whether it may write to the terminal.
pub(super) async fn connection(
    options: &ClusterOptions,
    screen: &Arc<Screen>,
) -> Result<Connection, ClusterError> {
    // Already done is as good as done: whoever came first chose the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (context, mut config) = match kubeconfig(options, &Surroundings::read())? {
        Some(kubeconfig) => of_kubeconfig(kubeconfig, options).await?,
        None => (IN_CLUSTER.to_owned(), of_pod()?),
    };
    config.connect_timeout = Some(CONNECT);
    // the readers try again by themselves, and say what the server answered
    config.default_retry = false;
    let shown = clean_line(&context);
    let in_context = |why| unusable(&shown, why);
    let server = address::shown(&config.cluster_url);
    config.cluster_url = api_server(&config.cluster_url).map_err(in_context)?;
    config.proxy_url = proxy(config.proxy_url.as_ref()).map_err(in_context)?;
    can_act_as(&config.auth_info).map_err(in_context)?;
    let exec = config.auth_info.exec.as_ref();
    let has_asked = exec.is_some_and(|exec| plugin::may_ask(exec, screen));
    let limit = plugin_limit(options.limit, has_asked);
    let credentials = credentials::take(&mut config.auth_info, screen, limit)
        .await
        .map_err(|NoCredentials(why)| ClusterError::Credentials {
            context: shown.clone(),
            why,
        })?;
    let namespace = clean_line(&config.default_namespace);
    // Loading the system's CAs takes a while, and a file that is broken may be a defect of kube.
    let deadline = Deadline(options.overrides.request_timeout);
    let credentials = Authorize(Arc::new(credentials));
    let short_lived = ShortLived::new({
        let (config, credentials) = (config.clone(), credentials.clone());
        move || client(config.clone(), credentials.clone(), deadline)
    });
    let client = tokio::task::spawn_blocking(move || client(config, credentials, deadline))
        .await
        .map_err(|_| in_context("the client could not be made".to_owned()))?
        .map_err(|error| in_context(client_error(error)))?;
    Ok(Connection {
        client,
        short_lived,
        context: shown,
        server,
        namespace,
        has_asked,
    })
}

/// A plugin that asks its user has a minute, unless the user said less than is the default.
fn plugin_limit(limit: Option<Duration>, has_asked: bool) -> Duration {
    match limit {
        Some(limit) if !has_asked || limit < DEFAULT_LIMIT => limit.min(plugin::LIMIT),
        _ => plugin::LIMIT,
    }
}

/// kube's client, with credentials and bounds of our own around it.
fn client(mut config: Config, credentials: Authorize, deadline: Deadline) -> kube::Result<Client> {
    // kube sends none, and the API server's audit log would not show which program asked.
    let agent = concat!("ngf-tui/", env!("CARGO_PKG_VERSION"));
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_static(agent)));
    let layers = (
        BufferLayer::new(WAITING),
        credentials,
        Limits::new(),
        deadline,
    );
    let client = match socks::needed(&config) {
        Some(user) => socks::client(config, user)?.with_layer(&layers.0),
        None => ClientBuilder::try_from(config)?.with_layer(&layers.0),
    };
    let client = client.with_layer(&layers.1).with_layer(&layers.2);
    Ok(client.with_layer(&layers.3).build())
}

/// The address of the API server, without a user, a password and a query: none of them is sent.
fn api_server(url: &Uri) -> Result<Uri, String> {
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return Err(
            "the address of its API server must have the form https://HOST:PORT".to_owned(),
        );
    }
    address::plain(url)
        .map_err(|error| format!("the address of its API server is invalid: {error}"))
}

/// The proxy before the API server. kube calls by `socks5` what others call `socks5h`: the proxy
/// resolves names.
fn proxy(url: Option<&Uri>) -> Result<Option<Uri>, String> {
    let Some(url) = url else { return Ok(None) };
    match url.scheme_str() {
        Some("http" | "https") if url.host().is_some() => Ok(Some(url.clone())),
        Some("socks5" | "socks5h") if url.host().is_some() => {
            let authority = url.authority().map_or("", Authority::as_str);
            let port = if url.port().is_none() { ":1080" } else { "" };
            let plain = Uri::builder()
                .scheme("socks5")
                .authority(format!("{authority}{port}"))
                .path_and_query("/")
                .build();
            plain
                .map(Some)
                .map_err(|error| format!("its proxy {}: {error}", address::shown(url)))
        }
        _ => Err(format!(
            "its proxy {} cannot be used: http://, https:// and socks5:// are supported",
            address::shown(url)
        )),
    }
}

/// Whether the names of whom the user acts as can be sent.
fn can_act_as(user: &AuthInfo) -> Result<(), String> {
    let groups = user.impersonate_groups.iter().flatten();
    let extra = user.impersonate_user_extra.iter().flatten();
    let mut values = user
        .impersonate
        .iter()
        .chain(&user.impersonate_uid)
        .chain(groups)
        .chain(extra.clone().flat_map(|(_, values)| values));
    let name = |key: &str| format!("impersonate-extra-{key}");
    let mut keys = extra.map(|(key, _)| HeaderName::try_from(name(key)));
    if values.all(|value| HeaderValue::from_str(value).is_ok()) && keys.all(|key| key.is_ok()) {
        return Ok(());
    }
    Err("its user acts as somebody (as, as-uid, as-groups, as-user-extra) whose name no HTTP header can hold".to_owned())
}

fn unusable(context: &str, why: String) -> ClusterError {
    ClusterError::Context {
        context: context.to_owned(),
        why,
    }
}

fn client_error(error: kube::Error) -> String {
    match error {
        kube::Error::InferKubeconfig(error) => context_error("", "", &error),
        error => match Failure::from(error) {
            Failure::NoAnswer(words) | Failure::Other(words) => words,
            other => other.words().to_owned(),
        },
    }
}

fn of_pod() -> Result<Config, ClusterError> {
    Config::incluster().map_err(|error| unusable(IN_CLUSTER, bounded(&error.to_string())))
}
