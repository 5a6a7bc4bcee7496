//! Work on many equal parts, in several threads where there are enough of them.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Parts that a thread takes before it looks for more.
pub(crate) const CHUNK: usize = 32;
/// Threads that work. With more of them, putting the results together takes most of the time.
const MAX_THREADS: usize = 4;

static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// The number of threads for work in that many chunks.
pub(crate) fn worth(chunks: usize) -> usize {
    #[cfg(test)]
    if let Some(threads) = tests::FORCED.get() {
        return threads;
    }
    chunks.min(MAX_THREADS).min(*PROCESSORS).max(1)
}

/// `make` of each part, in their order.
pub(crate) fn map<'p, T: Sync, R: Send>(
    parts: &'p [T],
    make: impl Fn(&'p T) -> R + Sync,
) -> Vec<R> {
    map_in(worth(parts.len() / CHUNK), CHUNK, parts, make)
}

/// The same in that many threads, each of which takes a chunk of parts before it looks for more.
pub(crate) fn map_in<'p, T: Sync, R: Send>(
    threads: usize,
    chunk: usize,
    parts: &'p [T],
    make: impl Fn(&'p T) -> R + Sync,
) -> Vec<R> {
    if threads < 2 || parts.len() <= chunk {
        return parts.iter().map(make).collect();
    }
    let chunks: Vec<&[T]> = parts.chunks(chunk).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(index) else {
                return done;
            };
            done.push((index, chunk.iter().map(&make).collect()));
        }
    };
    let mut done: Vec<(usize, Vec<R>)> = run(threads, work).into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

/// `work` in that many threads, of which this is one. A panic in another thread continues in this one.
pub(crate) fn run<R: Send>(threads: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut done = vec![work()];
        for other in others {
            match other.join() {
                Ok(more) => done.push(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        pub(super) static FORCED: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// What `work` makes with that many threads, whatever the machine and the size of the work.
    pub(crate) fn forced<R>(threads: usize, work: impl FnOnce() -> R) -> R {
        FORCED.set(Some(threads));
        let made = work();
        FORCED.set(None);
        made
    }

    #[test]
    fn what_is_made_comes_in_the_order_of_the_parts() {
        for count in [0, 1, CHUNK, 10 * CHUNK + 1] {
            let parts: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = parts.iter().map(|part| part * 2).collect();
            assert_eq!(map(&parts, |part| part * 2), doubled);
            assert_eq!(map_in(3, 4, &parts, |part| part * 2), doubled);
        }
    }

    #[test]
    fn few_parts_are_worth_no_thread() {
        assert_eq!(worth(0), 1);
        assert_eq!(worth(1), 1);
    }
}
