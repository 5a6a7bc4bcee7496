//! `init`: writes the manifests that mutual TLS to a Service needs, for review.

use std::{fs, io::Write, path::Path};

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{InitArgs, InputArgs},
    check::nothing_could_be_read,
    connect_within,
    fix::object_named,
    output, target,
};
use crate::{files, report::clean};
use ngf_cluster::Cluster;
use ngf_core::{
    command::Command,
    init::{Manifest, SetupRequest, manifests},
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{Lookup, Snapshot},
    },
};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &InitArgs) -> Result<u8, CliError> {
    let (snapshot, wanted) = if input.files.is_empty() {
        let cluster = connect_within(input, args.timeout).await?;
        let namespace = input.namespace.as_deref().unwrap_or(cluster.namespace());
        let wanted = wanted(args, namespace)?;
        let mut snapshot = cluster.snapshot(cluster.left_of(args.timeout)).await;
        read_named(&cluster, &mut snapshot, &wanted).await;
        (snapshot, wanted)
    } else {
        let namespace = input.namespace.as_deref().unwrap_or("default");
        (
            files::read(&input.files, namespace),
            wanted(args, namespace)?,
        )
    };
    for problem in &snapshot.problems {
        output::say(&format!("{}: {}", problem.place, problem.message));
    }
    if nothing_could_be_read(&snapshot) {
        output::say("neither Gateways nor routes can be read, so nothing can be worked out");
        return Ok(EXIT_COULD_NOT);
    }
    let made = manifests(&snapshot, &wanted, Timestamp::now())?;
    if args.output == Path::new("-") {
        let texts: Vec<String> = made.files.iter().map(Manifest::text).collect();
        output::print(&texts.join("---\n"))?;
    } else {
        write(&args.output, &made.files)?;
    }
    for note in &made.notes {
        output::say(note);
    }
    output::say(&next(&args.output));
    Ok(EXIT_OK)
}

/// What to do with what was written to a folder, or to standard output.
fn next(place: &Path) -> String {
    let command = Command::own()
        .words(["check"])
        .file(place)
        .words(["--over"])
        .and(Command::new("kubectl").words(["apply"]).file(place));
    match command.text() {
        Ok(command) => format!("Nothing was applied. Review, then: {command}"),
        Err(why) => format!("Nothing was applied. Review the files, then apply them: {why}."),
    }
}

fn wanted(args: &InitArgs, namespace: &str) -> Result<SetupRequest, CliError> {
    let word = target::only(&args.service)?.unwrap_or_default();
    let service = object_named(&word, namespace)?;
    if service.kind != Kind::Service {
        return Err(format!(
            "unexpected object {}: expected service/NAME or service/NAMESPACE/NAME",
            clean(&word)
        )
        .into());
    }
    let ca = args
        .ca
        .as_deref()
        .map(|text| object_named(text, &service.namespace))
        .transpose()?;
    if let Some(ca) = &ca
        && (!matches!(ca.kind, Kind::Secret | Kind::ConfigMap) || ca.namespace != service.namespace)
    {
        return Err(format!(
            "--ca {}: NGF takes a ConfigMap or Secret in the Service's namespace, {}",
            clean(args.ca.as_deref().unwrap_or_default()),
            service.namespace
        )
        .into());
    }
    let gateway = args
        .gateway
        .as_deref()
        .map(|text| named(Kind::Gateway, "--gateway", text, namespace))
        .transpose()?;
    let gateways_own = gateway
        .as_ref()
        .map_or(service.namespace.clone(), |gateway| {
            gateway.namespace.clone()
        });
    Ok(SetupRequest {
        client_secret: args
            .client_secret
            .as_deref()
            .map(|text| named(Kind::Secret, "--client-secret", text, &gateways_own))
            .transpose()?,
        hostname: args.hostname.clone(),
        gateway,
        port: args.port.clone(),
        ca,
        issuer: args.issuer.clone(),
        service,
    })
}

/// `NAME` or `NAMESPACE/NAME`.
fn named(kind: Kind, option: &str, text: &str, namespace: &str) -> Result<ObjectRef, String> {
    let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
    if name.is_empty() || namespace.is_empty() || name.contains('/') {
        return Err(format!(
            "{option} {}: write NAME or NAMESPACE/NAME",
            clean(text)
        ));
    }
    Ok(ObjectRef::new(kind, namespace, name))
}

/// Reads what the command line names and nothing refers to yet.
async fn read_named(cluster: &Cluster, snapshot: &mut Snapshot, wanted: &SetupRequest) {
    for object in wanted.ca.iter().chain(&wanted.client_secret) {
        match cluster.look_up(object).await {
            Lookup::Found(decoded) => {
                snapshot.put(*decoded);
            }
            Lookup::Absent if object.kind == Kind::Secret => {
                snapshot.secrets.insert(object.clone(), Lookup::Absent);
            }
            Lookup::Absent => {
                snapshot.config_maps.insert(object.clone(), Lookup::Absent);
            }
            Lookup::Unknown(_) => {}
        }
    }
}

/// Writes all files, or none where one is there already.
fn write(folder: &Path, manifests: &[Manifest]) -> Result<(), CliError> {
    let cannot = |path: &Path, error: &std::io::Error| {
        format!(
            "{} cannot be written: {error}",
            clean(&path.to_string_lossy())
        )
    };
    if let Some(there) = manifests
        .iter()
        .map(|manifest| folder.join(&manifest.file))
        .find(|path| path.symlink_metadata().is_ok())
    {
        return Err(format!(
            "{} is there already, and is not overwritten; nothing was written: choose another folder with -o",
            clean(&there.to_string_lossy())
        )
        .into());
    }
    fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    for manifest in manifests {
        let path = folder.join(&manifest.file);
        let mut file = fs::File::create_new(&path).map_err(|error| cannot(&path, &error))?;
        file.write_all(manifest.text().as_bytes())
            .map_err(|error| cannot(&path, &error))?;
        output::print(&format!("{}\n", clean(&path.to_string_lossy())))?;
    }
    Ok(())
}
