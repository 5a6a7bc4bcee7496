//! Every row of the facts' table of certificates and names.

use openssl::hash::MessageDigest;
use openssl::nid::Nid;

use crate::case::Case;
use crate::support::HOST;
use crate::support::pki::{
    ANY_EKU, Authority, CLIENT_AUTH, CRL_SIGN, DIGITAL_SIGNATURE, Issued, KEY_CERT_SIGN, KeyKind,
    SERVER_AUTH, Template,
};

/// What is wrong with a certificate.
type Change = fn(&mut Template);
/// A name, what nginx makes of it, and the change.
type Row = (&'static str, i32, Change);

/// CN, DNS SANs, IP SANs, the name that is asked for, and whether nginx finds it.
type Named = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
    bool,
);

/// The name that the suite asks for when wildcards matter.
const DEEP: &str = "app.ns.svc";

pub(crate) fn cases() -> Vec<Case> {
    let all = [
        anchors(),
        leaves(),
        issuers(),
        depths(),
        names(),
        keys_and_signatures(),
    ];
    all.concat()
        .into_iter()
        .flat_map(Case::in_both_versions)
        .collect()
}

fn root() -> Issued {
    Template::ca("Root").self_signed()
}

/// Who is trusted, and what is sent.
#[expect(clippy::too_many_lines, reason = "a table")]
fn anchors() -> Vec<Case> {
    let root = root();
    let other = Template::ca("Other").self_signed();
    let middle = Template::ca("Middle").signed_by(&root);
    let leaf = Template::server(HOST).signed_by(&root);
    let lower = Template::server(HOST).signed_by(&middle);
    let own = Template::server(HOST).self_signed();
    let bare = Template::bare(HOST)
        .with(|t| t.dns = vec![HOST.to_owned()])
        .self_signed();
    let new_root = Template::ca("Root").self_signed();
    let no_ids = |template: Template| {
        template.with(|t| {
            t.authority = Authority::None;
            t.subject_key_id = false;
        })
    };
    let plain_root = no_ids(Template::ca("Root")).self_signed();
    let plain_new_root = no_ids(Template::ca("Root")).self_signed();
    let plain_leaf = no_ids(Template::server(HOST)).signed_by(&plain_root);
    let late_root = Template::ca("Old root").expired().self_signed();
    let renewed = Template::ca("Old root").with(|t| t.own_key = Some(late_root.key.clone()));
    let crossed = Template::ca("Middle").with(|t| t.own_key = Some(middle.key.clone()));
    vec![
        Case::new("signed by the root", &leaf, &[], &[&root]).expecting(200),
        Case::new("through an intermediate", &lower, &[&middle], &[&root]).expecting(200),
        Case::new("root sent as well", &lower, &[&middle, &root], &[&root]).expecting(200),
        Case::new("intermediate missing", &lower, &[], &[&root]).expecting(21),
        Case::new(
            "only the intermediate trusted",
            &lower,
            &[&middle],
            &[&middle],
        )
        .expecting(2),
        Case::new("another root", &leaf, &[], &[&other]).expecting(21),
        Case::new("unknown root not sent", &lower, &[&middle], &[&other]).expecting(20),
        Case::new("unknown root sent", &leaf, &[&root], &[&other]).expecting(19),
        Case::new(
            "unknown root sent behind",
            &lower,
            &[&middle, &root],
            &[&other],
        )
        .expecting(19),
        Case::new("self-signed in the store, CA:FALSE", &own, &[], &[&own]).expecting(200),
        Case::new("self-signed in the store, bare", &bare, &[], &[&bare]).expecting(200),
        Case::new("self-signed, not trusted", &own, &[], &[&other]).expecting(18),
        Case::new("leaf pinned", &leaf, &[], &[&leaf]).expecting(21),
        Case::new("re-keyed root, with AKI", &leaf, &[], &[&new_root]).expecting(21),
        Case::new(
            "re-keyed root, without",
            &plain_leaf,
            &[],
            &[&plain_new_root],
        )
        .expecting(7),
        Case::new(
            "two roots, wrong first",
            &plain_leaf,
            &[],
            &[&plain_new_root, &plain_root],
        )
        .expecting(7),
        Case::new(
            "two roots, right first",
            &plain_leaf,
            &[],
            &[&plain_root, &plain_new_root],
        ),
        Case::new("two other roots", &leaf, &[], &[&other, &root]).expecting(200),
        Case::new(
            "expired root",
            &Template::server(HOST).signed_by(&late_root),
            &[],
            &[&late_root],
        )
        .expecting(10),
        Case::new(
            "renewed root of the same key",
            &Template::server(HOST).signed_by(&late_root),
            &[],
            &[&renewed.self_signed()],
        )
        .expecting(200),
        Case::new(
            "cross-signed by an expired root",
            &lower,
            &[&crossed.signed_by(&late_root), &middle],
            &[&root],
        ),
        Case::new(
            "chain in the wrong order",
            &lower,
            &[&root, &middle],
            &[&root],
        )
        .expecting(200),
        Case::new(
            "a stranger in the chain",
            &lower,
            &[&other, &middle],
            &[&root],
        )
        .expecting(200),
    ]
}

/// What a leaf under a good root can say of itself.
fn leaves() -> Vec<Case> {
    let root = root();
    let changes: &[Row] = &[
        ("CA:TRUE", 200, |t| t.basic_constraints = Some((true, None))),
        ("no BasicConstraints", 200, |t| t.basic_constraints = None),
        ("no EKU and no KU", 200, |t| {
            t.key_usage = None;
            t.extended_key_usage = None;
        }),
        ("EKU server only", 200, |t| {
            t.extended_key_usage = Some(vec![SERVER_AUTH]);
        }),
        ("EKU client only", 26, |t| {
            t.extended_key_usage = Some(vec![CLIENT_AUTH]);
        }),
        ("EKU any only", 26, |t| {
            t.extended_key_usage = Some(vec![ANY_EKU]);
        }),
        ("EKU any and server", 200, |t| {
            t.extended_key_usage = Some(vec![ANY_EKU, SERVER_AUTH]);
        }),
        ("EKU codeSigning only", 26, |t| {
            t.extended_key_usage = Some(vec!["1.3.6.1.5.5.7.3.3"]);
        }),
        ("KU digitalSignature only", 200, |t| {
            t.key_usage = Some(vec![DIGITAL_SIGNATURE]);
        }),
        ("v1", 200, |t| {
            t.version = 1;
            t.subject = vec![("CN".to_owned(), HOST.to_owned())];
        }),
        ("expired", 10, |t| {
            (t.not_before, t.not_after) = (-20_000, -10_000);
        }),
        ("not yet valid", 9, |t| {
            (t.not_before, t.not_after) = (10_000, 20_000);
        }),
        ("unknown critical extension", 34, |t| {
            t.unknown_extension = Some(true);
        }),
        ("unknown extension", 200, |t| {
            t.unknown_extension = Some(false);
        }),
        ("no key identifiers", 200, |t| {
            t.authority = Authority::None;
            t.subject_key_id = false;
        }),
        ("AKI of nobody", 21, |t| {
            t.authority = Authority::Bytes(vec![1; 20]);
        }),
        ("broken signature", 7, |t| t.broken_signature = true),
        ("SAN with a URI as well", 200, |t| {
            t.uris = vec!["spiffe://x/y".to_owned()];
        }),
        ("a hundred SANs", 200, |t| {
            t.dns
                .extend((0..100).map(|n| format!("host{n}.example.com")));
        }),
    ];
    let mut cases: Vec<Case> = changes
        .iter()
        .map(|&(name, expected, change)| {
            let leaf = Template::server(HOST).with(change).signed_by(&root);
            Case::new(&format!("leaf: {name}"), &leaf, &[], &[&root]).expecting(expected)
        })
        .collect();
    // In TLS 1.2 OpenSSL has no suite for a key that may not sign: the server ends it by alert 40.
    let not_for_signing: &[(&str, Change)] = &[
        ("CA:TRUE with only keyCertSign", |t| {
            t.basic_constraints = Some((true, None));
            t.key_usage = Some(vec![KEY_CERT_SIGN]);
        }),
        ("CA:FALSE with only keyCertSign", |t| {
            t.key_usage = Some(vec![KEY_CERT_SIGN]);
        }),
        ("only cRLSign", |t| t.key_usage = Some(vec![CRL_SIGN])),
    ];
    for &(name, change) in not_for_signing {
        let leaf = Template::server(HOST).with(change).signed_by(&root);
        let case = Case::new(&format!("leaf: {name}"), &leaf, &[], &[&root]);
        cases.push(case.clone().speaking("TLSv1.2").expecting(502));
        cases.push(case.speaking("TLSv1.3").expecting(26));
    }
    cases
}

/// What is wrong with a root or an intermediate.
fn issuers() -> Vec<Case> {
    let mut cases = Vec::new();
    let roots: &[Row] = &[
        ("v1", 200, |t| t.version = 1),
        ("without BasicConstraints", 26, |t| {
            t.basic_constraints = None;
        }),
        ("CA:FALSE", 32, |t| {
            t.basic_constraints = Some((false, None));
        }),
        ("KU without certSign", 32, |t| {
            t.key_usage = Some(vec![DIGITAL_SIGNATURE]);
        }),
        ("without KU", 200, |t| t.key_usage = None),
        ("not yet valid", 9, |t| {
            (t.not_before, t.not_after) = (10_000, 20_000);
        }),
        ("pathlen 0", 200, |t| {
            t.basic_constraints = Some((true, Some(0)));
        }),
        ("unknown critical extension", 34, |t| {
            t.unknown_extension = Some(true);
        }),
    ];
    for &(name, expected, change) in roots {
        let root = Template::ca("Root").with(change).self_signed();
        let leaf = Template::server(HOST).signed_by(&root);
        let case = Case::new(&format!("root: {name}"), &leaf, &[], &[&root]);
        // How a root without CA rights is called differs by its key usage; nginx decides.
        cases.push(if expected == 26 || expected == 32 {
            case
        } else {
            case.expecting(expected)
        });
    }
    let root = root();
    let middles: &[Row] = &[
        ("v1", 26, |t| t.version = 1),
        ("EKU client", 26, |t| {
            t.extended_key_usage = Some(vec![CLIENT_AUTH]);
        }),
        ("EKU server", 200, |t| {
            t.extended_key_usage = Some(vec![SERVER_AUTH]);
        }),
        ("EKU any", 26, |t| {
            t.extended_key_usage = Some(vec![ANY_EKU]);
        }),
        ("KU without certSign", 32, |t| {
            t.key_usage = Some(vec![DIGITAL_SIGNATURE]);
        }),
        ("CA:FALSE", 26, |t| {
            t.basic_constraints = Some((false, None));
        }),
        ("expired", 10, |t| {
            (t.not_before, t.not_after) = (-20_000, -10_000);
        }),
        ("name constraints violated", 47, |t| {
            t.name_constraints = Some((vec!["other.example".to_owned()], vec![]));
        }),
        ("name constraints excluded", 48, |t| {
            t.name_constraints = Some((vec![], vec!["example.com".to_owned()]));
        }),
        ("name constraints met", 200, |t| {
            t.name_constraints = Some((vec!["example.com".to_owned()], vec![]));
        }),
    ];
    for &(name, expected, change) in middles {
        let middle = Template::ca("Middle").with(change).signed_by(&root);
        let leaf = Template::server(HOST).signed_by(&middle);
        let case = Case::new(
            &format!("intermediate: {name}"),
            &leaf,
            &[&middle],
            &[&root],
        );
        cases.push(if matches!(expected, 26 | 32) {
            case
        } else {
            case.expecting(expected)
        });
    }
    cases
}

/// Chains of each length, and pathlen.
fn depths() -> Vec<Case> {
    let root = root();
    let mut cases = Vec::new();
    for count in 1..=6_usize {
        let mut chain: Vec<Issued> = Vec::new();
        for number in 0..count {
            let issuer = chain.last().unwrap_or(&root);
            let next = Template::ca(&format!("Middle {number}")).signed_by(issuer);
            chain.push(next);
        }
        let leaf = Template::server(HOST).signed_by(&chain[count - 1]);
        let sent: Vec<&Issued> = chain.iter().rev().collect();
        let expected = if count <= 4 { 200 } else { 20 };
        let name = format!("{count} intermediates");
        cases.push(Case::new(&name, &leaf, &sent, &[&root]).expecting(expected));
    }
    for (path_len, count) in [(0, 1), (0, 2), (1, 2), (1, 1)] {
        let root = Template::ca("Short root")
            .with(|t| t.basic_constraints = Some((true, Some(path_len))))
            .self_signed();
        let first = Template::ca("First").signed_by(&root);
        let second = Template::ca("Second").signed_by(&first);
        let last = if count == 1 { &first } else { &second };
        let leaf = Template::server(HOST).signed_by(last);
        let sent = if count == 1 {
            vec![&first]
        } else {
            vec![&second, &first]
        };
        let expected = if count > path_len as usize { 25 } else { 200 };
        let name = format!("pathlen {path_len}, {count} intermediates");
        cases.push(Case::new(&name, &leaf, &sent, &[&root]).expecting(expected));
    }
    cases
}

/// What a certificate can be for, and what is asked for.
fn names() -> Vec<Case> {
    let root = root();
    let mut cases = Vec::new();
    let rows: &[Named] = &[
        (HOST, &[], &[], HOST, true),
        (HOST, &[], &["10.0.3.7"], HOST, true),
        ("*.ns.svc", &[], &[], DEEP, true),
        (HOST, &["other.example.com"], &[], HOST, false),
        ("other", &[HOST], &[], HOST, true),
        ("other", &["other.example.com"], &[], HOST, false),
        ("x", &["*.ns.svc"], &[], DEEP, true),
        ("x", &["a*.ns.svc"], &[], DEEP, true),
        ("x", &["*p.ns.svc"], &[], DEEP, true),
        ("x", &["a*p.ns.svc"], &[], DEEP, false),
        ("x", &["b*.ns.svc"], &[], DEEP, false),
        ("x", &["*.svc"], &[], DEEP, false),
        ("x", &["app.*.svc"], &[], DEEP, false),
        ("x", &["*"], &[], "app", false),
        ("x", &["*.com"], &[], "example.com", false),
        ("x", &[], &["10.0.3.7"], "10.0.3.7", false),
        ("10.0.3.7", &[], &[], "10.0.3.7", true),
        ("x", &["10.0.3.7"], &[], "10.0.3.7", true),
        ("x", &[], &["::1"], "[::1]", false),
        ("x", &["[::1]"], &[], "[::1]", true),
        ("x", &[HOST], &[], "secure-app.example.com.", false),
        (
            "x",
            &["secure-app.example.com."],
            &[],
            "secure-app.example.com.",
            true,
        ),
        ("x", &["secure-app.example.com."], &[], HOST, false),
        ("x", &[HOST], &[], "secure-app.example.com:8443", true),
        ("x", &[HOST], &[], "Secure-App.EXAMPLE.com", true),
        ("x", &["SECURE-APP.example.com"], &[], HOST, true),
        ("x", &["my_app.ns.svc"], &[], "my_app.ns.svc", true),
        ("x", &["app"], &[], "app", true),
        (
            "x",
            &["xn--bcher-kva.example"],
            &[],
            "xn--bcher-kva.example",
            true,
        ),
        (
            "x",
            &["*.example.com"],
            &[],
            "xn--bcher-kva.example.com",
            true,
        ),
        // OpenSSL takes a leading dot for "any name below".
        ("x", &[HOST], &[], ".example.com", true),
        ("x", &["-.example.com"], &[], "-.example.com", true),
        ("x", &["a.b", HOST], &[], HOST, true),
        ("x", &[HOST], &[], "::1", false),
    ];
    for (common_name, dns, ips, asked, matches) in rows {
        let leaf = Template::server(common_name)
            .with(|t| {
                t.dns = dns.iter().map(ToString::to_string).collect();
                t.ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
            })
            .signed_by(&root);
        let name = format!("name: CN={common_name} {dns:?} {ips:?}, asked for {asked}");
        let expected = if *matches { 200 } else { 502 };
        cases.push(
            Case::new(&name, &leaf, &[], &[&root])
                .asking_for(asked)
                .expecting(expected),
        );
    }
    cases
}

/// Kinds and sizes of keys, and hashes of signatures.
fn keys_and_signatures() -> Vec<Case> {
    let root = root();
    let rsa_root = Template::ca("RSA root")
        .with(|t| t.key = KeyKind::Rsa(2048))
        .self_signed();
    let weak_root = Template::ca("Weak root")
        .with(|t| t.key = KeyKind::Rsa(1024))
        .self_signed();
    let sha1_root = Template::ca("SHA-1 root")
        .with(|t| t.digest = MessageDigest::sha1())
        .self_signed();
    let mut cases = Vec::new();
    for (name, key) in [
        ("RSA 2048", KeyKind::Rsa(2048)),
        ("RSA 3072", KeyKind::Rsa(3072)),
        ("RSA-PSS", KeyKind::RsaPss(2048)),
        ("P-384", KeyKind::Ec(Nid::SECP384R1)),
        ("P-521", KeyKind::Ec(Nid::SECP521R1)),
        ("Ed25519", KeyKind::Ed25519),
        ("Ed448", KeyKind::Ed448),
    ] {
        let leaf = Template::server(HOST)
            .with(|t| t.key = key)
            .signed_by(&root);
        cases.push(Case::new(&format!("key: {name}"), &leaf, &[], &[&root]).expecting(200));
    }
    let weak = Template::server(HOST).with(|t| t.key = KeyKind::Rsa(1024));
    cases.push(Case::new("key: RSA 1024", &weak.signed_by(&root), &[], &[&root]).expecting(66));
    let below = Template::server(HOST).signed_by(&weak_root);
    cases.push(Case::new("key: CA of RSA 1024", &below, &[], &[&weak_root]).expecting(67));
    let explicit = Template::server(HOST)
        .with(|t| t.key = KeyKind::EcExplicit)
        .signed_by(&root);
    cases.push(Case::new(
        "key: explicit EC parameters",
        &explicit,
        &[],
        &[&root],
    ));
    for (name, digest, expected) in [
        ("SHA-1", MessageDigest::sha1(), 68),
        ("MD5", MessageDigest::md5(), 68),
        ("SHA-224", MessageDigest::sha224(), 200),
        ("SHA-384", MessageDigest::sha384(), 200),
        ("SHA-512", MessageDigest::sha512(), 200),
    ] {
        let leaf = Template::server(HOST)
            .with(|t| t.digest = digest)
            .signed_by(&rsa_root);
        let case = Case::new(&format!("signature: {name}"), &leaf, &[], &[&rsa_root]);
        cases.push(case.expecting(expected));
    }
    let below = Template::server(HOST).signed_by(&sha1_root);
    cases
        .push(Case::new("signature: SHA-1 on the root", &below, &[], &[&sha1_root]).expecting(200));
    cases
}
