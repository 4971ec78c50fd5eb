//! One party's sound as a pure machine: datagrams, turns of the wheel and commands go in; packets and events come out through
//! `Wire`. It opens no socket, reads no clock, and takes nothing from the network on trust.

pub mod agreed;
pub mod dialling;
mod hearing;
pub mod outgoing;
pub mod playback;
pub mod recording;
mod speaking;
pub mod tap;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::control::protocol::{
    CloseCause, Codec, DigitTone, DigitsEnd, Direction, Event, PlaybackEnd, RecordingEnd, Remote,
    SessionStatistics,
};
use crate::disk::loader::Loaded;
use crate::dsp::digit::Digit;
use crate::dsp::dtmf_detect::DtmfDetector;
use crate::dsp::g711::Law;
use crate::dsp::silence::SilenceDetector;
use crate::dsp::FRAME_SAMPLES;
use crate::rtp::latch::Latch;
use crate::rtp::rtcp_stats::RtcpSession;
use crate::rtp::telephone_event::TelephoneEvents;

use agreed::Agreed;
use dialling::Dialling;
use outgoing::{Numbers, Outgoing, Seed};
use playback::Playback;
use recording::Recording;
use tap::Tap;

const CLOCK_RATE: u32 = 8_000;

/// Where a session's packets and events go.
pub trait Wire {
    fn rtp(&mut self, to: SocketAddr, packet: &[u8]);
    fn rtcp(&mut self, to: SocketAddr, packet: &[u8]);
    fn event(&mut self, event: Event);
}

/// The time of one step.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic.
    pub us: u64,
    /// Of the wheel.
    pub turn: u64,
    /// What to add to `us` for the time of day.
    pub wall_us: u64,
}

impl Now {
    fn ms(self) -> u64 {
        self.us / 1_000
    }

    /// RFC 3550 section 4: seconds since 1900 and their fraction.
    fn ntp(self) -> u64 {
        const SINCE_1900_S: u64 = 2_208_988_800;
        let wall = self.us.wrapping_add(self.wall_us);
        let fraction = ((wall % 1_000_000) << 32) / 1_000_000;
        ((wall / 1_000_000 + SINCE_1900_S) << 32) | fraction
    }
}

/// What a bridged peer is to be sent of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Nothing,
    Sound(Law),
    Event,
}

/// What became of a datagram.
pub struct Heard {
    pub pass: Pass,
    pub numbers: Numbers,
    /// Where the payload begins and ends.
    pub payload: std::ops::Range<usize>,
    pub marker: bool,
    /// A key that was let go, for a peer that takes no events.
    pub key: Option<(Digit, u32)>,
}

/// Chance for the whole life of a session (xorshift64*): reports are spread by it, nothing secret depends on it.
struct Chance(u64);

impl Chance {
    fn even(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Whether the peer is silent, by what was heard of it.
struct SilenceWatch {
    limit_us: u64,
    voice_us: u64,
    told: bool,
    detector: SilenceDetector,
}

pub struct Session {
    pub id: u32,
    agreed: Option<Box<Agreed>>,
    latch: Latch,
    rtcp: RtcpSession,
    rtcp_from: Option<SocketAddr>,
    chance: Chance,
    events: TelephoneEvents,
    inband: Option<Box<DtmfDetector>>,
    watch: Option<Box<SilenceWatch>>,
    heard_us: u64,
    lost_told: bool,
    rubbish: u32,
    codec_heard: Option<Law>,
    out: Outgoing,
    /// The peer has been sent something that it did not have to be silence.
    sounded: bool,
    passed_us: Option<u64>,
    playback: Option<Playback>,
    dialling: Dialling,
    recordings: Vec<Recording>,
    /// In a mix, which wants a beat of what the peer says.
    mixed: bool,
    heard: Option<Box<Tap>>,
    sent: Option<Box<Tap>>,
}

impl Session {
    /// `chance` must not be 0 and should not be guessable; `seed` is the stream's.
    pub fn new(id: u32, seed: Seed, cname: &str, chance: u64, now: Now) -> Self {
        let mut chance = Chance(chance | 1);
        let first = chance.even();
        Self {
            id,
            agreed: None,
            latch: Latch::new(None, false),
            rtcp: RtcpSession::new(seed.ssrc, cname, CLOCK_RATE, now.ms(), first),
            rtcp_from: None,
            chance,
            events: TelephoneEvents::new(CLOCK_RATE),
            inband: None,
            watch: None,
            heard_us: now.us,
            lost_told: false,
            rubbish: 0,
            codec_heard: None,
            out: Outgoing::new(seed),
            sounded: false,
            passed_us: None,
            playback: None,
            dialling: Dialling::default(),
            recordings: Vec::new(),
            mixed: false,
            heard: None,
            sent: None,
        }
    }

    /// Where the peer is and what was agreed, the first time or anew.
    pub fn set_remote(&mut self, said: &Remote, now: Now) {
        let agreed = Box::new(Agreed::new(said));
        self.latch.signal(Some(agreed.remote), agreed.symmetric);
        if agreed.inband_digits != self.inband.is_some() {
            self.inband = agreed.inband_digits.then(Box::default);
        }
        // A hold lifted, or a peer that moved, has its full time to be heard again.
        self.heard_us = now.us;
        if self
            .agreed
            .as_ref()
            .is_some_and(|before| before.remote_rtcp != agreed.remote_rtcp)
        {
            self.rtcp_from = None;
        }
        self.out.pause();
        self.agreed = Some(agreed);
    }

    /// Replaces what plays. The files follow by `loaded`.
    pub fn play(&mut self, playback: Playback, wire: &mut impl Wire) {
        self.end_playback(PlaybackEnd::Replaced, String::new(), wire);
        self.playback = Some(playback);
    }

    /// Whether nobody would notice a turn that comes sooner or later than 20 ms after the one before: nothing, or nothing but
    /// silence from the first packet on, is being sent in this beat, and nothing is recorded.
    pub fn may_change_beat(&self) -> bool {
        (!self.out.is_talking() || !self.sounded) && self.recordings.is_empty() && !self.mixed
    }

    /// The files of a playback, unless it is over already.
    pub fn loaded(&mut self, loaded: Loaded, wire: &mut impl Wire) {
        let Some(playback) = self
            .playback
            .as_mut()
            .filter(|playback| playback.id == loaded.playback)
        else {
            return;
        };
        match loaded.sounds {
            Ok(sounds) => playback.load(sounds),
            Err(why) => self.end_playback(PlaybackEnd::Failed, why, wire),
        }
    }

    /// False if another or nothing plays.
    pub fn stop_playback(&mut self, playback: u32, wire: &mut impl Wire) -> bool {
        if self
            .playback
            .as_ref()
            .map_or(true, |current| current.id != playback)
        {
            return false;
        }
        self.end_playback(PlaybackEnd::Stopped, String::new(), wire);
        true
    }

    fn end_playback(&mut self, reason: PlaybackEnd, detail: String, wire: &mut impl Wire) {
        if let Some(playback) = self.playback.take() {
            let (session, played_ms) = (self.id, playback.played_ms());
            wire.event(Event::PlaybackEnded {
                session,
                playback: playback.id,
                reason,
                played_ms,
                detail,
            });
        }
    }

    /// False when too many requests wait.
    pub fn send_digits(&mut self, request: u32, digits: &[DigitTone]) -> bool {
        self.dialling.add(request, dialling::steps(digits))
    }

    /// Sends a bridged peer's key as a tone, to a party that takes no events.
    pub fn press(&mut self, digit: Digit, duration_ms: u32) {
        let step = crate::dsp::digit::DialStep {
            digit: Some(digit),
            duration_ms: duration_ms.max(100),
            pause_ms: 0,
        };
        self.dialling.add(0, vec![step]);
    }

    pub fn takes_events(&self) -> bool {
        self.agreed
            .as_ref()
            .is_some_and(|agreed| agreed.send_events.is_some())
    }

    /// 0 stops watching.
    pub fn watch_silence(&mut self, silence_ms: u32, now: Now) {
        self.watch = (silence_ms > 0).then(|| {
            Box::new(SilenceWatch {
                limit_us: u64::from(silence_ms) * 1_000,
                voice_us: now.us,
                told: false,
                detector: SilenceDetector::new(Default::default()),
            })
        });
    }

    pub fn record(&mut self, recording: Recording) {
        self.recordings.push(recording);
        self.fit_taps();
    }

    /// False if there is no such recording here.
    pub fn stop_recording(&mut self, recording: u32, reason: RecordingEnd) -> bool {
        let Some(at) = self.recordings.iter().position(|each| each.id == recording) else {
            return false;
        };
        self.recordings.swap_remove(at).end(reason);
        self.fit_taps();
        true
    }

    pub fn pause_recording(&mut self, recording: u32, paused: bool) -> bool {
        let found = self.recordings.iter_mut().find(|each| each.id == recording);
        found.map(|each| each.paused = paused).is_some()
    }

    /// Enters or leaves a mix: what the peer says is then wanted on the beat.
    pub fn set_mixed(&mut self, mixed: bool) {
        self.mixed = mixed;
        self.fit_taps();
    }

    /// A bridge begins or ends: the stream goes on, joined to whatever is heard next.
    pub fn set_bridged(&mut self) {
        self.out.forget_peer();
        self.passed_us = None;
    }

    fn fit_taps(&mut self) {
        let law = self.agreed.as_ref().map_or(Law::A, |agreed| agreed.law);
        let heard = self.mixed || !self.recordings.is_empty();
        let sent = self.recordings.iter().any(Recording::wants_sent);
        if heard != self.heard.is_some() {
            self.heard = heard.then(|| Box::new(Tap::new(law)));
        }
        if sent != self.sent.is_some() {
            self.sent = sent.then(|| Box::new(Tap::new(law)));
        }
    }

    /// One turn of the wheel. `frame` is what a mix lets the peer hear. Returns a key whose end only time told.
    pub fn tick(
        &mut self,
        now: Now,
        frame: Option<&[i16; FRAME_SAMPLES]>,
        wire: &mut impl Wire,
    ) -> Option<(Digit, u32)> {
        let key = self.tick_events(now, wire);
        self.speak(now, frame, wire);
        self.tick_watches(now, wire);
        if !self.recordings.is_empty() && !self.mixed {
            let mut heard = [0; FRAME_SAMPLES];
            self.pull_heard(now, &mut heard);
            self.tick_recordings(now, &heard);
        }
        self.tick_rtcp(now, wire);
        key
    }

    /// What the peer says in this beat, for a mix; its recordings take the same. To be called once before each `tick` while
    /// mixed. False: nothing was heard.
    pub fn beat(&mut self, now: Now, heard: &mut [i16; FRAME_SAMPLES]) -> bool {
        let any = self.pull_heard(now, heard);
        if !self.recordings.is_empty() {
            let copy = *heard;
            self.tick_recordings(now, &copy);
        }
        any
    }

    fn pull_heard(&mut self, now: Now, heard: &mut [i16; FRAME_SAMPLES]) -> bool {
        let Some(tap) = &mut self.heard else {
            heard.fill(0);
            return false;
        };
        let any = tap.pull(now.ms(), heard);
        let (late, delay_ms) = tap.playout(now.ms());
        self.rtcp.played(late, delay_ms);
        any
    }

    fn tick_recordings(&mut self, now: Now, heard: &[i16; FRAME_SAMPLES]) {
        let mut sent = [0; FRAME_SAMPLES];
        if let Some(tap) = &mut self.sent {
            tap.pull(now.ms(), &mut sent);
        }
        let mut at = 0;
        while let Some(recording) = self.recordings.get_mut(at) {
            match recording.beat(heard, &sent) {
                None => at += 1,
                Some(reason) => self.recordings.swap_remove(at).end(reason),
            }
        }
        self.fit_taps();
    }

    fn tick_rtcp(&mut self, now: Now, wire: &mut impl Wire) {
        if now.ms() < self.rtcp.deadline_ms() {
            return;
        }
        let chance = self.chance.even();
        let Some(report) = self.rtcp.tick(now.ms(), now.ntp(), chance) else {
            return;
        };
        if let Some(agreed) = &self.agreed {
            let to = self.rtcp_to(agreed);
            if agreed.rtcp_mux {
                wire.rtp(to, &report);
            } else {
                wire.rtcp(to, &report);
            }
        }
    }

    /// Where reports go: with the sound where they share a port, else where the peer's come from, else where it said.
    fn rtcp_to(&self, agreed: &Agreed) -> SocketAddr {
        if agreed.rtcp_mux {
            return self.latch.send_to().unwrap_or(agreed.remote);
        }
        self.rtcp_from
            .filter(|_| agreed.symmetric)
            .unwrap_or(agreed.remote_rtcp)
    }

    /// Says goodbye and what it all came to. Recordings end by their own events.
    pub fn close(&mut self, cause: CloseCause, now: Now, wire: &mut impl Wire) {
        self.end_playback(PlaybackEnd::Closed, String::new(), wire);
        let session = self.id;
        for request in self
            .dialling
            .abandon()
            .into_iter()
            .filter(|&request| request != 0)
        {
            wire.event(Event::DigitsSent {
                session,
                request,
                reason: DigitsEnd::Closed,
            });
        }
        for recording in self.recordings.drain(..) {
            recording.end(RecordingEnd::Closed);
        }
        let bye = self.rtcp.bye(now.ms(), now.ntp());
        if let Some(agreed) = &self.agreed {
            let to = self.rtcp_to(agreed);
            if agreed.rtcp_mux {
                wire.rtp(to, &bye);
            } else {
                wire.rtcp(to, &bye);
            }
        }
        wire.event(Event::SessionClosed {
            session,
            cause,
            statistics: self.statistics(),
        });
    }

    pub fn direction(&self) -> Direction {
        self.agreed
            .as_ref()
            .map_or(Direction::Inactive, |agreed| agreed.direction)
    }

    /// For a session that can no longer count.
    pub fn unknown_statistics() -> SessionStatistics {
        SessionStatistics {
            packets_received: 0,
            bytes_received: 0,
            packets_sent: 0,
            bytes_sent: 0,
            lost: 0,
            late: 0,
            duplicate: 0,
            foreign: 0,
            rubbish: 0,
            jitter_us: None,
            round_trip_us: None,
            remote_lost: None,
            mos_hundredths: None,
            codec: Codec::Pcma,
        }
    }

    pub fn statistics(&self) -> SessionStatistics {
        let counted = self.rtcp.statistics();
        let us = |ms: f32| (ms * 1_000.0) as u32;
        let cut = |value: u64| u32::try_from(value).unwrap_or(u32::MAX - 1);
        let mos = counted
            .round_trip_ms
            .and(counted.received_quality)
            .map(|quality| (quality.mos * 100.0) as u16);
        let law = self
            .codec_heard
            .or(self.agreed.as_ref().map(|agreed| agreed.law));
        SessionStatistics {
            packets_received: counted.packets_received,
            bytes_received: counted.bytes_received,
            packets_sent: counted.packets_sent,
            bytes_sent: counted.bytes_sent,
            lost: cut(counted.lost),
            late: cut(counted.late),
            duplicate: cut(counted.duplicates),
            foreign: cut(self.latch.dropped()),
            rubbish: self.rubbish,
            jitter_us: counted.jitter_ms.map(us),
            round_trip_us: counted.round_trip_ms.map(us),
            remote_lost: counted.remote_lost.map(|lost| lost.max(0) as u32),
            mos_hundredths: mos,
            codec: law.map_or(Codec::Pcma, agreed::codec),
        }
    }
}
