//! An API server without TLS that answers as a test says, and counts what it could send.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// A request: its path with the query, and its headers as they came.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
}

impl Request {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut first = String::new();
        stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let path = first.split(' ').nth(1)?.to_owned();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Self { path, head })
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// Whether it is for objects of this kind, by its plural name.
    pub(crate) fn is_for(&self, plural: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        path.ends_with(&format!("/{plural}"))
    }
}

/// How a request is answered.
pub(crate) enum Answer {
    /// As an empty cluster answers.
    Ordinary,
    /// A status and a body, and the connection ends.
    Whole(u16, String),
    /// A status and the beginning of a body, then a chunk again and again until nobody takes it.
    Endless(u16, &'static str, &'static [u8]),
    /// The same, so many times, and then the end.
    Many(u16, &'static str, &'static [u8], usize, &'static str),
    /// Nothing, with the connection open.
    Silence,
}

impl Answer {
    /// This answer where it is for this request, and an ordinary one elsewhere.
    pub(crate) fn when(is_for_this: bool, answer: Self) -> Self {
        if is_for_this { answer } else { Self::Ordinary }
    }
}

/// The server; its threads end with the test.
pub(crate) struct HostileApi {
    pub(crate) address: String,
    sent: Arc<AtomicU64>,
}

impl HostileApi {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let sent = Arc::new(AtomicU64::new(0));
        let (answer, counted) = (Arc::new(answer), Arc::clone(&sent));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, sent) = (Arc::clone(&answer), Arc::clone(&counted));
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                    if let Some(request) = Request::read(&mut reader) {
                        give(stream, &request, answer(&request), &sent);
                    }
                });
            }
        });
        Self { address, sent }
    }

    /// Bytes of hostile bodies that were taken, those in buffers of the kernel included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub(crate) fn kubeconfig(&self) -> String {
        kubeconfig(&format!("http://{}", self.address), "", "token: abc")
    }
}

/// A kubeconfig with one context, `prod`.
pub(crate) fn kubeconfig(server: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
         contexts:\n- name: prod\n  context: {{cluster: c, user: u}}\n\
         clusters:\n- name: c\n  cluster: {{server: \"{server}\"{cluster}}}\n\
         users:\n- name: u\n  user: {{{user}}}\n"
    )
}

fn give(mut stream: TcpStream, request: &Request, answer: Answer, sent: &AtomicU64) {
    let count = |stream: &mut TcpStream, bytes: &[u8]| {
        let written = stream.write_all(bytes);
        sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        written.is_ok()
    };
    let head = |code| {
        format!("HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    };
    match answer {
        Answer::Ordinary => {
            if request.is_watch() {
                let _ = stream.write_all(head(200).as_bytes());
                // Until the client goes.
                let _ = stream.read(&mut [0]);
            } else {
                let _ = stream.write_all((head(200) + &ordinary(request)).as_bytes());
            }
        }
        Answer::Whole(code, body) => {
            let _ = stream.write_all((head(code) + &body).as_bytes());
        }
        Answer::Endless(code, begin, chunk) => {
            let chunk = chunk.repeat(1 + (64 << 10) / chunk.len());
            let _ = stream.write_all((head(code) + begin).as_bytes());
            while count(&mut stream, &chunk) {}
        }
        Answer::Many(code, begin, chunk, times, end) => {
            let at_once = 1 + (64 << 10) / chunk.len();
            let chunk = chunk.repeat(at_once);
            let _ = stream.write_all((head(code) + begin).as_bytes());
            let whole = (0..times / at_once).all(|_| count(&mut stream, &chunk));
            if whole {
                let _ = stream.write_all(end.as_bytes());
            }
        }
        Answer::Silence => {
            let _ = stream.read(&mut [0]);
        }
    }
}

fn ordinary(request: &Request) -> String {
    let group = |name: &str, resources: &[&str]| {
        let resources: Vec<_> = resources
            .iter()
            .map(|plural| serde_json::json!({"resource": plural}))
            .collect();
        serde_json::json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": name},
            "versions": [{"version": "v1", "freshness": "Current", "resources": resources}]}]})
        .to_string()
    };
    match request.path.split('?').next().unwrap_or_default() {
        "/version" => r#"{"major": "1", "minor": "33"}"#.to_owned(),
        "/livez" => "ok".to_owned(),
        "/api" => group("", &["services", "pods", "secrets", "configmaps"]),
        "/apis" => group(
            "gateway.networking.k8s.io",
            &["gatewayclasses", "gateways", "httproutes"],
        ),
        _ => r#"{"metadata": {"resourceVersion": "1"}, "items": []}"#.to_owned(),
    }
}
