//! What expires first, and what breaks then: every certificate that a path depends on, in order of
//! expiry, with who renews it; and each path, judged at a moment of one's choice.

mod breaks;
mod collect;
mod renewal;
mod scope;
mod within;

use std::cmp::Reverse;

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;
use serde::Serialize;

use super::{
    chain::{ChainPicture, Trust},
    context::Context,
    evidence::Evidence,
    hidden,
    plan::{Connection, PlannedTls},
};
use crate::model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology};

pub use renewal::Renewal;
pub use scope::Objects;
pub use within::Horizon;

/// What expires when.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The moment that is judged.
    pub at: Timestamp,
    /// The certificates, those that expire first before the others.
    pub entries: Vec<Entry>,
    /// The connections over TLS that the Gateways' nginx would open, those that do not hold first.
    pub paths: Vec<Path>,
    /// What could not be looked at, a sentence each.
    pub unknown: Vec<String>,
}

/// A certificate that a path depends on.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Itself.
    pub facts: CertificateFacts,
    /// Where it stands and for what.
    pub uses: Vec<Use>,
    /// What breaks when it expires, as things are, a sentence each.
    pub breaks: Vec<String>,
}

/// A place where a certificate stands, and the part that it plays there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Use {
    /// The part.
    pub part: Part,
    /// Whose part: the policy, Gateway, Service, listener or issuer.
    pub of: String,
    /// The Secret or ConfigMap; `None` where only a probe saw it.
    pub object: Option<ObjectRef>,
    /// The key in it.
    pub key: &'static str,
    /// Who renews it there.
    pub renewal: Renewal,
}

/// The part that a certificate plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A backend's own, or an intermediate that it sends.
    Backend,
    /// In the bundle by which a policy has backends checked.
    PolicyCa,
    /// A Gateway's client certificate, or an intermediate that it sends.
    Client,
    /// In what a backend's pods mount as the CA of clients.
    BackendCa,
    /// What a listener presents to clients.
    Listener,
    /// In a CA by which a listener verifies its clients.
    ListenerCa,
    /// The CA by which a cert-manager issuer signs one of these.
    Issuer,
}

/// A connection that nginx would open, judged at the timeline's moment.
#[derive(Debug, Clone)]
pub struct Path {
    /// `Gateway default/gateway → Service default/secure-app:8443`.
    pub title: String,
    /// The BackendTLSPolicy.
    pub policy: ObjectRef,
    /// Both directions: heading, whether it holds, and the same in words.
    pub directions: Vec<(String, Trust, String)>,
    /// Both as they are drawn.
    pub picture: ChainPicture,
}

impl Timeline {
    /// Looks at everything. `now` is the present, against which renewals are overdue; `at` is the
    /// moment that is judged.
    pub fn of(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp, at: Timestamp) -> Self {
        Self::limited_to(None, snapshot, evidence, now, at)
    }

    /// The same of what the traffic of these objects depends on; of everything where `None`.
    pub fn limited_to(
        only: Option<&Objects>,
        snapshot: &Snapshot,
        evidence: &Evidence,
        now: Timestamp,
        at: Timestamp,
    ) -> Self {
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let context = Context::new(snapshot, evidence, at, &index, &topology);
        let scope = scope::Scope::of(&context, only);
        let connections = collect::connections(&context, &scope);
        let mut unknown = Vec::new();
        let mut entries = collect::entries(&context, &scope, &connections, now, &mut unknown);
        for (connection, tls) in &connections {
            breaks::add(&context, connection, tls, &mut entries);
        }
        breaks::add_others(&mut entries);
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| (entry.facts.not_after, Reverse(entry.breaks.len()));
            key(a)
                .cmp(&key(b))
                .then_with(|| a.facts.subject.cmp(&b.facts.subject))
        });
        let hidden = hidden::of(snapshot, evidence);
        unknown.extend(
            hidden
                .iter()
                .map(|hidden| format!("hidden by RBAC: {}; {}", hidden.phrase, hidden.advice())),
        );
        unknown.sort();
        unknown.dedup();
        Self {
            at,
            entries,
            paths: paths(&context, &connections, now),
            unknown,
        }
    }

    /// Whether a certificate has expired, or is not valid yet, at the moment that is judged.
    pub fn is_anything_invalid(&self) -> bool {
        let at = self.at.as_second();
        self.entries.iter().any(|entry| !entry.is_valid_at(at))
    }
}

impl Entry {
    /// Whether it is valid at that moment, in seconds since 1970.
    pub fn is_valid_at(&self, at: i64) -> bool {
        (self.facts.not_before..=self.facts.not_after).contains(&at)
    }
}

impl Part {
    /// `is the CA by which backends are checked, for`.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Backend => "presented by",
            Self::PolicyCa => "trusted for backends, by",
            Self::Client => "client certificate of",
            Self::BackendCa => "probably trusted for clients by",
            Self::Listener => "presented to clients by",
            Self::ListenerCa => "trusted for clients by",
            Self::Issuer => "CA of",
        }
    }
}

fn paths(
    context: &Context<'_>,
    connections: &[(Connection, PlannedTls)],
    now: Timestamp,
) -> Vec<Path> {
    let mut paths: Vec<Path> = connections
        .iter()
        .map(|(connection, tls)| {
            let by = |evidence: &Evidence| {
                ChainPicture::of(
                    context.snapshot,
                    context.index,
                    evidence,
                    connection,
                    context.now.exactly(),
                )
            };
            let mut picture = by(context.evidence);
            if context.now.exactly() != now {
                // That a backend took the gateway's certificate today proves nothing of another
                // day; what it presented can be judged on any.
                let unproven = by(&Evidence::none()).columns;
                for (column, unproven) in picture.columns.iter_mut().zip(unproven).take(1) {
                    *column = unproven;
                }
            }
            Path {
                title: picture.title.clone(),
                policy: tls.policy.clone(),
                directions: picture
                    .columns
                    .iter()
                    .map(|column| {
                        let column = column.clone();
                        (column.heading, column.trust, column.conclusion)
                    })
                    .collect(),
                picture,
            }
        })
        .collect();
    let rank = |path: &Path| {
        path.directions
            .iter()
            .map(|(_, trust, _)| match trust {
                Trust::Broken(_) => 0,
                Trust::Unknown(_) => 1,
                Trust::Verified => 2,
            })
            .min()
    };
    paths.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.title.cmp(&b.title)));
    paths
}
