//! Key exchange, Finished, tickets, and what else there is.

use super::reader::{Read, Reader};
use super::{Draft, Facts, hex, names};

pub(super) fn server_key_exchange(
    draft: &mut Draft,
    mut reader: Reader<'_>,
    is_finite_field: bool,
) -> Read<String> {
    if is_finite_field {
        let bits = reader.medium("dh_p")?.len() * 8;
        draft.add("dh_p", format!("{bits} bits"));
        draft.add("dh_g", hex(reader.medium("dh_g")?));
        draft.add("dh_Ys", format!("{} bytes", reader.medium("dh_Ys")?.len()));
        signed(draft, reader)?;
        draft.facts = Facts::ServerKeyExchange {
            group: Some(format!("DHE {bits} bits")),
        };
        return Ok(format!("DHE, {bits} bits"));
    }
    let curve_type = reader.u8("curve_type")?;
    if curve_type != 3 {
        return Ok(format!("curve type {curve_type}, {} bytes", reader.len()));
    }
    let group = names::group(reader.u16("named_curve")?);
    draft.add("curve_type", "named_curve");
    draft.add("named_curve", &group);
    draft.add("public", format!("{} bytes", reader.short("public")?.len()));
    signed(draft, reader)?;
    draft.facts = Facts::ServerKeyExchange {
        group: Some(group.clone()),
    };
    Ok(format!("ECDHE, {group}"))
}

/// The signature behind the parameters; anonymous suites have none.
fn signed(draft: &mut Draft, mut reader: Reader<'_>) -> Read<()> {
    if reader.is_empty() {
        draft.add("signature", "none");
        return Ok(());
    }
    draft.add(
        "algorithm",
        names::signature_scheme(reader.u16("algorithm")?),
    );
    draft.add(
        "signature",
        format!("{} bytes", reader.medium("signature")?.len()),
    );
    Ok(())
}

pub(super) fn client_key_exchange(draft: &mut Draft, mut reader: Reader<'_>) -> String {
    let bytes = reader.rest().len();
    draft.add("exchange_keys", format!("{bytes} bytes"));
    format!("{bytes} bytes")
}

pub(super) fn finished(draft: &mut Draft, mut reader: Reader<'_>) -> String {
    let bytes = reader.rest().len();
    draft.add("verify_data", format!("{bytes} bytes"));
    "all messages so far are as the other side saw them".to_owned()
}

pub(super) fn new_session_ticket(
    draft: &mut Draft,
    mut reader: Reader<'_>,
    is_tls13: bool,
) -> Read<String> {
    let lifetime = reader.u32("ticket_lifetime")?;
    draft.add("ticket_lifetime", format!("{lifetime} s"));
    if is_tls13 {
        reader.u32("ticket_age_add")?;
        draft.add("ticket_nonce", hex(reader.short("ticket_nonce")?));
    }
    draft.add(
        "ticket",
        format!("{} bytes", reader.medium("ticket")?.len()),
    );
    Ok(format!("for {lifetime} s; the probe never resumes"))
}

pub(super) fn key_update(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let request = match reader.u8("request_update")? {
        0 => "update_not_requested".to_owned(),
        1 => "update_requested".to_owned(),
        other => other.to_string(),
    };
    draft.add("request_update", &request);
    Ok(request)
}

pub(super) fn certificate_status(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let kind = reader.u8("status_type")?;
    let response = reader.long("response")?.len();
    draft.add(
        "status_type",
        if kind == 1 {
            "ocsp".to_owned()
        } else {
            kind.to_string()
        },
    );
    draft.add("response", format!("{response} bytes"));
    Ok(format!("{response} bytes of OCSP"))
}

pub(super) fn compressed_certificate(draft: &mut Draft, mut reader: Reader<'_>) -> Read<String> {
    let algorithm = match reader.u16("algorithm")? {
        1 => "zlib".to_owned(),
        2 => "brotli".to_owned(),
        3 => "zstd".to_owned(),
        other => other.to_string(),
    };
    let length = reader.u24("uncompressed_length")?;
    draft.add("algorithm", &algorithm);
    draft.add("uncompressed_length", length.to_string());
    Ok(format!("{length} bytes, compressed by {algorithm}"))
}
