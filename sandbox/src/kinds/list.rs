//! The list of kinds, with the columns that `kubectl get` prints between name and age.

use super::{Kind, Origin};

/// The status of a condition.
macro_rules! condition {
    ($name:literal) => {
        (
            $name,
            concat!(".status.conditions[?(@.type==\"", $name, "\")].status"),
        )
    };
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
        columns: &[],
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
        columns: &[("Status", ".status.phase")],
        ..core("Namespace", "namespaces", "namespace")
    };
    /// Core `Node`.
    NODE = Kind {
        short_names: &["no"],
        namespaced: false,
        status: true,
        columns: &[condition!("Ready"), ("Version", ".status.nodeInfo.kubeletVersion")],
        ..core("Node", "nodes", "node")
    };
    /// Core `ConfigMap`.
    CONFIG_MAP = Kind {
        short_names: &["cm"],
        ..core("ConfigMap", "configmaps", "configmap")
    };
    /// Core `Event`.
    EVENT = Kind {
        short_names: &["ev"],
        columns: &[("Last Seen", ".lastTimestamp"), ("Type", ".type"), ("Reason", ".reason"), ("Object", ".involvedObject.name"), ("Message", ".message")],
        fields: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
        ],
        ..core("Event", "events", "event")
    };
    /// Core `Pod`.
    POD = Kind {
        short_names: &["po"],
        categories: &["all"],
        status: true,
        columns: &[condition!("Ready"), ("Status", ".status.phase"), ("IP", ".status.podIP")],
        fields: &[
            "spec.nodeName",
            "status.phase",
        ],
        ..core("Pod", "pods", "pod")
    };
    /// Core `Secret`.
    SECRET = Kind {
        columns: &[("Type", ".type")],
        ..core("Secret", "secrets", "secret")
    };
    /// Core `ServiceAccount`.
    SERVICE_ACCOUNT = Kind {
        short_names: &["sa"],
        ..core("ServiceAccount", "serviceaccounts", "serviceaccount")
    };
    /// Core `Service`.
    SERVICE = Kind {
        short_names: &["svc"],
        categories: &["all"],
        status: true,
        columns: &[("Type", ".spec.type"), ("Cluster-IP", ".spec.clusterIP"), ("Port(s)", ".spec.ports[*].port")],
        ..core("Service", "services", "service")
    };
    /// `apps/v1 DaemonSet`.
    DAEMON_SET = Kind {
        short_names: &["ds"],
        columns: &[("Desired", ".status.desiredNumberScheduled"), ("Ready", ".status.numberReady")],
        ..apps("DaemonSet", "daemonsets", "daemonset")
    };
    /// `apps/v1 Deployment`.
    DEPLOYMENT = Kind {
        short_names: &["deploy"],
        columns: &[("Desired", ".spec.replicas"), ("Ready", ".status.readyReplicas")],
        ..apps("Deployment", "deployments", "deployment")
    };
    /// `apps/v1 ReplicaSet`.
    REPLICA_SET = Kind {
        short_names: &["rs"],
        columns: &[("Desired", ".spec.replicas"), ("Ready", ".status.readyReplicas")],
        ..apps("ReplicaSet", "replicasets", "replicaset")
    };
    /// `discovery.k8s.io/v1 EndpointSlice`.
    ENDPOINT_SLICE = Kind {
        group: "discovery.k8s.io",
        generation: true,
        columns: &[("Ports", ".ports[*].port"), ("Endpoints", ".endpoints[*].addresses[*]")],
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
        ..core("CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition")
    };
    /// Gateway API `GatewayClass`.
    GATEWAY_CLASS = Kind {
        versions: &["v1", "v1beta1"],
        short_names: &["gc"],
        namespaced: false,
        columns: &[("Controller", ".spec.controllerName"), condition!("Accepted")],
        ..gateway("GatewayClass", "gatewayclasses", "gatewayclass")
    };
    /// Gateway API `Gateway`.
    GATEWAY = Kind {
        versions: &["v1", "v1beta1"],
        short_names: &["gtw"],
        columns: &[("Class", ".spec.gatewayClassName"), ("Address", ".status.addresses[*].value"), condition!("Programmed")],
        ..gateway("Gateway", "gateways", "gateway")
    };
    /// Gateway API `ListenerSet`.
    LISTENER_SET = Kind {
        short_names: &["lset"],
        columns: &[condition!("Accepted"), condition!("Programmed")],
        ..gateway("ListenerSet", "listenersets", "listenerset")
    };
    /// Gateway API `HTTPRoute`.
    HTTP_ROUTE = Kind {
        versions: &["v1", "v1beta1"],
        columns: &[("Hostnames", ".spec.hostnames")],
        ..gateway("HTTPRoute", "httproutes", "httproute")
    };
    /// Gateway API `GRPCRoute`.
    GRPC_ROUTE = Kind {
        columns: &[("Hostnames", ".spec.hostnames")],
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
        columns: &[condition!("Ready")],
        ..cert_manager("ClusterIssuer", "clusterissuers", "clusterissuer")
    };
    /// cert-manager's `Issuer`.
    ISSUER = Kind {
        columns: &[condition!("Ready")],
        ..cert_manager("Issuer", "issuers", "issuer")
    };
    /// cert-manager's `Certificate`.
    CERTIFICATE = Kind {
        short_names: &["cert", "certs"],
        columns: &[condition!("Ready"), ("Secret", ".spec.secretName")],
        ..cert_manager("Certificate", "certificates", "certificate")
    };
    /// cert-manager's `CertificateRequest`.
    CERTIFICATE_REQUEST = Kind {
        short_names: &["cr", "crs"],
        columns: &[condition!("Ready"), ("Issuer", ".spec.issuerRef.name")],
        ..cert_manager("CertificateRequest", "certificaterequests", "certificaterequest")
    };
}
