//! The vectors. Those with an expectation are rows of the tables in `facts/tls.md`.

mod alerts;
mod all;
mod bundles;
mod chains;
pub(crate) mod clients;
mod extensions;
mod handshakes;
mod http;
mod keys;
mod names;
mod oddities;
mod pairs;
mod wire;

pub(crate) use all::all;
