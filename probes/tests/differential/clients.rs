//! What backends make of the gateway's certificate: nginx by pages, `s_server` by alerts.

use openssl::hash::MessageDigest;
use openssl::nid::Nid;

use crate::case::{Backend, Case};
use crate::support::HOST;
use crate::support::openssl_server::OpensslServer;
use crate::support::pki::{
    ANY_EKU, CLIENT_AUTH, Issued, KEY_CERT_SIGN, KeyKind, SERVER_AUTH, Template,
};

/// The servers that say no by alert, with what they rest on.
pub(crate) struct AlertingServers {
    root: Issued,
    app: Issued,
    by_version: [OpensslServer; 2],
}

pub(crate) fn alerting_servers() -> AlertingServers {
    let root = Template::ca("Root").self_signed();
    let app = Template::server(HOST).signed_by(&root);
    let by_version = ["-tls1_2", "-tls1_3"].map(|v| OpensslServer::demanding(&app, &root, v));
    AlertingServers {
        root,
        app,
        by_version,
    }
}

/// A client certificate, what is sent with it, and the status that an nginx backend answers.
struct Client {
    name: &'static str,
    certificate: Option<Issued>,
    chain: Vec<Issued>,
    status: i32,
}

fn clients(root: &Issued) -> Vec<Client> {
    let other = Template::ca("Other").self_signed();
    let middle = Template::ca("Middle").signed_by(root);
    let lower = Template::ca("Lower").signed_by(&middle);
    let template = || Template::client("gateway");
    let simple = |name, status, change: fn(&mut Template)| Client {
        name,
        certificate: Some(template().with(change).signed_by(root)),
        chain: Vec::new(),
        status,
    };
    let below = |name, status, issuer: &Issued, chain| Client {
        name,
        certificate: Some(template().signed_by(issuer)),
        chain,
        status,
    };
    vec![
        Client {
            name: "none",
            certificate: None,
            chain: Vec::new(),
            status: 400,
        },
        simple("good", 200, |_| {}),
        simple("expired", 400, |t| {
            (t.not_before, t.not_after) = (-20_000, -10_000);
        }),
        simple("not yet valid", 400, |t| {
            (t.not_before, t.not_after) = (10_000, 20_000);
        }),
        simple("for servers only", 400, |t| {
            t.extended_key_usage = Some(vec![SERVER_AUTH]);
        }),
        simple("for clients only", 200, |t| {
            t.extended_key_usage = Some(vec![CLIENT_AUTH]);
        }),
        simple("for any", 400, |t| {
            t.extended_key_usage = Some(vec![ANY_EKU]);
        }),
        simple("only keyCertSign", 400, |t| {
            t.key_usage = Some(vec![KEY_CERT_SIGN]);
        }),
        simple("no usages", 200, |t| {
            t.key_usage = None;
            t.extended_key_usage = None;
        }),
        simple("unknown critical extension", 400, |t| {
            t.unknown_extension = Some(true);
        }),
        simple("broken signature", 400, |t| t.broken_signature = true),
        simple("RSA", 200, |t| t.key = KeyKind::Rsa(2048)),
        simple("P-384, SHA-384", 200, |t| {
            t.key = KeyKind::Ec(Nid::SECP384R1);
            t.digest = MessageDigest::sha384();
        }),
        simple("Ed25519", 200, |t| t.key = KeyKind::Ed25519),
        Client {
            name: "self-signed",
            certificate: Some(template().self_signed()),
            chain: Vec::new(),
            status: 400,
        },
        below("another CA", 400, &other, vec![]),
        below("intermediate missing", 400, &middle, vec![]),
        below("one intermediate", 200, &middle, vec![middle.clone()]),
        below(
            "two intermediates",
            400,
            &lower,
            vec![lower.clone(), middle.clone()],
        ),
    ]
}

pub(crate) fn cases(servers: &AlertingServers) -> Vec<Case> {
    let AlertingServers {
        root,
        app,
        by_version,
    } = servers;
    let mut cases = Vec::new();
    for Client {
        name,
        certificate,
        chain,
        status,
    } in clients(root)
    {
        let chain: Vec<&Issued> = chain.iter().collect();
        for (index, version) in ["TLSv1.2", "TLSv1.3"].into_iter().enumerate() {
            let base = Case::new(&format!("client: {name} ({version}"), app, &[], &[root]);
            let base = match &certificate {
                Some(certificate) => base.presenting(certificate, &chain),
                None => base,
            };
            let mut by_page = base.clone().speaking(version).expecting(status).directives(
                // The trusted CA of the gateway is the backend's too.
                "ssl_verify_client on; ssl_client_certificate ca0.pem;",
            );
            by_page.name.push_str(", nginx)");
            let mut by_alert = base.served_by(Backend::Port(by_version[index].port));
            by_alert.name.push_str(", s_server)");
            cases.extend([by_page, by_alert]);
        }
    }
    cases
}
