//! What makes a policy valid.

use serde_json::json;

use super::super::bundle::{create_and_trust, create_ca, trust_ca};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::Remedy,
        ngf::{PolicyFault, known, resolve::Fault},
        rules::change,
        rules::shared::writer,
        words::list,
    },
    model::{
        kind::Kind,
        kinds::BackendTLSPolicy,
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(super) fn invalid_remedy(
    context: &Context<'_>,
    policy: &Object<BackendTLSPolicy>,
    fault: &PolicyFault,
    policies: usize,
) -> Remedy {
    let namespace = &policy.reference.namespace;
    let Some((object, what)) = &fault.culprit else {
        return match fault.code {
            Code::P2 if let Some(name) = change::hostname_meant(&policy.spec.hostname) => {
                change::hostname(
                    &format!("Write the name alone, in lower case: {name}."),
                    &policy.reference,
                    &name,
                )
            }
            Code::P5 if let Some(remedy) = ca_kind(context, policy) => remedy,
            Code::P2 => Remedy::yaml(
                "Name what the backend's certificate carries.",
                "spec:\n  validation:\n    hostname: NAME.IN.THE.CERTIFICATE\n",
            ),
            _ => match change::ca_of_mounted(context, policy) {
                Some(remedy) => remedy,
                None => create_and_trust(
                    context,
                    &policy.reference,
                    "the CA that signs the backend's certificate",
                ),
            },
        };
    };
    let name = &object.name;
    let is_to_come = matches!(what, Fault::DoesNotExist) && writer(context, object).is_some();
    let lacks_ca = matches!(what, Fault::DoesNotExist | Fault::NoCa);
    match what {
        _ if lacks_ca
            && policies == 1
            && !is_to_come
            && let Some(remedy) = change::ca_of_mounted(context, policy) =>
        {
            remedy
        }
        // What names the same CA in one policy is no repair of another.
        Fault::WrongType
            if policies == 1
                && let Some(remedy) = change::same_ca(context, &policy.reference, object) =>
        {
            remedy
        }
        Fault::WrongType if ca_key(context, object).is_none() => Remedy::say(format!(
            "Create a ConfigMap with the CA under the key ca.crt, and name that in {}. {object} has no ca.crt{}: take the CA from whoever issues its certificate.",
            policy.reference,
            keys_of(context, object)
        )),
        Fault::WrongType => Remedy::command(
            "Copy the CA into a ConfigMap and name that in the policy.",
            Command::kubectl(namespace)
                .words(["get"])
                .object(object)
                .data_key(&ca_key(context, object).unwrap_or_default())
                .pipe(Command::new("base64").words(["-d"]))
                .write_to("ca.crt")
                .then(create_ca(namespace, name))
                .then(trust_ca(&policy.reference, name)),
        ),
        Fault::DoesNotExist if writer(context, object).is_some() => Remedy::say(
            "Find out why cert-manager has not written it; NGF recovers when it appears.",
        ),
        Fault::BrokenCa => Remedy::say(format!(
            "Let the ca.crt of {object} begin with the CA's certificate in PEM, with a key that NGF reads: RSA, P-256, P-384, P-521 or Ed25519."
        )),
        Fault::NoCa => Remedy::command(
            "Put the CA under the key ca.crt.",
            apply_ca(namespace, name),
        ),
        Fault::DoesNotExist if object.kind == Kind::Secret => Remedy::say(format!(
            "Create {object} as kubernetes.io/tls with the CA as ca.crt, or name what exists: a ConfigMap with ca.crt does, too."
        )),
        _ if object.kind == Kind::ConfigMap => Remedy::command(
            format!("Create {object} with the CA under the key ca.crt."),
            apply_ca(namespace, name),
        ),
        _ => Remedy::say(format!(
            "Give {object} the type kubernetes.io/tls, a tls.crt with its tls.key, and the CA as ca.crt; or name a ConfigMap with ca.crt."
        )),
    }
}

fn apply_ca(namespace: &str, name: &str) -> Command {
    create_ca(namespace, name)
        .words(["--dry-run=client", "-o", "yaml"])
        .pipe(Command::new("kubectl").words(["apply", "-f", "-"]))
}

/// The key of a Secret that holds its CA, by its name: `ca.crt`, or the only one that is called after a
/// CA. A certificate's own key, such as `tls.crt` or `public.crt`, is none.
fn ca_key(context: &Context<'_>, secret: &ObjectRef) -> Option<String> {
    let Lookup::Found(found) = known::secret(context.snapshot, secret) else {
        // What is not known may have what most have.
        return Some("ca.crt".to_owned());
    };
    let keys = &found.spec.keys;
    if keys.contains_key("ca.crt") {
        return Some("ca.crt".to_owned());
    }
    let is_ca = |key: &&String| {
        let name = key.to_ascii_lowercase();
        let mut words = name.split(['.', '-', '_']);
        words.any(|word| matches!(word, "ca" | "cacert" | "cacerts" | "root" | "rootca"))
            && !name.contains("key")
    };
    let mut named = keys.keys().filter(is_ca);
    match (named.next(), named.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// `, only public.crt and private.key`.
fn keys_of(context: &Context<'_>, secret: &ObjectRef) -> String {
    match known::secret(context.snapshot, secret) {
        Lookup::Found(found) if !found.spec.keys.is_empty() => {
            format!(", only {}", list(found.spec.keys.keys(), 4))
        }
        _ => String::new(),
    }
}

/// The reference to a CA as it is meant, where only one object can be: its group is wrong, or its
/// kind is and one object of its name is there.
fn ca_kind(context: &Context<'_>, policy: &Object<BackendTLSPolicy>) -> Option<Remedy> {
    let [reference] = policy.spec.ca_certificate_refs.as_slice() else {
        return None;
    };
    let of = |kind| ObjectRef::new(kind, &policy.reference.namespace, &reference.name);
    let kind = match reference.kind.as_deref() {
        Some("Secret") => Kind::Secret,
        Some("ConfigMap") => Kind::ConfigMap,
        _ => {
            let secret = change::secret_exists(context, &of(Kind::Secret));
            let config_map = matches!(
                context.snapshot.config_maps.get(&of(Kind::ConfigMap)),
                Some(Lookup::Found(_))
            );
            match (secret, config_map) {
                (true, false) => Kind::Secret,
                (false, true) => Kind::ConfigMap,
                _ => return None,
            }
        }
    };
    let right = json!({"group": "", "kind": kind.name(), "name": reference.name});
    Some(Remedy::merge(
        format!("Name {}, of the core group.", of(kind)),
        &policy.reference,
        json!({"spec": {"validation": {"caCertificateRefs": [right]}}}),
    ))
}
