//! Handshake: the last probe as a sequence diagram, from the guide's eleven arrows, a line each, down to the
//! TLS messages on the wire.

mod cursor;
mod diagram;
mod probe_context;
mod running;
mod step;
mod view;

pub(super) use cursor::direction;
pub use cursor::{at_fault, pointed_at, selected_message};
pub use step::{fields, name as step_name, title as step_title};
pub use view::{VIEW, arrows, at, compare, replay, selected_text, told, width};
pub(super) use view::{searched, searched_step};

pub use crate::diagram::mark_of;
