//! Conferences in a worker: parties come and go, are muted, recorded and press keys, on real sockets and a pretend clock.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Receiver;

use super::*;
use crate::control::protocol::{
    Codec, Direction, Latch as LatchWord, PayloadMap, RecordingKind, Remote,
};
use crate::disk::recorder::Work;
use crate::dsp::g711::Law;
use crate::rtp::packet::RtpPacket;
use crate::rtp::telephone_event::EventPayload;
use crate::session::outgoing::Seed;

const MIX: u32 = 9;
const EVENTS: u8 = 101;
/// Turns after which the jitter buffers have filled and the mix is steady.
const SETTLED: usize = 12;

struct Party {
    socket: UdpSocket,
    law: Law,
    sequence: u16,
    timestamp: u32,
    /// What it says in every turn; `None`: it sends nothing.
    says: Option<i16>,
    /// The level of what it heard last.
    heard: Option<i32>,
}

struct Room {
    worker: Worker,
    work: Receiver<Work>,
    parties: Vec<Party>,
    turn: u64,
}

fn law_of(codec: Codec) -> Law {
    match codec {
        Codec::Pcma => Law::A,
        Codec::Pcmu => Law::Mu,
    }
}

/// Binds a port of chance; the session's own is never sent to.
fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

impl Room {
    /// Parties with sessions 1, 2, …, each saying its level; nobody is in the mix yet.
    fn with(parties: &[(Codec, i16)]) -> Self {
        let (outbox, _) = mailbox::mailbox().unwrap();
        let (_, inbox) = mailbox::mailbox().unwrap();
        let (recorder, work) = Recorder::pretend();
        let mut room = Self {
            worker: Worker::new(inbox, outbox, recorder).unwrap(),
            work,
            parties: Vec::new(),
            turn: 1_000,
        };
        for &(codec, level) in parties {
            room.add(codec, level);
        }
        room
    }

    fn now(&self) -> Now {
        Now {
            us: self.turn * wheel::TURN_US,
            turn: self.turn,
            wall_us: 0,
        }
    }

    fn add(&mut self, codec: Codec, level: i16) {
        let id = self.parties.len() as u32 + 1;
        let party = Party {
            socket: socket(),
            law: law_of(codec),
            sequence: 100,
            timestamp: 7_000,
            says: Some(level),
            heard: None,
        };
        let seed = Seed {
            ssrc: id,
            sequence: 0,
            timestamp: 0,
        };
        let mut session = Session::new(id, seed, "name", u64::from(id) * 77 + 1, self.now());
        let number = codec as u8;
        let remote = Remote {
            session: id,
            remote: party.socket.local_addr().unwrap(),
            remote_rtcp: None,
            send_codec: codec,
            send_payload_type: number,
            receive: vec![PayloadMap {
                payload_type: number,
                codec,
            }],
            send_events: Some(EVENTS),
            receive_events: Some(EVENTS),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            latch: LatchWord::Strict,
            rtcp_mux: false,
            inband_digits: false,
            send_silence: false,
            media_timeout_ms: 0,
        };
        session.set_remote(&remote, self.now());
        self.worker.seat(Box::new(Seat {
            session,
            rtp: socket(),
            rtcp: socket(),
            joined: Joined::Nothing,
            muted: false,
            slot: None,
        }));
        self.parties.push(party);
    }

    fn tell(&mut self, command: Command) {
        let now = self.now();
        self.worker.command(command, now);
    }

    fn join(&mut self, sessions: &[u32]) {
        for &session in sessions {
            self.tell(Command::JoinMix {
                mix: MIX,
                session,
                muted: false,
            });
        }
    }

    fn datagram(&mut self, party: usize, payload_type: u8, payload: &[u8]) {
        let each = &mut self.parties[party];
        let mut bytes = vec![0; 12 + payload.len()];
        RtpPacket::plain(payload_type, each.sequence, each.timestamp, 4242, payload)
            .write(&mut bytes)
            .unwrap();
        each.sequence = each.sequence.wrapping_add(1);
        let from: SocketAddr = each.socket.local_addr().unwrap();
        let index = self.worker.by_id[&(party as u32 + 1)];
        let now = self.now();
        self.worker.take_rtp(index, &mut bytes, from, now);
    }

    /// Everybody speaks for a turn, the mix beats, everybody hears; so many times.
    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn += 1;
            for party in 0..self.parties.len() {
                let each = &self.parties[party];
                if let Some(level) = each.says {
                    let (law, number) = (each.law, if each.law == Law::A { 8 } else { 0 });
                    self.datagram(party, number, &[law.encode(level); 160]);
                }
                self.parties[party].timestamp = self.parties[party].timestamp.wrapping_add(160);
            }
            let now = self.now();
            self.worker.tick_mix(MIX, now);
            let mut buffer = [0; 2048];
            for each in &mut self.parties {
                each.heard = None;
                while let Ok((length, _)) = each.socket.recv_from(&mut buffer) {
                    let packet = RtpPacket::parse(&buffer[..length]).unwrap();
                    each.heard = Some(i32::from(each.law.decode(packet.payload[80])));
                }
            }
        }
    }

    /// What each party hears, rounded to the thousands that are spoken here; `None`: no packet at all.
    fn heard(&self) -> Vec<Option<i32>> {
        let rounded = |level: i32| (level as f64 / 1000.0).round() as i32;
        let parties = self.parties.iter();
        parties.map(|each| each.heard.map(rounded)).collect()
    }
}

const A: Codec = Codec::Pcma;
const MU: Codec = Codec::Pcmu;

#[test]
fn both_laws_are_heard_by_everybody_but_themselves() {
    let mut room = Room::with(&[(A, 1000), (MU, 2000), (A, 4000)]);
    room.join(&[1, 2, 3]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(6), Some(5), Some(3)]);
}

#[test]
fn too_loud_is_cut_and_does_not_turn_over() {
    let mut room = Room::with(&[(MU, 30_000), (MU, 30_000), (A, 1000)]);
    room.join(&[1, 2, 3]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(31), Some(31), Some(32)]);
}

#[test]
fn who_comes_in_the_middle_is_heard_and_who_leaves_is_not() {
    let mut room = Room::with(&[(A, 1000), (A, 2000), (A, 4000)]);
    room.join(&[1, 2]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(2), Some(1), None]);
    room.join(&[3]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(6), Some(5), Some(3)]);
    room.tell(Command::LeaveMix {
        mix: MIX,
        session: 1,
    });
    room.turns(2);
    assert_eq!(room.heard(), [None, Some(4), Some(2)]);
    // A party whose session ends is out of it too.
    room.tell(Command::CloseSession { session: 2 });
    room.parties[1].says = None;
    let now = room.now();
    room.worker.tick_mix(MIX, now);
    assert_eq!(room.worker.mixes[&MIX].members.len(), 1);
    room.tell(Command::LeaveMix {
        mix: MIX,
        session: 3,
    });
    assert!(room.worker.mixes.is_empty(), "nobody is left to mix");
}

#[test]
fn who_is_muted_hears_and_is_not_heard_until_that_is_undone() {
    let mut room = Room::with(&[(A, 1000), (A, 2000), (MU, 4000)]);
    room.join(&[1, 2]);
    room.tell(Command::JoinMix {
        mix: MIX,
        session: 3,
        muted: true,
    });
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(2), Some(1), Some(3)]);
    room.tell(Command::MuteInMix {
        mix: MIX,
        session: 3,
        muted: false,
    });
    room.turns(2);
    assert_eq!(room.heard(), [Some(6), Some(5), Some(3)]);
    room.tell(Command::JoinMix {
        mix: MIX,
        session: 1,
        muted: true,
    });
    room.turns(2);
    assert_eq!(
        room.heard(),
        [Some(6), Some(4), Some(2)],
        "joining again only mutes"
    );
}

#[test]
fn a_muted_session_is_heard_by_nobody_in_a_bridge_or_a_mix() {
    let mut room = Room::with(&[(A, 1000), (MU, 2000), (A, 4000)]);
    room.tell(Command::Bridge { a: 1, b: 2 });
    room.turns(SETTLED);
    assert_eq!(room.heard()[..2], [Some(2), Some(1)]);
    room.tell(Command::Mute {
        session: 2,
        muted: true,
    });
    room.turns(2);
    assert_eq!(
        room.heard()[..2],
        [Some(0), Some(1)],
        "packets of silence, and it hears the other"
    );
    room.tell(Command::Mute {
        session: 2,
        muted: false,
    });
    room.turns(2);
    assert_eq!(room.heard()[..2], [Some(2), Some(1)]);
    room.tell(Command::Mute {
        session: 2,
        muted: true,
    });
    room.join(&[1, 2, 3]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(4), Some(5), Some(1)]);
}

#[test]
fn who_is_bridged_leaves_the_mix_and_the_others_go_on() {
    let mut room = Room::with(&[(A, 1000), (A, 2000), (A, 4000), (A, 8000)]);
    room.join(&[1, 2, 3]);
    room.turns(SETTLED);
    room.tell(Command::Bridge { a: 3, b: 4 });
    room.turns(2);
    assert_eq!(room.heard()[..2], [Some(2), Some(1)]);
    assert_eq!(room.worker.mixes[&MIX].members.len(), 2);
}

#[test]
fn a_key_pressed_in_a_mix_is_told_once_and_interrupts_nobody() {
    let mut room = Room::with(&[(A, 1000), (A, 2000)]);
    room.join(&[1, 2]);
    room.turns(SETTLED);
    for step in 0..6u16 {
        let event = EventPayload {
            code: 5,
            end: step >= 4,
            volume: 10,
            duration: (step.min(4) + 1) * 160,
        };
        room.datagram(0, EVENTS, &event.write());
        room.turns(usize::from(step == 5));
    }
    room.turns(3);
    let events = room.worker.events.iter();
    let keys = events.filter(|event| {
        matches!(
            event,
            Event::Digit {
                session: 1,
                digit: '5',
                ..
            }
        )
    });
    assert_eq!(keys.count(), 1);
    assert_eq!(room.heard(), [Some(2), Some(1)]);
}

#[test]
fn a_recording_in_a_mix_has_the_party_and_all_that_it_hears() {
    for (kind, level) in [(RecordingKind::Both, 7), (RecordingKind::Party, 1)] {
        let mut room = Room::with(&[(A, 1000), (MU, 2000), (A, 4000)]);
        room.join(&[1, 2, 3]);
        room.turns(SETTLED);
        room.tell(Command::StartRecording {
            recording: 1,
            session: 1,
            recorded: kind,
            path: "x".to_owned(),
            max_ms: 0,
            silence_ms: 0,
        });
        room.turns(100);
        assert_eq!(room.heard(), [Some(6), Some(5), Some(3)]);
        let samples: Vec<i16> = room
            .work
            .try_iter()
            .flat_map(|work| match work {
                Work::Sound { samples, .. } => samples,
                Work::Start { .. } | Work::Finish { .. } => Vec::new(),
            })
            .collect();
        assert!(samples.len() >= 12_000, "{}", samples.len());
        let steady = &samples[4_000..];
        let right = steady
            .iter()
            .filter(|&&sample| (f64::from(sample) / 1000.0).round() as i32 == level);
        assert!(right.count() > steady.len() * 9 / 10, "{kind:?}");
    }
}

#[test]
fn who_sends_nothing_hears_the_others_and_silence_among_the_silent() {
    let mut room = Room::with(&[(A, 1000), (A, 0), (A, 0)]);
    room.parties[2].says = None;
    room.join(&[1, 2, 3]);
    room.turns(SETTLED);
    assert_eq!(room.heard(), [Some(0), Some(1), Some(1)]);
}

#[test]
fn what_does_not_fit_is_told_and_changes_nothing() {
    let mut room = Room::with(&[(A, 1000), (A, 2000)]);
    room.join(&[1, 2]);
    room.turns(SETTLED);
    for command in [
        Command::MuteInMix {
            mix: MIX + 1,
            session: 1,
            muted: true,
        },
        Command::JoinMix {
            mix: MIX,
            session: 77,
            muted: false,
        },
    ] {
        room.tell(command);
    }
    // Leaving a mix that one is not in is no mistake: they cross when a room ends.
    room.tell(Command::LeaveMix {
        mix: MIX + 1,
        session: 1,
    });
    room.turns(2);
    assert_eq!(room.heard(), [Some(2), Some(1)]);
    let failed = room.worker.events.iter();
    let failed = failed.filter(|event| matches!(event, Event::CommandFailed { .. }));
    assert_eq!(failed.count(), 2);
}
