//! Processes of the rig: nginx as data plane and as backend, `openssl s_server`, and peers that misbehave.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};

/// A process that ends with the value.
pub(crate) struct Process {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // A master takes its workers along only where it is asked. It may have ended by itself.
        let asked = signal("TERM", self.child.id());
        if !asked {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

fn signal(name: &str, process: u32) -> bool {
    Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What stands in nginx's configuration; `DIR` in it stands for its folder.
#[derive(Default)]
pub(crate) struct Configuration {
    /// Within `http { … }`.
    pub(crate) http: String,
    /// Within `stream { … }`; no such block where it is empty.
    pub(crate) stream: String,
    /// A master with a worker, in place of one process for all.
    pub(crate) workers: bool,
}

impl Configuration {
    pub(crate) fn http(text: impl Into<String>) -> Self {
        Self {
            http: text.into(),
            ..Self::default()
        }
    }

    fn text(&self, folder: &Path) -> String {
        // One process dies with the test; as root, workers would want to become someone else.
        let processes = if self.workers {
            "user root; worker_processes 1;"
        } else {
            "master_process off;"
        };
        let (module, stream) = match self.stream.as_str() {
            "" => (String::new(), String::new()),
            stream => (stream_module(), format!("stream {{ {stream} }}")),
        };
        let text = format!(
            "{module} daemon off; {processes} pid nginx.pid; error_log error.log info;
            events {{ worker_connections 256; }}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                {}
            }}
            {stream}",
            self.http
        );
        text.replace("DIR", &folder.display().to_string())
    }
}

/// Whether nginx has streams; with CI set they must be there.
pub(crate) fn has_streams() -> bool {
    let module = stream_module();
    let path = module
        .trim_start_matches("load_module ")
        .trim_end_matches(';');
    let found = path.is_empty() || Path::new(path).exists();
    if !found {
        crate::support::skipped::skipped(&format!("{path} is not installed"));
    }
    found
}

/// `load_module`, where nginx was built with streams as a module, as Debian's is.
fn stream_module() -> String {
    let output = Command::new(binary())
        .arg("-V")
        .output()
        .expect("nginx runs");
    let built = String::from_utf8_lossy(&output.stderr).into_owned();
    if !built.contains("--with-stream=dynamic") {
        return String::new();
    }
    let modules = built.split_once("--modules-path=").expect("a path").1;
    let path = modules.split_whitespace().next().expect("a path");
    format!("load_module {path}/ngx_stream_module.so;")
}

impl Process {
    /// The path of a file that it was given.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What it has written to its error log.
    pub(crate) fn error_log(&self) -> String {
        let path = self.folder.path().join("error.log");
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// What `nginx -T` prints, with the files where NGF has them.
    pub(crate) fn configuration(&self) -> String {
        let folder = self.folder.path();
        let output = Command::new(binary())
            .arg("-p")
            .arg(folder)
            .args(["-T", "-e", "error.log", "-c", "nginx.conf"])
            .output()
            .expect("nginx runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).replace(&folder.display().to_string(), "/etc/nginx")
    }

    /// Kills nginx's only worker.
    pub(crate) fn kill_worker(&self) {
        let master = self.child.id();
        let children = format!("/proc/{master}/task/{master}/children");
        let until = Instant::now() + Duration::from_secs(5);
        let worker = loop {
            let listed = fs::read_to_string(&children).expect("Linux lists them");
            if let Some(worker) = listed.split_whitespace().next() {
                break worker.parse().expect("a number");
            }
            assert!(Instant::now() < until, "nginx has no worker");
            thread::sleep(Duration::from_millis(10));
        };
        assert!(signal("KILL", worker));
    }
}

/// The nginx that is tried: Debian's, or the one that `NGINX_BINARY` names.
pub(crate) fn binary() -> String {
    std::env::var("NGINX_BINARY").unwrap_or_else(|_| "nginx".to_owned())
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Starts nginx with these files in its folder, and waits until it listens on `port`.
pub(crate) fn nginx(port: u16, files: &[(&str, String)], configuration: &Configuration) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    let text = configuration.text(folder.path());
    fs::write(folder.path().join("nginx.conf"), text).expect("a file");
    let child = Command::new(binary())
        .env("TZ", "UTC")
        .arg("-p")
        .arg(folder.path())
        .args(["-e", "error.log", "-c", "nginx.conf"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let process = Process { child, folder };
    assert!(listens(port), "nginx says: {}", process.error_log());
    process
}

/// What `nginx -t` says of a configuration that it refuses.
pub(crate) fn refusal(files: &[(&str, String)], http: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let http = http.replace("DIR", &folder.path().display().to_string());
    let text = format!("pid nginx.pid; events {{}} http {{ {http} }}");
    fs::write(folder.path().join("nginx.conf"), text).expect("a file");
    let output = Command::new(binary())
        .arg("-p")
        .arg(folder.path())
        .args(["-t", "-e", "error.log", "-c", "nginx.conf"])
        .output()
        .expect("nginx runs");
    String::from_utf8_lossy(&output.stderr)
        .replace(&folder.path().display().to_string(), "/etc/nginx/secrets")
}

/// What `nginx -t` says of a configuration whose paths are NGF's (`/etc/nginx/`), with these files among the secrets.
pub(crate) fn tested(files: &[(&str, String)], http: &str, stream: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    fs::create_dir(&secrets).expect("a folder");
    for (name, content) in files {
        fs::write(secrets.join(name), content).expect("a file");
    }
    let paths = |text: &str| {
        text.replace("/etc/nginx/", "DIR/")
            .replace("/etc/ssl/cert.pem", "DIR/secrets/system.pem")
    };
    let configuration = Configuration {
        http: paths(http),
        stream: paths(stream),
        workers: false,
    };
    let text = configuration.text(folder.path());
    fs::write(folder.path().join("nginx.conf"), text).expect("a file");
    let output = Command::new(binary())
        .arg("-p")
        .arg(folder.path())
        .args(["-t", "-e", "error.log", "-c", "nginx.conf"])
        .output()
        .expect("nginx runs");
    String::from_utf8_lossy(&output.stderr)
        .replace(&folder.path().display().to_string(), "/etc/nginx")
}

/// An OpenSSL server that sends alerts about client certificates.
pub(crate) fn s_server(port: u16, files: &[(&str, String)], arguments: &[&str]) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let child = Command::new("openssl")
        .current_dir(folder.path())
        .args(["s_server", "-quiet", "-www", "-accept"])
        .arg(format!("127.0.0.1:{port}"))
        .args([
            "-cert",
            "tls.crt",
            "-cert_chain",
            "tls.crt",
            "-key",
            "tls.key",
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let process = Process { child, folder };
    assert!(listens(port), "openssl s_server does not listen");
    process
}

fn listens(port: u16) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// A peer that reads what comes first, answers this, and closes; or, without an answer, never closes.
pub(crate) fn raw(answer: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut bytes = [0; 16 << 10];
            // Whoever only looks whether it listens sends nothing.
            let _ = stream.read(&mut bytes);
            match answer {
                Some(answer) => {
                    let _ = stream.write_all(answer);
                }
                None => held.push(stream),
            }
        }
    });
    port
}

/// What a client of the gateway gets: the status; `None` where the connection is closed without one.
pub(crate) fn status(port: u16, host: &str, path: &str) -> Option<u16> {
    ask(&mut connect(port)?, host, path)
}

/// What follows the head of an answer.
pub(crate) fn body(port: u16, host: &str, path: &str) -> String {
    let mut stream = connect(port).expect("nginx listens");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (_, body) = text.split_once("\r\n\r\n").unwrap_or(("", &text));
    body.trim().to_owned()
}

/// The same through a listener that ends TLS.
pub(crate) fn status_over_tls(port: u16, host: &str) -> Option<u16> {
    let mut connector = SslConnector::builder(SslMethod::tls()).expect("OpenSSL");
    connector.set_verify(SslVerifyMode::NONE);
    let mut stream = connector.build().connect(host, connect(port)?).ok()?;
    ask(&mut stream, host, "/")
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).ok()?;
    Some(stream)
}

fn ask(stream: &mut (impl Read + Write), host: &str, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // The end may come without a goodbye; what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1)?.parse().ok()
}

/// A path without what only its folder says.
pub(crate) fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().expect("a file");
    name.to_string_lossy().into_owned()
}
