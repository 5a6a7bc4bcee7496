//! cert-manager's kinds for ACME (`acme.cert-manager.io`).

use crate::model::{
    kinds::{Challenge, Order},
    status::AcmeStatus,
};

use super::{meta::reference, reader::Field};

pub(super) fn order(root: Field<'_>) -> Order {
    let spec = root.required("spec");
    Order {
        issuer_ref: reference(spec, "issuerRef").unwrap_or_default(),
        dns_names: spec.texts("dnsNames"),
    }
}

pub(super) fn challenge(root: Field<'_>) -> Challenge {
    let spec = root.required("spec");
    Challenge {
        issuer_ref: reference(spec, "issuerRef").unwrap_or_default(),
        dns_name: spec.required_text("dnsName"),
        challenge_type: spec.required_text("type"),
    }
}

pub(super) fn status(root: Field<'_>) -> AcmeStatus {
    let status = root.get("status");
    AcmeStatus {
        state: status.text("state").unwrap_or_default(),
        reason: status.text("reason").unwrap_or_default(),
        failed: status.time("failureTime"),
    }
}
