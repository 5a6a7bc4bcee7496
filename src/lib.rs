//! What things mean.
