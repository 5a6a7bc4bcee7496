//! The guide's secure-app: a server that does with TLS and HTTP what nginx does with the
//! configuration and certificates that the pod mounts.
//!
//! The verdict on a client certificate is OpenSSL's, taken as nginx takes it: the verification never
//! ends the handshake, its result is looked at when the request has been read
//! (`ngx_http_process_request`).

pub(crate) mod config;
mod connection;
mod http;
mod names;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, NameType, SniError, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef,
    SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::X509;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::config::{Files, Server, Verify};
use super::logs::Log;

/// Connections that one pod serves at once; one more is closed at once, as nginx does when its
/// `worker_connections` are used up.
const MAX_CONNECTIONS: usize = 512;

/// A running nginx: what it read at its start.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// `server` blocks of the one port; the first one is the default.
    servers: Vec<Block>,
    port: u16,
    /// The context of connections until SNI has chosen a server; `None` where the port is plain.
    tls: Option<SslContext>,
    log: Arc<Log>,
    connections: AtomicU64,
    /// `client_header_timeout` and nginx's bound on a handshake.
    timeout: Duration,
    /// `keepalive_timeout`.
    idle: Duration,
}

struct Block {
    server: Server,
    context: Option<SslContext>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Nginx {
    /// Reads configuration and certificates. What nginx would refuse to start with is logged as its
    /// `[emerg]` line and returned.
    pub(crate) fn load(files: &Files, log: Arc<Log>) -> Result<Arc<Self>, String> {
        Self::read(files, log.clone()).inspect_err(|message| {
            log.write(format!("nginx: [emerg] {message}"));
        })
    }

    fn read(files: &Files, log: Arc<Log>) -> Result<Arc<Self>, String> {
        let servers = config::servers(files).map_err(|e| e.to_string())?;
        let port = servers
            .iter()
            .flat_map(|s| s.listen.first())
            .map(|(port, _)| *port)
            .next()
            .ok_or("no \"listen\" directive in /etc/nginx/conf.d")?;
        let mut blocks = Vec::new();
        for server in servers {
            let on_port = server.listen.iter().find(|(p, _)| *p == port).copied();
            let Some((_, tls)) = on_port else { continue };
            let context = if tls {
                Some(context(&server, files)?)
            } else {
                None
            };
            blocks.push(Block { server, context });
        }
        let tls = if blocks.iter().any(|b| b.context.is_some()) {
            Some(front(&blocks).map_err(|e| format!("SSL_CTX_new() failed (SSL: {e})"))?)
        } else {
            None
        };
        Ok(Arc::new(Self {
            servers: blocks,
            port,
            tls,
            log,
            connections: AtomicU64::new(0),
            timeout: Duration::from_secs(60),
            idle: Duration::from_secs(75),
        }))
    }

    /// The port that the configuration listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `stop` is cancelled; open connections end with it.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let local = listener
            .local_addr()
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], self.port)));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of file descriptors, or the peer has gone: wait a little instead of spinning.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                self.error(
                    "alert",
                    None,
                    &format!("{MAX_CONNECTIONS} worker_connections are not enough"),
                );
                continue;
            };
            let connection = connection::Connection::new(self.clone(), number, peer, local);
            let stop = stop.clone();
            tokio::spawn(async move {
                let _slot = slot;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection.run(stream) => {}
                }
            });
        }
    }

    /// A line of the error log, in nginx's form.
    fn error(&self, level: &str, connection: Option<u64>, message: &str) {
        let time = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        let connection = connection.map(|n| format!("*{n} ")).unwrap_or_default();
        self.log
            .write(format!("{time} [{level}] 29#29: {connection}{message}"));
    }

    /// The server block that serves this name (`ngx_http_find_virtual_server`): exact names, then
    /// wildcards. With a single block there are no virtual servers, and nothing is looked up.
    fn find(&self, host: &str) -> Option<usize> {
        if self.servers.len() < 2 {
            return None;
        }
        let named = |matches: &dyn Fn(&str) -> bool| {
            self.servers
                .iter()
                .position(|b| b.server.names.iter().any(|n| matches(n)))
        };
        named(&|name| name == host).or_else(|| {
            named(&|name| {
                name.strip_prefix('*').is_some_and(|suffix| {
                    suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix)
                })
            })
        })
    }
}

fn read<'a>(files: &'a Files, path: &str, failed: &str) -> Result<&'a [u8], String> {
    let bytes = files.get(path).map(|bytes| bytes.as_slice());
    bytes.ok_or_else(|| {
        format!(
            "{failed} \"{path}\": BIO_new_file() failed (SSL: error:80000002:system library::No \
             such file or directory:calling fopen({path}, r) error:10000080:BIO routines::no such \
             file)"
        )
    })
}

/// A server block's TLS context, set as `ngx_http_ssl_merge_srv_conf` sets it.
fn context(server: &Server, files: &Files) -> Result<SslContext, String> {
    let (Some(certificate), Some(key)) = (&server.certificate, &server.key) else {
        return Err(
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive".into(),
        );
    };
    let chain = read(files, certificate, "cannot load certificate")?;
    let key_pem = read(files, key, "cannot load certificate key")?;
    let build = || -> Result<SslContextBuilder, ErrorStack> {
        let mut builder = base_context(&server.protocols)?;
        let mut chain = X509::stack_from_pem(chain)?.into_iter();
        if let Some(leaf) = chain.next() {
            builder.set_certificate(&leaf)?;
        }
        for intermediate in chain {
            builder.add_extra_chain_cert(intermediate)?;
        }
        let key = PKey::private_key_from_pem_callback(key_pem, |_| Ok(0))?;
        builder.set_private_key(&key)?;
        builder.check_private_key()?;
        Ok(builder)
    };
    let mut builder =
        build().map_err(|e| format!("cannot load certificate \"{certificate}\": (SSL: {e})"))?;
    if server.verify != Verify::Off {
        let path = server.client_ca.as_deref();
        let path = path.ok_or("no ssl_client_certificate for ssl_verify_client")?;
        let bundle = files.get(path).map_or(&[][..], |b| b.as_slice());
        trust(&mut builder, bundle, server.depth)
            .map_err(|e| format!("SSL_CTX_load_verify_locations(\"{path}\") failed (SSL: {e})"))?;
    }
    Ok(builder.build())
}

fn base_context(protocols: &[String]) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    let has = |name: &str| protocols.iter().any(|p| p == name);
    let known = [
        ("TLSv1", SslVersion::TLS1),
        ("TLSv1.1", SslVersion::TLS1_1),
        ("TLSv1.2", SslVersion::TLS1_2),
        ("TLSv1.3", SslVersion::TLS1_3),
    ];
    let mut wanted = known
        .iter()
        .filter(|(name, _)| has(name))
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
    builder.set_session_id_context(b"HTTP")?;
    builder.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(b"\x08http/1.1\x08http/1.0\x08http/0.9", offered)
            .ok_or(AlpnError::ALERT_FATAL)
    });
    Ok(builder)
}

/// `ngx_ssl_client_certificate` and `ngx_ssl_verify_callback`.
fn trust(builder: &mut SslContextBuilder, bundle: &[u8], depth: u32) -> Result<(), ErrorStack> {
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
    builder.set_verify_depth(depth);
    builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    Ok(())
}

/// The context that a connection starts with: the default server's, which SNI exchanges for another
/// (`ngx_http_ssl_servername`).
fn front(blocks: &[Block]) -> Result<SslContext, ErrorStack> {
    let first = blocks
        .iter()
        .find_map(|b| b.context.clone().map(|c| (c, b)));
    let Some((default, block)) = first else {
        return SslContextBuilder::new(SslMethod::tls_server()).map(SslContextBuilder::build);
    };
    let mut builder = base_context(&block.server.protocols)?;
    let named: Vec<_> = blocks
        .iter()
        .map(|b| {
            (
                b.server.names.clone(),
                b.context.clone(),
                b.server.reject,
                b.server.verify,
            )
        })
        .collect();
    let single = named.len() < 2;
    builder.set_servername_callback(move |ssl: &mut SslRef, alert| {
        let host = ssl.servername(NameType::HOST_NAME).map(str::to_lowercase);
        let chosen = host.filter(|_| !single).and_then(|host| {
            named
                .iter()
                .find(|(names, ..)| names.iter().any(|name| *name == host))
        });
        let (_, context, reject, verify) = chosen.unwrap_or(&named[0]);
        if *reject {
            *alert = openssl::ssl::SslAlert::UNRECOGNIZED_NAME;
            return Err(SniError::ALERT_FATAL);
        }
        let context = context.as_ref().unwrap_or(&default);
        if ssl.set_ssl_context(context).is_err() {
            return Err(SniError::ALERT_FATAL);
        }
        // The context's own mode is not taken over by an existing connection.
        if *verify == Verify::Off {
            ssl.set_verify(SslVerifyMode::NONE);
        } else {
            ssl.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        Ok(())
    });
    Ok(builder.build())
}
