//! The mark of the requests that this tool sends: whoever reads the log of a backend finds them by it.

/// The query parameter by which every request of this tool is marked, so that whoever reads the backend's
/// log, this tool included, knows that NGINX did not send it.
const MARK: &str = "ngf-tui=";
/// Marks the request of a probe.
pub const PROBE: &str = "ngf-tui=probe";
/// Marks the request of a handshake without the client certificate.
pub const WITHOUT_CERTIFICATE: &str = "ngf-tui=without-client-certificate";

/// Returns `path` with one of the marks ([`PROBE`], [`WITHOUT_CERTIFICATE`]) in its query. A path that has
/// it already stays as it is.
pub fn marked(path: &str, mark: &str) -> String {
    let has_it = path.split(['?', '&', '#']).skip(1).any(|part| part == mark);
    if has_it {
        return path.to_owned();
    }
    // What follows a `#` is no part of the query.
    let (path, fragment) = match path.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (path, String::new()),
    };
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{mark}{fragment}")
}

/// Whether a request line, or a line of a log that contains one, is of a request that this tool sent.
pub fn is_marked(text: &str) -> bool {
    text.match_indices(MARK)
        .any(|(at, _)| text[..at].ends_with(['?', '&']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_marked_once_and_recognised() {
        for (path, expected) in [
            ("/", "/?ngf-tui=probe"),
            ("/a?b=c", "/a?b=c&ngf-tui=probe"),
            ("/a#b", "/a?ngf-tui=probe#b"),
            ("/?ngf-tui=probe", "/?ngf-tui=probe"),
        ] {
            assert_eq!(marked(path, PROBE), expected);
        }
        let both = marked(&marked("/", PROBE), WITHOUT_CERTIFICATE);
        assert_eq!(both, "/?ngf-tui=probe&ngf-tui=without-client-certificate");
        assert!(is_marked(&format!("\"GET {both} HTTP/1.1\" 400")));
        assert!(!is_marked("GET /ngf-tui=probe HTTP/1.1"));
        assert!(!is_marked("GET /?my-ngf-tui=probe HTTP/1.1"));
    }
}
