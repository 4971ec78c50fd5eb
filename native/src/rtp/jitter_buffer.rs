//! Playout: packets come when they come, 20 ms of sound go out at every beat.
//!
//! Octets of G.711 are kept on the sender's own timeline, one octet to a sample, so packets of any length may come
//! in any order. The *delay* is how far the playout lies behind the fastest packet's way; it starts at a *target*
//! measured from the jitter. It grows where the buffer runs dry (a gap is heard there anyway) and shrinks by leaving
//! out a frame, a quiet one if it can wait for one. A peer's clock that runs fast or slow is corrected by the same
//! two moves, and a silence (no packets, timestamps going on) lines the two up anew.
//!
//! RFC 3550 leaves playout to the receiver; the figures are ours.

use std::collections::VecDeque;

use super::delay_target::{DelayTarget, MAX_TARGET_SAMPLES};
use super::sound_ring::{SoundRing, CAPACITY};
use crate::dsp::g711::Law;
use crate::dsp::FRAME_SAMPLES;

/// With so much kept (384 of 512 ms) the playout begins, whatever the target says.
const FULL_SAMPLES: i64 = CAPACITY as i64 * 3 / 4;

/// Octets of one packet at most: 60 ms and as much again.
const MAX_PACKET: usize = 960;

/// Packets whose way changed by more than this belong to another timeline, in samples (400 ms).
const JUMP_SAMPLES: i64 = 3_200;

/// The playout may lie this much behind its target before a frame is left out, in samples (30 ms).
const SLACK_SAMPLES: i64 = 240;

/// How far behind before the next frame is left out, quiet or not, in samples (60 ms).
const IMPATIENT_SAMPLES: i64 = 480;

/// For how long a quiet frame is waited for, in frames (one second).
const PATIENCE_FRAMES: u32 = 50;

/// Frames of a buffer run dry that count as lost; after them it is the peer that is silent.
const DRY_FRAMES_LOST: u32 = 3;

/// Packets too late in a row that show the timeline itself to have moved.
const LATE_IN_A_ROW: u32 = 5;

/// Gaps that are known to be silence.
const MAX_GAPS: usize = 8;

const SAMPLES_PER_MS: i64 = crate::dsp::SAMPLES_PER_MS as i64;
const FRAME: i64 = FRAME_SAMPLES as i64;

/// What one packet turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played, at least in part.
    Kept,
    /// All of it was here before.
    Duplicate,
    /// Its time has passed.
    Late,
    /// It does not fit the timeline; another like it makes a new one.
    Strange,
    /// It began a new timeline (a new source, or timestamps that jumped), and will be played.
    Restarted,
    /// It is empty or too long to be sound.
    Refused,
}

/// What one beat plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Sound; a part that was lost is silence.
    Frame,
    /// A frame that should be here is lost or late; `out` is silence, to be concealed.
    Missing,
    /// There is nothing to play: the stream has not begun, or the peer is silent; `out` is silence.
    Empty,
}

/// A packet of sound.
#[derive(Debug, Clone, Copy)]
pub struct SoundPacket<'a> {
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in samples.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// Octets of G.711.
    pub payload: &'a [u8],
}

/// What a buffer has counted and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutStatistics {
    /// Packets that came too late.
    pub late: u64,
    /// Packets that were here before.
    pub duplicates: u64,
    /// Frames that should have been played and were not here.
    pub missing: u64,
    /// Frames left out to shorten the delay.
    pub left_out: u64,
    /// New timelines after the first.
    pub restarts: u64,
}

/// The playout of one stream.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    law: Law,
    ring: SoundRing,
    timeline: Option<Timeline>,
    target: DelayTarget,
    pending_jump: Option<i64>,
    late_in_a_row: u32,
    dry: u32,
    waiting: bool,
    impatience: u32,
    gaps: VecDeque<(i64, i64)>,
    statistics: PlayoutStatistics,
}

/// Where a stream stands. Positions are timestamps without their wrap, in samples.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    ssrc: u32,
    last_timestamp: u32,
    last: i64,
    last_sequence: u16,
    last_end: i64,
    /// The next position to play.
    play: i64,
    /// The end of all that is kept.
    end: i64,
    /// The end of all that was played or given up; nothing before it is taken any more.
    past: i64,
}

impl JitterBuffer {
    /// A buffer for one law.
    pub fn new(law: Law) -> Self {
        Self {
            law,
            ring: SoundRing::new(),
            timeline: None,
            target: DelayTarget::new(),
            pending_jump: None,
            late_in_a_row: 0,
            dry: DRY_FRAMES_LOST,
            waiting: true,
            impatience: 0,
            gaps: VecDeque::with_capacity(MAX_GAPS),
            statistics: PlayoutStatistics::default(),
        }
    }

    /// Takes in a packet that arrived at `arrival_ms`.
    pub fn push(&mut self, packet: &SoundPacket<'_>, arrival_ms: u64) -> Pushed {
        if packet.payload.is_empty() || packet.payload.len() > MAX_PACKET {
            return Pushed::Refused;
        }
        let now = arrival_ms as i64 * SAMPLES_PER_MS;
        let Some(timeline) = self
            .timeline
            .filter(|timeline| timeline.ssrc == packet.ssrc)
        else {
            return self.restart(packet, now);
        };
        let step = packet.timestamp.wrapping_sub(timeline.last_timestamp) as i32;
        let position = timeline.last + i64::from(step);
        if self.is_strange(&timeline, position, now) {
            return self.suspect(packet, now - position, now);
        }
        self.pending_jump = None;
        self.target.observe(now - position, now);
        self.note(packet, position);
        self.place(position, packet.payload)
    }

    /// Fills `out` with the next 20 ms at `now_ms`; to be called once every 20 ms.
    pub fn pull(&mut self, now_ms: u64, out: &mut [u8; FRAME_SAMPLES]) -> Pulled {
        let now = now_ms as i64 * SAMPLES_PER_MS;
        out.fill(self.law.silence());
        if self.waiting && !self.begin_playing(now) {
            return self.dry_frame();
        }
        self.shorten(now);
        let Some(timeline) = self.timeline else {
            return Pulled::Empty;
        };
        let played = self.ring.take(timeline.play, out);
        if played > 0 {
            self.dry = 0;
            self.advance(FRAME);
            return Pulled::Frame;
        }
        if timeline.end <= timeline.play {
            // Dry: wait for what comes, which makes the delay longer by as much as is needed.
            self.waiting = true;
            return self.dry_frame();
        }
        if self.is_gap(timeline.play) {
            self.advance(FRAME);
            return Pulled::Empty;
        }
        self.statistics.missing += 1;
        // What is missing may only be late. If the delay is too short, a frame that is lost anyway makes it longer.
        if self.delay(now) + FRAME > self.target.samples() {
            self.advance(FRAME);
        }
        Pulled::Missing
    }

    /// Forgets the stream, as when the peer is put elsewhere; the law may be another one from here on.
    pub fn reset(&mut self, law: Law) {
        self.law = law;
        self.timeline = None;
        self.forget();
    }

    /// How far the playout lies behind the fastest packet, in ms; 0 before it begins.
    pub fn delay_ms(&self, now_ms: u64) -> u32 {
        let delay = self.delay(now_ms as i64 * SAMPLES_PER_MS);
        if self.timeline.is_none() {
            return 0;
        }
        (delay.max(0) / SAMPLES_PER_MS) as u32
    }

    /// How far behind it should lie, in ms.
    pub fn target_ms(&self) -> u32 {
        (self.target.samples() / SAMPLES_PER_MS) as u32
    }

    /// The counts so far.
    pub fn statistics(&self) -> PlayoutStatistics {
        self.statistics
    }

    fn delay(&self, now: i64) -> i64 {
        self.timeline
            .map_or(0, |timeline| now - self.target.fastest() - timeline.play)
    }

    /// Whether a packet cannot belong to the timeline: its way is far off, or the buffer cannot hold it.
    fn is_strange(&self, timeline: &Timeline, position: i64, now: i64) -> bool {
        let excess = now - position - self.target.fastest();
        let room = position + MAX_PACKET as i64 - timeline.play <= CAPACITY as i64;
        let far = excess.abs() > JUMP_SAMPLES || (!self.waiting && !room);
        let endless = self.late_in_a_row + 1 >= LATE_IN_A_ROW
            && position < timeline.play
            && position > timeline.last;
        far || endless
    }

    /// One strange packet is dropped, a second that agrees with it begins a new timeline.
    fn suspect(&mut self, packet: &SoundPacket<'_>, way: i64, now: i64) -> Pushed {
        let agrees = self
            .pending_jump
            .is_some_and(|before| (before - way).abs() < JUMP_SAMPLES / 4);
        if agrees {
            return self.restart(packet, now);
        }
        self.pending_jump = Some(way);
        Pushed::Strange
    }

    fn restart(&mut self, packet: &SoundPacket<'_>, now: i64) -> Pushed {
        let first = self.timeline.is_none();
        self.forget();
        let position = i64::from(packet.timestamp);
        self.timeline = Some(Timeline {
            ssrc: packet.ssrc,
            last_timestamp: packet.timestamp,
            last: position,
            last_sequence: packet.sequence,
            last_end: position + packet.payload.len() as i64,
            play: position,
            end: position,
            past: i64::MIN,
        });
        self.target.begin(now - position, now);
        self.statistics.restarts += u64::from(!first);
        let kept = self.place(position, packet.payload);
        if first {
            kept
        } else {
            Pushed::Restarted
        }
    }

    fn forget(&mut self) {
        self.ring.clear();
        self.pending_jump = None;
        self.late_in_a_row = 0;
        self.waiting = true;
        // What has not begun yet is not lost.
        self.dry = DRY_FRAMES_LOST;
        self.impatience = 0;
        self.gaps.clear();
    }

    /// Follows the timeline's newest packet, and learns of silences: the numbers go on where the timestamps leap.
    fn note(&mut self, packet: &SoundPacket<'_>, position: i64) {
        let Some(timeline) = &mut self.timeline else {
            return;
        };
        if position <= timeline.last {
            return;
        }
        let next = packet.sequence == timeline.last_sequence.wrapping_add(1);
        let gap = (timeline.last_end, position);
        timeline.last = position;
        timeline.last_timestamp = packet.timestamp;
        timeline.last_sequence = packet.sequence;
        timeline.last_end = position + packet.payload.len() as i64;
        // After a loss the numbers cannot tell, but a marker can (RFC 3551 section 4.1).
        if gap.1 > gap.0 && (next || packet.marker) {
            if self.gaps.len() == MAX_GAPS {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
    }

    /// Puts octets on the timeline, without what has been played.
    fn place(&mut self, position: i64, payload: &[u8]) -> Pushed {
        let Some(timeline) = &mut self.timeline else {
            return Pushed::Refused;
        };
        let first = if self.waiting {
            timeline.past
        } else {
            timeline.play
        };
        let past = first.saturating_sub(position).max(0) as usize;
        if past >= payload.len() {
            self.statistics.late += 1;
            self.late_in_a_row += 1;
            return Pushed::Late;
        }
        let from = position + past as i64;
        if self.waiting && timeline.end <= timeline.play {
            // Nothing is kept, so the timeline may begin wherever this packet lies.
            timeline.play = from;
            timeline.end = from;
        }
        let end = timeline.end.max(position + payload.len() as i64);
        let play = timeline.play.min(from);
        if end - play > CAPACITY as i64 {
            return Pushed::Strange;
        }
        // An earlier one that came before the playout began: it begins with the earliest.
        timeline.play = play;
        timeline.end = end;
        self.late_in_a_row = 0;
        if self.ring.put(from, &payload[past..]) {
            Pushed::Kept
        } else {
            self.statistics.duplicates += 1;
            Pushed::Duplicate
        }
    }

    /// Whether what is kept is old enough to be played.
    fn begin_playing(&mut self, now: i64) -> bool {
        let Some(timeline) = &mut self.timeline else {
            return false;
        };
        if timeline.end <= timeline.play {
            return false;
        }
        let old_enough = now - self.target.fastest() - timeline.play >= self.target.samples();
        // However long the target has become, a buffer nearly full has waited enough.
        let full = timeline.end - timeline.play > FULL_SAMPLES;
        self.waiting = !(old_enough || full);
        !self.waiting
    }

    /// Leaves out a frame if the delay has been too long, at once only if it is far too long or the frame is quiet.
    fn shorten(&mut self, now: i64) {
        let Some(timeline) = self.timeline else {
            return;
        };
        let excess = self.delay(now) - self.target.samples();
        let spare = timeline.end - timeline.play >= 2 * FRAME;
        if excess <= SLACK_SAMPLES || !spare {
            self.impatience = 0;
            return;
        }
        self.impatience += 1;
        let impatient =
            self.impatience >= PATIENCE_FRAMES || excess > SLACK_SAMPLES + IMPATIENT_SAMPLES;
        if impatient || self.is_quiet(timeline.play) {
            self.impatience = 0;
            self.statistics.left_out += 1;
            self.ring.remove(timeline.play, FRAME_SAMPLES);
            self.advance(FRAME);
        }
    }

    /// Whether a frame is absent or so quiet that nobody misses it: every sample under about -43 dBm0.
    fn is_quiet(&self, position: i64) -> bool {
        (position..position + FRAME).all(|at| {
            let octet = self.ring.get(at);
            octet.map_or(true, |octet| self.law.decode(octet).unsigned_abs() < 160)
        })
    }

    fn is_gap(&self, position: i64) -> bool {
        self.gaps
            .iter()
            .any(|&(start, end)| position >= start && position < end)
    }

    fn advance(&mut self, samples: i64) {
        let Some(timeline) = &mut self.timeline else {
            return;
        };
        timeline.play += samples;
        timeline.past = timeline.play;
        let play = timeline.play;
        self.gaps.retain(|&(_, end)| end > play);
    }

    fn dry_frame(&mut self) -> Pulled {
        if self.timeline.is_none() || self.dry >= DRY_FRAMES_LOST {
            return Pulled::Empty;
        }
        self.dry += 1;
        self.statistics.missing += 1;
        Pulled::Missing
    }
}

/// What the target asks for can be kept.
const _: () = assert!(MAX_TARGET_SAMPLES < FULL_SAMPLES);
