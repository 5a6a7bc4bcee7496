//! Reads log files.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use jiff::Timestamp;
use ngf_core::logs::{PodLog, parse_file};
use ngf_text::sanitize;

use super::STANDARD_INPUT;

/// Bytes that are read of one file: the last ones count, as they do in a cluster.
const BYTES: usize = 64 << 20;

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
        last(&mut io::stdin().lock(), BYTES)
    } else {
        fs::File::open(path).and_then(|file| end_of(file, BYTES))
    };
    let (bytes, cut) = bytes.map_err(|error| format!("cannot read log {name}: {error}"))?;
    if let Some(program) = compressed(&bytes).filter(|_| !cut) {
        return Err(format!(
            "cannot read log {name}: it is compressed: pipe the output of {program} into \"logs -\""
        ));
    }
    Ok(parse_file(&name, &text(&bytes), cut, Timestamp::now()))
}

/// The program that unpacks it, if it is compressed.
fn compressed(bytes: &[u8]) -> Option<&'static str> {
    const PROGRAMS: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "zcat"),
        (b"BZh", "bzcat"),
        (b"\xfd7zXZ", "xzcat"),
        (b"\x28\xb5\x2f\xfd", "zstdcat"),
    ];
    let found = PROGRAMS.iter().find(|(magic, _)| bytes.starts_with(magic));
    found.map(|(_, program)| *program)
}

/// The text: PowerShell's `>` writes UTF-16, everybody else UTF-8.
fn text(bytes: &[u8]) -> String {
    let in_pairs = |rest: &[u8], pair: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .map(|bytes| pair([bytes[0], bytes[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => in_pairs(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => in_pairs(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The last bytes of a file, from the beginning of a line; and whether there are more.
fn end_of(mut file: fs::File, most: usize) -> io::Result<(Vec<u8>, bool)> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // A device or a pipe has no length.
    let mut skipped = false;
    if length > most
        && let Ok(back) = i64::try_from(most)
    {
        skipped = file.seek(SeekFrom::End(-back)).is_ok();
    }
    let (bytes, cut) = last(&mut file, most)?;
    Ok(if skipped && !cut {
        (from_a_line(bytes), true)
    } else {
        (bytes, cut)
    })
}

/// The last bytes, from the beginning of a line; and whether there are more.
fn last(input: &mut dyn Read, most: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut cut = false;
    loop {
        let read = input.take(most as u64).read_to_end(&mut bytes)?;
        if bytes.len() > most {
            cut = true;
            bytes.drain(..bytes.len() - most);
        }
        if read < most {
            break;
        }
    }
    Ok(if cut {
        (from_a_line(bytes), true)
    } else {
        (bytes, false)
    })
}

/// Without the rest of a line at its beginning.
fn from_a_line(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        bytes.drain(..=end);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{end_of, last, text};

    #[test]
    fn the_last_lines_of_a_long_log_are_read() {
        let all = b"one\ntwo\nthree\nfour\n";
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(all).expect("it is written");
        for (most, expected, cut) in [
            (100, &b"one\ntwo\nthree\nfour\n"[..], false),
            (all.len(), &all[..], false),
            (12, b"three\nfour\n", true),
            (7, b"four\n", true),
        ] {
            let found = last(&mut &all[..], most).expect("it is read");
            assert_eq!(found, (expected.to_vec(), cut), "{most}");
            let file = file.try_clone().expect("the file");
            let mut begin = file.try_clone().expect("the file");
            std::io::Seek::rewind(&mut begin).expect("its beginning");
            let found = end_of(file, most).expect("it is read");
            assert_eq!(found, (expected.to_vec(), cut), "{most}");
        }
    }

    #[test]
    fn text_of_powershell_is_read() {
        let words = "2026/06/01 [error]\nä\n";
        let little: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&[&b"\xff\xfe"[..], &little].concat()), words);
        assert_eq!(text(&[&b"\xfe\xff"[..], &big].concat()), words);
        assert_eq!(
            text(&[&b"\xef\xbb\xbf"[..], words.as_bytes()].concat()),
            words
        );
        assert_eq!(text(words.as_bytes()), words);
    }
}
