//! `--request-timeout`: how long the API server may take to begin to answer. Watches and logs go on after that.
//! Each request leaves a log event: method, path, status and time, never a header or a body.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::{Body, DynBody};
use tower::{BoxError, Layer, Service};
use tracing::{debug, info, warn};

/// The layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Option<Duration>);

impl<S> Layer<S> for Deadline {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed {
            inner,
            limit: self.0,
        }
    }
}

/// A service whose answers begin in time.
pub(super) struct Timed<S> {
    inner: S,
    limit: Option<Duration>,
}

/// The answer did not begin in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s (--request-timeout)", .0.as_secs_f64())]
struct Late(Duration);

impl<S> Service<Request<Body>> for Timed<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().clone();
        let path = request.uri().path_and_query();
        let path = path.map_or_else(String::new, |path| path.as_str().to_owned());
        let limit = self.limit;
        let began = Instant::now();
        debug!(target: "ngf_cluster::request", %method, path, "request");
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .unwrap_or_else(|_| Err(Late(limit).into())),
                None => answer.await,
            };
            let took = began.elapsed().as_millis();
            match &answer {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    info!(target: "ngf_cluster::request", %method, path, status, milliseconds = took, "answer");
                }
                Err(why) => {
                    let why = super::error::bounded(&why.to_string());
                    warn!(target: "ngf_cluster::request", %method, path, milliseconds = took, why, "no answer");
                }
            }
            answer
        })
    }
}
