//! Panics on demand: the tests see what a defect leaves behind. Only builds with debug assertions have it; a release
//! contains none of it.

/// Panics where the environment variable `NGF_TUI_DEFECT` names this place. The message holds what a report must not.
#[cfg(debug_assertions)]
pub(crate) fn here(place: &str) {
    let is_wanted = std::env::var("NGF_TUI_DEFECT").is_ok_and(|wanted| wanted == place);
    assert!(
        !is_wanted,
        "a defect at {place}: Authorization: Bearer abc.def.ghi\u{1b}[31m\n-----BEGIN PRIVATE KEY-----\nMIIEvSECRETLINE\n\
         -----END PRIVATE KEY-----\nafter the key"
    );
}

/// Does nothing in a release.
#[cfg(not(debug_assertions))]
pub(crate) fn here(_: &str) {}
