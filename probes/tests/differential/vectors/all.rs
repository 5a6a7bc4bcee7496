//! The list of the vectors.

use crate::vector::Vector;

/// All server-side vectors.
pub(crate) fn all() -> Vec<Vector> {
    [
        super::chains::vectors(),
        super::extensions::vectors(),
        super::bundles::vectors(),
        super::oddities::vectors(),
        super::names::vectors(),
        super::keys::vectors(),
        super::handshakes::vectors(),
        super::alerts::vectors(),
        super::wire::vectors(),
        super::http::vectors(),
        super::pairs::vectors(),
    ]
    .concat()
}
