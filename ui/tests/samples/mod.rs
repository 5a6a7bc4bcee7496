//! Every widget with content, for the tests and the gallery: one list.

use ngf_ui::text::cut;
use ngf_ui::widgets::bar::{Bar, sparkline};
use ngf_ui::widgets::bars::{Footer, Header, Hint};
use ngf_ui::widgets::chain::{Argument, Chain, Column as ChainColumn, Detail, Link, Node};
use ngf_ui::widgets::fields::{Field, Fields};
use ngf_ui::widgets::findings::{Finding, Findings};
use ngf_ui::widgets::help::{Help, Section};
use ngf_ui::widgets::overlay::Overlay;
use ngf_ui::widgets::palette::{Command, Palette, PaletteState};
use ngf_ui::widgets::panel::Panel;
use ngf_ui::widgets::prompt::{Prompt, PromptState};
use ngf_ui::widgets::sequence::{Diagram, Lane, Message, Sequence};
use ngf_ui::widgets::table::{Column, Table, TableRow};
use ngf_ui::widgets::tabs::{Tab, Tabs};
use ngf_ui::widgets::textview::TextView;
use ngf_ui::widgets::timeline::{Axis, Event, Timeline};
use ngf_ui::widgets::toast::{Toast, Toasts};
use ngf_ui::widgets::tree::{Branch, Tree, TreeRow, connect};
use ngf_ui::{Label, ListState, Mark, Role, ScrollState, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{StatefulWidget, Widget};

/// One widget with content.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// Draws it with its state somewhere in the middle. `words` turns each text of the content
    /// into another one.
    pub(crate) draw: fn(&Theme, Words, Rect, &mut Buffer),
    /// The same in words.
    pub(crate) text: fn(&Theme, Words, u16) -> Vec<String>,
}

/// Turns the texts of a sample into others.
pub(crate) type Words = fn(&'static str) -> String;

/// Leaves texts as they are.
pub(crate) fn as_written(text: &'static str) -> String {
    text.to_owned()
}

pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "tree",
        draw: draw_tree,
        text: text_tree,
    },
    Sample {
        name: "table",
        draw: draw_table,
        text: text_table,
    },
    Sample {
        name: "table-wrapped",
        draw: draw_wrapped_table,
        text: text_wrapped_table,
    },
    Sample {
        name: "tabs",
        draw: draw_tabs,
        text: text_tabs,
    },
    Sample {
        name: "bars",
        draw: draw_bars,
        text: text_bars,
    },
    Sample {
        name: "text",
        draw: draw_text,
        text: text_text,
    },
    Sample {
        name: "fields",
        draw: draw_fields,
        text: text_fields,
    },
    Sample {
        name: "prompt",
        draw: draw_prompt,
        text: text_prompt,
    },
    Sample {
        name: "palette",
        draw: draw_palette,
        text: text_palette,
    },
    Sample {
        name: "help",
        draw: draw_help,
        text: text_help,
    },
    Sample {
        name: "toasts",
        draw: draw_toasts,
        text: text_toasts,
    },
    Sample {
        name: "overlay",
        draw: draw_overlay,
        text: text_fields,
    },
    Sample {
        name: "findings",
        draw: draw_findings,
        text: text_findings,
    },
    Sample {
        name: "sequence",
        draw: draw_sequence,
        text: text_sequence,
    },
    Sample {
        name: "sequence-four-lanes",
        draw: draw_four_lanes,
        text: text_four_lanes,
    },
    Sample {
        name: "chain",
        draw: draw_chain,
        text: text_chain,
    },
    Sample {
        name: "bar",
        draw: draw_bar,
        text: text_bar,
    },
    Sample {
        name: "timeline",
        draw: draw_timeline,
        text: text_timeline,
    },
];

fn label(words: Words, role: Role, text: &'static str) -> Label {
    Label::of(role, words(text))
}

fn tree(words: Words) -> Vec<TreeRow> {
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

fn draw_tree(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let panel = Panel::new("Tree", theme)
        .focused(true)
        .right(words("11 of 11"));
    panel.render(area, buffer);
    let rows = tree(words);
    let filter = words("secure");
    let tree = Tree::new(&rows, theme).filter(&filter);
    tree.render(Panel::inner(area), buffer, &mut ListState::at(5));
}

fn text_tree(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Tree::new(&tree(words), theme).to_text(width)
}

fn table(words: Words) -> Vec<TableRow> {
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

fn columns() -> Vec<Column> {
    vec![
        Column::new("TYPE", 8, 14),
        Column::new("STATUS", 5, 7),
        Column::new("REASON", 8, 22),
        Column::new("AGE", 3, 4).right(),
        Column::new("MESSAGE", 10, 30).grow(1),
    ]
}

fn draw_table(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let (rows, columns) = (table(words), columns());
    Table::new(&columns, &rows, theme)
        .marks()
        .render(area, buffer, &mut ListState::at(2));
}

fn text_table(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Table::new(&columns(), &table(words), theme)
        .marks()
        .to_text(width)
}

fn wrapped_columns() -> Vec<Column> {
    let mut columns = columns();
    columns[4].wrap = true;
    columns
}

fn draw_wrapped_table(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let (rows, columns) = (table(words), wrapped_columns());
    let filter = words("gateway");
    let table = Table::new(&columns, &rows, theme)
        .marks()
        .focused(false)
        .filter(&filter);
    table.render(area, buffer, &mut ListState::at(2));
}

fn text_wrapped_table(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Table::new(&wrapped_columns(), &table(words), theme)
        .marks()
        .to_text(width)
}

fn tabs(words: Words) -> Vec<Tab> {
    vec![
        Tab::new(words("Conditions")).mark(Mark::Ok),
        Tab::new(words("Chain")).mark(Mark::Failed),
        Tab::new(words("Handshake")),
        Tab::new(words("Findings")),
        Tab::new(words("YAML")),
    ]
}

fn draw_tabs(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let tabs = tabs(words);
    for (y, selected) in (area.top()..area.bottom()).zip(0..tabs.len()) {
        Tabs::new(&tabs, selected, theme).render(
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
        );
    }
}

fn text_tabs(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Tabs::new(&tabs(words), 2, theme).to_text(width)
}

fn header(theme: &Theme, words: Words) -> Header<'_> {
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

fn hints(words: Words) -> Vec<Hint> {
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

fn draw_bars(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    header(theme, words).render(
        Rect {
            height: area.height.min(1),
            ..area
        },
        buffer,
    );
    if area.height > 1 {
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        Footer::new(&hints(words), theme).render(bottom, buffer);
    }
}

fn text_bars(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    let mut text = header(theme, words).to_text(width);
    text.extend(Footer::new(&hints(words), theme).to_text(width));
    text
}

fn text(words: Words) -> Vec<Label> {
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

fn draw_text(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let mut state = ScrollState {
        offset: 1,
        ..ScrollState::default()
    };
    StatefulWidget::render(
        &TextView::new(&text(words), theme),
        area,
        buffer,
        &mut state,
    );
}

fn text_text(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    TextView::new(&text(words), theme).to_text(width)
}

fn fields(words: Words) -> Vec<Field> {
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

fn draw_fields(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let fields = fields(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Fields::new(&fields, theme), area, buffer, &mut state);
}

fn text_fields(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Fields::new(&fields(words), theme).to_text(width)
}

fn draw_overlay(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    let fields = fields(words);
    let fields = Fields::new(&fields, theme);
    let overlay = Overlay::new(words("3 ClientHello"), 50, fields.height(50) as u16, theme)
        .bottom(words("esc close"));
    overlay.render(area, buffer);
    StatefulWidget::render(
        &fields,
        overlay.inner(area),
        buffer,
        &mut ScrollState::default(),
    );
}

fn draw_prompt(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let states = [
        PromptState::default(),
        PromptState::with(&words("secure-app or something longer than the line")),
    ];
    for (y, state) in (area.top()..area.bottom()).zip(&states) {
        let prompt = Prompt::new("/", state, theme)
            .placeholder("type to filter")
            .right("3 of 41");
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        prompt.render(line, buffer);
        let cursor = prompt.cursor(line);
        assert!(area.contains(cursor) || area.is_empty());
    }
}

fn text_prompt(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Prompt::new("/", &PromptState::with(&words("secure")), theme).to_text(width)
}

fn commands(words: Words) -> Vec<Command> {
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

fn draw_palette(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    let mut state = PaletteState {
        prompt: PromptState::with("pa"),
        ..PaletteState::default()
    };
    let commands = commands(words);
    let palette = Palette::new("Commands", &commands, theme);
    palette.render(area, buffer, &mut state);
    let cursor = palette.cursor(area, &state);
    assert!(
        area.contains(cursor) || area.is_empty(),
        "{cursor} in {area}"
    );
}

fn text_palette(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Palette::new("Commands", &commands(words), theme).to_text("", width)
}

fn sections(words: Words) -> Vec<Section> {
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

fn draw_help(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    Help::new("Keys", &sections(words), theme).render(area, buffer, &mut ScrollState::default());
}

fn text_help(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Help::new("Keys", &sections(words), theme).to_text(width)
}

fn toasts(words: Words) -> Vec<Toast> {
    vec![
        Toast::new(Mark::Ok, words("copied 42 lines")),
        Toast::new(
            Mark::Failed,
            words("the API server does not answer since 12 s; what you see is as of 11:52:03"),
        ),
    ]
}

fn draw_toasts(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    draw_tree(theme, words, area, buffer);
    Toasts::new(&toasts(words), theme).render(area, buffer);
}

fn text_toasts(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Toasts::new(&toasts(words), theme).to_text(width)
}

fn findings(words: Words) -> Vec<Finding> {
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

fn draw_findings(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let panel = Panel::new("Causes", theme).focused(true);
    panel.render(area, buffer);
    let findings = findings(words);
    let findings = Findings::new(&findings, theme);
    findings.render(Panel::inner(area), buffer, &mut ListState::default());
}

fn text_findings(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Findings::new(&findings(words), theme).to_text(width)
}

fn sequence(words: Words) -> Diagram {
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

fn draw_sequence(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let diagram = sequence(words);
    StatefulWidget::render(
        &Sequence::new(&diagram, theme),
        area,
        buffer,
        &mut ListState::at(7),
    );
}

fn text_sequence(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Sequence::new(&sequence(words), theme).to_text(width)
}

fn four_lanes(words: Words) -> Diagram {
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

fn draw_four_lanes(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let diagram = four_lanes(words);
    StatefulWidget::render(
        &Sequence::new(&diagram, theme),
        area,
        buffer,
        &mut ListState::at(0),
    );
}

fn text_four_lanes(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Sequence::new(&four_lanes(words), theme).to_text(width)
}

fn chain(words: Words) -> Argument {
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

fn draw_chain(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let argument = chain(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Chain::new(&argument, theme), area, buffer, &mut state);
}

fn text_chain(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Chain::new(&chain(words), theme).to_text(width)
}

fn draw_bar(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let bars = [
        Bar::percent(0.0, Mark::Failed),
        Bar::new(0.12, Mark::Warning, words("6d 4h of 90d")),
        Bar::new(0.68, Mark::Ok, words("61d of 90d")),
    ];
    for (y, bar) in (area.top()..area.bottom()).zip(&bars) {
        bar.draw(
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
            theme,
        );
    }
}

fn text_bar(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    let values = [Some(3), Some(4), None, Some(9), Some(4), Some(0)];
    let bar = Bar::new(0.68, Mark::Ok, words("61d of 90d")).to_text(theme);
    let cells = usize::from(width);
    let fit = |text: &str| cut(text, cells, theme.glyphs.ellipsis);
    vec![fit(&bar), fit(&sparkline(&values, theme.glyphs))]
}

fn timeline(words: Words) -> Axis {
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

fn draw_timeline(theme: &Theme, words: Words, area: Rect, buffer: &mut Buffer) {
    let axis = timeline(words);
    let mut state = ScrollState::default();
    StatefulWidget::render(&Timeline::new(&axis, theme), area, buffer, &mut state);
}

fn text_timeline(theme: &Theme, words: Words, width: u16) -> Vec<String> {
    Timeline::new(&timeline(words), theme).to_text(width)
}
