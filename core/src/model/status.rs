//! What controllers wrote into the `status` of each kind, as far as some view, rule or probe needs it.

use std::fmt::Debug;

use jiff::Timestamp;

use super::{
    kinds::{
        BackendTLSPolicy, Certificate, CertificateRequest, Challenge, ConfigMapFacts,
        EndpointSlice, Event, Gateway, GatewayClass, Issuer, ListenerSet, LocalRef, NgfResource,
        Order, Pod, ReferenceGrant, Route, SecretFacts, Service, TrustBundle, Workload,
    },
    network::NetworkPolicy,
    object::Condition,
};

/// The `spec` of a kind, which has a type for the `status` beside it.
pub trait Spec: Debug + Clone {
    /// Its status; `()` for kinds that have none, or none that the tool reads.
    type Status: Debug + Clone + Default;
}

macro_rules! statuses {
    ($($spec:ty => $status:ty;)*) => {
        $(impl Spec for $spec {
            type Status = $status;
        })*
    };
}

statuses! {
    GatewayClass => Conditions;
    Gateway => ListenersStatus;
    ListenerSet => ListenersStatus;
    Route => RouteStatus;
    BackendTLSPolicy => PolicyStatus;
    ReferenceGrant => ();
    Service => ();
    EndpointSlice => ();
    Pod => PodStatus;
    Workload => WorkloadStatus;
    NetworkPolicy => ();
    NgfResource => NgfStatus;
    Issuer => Conditions;
    Certificate => CertificateStatus;
    CertificateRequest => Conditions;
    Order => AcmeStatus;
    Challenge => AcmeStatus;
    TrustBundle => Conditions;
    Event => ();
    SecretFacts => ();
    ConfigMapFacts => ();
}

/// The status of a kind of which only the conditions are read.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of a Gateway or ListenerSet.
#[derive(Debug, Clone, Default)]
pub struct ListenersStatus {
    /// `addresses[].value`; a ListenerSet has none.
    pub addresses: Vec<String>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
    /// `listeners`.
    pub listeners: Vec<ListenerStatus>,
}

/// `status.listeners[]`.
#[derive(Debug, Clone, Default)]
pub struct ListenerStatus {
    /// `name`.
    pub name: String,
    /// `attachedRoutes`.
    pub attached_routes: i64,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of a route.
#[derive(Debug, Clone, Default)]
pub struct RouteStatus {
    /// `parents`.
    pub parents: Vec<ParentStatus>,
}

/// The status of a BackendTLSPolicy.
#[derive(Debug, Clone, Default)]
pub struct PolicyStatus {
    /// `ancestors`.
    pub ancestors: Vec<ParentStatus>,
}

/// `status.parents[]` of a route, `status.ancestors[]` of a policy.
#[derive(Debug, Clone, Default)]
pub struct ParentStatus {
    /// `parentRef` or `ancestorRef`.
    pub parent: LocalRef,
    /// `controllerName`.
    pub controller_name: String,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of a pod.
#[derive(Debug, Clone, Default)]
pub struct PodStatus {
    /// `phase`.
    pub phase: String,
    /// `podIP` and `podIPs`.
    pub ips: Vec<String>,
    /// The Ready condition is True.
    pub ready: bool,
    /// The states of `spec.containers[]`, in the same order.
    pub containers: Vec<ContainerStatus>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// `status.containerStatuses[]` and `status.initContainerStatuses[]`.
#[derive(Debug, Clone, Default)]
pub struct ContainerStatus {
    /// `name`.
    pub name: String,
    /// `ready`.
    pub ready: bool,
    /// `restartCount`.
    pub restarts: i64,
    /// `waiting: CrashLoopBackOff`, `running`, `terminated: Error (1)`; empty where nothing is reported.
    pub state: String,
}

/// The status of a Deployment or DaemonSet.
#[derive(Debug, Clone, Default)]
pub struct WorkloadStatus {
    /// `readyReplicas` or `numberReady`.
    pub ready: i64,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of one of NGF's own kinds.
#[derive(Debug, Clone, Default)]
pub struct NgfStatus {
    /// `ancestors`, `controllers`, or `conditions` under an empty parent.
    pub parents: Vec<ParentStatus>,
}

/// The status of cert-manager's Certificate.
#[derive(Debug, Clone, Default)]
pub struct CertificateStatus {
    /// `notBefore`.
    pub not_before: Option<Timestamp>,
    /// `notAfter`.
    pub not_after: Option<Timestamp>,
    /// `renewalTime`.
    pub renewal_time: Option<Timestamp>,
    /// `revision`.
    pub revision: Option<i64>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
}

/// The status of cert-manager's Orders and Challenges.
#[derive(Debug, Clone, Default)]
pub struct AcmeStatus {
    /// `state`: pending, ready, processing, valid, invalid, expired, errored; empty before the first answer.
    pub state: String,
    /// `reason`.
    pub reason: String,
    /// `failureTime`, of an Order.
    pub failed: Option<Timestamp>,
}
