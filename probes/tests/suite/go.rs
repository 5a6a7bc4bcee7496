//! PEM texts as Go 1.26 reads them: the words were taken down from a Go program that calls `tls.X509KeyPair`, and what
//! NGF's `secrets.ValidateCA` calls.

use crate::support::pki::{Issued, KeyKind, P256, Template};
use ngf_tls::go::{oddity, refuses_ca, refuses_pair};
use openssl::nid::Nid;

const NO_BLOCK: &str = "the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block";

fn ca() -> Issued {
    Template::ca("LocalCA").self_signed()
}

fn of(key: KeyKind) -> Issued {
    Template::ca("LocalCA").with(|t| t.key = key).self_signed()
}

fn text(issued: &Issued) -> String {
    String::from_utf8(issued.pem()).unwrap()
}

fn words(text: impl AsRef<[u8]>) -> Option<String> {
    refuses_ca(text.as_ref())
}

#[test]
fn the_first_block_that_go_reads_has_to_be_a_certificate() {
    let (one, other) = (text(&ca()), text(&ca()));
    let key = String::from_utf8(ca().key_pem()).unwrap();
    let broken =
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    let labelled = |label: &str| one.replace("CERTIFICATE", label);
    let per_line = |change: fn(&str) -> String| one.lines().map(change).collect::<String>();
    let header = "-----BEGIN CERTIFICATE-----\n";
    let encoded = openssl::base64::encode_block(one.as_bytes());
    let cases = [
        (one.clone(), None),
        (one.replace('\n', "\r\n"), None),
        (one.trim_end().to_owned(), None),
        (format!("# a comment\n\n{one}"), None),
        (per_line(|line| format!("{line}  \n")), None),
        (format!("{one}{key}"), None),
        (format!("{one}{broken}"), None),
        (format!("{no_base64}{one}"), None),
        (format!("{cut}{one}"), None),
        (format!("{}{one}{other}", other.trim_end()), None),
        (
            one.replace(header, &format!("{header}Comment: x\n\n")),
            None,
        ),
        (encoded.clone(), None),
        (String::new(), Some(NO_BLOCK.to_owned())),
        (format!("\u{feff}{one}"), Some(NO_BLOCK.to_owned())),
        (one.replace('\n', "\r"), Some(NO_BLOCK.to_owned())),
        (one.replace('\n', " "), Some(NO_BLOCK.to_owned())),
        (
            per_line(|line| format!("  {line}\n")),
            Some(NO_BLOCK.to_owned()),
        ),
        (
            format!("{}{one}", other.trim_end()),
            Some(NO_BLOCK.to_owned()),
        ),
        (
            openssl::base64::encode_block(encoded.as_bytes()),
            Some(NO_BLOCK.to_owned()),
        ),
        (
            format!("{key}{one}"),
            Some(format!("{NO_BLOCK}, but got \"PRIVATE KEY\"")),
        ),
        (
            labelled("X509 CERTIFICATE"),
            Some(format!("{NO_BLOCK}, but got \"X509 CERTIFICATE\"")),
        ),
        (
            labelled("TRUSTED CERTIFICATE"),
            Some(format!("{NO_BLOCK}, but got \"TRUSTED CERTIFICATE\"")),
        ),
        (
            format!("{broken}{one}"),
            Some("failed to validate certificate: x509: malformed certificate".to_owned()),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(words(&text), expected, "{text}");
    }
}

#[test]
fn a_certificate_may_be_one_that_openssl_reads_and_go_does_not() {
    let curve = "failed to validate certificate: x509: unsupported elliptic curve";
    let explicit = "failed to validate certificate: x509: invalid ECDSA parameters";
    for (key, expected) in [
        (P256, None),
        (KeyKind::Ec(Nid::SECP521R1), None),
        (KeyKind::Ed448, None),
        (KeyKind::RsaPss(2048), None),
        (KeyKind::Ec(Nid::BRAINPOOL_P256R1), Some(curve)),
        (KeyKind::Ec(Nid::SECP256K1), Some(curve)),
        (KeyKind::EcExplicit, Some(explicit)),
    ] {
        assert_eq!(refuses_ca(&of(key).pem()).as_deref(), expected, "{key:?}");
    }
    let idn = Template::server("a.example.com")
        .with(|t| t.dns = vec!["b\u{fc}cher.example.com".to_owned()]);
    assert_eq!(
        refuses_ca(&idn.self_signed().pem()).as_deref(),
        Some("failed to validate certificate: x509: SAN dNSName is malformed")
    );
}

#[test]
fn a_certificate_and_its_key_are_a_pair_or_not() {
    let pair = Template::client("gateway").self_signed();
    let (certificate, key) = (pair.pem(), pair.key_pem());
    let sec1 = pair.key.ec_key().unwrap().private_key_to_pem().unwrap();
    let parameters =
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let other = ca();
    let said = |certificate: &[u8], key: &[u8]| refuses_pair(certificate, key);
    for key in [
        key.clone(),
        sec1.clone(),
        [&parameters[..], &sec1].concat(),
        [&certificate[..], &key].concat(),
    ] {
        assert_eq!(said(&certificate, &key), None);
    }
    // The first certificate counts, whatever follows.
    assert_eq!(
        said(
            &[
                &certificate[..],
                b"-----BEGIN CERTIFICATE-----\nbm90\n-----END CERTIFICATE-----\n"
            ]
            .concat(),
            &key
        ),
        None
    );
    for (certificate, key, expected) in [
        (
            certificate.clone(),
            other.key_pem(),
            "tls: private key does not match public key",
        ),
        (
            [other.pem(), certificate.clone()].concat(),
            key.clone(),
            "tls: private key does not match public key",
        ),
        (
            certificate.clone(),
            of(KeyKind::Ed25519).key_pem(),
            "tls: private key type does not match public key type",
        ),
        (
            certificate.clone(),
            certificate.clone(),
            "tls: found a certificate rather than a key in the PEM for the private key",
        ),
        (
            key.clone(),
            key.clone(),
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
        ),
        (
            certificate.clone(),
            Vec::new(),
            "tls: failed to find any PEM data in key input",
        ),
        (
            Vec::new(),
            key.clone(),
            "tls: failed to find any PEM data in certificate input",
        ),
        (
            [&b"\xEF\xBB\xBF"[..], &certificate].concat(),
            key.clone(),
            "tls: failed to find any PEM data in certificate input",
        ),
        (
            certificate.clone(),
            [&b"\xEF\xBB\xBF"[..], &key].concat(),
            "tls: failed to find any PEM data in key input",
        ),
    ] {
        assert_eq!(said(&certificate, &key).as_deref(), Some(expected));
    }
    for (kind, expected) in [
        (KeyKind::Ed25519, None),
        (KeyKind::Rsa(2048), None),
        (
            KeyKind::Ec(Nid::BRAINPOOL_P256R1),
            Some("x509: unsupported elliptic curve"),
        ),
        (KeyKind::Ed448, Some("tls: failed to parse private key")),
        (
            KeyKind::RsaPss(2048),
            Some("tls: failed to parse private key"),
        ),
    ] {
        let pair = of(kind);
        assert_eq!(
            said(&pair.pem(), &pair.key_pem()).as_deref(),
            expected,
            "{kind:?}"
        );
    }
}

#[test]
fn what_does_not_show_when_a_text_is_printed_is_named() {
    let one = text(&ca());
    for (text, expected) in [
        (one.clone().into_bytes(), None),
        (
            format!("\u{feff}{one}").into_bytes(),
            Some("it begins with a byte order mark (EF BB BF)"),
        ),
        (ca().der(), Some("it is DER and not PEM")),
        (
            one.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            None,
        ),
        (
            format!("\u{feff}{one}")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
            Some("it is UTF-16"),
        ),
        (
            format!("{}{one}", one.trim_end()).into_bytes(),
            Some("a block begins in the line in which another one ends"),
        ),
        (
            one.replace('\n', "\\n").into_bytes(),
            Some("it holds \\n in the place of line breaks"),
        ),
        (
            one.replace('\n', " ").into_bytes(),
            Some("it holds no line feed"),
        ),
        (
            format!("  {one}").into_bytes(),
            Some("its lines are indented"),
        ),
    ] {
        assert_eq!(oddity(&text), expected);
    }
}
