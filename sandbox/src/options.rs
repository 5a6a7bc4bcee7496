//! How the embedded cluster is to be, and what its user may do.

use std::net::{Ipv4Addr, SocketAddr};

use crate::guide::Stage;
use crate::scenarios::{Quirk, Scenario};

/// What to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// What to play.
    pub scenario: &'static Scenario,
    /// Where in the guide to start.
    pub stage: Stage,
    /// The address of the API; the default is a free port of 127.0.0.1. Loopback only.
    pub address: SocketAddr,
    /// What the user of the kubeconfig may not do.
    pub denied: Vec<Denied>,
    /// What the user of the kubeconfig may do, if that is not everything.
    pub allowed: Option<Vec<Rule>>,
    /// Kubernetes 1.MINOR is what the cluster says it is, and does as it does: before 1.30 it speaks
    /// no `v5.channel.k8s.io`, and from 1.35 on exec and port-forward want the right to create.
    pub minor: u32,
    /// What makes it harder to work in its pods.
    pub quirks: Vec<Quirk>,
    /// Gives pods an address each (127.x.y.10, …) with the ports that they name, where the system
    /// allows it; without it they share 127.0.0.1 and take free ports.
    pub own_network: bool,
}

impl SandboxOptions {
    /// The scenario at a stage, on a free port, everything allowed.
    pub fn new(scenario: &'static Scenario, stage: Stage) -> Self {
        Self {
            scenario,
            stage,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            denied: Vec::new(),
            allowed: None,
            minor: 33,
            quirks: Vec::new(),
            own_network: true,
        }
    }
}

/// Something that the user may not do: requests get 403, access reviews say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// `get`, `list`, `watch`, `create`, …; `*` for all.
    pub verb: String,
    /// `secrets`, `pods/log`, `backendtlspolicies.gateway.networking.k8s.io`.
    pub resource: String,
}

/// A rule of a Role or ClusterRole (`rbac.authorization.k8s.io/v1`, `PolicyRule`).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// `""` for the core group, `*` for all.
    pub api_groups: Vec<String>,
    /// `pods`, `pods/exec`, `*`.
    pub resources: Vec<String>,
    /// `get`, `*`.
    pub verbs: Vec<String>,
    /// The namespace of the Role; none of a ClusterRole that is bound for all.
    #[serde(skip)]
    pub namespace: Option<String>,
}

impl Rule {
    /// The rules of all roles of a manifest; documents that are no roles have none.
    pub fn of_roles(manifest: &str) -> Vec<Self> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Role {
            rules: Vec<Rule>,
        }
        let roles = manifest.split("\n---\n");
        roles
            .filter_map(|role| serde_saphyr::from_str::<Role>(role).ok())
            .flat_map(|role| role.rules)
            .collect()
    }

    /// Whether it lets its user do this.
    pub(crate) fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let holds =
            |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        holds(&self.api_groups, group)
            && holds(&self.resources, resource)
            && holds(&self.verbs, verb)
    }
}
