//! The oracle: one NGINX that is both the backends and the gateway, configured as NGF renders it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use openssl::dh::Dh;
use tempfile::TempDir;

use crate::s_server::{free_address, wait_for};
use crate::vector::{Gateway, Identity, ServerBlock};
use crate::which_nginx;

/// The file of Diffie-Hellman parameters that backends may name in `ssl_dhparam`.
pub(crate) const DH_PARAMETERS: &str = "dh2048.pem";

/// A vector's number: its location is `/v/NUMBER`.
pub(crate) type Number = usize;

/// A configuration in the making.
#[derive(Debug)]
pub(crate) struct Builder {
    directory: TempDir,
    gateway: SocketAddr,
    backends: String,
    locations: String,
}

/// A running NGINX; ends when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Child,
    directory: TempDir,
    gateway: SocketAddr,
}

impl Builder {
    pub(crate) fn new() -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ngf-differential-")
            .tempdir()?;
        let parameters = Dh::get_2048_256().and_then(|group| group.params_to_pem());
        fs::write(
            directory.path().join(DH_PARAMETERS),
            parameters.map_err(io::Error::other)?,
        )?;
        Ok(Self {
            directory,
            gateway: free_address()?,
            backends: String::new(),
            locations: String::new(),
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a backend, and says where it will listen.
    pub(crate) fn backend(
        &mut self,
        number: Number,
        servers: &[ServerBlock],
    ) -> io::Result<SocketAddr> {
        // A loopback address for each backend: no port has to be free, only one address of 2^24.
        let [high, low] = u16::try_from(number)
            .map_err(io::Error::other)?
            .to_be_bytes();
        let address = SocketAddr::from(([127, 64 + self.lane(), high, low], 8443));
        for (index, server) in servers.iter().enumerate() {
            let kind = format!("{number}.{index}");
            let text = self.server_block(&kind, address, server)?;
            self.backends.push_str(&text);
        }
        Ok(address)
    }

    /// Two suites at once use different loopback networks: the gateway's port tells them apart.
    fn lane(&self) -> u8 {
        (self.gateway.port() % 128) as u8
    }

    fn server_block(
        &self,
        kind: &str,
        address: SocketAddr,
        server: &ServerBlock,
    ) -> io::Result<String> {
        let tls = if server.identity.is_some() {
            " ssl"
        } else {
            ""
        };
        let mut text = format!("  server {{\n    listen {address}{tls};\n");
        if !server.server_name.is_empty() {
            line(&mut text, &format!("server_name {}", server.server_name));
        }
        if let Some(identity) = &server.identity {
            let (chain, key) = self.identity(&format!("{kind}.server"), identity)?;
            line(&mut text, &format!("ssl_certificate {}", chain.display()));
            line(&mut text, &format!("ssl_certificate_key {}", key.display()));
        }
        if let Some(ca) = &server.client_ca {
            let file = self.file(&format!("{kind}.client-ca.pem"), ca)?;
            line(
                &mut text,
                &format!("ssl_client_certificate {}", file.display()),
            );
        }
        for directive in &server.directives {
            line(&mut text, directive);
        }
        text.push_str("    location / { return 200 \"");
        text.push_str("sni=$ssl_server_name protocol=$ssl_protocol cipher=$ssl_cipher ");
        text.push_str("client=$ssl_client_verify subject=$ssl_client_s_dn host=$host\"; }\n");
        text.push_str(
            "    location /404 { return 404; }\n    location /503 { return 503; }\n  }\n",
        );
        Ok(text)
    }

    /// Adds the location that proxies to `address` as NGF would have it.
    pub(crate) fn gateway(
        &mut self,
        number: Number,
        gateway: &Gateway,
        address: SocketAddr,
    ) -> io::Result<()> {
        let scheme = if gateway.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let mut text = format!("    location = {} {{\n", path(number));
        line(&mut text, &format!("proxy_pass {scheme}://{address}"));
        line(&mut text, "proxy_set_header Connection close");
        line(
            &mut text,
            &format!("proxy_set_header Host \"{}\"", gateway.host),
        );
        let milliseconds = gateway.timeout.as_millis();
        for phase in ["connect", "read", "send"] {
            line(
                &mut text,
                &format!("proxy_{phase}_timeout {milliseconds}ms"),
            );
        }
        if let Some(tls) = &gateway.tls {
            let trusted = self.file(&format!("{number}.trusted.pem"), &tls.trusted)?;
            line(&mut text, "proxy_ssl_server_name on");
            line(&mut text, "proxy_ssl_verify on");
            line(&mut text, "proxy_ssl_verify_depth 4");
            line(
                &mut text,
                &format!("proxy_ssl_name \"{}\"", tls.server_name),
            );
            line(
                &mut text,
                &format!("proxy_ssl_trusted_certificate {}", trusted.display()),
            );
            if let Some(identity) = &tls.identity {
                let (chain, key) = self.identity(&format!("{number}.gateway"), identity)?;
                line(
                    &mut text,
                    &format!("proxy_ssl_certificate {}", chain.display()),
                );
                line(
                    &mut text,
                    &format!("proxy_ssl_certificate_key {}", key.display()),
                );
            }
        }
        text.push_str("    }\n");
        self.locations.push_str(&text);
        Ok(())
    }

    fn identity(&self, kind: &str, identity: &Identity) -> io::Result<(PathBuf, PathBuf)> {
        let chain = self.file(&format!("{kind}.chain.pem"), &identity.chain)?;
        let key = self.file(&format!("{kind}.key.pem"), &identity.key)?;
        Ok((chain, key))
    }

    fn file(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.directory.path().join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// The whole file. One process and no master: what the signals of a test runner hit, ends.
    fn configuration(&self) -> String {
        let Self {
            gateway,
            backends,
            locations,
            ..
        } = self;
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| {
                format!(
                    "  {kind}_temp_path temp;
"
                )
            })
            .concat();
        format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nlock_file nginx.lock;\n\
             error_log backend.log info;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n{paths}  access_log off;\n  log_format status \"$request_uri $status\";\n  large_client_header_buffers 4 32k;\n\
             \x20 variables_hash_max_size 2048;\n\
             \x20 proxy_http_version 1.1;\n\
             \x20 proxy_ssl_protocols TLSv1.2 TLSv1.3;\n  proxy_ssl_session_reuse off;\n\
             {backends}\n\
             \x20 server {{\n    listen {gateway} backlog=1024;\n    error_log gateway.log debug;\n\
             \x20   access_log status.log status;\n\
             {locations}  }}\n}}\n"
        )
    }

    fn command(&self) -> io::Result<Command> {
        fs::write(
            self.directory.path().join("nginx.conf"),
            self.configuration(),
        )?;
        let mut command = which_nginx::command();
        command
            .arg("-p")
            .arg(self.directory.path())
            .args(["-c", "nginx.conf", "-e", "start.log"])
            .stdin(Stdio::null());
        Ok(command)
    }

    /// What `nginx -t` says: nothing, or the `[emerg]` line.
    pub(crate) fn test(&self) -> io::Result<Option<String>> {
        let output = self.command()?.arg("-t").output()?;
        if output.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let emergency = text.lines().find_map(|line| line.split_once("[emerg] "));
        Ok(Some(
            emergency
                .map_or(text.as_str(), |(_, said)| without_process(said))
                .to_owned(),
        ))
    }

    /// A line of NGINX's without the name of this folder, which is another each time.
    pub(crate) fn without_folder(&self, line: &str) -> String {
        line.replace(&format!("{}/", self.directory.path().display()), "")
    }

    /// Starts it; `fake_time` is the moment at which its clock stands still.
    pub(crate) fn start(self, fake_time: Option<&FakeTime>) -> io::Result<Nginx> {
        let mut command = self.command()?;
        if let Some(time) = fake_time {
            time.apply(&mut command);
        }
        let log = fs::File::create(self.directory.path().join("stderr.log"))?;
        let process = command.stdout(Stdio::null()).stderr(log).spawn()?;
        let nginx = Nginx {
            process,
            directory: self.directory,
            gateway: self.gateway,
        };
        wait_for(nginx.gateway).map_err(|error| {
            io::Error::other(format!(
                "nginx did not start: {error}\n{}",
                nginx.read("stderr.log")
            ))
        })?;
        Ok(nginx)
    }
}

/// libfaketime's settings.
#[derive(Debug)]
pub(crate) struct FakeTime {
    /// The library to preload.
    pub(crate) library: PathBuf,
    /// When the clock stands still.
    pub(crate) at: Timestamp,
}

impl FakeTime {
    fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env(
                "FAKETIME",
                self.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            )
            .env("TZ", "UTC")
            // NGINX's timers go on.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

impl Nginx {
    /// Asks the gateway for a vector's location, and gives the body of its answer.
    pub(crate) fn ask(&self, number: Number) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.gateway)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        // HTTP/1.0, so that the body comes without chunks and the end is the end.
        let path = path(number);
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match text.split_once("\r\n\r\n") {
            Some((_head, body)) => body.to_owned(),
            None => text,
        })
    }

    /// The status of each request so far, in NGINX's own words: what it takes for HTTP/0.9 has no
    /// status line to read.
    pub(crate) fn statuses(&self) -> HashMap<Number, u16> {
        self.read("status.log")
            .lines()
            .filter_map(|line| {
                let (path, status) = line.split_once(' ')?;
                Some((
                    path.strip_prefix("/v/")?.parse().ok()?,
                    status.parse().ok()?,
                ))
            })
            .collect()
    }

    /// The gateway's error log so far.
    pub(crate) fn gateway_log(&self) -> String {
        self.read("gateway.log")
    }

    /// The backends' error log so far.
    pub(crate) fn backend_log(&self) -> String {
        self.read("backend.log")
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.directory.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What NGINX said, without `PID#TID: ` before it, which only a log has.
fn without_process(said: &str) -> &str {
    match said.split_once(": ") {
        Some((process, rest)) if process.bytes().all(|b| b.is_ascii_digit() || b == b'#') => rest,
        _ => said,
    }
}

/// The path of a vector's location, and so of the request that a backend sees.
pub(crate) fn path(number: Number) -> String {
    format!("/v/{number}")
}

fn line(text: &mut String, directive: &str) {
    writeln!(text, "    {directive};").expect("writing to a String does not fail");
}
