//! Who the kubeconfig says the user is, and the files that hold the credentials: read beside
//! [`config`](super::config), for words and to notice that somebody has logged in again.

use std::{
    env, fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    time::SystemTime,
};

use kube::config::Kubeconfig;

use super::{ClusterOptions, error::bounded};

/// Bytes of a kubeconfig; what is larger is not read here.
const MAX_FILE: u64 = 1 << 20;

/// The credentials of a context, without their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    /// `user "alice"`, with the plugin where there is one; empty where it is not known.
    pub(super) who: String,
    /// Whether a plugin makes the credentials.
    pub(super) has_plugin: bool,
    /// The kubeconfig files, and those that the context's user names.
    files: Vec<PathBuf>,
}

impl Login {
    /// Reads it. A pipe is not read, because its text can be read only once.
    pub(super) fn of(options: &ClusterOptions, context: &str) -> Self {
        let mut login = Self::default();
        if options.kubeconfig_text.is_some() {
            return login;
        }
        let files = kubeconfigs(options);
        let all: Vec<(PathBuf, Kubeconfig)> = files
            .into_iter()
            .filter(|path| is_small_file(path))
            .filter_map(|path| Kubeconfig::read_from(&path).ok().map(|read| (path, read)))
            .collect();
        login.files = all.iter().map(|(path, _)| path.clone()).collect();
        let contexts = || all.iter().flat_map(|(_, read)| &read.contexts);
        let Some(user) = contexts()
            .find(|known| known.name == context)
            .and_then(|found| found.context.as_ref()?.user.clone())
        else {
            return login;
        };
        login.who = format!("user {:?}", bounded(&user));
        for (path, read) in &all {
            let Some(info) = read.auth_infos.iter().find(|known| known.name == user) else {
                continue;
            };
            let Some(info) = &info.auth_info else { break };
            if let Some(command) = info.exec.as_ref().and_then(|exec| exec.command.as_ref()) {
                login.has_plugin = true;
                let command = bounded(command);
                login.who = format!("{}, plugin {command:?}", login.who);
            }
            let named = [&info.client_certificate, &info.client_key, &info.token_file];
            let folder = path.parent().unwrap_or(Path::new(""));
            let named = named.into_iter().flatten().map(|file| folder.join(file));
            login.files.extend(named);
            break;
        }
        login
    }

    /// Changes when one of the files does.
    pub(super) fn fingerprint(&self, key: &RandomState) -> u64 {
        let mut hasher = key.build_hasher();
        for path in &self.files {
            let Ok(found) = fs::metadata(path) else {
                hasher.write_u8(0);
                continue;
            };
            hasher.write_u64(found.len());
            let at = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let since = at.duration_since(SystemTime::UNIX_EPOCH);
            hasher.write_u128(since.map_or(0, |since| since.as_nanos()));
        }
        hasher.finish()
    }
}

/// The files that `config` would read, in its order.
fn kubeconfigs(options: &ClusterOptions) -> Vec<PathBuf> {
    if let Some(path) = &options.kubeconfig {
        return vec![path.clone()];
    }
    let listed = env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if listed.is_empty() {
        let home = env::home_dir();
        return home
            .map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect();
    }
    listed
}

fn is_small_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_the_plugin_and_the_files_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let config = "contexts: [{name: c, context: {cluster: c, user: alice}}]\n\
             users:\n\
             - name: bob\n  user: {token: never-shown}\n\
             - name: alice\n  user: {client-certificate: a.crt, exec: {apiVersion: v1, command: get-token, interactiveMode: Never}}\n";
        fs::write(&path, config).expect("a file");
        let options = ClusterOptions {
            kubeconfig: Some(path.clone()),
            ..ClusterOptions::default()
        };
        let login = Login::of(&options, "c");
        assert_eq!(login.who, "user \"alice\", plugin \"get-token\"");
        assert!(login.has_plugin);
        let key = RandomState::new();
        let before = login.fingerprint(&key);
        assert_eq!(login.fingerprint(&key), before);
        fs::write(folder.path().join("a.crt"), "rotated").expect("a file");
        let rotated = login.fingerprint(&key);
        assert_ne!(rotated, before, "the certificate is rotated");
        fs::write(&path, config.replace("bob", "carol")).expect("a file");
        assert_ne!(login.fingerprint(&key), rotated, "the kubeconfig is new");
        assert_eq!(Login::of(&options, "other").who, "");
    }
}
