//! The probe against servers that others wrote, against bytes of any kind, and against itself.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod alerting_backend;
mod any_bytes;
mod capture;
mod certificates;
mod client;
mod client_certificate;
mod configuration;
mod go;
mod hostile_peers;
mod http2;
mod limbo;
mod nginx_backend;
mod second_opinion;
mod stalls;
mod tls_scan;
