//! Asks the API server whether it is there.
//!
//! This cannot be left to the watches: a connection that a firewall forgot looks the same as a quiet
//! cluster, and a watch that was begun with a token continues after the token has expired. One request of a
//! few bytes is sent when nothing has come for [`PULSE`], or a request has failed. During an outage it is
//! the only request that is sent, and whoever waits is told by it that the API server is back.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Limited};
use kube::{Client, client::Body};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    delta::Delta,
    error::{Failure, NOT_ACCEPTED},
    link::{Link, Watchman},
    renew::{Renewable, is_a_proxys},
    request::no_answer,
    watcher::Shared,
};
use ngf_core::model::snapshot::{Loss, Lost};

/// How long nothing may come before the API server is asked.
const PULSE: Duration = Duration::from_secs(10);
/// Bound on its answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The least time between two pulses, and the pause during the first half minute of an outage.
const FAST: Duration = Duration::from_secs(1);
/// The pause after that.
const SLOW: Duration = Duration::from_secs(5);
/// The longest pause while the credentials are not accepted.
const REFUSED: Duration = Duration::from_secs(30);
/// Pulses without an answer in a row after which everything shown is stale.
const MISSED: u32 = 2;
/// How often it is checked whether the kubeconfig has changed.
const KUBECONFIG: Duration = Duration::from_secs(2);
/// Bytes that are read of the answer.
const MAX_BODY: usize = 64 << 10;

/// Asks for ever.
pub(super) async fn run(shared: Shared, renewable: Arc<Renewable>) {
    let _watchman = Watchman(Arc::clone(&shared.link));
    let mut missed: u32 = 0;
    let mut before: Option<Failure> = None;
    loop {
        let waited = async {
            match &before {
                None => quiet(&shared.link).await,
                Some(failure) => sleep(pause(failure, missed)).await,
            }
        };
        tokio::select! {
            () = waited => {}
            () = renewable.replaced() => {}
        }
        match ask(&shared.client, missed >= MISSED).await {
            None => {
                if missed >= MISSED {
                    shared.link.heard();
                    shared.tell(Delta::Answering).await;
                }
                shared.link.back();
                renewable.accepted(true);
                (missed, before) = (0, None);
            }
            Some(failure) => {
                missed = missed.saturating_add(1);
                let is_news = before
                    .as_ref()
                    .is_none_or(|last| is_refusal(last) != is_refusal(&failure));
                if missed == MISSED || (missed > MISSED && is_news) {
                    shared.link.lost();
                    let loss = lost(&failure, &shared.link, &renewable);
                    shared.tell(Delta::Lost(Box::new(loss))).await;
                }
                renewable.accepted(!is_refusal(&failure));
                before = Some(failure);
            }
        }
    }
}

/// Until nothing has come for a while, or a request has failed.
async fn quiet(link: &Link) {
    let since = Instant::now();
    let silence = async {
        loop {
            let due = link.last_heard().max(since) + PULSE;
            sleep_until(due).await;
            if link.last_heard().max(since) + PULSE <= Instant::now() {
                return;
            }
        }
    };
    tokio::select! {
        () = silence => {}
        () = link.suspected() => sleep_until(since + FAST).await,
    }
}

/// Takes up new credentials, for ever: apart from the pulse, which must not wait for a plugin.
pub(super) async fn renew(renewable: Arc<Renewable>) {
    loop {
        sleep(KUBECONFIG).await;
        renewable.renew().await;
    }
}

fn pause(failure: &Failure, missed: u32) -> Duration {
    if missed < MISSED {
        FAST
    } else if is_refusal(failure) {
        (SLOW * (missed - 1)).min(REFUSED)
    } else if missed < 30 {
        FAST
    } else {
        SLOW
    }
}

fn is_refusal(failure: &Failure) -> bool {
    match failure {
        Failure::Unauthorized(_) | Failure::Credentials(_) => true,
        Failure::Tls(words) => words.starts_with(NOT_ACCEPTED),
        _ => false,
    }
}

fn lost(failure: &Failure, link: &Link, renewable: &Renewable) -> Lost {
    Lost {
        since: link.last_answer(),
        why: failure.words().to_owned(),
        loss: if is_refusal(failure) {
            Loss::Refused {
                who: renewable.who(),
            }
        } else {
            Loss::Silent
        },
    }
}

/// Why it does not answer; `None` where it does, whatever it says. After an outage it has to be ready: an
/// API server that is starting does not know its CRDs yet, and would tell that they are not there.
async fn ask(client: &Client, is_lost: bool) -> Option<Failure> {
    let request = http::Request::get("/readyz").body(Body::empty()).ok()?;
    let asked = async {
        let answer = client.send(request).await?;
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        let _ = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        Ok::<_, kube::Error>(status)
    };
    match timeout(ANSWER, asked).await {
        Err(_) => Some(no_answer(ANSWER)),
        Ok(Err(error)) => match Failure::from(error) {
            failure @ (Failure::NoAnswer(_) | Failure::Tls(_) | Failure::Credentials(_)) => {
                Some(failure)
            }
            _ => None,
        },
        Ok(Ok(status)) if status == http::StatusCode::UNAUTHORIZED => {
            Some(Failure::Unauthorized("401 Unauthorized".to_owned()))
        }
        Ok(Ok(status)) if is_a_proxys(status) => Some(Failure::NoAnswer(format!(
            "it, or a proxy before it, answers {status}"
        ))),
        Ok(Ok(status)) if is_lost && status.is_server_error() => Some(Failure::NoAnswer(format!(
            "it is not ready: /readyz answers {status}"
        ))),
        Ok(Ok(_)) => None,
    }
}

/// Asks whether it is ready.
///
/// # Errors
/// Where it says that it is not. Where it keeps that to itself, it is taken for ready.
pub(super) async fn is_ready(client: &Client) -> Result<(), Failure> {
    match ask(client, true).await {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}
