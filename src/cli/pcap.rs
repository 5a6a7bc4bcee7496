//! `--pcap FILE`: what passed in a probe, with the session's secrets. The file is made before the
//! probe runs, for its owner alone, and never over another; it is removed where nothing came of it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use ngf_probes::capture::{self, Capture};

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub(super) enum PcapError {
    /// Something of that name is there.
    #[error("--pcap {}: is there already, and is not overwritten: remove it first, or name another file", .0.display())]
    Exists(PathBuf),
    /// The file cannot be made or written.
    #[error("--pcap {}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A file that waits for its capture.
#[derive(Debug)]
pub(super) struct PcapFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl PcapFile {
    /// Makes the file.
    ///
    /// # Errors
    /// [`PcapError`], and nothing is left behind.
    pub(super) fn create(path: &Path) -> Result<Self, PcapError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                is_written: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(PcapError::Exists(path.to_owned()))
            }
            Err(source) => Err(PcapError::Write {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Writes the captures of connections that were made, and says in a sentence what the file
    /// holds.
    ///
    /// # Errors
    /// [`PcapError::Write`]; what was written until then is removed.
    pub(super) fn write(mut self, captures: &[Capture]) -> Result<String, PcapError> {
        let made: Vec<Capture> = captures
            .iter()
            .filter(|capture| !capture.is_empty())
            .cloned()
            .collect();
        let path = self.path.display();
        if made.is_empty() {
            return Ok(format!(
                "{path} was not written: no connection was made, so nothing passed"
            ));
        }
        capture::write(&mut self.file, &made).map_err(|source| PcapError::Write {
            path: self.path.clone(),
            source,
        })?;
        self.is_written = true;
        let cut = if made.iter().any(Capture::is_cut) {
            "; of a connection on which very much passed only the beginning is in it"
        } else {
            ""
        };
        let secrets = if made.iter().any(Capture::has_secrets) {
            " and the session's secrets"
        } else {
            ""
        };
        Ok(format!(
            "{path} holds what passed{secrets}: who reads it reads the traffic, so delete it when you are done{cut}"
        ))
    }
}

impl Drop for PcapFile {
    fn drop(&mut self) {
        if !self.is_written {
            // It holds nothing; if it cannot be removed, it does no harm.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("there.pcapng");
        fs::write(&path, "mine").unwrap();
        let error = PcapFile::create(&path).unwrap_err();
        assert!(matches!(error, PcapError::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_elsewhere_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("link"), folder.path().join("elsewhere"));
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(PcapFile::create(&path).is_err());
        assert!(!elsewhere.exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_and_goes_where_nothing_came_of_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.pcapng");
        let file = PcapFile::create(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let sentence = file.write(&[Capture::new()]).unwrap();
        assert!(sentence.contains("was not written"), "{sentence}");
        assert!(!path.exists());
    }
}
