//! The selected finding: its rule in words, and what would fix it.

use ngf_ui::{Mark, scroll::ScrollState};

use crate::{
    app::{
        event::Effect,
        fix::{FixDialog, FixPhase},
        job::FixNews,
        state::{App, Overlay, Pane},
    },
    views::ViewId,
};
use ngf_cluster::{making::READ_ONLY, transport::Confirmation};
use ngf_core::{diagnosis::Finding, fix};

/// The finding that is meant: the selected cause, the selected finding of the tab, or the first one of
/// the selected node.
pub(crate) fn selected(app: &App) -> Option<&Finding> {
    let findings = &app.diagnosis.findings;
    if app.pane == Pane::Causes {
        return findings.get(app.causes.selected(findings.len())?);
    }
    let (node, _) = app.selected()?;
    let here = app.diagnosis.findings_below(node);
    let place = if app.pane == Pane::Detail && app.detail.view == ViewId::Findings {
        app.detail.findings.selected(here.len())?
    } else {
        0
    };
    findings.get(*here.get(place)?)
}

fn nothing(app: &mut App) {
    app.say(
        Mark::Info,
        "No finding is selected: c goes to the first cause, tab to the causes",
    );
}

/// Explains its rule.
pub(super) fn explain(app: &mut App) {
    match selected(app).map(|finding| finding.code) {
        Some(code) => app.overlay = Some(Overlay::Explain(code, ScrollState::default())),
        None => nothing(app),
    }
}

/// Shows what would fix it, and lets the API server try that.
pub(super) fn show_fix(app: &mut App) -> Vec<Effect> {
    let Some(finding) = selected(app) else {
        nothing(app);
        return Vec::new();
    };
    let plan = match fix::plan_of_cause(finding, &app.diagnosis.findings, &app.snapshot) {
        Ok(plan) => plan,
        Err(why) => {
            app.say_for(15, Mark::Info, why);
            return Vec::new();
        }
    };
    app.jobs += 1;
    let number = app.jobs;
    let (phase, effects) = if app.read_only {
        (FixPhase::Shown(READ_ONLY.to_owned()), Vec::new())
    } else {
        let effect = Effect::TryFix(number, Box::new(plan.clone()));
        (FixPhase::Trying, vec![effect])
    };
    app.overlay = Some(Overlay::Fix(Box::new(FixDialog {
        number,
        plan,
        phase,
        scroll: ScrollState::default(),
    })));
    effects
}

/// A person said yes: applies what the API server would take, and only that.
pub(super) fn confirm_fix(app: &mut App, mut dialog: Box<FixDialog>) -> Vec<Effect> {
    let effects = match dialog.phase {
        FixPhase::Tried(_) => {
            dialog.phase = FixPhase::Applying;
            let plan = Box::new(dialog.plan.clone());
            let agreed = Confirmation::given();
            vec![Effect::ApplyFix(dialog.number, plan, agreed)]
        }
        // There is nothing more to say yes to.
        FixPhase::Applied(_) | FixPhase::Failed(_) | FixPhase::Refused(_) | FixPhase::Shown(_) => {
            return Vec::new();
        }
        FixPhase::Trying | FixPhase::Applying => Vec::new(),
    };
    app.overlay = Some(Overlay::Fix(dialog));
    effects
}

/// What came of trying or applying it. Where the person looks at something else by now, what was
/// applied is said all the same.
pub(super) fn fix_news(app: &mut App, news: FixNews) {
    // Where NGF has not applied it yet, or only a part was changed, the paths are tested again, too.
    if news.applied {
        app.retests = super::probing::RETESTS;
    }
    let phase = match (news.applied, news.result) {
        (false, Ok(lines)) => FixPhase::Tried(lines),
        (false, Err(why)) => FixPhase::Refused(why),
        (true, Ok(lines)) => FixPhase::Applied(lines),
        (true, Err(why)) => FixPhase::Failed(why),
    };
    match &mut app.overlay {
        Some(Overlay::Fix(dialog)) if dialog.number == news.number => dialog.phase = phase,
        _ => match phase {
            FixPhase::Applied(lines) => app.say(Mark::Ok, lines.join("; ")),
            FixPhase::Failed(why) => app.say(Mark::Failed, format!("The fix failed: {why}")),
            _ => {}
        },
    }
}
