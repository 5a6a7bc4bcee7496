//! What NGF says of the certificates and CAs of a Gateway's listeners.

use std::collections::BTreeSet;

use super::super::Predicted;
use crate::{
    diagnosis::{
        context::Context,
        ngf::{ClientCertificate, frontend, known},
        plan::TrustSource,
        words::condition,
    },
    model::{
        kind::Kind,
        kinds::{Gateway, PemFacts},
        object::{Object, ObjectRef},
    },
};

use super::{Unknown, predicted};

/// Whether the CRDs are of the experimental channel, which NGF 2.4 asks for besides the flag: those that
/// it was built for have the field in that channel alone.
pub(super) fn has_experimental_crds(context: &Context<'_>, gateway: &Object<Gateway>) -> bool {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    let class = context.snapshot.gateway_classes.get(&class);
    let supported = class.and_then(|class| condition(&class.status.conditions, "SupportedVersion"));
    supported.is_some_and(|supported| supported.status == "True")
}

/// What NGF 2.4 makes of the client certificate, which makes the whole Gateway invalid (`validateGateway`).
pub(super) fn experimental_certificate(
    gateway: &Object<Gateway>,
    certificate: &ClientCertificate,
) -> Result<Option<Predicted>, Unknown> {
    let ClientCertificate::Refused {
        reason,
        message,
        secret,
        ..
    } = certificate
    else {
        let unknown = matches!(certificate, ClientCertificate::Unknown { .. });
        return if unknown { Err(Unknown) } else { Ok(None) };
    };
    // Kind and group it does not look at.
    let secret = secret.as_ref().ok_or(Unknown)?;
    let (reason, message) = match *reason {
        "RefNotPermitted" => ("SecretRefNotPermitted", message.clone()),
        // Whether there is a grant counts as well.
        _ if secret.namespace != gateway.reference.namespace => return Err(Unknown),
        _ => (
            "SecretRefInvalid",
            message.replacen("Spec.tls.backend", "backend", 1),
        ),
    };
    Ok(Some(predicted("ResolvedRefs", "False", reason, message)))
}

/// Whether nginx can load what the Gateway's policies name: a CA file that NGF writes (R1, R5, R7), and
/// one that holds certificates (P7, P8, P9).
pub(super) fn loads(context: &Context<'_>, gateway: &ObjectRef) -> bool {
    if context.unloadable(gateway).next().is_some() || lacks_frontend_file(context, gateway) {
        return false;
    }
    let refusing = context
        .refusing
        .get_or_init(|| with_broken_bundles(context));
    !refusing.contains(gateway)
}

/// The Gateways whose nginx cannot load the CA file of a policy.
fn with_broken_bundles(context: &Context<'_>) -> BTreeSet<ObjectRef> {
    let policies = context.policies_in_use();
    let broken = policies.filter(|policy| is_broken(context, policy));
    let gateways = broken.flat_map(|policy| context.gateways_using(policy));
    gateways.cloned().collect()
}

fn is_broken(context: &Context<'_>, policy: &ObjectRef) -> bool {
    let trust = context
        .policies
        .get(policy)
        .and_then(|(_, decision)| match decision {
            crate::diagnosis::ngf::PolicyDecision::Valid(trust) => Some(trust),
            _ => None,
        });
    let Some(TrustSource::Object { object, .. }) = trust else {
        return false;
    };
    let Some(ca) = known::ca(context.snapshot, object) else {
        return false;
    };
    let broken = matches!(
        ca,
        PemFacts::Missing
            | PemFacts::Broken(_)
            | PemFacts::Certificates {
                trailing: Some(_),
                ..
            }
    );
    broken || frontend::is_opaque(context.snapshot, object)
}

/// Whether a listener names a file with the CAs of its clients that NGF does not write (L2), or that nginx cannot load
/// (L10).
fn lacks_frontend_file(context: &Context<'_>, gateway: &ObjectRef) -> bool {
    let Some((found, _)) = context.gateways.get(gateway) else {
        return false;
    };
    let release = context.running.release;
    let listeners = context.listeners(gateway).into_iter();
    let https = listeners.filter(|(_, listener)| listener.protocol == "HTTPS");
    https
        .filter_map(|(_, listener)| {
            frontend::demand(context.snapshot, release, found, listener.port)
        })
        .any(|demand| demand.lacks_file() || demand.unloadable(context.snapshot).is_some())
}

/// What NGF says of the CAs of the Gateway's clients that are not granted; it says so after what it says of
/// the client certificate, and the last one counts (`resolveCrossNamespaceRefGrant`).
pub(super) fn frontend_fault(context: &Context<'_>, gateway: &Object<Gateway>) -> Option<String> {
    let release = context.running.release;
    let https = gateway.spec.listeners.iter();
    let https = https.filter(|listener| listener.protocol == "HTTPS");
    https
        .filter_map(|listener| frontend::demand(context.snapshot, release, gateway, listener.port))
        .flat_map(|demand| demand.cas)
        .filter(|ca| ca.fault == Ok(Some(frontend::CaFault::NotGranted)))
        .filter_map(|ca| ca.object)
        .next_back()
        .map(|object| {
            let kind = object.kind.name().to_ascii_lowercase();
            format!(
                "{kind} ref {} not permitted by any ReferenceGrant",
                object.path()
            )
        })
}
