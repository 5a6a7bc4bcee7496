//! The probe's side: each vector as a [`ProbeSpec`], run against the very backend that NGINX was
//! proxying to.

use std::net::SocketAddr;

use futures::StreamExt as _;
use jiff::Timestamp;
use ngf_probes::dial::Direct;
use ngf_probes::spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_probes::{ProbeError, probe};
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::Transcript;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::nginx::{Number, path};
use crate::rig::AT_ONCE;
use crate::vector::{Gateway, GatewayTls, Identity, Vector};

/// Probes every vector's backend.
pub(crate) async fn all(
    vectors: &[Vector],
    addresses: &[SocketAddr],
) -> Vec<Result<Transcript, ProbeError>> {
    all_with(vectors, addresses, |_| {}).await
}

/// The same, with something changed that NGINX does not hear of.
pub(crate) async fn all_with(
    vectors: &[Vector],
    addresses: &[SocketAddr],
    change: impl Fn(&mut ProbeSpec),
) -> Vec<Result<Transcript, ProbeError>> {
    let specs: Vec<ProbeSpec> = vectors
        .iter()
        .zip(addresses)
        .enumerate()
        .map(|(number, (vector, address))| {
            let mut spec = spec(&vector.gateway, number, *address);
            change(&mut spec);
            spec
        })
        .collect();
    let cancel = CancellationToken::new();
    futures::stream::iter(&specs)
        .map(|spec| probe(spec, &Direct, &cancel))
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// What NGF would render, as the probe is told it.
pub(crate) fn spec(gateway: &Gateway, number: Number, address: SocketAddr) -> ProbeSpec {
    ProbeSpec {
        host: address.ip().to_string(),
        port: address.port(),
        tls: gateway.tls.as_ref().map(|tls| tls_spec(tls, gateway.at)),
        http: HttpSpec {
            method: "GET".to_owned(),
            host: gateway.host.clone(),
            path: path(number),
        },
        protocol: Protocol::Http1,
        timeout: gateway.timeout,
    }
}

fn tls_spec(tls: &GatewayTls, at: Option<Timestamp>) -> TlsSpec {
    TlsSpec {
        server_name: tls.server_name.clone(),
        trust: Trust::Bundle {
            pem: tls.trusted.clone(),
            origin: "the suite's bundle".to_owned(),
        },
        client_identity: tls.identity.as_ref().map(client_identity),
        verify_depth: 4,
        at,
    }
}

fn client_identity(identity: &Identity) -> ClientIdentity {
    ClientIdentity {
        certificate_pem: identity.chain.clone(),
        key_pem: Zeroizing::new(identity.key.clone()),
        origin: "the suite's client certificate".to_owned(),
    }
}
