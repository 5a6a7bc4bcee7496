//! The entries of the catalogue that a backend or a gateway can be broken by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::nginx::{self, Process};
use super::support::pki::{Minted, Wanted};

pub(crate) type Certificates = BTreeMap<String, Minted>;

/// What is broken, and what must be said of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The first finding, with a probe and the logs.
    pub(crate) first: &'static str,
    /// The first finding by the logs alone; `None` where no log says it.
    pub(crate) by_log: Option<&'static str>,
    /// Certificates in place of the guide's.
    pub(crate) certificates: Vec<(&'static str, Wanted)>,
    /// JSON merge patches of the guide's objects.
    pub(crate) patch: Vec<(&'static str, Value)>,
    pub(crate) without: Vec<&'static str>,
    pub(crate) backend: Backend,
    /// A second endpoint, at which nothing listens.
    pub(crate) second_endpoint: bool,
    /// The endpoints are not ready.
    pub(crate) unready: bool,
    /// The backend's pod mounts its Secret.
    pub(crate) mounts: bool,
    /// Requests are sent until the log says this.
    pub(crate) until: &'static str,
}

/// What listens behind the gateway.
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

fn sends(chain: &[&'static str]) -> Backend {
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

fn with(directives: &'static str, verify: &'static str) -> Backend {
    Backend::Nginx {
        chain: vec!["app"],
        trusts: "ca",
        verify,
        more: directives,
        second: "",
        listen: "ssl",
    }
}

fn leaf(by: Option<&str>) -> Wanted {
    Wanted {
        cn: "secure-app.example.com".to_owned(),
        names: vec!["secure-app.example.com".to_owned()],
        ca: false,
        by: by.map(str::to_owned),
        days: None,
        usage: Vec::new(),
        key_of: None,
        rsa: None,
    }
}

fn ca(cn: &str, by: Option<&str>) -> Wanted {
    Wanted {
        cn: cn.to_owned(),
        names: Vec::new(),
        ca: true,
        ..leaf(by)
    }
}

fn client() -> Wanted {
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
            first,
            by_log: Some(first),
            certificates: Vec::new(),
            patch: Vec::new(),
            without: Vec::new(),
            backend,
            second_endpoint: false,
            unready: false,
            mounts: false,
            until: "",
        }
    }

    fn minted(mut self, name: &'static str, wanted: Wanted) -> Self {
        self.certificates.push((name, wanted));
        self
    }

    fn patched(mut self, object: &'static str, patch: Value) -> Self {
        self.patch.push((object, patch));
        self
    }

    fn by_log(mut self, code: Option<&'static str>) -> Self {
        self.by_log = code;
        self
    }
}

const POLICY: &str = "BackendTLSPolicy/default/backend-tls";
const GATEWAY: &str = "Gateway/default/gateway";

fn hostname(name: &str) -> Value {
    json!({"spec": {"validation": {"hostname": name}}})
}

/// The gateway names no client certificate.
fn no_client() -> Value {
    json!({"spec": {"tls": null}})
}

/// What stands under `ca.crt` of the policy's Secret.
fn bundle(certificate: &str) -> Value {
    json!({"stringData": {"ca.crt": format!("{{{{{certificate}.crt}}}}")}})
}

pub(crate) fn all() -> Vec<Case> {
    let mut all = server_certificates();
    all.extend(handshakes());
    all.extend(client_certificates());
    all.extend(several());
    all
}

fn server_certificates() -> Vec<Case> {
    let expired = Wanted {
        days: Some((-30, -1)),
        ..leaf(Some("ca"))
    };
    let early = Wanted {
        days: Some((2, 30)),
        ..leaf(Some("ca"))
    };
    let for_clients = Wanted {
        usage: vec!["clientAuth".to_owned()],
        ..leaf(Some("ca"))
    };
    let other_name = Wanted {
        cn: "other.example.com".to_owned(),
        names: vec!["other.example.com".to_owned()],
        ..leaf(Some("ca"))
    };
    let weak = Wanted {
        rsa: Some(1024),
        ..leaf(Some("ca"))
    };
    vec![
        Case::new("another CA signed it", "NGF-T1", guide())
            .minted("other", ca("OtherCA", None))
            .minted("app", leaf(Some("other"))),
        Case::new("the CA was rotated under its name", "NGF-T1", guide())
            .minted("new", ca("LocalCA", None))
            .minted("app", leaf(Some("new"))),
        Case::new("the intermediate is not sent", "NGF-T1", guide())
            .minted("between", ca("Between", Some("ca")))
            .minted("app", leaf(Some("between"))),
        Case::new(
            "five intermediates",
            "NGF-T2",
            sends(&["app", "i5", "i4", "i3", "i2", "i1"]),
        )
        // The number is that of an unknown root, too: only the chain tells.
        .by_log(Some("NGF-T1"))
        .minted("i1", ca("I1", Some("ca")))
        .minted("i2", ca("I2", Some("i1")))
        .minted("i3", ca("I3", Some("i2")))
        .minted("i4", ca("I4", Some("i3")))
        .minted("i5", ca("I5", Some("i4")))
        .minted("app", leaf(Some("i5"))),
        Case::new("the bundle holds only an intermediate", "NGF-M6", guide())
            .by_log(Some("NGF-M6"))
            .minted("between", ca("Between", Some("ca")))
            .minted("app", leaf(Some("between")))
            .patched("Secret/default/backend-cert", bundle("between")),
        Case::new("self-signed", "NGF-T4", guide()).minted("app", leaf(None)),
        Case::new("expired", "NGF-T5", guide()).minted("app", expired),
        Case::new("not yet valid", "NGF-T6", guide()).minted("app", early),
        Case::new("not made for servers", "NGF-T7", guide()).minted("app", for_clients),
        Case::new("another name", "NGF-T8", guide()).minted("app", other_name),
        Case::new("an address as hostname", "NGF-T9", guide())
            .patched(POLICY, hostname("127.0.0.1")),
        Case::new(
            "a key that is too short",
            "NGF-T20",
            with("ssl_ciphers DEFAULT:@SECLEVEL=0;", "on"),
        )
        .minted("app", weak),
    ]
}

fn handshakes() -> Vec<Case> {
    vec![
        Case::new(
            "the server name is refused",
            "NGF-T10",
            with("ssl_reject_handshake on;", "off"),
        ),
        Case::new(
            "no version in common",
            "NGF-T11",
            // Alert 70, as a server of TLS 1.0 sends it.
            Backend::Raw(Some(b"\x15\x03\x01\x00\x02\x02\x46")),
        ),
        Case::new(
            "no cipher in common",
            "NGF-T11",
            with(
                "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;",
                "off",
            ),
        ),
        Case::new("plain text", "NGF-T12", Backend::Plain),
        Case::new(
            "closed after the ClientHello",
            "NGF-T13",
            Backend::Raw(Some(b"")),
        ),
        Case::new(
            "the PROXY protocol is awaited",
            "NGF-T13",
            Backend::Nginx {
                chain: vec!["app"],
                trusts: "ca",
                verify: "on",
                more: "",
                second: "",
                listen: "ssl proxy_protocol",
            },
        ),
        Case::new("nothing listens", "NGF-T14", Backend::Nothing),
        Case::new("nothing is answered", "NGF-T14", Backend::Raw(None)),
        Case::new(
            "an alert without an entry",
            "NGF-T21",
            Backend::Raw(Some(b"\x15\x03\x03\x00\x02\x02\x50")),
        ),
    ]
}

fn client_certificates() -> Vec<Case> {
    let expired = Wanted {
        days: Some((-30, -1)),
        ..client()
    };
    let for_servers = Wanted {
        usage: vec!["serverAuth".to_owned()],
        ..client()
    };
    let below = Wanted {
        by: Some("between".to_owned()),
        ..client()
    };
    let trusts_other = || Backend::Nginx {
        chain: vec!["app"],
        trusts: "other",
        verify: "on",
        more: "",
        second: "",
        listen: "ssl",
    };
    let alerting = |version| {
        Backend::OpenSsl(vec![
            version,
            "-Verify",
            "3",
            "-verify_return_error",
            "-CAfile",
            "trusted.crt",
        ])
    };
    vec![
        Case::new("all well", "", guide()).by_log(None),
        Case::new("no client certificate", "NGF-G8", guide())
            .by_log(Some("NGF-B1"))
            .patched(GATEWAY, no_client()),
        Case::new(
            "the backend trusts another client CA",
            "NGF-B2",
            trusts_other(),
        )
        .minted("other", ca("OtherCA", None)),
        Case::new("the client's intermediate is missing", "NGF-B2", guide())
            .minted("between", ca("Between", Some("ca")))
            .minted("gateway", below),
        Case::new("the client certificate has expired", "NGF-G9", guide())
            .minted("gateway", expired),
        Case::new("the client certificate is for servers", "NGF-G9", guide())
            .minted("gateway", for_servers),
        Case::new(
            "a client certificate is optional",
            "NGF-B7",
            with("", "optional"),
        )
        .by_log(None)
        .patched(GATEWAY, no_client()),
        Case::new(
            "a client certificate is never asked for",
            "NGF-B7",
            with("", "off"),
        )
        .by_log(None),
        Case::new(
            "the Host is another server's",
            "NGF-B8",
            Backend::Nginx {
                chain: vec!["app"],
                trusts: "ca",
                verify: "on",
                more: "server_name internal.example.com;",
                second: "server_name secure-app.example.com;",
                listen: "ssl",
            },
        )
        .minted(
            "app",
            Wanted {
                names: vec!["internal.example.com".to_owned()],
                ..leaf(Some("ca"))
            },
        )
        .patched(POLICY, hostname("internal.example.com")),
        {
            let mut case = Case::new("no policy", "NGF-B9", guide());
            case.without = vec![POLICY];
            case
        },
        Case::new("an alert in TLS 1.2", "NGF-B10", alerting("-tls1_2"))
            .minted("other", ca("OtherCA", None)),
        Case::new("an alert in TLS 1.3", "NGF-B11", alerting("-tls1_3"))
            .minted("other", ca("OtherCA", None)),
    ]
}

fn several() -> Vec<Case> {
    let old = Wanted {
        days: Some((-90, 30)),
        ..leaf(Some("ca"))
    };
    let new = Wanted {
        days: Some((-1, 90)),
        ..leaf(Some("ca"))
    };
    let mut one_of_two = Case::new("one endpoint of two", "NGF-T14", guide());
    one_of_two.second_endpoint = true;
    one_of_two.until = "upstream server temporarily disabled";
    let mut none_of_two = Case::new("no endpoint of two", "NGF-T14", Backend::Nothing);
    none_of_two.second_endpoint = true;
    none_of_two.until = "no live upstreams";
    let mut unready = Case::new("no endpoint is ready", "NGF-R8", guide());
    unready.unready = true;
    let mut renewed = Case::new("renewed and not reloaded", "NGF-B13", sends(&["old"]))
        .by_log(None)
        .minted("old", old)
        .minted("app", new);
    renewed.mounts = true;
    vec![one_of_two, none_of_two, unready, renewed]
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
                (port, Some(nginx::nginx(port, &files, &servers)))
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
                (port, Some(nginx::nginx(port, &[], &server)))
            }
            Self::Raw(answer) => (nginx::raw(*answer), None),
            Self::Nothing => (nginx::free_port(), None),
        }
    }
}
