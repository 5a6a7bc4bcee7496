//! A fix: what it changes, what the API server says of it, and whether it is to be applied.

use ngf_ui::{Label, Mark, Role, Theme};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{keys, text};
use crate::tui::state::fix::{FixDialog, FixPhase};
use ngf_core::fix::DiffKind;

pub(super) fn draw(dialog: &mut FixDialog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let plan = &dialog.plan;
    let mut lines = vec![Label::of(Role::Strong, plan.summary.clone()), Label::new()];
    lines.extend(plan.lines().into_iter().map(|line| {
        let role = match line.kind {
            DiffKind::Head => Role::Title,
            DiffKind::Same => Role::Muted,
            DiffKind::Add => Role::Ok,
            DiffKind::Remove => Role::Error,
        };
        Label::of(role, line.marked())
    }));
    for note in &plan.notes {
        lines.push(
            Label::new()
                .mark(Mark::Warning, theme)
                .text(format!(" {note}")),
        );
    }
    lines.push(Label::new());
    let (said, offered) = phase(&dialog.phase, theme);
    lines.extend(said);
    text(
        Label::of(Role::Normal, "Fix ").and(Role::Key, plan.code),
        &lines,
        keys(offered),
        &mut dialog.scroll,
        theme,
        area,
        buffer,
    );
}

/// What is to be said in this phase, and the keys that mean something.
fn phase(phase: &FixPhase, theme: &Theme) -> (Vec<Label>, &'static [(&'static str, &'static str)]) {
    let said = |mark: Mark, words: &str| {
        Label::new()
            .mark(mark, theme)
            .and(mark.role(), format!(" {words}"))
    };
    let all = |mark: Mark, lines: &[String]| -> Vec<Label> {
        lines.iter().map(|line| said(mark, line)).collect()
    };
    match phase {
        FixPhase::Shown(why) => (
            vec![said(Mark::Warning, &format!("Not applied: {why}"))],
            &[("esc", "back")],
        ),
        FixPhase::Trying => (
            vec![said(
                Mark::Info,
                "the API server tries it, without doing it…",
            )],
            &[("esc", "back")],
        ),
        FixPhase::Refused(why) => (
            vec![said(
                Mark::Failed,
                &format!("the API server would not take it: {why}"),
            )],
            &[("esc", "back")],
        ),
        FixPhase::Tried(lines) => {
            let mut lines = all(Mark::Ok, lines);
            lines.push(Label::of(Role::Warning, "Apply it?"));
            (lines, &[("y", "apply it"), ("n esc", "change nothing")])
        }
        FixPhase::Applying => (
            vec![said(Mark::Info, "being applied…")],
            &[("esc", "back; it continues")],
        ),
        FixPhase::Applied(lines) => (all(Mark::Ok, lines), &[("esc", "back")]),
        FixPhase::Failed(why) => (vec![said(Mark::Failed, why)], &[("esc", "back")]),
    }
}
