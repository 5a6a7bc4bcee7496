//! Secrets and ConfigMaps that Gateways and policies refer to, and who permits it, judged as NGF does
//! (`state/resolver`, `state/graph/shared/secrets`, `state/graph/reference_grant.go`), with the words
//! of Go's `crypto/tls` where NGF passes them on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::PKey;
use openssl::x509::X509;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::kinds;
use crate::pem;
use crate::store::Store;

/// The bytes under a Secret's key.
pub(super) fn secret_data(secret: &Value, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.get("data")?.get(key)?.as_str()?;
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

/// Whether NGF takes the Secret as a client certificate or as a CA; the error is NGF's text.
pub(super) fn secret(store: &Store, namespace: &str, name: &str) -> Result<(), String> {
    let secret = store
        .get(kinds::SECRET, namespace, name)
        .ok_or_else(|| format!("Secret {namespace}/{name} does not exist"))?;
    let kind = secret["type"].as_str().unwrap_or_default();
    if kind != "kubernetes.io/tls" {
        return Err(format!("unsupported secret type {kind:?}"));
    }
    let data = |key: &str| secret_data(&secret, key).unwrap_or_default();
    key_pair(&data("tls.crt"), &data("tls.key"))
        .map_err(|error| format!("tls secret is invalid: {error}"))?;
    secret_data(&secret, "ca.crt").map_or(Ok(()), |ca| authority(&ca))
}

/// Whether NGF takes the ConfigMap as a CA.
pub(super) fn config_map(store: &Store, namespace: &str, name: &str) -> Result<(), String> {
    let map = store
        .get(kinds::CONFIG_MAP, namespace, name)
        .ok_or_else(|| {
            format!("ConfigMap {namespace}/{name} does not exist, or is missing an expected key")
        })?;
    match config_map_authority(&map).filter(|ca| !ca.is_empty()) {
        Some(ca) => authority(&ca),
        None => Err("ConfigMap does not have the data or binaryData field ca.crt".to_owned()),
    }
}

/// `ca.crt` of a ConfigMap; `binaryData` wins.
pub(super) fn config_map_authority(map: &Value) -> Option<Vec<u8>> {
    let binary = map.pointer("/binaryData/ca.crt").and_then(Value::as_str);
    if let Some(text) = binary {
        return STANDARD.decode(text).ok();
    }
    map.pointer("/data/ca.crt")
        .and_then(Value::as_str)
        .map(|text| text.as_bytes().to_vec())
}

/// `tls.X509KeyPair`.
fn key_pair(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let blocks = pem::blocks(certificate);
    let Some((_, pem)) = blocks.iter().find(|(kind, _)| kind == "CERTIFICATE") else {
        return Err(match blocks.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".to_owned(),
            [(kind, _)] if kind.ends_with("PRIVATE KEY") => {
                "tls: failed to find certificate PEM data in certificate input, but did find a \
                 private key; PEM inputs may have been switched"
                    .to_owned()
            }
            others => format!(
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping \
                 PEM blocks of the following types: [{}]",
                others
                    .iter()
                    .map(|(kind, _)| kind.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        });
    };
    let keys = pem::blocks(key);
    let Some((_, key_pem)) = keys.iter().find(|(kind, _)| kind.ends_with("PRIVATE KEY")) else {
        return Err(match keys.as_slice() {
            [] => "tls: failed to find any PEM data in key input".to_owned(),
            [(kind, _)] if kind == "CERTIFICATE" => {
                "tls: found a certificate rather than a key in the PEM for the private key"
                    .to_owned()
            }
            others => format!(
                "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after \
                 skipping PEM blocks of the following types: [{}]",
                others
                    .iter()
                    .map(|(kind, _)| kind.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        });
    };
    let certificate =
        X509::from_pem(pem.as_bytes()).map_err(|_| "x509: malformed certificate".to_owned())?;
    // An encrypted key is not asked a passphrase for.
    let key = PKey::private_key_from_pem_callback(key_pem.as_bytes(), |_| Ok(0))
        .map_err(|_| "tls: failed to parse private key".to_owned())?;
    let public = certificate
        .public_key()
        .map_err(|_| "tls: unknown public key algorithm".to_owned())?;
    if !public.public_eq(&key) {
        let same_kind = public.id() == key.id();
        return Err(if same_kind {
            "tls: private key does not match public key".to_owned()
        } else {
            "tls: private key type does not match public key type".to_owned()
        });
    }
    Ok(())
}

/// `ValidateCA`: only the first PEM block is looked at, and the text may be base64 once more.
fn authority(text: &[u8]) -> Result<(), String> {
    let data = STANDARD.decode(text).unwrap_or_else(|_| text.to_vec());
    match pem::blocks(&data).first() {
        None => Err("the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block".to_owned()),
        Some((kind, _)) if kind != "CERTIFICATE" => Err(format!(
            "the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block, but got {kind:?}"
        )),
        Some((_, pem)) => X509::from_pem(pem.as_bytes())
            .map(drop)
            .map_err(|_| "failed to validate certificate: x509: malformed certificate".to_owned()),
    }
}

/// Whether a ReferenceGrant lets objects of kind `from` in `from_namespace` refer to the `to` of this
/// name in `namespace`.
pub(super) fn granted(
    store: &Store,
    (from_group, from, from_namespace): (&str, &str, &str),
    (to, namespace, name): (&str, &str, &str),
) -> bool {
    store
        .list(kinds::REFERENCE_GRANT, Some(namespace))
        .0
        .iter()
        .any(|grant| {
            let list = |field: &str| grant["spec"][field].as_array().into_iter().flatten();
            let from_fits = list("from").any(|f| {
                f["group"] == from_group && f["kind"] == from && f["namespace"] == from_namespace
            });
            let to_fits = list("to").any(|t| {
                let group = t["group"].as_str().unwrap_or_default();
                matches!(group, "" | "core")
                    && t["kind"] == to
                    && t["name"].as_str().is_none_or(|n| n.is_empty() || n == name)
            });
            from_fits && to_fits
        })
}
