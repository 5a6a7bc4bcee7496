//! Distinguished names as nginx's `$ssl_client_s_dn` prints them: RFC 2253, by OpenSSL's rules
//! (`X509_NAME_print_ex` with `XN_FLAG_RFC2253`).

use openssl::nid::Nid;
use openssl::x509::X509NameRef;

use crate::metadata::hex;

/// `CN=gateway,O=Example`; the last part of the name first.
pub(crate) fn rfc2253(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let object = entry.object();
            let key = match object.nid() {
                Nid::UNDEF => object.to_string(),
                nid => nid
                    .short_name()
                    .map_or_else(|_| object.to_string(), str::to_owned),
            };
            let value = entry.data().to_string().unwrap_or_default();
            format!("{key}={}", escape(&value))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn escape(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::new();
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.extend(['\\', char::from(byte)]);
            }
            b'#' if index == 0 => text.push_str("\\#"),
            b' ' if index == 0 || index == last => text.push_str("\\ "),
            0..0x20 | 0x7f.. => text.extend(["\\", &hex(&[byte]).to_uppercase()]),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509NameBuilder;

    use super::*;

    #[test]
    fn names_are_reversed_and_escaped() {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("O", "Acme, Inc. <x>").unwrap();
        name.append_entry_by_text("CN", " gäte\nway ").unwrap();
        assert_eq!(
            rfc2253(&name.build()),
            "CN=\\ g\\C3\\A4te\\0Away\\ ,O=Acme\\, Inc. \\<x\\>"
        );
    }
}
