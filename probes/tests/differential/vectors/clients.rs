//! Client certificates, against backends that ask for one and backends that do not.

use openssl::ssl::SslVersion;

use crate::mint::{Certificate, Digest, Issued, Key, Kind, key_usage, purpose};
use crate::s_server::OpensslServer;
use crate::scenario::{NAME, client_ca};
use crate::vector::{Backend, Expected, Gateway, Identity, ServerBlock, Vector};

/// A client certificate, and what a backend that wants one makes of it.
pub(crate) struct ClientCertificate {
    pub(crate) name: &'static str,
    pub(crate) identity: Option<Identity>,
    /// The alert of a backend that sends one; `None` where the certificate is fine, or where the
    /// facts say nothing.
    alert: Option<u8>,
    /// The facts speak of it.
    fine: Option<bool>,
}

/// `ssl_verify_client`, by its words.
const NGINX_DEMANDS: &[&str] = &["on", "optional", "optional_no_ca", "off"];

/// All of them, for both versions of TLS and for each kind of backend.
pub(crate) fn vectors() -> Vec<Vector> {
    let server = server_identity();
    let mut vectors = Vec::new();
    for certificate in certificates() {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            for &demand in NGINX_DEMANDS {
                vectors.push(against_nginx(&certificate, version, demand, &server));
            }
            for demand in ["-Verify", "-verify"] {
                vectors.push(against_openssl(&certificate, version, demand, &server));
            }
        }
    }
    vectors
}

fn root() -> Issued {
    Certificate::ca("Root").self_signed()
}

fn server_identity() -> Identity {
    Identity::new(&[&Certificate::leaf(NAME).issued_by(&root())])
}

fn gateway(certificate: &ClientCertificate) -> Gateway {
    let mut gateway = Gateway::new(NAME, root().pem());
    if let Some(tls) = &mut gateway.tls {
        tls.identity.clone_from(&certificate.identity);
    }
    gateway
}

fn words(version: SslVersion) -> &'static str {
    if version == SslVersion::TLS1_2 {
        "TLSv1.2"
    } else {
        "TLSv1.3"
    }
}

fn against_nginx(
    certificate: &ClientCertificate,
    version: SslVersion,
    demand: &str,
    server: &Identity,
) -> Vector {
    let block = ServerBlock {
        server_name: String::new(),
        identity: Some(server.clone()),
        client_ca: Some(client_ca().pem()),
        directives: vec![
            format!("ssl_verify_client {demand}"),
            format!("ssl_protocols {}", words(version)),
        ],
    };
    let is_served = match (demand, certificate.fine) {
        ("off", _) => Some(true),
        ("optional" | "optional_no_ca", _) if certificate.identity.is_none() => Some(true),
        ("on" | "optional", fine) => fine,
        _ => None,
    };
    let name = format!("{}, {}, nginx {demand}", certificate.name, words(version));
    let expected = is_served.map(|served| {
        if served {
            Expected::OK
        } else {
            Expected::http(400)
        }
    });
    Vector::new(
        &name,
        Backend::Nginx(vec![block]),
        gateway(certificate),
        expected,
    )
}

fn against_openssl(
    certificate: &ClientCertificate,
    version: SslVersion,
    demand: &'static str,
    server: &Identity,
) -> Vector {
    let server = openssl_server("sound", version, demand, server);
    let expected = match (certificate.identity.is_some(), demand) {
        (false, "-verify") => Some(Expected::OK),
        (false, _) => Some(Expected::alert(if version == SslVersion::TLS1_2 {
            40
        } else {
            116
        })),
        (true, _) if certificate.fine == Some(true) => Some(Expected::OK),
        (true, _) => certificate.alert.map(Expected::alert),
    };
    let backend = Backend::Openssl(server);
    let name = format!("{}, {}, openssl {demand}", certificate.name, words(version));
    Vector::new(&name, backend, gateway(certificate), expected)
}

/// `openssl s_server` with a certificate of its own, which answers a bad client certificate with an
/// alert.
pub(super) fn openssl_server(
    name: &str,
    version: SslVersion,
    demand: &'static str,
    identity: &Identity,
) -> OpensslServer {
    let protocol = if version == SslVersion::TLS1_2 {
        "-tls1_2"
    } else {
        "-tls1_3"
    };
    OpensslServer {
        name: format!("{name}{protocol}{demand}"),
        identity: identity.clone(),
        client_ca: client_ca().pem(),
        arguments: vec![protocol, demand, "1", "-verify_return_error"],
    }
}

/// The certificates.
pub(crate) fn certificates() -> Vec<ClientCertificate> {
    [sound(), faulty(), chains()]
        .into_iter()
        .flatten()
        .collect()
}

/// A certificate of the backend's client CA, with something changed.
fn of_client_ca(
    name: &'static str,
    alert: Option<u8>,
    fine: Option<bool>,
    change: impl FnOnce(&mut Certificate),
) -> ClientCertificate {
    let mut leaf = Certificate::leaf("gateway");
    change(&mut leaf);
    let identity = Some(Identity::new(&[&leaf.issued_by(&client_ca())]));
    ClientCertificate {
        name,
        identity,
        alert,
        fine,
    }
}

fn sound() -> Vec<ClientCertificate> {
    let key = |kind| move |leaf: &mut Certificate| leaf.key = Key::new(kind, "client");
    let fine = Some(true);
    vec![
        of_client_ca("good", None, fine, |_| {}),
        of_client_ca("EKU clientAuth only", None, fine, |leaf| {
            leaf.extended_key_usage = Some(vec![purpose::CLIENT_AUTH]);
        }),
        of_client_ca("no EKU, no KU", None, fine, |leaf| {
            leaf.extended_key_usage = None;
            leaf.key_usage = None;
        }),
        of_client_ca("no subject", None, fine, |leaf| leaf.subject.clear()),
        of_client_ca("no SAN", None, fine, |leaf| leaf.alternative_names.clear()),
        of_client_ca("version 1", None, fine, |leaf| leaf.version = 1),
        of_client_ca("RSA-2048", None, fine, key(Kind::Rsa2048)),
        of_client_ca("P-384", None, fine, key(Kind::P384)),
        of_client_ca("Ed25519", None, None, key(Kind::Ed25519)),
        of_client_ca("Ed448", None, None, key(Kind::Ed448)),
        of_client_ca("P-521", None, None, key(Kind::P521)),
        of_client_ca("secp256k1", None, None, key(Kind::Secp256k1)),
    ]
}

fn faulty() -> Vec<ClientCertificate> {
    let bad = Some(false);
    let other_ca = Certificate::ca("Other CA").self_signed();
    let self_signed = Certificate::leaf("gateway").self_signed();
    let rekeyed = Certificate {
        key: Key::new(Kind::P256, "re-keyed"),
        ..client_ca().certificate
    }
    .self_signed();
    let identity = |issued: Issued| Some(Identity::new(&[&issued]));
    vec![
        ClientCertificate {
            name: "none",
            identity: None,
            alert: None,
            fine: bad,
        },
        ClientCertificate {
            name: "of another CA",
            identity: identity(Certificate::leaf("gateway").issued_by(&other_ca)),
            alert: Some(48),
            fine: bad,
        },
        ClientCertificate {
            name: "of a CA of the same name with another key",
            identity: identity(Certificate::leaf("gateway").issued_by(&rekeyed)),
            alert: Some(48),
            fine: bad,
        },
        ClientCertificate {
            name: "self-signed",
            identity: identity(self_signed),
            alert: Some(48),
            fine: bad,
        },
        of_client_ca("expired", Some(45), bad, Certificate::expired),
        of_client_ca("not yet valid", Some(42), bad, Certificate::not_yet_valid),
        of_client_ca("EKU serverAuth only", Some(43), bad, |leaf| {
            leaf.extended_key_usage = Some(vec![purpose::SERVER_AUTH]);
        }),
        of_client_ca("KU keyCertSign only", None, bad, |leaf| {
            leaf.key_usage = Some(vec![key_usage::KEY_CERT_SIGN]);
        }),
        of_client_ca("KU keyEncipherment only", None, None, |leaf| {
            leaf.key_usage = Some(vec![key_usage::KEY_ENCIPHERMENT]);
        }),
        of_client_ca("unknown critical extension", None, bad, |leaf| {
            leaf.extensions.push(super::extensions::unknown(true));
        }),
        of_client_ca("signature broken", None, bad, |leaf| {
            leaf.broken_signature = true;
        }),
        of_client_ca("expired, EKU serverAuth only", None, bad, |leaf| {
            leaf.expired();
            leaf.extended_key_usage = Some(vec![purpose::SERVER_AUTH]);
        }),
    ]
}

fn chains() -> Vec<ClientCertificate> {
    let first = Certificate::ca("Client Intermediate 1").issued_by(&client_ca());
    let second = Certificate::ca("Client Intermediate 2").issued_by(&first);
    let expired = {
        let mut certificate = Certificate::ca("Client Intermediate X");
        certificate.expired();
        certificate.issued_by(&client_ca())
    };
    let leaf = Certificate::leaf("gateway");
    let chain = |name, sent: &[&Issued], alert, fine| ClientCertificate {
        name,
        identity: Some(Identity::new(sent)),
        alert,
        fine,
    };
    let below_first = leaf.issued_by(&first);
    let below_second = leaf.issued_by(&second);
    let by_sha384 = Certificate {
        digest: Digest::Sha384,
        ..leaf.clone()
    }
    .issued_by(&first);
    vec![
        chain(
            "intermediate missing",
            &[&below_first],
            Some(48),
            Some(false),
        ),
        chain(
            "one intermediate",
            &[&below_first, &first],
            None,
            Some(true),
        ),
        chain(
            "one intermediate, CA sent",
            &[&by_sha384, &first, &client_ca()],
            None,
            Some(true),
        ),
        chain(
            "two intermediates",
            &[&below_second, &second, &first],
            None,
            Some(false),
        ),
        chain(
            "second intermediate missing",
            &[&below_second, &second],
            None,
            Some(false),
        ),
        chain(
            "expired intermediate",
            &[&leaf.issued_by(&expired), &expired],
            Some(45),
            Some(false),
        ),
    ]
}
