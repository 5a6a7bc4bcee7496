//! `check --over`: what applying manifests would do to the cluster's findings.

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_FOUND, EXIT_OK,
    args::{CheckArgs, InputArgs},
    check::{add_expiring, fail_on, nothing_could_be_read, style, targets_of, tell_problems},
    connect_within, output, target,
};
use crate::{
    files,
    report::{self, Format, compare::Comparison},
};
use ngf_cluster::Cluster;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, suppress::Filter},
    model::{
        kind::Kind,
        snapshot::{Lookup, Snapshot},
    },
    overlay::{self, Overlay, without_status},
};

/// What applying the manifests would do to the cluster's findings.
pub(super) async fn run(
    input: &InputArgs,
    args: &CheckArgs,
    filter: &Filter,
    now: Timestamp,
) -> Result<u8, CliError> {
    let cluster = connect_within(input, args.timeout).await?;
    let live = cluster.snapshot(cluster.left_of(args.timeout)).await;
    if nothing_could_be_read(&live) {
        return Err(
            "the cluster's Gateways and routes cannot be read, so there is nothing to lay manifests over; look at them alone without --over".into(),
        );
    }
    let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace());
    let (manifests, written) = files::read_manifests(&input.files, namespace);
    if manifests.kinds.is_empty() {
        tell_problems(&manifests);
        return Err("the files hold no object that this tool knows, so there is nothing to lay over the cluster".into());
    }
    let answers = if input.read_only {
        ngf_cluster::dry_run::unasked(&written, overlay::READ_ONLY)
    } else {
        ngf_cluster::dry_run::ask(&cluster, &written, args.timeout).await
    };
    // A Secret's values are in them.
    drop(written);
    let mut laid = overlay::overlay(&live, &manifests, answers, now);
    read_references(&cluster, &mut laid).await;
    laid.expect_certificates();
    let mut evidence = Evidence::none();
    for said in laid.said {
        evidence.record_said(said);
    }
    // What a manifest brings can be named, too.
    let targets = targets_of(args, &laid.snapshot, namespace)?;
    let only = (!targets.is_empty() || args.shard.is_some()).then(|| target::pairs(&targets));
    let only = only.as_deref();
    let of = |snapshot: &Snapshot, evidence: &Evidence| {
        let whole = Diagnosis::of(snapshot, evidence, now);
        match only {
            Some(only) => whole.limited_to_all(only),
            None => whole,
        }
    };
    let none = Evidence::none();
    let mut after = of(&without_status(&laid.snapshot), &evidence);
    let mut before = of(&without_status(&live), &none);
    add_expiring(&mut before, &live, only, args.within, now)?;
    add_expiring(&mut after, &laid.snapshot, only, args.within, now)?;
    let mut as_is = of(&live, &none);
    add_expiring(&mut as_is, &live, only, args.within, now)?;
    // What is accepted neither comes nor goes.
    let accepted =
        |diagnosis: Diagnosis, snapshot: &Snapshot| diagnosis.filtered_by(filter, snapshot, now);
    let before = accepted(before, &live);
    let as_is = accepted(as_is, &live);
    let after = accepted(after, &laid.snapshot);
    let comparison = Comparison {
        laid: laid.laid.into_iter().collect(),
        filtered: after.filtered.clone(),
        ..Comparison::of(&as_is, &before, &after)
    };
    let sources = report::source::Sources::of_list(&comparison.new, &manifests, files::excerpt);
    let json = report::json::ComparisonReport::of(&comparison);
    output::stream(|out| -> Result<(), CliError> {
        if report::write_shaped(&json, &args.output, out)? {
            return Ok(());
        }
        let text = match args.output {
            Format::Wide => report::table::findings(&comparison.new),
            Format::Name => report::table::names_of_findings(&comparison.new),
            Format::Html => report::html::comparison(&comparison, now),
            Format::Junit => report::junit::comparison_with(&comparison, fail_on(args), &sources),
            Format::Sarif => report::sarif::comparison(&comparison, &sources)?,
            Format::Markdown => report::markdown::comparison(&comparison),
            _ => report::text::comparison(&comparison, style(), &sources),
        };
        Ok(out.write_all(text.as_bytes())?)
    })?;
    tell_problems(&manifests);
    Ok(match comparison.exit_code(fail_on(args)) {
        0 if !manifests.problems.is_empty() => EXIT_COULD_NOT,
        0 => EXIT_OK,
        _ => EXIT_FOUND,
    })
}

/// Reads the Secrets and ConfigMaps that something refers to only once the manifests are applied.
async fn read_references(cluster: &Cluster, laid: &mut Overlay) {
    for object in laid.unread() {
        let answer = cluster.look_up(&object).await;
        let Snapshot {
            secrets,
            config_maps,
            ..
        } = &mut laid.snapshot;
        match (answer, object.kind) {
            (Lookup::Found(decoded), _) => {
                laid.snapshot.put(*decoded);
            }
            (Lookup::Absent, Kind::Secret) => {
                secrets.insert(object, Lookup::Absent);
            }
            (Lookup::Absent, _) => {
                config_maps.insert(object, Lookup::Absent);
            }
            (Lookup::Unknown(why), Kind::Secret) => {
                secrets.insert(object, Lookup::Unknown(why));
            }
            (Lookup::Unknown(why), _) => {
                config_maps.insert(object, Lookup::Unknown(why));
            }
        }
    }
}
