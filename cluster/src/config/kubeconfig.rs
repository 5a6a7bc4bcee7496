//! Kubeconfig files: where they are, and what of them is used.

use std::{
    env,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    ClusterOptions,
    error::{ClusterError, bounded},
    named_file,
};
use ngf_core::model::clean::clean_line;

use super::{MAX_NAMED, unusable};

/// What the environment says about where to look.
pub(crate) struct Surroundings {
    /// `$KUBECONFIG`: a list of files.
    pub(crate) listed: Vec<PathBuf>,
    /// The user's folder.
    pub(crate) home: Option<PathBuf>,
    /// Whether this is a pod.
    pub(crate) is_pod: bool,
}

impl Surroundings {
    pub(crate) fn read() -> Self {
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
pub(crate) fn read_kubeconfig(
    options: &ClusterOptions,
) -> Result<Option<Kubeconfig>, ClusterError> {
    kubeconfig(options, &Surroundings::read())
}

/// The kubeconfig, merged from all files that there are; `None` within a pod that has none.
pub(crate) fn kubeconfig(
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

pub(super) fn read(path: &Path) -> Result<Kubeconfig, ClusterError> {
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

pub(super) async fn of_kubeconfig(
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

pub(super) fn context_error(cluster: &str, user: &str, error: &KubeconfigError) -> String {
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

pub(super) fn contexts(kubeconfig: &Kubeconfig) -> String {
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
mod tests;
