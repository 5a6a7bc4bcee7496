//! What the terminal interface and `probe` act on: files, a cluster, or the embedded cluster.

#[cfg(feature = "demo")]
mod demo;
mod live;
pub mod making;

#[cfg(feature = "demo")]
pub use demo::{Walk, stage_event};
pub use live::{Files, Live, LiveOptions, Stages};

/// An error with its causes, in one sentence.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many errors repeat their cause in their own words.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
