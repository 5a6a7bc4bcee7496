//! A rule in words: from the registry, as everything that is said of rules.

use ngf_ui::{Label, Role, ScrollState, Theme};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{keys, text};
use crate::report::explain;
use ngf_core::diagnosis::{
    Code,
    registry::{self, Rule},
};

pub(super) fn draw(
    code: Code,
    scroll: &mut ScrollState,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let lines = match registry::rule(code) {
        None => vec![Label::from(
            "There is no more to say of it than the finding does.",
        )],
        Some(rule) => {
            let mut lines = vec![
                Label::of(Role::Strong, rule.title),
                Label::of(Role::Muted, rule.severity.to_string()),
                Label::new(),
            ];
            lines.extend(rule.explanation.lines().map(Label::from));
            lines.push(Label::new());
            lines.push(Label::of(Role::Ok, "How to fix it"));
            lines.extend(rule.remedy.lines().map(Label::from));
            let effects = rule.causes.iter().filter_map(|code| registry::rule(code));
            let effects: Vec<&Rule> = effects.collect();
            for (heading, rules) in [
                ("Caused by", rule.caused_by().collect()),
                ("Causes", effects),
            ] {
                if !rules.is_empty() {
                    lines.push(Label::new());
                    lines.push(Label::of(Role::Accent, heading));
                    lines.extend(rules.into_iter().map(named));
                }
            }
            lines.push(Label::new());
            lines.push(Label::of(Role::Muted, explain::url(rule.code)));
            lines
        }
    };
    text(
        Label::of(Role::Key, code),
        &lines,
        keys(&[("esc", "back")]),
        scroll,
        theme,
        area,
        buffer,
    );
}

fn named(rule: &Rule) -> Label {
    Label::of(Role::Key, rule.code).text(format!("  {}", rule.title))
}
