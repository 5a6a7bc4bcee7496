//! Finds the manifests below a directory.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// Levels of directories.
const MAX_DEPTH: usize = 32;
/// Files of one directory and all below it.
const MAX_FILES: usize = 10_000;

/// Configuration of tools, which kubectl would not apply either.
const NO_MANIFESTS: &[&str] = &["kustomization.yaml", "kustomization.yml"];

/// The manifests below `directory`, by name, and what could not be read. Names that begin with a
/// dot are left out; a symbolic link that leads in a circle is followed once.
pub(super) fn files(directory: &Path) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
    let mut walk = Walk::default();
    walk.directory(directory, 0);
    (walk.files, walk.problems)
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    problems: Vec<(PathBuf, String)>,
    seen: HashSet<PathBuf>,
    full: bool,
}

impl Walk {
    fn directory(&mut self, directory: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            let message = format!("lies deeper than {MAX_DEPTH} directories; it is left out");
            self.problems.push((directory.to_owned(), message));
            return;
        }
        let listed = fs::canonicalize(directory).and_then(|real| {
            if self.seen.insert(real) {
                fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()
            } else {
                Ok(Vec::new())
            }
        });
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                self.problems.push((directory.to_owned(), message));
                return;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            match fs::metadata(&path) {
                Ok(data) if data.is_dir() => self.directory(&path, depth + 1),
                Ok(data) if data.is_file() && is_manifest(&path) => self.file(path),
                Err(error) if is_manifest(&path) => {
                    let message = format!("cannot be read: {error}");
                    self.problems.push((path, message));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: PathBuf) {
        if self.files.len() < MAX_FILES {
            self.files.push(path);
        } else if !self.full {
            self.full = true;
            let message = format!("is one file too many: {MAX_FILES} are read, the rest is not");
            self.problems.push((path, message));
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    let is_configuration = path
        .file_name()
        .is_some_and(|name| NO_MANIFESTS.iter().any(|known| name == *known));
    !is_configuration
        && path.extension().is_some_and(|extension| {
            ["yaml", "yml", "json"]
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known))
        })
}
