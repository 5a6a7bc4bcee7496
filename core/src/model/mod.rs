//! What the cluster is: objects as the tool understands them, an immutable snapshot of all of them,
//! and the topology that they form. No I/O, no clock, no private key.

pub mod attachment;
pub mod clean;
pub mod decode;
pub mod facts;
mod fill;
pub mod held;
pub mod index;
pub mod kind;
pub mod kinds;
pub mod meant;
pub mod network;
pub mod node_id;
pub mod object;
mod part;
pub mod placeholder;
pub mod raw;
pub mod references;
pub mod referring;
pub mod rights;
pub mod sensitive;
pub mod snapshot;
pub mod status;
pub mod table;
pub mod topology;
pub mod value;
pub mod versions;
