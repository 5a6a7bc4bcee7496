//! Probes of the tests: what they ask of whom.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ngf_probes::dial::Direct;
use ngf_probes::probe;
use ngf_probes::spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::Transcript;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::pki::{Issued, bundle};

/// Ends the test where a program that others wrote is not there: as a failure where CI is set,
/// else with a line that says so.
#[macro_export]
macro_rules! peer {
    ($name:literal) => {
        if !$crate::support::is_installed($name) {
            $crate::support::skipped::skipped(&format!("{} is not installed", $name));
            return;
        }
    };
}

pub(crate) fn is_installed(program: &str) -> bool {
    let argument = match program {
        "nginx" | "tshark" => "-v",
        "curl" => "--version",
        _ => "version",
    };
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

/// Waits until something listens, or gives up after five seconds.
pub(crate) fn wait_for(port: u16) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// The backend's name in all tests.
pub(crate) const HOST: &str = "secure-app.example.com";

/// A probe of a port here, in plain text.
pub(crate) fn plain(port: u16) -> ProbeSpec {
    ProbeSpec {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        http: HttpSpec {
            method: "GET".to_owned(),
            host: HOST.to_owned(),
            path: "/".to_owned(),
        },
        protocol: Protocol::Http1,
        timeout: Duration::from_secs(5),
    }
}

/// A probe of a port here that trusts these, for [`HOST`].
pub(crate) fn over_tls(port: u16, trusted: &[&Issued]) -> ProbeSpec {
    let tls = TlsSpec {
        server_name: HOST.to_owned(),
        trust: Trust::Bundle {
            pem: bundle(trusted),
            origin: "Secret default/backend-cert[ca.crt]".to_owned(),
        },
        client_identity: None,
        verify_depth: 4,
        at: None,
    };
    ProbeSpec {
        tls: Some(tls),
        ..plain(port)
    }
}

/// The same with another name.
pub(crate) fn for_name(mut spec: ProbeSpec, name: &str) -> ProbeSpec {
    if let Some(tls) = &mut spec.tls {
        name.clone_into(&mut tls.server_name);
    }
    spec
}

/// The same with a client certificate, and what is sent with it.
pub(crate) fn presenting(mut spec: ProbeSpec, client: &Issued, chain: &[&Issued]) -> ProbeSpec {
    if let Some(tls) = &mut spec.tls {
        let mut certificate_pem = client.pem();
        certificate_pem.extend(bundle(chain));
        tls.client_identity = Some(ClientIdentity {
            certificate_pem,
            key_pem: Zeroizing::new(client.key_pem()),
            origin: "Secret default/gateway-presents-this".to_owned(),
        });
    }
    spec
}

/// Runs a probe that can be run.
pub(crate) async fn run(spec: &ProbeSpec) -> Transcript {
    probe(spec, &Direct, &CancellationToken::new())
        .await
        .expect("the probe can be run")
}
