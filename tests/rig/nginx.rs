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

/// A process that ends with the value.
pub(crate) struct Process {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    /// What it has written to its error log.
    pub(crate) fn error_log(&self) -> String {
        let path = self.folder.path().join("error.log");
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
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

/// Starts nginx with these files in its folder and this within `http { … }`; `DIR` in it stands for the
/// folder. Waits until it listens on `port`.
pub(crate) fn nginx(port: u16, files: &[(&str, String)], http: &str) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    let directory = folder.path().display().to_string();
    let http = http.replace("DIR", &directory);
    // One process, which dies with the test; as root it would want to become someone else.
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log info;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            {http}
        }}"
    );
    fs::write(folder.path().join("nginx.conf"), configuration).expect("a file");
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

/// What a client of the gateway gets: the status.
pub(crate) fn status(port: u16, host: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1)?.parse().ok()
}

/// A path without what only its folder says.
pub(crate) fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().expect("a file");
    name.to_string_lossy().into_owned()
}
