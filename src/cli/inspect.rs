//! `chain --inspect`: one Secret, ConfigMap or file.

use std::{fs, io::Read, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ngf_core::model::{
    decode::Decoded,
    facts,
    kind::Kind,
    kinds::{PemFacts, SecretFacts},
    object::ObjectRef,
    snapshot::Lookup,
};
use ngf_tls::certificate::CertificateFacts;
use zeroize::Zeroizing;

use super::{
    CliError, EXIT_FOUND, EXIT_OK,
    args::{ChainArgs, InputArgs},
    check::style,
    connect_within,
    fix::object_named,
    output,
};
use crate::{
    files,
    report::{self, certificates::Inspection, clean},
};

/// Bytes of a file: more than a Secret may hold.
const MOST: u64 = 1 << 20;

/// Runs it. What is there and named `KIND/NAME` like an object is a file only where such a file exists.
pub(super) async fn run(input: &InputArgs, args: &ChainArgs, what: &str) -> Result<u8, CliError> {
    let at = args.at.unwrap_or_else(Timestamp::now);
    let kind = what.split_once('/').and_then(|(kind, _)| Kind::parse(kind));
    let is_object =
        matches!(kind, Some(Kind::Secret | Kind::ConfigMap)) && !Path::new(what).is_file();
    let inspection = if is_object {
        of_object(input, args, what, at).await?
    } else if what.contains('/') && kind.is_some() && !Path::new(what).exists() {
        return Err(format!(
            "{} holds no certificates: write secret/NAME, configmap/NAME or the name of a file",
            clean(what)
        )
        .into());
    } else {
        of_file(Path::new(what), at)?
    };
    let text = match report::shaped(&inspection, &args.output)? {
        Some(text) => text,
        None => inspection.text(style()),
    };
    output::print(&text)?;
    Ok(if inspection.is_wrong() {
        EXIT_FOUND
    } else {
        EXIT_OK
    })
}

async fn of_object(
    input: &InputArgs,
    args: &ChainArgs,
    what: &str,
    at: Timestamp,
) -> Result<Inspection, CliError> {
    if !input.files.is_empty() {
        let namespace = input.namespace.as_deref().unwrap_or("default");
        let object = object_named(what, namespace)?;
        let snapshot = files::read(&input.files, namespace);
        super::check::tell_problems(&snapshot);
        return match (
            snapshot.secrets.get(&object),
            snapshot.config_maps.get(&object),
        ) {
            (Some(Lookup::Found(found)), _) => Ok(of_secret(&object, &found.spec, at)),
            (_, Some(Lookup::Found(found))) => {
                Ok(of_map(&object, &found.spec.ca, &found.spec.keys, at))
            }
            _ => Err(format!("{object} is not in the files").into()),
        };
    }
    let cluster = connect_within(input, args.timeout).await?;
    let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace());
    let object = object_named(what, namespace)?;
    match cluster.look_up(&object).await {
        Lookup::Found(found) => match &*found {
            Decoded::Secret(found) => Ok(of_secret(&object, &found.spec, at)),
            Decoded::ConfigMap(found) => Ok(of_map(&object, &found.spec.ca, &found.spec.keys, at)),
            _ => Err(format!("{object} holds no certificates").into()),
        },
        Lookup::Absent => Err(super::target::not_found(&object).into()),
        Lookup::Unknown(why) => Err(format!("cannot read {object}: {why}").into()),
    }
}

fn of_secret(object: &ObjectRef, facts: &SecretFacts, at: Timestamp) -> Inspection {
    let parts = [("tls.crt", &facts.certificate), ("ca.crt", &facts.ca)];
    Inspection::of(
        &object.to_string(),
        facts,
        Some(&facts.secret_type),
        &parts,
        at,
    )
}

fn of_map(
    object: &ObjectRef,
    ca: &PemFacts,
    keys: &std::collections::BTreeMap<String, usize>,
    at: Timestamp,
) -> Inspection {
    let facts = SecretFacts {
        keys: keys.clone(),
        ..SecretFacts::default()
    };
    Inspection::of(&object.to_string(), &facts, None, &[("ca.crt", ca)], at)
}

/// A file in PEM, or one certificate in DER; `-` is standard input. Its key, where it has one, is compared and dropped.
fn of_file(path: &Path, at: Timestamp) -> Result<Inspection, CliError> {
    let is_input = path == Path::new("-");
    let name = if is_input {
        "standard input".to_owned()
    } else {
        format!("file {}", clean(&path.to_string_lossy()))
    };
    let failed = |why: &dyn std::fmt::Display| format!("{name}: cannot be read: {why}");
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    let read = if is_input {
        std::io::stdin().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|why| failed(&why))?;
    if bytes.len() as u64 > MOST {
        return Err(failed(&"it is larger than 1 MiB").into());
    }
    if let Ok(facts) = CertificateFacts::from_der(&bytes) {
        let pem = PemFacts::Certificates {
            certificates: vec![facts].into(),
            trailing: None,
            open_end: false,
        };
        return Ok(Inspection::of(
            &name,
            &SecretFacts::default(),
            None,
            &[("file", &pem)],
            at,
        ));
    }
    // DER of another kind: nginx reads none.
    if bytes.first() == Some(&0x30) {
        return Err(format!(
            "{name} is neither PEM nor one certificate in DER; of a PKCS#12 file, openssl pkcs12 -nokeys prints the certificates"
        )
        .into());
    }
    let has_key = bytes.windows(12).any(|window| window == b"PRIVATE KEY-");
    let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
    let mut secret =
        serde_json::json!({"type": "kubernetes.io/tls", "data": {"tls.crt": *encoded}});
    if has_key {
        secret["data"]["tls.key"] = serde_json::Value::String((*encoded).clone());
    }
    // The values are taken out of it, and wiped.
    let (mut facts, _) = facts::secret(&mut secret.into());
    facts.keys.clear();
    let certificate = facts.certificate.clone();
    Ok(Inspection::of(
        &name,
        &facts,
        None,
        &[("file", &certificate)],
        at,
    ))
}
