//! The rustls column of the facts' table: what a stricter client makes of the certificates that
//! NGINX judges.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::nginx::SecureApp;
use crate::support::pki::{
    ANY_EKU, Authority, CLIENT_AUTH, CRL_SIGN, Issued, KEY_CERT_SIGN, KeyKind, SERVER_AUTH,
    Template,
};
use crate::support::{HOST, over_tls, run};
use jiff::Timestamp;
use ngf_probes::engine::second_opinion::{ENGINE, StrictQuestion, ask};
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::chain::{Certificates, ChainQuestion, Purpose, judge};
use ngf_tls::transcript::{Outcome, SecondOpinion, TlsAgreed};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;

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

fn two_roots(wrong_first: bool) -> Case {
    let right = Template::ca("LocalCA").self_signed();
    let wrong = Template::ca("LocalCA").self_signed();
    let leaf = Template::server(HOST)
        .with(|t| t.authority = Authority::None)
        .signed_by(&right);
    let trusted = if wrong_first {
        vec![wrong, right]
    } else {
        vec![wrong]
    };
    Case {
        sent: vec![leaf],
        trusted,
        name: HOST,
    }
}

/// The new root, once as itself and once signed by an old one that has expired, is sent below it.
fn cross_signed() -> Case {
    let new_root = Template::ca("New root").self_signed();
    let old_root = Template::ca("Old root").expired().self_signed();
    let cross = Template::ca("New root")
        .with(|t| t.own_key = Some(new_root.key.clone()))
        .signed_by(&old_root);
    let leaf = Template::server(HOST).signed_by(&new_root);
    Case {
        sent: vec![leaf, cross],
        trusted: vec![new_root],
        name: HOST,
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Case, NGINX's code and name, and whether rustls accepts: facts/tls.md, row by row.
#[expect(clippy::too_many_lines, reason = "one line for each row of the table")]
fn rows() -> Vec<(&'static str, Case, (i32, bool), bool)> {
    let dns = |names: &'static [&'static str]| {
        move |t: &mut Template| t.dns = names.iter().map(|n| (*n).to_owned()).collect()
    };
    let common_name = |name: &'static str| {
        move |t: &mut Template| {
            t.dns.clear();
            t.subject = vec![("CN".to_owned(), name.to_owned())];
        }
    };
    let leaf_key = |key: KeyKind| Case::leaf(|t| t.key = key);
    let usage = |bits: &'static [u8]| move |t: &mut Template| t.key_usage = Some(bits.to_vec());
    let purposes = |oids: &'static [&'static str]| {
        move |t: &mut Template| t.extended_key_usage = Some(oids.to_vec())
    };
    let unrelated = || vec![Template::ca("Unrelated").self_signed()];
    let ok = (0, true);
    let mismatch = (0, false);
    let mut intermediate_only = Case::deep(1, |_| {});
    intermediate_only.trusted = vec![intermediate_only.sent[1].clone()];
    let mut intermediate_missing = Case::deep(1, |_| {});
    intermediate_missing.sent.truncate(1);
    let mut pinned = Case::leaf(|_| {});
    pinned.trusted.clone_from(&pinned.sent);
    let mut unknown_root_sent = Case::deep(1, |_| {});
    unknown_root_sent
        .sent
        .push(unknown_root_sent.trusted[0].clone());
    vec![
        ("sound", Case::leaf(|_| {}), ok, true),
        ("CN only", Case::leaf(common_name(HOST)), ok, false),
        (
            "CN plus only IP SANs",
            Case::leaf(|t| {
                t.dns.clear();
                t.ips = vec![LOCALHOST];
            }),
            ok,
            false,
        ),
        (
            "CN is a wildcard",
            Case::leaf(common_name("*.example.com")),
            ok,
            false,
        ),
        (
            "CN matches, another DNS SAN present",
            Case::leaf(dns(&["other.example.com"])),
            mismatch,
            false,
        ),
        (
            "self-signed leaf in the store, CA:FALSE",
            Case::self_signed(|_| {}),
            ok,
            true,
        ),
        (
            "self-signed leaf in the store, no extensions but the name",
            Case::self_signed(|t| {
                t.basic_constraints = None;
                t.key_usage = None;
                t.extended_key_usage = None;
            }),
            ok,
            true,
        ),
        (
            "CA:TRUE leaf with KU=keyCertSign only",
            Case::leaf(|t| {
                t.basic_constraints = Some((true, None));
                t.key_usage = Some(vec![KEY_CERT_SIGN]);
            }),
            (26, true),
            false,
        ),
        (
            "CA:FALSE leaf with KU=keyCertSign only",
            Case::leaf(usage(&[KEY_CERT_SIGN])),
            (26, true),
            true,
        ),
        (
            "self-signed, not trusted",
            Case::self_signed(|_| {}).trusting(unrelated()),
            (18, true),
            false,
        ),
        ("leaf pinned, not self-signed", pinned, (21, true), false),
        (
            "only the intermediate in the store",
            intermediate_only,
            (2, true),
            true,
        ),
        (
            "intermediate missing",
            intermediate_missing,
            (21, true),
            false,
        ),
        (
            "unknown root not sent",
            Case::deep(1, |_| {}).trusting(unrelated()),
            (20, true),
            false,
        ),
        (
            "unknown root sent",
            unknown_root_sent.trusting(unrelated()),
            (19, true),
            false,
        ),
        (
            "root re-keyed under one name, with AKI",
            Case::leaf(|_| {}).trusting(vec![Template::ca("LocalCA").self_signed()]),
            (21, true),
            false,
        ),
        (
            "root re-keyed under one name, without AKI",
            two_roots(false),
            (7, true),
            false,
        ),
        (
            "two roots of one name, the wrong one first",
            two_roots(true),
            (7, true),
            true,
        ),
        (
            "v1 root",
            Case::below(&Template::ca("LocalCA").with(|t| t.version = 1), |_| {}),
            ok,
            true,
        ),
        (
            "v1 intermediate",
            Case::deep(1, |t| t.version = 1),
            (26, true),
            false,
        ),
        ("v1 leaf", Case::leaf(|t| t.version = 1), ok, false),
        (
            "no EKU and no KU",
            Case::leaf(|t| {
                t.key_usage = None;
                t.extended_key_usage = None;
            }),
            ok,
            true,
        ),
        (
            "EKU client only",
            Case::leaf(purposes(&[CLIENT_AUTH])),
            (26, true),
            false,
        ),
        (
            "anyEKU only",
            Case::leaf(purposes(&[ANY_EKU])),
            (26, true),
            false,
        ),
        (
            "intermediate with EKU client",
            Case::deep(1, purposes(&[CLIENT_AUTH])),
            (26, true),
            false,
        ),
        (
            "EKU server only",
            Case::leaf(purposes(&[SERVER_AUTH])),
            ok,
            true,
        ),
        (
            "CA's KU lacks certSign",
            Case::below(&Template::ca("LocalCA").with(usage(&[CRL_SIGN])), |_| {}),
            (32, true),
            true,
        ),
        (
            "root without BasicConstraints",
            Case::below(
                &Template::ca("LocalCA").with(|t| {
                    t.basic_constraints = None;
                    t.key_usage = None;
                }),
                |_| {},
            ),
            (26, true),
            true,
        ),
        (
            "root CA:FALSE",
            Case::below(
                &Template::ca("LocalCA").with(|t| {
                    t.basic_constraints = Some((false, None));
                    t.key_usage = Some(vec![CRL_SIGN]);
                }),
                |_| {},
            ),
            (32, true),
            true,
        ),
        (
            "unknown critical extension",
            Case::leaf(|t| t.unknown_extension = Some(true)),
            (34, true),
            false,
        ),
        (
            "partial wildcard a*",
            Case::leaf(dns(&["s*.example.com"])),
            ok,
            false,
        ),
        (
            "partial wildcard *p",
            Case::leaf(dns(&["*p.example.com"])),
            ok,
            false,
        ),
        (
            "wildcard two labels up",
            Case::leaf(dns(&["*.com"])),
            mismatch,
            false,
        ),
        (
            "wildcard in the middle",
            Case::leaf(dns(&["secure-app.*.com"])),
            mismatch,
            false,
        ),
        (
            "IP SAN with an IP as name",
            Case::leaf(|t| t.ips = vec![LOCALHOST]).named("127.0.0.1"),
            mismatch,
            true,
        ),
        (
            "IP text in CN",
            Case::leaf(common_name("127.0.0.1")).named("127.0.0.1"),
            ok,
            false,
        ),
        (
            "IP text in a DNS SAN",
            Case::leaf(dns(&["127.0.0.1"])).named("127.0.0.1"),
            ok,
            false,
        ),
        (
            "trailing dot in the name only",
            Case::leaf(|_| {}).named("secure-app.example.com."),
            mismatch,
            true,
        ),
        (
            "trailing dot in both",
            Case::leaf(dns(&["secure-app.example.com."])).named("secure-app.example.com."),
            ok,
            false,
        ),
        (
            "underscore",
            Case::leaf(dns(&["a_b.svc"])).named("a_b.svc"),
            ok,
            true,
        ),
        (
            "uppercase",
            Case::leaf(dns(&["APP.Example.com"])).named("app.example.com"),
            ok,
            true,
        ),
        (
            "single label",
            Case::leaf(dns(&["app"])).named("app"),
            ok,
            true,
        ),
        (
            "name-constraint violation",
            Case::below(
                &Template::ca("LocalCA")
                    .with(|t| t.name_constraints = Some((vec!["allowed.test".to_owned()], vec![]))),
                |_| {},
            ),
            (47, true),
            false,
        ),
        (
            "expired leaf",
            Case::leaf(|t| (t.not_before, t.not_after) = (-20_000, -10_000)),
            (10, true),
            false,
        ),
        (
            "expired intermediate",
            Case::deep(1, |t| (t.not_before, t.not_after) = (-20_000, -10_000)),
            (10, true),
            false,
        ),
        (
            "expired root in the store",
            Case::below(&Template::ca("LocalCA").expired(), |_| {}),
            (10, true),
            true,
        ),
        (
            "cross-signed by an expired root, new root trusted",
            cross_signed(),
            ok,
            true,
        ),
        ("4 intermediates", Case::deep(4, |_| {}), ok, true),
        ("5 intermediates", Case::deep(5, |_| {}), (20, true), true),
        (
            "RSA-1024 leaf",
            leaf_key(KeyKind::Rsa(1024)),
            (66, true),
            false,
        ),
        (
            "RSA-1024 CA",
            Case::below(
                &Template::ca("LocalCA").with(|t| t.key = KeyKind::Rsa(1024)),
                |_| {},
            ),
            (67, true),
            false,
        ),
        (
            "SHA-1 signature on the leaf",
            Case::leaf(|t| t.digest = MessageDigest::sha1()),
            (68, true),
            false,
        ),
        (
            "SHA-1 signature only on the root",
            Case::below(
                &Template::ca("LocalCA").with(|t| t.digest = MessageDigest::sha1()),
                |_| {},
            ),
            ok,
            true,
        ),
        ("Ed25519", leaf_key(KeyKind::Ed25519), ok, true),
        ("P-384", leaf_key(KeyKind::Ec(Nid::SECP384R1)), ok, true),
        ("Ed448", leaf_key(KeyKind::Ed448), ok, false),
        ("P-521", leaf_key(KeyKind::Ec(Nid::SECP521R1)), ok, false),
        ("RSA-PSS", leaf_key(KeyKind::RsaPss(2048)), ok, false),
        (
            "explicit EC parameters",
            leaf_key(KeyKind::EcExplicit),
            (94, true),
            false,
        ),
    ]
}

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
