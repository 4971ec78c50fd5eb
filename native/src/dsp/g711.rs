//! ITU-T G.711: the two laws that pack 13 or 14 bits of sound into 8, and the way between them.
//!
//! Tables are made while compiling. Going from one law to the other decodes and takes the nearest level of the other
//! law; G.711 section 3.5 prints tables of its own that differ from it by one step here and there.

/// Which of the two laws a stream of octets follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// PCMA, RTP payload type 8.
    A,
    /// PCMU, RTP payload type 0.
    Mu,
}

/// The octet of A-law silence (linear 8, the level nearest to zero).
pub const ALAW_SILENCE: u8 = 0xD5;

/// The octet of µ-law silence (linear 0).
pub const ULAW_SILENCE: u8 = 0xFF;

/// µ-law's segments are powers of two once this is added (33 in 14 bits, here in 16).
const ULAW_BIAS: i32 = 132;

/// Linear value of each A-law octet.
pub const ALAW_TO_LINEAR: [i16; 256] = decode_table(Law::A);

/// Linear value of each µ-law octet.
pub const ULAW_TO_LINEAR: [i16; 256] = decode_table(Law::Mu);

/// The µ-law octet for each A-law octet.
pub const ALAW_TO_ULAW: [u8; 256] = transcode_table(Law::A);

/// The A-law octet for each µ-law octet.
pub const ULAW_TO_ALAW: [u8; 256] = transcode_table(Law::Mu);

impl Law {
    /// The octet that is silence in this law.
    pub const fn silence(self) -> u8 {
        match self {
            Law::A => ALAW_SILENCE,
            Law::Mu => ULAW_SILENCE,
        }
    }

    /// One octet as a linear sample.
    #[inline]
    pub const fn decode(self, octet: u8) -> i16 {
        match self {
            Law::A => ALAW_TO_LINEAR[octet as usize],
            Law::Mu => ULAW_TO_LINEAR[octet as usize],
        }
    }

    /// One linear sample as an octet.
    #[inline]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Law::A => alaw_encode(sample),
            Law::Mu => ulaw_encode(sample),
        }
    }

    /// Decodes octets into as many samples; stops at the shorter of the two and returns how many were done.
    pub fn decode_into(self, octets: &[u8], samples: &mut [i16]) -> usize {
        let table = match self {
            Law::A => &ALAW_TO_LINEAR,
            Law::Mu => &ULAW_TO_LINEAR,
        };
        for (sample, &octet) in samples.iter_mut().zip(octets) {
            *sample = table[octet as usize];
        }
        samples.len().min(octets.len())
    }

    /// Encodes samples into as many octets; stops at the shorter of the two and returns how many were done.
    pub fn encode_into(self, samples: &[i16], octets: &mut [u8]) -> usize {
        match self {
            Law::A => encode_each(samples, octets, alaw_encode),
            Law::Mu => encode_each(samples, octets, ulaw_encode),
        }
        samples.len().min(octets.len())
    }

    /// Rewrites octets of this law in place as octets of `other`; does nothing when both are one law.
    pub fn transcode(self, other: Law, octets: &mut [u8]) {
        let table = match (self, other) {
            (Law::A, Law::Mu) => &ALAW_TO_ULAW,
            (Law::Mu, Law::A) => &ULAW_TO_ALAW,
            (Law::A, Law::A) | (Law::Mu, Law::Mu) => return,
        };
        for octet in octets {
            *octet = table[*octet as usize];
        }
    }
}

#[inline]
fn encode_each(samples: &[i16], octets: &mut [u8], encode: impl Fn(i16) -> u8) {
    for (octet, &sample) in octets.iter_mut().zip(samples) {
        *octet = encode(sample);
    }
}

/// One linear sample as an A-law octet (G.711 table 1): sign, three bits of segment, four of step, even bits inverted.
#[inline]
pub const fn alaw_encode(sample: i16) -> u8 {
    let linear = sample as i32;
    // One's complement, so that the smallest negative level mirrors the smallest positive one.
    let magnitude = (if linear < 0 { !linear } else { linear }) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 31 - magnitude.leading_zeros() as i32 - 3;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    let sign = if linear < 0 { 0 } else { 0x80 };
    (code as u8 | sign) ^ 0x55
}

/// One linear sample as a µ-law octet (G.711 table 2): sign, three bits of segment, four of step, all bits inverted.
#[inline]
pub const fn ulaw_encode(sample: i16) -> u8 {
    let linear = sample as i32;
    let magnitude = (if linear < 0 { !linear } else { linear }) + ULAW_BIAS;
    let magnitude = if magnitude > 0x7FFF {
        0x7FFF
    } else {
        magnitude
    };
    let segment = 31 - magnitude.leading_zeros() as i32 - 7;
    let code = ((segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)) as u8;
    let sign = if linear < 0 { 0x80 } else { 0 };
    !(code | sign)
}

const fn alaw_decode(octet: u8) -> i16 {
    let code = (octet ^ 0x55) as i32;
    let segment = (code & 0x70) >> 4;
    // Each level stands in the middle of its step, hence the half step.
    let magnitude = if segment == 0 {
        ((code & 0x0F) << 4) + 8
    } else {
        (((code & 0x0F) << 4) + 0x108) << (segment - 1)
    };
    if code & 0x80 != 0 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

const fn ulaw_decode(octet: u8) -> i16 {
    let code = !octet as i32;
    let segment = (code & 0x70) >> 4;
    let magnitude = ((((code & 0x0F) << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    if code & 0x80 != 0 {
        -magnitude as i16
    } else {
        magnitude as i16
    }
}

const fn decode_table(law: Law) -> [i16; 256] {
    let mut table = [0i16; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::A => alaw_decode(octet as u8),
            Law::Mu => ulaw_decode(octet as u8),
        };
        octet += 1;
    }
    table
}

const fn transcode_table(from: Law) -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match from {
            Law::A => ulaw_encode(ALAW_TO_LINEAR[octet]),
            Law::Mu => alaw_encode(ULAW_TO_LINEAR[octet]),
        };
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alaw_octet_survives_the_way_there_and_back() {
        for octet in 0..=255u8 {
            assert_eq!(alaw_encode(ALAW_TO_LINEAR[octet as usize]), octet);
        }
    }

    #[test]
    fn every_ulaw_octet_survives_but_negative_zero() {
        for octet in 0..=255u8 {
            let expected = if octet == 0x7F { ULAW_SILENCE } else { octet };
            assert_eq!(ulaw_encode(ULAW_TO_LINEAR[octet as usize]), expected);
        }
    }

    #[test]
    fn levels_are_those_of_the_tables_of_g711() {
        // Tables 1 and 2 end at 4032 of 4096 and 8031 of 8192, here in 16 bits.
        assert_eq!(Law::A.decode(0xAA), 32_256);
        assert_eq!(Law::A.decode(0x2A), -32_256);
        assert_eq!(Law::Mu.decode(0x80), 32_124);
        assert_eq!(Law::Mu.decode(0x00), -32_124);
        assert_eq!(Law::A.decode(ALAW_SILENCE), 8);
        assert_eq!(Law::Mu.decode(ULAW_SILENCE), 0);
        assert_eq!(Law::A.encode(0), ALAW_SILENCE);
        assert_eq!(Law::Mu.encode(0), ULAW_SILENCE);
    }

    #[test]
    fn coding_never_errs_by_more_than_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            for law in [Law::A, Law::Mu] {
                let magnitude = i32::from(sample).abs();
                let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
                // A step is a sixteenth of its segment, a segment at most as wide as its own start.
                let half_step = (magnitude / 32).max(8) + 8;
                let overload = (magnitude - 32_124).max(0);
                assert!(
                    error <= half_step + overload,
                    "{law:?} {sample} errs by {error}"
                );
            }
        }
    }

    #[test]
    fn louder_in_is_never_quieter_out() {
        for law in [Law::A, Law::Mu] {
            let mut before = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let now = law.decode(law.encode(sample));
                assert!(now >= before);
                before = now;
            }
        }
    }

    #[test]
    fn transcoding_is_decoding_and_encoding() {
        for octet in 0..=255u8 {
            let mut there = [octet];
            Law::A.transcode(Law::Mu, &mut there);
            assert_eq!(there[0], Law::Mu.encode(Law::A.decode(octet)));
            let mut same = [octet];
            Law::A.transcode(Law::A, &mut same);
            assert_eq!(same[0], octet);
            let mut back = [octet];
            Law::Mu.transcode(Law::A, &mut back);
            assert_eq!(back[0], Law::A.encode(Law::Mu.decode(octet)));
        }
        assert_eq!(ALAW_TO_ULAW[ALAW_SILENCE as usize], Law::Mu.encode(8));
        assert_eq!(ULAW_TO_ALAW[ULAW_SILENCE as usize], ALAW_SILENCE);
    }

    #[test]
    fn slices_of_unequal_length_meet_in_the_shorter() {
        let mut samples = [7i16; 4];
        assert_eq!(Law::Mu.decode_into(&[0x80, 0x00], &mut samples), 2);
        assert_eq!(samples, [32_124, -32_124, 7, 7]);
        let mut octets = [0u8; 3];
        assert_eq!(Law::Mu.encode_into(&samples, &mut octets), 3);
        assert_eq!(octets[..2], [0x80, 0x00]);
        assert_eq!(Law::A.encode_into(&samples, &mut octets), 3);
        assert_eq!(Law::A.decode(octets[1]), -32_256);
    }
}
