//! What nginx's master and NGF's agent write into the log of a data plane: a configuration that was loaded,
//! or that nginx does not take.

use jiff::Timestamp;
use serde_json::Value;

use super::{Pods, files};
use crate::data_plane::CONTAINER;
use crate::metadata::meta;

/// As nginx writes it (`ngx_process_cycle.c`).
const LOADED: &[&str] = &["start worker processes", "start worker process 29"];
/// As nginx-agent v3 writes it (`internal/nginx/nginx_plugin.go`).
const REFUSED: &str =
    "Errors found during config apply, sending error status and rolling back configuration updates";

impl Pods {
    /// nginx was started in a pod, where it is a data plane's.
    pub(super) fn log_start(&self, pod: &Value) {
        let Some(name) = files::data_plane_of(pod) else {
            return;
        };
        let (namespace, pod) = (meta(pod, "namespace"), meta(pod, "name"));
        self.master_says(namespace, pod, LOADED);
        let key = (namespace.to_owned(), name.to_owned());
        let refused = self.refused().get(&key).cloned();
        if let Some(error) = refused {
            self.agent_says(namespace, pod, &error);
        }
    }

    /// nginx has loaded another configuration in all pods of a data plane whose agents are not behind.
    pub(super) fn log_reload(&self, namespace: &str, name: &str) {
        for pod in self.data_plane_pods(namespace, name) {
            let reloading = [
                "signal 1 (SIGHUP) received from 7, reconfiguring",
                "reconfiguring",
            ];
            self.master_says(namespace, &pod, &reloading);
            self.master_says(namespace, &pod, LOADED);
        }
    }

    /// nginx does not take a configuration: the agent says so once, and rolls it back.
    pub(crate) fn refuse(&self, namespace: &str, name: &str, error: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        if self.refused().insert(key, error.to_owned()).as_deref() == Some(error) {
            return;
        }
        for pod in self.data_plane_pods(namespace, name) {
            self.agent_says(namespace, &pod, error);
        }
    }

    fn agent_says(&self, namespace: &str, pod: &str, error: &str) {
        let error = error
            .split_once("error: ")
            .map_or(error, |(_, error)| error);
        // Go quotes so, and serde_json the same of what nginx says.
        let quoted = Value::from(error);
        let time = Timestamp::now();
        self.logs.open(namespace, pod, CONTAINER).write(format!(
            "time={time:.3} level=ERROR msg=\"{REFUSED}\" error={quoted} server_type=command"
        ));
    }

    /// The pods of a data plane that run and take what the agent gets.
    fn data_plane_pods(&self, namespace: &str, name: &str) -> Vec<String> {
        let live: Vec<_> = self.live().values().cloned().collect();
        let of_it = live.iter().filter(|live| {
            let pod = self.pod_of(live);
            !live.stale
                && live.namespace == namespace
                && pod.is_some_and(|pod| files::data_plane_of(&pod) == Some(name))
        });
        of_it.map(|live| live.name.clone()).collect()
    }

    fn master_says(&self, namespace: &str, pod: &str, messages: &[&str]) {
        let log = self.logs.open(namespace, pod, CONTAINER);
        let time = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S").to_string();
        for message in messages {
            log.write(format!("{time} [notice] 7#7: {message}"));
        }
    }
}
