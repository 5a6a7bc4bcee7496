//! PEM texts as Go 1.26 reads them (`encoding/pem`, `crypto/x509`, `crypto/tls`). NGF judges certificates and keys with
//! Go before nginx reads them with OpenSSL, and Go refuses some that OpenSSL reads. Errors are in Go's words.

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::GeneralPurposeConfig},
};
use ngf_text::sanitize;
use openssl::{
    nid::Nid,
    pkey::{Id, PKey, Private},
    x509::X509,
};
use x509_parser::{
    certificate::X509Certificate,
    der_parser::asn1_rs::{Any, Tag},
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
    x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name},
};
use zeroize::Zeroizing;

/// `base64.StdEncoding`: it does not look at the bits behind the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Bytes that may be of a key.
type Bytes = Zeroizing<Vec<u8>>;

const START: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// What Go has to say against the first block of a CA bundle (NGF's `secrets.ValidateCA`); `None` where it takes it.
pub fn refuses_ca(text: &[u8]) -> Option<String> {
    const WANTED: &str = "the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block";
    let encoded = base64_twice(text);
    let encoded = encoded.as_ref().map(|bytes| bytes.as_slice());
    let Some((block, _)) = decode(encoded.unwrap_or(text)) else {
        return Some(WANTED.to_owned());
    };
    if block.label != b"CERTIFICATE" {
        let label = sanitize::bytes(block.label, 60);
        return Some(format!("{WANTED}, but got \"{label}\""));
    }
    let refused = refuses_certificate(&block.der)?;
    Some(format!("failed to validate certificate: {refused}"))
}

/// What Go has to say against a certificate and its key (`tls.X509KeyPair`); `None` where it takes them.
pub fn refuses_pair(certificate: &[u8], key: &[u8]) -> Option<String> {
    pair(certificate, key).err()
}

/// What is odd about a text in which Go finds no block that it reads, as a clause, where that can be told.
pub fn oddity(text: &[u8]) -> Option<&'static str> {
    let holds = |wanted: &[u8]| find(text, wanted).is_some();
    let is_indented = || {
        text.split(|&byte| byte == b'\n')
            .any(|line| line.starts_with(b" ") && line.trim_ascii_start().starts_with(START))
    };
    match text {
        [0xEF, 0xBB, 0xBF, ..] => Some("it begins with a byte order mark (EF BB BF)"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("it is UTF-16"),
        [0x30, 0x80..=0x84, ..] => Some("it is DER and not PEM"),
        _ if holds(b"----------BEGIN ") => {
            Some("a block begins in the line in which another one ends")
        }
        _ if holds(b"\\n") => Some("it holds \\n in the place of line breaks"),
        _ if is_indented() => Some("its lines are indented"),
        _ if holds(START) && !text.contains(&b'\n') => Some("it holds no line feed"),
        _ => None,
    }
}

fn pair(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let (leaves, skipped) = sorted(certificate, |label| label == b"CERTIFICATE");
    let Some(leaf) = leaves.first() else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".to_owned(),
            [only] if only.ends_with("PRIVATE KEY") => "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned(),
            several => format!("tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [{}]", several.join(" ")),
        });
    };
    let is_key = |label: &[u8]| label == b"PRIVATE KEY" || label.ends_with(b" PRIVATE KEY");
    let (keys, skipped) = sorted(key, is_key);
    let Some(key) = keys.first() else {
        return Err(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in key input".to_owned(),
            [only] if only == "CERTIFICATE" => {
                "tls: found a certificate rather than a key in the PEM for the private key"
                    .to_owned()
            }
            several => format!(
                "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [{}]",
                several.join(" ")
            ),
        });
    };
    if let Some(refused) = refuses_certificate(&leaf.der) {
        return Err(refused);
    }
    let key = private_key(key)?;
    // What OpenSSL does not read is not known to differ.
    let Ok(public) = X509::from_der(&leaf.der).and_then(|leaf| leaf.public_key()) else {
        return Ok(());
    };
    match public.id() {
        Id::RSA | Id::EC | Id::ED25519 if public.id() != key.id() => {
            Err("tls: private key type does not match public key type".to_owned())
        }
        Id::RSA | Id::EC | Id::ED25519 if !public.public_eq(&key) => {
            Err("tls: private key does not match public key".to_owned())
        }
        Id::RSA | Id::EC | Id::ED25519 => Ok(()),
        _ => Err("tls: unknown public key algorithm".to_owned()),
    }
}

/// The blocks that are wanted, and the labels of those before the first of them.
fn sorted(mut text: &[u8], wanted: impl Fn(&[u8]) -> bool) -> (Vec<Block<'_>>, Vec<String>) {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    while let Some((block, rest)) = decode(text) {
        text = rest;
        if wanted(block.label) {
            found.push(block);
        } else if found.is_empty() && skipped.len() < 10 {
            skipped.push(sanitize::bytes(block.label, 60));
        }
    }
    (found, skipped)
}

/// `parsePrivateKey` of `crypto/tls`.
fn private_key(block: &Block<'_>) -> Result<PKey<Private>, String> {
    let failed = || "tls: failed to parse private key".to_owned();
    // OpenSSL would ask for its password.
    if block.label.starts_with(b"ENCRYPTED") {
        return Err(failed());
    }
    let key = PKey::private_key_from_der(&block.der).map_err(|_| failed())?;
    let curve = || key.ec_key().ok()?.group().curve_name();
    match key.id() {
        Id::RSA | Id::ED25519 => Ok(key),
        Id::EC if curve().is_some_and(is_known) => Ok(key),
        Id::X25519 => Err("tls: found unknown private key type in PKCS#8 wrapping".to_owned()),
        _ => Err(failed()),
    }
}

/// The curves of `crypto/elliptic`.
fn is_known(curve: Nid) -> bool {
    matches!(
        curve,
        Nid::SECP224R1 | Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1
    )
}

/// A text that is base64 as a whole, decoded as `ValidateCA` does: into a buffer that may be longer than what it holds.
fn base64_twice(text: &[u8]) -> Option<Bytes> {
    let mut decoded = decoded(text, b"\r\n")?;
    // The buffer is large enough: it never grows.
    decoded.resize(text.len() / 4 * 3, 0);
    Some(decoded)
}

/// What a text in base64 stands for, in which these bytes count for nothing.
fn decoded(text: &[u8], ignored: &[u8]) -> Option<Bytes> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.iter().filter(|byte| !ignored.contains(byte)));
    let mut bytes = Zeroizing::new(vec![0; text.len() / 4 * 3 + 3]);
    let length = BASE64.decode_slice(&*compact, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// A block of PEM.
struct Block<'a> {
    label: &'a [u8],
    /// It may be a key.
    der: Bytes,
}

/// `pem.Decode`: the first block that Go reads, and what follows it. What it cannot read it passes over.
fn decode(text: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let mut rest = text;
    loop {
        // The first end, and the last begin before it.
        let end = find(rest, END)?;
        let trailer = end + END.len();
        match block(rest, end) {
            Some(block) => {
                let (_, after) = line(rest.get(trailer..)?);
                return Some((block, after));
            }
            None => rest = rest.get(trailer..)?,
        }
    }
}

/// The block whose `\n-----END ` stands at `end`.
fn block(text: &[u8], end: usize) -> Option<Block<'_>> {
    // An empty block has its END in the line after its BEGIN.
    let begin = rfind(text.get(..end)?, START)?;
    if begin > 0 && text.get(begin - 1) != Some(&b'\n') {
        return None;
    }
    let (first, mut body) = line(text.get(begin + START.len()..)?);
    let label = first.strip_suffix(DASHES)?;
    let trailer = text.get(end + END.len()..)?;
    let mut left = trailer.strip_prefix(label)?.strip_prefix(DASHES)?;
    left = line(left).0;
    if !left.is_empty() {
        return None;
    }
    let from_end = text.len() - end;
    loop {
        let (header, after) = line(body);
        if body.is_empty() {
            return None;
        }
        if !header.contains(&b':') {
            break;
        }
        body = after;
    }
    let length = body.len().checked_sub(from_end);
    let data = match length {
        Some(length) => body.get(..length)?,
        None => &[],
    };
    let der = decoded(data, b" \t\r\n")?;
    Some(Block { label, der })
}

/// The first line without what ends it, and the rest (`getLine`).
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &text[text.len()..]),
    };
    let end = line.iter().rposition(|byte| !b" \t\r".contains(byte));
    (&line[..end.map_or(0, |last| last + 1)], rest)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

fn rfind(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|part| part == wanted)
}

/// What `x509.ParseCertificate` has to say against a certificate, as far as it is stricter than OpenSSL.
fn refuses_certificate(der: &[u8]) -> Option<String> {
    let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
        let is_broken = X509::from_der(der).is_err();
        return is_broken.then(|| "x509: malformed certificate".to_owned());
    };
    if !rest.is_empty() {
        return Some("x509: trailing data".to_owned());
    }
    let is_negative = certificate
        .raw_serial()
        .first()
        .is_some_and(|first| first & 0x80 != 0);
    if is_negative {
        return Some("x509: negative serial number".to_owned());
    }
    refuses_name(certificate.issuer())
        .or_else(|| refuses_name(certificate.subject()))
        .or_else(|| refuses_key(certificate.public_key()).map(str::to_owned))
        .or_else(|| refuses_extensions(&certificate))
}

fn refuses_name(name: &X509Name<'_>) -> Option<String> {
    let mut values = name
        .iter_attributes()
        .map(AttributeTypeAndValue::attr_value);
    let wrong = values.find_map(refuses_string)?;
    Some(format!(
        "x509: invalid RDNSequence: invalid attribute value: {wrong}"
    ))
}

/// `parseASN1String`.
fn refuses_string(value: &Any<'_>) -> Option<&'static str> {
    let is_printable = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+,-./ :=?*&".contains(byte);
    let data = value.data;
    match value.tag() {
        Tag::PrintableString if !data.iter().all(is_printable) => Some("invalid PrintableString"),
        Tag::Utf8String if std::str::from_utf8(data).is_err() => Some("invalid UTF-8 string"),
        Tag::Ia5String if !data.is_ascii() => Some("invalid IA5String"),
        _ => None,
    }
}

fn refuses_key(key: &SubjectPublicKeyInfo<'_>) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "1.3.132.0.33",
        "1.2.840.10045.3.1.7",
        "1.3.132.0.34",
        "1.3.132.0.35",
    ];
    if key.algorithm.algorithm.to_id_string() != "1.2.840.10045.2.1" {
        return None;
    }
    let parameters = key.algorithm.parameters.as_ref();
    let named = parameters.filter(|parameters| parameters.tag() == Tag::Oid);
    let Some(curve) = named.and_then(|named| named.as_oid().ok()) else {
        return Some("x509: invalid ECDSA parameters");
    };
    let is_known = KNOWN.contains(&curve.to_id_string().as_str());
    (!is_known).then_some("x509: unsupported elliptic curve")
}

fn refuses_extensions(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut seen = Vec::new();
    for extension in certificate.extensions() {
        let oid = &extension.oid;
        if seen.contains(&oid) {
            return Some(format!(
                "x509: certificate contains duplicate extension with OID \"{}\"",
                oid.to_id_string()
            ));
        }
        seen.push(oid);
    }
    certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            return None;
        };
        names.general_names.iter().find_map(|name| {
            let (kind, is_wrong) = match name {
                GeneralName::RFC822Name(name) => ("rfc822Name", !name.is_ascii()),
                GeneralName::DNSName(name) => ("dNSName", !name.is_ascii()),
                GeneralName::URI(name) => ("uniformResourceIdentifier", !name.is_ascii()),
                GeneralName::Invalid(Tag(1), _) => ("rfc822Name", true),
                GeneralName::Invalid(Tag(2), _) => ("dNSName", true),
                GeneralName::Invalid(Tag(6), _) => ("uniformResourceIdentifier", true),
                GeneralName::IPAddress(bytes) if !matches!(bytes.len(), 4 | 16) => {
                    let length = bytes.len();
                    return Some(format!("x509: cannot parse IP address of length {length}"));
                }
                _ => return None,
            };
            is_wrong.then(|| format!("x509: SAN {kind} is malformed"))
        })
    })
}
