//! What breaks when a certificate expires, as things are: where the path that OpenSSL builds leads
//! through it, and no other path holds without it.

use jiff::Timestamp;
use ngf_tls::{certificate::CertificateFacts, chain::ChainJudgement};

use super::{
    Entry, Part,
    collect::{client_ca, presented},
};
use crate::diagnosis::{
    context::Context,
    plan::{Connection, PlannedTls},
    trust,
};

/// X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED: the path is as it should be, but
/// for the time.
const TIME_ALONE: [i32; 3] = [0, 9, 10];

/// What of a connection breaks with each certificate.
pub(super) fn add(
    context: &Context<'_>,
    connection: &Connection,
    tls: &PlannedTls,
    entries: &mut [Entry],
) {
    let title = format!(
        "{} → {}:{}",
        connection.gateway, connection.service, connection.port
    );
    let presented = presented(context, connection);
    let presented = presented.certificates();
    let trusted = trust::trusted(context.snapshot, &tls.trust).unwrap_or_default();
    let judge = |presented: &[CertificateFacts], trusted: &[CertificateFacts], at| {
        trust::judge_backend(presented, trusted, &tls.hostname, tls.verify_depth, at)
    };
    if presented.is_empty() {
        for facts in trusted {
            push(
                entries,
                facts,
                format!(
                    "{title}: if the backend's chain ends in it, nginx refuses the backend (10:certificate has expired), and clients get 502"
                ),
            );
        }
    }
    for facts in through(presented, trusted, context.now.exactly(), &judge) {
        push(
            entries,
            &facts,
            format!(
                "{title}: nginx refuses the backend (10:certificate has expired), and clients get 502"
            ),
        );
    }
    let Some(secret) = &tls.client_certificate else {
        return;
    };
    let Ok(client) = trust::certificates(context.snapshot, secret, "tls.crt") else {
        return;
    };
    let judge = |presented: &[CertificateFacts], trusted: &[CertificateFacts], at| {
        trust::judge_client(presented, trusted, at)
    };
    match client_ca(context, connection) {
        Some((_, trusted)) => {
            for facts in through(client, trusted, context.now.exactly(), &judge) {
                push(
                    entries,
                    &facts,
                    format!(
                        "{title}: a backend that verifies clients refuses the Gateway (nginx: HTTP 400; others: alert 45)"
                    ),
                );
            }
        }
        None => {
            for facts in client {
                push(
                    entries,
                    facts,
                    format!(
                        "{title}: if the backend verifies clients, it refuses the Gateway (nginx: HTTP 400; others: alert 45)"
                    ),
                );
            }
        }
    }
}

/// What breaks of that which is no connection of nginx's.
pub(super) fn add_others(entries: &mut [Entry]) {
    for entry in entries {
        for used in &entry.uses {
            let sentence = match used.part {
                Part::Listener => format!("clients of {} refuse it", used.of),
                Part::ListenerCa => format!(
                    "{} gives no answer to clients whose chain ends in it (10:certificate has expired)",
                    used.of
                ),
                Part::Issuer => format!(
                    "{} can issue nothing that verifies against it, and what it issued does not either",
                    used.of
                ),
                _ => continue,
            };
            if !entry.breaks.contains(&sentence) {
                entry.breaks.push(sentence);
            }
        }
    }
}

type Judge<'a> = dyn Fn(&[CertificateFacts], &[CertificateFacts], Timestamp) -> Result<ChainJudgement, String>
    + 'a;

/// The certificates without which a chain does not hold: those on its path for which there is no
/// way around. None, where it does not hold anyway.
fn through(
    presented: &[CertificateFacts],
    trusted: &[CertificateFacts],
    at: Timestamp,
    judge: &Judge<'_>,
) -> Vec<CertificateFacts> {
    let Ok(judgement) = judge(presented, trusted, at) else {
        return Vec::new();
    };
    if !TIME_ALONE.contains(&judgement.code) || judgement.name_matches == Some(false) {
        return Vec::new();
    }
    let leaf = presented.first().map(|leaf| &leaf.fingerprint_sha256);
    judgement
        .path
        .into_iter()
        .filter(|facts| {
            Some(&facts.fingerprint_sha256) == leaf
                || !holds_without(facts, presented, trusted, at, judge)
        })
        .collect()
}

fn holds_without(
    one: &CertificateFacts,
    presented: &[CertificateFacts],
    trusted: &[CertificateFacts],
    at: Timestamp,
    judge: &Judge<'_>,
) -> bool {
    let without = |all: &[CertificateFacts]| -> Vec<CertificateFacts> {
        let others = all
            .iter()
            .filter(|facts| facts.fingerprint_sha256 != one.fingerprint_sha256);
        others.cloned().collect()
    };
    judge(&without(presented), &without(trusted), at).is_ok_and(|judgement| judgement.code == 0)
}

fn push(entries: &mut [Entry], facts: &CertificateFacts, sentence: String) {
    let entry = entries
        .iter_mut()
        .find(|entry| entry.facts.fingerprint_sha256 == facts.fingerprint_sha256);
    if let Some(entry) = entry
        && !entry.breaks.contains(&sentence)
    {
        entry.breaks.push(sentence);
    }
}
