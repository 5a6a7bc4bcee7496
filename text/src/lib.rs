//! Texts that every crate shares: what comes from outside made safe to show, credentials taken out, quantities in words, addresses,
//! errors with their causes.

mod address;
mod causes;
pub mod credentials;
pub mod sanitize;
pub mod words;

pub use address::host_and_port;
pub use causes::in_words;
pub use sanitize::is_hidden;
