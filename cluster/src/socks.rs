//! A client behind a SOCKS proxy that wants a user and a password, which kube does not pass on.

use http::Request;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, proxy::SocksV5},
    },
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::{Body, ClientBuilder, ConfigExt, DynBody},
};
use tower::{BoxError, Layer, ServiceExt, util::BoxService};

use super::address;

/// User and password.
type User = (String, String);
/// The service of kube's own client.
type Service = BoxService<Request<Body>, http::Response<Box<DynBody>>, BoxError>;

/// The user and the password for the proxy, where it is a SOCKS proxy that has them.
pub(super) fn needed(config: &Config) -> Option<User> {
    let proxy = config.proxy_url.as_ref()?;
    address::user(proxy).filter(|_| proxy.scheme_str() == Some("socks5"))
}

/// As kube makes its client, with a user for the proxy.
pub(super) fn client(
    config: Config,
    (user, password): User,
) -> kube::Result<ClientBuilder<Service>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let proxy = config.proxy_url.clone().unwrap_or_default();
    let socks = SocksV5::new(proxy, tcp).with_auth(user, password);
    let tls = config.rustls_https_connector_with_connector(socks)?;
    let http = Client::builder(TokioExecutor::new()).build::<_, Body>(tls);
    let headers = config.extra_headers_layer()?.layer(http);
    let service = config
        .base_uri_layer()
        .layer(headers)
        .map_response(|answer: http::Response<hyper::body::Incoming>| {
            answer.map(|body| Box::new(body.map_err(BoxError::from)) as Box<DynBody>)
        })
        .map_err(BoxError::from)
        .boxed();
    Ok(ClientBuilder::new(service, config.default_namespace))
}
