//! Sound of one direction on a steady beat, for those who need it so: recordings and mixes. Everything else uses packets as
//! they come. Pure.

use crate::dsp::g711::Law;
use crate::dsp::FRAME_SAMPLES;
use crate::rtp::jitter_buffer::{JitterBuffer, Pulled, SoundPacket};

/// Longest payload that is sound: 120 ms.
pub const MAX_PAYLOAD: usize = 960;

pub struct Tap {
    buffer: JitterBuffer,
    law: Law,
}

impl Tap {
    pub fn new(law: Law) -> Self {
        Self {
            buffer: JitterBuffer::new(law),
            law,
        }
    }

    /// Takes in a packet of either law.
    pub fn push(&mut self, packet: &SoundPacket<'_>, law: Law, now_ms: u64) {
        if law == self.law || packet.payload.len() > MAX_PAYLOAD {
            self.buffer.push(packet, now_ms);
            return;
        }
        let mut octets = [0; MAX_PAYLOAD];
        let octets = &mut octets[..packet.payload.len()];
        octets.copy_from_slice(packet.payload);
        law.transcode(self.law, octets);
        self.buffer.push(
            &SoundPacket {
                payload: octets,
                ..*packet
            },
            now_ms,
        );
    }

    /// The next 20 ms. False: there was nothing, `out` is silence.
    pub fn pull(&mut self, now_ms: u64, out: &mut [i16; FRAME_SAMPLES]) -> bool {
        let mut octets = [0; FRAME_SAMPLES];
        if self.buffer.pull(now_ms, &mut octets) != Pulled::Frame {
            out.fill(0);
            return false;
        }
        self.law.decode_into(&octets, out);
        true
    }

    /// Packets too late to be heard, and the delay the beat costs.
    pub fn playout(&self, now_ms: u64) -> (u64, u32) {
        (self.buffer.statistics().late, self.buffer.delay_ms(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_laws_are_heard_and_nothing_is_silence() {
        let mut tap = Tap::new(Law::A);
        let mut out = [1; FRAME_SAMPLES];
        assert!(!tap.pull(0, &mut out));
        assert_eq!(out, [0; FRAME_SAMPLES]);
        let mut heard = 0;
        for n in 0..50u16 {
            let law = if n < 25 { Law::A } else { Law::Mu };
            let payload = [law.encode(8000); 160];
            let (timestamp, now_ms) = (u32::from(n) * 160, u64::from(n) * 20);
            tap.push(
                &SoundPacket {
                    ssrc: 1,
                    sequence: n,
                    timestamp,
                    marker: n == 0,
                    payload: &payload,
                },
                law,
                now_ms,
            );
            if tap.pull(now_ms + 1, &mut out) {
                heard += 1;
                assert!(
                    out.iter().all(|&sample| (sample - 8000).abs() < 400),
                    "{}",
                    out[0]
                );
            }
        }
        assert!(heard > 40, "{heard}");
        assert_eq!(tap.playout(1000).0, 0);
    }
}
