//! The `Authorization` header of each request: from the kubeconfig itself, from a token file or from a
//! credential plugin.
//!
//! kube's own layer is not used. It panics on a token with a line feed at its end, which kubectl
//! accepts; it runs plugins without a bound and lets them write to the screen; it reads a token file of
//! any kind and size.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use kube::{
    client::{Body, DynBody},
    config::{AuthInfo, ExecConfig},
};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::{sync::Mutex, time::Instant};
use tower::{BoxError, Layer, Service, ServiceExt};
use zeroize::Zeroizing;

use super::{
    error::bounded,
    named_file, oidc,
    plugin::{self, Screen},
};
use ngf_core::model::clean::clean_line;

/// How long before its end a token is renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// How long the token of a file is used before the file is read again, as in client-go; and the least
/// time between two runs of a plugin whose token the API server rejects.
const AGAIN: Duration = Duration::from_mins(1);

/// The least time between two runs of a plugin that fails, or whose token ends at once.
const PACE: Duration = Duration::from_secs(15);

/// Why there are no credentials: the rest of a sentence, without any secret.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub(super) struct NoCredentials(pub(super) String);

/// Where a token comes from.
enum Source {
    /// There is none: a client certificate, or nobody.
    Nothing,
    /// It is in the kubeconfig.
    Fixed(HeaderValue),
    /// A file, read again and again.
    File(String),
    /// A plugin.
    Plugin(Box<ExecConfig>),
    /// An OIDC provider, which renews the ID token by the refresh token.
    Oidc(Box<oidc::Provider>, Option<oidc::IdToken>),
}

/// The credentials of a client.
pub(super) struct Credentials {
    source: Source,
    screen: Arc<Screen>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was read last.
    token: Option<Token>,
    /// When reading failed last, and why.
    failed: Option<(Instant, NoCredentials)>,
}

struct Token {
    header: Option<HeaderValue>,
    read: Instant,
    expires: Option<Timestamp>,
    is_rejected: bool,
}

/// Takes what makes a token out of a user of a kubeconfig, and makes it. What remains is what kube
/// needs: client certificates, and who is impersonated. A plugin's client certificate is put there.
pub(super) async fn take(
    user: &mut AuthInfo,
    screen: &Arc<Screen>,
    limit: Duration,
) -> Result<Credentials, NoCredentials> {
    let source = source(user)?;
    user.auth_provider = None;
    user.username = None;
    user.password = None;
    user.token = None;
    user.token_file = None;
    user.exec = None;
    let credentials = Credentials {
        source,
        screen: Arc::clone(screen),
        state: Mutex::default(),
    };
    match &credentials.source {
        Source::Nothing | Source::Fixed(_) => {}
        Source::Oidc(_, Some(token)) if token.is_good() => {
            let (header, ends) = of_id_token(token)?;
            credentials.keep(header, ends).await;
        }
        Source::Oidc(provider, _) => {
            let (header, ends) = of_provider(provider).await?;
            credentials.keep(header, ends).await;
        }
        Source::File(path) => {
            let header = of_file(path)?;
            credentials.keep(Some(header), None).await;
        }
        Source::Plugin(exec) => {
            let answer = plugin::run(exec, screen, limit)
                .await
                .map_err(NoCredentials)?;
            let name = name(exec);
            let (header, expires) = of_answer(&answer, &name)?;
            if let (Some(certificate), Some(key)) =
                (&answer.client_certificate_data, &answer.client_key_data)
            {
                user.client_certificate = None;
                user.client_key = None;
                user.client_certificate_data = Some(STANDARD.encode(certificate));
                user.client_key_data = Some(SecretString::from(STANDARD.encode(key)));
            } else if header.is_none() {
                return Err(NoCredentials(format!(
                    "{name} answers with neither a token nor a client certificate and its key"
                )));
            }
            credentials.keep(header, expires).await;
        }
    }
    Ok(credentials)
}

fn name(exec: &ExecConfig) -> String {
    let command = exec.command.as_deref().unwrap_or_default();
    format!("its plugin {:?}", clean_line(command))
}

/// The same order as kube's.
fn source(user: &AuthInfo) -> Result<Source, NoCredentials> {
    if let Some(provider) = &user.auth_provider {
        if provider.name == "oidc"
            && let Some((provider, token)) =
                oidc::provider(&provider.config).map_err(NoCredentials)?
        {
            return Ok(Source::Oidc(Box::new(provider), token));
        }
        let token = (provider.name == "oidc")
            .then(|| provider.config.get("id-token"))
            .flatten();
        return match token {
            Some(token) => bearer(token, "its id-token").map(Source::Fixed),
            None if provider.name == "oidc" => Err(NoCredentials(
                "its auth-provider \"oidc\" has no id-token: log in with kubectl once, or use kubelogin as a plugin (exec)".to_owned(),
            )),
            None => Err(NoCredentials(format!(
                "its auth-provider {:?} is not supported, and kubectl no longer supports it: use a plugin (exec)",
                clean_line(&provider.name)
            ))),
        };
    }
    if user.username.is_some() || user.password.is_some() {
        let name = user.username.as_deref().unwrap_or_default();
        let password = user
            .password
            .as_ref()
            .map_or("", |password| password.expose_secret());
        if !name.is_empty() || !password.is_empty() {
            let pair = Zeroizing::new(format!("{name}:{password}"));
            let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            return sensitive(&value, "its user and password").map(Source::Fixed);
        }
    }
    let token = user
        .token
        .as_ref()
        .map(|token| token.expose_secret().trim());
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        return bearer(token, "its token").map(Source::Fixed);
    }
    if let Some(path) = user.token_file.as_ref().filter(|path| !path.is_empty()) {
        return Ok(Source::File(path.clone()));
    }
    Ok(match &user.exec {
        Some(exec) => Source::Plugin(Box::new(exec.clone())),
        None => Source::Nothing,
    })
}

/// A header of a token. Space around it is left out, as client-go does: `echo` ends a file with a line
/// feed, and YAML's `|` a text.
fn bearer(token: &str, what: &str) -> Result<HeaderValue, NoCredentials> {
    let value = Zeroizing::new(format!("Bearer {}", token.trim()));
    sensitive(&value, what)
}

fn sensitive(value: &str, what: &str) -> Result<HeaderValue, NoCredentials> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        NoCredentials(format!(
            "{what} holds a character that no HTTP header may hold, such as a line break: write it again"
        ))
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn of_file(path: &str) -> Result<HeaderValue, NoCredentials> {
    let what = format!("its token file {}", clean_line(path));
    let bytes = named_file::read(std::path::Path::new(path))
        .map_err(|why| NoCredentials(format!("{what} {why}")))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| NoCredentials(format!("{what} cannot be read: it is not text")))?;
    if text.trim().is_empty() {
        return Err(NoCredentials(format!("{what} is empty")));
    }
    bearer(text, &format!("the token in {}", clean_line(path)))
}

type HeaderUntil = (Option<HeaderValue>, Option<Timestamp>);

fn of_answer(answer: &plugin::Credential, name: &str) -> Result<HeaderUntil, NoCredentials> {
    let expires = match &answer.expiration_timestamp {
        Some(text) => Some(text.parse().map_err(|_| {
            NoCredentials(format!(
                "{name} answers with an expirationTimestamp that is not a time: {:?}",
                bounded(text)
            ))
        })?),
        None => None,
    };
    let token = answer
        .token
        .as_deref()
        .filter(|token| !token.trim().is_empty());
    let header = token
        .map(|token| bearer(token, &format!("the token of {name}")))
        .transpose()?;
    Ok((header, expires))
}

fn of_id_token(token: &oidc::IdToken) -> Result<HeaderUntil, NoCredentials> {
    let header = bearer(token.token.expose_secret(), "its id-token")?;
    Ok((Some(header), Some(token.ends)))
}

async fn of_provider(provider: &oidc::Provider) -> Result<HeaderUntil, NoCredentials> {
    let token = provider.renew().await.map_err(NoCredentials)?;
    of_id_token(&token)
}

impl Credentials {
    async fn keep(&self, header: Option<HeaderValue>, expires: Option<Timestamp>) {
        self.state.lock().await.token = Some(Token::new(header, expires));
    }

    /// The header of the next request.
    async fn header(self: Arc<Self>) -> Result<Option<HeaderValue>, NoCredentials> {
        match &self.source {
            Source::Nothing => return Ok(None),
            Source::Fixed(header) => return Ok(Some(header.clone())),
            Source::File(_) | Source::Plugin(_) | Source::Oidc(..) => {}
        }
        if let Some(known) = self.known(&*self.state.lock().await) {
            return known;
        }
        // A request that is given up does not end a plugin that is about to answer.
        let renewing = tokio::spawn(Arc::clone(&self).renewed());
        renewing
            .await
            .unwrap_or_else(|_| Err(NoCredentials("they were not renewed".to_owned())))
    }

    /// What can be said without reading anything.
    fn known(&self, state: &State) -> Option<Result<Option<HeaderValue>, NoCredentials>> {
        let is_file = matches!(self.source, Source::File(_));
        match (&state.token, &state.failed) {
            (Some(token), _) if token.is_good(is_file) => Some(Ok(token.header.clone())),
            (_, Some((at, why))) if at.elapsed() < PACE => Some(Err(why.clone())),
            _ => None,
        }
    }

    async fn renewed(self: Arc<Self>) -> Result<Option<HeaderValue>, NoCredentials> {
        let mut state = self.state.lock().await;
        if let Some(known) = self.known(&state) {
            return known;
        }
        let read = match &self.source {
            Source::Plugin(exec) => plugin::run(exec, &self.screen, plugin::LIMIT)
                .await
                .map_err(NoCredentials)
                .and_then(|answer| of_answer(&answer, &name(exec))),
            Source::File(path) => of_file(path).map(|header| (Some(header), None)),
            Source::Oidc(provider, _) => of_provider(provider).await,
            Source::Nothing | Source::Fixed(_) => Ok((None, None)),
        };
        match (read, &state.token, &self.source) {
            (Ok((header, expires)), ..) => {
                state.token = Some(Token::new(header.clone(), expires));
                state.failed = None;
                Ok(header)
            }
            // As client-go does, the last token is used where a file is gone: some remove it.
            (Err(_), Some(token), Source::File(_)) => {
                let header = token.header.clone();
                state.token = Some(Token::new(header.clone(), None));
                Ok(header)
            }
            (Err(why), ..) => {
                state.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// The API server does not accept the token: a plugin is asked for another one, as client-go does.
    async fn rejected(&self) {
        if let Some(token) = &mut self.state.lock().await.token {
            token.is_rejected = true;
        }
    }
}

impl Token {
    fn new(header: Option<HeaderValue>, expires: Option<Timestamp>) -> Self {
        Self {
            header,
            read: Instant::now(),
            expires,
            is_rejected: false,
        }
    }

    fn is_good(&self, is_file: bool) -> bool {
        let age = self.read.elapsed();
        let ends_soon = self
            .expires
            .is_some_and(|expires| Timestamp::now() + MARGIN >= expires);
        let is_due = ends_soon && age >= PACE || age >= AGAIN && (is_file || self.is_rejected);
        !is_due
    }
}

/// The layer.
#[derive(Clone)]
pub(super) struct Authorize(pub(super) Arc<Credentials>);

impl<S> Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized {
            inner,
            credentials: Arc::clone(&self.0),
        }
    }
}

/// A service whose requests carry credentials.
pub(super) struct Authorized<S> {
    inner: S,
    credentials: Arc<Credentials>,
}

impl<S> Service<Request<Body>> for Authorized<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The inner service is asked once there are credentials, which may take a while.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let credentials = Arc::clone(&self.credentials);
        Box::pin(async move {
            if let Some(header) = Arc::clone(&credentials).header().await? {
                request.headers_mut().insert(header::AUTHORIZATION, header);
            }
            let answer = inner.oneshot(request).await?;
            if answer.status() == StatusCode::UNAUTHORIZED {
                credentials.rejected().await;
            }
            Ok(answer)
        })
    }
}
