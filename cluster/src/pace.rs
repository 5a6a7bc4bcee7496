//! The pace of every loop that sends requests to the API server.
//!
//! A loop takes its turn before each request, and says afterwards how the request ended. Only progress
//! makes it faster: an event that is news, or a watch that lived. An answer alone does not, because an API
//! server that has forgotten a version answers at once, for ever.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{error::Failure, link::Link};

/// The shortest wait after a failure, before [`jitter`].
const LEAST: Duration = Duration::from_millis(500);
/// The longest wait after a failure.
const MOST: Duration = Duration::from_secs(30);
/// The longest wait shortly after an outage, while the API server starts.
const MOST_AFTER_OUTAGE: Duration = Duration::from_secs(2);
/// When a kind that the user may not read is asked for again.
const DENIED: Duration = Duration::from_mins(1);
/// When a list that never ends is begun again.
const GIVEN_UP: Duration = Duration::from_mins(10);
/// The longest wait after a watch that held and was cut: what is shown is no older than this.
const MOST_AFTER_CUT: Duration = Duration::from_secs(5);
/// A watch that holds this long has begun: what it was refused for would have come by now.
pub(super) const HELD: Duration = Duration::from_secs(1);
/// A watch or stream that lived this long has made progress, even where it had no news.
pub(super) const LIVED: Duration = Duration::from_secs(10);

/// The pace of one loop.
#[derive(Debug)]
pub(crate) struct Pace {
    link: Arc<Link>,
    lane: Lane,
    /// The least time from one success to the next request.
    floor: Duration,
    /// The least time between two requests, however they end.
    least: Duration,
    failures: u32,
    /// Watches since the last progress that held and were cut.
    cuts: u32,
    /// Outages that were over when the loop last had a turn.
    outages: u64,
    /// When the request that is under way was sent.
    sent: Option<Instant>,
    /// The earliest moment of the next request.
    next: Instant,
    /// The same, where the API server answers again after an outage.
    next_after_outage: Instant,
}

impl Pace {
    /// The pace of a loop that sends at most one request in `floor` as long as all is well.
    pub(super) fn new(link: Arc<Link>, lane: Lane, floor: Duration) -> Self {
        let now = Instant::now();
        Self {
            outages: link.outages(),
            link,
            lane,
            floor,
            least: LEAST,
            failures: 0,
            cuts: 0,
            sent: None,
            next: now,
            next_after_outage: now,
        }
    }

    /// The same for a loop that reads many objects, one in each turn, and may send the next request so soon after any.
    pub(super) fn of_many(link: Arc<Link>, lane: Lane, floor: Duration) -> Self {
        Self {
            least: floor,
            ..Self::new(link, lane, floor)
        }
    }

    /// Waits until the loop may send its next request. The first is free; those that repeat it share a
    /// bucket with the other loops of their lane. While the API server does not answer nobody gets a turn.
    pub(crate) async fn turn(&mut self) {
        loop {
            self.link.answering().await;
            self.after_outage();
            let held = self.link.held_until();
            let due = held.map_or(self.next, |held| held.max(self.next));
            if due <= Instant::now() {
                break;
            }
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.link.outage_after(self.outages) => {}
            }
        }
        if self.sent.is_some() {
            self.link.bucket(self.lane).take().await;
        }
        let now = Instant::now();
        self.sent = Some(now);
        self.next = now + self.least.mul_f64(jitter());
        self.next_after_outage = self.next;
    }

    /// After an outage all loops come back soon, and not in step.
    fn after_outage(&mut self) {
        let outages = self.link.outages();
        if outages != self.outages {
            self.outages = outages;
            self.failures = 0;
            let spread = Duration::from_secs(1).mul_f64(random());
            self.next = self.next_after_outage.max(Instant::now() + spread);
        }
    }

    /// The request was answered. The back-off stays as it is.
    pub(crate) fn answered(&mut self) {
        let sent = self.sent.unwrap_or_else(Instant::now);
        self.next = self.next.max(sent + self.floor.mul_f64(jitter()));
        self.next_after_outage = self.next_after_outage.max(sent + LEAST);
    }

    /// There was progress: the back-off begins again from its shortest wait.
    pub(crate) fn progressed(&mut self) {
        (self.failures, self.cuts) = (0, 0);
        self.answered();
    }

    /// The watch holds: whatever the failures before it were, they have passed.
    pub(super) fn held(&mut self) {
        self.failures = 0;
    }

    /// The watch held and was cut. It is begun again soon, but not as soon each time.
    pub(super) fn cut(&mut self) {
        self.cuts = self.cuts.saturating_add(1);
        let wait = back_off(self.cuts).min(MOST_AFTER_CUT);
        self.next = self.next.max(Instant::now() + wait);
    }

    /// The request failed.
    pub(super) fn failed(&mut self, failure: &Failure) {
        let wait = match failure {
            Failure::Denied(_) if !self.link.is_young() => DENIED.mul_f64(jitter()),
            // What is too large now is too large in a moment, too.
            Failure::TooLarge(_) => DENIED.mul_f64(jitter()),
            Failure::Endless(_) => GIVEN_UP.mul_f64(jitter()),
            _ => return self.stalled(),
        };
        self.failures = self.failures.saturating_add(1);
        self.next = self.next.max(Instant::now() + wait);
    }

    /// The request was answered, and brought nothing on: a watch that ended at once, a copy that is known.
    pub(crate) fn stalled(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let mut wait = back_off(self.failures);
        if self.link.is_young() {
            wait = wait.min(MOST_AFTER_OUTAGE.mul_f64(jitter()));
        }
        self.next = self.next.max(Instant::now() + wait);
    }

    /// Failures since the last progress.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

/// How long to wait after so many failures in a row: from half a second to half a minute.
fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(6);
    (LEAST * (1 << doublings)).min(MOST).mul_f64(jitter())
}

/// The pauses of somebody who waits for one object to change: short at first, and a second at most.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    let next = |pause: &Duration| Some((*pause * 3 / 2).min(Duration::from_secs(1)));
    std::iter::successors(Some(Duration::from_millis(200)), next)
}

/// Between 0.8 and 1.2, so that thirty watches do not come back in step.
fn jitter() -> f64 {
    0.8 + 0.4 * random()
}

/// At least 0, less than 1.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1024;
    random as f64 / 1024.0
}

/// Loops that share one bucket of repeated requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Lists and watches of kinds.
    Kinds,
    /// Secrets and ConfigMaps by name.
    Names,
    /// Logs.
    Logs,
}

/// Bounds the requests that all loops of a lane send together, first requests apart.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The time between two requests once the bucket is empty.
    every: Duration,
    /// Requests that are sent at once from a full bucket.
    burst: u32,
    /// When the bucket would be full again, less its size.
    next: Mutex<Option<Instant>>,
}

impl Bucket {
    /// `rate` requests a second, and `burst` at once.
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        Self {
            every: Duration::from_secs(1) / rate.max(1),
            burst,
            next: Mutex::new(None),
        }
    }

    /// Waits for a place.
    async fn take(&self) {
        sleep_until(self.reserve(Instant::now())).await;
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // A full bucket is `burst` places behind.
        let full = now.checked_sub(self.every * self.burst).unwrap_or(now);
        let place = next.map_or(full, |next| next.max(full));
        *next = Some(place + self.every);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(floor: Duration) -> (Arc<Link>, Pace) {
        let link = Arc::new(Link::default());
        let pace = Pace::new(Arc::clone(&link), Lane::Kinds, floor);
        (link, pace)
    }

    /// Turns that a loop gets within a time when each of its requests ends in this manner.
    async fn turns(pace: &mut Pace, within: Duration, end: impl Fn(&mut Pace)) -> u32 {
        let until = Instant::now() + within;
        let mut turns = 0;
        while tokio::time::timeout_at(until, pace.turn()).await.is_ok() {
            turns += 1;
            end(pace);
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn only_progress_resets_the_back_off() {
        let minute = Duration::from_mins(1);
        let (_, mut stalling) = pace(Duration::from_secs(1));
        let stalled = turns(&mut stalling, minute, |pace| {
            pace.answered();
            pace.stalled();
        })
        .await;
        assert!((4..=9).contains(&stalled), "{stalled} turns a minute");
        let (_, mut failing) = pace(Duration::from_secs(1));
        let failed = turns(&mut failing, minute, |pace| pace.failed(&Failure::Gone)).await;
        assert!((4..=9).contains(&failed), "{failed} turns a minute");
        let (_, mut busy) = pace(Duration::from_secs(1));
        let progressed = turns(&mut busy, minute, |pace| {
            pace.progressed();
            pace.failed(&Failure::Gone);
        })
        .await;
        assert!(
            (45..=80).contains(&progressed),
            "{progressed} turns a minute"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_denied_or_endless_is_left_alone() {
        let ten = Duration::from_mins(10);
        let (_, mut denied) = pace(Duration::ZERO);
        let denied = turns(&mut denied, ten, |pace| {
            pace.failed(&Failure::Denied(String::new()));
        })
        .await;
        assert!((8..=14).contains(&denied), "{denied} in ten minutes");
        let (_, mut endless) = pace(Duration::ZERO);
        let endless = turns(&mut endless, ten, |pace| {
            pace.failed(&Failure::Endless(String::new()));
        })
        .await;
        assert!((1..=2).contains(&endless), "{endless} in ten minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_cut_is_begun_again_soon_and_calmly() {
        let (_, mut cut) = pace(Duration::from_secs(1));
        let cuts = turns(&mut cut, Duration::from_mins(10), |pace| {
            pace.held();
            pace.cut();
        })
        .await;
        assert!((110..=160).contains(&cuts), "{cuts} in ten minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_says_nothing_of_its_requests_is_paced_too() {
        let (_, mut pace) = pace(Duration::ZERO);
        let turns = turns(&mut pace, Duration::from_secs(10), |_| {}).await;
        assert!((16..=26).contains(&turns), "{turns} in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_asks_to_wait_is_left_alone_by_all() {
        let (link, mut one) = pace(Duration::ZERO);
        let mut other = Pace::new(Arc::clone(&link), Lane::Logs, Duration::ZERO);
        one.turn().await;
        link.hold(Duration::from_secs(20));
        let began = Instant::now();
        one.turn().await;
        assert!(began.elapsed() >= Duration::from_secs(20));
        other.turn().await;
        assert!(began.elapsed() < Duration::from_secs(22));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_during_an_outage_and_all_come_back_soon_after_it() {
        let (link, mut waiting) = pace(Duration::from_secs(5));
        for _ in 0..8 {
            waiting.turn().await;
            waiting.failed(&Failure::Gone);
        }
        link.lost();
        let early = tokio::time::timeout(Duration::from_hours(1), waiting.turn()).await;
        assert!(early.is_err(), "no request during the outage");
        waiting.failed(&Failure::Gone);
        let back = {
            let link = Arc::clone(&link);
            async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                link.back();
                Instant::now()
            }
        };
        let turn = async {
            waiting.turn().await;
            Instant::now()
        };
        let (back, turn) = futures::join!(back, turn);
        assert!(turn - back <= Duration::from_secs(2), "{:?}", turn - back);
    }

    #[tokio::test(start_paused = true)]
    async fn the_loops_of_a_lane_share_a_bucket() {
        let bucket = Bucket::new(10, 5);
        let began = Instant::now();
        for _ in 0..5 {
            bucket.take().await;
        }
        assert!(began.elapsed() < Duration::from_millis(150));
        for _ in 0..100 {
            bucket.take().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(9_800));
    }
}
