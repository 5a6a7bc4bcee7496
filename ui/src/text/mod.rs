//! Text as a terminal shows it: cleaned of what is not for the eye, measured in cells, cut with an
//! ellipsis, wrapped at words.
//!
//! Everything drawn passes through here, whoever wrote it: widgets take hostile text as it comes.

mod draw;
mod found;
mod label;
mod wrap;

pub use self::draw::{Finder, draw_label, draw_right, draw_text};
pub(crate) use self::draw::{highlight, line_of};
pub use self::found::mark_found;
pub use self::label::{Label, Run, cut_label, pad};
pub use self::wrap::{hang, widest_word, wrap, wrap_after, wrap_indented, wrapped_height};
pub(crate) use crate::cells::graphemes;
pub use crate::cells::{clean, cut, cut_middle, is_unprintable, width};
