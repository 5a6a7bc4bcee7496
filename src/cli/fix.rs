//! `fix`: what a finding's remedy would change, shown, tried on the API server, and applied once
//! somebody agreed.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{FixArgs, InputArgs},
    check::read,
    connect_to, output,
};
use crate::{
    cluster::{Cluster, transport::Via},
    diagnosis::{
        Diagnosis, Evidence, Finding,
        evidence::Probed,
        plan::{ProbeTarget, plan_every},
        registry,
    },
    fix::{self, Confirmation, DiffKind, FixPlan},
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
    report::clean,
    world::{Live, LiveOptions, in_words},
};

/// How many probes run at a time.
const AT_A_TIME: usize = 16;
/// How long NGF may take to look at a change before the finding counts as still there.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often one looks.
const LOOK: Duration = Duration::from_secs(1);

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &FixArgs) -> Result<u8, CliError> {
    let wanted = Wanted::of(input, args)?;
    if !input.files.is_empty() {
        if args.yes {
            return Err("-f reads files, and fix writes to a cluster only: leave --yes out to see the difference, or -f".into());
        }
        let snapshot = read(input, args.timeout).await?;
        for problem in &snapshot.problems {
            output::say(&format!("{}: {}", problem.place, problem.message));
        }
        let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), Timestamp::now());
        return of_files(&wanted, &diagnosis, &snapshot);
    }
    let job = Job::start(input, args).await?;
    let (snapshot, diagnosis) = job.look(wanted.needs_probes()).await;
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

/// What the command line asks for.
struct Wanted {
    code: Option<&'static str>,
    object: Option<ObjectRef>,
}

/// What there is to do.
enum Choice {
    List,
    Nothing(String),
    Plan(Box<FixPlan>),
}

impl Wanted {
    fn of(input: &InputArgs, args: &FixArgs) -> Result<Self, CliError> {
        let code = match &args.code {
            None => None,
            Some(code) => match registry::rule(code) {
                Some(rule) => Some(rule.code),
                None => {
                    return Err(format!(
                        "{} is no code of a finding; `ngf-tui fix` lists what can be fixed",
                        clean(code)
                    )
                    .into());
                }
            },
        };
        let namespace = input.namespace.as_deref().unwrap_or("default");
        let object = args
            .object
            .as_deref()
            .map(|text| object_named(text, namespace))
            .transpose()?;
        Ok(Self { code, object })
    }

    /// Whether only a probe can show it: what a handshake proves is in no object.
    fn needs_probes(&self) -> bool {
        self.code.is_none_or(|code| {
            code.starts_with("NGF-T") || code.starts_with("NGF-B") || OTHERS.contains(&code)
        })
    }

    fn choose(&self, diagnosis: &Diagnosis, snapshot: &Snapshot) -> Result<Choice, CliError> {
        let Some(code) = self.code else {
            return Ok(Choice::List);
        };
        let found: Vec<&Finding> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.code == code)
            .filter(|finding| {
                self.object
                    .as_ref()
                    .is_none_or(|object| finding.objects().any(|about| about == object))
            })
            .collect();
        if found.is_empty() {
            let about = self
                .object
                .as_ref()
                .map_or_else(String::new, |object| format!(" about {object}"));
            return Ok(Choice::Nothing(format!(
                "there is no {code}{about} here; `ngf-tui fix` lists what can be fixed"
            )));
        }
        let mut plans: Vec<(&Finding, FixPlan)> = Vec::new();
        let mut refused = Vec::new();
        for finding in found {
            match fix::plan(finding, snapshot) {
                Ok(plan) if plans.iter().any(|(_, known)| same(known, &plan)) => {}
                Ok(plan) => plans.push((finding, plan)),
                Err(why) => refused.push(why),
            }
        }
        match plans.len() {
            0 => {
                refused.dedup();
                Ok(Choice::Nothing(refused.join("; ")))
            }
            1 => Ok(plans
                .pop()
                .map_or(Choice::List, |(_, plan)| Choice::Plan(Box::new(plan)))),
            several => {
                let names: BTreeSet<String> = plans
                    .iter()
                    .map(|(finding, _)| argument(&finding.subject))
                    .collect();
                let names: Vec<String> = names.into_iter().collect();
                Err(format!(
                    "{code} is here {several} times; name the object: {}",
                    clean(&names.join(", "))
                )
                .into())
            }
        }
    }
}

/// Codes of the other letters that only a probe shows.
const OTHERS: &[&str] = &["NGF-G8", "NGF-P11", "NGF-P1"];

fn same(a: &FixPlan, b: &FixPlan) -> bool {
    let key = |plan: &FixPlan| {
        plan.changes
            .iter()
            .map(|change| (change.object().clone(), change.after()))
            .collect::<Vec<_>>()
    };
    key(a) == key(b)
}

/// `gateway/NAME`, `secret/NAMESPACE/NAME`.
pub(super) fn object_named(text: &str, namespace: &str) -> Result<ObjectRef, String> {
    let wrong = || {
        format!(
            "`{}` names no object: write KIND/NAME or KIND/NAMESPACE/NAME, such as gateway/default/gateway",
            clean(text)
        )
    };
    let (kind, rest) = text.split_once('/').ok_or_else(wrong)?;
    let kind = Kind::parse(kind).ok_or_else(wrong)?;
    let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
    if name.is_empty() || namespace.is_empty() || name.contains('/') {
        return Err(wrong());
    }
    Ok(ObjectRef::new(kind, namespace, name))
}

/// An object as [`object_named`] reads it.
fn argument(object: &ObjectRef) -> String {
    format!(
        "{}/{}",
        object.kind.name().to_ascii_lowercase(),
        object.path()
    )
}

/// Lists what can be fixed.
fn list(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Result<u8, CliError> {
    let plans = fix::plans(&diagnosis.findings, snapshot);
    let mut text = String::new();
    for (finding, plan) in &plans {
        let _ = writeln!(
            text,
            "{:<8} {}\n         {}\n         ngf-tui fix {} {}",
            finding.code,
            clean(&finding.title),
            clean(&plan.summary),
            finding.code,
            clean(&argument(&finding.subject))
        );
    }
    let others = diagnosis.findings.len() - plans.len();
    let _ = writeln!(
        text,
        "{}{} can be fixed here; {} {} a person's decision (ngf-tui check)",
        if plans.is_empty() { "" } else { "\n" },
        crate::diagnosis::words::count(plans.len(), "finding"),
        crate::diagnosis::words::count(others, "finding"),
        if others == 1 { "needs" } else { "need" },
    );
    output::print(&text)?;
    Ok(EXIT_OK)
}

/// Prints the differences for manifests, and nothing else.
fn of_files(wanted: &Wanted, diagnosis: &Diagnosis, snapshot: &Snapshot) -> Result<u8, CliError> {
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
    for (finding, plan) in fix::plans(&diagnosis.findings, snapshot) {
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

/// A cluster under repair.
struct Job {
    cluster: Cluster,
    timeout: Duration,
}

impl Job {
    async fn start(input: &InputArgs, args: &FixArgs) -> Result<Self, CliError> {
        Ok(Self {
            cluster: connect_to(input).await?,
            timeout: args.timeout,
        })
    }

    /// Reads the cluster, probes its backends where asked, and says what is wrong.
    async fn look(&self, probe: bool) -> (Arc<Snapshot>, Diagnosis) {
        let snapshot = Arc::new(self.cluster.snapshot(self.timeout).await);
        let evidence = if probe {
            self.measure(&snapshot).await
        } else {
            Evidence::none()
        };
        let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
        (snapshot, diagnosis)
    }

    /// Probes every backend of every Gateway; writes nothing.
    async fn measure(&self, snapshot: &Arc<Snapshot>) -> Evidence {
        let (_sender, snapshots) = tokio::sync::watch::channel(Arc::clone(snapshot));
        let timeout = super::tui::PROBE_TIMEOUT;
        let options = LiveOptions::new(timeout);
        let live = &Live::new(self.cluster.clone(), snapshots, options);
        let cancel = &CancellationToken::new();
        let mut plans = Vec::new();
        for gateway in snapshot.gateways.keys() {
            if let Ok(planning) = plan_every(snapshot, &ProbeTarget::Gateway(gateway.clone())) {
                plans.extend(planning.plans);
            }
        }
        let mut evidence = Evidence::none();
        let mut results = futures::stream::iter(plans)
            .map(|plan| async move {
                let at = Timestamp::now();
                let result = live.transcript(&plan, Via::Auto, cancel).await;
                Probed {
                    plan: Arc::new(plan),
                    at,
                    result,
                }
            })
            .buffer_unordered(AT_A_TIME);
        while let Some(probed) = results.next().await {
            evidence.record(probed);
        }
        evidence
    }

    /// Tries the plan on the API server, asks, applies, and looks again.
    async fn apply(
        &self,
        input: &InputArgs,
        args: &FixArgs,
        plan: &FixPlan,
        before: &Diagnosis,
    ) -> Result<u8, CliError> {
        if let Err(denied) = fix::who_may(&self.cluster, plan).await {
            return Err(denied.into());
        }
        let tried = fix::dry_run(&self.cluster, plan)
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
        let done = fix::apply(&self.cluster, plan, Confirmation::given())
            .await
            .map_err(|error| in_words(&error))?;
        for line in &done {
            output::print(&format!("{}\n", clean(line)))?;
        }
        self.verify(plan, before).await
    }

    /// Looks again until the finding is gone, as long as NGF may take.
    async fn verify(&self, plan: &FixPlan, before: &Diagnosis) -> Result<u8, CliError> {
        let about: BTreeSet<ObjectRef> = before
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
            .map(|finding| finding.subject.clone())
            .collect();
        let begun = std::time::Instant::now();
        loop {
            let (_, now) = self.look(true).await;
            let left: Vec<&Finding> = now
                .findings
                .iter()
                .filter(|finding| finding.code == plan.code && about.contains(&finding.subject))
                .collect();
            let Some(first) = left.first() else {
                let mut text = format!("{} is gone\n", plan.code);
                for finding in now.findings.iter().filter(|finding| {
                    finding.caused_by.is_none()
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
            tokio::time::sleep(LOOK).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        for (text, expected) in [
            ("gateway/gw", Some("Gateway shop/gw")),
            ("svc/app/web", Some("Service app/web")),
            ("gatewayclass/nginx", Some("GatewayClass nginx")),
            ("gw", None),
            ("gateway/", None),
            ("gateway//x", None),
            ("gateway/a/b/c", None),
            ("dragon/x", None),
        ] {
            let named = object_named(text, "shop")
                .ok()
                .map(|object| object.to_string());
            assert_eq!(named.as_deref(), expected, "{text}");
        }
    }
}
