//! What the readers of a cluster tell the store.

use std::collections::HashSet;

use jiff::Timestamp;
use ngf_core::model::{
    decode::Decoded,
    kind::Kind,
    object::ObjectRef,
    snapshot::{KindState, Lost, Problem},
};

/// One thing that became known.
#[derive(Debug)]
pub(super) enum Delta {
    /// These objects are new or changed.
    Changed(Vec<Decoded>),
    /// This object is gone; a Secret or ConfigMap that something refers to does not exist.
    Gone(ObjectRef),
    /// A list is complete: of this kind, these objects exist and no others.
    Listed(Kind, HashSet<ObjectRef>),
    /// What is known of a kind.
    State(Kind, KindState),
    /// A kind is read in this namespace only, though more was asked for; or no longer so.
    Narrowed(Kind, Option<String>),
    /// The cluster does not have the kind any more: its objects are gone with it.
    Dropped(Kind),
    /// A Secret or ConfigMap that something refers to is unknown, for this reason.
    Unknown(ObjectRef, String),
    /// A Secret or ConfigMap that something refers to may not be read: the API server's words.
    Denied(ObjectRef, String),
    /// A Secret or ConfigMap that is not watched was read.
    Read {
        /// Which one.
        object: ObjectRef,
        /// When.
        at: Timestamp,
        /// Somebody waits for it.
        is_urgent: bool,
    },
    /// A Secret or ConfigMap is watched from now on.
    Watched(ObjectRef),
    /// Nothing refers to this Secret or ConfigMap any more.
    Forgotten(ObjectRef),
    /// An object that could not be read at all.
    Problem(Box<Problem>),
    /// Nothing is known of any kind that is still loading, for this reason.
    Undiscovered(String),
    /// A kind cannot be read, because of the API server and not of the kind.
    Troubled(Kind),
    /// The API server does not answer, or accepts no request: what is shown may be old.
    Lost(Box<Lost>),
    /// The API server answers again.
    Answering,
}
