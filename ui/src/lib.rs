//! How to draw: the terminal, a theme, keys, and widgets.
//!
//! Nothing here knows what the pictures are about; the vocabulary is node, column, lane, message,
//! box, link, field. Text from anywhere may be handed in as it is: controls, bidirectional
//! overrides and invisible characters never reach the screen (see [`text::clean`]), and whatever
//! does not fit is cut with an ellipsis by its width in cells.
//!
//! ```
//! use ngf_ui::widgets::tree::{Branch, Tree, TreeRow, connect};
//! use ngf_ui::{Mark, Theme};
//!
//! let theme = Theme::plain();
//! let mut rows = vec![
//!     TreeRow::new(0, "root").branch(Branch::Expanded).mark(Mark::Ok),
//!     TreeRow::new(1, "child").mark(Mark::Failed).note("3m"),
//! ];
//! connect(&mut rows);
//! let text = Tree::new(&rows, &theme).to_text(24);
//! assert_eq!(text, ["▾ ✓ root", "└── ✗ child           3m"]);
//! ```

pub mod cast;
mod cells;
pub mod glyphs;
pub mod golden;
pub mod input;
pub mod keymap;
mod output;
pub mod scroll;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod widgets;

pub use glyphs::{GlyphSet, Glyphs};
pub use keymap::{KeyChord, Keymap};
pub use scroll::{ListState, ScrollState};
pub use text::{Label, Run};
pub use theme::{Background, ColorSupport, Contrast, Mark, Role, Theme};
