//! A case of the rig: what is broken, how, and what must be said of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::nginx::{self, Configuration, Process};
use super::support::pki::{Minted, Wanted};

pub(crate) type Certificates = BTreeMap<String, Minted>;

/// What is broken, and what must be said of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The scenario whose objects it starts from.
    pub(crate) base: &'static str,
    /// The route that is asked.
    pub(crate) target: &'static str,
    /// The first finding, with a probe and the logs.
    pub(crate) first: &'static str,
    /// The first finding by the logs alone; `None` where no log says it.
    pub(crate) by_log: Option<&'static str>,
    /// Further findings, with a probe and the logs.
    pub(crate) also: &'static [&'static str],
    /// Certificates in place of the guide's.
    pub(crate) certificates: Vec<(&'static str, Wanted)>,
    /// JSON merge patches of the guide's objects.
    pub(crate) patch: Vec<(&'static str, Value)>,
    pub(crate) without: Vec<&'static str>,
    pub(crate) backend: Backend,
    /// What listens behind Service `other`, where the objects have one.
    pub(crate) other: Option<Backend>,
    /// How nginx is configured beyond one location with one backend.
    pub(crate) shape: Shape,
    /// What is otherwise in the data plane than the objects say.
    pub(crate) stale: Option<Stale>,
    /// nginx keeps connections to backends open (UpstreamSettingsPolicy).
    pub(crate) keeps: bool,
    /// Paths that are asked, one after the other.
    pub(crate) paths: &'static [&'static str],
    pub(crate) endpoints: Endpoints,
    /// The backend's pod mounts its Secret.
    pub(crate) mounts: bool,
    /// Requests are sent until the log says this.
    pub(crate) until: &'static str,
}

/// The endpoints of the Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoints {
    /// The backend.
    One,
    /// A second one, at which nothing listens.
    Two,
    /// The backend, which is not ready.
    Unready,
}

/// How NGF configures nginx for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A location for each rule, with one backend.
    Location,
    /// Several backends by their weights, behind a variable (`split_clients`).
    Split,
    /// A location that mirrors to the second connection.
    Mirror,
    /// A location that asks the second connection first (`auth_request`).
    Authentication,
    /// A server of `stream { … }` that ends the client's TLS.
    Stream,
}

/// What a data plane has that the objects no longer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// Another CA in the bundle on its disk.
    Bundle(&'static str),
    /// The address of an endpoint that is gone.
    Endpoint,
    /// Another name to check, in place of the policy's.
    Hostname(&'static str),
}

/// What listens behind the gateway.
#[derive(Clone)]
pub(crate) enum Backend {
    /// nginx as the guide's secure-app, with these directives, and these certificates in its chain.
    Nginx {
        chain: Vec<&'static str>,
        trusts: &'static str,
        verify: &'static str,
        more: &'static str,
        /// A second server, of the Host that clients send.
        second: &'static str,
        /// After `listen …`.
        listen: &'static str,
    },
    /// `openssl s_server`, with these arguments.
    OpenSsl(Vec<&'static str>),
    /// nginx without TLS.
    Plain,
    /// Reads, answers this, closes; `None` never answers.
    Raw(Option<&'static [u8]>),
    /// A server that others wrote, by this function, which gives its port.
    Served(fn(&Certificates) -> u16),
    /// Nothing listens.
    Nothing,
}

pub(crate) fn guide() -> Backend {
    Backend::Nginx {
        chain: vec!["app"],
        trusts: "ca",
        verify: "on",
        more: "",
        second: "",
        listen: "ssl",
    }
}

pub(crate) fn sends(chain: &[&'static str]) -> Backend {
    match guide() {
        Backend::Nginx {
            trusts,
            verify,
            more,
            second,
            listen,
            ..
        } => Backend::Nginx {
            chain: chain.to_vec(),
            trusts,
            verify,
            more,
            second,
            listen,
        },
        other => other,
    }
}

pub(crate) fn with(directives: &'static str, verify: &'static str) -> Backend {
    Backend::Nginx {
        chain: vec!["app"],
        trusts: "ca",
        verify,
        more: directives,
        second: "",
        listen: "ssl",
    }
}

pub(crate) fn with_listen(listen: &'static str) -> Backend {
    Backend::Nginx {
        chain: vec!["app"],
        trusts: "ca",
        verify: "on",
        more: "",
        second: "",
        listen,
    }
}

pub(crate) fn leaf(by: Option<&str>) -> Wanted {
    Wanted {
        cn: "secure-app.example.com".to_owned(),
        names: vec!["secure-app.example.com".to_owned()],
        ca: false,
        by: by.map(str::to_owned),
        days: None,
        seconds: None,
        usage: Vec::new(),
        key_of: None,
        rsa: None,
        curve: None,
        sha1: false,
    }
}

pub(crate) fn ca(cn: &str, by: Option<&str>) -> Wanted {
    Wanted {
        cn: cn.to_owned(),
        names: Vec::new(),
        ca: true,
        ..leaf(by)
    }
}

pub(crate) fn client() -> Wanted {
    Wanted {
        cn: "gateway".to_owned(),
        names: Vec::new(),
        ..leaf(Some("ca"))
    }
}

impl Case {
    pub(crate) fn new(name: &'static str, first: &'static str, backend: Backend) -> Self {
        Self {
            name,
            base: "guide",
            target: "httproute/secure-app",
            first,
            by_log: Some(first),
            also: &[],
            certificates: Vec::new(),
            patch: Vec::new(),
            without: Vec::new(),
            backend,
            other: None,
            shape: Shape::Location,
            stale: None,
            keeps: false,
            paths: &["/"],
            endpoints: Endpoints::One,
            mounts: false,
            until: "",
        }
    }

    pub(crate) fn minted(mut self, name: &'static str, wanted: Wanted) -> Self {
        self.certificates.push((name, wanted));
        self
    }

    pub(crate) fn patched(mut self, object: &'static str, patch: Value) -> Self {
        self.patch.push((object, patch));
        self
    }

    /// From another scenario than the guide.
    pub(crate) fn from(mut self, base: &'static str) -> Self {
        self.base = base;
        self
    }

    /// At another target than the route, by these paths.
    pub(crate) fn aimed(mut self, target: &'static str, paths: &'static [&'static str]) -> Self {
        self.target = target;
        self.paths = paths;
        self
    }

    pub(crate) fn also(mut self, codes: &'static [&'static str]) -> Self {
        self.also = codes;
        self
    }

    pub(crate) fn other(mut self, backend: Backend) -> Self {
        self.other = Some(backend);
        self
    }

    pub(crate) fn shaped(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    pub(crate) fn stale(mut self, stale: Stale) -> Self {
        self.stale = Some(stale);
        self
    }

    pub(crate) fn mounting(mut self) -> Self {
        self.mounts = true;
        self
    }

    /// The codes that it is about.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &'static str> {
        let named = [Some(self.first), self.by_log].into_iter().flatten();
        named
            .chain(self.also.iter().copied())
            .filter(|code| !code.is_empty())
    }

    pub(crate) fn by_log(mut self, code: Option<&'static str>) -> Self {
        self.by_log = code;
        self
    }
}

impl Backend {
    /// Starts it; the port that it is reached at, and what keeps it running.
    pub(crate) fn start(&self, certificates: &Certificates) -> (u16, Option<Process>) {
        let pem = |names: &[&str]| -> String {
            names
                .iter()
                .map(|name| certificates[*name].certificate_pem())
                .collect()
        };
        let key = |name: &str| certificates[name].key_pem();
        match self {
            Self::Nginx {
                chain,
                trusts,
                verify,
                more,
                second,
                listen,
            } => {
                let port = nginx::free_port();
                let files = [
                    ("tls.crt", pem(chain)),
                    ("tls.key", key(chain[0])),
                    ("ca.crt", pem(&[trusts])),
                ];
                let server = |names: &str| {
                    format!(
                        "server {{ listen 127.0.0.1:{port} {listen}; {names}
                            ssl_certificate tls.crt; ssl_certificate_key tls.key;
                            ssl_client_certificate ca.crt; ssl_verify_client {verify};
                            location / {{ return 200 \"hello\\n\"; }} }}"
                    )
                };
                let mut servers = server(more);
                if !second.is_empty() {
                    servers += &server(second);
                }
                if !more.contains("ssl_protocols") {
                    servers = format!("ssl_protocols TLSv1.2 TLSv1.3; {servers}");
                }
                (
                    port,
                    Some(nginx::nginx(port, &files, &Configuration::http(servers))),
                )
            }
            Self::OpenSsl(arguments) => {
                let port = nginx::free_port();
                let files = [
                    ("tls.crt", pem(&["app"])),
                    ("tls.key", key("app")),
                    ("trusted.crt", pem(&["other"])),
                ];
                (port, Some(nginx::s_server(port, &files, arguments)))
            }
            Self::Plain => {
                let port = nginx::free_port();
                let server = format!("server {{ listen 127.0.0.1:{port}; return 200 plain; }}");
                (
                    port,
                    Some(nginx::nginx(port, &[], &Configuration::http(server))),
                )
            }
            Self::Raw(answer) => (nginx::raw(*answer), None),
            Self::Served(serve) => (serve(certificates), None),
            Self::Nothing => (nginx::free_port(), None),
        }
    }
}
