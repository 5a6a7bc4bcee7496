//! What OpenSSL's verify callback sees.

use openssl::x509::X509StoreContextRef;

use crate::transcript::VerifyEvent;

/// More calls of the verify callback than this are not kept.
pub const MOST_EVENTS: usize = 256;

/// One call of a verify callback. Where a certificate is fine, OpenSSL still shows the last error
/// of another: then the code is 0.
pub fn verify_event(ok: bool, context: &X509StoreContextRef) -> VerifyEvent {
    let error = context.error();
    VerifyEvent {
        depth: context.error_depth(),
        code: if ok { 0 } else { error.as_raw() },
        text: if ok {
            "ok".to_owned()
        } else {
            error.error_string().to_owned()
        },
        subject: context
            .current_cert()
            .and_then(|certificate| certificate.to_der().ok())
            .map(|der| crate::certificate::subject_of(&der)),
    }
}
