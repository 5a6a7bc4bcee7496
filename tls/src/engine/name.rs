//! `proxy_ssl_name` as NGINX treats it.

use std::net::Ipv4Addr;

/// What NGINX makes of `proxy_ssl_name` (`ngx_http_upstream_ssl_name`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamName {
    /// The name that the certificate is checked for: the raw one without its port. May be empty,
    /// and then matches nothing.
    pub checked: String,
    /// Server Name Indication; none for an IP address.
    pub sni: Option<String>,
}

impl UpstreamName {
    /// Strips the port as NGINX does: what follows the first `:`, or, where the name begins with
    /// `[`, the first `:` after the `]`. So a bare IPv6 address is cut at its first colon.
    pub fn from_proxy_ssl_name(raw: &str) -> Self {
        let search_from = if raw.starts_with('[') {
            raw.find(']').unwrap_or(0)
        } else {
            0
        };
        let end = raw[search_from..]
            .find(':')
            .map_or(raw.len(), |colon| search_from + colon);
        let checked = &raw[..end];
        let has_sni = !checked.is_empty() && !checked.starts_with('[') && !is_ipv4(checked);
        Self {
            checked: checked.to_owned(),
            sni: has_sni.then(|| checked.to_owned()),
        }
    }
}

/// What `ngx_inet_addr` takes for an IPv4 address: three dots between decimal numbers up to 255,
/// each of which may be missing or have leading zeros. 255.255.255.255 is its value for "none".
fn is_ipv4(text: &str) -> bool {
    let mut octets = [0_u8; 4];
    let mut parts = 0;
    for part in text.split('.') {
        if parts == octets.len() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        let value = part.bytes().try_fold(0_u32, |value, digit| {
            let value = value * 10 + u32::from(digit - b'0');
            (value <= 255).then_some(value)
        });
        let Some(value) = value else { return false };
        octets[parts] = value as u8;
        parts += 1;
    }
    parts == octets.len() && Ipv4Addr::from(octets) != Ipv4Addr::BROADCAST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_sent_as_nginx_does() {
        for (raw, checked, sni) in [
            (
                "app.example.com",
                "app.example.com",
                Some("app.example.com"),
            ),
            (
                "app.example.com:8443",
                "app.example.com",
                Some("app.example.com"),
            ),
            (
                "app.example.com.",
                "app.example.com.",
                Some("app.example.com."),
            ),
            ("app", "app", Some("app")),
            ("10.0.3.7", "10.0.3.7", None),
            ("10.0.3.7:8443", "10.0.3.7", None),
            ("10.0.3", "10.0.3", Some("10.0.3")),
            ("10.0.3.7.9", "10.0.3.7.9", Some("10.0.3.7.9")),
            ("1...2", "1...2", None),
            ("256.0.0.1", "256.0.0.1", Some("256.0.0.1")),
            (
                "255.255.255.255",
                "255.255.255.255",
                Some("255.255.255.255"),
            ),
            ("[::1]", "[::1]", None),
            ("[::1]:8443", "[::1]", None),
            ("::1", "", None),
            ("fd00::1", "fd00", Some("fd00")),
            ("[broken:1", "[broken", None),
            ("", "", None),
            (":443", "", None),
        ] {
            let name = UpstreamName::from_proxy_ssl_name(raw);
            assert_eq!(
                (name.checked.as_str(), name.sni.as_deref()),
                (checked, sni),
                "{raw:?}"
            );
        }
    }
}
