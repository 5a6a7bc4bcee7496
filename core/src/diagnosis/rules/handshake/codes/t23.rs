//! T23: a certificate of the backend is too weak for nginx's OpenSSL.

use super::prelude::*;

pub(in crate::diagnosis) const T23: Rule = Rule {
    code: Code::T23,
    severity: Severity::Error,
    title: "The backend's certificate, or a CA above it, is too weak for nginx's OpenSSL",
    explanation: "OpenSSL's security level rejects weak keys and signatures (SSL_CTX_set_security_level): verify code 66 is the key of the backend's certificate, 67 the key of a CA, 68 the digest of a signature. Level 1 rejects RSA keys below 1024 bits and SHA-1 signatures, level 2 RSA keys below 2048 bits; which level holds depends on the data plane's image. Clients get 502.",
    remedy: "Reissue the certificate, or the CA, with RSA of 2048 bits or ECDSA P-256, signed with SHA-256.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T23,
    // X509_V_ERR_EE_KEY_TOO_SMALL, _CA_KEY_TOO_SMALL and _CA_MD_TOO_WEAK.
    means: |fault| {
        let weak = |code: &i32| (66..=68).contains(code);
        matches!(fault, Fault::Verify { code: Some(code) } if weak(code)).into()
    },
    title: |case| {
        let presents = format!("the certificate that {} presents", case.service());
        match case.fault {
            Fault::Verify { code: Some(67) } => {
                format!("The key of a CA above {presents} is too weak for nginx's OpenSSL")
            }
            Fault::Verify { code: Some(68) } => {
                format!(
                    "A signature above {presents} has a digest that is too weak for nginx's OpenSSL"
                )
            }
            _ => format!("The key of {presents} is too weak for nginx's OpenSSL"),
        }
    },
    explain: shown::chain_and_trusted,
    ..Connection::USUAL
};
