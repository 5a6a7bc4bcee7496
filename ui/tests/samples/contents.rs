//! What the samples show: the guide's backend, one certificate authority too old.

use ngf_ui::text::hang;
use ngf_ui::widgets::bar::Bar;
use ngf_ui::widgets::bars::{Header, Hint};
use ngf_ui::widgets::chain::{Argument, ChainColumn, Detail, Link, Node};
use ngf_ui::widgets::entries::Entry;
use ngf_ui::widgets::fields::Field;
use ngf_ui::widgets::findings::Finding;
use ngf_ui::widgets::help::Section;
use ngf_ui::widgets::palette::Command;
use ngf_ui::widgets::sequence::{Diagram, Lane, Message};
use ngf_ui::widgets::table::{Column, TableRow};
use ngf_ui::widgets::tabs::Tab;
use ngf_ui::widgets::timeline::{Axis, Event};
use ngf_ui::widgets::tree::{Branch, TreeRow, connect};
use ngf_ui::{Label, Mark, Role, Theme};

use super::Words;

pub(super) fn label(words: Words, role: Role, text: &'static str) -> Label {
    Label::of(role, words(text))
}

pub(super) fn tree(words: Words) -> Vec<TreeRow> {
    let row = |depth, text| TreeRow::new(depth, words(text));
    let mut rows = vec![
        row(0, "nginx (class)")
            .branch(Branch::Expanded)
            .mark(Mark::Ok),
        row(1, "gateway")
            .branch(Branch::Expanded)
            .mark(Mark::Failed)
            .note(words("3m")),
        row(2, "http :80").branch(Branch::Expanded).mark(Mark::Ok),
        row(3, "route/secure-app")
            .branch(Branch::Expanded)
            .mark(Mark::Failed),
        row(4, "secure-app:8443 ← backend-tls")
            .branch(Branch::Expanded)
            .mark(Mark::Failed),
        row(5, "10.244.0.12")
            .mark(Mark::Failed)
            .note(words("verify 21")),
        row(5, "10.244.0.19")
            .mark(Mark::Failed)
            .note(words("verify 21")),
        row(3, "route/coffee")
            .branch(Branch::Collapsed)
            .mark(Mark::Ok),
        row(2, "https :443")
            .branch(Branch::Collapsed)
            .mark(Mark::Unknown)
            .note(words("no listener yet")),
        row(1, "other-gateway")
            .branch(Branch::Collapsed)
            .mark(Mark::Warning),
        row(0, "without a parent").mark(Mark::Muted),
    ];
    connect(&mut rows);
    rows
}

pub(super) fn table(words: Words) -> Vec<TableRow> {
    let row = |cells: [&'static str; 5]| {
        TableRow::new(
            cells
                .into_iter()
                .map(|cell| Label::from(words(cell)))
                .collect(),
        )
    };
    vec![
        row(["Accepted", "True", "Accepted", "12d", "the Gateway is accepted"]).mark(Mark::Ok),
        row(["Programmed", "True", "Programmed", "12d", "the Gateway is programmed"]).mark(Mark::Ok),
        row(["ResolvedRefs", "False", "InvalidCertificateRef", "3m",
            "the reference to Secret default/gateway-tls cannot be resolved: it does not exist in this namespace"])
            .mark(Mark::Failed),
        row(["Conflicted", "Unknown", "Pending", "1s", ""]).mark(Mark::Unknown),
    ]
}

pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::new("TYPE", 8, 14),
        Column::new("STATUS", 5, 7),
        Column::new("REASON", 8, 22),
        Column::new("AGE", 3, 4).right(),
        Column::new("MESSAGE", 10, 30).grow(1),
    ]
}

pub(super) fn wrapped_columns() -> Vec<Column> {
    let mut columns = columns();
    columns[4].wrap = true;
    columns
}

pub(super) fn tabs(words: Words) -> Vec<Tab> {
    vec![
        Tab::new(words("Conditions")).mark(Mark::Ok),
        Tab::new(words("Chain")).mark(Mark::Failed),
        Tab::new(words("Handshake")),
        Tab::new(words("Findings")),
        Tab::new(words("YAML")),
    ]
}

pub(super) fn header(theme: &Theme, words: Words) -> Header<'_> {
    Header::new(
        label(words, Role::Title, "ngf-tui").text(words("  prod-eu ▸ default")),
        label(
            words,
            Role::Muted,
            "NGF 2.6.7 · Gateway API 1.5.1 · live 0.4s",
        ),
        Label::new()
            .mark(Mark::Failed, theme)
            .and(Role::Error, " 1  ")
            .mark(Mark::Warning, theme)
            .and(Role::Warning, " 2  ")
            .mark(Mark::Ok, theme)
            .and(Role::Ok, " 41"),
        theme,
    )
}

pub(super) fn hints(words: Words) -> Vec<Hint> {
    vec![
        Hint::new("enter", words("open")),
        Hint::new("p", words("probe")),
        Hint::new("P", words("probe all")),
        Hint::new("f", words("fix")),
        Hint::new("x", words("explain")),
        Hint::new("/", words("filter")),
        Hint::new(":", words("command")),
        Hint::new("?", words("help")).keep(),
        Hint::new("q", words("quit")).keep(),
    ]
}

pub(super) fn text(words: Words) -> Vec<Label> {
    vec![
        label(words, Role::Key, "apiVersion")
            .text(": ")
            .text(words("gateway.networking.k8s.io/v1")),
        label(words, Role::Key, "spec").text(":"),
        Label::from("  ")
            .and(Role::Key, words("validation"))
            .text(":"),
        Label::from("    ")
            .and(Role::Key, words("hostname"))
            .text(": ")
            .text(words("secure-app.example.com")),
        Label::from(words(
            "    # a long line that does not fit into a narrow pane and is wrapped at its words, or inside-of-a-word-that-is-longer-than-any-line/such/as/a/path",
        )),
        Label::new(),
        label(
            words,
            Role::Evidence,
            "the last line\nand one more in the same paragraph",
        ),
    ]
}

pub(super) fn fields(words: Words) -> Vec<Field> {
    vec![
        Field::heading(words("ClientHello")),
        Field::new(words("legacy version"), words("0x0303")),
        Field::new(
            words("cipher suites"),
            words("TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256"),
        ),
        Field::new(words("extensions"), ""),
        Field::new(words("server name"), words("secure-app.example.com")).at(1),
        Field::marked(Mark::Ok, words("versions"), words("1.3, 1.2")).at(1),
        Field::Gap,
        Field::marked(
            Mark::Failed,
            words("verdict"),
            words("the server would refuse this: no common group"),
        ),
        Field::Text(label(words, Role::Muted, "as sent at 0.42 ms, 1.5 kB")),
    ]
}

pub(super) fn commands(words: Words) -> Vec<Command> {
    vec![
        Command::new(
            words("probe"),
            words("run the handshake with the selected endpoint"),
            "p",
        ),
        Command::new(
            words("probe-all"),
            words("run the handshake with every endpoint"),
            "P",
        ),
        Command::new(words("expand-all"), words("open every branch"), "*"),
        Command::new(
            words("filter"),
            words("show only what contains a text"),
            "/",
        ),
        Command::new(
            words("copy-yaml"),
            words("put the YAML on the clipboard"),
            "",
        ),
        Command::new(words("quit"), words("leave"), "q"),
    ]
}

pub(super) fn sections(words: Words) -> Vec<Section> {
    vec![
        Section::new(words("Everywhere"))
            .key("?", words("this help"))
            .key(":", words("commands"))
            .key("q, ctrl-c", words("quit"))
            .key("tab, shift-tab", words("next and previous pane")),
        Section::new(words("Tree"))
            .key("up, k", words("previous row"))
            .key("down, j", words("next row"))
            .key("left, h", words("close the branch, or go to its parent"))
            .key("right, l", words("open the branch"))
            .key("/", words("filter")),
        Section::new(words("Handshake"))
            .key("p", words("probe"))
            .key("z", words("zoom to the messages on the wire, and back"))
            .key("enter", words("open the step")),
    ]
}

pub(super) fn entries(theme: &Theme, words: Words, width: u16) -> Vec<Entry> {
    let sentences = [
        (
            Mark::Failed,
            "The CA in Secret default/backend-cert did not sign what secure-app presents",
        ),
        (
            Mark::Warning,
            "Client certificate CN=gateway expires in 6d 4h; nobody renews it",
        ),
        (Mark::Unknown, "3 paths untested"),
    ];
    let entry = |(mark, sentence): &(Mark, &'static str)| {
        let sign = Label::new().mark(*mark, theme).text(" ");
        Entry::of(hang(
            &sign,
            &Label::from(words(sentence)),
            usize::from(width),
        ))
    };
    sentences.iter().map(entry).collect()
}

pub(super) fn findings(words: Words) -> Vec<Finding> {
    vec![
        Finding::new(Mark::Failed, words("NGF-T1"), words("The CA in Secret default/backend-cert did not sign what secure-app presents"))
            .age("3m ago")
            .line(words("breaks httproute/secure-app · 2 of 2 endpoints · clients get 502"))
            .line(label(words, Role::Evidence, "nginx logs: upstream SSL certificate verify error: (21:unable to verify the first certificate)"))
            .line(label(words, Role::Key, "fix [f]").text(words(": reissue backend-cert from local-ca-issuer (rotated 11:52, its ca.crt is older)"))),
        Finding::new(Mark::Muted, "", words("502 for every client of httproute/secure-app")).depth(1),
        Finding::new(Mark::Warning, words("NGF-M4"), words("ca.crt of 3 Secrets is older than issuer local-ca-issuer")).age("3m ago")
            .line(words("default/backend-cert, default/app-tls-secret, default/gateway-cert")),
        Finding::new(Mark::Unknown, words("NGF-G9"), words("Whether anybody renews the client certificate CN=gateway is not known")),
    ]
}

pub(super) fn sequence(words: Words) -> Diagram {
    let facts = |text| label(words, Role::Muted, text);
    let message =
        |from, to, number: &'static str, text| Message::new(from, to, words(text)).number(number);
    Diagram {
        lanes: vec![
            Lane::new(words("Client"), words("C")),
            Lane::new(words("NGINX Gateway Fabric (gateway-nginx-7d9f8b)"), words("GW")),
            Lane::new(words("secure-app 10.244.0.12:8443"), words("APP")),
        ],
        messages: vec![
            message(0, 1, "1", "Request"),
            message(1, 2, "2", "HTTPS request · TCP connected").facts(facts("0.31 ms")),
            message(1, 2, "3", "start TLS handshake · ClientHello").facts(facts("1.5 kB  0.42 ms")),
            message(2, 1, "4", "request client certificate · CA: CN=LocalCA"),
            message(1, 2, "5", "present client certificate · CN=gateway").mark(Mark::Ok),
            message(2, 2, "6", "validate it with app-tls-secret[ca.crt]").mark(Mark::Ok),
            message(2, 1, "7", "present backend certificate · CN=secure-app.example.com")
                .facts(facts("2.2 kB  1.94 ms"))
                .mark(Mark::Ok),
            message(1, 1, "8", "validate it with backend-cert[ca.crt]")
                .mark(Mark::Failed)
                .reason(words("the CA in Secret default/backend-cert did not sign the certificate that 10.244.0.12:8443 presents"))
                .evidence(label(words, Role::Evidence, "21 unable to verify the first certificate")),
            message(1, 2, "9", "HTTP request").mark(Mark::Muted),
            message(2, 1, "10", "HTTP response").mark(Mark::Muted),
            message(1, 0, "11", "Response 502").mark(Mark::Failed),
        ],
        footnote: vec![label(words, Role::Muted, "via exec in gateway-nginx-7d… (the path that nginx uses) · OpenSSL 3.5.5 · TLS 1.3 · 2.9 ms")],
    }
}

pub(super) fn four_lanes(words: Words) -> Diagram {
    let lane = |text| Lane::new(words(text), words(text));
    Diagram {
        lanes: vec![
            lane("browser"),
            lane("proxy"),
            lane("cache"),
            lane("origin"),
        ],
        messages: vec![
            Message::new(
                0,
                3,
                words("a message over all lanes, whose words stand over those in between"),
            ),
            Message::new(3, 0, words("and its answer"))
                .mark(Mark::Warning)
                .reason(words("late")),
            Message::new(1, 2, words("lookup"))
                .facts(words("0.1 ms"))
                .mark(Mark::Unknown),
            Message::new(2, 2, words("miss")),
            Message::new(7, 9, words("lanes that do not exist")),
        ],
        footnote: vec![],
    }
}

pub(super) fn chain(words: Words) -> Argument {
    let bar = || Detail::bar(Bar::new(0.68, Mark::Ok, words("61d of 90d")));
    let ours = ChainColumn::new(
        words("gateway proves itself to secure-app"),
        Mark::Ok,
        words("mTLS holds in this direction"),
    )
    .node(
        Node::new(
            "presents",
            words("Secret default/gateway-presents-this-certificate"),
        )
        .detail(words("CN=gateway  P-256"))
        .detail(Detail::marked(Mark::Ok, words("key fits · clientAuth")))
        .detail(bar()),
    )
    .node(
        Node::new("issuer", words("CN=LocalCA"))
            .link(Link::new(Mark::Ok, words("signed by")))
            .detail(words("ab:12:…:9f  (until 11:52)")),
    )
    .node(
        Node::new("trusts", words("Secret default/app-tls-secret[ca.crt]"))
            .link(Link::same(Mark::Ok, words("is")))
            .detail(words("CN=LocalCA  ab:12:…:9f")),
    );
    let theirs = ChainColumn::new(
        words("secure-app proves itself to gateway"),
        Mark::Failed,
        words("nginx: 21 unable to verify the first certificate"),
    )
    .node(
        Node::new("presents", words("served now by 10.244.0.12:8443"))
            .detail(words("CN=secure-app.example.com  P-256"))
            .detail(Detail::marked(
                Mark::Ok,
                words("SAN secure-app.example.com = policy hostname"),
            ))
            .detail(bar()),
    )
    .node(
        Node::new("issuer", words("CN=LocalCA"))
            .link(Link::new(Mark::Ok, words("signed by")))
            .detail(words("77:e0:…:41  (since 11:52)")),
    )
    .node(
        Node::new(
            "trusts",
            words("Secret default/backend-cert[ca.crt] by policy backend-tls"),
        )
        .link(Link::same(Mark::Failed, words("is not")).reason(words(
            "same name, another key: the CA was rotated at 11:52 and this ca.crt is older",
        )))
        .detail(words("CN=LocalCA  ab:12:…:9f")),
    );
    Argument {
        columns: vec![ours, theirs],
        footer: vec![label(
            words,
            Role::Muted,
            "issued by  Certificate gateway-client-cert ← ClusterIssuer local-ca-issuer ← local-ca ← selfsigned-cluster-issuer",
        )],
    }
}

pub(super) fn timeline(words: Words) -> Axis {
    let event = |at, mark, text, when| Event::new(at, mark, words(text), words(when)).since(0);
    Axis {
        start: -10,
        end: 90,
        now: Some(0),
        ticks: vec![
            (0, words("now")),
            (30, words("30d")),
            (60, words("60d")),
            (90, words("90d")),
        ],
        events: vec![
            event(-3, Mark::Failed, "default/backend-cert", "3d ago"),
            event(6, Mark::Warning, "default/gateway-client-cert", "in 6d 4h"),
            event(61, Mark::Ok, "default/app-tls-secret", "in 61d"),
            event(3650, Mark::Ok, "ClusterIssuer local-ca-issuer", "in 10y"),
        ],
    }
}
