//! `fix`: what a finding's remedy would change, shown, tried on the API server, and applied once
//! somebody agreed.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

pub(super) use choose::object_named;
use choose::{Choice, Selection, list};

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{FixArgs, InputArgs},
    check::{nothing_could_be_read, read},
    connect_within,
    measure::{Parts, measured},
    output,
};
use crate::report::clean;
use ngf_cluster::prober::survey::Extent;
use ngf_cluster::{Cluster, transport::Confirmation};
use ngf_core::{
    command::own,
    diagnosis::{Code, Diagnosis, Evidence, Finding, Severity, registry::only_probes_show},
    fix::{self, DiffKind, FixPlan, PATIENCE},
    model::{object::ObjectRef, snapshot::Snapshot},
};
use ngf_text::in_words;

mod choose;

/// The first pause before the cluster is read again, and the longest: each time all of it is read.
const LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(4);

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &FixArgs) -> Result<u8, CliError> {
    let wanted = Selection::of(input, args)?;
    if !input.files.is_empty() {
        if args.yes {
            return Err("-f reads files, and fix writes to a cluster only: leave --yes out to see the difference, or -f".into());
        }
        let (snapshot, _) = read(input, args.timeout).await?;
        for problem in &snapshot.problems {
            output::say(&format!("{}: {}", problem.place, problem.message));
        }
        let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
        return of_files(&wanted, &diagnosis, &snapshot);
    }
    let job = Job::start(input, args).await?;
    let ClusterState {
        snapshot,
        diagnosis,
        ..
    } = job.look().await?;
    let plan = match wanted.choose(&diagnosis, &snapshot)? {
        Choice::List => return list(&diagnosis, &snapshot),
        Choice::Nothing(why) => {
            output::say(&why);
            return Ok(EXIT_FOUND);
        }
        Choice::Plan(plan) => *plan,
    };
    show(&plan)?;
    job.apply(input, args, &plan, &diagnosis).await
}

/// Prints the differences for manifests, and nothing else.
fn of_files(
    wanted: &Selection,
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
) -> Result<u8, CliError> {
    if wanted.code.is_some() {
        return match wanted.choose(diagnosis, snapshot)? {
            Choice::Plan(plan) => {
                output::print(&difference(&plan, false))?;
                Ok(EXIT_OK)
            }
            Choice::Nothing(why) => {
                output::say(&why);
                Ok(EXIT_FOUND)
            }
            Choice::List => Ok(EXIT_OK),
        };
    }
    for (finding, plan) in fix::offered(&diagnosis.findings, snapshot) {
        output::say(&format!("{}: {}", finding.code, finding.title));
        output::print(&difference(&plan, false))?;
    }
    Ok(EXIT_OK)
}

fn difference(plan: &FixPlan, colour: bool) -> String {
    let mut text = String::new();
    for line in plan.lines() {
        let code = match line.kind {
            DiffKind::Same => 0,
            DiffKind::Add => 32,
            DiffKind::Remove => 31,
            DiffKind::Head => 1,
        };
        let marked = line.marked();
        if colour && code > 0 {
            let _ = writeln!(text, "\u{1b}[{code}m{marked}\u{1b}[0m");
        } else {
            let _ = writeln!(text, "{marked}");
        }
    }
    text
}

fn show(plan: &FixPlan) -> io::Result<()> {
    let mut text = format!("{}: {}\n\n", plan.code, clean(&plan.summary));
    text.push_str(&difference(plan, output::colour()));
    for note in &plan.notes {
        let _ = writeln!(text, "\nNote: {}", clean(note));
    }
    output::print(&text)
}

/// A cluster at one moment.
struct ClusterState {
    snapshot: Arc<Snapshot>,
    evidence: Evidence,
    diagnosis: Diagnosis,
}

impl ClusterState {
    /// Whether a finding that only a probe shows can be told to be gone: the connections that it is
    /// about were probed again. Else why not.
    fn was_probed(&self, finding: &Finding) -> Result<(), String> {
        let about: BTreeSet<&ObjectRef> = finding.objects().collect();
        let mut any = false;
        for probed in self.evidence.probes() {
            let plan = &probed.plan;
            let policy = plan.tls.as_ref().map(|tls| &tls.policy);
            let met = [Some(&plan.service), Some(&plan.gateway), policy]
                .into_iter()
                .flatten()
                .any(|object| about.contains(object));
            if let (true, Err(why)) = (met, &probed.result) {
                return Err(why.clone());
            }
            any |= met;
        }
        let untested = self
            .evidence
            .untested()
            .find(|(key, _)| about.contains(&key.service) || about.contains(&key.gateway));
        if any {
            Ok(())
        } else if let Some((_, why)) = untested {
            Err(why.to_owned())
        } else {
            Err("no connection that it is about could be probed".to_owned())
        }
    }
}

/// A cluster under repair.
struct Job {
    cluster: Cluster,
    timeout: Duration,
}

impl Job {
    async fn start(input: &InputArgs, args: &FixArgs) -> Result<Self, CliError> {
        Ok(Self {
            cluster: connect_within(input, args.timeout).await?,
            timeout: args.timeout,
        })
    }

    /// Reads the cluster, measures what `check` does, and says what is wrong.
    async fn look(&self) -> Result<ClusterState, String> {
        let snapshot = Arc::new(self.cluster.snapshot(self.timeout).await);
        if nothing_could_be_read(&snapshot) {
            return Err(format!(
                "neither Gateways nor routes can be read, so what is wrong is not known; `{}` shows why",
                own("check")
            ));
        }
        let parts = Parts {
            probes: true,
            logs: true,
            data_plane: true,
            within: self.timeout.max(PATIENCE),
            extent: Extent::Sample,
            context: false,
            matrix: false,
        };
        let (evidence, _) = measured(&self.cluster, &snapshot, &[], parts).await;
        let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
        Ok(ClusterState {
            snapshot,
            evidence,
            diagnosis,
        })
    }

    /// Tries the plan on the API server, asks, applies, and looks again.
    async fn apply(
        &self,
        input: &InputArgs,
        args: &FixArgs,
        plan: &FixPlan,
        before: &Diagnosis,
    ) -> Result<u8, CliError> {
        if let Err(denied) = ngf_cluster::fix::who_may(&self.cluster, plan).await {
            return Err(denied.into());
        }
        let tried = ngf_cluster::fix::dry_run(&self.cluster, plan)
            .await
            .map_err(|error| in_words(&error))?;
        output::print("\n")?;
        for line in &tried {
            output::print(&format!("{} (dry run)\n", clean(line)))?;
        }
        if args.dry_run {
            return Ok(EXIT_OK);
        }
        if input.read_only {
            output::say("nothing was changed: --read-only, or NGF_TUI_READ_ONLY, is set");
            return Ok(EXIT_COULD_NOT);
        }
        if !args.yes && !agreed()? {
            output::say("nothing was changed");
            return Ok(EXIT_FOUND);
        }
        let done = ngf_cluster::fix::apply(&self.cluster, plan, Confirmation::given())
            .await
            .map_err(|error| in_words(&error))?;
        for line in &done {
            output::print(&format!("{}\n", clean(line)))?;
        }
        self.verify(plan, before).await
    }

    /// Looks again until the finding is gone, as long as NGF may take.
    async fn verify(&self, plan: &FixPlan, before: &Diagnosis) -> Result<u8, CliError> {
        let about: Vec<&Finding> = before
            .findings
            .iter()
            .filter(|finding| finding.code == plan.code)
            .filter(|finding| {
                plan.changes.iter().any(|change| {
                    finding
                        .remedy
                        .iter()
                        .flat_map(|remedy| &remedy.changes)
                        .any(|wanted| wanted.object().as_ref() == Some(change.object()))
                })
            })
            .collect();
        let begun = std::time::Instant::now();
        let mut pause = LOOK;
        loop {
            let seen = self.look().await?;
            let now = &seen.diagnosis;
            if let Some(why) = fix::not_applied(plan, &about, before, now, &seen.snapshot) {
                if begun.elapsed() <= PATIENCE {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_LOOK);
                    continue;
                }
                output::say(&format!("NGF has not applied the change: {}", clean(&why)));
                return Ok(EXIT_FOUND);
            }
            // A log of the time before the fix is told as information once a probe has seen otherwise.
            let is_of_before = |finding: &Finding, known: &Finding| {
                finding.severity == Severity::Info && known.severity != Severity::Info
            };
            let is_left = |finding: &&Finding| {
                finding.code == plan.code
                    && about.iter().any(|known| {
                        known.subject == finding.subject && !is_of_before(finding, known)
                    })
            };
            let unknown = about
                .iter()
                .filter(|_| only_probes_show(plan.code))
                .find_map(|finding| seen.was_probed(finding).err());
            let left = now.findings.iter().find(is_left);
            if left.is_none()
                && let Some(why) = unknown
            {
                if begun.elapsed() <= PATIENCE {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_LOOK);
                    continue;
                }
                output::say(&format!(
                    "whether {} is gone is not known: {why}",
                    plan.code
                ));
                return Ok(EXIT_COULD_NOT);
            }
            let Some(first) = left else {
                let mut text = format!("{} is gone\n", plan.code);
                for finding in now.findings.iter().filter(|finding| {
                    finding.caused_by.is_none()
                        // NGF needs a moment to answer.
                        && !matches!(finding.code, Code::S7 | Code::S8)
                        && !before.findings.iter().any(|known| {
                            known.code == finding.code && known.subject == finding.subject
                        })
                }) {
                    let _ = writeln!(
                        text,
                        "now there is {}: {}",
                        finding.code,
                        clean(&finding.title)
                    );
                }
                output::print(&text)?;
                return Ok(EXIT_OK);
            };
            if begun.elapsed() > PATIENCE {
                output::print(&format!(
                    "{} is still there after {} s: {}\n",
                    plan.code,
                    PATIENCE.as_secs(),
                    clean(&first.title)
                ))?;
                return Ok(EXIT_FOUND);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }
}

/// Asks at the terminal.
fn agreed() -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err("nothing was changed: there is no terminal to ask at; give --yes to apply this, or --dry-run to see it only".into());
    }
    write!(io::stderr(), "\nApply this? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
