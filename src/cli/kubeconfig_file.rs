//! `demo --serve --kubeconfig-out FILE`: the kubeconfig of the embedded cluster, whose token lets its
//! holder do anything there. The file is its owner's alone, never over another, and goes with the
//! cluster.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubeconfigError {
    /// Something of that name is there.
    #[error("--kubeconfig-out {}: the file exists and is not overwritten: delete it, or name another file", .0.display())]
    Exists(PathBuf),
    /// The file cannot be created or written.
    #[error("--kubeconfig-out {}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The file; deleted with the value.
#[derive(Debug)]
pub(super) struct KubeconfigFile {
    path: PathBuf,
    text: String,
}

impl KubeconfigFile {
    /// Creates it, readable and writable for its owner alone.
    ///
    /// # Errors
    /// [`KubeconfigError`]; nothing is left behind then.
    pub(super) fn create(path: &Path, text: String) -> Result<Self, KubeconfigError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |source| KubeconfigError::Write {
            path: path.to_owned(),
            source,
        };
        let mut file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => KubeconfigError::Exists(path.to_owned()),
            _ => failed(error),
        })?;
        let written = file.write_all(text.as_bytes());
        // From here on the value deletes the file; what was written of it may be less than the text.
        let text = if written.is_ok() { text } else { String::new() };
        let file = Self {
            path: path.to_owned(),
            text,
        };
        written.map(|()| file).map_err(failed)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for KubeconfigFile {
    /// Deletes the file, unless somebody has written another in its place.
    fn drop(&mut self) {
        let is_ours = self.text.is_empty()
            || fs::read(&self.path).is_ok_and(|text| text == self.text.as_bytes());
        if is_ours {
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_link_that_exists_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "mine").unwrap();
        let error = KubeconfigFile::create(&path, "new".to_owned()).unwrap_err();
        assert!(matches!(error, KubeconfigError::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        #[cfg(unix)]
        {
            let (link, elsewhere) = (folder.path().join("link"), folder.path().join("elsewhere"));
            std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
            assert!(KubeconfigFile::create(&link, "new".to_owned()).is_err());
            assert!(!elsewhere.exists());
        }
    }

    #[test]
    fn it_is_deleted_with_the_value_and_what_replaced_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let file = KubeconfigFile::create(&path, "new".to_owned()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(file);
        assert!(!path.exists());
        let file = KubeconfigFile::create(&path, "new".to_owned()).unwrap();
        fs::write(&path, "another").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    }
}
