//! Levels in dBm0, the unit every limit of telephony is written in.
//!
//! In G.711 a sine as loud as the A-law can carry is 3.14 dBm0, so 0 dBm0 is a sine whose peak lies 3.14 dB below
//! full scale. (µ-law says 3.17; the 0.03 dB are nobody's ears.)

/// The level of a full-scale sine in dBm0 (ITU-T G.711 section 4, A-law).
#[allow(clippy::approx_constant)] // A level; that it looks like a circle is chance.
pub const FULL_SCALE_DBM0: f32 = 3.14;

/// What `-inf` dBm0 is reported as, so that digital silence stays a number.
pub const SILENCE_DBM0: f32 = -100.0;

/// The mean square of samples, in squared sample units; 0 for an empty slice.
pub fn mean_square(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: u64 = samples
        .iter()
        .map(|&sample| (i32::from(sample) * i32::from(sample)).unsigned_abs() as u64)
        .sum();
    sum as f32 / samples.len() as f32
}

/// The mean square of a signal at a level.
pub fn power_at(level_dbm0: f32) -> f32 {
    let full_scale = 32_768.0f32 * 32_768.0 / 2.0;
    full_scale * 10f32.powf((level_dbm0 - FULL_SCALE_DBM0) / 10.0)
}

/// The level of a mean square in dBm0, never below [`SILENCE_DBM0`].
pub fn dbm0(mean_square: f32) -> f32 {
    if mean_square <= 0.0 {
        return SILENCE_DBM0;
    }
    (10.0 * (mean_square / power_at(0.0)).log10()).max(SILENCE_DBM0)
}

/// The peak of one sine at a level, in sample units.
pub fn sine_peak(level_dbm0: f32) -> f32 {
    (2.0 * power_at(level_dbm0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_what_g711_says() {
        assert!((sine_peak(FULL_SCALE_DBM0) - 32_768.0).abs() < 1.0);
        assert!((dbm0(power_at(-23.0)) + 23.0).abs() < 0.01);
    }

    #[test]
    fn silence_and_nothing_are_numbers_too() {
        assert_eq!(dbm0(mean_square(&[0; 160])), SILENCE_DBM0);
        assert_eq!(mean_square(&[]), 0.0);
    }

    #[test]
    fn the_loudest_samples_do_not_overflow() {
        assert!((mean_square(&[i16::MIN; 160]) - 32_768.0 * 32_768.0).abs() < 1.0);
    }
}
