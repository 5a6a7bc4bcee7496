//! Gateway API 1.2 to 1.6 as its own CustomResourceDefinitions: which versions are read, and what each drops.

use ngf_core::model::{kind::Kind, object::ObjectRef, snapshot::KindState};
use tokio_util::sync::CancellationToken;

use crate::{
    objects::{CLASS, gateway, routes, service},
    server::{ApiServer, PATIENCE, until},
};

fn policy(version: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/{version}\nkind: BackendTLSPolicy\n\
         metadata: {{name: tls, namespace: default}}\n\
         spec: {{targetRefs: [{{group: '', kind: Service, name: app}}], \
         validation: {{hostname: app.example.com, wellKnownCACertificates: System}}}}\n"
    )
}

/// One cluster that is upgraded from release to release while the tool watches it.
#[tokio::test(flavor = "multi_thread")]
async fn upgrades_of_gateway_api_are_followed_without_a_restart() {
    let server = ApiServer::start("gateway-api-v1.2.1/experimental", &[]);
    server.apply(&(CLASS.to_owned() + &gateway("default", None) + &routes("default", 0..1)));
    server.apply(&(service("default") + &policy("v1alpha3")));
    let reference = ObjectRef::new(Kind::BackendTLSPolicy, "default", "tls");
    for (release, policies) in [
        ("v1.2.1", "v1alpha3"),
        ("v1.3.0", "v1alpha3"),
        ("v1.4.1", "v1"),
        ("v1.5.1", "v1"),
        ("v1.6.3", "v1"),
    ] {
        if release != "v1.2.1" {
            server.install(&format!("gateway-api-{release}/experimental"));
        }
        // A new connection discovers at once; one that is open does so within five minutes.
        let cluster = server.connect("reader", Some("default")).await;
        let cancel = CancellationToken::new();
        let mut snapshots = cluster.watch(&cancel);
        let version = |kind: Kind, version: &'static str| KindState::Live {
            version: if kind == Kind::BackendTLSPolicy {
                policies
            } else {
                version
            }
            .to_owned(),
        };
        let snapshot = until(&mut snapshots, release, |s| {
            s.policies.contains_key(&reference)
                && s.routes.len() == 1
                // For a moment after its definition changed, a kind is answered 429.
                && s.kinds.values().all(|state| {
                    matches!(state, KindState::Live { .. } | KindState::NotServed)
                })
        })
        .await;
        for kind in [
            Kind::GatewayClass,
            Kind::Gateway,
            Kind::HTTPRoute,
            Kind::GRPCRoute,
            Kind::BackendTLSPolicy,
        ] {
            assert_eq!(
                snapshot.kinds[&kind],
                version(kind, "v1"),
                "{release} {kind:?}"
            );
        }
        for kind in [Kind::TLSRoute, Kind::TCPRoute, Kind::ReferenceGrant] {
            let state = &snapshot.kinds[&kind];
            assert!(
                matches!(state, KindState::Live { .. }),
                "{release} {kind:?}: {state:?}"
            );
        }
        let sets = &snapshot.kinds[&Kind::ListenerSet];
        let has_sets = matches!(sets, KindState::Live { .. });
        assert_eq!(has_sets, release >= "v1.5", "{release}: {sets:?}");
        assert_eq!(snapshot.problems, [], "{release}");
        cancel.cancel();
    }
}

/// The field that makes the Gateway present a certificate is not in every release: the API server drops it
/// without an error, and `check --over` says so before anybody applies it.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_release_does_not_have_is_said_to_be_dropped() {
    for (crds, has_it) in [
        ("gateway-api-v1.4.1/standard", false),
        ("gateway-api-v1.5.1/standard", true),
    ] {
        let server = ApiServer::start(crds, &[]);
        server.apply(CLASS);
        let manifest = gateway("default", Some("client"));
        let file = server.folder.join("gateway.yaml");
        std::fs::write(&file, &manifest).expect("written");
        let said = server.ngf_tui(
            "admin",
            &format!("check --no-probe --over -f {}", file.display()),
        );
        let text = format!("{}{}", said.out, said.err);
        assert_eq!(text.contains("NGF-A2"), !has_it, "{crds}: {text}");
        server.create(&manifest);
        let stored = server.get("gateway/gateway", "default");
        let field = stored.pointer("/spec/tls/backend/clientCertificateRef/name");
        assert_eq!(field.is_some(), has_it, "{stored}");
        let cluster = server.connect("reader", Some("default")).await;
        let snapshot = cluster.snapshot(PATIENCE).await;
        let client = ObjectRef::new(Kind::Secret, "default", "client");
        assert_eq!(snapshot.secrets.contains_key(&client), has_it, "{crds}");
    }
}

/// The API server answers lists and watches of a kind that is gone with a text, not with a Status.
#[tokio::test(flavor = "multi_thread")]
async fn a_kind_whose_definition_is_deleted_is_not_served_and_comes_back() {
    let server = ApiServer::start("gateway-api-v1.5.1/standard", &[]);
    server.apply(&(CLASS.to_owned() + &routes("default", 0..1) + &policy("v1")));
    let cluster = server.connect("reader", Some("default")).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    until(&mut snapshots, "the policy", |s| s.policies.len() == 1).await;
    server
        .kubectl("delete crd backendtlspolicies.gateway.networking.k8s.io --wait=false")
        .fine();
    let gone = until(&mut snapshots, "the kind is gone", |s| {
        s.kinds[&Kind::BackendTLSPolicy] == KindState::NotServed
    })
    .await;
    assert_eq!((gone.policies.len(), gone.routes.len()), (0, 1));
    assert_eq!(gone.lost, None);
    server.install("gateway-api-v1.5.1/standard");
    server.apply(&policy("v1"));
    until(&mut snapshots, "the kind is back", |s| {
        s.policies.len() == 1
    })
    .await;
    cancel.cancel();
}
