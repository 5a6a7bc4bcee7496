//! What the servers of the sandbox share, which both are nginx: secure-app and the data plane of a Gateway.

pub(crate) mod config;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod tls;

/// Finds the virtual server for a host, as `ngx_http_find_virtual_server` does: the exact name, then the
/// longest wildcard. Each name stands for the server that it belongs to.
pub(crate) fn virtual_server<'n, T>(
    names: impl Iterator<Item = (&'n str, T)>,
    host: &str,
) -> Option<T> {
    let mut wildcard: Option<(usize, T)> = None;
    for (name, server) in names {
        if name == host {
            return Some(server);
        }
        let fits = name.strip_prefix('*').is_some_and(|suffix| {
            suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix)
        });
        if fits
            && wildcard
                .as_ref()
                .is_none_or(|(length, _)| name.len() > *length)
        {
            wildcard = Some((name.len(), server));
        }
    }
    wildcard.map(|(_, server)| server)
}

#[cfg(test)]
mod tests {
    use super::virtual_server;

    #[test]
    fn the_exact_name_wins_over_the_longest_wildcard() {
        let names = [
            ("*.com", 1),
            ("*.example.com", 2),
            ("a.example.com", 3),
            ("*example", 4),
        ];
        for (host, server) in [
            ("a.example.com", Some(3)),
            ("b.example.com", Some(2)),
            ("c.b.example.com", Some(2)),
            ("example.com", Some(1)),
            ("com", None),
            ("anexample", None),
        ] {
            assert_eq!(virtual_server(names.into_iter(), host), server, "{host}");
        }
    }
}
