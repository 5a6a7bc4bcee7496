//! What the rules found. Several threads may ask rules at a time; each rule sees what it would see if they had been asked
//! one after the other.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{code::Code, finding::Finding};
use crate::model::object::ObjectRef;

/// What the rules found so far: what this rule adds, and what those before it have found.
#[derive(Debug)]
pub struct Findings<'t> {
    own: Found,
    /// What the rules before it found. A rule that does not ask does not wait for them.
    earlier: OnceCell<Found>,
    turns: &'t Turns,
    /// The place of the rule among all.
    turn: usize,
}

/// What some rules found, in their order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) list: Vec<Finding>,
    told: HashSet<(Code, ObjectRef)>,
    explained: BTreeSet<(ObjectRef, String)>,
}

impl Found {
    fn append(&mut self, mut later: Self) {
        if self.list.is_empty() && self.explained.is_empty() {
            *self = later;
            return;
        }
        self.list.append(&mut later.list);
        self.told.extend(later.told);
        self.explained.append(&mut later.explained);
    }
}

impl Findings<'_> {
    /// Adds a finding.
    pub fn add(&mut self, mut finding: Finding) {
        finding.deduplicate();
        self.own
            .told
            .insert((finding.code, finding.subject.clone()));
        self.own.list.push(finding);
    }

    /// Says that a condition of an object is the consequence of something that is reported, so that
    /// nobody reports it for its own sake. `condition` is its type, with the listener's name before
    /// it where it is a listener's: `http/Programmed`.
    pub fn explain(&mut self, object: &ObjectRef, condition: impl Into<String>) {
        self.own
            .explained
            .insert((object.clone(), condition.into()));
    }

    /// Whether a condition is explained already.
    pub fn is_explained(&self, object: &ObjectRef, condition: &str) -> bool {
        let explained = (object.clone(), condition.to_owned());
        self.own.explained.contains(&explained) || self.earlier().explained.contains(&explained)
    }

    /// Whether there is a finding of this code about the object.
    pub fn has(&self, code: Code, object: &ObjectRef) -> bool {
        let told = (code, object.clone());
        self.own.told.contains(&told) || self.earlier().told.contains(&told)
    }

    /// The finding of this code that is about all of these objects, to add to it.
    pub fn about(&mut self, code: Code, objects: &[&ObjectRef]) -> Option<&mut Finding> {
        self.find_mut(|finding| {
            let all = || {
                objects
                    .iter()
                    .all(|o| finding.objects().any(|known| known == *o))
            };
            finding.code == code && all()
        })
    }

    /// The first finding that is so, to add to it.
    pub fn find_mut(&mut self, is: impl Fn(&Finding) -> bool) -> Option<&mut Finding> {
        self.earlier();
        let earlier = self.earlier.get_mut().map(|found| found.list.iter_mut());
        let mut all = earlier.into_iter().flatten().chain(&mut self.own.list);
        all.find(|finding| is(finding))
    }

    /// What was found so far.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.earlier().list.iter().chain(&self.own.list)
    }

    /// Waits until the rules before this one are done.
    fn earlier(&self) -> &Found {
        self.earlier.get_or_init(|| self.turns.take(self.turn))
    }
}

/// The next rule may have its turn, also where this one has panicked: nobody is to wait for it.
impl Drop for Findings<'_> {
    fn drop(&mut self) {
        let own = std::mem::take(&mut self.own);
        self.turns.end(self.turn, self.earlier.take(), own);
    }
}

/// Rules in their order, some of which are asked at the same time.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    is_next: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many rules have begun.
    begun: usize,
    /// How many are done, and so are all before them.
    done: usize,
    /// What these found. The rule whose turn it is may have it.
    found: Found,
    /// What rules found that are done before those before them.
    early: BTreeMap<usize, Found>,
}

impl Turns {
    /// The place of the next rule, with what it adds to.
    pub(super) fn begin(&self) -> (usize, Findings<'_>) {
        let mut state = self.state();
        let turn = state.begun;
        state.begun += 1;
        let findings = Findings {
            own: Found::default(),
            earlier: OnceCell::new(),
            turns: self,
            turn,
        };
        (turn, findings)
    }

    /// What all found.
    pub(super) fn into_found(self) -> Found {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all rules before this one are done, and gives what they found.
    fn take(&self, turn: usize) -> Found {
        let mut state = self.state();
        while state.done != turn {
            let waited = self.is_next.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.found)
    }

    /// Ends a rule's turn. What it has taken it gives back.
    fn end(&self, turn: usize, taken: Option<Found>, own: Found) {
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some(taken) = taken {
            state.found = taken;
        }
        state.early.insert(turn, own);
        while let Some(found) = state.early.remove(&state.done) {
            state.found.append(found);
            state.done += 1;
        }
        self.is_next.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{diagnosis::finding::Severity, model::kind::Kind};

    fn service(name: &str) -> ObjectRef {
        ObjectRef::new(Kind::Service, "shop", name)
    }

    fn finding(code: Code, name: &str) -> Finding {
        Finding::new(code, Severity::Error, &service(name), name)
    }

    #[test]
    fn a_rule_sees_what_those_before_it_found_and_nothing_of_those_after_it() {
        let turns = Turns::default();
        let (_, mut first) = turns.begin();
        let (_, second) = turns.begin();
        let (_, mut third) = turns.begin();
        // The last one is done first.
        third.add(finding(Code::R3, "c"));
        drop(third);
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let is_known = second.has(Code::R1, &service("a"));
                let count = second.iter().count();
                drop(second);
                (is_known, count)
            });
            first.add(finding(Code::R1, "a"));
            first.explain(&service("a"), "Accepted");
            drop(first);
            assert_eq!(asking.join().expect("no panic"), (true, 1));
        });
        let (turn, mut last) = turns.begin();
        assert_eq!(turn, 3);
        assert!(last.is_explained(&service("a"), "Accepted"));
        let known = last.about(Code::R3, &[&service("c")]).expect("a finding");
        known.title.push_str(", told again");
        last.add(finding(Code::R4, "d"));
        drop(last);
        let titles = turns.into_found().list.into_iter().map(|found| found.title);
        assert_eq!(titles.collect::<Vec<_>>(), ["a", "c, told again", "d"]);
    }

    #[test]
    fn a_rule_that_panics_keeps_nobody_waiting() {
        let turns = Turns::default();
        let (_, first) = turns.begin();
        let (_, second) = turns.begin();
        let panicked = thread::scope(|scope| {
            let rule = scope.spawn(move || {
                let _findings = first;
                std::panic::resume_unwind(Box::new("a rule's panic"));
            });
            rule.join().is_err()
        });
        assert!(panicked);
        assert_eq!(second.iter().count(), 0);
    }
}
