//! What things mean.

pub mod sandbox;
