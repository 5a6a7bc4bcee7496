//! The list of kinds, with the columns that real clusters print.

use serde_json::Value;

use super::super::printer;
use super::{Cell, Column, Kind, Origin};

const AGE: Column = Column {
    name: "Age",
    format: "date",
    wide: false,
    cell: Cell::Path(".metadata.creationTimestamp"),
};

const fn text(name: &'static str, path: &'static str) -> Column {
    Column {
        name,
        format: "string",
        wide: false,
        cell: Cell::Path(path),
    }
}

const fn printed(name: &'static str, print: fn(&Value) -> Value) -> Column {
    Column {
        name,
        format: "string",
        wide: false,
        cell: Cell::Print(print),
    }
}

const fn wide(name: &'static str, print: fn(&Value) -> Value) -> Column {
    Column {
        name,
        format: "string",
        wide: true,
        cell: Cell::Print(print),
    }
}

const fn wide_text(name: &'static str, path: &'static str) -> Column {
    Column {
        name,
        format: "string",
        wide: true,
        cell: Cell::Path(path),
    }
}

const fn core(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "",
        versions: &["v1"],
        kind,
        plural,
        singular,
        short_names: &[],
        categories: &[],
        namespaced: true,
        status: false,
        generation: false,
        origin: Origin::BuiltIn,
        columns: &[AGE],
        fields: &[],
    }
}

const fn apps(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "apps",
        categories: &["all"],
        status: true,
        generation: true,
        ..core(kind, plural, singular)
    }
}

const fn gateway(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "gateway.networking.k8s.io",
        categories: &["gateway-api"],
        status: true,
        generation: true,
        origin: Origin::GatewayApi,
        ..core(kind, plural, singular)
    }
}

const fn ngf(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "gateway.nginx.org",
        versions: &["v1alpha1"],
        categories: &["nginx-gateway-fabric"],
        origin: Origin::Custom,
        ..gateway(kind, plural, singular)
    }
}

const fn cert_manager(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "cert-manager.io",
        categories: &["cert-manager"],
        origin: Origin::Custom,
        ..gateway(kind, plural, singular)
    }
}

macro_rules! named {
    ($($(#[$doc:meta])* $constant:ident = $value:expr;)*) => {
        $($(#[$doc])* pub(crate) static $constant: &Kind = &$value;)*
        /// Every kind, in the order of `kubectl api-resources`.
        pub(crate) static KINDS: &[&Kind] = &[$($constant),*];
    };
}

named! {
    /// Core `Namespace`.
    NAMESPACE = Kind {
        short_names: &["ns"],
        namespaced: false,
        status: true,
        columns: &[text("Status", ".status.phase"), AGE],
        ..core("Namespace", "namespaces", "namespace")
    };
    /// Core `Node`.
    NODE = Kind {
        short_names: &["no"],
        namespaced: false,
        status: true,
        columns: &[
            printed("Status", printer::node_status),
            printed("Roles", printer::node_roles),
            AGE,
            text("Version", ".status.nodeInfo.kubeletVersion"),
        ],
        ..core("Node", "nodes", "node")
    };
    /// Core `ConfigMap`.
    CONFIG_MAP = Kind {
        short_names: &["cm"],
        columns: &[printed("Data", printer::data_count), AGE],
        ..core("ConfigMap", "configmaps", "configmap")
    };
    /// Core `Event`.
    EVENT = Kind {
        short_names: &["ev"],
        columns: &[
            printed("Last Seen", printer::event_last_seen),
            text("Type", ".type"),
            text("Reason", ".reason"),
            printed("Object", printer::event_object),
            wide_text("Subobject", ".involvedObject.fieldPath"),
            wide("Source", printer::event_source),
            printed("Message", printer::event_message),
            wide("First Seen", printer::event_first_seen),
            wide_text("Count", ".count"),
            wide_text("Name", ".metadata.name"),
        ],
        fields: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ..core("Event", "events", "event")
    };
    /// Core `Pod`.
    POD = Kind {
        short_names: &["po"],
        categories: &["all"],
        status: true,
        columns: &[
            printed("Ready", printer::pod_ready),
            printed("Status", printer::pod_status),
            printed("Restarts", printer::pod_restarts),
            AGE,
            wide("IP", printer::pod_ip),
            wide("Node", printer::pod_node),
            wide("Nominated Node", printer::none),
            wide("Readiness Gates", printer::none),
        ],
        fields: &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        ..core("Pod", "pods", "pod")
    };
    /// Core `Secret`.
    SECRET = Kind {
        columns: &[text("Type", ".type"), printed("Data", printer::data_count), AGE],
        fields: &["type"],
        ..core("Secret", "secrets", "secret")
    };
    /// Core `ServiceAccount`.
    SERVICE_ACCOUNT = Kind {
        short_names: &["sa"],
        columns: &[printed("Secrets", printer::secrets_count), AGE],
        ..core("ServiceAccount", "serviceaccounts", "serviceaccount")
    };
    /// Core `Service`.
    SERVICE = Kind {
        short_names: &["svc"],
        categories: &["all"],
        status: true,
        columns: &[
            text("Type", ".spec.type"),
            printed("Cluster-IP", printer::service_cluster_ip),
            printed("External-IP", printer::service_external_ip),
            printed("Port(s)", printer::service_ports),
            AGE,
            wide("Selector", printer::service_selector),
        ],
        ..core("Service", "services", "service")
    };
    /// `apps/v1 DaemonSet`.
    DAEMON_SET = Kind {
        short_names: &["ds"],
        columns: &[
            text("Desired", ".status.desiredNumberScheduled"),
            text("Current", ".status.currentNumberScheduled"),
            text("Ready", ".status.numberReady"),
            AGE,
        ],
        ..apps("DaemonSet", "daemonsets", "daemonset")
    };
    /// `apps/v1 Deployment`.
    DEPLOYMENT = Kind {
        short_names: &["deploy"],
        columns: &[
            printed("Ready", printer::deployment_ready),
            printed("Up-to-date", printer::deployment_updated),
            printed("Available", printer::deployment_available),
            AGE,
            wide("Containers", printer::template_containers),
            wide("Images", printer::template_images),
            wide("Selector", printer::workload_selector),
        ],
        ..apps("Deployment", "deployments", "deployment")
    };
    /// `apps/v1 ReplicaSet`.
    REPLICA_SET = Kind {
        short_names: &["rs"],
        columns: &[
            printed("Desired", printer::desired_replicas),
            printed("Current", printer::current_replicas),
            printed("Ready", printer::ready_replicas),
            AGE,
            wide("Containers", printer::template_containers),
            wide("Images", printer::template_images),
            wide("Selector", printer::workload_selector),
        ],
        ..apps("ReplicaSet", "replicasets", "replicaset")
    };
    /// `discovery.k8s.io/v1 EndpointSlice`.
    ENDPOINT_SLICE = Kind {
        group: "discovery.k8s.io",
        generation: true,
        columns: &[
            text("AddressType", ".addressType"),
            printed("Ports", printer::slice_ports),
            printed("Endpoints", printer::slice_endpoints),
            AGE,
        ],
        ..core("EndpointSlice", "endpointslices", "endpointslice")
    };
    /// `networking.k8s.io/v1 NetworkPolicy`.
    NETWORK_POLICY = Kind {
        group: "networking.k8s.io",
        short_names: &["netpol"],
        generation: true,
        ..core("NetworkPolicy", "networkpolicies", "networkpolicy")
    };
    /// `apiextensions.k8s.io/v1 CustomResourceDefinition`.
    CUSTOM_RESOURCE_DEFINITION = Kind {
        group: "apiextensions.k8s.io",
        short_names: &["crd", "crds"],
        categories: &["api-extensions"],
        namespaced: false,
        status: true,
        generation: true,
        columns: &[Column {
            name: "Created At",
            format: "date",
            wide: false,
            cell: Cell::Print(printer::created_at),
        }],
        ..core("CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition")
    };
    /// Gateway API `GatewayClass`.
    GATEWAY_CLASS = Kind {
        versions: &["v1", "v1beta1"],
        short_names: &["gc"],
        namespaced: false,
        columns: &[
            text("Controller", ".spec.controllerName"),
            text("Accepted", r#".status.conditions[?(@.type=="Accepted")].status"#),
            AGE,
            wide_text("Description", ".spec.description"),
        ],
        ..gateway("GatewayClass", "gatewayclasses", "gatewayclass")
    };
    /// Gateway API `Gateway`.
    GATEWAY = Kind {
        versions: &["v1", "v1beta1"],
        short_names: &["gtw"],
        columns: &[
            text("Class", ".spec.gatewayClassName"),
            text("Address", ".status.addresses[*].value"),
            text("Programmed", r#".status.conditions[?(@.type=="Programmed")].status"#),
            AGE,
        ],
        ..gateway("Gateway", "gateways", "gateway")
    };
    /// Gateway API `ListenerSet`.
    LISTENER_SET = Kind {
        short_names: &["lset"],
        columns: &[
            text("Accepted", r#".status.conditions[?(@.type=="Accepted")].status"#),
            text("Programmed", r#".status.conditions[?(@.type=="Programmed")].status"#),
            AGE,
        ],
        ..gateway("ListenerSet", "listenersets", "listenerset")
    };
    /// Gateway API `HTTPRoute`.
    HTTP_ROUTE = Kind {
        versions: &["v1", "v1beta1"],
        columns: &[text("Hostnames", ".spec.hostnames"), AGE],
        ..gateway("HTTPRoute", "httproutes", "httproute")
    };
    /// Gateway API `GRPCRoute`.
    GRPC_ROUTE = Kind {
        columns: &[text("Hostnames", ".spec.hostnames"), AGE],
        ..gateway("GRPCRoute", "grpcroutes", "grpcroute")
    };
    /// Gateway API `TLSRoute`.
    TLS_ROUTE = gateway("TLSRoute", "tlsroutes", "tlsroute");
    /// Gateway API `BackendTLSPolicy`.
    BACKEND_TLS_POLICY = Kind {
        short_names: &["btlspolicy"],
        ..gateway("BackendTLSPolicy", "backendtlspolicies", "backendtlspolicy")
    };
    /// Gateway API `ReferenceGrant`.
    REFERENCE_GRANT = Kind {
        versions: &["v1", "v1beta1"],
        short_names: &["refgrant"],
        status: false,
        ..gateway("ReferenceGrant", "referencegrants", "referencegrant")
    };
    /// NGF's `NginxProxy`.
    NGINX_PROXY = Kind {
        versions: &["v1alpha2"],
        status: false,
        ..ngf("NginxProxy", "nginxproxies", "nginxproxy")
    };
    /// NGF's `NginxGateway`.
    NGINX_GATEWAY = ngf("NginxGateway", "nginxgateways", "nginxgateway");
    /// NGF's `ClientSettingsPolicy`.
    CLIENT_SETTINGS_POLICY = Kind {
        short_names: &["cspolicy"],
        ..ngf("ClientSettingsPolicy", "clientsettingspolicies", "clientsettingspolicy")
    };
    /// NGF's `ObservabilityPolicy`.
    OBSERVABILITY_POLICY = Kind {
        versions: &["v1alpha2"],
        ..ngf("ObservabilityPolicy", "observabilitypolicies", "observabilitypolicy")
    };
    /// NGF's `ProxySettingsPolicy`.
    PROXY_SETTINGS_POLICY = Kind {
        short_names: &["pspolicy"],
        ..ngf("ProxySettingsPolicy", "proxysettingspolicies", "proxysettingspolicy")
    };
    /// NGF's `UpstreamSettingsPolicy`.
    UPSTREAM_SETTINGS_POLICY = Kind {
        short_names: &["uspolicy"],
        ..ngf("UpstreamSettingsPolicy", "upstreamsettingspolicies", "upstreamsettingspolicy")
    };
    /// NGF's `SnippetsFilter`.
    SNIPPETS_FILTER = Kind {
        short_names: &["snippetsfilter"],
        ..ngf("SnippetsFilter", "snippetsfilters", "snippetsfilter")
    };
    /// NGF's `AuthenticationFilter`.
    AUTHENTICATION_FILTER = Kind {
        short_names: &["authfilter"],
        ..ngf("AuthenticationFilter", "authenticationfilters", "authenticationfilter")
    };
    /// cert-manager's `ClusterIssuer`.
    CLUSTER_ISSUER = Kind {
        namespaced: false,
        columns: &[
            text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
            wide_text("Status", r#".status.conditions[?(@.type=="Ready")].message"#),
            AGE,
        ],
        ..cert_manager("ClusterIssuer", "clusterissuers", "clusterissuer")
    };
    /// cert-manager's `Issuer`.
    ISSUER = Kind {
        columns: &[
            text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
            wide_text("Status", r#".status.conditions[?(@.type=="Ready")].message"#),
            AGE,
        ],
        ..cert_manager("Issuer", "issuers", "issuer")
    };
    /// cert-manager's `Certificate`.
    CERTIFICATE = Kind {
        short_names: &["cert", "certs"],
        columns: &[
            text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
            text("Secret", ".spec.secretName"),
            wide_text("Issuer", ".spec.issuerRef.name"),
            wide_text("Status", r#".status.conditions[?(@.type=="Ready")].message"#),
            AGE,
        ],
        ..cert_manager("Certificate", "certificates", "certificate")
    };
    /// cert-manager's `CertificateRequest`.
    CERTIFICATE_REQUEST = Kind {
        short_names: &["cr", "crs"],
        columns: &[
            text("Approved", r#".status.conditions[?(@.type=="Approved")].status"#),
            text("Denied", r#".status.conditions[?(@.type=="Denied")].status"#),
            text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
            text("Issuer", ".spec.issuerRef.name"),
            text("Requester", ".spec.username"),
            wide_text("Status", r#".status.conditions[?(@.type=="Ready")].message"#),
            AGE,
        ],
        ..cert_manager("CertificateRequest", "certificaterequests", "certificaterequest")
    };
}
