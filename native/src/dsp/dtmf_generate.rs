//! DTMF as sound (ITU-T Q.23), for peers that offered no telephone-event.
//!
//! Rows go out at -9 dBm0 and columns 2 dB louder, the emphasis that makes up for lines which lose more at the top
//! (ETSI ES 201 235-2 section 4.2.3). Each tone fades in and out over 2 ms, so that keys do not click.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use super::digit::{DialStep, Digit};
use super::level::sine_peak;
use super::{SAMPLES_PER_MS, SAMPLE_RATE};

/// Level of the row's tone in dBm0.
pub const ROW_DBM0: f32 = -9.0;

/// Level of the column's tone in dBm0.
pub const COLUMN_DBM0: f32 = -7.0;

/// The shortest tone and gap a receiver must understand (ITU-T Q.24: 40 ms each); shorter ones are made this long.
pub const SHORTEST_MS: u32 = 40;

/// The longest tone and gap that can be asked for, in ms.
pub const LONGEST_MS: u32 = 6_000;

const FADE_SAMPLES: u32 = 2 * SAMPLES_PER_MS;

/// The sound of one key for as many samples as were asked.
#[derive(Debug, Clone)]
pub struct Tone {
    steps: [f64; 2],
    peaks: [f32; 2],
    position: u32,
    length: u32,
}

impl Tone {
    /// The tone of a key for `duration_ms`, held between [`SHORTEST_MS`] and [`LONGEST_MS`].
    pub fn new(digit: Digit, duration_ms: u32) -> Self {
        let (row, column) = digit.frequencies_hz();
        let per_sample = TAU / f64::from(SAMPLE_RATE);
        Self {
            steps: [f64::from(row) * per_sample, f64::from(column) * per_sample],
            peaks: [sine_peak(ROW_DBM0), sine_peak(COLUMN_DBM0)],
            position: 0,
            length: duration_ms.clamp(SHORTEST_MS, LONGEST_MS) * SAMPLES_PER_MS,
        }
    }

    /// Writes the next samples and returns how many there were; fewer than `out` holds means the tone is over.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let count = out.len().min((self.length - self.position) as usize);
        for sample in &mut out[..count] {
            let at = f64::from(self.position);
            let row = self.peaks[0] * (self.steps[0] * at).sin() as f32;
            let column = self.peaks[1] * (self.steps[1] * at).sin() as f32;
            *sample = ((row + column) * self.fade()) as i16;
            self.position += 1;
        }
        count
    }

    fn fade(&self) -> f32 {
        let edge = self.position.min(self.length - 1 - self.position);
        (edge as f32 / FADE_SAMPLES as f32).min(1.0)
    }
}

/// A dialled string as sound: tones, gaps between them, and pauses.
#[derive(Debug, Clone)]
pub struct ToneDialler {
    steps: VecDeque<DialStep>,
    tone: Option<Tone>,
    quiet_samples: u32,
}

impl ToneDialler {
    /// Dials `steps` one after the other.
    pub fn new(steps: impl IntoIterator<Item = DialStep>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            tone: None,
            quiet_samples: 0,
        }
    }

    /// Whether everything was dialled, the last gap included.
    pub fn is_done(&self) -> bool {
        self.steps.is_empty() && self.tone.is_none() && self.quiet_samples == 0
    }

    /// Writes the next samples; after the end, silence. Returns false if all of `out` lies after the end.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        if self.is_done() {
            out.fill(0);
            return false;
        }
        let mut done = 0;
        while done < out.len() {
            done += self.fill_step(&mut out[done..]);
        }
        true
    }

    /// Writes samples of one step, at least one sample unless the step was just finished.
    fn fill_step(&mut self, out: &mut [i16]) -> usize {
        if let Some(tone) = &mut self.tone {
            let count = tone.fill(out);
            if count < out.len() {
                self.tone = None;
            }
            return count;
        }
        if self.quiet_samples > 0 {
            let count = out.len().min(self.quiet_samples as usize);
            out[..count].fill(0);
            self.quiet_samples -= count as u32;
            return count;
        }
        let Some(step) = self.steps.pop_front() else {
            out.fill(0);
            return out.len();
        };
        let quiet_ms = match step.digit {
            Some(digit) => {
                self.tone = Some(Tone::new(digit, step.duration_ms));
                step.pause_ms.max(SHORTEST_MS)
            }
            None => step.duration_ms.saturating_add(step.pause_ms),
        };
        self.quiet_samples = quiet_ms.saturating_mul(SAMPLES_PER_MS);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::{dbm0, mean_square};
    use super::*;

    fn digit(character: char) -> Digit {
        Digit::from_char(character).expect("a key")
    }

    /// Power of one frequency in samples, as a mean square.
    fn power(samples: &[i16], hz: f64) -> f32 {
        let (mut re, mut im) = (0.0f64, 0.0f64);
        for (n, &sample) in samples.iter().enumerate() {
            let angle = TAU * hz * n as f64 / 8_000.0;
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
        }
        let scale = 2.0 / samples.len() as f64;
        ((re * re + im * im) * scale * scale / 2.0) as f32
    }

    #[test]
    fn each_key_sounds_at_its_frequencies_and_levels() {
        for code in 0..16 {
            let key = Digit::from_code(code).expect("a key");
            let mut samples = [0; 8_000];
            assert_eq!(Tone::new(key, 1_000).fill(&mut samples), 8_000);
            let (row, column) = key.frequencies_hz();
            assert!((dbm0(power(&samples, row.into())) - ROW_DBM0).abs() < 0.1);
            assert!((dbm0(power(&samples, column.into())) - COLUMN_DBM0).abs() < 0.1);
            let all = dbm0(mean_square(&samples));
            assert!((all + 4.9).abs() < 0.1, "{all}: nothing but the two tones");
        }
    }

    #[test]
    fn a_tone_ends_where_it_should_and_without_a_click() {
        let mut tone = Tone::new(digit('5'), 50);
        let mut samples = [1; 480];
        assert_eq!(tone.fill(&mut samples), 400);
        assert_eq!(tone.fill(&mut samples[..10]), 0);
        assert!(samples[0].abs() < 10 && samples[399].abs() < 10);
        assert_eq!(Tone::new(digit('5'), 1).fill(&mut samples), 320);
    }

    #[test]
    fn a_string_keeps_its_times() {
        let key = |character| DialStep {
            digit: Some(digit(character)),
            duration_ms: 100,
            pause_ms: 60,
        };
        let wait = DialStep {
            digit: None,
            duration_ms: 400,
            pause_ms: 100,
        };
        let mut dialler = ToneDialler::new([key('1'), wait, key('2')]);
        let mut samples = Vec::new();
        let mut frame = [0; 160];
        while dialler.fill(&mut frame) {
            samples.extend_from_slice(&frame);
        }
        assert_eq!(samples.len(), 8 * (100 + 60 + 500 + 100 + 60));
        let loud = |ms: std::ops::Range<usize>| {
            samples[ms.start * 8..ms.end * 8]
                .iter()
                .any(|&sample| sample.abs() > 100)
        };
        assert!(loud(0..100) && !loud(100..660) && loud(660..760) && !loud(760..820));
        assert!(dialler.is_done());
    }

    #[test]
    fn nothing_to_dial_is_done_at_once() {
        let mut dialler = ToneDialler::new([]);
        let mut frame = [3; 160];
        assert!(!dialler.fill(&mut frame));
        assert_eq!(frame, [0; 160]);
    }
}
