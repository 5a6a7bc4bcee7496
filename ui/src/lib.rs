//! How to draw.
