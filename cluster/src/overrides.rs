//! What a command line changes of the kubeconfig: kubectl's connection flags, by kubectl's rules.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::config::{
    AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use secrecy::{ExposeSecret, SecretString};

/// The name of the context that flags alone describe.
const COMMAND_LINE: &str = "command line";

/// kubectl's connection flags.
#[derive(Clone, Default)]
pub struct Overrides {
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--token`.
    pub token: Option<SecretString>,
    /// `--as`.
    pub act_as: Option<String>,
    /// `--as-group`.
    pub act_as_groups: Vec<String>,
    /// `--as-uid`.
    pub act_as_uid: Option<String>,
    /// `--request-timeout`.
    pub request_timeout: Option<Duration>,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: Option<bool>,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`.
    pub client_key: Option<PathBuf>,
}

/// Without the token.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("cluster", &self.cluster)
            .field("user", &self.user)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Overrides {
    /// A kubeconfig of the flags alone, where `--server` says enough: kubectl needs no file then.
    pub(super) fn alone(&self) -> Option<Kubeconfig> {
        self.server.as_ref()?;
        let name = || COMMAND_LINE.to_owned();
        Some(Kubeconfig {
            current_context: Some(name()),
            contexts: vec![NamedContext {
                name: name(),
                context: Some(Context {
                    cluster: name(),
                    user: Some(name()),
                    ..Context::default()
                }),
                ..NamedContext::default()
            }],
            clusters: vec![NamedCluster {
                name: name(),
                cluster: Some(Cluster::default()),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: name(),
                auth_info: Some(AuthInfo::default()),
                ..NamedAuthInfo::default()
            }],
            ..Kubeconfig::default()
        })
    }

    /// Writes the flags into a context of the kubeconfig, with its cluster and its user.
    ///
    /// # Errors
    /// A sentence: a cluster or user that is not there, flags that exclude each other.
    pub(super) fn apply(&self, kubeconfig: &mut Kubeconfig, context: &str) -> Result<(), String> {
        let contexts = kubeconfig.contexts.iter_mut();
        let mut named = contexts.filter(|known| known.name == context);
        let Some(context) = named.find_map(|known| known.context.as_mut()) else {
            return Ok(());
        };
        if let Some(name) = &self.cluster {
            known(
                name,
                "cluster",
                kubeconfig.clusters.iter().map(|known| &known.name),
            )?;
            context.cluster.clone_from(name);
        }
        if let Some(name) = &self.user {
            known(
                name,
                "user",
                kubeconfig.auth_infos.iter().map(|known| &known.name),
            )?;
            context.user = Some(name.clone());
        }
        let clusters = kubeconfig.clusters.iter_mut();
        let of_context = clusters.filter(|known| known.name == context.cluster);
        for cluster in of_context.filter_map(|known| known.cluster.as_mut()) {
            self.apply_to_cluster(cluster);
        }
        if !self.changes_user() {
            return Ok(());
        }
        // A context without a user gets one: the flags' own.
        let user = context.user.get_or_insert_with(|| COMMAND_LINE.to_owned());
        if !kubeconfig
            .auth_infos
            .iter()
            .any(|known| known.name == *user)
        {
            kubeconfig.auth_infos.push(NamedAuthInfo {
                name: user.clone(),
                auth_info: None,
                ..NamedAuthInfo::default()
            });
        }
        let users = kubeconfig.auth_infos.iter_mut();
        for named in users.filter(|known| known.name == *user) {
            self.apply_to_user(named.auth_info.get_or_insert_default())?;
        }
        Ok(())
    }

    fn apply_to_cluster(&self, cluster: &mut Cluster) {
        if let Some(server) = &self.server {
            // As client-go does: the name belonged to the other server.
            if cluster.server.as_ref() != Some(server) {
                cluster.tls_server_name = None;
            }
            cluster.server = Some(server.clone());
        }
        if let Some(name) = &self.tls_server_name {
            cluster.tls_server_name = Some(name.clone());
        }
        if let Some(path) = &self.certificate_authority {
            cluster.certificate_authority = Some(absolute(path));
            cluster.certificate_authority_data = None;
            cluster.insecure_skip_tls_verify = None;
        }
        if let Some(insecure) = self.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = Some(insecure);
            if insecure {
                cluster.certificate_authority = None;
                cluster.certificate_authority_data = None;
            }
        }
    }

    fn changes_user(&self) -> bool {
        self.token.is_some()
            || self.act_as.is_some()
            || self.act_as_uid.is_some()
            || !self.act_as_groups.is_empty()
            || self.client_certificate.is_some()
            || self.client_key.is_some()
    }

    fn apply_to_user(&self, user: &mut AuthInfo) -> Result<(), String> {
        if let Some(token) = &self.token {
            if token.expose_secret().trim().is_empty() {
                return Err("--token is empty".to_owned());
            }
            user.token = Some(token.clone());
            user.token_file = None;
            user.username = None;
            user.password = None;
            user.exec = None;
            user.auth_provider = None;
        }
        if let Some(path) = &self.client_certificate {
            user.client_certificate = Some(absolute(path));
            user.client_certificate_data = None;
        }
        if let Some(path) = &self.client_key {
            user.client_key = Some(absolute(path));
            user.client_key_data = None;
        }
        if let Some(name) = &self.act_as {
            user.impersonate = Some(name.clone());
        }
        if let Some(uid) = &self.act_as_uid {
            user.impersonate_uid = Some(uid.clone());
        }
        if !self.act_as_groups.is_empty() {
            user.impersonate_groups = Some(self.act_as_groups.clone());
        }
        let has_more = self.act_as_uid.is_some() || !self.act_as_groups.is_empty();
        if has_more && user.impersonate.as_ref().is_none_or(String::is_empty) {
            return Err("--as-group and --as-uid need --as".to_owned());
        }
        Ok(())
    }
}

/// A flag's path belongs to the working folder, where those of a kubeconfig belong to its own.
fn absolute(path: &Path) -> String {
    let folder = env::current_dir().unwrap_or_default();
    folder.join(path).to_string_lossy().into_owned()
}

fn known<'k>(
    name: &str,
    what: &str,
    mut all: impl Iterator<Item = &'k String>,
) -> Result<(), String> {
    if all.any(|known| known == name) {
        return Ok(());
    }
    let name = ngf_core::model::clean::clean_line(name);
    Err(format!("the kubeconfig has no {what} {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
current-context: a
contexts: [{name: a, context: {cluster: one, user: alice}}, {name: b, context: {cluster: two}}]
clusters:
- {name: one, cluster: {server: 'https://one', certificate-authority-data: QQ==, tls-server-name: n}}
- {name: two, cluster: {server: 'https://two', insecure-skip-tls-verify: true}}
users:
- {name: alice, user: {token: old, exec: {command: login}}}
- {name: bob, user: {username: bob, password: never-shown}}
";

    fn applied(
        overrides: &Overrides,
        context: &str,
    ) -> Result<(Context, Cluster, AuthInfo), String> {
        let mut config = Kubeconfig::from_yaml(CONFIG).expect("a kubeconfig");
        overrides.apply(&mut config, context)?;
        let named = config.contexts.iter().find(|known| known.name == context);
        let context = named.and_then(|known| known.context.clone()).expect("it");
        let cluster = config
            .clusters
            .iter()
            .find(|known| known.name == context.cluster);
        let user = config.auth_infos.iter();
        let user = user
            .clone()
            .find(|known| Some(&known.name) == context.user.as_ref());
        Ok((
            context,
            cluster
                .and_then(|known| known.cluster.clone())
                .expect("a cluster"),
            user.and_then(|known| known.auth_info.clone())
                .unwrap_or_default(),
        ))
    }

    #[test]
    fn a_cluster_and_a_user_replace_those_of_the_context() {
        let overrides = Overrides {
            cluster: Some("two".to_owned()),
            user: Some("bob".to_owned()),
            ..Overrides::default()
        };
        let (_, cluster, user) = applied(&overrides, "a").expect("known names");
        assert_eq!(cluster.server.as_deref(), Some("https://two"));
        assert_eq!(user.username.as_deref(), Some("bob"));
        for (cluster, user, says) in [
            (Some("x"), None, "the kubeconfig has no cluster \"x\""),
            (None, Some("x"), "the kubeconfig has no user \"x\""),
        ] {
            let overrides = Overrides {
                cluster: cluster.map(str::to_owned),
                user: user.map(str::to_owned),
                ..Overrides::default()
            };
            assert_eq!(applied(&overrides, "a").err().as_deref(), Some(says));
        }
    }

    #[test]
    fn a_token_replaces_every_other_way_to_make_one() {
        let overrides = Overrides {
            token: Some("new".to_owned().into()),
            ..Overrides::default()
        };
        let (_, _, user) = applied(&overrides, "a").expect("usable");
        assert!(user.exec.is_none() && user.username.is_none());
        assert_eq!(user.token.expect("a token").expose_secret(), "new");
        let (context, _, user) = applied(&overrides, "b").expect("usable");
        assert!(context.user.is_some(), "a context without a user gets one");
        assert_eq!(user.token.expect("a token").expose_secret(), "new");
        assert!(!format!("{overrides:?}").contains("new"));
    }

    #[test]
    fn another_server_leaves_the_name_of_the_former_behind() {
        let overrides = Overrides {
            server: Some("https://three".to_owned()),
            ..Overrides::default()
        };
        let (_, cluster, _) = applied(&overrides, "a").expect("usable");
        assert_eq!(cluster.tls_server_name, None);
        assert!(cluster.certificate_authority_data.is_some());
        let named = Overrides {
            tls_server_name: Some("x".to_owned()),
            ..overrides
        };
        let (_, cluster, _) = applied(&named, "a").expect("usable");
        assert_eq!(cluster.tls_server_name.as_deref(), Some("x"));
    }

    #[test]
    fn a_ca_and_no_check_exclude_each_other() {
        let insecure = Overrides {
            insecure_skip_tls_verify: Some(true),
            ..Overrides::default()
        };
        let (_, cluster, _) = applied(&insecure, "a").expect("usable");
        assert!(cluster.certificate_authority_data.is_none());
        let with_ca = Overrides {
            certificate_authority: Some("ca.crt".into()),
            ..Overrides::default()
        };
        let (_, cluster, _) = applied(&with_ca, "b").expect("usable");
        assert_eq!(cluster.insecure_skip_tls_verify, None);
        let path = cluster.certificate_authority.expect("a path");
        assert!(Path::new(&path).is_absolute(), "{path}");
    }

    #[test]
    fn groups_need_somebody_to_act_as() {
        let groups = Overrides {
            act_as_groups: vec!["ops".to_owned()],
            ..Overrides::default()
        };
        let error = applied(&groups, "a").err();
        assert_eq!(error.as_deref(), Some("--as-group and --as-uid need --as"));
        let both = Overrides {
            act_as: Some("jane".to_owned()),
            ..groups
        };
        let (_, _, user) = applied(&both, "a").expect("usable");
        assert_eq!(user.impersonate.as_deref(), Some("jane"));
        assert_eq!(
            user.impersonate_groups.as_deref(),
            Some(&["ops".to_owned()][..])
        );
    }
}
