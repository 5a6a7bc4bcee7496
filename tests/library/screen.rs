//! The terminal interface without a terminal, on a scenario.

use std::sync::Arc;

use crate::support::scenario::Scenario;
use ngf_tui::tui::{effects::Files, headless::Headless, state::App};
use ngf_ui::Theme;

/// The interface on a scenario's objects and what was measured of them, at their moment.
pub(crate) async fn screen_of(scenario: Scenario) -> Headless {
    let snapshot = Arc::new(scenario.snapshot);
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    app.evidence = scenario.evidence;
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    screen.snapshot(snapshot).await;
    screen
}
