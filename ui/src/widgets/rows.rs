//! Lists of any length, of which only the visible rows are asked for.

use std::borrow::Cow;

/// Where a list gets its rows. Slices and vectors are sources; [`Lazy`] makes one of a function.
pub trait Rows<R: Clone> {
    /// The number of rows.
    fn count(&self) -> usize;
    /// The row at this place, which is less than the count.
    fn row(&self, index: usize) -> Cow<'_, R>;
}

impl<R: Clone> Rows<R> for [R] {
    fn count(&self) -> usize {
        self.len()
    }

    fn row(&self, index: usize) -> Cow<'_, R> {
        Cow::Borrowed(&self[index])
    }
}

impl<R: Clone> Rows<R> for Vec<R> {
    fn count(&self) -> usize {
        self.len()
    }

    fn row(&self, index: usize) -> Cow<'_, R> {
        Cow::Borrowed(&self[index])
    }
}

impl<R: Clone, const N: usize> Rows<R> for [R; N] {
    fn count(&self) -> usize {
        N
    }

    fn row(&self, index: usize) -> Cow<'_, R> {
        Cow::Borrowed(&self[index])
    }
}

/// Rows that are made when they are drawn.
pub struct Lazy<F> {
    count: usize,
    make: F,
}

impl<F> Lazy<F> {
    /// `count` rows, of which `make` makes any one.
    pub const fn new(count: usize, make: F) -> Self {
        Self { count, make }
    }
}

impl<R: Clone, F: Fn(usize) -> R> Rows<R> for Lazy<F> {
    fn count(&self) -> usize {
        self.count
    }

    fn row(&self, index: usize) -> Cow<'_, R> {
        Cow::Owned((self.make)(index))
    }
}
