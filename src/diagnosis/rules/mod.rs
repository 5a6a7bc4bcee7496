//! The rules, by family.
