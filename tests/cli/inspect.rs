//! `chain --inspect`: a Secret, a ConfigMap or a file, without a key.

use std::{fs, path::Path, process::Command};

use super::demo::Served;
use crate::support::{has_peer, ngf_tui};
use serde_json::Value;

fn inspect(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = ngf_tui()
        .current_dir(folder)
        .args(["chain", "--inspect"])
        .args(args)
        .output()
        .expect("ngf-tui runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

#[test]
fn files_are_read_as_nginx_reads_them() {
    if !has_peer("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=LocalCA -days 90 -out ca.crt
        openssl req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=shop -out leaf.csr
        printf 'subjectAltName=DNS:shop.example.com,IP:10.0.0.1\\nextendedKeyUsage=serverAuth\\n' > leaf.ext
        openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile leaf.ext -out leaf.crt
        cat leaf.crt ca.crt leaf.key > all.pem
        cat leaf.crt ca.key > other.pem
        openssl x509 -in leaf.crt -outform DER -out leaf.der
        openssl pkcs12 -export -in leaf.crt -inkey leaf.key -passout pass:x -out leaf.p12
        printf 'no certificate' > text.pem; : > empty.pem; head -c 400 leaf.crt > broken.pem";
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder.path())
        .output();
    assert!(output.expect("sh runs").status.success());
    let folder = folder.path();

    let (status, text, error) = inspect(folder, &["all.pem"]);
    assert_eq!(status, Some(0), "{text}{error}");
    for part in [
        "file all.pem",
        "file: 2 certificates",
        "CN=shop",
        "issued by: CN=LocalCA (certificate 2 here)",
        "names: shop.example.com and 10.0.0.1",
        "extended key usage: serverAuth",
        "issued by: itself",
        "✓ private key: RSA 2048, belongs to the first certificate",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, json, _) = inspect(folder, &["all.pem", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["schema"], "ngf-tui/certificates/v1");
    let leaf = &json["parts"][0]["certificates"][0];
    assert_eq!(
        (&leaf["signed_by"], &leaf["self_signed"]),
        (&2.into(), &false.into())
    );
    let fingerprint = Command::new("openssl")
        .args([
            "x509",
            "-in",
            "leaf.crt",
            "-noout",
            "-fingerprint",
            "-sha256",
        ])
        .current_dir(folder)
        .output()
        .expect("openssl runs");
    let fingerprint = String::from_utf8_lossy(&fingerprint.stdout)
        .trim()
        .to_lowercase();
    let own = leaf["fingerprint_sha256"].as_str().expect("text");
    assert!(fingerprint.ends_with(own), "{fingerprint}: {own}");

    // No line of a key is in what is printed.
    let key = fs::read_to_string(folder.join("leaf.key")).expect("a key");
    for args in [
        &["all.pem"][..],
        &["all.pem", "-o", "json"],
        &["all.pem", "-o", "yaml"],
    ] {
        let (_, text, error) = inspect(folder, args);
        for line in key.lines().filter(|line| line.len() > 20) {
            assert!(!text.contains(line) && !error.contains(line), "{args:?}");
        }
    }

    let (status, text, _) = inspect(folder, &["other.pem"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("✗ private key: RSA 2048, does not belong to the first certificate"),
        "{text}"
    );
    assert!(text.contains("CN=LocalCA (not here)"), "{text}");
    let (status, text, _) = inspect(folder, &["leaf.der"]);
    assert!(status == Some(0) && text.contains("CN=shop"), "{text}");
    let (status, text, _) = inspect(folder, &["leaf.crt", "--at", "2099-01-01"]);
    assert!(status == Some(1) && text.contains("expired"), "{text}");
    for (file, says) in [
        ("text.pem", "✗ nginx does not load it"),
        ("broken.pem", "✗ nginx does not load it"),
        ("empty.pem", "✗ nginx does not load it: it is empty"),
    ] {
        let (status, text, error) = inspect(folder, &[file]);
        assert_eq!(status, Some(1), "{file}: {text}{error}");
        assert!(text.contains(says), "{file}: {text}");
    }
    for (file, says) in [
        ("leaf.p12", "openssl pkcs12 -nokeys"),
        ("missing.pem", "file missing.pem: cannot be read"),
        ("gateway/x", "holds no certificates"),
    ] {
        let (status, _, error) = inspect(folder, &[file]);
        assert_eq!(status, Some(2), "{file}: {error}");
        assert!(error.contains(says), "{file}: {error}");
    }
}

#[test]
fn secrets_and_config_maps_are_read_by_name() {
    let served = Served::start("wrong-ca");
    let folder = tempfile::tempdir().expect("a folder");
    let on = ["--kubeconfig", served.kubeconfig()];
    let (status, text, error) = inspect(
        folder.path(),
        &[&["secret/app-tls-secret"][..], &on].concat(),
    );
    assert_eq!(status, Some(0), "{text}{error}");
    for part in [
        "Secret default/app-tls-secret (kubernetes.io/tls)",
        "tls.crt: 1 certificate",
        "ca.crt: 1 certificate",
        "✓ private key: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (status, _, error) = inspect(folder.path(), &[&["secret/nothing"][..], &on].concat());
    assert_eq!(status, Some(2), "{error}");
    assert!(
        error.contains("secret \"nothing\" not found in namespace \"default\""),
        "{error}"
    );
}
