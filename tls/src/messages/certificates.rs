//! Certificate, CertificateRequest and CertificateVerify, in both shapes.

use super::reader::{Read, Reader, u16s};
use super::{Draft, Facts, MOST_ELEMENTS, hex, list, names, parts};
use crate::certificate::{CertificateFacts, name_from_der};

pub(super) fn certificate(
    draft: &mut Draft,
    mut reader: Reader<'_>,
    is_tls13: bool,
) -> Read<String> {
    if is_tls13 {
        draft.add(
            "certificate_request_context",
            hex(reader.short("certificate_request_context")?),
        );
    }
    let mut list = Reader::new(reader.long("certificate_list")?);
    let mut certificates = Vec::new();
    let mut broken = None;
    while !list.is_empty() {
        match entry(&mut list, is_tls13) {
            Ok(der) if certificates.len() < MOST_ELEMENTS => certificates.push(der.to_vec()),
            Ok(_) => {}
            Err(cut_off) => {
                broken = Some(cut_off);
                break;
            }
        }
    }
    for (index, der) in certificates.iter().enumerate() {
        describe(draft, index, der);
    }
    let summary = match certificates.first() {
        None => "no certificate".to_owned(),
        Some(leaf) => {
            let subject = crate::certificate::subject_of(leaf);
            match certificates.len() - 1 {
                0 => subject,
                1 => format!("{subject}, and 1 more"),
                more => format!("{subject}, and {more} more"),
            }
        }
    };
    draft.facts = Facts::Certificate(certificates);
    broken.map_or(Ok(summary), Err)
}

fn entry<'a>(list: &mut Reader<'a>, is_tls13: bool) -> Read<&'a [u8]> {
    let der = list.long("a certificate")?;
    if is_tls13 {
        list.medium("a certificate's extensions")?;
    }
    Ok(der)
}

fn describe(draft: &mut Draft, index: usize, der: &[u8]) {
    let at = |name: &str| format!("certificate[{index}].{name}");
    draft.add(&at("bytes"), der.len().to_string());
    let facts = match CertificateFacts::from_der(der) {
        Ok(facts) => facts,
        Err(error) => return draft.add(&at("malformed"), error.to_string()),
    };
    draft.add(&at("subject"), &facts.subject);
    draft.add(&at("issuer"), &facts.issuer);
    draft.add(&at("not_before"), moment(facts.not_before));
    draft.add(&at("not_after"), moment(facts.not_after));
    let names = facts
        .dns_names
        .iter()
        .chain(&facts.ip_addresses)
        .chain(&facts.other_names);
    let names = list(names.cloned());
    if !names.is_empty() {
        draft.add(&at("subject_alternative_names"), names);
    }
    draft.add(&at("key"), &facts.key);
    draft.add(&at("signature"), &facts.signature);
    draft.add(&at("serial"), &facts.serial);
    draft.add(&at("sha256"), &facts.fingerprint_sha256);
}

/// Seconds since the epoch as RFC 3339.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |moment| moment.to_string(),
    )
}

pub(super) fn certificate_request(
    draft: &mut Draft,
    mut reader: Reader<'_>,
    is_tls13: bool,
) -> Read<String> {
    let names = if is_tls13 {
        draft.add(
            "certificate_request_context",
            hex(reader.short("certificate_request_context")?),
        );
        extensions_of_request(draft, reader.medium("extensions")?)?
    } else {
        let types = reader.short("certificate_types")?;
        draft.add(
            "certificate_types",
            list(types.iter().copied().map(names::certificate_type)),
        );
        let schemes = reader.medium("supported_signature_algorithms")?;
        draft.add(
            "supported_signature_algorithms",
            list(u16s(schemes).map(names::signature_scheme)),
        );
        authorities(reader.medium("certificate_authorities")?)?
    };
    for (index, name) in names.iter().enumerate() {
        draft.add(&format!("certificate_authorities[{index}]"), name);
    }
    let summary = match names.as_slice() {
        [] => "for a certificate of any CA".to_owned(),
        [one] => format!("for a certificate of {one}"),
        [first, ..] => format!(
            "for a certificate of {first}, or of {} more",
            names.len() - 1
        ),
    };
    draft.facts = Facts::CertificateRequest {
        acceptable_cas: names,
    };
    Ok(summary)
}

fn extensions_of_request(draft: &mut Draft, bytes: &[u8]) -> Read<Vec<String>> {
    let all = parts(bytes, |part| {
        Ok((
            part.u16("an extension's type")?,
            part.medium("an extension")?,
        ))
    })?;
    let mut found = Vec::new();
    for (kind, body) in all {
        let mut reader = Reader::new(body);
        let name = names::extension(kind);
        match kind {
            13 | 50 => match reader.medium("signature_schemes") {
                Ok(schemes) => draft.add(&name, list(u16s(schemes).map(names::signature_scheme))),
                Err(_) => draft.add(&name, format!("malformed: {}", hex(body))),
            },
            47 => found = authorities(reader.medium("certificate_authorities")?)?,
            _ => draft.add(&name, hex(body)),
        }
    }
    Ok(found)
}

fn authorities(bytes: &[u8]) -> Read<Vec<String>> {
    parts(bytes, |part| {
        let der = part.medium("a CA's name")?;
        Ok(name_from_der(der).unwrap_or_else(|| format!("malformed name {}", hex(der))))
    })
}

pub(super) fn certificate_verify(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let scheme = names::signature_scheme(reader.u16("algorithm")?);
    let signature = reader.medium("signature")?;
    draft.add("algorithm", &scheme);
    draft.add("signature", format!("{} bytes", signature.len()));
    Ok(format!("proves that it holds the key, by {scheme}"))
}
