//! The contexts of a kubeconfig: what one may switch to.

use http::Uri;

use super::{
    ClusterOptions, IN_CLUSTER, address,
    config::{Surroundings, kubeconfig},
    error::{ClusterError, bounded},
};

/// Contexts that are named.
const MOST: usize = 1_000;

/// A context of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeContext {
    /// Its name, as the kubeconfig writes it.
    pub name: String,
    /// The name of its cluster.
    pub cluster: String,
    /// Scheme, host and port of the API server; empty where the kubeconfig has no such cluster.
    pub server: String,
    /// The namespace that kubectl would use.
    pub namespace: String,
    /// It is the current context of the kubeconfig.
    pub is_current: bool,
}

/// The contexts of the kubeconfig that the options lead to, in its order. Reads files and connects to nothing.
///
/// # Errors
/// Where there is no kubeconfig, or it cannot be read.
pub fn contexts(options: &ClusterOptions) -> Result<Vec<KubeContext>, ClusterError> {
    let Some(kubeconfig) = kubeconfig(options, &Surroundings::read())? else {
        return Ok(vec![KubeContext {
            name: IN_CLUSTER.to_owned(),
            cluster: String::new(),
            server: String::new(),
            namespace: String::new(),
            is_current: true,
        }]);
    };
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    let known = kubeconfig.contexts.iter().take(MOST).map(|named| {
        let context = named.context.as_ref();
        let cluster = context.map_or("", |context| context.cluster.as_str());
        let server = kubeconfig
            .clusters
            .iter()
            .find(|known| known.name == cluster)
            .and_then(|known| known.cluster.as_ref()?.server.as_ref()?.parse::<Uri>().ok());
        let namespace = context.and_then(|context| context.namespace.as_deref());
        KubeContext {
            name: named.name.clone(),
            cluster: bounded(cluster),
            server: server.as_ref().map(address::shown).unwrap_or_default(),
            namespace: bounded(namespace.unwrap_or("default")),
            is_current: named.name == current,
        }
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_named_with_their_servers_and_without_credentials() {
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: b\n\
            clusters:\n- name: one\n  cluster: {server: 'https://user:TOP-SECRET@one.example.com:6443/path?token=TOP-SECRET'}\n\
            users:\n- name: u\n  user: {token: TOP-SECRET}\n\
            contexts:\n- name: a\n  context: {cluster: one, user: u, namespace: shop}\n\
            - name: b\n  context: {cluster: gone, user: u}\n";
        let options = ClusterOptions {
            kubeconfig_text: Some(text.to_owned()),
            ..ClusterOptions::default()
        };
        let all = contexts(&options).expect("contexts");
        let shown: Vec<String> = all
            .iter()
            .map(|one| {
                format!(
                    "{} {} {} {} {}",
                    one.name, one.cluster, one.server, one.namespace, one.is_current
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a one https://one.example.com:6443 shop false",
                "b gone  default true",
            ]
        );
        assert!(!format!("{all:?}").contains("TOP-SECRET"));
    }
}
