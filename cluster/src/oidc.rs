//! `auth-provider: oidc` of a kubeconfig: kubectl's old way to log in. An ID token that has ended is renewed by the
//! refresh token (OpenID Connect Core 1.0, section 12), for this run only: the kubeconfig is not changed.
//!
//! kube's own code for it trusts the system's CAs only, and bounds neither the time nor the size of an answer.

use std::{collections::HashMap, hash::BuildHasher, path::Path, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::{SignedDuration, Timestamp};
use kube::{Config, client::ConfigExt};
use ngf_core::model::clean::clean_line;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::timeout};
use zeroize::Zeroizing;

use super::{error::bounded, named_file};

/// How long the provider may take in all.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of one answer of the provider.
const MAX_ANSWER: usize = 1 << 20;
/// A token that ends sooner is renewed before it is used.
const LEAST: SignedDuration = SignedDuration::from_secs(30);
/// What a form's value encodes: all but the unreserved characters (RFC 3986, section 2.3).
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Fields of the provider.
const ID_TOKEN: &str = "id-token";
const ISSUER: &str = "idp-issuer-url";
const CA_FILE: &str = "idp-certificate-authority";
const CA_DATA: &str = "idp-certificate-authority-data";

/// What renews the token of a user.
pub(super) struct Provider {
    issuer: String,
    client: String,
    /// Empty for a public client.
    secret: SecretString,
    /// The CAs that sign the provider's certificate; the system's where `None`.
    roots: Option<Vec<Vec<u8>>>,
    session: Mutex<Session>,
}

/// What the provider has told so far.
struct Session {
    refresh_token: SecretString,
    endpoint: Option<Uri>,
    form: Option<Form>,
}

/// How a client proves who it is; providers know one, the other, or both (RFC 6749, section 2.3.1).
#[derive(Clone, Copy)]
enum Form {
    Header,
    Parameters,
}

/// An ID token, and when it ends.
pub(super) struct IdToken {
    pub(super) token: SecretString,
    pub(super) ends: Timestamp,
}

impl IdToken {
    /// Reads the end of a JSON Web Token of characters that a header may hold.
    fn parse(token: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Claims {
            exp: serde_json::Number,
        }
        let token = token.trim();
        let part = token.split('.').nth(1)?.trim_end_matches('=');
        let decoded = URL_SAFE_NO_PAD
            .decode(part)
            .or_else(|_| STANDARD.decode(part))
            .ok()?;
        let claims: Claims = serde_json::from_slice(&decoded).ok()?;
        let seconds = claims.exp.as_i64().or_else(|| {
            let seconds = claims.exp.as_f64()?;
            Some(seconds as i64)
        })?;
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        Some(Self {
            token: SecretString::from(token),
            // What is beyond the calendar does not end.
            ends: Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX),
        })
    }

    /// Whether it can be used for a while.
    pub(super) fn is_good(&self) -> bool {
        Timestamp::now()
            .checked_add(LEAST)
            .is_ok_and(|soon| soon < self.ends)
    }
}

/// What renews the token, with the token that there is. `None` where it cannot be renewed: the provider has to name
/// itself by https, a client and a refresh token, and the token has to be one that ends (a JWT).
///
/// # Errors
/// The rest of a sentence: the provider's own CA cannot be read.
pub(super) fn provider<S: BuildHasher>(
    config: &HashMap<String, String, S>,
) -> Result<Option<(Provider, Option<IdToken>)>, String> {
    let field = |name: &str| {
        let value = config.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    };
    let (Some(issuer), Some(client), Some(refresh_token)) = (
        field(ISSUER).filter(|url| url.starts_with("https://")),
        field("client-id"),
        field("refresh-token"),
    ) else {
        return Ok(None);
    };
    let token = match field(ID_TOKEN).map(IdToken::parse) {
        Some(None) => return Ok(None),
        Some(token) => token,
        None => None,
    };
    let provider = Provider {
        issuer: issuer.trim_end_matches('/').to_owned(),
        client: client.to_owned(),
        secret: SecretString::from(field("client-secret").unwrap_or_default()),
        roots: roots(field(CA_FILE), field(CA_DATA))?,
        session: Mutex::new(Session {
            refresh_token: SecretString::from(refresh_token),
            endpoint: None,
            form: None,
        }),
    };
    Ok(Some((provider, token)))
}

/// The provider's own CAs, in DER. As in client-go, the data win over the file.
fn roots(file: Option<&str>, data: Option<&str>) -> Result<Option<Vec<Vec<u8>>>, String> {
    let (pem, what) = match (file, data) {
        (None, None) => return Ok(None),
        (_, Some(data)) => {
            let pem = STANDARD
                .decode(data)
                .map_err(|_| format!("its {CA_DATA} is not base64"))?;
            (Zeroizing::new(pem), format!("its {CA_DATA}"))
        }
        (Some(path), None) => {
            let what = format!("its {CA_FILE} {}", clean_line(path));
            let pem = named_file::read(Path::new(path)).map_err(|why| format!("{what} {why}"))?;
            (pem, what)
        }
    };
    let found: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(Some(found)),
        _ => Err(format!("{what} holds no certificate in PEM")),
    }
}

/// The provider's metadata (OpenID Connect Discovery 1.0, section 4.2).
#[derive(Deserialize)]
struct Metadata {
    token_endpoint: String,
}

/// The answer to a refresh (RFC 6749, sections 5.1 and 5.2).
#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    refresh_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Provider {
    /// A new ID token. An error is the rest of a sentence, without any secret.
    pub(super) async fn renew(&self) -> Result<IdToken, String> {
        let issuer = clean_line(&self.issuer);
        timeout(LIMIT, self.renewed())
            .await
            .unwrap_or_else(|_| Err(format!("does not answer within {} s", LIMIT.as_secs())))
            .map_err(|why| format!("its OIDC provider {issuer} {why}"))
    }

    async fn renewed(&self) -> Result<IdToken, String> {
        // One refresh at a time: many providers accept a refresh token once.
        let mut session = self.session.lock().await;
        let endpoint = match &session.endpoint {
            Some(known) => known.clone(),
            None => self.endpoint().await?,
        };
        session.endpoint = Some(endpoint.clone());
        let forms = match session.form {
            Some(known) => vec![known],
            None => vec![Form::Header, Form::Parameters],
        };
        let mut refused = String::new();
        for form in forms {
            let request = self.refresh(&endpoint, form, &session.refresh_token)?;
            let (status, answer): (_, Answer) = self.ask(request).await?;
            if status.is_success() {
                session.form = Some(form);
                if let Some(next) = answer.refresh_token {
                    session.refresh_token = SecretString::from(next);
                }
                let token = answer.id_token.map(Zeroizing::new);
                let token = token.ok_or("answers without an id_token")?;
                return IdToken::parse(&token).ok_or_else(|| {
                    "answers with an id_token that is not a JSON Web Token".to_owned()
                });
            }
            let words = [answer.error, answer.error_description];
            let words: Vec<String> = words
                .into_iter()
                .flatten()
                .map(|text| bounded(&text))
                .collect();
            refused = format!(
                "rejects the refresh token ({status}: {}): log in again",
                words.join(", ")
            );
        }
        Err(refused)
    }

    /// Where it renews tokens, by its own metadata.
    async fn endpoint(&self) -> Result<Uri, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .body(Full::default())
            .map_err(|_| "has an address that is not a URL".to_owned())?;
        let (status, metadata): (_, Metadata) = self.ask(request).await?;
        if !status.is_success() {
            return Err(format!("answers {status}"));
        }
        let endpoint: Option<Uri> = metadata.token_endpoint.parse().ok();
        endpoint
            .filter(|url| url.scheme_str() == Some("https"))
            .ok_or_else(|| "names no token_endpoint with https".to_owned())
    }

    fn refresh(
        &self,
        endpoint: &Uri,
        form: Form,
        refresh_token: &SecretString,
    ) -> Result<Request<Full<Bytes>>, String> {
        let encoded = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let (client, secret) = (encoded(&self.client), encoded(self.secret.expose_secret()));
        let mut body = format!(
            "grant_type=refresh_token&refresh_token={}",
            encoded(refresh_token.expose_secret())
        );
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(endpoint)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match form {
            Form::Header => {
                let pair = Zeroizing::new(format!("{client}:{secret}"));
                let value = format!("Basic {}", STANDARD.encode(pair.as_bytes()));
                request = request.header(header::AUTHORIZATION, value);
            }
            Form::Parameters => {
                body.push_str("&client_id=");
                body.push_str(&client);
                if !secret.is_empty() {
                    body.push_str("&client_secret=");
                    body.push_str(&secret);
                }
            }
        }
        request
            .body(Full::from(body))
            .map_err(|_| "cannot be asked: its token_endpoint is not a URL".to_owned())
    }

    /// Sends a request, and reads a JSON object. An error's body that is none counts as an empty object.
    async fn ask<T: DeserializeOwned>(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, T), String> {
        let mut config = Config::new(request.uri().clone());
        config.root_cert.clone_from(&self.roots);
        let tls = config
            .rustls_https_connector()
            .map_err(|error| format!("cannot be asked: {}", bounded(&error.to_string())))?;
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(tls);
        let answer = client
            .request(request)
            .await
            .map_err(|error| format!("cannot be reached: {}", causes(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| format!("breaks off its answer: {}", causes(&*error)))?;
        let bytes = body.to_bytes();
        match serde_json::from_slice(&bytes) {
            Ok(read) => Ok((status, read)),
            Err(_) if status.is_success() => Err("answers with unexpected JSON".to_owned()),
            Err(_) => serde_json::from_str("{}")
                .map(|empty| (status, empty))
                .map_err(|_| format!("answers {status}")),
        }
    }
}

/// An error with what caused it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = all.take(5).map(ToString::to_string).collect();
    bounded(&texts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that has ended.
    const ENDED: &str = "e30.eyJleHAiOjB9.";

    fn config(fields: &[(&str, &str)]) -> HashMap<String, String> {
        let whole = [
            (ISSUER, "https://id.example.com"),
            ("client-id", "kubernetes"),
            ("refresh-token", "r"),
            (ID_TOKEN, ENDED),
        ];
        let all = whole.iter().chain(fields);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_token_is_renewed_where_the_provider_says_how() {
        for (fields, expected) in [
            (&[][..], true),
            (&[("client-secret", "s")], true),
            (&[(ID_TOKEN, "")], true),
            (&[(ID_TOKEN, "opaque")], false),
            (&[(ID_TOKEN, "a.b.c")], false),
            (&[("refresh-token", "")], false),
            (&[("client-id", " ")], false),
            (&[(ISSUER, "http://id.example.com")], false),
        ] {
            let found = provider(&config(fields)).expect("it is read");
            assert_eq!(found.is_some(), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_ca_of_the_provider_that_cannot_be_read_is_an_error() {
        for (fields, expected) in [
            (
                (CA_FILE, "/nonexistent/ca.crt"),
                "its idp-certificate-authority /nonexistent/ca.crt cannot be read: No such file or directory (os error 2)",
            ),
            (
                (CA_DATA, "%%%"),
                "its idp-certificate-authority-data is not base64",
            ),
            (
                (CA_DATA, "YWJj"),
                "its idp-certificate-authority-data holds no certificate in PEM",
            ),
        ] {
            let found = provider(&config(&[fields]));
            assert_eq!(found.err().as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_token_is_good_until_shortly_before_its_end() {
        let token = |end: i64| {
            let claims = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{end}}}"));
            IdToken::parse(&format!("e30.{claims}.sig")).expect("a JWT")
        };
        let now = Timestamp::now().as_second();
        assert!(token(now + 3_600).is_good());
        assert!(token(i64::MAX).is_good(), "beyond the calendar");
        assert!(!token(now + 5).is_good());
        assert!(!token(0).is_good());
    }
}
