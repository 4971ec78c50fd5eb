//! What the peer is sent: digits before playback, playback before a bridged peer and over a mix, and silence if that is wanted.

use crate::control::protocol::{DigitsEnd, Event, PlaybackEnd};
use crate::dsp::g711::Law;
use crate::dsp::mixer::mix_into;
use crate::dsp::FRAME_SAMPLES;
use crate::rtp::packet::{RtpPacket, HEADER_BYTES};

use super::agreed::Agreed;
use super::dialling::Dialled;
use super::playback::Frame;
use super::{Heard, Now, Pass, Session, Wire};

/// A bridged peer heard this lately is not filled up with silence.
const PASSED_LATELY_US: u64 = 100_000;
/// Requests so numbered were nobody's.
const NOBODYS: u32 = 0;

/// What this turn sends.
enum Said {
    Packet,
    Nothing,
}

impl Session {
    /// Sends a bridged peer's packet on, in place, unless something else is heard now.
    pub fn pass_on(&mut self, datagram: &mut [u8], heard: &Heard, now: Now, wire: &mut impl Wire) {
        let Some(agreed) = self.agreed.as_ref().filter(|agreed| agreed.may_send) else {
            return;
        };
        if self.playback.is_some() || !self.dialling.is_idle() {
            self.out.forget_peer();
            return;
        }
        let payload_type = match heard.pass {
            Pass::Sound(law) => {
                if law != agreed.law {
                    law.transcode(agreed.law, &mut datagram[heard.payload.clone()]);
                }
                agreed.payload_type
            }
            Pass::Event => match agreed.send_events {
                Some(payload_type) => payload_type,
                None => return,
            },
            Pass::Nothing => return,
        };
        if !self
            .out
            .pass_on(datagram, heard.numbers, payload_type, now.turn)
        {
            return;
        }
        self.passed_us = Some(now.us);
        self.sounded = true;
        let law = agreed.law;
        self.send(datagram, now, wire);
        if matches!(heard.pass, Pass::Sound(_)) {
            self.note_sent(datagram, law, now);
        }
    }

    fn send(&mut self, packet: &[u8], now: Now, wire: &mut impl Wire) {
        if let Some(to) = self.latch.send_to() {
            wire.rtp(to, packet);
            let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
            self.rtcp
                .sent(packet.len() - HEADER_BYTES, timestamp, now.ms());
        }
    }

    /// A recording of both hears what was sent.
    fn note_sent(&mut self, packet: &[u8], law: Law, now: Now) {
        let Some(tap) = &mut self.sent else { return };
        if let Ok(packet) = RtpPacket::parse(packet) {
            tap.push(&super::hearing::sound_packet(&packet), law, now.ms());
        }
    }

    /// One turn of our own sound.
    pub(super) fn speak(
        &mut self,
        now: Now,
        mixed: Option<&[i16; FRAME_SAMPLES]>,
        wire: &mut impl Wire,
    ) {
        let Some(agreed) = self.agreed.take() else {
            return;
        };
        // Nothing to do is the usual case of a bridged call.
        let quiet = self.playback.is_none() && mixed.is_none() && self.dialling.is_idle();
        if !quiet || agreed.send_silence {
            let said = if agreed.may_send {
                self.say(&agreed, now, mixed, wire)
            } else {
                self.keep_time(&agreed, wire)
            };
            match said {
                Said::Packet => {}
                Said::Nothing if self.is_passing(now) => {}
                Said::Nothing => self.out.pause(),
            }
        } else if !self.is_passing(now) {
            self.out.pause();
        }
        self.agreed = Some(agreed);
    }

    fn is_passing(&self, now: Now) -> bool {
        self.passed_us
            .is_some_and(|passed| now.us.saturating_sub(passed) < PASSED_LATELY_US)
    }

    /// On hold nothing is sent, but what plays goes by, and digits wait.
    fn keep_time(&mut self, agreed: &Agreed, wire: &mut impl Wire) -> Said {
        if let Some(playback) = &mut self.playback {
            if playback.next(agreed.law) == Frame::End {
                self.end_playback(PlaybackEnd::Finished, String::new(), wire);
            }
        }
        Said::Nothing
    }

    fn say(
        &mut self,
        agreed: &Agreed,
        now: Now,
        mixed: Option<&[i16; FRAME_SAMPLES]>,
        wire: &mut impl Wire,
    ) -> Said {
        let mut said = self.say_digits(agreed, now, wire);
        if said.is_none() {
            said = self.say_playback(agreed, now, mixed, wire);
        }
        if let (None, Some(frame)) = (&said, mixed) {
            said = Some(self.say_samples(agreed, now, frame, wire));
        }
        if let Some(said) = said {
            self.sounded |= matches!(said, Said::Packet);
            return said;
        }
        if agreed.send_silence && !self.is_passing(now) {
            return self.say_silence(agreed, now, wire);
        }
        Said::Nothing
    }

    fn say_digits(&mut self, agreed: &Agreed, now: Now, wire: &mut impl Wire) -> Option<Said> {
        let mut samples = [0; FRAME_SAMPLES];
        while !self.dialling.is_idle() {
            let timestamp = self.out.timestamp(now.turn);
            match self
                .dialling
                .next(agreed.send_events.is_some(), timestamp, &mut samples)
            {
                Dialled::Idle => return None,
                Dialled::Event {
                    marker,
                    timestamp,
                    payload,
                } => {
                    let payload_type = agreed.send_events.unwrap_or(agreed.payload_type);
                    let mut packet = [0; HEADER_BYTES + 4];
                    packet.copy_from_slice(self.out.event(
                        payload_type,
                        marker,
                        timestamp,
                        payload,
                    ));
                    self.send(&packet, now, wire);
                    return Some(Said::Packet);
                }
                Dialled::Tone => return Some(self.say_samples(agreed, now, &samples, wire)),
                Dialled::Pause => return Some(self.say_silence(agreed, now, wire)),
                Dialled::Done(NOBODYS) => {}
                Dialled::Done(request) => {
                    wire.event(Event::DigitsSent {
                        session: self.id,
                        request,
                        reason: DigitsEnd::Sent,
                    });
                }
            }
        }
        None
    }

    /// In a mix what plays is heard with the others and not instead of them: a beep must not cut off who speaks. `None`:
    /// nothing plays in this turn.
    fn say_playback(
        &mut self,
        agreed: &Agreed,
        now: Now,
        mixed: Option<&[i16; FRAME_SAMPLES]>,
        wire: &mut impl Wire,
    ) -> Option<Said> {
        let playback = self.playback.as_mut()?;
        match (playback.next(agreed.law), mixed) {
            (Frame::Sound(octets), Some(others)) => {
                let mut frame = [0; FRAME_SAMPLES];
                agreed.law.decode_into(octets, &mut frame);
                mix_into(&mut frame, others);
                Some(self.say_samples(agreed, now, &frame, wire))
            }
            (Frame::Sound(octets), None) => {
                let mut frame = [0; FRAME_SAMPLES];
                frame.copy_from_slice(octets);
                Some(self.say_octets(agreed, now, &frame, wire))
            }
            (Frame::Gap | Frame::Waiting, Some(_)) => None,
            (Frame::Gap, None) => Some(self.say_silence(agreed, now, wire)),
            (Frame::Waiting, None) => Some(Said::Nothing),
            (Frame::End, _) => {
                self.end_playback(PlaybackEnd::Finished, String::new(), wire);
                None
            }
        }
    }

    fn say_samples(
        &mut self,
        agreed: &Agreed,
        now: Now,
        samples: &[i16; FRAME_SAMPLES],
        wire: &mut impl Wire,
    ) -> Said {
        let mut octets = [0; FRAME_SAMPLES];
        agreed.law.encode_into(samples, &mut octets);
        self.say_octets(agreed, now, &octets, wire)
    }

    fn say_silence(&mut self, agreed: &Agreed, now: Now, wire: &mut impl Wire) -> Said {
        self.say_octets(agreed, now, &[agreed.law.silence(); FRAME_SAMPLES], wire)
    }

    fn say_octets(
        &mut self,
        agreed: &Agreed,
        now: Now,
        octets: &[u8; FRAME_SAMPLES],
        wire: &mut impl Wire,
    ) -> Said {
        let mut packet = [0; HEADER_BYTES + super::outgoing::MAX_FRAMES * FRAME_SAMPLES];
        let made = self
            .out
            .frame(agreed.payload_type, now.turn, agreed.frames, |frame| {
                frame.copy_from_slice(octets)
            });
        if let Some(made) = made {
            let packet = &mut packet[..made.len()];
            packet.copy_from_slice(made);
            self.send(packet, now, wire);
            self.note_sent(packet, agreed.law, now);
        }
        Said::Packet
    }
}
