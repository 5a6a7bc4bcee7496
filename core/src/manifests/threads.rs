//! Reads the parts of a file in several threads.

use crate::threads;

/// Bytes of text that are read before what they hold is taken in: what there is no room for is dropped soon, and many
/// tiny values, which take seventy times their text, take less than one document may.
const BATCH: usize = 4 << 20;

/// Gives what `read` makes of each part to `take`, in the order of the parts. Several threads read where there are
/// many parts and several processors. `length` is that of a part's text.
pub(super) fn in_batches<'p, T: Sync, R: Send>(
    parts: &'p [T],
    length: impl Fn(&T) -> usize,
    read: impl Fn(&'p T) -> R + Sync,
    mut take: impl FnMut(R),
) {
    let mut rest = parts;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|part| {
            bytes += length(part);
            bytes <= BATCH
        });
        let (batch, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        threads::map(batch, &read).into_iter().for_each(&mut take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_parts_are_taken_in_their_order() {
        let parts: Vec<usize> = (0..=10 * threads::CHUNK).collect();
        let mut taken = Vec::new();
        let length = |_: &usize| BATCH / 100;
        in_batches(&parts, length, |part| part * 2, |read| taken.push(read));
        assert_eq!(taken, parts.iter().map(|part| part * 2).collect::<Vec<_>>());
    }
}
