//! What a backend accepts: TLS versions, cipher suites, groups, each offered alone, with and without
//! a client certificate and a server name; and whether what NGINX offers lies inside.

mod offers;
mod summary;

use std::time::Instant;

use futures::StreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::dial::Dial;
use crate::engine::openssl::ConfigError;
use crate::probe::{ProbeError, probe_with};
use crate::spec::{Offer, Options, ProbeSpec, TlsSpec, TlsVersion};
use ngf_tls::engine::engine;
use ngf_tls::messages::names;
use ngf_tls::transcript::{Demand, Direction, Engine, Layer, Outcome, Step, TlsAgreed, Transcript};
use offers::Single;

/// The `schema` of every scan that this version writes.
pub const SCHEMA: &str = "ngf-tui/tls-scan/v1";

/// Probes of one backend at a time.
const AT_A_TIME: usize = 4;

/// What one backend accepts.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsScan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// RFC 3339, when it began.
    pub started_at: String,
    /// Microseconds from begin to end.
    pub duration_us: u64,
    /// What was probed: `host:port`.
    pub target: String,
    /// The address that was connected to, once known.
    pub address: Option<String>,
    /// The TLS library that offered; it is NGINX's.
    pub engine: Engine,
    /// Whether the backend takes what NGINX offers; `None` where that could not be measured.
    pub nginx_inside: Option<bool>,
    /// How much the backend wants a client certificate, by the probes with and without.
    pub demand: Demand,
    /// All that in one or two sentences.
    pub sentence: String,
    /// Each thing that was offered; the first is NGINX's own offer.
    pub rows: Vec<Row>,
}

/// One thing that was offered.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// What kind of thing.
    pub axis: Axis,
    /// The thing, by IANA's name where it has one.
    pub name: String,
    /// NGINX offers it, too.
    pub nginx: bool,
    /// What the backend made of it.
    pub answer: Answer,
    /// What was agreed upon.
    pub agreed: Option<TlsAgreed>,
    /// How the whole probe ended, as NGINX would class it.
    pub outcome: Option<Outcome>,
    /// What the gateway's client would get.
    pub client_status: Option<u16>,
    /// The alert by which the backend said no.
    pub alert: Option<u8>,
    /// One line: what was agreed upon, or why not.
    pub note: String,
}

/// What a row varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Nothing: all that NGINX offers, at once.
    Nginx,
    /// The version alone.
    Version,
    /// A cipher suite of TLS 1.3, or a family of TLS 1.2.
    Cipher,
    /// The key exchange group.
    Group,
    /// The client certificate.
    ClientCertificate,
    /// Server Name Indication.
    ServerName,
}

/// What a backend made of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It took it.
    Accepted,
    /// It said no, or broke off.
    Refused,
    /// It does not tell.
    Unknown,
    /// It could not be offered: OpenSSL was built without, or no client certificate is given.
    NotOffered,
}

/// A probe to run for a row.
struct Try {
    axis: Axis,
    name: &'static str,
    spec: ProbeSpec,
    offer: Offer,
    is_one: fn(&str) -> bool,
}

/// Measures a backend that the spec speaks TLS to; `options` may hold the backend's CA.
///
/// # Errors
/// [`ProbeError`] where NGINX's own offer could not be made, or somebody cancelled it.
pub async fn measure(
    spec: &ProbeSpec,
    options: &Options,
    dial: &dyn Dial,
    cancel: &CancellationToken,
) -> Result<TlsScan, ProbeError> {
    let started_at = Timestamp::now();
    let began = Instant::now();
    let plain = Options {
        backend_trust: options.backend_trust.clone(),
        ..Options::default()
    };
    let own = probe_with(spec, &plain, dial, cancel).await?;
    let offered = Offered::by(&own, spec.tls.as_ref());
    let mut rows = vec![row(
        Axis::Nginx,
        "NGINX's own offer",
        true,
        parameters(&plain.offer, &own, |_| true),
        &own,
    )];
    let mut without = None;
    if let (Some(tls), Some(offered)) = (&spec.tls, &offered) {
        let tries = tries(spec);
        let mut results: Vec<_> = futures::stream::iter(&tries)
            .map(|one| async {
                let options = Options {
                    offer: one.offer.clone(),
                    ..plain.clone()
                };
                probe_with(&one.spec, &options, dial, cancel).await
            })
            .buffered(AT_A_TIME)
            .collect()
            .await;
        for (one, result) in tries.iter().zip(results.drain(..)) {
            match result {
                Err(ProbeError::Cancelled) => return Err(ProbeError::Cancelled),
                Err(error) => rows.push(not_offered(one, offered, &error)),
                Ok(transcript) => {
                    rows.push(tried(one, offered, &transcript, &own));
                    if one.axis == Axis::ClientCertificate {
                        without = Some(transcript);
                    }
                }
            }
        }
        rows.push(client_certificate(tls, &own));
    }
    rows.sort_by_key(|row| AXES.iter().position(|axis| *axis == row.axis));
    let demand = without.as_ref().map_or_else(
        || own.client_certificate.demand,
        |without| without.client_certificate.demand,
    );
    let nginx_inside = match rows[0].answer {
        Answer::Accepted => Some(true),
        Answer::Refused => Some(false),
        Answer::Unknown | Answer::NotOffered => None,
    };
    Ok(TlsScan {
        schema: SCHEMA.to_owned(),
        started_at: started_at.to_string(),
        duration_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        sentence: summary::sentence(&rows, nginx_inside, demand, &own),
        target: own.target,
        address: own.address,
        engine: engine(),
        nginx_inside,
        demand,
        rows,
    })
}

/// The order of the rows.
const AXES: [Axis; 6] = [
    Axis::Nginx,
    Axis::Version,
    Axis::Cipher,
    Axis::Group,
    Axis::ClientCertificate,
    Axis::ServerName,
];

fn tries(spec: &ProbeSpec) -> Vec<Try> {
    let single = |axis: Axis| {
        move |single: Single| Try {
            axis,
            name: single.name,
            spec: spec.clone(),
            offer: single.offer,
            is_one: single.is_one,
        }
    };
    let versions = offers::VERSIONS.map(|version| Try {
        axis: Axis::Version,
        name: version.name(),
        spec: spec.clone(),
        offer: Offer {
            version: Some(version),
            ..Offer::default()
        },
        is_one: |_| true,
    });
    let mut tries: Vec<Try> = versions.into();
    tries.extend(offers::ciphers().into_iter().map(single(Axis::Cipher)));
    tries.extend(offers::groups().into_iter().map(single(Axis::Group)));
    tries.push(Try {
        axis: Axis::ClientCertificate,
        name: "without a client certificate",
        spec: spec.without_client_certificate(),
        offer: Offer::default(),
        is_one: |_| true,
    });
    tries.push(Try {
        axis: Axis::ServerName,
        name: "without a server name",
        spec: spec.clone(),
        offer: Offer {
            without_sni: true,
            ..Offer::default()
        },
        is_one: |_| true,
    });
    tries
}

/// What NGINX's own ClientHello offers, read in that very hello.
struct Offered {
    versions: Vec<String>,
    suites: Vec<String>,
    groups: Vec<String>,
    has_server_name: bool,
    has_client_certificate: bool,
}

impl Offered {
    /// `None` where no hello was sent.
    fn by(own: &Transcript, tls: Option<&TlsSpec>) -> Option<Self> {
        let hello = own.steps.iter().find(|step| is_client_hello(step))?;
        let list = |name: &str| {
            hello
                .fields
                .iter()
                .find(|field| field.name == name)
                .map_or_else(Vec::new, |field| {
                    field.value.split(", ").map(ToOwned::to_owned).collect()
                })
        };
        Some(Self {
            versions: list("supported_versions"),
            suites: list("cipher_suites"),
            groups: list("supported_groups"),
            has_server_name: hello.fields.iter().any(|field| field.name == "server_name"),
            has_client_certificate: tls.is_some_and(|tls| tls.client_identity.is_some()),
        })
    }

    fn has(&self, one: &Try) -> bool {
        let any = |names: &[String]| names.iter().any(|name| (one.is_one)(name));
        match one.axis {
            Axis::Nginx => true,
            Axis::Version => self.versions.iter().any(|version| version == one.name),
            Axis::Cipher => any(&self.suites),
            Axis::Group => any(&self.groups),
            Axis::ClientCertificate => !self.has_client_certificate,
            Axis::ServerName => !self.has_server_name,
        }
    }
}

fn is_client_hello(step: &Step) -> bool {
    step.layer == Layer::Tls && step.direction == Direction::Sent && step.name == "ClientHello"
}

fn tried(one: &Try, offered: &Offered, seen: &Transcript, own: &Transcript) -> Row {
    let answer = match one.axis {
        Axis::Version | Axis::Nginx | Axis::ServerName => parameters(&one.offer, seen, |_| true),
        Axis::Cipher => parameters(&one.offer, seen, |agreed| (one.is_one)(&agreed.cipher)),
        Axis::Group => parameters(&one.offer, seen, |agreed| {
            agreed.group.as_ref().is_some_and(|g| (one.is_one)(g))
        }),
        Axis::ClientCertificate => match seen.client_certificate.demand {
            Demand::NotRequested | Demand::Optional => Answer::Accepted,
            Demand::Required => Answer::Refused,
            Demand::Requested | Demand::Unknown => Answer::Unknown,
        },
    };
    let mut row = row(one.axis, one.name, offered.has(one), answer, seen);
    if one.axis == Axis::ClientCertificate {
        row.note.clone_from(&seen.client_certificate.sentence);
    }
    if one.axis == Axis::ServerName && answer == Answer::Accepted {
        row.note = other_certificate(seen, own);
    }
    row
}

/// The client certificate of NGINX's own offer, as a row of its own.
fn client_certificate(tls: &TlsSpec, own: &Transcript) -> Row {
    const NAME: &str = "with the client certificate";
    if tls.client_identity.is_none() {
        return Row {
            axis: Axis::ClientCertificate,
            name: NAME.to_owned(),
            nginx: false,
            answer: Answer::NotOffered,
            agreed: None,
            outcome: None,
            client_status: None,
            alert: None,
            note: "no client certificate is given".to_owned(),
        };
    }
    let seen = &own.client_certificate;
    let answer = match seen.accepted {
        Some(true) => Answer::Accepted,
        Some(false) => Answer::Refused,
        // It was not asked for, or the answer does not tell.
        None => Answer::Unknown,
    };
    let mut row = row(Axis::ClientCertificate, NAME, true, answer, own);
    row.note = match (answer, &seen.subject) {
        (Answer::Accepted, Some(subject)) => format!("the backend takes {subject}"),
        _ => seen.sentence.clone(),
    };
    row
}

/// Whether the server's hello agreed to what was offered alone. What became of the connection after
/// that is another matter: a client certificate that is missing is no fault of a cipher.
fn parameters(offer: &Offer, seen: &Transcript, is_one: impl Fn(&TlsAgreed) -> bool) -> Answer {
    // A server may answer with an older version than any that was offered.
    let was_offered = |agreed: &TlsAgreed| match offer.version {
        Some(version) => agreed.version == version.name(),
        None => [TlsVersion::Tls12, TlsVersion::Tls13]
            .iter()
            .any(|version| agreed.version == version.name()),
    };
    match (&seen.tls, seen.nginx.outcome) {
        (Some(agreed), _) if was_offered(agreed) && is_one(agreed) => Answer::Accepted,
        (Some(_), _) | (None, Outcome::TlsError | Outcome::Closed) => Answer::Refused,
        (None, _) => Answer::Unknown,
    }
}

fn row(axis: Axis, name: &str, nginx: bool, answer: Answer, seen: &Transcript) -> Row {
    let note = match (&seen.tls, answer, seen.nginx.alert) {
        (Some(agreed), Answer::Accepted, _) => agreed_text(agreed),
        (_, _, Some(alert)) => format!("alert {alert} ({})", names::alert(alert)),
        _ => seen.nginx.sentence.clone(),
    };
    Row {
        axis,
        name: name.to_owned(),
        nginx,
        answer,
        agreed: seen.tls.clone(),
        outcome: Some(seen.nginx.outcome),
        client_status: seen.nginx.client_status,
        alert: seen.nginx.alert,
        note,
    }
}

fn not_offered(one: &Try, offered: &Offered, error: &ProbeError) -> Row {
    let answer = match error {
        ProbeError::Config(ConfigError::Offer { .. }) => Answer::NotOffered,
        _ => Answer::Unknown,
    };
    Row {
        axis: one.axis,
        name: one.name.to_owned(),
        nginx: offered.has(one),
        answer,
        agreed: None,
        outcome: None,
        client_status: None,
        alert: None,
        note: error.to_string(),
    }
}

/// `TLSv1.3, TLS_AES_256_GCM_SHA384, x25519`.
fn agreed_text(agreed: &TlsAgreed) -> String {
    let group = agreed.group.as_deref();
    let parts = [Some(agreed.version.as_str()), Some(&agreed.cipher), group];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a server presents to one who names none.
fn other_certificate(seen: &Transcript, own: &Transcript) -> String {
    let leaf = |transcript: &Transcript| {
        transcript
            .server_chain
            .first()
            .map(|leaf| (leaf.fingerprint_sha256.clone(), leaf.subject.clone()))
    };
    match (leaf(seen), leaf(own)) {
        (Some((one, _)), Some((other, _))) if one == other => "the same certificate".to_owned(),
        (Some((_, subject)), Some(_)) => format!("another certificate: {subject}"),
        _ => seen.tls.as_ref().map_or_else(String::new, agreed_text),
    }
}
