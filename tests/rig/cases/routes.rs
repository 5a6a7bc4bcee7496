//! Cases of routes, policies and protocols.

use serde_json::json;

use crate::case::{Backend, Case, Shape, Stale, ca, guide, leaf, with_listen};
use crate::support::pki::Wanted;

use super::{
    GATEWAY, HOSTNAME, POLICY, ROUTE, hostname, no_client, of_other, release_2_7, terminates,
};

pub(super) fn policies() -> Vec<Case> {
    let with_name = |name: &str| Wanted {
        cn: name.to_owned(),
        names: vec![name.to_owned()],
        ..leaf(Some("ca"))
    };
    vec![
        Case::new("the policy's target is misspelt", "NGF-P1", guide())
            .from("p1-target-misspelt")
            .also(&["NGF-B9"]),
        Case::new("a policy's ancestors are full", "NGF-P14", guide())
            .from("p14-too-many-gateways")
            .also(&["NGF-B9"]),
        Case::new("the system's CAs and a private one", "NGF-P11", guide())
            .from("p11-system-and-a-private-ca")
            .minted("public", ca("PublicCA", None))
            .by_log(Some("NGF-T1"))
            .also(&["NGF-T1"]),
        Case::new("a name among the ignored ones", "NGF-T8", guide())
            .from("p12-subject-alt-names")
            .minted("app", with_name("other.example.com"))
            .also(&["NGF-P12"]),
        Case::new("the younger policy has the right name", "NGF-T8", guide())
            .from("p13-two-policies")
            .minted("app", with_name("other.example.com"))
            .also(&["NGF-P13"]),
        Case::new("one file for two CAs", "NGF-P10", guide())
            .from("p10-secret-and-config-map-of-one-name")
            .aimed("gateway/gateway", &["/", "/1"])
            .minted("theirs", ca("TheirCA", None))
            .minted(
                "other",
                Wanted {
                    by: Some("theirs".to_owned()),
                    ..with_name("other.example.com")
                },
            )
            .patched(
                "ConfigMap/default/backend-cert",
                json!({"data": {"ca.crt": "{{theirs.crt}}"}}),
            )
            .other(of_other("ca"))
            .also(&["NGF-T1"]),
    ]
}

pub(super) fn routes() -> Vec<Case> {
    let grpc = || with_listen("ssl http2");
    let plain_first = Case::new(
        "a plain backend beside one with a policy",
        "NGF-R2",
        guide(),
    );
    let mut split = plain_first
        .from("r2-plain-before-tls")
        .shaped(Shape::Split)
        .other(Backend::Plain)
        .also(&["NGF-T12"]);
    split.until = "wrong version number";
    let mut plain = Case::new(
        "a GRPCRoute's backend speaks HTTP/1.1 in plain text",
        "NGF-B16",
        Backend::Plain,
    )
    .from("r9-grpc")
    .aimed("grpcroute/grpc", &["/"]);
    plain.without = vec![POLICY];
    vec![
        Case::new(
            "a GRPCRoute's backend demands a certificate",
            "NGF-R9",
            grpc(),
        )
        .from("r9-grpc")
        .aimed("grpcroute/grpc", &["/"])
        .also(&["NGF-B1"]),
        Case::new(
            "a GRPCRoute's backend is signed by another CA",
            "NGF-T1",
            grpc(),
        )
        .from("r9-grpc")
        .aimed("grpcroute/grpc", &["/"])
        .minted("other", ca("OtherCA", None))
        .minted("app", leaf(Some("other")))
        .also(&["NGF-R9"]),
        Case::new(
            "a GRPCRoute's backend is nginx without HTTP/2",
            "NGF-B16",
            guide(),
        )
        .from("r9-grpc")
        .aimed("grpcroute/grpc", &["/"]),
        Case::new(
            "a GRPCRoute's backend refuses h2 by ALPN",
            "NGF-B16",
            Backend::OpenSsl(vec!["-alpn", "http/1.1"]),
        )
        .minted("other", ca("OtherCA", None))
        .from("r9-grpc")
        .aimed("grpcroute/grpc", &["/"]),
        plain,
        split,
    ]
}

/// What nginx asks beside the backend.
pub(super) fn beside() -> Vec<Case> {
    let filter = |kind: &str, field: &str| {
        json!({"spec": {"rules": [{
            "filters": [{"type": kind, field: {"backendRef": {"name": "other", "port": 8443}}}],
            "backendRefs": [{"name": "secure-app", "port": 8443}]}]}})
    };
    let of_theirs = || Wanted {
        by: Some("theirs".to_owned()),
        cn: HOSTNAME.to_owned(),
        names: vec![HOSTNAME.to_owned()],
        ..leaf(None)
    };
    // A filter's backend has the policy of the rule's (NGF-R1).
    let same_policy = || {
        json!({"spec": {"targetRefs": [
        {"group": "", "kind": "Service", "name": "secure-app"},
        {"group": "", "kind": "Service", "name": "other"}]}})
    };
    let beside = |name, shape, kind, field| {
        let mut case = Case::new(name, "NGF-T1", guide())
            .from("two-services")
            .other(of_other("ca"))
            .shaped(shape)
            .minted("theirs", ca("TheirCA", None))
            .minted("other", of_theirs())
            .patched(POLICY, same_policy())
            .patched(ROUTE, filter(kind, field))
            .also(&["NGF-R14"]);
        case.without = vec!["BackendTLSPolicy/default/other", "HTTPRoute/default/other"];
        case
    };
    vec![
        beside(
            "the mirror is signed by another CA",
            Shape::Mirror,
            "RequestMirror",
            "requestMirror",
        ),
        // NGF before 2.7 does not know the filter (NGF-R19).
        beside(
            "who authenticates is signed by another CA",
            Shape::Authentication,
            "ExternalAuth",
            "externalAuth",
        )
        .patched("Deployment/default/gateway-nginx", release_2_7()),
    ]
}

/// TLSRoutes whose TLS nginx ends.
pub(super) fn streams() -> Vec<Case> {
    let stream = |name, first, backend| {
        let mut case = Case::new(name, first, backend)
            .from("r11-passthrough")
            .aimed("tlsroute/tls", &["/"])
            .shaped(Shape::Stream)
            .patched(GATEWAY, terminates())
            .patched("Deployment/default/gateway-nginx", release_2_7());
        case.without = vec![ROUTE];
        case
    };
    let expired = Wanted {
        days: Some((-30, -1)),
        ..leaf(Some("ca"))
    };
    let of_both_names = Wanted {
        names: vec![
            "secure-app.example.com".to_owned(),
            "tls.example.com".to_owned(),
        ],
        ..leaf(Some("ca"))
    };
    vec![
        stream("a TLSRoute's backend has expired", "NGF-T5", guide()).minted("app", expired),
        stream("a TLSRoute's backend has another name", "NGF-T8", guide())
            .patched(POLICY, hostname("internal.example.com")),
        stream(
            "a TLSRoute's port speaks plain text",
            "NGF-T12",
            Backend::Plain,
        ),
        stream(
            "a TLSRoute's backend is not there",
            "NGF-T14",
            Backend::Nothing,
        ),
        // The backend says so only in its answer to a request, and a stream's probe sends none.
        stream(
            "a TLSRoute's backend demands a certificate",
            "NGF-B1",
            guide(),
        )
        // The listener presents it, too: it is for both names.
        .minted("app", of_both_names)
        .by_log(Some("NGF-B1"))
        .patched(GATEWAY, no_client()),
    ]
}

/// What the data plane was given before, and still has.
pub(super) fn stale() -> Vec<Case> {
    let mut gone = Case::new("an endpoint that is gone", "NGF-D4", guide()).stale(Stale::Endpoint);
    gone.until = "Connection refused";
    vec![
        Case::new("an older CA on the disk", "NGF-D3", guide())
            .minted("old", ca("LocalCA", None))
            .stale(Stale::Bundle("old")),
        gone,
        Case::new("an older hostname", "NGF-D5", guide()).stale(Stale::Hostname("old.example.com")),
    ]
}
