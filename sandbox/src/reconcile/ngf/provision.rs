//! The data plane of a Gateway (`internal/controller/provisioner/objects.go`): names, labels, owner
//! and shapes as NGF 2.6 makes them.

use openssl::sha::sha256;
use serde_json::{Map, Value, json};

use super::gateway::GatewayState;
use crate::kinds;
use crate::metadata::{hex, meta};
use crate::reconcile::Controllers;
use crate::reconcile::write::{ensure, own};
use crate::store::{Object, Store};

/// Where no NginxProxy says otherwise.
const IMAGE: &str = "ghcr.io/nginx/nginx-gateway-fabric/nginx:2.6.7";
const CONTROL_PLANE_IMAGE: &str = "ghcr.io/nginx/nginx-gateway-fabric:2.6.7";
/// `metadata.name` of a Service.
const MAX_NAME: usize = 63;

/// `<gateway>-<class>`, shortened with a hash where that is too long for a Service.
pub(super) fn resource_name(gateway: &str, suffix: &str) -> String {
    let full = format!("{gateway}-{suffix}");
    if full.len() <= MAX_NAME {
        return full;
    }
    let hash = hex(&sha256(full.as_bytes())[..4]);
    let budget = MAX_NAME - 2 - hash.len();
    let suffix = &suffix[..suffix.len().min(budget - 1)];
    let name: String = gateway.chars().take(budget - suffix.len()).collect();
    format!("{}-{hash}-{suffix}", name.trim_end_matches('-'))
}

/// Makes sure that the data plane is there. An invalid Gateway keeps what it has.
pub(super) fn run(controllers: &Controllers, gateway: &GatewayState<'_>) {
    if !gateway.valid {
        return;
    }
    let plan = Plan::new(&controllers.store, gateway);
    for (kind, mut object) in [
        (kinds::SECRET, plan.agent_secret()),
        (kinds::CONFIG_MAP, plan.bootstrap()),
        (kinds::CONFIG_MAP, plan.agent_config()),
        (kinds::SERVICE_ACCOUNT, plan.service_account()),
        (kinds::SERVICE, plan.service()),
        (kinds::DEPLOYMENT, plan.deployment()),
    ] {
        own(&mut object, &gateway.object);
        ensure(&controllers.store, kind, object);
    }
}

struct Plan<'a> {
    gateway: &'a GatewayState<'a>,
    name: String,
    labels: Value,
    ports: Vec<u16>,
    /// `spec.kubernetes.deployment` of the NginxProxy.
    wanted: Value,
}

/// The NginxProxy of the Gateway, or of its class.
fn nginx_proxy(store: &Store, gateway: &Value) -> Option<Object> {
    let own = gateway.pointer("/spec/infrastructure/parametersRef/name");
    if let Some(name) = own.and_then(Value::as_str) {
        return store.get(kinds::NGINX_PROXY, meta(gateway, "namespace"), name);
    }
    let class = store.get(kinds::GATEWAY_CLASS, "", super::CLASS)?;
    let reference = class.pointer("/spec/parametersRef")?;
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    store.get(kinds::NGINX_PROXY, text("namespace"), text("name"))
}

impl<'a> Plan<'a> {
    fn new(store: &Store, gateway: &'a GatewayState<'a>) -> Self {
        let proxy = nginx_proxy(store, &gateway.object);
        let wanted = proxy.and_then(|proxy| proxy.pointer("/spec/kubernetes/deployment").cloned());
        let gateway_name = meta(&gateway.object, "name");
        let name = resource_name(gateway_name, super::CLASS);
        let mut labels = json!({
            "app.kubernetes.io/instance": "ngf",
            "app.kubernetes.io/managed-by": "ngf-nginx",
            "app.kubernetes.io/name": name,
        });
        if gateway_name.len() <= MAX_NAME {
            labels["gateway.networking.k8s.io/gateway-name"] = json!(gateway_name);
        }
        let listeners = gateway.read.spec.listeners.iter();
        let mut ports: Vec<u16> = listeners.map(|listener| listener.port).collect();
        ports.sort_unstable();
        ports.dedup();
        Self {
            gateway,
            name,
            labels,
            ports,
            wanted: wanted.unwrap_or_default(),
        }
    }

    /// `REPOSITORY:TAG` as the NginxProxy has them.
    fn image(&self) -> String {
        let image = &self.wanted["container"]["image"];
        let (repository, tag) = IMAGE.rsplit_once(':').unwrap_or((IMAGE, "latest"));
        let text = |field: &str, otherwise: &str| {
            let text = image[field].as_str().filter(|text| !text.is_empty());
            text.unwrap_or(otherwise).to_owned()
        };
        format!("{}:{}", text("repository", repository), text("tag", tag))
    }

    fn object(&self, api_version: &str, kind: &str, name: &str) -> Value {
        let gateway_name = meta(&self.gateway.object, "name");
        let mut metadata = json!({
            "name": name,
            "namespace": meta(&self.gateway.object, "namespace"),
            "labels": self.labels,
        });
        if gateway_name.len() > MAX_NAME {
            metadata["annotations"] =
                json!({"gateway.networking.k8s.io/gateway-name": gateway_name});
        }
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    }

    fn named(&self, suffix: &str) -> String {
        resource_name(&self.name, suffix)
    }

    fn agent_secret(&self) -> Value {
        // No agent runs here, so there is nothing to authenticate; the name is what others look at.
        let mut secret = self.object("v1", "Secret", &self.named("agent-tls"));
        secret["type"] = json!("Opaque");
        secret
    }

    fn bootstrap(&self) -> Value {
        let mut map = self.object("v1", "ConfigMap", &self.named("includes-bootstrap"));
        map["data"] = json!({
            "main.conf": "\nerror_log stderr info;",
            "events.conf": "\nworker_connections 1024;",
        });
        map
    }

    fn agent_config(&self) -> Value {
        let mut map = self.object("v1", "ConfigMap", &self.named("agent-config"));
        map["data"] = json!({
            "nginx-agent.conf": "command:\n    server:\n        host: \
                ngf-nginx-gateway-fabric.nginx-gateway.svc\n        port: 443\nallowed_directories:\n\
                - /etc/nginx\n- /usr/share/nginx\n- /var/run/nginx\nfeatures:\n- configuration\n\
                - certificates\n- metrics\n",
        });
        map
    }

    fn service_account(&self) -> Value {
        let mut account = self.object("v1", "ServiceAccount", &self.name);
        account["automountServiceAccountToken"] = json!(false);
        account
    }

    fn service(&self) -> Value {
        let mut service = self.object("v1", "Service", &self.name);
        let port = |p: &u16| json!({"name": format!("port-{p}"), "port": p, "targetPort": p, "protocol": "TCP"});
        service["spec"] = json!({
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": self.labels,
            "ports": self.ports.iter().map(port).collect::<Vec<_>>(),
        });
        service
    }

    fn deployment(&self) -> Value {
        let mut deployment = self.object("apps/v1", "Deployment", &self.name);
        deployment["spec"] = json!({
            "replicas": self.wanted["replicas"].as_u64().unwrap_or(1),
            "selector": {"matchLabels": self.labels},
            "template": {
                "metadata": {
                    "labels": self.labels,
                    "annotations": {"prometheus.io/port": "9113", "prometheus.io/scrape": "true"},
                },
                "spec": {
                    "automountServiceAccountToken": true,
                    "serviceAccountName": self.name,
                    "securityContext": {
                        "fsGroup": 1001,
                        "runAsNonRoot": true,
                        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
                    },
                    "initContainers": [init_container()],
                    "containers": [self.nginx_container()],
                    "volumes": self.volumes(),
                },
            },
        });
        deployment
    }

    fn nginx_container(&self) -> Value {
        let port =
            |p: &u16| json!({"name": format!("port-{p}"), "containerPort": p, "protocol": "TCP"});
        let mut ports: Vec<_> = self.ports.iter().map(port).collect();
        ports.push(json!({"name": "metrics", "containerPort": 9113, "protocol": "TCP"}));
        json!({
            "name": "nginx",
            "image": self.image(),
            "imagePullPolicy": "IfNotPresent",
            "ports": ports,
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}, "initialDelaySeconds": 3},
            "securityContext": security(),
            "volumeMounts": mounts(&[
                ("/etc/nginx-agent", "nginx-agent"),
                ("/var/run/secrets/ngf", "nginx-agent-tls"),
                ("/var/run/secrets/ngf/serviceaccount", "token"),
                ("/var/log/nginx-agent", "nginx-agent-log"),
                ("/var/lib/nginx-agent", "nginx-agent-lib"),
                ("/etc/nginx/conf.d", "nginx-conf"),
                ("/etc/nginx/stream-conf.d", "nginx-stream-conf"),
                ("/etc/nginx/main-includes", "nginx-main-includes"),
                ("/etc/nginx/events-includes", "nginx-events-includes"),
                ("/etc/nginx/secrets", "nginx-secrets"),
                ("/var/run/nginx", "nginx-run"),
                ("/var/cache/nginx", "nginx-cache"),
                ("/etc/nginx/includes", "nginx-includes"),
            ]),
        })
    }

    fn volumes(&self) -> Vec<Value> {
        let mut volumes = vec![
            json!({"name": "token", "projected": {"sources": [{"serviceAccountToken": {
                "path": "token", "audience": "ngf-nginx-gateway-fabric.nginx-gateway.svc",
            }}]}}),
            json!({"name": "nginx-agent-config", "configMap": {"name": self.named("agent-config")}}),
            json!({"name": "nginx-agent-tls", "secret": {"secretName": self.named("agent-tls")}}),
            json!({"name": "nginx-includes-bootstrap", "configMap": {"name": self.named("includes-bootstrap")}}),
        ];
        volumes.extend(
            [
                "nginx-agent",
                "nginx-agent-log",
                "nginx-agent-lib",
                "nginx-conf",
                "nginx-stream-conf",
                "nginx-main-includes",
                "nginx-events-includes",
                "nginx-secrets",
                "nginx-run",
                "nginx-cache",
                "nginx-includes",
            ]
            .map(|name| json!({"name": name, "emptyDir": Map::new()})),
        );
        volumes
    }
}

fn init_container() -> Value {
    json!({
        "name": "init",
        "image": CONTROL_PLANE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/usr/bin/gateway", "initialize",
            "--source", "/agent/nginx-agent.conf", "--destination", "/etc/nginx-agent",
            "--source", "/includes/main.conf", "--destination", "/etc/nginx/main-includes",
            "--source", "/includes/events.conf", "--destination", "/etc/nginx/events-includes",
        ],
        "env": [
            {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "CLUSTER_UID", "value": "unknown"},
        ],
        "securityContext": security(),
        "volumeMounts": mounts(&[
            ("/agent", "nginx-agent-config"),
            ("/etc/nginx-agent", "nginx-agent"),
            ("/includes", "nginx-includes-bootstrap"),
            ("/etc/nginx/main-includes", "nginx-main-includes"),
            ("/etc/nginx/events-includes", "nginx-events-includes"),
        ]),
    })
}

fn mounts(list: &[(&str, &str)]) -> Vec<Value> {
    list.iter()
        .map(|(path, name)| json!({"mountPath": path, "name": name}))
        .collect()
}

fn security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsGroup": 1001,
        "runAsUser": 101,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

#[cfg(test)]
mod tests {
    use super::resource_name;

    #[test]
    fn resource_names_are_shortened_as_ngf_shortens_them() {
        assert_eq!(resource_name("gateway", "nginx"), "gateway-nginx");
        let long = resource_name(&"g".repeat(70), "nginx");
        assert_eq!(long.len(), 63);
        assert!(
            long.starts_with(&"g".repeat(48)) && long.ends_with("-nginx"),
            "{long}"
        );
    }
}
