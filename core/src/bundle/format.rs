//! What a bundle has, field by field.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_tls::transcript::Transcript;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recording;
use crate::{
    diagnosis::{
        Evidence,
        endpoint_matrix::EndpointMatrix,
        plan::ProbePlan,
        probe_context::{ProbeContext, WayTaken},
    },
    logs::PodLog,
    model::{object::ObjectRef, snapshot::Snapshot},
    nginx_config::InPod,
};

/// The `schema` of every bundle that this version writes.
pub const SCHEMA: &str = "ngf-tui/bundle/v1";
/// Bytes of a bundle that is opened.
pub const MAX_BYTES: u64 = 256 << 20;

/// What was seen, and when.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The objects.
    pub snapshot: Snapshot,
    /// What was measured.
    pub evidence: Evidence,
    /// The moment at which it was seen.
    pub at: Timestamp,
}

/// A bundle that cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not JSON, or has other fields.
    #[error("it is not a bundle of ngf-tui: {0}")]
    NotOne(String),
    /// Another version wrote it.
    #[error("it is a bundle of version {found:?}: this program reads {SCHEMA}")]
    Version {
        /// Its `schema`.
        found: String,
    },
    /// It is no recording.
    #[error("it is no recording of ngf-tui: {0}")]
    Recording(String),
    /// Another version wrote it, or it is something else.
    #[error(
        "it is {found:?}, and a recording is {:?}: --from opens a bundle",
        recording::SCHEMA
    )]
    OtherRecording {
        /// Its `schema`.
        found: String,
    },
    /// JSON cannot be written.
    #[error("it cannot be written as JSON: {0}")]
    Write(#[from] serde_json::Error),
}

/// The document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    pub(super) schema: String,
    /// The version of the program that wrote it.
    pub(super) tool: String,
    /// The moment at which it was seen.
    pub(super) at: Timestamp,
    /// The context of the kubeconfig. The API server's address is not in it.
    pub(super) context: String,
    /// Of Kubernetes, as `major.minor`.
    pub(super) kubernetes: Option<String>,
    /// The one namespace that was read; `null` for all.
    pub(super) namespace: Option<String>,
    pub(super) kinds: BTreeMap<String, State>,
    /// Kinds of which one namespace only may be read.
    pub(super) narrowed: BTreeMap<String, String>,
    /// Secrets and ConfigMaps that may not be read.
    pub(super) denied: Vec<Name>,
    /// Objects as the API server gave them, redacted.
    pub(super) objects: Vec<Value>,
    /// Secrets and ConfigMaps, as facts.
    pub(super) held: Vec<Held>,
    pub(super) probes: Vec<Probe>,
    /// Handshakes with listeners.
    #[serde(default)]
    pub(super) listeners: Vec<Listener>,
    /// The last endpoint matrix of each Gateway.
    #[serde(default)]
    pub(super) matrices: Vec<StoredMatrix>,
    pub(super) untested: Vec<Untested>,
    pub(super) logs: Vec<PodLog>,
    pub(super) nginx: Vec<InPod>,
    /// Objects that changed after nginx's configuration was read.
    #[serde(default)]
    pub(super) behind: Vec<Behind>,
}

/// Objects that changed after the configuration of this pod's nginx was read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Behind {
    pub(super) pod: ObjectRef,
    pub(super) objects: Vec<ObjectRef>,
}

/// What is known of a kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    Live { version: String },
    NotServed,
    UnknownVersions { versions: Vec<String> },
    Denied { why: String },
    Failed { why: String },
}

/// An object by name.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_field_names)] // Kubernetes calls it so
pub(super) struct Name {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A Secret or ConfigMap.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Held {
    #[serde(flatten)]
    pub(super) name: Name,
    /// Why nothing is known of it; `null` where it exists or is known to be absent.
    pub(super) unknown: Option<String>,
    pub(super) absent: bool,
    /// The object without its values.
    pub(super) object: Value,
    /// The names of its keys, with the length of each value.
    pub(super) keys: BTreeMap<String, usize>,
    pub(super) tls_crt: Pem,
    pub(super) ca_crt: Pem,
    pub(super) key: Key,
    /// What NGF makes of `tls.crt` and `tls.key`; bundles of earlier versions do not say.
    #[serde(default)]
    pub(super) pair_by_ngf: Judged,
    /// What NGF makes of `ca.crt`, likewise.
    #[serde(default)]
    pub(super) ca_by_ngf: Judged,
}

/// Whether NGF takes what a key holds.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Judged {
    #[default]
    Unknown,
    Taken,
    Refused {
        /// NGF's words.
        words: String,
        oddity: Option<String>,
    },
}

/// Certificates.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Pem {
    #[default]
    Missing,
    Empty,
    /// DER in base64.
    Certificates {
        der: Vec<String>,
        trailing: Option<String>,
        /// The last line of the text is not ended.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open_end: bool,
    },
    Broken {
        why: String,
    },
}

/// What is known of a private key.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", content = "is", rename_all = "snake_case")]
pub(super) enum Key {
    #[default]
    Missing,
    Fits(String),
    DoesNotFit(String),
    Encrypted,
    Broken(String),
    Unpaired(String),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Probe {
    pub(super) plan: ProbePlan,
    /// The data-plane pod that it left from.
    pub(super) pod: Option<String>,
    pub(super) at: Timestamp,
    pub(super) transcript: Option<Transcript>,
    /// The certificates that the backend sent: DER in base64.
    pub(super) chain: Vec<String>,
    pub(super) failed: Option<String>,
    /// The transport.
    #[serde(default)]
    pub(super) way: Option<WayTaken>,
    /// What the gateway's client gets, what was logged at that moment, and how names resolve.
    #[serde(default)]
    pub(super) context: Option<ProbeContext>,
}

/// A handshake with a listener, as one of the Gateway's clients makes it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_field_names)] // a listener has a name, and so has the one who has it
pub(super) struct Listener {
    pub(super) gateway: ObjectRef,
    /// The Gateway or ListenerSet that has the listener.
    pub(super) owner: ObjectRef,
    /// The listener's name.
    pub(super) listener: String,
    /// The name that the client asks for, by SNI.
    pub(super) server_name: String,
    pub(super) at: Timestamp,
    /// Why there was no handshake; `null` where there was one.
    pub(super) failed: Option<String>,
    pub(super) via: String,
    /// The certificates that the listener presented: DER in base64.
    pub(super) chain: Vec<String>,
    /// Whether a strict client accepts them; `null` where that depends on a CA that is not known.
    pub(super) accepted: Option<bool>,
    /// The same in a sentence.
    pub(super) verdict: String,
    /// Why the handshake was not completed; `null` where it was.
    pub(super) broke_off: Option<String>,
}

/// The endpoint matrix of a Gateway.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct StoredMatrix {
    pub(super) gateway: ObjectRef,
    pub(super) matrix: EndpointMatrix,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Untested {
    pub(super) gateway: ObjectRef,
    pub(super) route: ObjectRef,
    pub(super) rule: usize,
    pub(super) service: ObjectRef,
    pub(super) port: u16,
    pub(super) address: String,
    pub(super) endpoint_port: u16,
    pub(super) why: String,
}
