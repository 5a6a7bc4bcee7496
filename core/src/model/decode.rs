//! Reads objects leniently: from what the API server or a file gives to what the tool understands.
//!
//! Nothing here fails but for an object without a name. What a field should not hold becomes a
//! [`Note`] with the field's path, the rest of the object is read all the same, and every bound
//! (depth, length of lists and texts, number of notes) is said in a note where it was met.
//!
//! No text with control characters leaves this module, in [`Object::raw`] neither; line feeds and
//! tabs remain in `raw` only.

use std::sync::Arc;

use super::{
    clean, facts,
    kind::Kind,
    kinds::{
        BackendTLSPolicy, Certificate, CertificateRequest, Challenge, ConfigMapFacts,
        EndpointSlice, Event, Gateway, GatewayClass, Issuer, ListenerSet, NgfResource, Order, Pod,
        ReferenceGrant, Route, SecretFacts, Service, TrustBundle, Workload,
    },
    network::NetworkPolicy,
    object::{Note, NoteKind, Object, ObjectRef},
    raw::Raw,
    snapshot::Problem,
    table::{TableName, for_every_table},
};
use reader::{Field, Reader};

mod acme;
mod cert_manager;
mod core;
mod fields;
mod gateway;
mod incoming;
mod meta;
mod network;
mod policy;
mod reader;
mod route;
#[cfg(test)]
mod tests;
mod trust_manager;
mod weight;

pub(crate) use incoming::Bounds;
pub use incoming::{Incoming, Parsed};
pub use weight::Weight;

/// Keys of a Secret or ConfigMap of which it is told that they are wrong.
const MAX_WRONG: usize = 1_000;
/// Bytes of a name (RFC 1123).
pub const MAX_NAME: usize = 253;

macro_rules! decoded {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
        /// An object of some kind, read.
        #[derive(Debug, Clone)]
        #[allow(missing_docs)] // the names are the kinds' own
        pub enum Decoded {
            $($variant(Object<$spec>),)*
            Event(Object<Event>),
            Secret(Object<SecretFacts>),
            ConfigMap(Object<ConfigMapFacts>),
        }

        impl Decoded {
            /// Which object it is.
            pub fn reference(&self) -> &ObjectRef {
                match self {
                    $(Self::$variant(object) => &object.reference,)*
                    Self::Event(object) => &object.reference,
                    Self::Secret(object) => &object.reference,
                    Self::ConfigMap(object) => &object.reference,
                }
            }

            /// What the tool did not understand in it.
            pub fn notes(&self) -> &[Note] {
                match self {
                    $(Self::$variant(object) => &object.notes,)*
                    Self::Event(object) => &object.notes,
                    Self::Secret(object) => &object.notes,
                    Self::ConfigMap(object) => &object.notes,
                }
            }
        }
    };
}

for_every_table!(decoded);

/// Reads an object of a known kind. `default_namespace` is the namespace of an object that names
/// none, as `kubectl apply -n` has it; objects from an API server always name theirs.
///
/// # Errors
/// Where it is no object, or has no name: there is nothing to hang the rest on.
pub fn object<'t>(
    kind: Kind,
    value: impl Into<Parsed<'t>>,
    default_namespace: &str,
) -> Result<Decoded, Box<Problem>> {
    read(kind, value.into(), default_namespace)
}

fn read(
    kind: Kind,
    Parsed { mut value, cut }: Parsed<'_>,
    default_namespace: &str,
) -> Result<Decoded, Box<Problem>> {
    let secret = (kind == Kind::Secret).then(|| facts::secret(&mut value));
    let config_map = (kind == Kind::ConfigMap).then(|| facts::config_map(&value));
    let cleaned = clean::clean_value(&mut value);
    let reader = Reader::new(&value);
    let root = reader.root();
    if !root.is_object() {
        return Err(Box::new(unnamed(kind, "is no object", reader.into_notes())));
    }
    let meta = meta::meta(root);
    let Some((namespace, name)) = meta::name(root) else {
        let problem = unnamed(kind, "has no metadata.name", reader.into_notes());
        return Err(Box::new(problem));
    };
    let namespace = namespace.unwrap_or_else(|| default_namespace.to_owned());
    if name.len().max(namespace.len()) > MAX_NAME {
        let what =
            format!("has a name longer than {MAX_NAME} bytes, which Kubernetes does not allow");
        let problem = unnamed(kind, &what, reader.into_notes());
        return Err(Box::new(problem));
    }
    let reference = ObjectRef::new(kind, namespace, name);
    meta::check_version(kind, root);
    if cleaned {
        root.malformed("holds control characters; each is shown as \u{fffd}".to_owned());
    }
    if cut {
        root.malformed("is nested too deeply; what lies below is left out".to_owned());
    }
    fields::check(kind, &reader);

    macro_rules! decoded {
        ($variant:ident, $spec:expr) => {
            decoded!($variant, $spec, ())
        };
        ($variant:ident with conditions, $spec:expr) => {
            decoded!($variant, $spec, meta::status_conditions(root))
        };
        ($variant:ident, $spec:expr, $status:expr) => {{
            let (spec, status) = ($spec, $status);
            Decoded::$variant(Object {
                reference,
                meta,
                notes: reader.into_notes(),
                raw: Arc::new(Raw::of(&value)),
                spec,
                status,
            })
        }};
    }
    Ok(match kind.table() {
        TableName::GatewayClass => {
            decoded!(GatewayClass with conditions, gateway::gateway_class(root))
        }
        TableName::Gateway => decoded!(
            Gateway,
            gateway::gateway(root),
            gateway::listeners_status(root)
        ),
        TableName::ListenerSet => decoded!(
            ListenerSet,
            gateway::listener_set(root),
            gateway::listeners_status(root)
        ),
        TableName::Route => decoded!(Route, route::route(kind, root), route::route_status(root)),
        TableName::BackendTLSPolicy => decoded!(
            BackendTLSPolicy,
            policy::backend_tls_policy(root),
            policy::policy_status(root)
        ),
        TableName::ReferenceGrant => decoded!(ReferenceGrant, policy::reference_grant(root)),
        TableName::Service => decoded!(Service, core::service(root)),
        TableName::EndpointSlice => {
            decoded!(EndpointSlice, core::endpoint_slice(root, &reference, &meta))
        }
        TableName::Pod => decoded!(Pod, core::pod(root, &reference), core::pod_status(root)),
        TableName::Workload => decoded!(
            Workload,
            core::workload(kind, root, &reference),
            core::workload_status(kind, root)
        ),
        TableName::NetworkPolicy => decoded!(NetworkPolicy, network::network_policy(root)),
        TableName::Ngf => decoded!(Ngf, policy::ngf_resource(root), policy::ngf_status(root)),
        TableName::Issuer => decoded!(Issuer with conditions, cert_manager::issuer(root)),
        TableName::Certificate => decoded!(
            Certificate,
            cert_manager::certificate(root),
            cert_manager::certificate_status(root)
        ),
        TableName::CertificateRequest => {
            decoded!(CertificateRequest with conditions, cert_manager::request(root))
        }
        TableName::Order => decoded!(Order, acme::order(root), acme::status(root)),
        TableName::Challenge => decoded!(Challenge, acme::challenge(root), acme::status(root)),
        TableName::TrustBundle => {
            decoded!(TrustBundle with conditions, trust_manager::bundle(kind, root))
        }
        TableName::Event => decoded!(Event, core::event(root)),
        TableName::Secret => decoded!(Secret, noted(root, secret.unwrap_or_default())),
        TableName::ConfigMap => decoded!(ConfigMap, noted(root, config_map.unwrap_or_default())),
    })
}

/// Facts that were taken from the object before it was cleaned, with what was wrong.
fn noted<T>(root: Field<'_>, (spec, wrong): (T, Vec<facts::Wrong>)) -> T {
    // Fewer notes are kept than are looked at.
    for facts::Wrong {
        field,
        key,
        message,
    } in wrong.into_iter().take(MAX_WRONG)
    {
        let field = root.get(field);
        match key.as_deref().map(|key| field.get(key)) {
            Some(value) if value.is_present() => value.malformed(message),
            Some(_) | None => field.malformed(message),
        }
    }
    spec
}

fn unnamed(kind: Kind, what: &str, notes: Vec<Note>) -> Problem {
    Problem {
        place: kind.to_string(),
        message: format!("a {kind} {what}; it is left out"),
        notes: notes
            .into_iter()
            .filter(|note| matches!(note.kind, NoteKind::Malformed | NoteKind::Missing))
            .collect(),
    }
}
