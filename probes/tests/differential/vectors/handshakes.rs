//! What the two sides agree upon, or do not: versions, ciphers, groups, server blocks, client
//! certificates.

use crate::mint::{Certificate, Key, Kind};
use crate::scenario::{Client, ClientDemand, NAME, Scenario, client_ca};
use crate::vector::{Backend, Expected, Gateway, Identity, ServerBlock, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [
        versions(),
        ciphers(),
        groups(),
        client_certificates(),
        server_blocks(),
        plain(),
    ]
    .concat()
}

fn directives(lines: &[&str]) -> Scenario {
    Scenario::with(|s| lines.iter().for_each(|line| s.directive(line)))
}

fn rsa(lines: &[&str]) -> Scenario {
    let mut scenario = directives(lines);
    scenario.leaf.key = Key::new(Kind::Rsa2048, "leaf");
    scenario
}

fn versions() -> Vec<Vector> {
    let only = |version: &str| directives(&[&format!("ssl_protocols {version}")]);
    vec![
        only("TLSv1.2").vector("TLS 1.2 only", Some(Expected::OK)),
        only("TLSv1.3").vector("TLS 1.3 only", Some(Expected::OK)),
        only("TLSv1.1").vector("TLS 1.1 only", Some(Expected::alert(70))),
        only("TLSv1").vector("TLS 1.0 only", Some(Expected::alert(70))),
        only("TLSv1 TLSv1.1 TLSv1.2").vector("TLS 1.0 to 1.2", None),
    ]
}

fn ciphers() -> Vec<Vector> {
    let tls_1_2 = |ciphers: &str| {
        vec![
            "ssl_protocols TLSv1.2".to_owned(),
            format!("ssl_ciphers {ciphers}:@SECLEVEL=0"),
            format!("ssl_dhparam {}", crate::nginx::DH_PARAMETERS),
        ]
    };
    let ecdsa = |ciphers: &str| Scenario::with(|s| s.directives = tls_1_2(ciphers));
    let rsa = |ciphers: &str| {
        let mut scenario = ecdsa(ciphers);
        scenario.leaf.key = Key::new(Kind::Rsa2048, "leaf");
        scenario
    };
    let ok = Some(Expected::OK);
    let refused = Some(Expected::alert(40));
    vec![
        ecdsa("ECDHE-ECDSA-AES128-SHA").vector("TLS 1.2 CBC with SHA-1", ok),
        ecdsa("ECDHE-ECDSA-AES256-SHA384").vector("TLS 1.2 CBC with SHA-384", ok),
        rsa("AES128-GCM-SHA256").vector("TLS 1.2 RSA key exchange", ok),
        rsa("AES256-SHA").vector("TLS 1.2 RSA key exchange, CBC", ok),
        rsa("DHE-RSA-AES128-GCM-SHA256").vector("TLS 1.2 DHE", ok),
        ecdsa("ECDHE-ECDSA-CHACHA20-POLY1305").vector("TLS 1.2 ChaCha20", None),
        ecdsa("ECDHE-ECDSA-AES128-CCM").vector("TLS 1.2 CCM only", refused),
        ecdsa("ECDHE-ECDSA-NULL-SHA").vector("TLS 1.2 NULL only", refused),
        ecdsa("AECDH-AES128-SHA").vector("TLS 1.2 anonymous only", refused),
        ecdsa("ECDHE-RSA-AES128-GCM-SHA256").vector("TLS 1.2 RSA ciphers with an EC key", refused),
        directives(&[
            "ssl_protocols TLSv1.3",
            "ssl_conf_command Ciphersuites TLS_AES_128_CCM_SHA256",
        ])
        .vector("TLS 1.3 CCM only", refused),
        directives(&[
            "ssl_protocols TLSv1.3",
            "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256",
        ])
        .vector("TLS 1.3 ChaCha20 only", None),
    ]
}

fn groups() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["TLSv1.2", "TLSv1.3"] {
        for (group, expected) in [
            ("secp256k1", Some(Expected::alert(40))),
            ("brainpoolP256r1", None),
            ("prime256v1", None),
            ("secp384r1", None),
            ("secp521r1", None),
            ("X448", None),
        ] {
            let protocols = format!("ssl_protocols {version}");
            let curve = format!("ssl_ecdh_curve {group}");
            // No key exchange but over a group.
            let ciphers = "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256";
            vectors.push(
                rsa(&[&protocols, &curve, ciphers])
                    .vector(&format!("group {group} only, {version}"), expected),
            );
        }
    }
    vectors
}

fn client_certificates() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let bad = Some(Expected::http(400));
    let ok = Some(Expected::OK);
    for version in ["TLSv1.2", "TLSv1.3"] {
        for (asks, client, words, expected) in [
            (
                ClientDemand::Required,
                Client::None,
                "required, none held",
                bad,
            ),
            (ClientDemand::Required, Client::Good, "required, good", ok),
            (
                ClientDemand::Required,
                Client::Stranger,
                "required, of another CA",
                bad,
            ),
            (
                ClientDemand::Optional,
                Client::None,
                "optional, none held",
                ok,
            ),
            (ClientDemand::Optional, Client::Good, "optional, good", ok),
            (
                ClientDemand::Optional,
                Client::Stranger,
                "optional, of another CA",
                bad,
            ),
            (
                ClientDemand::Nothing,
                Client::Good,
                "not asked for, held",
                ok,
            ),
        ] {
            let mut scenario = directives(&[&format!("ssl_protocols {version}")]);
            (scenario.asks, scenario.client) = (asks, client);
            let name = format!("client certificate {words}, {version}");
            vectors.push(scenario.vector(&name, expected));
        }
    }
    vectors
}

fn server_blocks() -> Vec<Vector> {
    let root = Certificate::ca("Root").self_signed();
    let identity = |name: &str| Identity::new(&[&Certificate::leaf(name).issued_by(&root)]);
    let server = |name: &str, lines: &[&str]| ServerBlock {
        server_name: name.to_owned(),
        identity: Some(identity(name)),
        client_ca: Some(client_ca().pem()),
        directives: lines.iter().map(|&line| line.to_owned()).collect(),
    };
    let client = Identity::new(&[&Certificate::leaf("gateway").issued_by(&client_ca())]);
    let vector = |name: &str, servers: Vec<ServerBlock>, host: &str, expected| {
        let mut gateway = Gateway::new(NAME, root.pem());
        host.clone_into(&mut gateway.host);
        if let Some(tls) = &mut gateway.tls {
            tls.identity = Some(client.clone());
        }
        Vector::new(name, Backend::Nginx(servers), gateway, expected)
    };
    let verifying = &["ssl_verify_client on"][..];
    vec![
        vector(
            "SNI is not the Host, separate server blocks",
            vec![
                server(NAME, verifying),
                server("shop.example.com", verifying),
            ],
            "shop.example.com",
            Some(Expected::http(421)),
        ),
        vector(
            "SNI is not the Host, separate server blocks that verify nobody",
            vec![server(NAME, &[]), server("shop.example.com", &[])],
            "shop.example.com",
            Some(Expected::OK),
        ),
        vector(
            "SNI picks the second server block",
            vec![server("other.ns.svc", verifying), server(NAME, verifying)],
            NAME,
            Some(Expected::OK),
        ),
        vector(
            "no server block of that name, the default one has another certificate",
            vec![server("other.ns.svc", verifying)],
            NAME,
            Some(Expected::MISMATCH),
        ),
        vector(
            "ssl_reject_handshake",
            vec![server(NAME, &["ssl_reject_handshake on"])],
            NAME,
            Some(Expected::alert(112)),
        ),
        vector(
            "ssl_reject_handshake by default, the name is served",
            vec![server("_", &["ssl_reject_handshake on"]), server(NAME, &[])],
            NAME,
            Some(Expected::OK),
        ),
    ]
}

fn plain() -> Vec<Vector> {
    let root = Certificate::ca("Root").self_signed();
    let leaf = Certificate::leaf(NAME).issued_by(&root);
    let without_tls = || vec![ServerBlock::default()];
    let with_tls = || {
        vec![ServerBlock {
            identity: Some(Identity::new(&[&leaf])),
            ..ServerBlock::default()
        }]
    };
    let plain_gateway = || Gateway {
        tls: None,
        ..Gateway::new(NAME, Vec::new())
    };
    let vector = |name: &str, servers, gateway, expected| {
        Vector::new(name, Backend::Nginx(servers), gateway, expected)
    };
    vec![
        vector(
            "plain HTTP to a plain port",
            without_tls(),
            plain_gateway(),
            None,
        ),
        vector(
            "plain HTTP to the TLS port",
            with_tls(),
            plain_gateway(),
            Some(Expected::http(400)),
        ),
        vector(
            "TLS to a plain port",
            without_tls(),
            Gateway::new(NAME, root.pem()),
            Some(Expected::TLS_ERROR),
        ),
    ]
}
