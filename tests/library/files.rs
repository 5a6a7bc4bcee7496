//! Manifests as people write them, break them, and as kubectl prints them.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use ngf_core::model::{
    kind::Kind,
    kinds::{KeyState, PemFacts, SecretFacts},
    object::ObjectRef,
    snapshot::{KindState, Lookup, Snapshot},
};
use ngf_tui::files::read;
use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    symm::Cipher,
    x509::{X509, X509NameBuilder},
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Reads one file with this text.
fn read_text(name: &str, text: impl AsRef<[u8]>) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    read(&[path], "default")
}

/// `place: message` of each problem, with the folder left out.
fn problems(snapshot: &Snapshot) -> Vec<String> {
    snapshot
        .problems
        .iter()
        .map(|problem| {
            let place = problem.place.rsplit('/').next().unwrap_or_default();
            format!("{place}: {}", problem.message)
        })
        .collect()
}

fn reference(kind: Kind, path: &str) -> ObjectRef {
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    ObjectRef::new(kind, namespace, name)
}

fn secret<'s>(snapshot: &'s Snapshot, path: &str) -> &'s SecretFacts {
    match &snapshot.secrets[&reference(Kind::Secret, path)] {
        Lookup::Found(object) => &object.spec,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn a_directory_is_read_with_all_that_is_below_it() {
    let snapshot = read(&[fixture("manifests")], "apps");
    assert_eq!(problems(&snapshot), Vec::<String>::new());
    let names: Vec<String> = snapshot
        .gateways
        .keys()
        .chain(snapshot.routes.keys())
        .chain(snapshot.services.keys())
        .chain(snapshot.workloads.keys())
        .chain(snapshot.policies.keys())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "Gateway apps/edge",
            "HTTPRoute apps/shop",
            "Service apps/shop",
            "Deployment apps/shop",
            "BackendTLSPolicy apps/shop",
        ]
    );
    assert_eq!(
        snapshot.kinds[&Kind::BackendTLSPolicy],
        KindState::Live {
            version: "v1alpha3".into()
        }
    );
    assert_eq!(
        snapshot.ignored.iter().collect::<Vec<_>>(),
        [(&"v1 Namespace".into(), &1)]
    );
}

#[test]
fn files_are_not_all_that_there_is() {
    let snapshot = read(&[fixture("manifests")], "apps");
    assert!(!snapshot.kinds.contains_key(&Kind::Pod));
    assert!(!snapshot.holds_all(Kind::Service, "apps"));
    assert!(!snapshot.holds_all(Kind::Pod, "apps"));
    let unknown: Vec<String> = snapshot
        .secrets
        .iter()
        .map(|(reference, lookup)| match lookup {
            Lookup::Unknown(why) => format!("{reference}: {why}"),
            Lookup::Found(_) | Lookup::Absent => format!("{reference}: ?"),
        })
        .collect();
    assert_eq!(
        unknown,
        [
            "Secret apps/edge-client: not among the files",
            "Secret apps/shop-tls: not among the files",
            "Secret infra/edge-cert: not among the files",
        ]
    );
}

#[test]
fn a_broken_document_is_named_with_file_number_and_line_and_the_rest_is_read() {
    let snapshot = read(&[fixture("broken.yaml")], "default");
    assert_eq!(
        problems(&snapshot),
        [
            "broken.yaml, document 2, line 8: is not YAML in line 12: illegal placement of ':' indicator",
            "broken.yaml, document 3, line 14: is not a Kubernetes object: it is not a mapping with apiVersion and kind",
            "broken.yaml, document 4, line 16: is not a Kubernetes object: it has no apiVersion or no kind",
            "broken.yaml, document 5, line 20: a Service has no metadata.name; it is left out",
            "broken.yaml, document 6, line 24: is not YAML in line 28: duplicate mapping key `name` is not allowed here",
        ]
    );
    let names: Vec<&str> = snapshot
        .services
        .keys()
        .map(|key| key.name.as_str())
        .collect();
    assert_eq!(names, ["after", "before"]);
    let after = &snapshot.services[&reference(Kind::Service, "default/after")];
    assert_eq!(after.notes[0].path, "spec.ports[0].port");
    assert_eq!(
        after.notes[0].message,
        r#"expected a number, found "eighty""#
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let latin = folder.path().join("latin.yaml");
    fs::write(&latin, b"a: \xe9").expect("a file");
    let comment = folder.path().join("comment.yaml");
    fs::write(&comment, "# nothing\n---\n").expect("a file");
    let snapshot = read(
        &[
            folder.path().join("absent.yaml"),
            empty,
            latin,
            comment,
            fixture("manifests/gateway.yaml"),
        ],
        "default",
    );
    assert_eq!(
        problems(&snapshot),
        [
            "absent.yaml: cannot be read: No such file or directory (os error 2)",
            "empty: holds no .yaml, .yml or .json file",
            "latin.yaml: cannot be read: it is not UTF-8 text",
            "comment.yaml: holds no object",
        ]
    );
    assert_eq!(snapshot.gateways.len(), 1);
}

#[test]
fn the_last_of_two_is_used_and_both_places_are_named() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n";
    let snapshot = read_text(
        "a.yaml",
        format!("{text}---\n{}", text.replace(": 1}", ": 2}")),
    );
    assert_eq!(
        snapshot.services[&reference(Kind::Service, "default/a")]
            .spec
            .ports[0]
            .port,
        2
    );
    let problem = &problems(&snapshot)[0];
    assert!(problem.starts_with("a.yaml, document 2, line 6: Service default/a is here again"));
    assert!(problem.contains("document 1, line 1"));
}

#[test]
fn json_is_read_with_several_values_and_broken_json_is_said_to_be() {
    let service = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "NAME"}}"#;
    let two = format!(
        "{}\n{}",
        service.replace("NAME", "a"),
        service.replace("NAME", "b")
    );
    assert_eq!(read_text("a.json", &two).services.len(), 2);
    let broken = read_text("a.json", format!("{two}\n{{\"kind\": "));
    assert_eq!(broken.services.len(), 2);
    assert_eq!(
        problems(&broken),
        ["a.json, document 3, line 3: is not JSON: ends too early"]
    );
}

#[test]
fn an_alias_is_followed_and_an_alias_bomb_is_not() {
    let aliased = "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: &l {app: x}}\n\
                   spec: {selector: *l, ports: [{port: 1}]}\n";
    let snapshot = read_text("a.yaml", aliased);
    let service = &snapshot.services[&reference(Kind::Service, "default/a")];
    assert_eq!(service.spec.selector["app"], "x");

    let levels = (1..12).map(|level| {
        let below = format!("*a{}", level - 1);
        format!(
            "a{level}: &a{level} [{}]\n",
            [below.as_str(); 10].join(", ")
        )
    });
    let bomb: String = levels.collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bomb}");
    let snapshot = read_text("bomb.yaml", format!("{bomb}---\n{aliased}"));
    assert_eq!(snapshot.services.len(), 1);
    assert_eq!(snapshot.problems.len(), 1);
    assert!(
        snapshot.problems[0].message.starts_with("is not YAML"),
        "{:?}",
        snapshot.problems
    );
}

#[test]
fn hostile_sizes_do_no_harm() {
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let object = |name: &str, extra: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{name}", "labels": {{"x": {extra}}}}}, "spec": {{}}}}"#
        )
    };
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let many = format!("[{}1]", "1,".repeat(100_000));
    let text = [
        object("deep", &deep),
        object("long", &long),
        object("many", &many),
    ]
    .join("\n");
    let snapshot = read_text("a.json", text);
    assert_eq!(problems(&snapshot), Vec::<String>::new());
    let messages: Vec<(&str, usize)> = snapshot
        .services
        .values()
        .map(|service| (service.reference.name.as_str(), service.notes.len()))
        .collect();
    assert_eq!(messages, [("deep", 2), ("long", 1), ("many", 1)]);
    let yaml = format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a, x: {deep}}}\n");
    assert_eq!(read_text("a.yaml", yaml).problems.len(), 1);
}

#[test]
fn what_people_forget_or_mistype_about_secrets_is_said_without_a_value() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n\
                data: {a: '%%%', b: 12345, c: aGVsbG8=, tls.key: aGVsbG8=}\nstringData: {d: topsecret, e: [hidden]}\n";
    let snapshot = read_text("a.yaml", text);
    let Lookup::Found(object) = &snapshot.secrets[&reference(Kind::Secret, "default/s")] else {
        panic!("it is there")
    };
    let notes: Vec<String> = object
        .notes
        .iter()
        .map(|note| format!("{}: {}", note.path, note.message))
        .collect();
    assert_eq!(
        notes,
        [
            "data.a: is not base64",
            "data.b: is not base64",
            "stringData.e: is not text"
        ]
    );
    assert_eq!(object.spec.secret_type, "Opaque");
    let keys: Vec<(&str, usize)> = object
        .spec
        .keys
        .iter()
        .map(|(key, length)| (key.as_str(), *length))
        .collect();
    assert_eq!(keys, [("c", 5), ("d", 9), ("tls.key", 5)]);
    let shown = format!("{snapshot:?}");
    for value in ["hello", "aGVsbG8", "topsecret", "hidden", "12345", "%%%"] {
        assert!(!shown.contains(value), "{value} is still there");
    }
}

#[test]
fn what_kubectl_apply_remembers_of_a_secret_is_forgotten() {
    let text = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "{\"stringData\":{\"p\":\"topsecret\"}}", "keep": "me"}},
        "data": {"p": "dG9wc2VjcmV0"}}"#;
    let shown = format!("{:?}", read_text("a.json", text));
    assert!(!shown.contains("topsecret") && !shown.contains("dG9wc2VjcmV0"));
    assert!(shown.contains("keep"));
}

/// A key and a self-signed certificate.
fn mint(name: &str) -> (PKey<Private>, String) {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let subject = subject.build();
    let mut certificate = X509::builder().expect("a certificate");
    certificate.set_version(2).expect("v3");
    certificate.set_subject_name(&subject).expect("a subject");
    certificate.set_issuer_name(&subject).expect("an issuer");
    certificate.set_pubkey(&key).expect("a key");
    certificate
        .set_not_before(&Asn1Time::days_from_now(0).expect("now"))
        .expect("a time");
    certificate
        .set_not_after(&Asn1Time::days_from_now(1).expect("a day"))
        .expect("a time");
    certificate
        .sign(&key, MessageDigest::sha256())
        .expect("a signature");
    let pem = certificate.build().to_pem().expect("PEM");
    (key, String::from_utf8(pem).expect("text"))
}

fn pem_of(key: &PKey<Private>) -> String {
    String::from_utf8(key.private_key_to_pem_pkcs8().expect("PEM")).expect("text")
}

fn tls_secret(certificate: &str, ca: &str, key: &str) -> SecretFacts {
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "s"},
        "data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)},
        "stringData": {"ca.crt": ca},
    });
    secret(&read_text("a.json", text.to_string()), "default/s").clone()
}

#[test]
fn a_key_is_compared_with_the_first_certificate() {
    let (key, certificate) = mint("leaf");
    let (other_key, other) = mint("other");
    let encrypted = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"pw");
    let encrypted = String::from_utf8(encrypted.expect("PEM")).expect("text");
    let key = pem_of(&key);
    let rsa = || "RSA 2048".to_owned();
    let two = format!("{certificate}{other}");
    for (certificate, key, expected) in [
        (certificate.as_str(), key.as_str(), KeyState::Fits(rsa())),
        (&two, &key, KeyState::Fits(rsa())),
        (&two, &pem_of(&other_key), KeyState::DoesNotFit(rsa())),
        (&certificate, &encrypted, KeyState::Encrypted),
        ("", &key, KeyState::Unpaired(rsa())),
        ("junk", &key, KeyState::Unpaired(rsa())),
        (
            &certificate,
            "junk",
            KeyState::Broken("it holds no PEM block (no line -----BEGIN …-----)".into()),
        ),
        (&certificate, "", KeyState::Broken("it is empty".into())),
    ] {
        assert_eq!(tls_secret(certificate, "", key).key, expected);
    }
}

#[test]
fn bundles_are_read_as_far_as_they_can_be() {
    let (_, a) = mint("a");
    let (_, b) = mint("b");
    let cut = &a[..a.len() / 2];
    let describe = |facts: &PemFacts| match facts {
        PemFacts::Missing => "missing".to_owned(),
        PemFacts::Empty => "empty".to_owned(),
        PemFacts::Broken(why) => format!("broken: {why}"),
        PemFacts::Certificates {
            certificates,
            trailing,
            ..
        } => {
            let names: Vec<&str> = certificates.iter().map(|c| c.subject.as_str()).collect();
            format!(
                "{} {}",
                names.join(" "),
                trailing.as_deref().unwrap_or("fine")
            )
        }
    };
    for (bundle, expected) in [
        (String::new(), "empty"),
        (a.clone(), "CN=a fine"),
        // NGF takes it encoded twice, and gives nginx what that stands for.
        (STANDARD.encode(&a), "CN=a fine"),
        (
            format!("# A\n{a}\n# B\n{b}").replace('\n', "\r\n"),
            "CN=a CN=b fine",
        ),
        (
            format!("{a}{cut}"),
            &format!(
                "CN=a block 2 (CERTIFICATE, line {}): it has no -----END line of the same name",
                a.lines().count() + 1
            ),
        ),
        (
            format!("{cut}\n{b}"),
            "CN=b block 1 (CERTIFICATE, line 1): it has no -----END line of the same name",
        ),
        (
            "hello".to_owned(),
            "broken: it holds no PEM block (no line -----BEGIN …-----)",
        ),
    ] {
        assert_eq!(describe(&tls_secret(&a, &bundle, "").ca), expected);
    }
}

#[test]
fn a_config_map_holds_its_bundle_in_either_field() {
    let (_, ca) = mint("ca");
    for (data, binary) in [
        (ca.clone(), String::new()),
        (String::new(), STANDARD.encode(&ca)),
    ] {
        let mut object = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "apps"},
        });
        if binary.is_empty() {
            object["data"] = serde_json::json!({"ca.crt": data});
        } else {
            object["binaryData"] = serde_json::json!({"ca.crt": binary});
        }
        let snapshot = read_text("a.json", object.to_string());
        let lookup = &snapshot.config_maps[&reference(Kind::ConfigMap, "apps/c")];
        let Lookup::Found(object) = lookup else {
            panic!("{lookup:?}")
        };
        assert_eq!(object.spec.ca.certificates()[0].subject, "CN=ca");
        assert_eq!(object.spec.keys["ca.crt"], ca.len());
    }
}
