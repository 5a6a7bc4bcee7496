//! Other contexts that are watched at the same time: what is wrong there, in short. Enter connects to one.

use ngf_core::{
    diagnosis::{
        Code, Diagnosis, Evidence, Severity, Verdict,
        problems::{Clues, problems},
    },
    model::{
        object::ObjectRef,
        snapshot::{KindState, Loss, Snapshot},
    },
};

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use ngf_ui::{Mark, Theme};

use crate::tui::state::{
    App, history::Visit, ids::ListId, job::SwitchTo, list::Target, place::Place,
};

/// What is known of another context.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    /// The context of the kubeconfig.
    pub context: String,
    /// The one namespace that is read of it; `None` for all.
    pub namespace: Option<String>,
    /// What is known of it.
    pub state: ElsewhereState,
}

/// What is known of another context.
#[derive(Debug, Clone)]
pub enum ElsewhereState {
    /// It is being read.
    Reading,
    /// It cannot be read: why.
    Unreadable(String),
    /// It was read.
    Known(Summary),
}

/// What is wrong in another context.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The problems, by root cause, the worst first.
    pub problems: Vec<RemoteProblem>,
    /// Paths that were tested.
    pub tested: usize,
    /// Paths that there are.
    pub paths: usize,
    /// Why this is old, where nothing new comes from there.
    pub stale: Option<&'static str>,
    /// Kinds that could not be read, or that the rights hide.
    pub hidden: usize,
    /// All of it, for the lists.
    pub whole: Option<Whole>,
}

/// Everything that is known of another context, as the lists take it.
#[derive(Clone)]
pub struct Whole(pub Arc<App>);

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}

impl Whole {
    /// What was seen and found at this moment; `None` where the keys conflict, which a test excludes.
    pub fn of(
        diagnosis: Diagnosis,
        snapshot: Arc<Snapshot>,
        evidence: Evidence,
        now: Timestamp,
        theme: &Theme,
    ) -> Option<Self> {
        let mut app = App::new(theme.clone(), snapshot, None, now).ok()?;
        app.diagnosis = diagnosis;
        app.diagnosed_at = Some(now);
        app.take_evidence(evidence);
        Some(Self(Arc::new(app)))
    }
}

/// What is opened once another context is connected and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Where it is.
    pub to: SwitchTo,
    /// What is opened.
    pub wanted: RemoteTarget,
    /// The list from which it was opened.
    pub list: Option<ListLeft>,
    /// Since when the context is connected; `None` until then.
    pub connected: Option<Timestamp>,
}

impl Arrival {
    /// Whether the context is connected.
    pub fn is_connected(&self) -> bool {
        self.connected.is_some()
    }
}

/// What a person wants to open in another context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteTarget {
    /// What a row of a list is about, and its object.
    Row(Target, Option<ObjectRef>),
    /// A problem, by its code and its sentence.
    Problem(Code, String),
    /// A place of the history.
    Place(Box<Visit>),
}

impl fmt::Display for RemoteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(_, Some(object)) => object.fmt(f),
            Self::Row(Target::Page(subject) | Target::Tab(subject, _), None) => {
                f.write_str(&subject.name)
            }
            Self::Row(..) => f.write_str("the row"),
            Self::Problem(code, _) => code.fmt(f),
            Self::Place(visit) => match visit.place() {
                Place::Problems => f.write_str("the problems"),
                Place::Tree => f.write_str("the tree"),
                Place::List(id) => write!(f, "the list {}", id.info().title),
                Place::Matrix => f.write_str("the matrix"),
                Place::Diff(..) => f.write_str("the two probes"),
                Place::Page(subject) => f.write_str(&subject.name),
                Place::Step(_) => f.write_str("the step"),
            },
        }
    }
}

/// A list as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLeft {
    /// Which one.
    pub id: ListId,
    /// Its filter.
    pub filter: String,
    /// The column by which it was sorted, and whether from the greatest to the least.
    pub sort: Option<(usize, bool)>,
}

/// A problem of another context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteProblem {
    /// Its sign.
    pub mark: Mark,
    /// Its code.
    pub code: Code,
    /// What is wrong.
    pub sentence: String,
    /// What clients notice.
    pub impact: Vec<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Summary {
    /// What a diagnosis comes to.
    pub fn of(
        diagnosis: &Diagnosis,
        snapshot: &Snapshot,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Self {
        let clues = Clues {
            snapshot,
            evidence,
            changed: &|_, _| None,
            now,
        };
        let found = problems(diagnosis, &clues, |_| false);
        let problems = found.into_iter().map(|problem| {
            let finding = &diagnosis.findings[problem.head];
            RemoteProblem {
                mark: match (finding.verdict, finding.severity) {
                    (Verdict::Unknown, _) => Mark::Unknown,
                    (_, Severity::Error) => Mark::Failed,
                    (_, Severity::Warning) => Mark::Warning,
                    (_, Severity::Info) => Mark::Info,
                },
                code: finding.code,
                sentence: problem.sentence,
                impact: problem.impact,
                since: problem.since,
            }
        });
        let is_old = |state: &KindState| matches!(state, KindState::Stale { .. });
        let is_unread = |state: &&KindState| {
            matches!(
                state,
                KindState::Denied(_) | KindState::Failed(_) | KindState::Loading
            )
        };
        Self {
            problems: problems.collect(),
            tested: diagnosis.coverage.tested(),
            paths: diagnosis.coverage.paths.len(),
            stale: match &snapshot.lost {
                Some(lost) => Some(match lost.loss {
                    Loss::Silent => "the API server is silent",
                    Loss::Failing => "the API server fails",
                    Loss::Refused { .. } => "log in again",
                }),
                None if snapshot.kinds.values().any(is_old) => Some("the watch is broken"),
                None => None,
            },
            hidden: snapshot.kinds.values().filter(is_unread).count(),
            whole: None,
        }
    }
}

impl Elsewhere {
    /// Nothing is known of it yet.
    pub fn new(context: impl Into<String>, namespace: Option<String>) -> Self {
        Self {
            context: context.into(),
            namespace,
            state: ElsewhereState::Reading,
        }
    }

    /// How many problems of a sign there are, as far as that is known.
    pub fn count(&self, mark: Mark) -> usize {
        match &self.state {
            ElsewhereState::Known(summary) => {
                let problems = summary.problems.iter();
                problems.filter(|problem| problem.mark == mark).count()
            }
            ElsewhereState::Reading | ElsewhereState::Unreadable(_) => 0,
        }
    }

    /// It in a few words: `2 errors, 1 warning`, `cannot be read`.
    pub fn words(&self) -> String {
        let counted = ngf_text::words::count;
        match &self.state {
            ElsewhereState::Reading => "reading".to_owned(),
            ElsewhereState::Unreadable(_) => "cannot be read".to_owned(),
            ElsewhereState::Known(summary) => {
                let kinds = [
                    (Mark::Failed, "error"),
                    (Mark::Warning, "warning"),
                    (Mark::Unknown, "unknown"),
                ];
                let mut words: Vec<String> = Vec::new();
                for (mark, name) in kinds {
                    match (self.count(mark), name) {
                        (0, _) => {}
                        (number, "unknown") => words.push(format!("{number} unknown")),
                        (number, name) => words.push(counted(number, name)),
                    }
                }
                let untested = summary.paths - summary.tested;
                if untested > 0 {
                    words.push(format!("{untested} untested"));
                }
                if words.is_empty() {
                    words.push("no problems".to_owned());
                }
                words.join(", ")
            }
        }
    }
}
