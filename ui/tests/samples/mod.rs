//! Every widget with content, for the tests and the gallery: one list.

mod all;
mod contents;

pub(crate) use all::*;
