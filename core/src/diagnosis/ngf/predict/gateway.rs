//! Gateways (`state/graph/gateway.go`, `prepareGatewayRequest`).

mod faults;

use super::{Predicted, PredictedCondition, Predictor};
use crate::{
    diagnosis::{
        context::Context,
        ngf::{
            ClientCertificate, ListenerDecision, ListenerDecisions, known,
            listener::{decide_listeners, proxy_name},
        },
        words::condition,
    },
    model::{
        kind::Kind,
        kinds::{Gateway, LocalRef},
        object::{Object, ObjectRef},
    },
};

use faults::{experimental_certificate, frontend_fault, has_experimental_crds, loads};

/// What NGF makes of a Gateway and its listeners.
pub(super) struct GatewayDecision {
    /// Whether NGF takes it; `None` where something that decides is not known.
    pub(super) valid: Option<bool>,
    /// Conditions that make it invalid.
    faults: Vec<Predicted>,
    /// Its listeners and those of the ListenerSets that it takes; empty where it is not valid.
    pub(super) listeners: ListenerDecisions,
}

/// What NGF makes of a Gateway (`validateGateway`).
pub(super) fn decide(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    certificate: &ClientCertificate,
) -> GatewayDecision {
    let mut faults = Vec::new();
    let mut known = true;
    match class_is_valid(context, gateway) {
        Some(true) => {}
        Some(false) => faults.extend(invalid("Invalid", "Invalid", "The GatewayClass is invalid")),
        None => known = false,
    }
    let addresses = gateway.raw.pointer("/spec/addresses");
    for address in addresses
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
    {
        match address.get("type").and_then(serde_json::Value::as_str) {
            // The API server fills in IPAddress.
            None | Some("IPAddress") => {}
            Some(_) => faults.push(predicted(
                "Accepted",
                "False",
                "UnsupportedAddress",
                "Only AddressType IPAddress is supported",
            )),
        }
    }
    let release = context.running.release;
    let has_backend_tls = gateway.raw.pointer("/spec/tls/backend").is_some();
    if release.client_certificate_is_experimental() && has_backend_tls {
        match context.running.experimental {
            Some(false) => faults.extend(invalid(
                "UnsupportedValue",
                "UnsupportedValue",
                "spec.tls: Forbidden: tls.backend is not supported when experimental features are disabled",
            )),
            Some(true) if has_experimental_crds(context, gateway) => {
                match experimental_certificate(gateway, certificate) {
                    Ok(fault) => faults.extend(fault),
                    Err(Unknown) => known = false,
                }
            }
            _ => known = false,
        }
    }
    let valid = if faults.is_empty() {
        known.then_some(true)
    } else {
        Some(false)
    };
    let listeners = match valid {
        Some(true) => decide_listeners(context.snapshot, release, gateway),
        _ => ListenerDecisions::default(),
    };
    GatewayDecision {
        valid,
        faults,
        listeners,
    }
}

/// That something that decides is not known.
struct Unknown;

fn invalid(accepted: &'static str, programmed: &'static str, message: &str) -> [Predicted; 2] {
    [
        predicted("Accepted", "False", accepted, message),
        predicted("Programmed", "False", programmed, message),
    ]
}

fn predicted(
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: impl Into<String>,
) -> Predicted {
    Predicted {
        kind,
        status,
        reason,
        message: message.into(),
    }
}

/// Whether NGF takes the class, as far as its status says.
fn class_is_valid(context: &Context<'_>, gateway: &Object<Gateway>) -> Option<bool> {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = context.snapshot.gateway_classes.get(&class)?;
    let accepted = condition(&class.status.conditions, "Accepted")?;
    match (accepted.status.as_str(), accepted.reason.as_str()) {
        ("True", _) => Some(true),
        ("False", "UnsupportedVersion") => Some(false),
        _ => None,
    }
}

pub(super) fn predict(predictor: &Predictor<'_, '_>, name: &ObjectRef) -> Vec<PredictedCondition> {
    let context = predictor.context;
    let (Some((gateway, certificate)), Some(decision)) =
        (context.gateways.get(name), predictor.decisions.get(name))
    else {
        return Vec::new();
    };
    let release = context.running.release;
    let of = |listener: Option<&str>, condition: Predicted| PredictedCondition {
        parent: None,
        section: listener.map(str::to_owned),
        condition,
    };
    let mut own = match decision.valid {
        None => Vec::new(),
        Some(true) => own_conditions(predictor, gateway, &decision.listeners),
        Some(false) => faults(predictor, gateway, decision),
    };
    // What is said before NGF looks at the class is said in any case, but by a release that asks for more.
    let asks_for_more = release.client_certificate_is_experimental()
        && gateway.spec.client_certificate_ref.is_some();
    if !asks_for_more {
        own.extend(resolved_refs(context, gateway, certificate));
    }
    let loaded = loads(context, name);
    let listeners = decision.listeners.own.iter().flat_map(|listener| {
        let mut conditions = listener.conditions(release);
        if !loaded && !conditions.is_empty() {
            conditions.retain(|condition| condition.kind != "Programmed");
            conditions.push(predicted(
                "Programmed",
                "False",
                "Invalid",
                "The Listener is not programmed due to a failure to reload nginx with the configuration",
            ));
        }
        let conditions = conditions.into_iter();
        conditions.map(|condition| of(Some(&listener.name), condition))
    });
    let own = own.into_iter().map(|condition| of(None, condition));
    own.chain(listeners).collect()
}

/// The conditions of a Gateway that NGF does not take. Of several of one type the last one counts, which
/// need not be the gravest.
fn faults(
    predictor: &Predictor<'_, '_>,
    gateway: &Object<Gateway>,
    decision: &GatewayDecision,
) -> Vec<Predicted> {
    let fault = |kind: &str| decision.faults.iter().rfind(|fault| fault.kind == kind);
    let accepted = match accepted(predictor, gateway) {
        Some(ignored) if ignored.reason != "Accepted" => Some(ignored),
        Some(_) => fault("Accepted").cloned(),
        None => None,
    };
    let others = ["Programmed", "ResolvedRefs"].into_iter().filter_map(fault);
    accepted.into_iter().chain(others.cloned()).collect()
}

/// Accepted and Programmed of a Gateway that is valid.
fn own_conditions(
    predictor: &Predictor<'_, '_>,
    gateway: &Object<Gateway>,
    listeners: &ListenerDecisions,
) -> Vec<Predicted> {
    let context = predictor.context;
    let validity: Vec<Option<bool>> = listeners.own.iter().map(|found| found.valid).collect();
    let of_sets: Vec<&ListenerDecision> = listeners.sets.values().flatten().collect();
    let valid = validity
        .iter()
        .filter(|valid| **valid == Some(true))
        .count();
    let some_unknown =
        validity.contains(&None) || of_sets.iter().any(|found| found.valid.is_none());
    let of_sets = of_sets
        .iter()
        .filter(|found| found.valid == Some(true))
        .count();
    let all_invalid = valid == 0 && !validity.is_empty() && of_sets == 0;
    let mut all = Vec::new();
    if some_unknown {
        return all;
    }
    if all_invalid {
        return invalid(
            "ListenersNotValid",
            "Invalid",
            "The Gateway has no valid listeners",
        )
        .into();
    }
    match accepted(predictor, gateway) {
        _ if valid < validity.len() => all.push(predicted(
            "Accepted",
            "True",
            "ListenersNotValid",
            "The Gateway has at least one valid listener",
        )),
        Some(accepted) => all.push(accepted),
        None => {}
    }
    all.push(programmed(context, gateway));
    all
}

/// Accepted of a Gateway whose listeners are all valid; `None` where its NginxProxy decides.
fn accepted(predictor: &Predictor<'_, '_>, gateway: &Object<Gateway>) -> Option<Predicted> {
    let context = predictor.context;
    let release = context.running.release;
    match predictor
        .left_out
        .get(&gateway.reference)
        .map(Vec::as_slice)
    {
        None => {}
        Some([policy]) => {
            let message = format!(
                "Policies cannot be applied because the ancestor status list has reached the maximum size. The following policies have been ignored: BackendTLSPolicy {}",
                policy.path()
            );
            return Some(predicted(
                "Accepted",
                "False",
                "AncestorLimitReached",
                message,
            ));
        }
        // In which order it names several is left to chance.
        Some(_) => return None,
    }
    let ignored = |what: &str| {
        predicted(
            "Accepted",
            "True",
            "UnsupportedField",
            format!(
                "The Gateway is accepted but the following unsupported parameters were ignored: {what}"
            ),
        )
    };
    if let Some(reference) = &gateway.spec.parameters_ref {
        let message = parameters_fault(context, gateway, reference)?;
        let (status, text) = if release.rejects_parameters() {
            (
                "False",
                "The Gateway is not accepted due to an invalid ParametersRef",
            )
        } else {
            (
                "True",
                "The Gateway is accepted, but ParametersRef is ignored due to an error",
            )
        };
        let message = format!("{text}: {message}");
        return Some(predicted("Accepted", status, "InvalidParameters", message));
    }
    let has = |pointer: &str| gateway.raw.pointer(pointer).is_some();
    if release.knows_listener_sets() {
        if has("/spec/defaultScope") {
            return Some(ignored("spec.defaultScope: Forbidden: DefaultScope"));
        }
    } else if has("/spec/tls/frontend") || has("/spec/defaultScope") {
        return None;
    } else if has("/spec/allowedListeners") {
        return Some(ignored("AllowedListeners"));
    }
    Some(predicted(
        "Accepted",
        "True",
        "Accepted",
        "The Gateway is accepted",
    ))
}

/// What is wrong with `spec.infrastructure.parametersRef`; `None` where that is not known, which it is
/// not of an NginxProxy that exists.
fn parameters_fault(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    reference: &LocalRef,
) -> Option<String> {
    let path = "spec.infrastructure.parametersRef";
    let kind = reference.kind.as_deref().unwrap_or_default();
    let capital = context.running.release.resolves_backend_tls();
    let text = if kind == "NginxProxy" {
        let name = proxy_name(gateway, reference);
        if context.snapshot.ngf.contains_key(&name) {
            return None;
        }
        known::absence_is_proven(context.snapshot, &name).ok()?;
        format!("{path}.name: Not found: \"{}\"", reference.name)
    } else {
        format!("{path}.kind: Unsupported value: \"{kind}\": supported values: \"NginxProxy\"")
    };
    Some(if capital || kind != "NginxProxy" {
        text.replacen("spec", "Spec", 1)
    } else {
        text
    })
}

/// Addresses that cannot be used come last, and what nginx says of the configuration before them.
fn programmed(context: &Context<'_>, gateway: &Object<Gateway>) -> Predicted {
    let addresses = gateway.raw.pointer("/spec/addresses");
    let addresses = addresses.and_then(serde_json::Value::as_array);
    let mut said = None;
    for address in addresses.into_iter().flatten() {
        let value = address.get("value").and_then(serde_json::Value::as_str);
        match value.unwrap_or_default() {
            "" => {
                said = Some((
                    "AddressNotAssigned",
                    "Dynamically assigned addresses for the Gateway addresses field are not supported, value must be specified",
                ));
            }
            value => {
                let ip = value.parse::<std::net::IpAddr>();
                // `unusableGatewayIPAddress`, of the conformance tests.
                if ip.is_err() || value == "198.51.100.0" {
                    said = Some(("AddressNotUsable", "Invalid IP address"));
                }
            }
        }
    }
    if let Some((reason, message)) = said {
        return predicted("Programmed", "False", reason, message);
    }
    if loads(context, &gateway.reference) {
        predicted(
            "Programmed",
            "True",
            "Programmed",
            "The Gateway is programmed",
        )
    } else {
        predicted(
            "Programmed",
            "False",
            "Invalid",
            "The Gateway is not programmed due to a failure to reload nginx with the configuration",
        )
    }
}

/// `validateGatewayRefs`: only a Gateway with a reference has the condition.
fn resolved_refs(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    certificate: &ClientCertificate,
) -> Option<Predicted> {
    let no = |reason, message: &str| Some(predicted("ResolvedRefs", "False", reason, message));
    let release = context.running.release;
    if let Some(message) = frontend_fault(context, gateway) {
        return no("RefNotPermitted", &message);
    }
    if let ClientCertificate::Refused {
        reason, message, ..
    } = certificate
    {
        return no(reason, message);
    }
    let parameters = gateway.spec.parameters_ref.as_ref();
    let has_backend_tls = gateway.raw.pointer("/spec/tls/backend").is_some();
    if let Some(reference) = parameters {
        let fault = parameters_fault(context, gateway, reference)?;
        let is_missing = reference.kind.as_deref() == Some("NginxProxy");
        if !release.resolves_backend_tls() && is_missing {
            return no(
                "ParametersRefNotFound",
                "The ParametersRef resource could not be found",
            );
        }
        return no("ParametersRefInvalid", &fault);
    }
    if !release.resolves_backend_tls()
        || !has_backend_tls
        || matches!(certificate, ClientCertificate::Unknown { .. })
    {
        return None;
    }
    Some(predicted(
        "ResolvedRefs",
        "True",
        "ResolvedRefs",
        "The referenced resources are resolved",
    ))
}
