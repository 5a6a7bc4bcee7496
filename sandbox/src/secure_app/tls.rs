//! TLS as nginx sets it up for a server block (`ngx_http_ssl_module.c`, `ngx_event_openssl.c`).

use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, NameType, SniError, SslAlert, SslContext, SslContextBuilder, SslMethod, SslMode,
    SslOptions, SslRef, SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::X509;

use super::{Block, find};
use crate::nginx::config::{Files, Server, Verify};
use crate::nginx::tls;

/// The file, or what nginx says where there is none.
fn read<'a>(files: &'a Files, path: &str, what: &str) -> Result<&'a [u8], String> {
    files
        .get(path)
        .map(|bytes| bytes.as_slice())
        .ok_or_else(|| {
            format!(
                "cannot load {what} \"{path}\": BIO_new_file() failed (SSL: error:80000002:system \
             library::No such file or directory:calling fopen({path}, r) error:10000080:BIO \
             routines::no such file)"
            )
        })
}

/// A server block's context.
pub(super) fn context(server: &Server, files: &Files) -> Result<SslContext, String> {
    let (Some(certificate), Some(key)) = (&server.certificate, &server.key) else {
        return Err(
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive".into(),
        );
    };
    let chain = read(files, certificate, "certificate")?;
    let key_pem = read(files, key, "certificate key")?;
    let build = || -> Result<SslContextBuilder, ErrorStack> {
        let mut builder = base(server)?;
        tls::set_pair(&mut builder, chain, key_pem)?;
        builder.check_private_key()?;
        Ok(builder)
    };
    let mut builder =
        build().map_err(|e| format!("cannot load certificate \"{certificate}\": (SSL: {e})"))?;
    if server.verify != Verify::Off {
        let path = server.client_ca.as_deref();
        let path = path.ok_or("no ssl_client_certificate for ssl_verify_client")?;
        let bundle = read(files, path, "certificate")?;
        trust(&mut builder, bundle).map_err(|e| {
            format!("cannot load certificate \"{path}\": PEM_read_bio_X509_AUX() failed (SSL: {e})")
        })?;
    }
    Ok(builder.build())
}

/// What all contexts have: protocols, ciphers, ALPN for HTTP/1, how clients are verified.
fn base(server: &Server) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    let known = [
        ("TLSv1", SslVersion::TLS1),
        ("TLSv1.1", SslVersion::TLS1_1),
        ("TLSv1.2", SslVersion::TLS1_2),
        ("TLSv1.3", SslVersion::TLS1_3),
    ];
    let mut wanted = known
        .iter()
        .filter(|(name, _)| server.protocols.iter().any(|protocol| protocol == name))
        .map(|(_, version)| *version);
    let least = wanted.next();
    builder.set_min_proto_version(least)?;
    builder.set_max_proto_version(wanted.next_back().or(least))?;
    builder.set_cipher_list("HIGH:!aNULL:!MD5")?;
    builder.set_options(
        SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION
            | SslOptions::IGNORE_UNEXPECTED_EOF,
    );
    // nginx sends the chain of its certificate file, and nothing that it happens to trust.
    builder.set_mode(SslMode::NO_AUTO_CHAIN);
    builder.set_session_id_context(b"HTTP")?;
    builder.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x08http/1.1\x08http/1.0\x08http/0.9", offered)
            .ok_or(AlpnError::ALERT_FATAL)
    });
    builder.set_verify_depth(server.depth);
    if server.verify != Verify::Off {
        // The verdict is checked when the request has been read; the handshake continues.
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    }
    Ok(builder)
}

/// `ssl_client_certificate`: whom to trust, and the names in the CertificateRequest.
fn trust(builder: &mut SslContextBuilder, bundle: &[u8]) -> Result<(), ErrorStack> {
    let mut names = Stack::new()?;
    let authorities = X509::stack_from_pem(bundle)?;
    if authorities.is_empty() {
        // The error that OpenSSL gives for a file without a certificate.
        X509::from_pem(bundle)?;
    }
    for authority in authorities {
        names.push(authority.subject_name().to_owned()?)?;
        builder.cert_store_mut().add_cert(authority)?;
    }
    builder.set_client_ca_list(names);
    Ok(())
}

/// The context that connections start with: the only server's, or one that SNI exchanges for the
/// named server's (`ngx_http_ssl_servername`); `None` where no server speaks TLS.
pub(super) fn front(blocks: &[Block]) -> Result<Option<SslContext>, ErrorStack> {
    if let [block] = blocks
        && !block.server.reject
    {
        return Ok(block.context.clone());
    }
    let Some(default) = blocks.iter().find_map(|block| block.context.clone()) else {
        return Ok(None);
    };
    let mut builder = base(&blocks[0].server)?;
    let servers: Vec<_> = blocks
        .iter()
        .map(|b| (b.server.clone(), b.context.clone()))
        .collect();
    builder.set_servername_callback(move |ssl: &mut SslRef, alert: &mut SslAlert| {
        let names: Vec<&[String]> = servers.iter().map(|(s, _)| s.names.as_slice()).collect();
        let host = ssl.servername(NameType::HOST_NAME).map(str::to_lowercase);
        let chosen = host.and_then(|host| find(&names, &host)).unwrap_or(0);
        let (server, context) = &servers[chosen];
        if server.reject {
            *alert = SslAlert::UNRECOGNIZED_NAME;
            return Err(SniError::ALERT_FATAL);
        }
        if ssl
            .set_ssl_context(context.as_ref().unwrap_or(&default))
            .is_err()
        {
            return Err(SniError::ALERT_FATAL);
        }
        // A connection keeps the mode and depth that it was made with unless it is told otherwise.
        ssl.param_mut().set_depth(server.depth.cast_signed());
        if server.verify == Verify::Off {
            ssl.set_verify(SslVerifyMode::NONE);
        } else {
            ssl.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        Ok(())
    });
    Ok(Some(builder.build()))
}
