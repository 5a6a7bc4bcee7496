//! What widgets do as keys and sizes change.

use std::cell::RefCell;

use ngf_ui::widgets::bars::{Footer, Header, Hint};
use ngf_ui::widgets::chain::{Argument, Chain, ChainColumn, Link, Node};
use ngf_ui::widgets::findings::{Finding, Findings, Opened};
use ngf_ui::widgets::palette::{Command, PaletteState, matches};
use ngf_ui::widgets::prompt::PromptState;
use ngf_ui::widgets::rows::Lazy;
use ngf_ui::widgets::sequence::{Diagram, Lane, Message, Sequence};
use ngf_ui::widgets::table::{Column, Table, TableRow};
use ngf_ui::widgets::tabs::{Tab, Tabs};
use ngf_ui::widgets::textview::TextView;
use ngf_ui::widgets::tree::{Branch, Tree, TreeRow, connect};
use ngf_ui::{Label, ListState, Mark, ScrollState, Theme, golden};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::StatefulWidget;

static THEME: Theme = Theme::plain();

fn screen<W: StatefulWidget>(
    widget: W,
    width: u16,
    height: u16,
    state: &mut W::State,
) -> Vec<String> {
    golden::rows(&golden::draw(width, height, |area, buffer| {
        widget.render(area, buffer, state);
    }))
}

#[test]
fn a_tree_of_ten_thousand_rows_touches_only_those_on_the_screen() {
    let touched = RefCell::new(Vec::new());
    let rows = Lazy::new(10_000, |index| {
        touched.borrow_mut().push(index);
        TreeRow::new(0, format!("row {index}"))
    });
    let mut state = ListState::at(5_000);
    let shown = screen(&Tree::new(&rows, &THEME), 30, 20, &mut state);
    assert!(shown[19].contains("row 5000"), "{shown:?}");
    assert_eq!(*touched.borrow(), (4_981..=5_000).collect::<Vec<_>>());
    touched.borrow_mut().clear();
    state.page_up();
    screen(&Tree::new(&rows, &THEME), 30, 20, &mut state);
    assert_eq!(*touched.borrow(), (4_981..=5_000).collect::<Vec<_>>());
}

#[test]
fn a_table_of_ten_thousand_rows_touches_only_those_on_the_screen() {
    let touched = RefCell::new(0);
    let rows = Lazy::new(10_000, |index: usize| {
        *touched.borrow_mut() += 1;
        TableRow::new(vec![Label::from(index.to_string())])
    });
    let columns = [Column::new("N", 4, 6)];
    let mut state = ListState::at(9_999);
    let shown = screen(&Table::new(&columns, &rows, &THEME), 30, 11, &mut state);
    assert!(shown[10].starts_with("9999"), "{shown:?}");
    assert_eq!(*touched.borrow(), 10);
}

#[test]
fn a_click_after_the_key_for_the_end_and_before_the_drawing_is_on_no_row() {
    let mut state = ListState::at(0).of(3);
    state.last();
    assert_eq!(state.selected(3), Some(2));
    let row = state.offset.checked_add(usize::from(u16::MAX));
    assert!(row.is_some_and(|row| row >= 3), "{row:?}");
}

#[test]
fn connecting_lines_end_at_the_last_child_of_each_level() {
    let depths = [0, 1, 2, 2, 1, 2, 0, 1];
    let mut rows: Vec<TreeRow> = depths
        .iter()
        .map(|depth| TreeRow::new(*depth, "x"))
        .collect();
    connect(&mut rows);
    let text = Tree::new(&rows, &THEME).to_text(20);
    assert_eq!(
        text,
        [
            "  x",
            "├── x",
            "│ ├── x",
            "│ └── x",
            "└── x",
            "  └── x",
            "  x",
            "└── x"
        ]
    );
}

#[test]
fn trees_deeper_than_any_screen_are_drawn() {
    let mut rows: Vec<TreeRow> = (0..500)
        .map(|depth| TreeRow::new(depth, "x").branch(Branch::Expanded))
        .collect();
    connect(&mut rows);
    assert_eq!(Tree::new(&rows, &THEME).to_text(200).len(), 500);
}

#[test]
fn a_note_gives_way_to_its_label() {
    let rows = [TreeRow::new(0, "a label").note("a note")];
    let tree = Tree::new(&rows, &THEME);
    assert_eq!(tree.to_text(17), ["  a label  a note"]);
    assert_eq!(tree.to_text(16), ["  a label"]);
    assert_eq!(tree.to_text(8), ["  a lab…"]);
}

#[test]
fn an_empty_list_says_so() {
    let rows: Vec<TreeRow> = Vec::new();
    let tree = Tree::new(&rows, &THEME).empty("nothing matches");
    assert_eq!(
        screen(&tree, 20, 2, &mut ListState::at(3))[0],
        "nothing matches"
    );
    let findings = Findings::new(&[], &THEME).empty("no cause found");
    assert_eq!(
        screen(&findings, 20, 2, &mut ListState::default())[0],
        "no cause found"
    );
}

#[test]
fn columns_of_a_table_shrink_then_drop_from_the_right() {
    let columns = [
        Column::new("NAME", 6, 10).grow(1),
        Column::new("AGE", 3, 5).right(),
        Column::new("WHY", 8, 20),
    ];
    let rows = [TableRow::new(vec![
        "a-long-name".into(),
        "3m".into(),
        "because of that".into(),
    ])];
    let table = Table::new(&columns, &rows, &THEME).header(false);
    assert_eq!(
        table.to_text(45),
        ["a-long-name          3m  because of that"]
    );
    assert_eq!(table.to_text(39), ["a-long-na…     3m  because of that"]);
    assert_eq!(table.to_text(21), ["a-lon…   3m  because…"]);
    assert_eq!(table.to_text(20), ["a-long-name       3m"]);
    assert_eq!(table.to_text(9), ["a-long-n…"]);
    assert_eq!(table.to_text(4), ["a-l…"]);
}

#[test]
fn the_selected_tab_is_always_shown() {
    let tabs: Vec<Tab> = ["Conditions", "Chain", "Handshake", "Findings"]
        .map(Tab::new)
        .into();
    for width in 14..60 {
        for (selected, tab) in tabs.iter().enumerate() {
            let text = Tabs::new(&tabs, selected, &THEME).to_text(width).join("");
            assert!(
                text.contains(&format!("[{}]", tab.title)),
                "{width}: {text}"
            );
        }
    }
    assert_eq!(
        Tabs::new(&tabs, 2, &THEME).to_text(30),
        ["‹  Chain │[Handshake] ›"]
    );
}

#[test]
fn hints_drop_from_the_right_but_for_those_to_keep() {
    let hints = [
        Hint::new("p", "probe"),
        Hint::new("f", "fix"),
        Hint::new("?", "help").keep(),
    ];
    let footer = Footer::new(&hints, &THEME);
    assert_eq!(footer.to_text(40), [" p probe  f fix  ? help"]);
    assert_eq!(footer.to_text(20), [" p probe  ? help"]);
    assert_eq!(footer.to_text(10), [" ? help"]);
}

#[test]
fn a_narrow_header_gives_up_its_middle_first_and_its_right_last() {
    let header = Header::new("where we are", "in the middle", "✗ 1", &THEME);
    assert_eq!(
        header.to_text(40),
        [" where we are        in the middle  ✗ 1"]
    );
    assert_eq!(header.to_text(30), [" where we are             ✗ 1"]);
    assert_eq!(header.to_text(14), [" where …  ✗ 1"]);
}

#[test]
fn lines_of_a_text_are_counted_and_scrolled() {
    let lines: Vec<Label> = (0..30)
        .map(|n| Label::from(format!("line {n} of a text")))
        .collect();
    let view = TextView::new(&lines, &THEME);
    assert_eq!(view.height(40), 30);
    assert_eq!(view.height(8), 90);
    let mut state = ScrollState::default();
    screen(&view, 40, 10, &mut state);
    state.last();
    let shown = screen(&view, 40, 10, &mut state);
    assert!(shown[0].starts_with("line 20 of"), "{shown:?}");
    assert!(shown[9].starts_with("line 29 of"), "{shown:?}");
    assert_eq!(
        TextView::new(&lines, &THEME).wrap(false).to_text(8)[3],
        "line 3 …"
    );
}

fn commands() -> Vec<Command> {
    ["probe", "probe-all", "expand-all", "filter", "quit"]
        .map(|name| Command::new(name, format!("does what {name} says"), ""))
        .into()
}

#[test]
fn the_palette_finds_starts_of_words_first() {
    let names = |typed| {
        let commands = commands();
        let found = matches(typed, &commands);
        found
            .into_iter()
            .map(|found| commands[found.index].name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(""),
        ["probe", "probe-all", "expand-all", "filter", "quit"]
    );
    assert_eq!(names("pa"), ["probe-all", "expand-all"]);
    assert_eq!(names("PROBE"), ["probe", "probe-all"]);
    assert_eq!(names("exp"), ["expand-all"]);
    assert_eq!(names("all"), ["probe-all", "expand-all"]);
    assert_eq!(
        names("says"),
        [""; 0],
        "what describes a command is not searched"
    );
    assert_eq!(names("zzz"), [""; 0]);
    let commands = commands();
    assert_eq!(matches("pa", &commands)[0].characters, [0, 6]);
}

#[test]
fn a_word_that_fits_no_name_runs_nothing() {
    let commands = vec![
        Command::new("next-stage", "the next stage", ""),
        Command::new("endpoints", "endpoints", "").aliases(["ep", "eps"]),
        Command::new("epochs", "epochs", ""),
    ];
    let runs = |typed: &str| {
        let mut state = PaletteState::default();
        state.prompt.insert(typed);
        state
            .runs(&commands)
            .map(|index| commands[index].name.as_str())
    };
    assert_eq!(
        runs("ep"),
        Some("endpoints"),
        "an exact alias before a beginning"
    );
    assert_eq!(runs("epo"), Some("epochs"));
    assert_eq!(runs("stage"), Some("next-stage"));
    for typed in ["ns", "xyz", "points", "the"] {
        assert_eq!(runs(typed), None, "{typed}");
    }
    // What is selected runs, however it fits.
    let mut state = PaletteState::default();
    state.prompt.insert("ns");
    state.is_chosen = true;
    assert_eq!(state.runs(&commands), Some(0));
}

#[test]
fn the_palette_selects_among_what_matches() {
    let commands = commands();
    let mut state = PaletteState::default();
    state.prompt.insert("all");
    state.list.next();
    assert_eq!(state.selected(&commands), Some(2));
    state.prompt.insert("zzz");
    assert_eq!(state.selected(&commands), None);
}

#[test]
fn a_prompt_is_edited_by_what_people_see_as_characters() {
    let mut prompt = PromptState::with("ab👩\u{200d}🚀");
    prompt.backspace();
    assert_eq!(prompt.text(), "ab");
    prompt.left();
    prompt.insert("e");
    prompt.insert("\u{301}");
    assert_eq!(prompt.text(), "ae\u{301}b");
    prompt.left();
    prompt.delete();
    assert_eq!(prompt.text(), "ab");
    prompt.end();
    prompt.insert("  two words ");
    prompt.delete_word();
    assert_eq!(prompt.text(), "ab  two ");
    prompt.home();
    prompt.right();
    prompt.delete_to_start();
    assert_eq!(prompt.text(), "b  two ");
    prompt.clear();
    prompt.delete();
    prompt.backspace();
    prompt.delete_word();
    assert!(prompt.is_empty());
}

#[test]
fn a_prompt_takes_neither_controls_nor_without_end() {
    let mut prompt = PromptState::default();
    prompt.insert("a\u{1b}[31m\nb\u{202e}");
    assert_eq!(prompt.text(), "a[31m b");
    for _ in 0..100 {
        prompt.insert(&"漢".repeat(100));
    }
    assert!(prompt.text().len() <= 4096);
}

fn diagram(messages: usize) -> Diagram {
    Diagram {
        lanes: vec![Lane::new("left side", "L"), Lane::new("right side", "R")],
        messages: (0..messages)
            .map(|n| {
                Message::new(n % 2, (n + 1) % 2, format!("message {n}"))
                    .reason("with a reason below")
            })
            .collect(),
        footnote: vec!["the end".into()],
    }
}

#[test]
fn the_selected_message_is_on_the_screen_at_any_size() {
    let diagram = diagram(20);
    for (width, height) in [(20, 4), (40, 6), (80, 10), (120, 9)] {
        for selected in 0..20 {
            let mut state = ListState::at(selected);
            let shown =
                screen(&Sequence::new(&diagram, &THEME), width, height, &mut state).join("\n");
            // A message may be wrapped in a narrow list.
            let words = if width < 40 {
                format!(" {selected}")
            } else {
                format!("▸message {selected} ")
            };
            assert!(
                shown.contains(&words),
                "{selected} at {width}x{height}:\n{shown}"
            );
        }
    }
}

#[test]
fn after_the_last_message_the_footnote_is_seen() {
    let diagram = diagram(20);
    let mut state = ListState::default();
    screen(&Sequence::new(&diagram, &THEME), 60, 12, &mut state);
    state.last();
    let shown = screen(&Sequence::new(&diagram, &THEME), 60, 12, &mut state).join("\n");
    assert!(
        shown.contains("message 19") && shown.contains("the end"),
        "{shown}"
    );
}

#[test]
fn lanes_have_short_titles_and_a_legend_where_it_is_narrow() {
    let diagram = diagram(1);
    let sequence = Sequence::new(&diagram, &THEME);
    assert_eq!(sequence.to_text(80)[0], "L left side  R right side");
    assert!(sequence.to_text(100)[0].starts_with("left side "));
    assert!(sequence.to_text(100)[0].trim_end().ends_with("right side"));
}

#[test]
fn a_diagram_without_lanes_or_messages_is_drawn() {
    let nothing = Diagram::default();
    assert!(Sequence::new(&nothing, &THEME).to_text(80).is_empty());
    let alone = Diagram {
        lanes: vec![Lane::new("alone", "A")],
        messages: vec![
            Message::new(0, 0, "thinks"),
            Message::new(0, 3, "talks to nobody"),
        ],
        footnote: vec![],
    };
    let text = Sequence::new(&alone, &THEME).to_text(90).join("\n");
    assert!(
        text.contains("thinks") && text.contains("talks to nobody"),
        "{text}"
    );
}

fn argument(columns: usize) -> Argument {
    let column = ChainColumn::new("heading", Mark::Ok, "concluded")
        .node(Node::new("presents", "one"))
        .node(
            Node::new("trusts", "other").link(Link::same(Mark::Unknown, "is").reason("not read")),
        );
    Argument {
        columns: vec![column; columns],
        footer: vec![],
    }
}

#[test]
fn columns_stand_side_by_side_only_where_there_is_room() {
    let (one, two) = (argument(1), argument(2));
    let height = |argument: &Argument, width| Chain::new(argument, &THEME).height(width, false);
    assert_eq!(height(&two, 98), height(&one, 98));
    assert_eq!(height(&two, 97), 2 * height(&one, 97) + 1);
    assert!(
        Chain::new(&two, &THEME)
            .to_text(120)
            .iter()
            .any(|line| line.matches("concluded").count() == 2)
    );
}

#[test]
fn boxes_have_frames_only_where_all_of_them_fit() {
    let argument = argument(1);
    let chain = Chain::new(&argument, &THEME);
    let framed = chain.height(60, true) as u16;
    let draw = |height| {
        let mut state = ScrollState::default();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 60, height));
        StatefulWidget::render(&chain, buffer.area, &mut buffer, &mut state);
        golden::screen(&buffer)
    };
    assert!(draw(framed).contains('╭'));
    assert!(!draw(framed - 1).contains('╭'));
}

#[test]
fn only_the_selected_finding_is_opened() {
    let findings: Vec<Finding> = (0..3)
        .map(|n| {
            Finding::new(Mark::Failed, format!("F{n}"), format!("title {n}"))
                .line(format!("more {n}"))
        })
        .collect();
    let list = Findings::new(&findings, &THEME);
    let shown = screen(&list, 40, 8, &mut ListState::at(1));
    assert_eq!(
        shown[..4],
        [
            " ✗ F0  title 0",
            "▸✗ F1  title 1",
            "   more 1",
            " ✗ F2  title 2"
        ]
    );
    let all = screen(&list.opened(Opened::All), 80, 8, &mut ListState::at(1));
    assert!(all.iter().any(|line| line.contains("more 2")), "{all:?}");
    let none = screen(&list.opened(Opened::None), 80, 8, &mut ListState::at(1));
    assert!(!none.iter().any(|line| line.contains("more")), "{none:?}");
}

#[test]
fn the_selection_is_scrolled_to_in_a_long_list_of_findings() {
    let findings: Vec<Finding> = (0..200)
        .map(|n| {
            Finding::new(Mark::Warning, "W1", format!("title {n}"))
                .line("more")
                .line("and more")
        })
        .collect();
    for selected in [0, 1, 50, 198, 199] {
        let mut state = ListState::at(selected);
        let shown = screen(&Findings::new(&findings, &THEME), 80, 6, &mut state).join("\n");
        assert!(
            shown.contains(&format!("▸! W1  title {selected}")),
            "{shown}"
        );
        assert!(shown.contains("and more"), "{shown}");
    }
}
