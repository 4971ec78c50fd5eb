//! Sound as numbers: codecs, tones, levels, mixing and the WAV container.
//!
//! Everything here is pure: samples and time go in, samples and facts come out. Linear sound is 16-bit signed,
//! 8000 samples a second, one channel, unless a function says otherwise.

#![forbid(unsafe_code)]

pub mod digit;
pub mod dtmf_detect;
pub mod dtmf_generate;
pub mod g711;
pub mod level;
pub mod mixer;
pub mod silence;
pub mod wav;

/// Samples a second of all sound in the engine (G.711 knows no other rate).
pub const SAMPLE_RATE: u32 = 8_000;

/// The engine's beat: every session is heard and served once in this time.
pub const FRAME_MS: u32 = 20;

/// Samples in one frame of [`FRAME_MS`].
pub const FRAME_SAMPLES: usize = 160;

/// Samples in one millisecond.
pub const SAMPLES_PER_MS: u32 = 8;
