//! What runs, what happened and what is too small: lines above the footer, which cover nothing.

use super::inset;
use crate::tui::state::{App, Tests};
use ngf_text::words;
use ngf_ui::{Label, Mark, text::hang};
use ratatui::layout::Rect;

/// A screen that is smaller than this is too small to show everything.
pub(super) const ROOMY: (u16, u16) = (80, 20);

/// Most lines of messages, as a part of the screen's height.
pub(super) const MESSAGES: u16 = 4;

/// What runs, what happened and what is too small: lines of their own above the footer, which cover nothing.
pub(super) fn messages(app: &App, screen: Rect) -> Vec<Label> {
    let mut all: Vec<(Mark, String)> = Vec::new();
    if screen.width < ROOMY.0 || screen.height < ROOMY.1 {
        all.push((
            Mark::Info,
            format!(
                "{}x{} is small: {}x{} shows more",
                screen.width, screen.height, ROOMY.0, ROOMY.1
            ),
        ));
    }
    if let Some(to) = &app.switching {
        let then = app.arrival.as_ref().map_or_else(String::new, |arrival| {
            format!(" to open {}; esc stays here", arrival.wanted)
        });
        all.push((Mark::Info, format!("connecting to {to}{then}")));
    } else if let Some(arrival) = &app.arrival {
        let words = format!(
            "opening {} as soon as {} is read; esc stays here",
            arrival.wanted, arrival.to
        );
        all.push((Mark::Info, words));
    }
    if app.preparing.is_some() {
        let words = format!("finding out what {} needs; ctrl-x cancels", app.via);
        all.push((Mark::Info, words));
    }
    if !app.running.is_empty() {
        let running = words::count(app.running.len(), "probe");
        all.push((Mark::Info, format!("{running} running; ctrl-x cancels")));
    }
    if let Tests::Running {
        done,
        of,
        paths,
        via,
    } = app.tests
    {
        let paths = words::count(paths, "path");
        all.push((
            Mark::Info,
            format!("testing {paths} using {via}, ctrl-x stops ({done} of {of})"),
        ));
    }
    if let Some(toast) = &app.toast {
        all.push((toast.mark, toast.text.clone()));
    }
    let room = usize::from(inset(screen).width);
    let mut lines: Vec<Label> = Vec::new();
    // The newest message is the one to keep where there is no room for all.
    for (mark, text) in all.iter().rev() {
        let sign = Label::new().mark(*mark, &app.theme).text(" ");
        let mut wrapped = hang(&sign, &Label::of(mark.role(), text.clone()), room);
        let left = usize::from(screen.height / MESSAGES).saturating_sub(lines.len());
        wrapped.truncate(left);
        wrapped.extend(lines);
        lines = wrapped;
    }
    lines
}
