//! Two faults on both sides: the backend refuses the gateway by an alert, and the gateway has
//! reason to refuse the backend. In TLS 1.2 the alert ends the handshake before NGINX judges; in
//! TLS 1.3 NGINX judges first.

use openssl::ssl::SslVersion;

use super::clients::openssl_server;
use crate::mint::Certificate;
use crate::scenario::{NAME, client_ca};
use crate::vector::{Backend, Expected, Gateway, Identity, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    let root = Certificate::ca("Root").self_signed();
    let unrelated = Certificate::ca("Unrelated Root").self_signed();
    let leaf = Certificate::leaf(NAME);
    let mut expired = leaf.clone();
    expired.expired();
    let mut misnamed = leaf.clone();
    misnamed.dns_names(&["other.ns.svc"]);
    let client = |issuer| {
        Some(Identity::new(&[
            &Certificate::leaf("gateway").issued_by(issuer)
        ]))
    };
    let clients = [
        ("no client certificate", None),
        ("a good client certificate", client(&client_ca())),
        ("a client certificate of another CA", client(&unrelated)),
    ];
    let servers = [
        ("sound backend", &leaf, &root, Some(Expected::OK)),
        (
            "expired backend",
            &expired,
            &root,
            Some(Expected::verify(10)),
        ),
        (
            "backend of another name",
            &misnamed,
            &root,
            Some(Expected::MISMATCH),
        ),
        (
            "backend of an unknown root",
            &leaf,
            &unrelated,
            Some(Expected::verify(21)),
        ),
    ];
    let mut vectors = Vec::new();
    for (server_words, leaf, trusted, judged) in servers {
        let identity = Identity::new(&[&leaf.issued_by(&root)]);
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            for (client_words, client) in &clients {
                let server = openssl_server(server_words, version, "-Verify", &identity);
                let mut gateway = Gateway::new(NAME, trusted.pem());
                if let Some(tls) = &mut gateway.tls {
                    tls.identity.clone_from(client);
                }
                let is_good = client_words.contains("good");
                let alert_comes_first =
                    version == SslVersion::TLS1_2 || server_words.contains("sound");
                let expected = match (is_good, alert_comes_first, client) {
                    (true, _, _) | (_, false, _) => judged,
                    (_, true, Some(_)) => Some(Expected::alert(48)),
                    (_, true, None) if version == SslVersion::TLS1_2 => Some(Expected::alert(40)),
                    (_, true, None) => Some(Expected::alert(116)),
                };
                let tls = if version == SslVersion::TLS1_2 {
                    "1.2"
                } else {
                    "1.3"
                };
                let name = format!("{server_words}, {client_words}, TLS {tls}, with alerts");
                vectors.push(Vector::new(
                    &name,
                    Backend::Openssl(server),
                    gateway,
                    expected,
                ));
            }
        }
    }
    vectors
}
