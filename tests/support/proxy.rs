//! A proxy before the API server, as companies have them: one that knows older protocols only, that
//! lets no websocket pass, that cuts connections. Behind it `kubectl proxy` speaks to the lab, so that
//! all of it is plain text.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use ngf_cluster::{self, Cluster, ClusterOptions};

use super::lab::Lab;

/// What the proxy does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Habit {
    /// Offers the API server the older channel protocol only.
    OldProtocol,
    /// Takes the wish for another protocol out of requests.
    NoUpgrade,
    /// Cuts a websocket once so many bytes have come back.
    Cuts(usize),
}

/// The proxy; ends with this.
pub(crate) struct Proxy {
    kubectl: Child,
    port: u16,
    namespace: String,
}

impl Proxy {
    /// Starts one.
    pub(crate) fn start(lab: &Lab, habit: Habit) -> Self {
        let mut kubectl = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&lab.kubeconfig)
            .args([
                "--context",
                "diag",
                "proxy",
                "--port=0",
                "--reject-paths=^$",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl");
        let output = kubectl.stdout.take().expect("an output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, behind) = line.trim().rsplit_once(':').expect("a port");
        let behind: u16 = behind.parse().expect("a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || {
                    // A connection that breaks is the other side's business.
                    let _ = serve(client, behind, habit);
                });
            }
        });
        Self {
            kubectl,
            port,
            namespace: lab.namespace.clone(),
        }
    }

    /// The lab through it.
    pub(crate) async fn connect(&self) -> Cluster {
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: p, clusters: [{{name: p, cluster: {{server: 'http://127.0.0.1:{}'}}}}], contexts: [{{name: p, context: {{cluster: p, user: ''}}}}]}}",
            self.port
        );
        let options = ClusterOptions {
            kubeconfig_text: Some(text),
            namespace: Some(self.namespace.clone()),
            ..ClusterOptions::default()
        };
        ngf_cluster::connect(&options)
            .await
            .expect("the lab answers")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

fn serve(mut client: TcpStream, behind: u16, habit: Habit) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", behind))?;
    let (mut back_from, back_to) = (server.try_clone()?, client.try_clone()?);
    let is_socket = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&is_socket);
    let back = thread::spawn(move || -> std::io::Result<()> {
        let mut to = &back_to;
        let mut passed = 0;
        let mut chunk = [0; 16 << 10];
        loop {
            let read = back_from.read(&mut chunk)?;
            if read == 0 {
                return back_to.shutdown(Shutdown::Both);
            }
            to.write_all(&chunk[..read])?;
            passed += read;
            if let Habit::Cuts(after) = habit
                && seen.load(std::sync::atomic::Ordering::Relaxed)
                && passed > after
            {
                return back_to.shutdown(Shutdown::Both);
            }
        }
    });
    let mut chunk = [0; 16 << 10];
    let mut begins = true;
    loop {
        let read = client.read(&mut chunk)?;
        if read == 0 {
            server.shutdown(Shutdown::Both)?;
            break;
        }
        let request = String::from_utf8_lossy(&chunk[..read]);
        if begins && request.to_ascii_lowercase().contains("\r\nupgrade: ") {
            is_socket.store(true, std::sync::atomic::Ordering::Relaxed);
            let request = match habit {
                Habit::OldProtocol => request.replace("v5.channel.k8s.io, ", ""),
                Habit::NoUpgrade => request
                    .lines()
                    .filter(|line| {
                        let line = line.to_ascii_lowercase();
                        !line.starts_with("upgrade:") && !line.starts_with("connection:")
                    })
                    .map(|line| format!("{line}\r\n"))
                    .collect(),
                Habit::Cuts(_) => request.into_owned(),
            };
            server.write_all(request.as_bytes())?;
            // From now on it is frames, unless the wish went no further.
            begins = matches!(habit, Habit::NoUpgrade);
        } else {
            server.write_all(&chunk[..read])?;
        }
    }
    back.join().expect("it does not panic")
}
