//! Which NGINX is the oracle: Debian's, or the one that the variable `NGINX_BINARY` names.
//!
//! `NGINX_LIBRARIES` names a folder with shared libraries for it to load first: `same-openssl.sh`
//! makes the OpenSSL that the probe links into such.

use std::ffi::OsString;
use std::process::Command;
use std::sync::LazyLock;

/// What the binary says of itself.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// Major and minor: 1.22.
    pub(crate) version: (u32, u32),
    /// It runs with the very OpenSSL that the probe links, so that not a word may differ.
    pub(crate) same_openssl: bool,
}

/// Asks the binary once; `None` where there is none.
pub(crate) fn oracle() -> Option<&'static Oracle> {
    static ORACLE: LazyLock<Option<Oracle>> = LazyLock::new(|| {
        let output = command().arg("-V").output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, version) = text.split_once("nginx version: nginx/")?;
        let mut numbers = version.split(['.', '\n']).map(str::parse);
        let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let (_, library) = text
            .split_once("running with ")
            .or(text.split_once("built with "))?;
        let same_openssl = library.starts_with(openssl::version::version());
        let library = library.split([')', '\n']).next()?;
        let words = if same_openssl {
            "word for word"
        } else {
            "but for the words that differ"
        };
        println!(
            "the oracle is nginx {}.{} with {library}: compared {words}",
            version.0, version.1
        );
        Some(Oracle {
            version,
            same_openssl,
        })
    });
    ORACLE.as_ref()
}

/// The oracle, or `None` and a word of it. Where CI is set, a missing oracle is a failure.
pub(crate) fn oracle_or_skip() -> Option<&'static Oracle> {
    let oracle = oracle();
    if oracle.is_none() {
        skip("nginx");
    }
    oracle
}

/// Whether the `openssl` command is there, for backends that send alerts.
pub(crate) fn openssl_or_skip() -> bool {
    let is_there = Command::new("openssl").arg("version").output().is_ok();
    if !is_there {
        skip("openssl");
    }
    is_there
}

/// Says that something is missing, which is a failure where CI is set.
pub(crate) fn skip(package: &str) {
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "{package} is not installed, and CI is set");
    println!("skipped: {package} is not installed (apt-get install {package})");
}

/// The binary, with its libraries, and without this machine's `openssl.cnf`, which must not speak in
/// the verdict.
pub(crate) fn command() -> Command {
    let binary = std::env::var_os("NGINX_BINARY").unwrap_or_else(|| OsString::from("nginx"));
    let mut command = Command::new(binary);
    command.env("OPENSSL_CONF", "/dev/null");
    if let Some(libraries) = std::env::var_os("NGINX_LIBRARIES") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command
}
