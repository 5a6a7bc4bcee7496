//! A session with contexts, events and a configuration of nginx of its own.

use std::sync::{Arc, Mutex};

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use jiff::Timestamp;
use ngf_cluster::KubeContext;
use ngf_core::{
    model::{
        decode::{self, Decoded, Incoming},
        kind::Kind,
        object::{Object, ObjectRef},
        snapshot::{Scope, Snapshot, Source},
    },
    nginx_config::{InPod, NginxConfig},
};
use ngf_tui::tui::state::job::{Connected, Session, SwitchTo};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A cluster that one can switch away from, and whose nginx has one line that differs from the objects.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) asked: Mutex<Vec<SwitchTo>>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

pub(super) fn context(name: &str, is_current: bool) -> KubeContext {
    KubeContext {
        name: name.to_owned(),
        cluster: format!("{name}-cluster"),
        server: format!("https://{name}.example.com:6443"),
        namespace: "default".to_owned(),
        is_current,
    }
}

impl Session for Fake {
    fn contexts(&self) -> BoxFuture<'_, Result<Vec<KubeContext>, String>> {
        ready(Ok(vec![
            context("prod-eu", true),
            context("staging", false),
        ]))
        .boxed()
    }

    fn switch<'a>(&'a self, to: &'a SwitchTo) -> BoxFuture<'a, Result<Connected, String>> {
        self.asked.lock().expect("no panic").push(to.clone());
        let Some(snapshot) = &self.snapshot else {
            return ready(Err("namespace \"gone\" not found".to_owned())).boxed();
        };
        let mut snapshot = Snapshot::clone(snapshot);
        if let Some(namespace) = &to.namespace {
            snapshot.scope = namespace
                .clone()
                .map_or(Scope::AllNamespaces, Scope::Namespace);
        }
        if let (Some(name), Source::Cluster { context, .. }) = (&to.context, &mut snapshot.source) {
            context.clone_from(name);
        }
        let snapshot = Arc::new(snapshot);
        let (sender, snapshots) = watch::channel(Arc::clone(&snapshot));
        // The sender would be the watch of the cluster; here nothing changes any more.
        drop(sender);
        let world = Fake {
            snapshot: Some(snapshot),
            ..Fake::default()
        };
        let connected = Connected {
            session: Arc::new(world),
            snapshots,
            stop: Some(CancellationToken::new().drop_guard()),
        };
        ready(Ok(connected)).boxed()
    }

    fn configuration<'a>(
        &'a self,
        gateways: &'a [ObjectRef],
    ) -> BoxFuture<'a, Result<(Vec<InPod>, Vec<String>), String>> {
        let text = b"http { upstream default_secure-app_8443 { server 10.0.0.9:8443; } \
            server { server_name secure-app.example.com; location / { \
            proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_name old.example.com; \
            proxy_pass https://default_secure-app_8443$request_uri; } } }";
        let found = NginxConfig::parse(text, b"");
        let pods = gateways.iter().map(|gateway| InPod {
            gateway: gateway.clone(),
            pod: ObjectRef::new(Kind::Pod, "default", "gateway-nginx-7d5-x2k"),
            at: moment(),
            versions: ngf_core::model::versions::Versions::default(),
            found: found.clone(),
        });
        ready(Ok((pods.collect(), Vec::new()))).boxed()
    }
}

fn moment() -> Timestamp {
    crate::support::scenario::moment()
}

/// Two events, one about a kind that the tool does not read.
pub(super) fn events() -> Vec<Arc<Object<ngf_core::model::kinds::Event>>> {
    let event = |name: &str, kind: &str, about: &str, kind_of_event: &str, at: &str| {
        let value = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
            "involvedObject": {"kind": kind, "namespace": "default", "name": about},
            "type": kind_of_event, "reason": "Synced", "message": "what the controller did, in its own words",
            "count": 3, "lastTimestamp": at,
        });
        let incoming = Incoming { value, cut: false };
        match decode::object(Kind::Event, incoming, "default") {
            Ok(Decoded::Event(event)) => Arc::new(event),
            other => panic!("{other:?}"),
        }
    };
    vec![
        event(
            "a",
            "BackendTLSPolicy",
            "backend-tls",
            "Warning",
            "2026-06-01T11:52:00Z",
        ),
        event(
            "b",
            "ReplicaSet",
            "secure-app-7d5",
            "Normal",
            "2026-06-01T11:40:00Z",
        ),
    ]
}
