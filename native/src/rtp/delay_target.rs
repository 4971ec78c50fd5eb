//! How long a playout should wait: the way of the fastest packet, and how much slower nearly all others are.
//!
//! A packet's *way* is its arrival less its timestamp; only differences between ways mean anything, since the two
//! clocks know nothing of each other. All figures are in samples.

use crate::dsp::SAMPLES_PER_MS;

/// The target is never longer, in samples (300 ms).
pub const MAX_TARGET_SAMPLES: i64 = 300 * SAMPLES_PER_MS as i64;

/// Added to what was measured, in samples (10 ms): the beat of the playout falls anywhere between two packets.
const MARGIN: i64 = 10 * SAMPLES_PER_MS as i64;

/// Width of one bin of the histogram, in samples (10 ms).
const BIN: i64 = 10 * SAMPLES_PER_MS as i64;

const BINS: usize = 40;

/// The fastest way is looked for in the last one to two windows of this length, in samples (4 s), so that a clock
/// that runs slow, or a longer route, is followed.
const WINDOW: i64 = 32_000;

/// What a new packet weighs against all before it: two seconds and a half of 20 ms packets are half of what is known.
const WEIGHT: f32 = 1.0 / 180.0;

/// The share of packets that may be slower than the target.
const TOO_LATE: f32 = 0.03;

/// Nothing is known at first: as if packets came up to 30 ms late.
const FIRST_BIN: usize = 2;

/// Learns from each packet's way how long to wait.
#[derive(Debug, Clone)]
pub struct DelayTarget {
    bins: [f32; BINS],
    fastest_before: i64,
    fastest_now: i64,
    window_began: i64,
    target: i64,
}

impl Default for DelayTarget {
    fn default() -> Self {
        Self::new()
    }
}

impl DelayTarget {
    /// Knows nothing yet and asks for 40 ms.
    pub fn new() -> Self {
        let mut bins = [0.0; BINS];
        bins[FIRST_BIN] = 1.0;
        let mut target = Self {
            bins,
            fastest_before: 0,
            fastest_now: 0,
            window_began: 0,
            target: 0,
        };
        target.settle();
        target
    }

    /// Begins a timeline with the way of its first packet; what is known of the jitter is kept.
    pub fn begin(&mut self, way: i64, now: i64) {
        self.fastest_before = way;
        self.fastest_now = way;
        self.window_began = now;
    }

    /// Learns from one packet that arrived at `now`.
    pub fn observe(&mut self, way: i64, now: i64) {
        if now - self.window_began >= WINDOW {
            let fastest = self.fastest();
            self.fastest_before = self.fastest_now;
            self.fastest_now = way;
            self.window_began = now;
            self.shift_down(self.fastest() - fastest);
        } else {
            self.fastest_now = self.fastest_now.min(way);
        }
        let slower = (way - self.fastest()).max(0);
        let bin = ((slower / BIN) as usize).min(BINS - 1);
        for weight in &mut self.bins {
            *weight *= 1.0 - WEIGHT;
        }
        self.bins[bin] += WEIGHT;
        self.settle();
    }

    /// The way of the fastest packet of late.
    pub fn fastest(&self) -> i64 {
        self.fastest_before.min(self.fastest_now)
    }

    /// How long after the fastest packet's arrival its sound should be played.
    pub fn samples(&self) -> i64 {
        self.target
    }

    /// When the fastest way became longer, all that was known of slower ones becomes less by as much.
    fn shift_down(&mut self, by: i64) {
        let by = ((by.max(0) / BIN) as usize).min(BINS - 1);
        if by == 0 {
            return;
        }
        let low: f32 = self.bins[..=by].iter().sum();
        self.bins.copy_within(by.., 0);
        self.bins[BINS - by..].fill(0.0);
        self.bins[0] = low;
    }

    fn settle(&mut self) {
        let mut slower = 0.0;
        let mut bin = BINS - 1;
        while bin > 0 {
            slower += self.bins[bin];
            if slower > TOO_LATE {
                break;
            }
            bin -= 1;
        }
        let measured = (bin as i64 + 1) * BIN;
        self.target = (measured + MARGIN).min(MAX_TARGET_SAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds packets, one each 20 ms, that are as late as `late_ms` says; returns the target in ms.
    fn after(packets: i64, late_ms: impl Fn(i64) -> i64) -> (DelayTarget, i64) {
        let mut target = DelayTarget::new();
        target.begin(1_000_000, 0);
        for n in 0..packets {
            target.observe(1_000_000 + late_ms(n) * 8, n * 160);
        }
        let ms = target.samples() / 8;
        (target, ms)
    }

    #[test]
    fn it_begins_at_40_and_falls_to_20_for_a_steady_stream() {
        assert_eq!(after(0, |_| 0).1, 40);
        assert_eq!(after(1_000, |_| 0).1, 20);
    }

    #[test]
    fn it_covers_nearly_all_packets() {
        assert_eq!(after(2_000, |n| n * 7 % 60).1, 70);
        let (_, ms) = after(2_000, |n| if n % 100 == 0 { 200 } else { n % 10 });
        assert_eq!(ms, 20, "one in a hundred is not waited for");
        assert_eq!(
            after(2_000, |n| n % 2 * 2_000).1,
            300,
            "there is an end to waiting"
        );
    }

    #[test]
    fn a_longer_route_is_followed_and_its_jitter_is_not_made_up() {
        let (target, ms) = after(2_000, |n| if n < 1_000 { 0 } else { 150 });
        assert_eq!(target.fastest(), 1_000_000 + 150 * 8);
        assert_eq!(ms, 20);
    }

    #[test]
    fn a_shorter_route_is_followed_at_once() {
        let (target, _) = after(101, |n| if n < 100 { 150 } else { 0 });
        assert_eq!(target.fastest(), 1_000_000);
    }
}
