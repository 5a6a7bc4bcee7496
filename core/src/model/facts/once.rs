//! Facts that are worked out once for equal bytes: OpenSSL takes a tenth of a millisecond for a certificate.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{LazyLock, Mutex, PoisonError},
};

/// Facts that are remembered; when there are more, all are forgotten.
const MOST: usize = 1_024;

/// Facts by the bytes that they were read from. Of the bytes only a hash is kept, whose secret no other process has:
/// nobody can tell a key by it, nor make two texts that have the same.
pub(super) struct Once<T>(LazyLock<Mutex<Known<T>>>);

struct Known<T> {
    hashes: [RandomState; 2],
    facts: HashMap<[u64; 2], T>,
}

impl<T: Clone> Once<T> {
    pub(super) const fn new() -> Self {
        Self(LazyLock::new(|| {
            Mutex::new(Known {
                hashes: [RandomState::new(), RandomState::new()],
                facts: HashMap::new(),
            })
        }))
    }

    /// The facts of these texts, which `work_out` finds where they are not known.
    pub(super) fn get_or(&self, texts: &[&[u8]], work_out: impl FnOnce() -> T) -> T {
        let key = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let key = known.key(texts);
            if let Some(facts) = known.facts.get(&key) {
                return facts.clone();
            }
            key
        };
        let facts = work_out();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.facts.len() >= MOST {
            known.facts.clear();
        }
        known.facts.insert(key, facts.clone());
        facts
    }
}

impl<T> Known<T> {
    fn key(&self, texts: &[&[u8]]) -> [u64; 2] {
        [0, 1].map(|index| {
            let mut hasher = self.hashes[index].build_hasher();
            for text in texts {
                hasher.write_usize(text.len());
                hasher.write(text);
            }
            hasher.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_worked_out_once_and_no_others() {
        static LENGTHS: Once<usize> = Once::new();
        let parts: [&[&[u8]]; 4] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""]];
        for (number, texts) in parts.into_iter().enumerate() {
            assert_eq!(LENGTHS.get_or(texts, || number), number);
            assert_eq!(LENGTHS.get_or(texts, || 99), number);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        static NUMBERS: Once<usize> = Once::new();
        for number in 0..MOST * 3 {
            let text = number.to_string();
            NUMBERS.get_or(&[text.as_bytes()], || number);
            let known = NUMBERS.0.lock().expect("no panic");
            assert!(known.facts.len() <= MOST);
        }
    }
}
