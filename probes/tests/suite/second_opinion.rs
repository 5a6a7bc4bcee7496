//! The rustls column of the facts' table: what a stricter client makes of the certificates that
//! NGINX judges.

mod rows;

use std::net::{IpAddr, Ipv4Addr};

use crate::support::nginx::SecureApp;
use crate::support::pki::{Issued, KeyKind, Template};
use crate::support::{HOST, over_tls, run};
use jiff::Timestamp;
use ngf_probes::engine::second_opinion::{ENGINE, StrictQuestion, ask};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::chain::{Certificates, ChainQuestion, Purpose, judge};
use ngf_tls::transcript::{Outcome, SecondOpinion, TlsAgreed};
use openssl::nid::Nid;

use rows::rows;

/// What is presented, and who is trusted.
struct Case {
    sent: Vec<Issued>,
    trusted: Vec<Issued>,
    name: &'static str,
}

impl Case {
    /// A leaf below a root of the usual kind.
    fn leaf(change: impl FnOnce(&mut Template)) -> Self {
        Self::below(&Template::ca("LocalCA"), change)
    }

    fn below(root: &Template, change: impl FnOnce(&mut Template)) -> Self {
        let root = root.self_signed();
        let leaf = Template::server(HOST).with(change).signed_by(&root);
        Self {
            sent: vec![leaf],
            trusted: vec![root],
            name: HOST,
        }
    }

    fn self_signed(change: impl FnOnce(&mut Template)) -> Self {
        let leaf = Template::server(HOST).with(change).self_signed();
        Self {
            sent: vec![leaf.clone()],
            trusted: vec![leaf],
            name: HOST,
        }
    }

    /// A leaf below so many intermediates below a root.
    fn deep(count: usize, change: impl Fn(&mut Template)) -> Self {
        let root = Template::ca("Root").self_signed();
        let mut chain = vec![root.clone()];
        for number in 0..count {
            let issuer = chain.last().unwrap();
            let template = Template::ca(&format!("Intermediate {number}")).with(&change);
            chain.push(template.signed_by(issuer));
        }
        let leaf = Template::server(HOST).signed_by(chain.last().unwrap());
        chain.push(leaf);
        chain.reverse();
        chain.pop();
        Self {
            sent: chain,
            trusted: vec![root],
            name: HOST,
        }
    }

    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    fn trusting(self, trusted: Vec<Issued>) -> Self {
        Self { trusted, ..self }
    }

    fn strict(&self) -> SecondOpinion {
        let presented: Vec<_> = self
            .sent
            .iter()
            .map(|issued| CertificateFacts::from_der(&issued.der()).unwrap())
            .collect();
        let roots: Vec<_> = self.trusted.iter().map(Issued::der).collect();
        ask(&StrictQuestion {
            presented: &presented,
            roots: &roots,
            trust_origin: "the bundle",
            name: self.name,
            at: Timestamp::now(),
            agreed: None,
            signature_scheme: None,
        })
        .unwrap()
    }

    /// NGINX's code, and 0 or 1 for the name.
    fn nginx(&self) -> (i32, bool) {
        let der = |all: &[Issued]| Certificates::Der(all.iter().map(Issued::der).collect());
        let judgement = judge(&ChainQuestion {
            presented: der(&self.sent),
            trusted: der(&self.trusted),
            purpose: Purpose::Server,
            depth: 4,
            name: Some(self.name.to_owned()),
            at: None,
        })
        .unwrap();
        (judgement.code, judgement.name_matches == Some(true))
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn rustls_and_nginx_judge_each_row_of_the_table_as_the_facts_say() {
    let mut wrong = Vec::new();
    for (name, case, nginx, rustls) in rows() {
        let strict = case.strict();
        if strict.would_accept != rustls {
            wrong.push(format!("{name}: rustls: {strict:?}"));
        }
        let (code, matches) = case.nginx();
        // NGINX looks at the name where the chain is fine.
        if code != nginx.0 || (code == 0 && matches != nginx.1) {
            wrong.push(format!("{name}: nginx: {code} {matches}"));
        }
        assert!(!strict.reason.is_empty());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pathlen_exceeded_by_the_root_is_no_matter_to_webpki() {
    let root = Template::ca("Root")
        .with(|t| t.basic_constraints = Some((true, Some(0))))
        .self_signed();
    let intermediate = Template::ca("Intermediate").signed_by(&root);
    let leaf = Template::server(HOST).signed_by(&intermediate);
    let case = Case {
        sent: vec![leaf, intermediate],
        trusted: vec![root],
        name: HOST,
    };
    assert_eq!(case.nginx().0, 25);
    assert!(case.strict().would_accept);
}

#[test]
fn the_reason_names_every_fault_in_words() {
    let no_san = Case::leaf(|t| {
        t.dns.clear();
        (t.not_before, t.not_after) = (-20_000, -10_000);
    });
    let reason = no_san.strict().reason;
    assert!(reason.contains("expired on 20"), "{reason}");
    assert!(reason.contains("no SAN"), "{reason}");
    let reason = Case::leaf(|_| {})
        .named("other.example.com")
        .strict()
        .reason;
    assert_eq!(
        reason,
        "the subject alternative names are secure-app.example.com, and none is other.example.com"
    );
    let reason = Case::leaf(|_| {}).named("").strict().reason;
    assert_eq!(reason, "\"\" is neither a DNS name nor an IP address");
    let reason = Case::leaf(|t| t.key = KeyKind::Ec(Nid::SECP521R1))
        .strict()
        .reason;
    assert_eq!(reason, "it makes no handshake with a key of type EC P-521");
}

#[test]
fn what_rustls_does_not_speak_is_noted_beside() {
    let case = Case::leaf(|_| {});
    let presented = vec![CertificateFacts::from_der(&case.sent[0].der()).unwrap()];
    let roots = vec![case.trusted[0].der()];
    for (version, cipher, group, expected) in [
        (
            "TLSv1.3",
            "TLS_AES_128_GCM_SHA256",
            "X25519MLKEM768",
            &[][..],
        ),
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", &[]),
        (
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
            "x448",
            &["it does no key exchange by x448"],
        ),
        (
            "TLSv1.2",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "secp256r1",
            &[],
        ),
        (
            "TLSv1.2",
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            "secp521r1",
            &[
                "it does not speak TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: it takes no CBC",
                "it does no key exchange by secp521r1",
            ],
        ),
        (
            "TLSv1.2",
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "",
            &[
                "it does not speak TLS_RSA_WITH_AES_128_GCM_SHA256: it has no forward secrecy (RSA key exchange)",
            ],
        ),
        (
            "TLSv1.2",
            "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
            "",
            &[
                "it does not speak TLS_DHE_RSA_WITH_AES_128_GCM_SHA256: it does no finite-field Diffie-Hellman",
            ],
        ),
        (
            "TLSv1.1",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "",
            &["it does not speak TLSv1.1"],
        ),
    ] {
        let agreed = TlsAgreed {
            version: version.to_owned(),
            cipher: cipher.to_owned(),
            group: (!group.is_empty()).then(|| group.to_owned()),
            alpn: None,
        };
        let opinion = ask(&StrictQuestion {
            presented: &presented,
            roots: &roots,
            trust_origin: "the bundle",
            name: HOST,
            at: Timestamp::now(),
            agreed: Some(&agreed),
            signature_scheme: None,
        })
        .unwrap();
        assert_eq!(opinion.not_spoken, expected, "{cipher}");
        assert!(opinion.would_accept, "the note is none on the certificate");
    }
}

#[test]
fn a_scheme_of_the_servers_signature_that_rustls_does_not_take_is_noted() {
    let case = Case::leaf(|_| {});
    let presented = vec![CertificateFacts::from_der(&case.sent[0].der()).unwrap()];
    let roots = vec![case.trusted[0].der()];
    let agreed = TlsAgreed {
        version: "TLSv1.2".to_owned(),
        cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned(),
        group: None,
        alpn: None,
    };
    for (scheme, expected) in [
        ("rsa_pss_rsae_sha256", &[][..]),
        ("ecdsa_secp256r1_sha256", &[]),
        ("rsa_pkcs1_sha512", &[]),
        ("ed25519", &[]),
        (
            "rsa_pkcs1_sha224",
            &["it takes no signature by rsa_pkcs1_sha224"],
        ),
        (
            "rsa_pss_pss_sha256",
            &["it takes no signature by rsa_pss_pss_sha256"],
        ),
        (
            "ecdsa_secp521r1_sha512",
            &["it takes no signature by ecdsa_secp521r1_sha512"],
        ),
    ] {
        let opinion = ask(&StrictQuestion {
            presented: &presented,
            roots: &roots,
            trust_origin: "the bundle",
            name: HOST,
            at: Timestamp::now(),
            agreed: Some(&agreed),
            signature_scheme: Some(scheme),
        });
        assert_eq!(opinion.unwrap().not_spoken, expected, "{scheme}");
    }
}

#[tokio::test]
async fn a_probe_notes_what_a_strict_client_would_refuse_and_its_verdict_stays_nginx_own() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST)
        .with(|t| {
            t.dns.clear();
            t.key = KeyKind::Rsa(2048);
        })
        .signed_by(&ca);
    let nginx = SecureApp {
        verify_client: "off",
        protocols: "TLSv1.2",
        more: "ssl_ciphers AES128-SHA;",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let seen = run(&over_tls(nginx.port, &[&ca])).await;
    assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
    let opinion = seen.second_opinion.unwrap();
    assert!(!opinion.would_accept);
    assert!(opinion.reason.starts_with("no SAN"), "{}", opinion.reason);
    assert_eq!(
        opinion.not_spoken,
        [
            "it does not speak TLS_RSA_WITH_AES_128_CBC_SHA: it has no forward secrecy (RSA key exchange)"
        ]
    );
    // It rests on the same moment as the verdict does.
    let mut later = over_tls(nginx.port, &[&ca]);
    later.tls.as_mut().unwrap().at = Some("2090-01-01T00:00:00Z".parse().unwrap());
    let seen = run(&later).await;
    assert_eq!(seen.nginx.verify_code, Some(10));
    assert_eq!(seen.judged_at.as_deref(), Some("2090-01-01T00:00:00Z"));
    assert!(seen.second_opinion.unwrap().reason.contains("expired"));
    assert_eq!(seen.expires_first, None, "all of it has expired by then");
}

#[test]
fn the_engine_is_the_one_that_is_linked() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let lock = lock.unwrap();
    let version = ENGINE
        .strip_prefix("rustls ")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        lock.contains(&format!("name = \"rustls\"\nversion = \"{version}.")),
        "{ENGINE} is not in Cargo.lock"
    );
}
