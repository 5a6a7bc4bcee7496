//! `openssl s_server`: a backend that answers a bad client certificate with an alert.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::vector::Identity;

/// How it is called.
#[derive(Debug, Clone)]
pub(crate) struct OpensslServer {
    /// Vectors that name the same server share one process.
    pub(crate) name: String,
    pub(crate) identity: Identity,
    /// `-CAfile`.
    pub(crate) client_ca: Vec<u8>,
    /// Further arguments: `-tls1_2`, `-Verify 1`, ….
    pub(crate) arguments: Vec<&'static str>,
}

/// A running one; ends when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl OpensslServer {
    pub(crate) fn start(&self, directory: &Path) -> io::Result<Running> {
        let file = |kind: &str, content: &[u8]| {
            let path = directory.join(format!("{}.{kind}.pem", self.name.replace(' ', "-")));
            std::fs::write(&path, content).map(|()| path)
        };
        let address = free_address()?;
        let mut command = Command::new("openssl");
        command
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &address.to_string(),
            ])
            .arg("-cert")
            .arg(file("chain", &self.identity.chain)?)
            .arg("-key")
            .arg(file("key", &self.identity.key)?)
            .arg("-CAfile")
            .arg(file("client-ca", &self.client_ca)?)
            .args(&self.arguments)
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(
                directory.join(format!("{}.log", self.name)),
            )?);
        let running = Running {
            process: command.spawn()?,
            address,
        };
        wait_for(address)?;
        Ok(running)
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Waits until somebody accepts there.
pub(crate) fn wait_for(address: SocketAddr) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
