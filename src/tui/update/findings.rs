//! The selected finding: its rule in words, and what would fix it.

use ngf_ui::{Mark, scroll::ScrollState};

use crate::tui::state::{
    App, Overlay,
    event::Effect,
    fix::{FixDialog, FixPhase},
    ids::ViewId,
    job::FixNews,
    place::Place,
};
use ngf_cluster::{temporary::READ_ONLY, transport::Confirmation};
use ngf_core::{
    diagnosis::Finding,
    fix::{self, FixPlan},
};

/// The finding that is meant: the selected one of the tab, the one at the head of the problem, or the first
/// one of what is selected.
pub(crate) fn selected(app: &App) -> Option<&Finding> {
    let findings = &app.diagnosis.findings;
    if matches!(app.place(), Place::Page(_)) && app.detail.view == ViewId::Findings {
        let here = crate::tui::views::findings::shown(app);
        let place = app.detail.findings.selected(here.len())?;
        return findings.get(*here.get(place)?);
    }
    if let Some(problem) = app.problem() {
        return findings.get(problem.head);
    }
    let (node, _) = app.selected()?;
    findings.get(*app.diagnosis.findings_below(node).first()?)
}

fn nothing(app: &mut App) {
    app.say(
        Mark::Info,
        "There is no finding here; h goes to the problems",
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
    let plan = match plan(app, finding) {
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

/// The fix of the problem: that of the cause, or of the first of its effects that has one.
fn plan(app: &App, finding: &Finding) -> Result<FixPlan, String> {
    let findings = &app.diagnosis.findings;
    let of_cause = fix::plan_of_cause(finding, findings, &app.snapshot);
    if of_cause.is_ok() {
        return of_cause;
    }
    let effects = app.problem().map_or(&[][..], |problem| &problem.findings);
    let of_effect = effects
        .iter()
        .find_map(|index| fix::plan(findings.get(*index)?, &app.snapshot).ok());
    of_effect.ok_or(()).or(of_cause)
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
