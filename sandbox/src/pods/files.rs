//! The files that a container sees: what its volumes mount, what every container has, and in a data
//! plane's what NGF's image holds and NGF's agent wrote. Made again each time they are read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::network::{DNS, ZONE};
use super::{Place, Pods};
use crate::kinds;
use crate::metadata::meta;
use crate::nginx::config::Files;

/// Label by which NGF names a data plane's Deployment.
const NAME: &str = "app.kubernetes.io/name";

/// The search list of pods in a namespace.
pub(super) fn search(namespace: &str) -> impl Iterator<Item = String> {
    [
        format!("{namespace}.svc.{ZONE}"),
        format!("svc.{ZONE}"),
        ZONE.to_owned(),
    ]
    .into_iter()
}

/// The name of the Deployment whose pod this is, where NGF made it for a Gateway.
pub(super) fn data_plane_of(pod: &Value) -> Option<&str> {
    let labels = &pod["metadata"]["labels"];
    let owners = pod.pointer("/metadata/ownerReferences")?.as_array()?;
    let controlled = owners.iter().any(|owner| owner["kind"] == "ReplicaSet");
    (controlled && labels["app.kubernetes.io/managed-by"] == "ngf-nginx")
        .then(|| labels[NAME].as_str())
        .flatten()
}

impl Pods {
    /// The files that a container's volumes hold; an error says what is missing.
    pub(crate) fn mounted(&self, pod: &Value, container: &Value) -> Result<Files, String> {
        let namespace = meta(pod, "namespace");
        let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
        let volumes: BTreeMap<&str, &Value> = volumes
            .into_iter()
            .flatten()
            .filter_map(|volume| Some((volume["name"].as_str()?, volume)))
            .collect();
        let mut files = Files::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let name = mount["name"].as_str().unwrap_or_default();
            let Some(volume) = volumes.get(name) else {
                continue;
            };
            let path = mount["mountPath"]
                .as_str()
                .unwrap_or_default()
                .trim_end_matches('/');
            let (kind, source) = if let Some(source) = volume["secret"]["secretName"].as_str() {
                (kinds::SECRET, source)
            } else if let Some(source) = volume["configMap"]["name"].as_str() {
                (kinds::CONFIG_MAP, source)
            } else {
                continue;
            };
            let object = self.store.get(kind, namespace, source).ok_or_else(|| {
                let kind = kind.singular;
                format!(
                    "MountVolume.SetUp failed for volume \"{name}\" : {kind} \"{source}\" not found"
                )
            })?;
            for (key, value) in object["data"].as_object().into_iter().flatten() {
                let text = value.as_str().unwrap_or_default();
                let bytes = if kind.kind == "Secret" {
                    STANDARD.decode(text).unwrap_or_default()
                } else {
                    text.as_bytes().to_vec()
                };
                files.insert(format!("{path}/{key}"), Zeroizing::new(bytes));
            }
        }
        Ok(files)
    }
}

impl Place {
    /// Everything that can be read here.
    pub(crate) fn files(&self) -> Files {
        let mut files = Files::new();
        let mut add = |path: &str, text: String| {
            files.insert(path.to_owned(), Zeroizing::new(text.into_bytes()));
        };
        let namespace = &self.live.namespace;
        let search: Vec<_> = search(namespace).collect();
        add(
            "/etc/resolv.conf",
            format!(
                "search {}\nnameserver {DNS}\noptions ndots:5\n",
                search.join(" ")
            ),
        );
        let name = &self.live.name;
        let own = self
            .live
            .address
            .map(|address| format!("{address}\t{name}\n"))
            .unwrap_or_default();
        add(
            "/etc/hosts",
            format!("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n{own}"),
        );
        add("/etc/hostname", format!("{name}\n"));
        if self.image.holds("nginx") {
            for (path, text) in crate::data_plane::IMAGE_FILES {
                add(path, (*text).to_owned());
            }
        }
        if let Ok(mounted) = self.pods.mounted(&self.pod, &self.container) {
            files.extend(mounted);
        }
        if self.name() == crate::data_plane::CONTAINER
            && let Some(configuration) = self.pods.configuration(&self.pod)
        {
            let former = self.live.stale.then(|| self.pods.former_ca());
            files.extend(configuration.files(former));
        }
        files
    }
}

/// A path without `.`, `..` and double slashes, from the root.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_the_containers_own_and_end_at_its_root() {
        for (path, cleaned) in [
            ("/etc//nginx/./secrets/", "/etc/nginx/secrets"),
            ("../../../../etc/passwd", "/etc/passwd"),
            ("/a/../../b", "/b"),
            ("", "/"),
        ] {
            assert_eq!(clean(path), cleaned);
        }
    }
}
