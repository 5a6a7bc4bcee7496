//! What NGINX refuses to load, the probe refuses to probe with, and in NGINX's own words: a
//! certificate, key or bundle that would stop NGF's reload is no fault of the backend.

use std::fmt::Write as _;

use ngf_probes::engine::openssl::ConfigError;
use ngf_probes::spec::{ClientIdentity, Trust};
use ngf_probes::{ProbeError, probe};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::mint::{Certificate, Digest, Issued, Key, Kind, bundle, der, key, pem};
use crate::nginx::Builder;
use crate::scenario::NAME;
use crate::vector::{Gateway, Identity};
use crate::{mint, probe as probes, which_nginx};

/// Files, and what is odd about them.
struct Load {
    name: &'static str,
    file: File,
    /// The first NGINX that takes it as NGF's does.
    since: Option<(u32, u32)>,
}

enum File {
    /// `proxy_ssl_trusted_certificate`.
    Trusted(Vec<u8>),
    /// `proxy_ssl_certificate` and its key.
    Identity(Identity),
}

#[test]
fn slow_what_nginx_does_not_load_the_probe_does_not_load() {
    let Some(oracle) = which_nginx::oracle_or_skip() else {
        return;
    };
    let runtime = Runtime::new().expect("a runtime");
    let loads: Vec<Load> = [bundles(), identities()].into_iter().flatten().collect();
    let mut table = String::new();
    let (mut equal, mut asked, mut refused) = (0, 0, 0);
    for load in &loads {
        if load.since.is_some_and(|since| oracle.version < since) {
            println!(
                "left out, since this NGINX takes it otherwise than NGF's: {}",
                load.name
            );
            continue;
        }
        asked += 1;
        let gateway = load.gateway();
        let nginx = of_nginx(&gateway);
        let ours = runtime.block_on(of_probe(&gateway));
        refused += usize::from(nginx.is_some());
        if comparable(nginx.as_deref(), load) == comparable(ours.as_deref(), load) {
            equal += 1;
        } else {
            let _ = writeln!(
                table,
                "{}\n  nginx: {nginx:?}\n  probe: {ours:?}",
                load.name
            );
        }
    }
    println!("{equal} of {asked} equal, {refused} of them refused");
    assert!(
        equal == asked,
        "{equal} of {asked} equal; these differ:\n{table}"
    );
}

/// The `[emerg]` line of `nginx -t`, if there is one.
fn of_nginx(gateway: &Gateway) -> Option<String> {
    let mut builder = Builder::new().expect("a folder");
    builder
        .gateway(0, gateway, ([127, 0, 0, 1], 1).into())
        .expect("files are written");
    let line = builder.without_folder(&builder.test().expect("nginx -t runs")?);
    let files = ["0.trusted.pem", "0.gateway.chain.pem", "0.gateway.key.pem"];
    Some(
        files
            .iter()
            .fold(line, |line, file| line.replace(file, "ORIGIN")),
    )
}

/// The same of the probe.
async fn of_probe(gateway: &Gateway) -> Option<String> {
    let mut spec = probes::spec(gateway, 0, ([127, 66, 66, 66], 1).into());
    if let Some(tls) = &mut spec.tls {
        let origin = || "ORIGIN".to_owned();
        if let Trust::Bundle { pem, .. } = tls.trust.clone() {
            tls.trust = Trust::Bundle {
                pem,
                origin: origin(),
            };
        }
        tls.client_identity = tls.client_identity.take().map(|identity| ClientIdentity {
            certificate_pem: identity.certificate_pem.clone(),
            key_pem: Zeroizing::new(identity.key_pem.to_vec()),
            origin: origin(),
        });
    }
    match probe(&spec, &ngf_probes::dial::Direct, &CancellationToken::new()).await {
        Ok(_) => None,
        Err(ProbeError::Config(ConfigError::Emerg { emerg, .. })) => Some(emerg),
        Err(other) => panic!("no error of the configuration: {other:?}"),
    }
}

/// The line as far as it can be equal: word for word by an NGINX like NGF's; without OpenSSL's own
/// words otherwise; and of a bundle only that it is refused, for NGINX reads bundles by another
/// function since 1.27.2.
fn comparable(line: Option<&str>, load: &Load) -> Option<String> {
    let line = line?;
    let oracle = which_nginx::oracle()?;
    if oracle.same_openssl && oracle.version >= (1, 28) {
        return Some(line.to_owned());
    }
    Some(match load.file {
        File::Trusted(_) => String::new(),
        File::Identity(_) => line.split(" failed").next().unwrap_or(line).to_owned(),
    })
}

impl Load {
    fn gateway(&self) -> Gateway {
        match &self.file {
            File::Trusted(pem) => Gateway::new(NAME, pem.clone()),
            File::Identity(identity) => {
                let mut gateway = Gateway::new(NAME, root().pem());
                if let Some(tls) = &mut gateway.tls {
                    tls.identity = Some(identity.clone());
                }
                gateway
            }
        }
    }
}

fn root() -> Issued {
    Certificate::ca("Root").self_signed()
}

fn edit(pem: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(pem).replace(from, to).into_bytes()
}

/// How PEM gets broken on its way into a Secret: what, and how.
type Breakage = (&'static str, fn(&[u8]) -> Vec<u8>);

const BREAKAGES: &[Breakage] = &[
    ("as it should be", <[u8]>::to_vec),
    ("empty", |_| Vec::new()),
    ("only white space", |_| b" \n\n ".to_vec()),
    ("junk", |_| b"hello, I am no PEM\n".to_vec()),
    ("cut in the middle", |pem| pem[..pem.len() / 2].to_vec()),
    ("without its END line", |pem| {
        edit(pem, "-----END CERTIFICATE-----\n", "")
    }),
    ("without its BEGIN line", |pem| {
        edit(pem, "-----BEGIN CERTIFICATE-----\n", "")
    }),
    ("a letter that is no base64", |pem| edit(pem, "MII", "M!I")),
    ("base64 of something else", |_| {
        pem("CERTIFICATE", b"hello, I am no DER")
    }),
    ("base64 of nothing", |_| pem("CERTIFICATE", b"")),
    ("another label", |pem| {
        edit(pem, " CERTIFICATE-----", " CERTIFICATE REQUEST-----")
    }),
    ("END of another label", |pem| {
        edit(pem, "END CERTIFICATE", "END PRIVATE KEY")
    }),
    ("lower-case label", |pem| {
        edit(pem, " CERTIFICATE-----", " certificate-----")
    }),
    ("all lines indented", |pem| edit(pem, "\n", "\n    ")),
    ("indented from the first line on", |pem| {
        [b"    ".to_vec(), edit(pem, "\n", "\n    ")].concat()
    }),
    ("carriage returns", |pem| edit(pem, "\n", "\r\n")),
    ("carriage returns only", |pem| edit(pem, "\n", "\r")),
    ("line ends as two characters", |pem| edit(pem, "\n", "\\n")),
    ("all on one line", |pem| edit(pem, "\n", "")),
    ("base64 on one line", |pem| {
        let text = String::from_utf8_lossy(pem).replace('\n', "");
        text.replace("E-----M", "E-----\nM")
            .replace("-----END", "\n-----END")
            .into_bytes()
    }),
    ("base64 twice", |pem| {
        openssl::base64::encode_block(pem).into_bytes()
    }),
    ("a byte order mark first", |pem| {
        [b"\xef\xbb\xbf", pem].concat()
    }),
    ("NULs first", |pem| [b"\0\0\0\n", pem].concat()),
    ("UTF-16", |pem| {
        String::from_utf8_lossy(pem)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    }),
    ("a NUL behind the certificate", |pem| {
        [pem, b"\0\n", &pem[..pem.len() / 2]].concat()
    }),
    ("a NUL in the base64", |pem| edit(pem, "\nMII", "\n\0\nMII")),
    ("a NUL at the end of a line of base64", |pem| {
        edit(pem, "\nMII", "\nMII\0")
    }),
    ("text first", |pem| [b"subject=CN=Root\n\n", pem].concat()),
    ("quoted", |pem| [b"\"", pem, b"\""].concat()),
    ("DER instead", |_| root().der),
    ("twice", |pem| [pem, pem].concat()),
    ("twice, without a line end between", |pem| {
        [pem.trim_ascii_end(), pem].concat()
    }),
    ("then text", |pem| [pem, b"the end\n"].concat()),
    ("then one cut in the middle", |pem| {
        [pem, &pem[..pem.len() / 2]].concat()
    }),
    ("then one that is not DER", |pem| {
        [pem, &mint::pem("CERTIFICATE", b"no DER")].concat()
    }),
    ("then a letter that is no base64", |pem| {
        [pem, &edit(pem, "MII", "M!I")].concat()
    }),
    ("then an unfinished BEGIN", |pem| {
        [pem, b"-----BEGIN CERTIFICATE-----\n"].concat()
    }),
    ("then a private key", |pem| {
        [pem, &root().key_pem()].concat()
    }),
    ("a private key first", |pem| {
        [&root().key_pem(), pem].concat()
    }),
    ("a revocation list first", |pem| {
        [&revocation_list(), pem].concat()
    }),
    ("then a revocation list", |pem| {
        [pem, &revocation_list()].concat()
    }),
    ("a comment in the base64", |pem| {
        edit(pem, "\nMII", "\n# here\nMII")
    }),
    ("a header in the block", |pem| {
        edit(pem, "\nMII", "\nProc-Type: 4,ENCRYPTED\n\nMII")
    }),
];

fn bundles() -> Vec<Load> {
    let root = root().pem();
    let mut loads: Vec<Load> = BREAKAGES
        .iter()
        .map(|&(name, breaks)| Load {
            name,
            file: File::Trusted(breaks(&root)),
            since: None,
        })
        .collect();
    let trusted = |name, pem, since| Load {
        name,
        file: File::Trusted(pem),
        since,
    };
    let weak = Certificate {
        key: Key::new(Kind::Rsa1024, "weak"),
        ..Certificate::ca("Weak")
    };
    loads.extend([
        trusted("only a private key", self::root().key_pem(), None),
        // SSL_CTX_load_verify_locations is content with a list alone, the newer reader is not.
        trusted("only a revocation list", revocation_list(), Some((1, 27))),
        trusted("a weak root", weak.self_signed().pem(), None),
    ]);
    loads
}

fn identities() -> Vec<Load> {
    let ca = root();
    let good = Certificate::leaf("gateway").issued_by(&ca);
    let identity = |name, chain: &[u8], key: &[u8]| Load {
        name,
        file: File::Identity(Identity {
            chain: chain.to_vec(),
            key: key.to_vec(),
        }),
        since: None,
    };
    let mut loads: Vec<Load> = BREAKAGES
        .iter()
        .map(|(name, breaks)| identity(name, &breaks(&good.pem()), &good.key_pem()))
        .collect();
    let of = |change: &dyn Fn(&mut Certificate)| {
        let mut leaf = Certificate::leaf("gateway");
        change(&mut leaf);
        leaf.issued_by(&ca)
    };
    let rsa = of(&|leaf| leaf.key = Key::new(Kind::Rsa2048, "client"));
    let pkcs1 = rsa
        .certificate
        .key
        .load()
        .rsa()
        .and_then(|key| key.private_key_to_pem());
    let sec1 = good
        .certificate
        .key
        .load()
        .ec_key()
        .and_then(|key| key.private_key_to_pem());
    let (pkcs1, sec1) = (pkcs1.expect("PKCS #1"), sec1.expect("SEC 1"));
    let parameters = pem("EC PARAMETERS", &der::oid("1.2.840.10045.3.1.7"));
    let mut add =
        |name, issued: &Issued, key: &[u8]| loads.push(identity(name, &issued.pem(), key));
    add("another key", &good, &ca.key_pem());
    add("a key of another kind", &good, &rsa.key_pem());
    add("no key", &good, b"");
    add("junk for a key", &good, b"hello, I am no PEM\n");
    add("a certificate for a key", &good, &good.pem());
    add("half a key", &good, &good.key_pem()[..100]);
    add(
        "a key with text around it",
        &good,
        &[b"key:\n", &good.key_pem()[..], b"end\n"].concat(),
    );
    add(
        "a key with carriage returns",
        &good,
        &edit(&good.key_pem(), "\n", "\r\n"),
    );
    add("a key in PKCS #1", &rsa, &pkcs1);
    add("a key in SEC 1", &good, &sec1);
    add(
        "a key in SEC 1 behind its parameters",
        &good,
        &[parameters, sec1.clone()].concat(),
    );
    add(
        "a weak key",
        &of(&|leaf| leaf.key = Key::new(Kind::Rsa1024, "weak")),
        &weak_key(),
    );
    add(
        "a SHA-1 signature",
        &of(&|leaf| leaf.digest = Digest::Sha1),
        &good.key_pem(),
    );
    add("expired", &of(&Certificate::expired), &good.key_pem());
    add("explicit EC parameters", &of(&explicit), &explicit_key());
    add("version 1", &of(&|leaf| leaf.version = 1), &good.key_pem());
    let weak = of(&|leaf| leaf.key = Key::new(Kind::Rsa1024, "weak"));
    loads.push(identity(
        "a weak chain",
        &bundle(&[&good, &weak]),
        &good.key_pem(),
    ));
    loads.push(identity(
        "the CA before the leaf",
        &bundle(&[&ca, &good]),
        &good.key_pem(),
    ));
    loads.push(identity(
        "the leaf behind the CA twice",
        &bundle(&[&good, &ca, &ca]),
        &good.key_pem(),
    ));
    let settings = good.pem_with_settings(&[], &[]);
    loads.push(identity("a leaf with settings", &settings, &good.key_pem()));
    let chain = [good.pem(), ca.pem_with_settings(&[], &[])].concat();
    loads.push(identity("a chain with settings", &chain, &good.key_pem()));
    loads
}

fn weak_key() -> Vec<u8> {
    Key::new(Kind::Rsa1024, "weak")
        .load()
        .private_key_to_pem_pkcs8()
        .expect("a key in PEM")
}

fn explicit(leaf: &mut Certificate) {
    leaf.key = Key::new(Kind::ExplicitP256, "client");
}

fn explicit_key() -> Vec<u8> {
    Key::new(Kind::ExplicitP256, "client")
        .load()
        .private_key_to_pem_pkcs8()
        .expect("a key in PEM")
}

/// An empty CertificateList (RFC 5280 §5.1) of the root.
fn revocation_list() -> Vec<u8> {
    let algorithm = key::algorithm(Kind::P256, Digest::Sha256);
    let name = der::sequence(&[der::set(&[der::sequence(&[
        der::oid(mint::COMMON_NAME),
        der::utf8_string("Root"),
    ])])]);
    let body = der::sequence(&[algorithm.clone(), name, der::time(jiff::Timestamp::now())]);
    let signature = key::sign(&root().certificate.key, Digest::Sha256, &body);
    pem(
        "X509 CRL",
        &der::sequence(&[body, algorithm, der::bit_string(&signature)]),
    )
}
