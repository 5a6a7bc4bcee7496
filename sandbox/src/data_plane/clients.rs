//! TLS to the clients of a Gateway, as nginx is told to speak it by NGF: the server is chosen by SNI, the client's
//! certificate is judged after the handshake.

use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, NameType, SniError, SslAlert, SslContext, SslMethod, SslMode, SslRef, SslVerifyMode,
};
use openssl::stack::Stack;
use openssl::x509::{X509, X509VerifyResult};

use super::proxy::find_server;
use super::{Clients, Configuration, ServerTls};
use crate::nginx::config::Files;
use crate::nginx::tls;

/// `ssl_verify_depth` as NGF renders it.
const DEPTH: u32 = 4;

/// What TLS says of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    /// It presented a certificate.
    pub(super) has_certificate: bool,
    /// What OpenSSL says of it.
    pub(super) result: X509VerifyResult,
}

impl Client {
    pub(super) fn of(ssl: &SslRef) -> Self {
        Self {
            has_certificate: ssl.peer_certificate().is_some(),
            result: ssl.verify_result(),
        }
    }

    /// nginx's line where it does not let the client in (`ngx_http_process_request`).
    pub(super) fn refusal(self, clients: &Clients) -> Option<String> {
        if !matches!(clients, Clients::Of(_)) {
            return None;
        }
        if !self.has_certificate {
            return Some("client sent no required SSL certificate".to_owned());
        }
        (self.result != X509VerifyResult::OK).then(|| {
            let (code, text) = (self.result.as_raw(), self.result.error_string());
            format!("client SSL certificate verify error: ({code}:{text})")
        })
    }
}

/// The context that connections of a port begin with; `None` where its servers speak no TLS.
pub(super) fn context(
    configuration: &Configuration,
    files: &Files,
    port: u16,
) -> Result<Option<SslContext>, ErrorStack> {
    let mut contexts = Vec::new();
    for server in configuration
        .servers
        .iter()
        .filter(|server| server.port == port)
    {
        if let Some(tls) = &server.tls {
            contexts.push((server.name.clone(), of_server(tls, files)?));
        }
    }
    if contexts.is_empty() {
        return Ok(None);
    }
    let servers: Vec<(u16, String)> = contexts
        .iter()
        .map(|(name, _)| (port, name.clone()))
        .collect();
    let mut front = builder()?;
    front.set_servername_callback(move |ssl: &mut SslRef, alert: &mut SslAlert| {
        let host = ssl.servername(NameType::HOST_NAME).map(str::to_lowercase);
        let named = servers.iter().map(|(_, name)| name.as_str());
        let chosen = find_server(named, &host.unwrap_or_default());
        let Some((_, context)) = chosen.and_then(|index| contexts.get(index)) else {
            // `ssl_reject_handshake`
            *alert = SslAlert::UNRECOGNIZED_NAME;
            return Err(SniError::ALERT_FATAL);
        };
        if ssl.set_ssl_context(context).is_err() {
            return Err(SniError::ALERT_FATAL);
        }
        // A connection keeps the mode that it was made with unless it is told otherwise.
        ssl.param_mut().set_depth(DEPTH.cast_signed());
        if context.verify_mode() == SslVerifyMode::NONE {
            ssl.set_verify(SslVerifyMode::NONE);
        } else {
            ssl.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        Ok(())
    });
    Ok(Some(front.build()))
}

fn builder() -> Result<openssl::ssl::SslContextBuilder, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    // nginx sends the chain of its certificate file, and nothing that it happens to trust.
    builder.set_mode(SslMode::NO_AUTO_CHAIN);
    builder.set_session_id_context(b"HTTP")?;
    builder.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x08http/1.1\x08http/1.0", offered)
            .ok_or(AlpnError::ALERT_FATAL)
    });
    builder.set_verify_depth(DEPTH);
    Ok(builder)
}

fn of_server(server: &ServerTls, files: &Files) -> Result<SslContext, ErrorStack> {
    let file = |path: &str| files.get(path).map_or(&[][..], |bytes| &bytes[..]);
    let mut builder = builder()?;
    // Of several of one type of key OpenSSL keeps the last.
    for pair in &server.pairs {
        tls::set_pair(&mut builder, file(pair), file(pair))?;
    }
    if server.clients != Clients::Anyone {
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    }
    if let Clients::Of(bundle) = &server.clients {
        let mut names = Stack::new()?;
        for authority in X509::stack_from_pem(file(bundle))? {
            names.push(authority.subject_name().to_owned()?)?;
            builder.cert_store_mut().add_cert(authority)?;
        }
        builder.set_client_ca_list(names);
    }
    Ok(builder.build())
}
