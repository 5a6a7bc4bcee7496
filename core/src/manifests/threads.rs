//! Reads the parts of a file in several threads.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Bytes of text that are read before what they hold is taken in: what there is no room for is dropped soon, and many
/// tiny values, which take seventy times their text, take less than one document may.
const BATCH: usize = 4 << 20;
/// Parts that a thread reads before it looks for more.
const CHUNK: usize = 32;
/// Threads that read. With more of them, putting the objects into their tables takes most of the time.
const MAX_THREADS: usize = 4;

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
        in_threads(batch, &read).into_iter().for_each(&mut take);
    }
}

/// `read` of each part, in their order.
fn in_threads<'p, T: Sync, R: Send>(parts: &'p [T], read: &(impl Fn(&'p T) -> R + Sync)) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MAX_THREADS).min(parts.len() / CHUNK);
    if threads < 2 {
        return parts.iter().map(read).collect();
    }
    let chunks: Vec<&[T]> = parts.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(index) else {
                return done;
            };
            done.push((index, chunk.iter().map(read).collect()));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, read)| read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_parts_are_taken_in_their_order() {
        let parts: Vec<usize> = (0..=10 * CHUNK).collect();
        let mut taken = Vec::new();
        let length = |_: &usize| BATCH / 100;
        in_batches(&parts, length, |part| part * 2, |read| taken.push(read));
        assert_eq!(taken, parts.iter().map(|part| part * 2).collect::<Vec<_>>());
        let threaded = in_threads(&parts, &|part| part * 2);
        assert_eq!(threaded, taken);
    }
}
