//! Finds the kubeconfig and makes a client of it.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Uri, header::USER_AGENT, uri::Authority};
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use secrecy::{ExposeSecret, SecretString};
use tower::buffer::BufferLayer;
use zeroize::Zeroizing;

use super::{
    ClusterOptions, address,
    credentials::{self, Authorize, NoCredentials},
    deadline::Deadline,
    error::{ClusterError, Failure, bounded},
    limits::Limits,
    named_file,
    plugin::{self, Screen},
    short_lived::ShortLived,
    socks,
};
use ngf_core::model::clean::clean_line;

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

/// What the environment says about where to look.
pub(super) struct Surroundings {
    /// `$KUBECONFIG`: a list of files.
    listed: Vec<PathBuf>,
    /// The user's folder.
    home: Option<PathBuf>,
    /// Whether this is a pod.
    is_pod: bool,
}

impl Surroundings {
    pub(super) fn read() -> Self {
        let listed = env::var_os("KUBECONFIG").unwrap_or_default();
        Self {
            listed: env::split_paths(&listed)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            home: env::home_dir(),
            is_pod: env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        }
    }
}

/// The kubeconfig that the options and the environment mean.
pub(super) fn read_kubeconfig(
    options: &ClusterOptions,
) -> Result<Option<Kubeconfig>, ClusterError> {
    kubeconfig(options, &Surroundings::read())
}

/// The kubeconfig, merged from all files that there are; `None` within a pod that has none.
pub(super) fn kubeconfig(
    options: &ClusterOptions,
    surroundings: &Surroundings,
) -> Result<Option<Kubeconfig>, ClusterError> {
    if let Some(text) = &options.kubeconfig_text {
        let kubeconfig = Kubeconfig::from_yaml(text);
        return kubeconfig
            .map(Some)
            .map_err(|error| file_error(Path::new("(built in)"), &error));
    }
    if let Some(path) = &options.kubeconfig {
        return read(path).map(Some);
    }
    let alone = || options.overrides.alone();
    let listed = &surroundings.listed;
    let candidates = if listed.is_empty() {
        let home = surroundings.home.as_ref();
        home.map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect()
    } else {
        listed.clone()
    };
    // as kubectl does, files that do not exist are passed over
    let mut merged: Option<Kubeconfig> = None;
    for path in candidates.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(merged) => merged
                .merge(next)
                .map_err(|error| file_error(path, &error))?,
        });
    }
    let merged = merged.or_else(alone);
    if merged.is_some() || surroundings.is_pod {
        return Ok(merged);
    }
    let looked: Vec<String> = candidates
        .iter()
        .map(|path| clean_line(&path.to_string_lossy()))
        .collect();
    Err(ClusterError::NoKubeconfig {
        looked: match (listed.is_empty(), looked.is_empty()) {
            (true, true) => "$KUBECONFIG, which is not set".to_owned(),
            (true, false) => format!("$KUBECONFIG, which is not set, and {}", looked.join(", ")),
            (false, _) => format!("{}, which $KUBECONFIG names", looked.join(", ")),
        },
    })
}

fn read(path: &Path) -> Result<Kubeconfig, ClusterError> {
    // As with kubectl, it is an empty kubeconfig: options say where to connect.
    if path == Path::new("/dev/null") {
        return Ok(Kubeconfig::default());
    }
    named_file::check(path).map_err(|why| ClusterError::Kubeconfig {
        path: path.to_owned(),
        why,
    })?;
    Kubeconfig::read_from(path).map_err(|error| file_error(path, &error))
}

fn file_error(path: &Path, error: &KubeconfigError) -> ClusterError {
    let why = match error {
        KubeconfigError::ReadConfig(cause, _) => format!("cannot be read: {cause}"),
        // without the lines around it, which may hold a token
        KubeconfigError::Parse(cause) => format!(
            "is not a kubeconfig: {}",
            bounded(&cause.without_snippet().to_string())
        ),
        other => format!("is not usable: {}", bounded(&other.to_string())),
    };
    ClusterError::Kubeconfig {
        path: path.to_owned(),
        why,
    }
}

async fn of_kubeconfig(
    mut kubeconfig: Kubeconfig,
    options: &ClusterOptions,
) -> Result<(String, Config), ClusterError> {
    let named = options.context.clone();
    let current = kubeconfig
        .current_context
        .clone()
        .filter(|name| !name.is_empty());
    let context = match (named.or(current), options.overrides.alone()) {
        (Some(context), _) => context,
        // As with kubectl, an address is enough.
        (None, Some(alone)) => {
            kubeconfig = alone;
            kubeconfig.current_context.clone().unwrap_or_default()
        }
        (None, None) => {
            let known = contexts(&kubeconfig);
            return Err(ClusterError::NoCurrentContext { known });
        }
    };
    let Some(found) = kubeconfig
        .contexts
        .iter()
        .find(|known| known.name == context)
    else {
        return Err(ClusterError::NoContext {
            name: clean_line(&context),
            known: contexts(&kubeconfig),
        });
    };
    let name = found.name.clone();
    options
        .overrides
        .apply(&mut kubeconfig, &name)
        .map_err(|why| unusable(&clean_line(&name), why))?;
    let mut contexts = kubeconfig.contexts.iter();
    let found = contexts.find(|known| known.name == name);
    let found = found.and_then(|found| found.context.clone());
    let cluster = found.as_ref().map(|context| context.cluster.clone());
    let user = found.and_then(|context| context.user);
    read_files(&mut kubeconfig, cluster.as_deref(), user.as_deref())
        .map_err(|why| unusable(&clean_line(&context), why))?;
    let kube_options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &kube_options)
        .await
        .map_err(|error| {
            let cluster = clean_line(cluster.as_deref().unwrap_or_default());
            let user = clean_line(user.as_deref().unwrap_or_default());
            unusable(
                &clean_line(&context),
                context_error(&cluster, &user, &error),
            )
        })?;
    Ok((context, config))
}

/// Reads the files that a cluster and a user name into the kubeconfig, so that kube opens none.
fn read_files(
    kubeconfig: &mut Kubeconfig,
    cluster: Option<&str>,
    user: Option<&str>,
) -> Result<(), String> {
    let encoded = |bytes: Zeroizing<Vec<u8>>| STANDARD.encode(&bytes);
    let clusters = kubeconfig.clusters.iter_mut();
    for named in clusters.filter(|named| Some(named.name.as_str()) == cluster) {
        if let Some(cluster) = &mut named.cluster
            && let Some(path) = cluster.certificate_authority.take()
            && cluster.certificate_authority_data.is_none()
        {
            let bytes = named_file::read_named(&path).map_err(|why| {
                let name = clean_line(&named.name);
                format!("the certificate authority of cluster {name:?}: {why}")
            })?;
            cluster.certificate_authority_data = Some(encoded(bytes));
        }
        let data = named
            .cluster
            .as_ref()
            .and_then(|c| c.certificate_authority_data.as_deref());
        if !data.is_none_or(is_base64) {
            let name = clean_line(&named.name);
            return Err(format!(
                "the certificate-authority-data of cluster {name:?} is not base64"
            ));
        }
    }
    let users = kubeconfig.auth_infos.iter_mut();
    for named in users.filter(|named| Some(named.name.as_str()) == user) {
        let Some(user) = &mut named.auth_info else {
            continue;
        };
        let read = |path: String, what: &str| {
            named_file::read_named(&path)
                .map_err(|why| format!("the {what} of user {:?}: {why}", clean_line(&named.name)))
        };
        if let Some(path) = user.client_certificate.take()
            && user.client_certificate_data.is_none()
        {
            user.client_certificate_data = Some(encoded(read(path, "client certificate")?));
        }
        if let Some(path) = user.client_key.take()
            && user.client_key_data.is_none()
        {
            let key = read(path, "client key")?;
            user.client_key_data = Some(SecretString::from(encoded(key)));
        }
        let key = user
            .client_key_data
            .as_ref()
            .map(ExposeSecret::expose_secret);
        for (field, data) in [
            (
                "client-certificate-data",
                user.client_certificate_data.as_deref(),
            ),
            ("client-key-data", key),
        ] {
            if !data.is_none_or(is_base64) {
                let name = clean_line(&named.name);
                return Err(format!("the {field} of user {name:?} is not base64"));
            }
        }
    }
    Ok(())
}

fn is_base64(data: &str) -> bool {
    STANDARD.decode(data).map(Zeroizing::new).is_ok()
}

fn context_error(cluster: &str, user: &str, error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::LoadContext(_) => "the kubeconfig says nothing about it".to_owned(),
        KubeconfigError::LoadClusterOfContext(_) => {
            format!("the kubeconfig has no cluster {cluster:?}")
        }
        KubeconfigError::MissingClusterUrl => format!("cluster {cluster:?} names no server"),
        KubeconfigError::ParseClusterUrl(cause) => {
            format!("the server of cluster {cluster:?} is not a URL: {cause}")
        }
        KubeconfigError::LoadCertificateAuthority(cause) => {
            let cause = bounded(&cause.to_string());
            format!("the certificate authority of cluster {cluster:?} cannot be read: {cause}")
        }
        KubeconfigError::ParseCertificates(_) => {
            format!("the certificate authority of cluster {cluster:?} is not PEM")
        }
        KubeconfigError::LoadClientCertificate(cause) | KubeconfigError::LoadClientKey(cause) => {
            let cause = bounded(&cause.to_string());
            format!("the client certificate of user {user:?} cannot be read: {cause}")
        }
        other => bounded(&other.to_string()),
    }
}

fn of_pod() -> Result<Config, ClusterError> {
    Config::incluster().map_err(|error| unusable(IN_CLUSTER, bounded(&error.to_string())))
}

fn contexts(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<String> = kubeconfig
        .contexts
        .iter()
        .take(MAX_NAMED)
        .map(|context| clean_line(&context.name))
        .collect();
    match (
        names.is_empty(),
        kubeconfig.contexts.len().saturating_sub(MAX_NAMED),
    ) {
        (true, _) => "it holds none at all".to_owned(),
        (false, 0) => format!("choose one with --context: {}", names.join(", ")),
        (false, more) => format!(
            "choose one with --context: {}, and {more} more",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn config(context: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             contexts: [{{name: {context}, context: {{cluster: c, user: u}}}}]\n"
        )
    }

    fn around(listed: &[&Path], home: Option<&Path>, is_pod: bool) -> Surroundings {
        Surroundings {
            listed: listed.iter().map(|path| path.to_path_buf()).collect(),
            home: home.map(Path::to_path_buf),
            is_pod,
        }
    }

    fn names(kubeconfig: &Kubeconfig) -> Vec<&str> {
        let contexts = kubeconfig.contexts.iter();
        contexts.map(|context| context.name.as_str()).collect()
    }

    #[test]
    fn files_of_the_list_are_merged_and_absent_ones_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b, absent] = ["a", "b", "absent"].map(|name| folder.path().join(name));
        fs::write(&a, config("first")).expect("a file");
        fs::write(&b, config("second")).expect("a file");
        let options = ClusterOptions::default();
        let found = kubeconfig(&options, &around(&[&absent, &a, &b], None, false));
        let found = found.expect("readable").expect("a kubeconfig");
        assert_eq!(names(&found), ["first", "second"]);
        assert_eq!(found.current_context.as_deref(), Some("first"));

        let only_b = ClusterOptions {
            kubeconfig: Some(b),
            ..ClusterOptions::default()
        };
        let found = kubeconfig(&only_b, &around(&[&a], None, true));
        assert_eq!(
            names(&found.expect("readable").expect("a kubeconfig")),
            ["second"]
        );
    }

    #[test]
    fn without_a_list_the_home_folder_is_looked_at_and_then_the_pod() {
        let home = tempfile::tempdir().expect("a folder");
        let options = ClusterOptions::default();
        let in_pod = kubeconfig(&options, &around(&[], Some(home.path()), true));
        assert!(in_pod.expect("no error").is_none());
        fs::create_dir(home.path().join(".kube")).expect("a folder");
        fs::write(home.path().join(".kube/config"), config("home")).expect("a file");
        let found = kubeconfig(&options, &around(&[], Some(home.path()), true));
        assert_eq!(
            names(&found.expect("readable").expect("a kubeconfig")),
            ["home"]
        );
    }

    #[test]
    fn where_there_is_none_it_says_where_it_looked() {
        let options = ClusterOptions::default();
        for (surroundings, looked) in [
            (
                around(&[Path::new("/no/a"), Path::new("/no/b")], None, false),
                "/no/a, /no/b, which $KUBECONFIG names",
            ),
            (
                around(&[], Some(Path::new("/no")), false),
                "$KUBECONFIG, which is not set, and /no/.kube/config",
            ),
            (around(&[], None, false), "$KUBECONFIG, which is not set"),
        ] {
            let error = kubeconfig(&options, &surroundings).expect_err("there is none");
            assert_eq!(
                error.to_string(),
                format!(
                    "no kubeconfig found: looked for {looked}, and this is not a pod; name one with \
                     --kubeconfig, or read manifests with -f"
                )
            );
        }
    }
}
