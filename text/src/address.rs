//! Addresses as URLs and nginx write them.

/// `10.0.0.1:8443`, `[fd00::1]:8443`, `secure-app:8443`; an IPv6 address with or without brackets.
pub fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_colons_have_one_pair_of_brackets() {
        for (host, expected) in [
            ("10.0.0.1", "10.0.0.1:80"),
            ("fd00::1", "[fd00::1]:80"),
            ("[fd00::1]", "[fd00::1]:80"),
            ("secure-app.default.svc", "secure-app.default.svc:80"),
        ] {
            assert_eq!(host_and_port(host, 80), expected);
        }
    }
}
