//! Gateways (`state/graph/gateway.go`, `prepareGatewayRequest`).

use std::collections::BTreeSet;

use super::{Predicted, PredictedCondition, Predictor};
use crate::{
    diagnosis::{
        context::Context,
        ngf::{ClientCertificate, known},
        plan::TrustSource,
        words::condition,
    },
    model::{
        kind::Kind,
        kinds::{Gateway, PemFacts},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(super) fn predict(predictor: &Predictor<'_, '_>, name: &ObjectRef) -> Vec<PredictedCondition> {
    let context = predictor.context;
    let Some((gateway, certificate)) = context.gateways.get(name) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    match class_is_valid(context, gateway) {
        Some(false) => {
            for kind in ["Accepted", "Programmed"] {
                all.push(said(
                    kind,
                    "False",
                    "Invalid",
                    "The GatewayClass is invalid",
                ));
            }
        }
        Some(true) if is_plain(gateway) => {
            all.push(said(
                "Accepted",
                "True",
                "Accepted",
                "The Gateway is accepted",
            ));
            all.push(if loads(context, name) {
                said("Programmed", "True", "Programmed", "The Gateway is programmed")
            } else {
                said(
                    "Programmed",
                    "False",
                    "Invalid",
                    "The Gateway is not programmed due to a failure to reload nginx with the configuration",
                )
            });
        }
        _ => {}
    }
    // Whether the controller was started with experimental features is not known.
    if !context.running.release.client_certificate_is_experimental() {
        all.extend(resolved_refs(gateway, certificate));
    }
    all
}

fn said(
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: impl Into<String>,
) -> PredictedCondition {
    PredictedCondition {
        parent: None,
        section: None,
        condition: Predicted {
            kind,
            status,
            reason,
            message: message.into(),
        },
    }
}

/// Whether NGF takes the class, as far as its status says.
fn class_is_valid(context: &Context<'_>, gateway: &Object<Gateway>) -> Option<bool> {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = context.snapshot.gateway_classes.get(&class)?;
    let accepted = condition(&class.spec.conditions, "Accepted")?;
    match (accepted.status.as_str(), accepted.reason.as_str()) {
        ("True", _) => Some(true),
        ("False", "UnsupportedVersion") => Some(false),
        _ => None,
    }
}

/// Whether all listeners are of the sort that nothing else can make invalid, and nothing that NGF
/// does not know is asked for.
fn is_plain(gateway: &Object<Gateway>) -> bool {
    let mut seen = BTreeSet::new();
    let listeners = gateway.spec.listeners.iter().all(|listener| {
        listener.protocol == "HTTP" && seen.insert((listener.port, listener.hostname.clone()))
    });
    let unusual = [
        "/spec/addresses",
        "/spec/defaultScope",
        "/spec/tls/frontend",
    ];
    let usual = unusual
        .iter()
        .all(|pointer| gateway.raw.pointer(pointer).is_none());
    listeners
        && usual
        && !gateway.spec.listeners.is_empty()
        && gateway.spec.parameters_ref.is_none()
}

/// Whether nginx can load what the Gateway's policies name (P8, P9).
fn loads(context: &Context<'_>, gateway: &ObjectRef) -> bool {
    context.policy_users.keys().all(|policy| {
        let trust = context
            .policies
            .get(*policy)
            .and_then(|(_, decision)| match decision {
                crate::diagnosis::ngf::PolicyDecision::Valid(trust) => Some(trust),
                _ => None,
            });
        let Some(TrustSource::Object { object, .. }) = trust else {
            return true;
        };
        let ca = match (
            known::secret(context.snapshot, object),
            known::config_map(context.snapshot, object),
        ) {
            (Lookup::Found(secret), _) => &secret.spec.ca,
            (_, Lookup::Found(map)) => &map.spec.ca,
            _ => return true,
        };
        let broken = matches!(
            ca,
            PemFacts::Missing
                | PemFacts::Certificates {
                    trailing: Some(_),
                    ..
                }
        );
        !broken || !context.gateways_using(policy).contains(gateway)
    })
}

/// `validateGatewayRefs`: only a Gateway with a reference has the condition.
fn resolved_refs(
    gateway: &Object<Gateway>,
    certificate: &ClientCertificate,
) -> Option<PredictedCondition> {
    match certificate {
        ClientCertificate::Refused {
            reason, message, ..
        } => Some(said("ResolvedRefs", "False", reason, message)),
        // An NginxProxy may be invalid in ways that are not known here.
        ClientCertificate::Presented(_) if gateway.spec.parameters_ref.is_none() => Some(said(
            "ResolvedRefs",
            "True",
            "ResolvedRefs",
            "The referenced resources are resolved",
        )),
        _ => None,
    }
}
