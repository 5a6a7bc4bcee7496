//! `probe --connect`: a probe made of the command line and files, without a cluster.

use std::path::{Path, PathBuf};

use ngf_probes::spec::{
    BackendTrust, ClientIdentity, HttpSpec, Options, ProbeSpec, TlsSpec, Trust,
};
use ngf_tls::chain::{Certificates, NGINX_SERVER_DEPTH};
use ngf_tls::{
    mark::{PROBE, marked},
    protocol::Protocol,
};
use zeroize::Zeroizing;

use super::args::ProbeArgs;

/// Files larger than this are not read: no certificate or key is.
const MAX_FILE: u64 = 4 << 20;

/// Why a probe could not be made of the command line.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address has no port, or none that is a number.
    #[error("--connect {address}: write HOST:PORT, with a port from 1 to 65535")]
    Address {
        /// As given.
        address: String,
    },
    /// A file cannot be read.
    #[error("{option} {}: cannot be read: {cause}", path.display())]
    File {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file is far too large to be what it should be.
    #[error("{option} {}: {size} bytes are more than any certificate has; at most 4 MiB are read", path.display())]
    TooLarge {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
}

/// The probe that the command line asks for.
pub fn spec(args: &ProbeArgs, address: &str, server_name: &str) -> Result<ProbeSpec, ConnectError> {
    let (host, port) = parse_host_and_port(address).ok_or_else(|| ConnectError::Address {
        address: address.to_owned(),
    })?;
    let trust = match &args.ca {
        Some(path) => Trust::Bundle {
            pem: read("--ca", path)?.to_vec(),
            origin: format!("file {}", path.display()),
        },
        None => Trust::System,
    };
    let client_identity = identity(
        ("--cert", args.cert.as_deref()),
        ("--key", args.key.as_deref()),
    )?;
    Ok(ProbeSpec {
        host,
        port,
        tls: Some(TlsSpec {
            server_name: server_name.to_owned(),
            trust,
            client_identity,
            verify_depth: 4,
            at: args.at,
        }),
        http: HttpSpec {
            method: "GET".to_owned(),
            host: args.host.clone().unwrap_or_else(|| server_name.to_owned()),
            path: marked(args.path.as_deref().unwrap_or("/"), PROBE),
        },
        protocol: Protocol::Http1,
        timeout: args.timeout,
    })
}

/// The client certificate that two options name.
fn identity(
    (cert_option, cert): (&'static str, Option<&Path>),
    (key_option, key): (&'static str, Option<&Path>),
) -> Result<Option<ClientIdentity>, ConnectError> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    Ok(Some(ClientIdentity {
        certificate_pem: read(cert_option, cert)?.to_vec(),
        key_pem: read(key_option, key)?,
        origin: format!("file {}", cert.display()),
    }))
}

/// The certificate that the gateway's client presents.
pub fn gateway_client(args: &ProbeArgs) -> Result<Option<ClientIdentity>, ConnectError> {
    let way = &args.way;
    if way.client_identity.is_some() {
        return Ok(way.client_identity.clone());
    }
    identity(
        ("--gateway-client-cert", way.gateway_client_cert.as_deref()),
        ("--gateway-client-key", way.gateway_client_key.as_deref()),
    )
}

/// What the probe does beside: for now, judging the client certificate as the backend would.
pub fn options(args: &ProbeArgs) -> Result<Options, ConnectError> {
    let backend_trust = match &args.client_ca {
        None => None,
        Some(path) => Some(BackendTrust {
            trusted: Certificates::Pem(read("--client-ca", path)?.to_vec()),
            origin: format!("file {}", path.display()),
            depth: NGINX_SERVER_DEPTH,
        }),
    };
    Ok(Options {
        backend_trust,
        ..Options::default()
    })
}

/// `host:port`, `1.2.3.4:443`, `[::1]:443`.
pub(super) fn parse_host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn read(option: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ConnectError> {
    use std::io::Read;
    let failed = |cause| ConnectError::File {
        option,
        path: path.to_owned(),
        cause,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(ConnectError::TooLarge {
            option,
            path: path.to_owned(),
            size,
        });
    }
    // Allocated once: growing would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("example.com:443", Some(("example.com", 443))),
            ("10.0.0.1:8443", Some(("10.0.0.1", 8443))),
            ("[::1]:443", Some(("::1", 443))),
            ("::1:443", None),
            ("[::1:443", None),
            ("example.com", None),
            ("example.com:", None),
            (":443", None),
            ("example.com:0", None),
            ("example.com:70000", None),
            ("example.com:https", None),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(parse_host_and_port(text), expected, "{text}");
        }
    }
}
