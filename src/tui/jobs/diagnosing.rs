//! Diagnoses, made of the newest that is asked for.

use crate::tui::{
    recorder::Wanted,
    state::event::{Diagnosed, Event},
};
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, incremental::Incremental},
    model::snapshot::Snapshot,
};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// The pause after a diagnosis, as a multiple of what it took: a large cluster that changes all the time costs at most
/// a quarter of one core.
pub(super) const REST: u32 = 3;

/// A diagnosis to which nothing but time was added holds for this many times what it took: an idle tool spends less
/// than half a percent of one core on it, where a diagnosis runs in several threads, too.
pub(super) const HOLDS: u32 = 600;

/// After so many seconds in which parts were judged by themselves everything is judged again. It finds the same; should
/// it not, what was wrong is right again then.
pub(super) const SECONDS_OF_PARTS: i64 = 60;

/// A diagnosis that is kept up to date, and when everything was judged last.
#[derive(Default)]
pub(super) struct Kept {
    incremental: Incremental,
    whole: Option<Timestamp>,
    /// Until when it holds where only time passes.
    until: Option<Timestamp>,
}

impl Kept {
    /// The diagnosis; `None` where the one before still holds.
    fn update(
        &mut self,
        snapshot: &Arc<Snapshot>,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Option<Diagnosis> {
        if self.until.is_some_and(|until| now < until) && self.incremental.is_of(snapshot, evidence)
        {
            return None;
        }
        let has_parts = self.incremental.counts().parts > 0;
        let since = self.whole.map_or(0, |at| now.as_second() - at.as_second());
        if has_parts && since >= SECONDS_OF_PARTS {
            self.incremental = Incremental::new();
        }
        let before: usize = self.incremental.counts().whole.values().sum();
        let diagnosis = self.incremental.update(snapshot, evidence, now);
        if self.incremental.counts().whole.values().sum::<usize>() > before {
            self.whole = Some(now);
        }
        diagnosis
    }
}

/// Diagnoses whatever was asked for last, one at a time, where it holds nobody up.
pub(super) async fn diagnose_the_newest(
    mut requests: watch::Receiver<Option<Wanted>>,
    sender: mpsc::Sender<Event>,
) {
    let mut kept = Kept::default();
    while requests.changed().await.is_ok() {
        let Some((snapshot, evidence, now)) = requests.borrow_and_update().clone() else {
            continue;
        };
        let began = Instant::now();
        let job = tokio::task::spawn_blocking(move || {
            let diagnosis = kept.update(&snapshot, &evidence, now);
            (kept, snapshot, diagnosis)
        });
        let event = match job.await {
            Ok((back, snapshot, diagnosis)) => {
                kept = back;
                kept.until = diagnosis.as_ref().map_or(kept.until, |_| {
                    now.checked_add(began.elapsed() * HOLDS).ok()
                });
                match diagnosis {
                    Some(diagnosis) => Event::Diagnosed(Box::new(Diagnosed {
                        snapshot,
                        diagnosis,
                    })),
                    None => Event::StillHolds(snapshot),
                }
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        let is_loading =
            matches!(&event, Event::Diagnosed(diagnosed) if diagnosed.diagnosis.loading > 0);
        if sender.send(event).await.is_err() {
            return;
        }
        let rest = sleep(began.elapsed() * REST);
        tokio::select! {
            () = rest => {}
            () = last_kind(requests.clone()), if is_loading => {}
        }
    }
}

/// Waits until the last kind has been listed: the first findings are not to wait for the end of a rest.
async fn last_kind(mut requests: watch::Receiver<Option<Wanted>>) {
    let has_loaded = |wanted: &Option<Wanted>| {
        let snapshot = wanted.as_ref().map(|(snapshot, ..)| snapshot);
        snapshot.is_some_and(|snapshot| snapshot.loading() == 0)
    };
    let _ = requests.wait_for(has_loaded).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use ngf_core::{
        manifests::parse,
        model::{
            kind::Kind,
            snapshot::{KindState, Source},
        },
    };

    use super::*;

    async fn next(events: &mut mpsc::Receiver<Event>) -> Event {
        let event = tokio::time::timeout(Duration::from_mins(1), events.recv()).await;
        event.expect("in time").expect("an event")
    }

    #[tokio::test]
    async fn what_holds_needs_no_new_diagnosis() {
        let text = "apiVersion: v1\nkind: Event\nmetadata: {name: e}\n";
        let mut snapshot = parse(text, "default");
        let evidence = Evidence::none();
        let (wanted, requests) = watch::channel(None);
        let (sender, mut events) = mpsc::channel(4);
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
        let ask = |snapshot: &Snapshot, now: Timestamp| {
            wanted.send_replace(Some((Arc::new(snapshot.clone()), evidence.clone(), now)));
        };
        tokio::spawn(diagnose_the_newest(requests, sender));
        ask(&snapshot, now);
        assert!(matches!(next(&mut events).await, Event::Diagnosed(_)));
        snapshot.events.clear();
        for later in [59, 3_600] {
            ask(&snapshot, now + Duration::from_secs(later));
            let Event::StillHolds(kept) = next(&mut events).await else {
                panic!("a new diagnosis");
            };
            assert_eq!(kept.events.len(), 0);
        }
        snapshot.templates.push("new".to_owned());
        ask(&snapshot, now);
        assert!(matches!(next(&mut events).await, Event::Diagnosed(_)));
    }

    #[test]
    fn the_last_kind_ends_a_rest_and_events_are_not_waited_for() {
        let (wanted, requests) = watch::channel(None);
        let mut snapshot = parse("", "default");
        let mut is_over = |kind: Kind, state: KindState| {
            snapshot.kinds.insert(kind, state);
            let asked = (Arc::new(snapshot.clone()), Evidence::none(), Timestamp::MIN);
            wanted.send_replace(Some(asked));
            last_kind(requests.clone()).now_or_never().is_some()
        };
        assert!(!is_over(Kind::HTTPRoute, KindState::Loading));
        assert!(!is_over(Kind::Event, KindState::Loading));
        assert!(is_over(Kind::HTTPRoute, KindState::NotServed));
    }

    #[test]
    fn parts_are_judged_by_themselves_for_a_minute_and_not_longer() {
        let text = "---\n{apiVersion: v1, kind: Service, metadata: {name: a}}\n\
            ---\n{apiVersion: v1, kind: Service, metadata: {name: b}}\n";
        let mut full = parse(text, "default");
        full.source = Source::Cluster {
            context: "c".to_owned(),
            server: "https://c.invalid".to_owned(),
            version: None,
        };
        let mut less = full.clone();
        less.services.pop_last();
        let (full, less) = (Arc::new(full), Arc::new(less));
        let evidence = Evidence::none();
        let mut kept = Kept::default();
        let wholes = |kept: &Kept| kept.incremental.counts().whole.values().sum::<usize>();
        let mut see = |snapshot: &Arc<Snapshot>, second: i64| {
            let at = Timestamp::from_second(second).expect("a moment");
            let diagnosis = kept.update(snapshot, &evidence, at);
            let counts = kept.incremental.counts();
            (diagnosis.is_some(), counts.parts, wholes(&kept))
        };
        assert_eq!(see(&full, 0), (true, 0, 1));
        assert_eq!(see(&less, 1), (true, 1, 1));
        assert_eq!(see(&full, 59), (true, 2, 1));
        assert_eq!(see(&full, 60), (true, 0, 1), "everything again");
        assert_eq!(see(&full, 600), (false, 0, 1), "nothing was judged since");
    }
}
