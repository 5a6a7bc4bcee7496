//! Reads log files.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use jiff::Timestamp;
use ngf_core::logs::{PodLog, parse_file};
use ngf_text::sanitize;

/// Bytes that are read of one file: the last ones count, as they do in a cluster.
const BYTES: u64 = 64 << 20;
use super::STANDARD_INPUT;

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// In one sentence that names the file.
pub fn read_log(path: &Path) -> Result<PodLog, String> {
    let is_input = path.as_os_str() == STANDARD_INPUT;
    let name = if is_input {
        "standard input".to_owned()
    } else {
        sanitize::line(&path.to_string_lossy(), 200)
    };
    let bytes = if is_input {
        bounded(&mut io::stdin().lock())
    } else {
        fs::File::open(path).and_then(|mut file| bounded(&mut file))
    };
    let (bytes, cut) = bytes.map_err(|error| format!("cannot read log {name}: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(parse_file(&name, &text, cut, Timestamp::now()))
}

fn bounded(input: &mut dyn Read) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    input.take(BYTES + 1).read_to_end(&mut bytes)?;
    let cut = bytes.len() as u64 > BYTES;
    bytes.truncate(usize::try_from(BYTES).unwrap_or(usize::MAX));
    Ok((bytes, cut))
}
