//! A rule in words: from the registry, as everything that is said of rules.

use ngf_ui::{Label, Role, ScrollState, Theme};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{keys, text};
use crate::diagnosis::registry::rule;

pub(super) fn draw(
    code: &'static str,
    scroll: &mut ScrollState,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let lines = match rule(code) {
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
            lines.push(Label::of(Role::Ok, "What helps"));
            lines.extend(rule.remedy.lines().map(Label::from));
            if !rule.causes.is_empty() {
                lines.push(Label::new());
                lines.push(Label::of(
                    Role::Muted,
                    format!("Explains as its effects: {}", rule.causes.join(", ")),
                ));
            }
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
