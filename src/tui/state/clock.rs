//! Which time it is in what is shown: now, the moment of a bundle, or a moment of a recording that is played.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// The clock of what is shown.
#[derive(Debug, Default)]
pub enum Clock {
    /// It is now.
    #[default]
    Live,
    /// It was seen at this moment, and stays so: a bundle.
    At(Timestamp),
    /// A recording is played.
    Replay(Box<Replay>),
}

impl Clock {
    /// Whether a cluster is being watched now.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }

    /// The recording that is played.
    pub fn replay(&self) -> Option<&Replay> {
        match self {
            Self::Replay(replay) => Some(replay),
            Self::Live | Self::At(_) => None,
        }
    }

    /// The same, to play it.
    pub fn replay_mut(&mut self) -> Option<&mut Replay> {
        match self {
            Self::Replay(replay) => Some(replay),
            Self::Live | Self::At(_) => None,
        }
    }

    /// What the clock shows at this moment.
    pub fn now(&self, real: Timestamp) -> Timestamp {
        match self {
            Self::Live => real,
            Self::At(at) => *at,
            Self::Replay(replay) => replay.position,
        }
    }
}

/// How much faster than it happened a recording can be played.
pub const SPEEDS: [i32; 9] = [1, 2, 5, 10, 30, 60, 300, 1_000, 3_600];

/// A recording that is played.
#[derive(Debug)]
pub struct Replay {
    /// When each moment was, each later than the one before.
    moments: Arc<[Timestamp]>,
    /// The moment that is shown.
    index: usize,
    /// The moment that is being read, which takes a while in a large recording.
    wanted: Option<usize>,
    /// What its clock shows.
    position: Timestamp,
    is_paused: bool,
    /// An index into [`SPEEDS`].
    speed: usize,
    /// When the clock was moved on last.
    moved_at: Timestamp,
}

impl Replay {
    /// At the first moment of these, of which there is one at least; it plays.
    pub fn new(moments: Arc<[Timestamp]>, real: Timestamp) -> Self {
        Self {
            index: 0,
            wanted: None,
            position: moments.first().copied().unwrap_or(real),
            is_paused: false,
            speed: 0,
            moved_at: real,
            moments,
        }
    }

    /// Moves the clock on to `real`; the moment to read, where it has come to one.
    pub fn advance(&mut self, real: Timestamp) -> Option<usize> {
        let passed = real.duration_since(self.moved_at);
        self.moved_at = real;
        if self.is_paused || self.wanted.is_some() || passed.is_negative() {
            return None;
        }
        let passed = passed.saturating_mul(SPEEDS[self.speed]);
        let end = self.moments.last().copied().unwrap_or(self.position);
        let next = self.position.saturating_add(passed).unwrap_or(end);
        if next >= end {
            self.is_paused = true;
        }
        self.position = next.min(end).max(self.position);
        let reached = self.moments.partition_point(|at| *at <= self.position);
        let reached = reached.saturating_sub(1);
        (reached > self.index).then(|| self.read(reached))
    }

    /// Goes to the next moment, or to the one before, and pauses there; `None` at an end.
    pub fn step(&mut self, forward: bool) -> Option<usize> {
        self.is_paused = true;
        let here = self.wanted.unwrap_or(self.index);
        let next = if forward {
            here.checked_add(1)?
        } else {
            here.checked_sub(1)?
        };
        self.position = *self.moments.get(next)?;
        Some(self.read(next))
    }

    fn read(&mut self, index: usize) -> usize {
        self.wanted = Some(index);
        index
    }

    /// A moment was read. Whether it is the one to show: a person may have gone on meanwhile.
    pub fn arrived(&mut self, index: usize) -> bool {
        if self.wanted != Some(index) {
            return false;
        }
        self.wanted = None;
        self.index = index;
        true
    }

    /// A moment could not be read: the one before stays.
    pub fn stop(&mut self) {
        self.wanted = None;
        self.is_paused = true;
        if let Some(at) = self.moments.get(self.index) {
            self.position = *at;
        }
    }

    /// Pauses or plays on; from the end, again from the beginning.
    pub fn pause(&mut self) -> Option<usize> {
        self.is_paused = !self.is_paused;
        if !self.is_paused && self.is_at_end() {
            self.position = *self.moments.first()?;
            return Some(self.read(0));
        }
        None
    }

    /// Plays faster or slower; the new speed.
    pub fn change_speed(&mut self, faster: bool) -> i32 {
        self.speed = if faster {
            (self.speed + 1).min(SPEEDS.len() - 1)
        } else {
            self.speed.saturating_sub(1)
        };
        SPEEDS[self.speed]
    }

    fn is_at_end(&self) -> bool {
        self.moments.last().is_some_and(|end| *end <= self.position)
    }

    /// The position in the recording, as the header shows it: `playing 11:52:03, 3 of 42, 10x`.
    pub fn words(&self) -> String {
        let at = self.position.strftime("%H:%M:%S");
        let (number, of) = (self.index + 1, self.moments.len());
        let state = match (self.is_paused, self.is_at_end()) {
            (true, true) => "end",
            (true, false) => "paused",
            (false, _) => "playing",
        };
        let speed = match SPEEDS[self.speed] {
            1 => String::new(),
            speed => format!(", {speed}x"),
        };
        format!("{state} {at}, {number} of {of}{speed}")
    }

    /// The number of the moment that is shown, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// From when to when it was recorded.
    pub fn span(&self) -> (Timestamp, SignedDuration) {
        let first = self.moments.first().copied().unwrap_or(self.position);
        let last = self.moments.last().copied().unwrap_or(self.position);
        (first, last.duration_since(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    fn replay() -> Replay {
        Replay::new([at(100), at(110), at(111), at(200)].into(), at(5_000))
    }

    #[test]
    fn the_clock_of_a_recording_runs_as_it_was_recorded_or_faster() {
        let mut replay = replay();
        assert_eq!(replay.advance(at(5_009)), None);
        assert_eq!(replay.position, at(109));
        // Of two moments that have passed the later one is shown.
        assert_eq!(replay.advance(at(5_020)), Some(2));
        // The clock waits until it was read.
        assert_eq!(replay.advance(at(5_025)), None);
        assert!(replay.arrived(2));
        assert_eq!(replay.words(), "playing 00:02:00, 3 of 4");
        assert_eq!(replay.change_speed(true), 2);
        assert_eq!(replay.advance(at(5_035)), None);
        assert_eq!(replay.position, at(140));
        assert_eq!(replay.pause(), None);
        assert_eq!(replay.advance(at(6_000)), None);
        assert_eq!(replay.words(), "paused 00:02:20, 3 of 4, 2x");
        assert_eq!(replay.pause(), None);
        assert_eq!(replay.advance(at(6_100)), Some(3));
        assert!(replay.arrived(3));
        assert_eq!(replay.words(), "end 00:03:20, 4 of 4, 2x");
        // From the end it plays from the beginning.
        assert_eq!(replay.pause(), Some(0));
    }

    #[test]
    fn a_step_pauses_and_what_was_read_for_an_earlier_one_is_void() {
        let mut replay = replay();
        assert_eq!(replay.step(false), None);
        assert_eq!(replay.step(true), Some(1));
        assert_eq!(replay.step(true), Some(2));
        assert!(!replay.arrived(1));
        assert!(replay.arrived(2));
        assert_eq!(replay.words(), "paused 00:01:51, 3 of 4");
        assert_eq!(replay.step(true), Some(3));
        replay.stop();
        assert_eq!(replay.words(), "paused 00:01:51, 3 of 4");
    }

    /// A clock that is set back, or a machine that slept, never moves a recording backwards.
    #[test]
    fn a_recording_never_plays_backwards() {
        let mut replay = replay();
        assert_eq!(replay.advance(at(4_000)), None);
        assert_eq!(replay.position, at(100));
        assert_eq!(replay.advance(Timestamp::MAX), Some(3));
        assert_eq!(replay.position, at(200));
    }
}
