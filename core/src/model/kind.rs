//! The kinds of object that the tool reads: one list, from which discovery, watching, file reading
//! and access review derive.

use super::table::TableName;

/// How objects of a kind are read from a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// List and watch.
    Watched,
    /// One `get` for each object that something refers to, then a watch by name. Never a list.
    ByName,
    /// List and watch, keeping only those about objects in the snapshot, the newest first, bounded.
    Recent,
}

/// What is known of a kind beforehand.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// Which one.
    pub kind: Kind,
    /// `kind` as manifests write it.
    pub name: &'static str,
    /// API group; empty for core.
    pub group: &'static str,
    /// Versions that the tool can read, the preferred first.
    pub versions: &'static [&'static str],
    /// Resource name in URLs and RBAC.
    pub plural: &'static str,
    /// Short names that kubectl takes.
    pub short: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// How it is read.
    pub reading: Reading,
    /// What holds its objects.
    pub table: TableName,
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const NGF: &str = "gateway.nginx.org";
const CERT_MANAGER: &str = "cert-manager.io";
const ACME: &str = "acme.cert-manager.io";

macro_rules! kinds {
    ($($kind:ident in $table:ident: $group:expr, $versions:expr, $plural:literal, $short:expr, $scope:ident, $reading:ident;)*) => {
        /// A kind that the tool knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // the names are Kubernetes' own, and KINDS says the rest
        pub enum Kind {
            $($kind,)*
        }

        /// Every kind that the tool reads, in the order of [`Kind`].
        pub static KINDS: &[KindInfo] = &[$(KindInfo {
            kind: Kind::$kind,
            name: stringify!($kind),
            group: $group,
            versions: &$versions,
            plural: $plural,
            short: &$short,
            namespaced: namespaced!($scope),
            reading: Reading::$reading,
            table: TableName::$table,
        }),*];
    };
}

macro_rules! namespaced {
    (namespaced) => {
        true
    };
    (cluster) => {
        false
    };
}

// The one list of kinds. Each stands in the table of the snapshot that holds what its decoder makes of it:
// `for_every_table!` lists these.
kinds! {
    GatewayClass in GatewayClass: GATEWAY_API, ["v1", "v1beta1"], "gatewayclasses", ["gc"], cluster, Watched;
    Gateway in Gateway: GATEWAY_API, ["v1", "v1beta1"], "gateways", ["gtw"], namespaced, Watched;
    ListenerSet in ListenerSet: GATEWAY_API, ["v1", "v1alpha1"], "listenersets", ["lset"], namespaced, Watched;
    HTTPRoute in Route: GATEWAY_API, ["v1", "v1beta1"], "httproutes", [], namespaced, Watched;
    GRPCRoute in Route: GATEWAY_API, ["v1", "v1alpha2"], "grpcroutes", [], namespaced, Watched;
    TLSRoute in Route: GATEWAY_API, ["v1", "v1alpha3", "v1alpha2"], "tlsroutes", [], namespaced, Watched;
    TCPRoute in Route: GATEWAY_API, ["v1", "v1alpha2"], "tcproutes", [], namespaced, Watched;
    UDPRoute in Route: GATEWAY_API, ["v1", "v1alpha2"], "udproutes", [], namespaced, Watched;
    BackendTLSPolicy in BackendTLSPolicy: GATEWAY_API, ["v1", "v1alpha3"], "backendtlspolicies", ["btlspolicy"], namespaced, Watched;
    ReferenceGrant in ReferenceGrant: GATEWAY_API, ["v1", "v1beta1"], "referencegrants", ["refgrant"], namespaced, Watched;
    Service in Service: "", ["v1"], "services", ["svc"], namespaced, Watched;
    EndpointSlice in EndpointSlice: "discovery.k8s.io", ["v1"], "endpointslices", [], namespaced, Watched;
    Pod in Pod: "", ["v1"], "pods", ["po"], namespaced, Watched;
    Deployment in Workload: "apps", ["v1"], "deployments", ["deploy"], namespaced, Watched;
    DaemonSet in Workload: "apps", ["v1"], "daemonsets", ["ds"], namespaced, Watched;
    NetworkPolicy in NetworkPolicy: "networking.k8s.io", ["v1"], "networkpolicies", ["netpol"], namespaced, Watched;
    NginxProxy in Ngf: NGF, ["v1alpha2", "v1alpha1"], "nginxproxies", [], namespaced, Watched;
    NginxGateway in Ngf: NGF, ["v1alpha1"], "nginxgateways", [], namespaced, Watched;
    ClientSettingsPolicy in Ngf: NGF, ["v1alpha1"], "clientsettingspolicies", [], namespaced, Watched;
    ObservabilityPolicy in Ngf: NGF, ["v1alpha2", "v1alpha1"], "observabilitypolicies", [], namespaced, Watched;
    ProxySettingsPolicy in Ngf: NGF, ["v1alpha1"], "proxysettingspolicies", [], namespaced, Watched;
    UpstreamSettingsPolicy in Ngf: NGF, ["v1alpha1"], "upstreamsettingspolicies", [], namespaced, Watched;
    SnippetsFilter in Ngf: NGF, ["v1alpha1"], "snippetsfilters", [], namespaced, Watched;
    SnippetsPolicy in Ngf: NGF, ["v1alpha1"], "snippetspolicies", [], namespaced, Watched;
    AuthenticationFilter in Ngf: NGF, ["v1alpha1"], "authenticationfilters", [], namespaced, Watched;
    RateLimitPolicy in Ngf: NGF, ["v1alpha1"], "ratelimitpolicies", [], namespaced, Watched;
    WAFPolicy in Ngf: NGF, ["v1alpha1"], "wafpolicies", [], namespaced, Watched;
    PayloadProcessor in Ngf: NGF, ["v1alpha1"], "payloadprocessors", [], namespaced, Watched;
    ExternalLoadBalancer in Ngf: NGF, ["v1alpha1"], "externalloadbalancers", [], namespaced, Watched;
    ClusterIssuer in Issuer: CERT_MANAGER, ["v1"], "clusterissuers", ["ciss"], cluster, Watched;
    Issuer in Issuer: CERT_MANAGER, ["v1"], "issuers", ["iss"], namespaced, Watched;
    Certificate in Certificate: CERT_MANAGER, ["v1"], "certificates", ["cert", "certs"], namespaced, Watched;
    CertificateRequest in CertificateRequest: CERT_MANAGER, ["v1"], "certificaterequests", ["cr", "crs"], namespaced, Watched;
    Order in Order: ACME, ["v1"], "orders", [], namespaced, Watched;
    Challenge in Challenge: ACME, ["v1"], "challenges", [], namespaced, Watched;
    Bundle in TrustBundle: "trust.cert-manager.io", ["v1alpha1"], "bundles", [], cluster, Watched;
    ClusterBundle in TrustBundle: "trust-manager.io", ["v1alpha2"], "clusterbundles", [], cluster, Watched;
    ClusterTrustBundle in TrustBundle: "certificates.k8s.io", ["v1beta1", "v1alpha1"], "clustertrustbundles", [], cluster, Watched;
    Secret in Secret: "", ["v1"], "secrets", [], namespaced, ByName;
    ConfigMap in ConfigMap: "", ["v1"], "configmaps", ["cm"], namespaced, ByName;
    Event in Event: "", ["v1"], "events", ["ev"], namespaced, Recent;
}

impl Kind {
    /// What is known of this kind.
    pub fn info(self) -> &'static KindInfo {
        &KINDS[self as usize]
    }

    /// What holds its objects.
    pub fn table(self) -> TableName {
        self.info().table
    }

    /// `kind` as manifests write it.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The kind that a manifest's `apiVersion` and `kind` name, whatever the version.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        KINDS
            .iter()
            .find(|info| info.group == group && info.name == kind)
            .map(|info| info.kind)
    }

    /// The kind that is called so, whatever its group: no two that the tool reads share a name.
    pub fn named(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.kind)
    }

    /// The kind that a person means by `httproute`, `httproutes`, `btlspolicy`, `svc`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        KINDS
            .iter()
            .find(|info| {
                info.name.eq_ignore_ascii_case(&word)
                    || info.plural == word
                    || info.short.contains(&word.as_str())
            })
            .map(|info| info.kind)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum() {
        for (index, info) in KINDS.iter().enumerate() {
            assert_eq!(
                info.kind as usize, index,
                "{} stands in the wrong place",
                info.name
            );
        }
    }

    #[test]
    fn every_name_and_short_name_means_one_kind() {
        for info in KINDS {
            assert_eq!(Kind::parse(info.plural), Some(info.kind));
            assert_eq!(Kind::parse(info.name), Some(info.kind));
            for short in info.short {
                assert_eq!(Kind::parse(short), Some(info.kind), "{short}");
            }
        }
    }
}
