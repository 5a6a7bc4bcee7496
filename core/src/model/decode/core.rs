//! Kubernetes' own kinds: Service, EndpointSlice, Pod, Deployment, DaemonSet, Event.

use crate::model::{
    kind::Kind,
    kinds::{
        Container, CsiCertificate, Endpoint, EndpointSlice, Event, Pod, PodTemplate, Service,
        ServicePort, Volume, Workload,
    },
    object::{Meta, ObjectRef},
    status::{ContainerStatus, PodStatus, WorkloadStatus},
    value::Value,
};

use super::{meta::conditions, reader::Field};

const SERVICE_TYPES: &[&str] = &["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
const ADDRESS_TYPES: &[&str] = &["IPv4", "IPv6", "FQDN"];

/// Label that names the Service whose endpoints a slice holds.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

pub(super) fn service(root: Field<'_>) -> Service {
    let spec = root.required("spec");
    Service {
        service_type: spec
            .choice("type", SERVICE_TYPES)
            .unwrap_or_else(|| "ClusterIP".to_owned()),
        cluster_ip: spec.text("clusterIP"),
        external_name: spec.text("externalName"),
        selector: spec.text_map("selector"),
        ports: spec.objects("ports").map(service_port).collect(),
    }
}

fn service_port(field: Field<'_>) -> ServicePort {
    let target = field.get("targetPort");
    ServicePort {
        name: field.text("name").unwrap_or_default(),
        port: field.required_port("port"),
        target_port: match target.value().and_then(Value::as_i64) {
            Some(_) => field.port("targetPort").map(|port| port.to_string()),
            None => target.as_text(),
        },
        app_protocol: field.text("appProtocol"),
        protocol: field
            .choice("protocol", PROTOCOLS)
            .unwrap_or_else(|| "TCP".to_owned()),
    }
}

pub(super) fn endpoint_slice(root: Field<'_>, reference: &ObjectRef, meta: &Meta) -> EndpointSlice {
    root.required("addressType");
    EndpointSlice {
        service: meta.labels.get(SERVICE_NAME).cloned(),
        address_type: root
            .choice("addressType", ADDRESS_TYPES)
            .unwrap_or_default(),
        ports: root
            .objects("ports")
            .map(|port| (port.text("name").unwrap_or_default(), port.port("port")))
            .collect(),
        endpoints: root
            .objects("endpoints")
            .map(|field| endpoint(field, &reference.namespace))
            .collect(),
    }
}

fn endpoint(field: Field<'_>, namespace: &str) -> Endpoint {
    field.required("addresses");
    let state = field.get("conditions");
    let target = field.get("targetRef");
    let is_pod = target.text("kind").as_deref() == Some("Pod");
    Endpoint {
        addresses: field.texts("addresses"),
        ready: state.flag("ready"),
        terminating: state.flag("terminating"),
        pod: is_pod.then(|| {
            ObjectRef::new(
                Kind::Pod,
                target
                    .text("namespace")
                    .unwrap_or_else(|| namespace.to_owned()),
                target.required_text("name"),
            )
        }),
        node: field.text("nodeName"),
    }
}

pub(super) fn pod(root: Field<'_>, reference: &ObjectRef) -> Pod {
    let spec = root.required("spec");
    Pod {
        node: spec.text("nodeName"),
        containers: sidecars(spec)
            .chain(spec.objects("containers"))
            .map(container)
            .collect(),
        volumes: spec
            .objects("volumes")
            .flat_map(|field| volumes(field, &reference.namespace))
            .collect(),
        csi_certificates: csi_certificates(spec),
    }
}

/// The volumes that cert-manager's CSI driver fills.
fn csi_certificates(spec: Field<'_>) -> Vec<CsiCertificate> {
    let all = spec.objects("volumes").filter_map(|volume| {
        let csi = volume.get("csi");
        if csi.text("driver").as_deref() != Some("csi.cert-manager.io") {
            return None;
        }
        let attributes = csi.text_map("volumeAttributes");
        let text = |name: &str| {
            attributes
                .get(&format!("csi.cert-manager.io/{name}"))
                .cloned()
        };
        let names = text("dns-names").unwrap_or_default();
        let names = names.split(',').map(str::trim);
        let issuer = text("issuer-name").unwrap_or_default();
        let kind = text("issuer-kind").unwrap_or_else(|| "Issuer".to_owned());
        Some(CsiCertificate {
            volume: volume.text("name").unwrap_or_default(),
            dns_names: names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            common_name: text("common-name"),
            issuer: format!("{kind} {issuer}"),
        })
    });
    all.collect()
}

/// The containers that start before the others and keep running.
fn sidecars(spec: Field<'_>) -> impl Iterator<Item = Field<'_>> {
    spec.objects("initContainers")
        .filter(|field| field.text("restartPolicy").as_deref() == Some("Always"))
}

pub(super) fn pod_status(root: Field<'_>) -> PodStatus {
    let spec = root.get("spec");
    let status = root.get("status");
    let conditions = conditions(status, "conditions");
    let mut ips: Vec<String> = status.text("podIP").into_iter().collect();
    for ip in status.objects("podIPs").filter_map(|item| item.text("ip")) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let sidecars = sidecars(spec).map(|field| ("initContainerStatuses", field));
    let containers = spec.objects("containers");
    let containers = containers.map(|field| ("containerStatuses", field));
    PodStatus {
        phase: status.text("phase").unwrap_or_default(),
        ips,
        ready: conditions
            .iter()
            .any(|condition| condition.kind == "Ready" && condition.status == "True"),
        containers: sidecars
            .chain(containers)
            .map(|(list, field)| container_status(field, status, list))
            .collect(),
        conditions,
    }
}

fn container_status(field: Field<'_>, status: Field<'_>, list: &str) -> ContainerStatus {
    let name = field.text("name").unwrap_or_default();
    let status = status
        .objects(list)
        .find(|status| status.text("name").as_deref() == Some(name.as_str()));
    let Some(status) = status else {
        return ContainerStatus {
            name,
            ..ContainerStatus::default()
        };
    };
    ContainerStatus {
        ready: status.flag("ready").unwrap_or_default(),
        restarts: status.number("restartCount").unwrap_or_default(),
        state: state(status.get("state")),
        name,
    }
}

fn container(field: Field<'_>) -> Container {
    Container {
        name: field.required_text("name"),
        image: field.text("image").unwrap_or_default(),
        args: ["command", "args"]
            .into_iter()
            .flat_map(|list| field.texts(list))
            .collect(),
        mounts: field
            .objects("volumeMounts")
            .map(|mount| {
                let sub_path = mount
                    .text("subPath")
                    .or_else(|| mount.text("subPathExpr"))
                    .filter(|path| !path.is_empty());
                (
                    mount.required_text("name"),
                    mount.required_text("mountPath"),
                    sub_path,
                )
            })
            .collect(),
    }
}

/// `running`, `waiting: CrashLoopBackOff`, `terminated: Error (1)`.
fn state(field: Field<'_>) -> String {
    let waiting = field.get("waiting");
    let terminated = field.get("terminated");
    if field.get("running").is_present() {
        "running".to_owned()
    } else if waiting.is_present() {
        match waiting.text("reason") {
            Some(reason) => format!("waiting: {reason}"),
            None => "waiting".to_owned(),
        }
    } else if terminated.is_present() {
        let reason = terminated.text("reason").unwrap_or_default();
        let code = terminated.number("exitCode").unwrap_or_default();
        format!("terminated: {reason} ({code})")
    } else {
        String::new()
    }
}

/// The Secrets and ConfigMaps that fill a volume.
fn volumes(field: Field<'_>, namespace: &str) -> Vec<Volume> {
    let name = field.required_text("name");
    let volume = |kind, from: Field<'_>, key: &str| {
        let items = from.get("items");
        let keys = items.is_present().then(|| {
            let items = from.objects("items");
            items.filter_map(|item| item.text("key")).collect()
        });
        from.text(key).map(|source| Volume {
            name: name.clone(),
            source: ObjectRef::new(kind, namespace, source),
            keys,
        })
    };
    let mut volumes = Vec::new();
    volumes.extend(volume(Kind::Secret, field.get("secret"), "secretName"));
    volumes.extend(volume(Kind::ConfigMap, field.get("configMap"), "name"));
    for source in field.get("projected").objects("sources") {
        volumes.extend(volume(Kind::Secret, source.get("secret"), "name"));
        volumes.extend(volume(Kind::ConfigMap, source.get("configMap"), "name"));
        // By signerName it may be several, of which the objects do not tell the pod's.
        let bundle = source.get("clusterTrustBundle").text("name");
        volumes.extend(bundle.map(|bundle| Volume {
            name: name.clone(),
            source: ObjectRef::new(Kind::ClusterTrustBundle, "", bundle),
            keys: None,
        }));
    }
    volumes
}

pub(super) fn workload(kind: Kind, root: Field<'_>, reference: &ObjectRef) -> Workload {
    let spec = root.required("spec");
    let template = spec.get("template");
    // A DaemonSet wants a pod on each node that its controller counts.
    let desired = if kind == Kind::DaemonSet {
        let status = root.get("status");
        status.number("desiredNumberScheduled").unwrap_or_default()
    } else {
        spec.number("replicas").unwrap_or(1)
    };
    Workload {
        selector: spec.get("selector").text_map("matchLabels"),
        desired,
        template: PodTemplate {
            labels: template.get("metadata").text_map("labels"),
            containers: template
                .get("spec")
                .objects("containers")
                .map(container)
                .collect(),
            volumes: template
                .get("spec")
                .objects("volumes")
                .flat_map(|field| volumes(field, &reference.namespace))
                .collect(),
            csi_certificates: csi_certificates(template.get("spec")),
        },
    }
}

pub(super) fn workload_status(kind: Kind, root: Field<'_>) -> WorkloadStatus {
    let status = root.get("status");
    let ready = match kind {
        Kind::DaemonSet => "numberReady",
        _ => "readyReplicas",
    };
    WorkloadStatus {
        ready: status.number(ready).unwrap_or_default(),
        conditions: conditions(status, "conditions"),
    }
}

/// `v1` (`involvedObject`, `message`) and `events.k8s.io/v1` (`regarding`, `note`).
pub(super) fn event(root: Field<'_>) -> Event {
    let about = match root.get("involvedObject") {
        about if about.is_present() => about,
        _ => root.get("regarding"),
    };
    let series = root.get("series");
    Event {
        about_kind: about.text("kind").unwrap_or_default(),
        about_namespace: about.text("namespace").unwrap_or_default(),
        about_name: about.text("name").unwrap_or_default(),
        event_type: root.text("type").unwrap_or_default(),
        reason: root.text("reason").unwrap_or_default(),
        message: root
            .text("message")
            .or_else(|| root.text("note"))
            .unwrap_or_default(),
        count: series
            .number("count")
            .or_else(|| root.number("count"))
            .unwrap_or(1),
        last_seen: series
            .time("lastObservedTime")
            .or_else(|| root.time("lastTimestamp"))
            .or_else(|| root.time("eventTime"))
            .or_else(|| root.get("metadata").time("creationTimestamp")),
    }
}
