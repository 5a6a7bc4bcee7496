//! Certificates, bundles and keys: what is read in them, against what the openssl command reads;
//! and chains judged without a connection.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::HOST;
use crate::support::pki::{CLIENT_AUTH, Issued, KeyKind, SERVER_AUTH, Template, bundle};
use jiff::{SignedDuration, Timestamp};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::chain::{
    Certificates, ChainError, ChainJudgement, ChainQuestion, GATEWAY_DEPTH, NGINX_SERVER_DEPTH,
    Purpose::{self, Client, Server},
    judge, signed_by,
};
use ngf_tls::pem::{PemError, key_facts, key_fits, read_bundle};
use openssl::symm::Cipher;

/// What the openssl command says of a text on its standard input.
fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn after<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(prefix))
        .unwrap_or_default()
}

#[test]
fn facts_are_what_the_openssl_command_reads() {
    peer!("openssl");
    let ca = Template::ca("LocalCA").self_signed();
    let odd = Template::server(HOST)
        .with(|t| {
            t.subject = [("C", "DE"), ("O", "Sm,ith + \"Sons\""), ("CN", "#app ")]
                .map(|(kind, value)| (kind.to_owned(), value.to_owned()))
                .to_vec();
        })
        .signed_by(&ca);
    let rsa = Template::server(HOST)
        .with(|t| t.key = KeyKind::Rsa(2048))
        .signed_by(&ca);
    for issued in [&ca, &odd, &rsa] {
        let facts = CertificateFacts::from_der(&issued.der()).unwrap();
        let arguments = [
            "x509",
            "-noout",
            "-subject",
            "-issuer",
            "-serial",
            "-fingerprint",
            "-sha256",
        ];
        let said = openssl(
            &[&arguments[..], &["-nameopt", "RFC2253"]].concat(),
            &issued.pem(),
        );
        assert_eq!(facts.subject, after(&said, "subject="));
        assert_eq!(facts.issuer, after(&said, "issuer="));
        let fingerprint = after(&said, "sha256 Fingerprint=").to_ascii_lowercase();
        assert_eq!(facts.fingerprint_sha256, fingerprint);
        let serial = facts.serial.replace(':', "").to_ascii_uppercase();
        assert_eq!(
            serial.trim_start_matches('0'),
            after(&said, "serial=").trim_start_matches('0')
        );
    }
    assert_eq!(
        CertificateFacts::from_der(&rsa.der()).unwrap().key,
        "RSA 2048"
    );
}

#[test]
fn facts_name_extensions_as_the_rfc_does() {
    let ca = Template::ca("LocalCA")
        .with(|t| t.basic_constraints = Some((true, Some(1))))
        .self_signed();
    let app = Template::server(HOST)
        .with(|t| {
            t.ips = vec!["10.0.3.7".parse().unwrap(), "fd00::1".parse().unwrap()];
            t.uris = vec!["spiffe://cluster/ns/app".to_owned()];
        })
        .signed_by(&ca);
    let ca = CertificateFacts::from_der(&ca.der()).unwrap();
    let facts = CertificateFacts::from_der(&app.der()).unwrap();
    assert_eq!(facts.dns_names, [HOST]);
    assert_eq!(facts.ip_addresses, ["10.0.3.7", "fd00::1"]);
    assert_eq!(facts.other_names, ["URI:spiffe://cluster/ns/app"]);
    assert_eq!(facts.key, "EC P-256");
    assert_eq!(facts.signature, "ecdsa-with-SHA256");
    assert_eq!(facts.key_usage, ["digitalSignature", "keyEncipherment"]);
    assert_eq!(facts.extended_key_usage, ["serverAuth", "clientAuth"]);
    assert_eq!(facts.is_ca, Some(false));
    assert_eq!((ca.is_ca, ca.path_len), (Some(true), Some(1)));
    assert_eq!(facts.authority_key_id, ca.subject_key_id);
    assert_eq!(facts.der, app.der());
}

#[test]
fn a_bundle_is_read_as_openssl_reads_it() {
    let one = Template::ca("One").self_signed();
    let two = Template::ca("Two").self_signed();
    let text = |parts: &[&[u8]]| parts.concat();
    let windows = String::from_utf8(one.pem())
        .unwrap()
        .replace('\n', "\r\n")
        .into_bytes();
    let trusted = {
        let pem = String::from_utf8(one.pem()).unwrap();
        pem.replace("BEGIN CERTIFICATE", "BEGIN TRUSTED CERTIFICATE")
            .replace("END CERTIFICATE", "END TRUSTED CERTIFICATE")
            .into_bytes()
    };
    for (what, pem, subjects) in [
        ("two", bundle(&[&one, &two]), &["CN=One", "CN=Two"][..]),
        (
            "text around",
            text(&[
                b"# my CA\n",
                &one.pem(),
                b"subject=CN = x\n",
                &two.pem(),
                b"end",
            ]),
            &["CN=One", "CN=Two"],
        ),
        (
            "a key between",
            text(&[&one.pem(), &one.key_pem(), &two.pem()]),
            &["CN=One", "CN=Two"],
        ),
        ("Windows' line ends", windows, &["CN=One"]),
        ("TRUSTED CERTIFICATE", trusted, &["CN=One"]),
    ] {
        let read: Vec<String> = read_bundle(&pem)
            .unwrap()
            .into_iter()
            .map(|f| f.subject)
            .collect();
        assert_eq!(read, subjects, "{what}");
    }
}

#[test]
fn a_bad_bundle_is_named_with_its_block_and_line() {
    let one = Template::ca("One").self_signed();
    let good = String::from_utf8(one.pem()).unwrap();
    let cut = &good[..good.len() / 2];
    let lines = good.lines().count();
    let odd = good.replacen("MI", "M!", 1);
    let empty_block = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    let second = format!("block 2 (CERTIFICATE, line {}): ", lines + 1);
    for (what, pem, message) in [
        ("nothing", String::new(), "it is empty".to_owned()),
        ("space", " \n\n".to_owned(), "it is empty".to_owned()),
        (
            "junk",
            "hello".to_owned(),
            "it holds no PEM block (no line -----BEGIN …-----)".to_owned(),
        ),
        (
            "a key",
            String::from_utf8(one.key_pem()).unwrap(),
            "it holds no CERTIFICATE, only PRIVATE KEY".to_owned(),
        ),
        (
            "cut off",
            cut.to_owned(),
            "block 1 (CERTIFICATE, line 1): it has no -----END line of the same name".to_owned(),
        ),
        (
            "the second cut off",
            format!("{good}{cut}"),
            format!("{second}it has no -----END line of the same name"),
        ),
        (
            "an odd character",
            format!("{good}{odd}"),
            format!("{second}line {} holds '!', which is not base64", lines + 2),
        ),
        (
            "an empty block",
            format!("{good}{empty_block}"),
            second.clone(),
        ),
    ] {
        let error = read_bundle(pem.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(&message), "{what}: {error}");
    }
}

#[test]
fn keys_are_facts_and_are_never_shown() {
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST)
        .with(|t| t.key = KeyKind::Rsa(2048))
        .signed_by(&ca);
    let other = Template::server(HOST).signed_by(&ca);
    let encrypted = app
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .unwrap();
    let legacy = app
        .key
        .rsa()
        .unwrap()
        .private_key_to_pem_passphrase(Cipher::aes_256_cbc(), b"x")
        .unwrap();

    let facts = key_facts(&app.key_pem()).unwrap();
    assert_eq!(
        (facts.kind.as_deref(), facts.encrypted),
        (Some("RSA 2048"), false)
    );
    assert_eq!(
        key_facts(&other.key_pem()).unwrap().kind.as_deref(),
        Some("EC P-256")
    );
    for locked in [&encrypted, &legacy] {
        let facts = key_facts(locked).unwrap();
        assert_eq!((facts.kind, facts.encrypted), (None, true));
        assert_eq!(key_fits(&app.pem(), locked), Err(PemError::EncryptedKey));
    }
    assert_eq!(key_fits(&app.pem(), &app.key_pem()), Ok(true));
    assert_eq!(key_fits(&app.pem(), &other.key_pem()), Ok(false));

    let secret = String::from_utf8(app.key_pem()).unwrap();
    let half = &secret[..secret.len() / 2];
    let error = format!("{:?}", key_facts(half.as_bytes()).unwrap_err());
    let body = secret.lines().nth(3).unwrap();
    assert!(half.contains(body) && !error.contains(body), "{error}");
    assert!(error.contains("no -----END line"), "{error}");
    assert!(matches!(
        key_facts(&app.pem()),
        Err(PemError::NoneOf { .. })
    ));
}

fn ask(presented: &[&Issued], trusted: &[&Issued], purpose: Purpose) -> ChainQuestion {
    ChainQuestion {
        presented: Certificates::Pem(bundle(presented)),
        trusted: Certificates::Der(trusted.iter().map(|issued| issued.der()).collect()),
        purpose,
        depth: if purpose == Server {
            GATEWAY_DEPTH
        } else {
            NGINX_SERVER_DEPTH
        },
        name: None,
        at: None,
    }
}

fn answer(question: &ChainQuestion) -> ChainJudgement {
    judge(question).unwrap()
}

#[test]
fn chains_are_judged_offline_as_in_a_handshake() {
    let root = Template::ca("Root").self_signed();
    let middle = Template::ca("Middle").signed_by(&root);
    let lower = Template::ca("Lower").signed_by(&middle);
    let app = Template::server(HOST).signed_by(&middle);
    let deep = Template::client("deep").signed_by(&lower);
    let other = Template::ca("Other").self_signed();
    let late = Template::server(HOST).expired().signed_by(&other);
    let with_eku = |eku| {
        Template::bare(HOST)
            .with(|t| t.extended_key_usage = Some(vec![eku]))
            .signed_by(&root)
    };
    let client_only = with_eku(CLIENT_AUTH);
    let server_only = with_eku(SERVER_AUTH);
    for (what, question, code) in [
        ("complete", ask(&[&app, &middle], &[&root], Server), 0),
        ("intermediate missing", ask(&[&app], &[&root], Server), 21),
        ("another CA", ask(&[&app, &middle], &[&other], Server), 20),
        (
            "only the intermediate trusted",
            ask(&[&app], &[&middle], Server),
            2,
        ),
        (
            "two faults, the last counts",
            ask(&[&late], &[&root], Server),
            10,
        ),
        (
            "client only, as server",
            ask(&[&client_only], &[&root], Server),
            26,
        ),
        (
            "client only, as client",
            ask(&[&client_only], &[&root], Client),
            0,
        ),
        (
            "server only, as client",
            ask(&[&server_only], &[&root], Client),
            26,
        ),
        (
            "two intermediates are too many for an nginx backend",
            ask(&[&deep, &lower, &middle], &[&root], Client),
            20,
        ),
    ] {
        let judged = answer(&question);
        assert_eq!(judged.code, code, "{what}: {judged:?}");
        assert_eq!(judged.is_fine(), code == 0);
    }
    let trace: Vec<(u32, i32)> = answer(&ask(&[&late], &[&root], Server))
        .trace
        .iter()
        .map(|e| (e.depth, e.code))
        .collect();
    assert_eq!(
        trace[..3],
        [(0, 20), (0, 21), (0, 10)],
        "the whole trace is kept"
    );
}

#[test]
fn a_chain_is_judged_for_a_name_and_at_a_moment() {
    let root = Template::ca("Root").self_signed();
    let app = Template::server(HOST).signed_by(&root);
    let mut question = ask(&[&app], &[&root], Server);
    question.name = Some(format!("{HOST}:8443"));
    let judged = answer(&question);
    assert_eq!(
        judged.name_matches,
        Some(true),
        "the port is cut off, as nginx does"
    );
    let path: Vec<&str> = judged
        .path
        .iter()
        .map(|facts| facts.subject.as_str())
        .collect();
    assert_eq!(path, [format!("CN={HOST}").as_str(), "CN=Root"]);

    question.name = Some("app.example.com".to_owned());
    let judged = answer(&question);
    assert_eq!(
        (judged.code, judged.name_matches, judged.is_fine()),
        (0, Some(false), false)
    );
    question.name = Some(String::new());
    assert_eq!(
        answer(&question).name_matches,
        Some(false),
        "an empty name matches nothing"
    );

    question.at = Some(Timestamp::now() + SignedDuration::from_hours(24 * 400));
    assert_eq!(answer(&question).code, 10);
}

#[test]
fn a_question_without_certificates_says_which_are_missing() {
    let root = Template::ca("Root").self_signed();
    let mut question = ask(&[], &[&root], Server);
    assert!(matches!(
        judge(&question),
        Err(ChainError::Presented(PemError::Empty))
    ));
    question = ask(&[&root], &[], Server);
    question.trusted = Certificates::Pem(b"junk".to_vec());
    assert!(matches!(
        judge(&question),
        Err(ChainError::Trusted(PemError::NoBlock))
    ));
    question.presented = Certificates::Der(vec![vec![1, 2, 3]]);
    let error = judge(&question).unwrap_err();
    assert!(matches!(
        error,
        ChainError::Presented(PemError::NotDer { number: 1, .. })
    ));
}

#[test]
fn a_signature_is_checked_and_not_the_name() {
    let root = Template::ca("Root").self_signed();
    let namesake = Template::ca("Root").self_signed();
    let app = Template::server(HOST).signed_by(&root);
    let broken = Template::server(HOST)
        .with(|t| t.broken_signature = true)
        .signed_by(&root);
    assert!(signed_by(&app.der(), &root.der()));
    assert!(!signed_by(&app.der(), &namesake.der()));
    assert!(!signed_by(&broken.der(), &root.der()));
    assert!(!signed_by(b"", &root.der()));
}
