//! The entries of the catalogue that a backend or a gateway can be broken by.

mod routes;

use serde_json::{Value, json};

use super::case::{Backend, Case, Endpoints, ca, client, guide, leaf, sends, with};
use super::support::pki::Wanted;

use routes::{beside, policies, routes, stale, streams};

const POLICY: &str = "BackendTLSPolicy/default/backend-tls";
const GATEWAY: &str = "Gateway/default/gateway";
const ROUTE: &str = "HTTPRoute/default/secure-app";
const HOSTNAME: &str = "secure-app.example.com";

/// The Gateway ends the TLS of clients.
fn terminates() -> Value {
    json!({"spec": {"listeners": [
        {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "Same"}}},
        {"name": "tls", "port": 443, "protocol": "TLS",
            "tls": {"mode": "Terminate", "certificateRefs": [{"name": "app-tls-secret"}]}}]}})
}

/// The release that takes TLSRoutes on such listeners.
fn release_2_7() -> Value {
    json!({"spec": {"template": {"spec": {"containers": [
        {"name": "nginx", "image": "ghcr.io/nginx/nginx-gateway-fabric/nginx:2.7.0"}]}}}})
}

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
    all.extend(refused());
    all.extend(several());
    all.extend(of_the_gateway());
    all.extend(policies());
    all.extend(routes());
    all.extend(beside());
    all.extend(streams());
    all.extend(stale());
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
            .also(&["NGF-T3"])
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
            "NGF-T23",
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
    vec![
        Case::new("all well", "", guide()).by_log(None),
        Case::new("no client certificate", "NGF-G8", guide())
            .by_log(Some("NGF-B1"))
            .patched(GATEWAY, no_client()),
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
            let mut case = Case::new("no policy", "NGF-B9", guide()).also(&["NGF-G10"]);
            case.without = vec![POLICY];
            case
        },
    ]
}

/// The backend does not take the client certificate.
fn refused() -> Vec<Case> {
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
    let by_other = || Wanted {
        by: Some("other".to_owned()),
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
        Case::new(
            "the client certificate is from another CA",
            "NGF-B2",
            guide(),
        )
        .minted("other", ca("OtherCA", None))
        .minted("gateway", by_other()),
        Case::new("the client's intermediate is missing", "NGF-B5", guide())
            // The log has no names of CAs; the pods mount one here.
            .mounting()
            .from("b5-intermediate-missing"),
        Case::new(
            "the issuer of the client certificate is unknown",
            "NGF-B2",
            guide(),
        )
        .minted("between", ca("Between", Some("ca")))
        .minted("gateway", below),
        Case::new(
            "the backend trusts another client CA",
            "NGF-B6",
            trusts_other(),
        )
        .by_log(Some("NGF-B2"))
        .minted("other", ca("OtherCA", None)),
        Case::new("the client certificate has expired", "NGF-G9", guide())
            .minted("gateway", expired)
            .also(&["NGF-B3"]),
        Case::new("the client certificate is for servers", "NGF-G9", guide())
            .minted("gateway", for_servers)
            .also(&["NGF-B4"]),
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
    let mut one_of_two = Case::new("one endpoint of two", "NGF-T14", guide()).also(&["NGF-T16"]);
    one_of_two.endpoints = Endpoints::Two;
    one_of_two.until = "upstream server temporarily disabled";
    let mut none_of_two =
        Case::new("no endpoint of two", "NGF-T14", Backend::Nothing).also(&["NGF-T15"]);
    none_of_two.endpoints = Endpoints::Two;
    none_of_two.until = "no live upstreams";
    let mut unready = Case::new("no endpoint is ready", "NGF-R8", guide());
    unready.endpoints = Endpoints::Unready;
    let mut renewed = Case::new("renewed and not reloaded", "NGF-B13", sends(&["old"]))
        .by_log(None)
        .minted("old", old)
        .minted("app", new);
    renewed.mounts = true;
    vec![one_of_two, none_of_two, unready, renewed]
}

/// NGF does not take the client certificate: nginx has none, and the backend demands one.
fn of_the_gateway() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("g1-client-certificate-kind", "NGF-G1"),
        ("g2-client-certificate-group", "NGF-G2"),
        ("g3-client-certificate-missing", "NGF-G3"),
        ("g4-client-certificate-opaque", "NGF-G4"),
        ("g5-client-certificate-key-of-another", "NGF-G5"),
        ("g6-broken-ca-beside-good-pair", "NGF-G6"),
        ("g7-client-certificate-not-granted", "NGF-G7"),
    ]
    .into_iter()
    .map(|(base, code)| Case::new(base, code, guide()).from(base).also(&["NGF-B1"]))
    .collect();
    cases.push(
        Case::new("a CA for each backend", "NGF-G11", guide())
            .from("two-services")
            .aimed("gateway/gateway", &["/", "/1"])
            .other(of_other("theirs"))
            .minted("theirs", ca("TheirCA", None))
            // The other backend's log is not read here.
            .by_log(None)
            .also(&["NGF-B6"]),
    );
    cases
}

/// What listens behind Service `other`: it presents its own certificate, and trusts that CA for clients.
fn of_other(trusts: &'static str) -> Backend {
    Backend::Nginx {
        chain: vec!["other"],
        trusts,
        verify: "on",
        more: "",
        second: "",
        listen: "ssl",
    }
}
