//! The tables of a snapshot: what holds the objects of which kinds, as what.

/// Passes the list of tables to another macro: what a decoder makes of an object, the field of the snapshot that
/// holds it, and its type.
macro_rules! for_every_table {
    ($receiver:ident) => {
        $receiver! {
            /// GatewayClasses.
            GatewayClass => gateway_classes: GatewayClass;
            /// Gateways.
            Gateway => gateways: Gateway;
            /// ListenerSets.
            ListenerSet => listener_sets: ListenerSet;
            /// Routes of all five kinds.
            Route => routes: Route;
            /// BackendTLSPolicies.
            BackendTLSPolicy => policies: BackendTLSPolicy;
            /// ReferenceGrants.
            ReferenceGrant => grants: ReferenceGrant;
            /// Services.
            Service => services: Service;
            /// EndpointSlices.
            EndpointSlice => endpoint_slices: EndpointSlice;
            /// Pods.
            Pod => pods: Pod;
            /// Deployments and DaemonSets.
            Workload => workloads: Workload;
            /// NetworkPolicies.
            NetworkPolicy => network_policies: NetworkPolicy;
            /// NginxProxy and NGF's other kinds.
            Ngf => ngf: NgfResource;
            /// ClusterIssuers and Issuers.
            Issuer => issuers: Issuer;
            /// cert-manager's Certificates.
            Certificate => certificates: Certificate;
            /// CertificateRequests.
            CertificateRequest => certificate_requests: CertificateRequest;
            /// cert-manager's Orders.
            Order => orders: Order;
            /// cert-manager's Challenges.
            Challenge => challenges: Challenge;
            /// trust-manager's Bundles and ClusterBundles.
            TrustBundle => trust_bundles: TrustBundle;
        }
    };
}

pub(super) use for_every_table;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
        /// A table of a snapshot, or one of its other places for objects.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TableName {
            $($(#[$doc])* $variant,)*
            /// Secrets, which are read by name.
            Secret,
            /// ConfigMaps, which are read by name.
            ConfigMap,
            /// Events, the newest first.
            Event,
        }
    };
}

for_every_table!(names);
