//! Arguments of the commands that change a cluster, or write manifests.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    input::FileArgs,
    values::{CodeParser, duration},
};

/// Arguments of `fix`.
#[derive(Debug, Clone, Args)]
pub struct FixArgs {
    /// The finding's code, such as NGF-G7; without it, what can be fixed is listed
    #[arg(value_name = "CODE", value_parser = CodeParser, hide_possible_values = true)]
    pub code: Option<String>,
    /// The object that the finding is about, where there are several: KIND/NAME or KIND/NAMESPACE/NAME
    #[arg(value_name = "OBJECT", requires = "code", num_args = 0..=2)]
    pub object: Vec<String>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// Apply it without asking
    #[arg(long, requires = "code", conflicts_with = "dry_run")]
    pub yes: bool,
    /// Show it and try it on the API server; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The Service that gets mutual TLS: service/NAME or service/NAMESPACE/NAME
    #[arg(value_name = "service/NAME", required = true, num_args = 1..=2)]
    pub service: Vec<String>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// The name in the backend's certificate, which nginx sends and checks
    #[arg(long, value_name = "NAME")]
    pub hostname: String,
    /// The Gateway (default: the one whose routes lead to the Service)
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub gateway: Option<String>,
    /// Only this port of the Service, by number or name (default: all)
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// What holds the CA of the backend's certificate: configmap/NAME or secret/NAME with ca.crt
    #[arg(long, value_name = "KIND/NAME")]
    pub ca: Option<String>,
    /// The TLS Secret that the Gateway presents: NAME, or NAMESPACE/NAME of another namespace
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub client_secret: Option<String>,
    /// The cert-manager issuer that signs what is missing: clusterissuer/NAME, issuer/NAME or NAME
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// Folder to write the manifests to, one file each; - is standard output
    #[arg(short, long, default_value = "-", value_name = "DIR")]
    pub output: PathBuf,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `cleanup`.
#[derive(Debug, Clone, Args)]
pub struct CleanupArgs {
    /// Only list what is there, with its age, its owner and whether it is in use
    #[arg(long)]
    pub dry_run: bool,
    /// Remove debug pods that are in use or may be, too, without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
}
