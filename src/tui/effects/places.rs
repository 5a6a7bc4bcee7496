//! Other clusters and namespaces: how to connect to them while the program runs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    live::Live,
    options::{LiveOptions, Stages},
};
use crate::tui::state::job::{Connected, SwitchTo};
use ngf_cluster::{ClusterOptions, KubeContext};
use ngf_text::in_words;

/// Where one may switch to, and how.
#[derive(Clone)]
pub struct Places {
    /// How the cluster was found that is shown now.
    pub cluster: ClusterOptions,
    /// How clusters are probed.
    pub live: LiveOptions,
    /// The stages of the embedded cluster.
    pub stages: Option<Arc<dyn Stages>>,
}

impl Places {
    /// The contexts of the kubeconfig.
    pub(super) async fn contexts(&self) -> Result<Vec<KubeContext>, String> {
        let options = self.cluster.clone();
        // A kubeconfig may be on a slow disk.
        let read = tokio::task::spawn_blocking(move || ngf_cluster::contexts(&options));
        match read.await {
            Ok(read) => read.map_err(|error| in_words(&error)),
            Err(_) => Err("the kubeconfig could not be read".to_owned()),
        }
    }

    /// Connects to another context or namespace.
    pub(super) async fn connect(&self, to: &SwitchTo) -> Result<Connected, String> {
        let mut next = self.clone();
        if let Some(context) = &to.context {
            next.cluster.context = Some(context.clone());
            // A namespace of one cluster may mean nothing in another.
            next.cluster.namespace = None;
            next.cluster.all_namespaces = false;
        }
        if let Some(namespace) = &to.namespace {
            next.cluster.namespace.clone_from(namespace);
            next.cluster.all_namespaces = namespace.is_none();
        }
        let connect = ngf_cluster::connect(&next.cluster).await;
        let cluster = connect.map_err(|error| in_words(&error))?;
        let exists = cluster.check_namespace().await;
        exists.map_err(|error| in_words(&error))?;
        let cancel = CancellationToken::new();
        let snapshots = cluster.watch(&cancel);
        let world = Live::new(cluster, snapshots.clone(), next.live.clone()).with_places(next);
        Ok(Connected {
            session: Arc::new(world),
            snapshots,
            stop: Some(cancel.drop_guard()),
        })
    }
}
