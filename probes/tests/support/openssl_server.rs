//! `openssl s_server`: a backend that sends alerts.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::pki::Issued;
use super::{free_ports, wait_for};

/// A running `s_server`; ends with the value.
pub(crate) struct OpensslServer {
    child: Child,
    _folder: tempfile::TempDir,
    pub port: u16,
}

impl OpensslServer {
    /// Starts it with this certificate and these further arguments; `ca.crt` holds `client_ca`.
    pub(crate) fn start(leaf: &Issued, client_ca: &Issued, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tls.crt"), leaf.pem()).unwrap();
        fs::write(folder.path().join("tls.key"), leaf.key_pem()).unwrap();
        fs::write(folder.path().join("ca.crt"), client_ca.pem()).unwrap();
        let port = free_ports(1)[0];
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-www",
                "-quiet",
            ])
            .args(["-cert", "tls.crt", "-key", "tls.key"])
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            _folder: folder,
            port,
        };
        assert!(
            wait_for(port),
            "openssl s_server {arguments:?} does not start"
        );
        server
    }

    /// One that demands a client certificate of that CA, and says no by alert.
    pub(crate) fn demanding(leaf: &Issued, client_ca: &Issued, version: &str) -> Self {
        let arguments = [
            "-Verify",
            "1",
            "-verify_return_error",
            "-CAfile",
            "ca.crt",
            version,
        ];
        Self::start(leaf, client_ca, &arguments)
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
