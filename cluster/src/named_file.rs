//! Reads the kubeconfig and the files that it names: regular files of bounded size. A FIFO would wait
//! for ever, and a device may have no end.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use zeroize::Zeroizing;

use ngf_core::model::clean::clean_line;

/// Bytes of one file. Kubeconfigs, tokens, certificates and keys take a few KiB.
const MAX: u64 = 1 << 20;

/// Why a file is not read, as the rest of a sentence that begins with the file.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let data = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if data.is_dir() {
        return Err("cannot be read: it is a directory".to_owned());
    }
    if !data.is_file() {
        return Err("cannot be read: it is not a regular file".to_owned());
    }
    if data.len() > MAX {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> String {
    format!("cannot be read: it is larger than {} MiB", MAX >> 20)
}

/// Reads a file. An error is the rest of a sentence that begins with the file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    check(path)?;
    let cannot = |error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX {
        return Err(too_large());
    }
    Ok(bytes)
}

/// As [`read`]; an error is a sentence that names the file.
pub(super) fn read_named(path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    read(Path::new(path)).map_err(|why| format!("{} {why}", clean_line(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("token"), "abc\n").expect("a file");
        fs::write(path("large"), vec![b'x'; (MAX + 1) as usize]).expect("a file");
        let made = std::process::Command::new("mkfifo")
            .arg(path("fifo"))
            .status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(read(&path("token")).expect("a token").as_slice(), b"abc\n");
        for (path, why) in [
            (path("large"), "it is larger than 1 MiB"),
            (path("fifo"), "it is not a regular file"),
            ("/dev/zero".into(), "it is not a regular file"),
            (folder.path().to_owned(), "it is a directory"),
            (path("absent"), "No such file or directory (os error 2)"),
        ] {
            assert_eq!(read(&path), Err(format!("cannot be read: {why}")));
        }
    }
}
