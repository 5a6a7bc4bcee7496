//! `bundle`: what is seen of a cluster, in one redacted file for a support case; and `--from`, which opens it.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    CliError, EXIT_COULD_NOT, EXIT_OK,
    args::{BundleArgs, InputArgs},
    check::{nothing_could_be_read, tell_problems},
    connect_within,
    measure::{Parts, measured},
    output,
};
use crate::{recording::create, report::clean};
use ngf_cluster::prober::survey::Extent;
use ngf_core::{
    bundle::{self, MAX_BYTES, Opened},
    diagnosis::words::count,
};

/// Runs it.
pub(super) async fn run(input: &InputArgs, args: &BundleArgs) -> Result<u8, CliError> {
    let name = clean(&args.file.to_string_lossy());
    if args.file.exists() {
        return Err(format!("{name} exists and is not overwritten: name another file").into());
    }
    let cluster = connect_within(input, args.seen.timeout).await?;
    let snapshot = Arc::new(cluster.snapshot(cluster.left_of(args.seen.timeout)).await);
    let parts = Parts {
        probes: !args.seen.no_probe,
        logs: !args.seen.no_logs,
        data_plane: !args.seen.no_data_plane,
        within: args.seen.timeout,
        extent: Extent::Sample,
        context: true,
        matrix: args.seen.all,
    };
    let (evidence, missing) = measured(&cluster, &snapshot, &[], parts).await;
    for why in missing {
        output::say(&why);
    }
    let now = Timestamp::now();
    let text = bundle::write(&snapshot, &evidence, now, env!("CARGO_PKG_VERSION"))?;
    let failed = |why: std::io::Error| format!("{name}: cannot be written: {why}");
    let mut file = create(&args.file).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    tell_problems(&snapshot);
    output::say(&format!(
        "Wrote {name}: {}, {}, {}, {}, {}, {} KiB. Keys, tokens, values of environment variables and bodies are not in it; names, \
         addresses and certificates are. Read it before you send it. To open it: {}",
        count(snapshot.routes.len(), "route"),
        count(snapshot.services.len(), "Service"),
        count(snapshot.pods.len(), "pod"),
        count(evidence.probes().count(), "probe"),
        count(evidence.logs().count(), "log"),
        text.len().div_ceil(1024),
        opening(&args.file)
    ));
    Ok(if nothing_could_be_read(&snapshot) {
        EXIT_COULD_NOT
    } else {
        EXIT_OK
    })
}

/// The command that opens a bundle.
fn opening(path: &Path) -> String {
    let command = ngf_core::command::Command::own()
        .words(["check", "--from"])
        .argument(path);
    command.text().unwrap_or_else(|why| why)
}

/// Opens a bundle; `-` is standard input.
///
/// # Errors
/// In one sentence that names the file.
pub(super) fn open(path: &Path) -> Result<Opened, CliError> {
    let name = clean(&path.to_string_lossy());
    let failed = |why: &dyn std::fmt::Display| format!("--from {name}: {why}");
    let text = read(path).map_err(|why| failed(&why))?;
    Ok(bundle::open(&text).map_err(|why| failed(&why))?)
}

/// The text of a bundle or recording.
///
/// # Errors
/// In a few words, where it cannot be read, is too large, or is no text.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let cannot = |why: std::io::Error| format!("cannot be read: {why}");
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
    } else {
        let file = File::open(path).map_err(cannot)?;
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
}
