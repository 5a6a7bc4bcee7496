//! Prints every widget as text; with `--svg DIR` writes a picture of each.

use ngf_ui::golden;
use ngf_ui::widgets::bar::Bar;
use ngf_ui::widgets::chain::{Argument, Chain, Column, Detail, Link, Node};
use ngf_ui::widgets::sequence::{Diagram, Lane, Message, Sequence};
use ngf_ui::{Label, Mark, Role, Theme};
use ratatui::widgets::Widget;

fn sequence() -> Diagram {
    let facts = |text: &str| Label::of(Role::Muted, text.to_owned());
    Diagram {
        lanes: vec![
            Lane::new("Client", "C"),
            Lane::new("NGINX Gateway Fabric (gateway-nginx-7d9f8b)", "GW"),
            Lane::new("secure-app 10.244.0.12:8443", "APP"),
        ],
        messages: vec![
            Message::new(0, 1, "Request").number("1"),
            Message::new(1, 2, "HTTPS request · TCP connected").number("2").facts(facts("0.31 ms")),
            Message::new(1, 2, "start TLS handshake · ClientHello")
                .number("3")
                .facts(facts("1.5 kB 0.42 ms")),
            Message::new(2, 1, "request client certificate · CA: CN=LocalCA").number("4"),
            Message::new(1, 2, "present client certificate · CN=gateway").number("5").mark(Mark::Ok),
            Message::new(2, 2, "validate it with app-tls-secret[ca.crt]").number("6").mark(Mark::Ok),
            Message::new(2, 1, "present backend certificate · CN=secure-app.example.com")
                .number("7")
                .mark(Mark::Ok),
            Message::new(1, 1, "validate it with backend-cert[ca.crt]")
                .number("8")
                .mark(Mark::Failed)
                .reason("the CA in Secret app/backend-cert did not sign the certificate that 10.244.0.12:8443 presents")
                .evidence(Label::of(Role::Evidence, "21 unable to verify the first certificate")),
            Message::new(1, 2, "HTTP request").number("9").mark(Mark::Muted),
            Message::new(2, 1, "HTTP response").number("10").mark(Mark::Muted),
            Message::new(1, 0, "Response 502").number("11").mark(Mark::Failed),
        ],
        footnote: vec![
            "via exec in gateway-nginx-7d… (the path that nginx uses) · OpenSSL 3.5.5 · TLS 1.3 · 2.9 ms".into(),
        ],
    }
}

fn chain() -> Argument {
    Argument {
        columns: vec![
            Column::new("gateway proves itself to secure-app", Mark::Ok, "mTLS holds in this direction")
                .node(
                    Node::new("presents", "Secret default/gateway-presents-this-certificate")
                        .detail("CN=gateway  P-256")
                        .detail(Detail::marked(Mark::Ok, "key fits · clientAuth"))
                        .detail(Detail::bar(Bar::new(0.68, Mark::Ok, "61d of 90d"))),
                )
                .node(Node::new("issuer", "CN=LocalCA").link(Link::new(Mark::Ok, "signed by")).detail("ab:12:…:9f  (until 11:52)"))
                .node(Node::new("trusts", "Secret default/app-tls-secret[ca.crt]").link(Link::same(Mark::Ok, "is")).detail("CN=LocalCA  ab:12:…:9f")),
            Column::new("secure-app proves itself to gateway", Mark::Failed, "nginx: 21 unable to verify the first certificate")
                .node(
                    Node::new("presents", "served now by 10.244.0.12:8443")
                        .detail("CN=secure-app.example.com  P-256")
                        .detail(Detail::marked(Mark::Ok, "SAN secure-app.example.com = policy hostname"))
                        .detail(Detail::bar(Bar::new(0.68, Mark::Ok, "61d of 90d"))),
                )
                .node(Node::new("issuer", "CN=LocalCA").link(Link::new(Mark::Ok, "signed by")).detail("77:e0:…:41  (since 11:52)"))
                .node(Node::new("trusts", "Secret default/backend-cert[ca.crt] by policy backend-tls").link(Link::same(Mark::Failed, "is not").reason("same name, another key: the CA was rotated at 11:52 and this ca.crt is older")).detail("CN=LocalCA  ab:12:…:9f")),
        ],
        footer: vec!["issued by  cert-manager Certificate gateway-client-cert ← ClusterIssuer local-ca-issuer ← local-ca ← selfsigned-cluster-issuer".into()],
    }
}

fn main() {
    let argument = chain();
    for width in [24, 60, 100, 160] {
        let theme = Theme::plain();
        println!("chain {width}");
        for line in Chain::new(&argument, &theme).to_text(width) {
            println!("{line}");
        }
        println!(
            "{}",
            golden::screen(&golden::draw(width, 80, |area, buffer| Chain::new(
                &argument, &theme
            )
            .render(area, buffer)))
        );
    }

    let theme = Theme::plain();
    let diagram = sequence();
    for width in [30, 60, 80, 90, 100, 120, 160] {
        println!("sequence {width}");
        for line in Sequence::new(&diagram, &theme).to_text(width) {
            println!("{line}");
        }
    }
}
