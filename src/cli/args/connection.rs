//! The options of kubectl that say which cluster, as whom, and how to connect.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ngf_cluster::Overrides;

const HEADING: &str = "Connection";

/// What kubectl calls its global options, apart from context, kubeconfig and namespace.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectionArgs {
    /// Cluster of the kubeconfig to use instead of the context's
    #[arg(long, global = true, value_name = "NAME", hide = true, help_heading = HEADING)]
    pub cluster: Option<String>,
    /// User of the kubeconfig to use instead of the context's
    #[arg(long, global = true, value_name = "NAME", hide = true, help_heading = HEADING)]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL", hide = true, help_heading = HEADING)]
    pub server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_env_values = true, hide = true, help_heading = HEADING)]
    pub token: Option<String>,
    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER", hide = true, help_heading = HEADING)]
    pub act_as: Option<String>,
    /// Group to act as; may be repeated; needs --as
    #[arg(long = "as-group", global = true, value_name = "GROUP", hide = true, help_heading = HEADING)]
    pub act_as_groups: Vec<String>,
    /// UID to act as; needs --as
    #[arg(long = "as-uid", global = true, value_name = "UID", hide = true, help_heading = HEADING)]
    pub act_as_uid: Option<String>,
    /// How long the API server may take to begin to answer one request: 5s, 1m; 0 sets no limit of its own
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        value_parser = super::values::request_timeout,
        hide = true, help_heading = HEADING
    )]
    pub request_timeout: Option<Duration>,
    /// Name to check in the API server's certificate, and to send as SNI
    #[arg(long, global = true, value_name = "NAME", hide = true, help_heading = HEADING)]
    pub tls_server_name: Option<String>,
    /// Do not check the API server's certificate: whoever answers gets the credentials
    #[arg(
        long,
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "true|false",
        conflicts_with = "certificate_authority",
        hide = true, help_heading = HEADING
    )]
    pub insecure_skip_tls_verify: Option<bool>,
    /// PEM file of the CAs that sign the API server's certificate
    #[arg(long, global = true, value_name = "FILE", hide = true, help_heading = HEADING)]
    pub certificate_authority: Option<PathBuf>,
    /// PEM file of the client certificate for the API server
    #[arg(long, global = true, value_name = "FILE", hide = true, help_heading = HEADING)]
    pub client_certificate: Option<PathBuf>,
    /// PEM file of that certificate's key
    #[arg(long, global = true, value_name = "FILE", hide = true, help_heading = HEADING)]
    pub client_key: Option<PathBuf>,
    /// Accepted as kubectl does, and ignored: nothing is cached
    #[arg(long, global = true, value_name = "DIR", hide = true, help_heading = HEADING)]
    pub cache_dir: Option<PathBuf>,
}

impl ConnectionArgs {
    /// What they change of the kubeconfig.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            server: self.server.clone(),
            token: self.token.clone().map(Into::into),
            act_as: self.act_as.clone(),
            act_as_groups: self.act_as_groups.clone(),
            act_as_uid: self.act_as_uid.clone(),
            request_timeout: self.request_timeout.filter(|limit| !limit.is_zero()),
            tls_server_name: self.tls_server_name.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            certificate_authority: self.certificate_authority.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
        }
    }
}
