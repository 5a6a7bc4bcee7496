//! Names for completion: of the kubeconfig, and of a cluster's objects. A person waits for each key: what does not
//! answer soon has no names.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::{Cluster, ClusterOptions, config, get, request::fetch};
use ngf_core::model::{
    clean::clean_line,
    kind::{Kind, Reading},
};

/// Names that are listed.
const MOST: usize = 500;

/// What a kubeconfig names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeconfigNames {
    /// Contexts.
    pub contexts: Vec<String>,
    /// Clusters.
    pub clusters: Vec<String>,
    /// Users.
    pub users: Vec<String>,
}

/// What the kubeconfig that the options mean names; nothing where it cannot be read.
pub fn kubeconfig_names(options: &ClusterOptions) -> KubeconfigNames {
    let Ok(Some(kubeconfig)) = config::read_kubeconfig(options) else {
        return KubeconfigNames::default();
    };
    let names = |all: Vec<&String>| {
        all.into_iter()
            .take(MOST)
            .map(|name| clean_line(name))
            .collect()
    };
    KubeconfigNames {
        contexts: names(
            kubeconfig
                .contexts
                .iter()
                .map(|known| &known.name)
                .collect(),
        ),
        clusters: names(
            kubeconfig
                .clusters
                .iter()
                .map(|known| &known.name)
                .collect(),
        ),
        users: names(
            kubeconfig
                .auth_infos
                .iter()
                .map(|known| &known.name)
                .collect(),
        ),
    }
}

/// A list, of which only the names are read.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
}

impl Cluster {
    /// The names of the objects of a kind in a namespace; none where they may not be read, or not soon.
    pub async fn names(&self, kind: Kind, namespace: &str, within: Duration) -> Vec<String> {
        let info = kind.info();
        if info.reading == Reading::ByName && kind != Kind::ConfigMap {
            // Secrets are never listed.
            return Vec::new();
        }
        let asking = async {
            for version in info.versions {
                let root = match info.group {
                    "" => format!("/api/{version}"),
                    group => format!("/apis/{group}/{version}"),
                };
                let path = if info.namespaced {
                    format!("{root}/namespaces/{namespace}/{}", info.plural)
                } else {
                    format!("{root}/{}", info.plural)
                };
                let found = self.list_names(&path).await;
                if !found.is_empty() {
                    return found;
                }
            }
            Vec::new()
        };
        timeout(within, asking).await.unwrap_or_default()
    }

    /// The names of the namespaces; none where they may not be read, or not soon.
    pub async fn namespaces(&self, within: Duration) -> Vec<String> {
        let asking = self.list_names("/api/v1/namespaces");
        timeout(within, asking).await.unwrap_or_default()
    }

    async fn list_names(&self, path: &str) -> Vec<String> {
        let Ok(request) = get(&format!("{path}?limit={MOST}")) else {
            return Vec::new();
        };
        let answer = fetch::<List>(&self.client, request).await;
        let items = answer.map(|list| list.items).unwrap_or_default();
        items
            .into_iter()
            .map(|item| clean_line(&item.metadata.name))
            .collect()
    }
}
