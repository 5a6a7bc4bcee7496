//! How to measure: connects to a backend as NGINX Gateway Fabric's nginx would, and writes down
//! every step. Knows nothing of Kubernetes and nothing of terminals.
//!
//! [`probe()`] runs one probe over a [`dial::Dial`]; [`ngf_tls::chain::judge`] asks the same engine about
//! certificates alone.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use ngf_probes::dial::Direct;
//! use ngf_probes::spec::{HttpSpec, ProbeSpec};
//! use ngf_tls::protocol::Protocol;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), ngf_probes::ProbeError> {
//! let host = "secure-app.example.com".to_owned();
//! let spec = ProbeSpec {
//!     host: "10.0.3.7".to_owned(),
//!     port: 8443,
//!     tls: None,
//!     http: HttpSpec { method: "GET".to_owned(), host, path: "/".to_owned() },
//!     protocol: Protocol::Http1,
//!     timeout: Duration::from_secs(5),
//! };
//! let transcript = ngf_probes::probe(&spec, &Direct, &CancellationToken::new()).await?;
//! println!("{}", transcript.nginx.sentence);
//! # Ok(())
//! # }
//! ```

pub mod capture;
pub mod client;
mod demand;
pub mod dial;
pub mod engine;
mod opinions;
mod probe;
mod recorder;
mod records;
pub mod spec;
pub mod stall;
pub mod steps;
pub mod tls_scan;
pub mod verdict;

pub use demand::settle_demand;
pub use probe::{ProbeError, probe, probe_with};
pub use recorder::Recorder;
