//! The stream we send: one SSRC, numbers and a clock without a break whatever the sound comes from, our own frames or packets
//! of a bridged peer, so that the receiver never sees a seam (RFC 3550 section 5.1). Pure: it makes packets, others send them.

use crate::dsp::FRAME_SAMPLES;
use crate::rtp::packet::{renumber, RtpPacket, HEADER_BYTES};

/// Frames of 20 ms in one packet at most.
pub const MAX_FRAMES: usize = 3;
/// A timestamp that jumps further is another stream's, and is joined on anew: ten seconds.
const MAX_STEP: u32 = 80_000;

/// How a peer's numbers become ours.
#[derive(Debug, Clone, Copy)]
struct Relay {
    ssrc: u32,
    first: u16,
    sequence_shift: u16,
    timestamp_shift: u32,
    last_timestamp: u32,
}

pub struct Outgoing {
    ssrc: u32,
    /// Number of the next packet of our own.
    sequence: u16,
    /// Added to the turn's time.
    shift: u32,
    last_timestamp: Option<u32>,
    talking: bool,
    relay: Option<Relay>,
    frames: usize,
    packet: [u8; HEADER_BYTES + MAX_FRAMES * FRAME_SAMPLES],
}

/// Chance for one stream: RFC 3550 section 5.1 wants all three unguessable.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Outgoing {
    pub fn new(seed: Seed) -> Self {
        Self {
            ssrc: seed.ssrc,
            sequence: seed.sequence,
            shift: seed.timestamp,
            last_timestamp: None,
            talking: false,
            relay: None,
            frames: 0,
            packet: [0; HEADER_BYTES + MAX_FRAMES * FRAME_SAMPLES],
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The stream's clock at a turn of the wheel: never behind what was sent.
    pub fn timestamp(&mut self, turn: u64) -> u32 {
        let timestamp = (turn as u32)
            .wrapping_mul(FRAME_SAMPLES as u32)
            .wrapping_add(self.shift);
        let Some(last) = self.last_timestamp else {
            return timestamp;
        };
        let ahead = timestamp.wrapping_sub(last) as i32;
        if ahead > 0 {
            return timestamp;
        }
        self.shift = self
            .shift
            .wrapping_add((FRAME_SAMPLES as i32 - ahead) as u32);
        last.wrapping_add(FRAME_SAMPLES as u32)
    }

    /// Adds a frame of 20 ms; gives a packet when it holds `per_packet` of them. `fill` writes the frame.
    pub fn frame(
        &mut self,
        payload_type: u8,
        turn: u64,
        per_packet: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Option<&[u8]> {
        if self.frames == 0 {
            let timestamp = self.timestamp(turn);
            self.packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        }
        let start = HEADER_BYTES + self.frames * FRAME_SAMPLES;
        fill(&mut self.packet[start..start + FRAME_SAMPLES]);
        self.frames += 1;
        if self.frames < per_packet.clamp(1, MAX_FRAMES) {
            return None;
        }
        Some(self.finish(payload_type))
    }

    /// Whether the turn before this one sent something, or a bridged peer's packets pass.
    pub fn is_talking(&self) -> bool {
        self.talking
    }

    /// Whether a packet was begun that waits for more frames.
    pub fn is_filling(&self) -> bool {
        self.frames > 0
    }

    fn finish(&mut self, payload_type: u8) -> &[u8] {
        let length = HEADER_BYTES + self.frames * FRAME_SAMPLES;
        // RFC 3551 section 4.1: the marker begins a talkspurt.
        let marker = !self.talking;
        self.talking = true;
        self.relay = None;
        let begun = u32::from_be_bytes([
            self.packet[4],
            self.packet[5],
            self.packet[6],
            self.packet[7],
        ]);
        self.last_timestamp = Some(begun.wrapping_add(((self.frames - 1) * FRAME_SAMPLES) as u32));
        self.frames = 0;
        self.head(marker, payload_type);
        &self.packet[..length]
    }

    fn head(&mut self, marker: bool, payload_type: u8) {
        self.packet[0] = 0x80;
        self.packet[1] = (u8::from(marker) << 7) | (payload_type & 0x7F);
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// A telephone-event packet; its timestamp is the key's, not the turn's (RFC 4733 section 2.2.1).
    pub fn event(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: [u8; 4],
    ) -> &[u8] {
        self.frames = 0;
        self.talking = false;
        self.relay = None;
        self.head(marker, payload_type);
        self.packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        self.packet[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&payload);
        &self.packet[..HEADER_BYTES + 4]
    }

    /// Nothing is sent in this turn: what comes next begins a talkspurt.
    pub fn pause(&mut self) {
        self.talking = false;
        self.frames = 0;
    }

    /// Gives a peer's packet our numbers, in place. False: it is from before we began to pass on, and is not sent.
    pub fn pass_on(
        &mut self,
        datagram: &mut [u8],
        packet: Numbers,
        payload_type: u8,
        turn: u64,
    ) -> bool {
        let mut relay = match self.relay {
            Some(relay) if relay.ssrc == packet.ssrc && relay.follows(packet) => relay,
            _ => self.join(packet, turn),
        };
        if (packet.sequence.wrapping_sub(relay.first) as i16) < 0 {
            return false;
        }
        let sequence = packet.sequence.wrapping_add(relay.sequence_shift);
        let timestamp = packet.timestamp.wrapping_add(relay.timestamp_shift);
        renumber(datagram, payload_type, sequence, timestamp, self.ssrc);
        if self.relay.is_none() {
            datagram[1] |= 0x80;
        }
        if (sequence.wrapping_sub(self.sequence) as i16) >= 0 {
            self.sequence = sequence.wrapping_add(1);
            self.last_timestamp = Some(timestamp);
            relay.last_timestamp = packet.timestamp;
        }
        self.relay = Some(relay);
        self.talking = true;
        true
    }

    fn join(&mut self, packet: Numbers, turn: u64) -> Relay {
        self.relay = None;
        self.frames = 0;
        Relay {
            ssrc: packet.ssrc,
            first: packet.sequence,
            sequence_shift: self.sequence.wrapping_sub(packet.sequence),
            timestamp_shift: self.timestamp(turn).wrapping_sub(packet.timestamp),
            last_timestamp: packet.timestamp,
        }
    }

    /// What is passed on next is joined on anew: another peer, or the same after something else was heard.
    pub fn forget_peer(&mut self) {
        self.relay = None;
    }
}

impl Relay {
    fn follows(&self, packet: Numbers) -> bool {
        let step = packet.timestamp.wrapping_sub(self.last_timestamp) as i32;
        step.unsigned_abs() <= MAX_STEP
    }
}

/// What of a packet passing on depends on.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Numbers {
    pub fn of(packet: &RtpPacket<'_>) -> Self {
        Self {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed {
        ssrc: 7,
        sequence: 65_534,
        timestamp: u32::MAX - 100,
    };

    fn parsed(bytes: &[u8]) -> (bool, u8, u16, u32, u32, usize) {
        let packet = RtpPacket::parse(bytes).unwrap();
        (
            packet.marker,
            packet.payload_type,
            packet.sequence,
            packet.timestamp,
            packet.ssrc,
            packet.payload.len(),
        )
    }

    fn passed(
        out: &mut Outgoing,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        turn: u64,
    ) -> Option<(bool, u16, u32)> {
        let mut bytes = [0; 172];
        let length = RtpPacket::plain(0, sequence, timestamp, ssrc, &[9; 160])
            .write(&mut bytes)
            .unwrap();
        let numbers = Numbers {
            ssrc,
            sequence,
            timestamp,
        };
        out.pass_on(&mut bytes[..length], numbers, 8, turn)
            .then(|| {
                let (marker, payload_type, sequence, timestamp, ssrc, _) = parsed(&bytes[..length]);
                assert_eq!((payload_type, ssrc), (8, 7));
                (marker, sequence, timestamp)
            })
    }

    #[test]
    fn frames_follow_each_other_over_both_wraps_and_the_first_is_marked() {
        let mut out = Outgoing::new(SEED);
        let mut seen = Vec::new();
        for turn in 0..4 {
            seen.push(parsed(
                out.frame(8, turn, 1, |frame| frame.fill(1)).unwrap(),
            ));
        }
        let base = u32::MAX - 100;
        for (n, packet) in seen.into_iter().enumerate() {
            let (sequence, timestamp) = (
                65_534u16.wrapping_add(n as u16),
                base.wrapping_add(160 * n as u32),
            );
            assert_eq!(packet, (n == 0, 8, sequence, timestamp, 7, 160));
        }
    }

    #[test]
    fn several_frames_go_in_one_packet_when_the_peer_wants_it() {
        let mut out = Outgoing::new(SEED);
        assert!(out.frame(8, 10, 2, |frame| frame.fill(1)).is_none());
        assert!(out.is_filling());
        let begun = 1600u32.wrapping_add(u32::MAX - 100);
        let packet = out.frame(8, 11, 2, |frame| frame.fill(2)).unwrap();
        assert_eq!(packet[12 + 160], 2);
        assert_eq!(parsed(packet), (true, 8, 65_534, begun, 7, 320));
        assert_eq!(out.timestamp(12), begun.wrapping_add(320));
    }

    #[test]
    fn a_pause_moves_the_clock_but_not_the_numbers_and_marks_what_follows() {
        let mut out = Outgoing::new(SEED);
        out.frame(8, 0, 1, |_| ());
        out.pause();
        let (marker, _, sequence, timestamp, ..) = parsed(out.frame(8, 50, 1, |_| ()).unwrap());
        assert_eq!(
            (marker, sequence, timestamp),
            (true, 65_535, (u32::MAX - 100).wrapping_add(8000))
        );
    }

    #[test]
    fn a_peers_packets_continue_our_stream_and_keep_their_gaps() {
        let mut out = Outgoing::new(SEED);
        out.frame(8, 0, 1, |_| ());
        let base = u32::MAX - 100;
        assert_eq!(
            passed(&mut out, 50, 1000, 5_000, 3),
            Some((true, 65_535, base.wrapping_add(480)))
        );
        assert_eq!(
            passed(&mut out, 50, 1002, 5_320, 5),
            Some((false, 1, base.wrapping_add(800)))
        );
        // Reordered: the number it would have had.
        assert_eq!(
            passed(&mut out, 50, 1001, 5_160, 5),
            Some((false, 0, base.wrapping_add(640)))
        );
        // From before we began to pass on.
        assert_eq!(passed(&mut out, 50, 999, 4_840, 5), None);
        let (.., sequence, timestamp, _, _) = parsed(out.frame(8, 6, 1, |_| ()).unwrap());
        assert_eq!((sequence, timestamp), (2, base.wrapping_add(960)));
    }

    #[test]
    fn another_source_joins_without_a_jump() {
        let mut out = Outgoing::new(SEED);
        let base = u32::MAX - 100;
        assert_eq!(
            passed(&mut out, 50, 1000, 5_000, 0),
            Some((true, 65_534, base))
        );
        assert_eq!(
            passed(&mut out, 51, 20, 900_000_000, 1),
            Some((true, 65_535, base.wrapping_add(160)))
        );
        // The same source, its clock set anew.
        assert_eq!(
            passed(&mut out, 51, 21, 5, 2),
            Some((true, 0, base.wrapping_add(320)))
        );
    }

    #[test]
    fn the_clock_never_runs_back_when_a_fast_peer_is_left() {
        let mut out = Outgoing::new(SEED);
        let base = u32::MAX - 100;
        passed(&mut out, 50, 1, 0, 0);
        passed(&mut out, 50, 2, 1600, 1);
        assert_eq!(
            parsed(out.frame(8, 2, 1, |_| ()).unwrap()).3,
            base.wrapping_add(1760)
        );
        assert_eq!(
            parsed(out.frame(8, 3, 1, |_| ()).unwrap()).3,
            base.wrapping_add(1920)
        );
    }

    #[test]
    fn an_event_has_the_keys_time() {
        let mut out = Outgoing::new(SEED);
        assert_eq!(
            parsed(out.event(101, true, 12345, [1, 10, 0, 160])),
            (true, 101, 65_534, 12345, 7, 4)
        );
    }
}
