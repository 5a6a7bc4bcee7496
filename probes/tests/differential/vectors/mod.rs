//! The vectors. Those with an expectation are rows of the tables in `facts/tls.md`.

mod alerts;
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

use crate::vector::Vector;

/// All server-side vectors.
pub(crate) fn all() -> Vec<Vector> {
    [
        chains::vectors(),
        extensions::vectors(),
        bundles::vectors(),
        oddities::vectors(),
        names::vectors(),
        keys::vectors(),
        handshakes::vectors(),
        alerts::vectors(),
        wire::vectors(),
        http::vectors(),
        pairs::vectors(),
    ]
    .concat()
}
