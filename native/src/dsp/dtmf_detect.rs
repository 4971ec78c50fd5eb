//! Keys heard in the sound itself (ITU-T Q.23 tones, limits of the kind Q.24 lists), for peers without telephone-event.
//!
//! Every 10 ms the last 20 ms go through eight Goertzel filters. A window *votes* for a key when one row and one
//! column stand out. Two votes in a row press the key if its tones carry nearly all the energy there is, lie within
//! twist, and turned between the two as fast as their frequencies say; five windows without the key release it.
//!
//! | limit (Q.24's AT&T column where it has one) | here |
//! |---|---|
//! | frequency accepted, refused | within 1.5 %, beyond 3.5 % |
//! | level of each tone | 0 to -34 dBm0 |
//! | twist: column above row, row above column | 4 dB, 8 dB and a little more |
//! | tone accepted, refused | 40 ms, under 20 ms |
//! | gap that separates, that is bridged | 40 ms, 10 ms (and one lost packet) |
//!
//! What keeps speech from dialling (talk-off) is the share of energy: a vowel spreads over its harmonics.

use std::f32::consts::TAU;

use super::digit::{Digit, DigitEvent, COLUMN_HZ, ROW_HZ};
use super::level::power_at;
use super::SAMPLE_RATE;

/// Samples in the window each decision looks at: 20 ms.
const WINDOW: usize = 160;

/// Samples from one decision to the next: 10 ms.
const HOP: usize = 80;

/// The same two in milliseconds.
const WINDOW_MS: u32 = 20;
const HOP_MS: u32 = 10;

/// The weaker tone must be at least this loud, in dBm0 (4 dB under what must be heard: twist, and the offset's loss).
const MIN_TONE_DBM0: f32 = -38.0;

/// A row may be this much louder than its column (8 dB and half a decibel for the measurement).
const MAX_ROW_OVER_COLUMN: f32 = 7.08;

/// A column may be this much louder than its row (4 dB and one decibel for the measurement).
const MAX_COLUMN_OVER_ROW: f32 = 3.16;

/// The two tones must carry this share of all energy in two windows to press a key: noise 8 dB below them is borne.
/// Lower, and speech dials more than the once or twice an hour that `tests/dtmf_in_band.rs` counts; higher, and keys
/// of 40 ms that are also 1.5 % off are missed.
const MIN_SHARE: f32 = 0.86;

/// And this share to stay pressed, since a key that is down is likelier to be one than not.
const MIN_SHARE_HELD: f32 = 0.80;

/// The same before the loss by a frequency offset is known and put right.
const MIN_RAW_SHARE: f32 = 0.5;

/// The best tone of a group against the next best of that group.
const MIN_OVER_NEIGHBOURS: f32 = 4.0;

/// Accepted offset of a frequency, as a share of it: between the 1.5 % to accept and the 3.5 % to refuse.
const MAX_OFFSET: f32 = 0.025;

/// How much louder one of two windows may be that press a key: keys are steady, syllables are not.
const MAX_CHANGE: f32 = 1.6;

/// Windows without the key that release it. A gap of 40 ms makes at least this many (a window may hold 20 % of gap
/// and still show the key), a hole of one lost packet at most one fewer.
const RELEASE_MISSES: u32 = 5;

/// The transform of one window at one frequency.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    re: f32,
    im: f32,
}

impl Bin {
    fn energy(self) -> f32 {
        // A sine of amplitude A gives A * WINDOW / 2 here and has the energy A * A * WINDOW / 2.
        (self.re * self.re + self.im * self.im) * 2.0 / WINDOW as f32
    }
}

/// What one window says, kept for the next.
#[derive(Debug, Clone, Copy)]
struct Vote {
    row: usize,
    column: usize,
    bins: [Bin; 2],
    energy: f32,
}

/// A key that is down.
#[derive(Debug, Clone, Copy)]
struct Pressed {
    digit: Digit,
    row: usize,
    column: usize,
    gains: [f32; 2],
    span: u32,
    misses: u32,
}

/// Listens for keys in one party's sound. Costs about a microsecond a frame, next to nothing while it is silent.
#[derive(Debug, Clone)]
pub struct DtmfDetector {
    coefficients: [f32; 8],
    steps: [f32; 8],
    window: [f32; WINDOW],
    filled: usize,
    last: Option<Vote>,
    pressed: Option<Pressed>,
}

impl Default for DtmfDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl DtmfDetector {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        let frequency = |k: usize| if k < 4 { ROW_HZ[k] } else { COLUMN_HZ[k - 4] };
        let steps = std::array::from_fn(|k| TAU * frequency(k) / SAMPLE_RATE as f32);
        Self {
            coefficients: steps.map(|step: f32| 2.0 * step.cos()),
            steps,
            window: [0.0; WINDOW],
            filled: WINDOW - HOP,
            last: None,
            pressed: None,
        }
    }

    /// Hears samples, of any number, and reports each key as it goes down and up.
    ///
    /// For a lost packet push silence of its length: one such hole does not break a key in two.
    pub fn push(&mut self, samples: &[i16], mut report: impl FnMut(DigitEvent)) {
        for &sample in samples {
            self.window[self.filled] = f32::from(sample);
            self.filled += 1;
            if self.filled == WINDOW {
                self.decide(&mut report);
                self.window.copy_within(HOP.., 0);
                self.filled = WINDOW - HOP;
            }
        }
    }

    /// The key that is down now.
    pub fn pressed(&self) -> Option<Digit> {
        self.pressed.map(|pressed| pressed.digit)
    }

    /// Ends the key that is down, as when the call ends or the peer turns to telephone-event.
    pub fn finish(&mut self, report: impl FnOnce(DigitEvent)) {
        self.last = None;
        if let Some(pressed) = self.pressed.take() {
            report(pressed.ended());
        }
    }

    fn decide(&mut self, report: &mut impl FnMut(DigitEvent)) {
        let vote = self.vote();
        let before = std::mem::replace(&mut self.last, vote);
        let agreed = before
            .zip(vote)
            .and_then(|(before, now)| self.agree(&before, &now));
        if let Some(pressed) = &mut self.pressed {
            // Each agreement measures the offsets anew: the first may have looked at the tone's ragged edge.
            let again = agreed.filter(|next| next.digit == pressed.digit);
            if let Some(next) = again {
                pressed.gains = next.gains;
            }
            if again.is_some() || vote.is_some_and(|now| pressed.is_in(&now, MIN_SHARE_HELD)) {
                pressed.span += 1 + pressed.misses;
                pressed.misses = 0;
                return;
            }
            pressed.misses += 1;
            if pressed.misses >= RELEASE_MISSES {
                report(pressed.ended());
                self.pressed = None;
            }
        }
        if let Some(next) = agreed {
            if let Some(earlier) = self.pressed.replace(next) {
                report(earlier.ended());
            }
            report(DigitEvent::Started { digit: next.digit });
        }
    }

    /// The key one window speaks for on its own.
    fn vote(&self) -> Option<Vote> {
        let energy: f32 = self.window.iter().map(|sample| sample * sample).sum();
        if energy < tone_energy(MIN_TONE_DBM0) {
            return None;
        }
        let bins = self.transform();
        let energies = bins.map(Bin::energy);
        let row = loudest(&energies[..4])?;
        let column = loudest(&energies[4..])?;
        let both = energies[row] + energies[4 + column];
        if both < MIN_RAW_SHARE * energy {
            return None;
        }
        Some(Vote {
            row,
            column,
            bins: [bins[row], bins[4 + column]],
            energy,
        })
    }

    /// Eight Goertzel filters side by side, so that the compiler can run them as one.
    fn transform(&self) -> [Bin; 8] {
        let mut first = [0.0f32; 8];
        let mut second = [0.0f32; 8];
        for &sample in &self.window {
            for k in 0..8 {
                let next = sample + self.coefficients[k] * first[k] - second[k];
                second[k] = first[k];
                first[k] = next;
            }
        }
        std::array::from_fn(|k| Bin {
            re: first[k] - second[k] * self.steps[k].cos(),
            im: second[k] * self.steps[k].sin(),
        })
    }

    /// The key, if two windows in a row speak for it and its tones are where they should be.
    fn agree(&self, before: &Vote, now: &Vote) -> Option<Pressed> {
        if (before.row, before.column) != (now.row, now.column) {
            return None;
        }
        let pressed = Pressed {
            digit: Digit::from_keypad(now.row, now.column)?,
            row: now.row,
            column: now.column,
            gains: [
                self.gain(now.row, before.bins[0], now.bins[0])?,
                self.gain(4 + now.column, before.bins[1], now.bins[1])?,
            ],
            span: 1,
            misses: 0,
        };
        let [row, column] = pressed.tones(now);
        let audible = row.min(column) >= tone_energy(MIN_TONE_DBM0);
        let in_twist = row <= column * MAX_ROW_OVER_COLUMN && column <= row * MAX_COLUMN_OVER_ROW;
        let steady = now.energy.max(before.energy) <= MAX_CHANGE * now.energy.min(before.energy);
        let alone = pressed.is_in(before, MIN_SHARE) && pressed.is_in(now, MIN_SHARE);
        (audible && in_twist && steady && alone).then_some(pressed)
    }

    /// What puts right the energy a tone lost by lying beside its filter; `None` if it lies too far off.
    ///
    /// Between two windows a tone turns by its frequency times the hop; what it turned more or less is the offset.
    fn gain(&self, k: usize, before: Bin, now: Bin) -> Option<f32> {
        let re = now.re * before.re + now.im * before.im;
        let im = now.im * before.re - now.re * before.im;
        let turned = im.atan2(re) - self.steps[k] * HOP as f32;
        let turned = turned - (turned / TAU).round() * TAU;
        let offset = turned / HOP as f32;
        if offset.abs() > MAX_OFFSET * self.steps[k] {
            return None;
        }
        let half = offset * WINDOW as f32 / 2.0;
        let kept = if half.abs() < 1e-3 {
            1.0
        } else {
            half.sin() / half
        };
        Some(1.0 / (kept * kept).max(0.25))
    }
}

impl Pressed {
    /// The energies of its two tones in a window, put right.
    fn tones(&self, vote: &Vote) -> [f32; 2] {
        [
            vote.bins[0].energy() * self.gains[0],
            vote.bins[1].energy() * self.gains[1],
        ]
    }

    /// Whether a window holds this key and little else.
    fn is_in(&self, vote: &Vote, share: f32) -> bool {
        let [row, column] = self.tones(vote);
        (vote.row, vote.column) == (self.row, self.column) && row + column >= share * vote.energy
    }

    /// From the start of the first window that held it to the end of the last.
    fn ended(&self) -> DigitEvent {
        DigitEvent::Ended {
            digit: self.digit,
            duration_ms: WINDOW_MS + self.span * HOP_MS,
        }
    }
}

/// The index that stands out of its group, if one does.
fn loudest(energies: &[f32]) -> Option<usize> {
    let mut best = 0;
    for k in 1..energies.len() {
        if energies[k] > energies[best] {
            best = k;
        }
    }
    let alone = energies
        .iter()
        .enumerate()
        .all(|(k, &energy)| k == best || energy * MIN_OVER_NEIGHBOURS <= energies[best]);
    alone.then_some(best)
}

/// The energy of a window that holds one tone at a level.
fn tone_energy(level_dbm0: f32) -> f32 {
    power_at(level_dbm0) * WINDOW as f32
}

/// The turn of a tone over one hop is only known up to a whole turn; the accepted offset stays far inside half of one.
const _: () = assert!(MAX_OFFSET * 1633.0 * (HOP as f32) < SAMPLE_RATE as f32 / 2.0);
