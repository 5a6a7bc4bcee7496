//! The embedded cluster's stages.

use std::sync::Arc;

use futures::{FutureExt as _, future::BoxFuture};
use ngf_sandbox::{SCENARIOS, Sandbox, Scenario, Stage};
use tokio::sync::Mutex;

use super::options::Stages;
use crate::tui::state::event::Stage as StageEvent;

/// The embedded cluster as a walk through the guide.
pub struct Walk(pub Arc<Mutex<Sandbox>>);

impl Stages for Walk {
    fn go_to_stage(&self, index: usize) -> BoxFuture<'_, Result<StageEvent, String>> {
        async move {
            let stage = *Stage::ALL.get(index).ok_or("unknown stage")?;
            let sandbox = self.0.lock().await;
            sandbox
                .set_stage(stage)
                .await
                .map_err(|error| error.to_string())?;
            Ok(stage_event(sandbox.scenario(), stage))
        }
        .boxed()
    }
}

/// A stage of the guide, as the terminal interface shows it; the last one of a scenario is what the
/// scenario is about.
pub fn stage_event(scenario: &Scenario, stage: Stage) -> StageEvent {
    let position = Stage::ALL.iter().position(|known| *known == stage);
    let is_guide = scenario.name == SCENARIOS[0].name;
    let (title, text) = if is_guide || stage != Stage::Policy {
        (stage.title().to_owned(), stage.text().to_owned())
    } else {
        let text = format!("{}. Shows: {}.", scenario.differs, scenario.shows);
        (scenario.title.to_owned(), text)
    };
    StageEvent {
        index: position.unwrap_or_default(),
        of: Stage::ALL.len(),
        walk: if is_guide {
            "guide".to_owned()
        } else {
            format!("scenario {}", scenario.name)
        },
        title,
        text,
    }
}
