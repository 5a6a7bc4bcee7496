//! Addresses of API servers and proxies, without what must not be shown.

use http::Uri;

use super::error::bounded;

/// Scheme, host and port. A user, a password, a path and a query may hold secrets.
pub(super) fn shown(address: &Uri) -> String {
    let scheme = address.scheme_str().unwrap_or("?");
    let host = address.host().unwrap_or_default();
    match address.port_u16() {
        Some(port) => bounded(&format!("{scheme}://{host}:{port}")),
        None => bounded(&format!("{scheme}://{host}")),
    }
}

/// The address without user, password and query: what a client needs of it.
pub(super) fn plain(address: &Uri) -> Result<Uri, http::Error> {
    let host = address.host().unwrap_or_default();
    let authority = match address.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Uri::builder()
        .scheme(address.scheme_str().unwrap_or_default())
        .authority(authority)
        .path_and_query(address.path())
        .build()
}

/// User and password of an address, decoded (RFC 3986, section 2.1).
pub(super) fn user(address: &Uri) -> Option<(String, String)> {
    let (user, _) = address.authority()?.as_str().rsplit_once('@')?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    Some((decoded(name), decoded(password)))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        rest = if code.is_some() { &after[2..] } else { after };
        bytes.push(code.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_are_shown_and_nothing_else() {
        for (address, shows, keeps) in [
            (
                "https://a.example:6443",
                "https://a.example:6443",
                "https://a.example:6443/",
            ),
            (
                "https://a.example/k8s/c?token=X",
                "https://a.example",
                "https://a.example/k8s/c",
            ),
            (
                "https://user:X@a.example:1/",
                "https://a.example:1",
                "https://a.example:1/",
            ),
            (
                "socks5://X@[::1]:1080",
                "socks5://[::1]:1080",
                "socks5://[::1]:1080/",
            ),
        ] {
            let address: Uri = address.parse().expect("an address");
            assert_eq!(shown(&address), shows);
            assert_eq!(plain(&address).expect("an address"), keeps);
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        for (address, expected) in [
            ("socks5://a:b@h", Some(("a", "b"))),
            ("socks5://a%40b:c%3Ad%zz@h", Some(("a@b", "c:d%zz"))),
            ("socks5://a@h", Some(("a", ""))),
            ("socks5://h", None),
        ] {
            let address: Uri = address.parse().expect("an address");
            let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(user(&address), expected);
        }
    }
}
