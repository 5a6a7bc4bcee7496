//! `scenario.yaml`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_tls::transcript::Outcome;
use serde::Deserialize;
use serde_json::Value;

use crate::support::pki::Wanted;

/// `scenario.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// What it is about, in a sentence.
    pub(crate) about: String,
    /// The scenario whose objects and certificates it starts from.
    pub(crate) base: Option<String>,
    /// Files of the directory that hold no Kubernetes object.
    #[serde(default)]
    pub(crate) data: Vec<String>,
    /// The objects come from files, so that what is missing may exist all the same.
    #[serde(default)]
    pub(crate) files: bool,
    /// The moment of the diagnosis.
    pub(crate) now: Option<Timestamp>,
    /// Certificates by name; `{{name.crt}}` and `{{name.key}}` in the objects mean them, and
    /// `{{name.line}}` is the certificate without the end of its last line, `{{name.headed}}` with a header in its block.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, Wanted>,
    /// Objects that are taken away, as `Kind/namespace/name`.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// JSON merge patches by `Kind/namespace/name`.
    #[serde(default)]
    pub(crate) patch: BTreeMap<String, Value>,
    /// Objects that are added.
    #[serde(default)]
    pub(crate) add: Vec<Value>,
    /// Kinds that may not be read.
    #[serde(default)]
    pub(crate) denied: Vec<String>,
    /// Why the API server does not answer any more, after everything was read.
    pub(crate) silent: Option<String>,
    /// Kinds that the cluster does not have.
    #[serde(default)]
    pub(crate) not_served: Vec<String>,
    /// Versions in which the cluster serves kinds, where they are not the preferred ones.
    #[serde(default)]
    pub(crate) versions: BTreeMap<String, String>,
    /// What probes saw.
    #[serde(default)]
    pub(crate) probes: Vec<SeenByProbe>,
    /// What logs said: lines as the API server gives them, each with its time before it.
    #[serde(default)]
    pub(crate) logs: Vec<SeenInLog>,
    /// What nginx is using.
    #[serde(default)]
    pub(crate) rendered: Vec<SeenInPod>,
    /// What handshakes with listeners saw.
    #[serde(default)]
    pub(crate) listeners: Vec<SeenByClient>,
    /// What the API server said to manifests.
    #[serde(default)]
    pub(crate) dry_runs: Vec<SaidByServer>,
    /// Rules that narrowly do not fire here.
    #[serde(default)]
    pub(crate) near: Vec<String>,
    /// What NGF says: conditions as `Type Status/Reason message` by `Kind/namespace/name`, which take the
    /// place of those of their type, for every parent and ancestor.
    #[serde(default)]
    pub(crate) says: BTreeMap<String, Vec<String>>,
    /// What the text of findings says, by code.
    #[serde(default)]
    pub(crate) words: BTreeMap<String, Vec<String>>,
    /// The findings in order, as `CODE [warning|info] [unknown] [by CODE]`.
    pub(crate) expect: Vec<String>,
}

/// What a probe of each endpoint of a target saw.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenByProbe {
    /// `httproute/NAME`.
    pub(crate) target: String,
    /// Only the endpoint of this address.
    pub(crate) address: Option<String>,
    /// The way as transcripts name it, such as `exec in POD`; `direct` where left out.
    pub(crate) via: Option<String>,
    /// `ok`, `verify_error`, ….
    pub(crate) outcome: Outcome,
    /// OpenSSL's number.
    pub(crate) verify_code: Option<i32>,
    /// Alert number.
    pub(crate) alert: Option<u8>,
    /// The probe itself could not be run, for this reason.
    pub(crate) failed: Option<String>,
    /// What nginx would log.
    pub(crate) log: Option<String>,
    /// TLS version; TLS 1.3 where left out, none where the handshake never came about.
    pub(crate) version: Option<String>,
    /// Certificates that the server sent, by name.
    #[serde(default)]
    pub(crate) served: Vec<String>,
    /// The CA names in its CertificateRequest; left out where it sent none.
    pub(crate) asks: Option<Vec<String>>,
    /// HTTP status.
    pub(crate) status: Option<u16>,
    /// HTTP body.
    #[serde(default)]
    pub(crate) body: String,
    /// `Server` header.
    pub(crate) server: Option<String>,
    /// What the gateway's client would get.
    pub(crate) client_status: Option<u16>,
    /// Seconds before now that it ran.
    #[serde(default)]
    pub(crate) ago: i64,
}

/// What a handshake with a listener saw.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenByClient {
    /// `Kind/namespace/name` of the Gateway.
    pub(crate) gateway: String,
    /// The listener's name.
    pub(crate) listener: String,
    /// The name that was asked for.
    pub(crate) server_name: String,
    /// Certificates that it presented, by name.
    #[serde(default)]
    pub(crate) presents: Vec<String>,
    /// Whether a strict client accepts them.
    pub(crate) accepted: Option<bool>,
    /// Why, in a sentence.
    #[serde(default)]
    pub(crate) verdict: String,
    /// Why the handshake was not completed.
    pub(crate) failed: Option<String>,
    /// Why there was none.
    pub(crate) untested: Option<String>,
}

/// The log of a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenInLog {
    /// `data_plane`, `application` or `controller`; the first where left out.
    #[serde(default)]
    pub(crate) role: SeenRole,
    /// The pod, in namespace default.
    pub(crate) pod: String,
    /// Why it could not be read.
    pub(crate) failed: Option<String>,
    /// Its lines.
    #[serde(default)]
    pub(crate) lines: Vec<String>,
}

/// Whose log.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeenRole {
    #[default]
    DataPlane,
    Application,
    Controller,
}

/// What the nginx of a data-plane pod is using.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenInPod {
    /// The pod, in namespace default.
    pub(crate) pod: String,
    /// What `nginx -T` prints.
    #[serde(default)]
    pub(crate) configuration: String,
    /// Certificates by file: names of those that were minted.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, Vec<String>>,
    /// Objects that have changed since it was read.
    #[serde(default)]
    pub(crate) changed_since: Vec<String>,
    /// Why it could not be read.
    pub(crate) failed: Option<String>,
}

/// What the API server said to a manifest that it was asked about by a dry run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaidByServer {
    /// `Kind/namespace/name`.
    pub(crate) object: String,
    /// It refuses: its words.
    pub(crate) refused: Option<String>,
    /// The fields that it names, each with what is wrong with it.
    #[serde(default)]
    pub(crate) causes: BTreeMap<String, String>,
    /// It could not be asked, or could not say: why.
    pub(crate) unknown: Option<String>,
    /// Fields that it drops.
    #[serde(default)]
    pub(crate) dropped: Vec<String>,
    /// Fields that it stores with another value.
    #[serde(default)]
    pub(crate) altered: Vec<String>,
    /// Its warnings.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}
