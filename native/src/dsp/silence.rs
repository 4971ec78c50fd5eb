//! Voice or silence, by level: how long it has been quiet, how much was said.
//!
//! A frame is loud above a threshold that starts at -40 dBm0: speech on telephone lines lies around -30 to -10 dBm0,
//! the noise of a good line below -60 and that of a poor one near -50 (ITU-T G.712 asks for less than -65). With the
//! adaptive floor the threshold follows the line's own noise, 8 dB above it and never above -28 dBm0, so that a
//! noisy office still falls silent and a shouted sentence still counts as one.

use super::level::{dbm0, mean_square};
use super::SAMPLES_PER_MS;

/// Level above which a frame is loud, in dBm0.
pub const THRESHOLD_DBM0: f32 = -40.0;

/// How far above the measured noise the adaptive threshold stands, in dB.
const ABOVE_FLOOR_DB: f32 = 8.0;

/// The adaptive threshold never rises above this, in dBm0: quiet speech must stay speech.
const MAX_THRESHOLD_DBM0: f32 = -28.0;

/// How fast the noise floor may rise, in dB a second: slower than any sentence is long.
const FLOOR_RISE_DB_PER_S: f32 = 3.0;

/// How much sound in a row makes a voice, in ms: clicks on the line are shorter, syllables longer.
pub const ATTACK_MS: u32 = 60;

/// How a [`SilenceDetector`] listens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SilenceConfig {
    /// Level above which a frame is loud, in dBm0.
    pub threshold_dbm0: f32,
    /// Whether the threshold rises with steady noise on the line.
    pub adaptive: bool,
}

impl Default for SilenceConfig {
    fn default() -> Self {
        Self {
            threshold_dbm0: THRESHOLD_DBM0,
            adaptive: true,
        }
    }
}

/// Listens to one party and counts silence and voice. Feed it every frame, lost ones too, so that time is whole.
#[derive(Debug, Clone)]
pub struct SilenceDetector {
    config: SilenceConfig,
    floor_dbm0: f32,
    loud_ms: u32,
    silent_ms: u32,
    voiced_ms: u32,
}

impl SilenceDetector {
    /// A detector that has heard nothing yet.
    pub fn new(config: SilenceConfig) -> Self {
        Self {
            config,
            floor_dbm0: config.threshold_dbm0 - ABOVE_FLOOR_DB,
            loud_ms: 0,
            silent_ms: 0,
            voiced_ms: 0,
        }
    }

    /// Hears one frame, of 20 ms or any other length.
    pub fn push(&mut self, samples: &[i16]) {
        let ms = samples.len() as u32 / SAMPLES_PER_MS;
        let level = dbm0(mean_square(samples));
        let loud = level > self.threshold_dbm0();
        self.follow_floor(level, ms);
        if loud {
            self.hear_loud(ms);
        } else {
            self.hear_quiet(ms);
        }
    }

    /// Time passed without a frame (lost, or the peer sends none while it is quiet), in ms.
    pub fn push_missing(&mut self, ms: u32) {
        self.hear_quiet(ms);
    }

    /// How long it has been silent without a break, in ms; 0 while a voice sounds.
    pub fn silent_ms(&self) -> u32 {
        self.silent_ms
    }

    /// How much voice was heard in all since the start, in ms.
    pub fn voiced_ms(&self) -> u32 {
        self.voiced_ms
    }

    /// Whether a voice sounds now.
    pub fn is_voice(&self) -> bool {
        self.loud_ms >= ATTACK_MS
    }

    /// Forgets what was counted, not what was learnt of the line's noise.
    pub fn restart(&mut self) {
        self.loud_ms = 0;
        self.silent_ms = 0;
        self.voiced_ms = 0;
    }

    /// The level above which the next frame is loud, in dBm0.
    pub fn threshold_dbm0(&self) -> f32 {
        if !self.config.adaptive {
            return self.config.threshold_dbm0;
        }
        let highest = self.config.threshold_dbm0.max(MAX_THRESHOLD_DBM0);
        (self.floor_dbm0 + ABOVE_FLOOR_DB).clamp(self.config.threshold_dbm0, highest)
    }

    fn hear_loud(&mut self, ms: u32) {
        let was_voice = self.is_voice();
        self.loud_ms = self.loud_ms.saturating_add(ms);
        if !self.is_voice() {
            // Not yet long enough to be a voice: until it is, this still counts as silence.
            self.silent_ms = self.silent_ms.saturating_add(ms);
            return;
        }
        let gained = if was_voice { ms } else { self.loud_ms };
        self.voiced_ms = self.voiced_ms.saturating_add(gained);
        self.silent_ms = 0;
    }

    fn hear_quiet(&mut self, ms: u32) {
        self.loud_ms = 0;
        self.silent_ms = self.silent_ms.saturating_add(ms);
    }

    /// Falls to a quieter frame at once and rises slowly, so that pauses between words set it and words do not.
    fn follow_floor(&mut self, level: f32, ms: u32) {
        let risen = self.floor_dbm0 + FLOOR_RISE_DB_PER_S * ms as f32 / 1_000.0;
        self.floor_dbm0 = level.min(risen);
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::{power_at, sine_peak};
    use super::*;

    fn tone(level_dbm0: f32) -> [i16; 160] {
        let peak = sine_peak(level_dbm0);
        std::array::from_fn(|n| (peak * (n as f32 * std::f32::consts::FRAC_PI_8).sin()) as i16)
    }

    /// White noise at a level, from a plain congruential generator.
    fn noise(level_dbm0: f32, seed: &mut u32) -> [i16; 160] {
        let peak = (3.0 * power_at(level_dbm0)).sqrt();
        std::array::from_fn(|_| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = (*seed >> 8) as f32 / 8_388_608.0 - 1.0;
            (peak * unit) as i16
        })
    }

    #[test]
    fn counts_silence_and_voice() {
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for _ in 0..50 {
            detector.push(&[0; 160]);
        }
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (1_000, 0));
        for _ in 0..25 {
            detector.push(&tone(-20.0));
        }
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (0, 500));
        assert!(detector.is_voice());
        detector.push(&[0; 160]);
        detector.push_missing(40);
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (60, 500));
        detector.restart();
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (0, 0));
    }

    #[test]
    fn a_click_does_not_break_a_silence() {
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for frame in 0..50 {
            let click = frame % 10 == 5;
            detector.push(&if click { tone(-10.0) } else { [0; 160] });
        }
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (1_000, 0));
    }

    #[test]
    fn the_threshold_lies_where_it_is_said_to() {
        let config = SilenceConfig {
            adaptive: false,
            ..SilenceConfig::default()
        };
        for (level, voiced_ms) in [(-39.0, 200), (-41.0, 0)] {
            let mut detector = SilenceDetector::new(config);
            for _ in 0..10 {
                detector.push(&tone(level));
            }
            assert_eq!(detector.voiced_ms(), voiced_ms, "{level} dBm0");
        }
    }

    #[test]
    fn a_noisy_line_falls_silent_and_its_voice_is_still_heard() {
        let mut seed = 7;
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for _ in 0..500 {
            detector.push(&noise(-37.0, &mut seed));
        }
        assert!(detector.silent_ms() >= 5_000, "{}", detector.silent_ms());
        detector.restart();
        for _ in 0..25 {
            detector.push(&tone(-18.0));
        }
        assert_eq!(detector.voiced_ms(), 500);
    }

    #[test]
    fn quiet_line_noise_is_silence_from_the_first_frame() {
        let mut seed = 3;
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for _ in 0..100 {
            detector.push(&noise(-50.0, &mut seed));
        }
        assert_eq!((detector.silent_ms(), detector.voiced_ms()), (2_000, 0));
    }

    #[test]
    fn speech_with_pauses_never_teaches_the_floor_to_be_deaf() {
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for _sentence in 0..20 {
            for _ in 0..100 {
                detector.push(&tone(-15.0));
            }
            for _ in 0..10 {
                detector.push(&[0; 160]);
            }
        }
        assert_eq!(detector.voiced_ms(), 20 * 2_000);
    }

    #[test]
    fn even_a_loud_steady_tone_stays_loud() {
        let mut detector = SilenceDetector::new(SilenceConfig::default());
        for _ in 0..1_500 {
            detector.push(&tone(-20.0));
        }
        assert_eq!(detector.silent_ms(), 0);
    }
}
