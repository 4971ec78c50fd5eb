//! The in-band detector against what lines do to keys, and against what is not keys (talk-off).

use std::f64::consts::TAU;

use offhook_media::dsp::digit::DialStep;
use offhook_media::dsp::digit::{Digit, DigitEvent};
use offhook_media::dsp::dtmf_detect::DtmfDetector;
use offhook_media::dsp::dtmf_generate::ToneDialler;
use offhook_media::dsp::g711::Law;
use offhook_media::dsp::level::sine_peak;

/// How often each of the sixteen keys is pressed a given way; an unoptimised build is content with less.
const ROUNDS: usize = if cfg!(debug_assertions) { 4 } else { 20 };

/// How many voices talk, 100 s each.
const VOICES: u64 = if cfg!(debug_assertions) { 6 } else { 60 };

/// A key as a line may deliver it.
#[derive(Clone, Copy)]
struct Press {
    row_dbm0: f64,
    column_dbm0: f64,
    row_offset: f64,
    column_offset: f64,
    ms: usize,
    gap_ms: usize,
    /// Samples of silence before it, so that it never stands on the detector's own grid.
    lead: usize,
    noise_dbm0: f64,
}

impl Default for Press {
    fn default() -> Self {
        Self {
            row_dbm0: -9.0,
            column_dbm0: -7.0,
            row_offset: 0.0,
            column_offset: 0.0,
            ms: 100,
            gap_ms: 100,
            lead: 33,
            noise_dbm0: -65.0,
        }
    }
}

struct Chance(u64);

impl Chance {
    /// Evenly between -1 and 1 (xorshift, so that a failure repeats).
    fn signed(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.signed() + 1.0) / 2.0
    }
}

fn peak(dbm0: f64) -> f64 {
    f64::from(sine_peak(dbm0 as f32))
}

fn press(digit: Digit, how: Press, chance: &mut Chance) -> Vec<i16> {
    let (row, column) = digit.frequencies_hz();
    let row_step = TAU * f64::from(row) * (1.0 + how.row_offset) / 8_000.0;
    let column_step = TAU * f64::from(column) * (1.0 + how.column_offset) / 8_000.0;
    let (row_phase, column_phase) = (chance.between(0.0, TAU), chance.between(0.0, TAU));
    // Even noise has a power of a third of its squared peak, a sine of half.
    let noise = peak(how.noise_dbm0) * 1.5f64.sqrt();
    let total = how.lead + (how.ms + how.gap_ms) * 8;
    (0..total)
        .map(|n| {
            let mut sample = noise * chance.signed();
            if n >= how.lead && n < how.lead + how.ms * 8 {
                let n = n as f64;
                sample += peak(how.row_dbm0) * (row_step * n + row_phase).sin();
                sample += peak(how.column_dbm0) * (column_step * n + column_phase).sin();
            }
            sample.clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

fn through(law: Law, samples: &[i16]) -> Vec<i16> {
    samples
        .iter()
        .map(|&sample| law.decode(law.encode(sample)))
        .collect()
}

/// What a detector makes of sound in frames of 20 ms, as keys with their durations.
fn heard(samples: &[i16]) -> Vec<(char, u32)> {
    let mut detector = DtmfDetector::new();
    let mut keys = Vec::new();
    let mut down = None;
    let mut report = |event| match event {
        DigitEvent::Started { digit } => assert_eq!(down.replace(digit), None, "two keys at once"),
        DigitEvent::Ended { digit, duration_ms } => {
            assert_eq!(down.take(), Some(digit));
            keys.push((digit.as_char(), duration_ms));
        }
    };
    for frame in samples.chunks(160) {
        detector.push(frame, &mut report);
    }
    detector.finish(&mut report);
    keys
}

/// How many of `rounds` presses of each key were heard as exactly that key, once.
fn heard_of(rounds: usize, mut how: impl FnMut(&mut Chance) -> Press) -> (usize, usize) {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let (mut right, mut all) = (0, 0);
    for round in 0..rounds {
        for code in 0..16 {
            let digit = Digit::from_code(code).expect("a key");
            let mut press_how = how(&mut chance);
            press_how.lead = chance.between(0.0, 240.0) as usize;
            let line = press(digit, press_how, &mut chance);
            let law = if round % 2 == 0 { Law::A } else { Law::Mu };
            let keys = heard(&through(law, &line));
            right += usize::from(keys.len() == 1 && keys[0].0 == digit.as_char());
            all += 1;
        }
    }
    (right, all)
}

fn all_are_heard(how: impl FnMut(&mut Chance) -> Press) {
    let (right, all) = heard_of(ROUNDS, how);
    assert_eq!(right, all);
}

fn none_is_heard(how: impl FnMut(&mut Chance) -> Press) {
    let (right, _) = heard_of(ROUNDS, how);
    assert_eq!(right, 0);
}

#[test]
fn keys_of_100_ms_at_every_level() {
    for level in [-3.0, -10.0, -20.0, -25.0, -30.0] {
        all_are_heard(|_| Press {
            row_dbm0: level,
            column_dbm0: level,
            ..Press::default()
        });
    }
}

#[test]
fn keys_of_40_ms_with_gaps_of_40_ms() {
    all_are_heard(|_| Press {
        ms: 40,
        gap_ms: 40,
        ..Press::default()
    });
    all_are_heard(|_| Press {
        ms: 40,
        gap_ms: 40,
        row_dbm0: -30.0,
        column_dbm0: -30.0,
        ..Press::default()
    });
}

#[test]
fn the_same_key_again_after_40_ms_is_two_keys() {
    let mut chance = Chance(5);
    for lead in (0..160).step_by(7) {
        let how = Press {
            ms: 40,
            gap_ms: 40,
            lead,
            ..Press::default()
        };
        let mut line = Vec::new();
        for _ in 0..4 {
            line.extend(press(
                Digit::from_char('5').expect("a key"),
                Press { lead: 0, ..how },
                &mut chance,
            ));
        }
        line.splice(0..0, vec![0; lead]);
        let keys: String = heard(&through(Law::A, &line))
            .iter()
            .map(|key| key.0)
            .collect();
        assert_eq!(keys, "5555", "lead {lead}");
    }
}

#[test]
fn frequencies_off_by_one_and_a_half_percent() {
    for (row_offset, column_offset) in [
        (0.015, 0.015),
        (-0.015, -0.015),
        (0.015, -0.015),
        (-0.015, 0.015),
    ] {
        all_are_heard(|_| Press {
            row_offset,
            column_offset,
            ..Press::default()
        });
        all_are_heard(|_| Press {
            row_offset,
            column_offset,
            ms: 40,
            gap_ms: 40,
            ..Press::default()
        });
        all_are_heard(|_| Press {
            row_offset,
            column_offset,
            row_dbm0: -30.0,
            column_dbm0: -30.0,
            ..Press::default()
        });
    }
}

#[test]
fn frequencies_off_by_three_and_a_half_percent_are_no_keys() {
    none_is_heard(|_| Press {
        row_offset: 0.035,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        row_offset: -0.035,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        column_offset: 0.035,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        column_offset: -0.035,
        ..Press::default()
    });
}

#[test]
fn twist_within_and_beyond_limits() {
    all_are_heard(|_| Press {
        row_dbm0: -7.0,
        column_dbm0: -15.0,
        ..Press::default()
    });
    all_are_heard(|_| Press {
        row_dbm0: -13.0,
        column_dbm0: -9.0,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        row_dbm0: -7.0,
        column_dbm0: -18.0,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        row_dbm0: -15.0,
        column_dbm0: -7.0,
        ..Press::default()
    });
}

#[test]
fn keys_in_noise_of_15_db() {
    all_are_heard(|_| Press {
        noise_dbm0: -5.0 - 15.0,
        ..Press::default()
    });
}

#[test]
fn everything_at_once_within_limits() {
    all_are_heard(|chance| {
        let row_dbm0 = chance.between(-26.0, -6.0);
        Press {
            row_dbm0,
            column_dbm0: row_dbm0 + chance.between(-6.0, 3.0),
            row_offset: chance.between(-0.015, 0.015),
            column_offset: chance.between(-0.015, 0.015),
            ms: chance.between(45.0, 300.0) as usize,
            gap_ms: chance.between(45.0, 300.0) as usize,
            noise_dbm0: row_dbm0 - 24.0,
            ..Press::default()
        }
    });
}

#[test]
fn tones_under_20_ms_and_levels_under_minus_45_are_no_keys() {
    none_is_heard(|_| Press {
        ms: 19,
        ..Press::default()
    });
    none_is_heard(|_| Press {
        row_dbm0: -45.0,
        column_dbm0: -45.0,
        ..Press::default()
    });
}

#[test]
fn durations_are_right_within_a_hop_or_so() {
    let mut chance = Chance(11);
    for ms in [60, 100, 250, 1_000] {
        for lead in (0..160).step_by(13) {
            let how = Press {
                ms,
                lead,
                ..Press::default()
            };
            let keys = heard(&press(
                Digit::from_char('8').expect("a key"),
                how,
                &mut chance,
            ));
            assert_eq!(keys.len(), 1);
            let error = keys[0].1 as i64 - ms as i64;
            assert!(
                error.abs() <= 15,
                "{ms} ms reported as {} (lead {lead})",
                keys[0].1
            );
        }
    }
}

#[test]
fn a_hole_of_one_packet_does_not_split_a_key() {
    let mut chance = Chance(17);
    for hole in (200..1_200).step_by(57) {
        let mut line = press(
            Digit::from_char('3').expect("a key"),
            Press {
                ms: 200,
                ..Press::default()
            },
            &mut chance,
        );
        line[hole..hole + 160].fill(0);
        let keys = heard(&line);
        assert_eq!(keys.len(), 1, "hole at {hole}: {keys:?}");
    }
}

#[test]
fn what_we_dial_is_what_we_hear() {
    let wanted = "0123456789*#ABCD";
    let steps = wanted.chars().map(|key| DialStep {
        digit: Digit::from_char(key),
        duration_ms: 70,
        pause_ms: 50,
    });
    let mut dialler = ToneDialler::new(steps);
    let mut line = Vec::new();
    let mut frame = [0; 160];
    while dialler.fill(&mut frame) {
        line.extend_from_slice(&frame);
    }
    let keys: String = heard(&through(Law::Mu, &line))
        .iter()
        .map(|key| key.0)
        .collect();
    assert_eq!(keys, wanted);
}

// Talk-off: what follows is not to press keys.

/// Voice-like sound: a glottal pulse train with vibrato through three moving formants, in syllables with pauses.
fn voice(seconds: usize, seed: u64) -> Vec<i16> {
    let mut chance = Chance(seed);
    let mut out = Vec::with_capacity(seconds * 8_000);
    let mut states = [[0.0f64; 2]; 3];
    let mut phase = 0.0;
    while out.len() < seconds * 8_000 {
        let syllable = chance.between(800.0, 3_200.0) as usize;
        let base = chance.between(85.0, 320.0);
        let glide = chance.between(-0.3, 0.3);
        let formants = [
            chance.between(250.0, 900.0),
            chance.between(800.0, 2_300.0),
            chance.between(2_200.0, 3_300.0),
        ];
        let loudness = chance.between(0.1, 1.0);
        let hiss = chance.between(0.0, 1.0).powi(4);
        for n in 0..syllable {
            let along = n as f64 / syllable as f64;
            phase += base * (1.0 + glide * along + 0.01 * (n as f64 * 0.004).sin()) / 8_000.0;
            let mut excitation = hiss * 0.3 * chance.signed();
            if phase >= 1.0 {
                phase -= 1.0;
                excitation += 1.0;
            }
            let mut sample = 0.0;
            for (state, (&hz, bandwidth)) in states
                .iter_mut()
                .zip(formants.iter().zip([60.0, 90.0, 130.0]))
            {
                let radius = (-std::f64::consts::PI * bandwidth / 8_000.0).exp();
                let next = excitation + 2.0 * radius * (TAU * hz / 8_000.0).cos() * state[0]
                    - radius * radius * state[1];
                state[1] = state[0];
                state[0] = next;
                sample += next;
            }
            let envelope = (along * 8.0).min((1.0 - along) * 8.0).min(1.0);
            out.push((sample * 2_500.0 * loudness * envelope).clamp(-32_768.0, 32_767.0) as i16);
        }
        if chance.signed() > 0.3 {
            out.extend(std::iter::repeat(0).take(chance.between(400.0, 4_000.0) as usize));
        }
    }
    out
}

/// Chords of one to four notes of the tempered scale with harmonics, like music on hold.
fn music(seconds: usize, seed: u64) -> Vec<i16> {
    let mut chance = Chance(seed);
    let mut out = Vec::with_capacity(seconds * 8_000);
    while out.len() < seconds * 8_000 {
        let length = chance.between(600.0, 4_000.0) as usize;
        let notes: Vec<(f64, f64)> = (0..chance.between(1.0, 5.0) as usize)
            .map(|_| {
                let key = chance.between(-24.0, 24.0).round();
                (440.0 * (key / 12.0f64).exp2(), chance.between(0.2, 1.0))
            })
            .collect();
        for n in 0..length {
            let mut sample = 0.0;
            for &(hz, loudness) in &notes {
                for (harmonic, share) in [(1.0, 1.0), (2.0, 0.5), (3.0, 0.3), (4.0, 0.15)] {
                    sample += loudness * share * (TAU * hz * harmonic * n as f64 / 8_000.0).sin();
                }
            }
            let envelope = (-(n as f64) / 4_000.0).exp();
            out.push((sample * 4_000.0 * envelope) as i16);
        }
    }
    out
}

fn noise(seconds: usize, seed: u64) -> Vec<i16> {
    let mut chance = Chance(seed);
    (0..seconds * 8_000)
        .map(|_| (chance.signed() * 12_000.0) as i16)
        .collect()
}

#[test]
fn speech_like_sound_dials_next_to_nothing() {
    let mut keys = Vec::new();
    for seed in 1..=VOICES {
        keys.extend(heard(&through(Law::A, &voice(100, seed))));
    }
    // Two an hour at most, of a voice that never stops and holds its vowels as no speaker does.
    assert!(
        keys.len() <= 3,
        "in {VOICES} times 100 s of voice: {keys:?}"
    );
}

#[test]
fn music_dials_nothing() {
    let mut keys = Vec::new();
    for seed in 1..=3 {
        keys.extend(heard(&through(Law::Mu, &music(100, seed))));
    }
    assert!(keys.is_empty(), "{keys:?}");
}

#[test]
fn noise_and_single_tones_dial_nothing() {
    assert!(heard(&noise(60, 3)).is_empty());
    for hz in (300..3_400).step_by(13) {
        let line: Vec<i16> = (0..1_600)
            .map(|n| (9_000.0 * (TAU * f64::from(hz) * f64::from(n) / 8_000.0).sin()) as i16)
            .collect();
        assert!(heard(&line).is_empty(), "{hz} Hz");
    }
}

#[test]
fn call_progress_tones_dial_nothing() {
    for (low, high) in [
        (350.0, 440.0),
        (440.0, 480.0),
        (480.0, 620.0),
        (425.0, 425.0),
        (400.0, 450.0),
        (950.0, 1_400.0),
    ] {
        let line: Vec<i16> = (0..8_000)
            .map(|n| {
                let at = TAU * f64::from(n) / 8_000.0;
                (6_000.0 * ((low * at).sin() + (high * at).sin())) as i16
            })
            .collect();
        assert!(heard(&line).is_empty(), "{low} and {high} Hz");
    }
}
