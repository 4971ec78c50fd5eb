//! What `SetRemote` means for packets: looked up per packet, so laid out once per negotiation. Pure.

use std::net::SocketAddr;

use crate::control::protocol::{Codec, Direction, Latch, Remote};
use crate::dsp::g711::Law;
use crate::dsp::FRAME_MS;

use super::outgoing::MAX_FRAMES;

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unknown,
    Sound(Law),
    Event,
}

pub struct Agreed {
    kinds: [Kind; 128],
    pub law: Law,
    pub payload_type: u8,
    pub send_events: Option<u8>,
    pub frames: usize,
    pub may_send: bool,
    pub may_receive: bool,
    pub direction: Direction,
    pub remote: SocketAddr,
    pub remote_rtcp: SocketAddr,
    pub rtcp_mux: bool,
    pub symmetric: bool,
    pub inband_digits: bool,
    pub send_silence: bool,
    pub media_timeout_us: u64,
}

pub fn law(codec: Codec) -> Law {
    match codec {
        Codec::Pcma => Law::A,
        Codec::Pcmu => Law::Mu,
    }
}

pub fn codec(law: Law) -> Codec {
    match law {
        Law::A => Codec::Pcma,
        Law::Mu => Codec::Pcmu,
    }
}

impl Agreed {
    /// Payload types above 127 cannot come and are left out.
    pub fn new(said: &Remote) -> Self {
        let mut kinds = [Kind::Unknown; 128];
        for map in &said.receive {
            if let Some(kind) = kinds.get_mut(usize::from(map.payload_type)) {
                *kind = Kind::Sound(law(map.codec));
            }
        }
        if let Some(kind) = said
            .receive_events
            .and_then(|number| kinds.get_mut(usize::from(number)))
        {
            *kind = Kind::Event;
        }
        let next_port = SocketAddr::new(said.remote.ip(), said.remote.port().saturating_add(1));
        let same = if said.rtcp_mux {
            said.remote
        } else {
            next_port
        };
        Self {
            kinds,
            law: law(said.send_codec),
            payload_type: said.send_payload_type & 0x7F,
            send_events: said.send_events,
            frames: (usize::from(said.ptime_ms) / FRAME_MS as usize).clamp(1, MAX_FRAMES),
            may_send: matches!(said.direction, Direction::SendOnly | Direction::SendRecv),
            may_receive: matches!(said.direction, Direction::RecvOnly | Direction::SendRecv),
            direction: said.direction,
            remote: said.remote,
            remote_rtcp: said.remote_rtcp.unwrap_or(same),
            rtcp_mux: said.rtcp_mux,
            symmetric: said.latch == Latch::Symmetric,
            inband_digits: said.inband_digits,
            send_silence: said.send_silence,
            media_timeout_us: u64::from(said.media_timeout_ms) * 1_000,
        }
    }

    pub fn kind(&self, payload_type: u8) -> Kind {
        self.kinds[usize::from(payload_type & 0x7F)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::PayloadMap;

    fn said() -> Remote {
        Remote {
            session: 1,
            remote: "192.0.2.1:4000".parse().unwrap(),
            remote_rtcp: None,
            send_codec: Codec::Pcma,
            send_payload_type: 8,
            receive: vec![
                PayloadMap {
                    payload_type: 8,
                    codec: Codec::Pcma,
                },
                PayloadMap {
                    payload_type: 200,
                    codec: Codec::Pcmu,
                },
            ],
            send_events: Some(101),
            receive_events: Some(96),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            latch: Latch::Strict,
            rtcp_mux: false,
            inband_digits: false,
            send_silence: false,
            media_timeout_ms: 0,
        }
    }

    #[test]
    fn payload_types_mean_what_was_agreed() {
        let agreed = Agreed::new(&said());
        assert_eq!(agreed.kind(8), Kind::Sound(Law::A));
        assert_eq!(agreed.kind(96), Kind::Event);
        // 101 is theirs to receive, not ours; 200 cannot be sent at all.
        assert_eq!(
            (agreed.kind(101), agreed.kind(0), agreed.kind(72)),
            (Kind::Unknown, Kind::Unknown, Kind::Unknown)
        );
    }

    #[test]
    fn reports_go_to_the_next_port_unless_said_otherwise() {
        assert_eq!(Agreed::new(&said()).remote_rtcp.port(), 4001);
        assert_eq!(
            Agreed::new(&Remote {
                rtcp_mux: true,
                ..said()
            })
            .remote_rtcp
            .port(),
            4000
        );
        let elsewhere = "192.0.2.9:7".parse().unwrap();
        assert_eq!(
            Agreed::new(&Remote {
                remote_rtcp: Some(elsewhere),
                ..said()
            })
            .remote_rtcp,
            elsewhere
        );
    }

    #[test]
    fn a_packet_holds_what_the_peer_wants_within_reason() {
        for (ptime_ms, frames) in [
            (0, 1),
            (10, 1),
            (20, 1),
            (30, 1),
            (40, 2),
            (60, 3),
            (200, 3),
        ] {
            assert_eq!(Agreed::new(&Remote { ptime_ms, ..said() }).frames, frames);
        }
    }

    #[test]
    fn directions() {
        for (direction, sends, receives) in [
            (Direction::Inactive, false, false),
            (Direction::SendOnly, true, false),
            (Direction::RecvOnly, false, true),
            (Direction::SendRecv, true, true),
        ] {
            let agreed = Agreed::new(&Remote {
                direction,
                ..said()
            });
            assert_eq!((agreed.may_send, agreed.may_receive), (sends, receives));
        }
    }
}
