//! Logs of a cluster: read from the past, and followed while pods come and go.

mod follow;
mod read;

pub use follow::{Followed, News, follow, watch};
pub use read::{LogExtent, read, read_to_follow};
