//! `ngf-generator ROUTES [SEED] [BROKEN-PER-MILLE]` prints a cluster as manifests; what is broken goes to
//! standard error, a line each.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use ngf_generator::{Cluster, Size};

fn main() -> ExitCode {
    let numbers: Vec<Option<u64>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    let number = |at: usize, default: Option<u64>| match numbers.get(at) {
        Some(number) => *number,
        None => default,
    };
    let (Some(routes), Some(seed), Some(broken)) =
        (number(0, None), number(1, Some(1)), number(2, Some(20)))
    else {
        eprintln!("usage: ngf-generator ROUTES [SEED] [BROKEN-PER-MILLE]");
        return ExitCode::from(2);
    };
    let cluster = Cluster::of(Size {
        routes: routes as usize,
        broken_per_mille: broken as usize,
        seed,
    });
    let mut output = io::BufWriter::new(io::stdout().lock());
    for object in &cluster.objects {
        // Whoever reads no more has seen enough.
        if writeln!(output, "---\n{object}").is_err() {
            return ExitCode::SUCCESS;
        }
    }
    for broken in &cluster.broken {
        eprintln!(
            "{} Service {}/{}",
            broken.fault.code(),
            broken.namespace,
            broken.service
        );
    }
    ExitCode::SUCCESS
}
