//! A session with its sockets: the one place where a machine meets the network.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::control::protocol::Event;
use crate::session::{Session, Wire};

/// What a session may be joined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Nothing,
    /// A bridge, with the seat of the other.
    Bridge(usize),
    /// A mix; muted or not.
    Mix(u32, bool),
}

pub struct Seat {
    pub session: Session,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
    pub joined: Joined,
    /// Nobody hears what its peer says, nor its keys.
    pub muted: bool,
    /// Of the wheel, while it is served there by itself.
    pub slot: Option<usize>,
}

/// A seat's sockets as a session sees them. A datagram that cannot be sent now is lost, as it would be on the way.
pub struct SeatWire<'a> {
    pub rtp: &'a UdpSocket,
    pub rtcp: &'a UdpSocket,
    pub events: &'a mut Vec<Event>,
}

impl Wire for SeatWire<'_> {
    fn rtp(&mut self, to: SocketAddr, packet: &[u8]) {
        let _ = self.rtp.send_to(packet, to);
    }
    fn rtcp(&mut self, to: SocketAddr, packet: &[u8]) {
        let _ = self.rtcp.send_to(packet, to);
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

impl Seat {
    /// The session, and the wire it speaks on.
    pub fn parts<'a>(&'a mut self, events: &'a mut Vec<Event>) -> (&'a mut Session, SeatWire<'a>) {
        (
            &mut self.session,
            SeatWire {
                rtp: &self.rtp,
                rtcp: &self.rtcp,
                events,
            },
        )
    }
}

/// Binds a pair of ports; neither socket ever blocks.
pub fn bind_pair(local: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let above = local
        .port()
        .checked_add(1)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let rtp = UdpSocket::bind(local)?;
    let rtcp = UdpSocket::bind(SocketAddr::new(local.ip(), above))?;
    rtp.set_nonblocking(true)?;
    rtcp.set_nonblocking(true)?;
    Ok((rtp, rtcp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_ports_in_a_row_or_nothing() {
        let (rtp, rtcp, port) = (0..200)
            .find_map(|n| {
                let port = 41_000 + n * 2;
                bind_pair(([127, 0, 0, 1], port).into())
                    .ok()
                    .map(|(rtp, rtcp)| (rtp, rtcp, port))
            })
            .unwrap();
        assert_eq!(
            (
                rtp.local_addr().unwrap().port(),
                rtcp.local_addr().unwrap().port()
            ),
            (port, port + 1)
        );
        assert_eq!(
            bind_pair(([127, 0, 0, 1], port).into()).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        assert!(bind_pair(([127, 0, 0, 1], 65_535).into()).is_err());
    }
}
