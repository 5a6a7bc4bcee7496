//! Debian's nginx, as backend and as gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::pki::{Issued, bundle};
use super::{free_ports, wait_for};

/// A running nginx; ends with the value.
pub(crate) struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

/// A server as the guide's secure-app is one.
pub(crate) struct SecureApp<'a> {
    pub leaf: &'a Issued,
    /// What is sent behind the leaf.
    pub chain: Vec<&'a Issued>,
    /// Whose client certificates are accepted.
    pub client_ca: Option<&'a Issued>,
    /// `on`, `optional`, `off`.
    pub verify_client: &'a str,
    /// `ssl_protocols`.
    pub protocols: &'a str,
    /// More directives in the server.
    pub more: &'a str,
}

impl<'a> SecureApp<'a> {
    pub(crate) fn new(leaf: &'a Issued, client_ca: &'a Issued) -> Self {
        Self {
            leaf,
            chain: Vec::new(),
            client_ca: Some(client_ca),
            verify_client: "on",
            protocols: "TLSv1.2 TLSv1.3",
            more: "",
        }
    }

    pub(crate) fn start(&self) -> Nginx {
        Nginx::start(|folder, port| self.server(folder, port))
    }

    fn server(&self, folder: &Path, port: u16) -> String {
        let mut certificate = self.leaf.pem();
        certificate.extend(bundle(&self.chain));
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        fs::write(folder.join("tls.key"), self.leaf.key_pem()).unwrap();
        let client_ca = match self.client_ca {
            Some(ca) => {
                fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
                "ssl_client_certificate ca.crt;"
            }
            None => "",
        };
        let Self {
            verify_client,
            protocols,
            more,
            ..
        } = self;
        format!(
            "server {{
                listen 127.0.0.1:{port} ssl;
                server_name secure-app.example.com;
                default_type text/plain;
                ssl_certificate tls.crt;
                ssl_certificate_key tls.key;
                ssl_protocols {protocols};
                {client_ca}
                ssl_verify_client {verify_client};
                {more}
                access_log access.log ssl_log;
                location / {{ return 200 \"hello from pod secure-app\\n\"; }}
            }}"
        )
    }
}

impl Nginx {
    /// Starts nginx with what `servers` returns inside of `http { … }`; it is given the folder
    /// that paths are relative to and a free port.
    pub(crate) fn start(servers: impl Fn(&Path, u16) -> String) -> Self {
        // A port that was free may be taken by the time that nginx asks for it.
        for _ in 0..5 {
            if let Some(nginx) = Self::try_start(&servers) {
                return nginx;
            }
        }
        panic!("nginx does not start");
    }

    fn try_start(servers: impl Fn(&Path, u16) -> String) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports(1)[0];
        let servers = servers(folder.path(), port);
        // One process, which dies with the test; as root it would want to become someone else.
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid;
            error_log error.log info;
            events {{ worker_connections 1024; }}
            http {{
                log_format ssl_log '$remote_addr ssl_client_verify=$ssl_client_verify ssl_client_subject=$ssl_client_s_dn';
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                {servers}
            }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self {
            child,
            folder,
            port,
        };
        if wait_for(port) && matches!(nginx.child.try_wait(), Ok(None)) {
            return Some(nginx);
        }
        let log = nginx.error_log();
        assert!(
            log.contains("Address already in use") || log.is_empty(),
            "nginx says: {log}"
        );
        None
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn error_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder().join("error.log")).unwrap_or_default())
            .into_owned()
    }

    /// The access log, once it has `lines` lines.
    pub(crate) fn access_log(&self, lines: usize) -> String {
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            let text = fs::read_to_string(self.folder().join("access.log")).unwrap_or_default();
            if text.lines().count() >= lines || Instant::now() > until {
                return text;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
