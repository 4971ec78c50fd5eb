//! What comes from the peer: who may say it, what it is, and who wants to know.

use std::net::SocketAddr;

use crate::control::protocol::{DigitSource, Event};
use crate::dsp::digit::{Digit, DigitEvent};
use crate::dsp::g711::Law;
use crate::dsp::FRAME_MS;
use crate::rtp::jitter_buffer::SoundPacket;
use crate::rtp::latch::{Admission, Arrival};
use crate::rtp::packet::{is_rtcp, RtpPacket, HEADER_BYTES};
use crate::rtp::source::Verdict;

use super::agreed::Kind;
use super::outgoing::Numbers;
use super::tap::MAX_PAYLOAD;
use super::{Heard, Now, Pass, Session, Wire};

impl Session {
    /// A datagram on the port of sound. `None`: nothing for a bridged peer.
    pub fn handle_rtp(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Now,
        wire: &mut impl Wire,
    ) -> Option<Heard> {
        if is_rtcp(datagram) && self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp_mux) {
            self.handle_rtcp(datagram, from, now);
            return None;
        }
        // Before anything was agreed nobody can be known: early packets are lost, as they are to any phone.
        let agreed = self.agreed.as_ref()?;
        let Ok(packet) = RtpPacket::parse(datagram) else {
            self.rubbish += 1;
            return None;
        };
        let kind = agreed.kind(packet.payload_type);
        if kind == Kind::Unknown {
            self.rubbish += 1;
            return None;
        }
        let arrival = Arrival {
            from,
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            known_payload: true,
            now_ms: now.ms(),
        };
        match self.latch.admit(arrival) {
            Admission::Accept | Admission::AcceptAndSendTo(_) => {}
            Admission::Undecided | Admission::Drop => return None,
        }
        let may_receive = agreed.may_receive;
        self.note_heard(now, wire);
        let pass = self.take(&packet, kind, now)?;
        if !may_receive {
            return None;
        }
        let mut heard = Heard {
            pass,
            numbers: Numbers::of(&packet),
            payload: payload_range(datagram, &packet),
            marker: packet.marker,
            key: None,
        };
        match kind {
            Kind::Sound(law) => self.hear_sound(&packet, law, now, wire),
            Kind::Event => heard.key = self.hear_event(&packet, now, wire),
            Kind::Unknown => {}
        }
        Some(heard)
    }

    /// A datagram on the port of reports.
    pub fn handle_rtcp(&mut self, datagram: &[u8], from: SocketAddr, now: Now) {
        if self.agreed.is_none() || !self.latch.admits_rtcp(from) {
            return;
        }
        match self.rtcp.handle_rtcp(datagram, now.ms(), now.ntp()) {
            Ok(()) => self.rtcp_from = Some(from),
            Err(_) => self.rubbish += 1,
        }
    }

    fn note_heard(&mut self, now: Now, wire: &mut impl Wire) {
        self.heard_us = now.us;
        if std::mem::take(&mut self.lost_told) {
            wire.event(Event::MediaBack { session: self.id });
        }
    }

    /// Counts a packet; `None` if it is not to be heard.
    fn take(&mut self, packet: &RtpPacket<'_>, kind: Kind, now: Now) -> Option<Pass> {
        self.rtcp.received(packet.payload.len());
        let source = self.rtcp.source_mut(packet.ssrc, packet.sequence, 0);
        match source.update(packet.sequence) {
            Verdict::New | Verdict::Restarted => match kind {
                Kind::Sound(_) => source.observe_transit((now.us / 125) as u32, packet.timestamp),
                // The timestamp of a key stands still (RFC 4733 section 2.2.1), which is no jitter.
                Kind::Event | Kind::Unknown => source.pause_transit(),
            },
            Verdict::Reordered => {}
            Verdict::Probation | Verdict::Duplicate | Verdict::Jumped => return None,
        }
        Some(match kind {
            Kind::Sound(law) => Pass::Sound(law),
            Kind::Event => Pass::Event,
            Kind::Unknown => Pass::Nothing,
        })
    }

    fn hear_sound(&mut self, packet: &RtpPacket<'_>, law: Law, now: Now, wire: &mut impl Wire) {
        self.codec_heard = Some(law);
        if let Some(tap) = &mut self.heard {
            tap.push(&sound_packet(packet), law, now.ms());
        }
        if self.inband.is_none() && self.watch.is_none() {
            return;
        }
        let mut samples = [0; MAX_PAYLOAD];
        let count = law.decode_into(
            &packet.payload[..packet.payload.len().min(MAX_PAYLOAD)],
            &mut samples,
        );
        let samples = &samples[..count];
        if let Some(detector) = &mut self.inband {
            let session = self.id;
            detector.push(samples, |event| {
                if let DigitEvent::Ended { digit, duration_ms } = event {
                    wire.event(digit_event(
                        session,
                        digit,
                        duration_ms,
                        DigitSource::Inband,
                        now,
                    ));
                }
            });
        }
        if let Some(watch) = &mut self.watch {
            watch.detector.push(samples);
            if watch.detector.is_voice() {
                watch.voice_us = now.us;
                watch.told = false;
            }
        }
    }

    fn hear_event(
        &mut self,
        packet: &RtpPacket<'_>,
        now: Now,
        wire: &mut impl Wire,
    ) -> Option<(Digit, u32)> {
        let (session, mut key) = (self.id, None);
        let pushed = self.events.push(
            packet.marker,
            packet.timestamp,
            packet.payload,
            now.ms(),
            |event| {
                if let DigitEvent::Ended { digit, duration_ms } = event {
                    key = Some((digit, duration_ms));
                    wire.event(digit_event(
                        session,
                        digit,
                        duration_ms,
                        DigitSource::Event,
                        now,
                    ));
                }
            },
        );
        if pushed.is_err() {
            self.rubbish += 1;
        }
        if let Some(watch) = &mut self.watch {
            // Whoever presses a key is not silent.
            watch.voice_us = now.us;
            watch.told = false;
        }
        key
    }

    /// A key whose end packets were all lost ends by time.
    pub(super) fn tick_events(&mut self, now: Now, wire: &mut impl Wire) -> Option<(Digit, u32)> {
        let (session, mut key) = (self.id, None);
        self.events.handle_timer(now.ms(), |event| {
            if let DigitEvent::Ended { digit, duration_ms } = event {
                key = Some((digit, duration_ms));
                wire.event(digit_event(
                    session,
                    digit,
                    duration_ms,
                    DigitSource::Event,
                    now,
                ));
            }
        });
        key
    }

    pub(super) fn tick_watches(&mut self, now: Now, wire: &mut impl Wire) {
        let session = self.id;
        if let Some(watch) = &mut self.watch {
            if !watch.told && now.us.saturating_sub(watch.voice_us) >= watch.limit_us {
                watch.told = true;
                wire.event(Event::Silence {
                    session,
                    silence_ms: (watch.limit_us / 1_000) as u32,
                });
            }
        }
        let Some(agreed) = &self.agreed else { return };
        let silent_us = now.us.saturating_sub(self.heard_us);
        let counts = agreed.may_receive && agreed.media_timeout_us > 0 && !self.lost_told;
        if counts && silent_us >= agreed.media_timeout_us + u64::from(FRAME_MS) * 1_000 {
            self.lost_told = true;
            wire.event(Event::MediaLost {
                session,
                silent_ms: (silent_us / 1_000) as u32,
            });
        }
    }
}

pub(super) fn sound_packet<'a>(packet: &RtpPacket<'a>) -> SoundPacket<'a> {
    SoundPacket {
        ssrc: packet.ssrc,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        marker: packet.marker,
        payload: packet.payload,
    }
}

fn payload_range(datagram: &[u8], packet: &RtpPacket<'_>) -> std::ops::Range<usize> {
    let extension = packet
        .extension
        .map_or(0, |extension| 4 + extension.data.len());
    let start = (HEADER_BYTES + packet.csrc.len() + extension).min(datagram.len());
    start..(start + packet.payload.len()).min(datagram.len())
}

fn digit_event(
    session: u32,
    digit: Digit,
    duration_ms: u32,
    source: DigitSource,
    now: Now,
) -> Event {
    Event::Digit {
        session,
        digit: digit.as_char(),
        duration_ms,
        source,
        at_us: now.us,
    }
}
