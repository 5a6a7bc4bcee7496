//! Maps of which copies share everything until one of them changes: a new snapshot costs the tables that differ.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A map in the order of its keys. A copy costs nothing; the first change of a copy copies the map.
pub struct SharedMap<K, V>(Arc<BTreeMap<K, V>>);

impl<K, V> SharedMap<K, V> {
    /// One without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether both share everything, so that nothing differs. Two that do not may still hold the same.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Keeps the entries that are wanted. Where all of them are, what is shared stays so.
    pub fn retain(&mut self, is_wanted: impl Fn(&K, &V) -> bool) {
        if !self.0.iter().all(|(key, value)| is_wanted(key, value)) {
            Arc::make_mut(&mut self.0).retain(|key, value| is_wanted(key, value));
        }
    }

    /// Takes an entry out. Where there is none, what is shared stays so.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).remove(key)
        } else {
            None
        }
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || self.0 == other.0
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K, V> Deref for SharedMap<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Clone, V: Clone> DerefMut for SharedMap<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self(Arc::new(all.into_iter().collect()))
    }
}

impl<K: Clone, V: Clone> IntoIterator for SharedMap<K, V> {
    type Item = (K, V);
    type IntoIter = btree_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'m, K, V> IntoIterator for &'m SharedMap<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = btree_map::Iter<'m, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'m, K: Clone, V: Clone> IntoIterator for &'m mut SharedMap<K, V> {
    type Item = (&'m K, &'m mut V);
    type IntoIter = btree_map::IterMut<'m, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::make_mut(&mut self.0).iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_shared_until_one_of_the_two_changes() {
        let before: SharedMap<&str, u8> = [("a", 1), ("b", 2)].into_iter().collect();
        let mut after = before.clone();
        assert!(after.is_shared_with(&before));
        after.insert("a", 3);
        assert!(!after.is_shared_with(&before));
        assert_eq!((before["a"], after["a"]), (1, 3));
        after.insert("a", 1);
        assert_eq!(before, after);
        assert!(!after.is_shared_with(&before));
    }

    #[test]
    fn what_takes_nothing_out_copies_nothing() {
        let before: SharedMap<&str, u8> = [("a", 1), ("b", 2)].into_iter().collect();
        let mut after = before.clone();
        after.retain(|_, number| *number > 0);
        assert_eq!(after.remove(&"c"), None);
        assert!(after.is_shared_with(&before));
        assert_eq!(after.remove(&"b"), Some(2));
        after.retain(|name, _| *name != "a");
        assert_eq!((before.len(), after.len()), (2, 0));
    }
}
