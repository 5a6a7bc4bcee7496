//! What the API server said to a manifest that it was asked about by a dry run.

use super::Laid;
use crate::model::{decode::Decoded, object::ObjectRef};

/// Why nobody asks where nothing may be written.
pub const READ_ONLY: &str =
    "--read-only, or NGF_TUI_READ_ONLY, is set, and a dry run takes the rights of a write";

/// The answer to one manifest. Every text is cleaned and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRunAnswer {
    /// The object.
    pub object: ObjectRef,
    /// Where its manifest stands: file, document and line; empty where that is not known.
    pub place: String,
    /// What would become of it.
    pub outcome: DryRunOutcome,
    /// The API server's and its webhooks' warnings.
    pub warnings: Vec<String>,
}

/// What would become of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRunOutcome {
    /// The API server would store it.
    Taken {
        /// Fields that it drops, as paths.
        dropped: Vec<String>,
        /// Fields that it, or a webhook, stores with another value than the manifest's.
        altered: Vec<String>,
    },
    /// The API server would refuse it.
    Refused(ManifestRefusal),
    /// It could not be asked, or could not say: why, without the object's name, so that many objects
    /// can share it.
    Unknown(String),
}

/// Why the API server would refuse a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRefusal {
    /// Its words.
    pub words: String,
    /// The fields that it names, each with what is wrong with it.
    pub causes: Vec<(String, String)>,
    /// What kind of refusal it is.
    pub why: Why,
}

/// Kinds of refusals: each asks for another remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The object breaks its schema, or a rule of it.
    Invalid,
    /// A field that never changes would change.
    Immutable,
    /// Another manager owns a field, or the object changed since the manifest was written.
    Conflict,
    /// An admission webhook or policy does not let it in.
    Admission,
    /// The cluster does not have the kind in this version.
    NotServed,
    /// There is no such namespace.
    NoNamespace,
}

/// What the API server said to a manifest, and what it would store.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What it said.
    pub said: DryRunAnswer,
    /// The object as it would be, and what that is to the cluster; `None` unless it is taken.
    pub stored: Option<(Decoded, Laid)>,
}
