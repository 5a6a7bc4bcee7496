//! What NGINX would refuse to load is no failed handshake: the probe cannot be run, and says so in
//! NGINX's words, which are compared with those of a real nginx.

use std::fs;
use std::process::Command;

use crate::support::nginx::SecureApp;
use crate::support::pki::{KeyKind, Template, bundle};
use crate::support::{HOST, over_tls, plain};
use ngf_probes::dial::Direct;
use ngf_probes::engine::openssl::ConfigError;
use ngf_probes::spec::{ClientIdentity, ProbeSpec, Trust};
use ngf_probes::{ProbeError, probe};
use openssl::hash::MessageDigest;
use openssl::symm::Cipher;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

async fn refusal(spec: &ProbeSpec) -> ProbeError {
    probe(spec, &Direct, &CancellationToken::new())
        .await
        .expect_err("it cannot be run")
}

fn emerg(error: ProbeError) -> String {
    match error {
        ProbeError::Config(ConfigError::Emerg { emerg, .. }) => emerg,
        other => panic!("{other:?}"),
    }
}

/// The `[emerg]` line of a real nginx for this client certificate and key, with `ORIGIN` in place
/// of the files.
fn of_nginx(certificate: &[u8], key: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.pem"), certificate).unwrap();
    fs::write(folder.path().join("k.pem"), key).unwrap();
    let configuration = "pid nginx.pid; error_log stderr; events {} http { access_log off;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        server { listen unix:s.sock; location / { proxy_pass https://127.0.0.1:1;
        proxy_ssl_certificate c.pem; proxy_ssl_certificate_key k.pem; } } }";
    fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
    let output = Command::new("nginx")
        .args(["-t", "-c", "nginx.conf", "-e", "stderr", "-p"])
        .arg(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.split_once("[emerg] "))
        .expect(&text)
        .1;
    let line = line.split_once(": ").map_or(line, |(_, message)| message);
    let folder = folder.path().display();
    ["c.pem", "k.pem"]
        .iter()
        .fold(line.to_owned(), |line, file| {
            line.replace(&format!("{folder}/{file}"), "ORIGIN")
        })
}

#[tokio::test]
async fn client_certificates_that_nginx_does_not_load() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let good = Template::client("gateway").signed_by(&ca);
    let other = Template::client("gateway").signed_by(&ca);
    let weak = Template::client("gateway")
        .with(|t| t.key = KeyKind::Rsa(1024))
        .signed_by(&ca);
    let sha1 = Template::client("gateway")
        .with(|t| t.digest = MessageDigest::sha1())
        .signed_by(&ca);
    let half = good.pem()[..200].to_vec();
    let then_half = [good.pem(), half.clone()].concat();
    for (what, certificate, key) in [
        ("another key", good.pem(), other.key_pem()),
        ("no certificate", b"hello".to_vec(), good.key_pem()),
        ("half a certificate", half, good.key_pem()),
        ("half a second certificate", then_half, good.key_pem()),
        ("RSA 1024", weak.pem(), weak.key_pem()),
        ("SHA-1", sha1.pem(), sha1.key_pem()),
        (
            "a chain of RSA 1024",
            bundle(&[&good, &weak]),
            good.key_pem(),
        ),
    ] {
        let mut spec = over_tls(1, &[&ca]);
        spec.tls.as_mut().unwrap().client_identity = Some(ClientIdentity {
            certificate_pem: certificate.clone(),
            key_pem: Zeroizing::new(key.clone()),
            origin: "ORIGIN".to_owned(),
        });
        assert_eq!(
            emerg(refusal(&spec).await),
            of_nginx(&certificate, &key),
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password() {
    let ca = Template::ca("LocalCA").self_signed();
    let client = Template::client("gateway").signed_by(&ca);
    let locked = client
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .unwrap();
    let mut spec = over_tls(1, &[&ca]);
    spec.tls.as_mut().unwrap().client_identity = Some(ClientIdentity {
        certificate_pem: client.pem(),
        key_pem: Zeroizing::new(locked),
        origin: "Secret default/gateway".to_owned(),
    });
    let line = emerg(refusal(&spec).await);
    assert!(
        line.starts_with("cannot load certificate key \"Secret default/gateway\""),
        "{line}"
    );
}

#[tokio::test]
async fn a_bundle_without_a_certificate_breaks_the_gateway_and_not_the_backend() {
    let ca = Template::ca("LocalCA").self_signed();
    for pem in [Vec::new(), b"junk".to_vec(), ca.key_pem()] {
        let mut spec = over_tls(1, &[&ca]);
        let origin = "Secret default/backend-cert[ca.crt]".to_owned();
        spec.tls.as_mut().unwrap().trust = Trust::Bundle { pem, origin };
        let error = refusal(&spec).await;
        assert!(
            error.to_string().starts_with(
                "Secret default/backend-cert[ca.crt] holds no CA certificate that can be read (no start line)"
            ),
            "{error}"
        );
        // The words of nginx since 1.27.2; Debian's has `SSL_CTX_load_verify_locations`.
        let line = emerg(error);
        let begin = "cannot load certificate \"Secret default/backend-cert[ca.crt]\": \
                     PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no start line";
        assert!(line.starts_with(begin), "{line}");
    }
}

#[tokio::test]
async fn a_request_that_would_smuggle_a_header_is_not_sent() {
    for (part, value) in [
        ("host", "a\r\nX: y"),
        ("path", "/ HTTP/1.1\r\n"),
        ("method", ""),
    ] {
        let mut spec = plain(1);
        match part {
            "host" => value.clone_into(&mut spec.http.host),
            "path" => value.clone_into(&mut spec.http.path),
            _ => value.clone_into(&mut spec.http.method),
        }
        let error = refusal(&spec).await;
        assert!(matches!(error, ProbeError::Request(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_key_is_in_no_error_and_in_no_debug_text() {
    let ca = Template::ca("LocalCA").self_signed();
    let client = Template::client("gateway").signed_by(&ca);
    let other = Template::client(HOST).signed_by(&ca);
    let mut spec = over_tls(1, &[&ca]);
    spec.tls.as_mut().unwrap().client_identity = Some(ClientIdentity {
        certificate_pem: client.pem(),
        key_pem: Zeroizing::new(other.key_pem()),
        origin: "here".to_owned(),
    });
    let pem = String::from_utf8(other.key_pem()).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    let shown = format!("{spec:?} {:?}", refusal(&spec).await);
    assert!(!shown.contains(secret));
}

#[tokio::test]
async fn the_system_s_ca_file_is_named_and_does_not_know_a_private_ca() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let nginx = SecureApp {
        verify_client: "off",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let mut spec = over_tls(nginx.port, &[&ca]);
    spec.tls.as_mut().unwrap().trust = Trust::System;
    match probe(&spec, &Direct, &CancellationToken::new()).await {
        Ok(seen) => {
            assert_eq!(seen.nginx.verify_code, Some(21));
            assert!(
                seen.nginx.sentence.contains("this system's CA file /"),
                "{:?}",
                seen.nginx
            );
        }
        Err(error) => assert!(
            error.to_string().starts_with("this system has no CA file"),
            "{error}"
        ),
    }
}
