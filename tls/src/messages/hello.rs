//! ClientHello, ServerHello, HelloRetryRequest, EncryptedExtensions, and their extensions.

use super::reader::{Read, Reader, u16s};
use super::{Draft, Facts, hex, list, names, parts};
use ngf_text::sanitize;

/// The ServerHello.random that makes it a HelloRetryRequest (RFC 8446 §4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Whose extensions they are: the same number has another shape in another message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
    Retry,
}

/// What extensions say that others need.
#[derive(Default)]
struct Extensions {
    server_name: Option<String>,
    version: Option<String>,
    versions: Vec<String>,
    group: Option<String>,
    alpn: Option<String>,
}

pub(super) fn client_hello(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    draft.add(
        "legacy_version",
        names::version(reader.u16("legacy_version")?),
    );
    draft.add("random", hex(reader.take(32, "random")?));
    draft.add("legacy_session_id", hex(reader.short("legacy_session_id")?));
    let suites = reader.medium("cipher_suites")?;
    draft.add("cipher_suites", list(u16s(suites).map(names::cipher_suite)));
    draft.add(
        "legacy_compression_methods",
        hex(reader.short("legacy_compression_methods")?),
    );
    let extensions = extensions(draft, &mut reader, Side::Client)?;
    let versions = if extensions.versions.is_empty() {
        "up to TLSv1.2".to_owned()
    } else {
        extensions.versions.join(", ")
    };
    let name = extensions
        .server_name
        .map_or_else(|| "no SNI".to_owned(), |n| format!("SNI {n}"));
    Ok(format!(
        "{name}; offers {versions}, {} cipher suites",
        suites.len() / 2
    ))
}

pub(super) fn server_hello(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let legacy_version = reader.u16("legacy_version")?;
    draft.add("legacy_version", names::version(legacy_version));
    let random = reader.take(32, "random")?;
    let is_retry = random == HELLO_RETRY_REQUEST;
    if is_retry {
        "HelloRetryRequest".clone_into(&mut draft.name);
        draft.facts = Facts::HelloRetryRequest;
    }
    draft.add("random", hex(random));
    draft.add(
        "legacy_session_id_echo",
        hex(reader.short("legacy_session_id_echo")?),
    );
    let cipher = names::cipher_suite(reader.u16("cipher_suite")?);
    draft.add("cipher_suite", &cipher);
    draft.add(
        "legacy_compression_method",
        reader.u8("legacy_compression_method")?.to_string(),
    );
    let side = if is_retry { Side::Retry } else { Side::Server };
    let extensions = extensions(draft, &mut reader, side)?;
    let version = extensions
        .version
        .unwrap_or_else(|| names::version(legacy_version));
    let group = extensions.group;
    let with_group = group
        .as_ref()
        .map_or_else(String::new, |group| format!(", {group}"));
    if is_retry {
        return Ok(format!(
            "asks for another ClientHello: {version}, {cipher}{with_group}"
        ));
    }
    let summary = format!("{version}, {cipher}{with_group}");
    draft.facts = Facts::ServerHello {
        version,
        cipher,
        group,
        alpn: extensions.alpn,
    };
    Ok(summary)
}

pub(super) fn encrypted_extensions(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let extensions = extensions(draft, &mut reader, Side::Server)?;
    let summary = extensions.alpn.as_ref().map_or_else(
        || "no application protocol".to_owned(),
        |alpn| format!("application protocol {alpn}"),
    );
    draft.facts = Facts::EncryptedExtensions {
        alpn: extensions.alpn,
    };
    Ok(summary)
}

/// The list of extensions; a TLS 1.2 hello may end before it.
fn extensions(draft: &mut Draft, reader: &mut Reader<'_>, side: Side) -> Read<Extensions> {
    let mut found = Extensions::default();
    if reader.is_empty() {
        return Ok(found);
    }
    let all = parts(reader.medium("extensions")?, |part| {
        Ok((
            part.u16("an extension's type")?,
            part.medium("an extension")?,
        ))
    })?;
    draft.add(
        "extensions",
        list(all.iter().map(|(kind, _)| names::extension(*kind))),
    );
    for (kind, body) in all {
        let name = names::extension(kind);
        match extension(&mut found, kind, body, side) {
            Ok(Some(value)) => draft.add(&name, value),
            Ok(None) => {}
            Err(_) => draft.add(&name, format!("malformed: {}", hex(body))),
        }
    }
    Ok(found)
}

/// One extension in words; `None` where its being there says all.
fn extension(found: &mut Extensions, kind: u16, body: &[u8], side: Side) -> Read<Option<String>> {
    let mut reader = Reader::new(body);
    let value = match (kind, side) {
        (0, Side::Client) => {
            let names = parts(reader.medium("server_name_list")?, |part| {
                part.u8("name_type")?;
                Ok(sanitize::bytes(part.medium("host_name")?, 300))
            })?;
            found.server_name = names.first().cloned();
            names.join(", ")
        }
        (10, _) => list(u16s(reader.medium("named_group_list")?).map(names::group)),
        (13 | 50, _) => {
            list(u16s(reader.medium("signature_schemes")?).map(names::signature_scheme))
        }
        (16, _) => {
            let protocols = parts(reader.medium("protocol_name_list")?, |part| {
                Ok(sanitize::bytes(part.short("protocol_name")?, 100))
            })?;
            if side == Side::Server {
                found.alpn = protocols.first().cloned();
            }
            protocols.join(", ")
        }
        (43, Side::Client) => {
            found.versions = u16s(reader.short("versions")?)
                .take(20)
                .map(names::version)
                .collect();
            found.versions.join(", ")
        }
        (43, _) => {
            let version = names::version(reader.u16("selected_version")?);
            found.version = Some(version.clone());
            version
        }
        (44, _) => hex(reader.medium("cookie")?),
        (45, _) => list(reader.short("ke_modes")?.iter().map(|mode| match mode {
            0 => "psk_ke".to_owned(),
            1 => "psk_dhe_ke".to_owned(),
            other => other.to_string(),
        })),
        (51, Side::Client) => {
            let shares = parts(reader.medium("client_shares")?, |part| {
                let group = names::group(part.u16("group")?);
                Ok(format!(
                    "{group} ({} bytes)",
                    part.medium("key_exchange")?.len()
                ))
            })?;
            shares.join(", ")
        }
        (51, Side::Retry) => {
            let group = names::group(reader.u16("selected_group")?);
            found.group = Some(group.clone());
            group
        }
        (51, Side::Server) => {
            let group = names::group(reader.u16("group")?);
            found.group = Some(group.clone());
            format!("{group} ({} bytes)", reader.medium("key_exchange")?.len())
        }
        _ if body.is_empty() => return Ok(None),
        _ => hex(body),
    };
    Ok(Some(value))
}
