//! What clients get for a backend that NGF refuses (`nginx/config/servers.go`, `nginx/config/upstreams.go`,
//! `state/dataplane/configuration.go`).
//!
//! NGF sends the requests for such a backend to a plain server of its own, which answers 500. Two things
//! are decided without asking whether a backend is refused, and they do not fit together: the scheme and the
//! CA file of the location come from the first backend with a policy, refused or not
//! (`createProxyTLSFromBackends`); the CA file is written for accepted backends only (`buildCertBundles`).

use std::{collections::BTreeSet, fmt};

use super::{
    backend::{BackendDecision, BackendState, RuleDecision},
    bundle_file,
    frontend::is_opaque,
    resolver::has_resolver,
};
use crate::{
    diagnosis::plan::TrustSource,
    model::{
        kind::Kind,
        kinds::{BackendTLSPolicy, Gateway},
        object::{Object, ObjectRef},
        snapshot::Snapshot,
    },
};

/// What clients get for a backend that NGF refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// 500, from NGF's own server.
    Status500,
    /// No status: the route is a stream, and nginx closes the connection.
    Closed,
    /// 502: the rule's location speaks TLS, and NGF's own server for 500 does not.
    Status502 {
        /// The policy that makes it speak TLS.
        policy: ObjectRef,
    },
    /// Nothing of what the Gateway was given last: nginx refuses the configuration, because the location
    /// names a CA file that NGF does not write.
    NotLoaded {
        /// The policy that names the CA.
        policy: ObjectRef,
        /// The CA's Secret or ConfigMap.
        object: ObjectRef,
        /// The file.
        file: String,
    },
}

/// The CA bundles that NGF writes for a Gateway (`buildCertBundles`), by their path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written(BTreeSet<String>);

impl Written {
    /// Collects what the rules of a Gateway need.
    pub fn of<'d, 'a: 'd>(
        snapshot: &Snapshot,
        gateway: &Object<Gateway>,
        rules: impl IntoIterator<Item = &'d RuleDecision<'a>>,
    ) -> Self {
        let mut files = BTreeSet::new();
        for rule in rules {
            for backend in &rule.backends {
                if let BackendState::Tls {
                    policy,
                    trust: TrustSource::Object { object, .. },
                    ..
                } = &backend.state
                    && is_accepted(snapshot, gateway, rule, backend)
                    && !limit_reached(gateway, policy)
                    && !is_opaque(snapshot, object)
                {
                    files.insert(bundle_file(&object.namespace, &object.name));
                }
            }
        }
        Self(files)
    }

    /// Whether NGF writes a file.
    pub fn contains(&self, file: &str) -> bool {
        self.0.contains(file)
    }
}

/// Whether NGF accepts a backend for a Gateway. A mirror is a route of its own, so that a mismatch of the
/// rule's policies does not reach it (`buildHTTPMirrorRoutes`).
pub fn is_accepted(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    rule: &RuleDecision<'_>,
    backend: &BackendDecision<'_>,
) -> bool {
    (!rule.mismatch || backend.filter)
        && rule.barred.is_none()
        && matches!(
            backend.state,
            BackendState::Plain | BackendState::Tls { .. } | BackendState::Unknown(_)
        )
        && !lacks_resolver(snapshot, gateway, backend)
}

/// R7: whether a backend is an ExternalName Service that the Gateway's nginx cannot resolve.
pub fn lacks_resolver(
    snapshot: &Snapshot,
    gateway: &Object<Gateway>,
    backend: &BackendDecision<'_>,
) -> bool {
    backend
        .port
        .is_some_and(|(service, _)| service.spec.service_type == "ExternalName")
        && has_resolver(snapshot, gateway) == Some(false)
}

/// The policy by which the location of a rule speaks TLS, with its CA (`createProxyTLSFromBackends`); none where the
/// location answers 500 and nothing else (`updateLocation`).
pub fn location_policy<'d, 'a>(
    gateway: &Object<Gateway>,
    rule: &'d RuleDecision<'a>,
) -> Option<(&'a Object<BackendTLSPolicy>, &'d TrustSource)> {
    rule.backends
        .iter()
        .filter(|backend| !backend.filter && rule.barred.is_none())
        .filter_map(|backend| match &backend.state {
            BackendState::Tls { policy, trust, .. } => Some((*policy, trust)),
            BackendState::Invalid(fault) => {
                fault.kept.as_ref().map(|(policy, trust)| (*policy, trust))
            }
            BackendState::Plain | BackendState::Unknown(_) => None,
        })
        .find(|(policy, _)| !limit_reached(gateway, policy))
}

/// The CA file that the location of a rule names and NGF does not write, with the policy and the CA.
pub fn missing_file<'a>(
    gateway: &Object<Gateway>,
    rule: &RuleDecision<'a>,
    written: &Written,
) -> Option<(&'a Object<BackendTLSPolicy>, ObjectRef, String)> {
    let (policy, trust) = location_policy(gateway, rule)?;
    let TrustSource::Object { object, .. } = trust else {
        return None;
    };
    let file = bundle_file(&object.namespace, &object.name);
    (!written.contains(&file)).then(|| (policy, object.clone(), file))
}

/// What clients of a route get for a backend of a rule that NGF refuses.
pub fn answer(
    gateway: &Object<Gateway>,
    route: Kind,
    rule: &RuleDecision<'_>,
    written: &Written,
) -> Answer {
    if matches!(route, Kind::TLSRoute | Kind::TCPRoute | Kind::UDPRoute) {
        return Answer::Closed;
    }
    if let Some((policy, object, file)) = missing_file(gateway, rule, written) {
        return Answer::NotLoaded {
            policy: policy.reference.clone(),
            object,
            file,
        };
    }
    match location_policy(gateway, rule) {
        Some((policy, _)) => Answer::Status502 {
            policy: policy.reference.clone(),
        },
        None => Answer::Status500,
    }
}

/// P14: NGF says so in the Gateway's conditions, with the policies' names.
pub fn limit_reached(gateway: &Object<Gateway>, policy: &Object<BackendTLSPolicy>) -> bool {
    gateway.status.conditions.iter().any(|condition| {
        condition.reason == "AncestorLimitReached"
            && condition
                .message
                .split([' ', ','])
                .any(|word| word == policy.reference.path())
    })
}

/// With nginx as the subject: `it answers 500`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status500 => "it answers 500",
            Self::Closed => "it closes the client's connection",
            Self::Status502 { .. } => "it answers 502",
            Self::NotLoaded { .. } => "it cannot load the Gateway's configuration",
        })
    }
}
