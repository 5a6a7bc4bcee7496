//! Both directions of trust between a Gateway's nginx and a backend, as plain data: boxes from what
//! is presented down to what is trusted, each joined to the one above it by a link that is verified,
//! broken or unknown.

mod backend;
mod build;
mod gateway;
mod provenance;

use std::sync::Arc;

use jiff::Timestamp;
use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};

use super::{
    evidence::{Evidence, Probed},
    plan::{Connection, PlanError, ProbeTarget, connections, plan_all},
    words,
};
use crate::model::{index::Index, snapshot::Snapshot, topology::Topology};

/// Both directions of trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPicture {
    /// The connection that it is about: `Gateway default/gateway → Service default/secure-app:8443`.
    pub title: String,
    /// The gateway proves itself to the backend, then the backend to the gateway.
    pub columns: Vec<ChainDirection>,
    /// Where the certificates come from, a sentence each.
    pub notes: Vec<String>,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainDirection {
    /// `gateway proves itself to secure-app`.
    pub heading: String,
    /// From what is presented down to what is trusted.
    pub boxes: Vec<ChainBox>,
    /// Whether this direction holds.
    pub trust: Trust,
    /// The same in words.
    pub conclusion: String,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBox {
    /// How it is joined to the box above; `None` for the first.
    pub link: Option<Link>,
    /// Its part: `presents`, `CA`, `trusts`.
    pub caption: String,
    /// What it is: an object with its key, or a certificate's subject.
    pub title: String,
    /// Facts, a line each.
    pub details: Vec<Detail>,
}

/// How two boxes are joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whether it holds.
    pub trust: Trust,
    /// What it claims: `signed by`, `is`; where it is broken, what holds instead: `is not`.
    pub words: String,
    /// Both boxes should be one and the same.
    pub same: bool,
}

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// OpenSSL verified it, with nginx's settings.
    Verified,
    /// It does not hold: why.
    Broken(String),
    /// Unknown: what is missing.
    Unknown(String),
}

/// One line of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A fact that is neither good nor bad.
    Plain(String),
    /// A fact that is as it should be.
    Good(String),
    /// A fact that will matter.
    Worrying(String),
    /// A fact that breaks it.
    Bad(String),
    /// Validity, for a bar: seconds since 1970.
    Validity {
        /// notBefore.
        not_before: i64,
        /// notAfter.
        not_after: i64,
        /// Now.
        now: i64,
        /// `61d of 90d left`, `expired 2d ago`.
        text: String,
    },
}

impl ChainPicture {
    /// The picture for a connection. The last probe of one of its endpoints, if there is one that
    /// is still to the point, says what is really presented; a failing one before a good one.
    pub fn of(
        snapshot: &Snapshot,
        index: &Index<'_>,
        evidence: &Evidence,
        connection: &Connection,
        now: Timestamp,
    ) -> Self {
        let subject = build::Subject {
            snapshot,
            index,
            connection,
            probe: probe_of(evidence, connection),
            now,
        };
        let columns = match &connection.tls {
            Some(tls) => vec![
                gateway::column(&subject, tls),
                backend::column(&subject, tls),
            ],
            None => build::plain(&subject),
        };
        Self {
            title: format!(
                "{} → {}:{}",
                connection.gateway, connection.service, connection.port
            ),
            columns,
            notes: provenance::notes(&subject),
        }
    }

    /// The picture for a node of the tree, or for what a command names: that of its first
    /// connection, one with TLS before one without, one that fails before one that does not.
    ///
    /// # Errors
    /// One sentence, where nginx opens no connection for it.
    pub fn for_target(
        snapshot: &Snapshot,
        index: &Index<'_>,
        topology: &Topology,
        evidence: &Evidence,
        target: &ProbeTarget,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        let mut all = connections(snapshot, index, topology, target)?;
        // A probe of another endpoint says nothing of the one that is asked for.
        let narrowed = match plan_all(snapshot, index, topology, target) {
            Ok(planning) => {
                let mut narrowed = Evidence::none();
                for plan in &planning.plans {
                    if let Some(probed) = evidence.current(plan) {
                        narrowed.record(probed.clone());
                    }
                }
                narrowed
            }
            Err(_) => Evidence::none(),
        };
        all.sort_by_key(|connection| {
            let failed = probe_of(&narrowed, connection)
                .is_some_and(|(_, transcript)| !is_fine(&transcript));
            (connection.tls.is_none(), !failed)
        });
        match all.first() {
            Some(connection) => Ok(Self::of(snapshot, index, &narrowed, connection, now)),
            None => Err(PlanError::NoBackends(target.to_string())),
        }
    }

    /// The same in words, a line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![self.title.clone()];
        for column in &self.columns {
            lines.push(String::new());
            lines.push(format!("{}:", column.heading));
            for one in &column.boxes {
                if let Some(link) = &one.link {
                    lines.push(format!("  {}", link.sentence()));
                }
                lines.push(format!("  {}: {}", one.caption, one.title));
                lines.extend(
                    one.details
                        .iter()
                        .map(|detail| format!("      {}", detail.text())),
                );
            }
            lines.push(format!("  {} {}", column.trust.glyph(), column.conclusion));
        }
        if !self.notes.is_empty() {
            lines.push(String::new());
            lines.extend(self.notes.iter().cloned());
        }
        lines
    }
}

impl Link {
    /// `✓ signed by`, `✗ is not: same name, another key`, `? is (not probed)`.
    pub fn sentence(&self) -> String {
        let glyph = self.trust.glyph();
        match &self.trust {
            Trust::Verified => format!("{glyph} {}", self.words),
            Trust::Broken(why) => format!("{glyph} {}: {why}", self.words),
            Trust::Unknown(missing) => format!("{glyph} {} ({missing})", self.words),
        }
    }

    /// A claim that one certificate's key signed the one above.
    fn signed_by(trust: Trust) -> Self {
        let words = match trust {
            Trust::Broken(_) => "is not signed by",
            _ => "signed by",
        };
        Self {
            trust,
            words: words.to_owned(),
            same: false,
        }
    }

    /// A claim that both boxes are one and the same CA.
    fn is(trust: Trust) -> Self {
        let words = match trust {
            Trust::Broken(_) => "is not",
            _ => "is",
        };
        Self {
            trust,
            words: words.to_owned(),
            same: true,
        }
    }
}

impl Trust {
    /// Why it is broken, or what is missing to know; empty where it is verified.
    pub fn reason(&self) -> &str {
        match self {
            Self::Verified => "",
            Self::Broken(why) => why,
            Self::Unknown(missing) => missing,
        }
    }

    /// `✓`, `✗` or `?`.
    pub fn glyph(&self) -> &'static str {
        match self {
            Self::Verified => "✓",
            Self::Broken(_) => "✗",
            Self::Unknown(_) => "?",
        }
    }
}

impl Detail {
    /// The line with its judgement.
    pub fn text(&self) -> String {
        match self {
            Self::Plain(text) | Self::Validity { text, .. } => text.clone(),
            Self::Good(text) => format!("✓ {text}"),
            Self::Worrying(text) => format!("! {text}"),
            Self::Bad(text) => format!("✗ {text}"),
        }
    }
}

type ProbedTranscript<'a> = (&'a Probed, Arc<Transcript>);

/// The last probe of the connection, of whatever endpoint; a failing one first.
fn probe_of<'a>(evidence: &'a Evidence, connection: &Connection) -> Option<ProbedTranscript<'a>> {
    evidence
        .probes()
        .filter(|probed| {
            let plan = &probed.plan;
            plan.gateway == connection.gateway
                && plan.route == connection.route
                && plan.rule == connection.rule
                && plan.service == connection.service
                && plan.port == connection.port
                && plan.tls == connection.tls
        })
        .filter_map(|probed| Some((probed, Arc::clone(probed.result.as_ref().ok()?))))
        .min_by_key(|(probed, transcript)| (is_fine(transcript), std::cmp::Reverse(probed.at)))
}

/// What a probe of the connection saw the backend present; `None` where none did.
pub(super) fn served(
    evidence: &Evidence,
    connection: &Connection,
) -> Option<Vec<CertificateFacts>> {
    probe_of(evidence, connection)
        .map(|(_, transcript)| transcript.server_chain.clone())
        .filter(|chain| !chain.is_empty())
}

fn is_fine(transcript: &Transcript) -> bool {
    transcript.nginx.outcome == ngf_tls::transcript::Outcome::Ok
}

/// `probed 12s ago`.
fn when(probed: &Probed, now: Timestamp) -> String {
    format!(
        "probed {} ago",
        words::span(now.as_second() - probed.at.as_second())
    )
}
