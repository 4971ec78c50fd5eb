//! Whole sessions on a pretend wire and clock: what a peer sends and hears, and what the control process is told.

use std::net::SocketAddr;
use std::sync::Arc;

mod hearing;
mod speaking;

use super::*;
use crate::control::protocol::{
    Codec, DigitSource, Direction, Latch as LatchWord, PayloadMap, RecordingKind,
};
use crate::disk::prepared::{encode, Prepared};
use crate::disk::recorder::{Recorder, Work};
use crate::rtp::packet::RtpPacket;
use crate::rtp::telephone_event::EventPayload;
use recording::Wanted;

const EVENTS: u8 = 101;

#[derive(Default)]
struct Pretend {
    rtp: Vec<(SocketAddr, Vec<u8>)>,
    rtcp: Vec<(SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

impl Wire for Pretend {
    fn rtp(&mut self, to: SocketAddr, packet: &[u8]) {
        self.rtp.push((to, packet.to_vec()));
    }
    fn rtcp(&mut self, to: SocketAddr, packet: &[u8]) {
        self.rtcp.push((to, packet.to_vec()));
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// A session, its time and its peer.
struct Scene {
    session: Session,
    wire: Pretend,
    turn: u64,
    peer: SocketAddr,
    sequence: u16,
    timestamp: u32,
}

fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn said() -> Remote {
    Remote {
        session: 1,
        remote: peer(),
        remote_rtcp: None,
        send_codec: Codec::Pcma,
        send_payload_type: 8,
        receive: vec![
            PayloadMap {
                payload_type: 8,
                codec: Codec::Pcma,
            },
            PayloadMap {
                payload_type: 0,
                codec: Codec::Pcmu,
            },
        ],
        send_events: Some(EVENTS),
        receive_events: Some(EVENTS),
        ptime_ms: 20,
        direction: Direction::SendRecv,
        latch: LatchWord::Strict,
        rtcp_mux: false,
        inband_digits: false,
        send_silence: false,
        media_timeout_ms: 0,
    }
}

fn sound(level: i16, frames: usize) -> Arc<Prepared> {
    Arc::new(Prepared::parse(encode(&vec![level; frames * 160])).unwrap())
}

fn tone(n: usize) -> i16 {
    if n % 16 < 8 {
        9000
    } else {
        -9000
    }
}

impl Scene {
    fn new(remote: Option<Remote>) -> Self {
        let seed = Seed {
            ssrc: 77,
            sequence: 10,
            timestamp: 0,
        };
        let mut scene = Self {
            session: Session::new(
                1,
                seed,
                "name",
                5,
                Now {
                    us: 0,
                    turn: 0,
                    wall_us: 0,
                },
            ),
            wire: Pretend::default(),
            turn: 50,
            peer: peer(),
            sequence: 500,
            timestamp: 9_000,
        };
        if let Some(remote) = remote {
            let now = scene.now();
            scene.session.set_remote(&remote, now);
        }
        scene
    }

    fn now(&self) -> Now {
        Now {
            us: self.turn * 20_000,
            turn: self.turn,
            wall_us: 1_600_000_000_000_000,
        }
    }

    /// Turns of the wheel; payloads of the sound that was sent in them.
    fn turns(&mut self, count: u64) -> Vec<Vec<u8>> {
        self.wire.rtp.clear();
        for _ in 0..count {
            self.turn += 1;
            let now = self.now();
            self.session.tick(now, None, &mut self.wire);
        }
        let sent = self.wire.rtp.iter();
        sent.filter_map(|(_, packet)| {
            RtpPacket::parse(packet)
                .ok()
                .map(|packet| packet.payload.to_vec())
        })
        .collect()
    }

    fn datagram(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 12 + payload.len()];
        RtpPacket::plain(payload_type, self.sequence, self.timestamp, 4242, payload)
            .write(&mut bytes)
            .unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        bytes
    }

    fn hear(&mut self, payload_type: u8, payload: &[u8]) -> Option<Heard> {
        let bytes = self.datagram(payload_type, payload);
        if payload_type != EVENTS {
            self.timestamp = self.timestamp.wrapping_add(payload.len() as u32);
        }
        let now = self.now();
        self.session
            .handle_rtp(&bytes, self.peer, now, &mut self.wire)
    }

    fn key(&mut self, code: u8, duration: u16, end: bool) -> Option<Heard> {
        self.hear(
            EVENTS,
            &EventPayload {
                code,
                end,
                volume: 10,
                duration,
            }
            .write(),
        )
    }

    fn play(&mut self, id: u32, sounds: Vec<Arc<Prepared>>) {
        self.session
            .play(Playback::new(id, 1, 0, 0), &mut self.wire);
        self.session.loaded(
            Loaded {
                session: 1,
                playback: id,
                sounds: Ok(sounds),
            },
            &mut self.wire,
        );
    }

    fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.wire.events)
    }
}
