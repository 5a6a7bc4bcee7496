//! cert-manager's kinds.

use crate::model::{
    kinds::{Certificate, CertificateRequest, Issuer},
    status::CertificateStatus,
};

use super::{
    meta::{conditions, reference},
    reader::Field,
};

const ISSUER_TYPES: &[&str] = &["ca", "selfSigned", "acme", "vault", "venafi"];

pub(super) fn issuer(root: Field<'_>) -> Issuer {
    let spec = root.required("spec");
    let mut fields = root.entries("spec").map(|(name, _)| name);
    let issuer_type = ISSUER_TYPES
        .iter()
        .copied()
        .find(|name| spec.get(name).is_present())
        .or_else(|| fields.next())
        .unwrap_or_default();
    if issuer_type.is_empty() {
        spec.malformed(format!("names none of {}", ISSUER_TYPES.join(", ")));
    }
    Issuer {
        issuer_type: issuer_type.to_owned(),
        ca_secret: match issuer_type {
            "ca" => {
                Some(spec.get("ca").required_text("secretName")).filter(|name| !name.is_empty())
            }
            _ => None,
        },
    }
}

pub(super) fn certificate(root: Field<'_>) -> Certificate {
    let spec = root.required("spec");
    spec.required("issuerRef");
    Certificate {
        secret_name: spec.required_text("secretName"),
        issuer_ref: reference(spec, "issuerRef").unwrap_or_default(),
        common_name: spec.text("commonName"),
        dns_names: spec.texts("dnsNames"),
        is_ca: spec.flag("isCA").unwrap_or_default(),
        usages: spec.texts("usages"),
    }
}

pub(super) fn certificate_status(root: Field<'_>) -> CertificateStatus {
    let status = root.get("status");
    CertificateStatus {
        not_before: status.time("notBefore"),
        not_after: status.time("notAfter"),
        renewal_time: status.time("renewalTime"),
        revision: status.number("revision"),
        conditions: conditions(status, "conditions"),
    }
}

pub(super) fn request(root: Field<'_>) -> CertificateRequest {
    let spec = root.required("spec");
    spec.required("issuerRef");
    CertificateRequest {
        issuer_ref: reference(spec, "issuerRef").unwrap_or_default(),
    }
}
