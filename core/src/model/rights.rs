//! How the tool says that a right is missing.

/// In every sentence about a request that the API server answered with 403, before its own words.
pub const FORBIDS: &str = "the API server forbids it";
