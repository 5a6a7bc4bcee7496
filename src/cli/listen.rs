//! `check --listen`: checks again and again, and serves what the last check found as OpenMetrics.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch, time::Instant};

use super::{CliError, EXIT_OK, output};
use crate::report::openmetrics;

/// A check that takes this many times as long as the pause between two is taken for stuck.
const PATIENCE: u32 = 4;

/// What the last check found.
#[derive(Clone)]
struct Last {
    /// The metrics.
    text: Arc<str>,
    /// When it ended.
    ended: Instant,
}

#[derive(Clone)]
struct Served {
    last: watch::Receiver<Option<Last>>,
    /// From which age on the last check is too old.
    patience: Duration,
    began: Instant,
}

/// Serves `/metrics` and `/healthz` at `address` until the process is told to end. `check` makes the metrics of one check.
///
/// # Errors
/// Where nothing can listen at the address.
pub(super) async fn serve<C>(address: &str, every: Duration, mut check: C) -> Result<u8, CliError>
where
    C: AsyncFnMut() -> String,
{
    let listener = bind(address).await?;
    let local = listener
        .local_addr()
        .map_err(|error| format!("cannot listen at {address}: {error}"))?;
    output::say(&format!(
        "Metrics: http://{local}/metrics, every {}; ctrl-c ends it.",
        ngf_text::words::span(every.as_secs().cast_signed())
    ));
    let (sender, last) = watch::channel(None);
    let served = Served {
        last,
        patience: every.saturating_mul(PATIENCE),
        began: Instant::now(),
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(served);
    let again = async {
        loop {
            let text = check().await.into();
            let ended = Instant::now();
            sender.send_replace(Some(Last { text, ended }));
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        result = axum::serve(listener, router) => {
            result.map_err(|error| format!("cannot serve metrics at {local}: {error}"))?;
        }
        () = again => {}
        () = told_to_end() => {}
    }
    Ok(EXIT_OK)
}

/// `:9090` is every address of this machine, as in Go's programs.
async fn bind(address: &str) -> Result<TcpListener, CliError> {
    let why = |error: &dyn std::fmt::Display| format!("cannot listen at {address}: {error}");
    let Some(port) = address.strip_prefix(':') else {
        let bound = TcpListener::bind(address).await;
        return Ok(bound.map_err(|error| why(&error))?);
    };
    let port: u16 = port.parse().map_err(|error| why(&error))?;
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Ok(listener) => Ok(listener),
        Err(_) => {
            let bound = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await;
            Ok(bound.map_err(|error| why(&error))?)
        }
    }
}

async fn metrics(State(served): State<Served>) -> Response {
    let last = served.last.borrow().clone();
    match last {
        Some(last) => (
            [(CONTENT_TYPE, openmetrics::CONTENT_TYPE)],
            last.text.to_string(),
        )
            .into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the first check has not ended yet\n",
        )
            .into_response(),
    }
}

async fn healthz(State(served): State<Served>) -> Response {
    let since = served
        .last
        .borrow()
        .as_ref()
        .map_or(served.began, |last| last.ended);
    if since.elapsed() <= served.patience {
        "ok\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the last check is too old\n",
        )
            .into_response()
    }
}

/// Ends with ctrl-c, and with SIGTERM, by which Kubernetes ends a pod.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
