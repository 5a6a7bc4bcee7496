//! `probe`: a live handshake, from the command line's own words or from the cluster's objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use ngf_probes::{
    ProbeError,
    capture::Capture,
    chain::{Certificates, NGINX_SERVER_DEPTH},
    dial::{Dial, Direct},
    probe_with,
    spec::{BackendTrust, Options, ProbeSpec},
    transcript::Transcript,
};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{InputArgs, Output, ProbeArgs},
    connect::{self, ConnectError},
    connect_to, matrix, output,
    pcap::PcapFile,
};
use crate::{
    cluster::Cluster,
    diagnosis::{
        mounted::with_certificates,
        plan::{Planning, ProbePlan, ProbeTarget, plan_all},
    },
    model::{
        index::Index,
        object::ObjectRef,
        snapshot::{Scope, Snapshot},
        topology::Topology,
    },
    report::probe::{LIST_SCHEMA, Report, Reports},
    world::{in_words, probe_spec},
};

/// How many probes run at a time.
const AT_A_TIME: usize = 16;
/// How long to wait for the cluster's answers before planning.
const READ: Duration = Duration::from_secs(15);

/// What probes do beside their verdict, as the command line asks.
#[derive(Default)]
pub(super) struct Extras {
    options: Options,
    at: Option<Timestamp>,
    /// Whom each Service's pods probably trust, where they mount one CA.
    mounted: BTreeMap<ObjectRef, BackendTrust>,
    /// A capture of each probe, where they are asked for.
    captures: Option<Mutex<Vec<Capture>>>,
}

impl Extras {
    fn new(args: &ProbeArgs) -> Result<Self, ConnectError> {
        Ok(Self {
            options: connect::options(args)?,
            at: args.at,
            mounted: BTreeMap::new(),
            captures: args.pcap.is_some().then(Mutex::default),
        })
    }

    /// Runs a probe with them; of a Service, where the cluster's objects say so.
    async fn probe(
        &self,
        mut spec: ProbeSpec,
        service: Option<&ObjectRef>,
        dial: &dyn Dial,
        cancel: &CancellationToken,
    ) -> Result<Transcript, ProbeError> {
        if let (Some(tls), Some(at)) = (&mut spec.tls, self.at) {
            tls.at = Some(at);
        }
        let mut options = self.options.clone();
        let mounted = service.and_then(|service| self.mounted.get(service));
        options.backend_trust = options.backend_trust.or_else(|| mounted.cloned());
        if let Some(captures) = &self.captures {
            let capture = Capture::new();
            options.capture = Some(capture.clone());
            captures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(capture);
        }
        probe_with(&spec, &options, dial, cancel).await
    }
}

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &ProbeArgs) -> Result<u8, CliError> {
    if args.matrix {
        return matrix::run(input, args).await;
    }
    let cancel = CancellationToken::new();
    let mut extras = Extras::new(args)?;
    let file = args.pcap.as_deref().map(PcapFile::create).transpose()?;
    let reports = match (&args.connect, &args.server_name, &args.target) {
        (Some(address), Some(name), _) => {
            let spec = connect::spec(args, address, name)?;
            let transcript = extras.probe(spec, None, &Direct, &cancel).await?;
            Reports {
                schema: LIST_SCHEMA,
                probes: vec![Report {
                    transcript,
                    plan: None,
                }],
                not_run: Vec::new(),
            }
        }
        (_, _, Some(target)) => probe_target(input, args, target, &mut extras, &cancel).await?,
        _ => return Err(NAME_SOMETHING.into()),
    };
    print(&reports, args)?;
    if let (Some(file), Some(captures)) = (file, &extras.captures) {
        let captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
        output::say(&file.write(&captures)?);
    }
    let could_not = !reports.not_run.is_empty();
    let all_served = reports.probes.iter().all(Report::is_served);
    Ok(match (all_served, could_not) {
        (false, _) => EXIT_FOUND,
        (true, true) => EXIT_COULD_NOT,
        (true, false) => EXIT_OK,
    })
}

/// What is said where nothing is named.
pub(super) const NAME_SOMETHING: &str =
    "name what to probe, or an address with --connect and --server-name";

async fn probe_target(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
    extras: &mut Extras,
    cancel: &CancellationToken,
) -> Result<Reports, CliError> {
    let found = plans_of(input, args, target).await?;
    extras.mounted = found.mounted;
    let mut reports =
        run_plans_with(&found.cluster, found.plans, args.timeout, extras, cancel).await;
    reports.not_run.extend(found.not_run);
    if reports.probes.is_empty() {
        return Err(reports.not_run.join("; ").into());
    }
    Ok(reports)
}

/// The namespace of a name without one: the one that is read, or else the context's.
fn namespace_of<'a>(scope: &'a Scope, cluster: &'a Cluster) -> &'a str {
    match scope {
        Scope::AllNamespaces => cluster.namespace(),
        Scope::Namespace(namespace) => namespace,
    }
}

/// What there is to probe for a target.
pub(super) struct Found {
    /// Where it is.
    pub(super) cluster: Cluster,
    /// The connections that nginx would open.
    pub(super) plans: Vec<ProbePlan>,
    /// Why there are not more.
    pub(super) not_run: Vec<String>,
    /// Whom each Service's pods probably trust.
    pub(super) mounted: BTreeMap<ObjectRef, BackendTrust>,
}

/// The connections that nginx would open for a target.
pub(super) async fn plans_of(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
) -> Result<Found, CliError> {
    if !input.files.is_empty() {
        return Err(
            "a live probe needs a cluster: leave -f out, or name an address with --connect".into(),
        );
    }
    let cluster = connect_to(input).await?;
    let snapshot = cluster.snapshot(READ).await;
    let target = ProbeTarget::parse(target, namespace_of(&snapshot.scope, &cluster))?;
    let planning = planning(&snapshot, &target)?;
    let refused = planning.refused.iter();
    let not_run = refused.map(|(_, why)| why.to_string()).collect();
    let plans = planning.plans.into_iter();
    let plans: Vec<ProbePlan> = plans.map(|plan| adjusted(plan, args)).collect();
    let services: BTreeSet<&ObjectRef> = plans.iter().map(|plan| &plan.service).collect();
    let mounted = services
        .into_iter()
        .filter_map(|service| Some((service.clone(), mounted_trust(&snapshot, service)?)))
        .collect();
    Ok(Found {
        cluster,
        plans,
        not_run,
        mounted,
    })
}

/// The CAs by which a Service's pods probably check clients: the one `ca.crt` that they mount.
fn mounted_trust(snapshot: &Snapshot, service: &ObjectRef) -> Option<BackendTrust> {
    let service = snapshot.services.get(service)?;
    let mounted = with_certificates(snapshot, service, "ca.crt");
    let [(mounted, facts)] = mounted.as_slice() else {
        return None;
    };
    let der = facts.iter().map(|facts| facts.der.clone());
    Some(BackendTrust {
        trusted: Certificates::Der(der.collect()),
        origin: format!("{}[ca.crt], which its pods mount,", mounted.source),
        depth: NGINX_SERVER_DEPTH,
    })
}

fn planning(snapshot: &Snapshot, target: &ProbeTarget) -> Result<Planning, CliError> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    Ok(plan_all(snapshot, &index, &topology, target)?)
}

/// A plan with what the command line says otherwise.
fn adjusted(mut plan: ProbePlan, args: &ProbeArgs) -> ProbePlan {
    if let Some(host) = &args.host {
        plan.host.clone_from(host);
    }
    if let Some(path) = &args.path {
        plan.path.clone_from(path);
    }
    plan
}

/// Runs plans, several at a time; results are in the order of the plans.
pub(super) async fn run_plans(
    cluster: &Cluster,
    plans: Vec<ProbePlan>,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Reports {
    run_plans_with(cluster, plans, timeout, &Extras::default(), cancel).await
}

async fn run_plans_with(
    cluster: &Cluster,
    plans: Vec<ProbePlan>,
    timeout: Duration,
    extras: &Extras,
    cancel: &CancellationToken,
) -> Reports {
    let run = async |plan: &ProbePlan| {
        let spec = probe_spec(cluster, plan, timeout).await?;
        let service = Some(&plan.service);
        let result = extras.probe(spec, service, &Direct, cancel).await;
        result.map_err(|error| in_words(&error))
    };
    let one = |plan: ProbePlan| async {
        let result = run(&plan).await;
        (plan, result)
    };
    let results: Vec<_> = futures::stream::iter(plans)
        .map(one)
        .buffered(AT_A_TIME)
        .collect()
        .await;
    let mut reports = Reports {
        schema: LIST_SCHEMA,
        probes: Vec::new(),
        not_run: Vec::new(),
    };
    for (plan, result) in results {
        match result {
            Ok(transcript) => reports.probes.push(Report {
                transcript,
                plan: Some(plan),
            }),
            Err(why) => reports.not_run.push(format!(
                "{} at {}:{}: {why}",
                plan.service, plan.endpoint.address, plan.endpoint.port
            )),
        }
    }
    reports
}

/// One probe is printed as itself, several as a list.
fn print(reports: &Reports, args: &ProbeArgs) -> Result<(), CliError> {
    let text = match (
        args.output,
        reports.probes.as_slice(),
        reports.not_run.as_slice(),
    ) {
        (Output::Json, [one], []) => serde_json::to_string_pretty(one)? + "\n",
        (Output::Json, ..) => serde_json::to_string_pretty(reports)? + "\n",
        (Output::Text, probes, _) => probes
            .iter()
            .map(|report| {
                if args.records {
                    report.text_with_records()
                } else {
                    report.text()
                }
            })
            .collect::<Vec<_>>()
            .join("\n────\n\n"),
    };
    output::print(&text)?;
    if args.output == Output::Text {
        for why in &reports.not_run {
            output::say(&format!("not probed: {why}"));
        }
    }
    Ok(())
}
