//! Two nginx processes (all backends, and the gateway in front of them), raw peers, and the probe's
//! way to the same sockets.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ngf_probes::Recorder;
use ngf_probes::dial::{Dial, DialError, Dialled, Direct, Target};
use ngf_probes::probe;
use ngf_probes::spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::case::{Backend, Case, Then};
use crate::oracle::Observation;

/// `proxy_connect_timeout` and `proxy_read_timeout` of the gateway, and the probe's own.
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Rig {
    pub(crate) cases: Vec<Case>,
    folder: tempfile::TempDir,
    nginxes: Vec<Child>,
}

impl Rig {
    pub(crate) async fn start(cases: Vec<Case>) -> Self {
        let mut rig = Self {
            cases,
            folder: tempfile::tempdir().unwrap(),
            nginxes: Vec::new(),
        };
        for (index, case) in rig.cases.iter().enumerate() {
            rig.write_files(index, case);
            if let Backend::Raw(bytes, then) = &case.backend {
                let listener = UnixListener::bind(rig.backend_socket(index)).unwrap();
                tokio::spawn(serve_raw(listener, bytes.clone(), *then));
            }
        }
        let backends: String = rig.each(Self::backend_server);
        let gateways: String = rig.each(Self::gateway_server);
        // The backends serve weak keys and old versions, which OpenSSL refuses at its default
        // level; the gateway has the default level.
        let lax = rig.path("lax.cnf");
        fs::write(&lax, LAX).unwrap();
        let servers = [
            ("backends", backends, Some(lax)),
            ("gateways", gateways, None),
        ];
        for (name, servers, openssl_conf) in servers {
            let child = rig
                .start_nginx(name, &servers, openssl_conf.as_deref())
                .await;
            rig.nginxes.push(child);
        }
        rig
    }

    /// What nginx does with a case.
    pub(crate) async fn by_nginx(&self, index: usize) -> Observation {
        let mut stream = UnixStream::connect(self.path(&format!("g{index}.sock")))
            .await
            .unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let patience = TIMEOUT * 5;
        // A backend may leave the body open: the head is enough.
        drop(tokio::time::timeout(patience, stream.read_to_end(&mut answer)).await);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|status| status.parse().ok());
        let log = fs::read(self.path(&format!("g{index}.log"))).unwrap_or_default();
        Observation::of_nginx(&String::from_utf8_lossy(&log), status)
    }

    /// What the probe says of it.
    pub(crate) async fn by_probe(&self, index: usize) -> Observation {
        let case = &self.cases[index];
        let tls = case.trusted.as_ref().map(|pem| TlsSpec {
            server_name: case.server_name.clone(),
            trust: Trust::Bundle {
                pem: pem.clone(),
                origin: "bundle".to_owned(),
            },
            client_identity: case
                .identity
                .as_ref()
                .map(|(certificate, key)| ClientIdentity {
                    certificate_pem: certificate.clone(),
                    key_pem: Zeroizing::new(key.clone()),
                    origin: "client".to_owned(),
                }),
            verify_depth: 4,
            at: None,
        });
        let (host, port) = match case.backend {
            Backend::Port(port) => ("127.0.0.1".to_owned(), port),
            _ => ("backend".to_owned(), 443),
        };
        let spec = ProbeSpec {
            host,
            port,
            tls,
            http: HttpSpec {
                method: "GET".to_owned(),
                host: case.host.clone(),
                path: "/".to_owned(),
            },
            timeout: TIMEOUT,
        };
        let socket = UnixDial(self.backend_socket(index));
        let dial: &dyn Dial = match case.backend {
            Backend::Port(_) => &Direct,
            _ => &socket,
        };
        match probe(&spec, dial, &CancellationToken::new()).await {
            Ok(transcript) => Observation::of_probe(&transcript.nginx),
            Err(error) => panic!("{}: the probe could not be run: {error}", case.name),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn backend_socket(&self, index: usize) -> PathBuf {
        self.path(&format!("b{index}.sock"))
    }

    fn each(&self, server: impl Fn(&Self, usize, &Case) -> String) -> String {
        self.cases
            .iter()
            .enumerate()
            .map(|(index, case)| server(self, index, case))
            .collect()
    }

    fn write_files(&self, index: usize, case: &Case) {
        let write = |kind: &str, bytes: &[u8]| {
            fs::write(self.path(&format!("{kind}{index}.pem")), bytes).unwrap();
        };
        if let Backend::Nginx {
            certificate, key, ..
        } = &case.backend
        {
            write("cert", certificate);
            write("key", key);
        }
        if let Some(trusted) = &case.trusted {
            write("ca", trusted);
        }
        if let Some((certificate, key)) = &case.identity {
            write("client", certificate);
            write("clientkey", key);
        }
    }

    fn backend_server(&self, index: usize, case: &Case) -> String {
        let hello = "location / { return 200 \"hello\\n\"; }";
        let socket = self.backend_socket(index);
        let socket = socket.display();
        match &case.backend {
            Backend::Nginx {
                directives, second, ..
            } => {
                let protocols = case.protocols;
                let tls = format!(
                    "listen unix:{socket} ssl; ssl_certificate cert{index}.pem;
                     ssl_certificate_key key{index}.pem; ssl_protocols {protocols};"
                );
                let first = format!("server {{ {tls} {directives} {hello} }}\n");
                if second.is_empty() {
                    first
                } else {
                    format!("{first}server {{ {tls} {second} {hello} }}\n")
                }
            }
            Backend::PlainNginx => format!("server {{ listen unix:{socket}; {hello} }}\n"),
            Backend::Port(_) | Backend::Raw(..) => String::new(),
        }
    }

    fn gateway_server(&self, index: usize, case: &Case) -> String {
        let to = match case.backend {
            Backend::Port(port) => format!("127.0.0.1:{port}"),
            _ => format!("unix:{}:", self.backend_socket(index).display()),
        };
        let scheme = if case.trusted.is_some() {
            "https"
        } else {
            "http"
        };
        let mut server = format!(
            "server {{ listen unix:{};
               error_log g{index}.log info;
               location / {{
                 proxy_pass {scheme}://{to};
                 proxy_http_version 1.1;
                 proxy_set_header Host \"{}\";
                 proxy_set_header Connection close;
                 proxy_connect_timeout {}ms; proxy_read_timeout {}ms;",
            self.path(&format!("g{index}.sock")).display(),
            case.host,
            TIMEOUT.as_millis(),
            TIMEOUT.as_millis(),
        );
        if case.trusted.is_some() {
            write!(
                server,
                "proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_verify_depth 4;
                 proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_session_reuse off;
                 proxy_ssl_name \"{}\"; proxy_ssl_trusted_certificate ca{index}.pem;",
                case.server_name
            )
            .unwrap();
        }
        if case.identity.is_some() {
            write!(
                server,
                "proxy_ssl_certificate client{index}.pem;
                 proxy_ssl_certificate_key clientkey{index}.pem;"
            )
            .unwrap();
        }
        server.push_str("} }\n");
        server
    }

    async fn start_nginx(&self, name: &str, servers: &str, openssl_conf: Option<&Path>) -> Child {
        let ready = self.path(&format!("{name}.sock"));
        let configuration = format!(
            "daemon off; master_process off; pid {name}.pid; error_log {name}.log info;
             events {{ worker_connections 1024; }}
             http {{
               access_log off;
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
               uwsgi_temp_path uwsgi; scgi_temp_path scgi;
               {servers}
               server {{ listen unix:{}; }}
             }}",
            ready.display()
        );
        fs::write(self.path(&format!("{name}.conf")), configuration).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(self.folder.path());
        command.args(["-e", &format!("{name}.log"), "-c", &format!("{name}.conf")]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(path) = openssl_conf {
            command.env("OPENSSL_CONF", path);
        }
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(&ready).await.is_err() {
            let log = || fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
            let has_ended = !matches!(child.try_wait(), Ok(None));
            assert!(
                !has_ended && Instant::now() < until,
                "{name} do not start: {}",
                log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for nginx in &mut self.nginxes {
            drop(nginx.kill());
            drop(nginx.wait());
        }
    }
}

/// Level 0, so that the backends can have any certificate and any version.
const LAX: &str = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n\
                   [lax]\nCipherString = ALL:@SECLEVEL=0\nMinProtocol = TLSv1\n";

async fn serve_raw(listener: UnixListener, bytes: Vec<u8>, then: Then) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let mut request = [0; 4_096];
            if stream.read(&mut request).await.is_err() || stream.write_all(&bytes).await.is_err() {
                return;
            }
            if then == Then::Silence {
                std::future::pending::<()>().await;
            }
        });
    }
}

/// The probe's way to a socket in the file system.
struct UnixDial(PathBuf);

impl Dial for UnixDial {
    fn via(&self) -> &'static str {
        "unix"
    }

    fn dial<'a>(
        &'a self,
        _target: &'a Target,
        _recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>> {
        async move {
            let address = self.0.display().to_string();
            match UnixStream::connect(&self.0).await {
                Ok(stream) => Ok(Dialled {
                    stream: Box::new(stream),
                    address: Some(address),
                }),
                Err(source) => Err(DialError::Connect { address, source }),
            }
        }
        .boxed()
    }
}
